//! What changes of groups and their members come to.

use chancery_domain::attributes::{self, Attributes};
use chancery_domain::directory::{DirectoryGroup, Member};
use chancery_domain::events::groups::MemberKind;
use chancery_domain::groups::{CreateGroup, DeleteGroup, Mapped, UpdateGroup};
use chancery_domain::roles::MappedUser;
use chancery_scim::{MemberEdit, PatchRequest, Purpose, ScimError, ScimEvent, accept, patch};
use serde_json::Value;

use super::change::{Change, Plan, Wish};
use super::failure::Failure;
use super::members::{self, Moves};
use super::push::Push;
use super::users::user_key;

/// Works out what a change comes to.
pub(super) async fn plan(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    match &wish.change {
        Change::Create(body) => create(push, wish, body).await,
        Change::Replace(body) => {
            let group = find(push, wish).await?;
            let purpose = Purpose::Replace { current: &group.attributes };
            let accepted = accept(wish.resource_type, body.clone(), &push.profile, purpose)?;
            // Absent members are none (RFC 7644, 3.5.1).
            let edits = vec![MemberEdit::Replace(accepted.members.unwrap_or_default())];
            update(push, &group, accepted.document, edits, ScimEvent::PutFull).await
        }
        Change::Patch(body) => {
            let group = find(push, wish).await?;
            let request = PatchRequest::parse(body.clone(), &push.profile)?;
            let patched = patch::apply(wish.resource_type, &group.attributes, request, &push.profile)?;
            update(push, &group, patched.document, patched.members, ScimEvent::PatchFull).await
        }
        Change::Delete => delete(push, wish).await,
    }
}

async fn find(push: &Push, wish: &Wish<'_>) -> Result<DirectoryGroup, Failure> {
    let found = push.gateway.state.group(&wish.id).await?;
    let visible = |group: &DirectoryGroup| group.connection.as_deref() == Some(push.id()) && !group.deleted;
    let unknown = || ScimError::not_found(format!("there is no group {}", wish.id));
    let group = found.filter(visible).ok_or_else(unknown)?;
    wish.preconditions.check(group.version)?;
    Ok(group)
}

async fn create(push: &Push, wish: &Wish<'_>, body: &Value) -> Result<Plan, Failure> {
    let accepted = accept(wish.resource_type, body.clone(), &push.profile, Purpose::Create)?;
    let name = display_name(&accepted.document);
    let mut keys = vec![group_key(&wish.id)];
    let namesakes = namesakes(push, &name, &mut keys).await?;
    let adopted = namesakes.iter().find(|group| group.connection.is_none() && !group.deleted);
    if let Some(group) = adopted.filter(|_| push.connection.settings.adopt_unmanaged) {
        let edits = vec![MemberEdit::Replace(accepted.members.unwrap_or_default())];
        return update(push, group, accepted.document, edits, ScimEvent::CreateFull).await;
    }
    let joining = members::named(push, accepted.members.unwrap_or_default()).await?;
    let mapped = mapped_users(push, [name.as_str()], &joining, &mut keys).await?;
    let command = CreateGroup {
        id: wish.id.clone(),
        attributes: accepted.document,
        connection: Some(push.connection.id.clone()),
        organization: push.home(),
        members: joining,
        scim_event: Some(ScimEvent::CreateFull.uri().to_owned()),
    };
    let mapped = Mapped { mappings: &push.connection.settings.group_mappings, users: &mapped };
    let events = command.decide(&rivals(push, namesakes), mapped, push.context())?;
    Ok(Plan { keys, events, id: wish.id.clone() })
}

async fn update(
    push: &Push,
    group: &DirectoryGroup,
    document: Attributes,
    edits: Vec<MemberEdit>,
    pushed: ScimEvent,
) -> Result<Plan, Failure> {
    let mut keys = vec![group_key(&group.id)];
    let name = display_name(&document);
    let renamed = attributes::key(&name) != attributes::key(&group.name);
    let namesakes = if renamed { namesakes(push, &name, &mut keys).await? } else { Vec::new() };
    let Moves { join, leave } = members::resolve(push, &group.id, edits).await?;
    let names = [group.name.as_str(), name.as_str()];
    let concerned = if renamed && concerns(push, names) {
        let mut all = members::all(push, &group.id).await?;
        all.extend(join.iter().cloned());
        all
    } else {
        join.iter().chain(&leave).cloned().collect()
    };
    let mapped = mapped_users(push, names, &concerned, &mut keys).await?;
    let adopts = group.connection.as_deref() != Some(push.id());
    let command = UpdateGroup {
        attributes: Some(document),
        connection: adopts.then(|| push.connection.id.clone()),
        join,
        leave,
        scim_event: Some(pushed.uri().to_owned()),
    };
    let mapped = Mapped { mappings: &push.connection.settings.group_mappings, users: &mapped };
    let events = command.decide(group, &rivals(push, namesakes), mapped, push.context())?;
    Ok(Plan { keys, events, id: group.id.clone() })
}

async fn delete(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    let group = find(push, wish).await?;
    let mut keys = vec![group_key(&group.id)];
    let names = [group.name.as_str()];
    let members = if concerns(push, names) { members::all(push, &group.id).await? } else { Vec::new() };
    let mapped = mapped_users(push, names, &members, &mut keys).await?;
    let mapped = Mapped { mappings: &push.connection.settings.group_mappings, users: &mapped };
    let command = DeleteGroup { scim_event: Some(ScimEvent::Delete.uri().to_owned()) };
    let events = command.decide(&group, mapped, push.context())?;
    Ok(Plan { keys, events, id: group.id })
}

/// The groups of the same name that this connection sees or could take over.
async fn namesakes(push: &Push, name: &str, keys: &mut Vec<String>) -> Result<Vec<DirectoryGroup>, Failure> {
    let adopts = push.connection.settings.adopt_unmanaged;
    if !push.profile.unique_group_names && !adopts {
        return Ok(Vec::new());
    }
    keys.push(name_key(name));
    let found = push.gateway.state.groups_by_name(name).await?;
    let reachable = |group: &DirectoryGroup| {
        !group.deleted && (group.connection.as_deref() == Some(push.id()) || (adopts && group.connection.is_none()))
    };
    Ok(found.into_iter().filter(reachable).collect())
}

/// Those whose name a group must not have: RFC 7643 lets groups share names, unless the profile says otherwise.
fn rivals(push: &Push, namesakes: Vec<DirectoryGroup>) -> Vec<DirectoryGroup> {
    let unique = push.profile.unique_group_names;
    namesakes.into_iter().filter(|group| unique && group.connection.is_some()).collect()
}

/// Whether roles come with a group of one of these names.
fn concerns<'n>(push: &Push, names: impl IntoIterator<Item = &'n str>) -> bool {
    let mapped = Mapped { mappings: &push.connection.settings.group_mappings, users: &[] };
    names.into_iter().any(|name| mapped.concerns(name))
}

/// The users whose roles may change with their membership, and the keys of their roles.
async fn mapped_users<'n>(
    push: &Push,
    names: impl IntoIterator<Item = &'n str>,
    members: &[Member],
    keys: &mut Vec<String>,
) -> Result<Vec<MappedUser>, Failure> {
    if members.is_empty() || !concerns(push, names) {
        return Ok(Vec::new());
    }
    let users = members.iter().filter(|member| member.kind == MemberKind::User).map(|member| member.id.clone());
    let users: Vec<String> = users.collect();
    keys.extend(users.iter().map(|id| user_key(id)));
    let own = members::own_users(push, &users).await?;
    Ok(push.gateway.state.mapped_users(push.id(), &own).await?)
}

fn display_name(document: &Attributes) -> String {
    document.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn name_key(name: &str) -> String {
    format!("group-name/{}", attributes::key(name))
}

pub(super) fn group_key(id: &str) -> String {
    format!("group/{id}")
}
