//! Roles that come with claims: given with the sign-in that brings them, taken with the first that does not.

use std::collections::BTreeSet;

use chancery_domain::Event;
use chancery_domain::directory::{CustomRole, DirectoryUser, HeldRole};
use chancery_domain::events::directory::MappedRole;
use chancery_domain::roles::{self, AssignRole, BUILT_IN, RevokeRole};
use chancery_oidc::{Identity, Provider};
use chancery_state::State;

use super::account::Arrival;
use super::failure::Denial;

/// The roles that somebody's groups and roles at the provider give here. One that does not exist gives nothing.
pub(super) async fn due(
    state: &State,
    provider: &Provider,
    identity: &Identity,
) -> Result<BTreeSet<MappedRole>, Denial> {
    let granted = provider.grants(identity).into_iter();
    let mut due: BTreeSet<MappedRole> =
        granted.map(|grant| MappedRole { organization: grant.organization, role: grant.role }).collect();
    if due.iter().all(|due| BUILT_IN.contains(&due.role.as_str())) {
        return Ok(due);
    }
    let custom = state.custom_roles().await?;
    due.retain(|due| {
        let exists = BUILT_IN.contains(&due.role.as_str()) || custom.iter().any(|role| role.name == due.role);
        if !exists {
            tracing::warn!(provider = provider.name, role = due.role, "the provider's settings name an unknown role");
        }
        exists
    });
    Ok(due)
}

/// What changes for a user, and the roles that the provider has given then.
pub(super) struct Settled {
    pub(super) events: Vec<Event>,
    pub(super) given: BTreeSet<MappedRole>,
}

/// Gives the roles that are due, and takes those that the provider has given before and that are not. What somebody has
/// otherwise stays.
pub(super) async fn settle(
    arrival: &Arrival<'_>,
    user: &DirectoryUser,
    due: &BTreeSet<MappedRole>,
    before: BTreeSet<MappedRole>,
) -> Result<Settled, Denial> {
    let state = &arrival.gateway.state;
    let held = state.roles(&user.id).await?;
    let by_hand = |role: &MappedRole| held.iter().any(|held| held.role == *role && !held.by_group);
    let custom = state.custom_roles().await?;
    let (mut events, mut given) = (Vec::new(), before);
    for role in due.iter().filter(|role| !by_hand(role)) {
        let custom: Option<&CustomRole> = custom.iter().find(|custom| custom.name == role.role);
        let command = AssignRole { role: role.clone() };
        events.extend(command.decide(user, &held, custom, arrival.context())?);
        given.insert(role.clone());
    }
    // A provider that does not give all groups does not say that somebody has left one.
    let gone: BTreeSet<MappedRole> =
        if arrival.identity.groups_withheld { BTreeSet::new() } else { given.difference(due).cloned().collect() };
    for role in gone.iter().filter(|role| by_hand(role)) {
        let command = RevokeRole { role: role.clone() };
        events.extend(command.decide(user, &held, arrival.context())?);
    }
    if !gone.is_empty() {
        events.extend(through_groups(arrival, user, &gone).await?);
    }
    given.retain(|role| !gone.contains(role));
    Ok(Settled { events, given })
}

/// Of roles that are taken, those that groups which a connection provisions give as well: they are given again.
async fn through_groups(
    arrival: &Arrival<'_>,
    user: &DirectoryUser,
    gone: &BTreeSet<MappedRole>,
) -> Result<Vec<Event>, Denial> {
    let state = &arrival.gateway.state;
    let Some(id) = &user.connection else { return Ok(Vec::new()) };
    let Some(connection) = state.connection(id).await?.filter(|connection| !connection.deleted) else {
        return Ok(Vec::new());
    };
    let mapped = state.mapped_users(id, std::slice::from_ref(&user.id)).await?;
    let Some(mut mapped) = mapped.into_iter().next() else { return Ok(Vec::new()) };
    mapped.held.retain(|held: &HeldRole| !gone.contains(&held.role));
    let events = roles::remap(&mapped, &connection.settings.group_mappings, arrival.context()).into_iter();
    Ok(events.filter(|event| event.event_type == "role.assigned").collect())
}
