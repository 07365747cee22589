//! Runner keys and runners. Those of other systems are on record and nothing else: what has no secret and no public key
//! could not be told from anyone.

use chancery_domain::events::runners::{Runner, RunnerEvent, RunnerKey, RunnerKeyRotated};
use chancery_domain::{Event, Timestamp, runners};
use sqlx::AnyConnection;

use super::json;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: RunnerEvent) -> Result<(), sqlx::Error> {
    match payload {
        RunnerEvent::RunnerKeyCreated(key) => key_created(db, event, key).await,
        RunnerEvent::RunnerKeyRotated(rotation) => key_rotated(db, event, rotation).await,
        RunnerEvent::RunnerKeyUsed(_) => moment(db, event, "UPDATE runner_keys SET used_at = $1 WHERE id = $2").await,
        RunnerEvent::RunnerKeyRevoked(_) => {
            moment(db, event, "UPDATE runner_keys SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2").await
        }
        RunnerEvent::RunnerRegistered(runner) => registered(db, event, runner).await,
        RunnerEvent::RunnerIdentityRotated(identity) => {
            execute!(
                db,
                "UPDATE runners SET public_key = $1 WHERE id = $2",
                identity.public_key,
                event.resource.id.clone()
            )
        }
        RunnerEvent::RunnerConnected(runner) => {
            execute!(
                db,
                "UPDATE runners SET status = 'connected', connected_at = $1, version = coalesce($2, version)
                    WHERE id = $3 AND revoked_at IS NULL",
                event.occurred_at.as_micros(),
                runner.version,
                event.resource.id.clone(),
            )
        }
        RunnerEvent::RunnerLost(_) => {
            moment(db, event, "UPDATE runners SET status = 'lost', lost_at = $1 WHERE id = $2 AND revoked_at IS NULL")
                .await
        }
        RunnerEvent::RunnerRevoked(_) => {
            moment(
                db,
                event,
                "UPDATE runners SET status = 'revoked', revoked_at = coalesce(revoked_at, $1) WHERE id = $2",
            )
            .await
        }
        RunnerEvent::RunnerRefused(_)
        | RunnerEvent::JobAcquired(_)
        | RunnerEvent::JobCompleted(_)
        | RunnerEvent::JobFailed(_)
        | RunnerEvent::JobExpired(_) => Ok(()),
    }
}

/// A statement that takes when it happened and to what.
async fn moment(db: &mut AnyConnection, event: &Event, statement: &'static str) -> Result<(), sqlx::Error> {
    execute!(db, statement, event.occurred_at.as_micros(), event.resource.id.clone())
}

async fn key_created(db: &mut AnyConnection, event: &Event, key: RunnerKey) -> Result<(), sqlx::Error> {
    let (Some(secret_sha256), Some(organization)) = (key.secret_sha256, event.organization.clone()) else {
        return Ok(());
    };
    execute!(
        db,
        "INSERT INTO runner_keys (id, name, organization, owner_id, tags, one_time, runner_seconds, secret_sha256,
            created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        key.name,
        organization,
        key.owner_id,
        json(&runners::tags(&key.tags)),
        i64::from(key.one_time),
        key.runner_seconds.map(u64::cast_signed),
        secret_sha256,
        event.occurred_at.as_micros(),
        key.expires_at.map(Timestamp::as_micros),
    )
}

/// A rotation never makes a key work longer.
async fn key_rotated(db: &mut AnyConnection, event: &Event, rotation: RunnerKeyRotated) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE runner_keys SET replaced_by = $1, expires_at = CASE WHEN expires_at < $2 THEN expires_at ELSE $2 END
            WHERE id = $3",
        rotation.replaced_by,
        rotation.expires_at.as_micros(),
        event.resource.id.clone(),
    )
}

async fn registered(db: &mut AnyConnection, event: &Event, runner: Runner) -> Result<(), sqlx::Error> {
    let (Some(public_key), Some(organization)) = (runner.public_key, event.organization.clone()) else {
        return Ok(());
    };
    execute!(
        db,
        "INSERT INTO runners (id, name, organization, owner_id, tags, public_key, key_id, hostname, version, status,
            registered_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'registered', $10, $11)
            ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        event.resource.name.clone().unwrap_or_else(|| event.resource.id.clone()),
        organization,
        runner.owner_id,
        json(&runners::tags(&runner.tags)),
        public_key,
        runner.key_id,
        runner.hostname,
        runner.version,
        event.occurred_at.as_micros(),
        runner.expires_at.map(Timestamp::as_micros),
    )
}
