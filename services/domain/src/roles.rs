//! Roles: who gets which, through groups too, and what custom ones mean.

use std::collections::BTreeSet;

use crate::attributes;
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{CustomRole, DirectoryUser, HeldRole, UserStatus};
use crate::event::{Event, Resource};
use crate::events::Bare;
use crate::events::directory::{GroupMapping, MappedRole};
use crate::events::groups::{RoleDefinition, RoleGrant};

/// The roles every deployment has; each can be limited to an organization.
pub const BUILT_IN: [&str; 5] = ["owner", "auditor", "user-admin", "template-admin", "member"];

/// Most permissions of a custom role.
pub const MAX_PERMISSIONS: usize = 200;

/// A role to be given.
#[derive(Debug, Clone)]
pub struct AssignRole {
    /// The role, and the organization it is limited to.
    pub role: MappedRole,
}

impl AssignRole {
    /// Decides what changes: nothing if the user has the role, other than through a group. `custom` is the custom role
    /// of that name, if there is one.
    pub fn decide(
        self,
        user: &DirectoryUser,
        held: &[HeldRole],
        custom: Option<&CustomRole>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        if !BUILT_IN.contains(&self.role.role.as_str()) && custom.is_none() {
            return Err(Refusal::Unknown("role"));
        }
        let mut draft = Draft::new(context);
        if !held.iter().any(|held| held.role == self.role && !held.by_group) {
            let event = grant(&mut draft, "role.assigned", user.resource(), self.role, false);
            draft.push(event);
        }
        Ok(draft.events)
    }
}

/// A role to be taken away, however the user came by it.
#[derive(Debug, Clone)]
pub struct RevokeRole {
    /// The role, and the organization it is limited to.
    pub role: MappedRole,
}

impl RevokeRole {
    /// Decides whether the user can lose the role.
    pub fn decide(self, user: &DirectoryUser, held: &[HeldRole], context: Context) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let Some(held) = held.iter().find(|held| held.role == self.role) else {
            return Err(Refusal::Unknown("role of this user"));
        };
        let mut draft = Draft::new(context);
        let event = grant(&mut draft, "role.revoked", user.resource(), self.role, held.by_group);
        draft.push(event);
        Ok(draft.events)
    }
}

/// A custom role to be given its meaning.
#[derive(Debug, Clone)]
pub struct DefineRole {
    /// Name, description and permissions.
    pub definition: RoleDefinition,
}

impl DefineRole {
    /// Decides what changes: nothing if the role means just this.
    pub fn decide(self, present: Option<&CustomRole>, context: Context) -> Result<Vec<Event>, Refusal> {
        let RoleDefinition { name, description, permissions } = &self.definition;
        decision::slug("name", name)?;
        if BUILT_IN.contains(&name.as_str()) {
            return Err(Refusal::invalid("name", "is that of a built-in role"));
        }
        if permissions.is_empty() || permissions.len() > MAX_PERMISSIONS {
            return Err(Refusal::invalid("permissions", format!("must be 1 to {MAX_PERMISSIONS}")));
        }
        permissions.iter().try_for_each(|permission| decision::name("permissions", permission, decision::MAX_NAME))?;
        if let Some(description) = description {
            decision::name("description", description, 1000)?;
        }
        let mut draft = Draft::new(context);
        let same = |role: &CustomRole| role.description == *description && role.permissions == *permissions;
        if !present.is_some_and(same) {
            let event = draft.event("role.defined", Resource::new("role", name).named(name), &self.definition);
            draft.push(event);
        }
        Ok(draft.events)
    }
}

impl CustomRole {
    /// Decides that the role is withdrawn: from then on, having it means nothing.
    pub fn withdraw(&self, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        let event = draft.event("role.withdrawn", Resource::new("role", &self.name).named(&self.name), &Bare {});
        draft.push(event);
        draft.events
    }
}

/// A user whose groups change: the roles it has, and the names of its connection's groups that it is in.
#[derive(Debug, Clone, Default)]
pub struct MappedUser {
    /// Its id.
    pub id: String,
    /// Its login name.
    pub username: Option<String>,
    /// The roles it has.
    pub held: Vec<HeldRole>,
    /// Names of the groups it is in, before the change.
    pub groups: Vec<String>,
}

/// The roles that membership in groups gives.
pub(crate) fn through_groups<'a>(
    mappings: &[GroupMapping],
    groups: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<MappedRole> {
    let keys: BTreeSet<String> = groups.into_iter().map(attributes::key).collect();
    let mapped = mappings.iter().filter(|mapping| keys.contains(&attributes::key(&mapping.group)));
    mapped.flat_map(|mapping| mapping.roles.iter().cloned()).collect()
}

/// Gives and takes the roles that come with groups, so that the user has those in `due`, because of the event `cause`.
/// A role it has otherwise stays as it is.
pub(crate) fn settle(draft: &mut Draft, cause: Option<&str>, user: &MappedUser, due: &BTreeSet<MappedRole>) {
    let mut resource = Resource::new("user", &user.id);
    resource.name.clone_from(&user.username);
    resource.owner.clone_from(&user.username);
    let gone = user.held.iter().filter(|held| held.by_group && !due.contains(&held.role)).map(|held| &held.role);
    let missing = due.iter().filter(|role| !user.held.iter().any(|held| held.role == **role));
    for (event_type, role) in gone.map(|role| ("role.revoked", role)).chain(missing.map(|role| ("role.assigned", role)))
    {
        let event = grant(draft, event_type, resource.clone(), role.clone(), true);
        match cause {
            Some(cause) => draft.entail(cause, event),
            None => draft.push(event),
        };
    }
}

/// Decides which roles a user gains and loses once the group mappings of its connection have changed.
pub fn remap(user: &MappedUser, mappings: &[GroupMapping], context: Context) -> Vec<Event> {
    let mut draft = Draft::new(context);
    let due = through_groups(mappings, user.groups.iter().map(String::as_str));
    settle(&mut draft, None, user, &due);
    draft.events
}

fn grant(draft: &mut Draft, event_type: &str, user: Resource, role: MappedRole, by_group: bool) -> Event {
    let payload = RoleGrant { by_group, organization: role.organization, role: role.role };
    let mut event = draft.event(event_type, user, &payload);
    event.organization = payload.organization;
    event
}

fn exists(user: &DirectoryUser) -> Result<(), Refusal> {
    if user.status == UserStatus::Deleted { Err(Refusal::Unknown("user")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
