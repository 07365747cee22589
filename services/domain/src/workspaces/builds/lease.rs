//! Leases: a runner has a job for as long as it says so. One that was lost before it changed anything goes to another runner;
//! one that was changing resources is waited for, and then given up with all that it may have left.
//!
//! INVARIANT: each time a build is queued it is another job, so that whoever had it before reports in vain: of all runners
//! that ever had a build, one applies.

use super::finish::{Settlement, settle};
use crate::decision::{Context, Draft, Refusal};
use crate::event::Event;
use crate::events::runners::Job;
use crate::events::workspaces::Build;
use crate::quotas::Facts;
use crate::time::Timestamp;
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::{BuildRecord, BuildStatus};

const SECOND: i64 = 1_000_000;

/// How long runners are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leases {
    /// How long a job stays with a runner that says nothing, in microseconds.
    pub lease: i64,
    /// How long one stays that changes resources.
    pub resume: i64,
    /// How often a build is begun.
    pub attempts: u32,
}

impl Default for Leases {
    fn default() -> Self {
        Self { lease: 60 * SECOND, resume: 30 * 60 * SECOND, attempts: 5 }
    }
}

/// What becomes of a build whose runner was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lapse {
    /// Another runner begins it anew.
    Requeue {
        /// Why, in words.
        reason: String,
    },
    /// It was told to end, and had changed nothing.
    Cancel,
    /// It failed.
    GiveUp {
        /// Why, in words.
        reason: String,
    },
}

impl Leases {
    /// What becomes of a build whose runner was last heard of then; nothing while its lease lasts.
    pub fn lapse(&self, build: &BuildRecord, heard: Timestamp, now: Timestamp) -> Option<Lapse> {
        let silent = |micros: i64| heard.saturating_add_micros(micros) <= now;
        match build.status {
            BuildStatus::Started | BuildStatus::Planned if silent(self.lease) => {
                let seconds = self.lease / SECOND;
                let reason = format!("its runner was not heard of for {seconds} seconds, and had changed nothing");
                Some(if build.cancel_requested {
                    Lapse::Cancel
                } else if build.attempt >= self.attempts {
                    Lapse::GiveUp { reason: format!("{reason}; it was begun {} times", build.attempt) }
                } else {
                    Lapse::Requeue { reason }
                })
            }
            BuildStatus::Applying if silent(self.resume) => {
                let minutes = self.resume / SECOND / 60;
                let reason = format!(
                    "its runner was not heard of for {minutes} minutes while it changed resources; they may still run"
                );
                Some(Lapse::GiveUp { reason })
            }
            _ => None,
        }
    }
}

/// A build whose runner was lost waits for another one.
#[derive(Debug, Clone)]
pub struct RequeueBuild {
    /// Why, in words.
    pub reason: String,
}

impl RequeueBuild {
    /// Decides whether it can: nothing was changed, and nobody has told it to end. What it had set aside comes back.
    pub fn decide(
        self,
        workspace: &WorkspaceRecord,
        build: &BuildRecord,
        facts: &Facts,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        if build.cancel_requested || !matches!(build.status, BuildStatus::Started | BuildStatus::Planned) {
            return Err(Refusal::InState { what: "build", status: build.status.as_str() });
        }
        let mut draft = Draft::new(context);
        let payload = Build {
            attempt: Some(build.attempt.saturating_add(1)),
            job_id: Some(draft.context.ids.draw()),
            ..Build::new(build.number, build.transition)
        };
        let mut event = workspace.event(&mut draft, "workspace.build.requeued", &payload);
        event.reason = Some(self.reason.clone());
        let requeued = draft.push(event);
        if facts.reserved_for(build.number).is_some() {
            settle(&mut draft, &requeued, workspace, build, facts, Settlement::GiveBack);
        }
        let job = Job { attempt: Some(build.attempt), error: Some(self.reason), ..Job::default() };
        build.job(&mut draft, &requeued, "job.expired", job);
        Ok(draft.events)
    }
}
