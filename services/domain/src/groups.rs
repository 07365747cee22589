//! Groups: what may be decided about them and their members. Joining and leaving is one event a member, and the roles
//! that a connection maps to the group come and go with it in the same decision.
//!
//! INVARIANT: no decision needs the members that it does not change, unless the group is mapped to roles and goes or
//! gets another name.

mod by_attribute;
mod by_hand;
mod everyone;

use std::collections::{BTreeMap, BTreeSet};

use crate::attributes::{self, Attributes, Summary};
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{DirectoryGroup, Member};
use crate::event::{Event, Resource};
use crate::events::directory::GroupMapping;
use crate::events::groups::{GroupCreated, GroupMember, GroupUpdated, MemberKind};
use crate::events::identity::Notice;
use crate::roles::{self, MappedUser};

pub use by_attribute::FollowAttributes;
pub use by_hand::{AmendGroup, FoundGroup, JoinGroup, LeaveGroup};
pub use everyone::EVERYONE;
pub(crate) use everyone::found;

/// Longest name of a group, in characters.
pub const MAX_GROUP_NAME: usize = 256;

/// What group decisions know of role mappings: those of the group's connection, and of each user whose membership
/// changes the roles and groups. Both empty where nothing is mapped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mapped<'a> {
    /// The mappings of the group's connection.
    pub mappings: &'a [GroupMapping],
    /// The users concerned, with the groups they are in before the change.
    pub users: &'a [MappedUser],
}

impl Mapped<'_> {
    /// Whether any role comes with a group of this name: only then `users` matter.
    pub fn concerns(&self, group: &str) -> bool {
        !roles::through_groups(self.mappings, [group]).is_empty()
    }

    /// What a user's roles become when its groups become `groups`.
    fn settle(&self, draft: &mut Draft, cause: &str, id: &str, groups: impl FnOnce(&mut BTreeSet<String>)) {
        let Some(user) = self.users.iter().find(|user| user.id == id) else { return };
        let mut keys: BTreeSet<String> = user.groups.iter().map(|name| attributes::key(name)).collect();
        groups(&mut keys);
        let due = roles::through_groups(self.mappings, keys.iter().map(String::as_str));
        roles::settle(draft, Some(cause), user, &due);
    }
}

/// A group to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateGroup {
    /// Its id.
    pub id: String,
    /// All its attributes but the members, `displayName` among them.
    pub attributes: Attributes,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// Organization it belongs to.
    pub organization: Option<String>,
    /// Its first members.
    pub members: Vec<Member>,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl CreateGroup {
    /// Decides whether the group can be made; `namesakes` are the groups its name must not be that of.
    pub fn decide(
        self,
        namesakes: &[DirectoryGroup],
        mapped: Mapped<'_>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let name = group_name(&self.attributes)?;
        unique(&name, &self.id, namesakes)?;
        let mut draft = Draft::new(context);
        let resource = Resource::new("group", &self.id).named(&name);
        let changes = attributes::changes(&Attributes::new(), &self.attributes);
        let payload = GroupCreated {
            attributes: Some(self.attributes),
            connection: self.connection,
            display_name: Some(name.clone()),
            everyone: false,
            name: name.clone(),
            quota_allowance: None,
            scim_event: self.scim_event.clone(),
        };
        let mut event = draft.event("group.created", resource.clone(), &payload);
        event.organization.clone_from(&self.organization);
        event.changes = changes;
        let created = draft.push(event);
        let group = Named { resource, name, organization: self.organization };
        let members: BTreeMap<String, Member> =
            self.members.into_iter().map(|member| (member.id.clone(), member)).collect();
        for member in members.into_values() {
            group.member(&mut draft, Step::Joins, member, Some(&created), self.scim_event.clone(), mapped);
        }
        Ok(draft.events)
    }
}

/// Changes of a group: new attributes, members that join, members that leave.
#[derive(Debug, Clone, Default)]
pub struct UpdateGroup {
    /// All its attributes from now on, if they change.
    pub attributes: Option<Attributes>,
    /// Connection that provisions it from now on, if that changes.
    pub connection: Option<String>,
    /// Members that join. The caller leaves out those that are members already.
    pub join: Vec<Member>,
    /// Members that leave. The caller leaves out those that are none.
    pub leave: Vec<Member>,
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl UpdateGroup {
    /// Decides what changes, nothing perhaps; `namesakes` are the groups the new name must not be that of. When the name
    /// changes and [`Mapped::concerns`] the old name or the new, `mapped.users` are all its members.
    pub fn decide(
        self,
        group: &DirectoryGroup,
        namesakes: &[DirectoryGroup],
        mapped: Mapped<'_>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(group)?;
        let mut draft = Draft::new(context);
        let adopted = self.connection.is_some() && self.connection != group.connection;
        let attributes = self.attributes.unwrap_or_else(|| group.attributes.clone());
        let changes = attributes::changes(&group.attributes, &attributes);
        let mut name = group.name.clone();
        let mut renamed = None;
        if !changes.is_empty() || adopted {
            name = group_name(&attributes)?;
            unique(&name, &group.id, namesakes)?;
            let payload = GroupUpdated {
                attributes: Some(attributes),
                connection: self.connection,
                display_name: Some(name.clone()),
                name: Some(name.clone()),
                quota_allowance: None,
                scim_event: self.scim_event.clone(),
            };
            let mut event = draft.event("group.updated", group.resource(), &payload);
            event.organization.clone_from(&group.organization);
            event.changes = changes;
            let updated = draft.push(event);
            renamed = (attributes::key(&name) != attributes::key(&group.name)).then_some(updated);
        }
        let named = Named { resource: group.resource(), name, organization: group.organization.clone() };
        let moved: BTreeSet<String> = self.join.iter().chain(&self.leave).map(|member| member.id.clone()).collect();
        let steps = self.leave.into_iter().map(|member| (Step::Leaves, member));
        for (step, member) in steps.chain(self.join.into_iter().map(|member| (Step::Joins, member))) {
            let named = Named {
                name: if step == Step::Leaves { group.name.clone() } else { named.name.clone() },
                ..named.clone()
            };
            named.member(&mut draft, step, member, None, self.scim_event.clone(), mapped);
        }
        if let Some(updated) = renamed {
            for user in mapped.users.iter().filter(|user| !moved.contains(&user.id)) {
                mapped.settle(&mut draft, &updated, &user.id, |keys| {
                    if keys.remove(&attributes::key(&group.name)) {
                        keys.insert(attributes::key(&named.name));
                    }
                });
            }
        }
        Ok(draft.events)
    }
}

/// A group to be removed, and its members from it.
#[derive(Debug, Clone, Default)]
pub struct DeleteGroup {
    /// SCIM event URI (RFC 9967).
    pub scim_event: Option<String>,
}

impl DeleteGroup {
    /// Decides whether the group can be removed. When [`Mapped::concerns`] it, `mapped.users` are all its members.
    pub fn decide(self, group: &DirectoryGroup, mapped: Mapped<'_>, context: Context) -> Result<Vec<Event>, Refusal> {
        exists(group)?;
        let mut draft = Draft::new(context);
        let mut event = draft.event("group.deleted", group.resource(), &Notice { scim_event: self.scim_event });
        event.organization.clone_from(&group.organization);
        let deleted = draft.push(event);
        for user in mapped.users {
            mapped.settle(&mut draft, &deleted, &user.id, |keys| {
                keys.remove(&attributes::key(&group.name));
            });
        }
        Ok(draft.events)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Joins,
    Leaves,
}

/// A group as its members' events know it.
#[derive(Debug, Clone)]
struct Named {
    resource: Resource,
    name: String,
    organization: Option<String>,
}

impl Named {
    fn member(
        &self,
        draft: &mut Draft,
        step: Step,
        member: Member,
        cause: Option<&str>,
        scim_event: Option<String>,
        mapped: Mapped<'_>,
    ) {
        let event_type = if step == Step::Joins { "group.member.added" } else { "group.member.removed" };
        let Member { id, kind, name, expires_at } = member;
        let expires_at = expires_at.filter(|_| step == Step::Joins);
        let payload = GroupMember {
            by_attribute: false,
            expires_at,
            member_kind: Some(kind),
            scim_event,
            user_id: id,
            user_name: name,
        };
        let mut event = draft.event(event_type, self.resource.clone(), &payload);
        event.organization.clone_from(&self.organization);
        event.causation = cause.map(str::to_owned);
        let moved = draft.push(event);
        if kind == MemberKind::User {
            let key = attributes::key(&self.name);
            mapped.settle(draft, &moved, &payload.user_id, |keys| {
                let _changed = if step == Step::Joins { keys.insert(key) } else { keys.remove(&key) };
            });
        }
    }
}

fn exists(group: &DirectoryGroup) -> Result<(), Refusal> {
    if group.deleted { Err(Refusal::Unknown("group")) } else { Ok(()) }
}

fn group_name(attributes: &Attributes) -> Result<String, Refusal> {
    let name = Summary::of(attributes).display_name.unwrap_or_default();
    decision::name("displayName", &name, MAX_GROUP_NAME)?;
    Ok(name)
}

fn unique(name: &str, id: &str, namesakes: &[DirectoryGroup]) -> Result<(), Refusal> {
    let key = attributes::key(name);
    let namesake =
        namesakes.iter().find(|other| other.id != id && !other.deleted && attributes::key(&other.name) == key);
    namesake.map_or(Ok(()), |other| {
        Err(Refusal::Taken {
            field: "displayName",
            value: name.to_owned(),
            by: other.id.clone(),
            connection: other.connection.clone(),
        })
    })
}

#[cfg(test)]
mod hand_tests;
#[cfg(test)]
mod tests;
