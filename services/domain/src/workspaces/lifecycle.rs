//! Making workspaces, handing them over, when they start and stop by themselves, and their sleep.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::{DirectoryUser, UserStatus};
use crate::event::{Change, Event};
use crate::events::Bare;
use crate::events::quotas::QuotaEntry;
use crate::events::workspaces::{Renamed, ScheduleSet, Transfer, Transition, WorkspaceCreated};
use crate::quotas::{Facts, LedgerEntry};
use crate::templates::{TemplateRecord, TemplateStatus, TemplateVersionRecord};
use crate::time::Timestamp;
use crate::workspaces::builds::{self, BuildRecord, RequestBuild, version_fits};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus, clock};

/// Most values of variables.
pub const MOST_PARAMETERS: usize = 100;
/// Longest value, in bytes.
pub const MOST_PARAMETER: usize = 8192;
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
    fn done(events: Vec<Event>) -> Self {
        Self { events, denied: None }
    }
}

/// A workspace to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateWorkspace {
    /// Its id.
    pub id: String,
    /// Its name, unique among its owner's.
    pub name: String,
    /// Id of the template version to build; the active one without.
    pub template_version: Option<String>,
    /// Values of the template's variables.
    pub parameters: BTreeMap<String, String>,
    /// When it starts and stops by itself.
    pub schedule: Option<ScheduleSet>,
    /// Whether it is started at once.
    pub start: bool,
}

/// What a workspace is made of.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// Whose it will be.
    pub owner: &'a DirectoryUser,
    /// Its template.
    pub template: &'a TemplateRecord,
    /// The version that would be built.
    pub version: Option<&'a TemplateVersionRecord>,
    /// The owner's workspaces of its name.
    pub namesakes: &'a [WorkspaceRecord],
    /// Whoever asks looks after the template.
    pub administers: bool,
    /// What bounds the number of workspaces.
    pub facts: &'a Facts,
    /// Zone of the schedule.
    pub zone: Option<&'a TimeZone>,
}

impl CreateWorkspace {
    /// Decides whether it can be made.
    pub fn decide(self, made_of: Ingredients<'_>, context: Context) -> Result<Verdict, Refusal> {
        decision::slug("name", &self.name)?;
        let Ingredients { owner, template, .. } = made_of;
        active(owner)?;
        match template.status {
            TemplateStatus::Deleted => return Err(Refusal::Unknown("template")),
            TemplateStatus::Deprecated => {
                let instead = template.deprecation.as_deref().unwrap_or("use another one");
                return Err(Refusal::Forbidden(format!("the template is deprecated: {instead}")));
            }
            TemplateStatus::Active => {}
        }
        unique(&self.name, None, made_of.namesakes)?;
        parameters_fit(&self.parameters)?;
        let asked = self.template_version.as_deref().or(template.active_version.as_deref());
        if self.start || self.template_version.is_some() {
            version_fits(template, asked, made_of.version, made_of.administers)?;
        }
        if let Some(schedule) = &self.schedule {
            schedule_fits(schedule, Some(template), made_of.zone)?;
        }
        let now = context.now;
        let mut draft = Draft::new(context);
        let workspace = self.record(made_of, now);
        if let Some(cap) = made_of.facts.caps.iter().find(|cap| cap.is_full()) {
            let reason = format!("there are {} workspaces of the template, and there may be {}", cap.others, cap.limit);
            let entry = made_of.facts.entry_of(&workspace, None, &made_of.facts.unjudged());
            let mut event = made_of.facts.event(&mut draft, "quota.denied", &entry);
            event.reason = Some(reason.clone());
            draft.push(event);
            return Ok(Verdict { events: draft.events, denied: Some(reason) });
        }
        let payload = WorkspaceCreated {
            owner_id: Some(owner.id.clone()),
            parameters: self.parameters.clone(),
            template_id: Some(template.id.clone()),
            template_name: Some(template.name.clone()),
        };
        let event = workspace.event(&mut draft, "workspace.created", &payload);
        let created = draft.push(event);
        if let Some(schedule) = &self.schedule {
            let event = workspace.event(&mut draft, "workspace.schedule.set", schedule);
            draft.entail(&created, event);
        }
        if self.start {
            let request = RequestBuild {
                transition: Transition::Start,
                cause: "initiator",
                reason: None,
                template_version: asked.map(str::to_owned),
                parameters: None,
            };
            let tags = template.settings.runner_tags.clone();
            builds::order(&mut draft, Some(&created), &workspace, request, Some(template), tags);
        }
        Ok(Verdict::done(draft.events))
    }

    /// It as it will be.
    fn record(&self, made_of: Ingredients<'_>, now: Timestamp) -> WorkspaceRecord {
        WorkspaceRecord {
            id: self.id.clone(),
            name: self.name.clone(),
            owner_id: Some(made_of.owner.id.clone()),
            owner: Some(made_of.owner.username.clone()),
            organization: made_of.template.organization.clone(),
            template_id: Some(made_of.template.id.clone()),
            template_name: Some(made_of.template.name.clone()),
            template_version: None,
            status: WorkspaceStatus::Pending,
            dormant: false,
            resources_remain: false,
            last_build: 0,
            daily_cost: 0,
            parameters: self.parameters.clone(),
            own: true,
            version: 1,
            created_at: now,
            updated_at: now,
        }
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
        let judged = taken.judge_handover(moves);
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

/// Whether values of variables are acceptable: bounded, with names that variables can have.
pub fn parameters_fit(parameters: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if parameters.len() > MOST_PARAMETERS {
        return Err(Refusal::invalid("parameters", format!("has at most {MOST_PARAMETERS} values")));
    }
    let named = |name: &str| {
        name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match parameters.iter().find(|(name, value)| name.is_empty() || !named(name) || value.len() > MOST_PARAMETER) {
        None => Ok(()),
        Some((name, _)) => {
            let shown: String = name.chars().take(128).collect();
            Err(Refusal::invalid(
                "parameters",
                format!("has a name that no variable can have, or a value beyond {MOST_PARAMETER} bytes, at `{shown}`"),
            ))
        }
    }
}

fn schedule_fits(
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

fn active(user: &DirectoryUser) -> Result<(), Refusal> {
    match user.status {
        UserStatus::Active => Ok(()),
        UserStatus::Suspended => Err(Refusal::Forbidden("the owner has no access now".to_owned())),
        UserStatus::Deleted => Err(Refusal::Unknown("user")),
    }
}

fn unique(name: &str, id: Option<&str>, namesakes: &[WorkspaceRecord]) -> Result<(), Refusal> {
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
