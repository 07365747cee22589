//! Workspaces and what their builds make of them.

use chancery_domain::Event;
use chancery_domain::attributes;
use chancery_domain::events::workspaces::{Build, Transfer, Transition, WorkspaceCreated, WorkspaceEvent};
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: WorkspaceEvent) -> Result<(), sqlx::Error> {
    match payload {
        WorkspaceEvent::WorkspaceCreated(workspace) => created(db, event, workspace).await,
        WorkspaceEvent::WorkspaceDeleted(_) => {
            execute!(
                db,
                "UPDATE workspaces SET status = 'deleted', daily_cost = 0, resources_remain = 0, version = version + 1,
                    updated_at = $1 WHERE id = $2 AND own <= $3",
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
                super::own(event),
            )
        }
        WorkspaceEvent::WorkspaceTransferred(transfer) => transferred(db, event, transfer).await,
        WorkspaceEvent::WorkspaceDormant(_) => {
            execute!(
                db,
                "UPDATE workspaces SET dormant = 1, version = version + 1, updated_at = $1 WHERE id = $2 AND own <= $3",
                event.occurred_at.as_micros(),
                event.resource.id.clone(),
                super::own(event),
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
    let name = event.resource.name.clone().unwrap_or_else(|| event.resource.id.clone());
    execute!(
        db,
        "INSERT INTO workspaces (id, name, name_key, owner, owner_id, organization, template_id, template_name,
            parameters, own, status, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $11) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        name.clone(),
        attributes::key(&name),
        event.resource.owner.clone(),
        workspace.owner_id,
        event.organization.clone(),
        workspace.template_id,
        workspace.template_name,
        super::json(&workspace.parameters),
        super::own(event),
        event.occurred_at.as_micros(),
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
        super::own(event),
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
            daily_cost), template_version = coalesce($4, template_version), resources_remain = $5,
            dormant = CASE WHEN $1 = 'running' THEN 0 ELSE dormant END, version = version + 1, updated_at = $6
            WHERE id = $7 AND last_build <= $2 AND own <= $8",
        status,
        i64::from(build.build_number),
        build.daily_cost.map(i64::from),
        build.template_version.clone(),
        i64::from(build.resources_remain.unwrap_or_default()),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
        super::own(event),
    )
}
