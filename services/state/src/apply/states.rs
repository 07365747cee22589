//! What builds report, and Terraform states of workspaces with their locks.

use chancery_domain::Event;
use chancery_domain::events::states::{StateLock, StateWritten};
use chancery_domain::events::workspaces::Build;
use sqlx::AnyConnection;

use super::{json, own};

/// Keeps what a build's event says besides where it is.
pub(super) async fn reported(db: &mut AnyConnection, event: &Event, build: &Build) -> Result<(), sqlx::Error> {
    if build.resources.is_none() && build.outputs.is_empty() && build.log.is_none() {
        return Ok(());
    }
    execute!(
        db,
        "INSERT INTO build_reports (workspace_id, number, resources, resources_left_out, outputs, log, own)
            SELECT w.id, $2, $3, $4, $5, $6, $7 FROM workspaces w WHERE w.id = $1 AND w.own <= $7
            ON CONFLICT (workspace_id, number) DO UPDATE SET
            resources = coalesce(excluded.resources, build_reports.resources),
            resources_left_out = CASE WHEN excluded.resources IS NULL THEN build_reports.resources_left_out
                ELSE excluded.resources_left_out END,
            outputs = coalesce(excluded.outputs, build_reports.outputs),
            log = coalesce(excluded.log, build_reports.log), own = excluded.own
            WHERE build_reports.own <= excluded.own",
        event.resource.id.clone(),
        i64::from(build.build_number),
        build.resources.as_ref().map(json),
        build.resources_left_out.map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
        (!build.outputs.is_empty()).then(|| json(&build.outputs)),
        build.log.as_ref().map(json),
        own(event),
    )
}

/// A version of a state.
pub(super) async fn written(db: &mut AnyConnection, event: &Event, state: StateWritten) -> Result<(), sqlx::Error> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    execute!(
        db,
        "INSERT INTO workspace_states (workspace_id, version, serial, lineage, sha256, size, blob, key_id, resources,
            terraform_version, job_id, build_number, restored_from, written_by, written_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        whole(state.version),
        whole(state.serial),
        state.lineage,
        state.sha256,
        whole(state.size),
        state.blob,
        state.key_id,
        whole(state.resources),
        state.terraform_version,
        state.job_id,
        state.build_number.map(i64::from),
        state.restored_from.map(whole),
        event.actor.name.clone().or_else(|| Some(event.actor.id.clone())),
        event.occurred_at.as_micros(),
    )
}

pub(super) async fn locked(db: &mut AnyConnection, event: &Event, lock: StateLock) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO state_locks (workspace_id, lock_id, job_id, operation, who, locked_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id) DO UPDATE SET lock_id = excluded.lock_id,
            job_id = excluded.job_id, operation = excluded.operation, who = excluded.who,
            locked_at = excluded.locked_at",
        event.resource.id.clone(),
        lock.lock_id,
        lock.job_id,
        lock.operation,
        lock.who,
        event.occurred_at.as_micros(),
    )
}

pub(super) async fn unlocked(db: &mut AnyConnection, event: &Event, lock: StateLock) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "DELETE FROM state_locks WHERE workspace_id = $1 AND lock_id = $2",
        event.resource.id.clone(),
        lock.lock_id,
    )
}
