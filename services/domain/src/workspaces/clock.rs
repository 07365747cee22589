//! What happens to workspaces by itself: the clock looks at each now and then, and asks for what is due.

mod cron;

use jiff::tz::TimeZone;

use crate::events::workspaces::{ScheduleSet, Transition};
use crate::templates::{TemplateRecord, TemplateSettings, TemplateStatus};
use crate::time::Timestamp;
use crate::workspaces::builds::{BuildRecord, BuildStatus};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

pub use cron::{Cron, cron};

const SECOND: i64 = 1_000_000;
/// A start that is later than this, because nobody looked, is left out.
const LATEST: i64 = 3600 * SECOND;
/// What the clock has asked for in vain is asked for again after this long.
const AGAIN: i64 = 3600 * SECOND;
/// The same for deletions.
const DELETE_AGAIN: i64 = 24 * 3600 * SECOND;

/// What the clock knows of a workspace.
#[derive(Debug, Clone)]
pub struct Life {
    /// It.
    pub workspace: WorkspaceRecord,
    /// Its last build.
    pub build: Option<BuildRecord>,
    /// Whether its owner has access.
    pub owner_active: bool,
    /// Its template.
    pub template: Option<TemplateRecord>,
    /// Its own schedule.
    pub schedule: ScheduleSet,
    /// When it last started to run.
    pub started_at: Option<Timestamp>,
    /// When its last build ended.
    pub finished_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is dormant.
    pub dormant_at: Option<Timestamp>,
    /// A hard budget that concerns it and is used up.
    pub spent_budget: Option<String>,
}

/// How long builds may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest that a build may wait for a runner, in microseconds.
    pub queued: i64,
    /// Longest that a runner may have it.
    pub running: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { queued: 24 * 3600 * SECOND, running: 2 * 3600 * SECOND }
    }
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A build.
    Build {
        /// What it does.
        transition: Transition,
        /// Recorded as what asked for it.
        cause: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// It is put to rest.
    Rest {
        /// Why, in words.
        reason: String,
    },
    /// Its build in progress is given up.
    GiveUp {
        /// Why, in words.
        reason: String,
    },
}

/// What is due for a workspace now: at most one thing, the most urgent one.
pub fn due(life: &Life, zone: &TimeZone, patience: Patience, now: Timestamp) -> Option<Action> {
    if life.workspace.status == WorkspaceStatus::Deleted || !life.workspace.own {
        return None;
    }
    if let Some(build) = life.build.as_ref().filter(|build| !build.status.is_last()) {
        return overdue(build, patience, now);
    }
    let settings = life.template.as_ref().map(|template| template.settings.clone()).unwrap_or_default();
    autostop(life, &settings, now)
        .or_else(|| autostart(life, &settings, zone, now))
        .or_else(|| clean_up(life, &settings, now))
        .or_else(|| rest(life, &settings, now))
        .or_else(|| delete(life, &settings, now))
}

fn overdue(build: &BuildRecord, patience: Patience, now: Timestamp) -> Option<Action> {
    let (since, most, what) = match build.started_at {
        Some(started) => (Some(started), patience.running, "its runner has not finished it"),
        None => (build.queued_at.or(build.requested_at), patience.queued, "no runner took it"),
    };
    let gone = passed(since?, most, now);
    gone.then(|| Action::GiveUp { reason: format!("{what} within {} seconds", most / SECOND) })
}

fn autostop(life: &Life, settings: &TemplateSettings, now: Timestamp) -> Option<Action> {
    if !life.workspace.may_run() || again_later(life, Transition::Stop, AGAIN, now) {
        return None;
    }
    let stop = |cause, reason: String| Some(Action::Build { transition: Transition::Stop, cause, reason });
    if !life.owner_active {
        return stop("suspension", "its owner has no access".to_owned());
    }
    if let Some(deadline) = life.deadline(settings).filter(|deadline| *deadline <= now) {
        return stop("autostop", format!("its time was over at {deadline}"));
    }
    let budget = life.spent_budget.as_ref()?;
    stop("budget", format!("the budget `{budget}` is used up"))
}

impl Life {
    /// When it is to stop.
    pub fn deadline(&self, settings: &TemplateSettings) -> Option<Timestamp> {
        let own = self.schedule.ttl_seconds.filter(|_| settings.allow_own_schedule);
        let ttl = own.or(settings.default_ttl_seconds).filter(|seconds| *seconds > 0);
        let seconds = ttl.into_iter().chain(settings.max_ttl_seconds).min()?;
        Some(self.started_at?.saturating_add_micros(i64::from(seconds) * SECOND))
    }
}

fn autostart(life: &Life, settings: &TemplateSettings, zone: &TimeZone, now: Timestamp) -> Option<Action> {
    let text = life.schedule.autostart.as_ref().filter(|_| settings.allow_own_schedule)?;
    let usable = life.template.as_ref().is_some_and(|template| template.status != TemplateStatus::Deleted);
    let ready = life.workspace.status == WorkspaceStatus::Stopped
        && life.owner_active
        && !life.workspace.dormant
        && usable
        && life.spent_budget.is_none();
    if !ready {
        return None;
    }
    let last = cron(text).ok()?.last_before(zone, now)?;
    let ended = life.build.as_ref().and_then(|build| build.finished_at).or(life.finished_at);
    let since = ended.unwrap_or(life.workspace.created_at);
    (last > since && !passed(last, LATEST, now)).then(|| Action::Build {
        transition: Transition::Start,
        cause: "autostart",
        reason: format!("its schedule `{text}` starts it at {last}"),
    })
}

fn clean_up(life: &Life, settings: &TemplateSettings, now: Timestamp) -> Option<Action> {
    let ttl = settings.failure_ttl_seconds?;
    let failed = life.workspace.status == WorkspaceStatus::Failed
        && life.workspace.resources_remain
        && !again_later(life, Transition::Stop, AGAIN, now);
    (failed && passed(life.finished_at?, i64::from(ttl) * SECOND, now)).then(|| Action::Build {
        transition: Transition::Stop,
        cause: "failure",
        reason: format!("what its failed build has left is stopped after {ttl} seconds"),
    })
}

fn rest(life: &Life, settings: &TemplateSettings, now: Timestamp) -> Option<Action> {
    let after = settings.dormant_after_seconds?;
    let since = life.last_used_at.unwrap_or(life.workspace.created_at);
    (!life.workspace.dormant && passed(since, i64::from(after) * SECOND, now))
        .then(|| Action::Rest { reason: format!("nobody has used it since {since}") })
}

fn delete(life: &Life, settings: &TemplateSettings, now: Timestamp) -> Option<Action> {
    let after = settings.dormant_deletion_seconds?;
    let since = life.dormant_at.filter(|_| life.workspace.dormant)?;
    let due = passed(since, i64::from(after) * SECOND, now);
    (due && !again_later(life, Transition::Delete, DELETE_AGAIN, now)).then(|| Action::Build {
        transition: Transition::Delete,
        cause: "dormant-deletion",
        reason: format!("it is dormant since {since}"),
    })
}

/// Whether the last build was just this, has not worked, and was not long ago.
fn again_later(life: &Life, transition: Transition, pause: i64, now: Timestamp) -> bool {
    life.build.as_ref().is_some_and(|build| {
        build.transition == transition
            && build.status != BuildStatus::Succeeded
            && build.finished_at.is_some_and(|finished| !passed(finished, pause, now))
    })
}

fn passed(since: Timestamp, micros: i64, now: Timestamp) -> bool {
    since.saturating_add_micros(micros) <= now
}
