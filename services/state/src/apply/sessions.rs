//! Sessions: opened, closed, refused. Either end may be missing or come late.

use chancery_domain::Event;
use chancery_domain::events::sessions::{SessionClosed, SessionEvent, SessionOpened, SessionRequest};
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: SessionEvent) -> Result<(), sqlx::Error> {
    match payload {
        SessionEvent::SessionOpened(session) => opened(db, event, session).await,
        SessionEvent::SessionClosed(session) => closed(db, event, session).await,
        SessionEvent::SessionDenied(request) => denied(db, event, request).await,
        SessionEvent::SessionAuthorized(_) => Ok(()),
    }
}

async fn opened(db: &mut AnyConnection, event: &Event, session: SessionOpened) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, host, workspace_id, workspace_name,
            organization, opened_at)
            VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, host = coalesce(excluded.host,
            sessions.host),
            ip = coalesce(excluded.ip, sessions.ip)",
        event.resource.id.clone(),
        session.kind.as_str(),
        event.actor.id.clone(),
        event.actor.name.clone(),
        event.actor.ip.map(|ip| ip.to_string()),
        session.host,
        session.workspace_id,
        session.workspace_name,
        event.organization.clone(),
        event.occurred_at.as_micros(),
    )
}

async fn closed(db: &mut AnyConnection, event: &Event, session: SessionClosed) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name, organization,
            closed_at, duration_ms, bytes_in, bytes_out)
            VALUES ($1, $2, 'closed', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (id) DO UPDATE SET status = 'closed', closed_at = excluded.closed_at,
            duration_ms = excluded.duration_ms,
            bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out",
        event.resource.id.clone(),
        session.kind.as_str(),
        event.actor.id.clone(),
        event.actor.name.clone(),
        event.actor.ip.map(|ip| ip.to_string()),
        session.workspace_id,
        session.workspace_name,
        event.organization.clone(),
        event.occurred_at.as_micros(),
        session.duration_ms.map(u64::cast_signed),
        session.bytes_in.map(u64::cast_signed),
        session.bytes_out.map(u64::cast_signed),
    )
}

async fn denied(db: &mut AnyConnection, event: &Event, request: SessionRequest) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name,
            organization, closed_at)
            VALUES ($1, $2, 'denied', $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        request.kind.as_str(),
        event.actor.id.clone(),
        event.actor.name.clone(),
        event.actor.ip.map(|ip| ip.to_string()),
        request.workspace_id,
        request.workspace_name,
        event.organization.clone(),
        event.occurred_at.as_micros(),
    )
}
