//! What changes of users come to.

use chancery_domain::Event;
use chancery_domain::attributes::{self, Attributes};
use chancery_domain::directory::{DirectoryUser, Possessions, UserStatus};
use chancery_domain::roles::{MappedUser, remap};
use chancery_domain::users::{CreateUser, DeleteUser, UpdateUser};
use chancery_scim::schema::ENTERPRISE_SCHEMA;
use chancery_scim::{PatchRequest, Purpose, ScimError, ScimEvent, accept, patch};
use serde_json::Value;

use super::change::{Change, Plan, Wish};
use super::failure::Failure;
use super::following::follow;
use super::push::Push;

/// Works out what a change comes to.
pub(super) async fn plan(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    match &wish.change {
        Change::Create(body) => create(push, wish, body).await,
        Change::Replace(body) => {
            let user = find(push, wish).await?;
            let purpose = Purpose::Replace { current: &user.attributes };
            let accepted = accept(wish.resource_type, body.clone(), &push.profile, purpose)?;
            let (mut document, groups) = push.mapped(wish.resource_type, accepted.document)?;
            // Not to speak of access neither gives nor takes it.
            document.entry("active").or_insert(Value::Bool(user.status == UserStatus::Active));
            update(push, &user, document, &groups, ScimEvent::PutFull).await
        }
        Change::Patch(body) => {
            let user = find(push, wish).await?;
            let request = PatchRequest::parse(body.clone(), &push.profile)?;
            let patched = patch::apply(wish.resource_type, &user.attributes, request, &push.profile)?;
            let (document, groups) = push.mapped(wish.resource_type, patched.document)?;
            update(push, &user, document, &groups, ScimEvent::PatchFull).await
        }
        Change::Delete => delete(push, wish).await,
    }
}

async fn find(push: &Push, wish: &Wish<'_>) -> Result<DirectoryUser, Failure> {
    let found = push.gateway.state.user(&wish.id).await?;
    let visible = |user: &DirectoryUser| {
        user.connection.as_deref() == Some(push.id()) && !user.removed && user.status != UserStatus::Deleted
    };
    let unknown = || ScimError::not_found(format!("there is no user {}", wish.id));
    let user = found.filter(visible).ok_or_else(unknown)?;
    wish.preconditions.check(user.version)?;
    Ok(user)
}

async fn create(push: &Push, wish: &Wish<'_>, body: &Value) -> Result<Plan, Failure> {
    let state = &push.gateway.state;
    let accepted = accept(wish.resource_type, body.clone(), &push.profile, Purpose::Create)?;
    let (mut attributes, groups) = push.mapped(wish.resource_type, accepted.document)?;
    // Who is not said to be inactive is active.
    attributes.entry("active").or_insert(Value::Bool(true));
    let name = attributes.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned();
    forget_own_address(&mut attributes);
    let namesakes = state.users_by_name(&name).await?;
    if let Some(namesake) = namesakes.iter().find(|user| can_be_taken_over(push, user)) {
        let plan = update(push, namesake, attributes, &groups, ScimEvent::CreateFull).await?;
        return Ok(plan);
    }
    let create = CreateUser {
        id: wish.id.clone(),
        attributes: attributes.clone(),
        connection: Some(push.connection.id.clone()),
        organization: push.home(),
        roles: Vec::new(),
        scim_event: Some(ScimEvent::CreateFull.uri().to_owned()),
    };
    let mut events = create.decide(&namesakes, push.context())?;
    if attributes.get("active") == Some(&Value::Bool(false)) {
        let suspended = suspended_from_the_start(push, wish, &name, &events)?;
        events.extend(suspended);
    }
    let mut keys = vec![user_key(&wish.id), name_key(&name)];
    follow(push, (&wish.id, &name), &groups, &mut keys, &mut events).await?;
    Ok(Plan { keys, events, id: wish.id.clone() })
}

/// Somebody who is created inactive has never had access.
fn suspended_from_the_start(
    push: &Push,
    wish: &Wish<'_>,
    name: &str,
    created: &[Event],
) -> Result<Vec<Event>, Failure> {
    let now = push.gateway.now();
    let user = DirectoryUser {
        id: wish.id.clone(),
        username: name.to_owned(),
        display_name: None,
        email: None,
        organization: push.home(),
        connection: Some(push.connection.id.clone()),
        attributes: Attributes::from_iter([("userName".to_owned(), Value::from(name))]),
        status: UserStatus::Active,
        removed: false,
        delete_at: None,
        own: true,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let suspend =
        chancery_domain::users::SuspendUser { reason: Some("created inactive".to_owned()), ..Default::default() };
    let mut events = suspend.decide(&user, &Possessions::default(), push.context())?;
    for event in &mut events {
        event.causation = created.first().map(|created| created.id.clone());
        name_activity(event, ScimEvent::Deactivate);
    }
    Ok(events)
}

/// Whether creating a user of this name means this one: an inactive one of the same connection, one that the provider had
/// deleted, or one that nobody provisions, as the connection's settings say.
fn can_be_taken_over(push: &Push, user: &DirectoryUser) -> bool {
    if user.status == UserStatus::Deleted {
        return false;
    }
    match user.connection.as_deref() {
        Some(connection) if connection == push.id() => {
            user.removed || (push.profile.reactivate_inactive_match && user.status == UserStatus::Suspended)
        }
        Some(_) => false,
        None => push.connection.settings.adopt_unmanaged,
    }
}

async fn update(
    push: &Push,
    user: &DirectoryUser,
    mut attributes: Attributes,
    groups: &[String],
    pushed: ScimEvent,
) -> Result<Plan, Failure> {
    let state = &push.gateway.state;
    forget_own_address(&mut attributes);
    let name = attributes.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut keys = vec![user_key(&user.id)];
    let renamed = attributes::key(&name) != attributes::key(&user.username);
    let namesakes = if renamed { state.users_by_name(&name).await? } else { Vec::new() };
    if renamed {
        keys.push(name_key(&name));
    }
    let loses_access = user.status == UserStatus::Active && attributes.get("active") == Some(&Value::Bool(false));
    let possessions = if loses_access { state.possessions(&user.id).await? } else { Possessions::default() };
    let adopts = user.connection.as_deref() != Some(push.id());
    let command = UpdateUser {
        attributes,
        connection: adopts.then(|| push.connection.id.clone()),
        suspension: push.connection.settings.suspension,
        scim_event: Some(pushed.uri().to_owned()),
    };
    let mut events = command.decide(user, &namesakes, &possessions, push.context())?;
    for event in &mut events {
        name_activity(event, ScimEvent::Deactivate);
    }
    follow(push, (&user.id, &name), groups, &mut keys, &mut events).await?;
    Ok(Plan { keys, events, id: user.id.clone() })
}

async fn delete(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    let (user, state) = (find(push, wish).await?, &push.gateway.state);
    let memberships = state.memberships(&user.id).await?;
    let possessions = state.possessions(&user.id).await?;
    let command = DeleteUser {
        deletion: push.connection.settings.deletion,
        suspension: push.connection.settings.suspension,
        scim_event: Some(ScimEvent::Delete.uri().to_owned()),
    };
    let groups = memberships.iter().map(|membership| super::groups::group_key(&membership.group_id));
    let keys = std::iter::once(user_key(&user.id)).chain(groups).collect();
    let mut events = command.decide(&user, &memberships, &possessions, push.context())?;
    for event in &mut events {
        name_activity(event, ScimEvent::Delete);
    }
    // With its groups go the roles that came with them.
    for mapped in state.mapped_users(push.id(), std::slice::from_ref(&user.id)).await? {
        let mapped = MappedUser { groups: Vec::new(), ..mapped };
        events.extend(remap(&mapped, &push.connection.settings.group_mappings, push.context()));
    }
    Ok(Plan { keys, events, id: user.id })
}

/// Losing and regaining access have event URIs of their own.
fn name_activity(event: &mut Event, suspended: ScimEvent) {
    let pushed = match event.event_type.as_str() {
        "user.suspended" => suspended,
        "user.reactivated" => ScimEvent::Activate,
        _ => return,
    };
    if let Some(data) = event.data.as_object_mut() {
        data.insert("scim_event".to_owned(), pushed.uri().into());
    }
}

/// The address of a manager follows from its id, where it is that of a user here.
fn forget_own_address(attributes: &mut Attributes) {
    let extension = attributes.get_mut(ENTERPRISE_SCHEMA).and_then(Value::as_object_mut);
    let Some(manager) = extension.and_then(|extension| extension.get_mut("manager")?.as_object_mut()) else { return };
    let own = manager.get("value").and_then(Value::as_str).map(|id| format!("/Users/{id}"));
    let address = manager.get("$ref").and_then(Value::as_str);
    if own.zip(address).is_some_and(|(own, address)| address.ends_with(&own)) {
        manager.remove("$ref");
    }
}

pub(super) fn user_key(id: &str) -> String {
    format!("user/{id}")
}

pub(super) fn name_key(name: &str) -> String {
    format!("user-name/{}", attributes::key(name))
}
