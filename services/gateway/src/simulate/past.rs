//! Who there was at a past position of the log, folded out of the audit trail.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::attributes::Summary;
use chancery_domain::catalogue::{self, Payload};
use chancery_domain::events::directory::MappedRole;
use chancery_domain::events::groups::RoleGrant;
use chancery_domain::events::identity::IdentityEvent;
use chancery_domain::events::policy::PolicyEvent;
use chancery_domain::events::tokens::TokenCreated;
use chancery_domain::{Event, OWN_SOURCE, Timestamp};
use chancery_log::{Frontier, Position, place};
use chancery_policy::{CustomRole, Permission, PublishedPolicy};
use chancery_state::Person;

use super::world::{World, bearer, is_over, person};
use super::{aside, read};
use crate::error::ApiError;
use crate::gateway::Gateway;

/// Most events that are folded.
const MOST_EVENTS: usize = 200_000;

/// What decides who may do what.
const TYPES: &str = "user.created, user.updated, user.suspended, user.reactivated, user.deleted, role.assigned, \
    role.revoked, role.defined, role.withdrawn, group.created, group.member.added, group.member.removed, group.deleted, \
    policy.published, policy.withdrawn, token.created, token.rotated, token.revoked";

/// Who there was, and by which rules they were judged, once everything up to `at` had happened.
pub(super) async fn world(gateway: &Gateway, at: &Frontier) -> Result<World, ApiError> {
    // One partition is read no further than it must be.
    let end = if at.partitions() == 1 { format!(" position:<={}", place(at.of(0))) } else { String::new() };
    let filter = format!("source:\"{OWN_SOURCE}\" type:({TYPES}){end}");
    let mut found: Vec<(Position, String)> = Vec::new();
    read(gateway, &filter, true, |position, event| {
        if at.includes(position) {
            if found.len() == MOST_EVENTS {
                let detail = format!("more than {MOST_EVENTS} events lead up to this position: too many to fold");
                return Err(ApiError::Unprocessable(detail));
            }
            found.push((position, event.to_owned()));
        }
        Ok(true)
    })
    .await?;
    aside(move || {
        // What happened first by the clock may stand later in the log, whose order counts.
        found.sort_unstable_by_key(|(position, _)| *position);
        let mut past = Past::default();
        for (_, event) in found {
            if let Ok(event) = serde_json::from_str::<Event>(&event) {
                past.apply(&event);
            }
        }
        past.into_world()
    })
    .await
}

/// The fold.
#[derive(Debug, Default)]
struct Past {
    /// When the last of it was recorded.
    now: Option<Timestamp>,
    users: BTreeMap<String, Account>,
    grants: BTreeMap<String, BTreeSet<MappedRole>>,
    /// The members of each group, and when each membership ends by itself.
    groups: BTreeMap<String, BTreeMap<String, Option<Timestamp>>>,
    /// The group of everyone in each organization.
    everyone: BTreeMap<String, String>,
    tokens: BTreeMap<String, Issued>,
    policies: BTreeMap<String, PublishedPolicy>,
    roles: BTreeMap<String, CustomRole>,
}

#[derive(Debug, Default)]
struct Account {
    username: String,
    active: bool,
    organization: Option<String>,
}

#[derive(Debug)]
struct Issued {
    token: TokenCreated,
    revoked: bool,
}

impl Past {
    fn apply(&mut self, event: &Event) {
        self.now = self.now.max(Some(event.recorded_at));
        let id = event.resource.id.as_str();
        match catalogue::decode(event) {
            Ok(Payload::Identity(payload)) => self.identity(event, id, payload),
            Ok(Payload::Policy(PolicyEvent::PolicyPublished(policy))) => {
                let text = policy.text.unwrap_or_default();
                let published = PublishedPolicy { id: id.to_owned(), version: policy.version, text };
                self.policies.insert(id.to_owned(), published);
            }
            Ok(Payload::Policy(PolicyEvent::PolicyWithdrawn(_))) => drop(self.policies.remove(id)),
            _ => {}
        }
    }

    fn identity(&mut self, event: &Event, id: &str, payload: IdentityEvent) {
        match payload {
            IdentityEvent::UserCreated(user) => {
                let active = user.attributes.as_ref().and_then(|attributes| Summary::of(attributes).active);
                let organization = event.organization.clone();
                let account = Account { username: user.username, active: active.unwrap_or(true), organization };
                self.users.insert(id.to_owned(), account);
                let roles = user.roles.into_iter().map(|role| MappedRole { organization: None, role });
                self.grants.entry(id.to_owned()).or_default().extend(roles);
            }
            IdentityEvent::UserUpdated(user) => {
                let account = self.users.entry(id.to_owned()).or_default();
                let active = user.attributes.as_ref().and_then(|attributes| Summary::of(attributes).active);
                account.active = active.unwrap_or(account.active);
                account.organization = user.organization.or(account.organization.take());
                account.username = user.username.unwrap_or_else(|| std::mem::take(&mut account.username));
            }
            IdentityEvent::UserSuspended(_) => self.set_active(id, false),
            IdentityEvent::UserReactivated(_) => self.set_active(id, true),
            IdentityEvent::UserDeleted(_) => {
                self.users.remove(id);
                self.grants.remove(id);
            }
            IdentityEvent::RoleAssigned(grant) => drop(self.grants_of(id).insert(mapped(grant))),
            IdentityEvent::RoleRevoked(grant) => drop(self.grants_of(id).remove(&mapped(grant))),
            IdentityEvent::GroupCreated(group) if group.everyone => {
                self.everyone.extend(event.organization.clone().map(|organization| (organization, id.to_owned())));
            }
            IdentityEvent::GroupMemberAdded(member) => {
                self.groups.entry(id.to_owned()).or_default().insert(member.user_id, member.expires_at);
            }
            IdentityEvent::GroupMemberRemoved(member) => {
                self.groups.entry(id.to_owned()).or_default().remove(&member.user_id);
            }
            IdentityEvent::GroupDeleted(_) => drop(self.groups.remove(id)),
            IdentityEvent::RoleDefined(role) => {
                let permissions = role.permissions.iter().filter_map(|name| Permission::parse(name)).collect();
                let version = event.stream_version.max(1);
                self.roles.insert(id.to_owned(), CustomRole { name: id.to_owned(), permissions, version });
            }
            IdentityEvent::RoleWithdrawn(_) => drop(self.roles.remove(id)),
            IdentityEvent::TokenCreated(token) => {
                self.tokens.insert(id.to_owned(), Issued { token, revoked: false });
            }
            IdentityEvent::TokenRotated(rotated) => {
                if let Some(issued) = self.tokens.get_mut(id) {
                    issued.token.expires_at = Some(rotated.expires_at);
                }
            }
            IdentityEvent::TokenRevoked(_) => {
                if let Some(issued) = self.tokens.get_mut(id) {
                    issued.revoked = true;
                }
            }
            _ => {}
        }
    }

    fn set_active(&mut self, id: &str, active: bool) {
        if let Some(account) = self.users.get_mut(id) {
            account.active = active;
        }
    }

    fn grants_of(&mut self, id: &str) -> &mut BTreeSet<MappedRole> {
        self.grants.entry(id.to_owned()).or_default()
    }

    fn into_world(mut self) -> World {
        let now = self.now.unwrap_or_default();
        let mut memberships: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (group, members) in self.groups {
            for (member, _) in members.into_iter().filter(|(_, end)| !is_over(*end, now)) {
                memberships.entry(member).or_default().push(group.clone());
            }
        }
        let mut world = World::default();
        for (id, account) in self.users.into_iter().filter(|(_, account)| account.active) {
            let roles = self.grants.remove(&id).unwrap_or_default();
            let mut groups = memberships.remove(&id).unwrap_or_default();
            let homes = roles.iter().filter_map(|role| role.organization.as_ref()).chain(&account.organization);
            let everyone: BTreeSet<&String> = homes.filter_map(|home| self.everyone.get(home)).collect();
            groups.extend(everyone.into_iter().cloned());
            let roles = roles.into_iter().collect();
            world.principals.push(person(Person { id, username: account.username, roles, groups }));
        }
        let working = |issued: &Issued| !issued.revoked && !is_over(issued.token.expires_at, now);
        for (id, Issued { token, .. }) in self.tokens.iter().filter(|(_, issued)| working(issued)) {
            let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
            world.principals.extend(bearer(id, &token.name, token.owner.as_ref(), &scopes));
        }
        world.published = self.policies.into_values().collect();
        world.custom = self.roles.into_values().collect();
        world
    }
}

fn mapped(grant: RoleGrant) -> MappedRole {
    MappedRole { organization: grant.organization, role: grant.role }
}
