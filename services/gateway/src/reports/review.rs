//! What was given to whom, how, when and by whom: a fold of the audit trail up to a position.

use std::collections::{BTreeMap, HashMap};

use chancery_domain::Event;
use chancery_domain::catalogue::{self, Payload};
use chancery_domain::events::directory::MappedRole;
use chancery_domain::events::groups::MemberKind;
use chancery_domain::events::identity::IdentityEvent;
use chancery_domain::events::templates::TemplateEvent;

/// What gives or takes access, and what names things.
pub(super) const TYPES: &str = "user.created, user.updated, user.deleted, role.assigned, role.revoked, group.created, \
    group.updated, group.deleted, group.member.added, group.member.removed, template.created, template.updated, \
    template.deleted, template.access.granted, template.access.revoked";

/// How something came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) at: i64,
    pub(super) by: String,
    pub(super) event: String,
    /// The event that caused it.
    cause: Option<String>,
}

/// A group, with its members.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) organization: Option<String>,
    pub(super) everyone: bool,
    pub(super) members: BTreeMap<(MemberKind, String), Origin>,
}

/// A template, with who may use it.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) organization: Option<String>,
    /// Kind and id of the subject, and the permission.
    pub(super) access: BTreeMap<(String, String, String), Origin>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// User by user: each role, whether a group brought it, and how.
    pub(super) roles: BTreeMap<String, BTreeMap<MappedRole, (bool, Origin)>>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) templates: BTreeMap<String, Template>,
    /// The organization that users call home.
    pub(super) homes: HashMap<String, String>,
    /// Which group an event about a member is of.
    joined: HashMap<String, String>,
}

impl Given {
    pub(super) fn apply(&mut self, event: &Event) {
        let id = event.resource.id.as_str();
        match catalogue::decode(event) {
            Ok(Payload::Identity(payload)) => self.identity(id, event, payload),
            Ok(Payload::Template(payload)) => self.template(id, event, payload),
            _ => {}
        }
    }

    fn identity(&mut self, id: &str, event: &Event, payload: IdentityEvent) {
        match payload {
            IdentityEvent::UserCreated(user) => {
                if let Some(organization) = &event.organization {
                    self.homes.insert(id.to_owned(), organization.clone());
                }
                for role in user.roles {
                    let role = MappedRole { organization: None, role };
                    self.roles.entry(id.to_owned()).or_default().insert(role, (false, origin(event)));
                }
            }
            IdentityEvent::UserDeleted(_) => {
                self.roles.remove(id);
                self.homes.remove(id);
            }
            IdentityEvent::RoleAssigned(grant) => {
                let role = MappedRole { organization: grant.organization, role: grant.role };
                let held = self.roles.entry(id.to_owned()).or_default();
                // What was given by hand stays so when a group brings it too.
                if !grant.by_group || held.get(&role).is_none_or(|(by_group, _)| *by_group) {
                    held.insert(role, (grant.by_group, origin(event)));
                }
            }
            IdentityEvent::RoleRevoked(grant) => {
                let role = MappedRole { organization: grant.organization, role: grant.role };
                self.roles.entry(id.to_owned()).or_default().remove(&role);
            }
            IdentityEvent::GroupCreated(group) => {
                let entry = self.groups.entry(id.to_owned()).or_default();
                entry.name = group.display_name.unwrap_or(group.name);
                entry.organization.clone_from(&event.organization);
                entry.everyone = event.data.get("everyone").is_some_and(|everyone| everyone == true);
            }
            IdentityEvent::GroupUpdated(group) => {
                if let Some(name) = group.display_name.or(group.name) {
                    self.groups.entry(id.to_owned()).or_default().name = name;
                }
            }
            IdentityEvent::GroupDeleted(_) => drop(self.groups.remove(id)),
            IdentityEvent::GroupMemberAdded(member) => {
                self.joined.insert(event.id.clone(), id.to_owned());
                let group = self.groups.entry(id.to_owned()).or_default();
                group.members.insert((member.member_kind.unwrap_or_default(), member.user_id), origin(event));
            }
            IdentityEvent::GroupMemberRemoved(member) => {
                self.joined.insert(event.id.clone(), id.to_owned());
                let group = self.groups.entry(id.to_owned()).or_default();
                group.members.remove(&(member.member_kind.unwrap_or_default(), member.user_id));
            }
            _ => {}
        }
    }

    fn template(&mut self, id: &str, event: &Event, payload: TemplateEvent) {
        let template = self.templates.entry(id.to_owned()).or_default();
        match payload {
            TemplateEvent::TemplateCreated(it) => {
                template.name = it.name.or_else(|| event.resource.name.clone()).unwrap_or_else(|| id.to_owned());
                template.organization.clone_from(&event.organization);
            }
            TemplateEvent::TemplateUpdated(it) => template.name = it.name.unwrap_or(std::mem::take(&mut template.name)),
            TemplateEvent::TemplateDeleted(_) => drop(self.templates.remove(id)),
            TemplateEvent::TemplateAccessGranted(it) => {
                template.access.insert((it.subject_kind, it.subject_id, it.permission), origin(event));
            }
            TemplateEvent::TemplateAccessRevoked(it) => {
                template.access.remove(&(it.subject_kind, it.subject_id, it.permission));
            }
            _ => {}
        }
    }

    /// The group that brought a role.
    pub(super) fn brought(&self, origin: &Origin) -> Option<&Group> {
        self.groups.get(self.joined.get(origin.cause.as_ref()?)?)
    }

    /// The users in a group, each with how they came to be in it: directly, or in a group that is in it.
    pub(super) fn members<'a>(&'a self, group: &'a str) -> BTreeMap<&'a str, (&'a Origin, &'a str)> {
        let mut found = BTreeMap::new();
        let (mut seen, mut open) = (vec![group], vec![group]);
        while let Some(id) = open.pop() {
            let Some(inner) = self.groups.get(id) else { continue };
            for ((kind, member), origin) in &inner.members {
                match kind {
                    MemberKind::User => {
                        found.entry(member.as_str()).or_insert((origin, id));
                    }
                    MemberKind::Group if !seen.contains(&member.as_str()) => {
                        seen.push(member);
                        open.push(member);
                    }
                    MemberKind::Group => {}
                }
            }
        }
        found
    }
}

fn origin(event: &Event) -> Origin {
    Origin {
        at: event.occurred_at.as_micros(),
        by: event.actor.name.clone().unwrap_or_else(|| event.actor.id.clone()),
        event: event.id.clone(),
        cause: event.causation.clone(),
    }
}
