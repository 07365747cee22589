//! Workspaces and what their builds make of them.

use chancery_domain::Event;
use chancery_domain::events::workspaces::{Build, Transfer, Transition, WorkspaceCreated, WorkspaceEvent};
use sqlx::SqliteConnection;

pub(super) async fn apply(
    db: &mut SqliteConnection,
    event: &Event,
    payload: WorkspaceEvent,
) -> Result<(), sqlx::Error> {
    match payload {
        WorkspaceEvent::WorkspaceCreated(workspace) => created(db, event, workspace).await,
        WorkspaceEvent::WorkspaceDeleted(_) => {
            sqlx::query("UPDATE workspaces SET status = 'deleted', daily_cost = 0, updated_at = ? WHERE id = ?")
                .bind(event.occurred_at.as_micros())
                .bind(event.resource.id.clone())
                .execute(db)
                .await
                .map(drop)
        }
        WorkspaceEvent::WorkspaceTransferred(transfer) => transferred(db, event, transfer).await,
        WorkspaceEvent::WorkspaceDormant(_) => {
            sqlx::query("UPDATE workspaces SET dormant = 1, updated_at = ? WHERE id = ?")
                .bind(event.occurred_at.as_micros())
                .bind(event.resource.id.clone())
                .execute(db)
                .await
                .map(drop)
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

async fn created(db: &mut SqliteConnection, event: &Event, workspace: WorkspaceCreated) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO workspaces (id, name, owner, owner_id, organization, template_id, template_name, status, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8, ?8) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(event.resource.name.clone().unwrap_or_else(|| event.resource.id.clone()))
    .bind(event.resource.owner.clone())
    .bind(workspace.owner_id)
    .bind(event.organization.clone())
    .bind(workspace.template_id)
    .bind(workspace.template_name)
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn transferred(db: &mut SqliteConnection, event: &Event, transfer: Transfer) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE workspaces SET owner = ?, owner_id = ?, updated_at = ? WHERE id = ?")
        .bind(transfer.to)
        .bind(transfer.to_id)
        .bind(event.occurred_at.as_micros())
        .bind(event.resource.id.clone())
        .execute(db)
        .await
        .map(drop)
}

/// A build moves its workspace unless a later build already has.
async fn built(
    db: &mut SqliteConnection,
    event: &Event,
    build: &Build,
    status: Option<&'static str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE workspaces SET status = coalesce(?1, status), last_build = ?2, daily_cost = coalesce(?3, daily_cost),
             dormant = CASE WHEN ?1 = 'running' THEN 0 ELSE dormant END, updated_at = ?4
         WHERE id = ?5 AND last_build <= ?2",
    )
    .bind(status)
    .bind(build.build_number)
    .bind(build.daily_cost)
    .bind(event.occurred_at.as_micros())
    .bind(event.resource.id.clone())
    .execute(db)
    .await
    .map(drop)
}
