//! Resources as they are shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::StatusCode;
use chancery_domain::directory::Member;
use chancery_scim::schema::ENTERPRISE_SCHEMA;
use chancery_scim::{Document, Identity, ListQuery, ResourceType, ScimError, View, render};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Preconditions, etag};
use super::change::Change;
use super::failure::Failure;
use super::members::{PAGE, kind_name};
use super::push::Push;
use super::stored::{self, Stored};
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Most groups that are shown of a user.
const MOST_GROUPS: usize = 1000;

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
pub(super) async fn me(
    gateway: Arc<Gateway>,
    caller: Caller,
    base: String,
    asked: &ListQuery,
) -> Result<Answer, Failure> {
    let nobody = || ScimError::new(501, "the token stands for no user of an identity provider");
    let id = caller.user_id().ok_or_else(nobody)?.to_owned();
    let user = gateway.state.user(&id).await?.ok_or_else(nobody)?;
    let connection = gateway.state.connection(&user.connection.ok_or_else(nobody)?).await?.ok_or_else(nobody)?;
    let push = Push::of(gateway, caller, connection, base)?;
    let resource_type = push.gateway.scim.resource_type("User").ok_or_else(nobody)?;
    let mut answer = one(&push, resource_type, &id, asked, &Preconditions::default()).await?;
    answer.shows_location = true;
    Ok(answer)
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
    Ok(Answer { body: Some(body), location, version: Some(stored.version()), ..Answer::default() })
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
    if let Stored::User(user) = stored {
        refer_to_manager(push, &mut document);
        if with_groups {
            let groups = groups_of(push, &user.id).await?;
            if !groups.is_empty() {
                document.insert("groups".to_owned(), groups.into());
            }
        }
    }
    Ok(document)
}

/// A manager is shown with an address.
fn refer_to_manager(push: &Push, document: &mut Document) {
    let extension = document.get_mut(ENTERPRISE_SCHEMA).and_then(Value::as_object_mut);
    let Some(manager) = extension.and_then(|extension| extension.get_mut("manager")?.as_object_mut()) else { return };
    if let Some(id) = manager.get("value").and_then(Value::as_str)
        && !manager.contains_key("$ref")
    {
        let address = format!("{}/Users/{id}", push.base);
        manager.insert("$ref".to_owned(), address.into());
    }
}

/// The groups of a user: those it is a member of, and those that these are members of.
async fn groups_of(push: &Push, user: &str) -> Result<Vec<Value>, Failure> {
    let mut shown = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let (mut level, mut kind) = (vec![user.to_owned()], "direct");
    while !level.is_empty() && seen.len() < MOST_GROUPS {
        let mut above = Vec::new();
        for member in &level {
            for group in push.gateway.state.memberships(member).await? {
                if group.connection.as_deref() == Some(push.id()) && seen.insert(group.group_id.clone()) {
                    shown.push(json!({
                        "value": group.group_id, "$ref": format!("{}/Groups/{}", push.base, group.group_id),
                        "display": group.name, "type": kind,
                    }));
                    above.push(group.group_id);
                }
            }
        }
        (level, kind) = (above, "indirect");
    }
    Ok(shown)
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
    Ok(Answer { status: StatusCode::CREATED, body, location: Some(location), version: Some(0), ..Answer::default() })
}
