//! Groups that follow from the attributes of users, where a connection maps a value to the names of groups: membership
//! comes with the value and goes with it, in the same decision. A name that no group has, of the connection or by hand in
//! its organizations, gives none.

use std::sync::Arc;

use chancery_domain::Event;
use chancery_domain::decision::Refusal;
use chancery_domain::directory::{DirectoryGroup, UserStatus};
use chancery_domain::groups::FollowAttributes;
use chancery_domain::roles::MappedUser;

use super::failure::Failure;
use super::groups::group_key;
use super::push::Push;
use super::users::user_key;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Users read at once.
const PAGE: usize = 500;

/// Adds what follows for a user whose attributes name these groups, and the keys it depends on.
pub(super) async fn follow(
    push: &Push,
    (id, username): (&str, &str),
    names: &[String],
    keys: &mut Vec<String>,
    events: &mut Vec<Event>,
) -> Result<(), Failure> {
    if !push.maps_groups() {
        return Ok(());
    }
    let state = &push.gateway.state;
    let mut named: Vec<DirectoryGroup> = Vec::new();
    for name in names {
        named.extend(state.groups_by_name(name).await?.into_iter().filter(|group| is_in_reach(push, group)));
    }
    let mut leave = state.groups_by_attribute(id).await?;
    leave.retain(|group| !named.iter().any(|named| named.id == group.id));
    let present = state.memberships(id).await?;
    named.retain(|group| !present.iter().any(|membership| membership.group_id == group.id));
    if named.is_empty() && leave.is_empty() {
        return Ok(());
    }
    keys.extend(named.iter().chain(&leave).map(|group| group_key(&group.id)));
    let known = state.mapped_users(push.id(), &[id.to_owned()]).await?.into_iter().next();
    let user = MappedUser { id: id.to_owned(), username: Some(username.to_owned()), ..known.unwrap_or_default() };
    let follow = FollowAttributes {
        user: &user,
        join: &named,
        leave: &leave,
        connection: push.id(),
        mappings: &push.connection.settings.group_mappings,
    };
    let cause = events.first().map(|event| event.id.clone());
    events.extend(follow.decide(cause.as_deref(), push.context()));
    Ok(())
}

fn is_in_reach(push: &Push, group: &DirectoryGroup) -> bool {
    let organizations = &push.connection.settings.organizations;
    match &group.connection {
        Some(connection) => connection == push.id(),
        None => match &group.organization {
            Some(organization) => organizations.contains(organization),
            None => organizations.is_empty(),
        },
    }
}

/// Has the groups of all users of a connection follow their attributes again, after its mappings changed.
pub(crate) async fn follow_all(gateway: Arc<Gateway>, caller: Caller, connection: &str) -> Result<(), Failure> {
    let found = gateway.state.connection(connection).await?;
    let record = found.ok_or(Refusal::Unknown("connection"))?;
    let push = Push::of(gateway.clone(), caller, record, String::new())?.following();
    let mut after: Option<String> = None;
    loop {
        let page = gateway.state.users_of(connection, after.as_deref(), 0, PAGE).await?;
        let last = page.len() < PAGE;
        after = page.last().map(|user| user.id.clone());
        for user in page {
            follow_again(&push, &user.id).await?;
        }
        if last {
            return Ok(());
        }
    }
}

async fn follow_again(push: &Push, id: &str) -> Result<(), Failure> {
    let plan = async || {
        let (mut keys, mut events) = (vec![user_key(id), format!("connection/{}", push.id())], Vec::new());
        let user = push.gateway.state.user(id).await?.filter(|user| user.status != UserStatus::Deleted);
        let users = push.gateway.scim.resource_type("User");
        if let (Some(user), Some(users)) = (user, users) {
            let (_, names) = push.mapped(users, user.attributes)?;
            follow(push, (id, &user.username), &names, &mut keys, &mut events).await?;
        }
        Ok::<_, Failure>((keys, events))
    };
    let mut keys = plan().await?.0;
    loop {
        let decided = push.gateway.decisions.decide(&keys, async || {
            let (needed, events) = plan().await?;
            if needed.iter().all(|key| keys.contains(key)) {
                return Ok::<_, Failure>((events, None));
            }
            Ok((Vec::new(), Some(needed)))
        });
        match decided.await? {
            None => return Ok(()),
            Some(needed) => keys = needed,
        }
    }
}
