//! Users: what may be decided about them. An account has a unique name; a change that changes nothing is no event.
//!
//! INVARIANT: a deleted user never comes back; losing access takes what the policy says in the same decision.

use crate::attributes::{self, Attributes, Summary};
use crate::consequences;
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{DirectoryUser, Membership, Possessions, UserStatus};
use crate::event::{Change, Event, Resource};
use crate::events::directory::{Deletion, MappedRole, Suspension};
use crate::events::groups::{GroupMember, MemberKind, RoleGrant};
use crate::events::identity::{Notice, UserCreated, UserSuspended, UserUpdated};
use crate::time::Timestamp;

/// Longest login name, in characters.
pub const MAX_USERNAME: usize = 256;

const DAY: i64 = 86_400_000_000;

/// An account to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateUser {
    /// Its id.
    pub id: String,
    /// All its attributes, `userName` among them.
    pub attributes: Attributes,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// Home organization.
    pub organization: Option<String>,
    /// Roles from the start.
    pub roles: Vec<MappedRole>,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl CreateUser {
    /// Decides whether the account can be made; `namesakes` are the users that have its name.
    pub fn decide(self, namesakes: &[DirectoryUser], context: Context) -> Result<Vec<Event>, Refusal> {
        let summary = Summary::of(&self.attributes);
        let username = username(&summary)?;
        unique(&username, &self.id, namesakes)?;
        let mut draft = Draft::new(context);
        let resource = Resource::new("user", &self.id).named(&username).owned_by(&username);
        let changes = attributes::changes(&Attributes::new(), &self.attributes);
        let payload = UserCreated {
            attributes: Some(self.attributes),
            connection: self.connection,
            display_name: summary.display_name,
            email: summary.email,
            roles: Vec::new(),
            scim_event: self.scim_event,
            username,
        };
        let mut event = draft.event("user.created", resource.clone(), &payload);
        event.organization = self.organization;
        event.changes = changes;
        let created = draft.push(event);
        for MappedRole { organization, role } in self.roles {
            let mut event = draft.event(
                "role.assigned",
                resource.clone(),
                &RoleGrant { by_group: false, organization: organization.clone(), role },
            );
            event.organization = organization;
            draft.entail(&created, event);
        }
        Ok(draft.events)
    }
}

/// New attributes for a user, in place of the present ones.
#[derive(Debug, Clone)]
pub struct UpdateUser {
    /// All its attributes from now on, `userName` among them. `active` suspends or reactivates.
    pub attributes: Attributes,
    /// Connection that provisions it from now on, if that changes.
    pub connection: Option<String>,
    /// What a suspension entails.
    pub suspension: Suspension,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl UpdateUser {
    /// Decides what changes, nothing perhaps; `namesakes` are the users that have the new name, `possessions` matter
    /// when `active` becomes false.
    pub fn decide(
        self,
        user: &DirectoryUser,
        namesakes: &[DirectoryUser],
        possessions: &Possessions,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let mut attributes = self.attributes;
        if user.status == UserStatus::Suspended {
            // Not to speak of access does not give it back: it stays said that there is none.
            attributes.entry("active").or_insert(false.into());
        }
        let summary = Summary::of(&attributes);
        let username = username(&summary)?;
        unique(&username, &user.id, namesakes)?;
        let adopted = self.connection.is_some() && self.connection != user.connection;
        let changes = attributes::changes(&user.attributes, &attributes);
        // A change of `active` alone is a suspension or its end, unless it comes or goes altogether.
        let spoken_of = user.attributes.contains_key("active") != attributes.contains_key("active");
        let attributes_differ = spoken_of || changes.iter().any(|change| change.path != "active");
        let mut draft = Draft::new(context);
        if attributes_differ || adopted || user.removed {
            let payload = UserUpdated {
                attributes: Some(attributes),
                connection: self.connection,
                display_name: summary.display_name,
                email: summary.email,
                organization: None,
                scim_event: self.scim_event.clone(),
                username: Some(username),
            };
            let mut event = draft.event("user.updated", user.resource(), &payload);
            event.organization.clone_from(&user.organization);
            event.changes = changes;
            draft.push(event);
        }
        match (user.status, summary.active) {
            (UserStatus::Active, Some(false)) => {
                let payload = UserSuspended { scim_event: self.scim_event, ..UserSuspended::default() };
                suspend(&mut draft, user, &payload, None, self.suspension, possessions);
            }
            (UserStatus::Suspended, Some(true)) => reactivate(&mut draft, user, self.scim_event, None),
            _ => {}
        }
        Ok(draft.events)
    }
}

/// What of a user that no connection provisions is to change by hand.
#[derive(Debug, Clone, Default)]
pub struct AmendUser {
    /// New full name.
    pub display_name: Option<String>,
    /// New main e-mail address.
    pub email: Option<String>,
    /// New home organization.
    pub organization: Option<String>,
}

impl AmendUser {
    /// Decides what changes, nothing perhaps.
    pub fn decide(self, user: &DirectoryUser, context: Context) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let mut attributes = user.attributes.clone();
        if let Some(name) = &self.display_name {
            decision::name("display_name", name, MAX_USERNAME)?;
            attributes.insert("displayName".to_owned(), name.as_str().into());
        }
        if let Some(email) = &self.email {
            decision::name("email", email, MAX_USERNAME)?;
            attributes::set_main_address(&mut attributes, email);
        }
        let moved = self.organization.filter(|new| Some(new) != user.organization.as_ref());
        let mut changes = attributes::changes(&user.attributes, &attributes);
        if let Some(organization) = &moved {
            changes.push(Change::new("organization", user.organization.clone(), organization.as_str()));
        }
        let mut draft = Draft::new(context);
        if !changes.is_empty() {
            let payload = UserUpdated {
                attributes: Some(attributes),
                connection: None,
                display_name: self.display_name,
                email: self.email,
                organization: moved,
                scim_event: None,
                username: None,
            };
            let mut event = draft.event("user.updated", user.resource(), &payload);
            event.organization.clone_from(&user.organization);
            event.changes = changes;
            draft.push(event);
        }
        Ok(draft.events)
    }
}

/// Access to be taken from a user, reversibly.
#[derive(Debug, Clone, Default)]
pub struct SuspendUser {
    /// What it entails.
    pub suspension: Suspension,
    /// Why.
    pub reason: Option<String>,
}

impl SuspendUser {
    /// Decides what changes: nothing if the user is suspended already.
    pub fn decide(
        self,
        user: &DirectoryUser,
        possessions: &Possessions,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let mut draft = Draft::new(context);
        if user.status == UserStatus::Active {
            suspend(&mut draft, user, &UserSuspended::default(), self.reason, self.suspension, possessions);
        }
        Ok(draft.events)
    }
}

/// Access to be given back to a user.
#[derive(Debug, Clone, Default)]
pub struct ReactivateUser {
    /// Why.
    pub reason: Option<String>,
}

impl ReactivateUser {
    /// Decides what changes: nothing if the user is active already.
    pub fn decide(self, user: &DirectoryUser, context: Context) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let mut draft = Draft::new(context);
        if user.status == UserStatus::Suspended {
            reactivate(&mut draft, user, None, self.reason);
        }
        Ok(draft.events)
    }
}

/// A user to be removed, at once or as a connection says.
#[derive(Debug, Clone, Default)]
pub struct DeleteUser {
    /// At once, later or never: then the user is suspended, and its identity provider sees it no longer.
    pub deletion: Deletion,
    /// What it entails; deletion at once entails everything.
    pub suspension: Suspension,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl DeleteUser {
    /// Decides what changes. `memberships` are the groups of the user, which it leaves.
    pub fn decide(
        self,
        user: &DirectoryUser,
        memberships: &[Membership],
        possessions: &Possessions,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(user)?;
        let mut draft = Draft::new(context);
        let cause = match self.deletion {
            Deletion::Delete | Deletion::AfterDays(0) => remove(&mut draft, user, self.scim_event, possessions),
            _ if user.removed => return Err(Refusal::Unknown("user")),
            Deletion::Suspend | Deletion::AfterDays(_) => {
                let delete_at = self.deletion.due(draft.context.now);
                let payload = UserSuspended { delete_at, removed: true, scim_event: self.scim_event };
                suspend(&mut draft, user, &payload, None, self.suspension, possessions)
            }
        };
        for membership in memberships.iter().filter(|membership| !membership.everyone) {
            let payload = GroupMember {
                by_attribute: false,
                expires_at: None,
                member_kind: Some(MemberKind::User),
                scim_event: None,
                user_id: user.id.clone(),
                user_name: Some(user.username.clone()),
            };
            let group = Resource::new("group", &membership.group_id).named(&membership.name);
            let event = draft.event("group.member.removed", group, &payload);
            draft.entail(&cause, event);
        }
        Ok(draft.events)
    }
}

impl Deletion {
    /// When a suspended account is to be deleted for good, if ever.
    fn due(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::AfterDays(days) => Some(now.saturating_add_micros(i64::from(days).saturating_mul(DAY))),
            Self::Delete | Self::Suspend => None,
        }
    }
}

/// Removes a user for good. That takes everything.
fn remove(draft: &mut Draft, user: &DirectoryUser, scim_event: Option<String>, possessions: &Possessions) -> String {
    let mut event = draft.event("user.deleted", user.resource(), &Notice { scim_event });
    event.organization.clone_from(&user.organization);
    let deleted = draft.push(event);
    consequences::take(draft, &deleted, Suspension::default(), possessions, &user.username);
    deleted
}

fn suspend(
    draft: &mut Draft,
    user: &DirectoryUser,
    payload: &UserSuspended,
    reason: Option<String>,
    policy: Suspension,
    possessions: &Possessions,
) -> String {
    let mut event = draft.event("user.suspended", user.resource(), payload);
    event.organization.clone_from(&user.organization);
    event.reason = reason;
    if user.status == UserStatus::Active {
        event.changes.push(Change::new("active", true, false));
    }
    let suspended = draft.push(event);
    consequences::take(draft, &suspended, policy, possessions, &user.username);
    suspended
}

fn reactivate(draft: &mut Draft, user: &DirectoryUser, scim_event: Option<String>, reason: Option<String>) {
    let mut event = draft.event("user.reactivated", user.resource(), &Notice { scim_event });
    event.organization.clone_from(&user.organization);
    event.reason = reason;
    event.changes.push(Change::new("active", false, true));
    draft.push(event);
}

fn exists(user: &DirectoryUser) -> Result<(), Refusal> {
    if user.status == UserStatus::Deleted { Err(Refusal::Unknown("user")) } else { Ok(()) }
}

fn username(summary: &Summary) -> Result<String, Refusal> {
    let username = summary.username.clone().unwrap_or_default();
    decision::name("userName", &username, MAX_USERNAME)?;
    Ok(username)
}

/// Nobody but the user itself has the name.
fn unique(username: &str, id: &str, namesakes: &[DirectoryUser]) -> Result<(), Refusal> {
    let key = attributes::key(username);
    let namesake = namesakes
        .iter()
        .find(|other| other.id != id && other.status != UserStatus::Deleted && attributes::key(&other.username) == key);
    namesake.map_or(Ok(()), |other| {
        Err(Refusal::Taken {
            field: "userName",
            value: username.to_owned(),
            by: other.id.clone(),
            connection: other.connection.clone(),
        })
    })
}

#[cfg(test)]
mod tests;
