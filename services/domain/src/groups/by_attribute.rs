//! Groups that a user is in because a value of its attributes names them, as its connection's mappings say.

use std::collections::BTreeSet;

use crate::attributes;
use crate::decision::{Context, Draft};
use crate::directory::DirectoryGroup;
use crate::event::Event;
use crate::events::directory::GroupMapping;
use crate::events::groups::{GroupMember, MemberKind};
use crate::roles::{self, MappedUser};

/// A user's groups follow its attributes.
#[derive(Debug, Clone, Copy)]
pub struct FollowAttributes<'a> {
    /// The user, with its roles and the groups of its connection that it is in before.
    pub user: &'a MappedUser,
    /// The groups that its attributes name and that it is not in.
    pub join: &'a [DirectoryGroup],
    /// The groups that it is in because its attributes named them.
    pub leave: &'a [DirectoryGroup],
    /// Its connection.
    pub connection: &'a str,
    /// The roles that come with the connection's groups.
    pub mappings: &'a [GroupMapping],
}

impl FollowAttributes<'_> {
    /// Decides what follows, because of the event `cause` if there is one.
    pub fn decide(self, cause: Option<&str>, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        let mut groups: BTreeSet<String> = self.user.groups.iter().map(|name| attributes::key(name)).collect();
        for group in self.leave {
            self.member(&mut draft, "group.member.removed", group, cause);
            groups.remove(&attributes::key(&group.name));
        }
        for group in self.join {
            self.member(&mut draft, "group.member.added", group, cause);
            if group.connection.as_deref() == Some(self.connection) {
                groups.insert(attributes::key(&group.name));
            }
        }
        if !draft.events.is_empty() {
            let due = roles::through_groups(self.mappings, groups.iter().map(String::as_str));
            roles::settle(&mut draft, cause, self.user, &due);
        }
        draft.events
    }

    fn member(&self, draft: &mut Draft, event_type: &str, group: &DirectoryGroup, cause: Option<&str>) {
        let payload = GroupMember {
            by_attribute: true,
            expires_at: None,
            member_kind: Some(MemberKind::User),
            scim_event: None,
            user_id: self.user.id.clone(),
            user_name: self.user.username.clone(),
        };
        let mut event = draft.event(event_type, group.resource(), &payload);
        event.organization.clone_from(&group.organization);
        event.causation = cause.map(str::to_owned);
        draft.push(event);
    }
}
