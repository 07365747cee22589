//! Builds: asked for, queued, taken by a runner, planned, weighed against the quota, applied, done. A workspace has one at
//! a time.
//!
//! INVARIANT: a build that was refused, or ended before it changed anything, leaves workspace and ledger as they were; one
//! that ended later never gives back what may still run.

mod finish;
mod lease;
mod report;
mod request;

use std::collections::BTreeMap;

pub use finish::{BrokenOff, CloseLog, Ending, FinishBuild};
pub use lease::{Lapse, Leases, RequeueBuild};
pub use report::BuildReport;
pub use request::{RequestBuild, Surroundings, in_progress};
pub(crate) use request::{cancel, order, version_fits};

use crate::decision::{Context, Draft, Refusal};
use crate::event::{Event, Resource};
use crate::events::builds::BuildResource;
use crate::events::runners::Job;
use crate::events::workspaces::{Build, Transition};
use crate::quotas::{Facts, Judgement};
use crate::time::Timestamp;
use crate::workspaces::WorkspaceRecord;

/// Most credits per day of one build.
pub const MOST_COST: u32 = 100_000_000;
/// Most resources of unknown cost that are named.
pub const MOST_UNKNOWN: usize = 100;

/// Where a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStatus {
    /// Someone asked for it.
    Requested,
    /// It waits for a runner.
    Queued,
    /// A runner has it.
    Started,
    /// Its plan is known and within the quota.
    Planned,
    /// It changes resources.
    Applying,
    /// It is done.
    Succeeded,
    /// It went wrong.
    Failed,
    /// It was ended.
    Canceled,
    /// It was refused.
    Rejected,
}

impl BuildStatus {
    /// Every status.
    pub const ALL: &[Self] = &[
        Self::Requested,
        Self::Queued,
        Self::Started,
        Self::Planned,
        Self::Applying,
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
        Self::Rejected,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Planned => "planned",
            Self::Applying => "applying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == name)
    }

    /// Whether nothing comes after it.
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Rejected)
    }
}

/// A build of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRecord {
    /// Id of the workspace.
    pub workspace_id: String,
    /// Dense count within the workspace, from 1.
    pub number: u32,
    /// The job that carries it out; another one each time it is queued.
    pub job_id: Option<String>,
    /// How often runners have begun it, the present or next time included.
    pub attempt: u32,
    /// Name of the organization it is in.
    pub organization: Option<String>,
    /// What it does.
    pub transition: Transition,
    /// Where it is.
    pub status: BuildStatus,
    /// What it was asked for by: `initiator`, `autostop`, …
    pub cause: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// Id of the template version it builds.
    pub template_version: Option<String>,
    /// Values of the template's variables.
    pub parameters: BTreeMap<String, String>,
    /// Tags that a runner must have.
    pub tags: BTreeMap<String, String>,
    /// The runner that has it.
    pub runner_id: Option<String>,
    /// Whether some of the workspace's resources may have run before it.
    pub ran_before: bool,
    /// It was told to end.
    pub cancel_requested: bool,
    /// Credits per day, by its plan.
    pub daily_cost: Option<u32>,
    /// Addresses of resources whose costs nobody knows.
    pub unknown: Vec<String>,
    /// Whether it had begun to change resources.
    pub applied: Option<bool>,
    /// After it ended other than well: some resources may still run.
    pub resources_remain: Option<bool>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it was asked for.
    pub requested_at: Option<Timestamp>,
    /// When it began to wait for a runner.
    pub queued_at: Option<Timestamp>,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When its plan was known.
    pub planned_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl BuildRecord {
    /// What its events say of it.
    pub(crate) fn payload(&self) -> Build {
        Build {
            job_id: self.job_id.clone(),
            runner_id: self.runner_id.clone(),
            ..Build::new(self.number, self.transition)
        }
    }

    /// An event about its job, which `cause` entails.
    pub(crate) fn job(&self, draft: &mut Draft, cause: &str, event_type: &str, more: Job) {
        let Some(id) = &self.job_id else { return };
        let about = Job {
            runner_id: self.runner_id.clone().or(more.runner_id),
            workspace_id: Some(self.workspace_id.clone()),
            ..more
        };
        let mut event = draft.event(event_type, Resource::new("job", id), &about);
        event.organization.clone_from(&self.organization);
        draft.entail(cause, event);
    }

    /// It is at `status`, and nobody has told it to end.
    fn is_at(&self, status: BuildStatus) -> Result<(), Refusal> {
        if self.cancel_requested && !self.status.is_last() {
            return Err(Refusal::InState { what: "build", status: "canceling" });
        }
        if self.status != status {
            return Err(Refusal::InState { what: "build", status: self.status.as_str() });
        }
        Ok(())
    }
}

/// A runner takes a build.
#[derive(Debug, Clone)]
pub struct StartBuild {
    /// The runner.
    pub runner_id: String,
}

impl StartBuild {
    /// Decides whether it can: nobody else has.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        build.is_at(BuildStatus::Queued)?;
        let mut draft = Draft::new(context);
        let attempt = Some(build.attempt);
        let payload = Build { attempt, runner_id: Some(self.runner_id.clone()), ..build.payload() };
        let event = workspace.event(&mut draft, "workspace.build.started", &payload);
        let started = draft.push(event);
        let job = Job { attempt, runner_id: Some(self.runner_id), ..Job::default() };
        build.job(&mut draft, &started, "job.acquired", job);
        Ok(draft.events)
    }
}

/// The plan of a build is known.
#[derive(Debug, Clone)]
pub struct PlanBuild {
    /// Credits per day of all resources whose costs are known.
    pub cost: u32,
    /// Addresses of the others.
    pub unknown: Vec<String>,
    /// What there will be.
    pub resources: Option<Vec<BuildResource>>,
}

/// What was decided, and how it was weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The decision.
    pub events: Vec<Event>,
    /// Whether the build goes on, with the sums.
    pub judgement: Judgement,
}

impl PlanBuild {
    /// Decides whether the build goes on: stopping and shrinking always, anything else within the quota. A build that is
    /// refused leaves its workspace, and what is counted for it, as they were. The same plan told again is answered as before.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        facts: &Facts,
        context: Context,
    ) -> Result<Planned, Refusal> {
        if let Some(judgement) = self.told_before(build, facts) {
            return Ok(Planned { events: Vec::new(), judgement });
        }
        build.is_at(BuildStatus::Started)?;
        if self.cost > MOST_COST {
            return Err(Refusal::invalid("daily_cost", format!("must be 0 to {MOST_COST}")));
        }
        if self.unknown.len() > MOST_UNKNOWN || self.unknown.iter().any(|address| address.len() > 512) {
            return Err(Refusal::invalid("unknown", format!("has at most {MOST_UNKNOWN} addresses of 512 bytes")));
        }
        let judgement = facts.judge(build.transition, u64::from(self.cost), &self.unknown);
        let mut draft = Draft::new(context);
        let mut payload = Build { daily_cost: Some(self.cost), unknown: self.unknown.clone(), ..build.payload() };
        BuildReport { resources: self.resources, ..BuildReport::default() }.tell(&mut payload);
        let mut entry = facts.entry_of(workspace, Some(build), &judgement);
        if judgement.allowed {
            entry.reserved = Some(entry.cost);
            let event = facts.event(&mut draft, "quota.reserved", &entry);
            let reserved = draft.push(event);
            let event = workspace.event(&mut draft, "workspace.build.planned", &payload);
            draft.entail(&reserved, event);
        } else {
            let mut event = facts.event(&mut draft, "quota.denied", &entry);
            event.reason.clone_from(&judgement.reason);
            let denied = draft.push(event);
            let payload = Build { applied: Some(false), error: judgement.reason.clone(), ..payload };
            let mut event = workspace.event(&mut draft, "workspace.build.rejected", &payload);
            event.reason.clone_from(&judgement.reason);
            draft.entail(&denied, event);
            let job = Job { error: judgement.reason.clone(), ..Job::default() };
            build.job(&mut draft, &denied, "job.failed", job);
        }
        Ok(Planned { events: draft.events, judgement })
    }

    /// How this plan was judged, if it was told before: its answer may not have arrived.
    fn told_before(&self, build: &BuildRecord, facts: &Facts) -> Option<Judgement> {
        let allowed = match build.status {
            BuildStatus::Planned | BuildStatus::Applying => true,
            BuildStatus::Rejected => false,
            _ => return None,
        };
        let same = build.daily_cost == Some(self.cost) && build.unknown == self.unknown;
        same.then(|| Judgement {
            allowed,
            reason: build.error.clone().filter(|_| !allowed),
            cost: u64::from(self.cost),
            unknown: self.unknown.clone(),
            ..facts.unjudged()
        })
    }
}

/// A runner begins to change resources.
#[derive(Debug, Clone, Copy)]
pub struct BeginApply;

impl BeginApply {
    /// Decides whether it may: the plan is within the quota, and nobody has told it to end. It may begin but once; that it
    /// has begun may be told again.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        if build.status == BuildStatus::Applying {
            return Ok(Vec::new());
        }
        build.is_at(BuildStatus::Planned)?;
        let mut draft = Draft::new(context);
        let payload = Build { template_version: build.template_version.clone(), ..build.payload() };
        let event = workspace.event(&mut draft, "workspace.build.apply-started", &payload);
        draft.push(event);
        Ok(draft.events)
    }
}

/// A build is to end.
#[derive(Debug, Clone, Default)]
pub struct CancelBuild {
    /// Why, for auditors.
    pub reason: Option<String>,
}

impl CancelBuild {
    /// Decides what becomes of it: one that waits ends at once, one that a runner has is told to; nothing changes when it
    /// was told before.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        if build.status.is_last() {
            return Err(Refusal::InState { what: "build", status: build.status.as_str() });
        }
        let mut draft = Draft::new(context);
        request::cancel(&mut draft, None, workspace, build, self.reason.as_deref());
        Ok(draft.events)
    }
}
