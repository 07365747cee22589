//! Handing workspaces over, when they start and stop by themselves, and their sleep.

use jiff::tz::TimeZone;

use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{DirectoryUser, UserStatus};
use crate::event::{Change, Event};
use crate::events::Bare;
use crate::events::quotas::{CapKind, QuotaEntry};
use crate::events::workspaces::{Renamed, ScheduleSet, Transfer};
use crate::quotas::{CapFact, Facts, LedgerEntry};
use crate::templates::TemplateRecord;
use crate::time::Timestamp;
use crate::workspaces::builds::{self, BuildRecord, RequestBuild};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus, clock};

/// Longest time to live: a year.
pub const MOST_TTL: u32 = 366 * 86_400;
/// How often use is put on record: once in this many microseconds.
pub const USE_RECORDED_EVERY: i64 = 60_000_000;

/// What a decision does, or that it was refused on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The decision.
    pub events: Vec<Event>,
    /// Why it was refused, if it was: then the events say so.
    pub denied: Option<String>,
}

impl Verdict {
    pub(crate) fn done(events: Vec<Event>) -> Self {
        Self { events, denied: None }
    }
}

/// A workspace to be handed over.
#[derive(Debug, Clone)]
pub struct TransferWorkspace {
    /// Why, for auditors.
    pub reason: Option<String>,
}

impl TransferWorkspace {
    /// Decides whether the new owner can have it: what it takes of a quota is released from one and committed to the
    /// other at once. `given` is what bounds the owner, `taken` what bounds the new one.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        last: Option<&BuildRecord>,
        heir: &DirectoryUser,
        namesakes: &[WorkspaceRecord],
        (given, taken): (&Facts, &Facts),
        context: Context,
    ) -> Result<Verdict, Refusal> {
        workspace.exists()?;
        active(heir)?;
        if let Some(build) = last.filter(|build| !build.status.is_last()) {
            return Err(Refusal::InState { what: "workspace", status: builds::in_progress(workspace, build) });
        }
        if workspace.owner_id.as_ref() == Some(&heir.id) {
            return Ok(Verdict::done(Vec::new()));
        }
        unique(&workspace.name, Some(&workspace.id), namesakes)?;
        let mut draft = Draft::new(context);
        let moves = given.entry.committed;
        let mut judged = taken.judge_handover(moves);
        let per_user = |cap: &&CapFact| cap.bounds == CapKind::TemplateWorkspacesPerUser && cap.is_full();
        if let Some(cap) = taken.caps.iter().find(per_user) {
            judged.allowed = false;
            judged.reason = Some(too_many(cap));
        }
        let entry = taken.entry_of(workspace, None, &judged);
        if !judged.allowed {
            let mut event = taken.event(&mut draft, "quota.denied", &entry);
            event.reason.clone_from(&judged.reason);
            draft.push(event);
            return Ok(Verdict { events: draft.events, denied: judged.reason });
        }
        let payload = Transfer {
            from: workspace.owner.clone().unwrap_or_default(),
            to: heir.username.clone(),
            to_id: Some(heir.id.clone()),
        };
        let mut event = workspace.event(&mut draft, "workspace.transferred", &payload);
        event.resource.owner = Some(heir.username.clone());
        event.reason = self.reason;
        event.changes = vec![Change::new("owner", workspace.owner.clone(), heir.username.as_str())];
        let handed = draft.push(event);
        if given.entry != LedgerEntry::default() {
            let gone = QuotaEntry {
                committed: Some(0),
                released: Some(given.entry.counted()),
                reserved: None,
                running: Some(false),
                ..given.entry_of(workspace, None, &given.unjudged())
            };
            let event = given.event(&mut draft, "quota.released", &gone);
            draft.entail(&handed, event);
            let come =
                QuotaEntry { committed: Some(moves), reserved: None, running: Some(given.entry.running), ..entry };
            let event = taken.event(&mut draft, "quota.committed", &come);
            draft.entail(&handed, event);
        }
        Ok(Verdict::done(draft.events))
    }
}

/// A workspace to get another name.
#[derive(Debug, Clone)]
pub struct RenameWorkspace {
    /// The new name.
    pub name: String,
}

impl RenameWorkspace {
    /// Decides whether it can have it.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        namesakes: &[WorkspaceRecord],
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        workspace.exists()?;
        decision::slug("name", &self.name)?;
        unique(&self.name, Some(&workspace.id), namesakes)?;
        let mut draft = Draft::new(context);
        if self.name != workspace.name {
            let payload = Renamed { from: workspace.name.clone(), to: self.name.clone() };
            let mut event = workspace.event(&mut draft, "workspace.renamed", &payload);
            event.changes = vec![Change::new("name", workspace.name.as_str(), self.name.as_str())];
            event.resource.name = Some(self.name);
            draft.push(event);
        }
        Ok(draft.events)
    }
}

/// When a workspace starts and stops by itself.
#[derive(Debug, Clone)]
pub struct SetSchedule {
    /// It.
    pub schedule: ScheduleSet,
}

impl SetSchedule {
    /// Decides; `present` is the schedule as it is, `zone` that of the new one, if it is known.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        template: Option<&TemplateRecord>,
        present: &ScheduleSet,
        zone: Option<&TimeZone>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        workspace.exists()?;
        schedule_fits(&self.schedule, template, zone)?;
        let mut draft = Draft::new(context);
        if self.schedule != *present {
            let mut event = workspace.event(&mut draft, "workspace.schedule.set", &self.schedule);
            event.changes = vec![
                Change::new("autostart", present.autostart.clone(), self.schedule.autostart),
                Change::new("time_zone", present.time_zone.clone(), self.schedule.time_zone),
                Change::new("ttl_seconds", present.ttl_seconds, self.schedule.ttl_seconds),
            ];
            event.changes.retain(|change| change.old != change.new);
            draft.push(event);
        }
        Ok(draft.events)
    }
}

impl WorkspaceRecord {
    /// Decides that it is used: on record now and then, and it wakes.
    pub fn used(&self, last: Option<Timestamp>, context: Context) -> Result<Vec<Event>, Refusal> {
        self.exists()?;
        let recent = last.is_some_and(|last| context.now < last.saturating_add_micros(USE_RECORDED_EVERY));
        let mut draft = Draft::new(context);
        if !recent {
            let event = self.event(&mut draft, "workspace.used", &Bare {});
            draft.push(event);
        }
        Ok(draft.events)
    }

    /// Decides that it is put to rest: it stops, and does not start by itself.
    pub fn make_dormant(
        &self,
        last: Option<&BuildRecord>,
        reason: Option<String>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        self.exists()?;
        if let Some(build) = last.filter(|build| !build.status.is_last()) {
            return Err(Refusal::InState { what: "workspace", status: builds::in_progress(self, build) });
        }
        let mut draft = Draft::new(context);
        if self.dormant {
            return Ok(draft.events);
        }
        let mut event = self.event(&mut draft, "workspace.dormant", &Bare {});
        event.reason.clone_from(&reason);
        let rested = draft.push(event);
        if self.may_run() {
            let tags = last.map(|build| build.tags.clone()).unwrap_or_default();
            builds::order(&mut draft, Some(&rested), self, RequestBuild::stop("dormancy", reason), None, tags);
        }
        Ok(draft.events)
    }

    /// Decides that it may start again.
    pub fn wake(&self, context: Context) -> Result<Vec<Event>, Refusal> {
        self.exists()?;
        let mut draft = Draft::new(context);
        if self.dormant {
            let event = self.event(&mut draft, "workspace.woken", &Bare {});
            draft.push(event);
        }
        Ok(draft.events)
    }
}

pub(crate) fn schedule_fits(
    schedule: &ScheduleSet,
    template: Option<&TemplateRecord>,
    zone: Option<&TimeZone>,
) -> Result<(), Refusal> {
    let allowed = template.is_some_and(|template| template.settings.allow_own_schedule);
    if !allowed && *schedule != ScheduleSet::default() {
        return Err(Refusal::Forbidden("the template gives its workspaces their schedule".to_owned()));
    }
    if schedule.ttl_seconds.is_some_and(|ttl| ttl > MOST_TTL || (1..60).contains(&ttl)) {
        return Err(Refusal::invalid("ttl_seconds", format!("must be 0, or 60 to {MOST_TTL}")));
    }
    if schedule.time_zone.is_some() && zone.is_none() {
        return Err(Refusal::invalid("time_zone", "is no zone of the IANA database, such as `Europe/Berlin`"));
    }
    match &schedule.autostart {
        Some(text) => clock::cron(text).map(drop).map_err(|reason| Refusal::invalid("autostart", reason)),
        None => Ok(()),
    }
}

/// Why there cannot be one workspace more.
pub fn too_many(cap: &CapFact) -> String {
    let whose = if cap.bounds == CapKind::TemplateWorkspacesPerUser { " of one owner" } else { "" };
    format!("there are {} workspaces{whose} of the template, and there may be {}", cap.others, cap.limit)
}

pub(crate) fn active(user: &DirectoryUser) -> Result<(), Refusal> {
    match user.status {
        UserStatus::Active => Ok(()),
        UserStatus::Suspended => Err(Refusal::Forbidden("the owner has no access now".to_owned())),
        UserStatus::Deleted => Err(Refusal::Unknown("user")),
    }
}

pub(crate) fn unique(name: &str, id: Option<&str>, namesakes: &[WorkspaceRecord]) -> Result<(), Refusal> {
    let key = crate::attributes::key(name);
    let taken = namesakes.iter().find(|other| {
        Some(other.id.as_str()) != id
            && other.status != WorkspaceStatus::Deleted
            && crate::attributes::key(&other.name) == key
    });
    taken.map_or(Ok(()), |other| {
        Err(Refusal::Taken { field: "name", value: name.to_owned(), by: other.id.clone(), connection: None })
    })
}
