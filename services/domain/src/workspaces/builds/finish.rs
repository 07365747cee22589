//! How builds end.

use crate::decision::{Context, Draft, Refusal};
use crate::event::Event;
use crate::events::Bare;
use crate::events::builds::BuildLog;
use crate::events::quotas::QuotaEntry;
use crate::events::runners::Job;
use crate::events::workspaces::{Build, Transition};
use crate::quotas::{Facts, Judgement, LedgerEntry};
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::{BuildRecord, BuildReport, BuildStatus, MOST_COST};

/// Longest text of what went wrong, in characters.
const MOST_ERROR: usize = 4000;

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Succeeded {
        /// Credits per day of what there is now, where that is not what was planned.
        cost: Option<u32>,
    },
    /// It went wrong.
    Failed {
        /// What it has done until then.
        broken: BrokenOff,
        /// What went wrong.
        error: Option<String>,
        /// Nobody has heard of its runner for too long.
        expired: bool,
    },
    /// It was ended.
    Canceled {
        /// What it has done until then.
        broken: BrokenOff,
    },
}

impl Ending {
    /// Where a build is that ended like this.
    const fn status(&self) -> BuildStatus {
        match self {
            Self::Succeeded { .. } => BuildStatus::Succeeded,
            Self::Failed { .. } => BuildStatus::Failed,
            Self::Canceled { .. } => BuildStatus::Canceled,
        }
    }
}

/// What a build that did not end well has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokenOff {
    /// It had begun to change resources, as its runner says.
    pub applied: bool,
    /// Some resources may still run; if it had begun and nobody says otherwise, they may.
    pub resources_remain: Option<bool>,
}

/// A build that ends.
#[derive(Debug, Clone)]
pub struct FinishBuild {
    /// How.
    pub ending: Ending,
    /// What its runner says besides.
    pub report: BuildReport,
}

/// The log of a build that has ended is closed.
#[derive(Debug, Clone)]
pub struct CloseLog {
    /// The end of it.
    pub log: BuildLog,
}

impl CloseLog {
    /// Decides; once a build has ended, its log may be closed.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        if !build.status.is_last() {
            return Err(Refusal::InState { what: "build", status: build.status.as_str() });
        }
        let mut draft = Draft::new(context);
        let payload = Build { log: Some(self.log), ..build.payload() };
        let event = workspace.event(&mut draft, "workspace.build.log-closed", &payload);
        draft.push(event);
        Ok(draft.events)
    }
}

/// What the ledger makes of an ending.
#[derive(Debug, Clone, Copy)]
pub(super) enum Settlement {
    /// The build had reserved nothing.
    Nothing,
    /// What was reserved comes back, what was committed stays.
    GiveBack,
    /// From now on this counts, and it runs or not.
    Commit(u64, bool),
    /// Nothing counts any more.
    Release,
}

impl FinishBuild {
    /// Decides what becomes of the workspace and of what was reserved. The same ending told again changes nothing.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        facts: &Facts,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        if build.status == self.ending.status() {
            return Ok(Vec::new());
        }
        if build.status.is_last() {
            return Err(Refusal::InState { what: "build", status: build.status.as_str() });
        }
        let reserved = facts.reserved_for(build.number);
        let lasted = build.started_at.map(|started| context.now.as_micros().saturating_sub(started.as_micros()) / 1000);
        let duration_ms = lasted.and_then(|millis| u64::try_from(millis).ok());
        let mut payload = Build { duration_ms, ..build.payload() };
        let (event_type, job_event, settlement) = match self.ending {
            Ending::Succeeded { cost } => {
                let settlement = succeeded(build, cost, reserved)?;
                ("workspace.build.succeeded", "job.completed", settlement)
            }
            Ending::Failed { broken, error, expired } => {
                payload.error = error.map(|text| text.chars().take(MOST_ERROR).collect());
                let settlement = broken_off(&mut payload, build, facts, broken);
                ("workspace.build.failed", if expired { "job.expired" } else { "job.failed" }, settlement)
            }
            Ending::Canceled { broken } => {
                let settlement = broken_off(&mut payload, build, facts, broken);
                ("workspace.build.canceled", "job.failed", settlement)
            }
        };
        payload.daily_cost = settled_cost(settlement, facts);
        if payload.applied != Some(false) {
            payload.template_version.clone_from(&build.template_version);
        }
        self.report.tell(&mut payload);
        let mut draft = Draft::new(context);
        let event = workspace.event(&mut draft, event_type, &payload);
        let ended = draft.push(event);
        settle(&mut draft, &ended, workspace, build, facts, settlement);
        if event_type == "workspace.build.succeeded" && build.transition == Transition::Delete {
            let event = workspace.event(&mut draft, "workspace.deleted", &Bare {});
            draft.entail(&ended, event);
        }
        let job = Job { duration_ms, error: payload.error, ..Job::default() };
        build.job(&mut draft, &ended, job_event, job);
        Ok(draft.events)
    }
}

/// Nothing succeeds that was not weighed and begun.
fn succeeded(build: &BuildRecord, cost: Option<u32>, reserved: Option<u64>) -> Result<Settlement, Refusal> {
    if build.status != BuildStatus::Applying {
        return Err(Refusal::InState { what: "build", status: build.status.as_str() });
    }
    if cost.is_some_and(|cost| cost > MOST_COST) {
        return Err(Refusal::invalid("daily_cost", format!("must be 0 to {MOST_COST}")));
    }
    let cost = cost.map_or(reserved.unwrap_or_default(), u64::from);
    Ok(match build.transition {
        Transition::Delete => Settlement::Release,
        transition => Settlement::Commit(cost, transition == Transition::Start),
    })
}

/// A build that did not end well: what it says of what is left, and what the ledger makes of it.
fn broken_off(payload: &mut Build, build: &BuildRecord, facts: &Facts, broken: BrokenOff) -> Settlement {
    let reserved = facts.reserved_for(build.number);
    let applied = broken.applied || build.status == BuildStatus::Applying;
    payload.applied = Some(applied);
    if !applied {
        payload.resources_remain = Some(build.ran_before);
        return if reserved.is_some() { Settlement::GiveBack } else { Settlement::Nothing };
    }
    let remain = broken.resources_remain.unwrap_or(true);
    payload.resources_remain = Some(remain);
    if remain {
        // It may run, and whatever ran before may, too.
        Settlement::Commit(facts.entry.committed.max(reserved.unwrap_or_default()), true)
    } else {
        Settlement::Release
    }
}

/// Credits per day that the workspace is shown with from now on.
fn settled_cost(settlement: Settlement, facts: &Facts) -> Option<u32> {
    let cost = match settlement {
        Settlement::Nothing | Settlement::GiveBack => facts.entry.committed,
        Settlement::Commit(cost, _) => cost,
        Settlement::Release => 0,
    };
    u32::try_from(cost).ok()
}

pub(super) fn settle(
    draft: &mut Draft,
    cause: &str,
    workspace: &WorkspaceRecord,
    build: &BuildRecord,
    facts: &Facts,
    settlement: Settlement,
) {
    let entry = &facts.entry;
    let (event_type, committed, running) = match settlement {
        Settlement::Nothing => return,
        Settlement::GiveBack => ("quota.released", entry.committed, entry.running),
        Settlement::Commit(cost, running) => ("quota.committed", cost, running),
        Settlement::Release if *entry == LedgerEntry::default() => return,
        Settlement::Release => ("quota.released", 0, false),
    };
    let cost = entry.reserved.unwrap_or(entry.committed);
    let judged = Judgement { cost, unknown: build.unknown.clone(), ..facts.unjudged() };
    let settled = QuotaEntry {
        committed: Some(committed),
        released: (event_type == "quota.released").then(|| entry.counted().saturating_sub(committed)),
        reserved: None,
        running: Some(running),
        ..facts.entry_of(workspace, Some(build), &judged)
    };
    let event = facts.event(draft, event_type, &settled);
    draft.entail(cause, event);
}
