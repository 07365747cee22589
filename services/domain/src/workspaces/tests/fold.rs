//! What events make of workspaces, builds and the ledger, folded once more and by other means than the state's.

use std::collections::BTreeMap;

use crate::catalogue::{Payload, decode};
use crate::event::Event;
use crate::events::quotas::{QuotaEntry, QuotaEvent};
use crate::events::workspaces::{Build, Transition, WorkspaceCreated, WorkspaceEvent};
use crate::quotas::LedgerEntry;
use crate::workspaces::builds::{BuildRecord, BuildStatus};
use crate::workspaces::{WorkspaceRecord, WorkspaceStatus};

/// What the events make.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Folded {
    pub(super) workspaces: BTreeMap<String, WorkspaceRecord>,
    pub(super) builds: BTreeMap<(String, u32), BuildRecord>,
    /// What each workspace takes of whose quota.
    pub(super) ledger: BTreeMap<(String, String), LedgerEntry>,
}

impl Folded {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut folded = Self::default();
        for event in events {
            folded.apply(event);
        }
        folded
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match decode(event).unwrap() {
            Payload::Workspace(payload) => self.workspace(event, payload),
            Payload::Quota(
                QuotaEvent::QuotaReserved(entry) | QuotaEvent::QuotaCommitted(entry) | QuotaEvent::QuotaReleased(entry),
            ) => {
                self.entry(entry);
            }
            _ => {}
        }
    }

    fn entry(&mut self, entry: QuotaEntry) {
        let key = (entry.user_id.unwrap(), entry.workspace_id.unwrap());
        let now = LedgerEntry {
            committed: entry.committed.unwrap(),
            reserved: entry.reserved,
            build_number: entry.reserved.and(entry.build_number),
            running: entry.running.unwrap(),
        };
        if now == LedgerEntry::default() {
            self.ledger.remove(&key);
        } else {
            self.ledger.insert(key, now);
        }
    }

    fn workspace(&mut self, event: &Event, payload: WorkspaceEvent) {
        let id = event.resource.id.clone();
        if let WorkspaceEvent::WorkspaceCreated(created) = &payload {
            self.workspaces.insert(id, made(event, created));
            return;
        }
        let record = self.workspaces.get_mut(&id).unwrap();
        let (build, status) = match payload {
            WorkspaceEvent::WorkspaceTransferred(transfer) => {
                record.owner_id = transfer.to_id;
                record.owner = Some(transfer.to);
                return;
            }
            WorkspaceEvent::WorkspaceDeleted(_) => {
                record.status = WorkspaceStatus::Deleted;
                return;
            }
            WorkspaceEvent::WorkspaceBuildRequested(build) => (build, BuildStatus::Requested),
            WorkspaceEvent::WorkspaceBuildQueued(build) => (build, BuildStatus::Queued),
            WorkspaceEvent::WorkspaceBuildStarted(build) => (build, BuildStatus::Started),
            WorkspaceEvent::WorkspaceBuildPlanned(build) => (build, BuildStatus::Planned),
            WorkspaceEvent::WorkspaceBuildApplyStarted(build) => (build, BuildStatus::Applying),
            WorkspaceEvent::WorkspaceBuildSucceeded(build) => (build, BuildStatus::Succeeded),
            WorkspaceEvent::WorkspaceBuildFailed(build) => (build, BuildStatus::Failed),
            WorkspaceEvent::WorkspaceBuildCanceled(build) => (build, BuildStatus::Canceled),
            WorkspaceEvent::WorkspaceBuildRejected(build) => (build, BuildStatus::Rejected),
            WorkspaceEvent::WorkspaceBuildRequeued(build) => {
                let kept = self.builds.get_mut(&(id, build.build_number)).unwrap();
                kept.status = BuildStatus::Queued;
                kept.job_id = build.job_id;
                kept.attempt = build.attempt.unwrap();
                (kept.runner_id, kept.daily_cost, kept.started_at) = (None, None, None);
                kept.unknown = Vec::new();
                record.status = WorkspaceStatus::Pending;
                return;
            }
            WorkspaceEvent::WorkspaceBuildCancelRequested(build) => {
                self.builds.get_mut(&(id, build.build_number)).unwrap().cancel_requested = true;
                return;
            }
            _ => return,
        };
        let key = (id.clone(), build.build_number);
        let kept = self.builds.entry(key).or_insert_with(|| begun(&id, record, &build));
        kept.status = status;
        kept.runner_id = build.runner_id.clone().or(kept.runner_id.take());
        kept.daily_cost = build.daily_cost.or(kept.daily_cost);
        if status == BuildStatus::Started {
            kept.started_at = Some(event.occurred_at);
        }
        if status.is_last() {
            kept.finished_at = Some(event.occurred_at);
        }
        record.last_build = build.build_number;
        record.status = after(record.status, kept, &build);
        if status.is_last() {
            let restored =
                status == BuildStatus::Rejected || (status == BuildStatus::Canceled && build.applied == Some(false));
            record.resources_remain = if restored {
                kept.ran_before && record.status != WorkspaceStatus::Running
            } else {
                build.resources_remain.unwrap_or_default()
            };
        }
        if status == BuildStatus::Succeeded {
            record.parameters = kept.parameters.clone();
            record.template_version = build.template_version;
        }
    }
}

/// A build at its request. What the workspace was is kept in `reason`, for want of a better place.
fn begun(id: &str, record: &WorkspaceRecord, build: &Build) -> BuildRecord {
    let before = if record.last_build == 0 { WorkspaceStatus::Stopped } else { record.status };
    BuildRecord {
        workspace_id: id.into(),
        number: build.build_number,
        job_id: build.job_id.clone(),
        attempt: 1,
        organization: Some("eng".into()),
        transition: build.transition,
        status: BuildStatus::Requested,
        cause: build.cause.clone(),
        reason: Some(before.as_str().into()),
        requested_by: None,
        template_version: build.template_version.clone(),
        parameters: build.parameters.clone().unwrap_or_default(),
        tags: build.tags.clone(),
        runner_id: None,
        ran_before: record.may_run(),
        cancel_requested: false,
        daily_cost: None,
        unknown: Vec::new(),
        applied: None,
        resources_remain: None,
        error: None,
        requested_at: None,
        queued_at: None,
        started_at: None,
        planned_at: None,
        finished_at: None,
    }
}

fn after(present: WorkspaceStatus, kept: &BuildRecord, build: &Build) -> WorkspaceStatus {
    let before = || WorkspaceStatus::from_name(kept.reason.as_deref().unwrap()).unwrap();
    match (kept.status, build.transition) {
        (BuildStatus::Requested | BuildStatus::Queued, _) => WorkspaceStatus::Pending,
        (BuildStatus::Started, Transition::Start) => WorkspaceStatus::Starting,
        (BuildStatus::Started, Transition::Stop) => WorkspaceStatus::Stopping,
        (BuildStatus::Started, Transition::Delete) => WorkspaceStatus::Deleting,
        (BuildStatus::Planned | BuildStatus::Applying, _) => present,
        (BuildStatus::Succeeded, Transition::Start) => WorkspaceStatus::Running,
        (BuildStatus::Succeeded, Transition::Stop) => WorkspaceStatus::Stopped,
        (BuildStatus::Succeeded, Transition::Delete) => WorkspaceStatus::Deleted,
        (BuildStatus::Failed, _) => WorkspaceStatus::Failed,
        (BuildStatus::Canceled, _) if build.applied == Some(false) => before(),
        (BuildStatus::Canceled, _) => WorkspaceStatus::Canceled,
        (BuildStatus::Rejected, _) => before(),
    }
}

fn made(event: &Event, created: &WorkspaceCreated) -> WorkspaceRecord {
    WorkspaceRecord {
        id: event.resource.id.clone(),
        name: event.resource.name.clone().unwrap(),
        owner_id: created.owner_id.clone(),
        owner: event.resource.owner.clone(),
        organization: event.organization.clone(),
        template_id: created.template_id.clone(),
        template_name: created.template_name.clone(),
        template_version: None,
        status: WorkspaceStatus::Pending,
        dormant: false,
        resources_remain: false,
        last_build: 0,
        daily_cost: 0,
        parameters: BTreeMap::new(),
        own: true,
        version: 1,
        created_at: event.occurred_at,
        updated_at: event.occurred_at,
    }
}
