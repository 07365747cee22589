//! Sessions: allowed, refused, opened, closed, taken back. Either end may be missing or come late.
//!
//! What Chancery itself has allowed belongs to whom and where it was allowed, whatever an observation of it says; and
//! what Chancery itself has ended no observation opens again.

use chancery_domain::Event;
use chancery_domain::events::sessions::{SessionClosed, SessionEvent, SessionOpened, SessionRequest};
use sqlx::{AnyConnection, Row};

use super::{keys, own};

/// What was allowed, as far as it says more than the events that follow.
#[derive(Debug, Default)]
struct Grant {
    kind: Option<String>,
    user_id: Option<String>,
    user_name: Option<String>,
    workspace_id: Option<String>,
    workspace_name: Option<String>,
    organization: Option<String>,
    client: Option<String>,
    serial: Option<String>,
}

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: SessionEvent) -> Result<(), sqlx::Error> {
    match payload {
        SessionEvent::SessionOpened(session) => opened(db, event, session).await,
        SessionEvent::SessionClosed(session) => closed(db, event, session).await,
        SessionEvent::SessionDenied(request) => denied(db, event, request).await,
        SessionEvent::SessionAuthorized(request) if own(event) == 1 => authorized(db, event, request).await,
        SessionEvent::SessionRevoked(_) if own(event) == 1 => revoked(db, event).await,
        SessionEvent::SessionKeyCreated(key) => keys::created(db, event, key).await,
        SessionEvent::SessionKeyRetired(key) => keys::retired(db, event, key).await,
        SessionEvent::SessionAuthorized(_)
        | SessionEvent::SessionRevoked(_)
        | SessionEvent::SessionHostCertified(_) => Ok(()),
    }
}

async fn authorized(db: &mut AnyConnection, event: &Event, request: SessionRequest) -> Result<(), sqlx::Error> {
    let certificate = request.certificate;
    execute!(
        db,
        "INSERT INTO session_grants (id, kind, user_id, user_name, workspace_id, workspace_name, organization, ip,
            client, authority, serial, authorized_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        request.kind.as_str(),
        request.user_id.unwrap_or_else(|| event.actor.id.clone()),
        event.actor.name.clone(),
        request.workspace_id.unwrap_or_default(),
        request.workspace_name,
        event.organization.clone(),
        event.actor.ip.map(|ip| ip.to_string()),
        request.client,
        certificate.as_ref().map(|certificate| certificate.authority.clone()),
        certificate.map(|certificate| certificate.serial),
        event.occurred_at.as_micros(),
        request.expires_at.unwrap_or(event.occurred_at).as_micros(),
    )
}

async fn revoked(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE session_grants SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

/// What was allowed; nothing if another system reports with another certificate than the one that was made for it.
async fn grant(db: &mut AnyConnection, event: &Event, serial: Option<&str>) -> Result<Option<Grant>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT kind, user_id, user_name, workspace_id, workspace_name, organization, client, serial
            FROM session_grants WHERE id = $1",
    )
    .bind(event.resource.id.clone())
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(Some(Grant::default())) };
    let grant = Grant {
        kind: row.try_get(0)?,
        user_id: row.try_get(1)?,
        user_name: row.try_get(2)?,
        workspace_id: row.try_get(3)?,
        workspace_name: row.try_get(4)?,
        organization: row.try_get(5)?,
        client: row.try_get(6)?,
        serial: row.try_get(7)?,
    };
    let is_it = own(event) == 1 || (grant.serial.is_some() && grant.serial.as_deref() == serial);
    Ok(is_it.then_some(grant))
}

async fn opened(db: &mut AnyConnection, event: &Event, session: SessionOpened) -> Result<(), sqlx::Error> {
    let Some(grant) = grant(db, event, session.serial.as_deref()).await? else { return Ok(()) };
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, host, workspace_id, workspace_name,
            organization, opened_at, client, own)
            VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at,
            host = coalesce(excluded.host, sessions.host), ip = coalesce(excluded.ip, sessions.ip),
            status = CASE WHEN sessions.status = 'closed' AND sessions.closed_at < excluded.opened_at THEN 'open'
                ELSE sessions.status END,
            closed_at = CASE WHEN sessions.status = 'closed' AND sessions.closed_at < excluded.opened_at THEN NULL
                ELSE sessions.closed_at END,
            client = coalesce(excluded.client, sessions.client), own = excluded.own
            WHERE sessions.own <= excluded.own",
        event.resource.id.clone(),
        grant.kind.unwrap_or_else(|| session.kind.as_str().to_owned()),
        grant.user_id.unwrap_or_else(|| event.actor.id.clone()),
        grant.user_name.or_else(|| event.actor.name.clone()),
        event.actor.ip.map(|ip| ip.to_string()),
        session.host,
        grant.workspace_id.or(session.workspace_id),
        grant.workspace_name.or(session.workspace_name),
        grant.organization.or_else(|| event.organization.clone()),
        event.occurred_at.as_micros(),
        grant.client.or(session.client),
        own(event),
    )
}

/// What Chancery itself ends is not allowed any more either.
async fn closed(db: &mut AnyConnection, event: &Event, session: SessionClosed) -> Result<(), sqlx::Error> {
    let Some(grant) = grant(db, event, session.serial.as_deref()).await? else { return Ok(()) };
    if own(event) == 1 {
        revoked(db, event).await?;
    }
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name, organization,
            closed_at, duration_ms, bytes_in, bytes_out, exit_code, reason, client, own)
            VALUES ($1, $2, 'closed', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            ON CONFLICT (id) DO UPDATE SET status = 'closed', closed_at = excluded.closed_at,
            duration_ms = excluded.duration_ms, bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out,
            exit_code = excluded.exit_code, reason = excluded.reason, own = excluded.own
            WHERE sessions.own <= excluded.own",
        event.resource.id.clone(),
        grant.kind.unwrap_or_else(|| session.kind.as_str().to_owned()),
        grant.user_id.or(session.user_id).unwrap_or_else(|| event.actor.id.clone()),
        grant.user_name.or_else(|| event.actor.name.clone()),
        event.actor.ip.map(|ip| ip.to_string()),
        grant.workspace_id.or(session.workspace_id),
        grant.workspace_name.or(session.workspace_name),
        grant.organization.or_else(|| event.organization.clone()),
        event.occurred_at.as_micros(),
        session.duration_ms.map(u64::cast_signed),
        session.bytes_in.map(u64::cast_signed),
        session.bytes_out.map(u64::cast_signed),
        session.exit_code.map(i64::from),
        event.reason.clone(),
        grant.client,
        own(event),
    )
}

async fn denied(db: &mut AnyConnection, event: &Event, request: SessionRequest) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name,
            organization, closed_at, reason, client, own)
            VALUES ($1, $2, 'denied', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        request.kind.as_str(),
        request.user_id.unwrap_or_else(|| event.actor.id.clone()),
        event.actor.name.clone(),
        event.actor.ip.map(|ip| ip.to_string()),
        request.workspace_id,
        request.workspace_name,
        event.organization.clone(),
        event.occurred_at.as_micros(),
        event.reason.clone(),
        request.client,
        own(event),
    )
}
