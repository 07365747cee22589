//! Workspaces and what their builds make of them.

use chancery_domain::Event;
use chancery_domain::events::workspaces::{Build, Transfer, Transition, WorkspaceCreated, WorkspaceEvent};
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: WorkspaceEvent) -> Result<(), sqlx::Error> {
    match payload {
        WorkspaceEvent::WorkspaceCreated(workspace) => created(db, event, workspace).await,
        WorkspaceEvent::WorkspaceDeleted(_) => {
            execute!(
                db,
                "UPDATE workspaces SET status = 'deleted', daily_cost = 0, updated_at = $1 WHERE id = $2",
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
            )
        }
        WorkspaceEvent::WorkspaceTransferred(transfer) => transferred(db, event, transfer).await,
        WorkspaceEvent::WorkspaceDormant(_) => {
            execute!(
                db,
                "UPDATE workspaces SET dormant = 1, updated_at = $1 WHERE id = $2",
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
            )
        }
        WorkspaceEvent::WorkspaceBuildRequested(build) | WorkspaceEvent::WorkspaceBuildQueued(build) => {
            built(db, event, &build, Some("pending")).await
        }
        WorkspaceEvent::WorkspaceBuildStarted(build) => {
            let status = match build.transition {
                Transition::Start => "starting",
                Transition::Stop => "stopping",
                Transition::Delete => "deleting",
            };
            built(db, event, &build, Some(status)).await
        }
        WorkspaceEvent::WorkspaceBuildSucceeded(build) => {
            let status = match build.transition {
                Transition::Start => "running",
                Transition::Stop => "stopped",
                Transition::Delete => "deleted",
            };
            built(db, event, &build, Some(status)).await
        }
        WorkspaceEvent::WorkspaceBuildFailed(build) => built(db, event, &build, Some("failed")).await,
        WorkspaceEvent::WorkspaceBuildCanceled(build) => built(db, event, &build, Some("canceled")).await,
        WorkspaceEvent::WorkspaceBuildRejected(_) | WorkspaceEvent::WorkspaceBuildPlanned(_) => Ok(()),
    }
}

async fn created(db: &mut AnyConnection, event: &Event, workspace: WorkspaceCreated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO workspaces (id, name, owner, owner_id, organization, template_id, template_name, status,
            created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        event.resource.name.clone().unwrap_or_else(|| event.resource.id.clone()),
        event.resource.owner.clone(),
        workspace.owner_id,
        event.organization.clone(),
        workspace.template_id,
        workspace.template_name,
        event.occurred_at.as_micros(),
    )
}

async fn transferred(db: &mut AnyConnection, event: &Event, transfer: Transfer) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET owner = $1, owner_id = $2, updated_at = $3 WHERE id = $4",
        transfer.to,
        transfer.to_id,
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

/// A build moves its workspace unless a later build already has.
async fn built(
    db: &mut AnyConnection,
    event: &Event,
    build: &Build,
    status: Option<&'static str>,
) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE workspaces SET status = coalesce($1, status), last_build = $2, daily_cost = coalesce($3,
            daily_cost),
            dormant = CASE WHEN $1 = 'running' THEN 0 ELSE dormant END, updated_at = $4
            WHERE id = $5 AND last_build <= $2",
        status,
        i64::from(build.build_number),
        build.daily_cost.map(i64::from),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}
