//! Sessions: opened, closed, refused. Either end may be missing or come late.

use chancery_domain::Event;
use chancery_domain::events::sessions::{SessionClosed, SessionEvent, SessionOpened, SessionRequest};
use sqlx::SqliteConnection;

pub(super) async fn apply(db: &mut SqliteConnection, event: &Event, payload: SessionEvent) -> Result<(), sqlx::Error> {
    match payload {
        SessionEvent::SessionOpened(session) => opened(db, event, session).await,
        SessionEvent::SessionClosed(session) => closed(db, event, session).await,
        SessionEvent::SessionDenied(request) => denied(db, event, request).await,
        SessionEvent::SessionAuthorized(_) => Ok(()),
    }
}

async fn opened(db: &mut SqliteConnection, event: &Event, session: SessionOpened) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, host, workspace_id, workspace_name, organization, opened_at)
         VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET opened_at = excluded.opened_at, host = coalesce(excluded.host, host),
             ip = coalesce(excluded.ip, ip)",
    )
    .bind(event.resource.id.clone())
    .bind(session.kind.as_str())
    .bind(event.actor.id.clone())
    .bind(event.actor.name.clone())
    .bind(event.actor.ip.map(|ip| ip.to_string()))
    .bind(session.host)
    .bind(session.workspace_id)
    .bind(session.workspace_name)
    .bind(event.organization.clone())
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}

async fn closed(db: &mut SqliteConnection, event: &Event, session: SessionClosed) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name, organization,
             closed_at, duration_ms, bytes_in, bytes_out)
         VALUES (?, ?, 'closed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET status = 'closed', closed_at = excluded.closed_at, duration_ms = excluded.duration_ms,
             bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out",
    )
    .bind(event.resource.id.clone())
    .bind(session.kind.as_str())
    .bind(event.actor.id.clone())
    .bind(event.actor.name.clone())
    .bind(event.actor.ip.map(|ip| ip.to_string()))
    .bind(session.workspace_id)
    .bind(session.workspace_name)
    .bind(event.organization.clone())
    .bind(event.occurred_at.as_micros())
    .bind(session.duration_ms.map(u64::cast_signed))
    .bind(session.bytes_in.map(u64::cast_signed))
    .bind(session.bytes_out.map(u64::cast_signed))
    .execute(db)
    .await
    .map(drop)
}

async fn denied(db: &mut SqliteConnection, event: &Event, request: SessionRequest) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (id, kind, status, user_id, user_name, ip, workspace_id, workspace_name, organization, closed_at)
         VALUES (?, ?, 'denied', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(event.resource.id.clone())
    .bind(request.kind.as_str())
    .bind(event.actor.id.clone())
    .bind(event.actor.name.clone())
    .bind(event.actor.ip.map(|ip| ip.to_string()))
    .bind(request.workspace_id)
    .bind(request.workspace_name)
    .bind(event.organization.clone())
    .bind(event.occurred_at.as_micros())
    .execute(db)
    .await
    .map(drop)
}
