//! Groups as administrators make and change them. Those that an identity provider's connection provisions are that
//! connection's: only their allowance, and their members if the connection's settings say so, are set by hand.

use crate::attributes;
use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{DirectoryGroup, Member, UserStatus};
use crate::event::{Change, Event, Resource};
use crate::events::groups::{GroupCreated, GroupUpdated};
use crate::events::quotas::AllowanceSet;
use crate::time::Timestamp;

use super::{EVERYONE, MAX_GROUP_NAME, Mapped, Named, Step, exists, found};

/// Longest reason for a change of members, in characters.
const MAX_REASON: usize = 1000;

/// Recorded when a membership ends by itself.
const EXPIRED: &str = "the membership has ended by itself";

/// A group to be made by hand; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct FoundGroup {
    /// Its id.
    pub id: String,
    /// Its name, unique in its organization.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Organization it belongs to.
    pub organization: String,
    /// Daily credits that each member gets.
    pub quota_allowance: Option<u32>,
}

impl FoundGroup {
    /// Decides whether the group can be made; `namesakes` are the groups of its name.
    pub fn decide(self, namesakes: &[DirectoryGroup], context: Context) -> Result<Vec<Event>, Refusal> {
        let Self { id, name, display_name, organization, quota_allowance } = self;
        checked(&name, display_name.as_deref())?;
        unique(&name, &id, Some(&organization), namesakes)?;
        let mut changes = vec![made("name", Some(name.as_str().into()))];
        changes.push(made("display_name", display_name.as_deref().map(Into::into)));
        changes.push(made("quota_allowance", quota_allowance.map(Into::into)));
        changes.retain(|change| change.new.is_some());
        let resource = Resource::new("group", id).named(&name);
        let payload = GroupCreated {
            attributes: None,
            connection: None,
            display_name,
            everyone: false,
            name,
            quota_allowance,
            scim_event: None,
        };
        let mut draft = Draft::new(context);
        let mut event = draft.event("group.created", resource, &payload);
        event.organization = Some(organization);
        event.changes = changes;
        draft.push(event);
        Ok(draft.events)
    }
}

/// What of a group is to change by hand.
#[derive(Debug, Clone, Default)]
pub struct AmendGroup {
    /// New name.
    pub name: Option<String>,
    /// New name for people.
    pub display_name: Option<String>,
    /// Daily credits that each member gets from now on.
    pub quota_allowance: Option<u32>,
}

impl AmendGroup {
    /// Decides what changes, nothing perhaps; `namesakes` are the groups of the new name. A group of everyone that
    /// nobody has made yet is made.
    pub fn decide(
        self,
        group: &DirectoryGroup,
        namesakes: &[DirectoryGroup],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(group)?;
        let mut draft = Draft::new(context);
        if self.name.is_some() || self.display_name.is_some() {
            self.rename(group, namesakes, &mut draft)?;
        }
        let Some(allowance) = self.quota_allowance.filter(|new| *new != group.quota_allowance) else {
            return Ok(draft.events);
        };
        if group.everyone && group.version == 0 {
            found(&mut draft, None, &group.id, group.organization.as_deref().unwrap_or_default());
        }
        let cause = draft.events.last().map(|made| made.id.clone());
        let mut event = draft.event("quota.allowance.set", group.resource(), &AllowanceSet { allowance });
        event.organization.clone_from(&group.organization);
        event.changes = vec![Change::new("quota_allowance", group.quota_allowance, allowance)];
        event.causation = cause.filter(|_| group.version == 0);
        draft.push(event);
        Ok(draft.events)
    }

    fn rename(&self, group: &DirectoryGroup, namesakes: &[DirectoryGroup], draft: &mut Draft) -> Result<(), Refusal> {
        chosen(group)?;
        let name = self.name.clone().unwrap_or_else(|| group.name.clone());
        checked(&name, self.display_name.as_deref())?;
        unique(&name, &group.id, group.organization.as_deref(), namesakes)?;
        let mut changes = Vec::new();
        if name != group.name {
            changes.push(Change::new("name", group.name.as_str(), name.as_str()));
        }
        let display_name = self.display_name.as_ref().filter(|new| Some(*new) != group.display_name.as_ref());
        if let Some(display_name) = display_name {
            changes.push(Change::new("display_name", group.display_name.clone(), display_name.as_str()));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let payload = GroupUpdated {
            attributes: None,
            connection: None,
            display_name: display_name.cloned(),
            name: Some(name).filter(|name| *name != group.name),
            quota_allowance: None,
            scim_event: None,
        };
        let mut event = draft.event("group.updated", group.resource(), &payload);
        event.organization.clone_from(&group.organization);
        event.changes = changes;
        draft.push(event);
        Ok(())
    }
}

/// A member to be taken into a group by hand, or whose membership is to end at another time.
#[derive(Debug, Clone)]
pub struct JoinGroup {
    /// The member, and when the membership ends by itself.
    pub member: Member,
    /// Why.
    pub reason: Option<String>,
}

impl JoinGroup {
    /// Decides what changes: nothing if `present`, the membership there is, is just that.
    pub fn decide(
        self,
        group: &DirectoryGroup,
        status: UserStatus,
        present: Option<&Member>,
        mapped: Mapped<'_>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(group)?;
        joinable(group)?;
        reason(self.reason.as_deref())?;
        if status == UserStatus::Deleted {
            return Err(Refusal::Unknown("user"));
        }
        if self.member.expires_at.is_some_and(|end| end <= context.now) {
            return Err(Refusal::invalid("expires_at", "must be in the future"));
        }
        let mut draft = Draft::new(context);
        let before = present.map(|member| member.expires_at);
        if before != Some(self.member.expires_at) {
            let change = Change {
                old: before.flatten().map(text),
                new: self.member.expires_at.map(text),
                path: "expires_at".to_owned(),
                secret: false,
            };
            named(group).member(&mut draft, Step::Joins, self.member, None, None, mapped);
            if let Some(event) = draft.events.first_mut() {
                event.reason = self.reason;
                event.changes = Some(change).filter(|change| change.old != change.new).into_iter().collect();
            }
        }
        Ok(draft.events)
    }
}

/// A member to be put out of a group by hand.
#[derive(Debug, Clone, Default)]
pub struct LeaveGroup {
    /// Why.
    pub reason: Option<String>,
}

impl LeaveGroup {
    /// Decides whether `member`, the membership there is, ends.
    pub fn decide(
        self,
        group: &DirectoryGroup,
        member: Option<Member>,
        mapped: Mapped<'_>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        exists(group)?;
        joinable(group)?;
        reason(self.reason.as_deref())?;
        let member = member.ok_or(Refusal::Unknown("member of the group"))?;
        Ok(leave(group, member, self.reason, mapped, context))
    }
}

impl Member {
    /// Decides that its membership is over; nothing if it is not, or no longer.
    pub fn expire(self, group: &DirectoryGroup, mapped: Mapped<'_>, context: Context) -> Vec<Event> {
        if group.deleted || self.expires_at.is_none_or(|end| end > context.now) {
            return Vec::new();
        }
        leave(group, self, Some(EXPIRED.to_owned()), mapped, context)
    }
}

impl DirectoryGroup {
    /// Refuses what may be done only to a group that is neither everyone's nor a connection's.
    pub fn removable(&self) -> Result<(), Refusal> {
        exists(self)?;
        chosen(self)
    }
}

fn leave(
    group: &DirectoryGroup,
    member: Member,
    reason: Option<String>,
    mapped: Mapped<'_>,
    context: Context,
) -> Vec<Event> {
    let mut draft = Draft::new(context);
    named(group).member(&mut draft, Step::Leaves, member, None, None, mapped);
    if let Some(event) = draft.events.first_mut() {
        event.reason = reason;
    }
    draft.events
}

fn named(group: &DirectoryGroup) -> Named {
    Named { resource: group.resource(), name: group.name.clone(), organization: group.organization.clone() }
}

/// Its name and existence are an administrator's to choose.
fn chosen(group: &DirectoryGroup) -> Result<(), Refusal> {
    joinable(group)?;
    match &group.connection {
        Some(_) => Err(Refusal::Contradicts("an identity provider provisions the group: it is changed there")),
        None => Ok(()),
    }
}

/// Nobody chooses who is everyone.
fn joinable(group: &DirectoryGroup) -> Result<(), Refusal> {
    if group.everyone {
        return Err(Refusal::Contradicts("the group is that of everyone: only its allowance can be set"));
    }
    Ok(())
}

fn checked(name: &str, display_name: Option<&str>) -> Result<(), Refusal> {
    decision::name("name", name, MAX_GROUP_NAME)?;
    if attributes::key(name) == attributes::key(EVERYONE) {
        return Err(Refusal::invalid("name", "is that of the group of everyone"));
    }
    display_name.map_or(Ok(()), |text| decision::name("display_name", text, MAX_GROUP_NAME))
}

fn reason(reason: Option<&str>) -> Result<(), Refusal> {
    reason.map_or(Ok(()), |text| decision::name("reason", text, MAX_REASON))
}

/// No other group of the organization has the name.
fn unique(name: &str, id: &str, organization: Option<&str>, namesakes: &[DirectoryGroup]) -> Result<(), Refusal> {
    let there = |group: &&DirectoryGroup| group.organization.as_deref() == organization;
    let rivals: Vec<DirectoryGroup> = namesakes.iter().filter(there).cloned().collect();
    super::unique(name, id, &rivals).map_err(|refusal| match refusal {
        Refusal::Taken { value, by, connection, .. } => Refusal::Taken { field: "name", value, by, connection },
        other => other,
    })
}

fn made(path: &str, value: Option<serde_json::Value>) -> Change {
    Change { new: value, old: None, path: path.to_owned(), secret: false }
}

fn text(moment: Timestamp) -> serde_json::Value {
    moment.to_string().into()
}
