//! Workspaces and what their builds make of them; builds are in [`super::builds`].

use chancery_domain::Event;
use chancery_domain::attributes;
use chancery_domain::events::workspaces::{
    Build, Renamed, ScheduleSet, Transfer, Transition, WorkspaceCreated, WorkspaceEvent,
};
use sqlx::AnyConnection;

use super::builds::{self, Step};
use super::{own, states};

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: WorkspaceEvent) -> Result<(), sqlx::Error> {
    let (build, step) = match payload {
        WorkspaceEvent::WorkspaceCreated(workspace) => return created(db, event, workspace).await,
        WorkspaceEvent::WorkspaceDeleted(_) => return deleted(db, event).await,
        WorkspaceEvent::WorkspaceTransferred(transfer) => return transferred(db, event, transfer).await,
        WorkspaceEvent::WorkspaceRenamed(renamed) => return renamed_to(db, event, renamed).await,
        WorkspaceEvent::WorkspaceDormant(_) => return dormant(db, event, true).await,
        WorkspaceEvent::WorkspaceWoken(_) => return dormant(db, event, false).await,
        WorkspaceEvent::WorkspaceScheduleSet(schedule) => return scheduled(db, event, &schedule).await,
        WorkspaceEvent::WorkspaceUsed(_) => return used(db, event).await,
        WorkspaceEvent::WorkspaceBuildRequeued(build) => {
            builds::requeued(db, event, &build).await?;
            return built(db, event, &build, Step::Queued).await;
        }
        WorkspaceEvent::WorkspaceBuildLogClosed(build) => return states::reported(db, event, &build).await,
        WorkspaceEvent::WorkspaceStateWritten(state) | WorkspaceEvent::WorkspaceStateRestored(state) => {
            return states::written(db, event, state).await;
        }
        WorkspaceEvent::WorkspaceStateRead(_) => return Ok(()),
        WorkspaceEvent::WorkspaceStateLocked(lock) => return states::locked(db, event, lock).await,
        WorkspaceEvent::WorkspaceStateUnlocked(lock) | WorkspaceEvent::WorkspaceStateLockBroken(lock) => {
            return states::unlocked(db, event, lock).await;
        }
        WorkspaceEvent::WorkspaceBuildRequested(build) => (build, Step::Requested),
        WorkspaceEvent::WorkspaceBuildQueued(build) => (build, Step::Queued),
        WorkspaceEvent::WorkspaceBuildStarted(build) => (build, Step::Started),
        WorkspaceEvent::WorkspaceBuildPlanned(build) => (build, Step::Planned),
        WorkspaceEvent::WorkspaceBuildApplyStarted(build) => (build, Step::Applying),
        WorkspaceEvent::WorkspaceBuildCancelRequested(build) => (build, Step::CancelRequested),
        WorkspaceEvent::WorkspaceBuildSucceeded(build) => (build, Step::Succeeded),
        WorkspaceEvent::WorkspaceBuildFailed(build) => (build, Step::Failed),
        WorkspaceEvent::WorkspaceBuildCanceled(build) => (build, Step::Canceled),
        WorkspaceEvent::WorkspaceBuildRejected(build) => (build, Step::Rejected),
    };
    builds::record(db, event, &build, step).await?;
    states::reported(db, event, &build).await?;
    let restores = step == Step::Rejected || (step == Step::Canceled && build.applied == Some(false));
    if restores { restored(db, event, &build).await } else { built(db, event, &build, step).await }
}

async fn created(db: &mut AnyConnection, event: &Event, workspace: WorkspaceCreated) -> Result<(), sqlx::Error> {
    let name = event.resource.name.clone().unwrap_or_else(|| event.resource.id.clone());
    execute!(
        db,
        "INSERT INTO workspaces (id, name, name_key, owner, owner_id, organization, template_id, template_name,
            parameters, own, status, created_at, updated_at, last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $11, $11) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        name.clone(),
        attributes::key(&name),
        event.resource.owner.clone(),
        workspace.owner_id,
        event.organization.clone(),
        workspace.template_id,
        workspace.template_name,
        super::json(&workspace.parameters),
        own(event),
        event.occurred_at.as_micros(),
    )
}

async fn deleted(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET status = 'deleted', daily_cost = 0, resources_remain = 0, canceling = 0,
            version = version + 1, updated_at = $1 WHERE id = $2 AND own <= $3",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

async fn transferred(db: &mut AnyConnection, event: &Event, transfer: Transfer) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET owner = $1, owner_id = $2, version = version + 1, updated_at = $3
            WHERE id = $4 AND own <= $5",
        transfer.to,
        transfer.to_id,
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

async fn renamed_to(db: &mut AnyConnection, event: &Event, renamed: Renamed) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET name = $1, name_key = $2, version = version + 1, updated_at = $3
            WHERE id = $4 AND own <= $5",
        renamed.to.clone(),
        attributes::key(&renamed.to),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

async fn dormant(db: &mut AnyConnection, event: &Event, dormant: bool) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET dormant = $1, dormant_at = $2, last_used_at = coalesce($3, last_used_at),
            version = version + 1, updated_at = $4 WHERE id = $5 AND own <= $6",
        i64::from(dormant),
        dormant.then(|| event.occurred_at.as_micros()),
        (!dormant).then(|| event.occurred_at.as_micros()),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

async fn scheduled(db: &mut AnyConnection, event: &Event, schedule: &ScheduleSet) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET schedule = $1, version = version + 1, updated_at = $2 WHERE id = $3 AND own <= $4",
        super::json(schedule),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

/// Use is no change: the version stays.
async fn used(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET last_used_at = $1 WHERE id = $2 AND own <= $3",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        own(event),
    )
}

/// A build moves its workspace unless a later build already has.
async fn built(db: &mut AnyConnection, event: &Event, build: &Build, step: Step) -> Result<(), sqlx::Error> {
    let status = match (step, build.transition) {
        (Step::Requested | Step::Queued, _) => Some("pending"),
        (Step::Started, Transition::Start) => Some("starting"),
        (Step::Started, Transition::Stop) => Some("stopping"),
        (Step::Started, Transition::Delete) => Some("deleting"),
        (Step::Planned | Step::Applying | Step::CancelRequested | Step::Rejected, _) => None,
        (Step::Succeeded, Transition::Start) => Some("running"),
        (Step::Succeeded, Transition::Stop) => Some("stopped"),
        (Step::Succeeded, Transition::Delete) => Some("deleted"),
        (Step::Failed, _) => Some("failed"),
        (Step::Canceled, _) => Some("canceled"),
    };
    let at = event.occurred_at.as_micros();
    execute!(
        db,
        "UPDATE workspaces SET status = coalesce($1, status), last_build = $2, daily_cost = coalesce($3, daily_cost),
            template_version = coalesce($4, template_version), resources_remain = coalesce($5, resources_remain),
            parameters = CASE WHEN $6 = 1 THEN coalesce((SELECT b.parameters FROM builds b
                WHERE b.workspace_id = $10 AND b.number = $2), parameters) ELSE parameters END,
            dormant = CASE WHEN $1 = 'running' THEN 0 ELSE dormant END,
            dormant_at = CASE WHEN $1 = 'running' THEN NULL ELSE dormant_at END,
            started_at = CASE WHEN $1 = 'running' THEN $9 ELSE started_at END,
            last_used_at = CASE WHEN $1 = 'running' THEN $9 ELSE last_used_at END,
            finished_at = CASE WHEN $7 = 1 THEN $9 ELSE finished_at END, canceling = $8, version = version + 1,
            updated_at = $9 WHERE id = $10 AND last_build <= $2 AND own <= $11",
        status,
        i64::from(build.build_number),
        build.daily_cost.filter(|_| step.is_last()).map(i64::from),
        build.template_version.clone().filter(|_| step.is_last() || step == Step::Applying),
        step.is_last().then(|| i64::from(build.resources_remain.unwrap_or_default())),
        i64::from(step == Step::Succeeded),
        i64::from(step.is_last()),
        i64::from(step == Step::CancelRequested),
        at,
        event.resource.id.clone(),
        own(event),
    )
}

/// A build that changed nothing leaves its workspace as it was before.
async fn restored(db: &mut AnyConnection, event: &Event, build: &Build) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET status = coalesce((SELECT b.previous_status FROM builds b
                WHERE b.workspace_id = $1 AND b.number = $2), status),
            resources_remain = coalesce((SELECT b.previous_remain FROM builds b
                WHERE b.workspace_id = $1 AND b.number = $2), resources_remain),
            last_build = $2, canceling = 0, version = version + 1, updated_at = $3
            WHERE id = $1 AND last_build <= $2 AND own <= $4",
        event.resource.id.clone(),
        i64::from(build.build_number),
        event.occurred_at.as_micros(),
        own(event),
    )
}
