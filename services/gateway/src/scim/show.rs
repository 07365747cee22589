//! Resources as they are shown.

use actix_web::http::StatusCode;
use chancery_domain::directory::Member;
use chancery_domain::events::tokens::OwnerKind;
use chancery_scim::{Document, Identity, ListQuery, ResourceType, ScimError, View, render};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Preconditions, etag};
use super::change::Change;
use super::failure::Failure;
use super::members::{PAGE, kind_name};
use super::push::Push;
use super::stored::{self, Stored};

/// `GET` of one resource.
pub(super) async fn one(
    push: &Push,
    resource_type: &ResourceType,
    id: &str,
    asked: &ListQuery,
    preconditions: &Preconditions,
) -> Result<Answer, Failure> {
    let found = stored::find(push, resource_type, id).await?;
    let stored = found.ok_or_else(|| ScimError::not_found(format!("there is no {} {id}", resource_type.name())))?;
    if preconditions.is_known(stored.version()) {
        let version = Some(stored.version());
        return Ok(Answer { status: StatusCode::NOT_MODIFIED, version, ..Answer::default() });
    }
    resource(push, resource_type, &stored, asked).await
}

/// `GET /Me`: the user a token stands for (RFC 7644, 3.11). A connection is nobody.
pub(super) async fn me(push: &Push, asked: &ListQuery) -> Result<Answer, Failure> {
    let nobody = || ScimError::new(501, "the token of a connection stands for no user");
    let owner = push.caller.token.as_ref().and_then(|token| token.owner.as_ref());
    let owner = owner.filter(|owner| owner.kind == OwnerKind::User).ok_or_else(nobody)?;
    let resource_type = push.gateway.scim.resource_type("User").ok_or_else(nobody)?;
    one(push, resource_type, &owner.id, asked, &Preconditions::default()).await
}

/// A resource with its address and version.
pub(super) async fn resource(
    push: &Push,
    resource_type: &ResourceType,
    stored: &Stored,
    asked: &ListQuery,
) -> Result<Answer, Failure> {
    let body = text(push, resource_type, stored, &asked.projection.view(resource_type)).await?;
    let location = Some(push.location(resource_type, stored.id()));
    Ok(Answer { status: StatusCode::OK, body: Some(body), location, version: Some(stored.version()) })
}

/// A resource as JSON text. Members of a group are rendered page by page.
pub(super) async fn text(
    push: &Push,
    resource_type: &ResourceType,
    stored: &Stored,
    view: &View<'_>,
) -> Result<String, Failure> {
    let document = view.apply(document(push, resource_type, stored, view.wants("groups")).await?);
    let mut text = Value::Object(document).to_string();
    if matches!(stored, Stored::Group(_)) && view.wants("members") {
        text.pop();
        text.push_str(if text.len() > 1 { ",\"members\":[" } else { "\"members\":[" });
        members(push, stored.id(), view, &mut text).await?;
        text.push_str("]}");
    }
    Ok(text)
}

async fn members(push: &Push, group: &str, view: &View<'_>, text: &mut String) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    let mut first = true;
    loop {
        let page = push.gateway.state.members(group, after.as_deref(), PAGE).await?;
        let (last, next) = (page.len() < PAGE, page.last().map(|member| member.id.clone()));
        let rendered: Vec<Value> = page.iter().map(|each| member(push, each)).collect();
        let shown = view.apply(Document::from_iter([("members".to_owned(), Value::Array(rendered))]));
        for member in shown.get("members").and_then(Value::as_array).into_iter().flatten() {
            if !std::mem::take(&mut first) {
                text.push(',');
            }
            text.push_str(&member.to_string());
        }
        if last {
            return Ok(());
        }
        after = next;
    }
}

/// A member of a group.
pub(super) fn member(push: &Push, member: &Member) -> Value {
    let kind = kind_name(member.kind);
    let mut shown = Map::new();
    shown.insert("value".to_owned(), member.id.clone().into());
    shown.insert("$ref".to_owned(), format!("{}/{kind}s/{}", push.base, member.id).into());
    if let Some(name) = &member.name {
        shown.insert("display".to_owned(), name.clone().into());
    }
    shown.insert("type".to_owned(), kind.into());
    Value::Object(shown)
}

/// A whole resource, but for the members of a group.
pub(super) async fn document(
    push: &Push,
    resource_type: &ResourceType,
    stored: &Stored,
    with_groups: bool,
) -> Result<Document, Failure> {
    let (created, modified) = stored.times();
    let identity = Identity {
        id: stored.id().to_owned(),
        created: created.to_string(),
        last_modified: modified.to_string(),
        location: push.location(resource_type, stored.id()),
        version: etag(stored.version()),
    };
    let mut document = render(resource_type, identity, stored.attributes().clone());
    if let (Stored::User(user), true) = (stored, with_groups) {
        let memberships = push.gateway.state.memberships(&user.id).await?;
        let own = memberships.iter().filter(|membership| membership.connection.as_deref() == Some(push.id()));
        let groups: Vec<Value> = own
            .map(|group| {
                json!({
                    "value": group.group_id, "$ref": format!("{}/Groups/{}", push.base, group.group_id),
                    "display": group.name, "type": "direct",
                })
            })
            .collect();
        if !groups.is_empty() {
            document.insert("groups".to_owned(), groups.into());
        }
    }
    Ok(document)
}

/// Whether a group has so many members that a PATCH is answered without it.
pub(super) async fn has_many_members(push: &Push, stored: &Stored) -> Result<bool, Failure> {
    let (Stored::Group(group), Some(most)) = (stored, push.profile.patch_no_content_above) else { return Ok(false) };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Ok(push.gateway.state.members(&group.id, None, most.saturating_add(1)).await?.len() > most)
}

/// On dry run: what was sent, as if it had been stored.
pub(super) fn as_sent(push: &Push, resource_type: &ResourceType, id: &str, change: &Change) -> Result<Answer, Failure> {
    let (Change::Create(body) | Change::Replace(body) | Change::Patch(body)) = change else {
        return Err(ScimError::not_found("there is no such resource").into());
    };
    let mut document = body.as_object().cloned().unwrap_or_default();
    document.remove("password");
    let location = push.location(resource_type, id);
    let now = push.gateway.now().to_string();
    document.insert("id".to_owned(), id.into());
    document.insert(
        "meta".to_owned(),
        json!({ "resourceType": resource_type.name(), "created": now, "lastModified": now, "location": location, "version": etag(0) }),
    );
    let body = Some(Value::Object(document).to_string());
    Ok(Answer { status: StatusCode::CREATED, body, location: Some(location), version: Some(0) })
}
