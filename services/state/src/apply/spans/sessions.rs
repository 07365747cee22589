//! When somebody was in a workspace.

use chancery_domain::events::sessions::{SessionClosed, SessionEvent, SessionOpened};
use sqlx::AnyConnection;

use super::{Known, line};

pub(super) async fn apply(db: &mut AnyConnection, known: Known<'_>, payload: &SessionEvent) -> Result<(), sqlx::Error> {
    match payload {
        SessionEvent::SessionOpened(session) => opened(db, known, session).await,
        SessionEvent::SessionClosed(session) => closed(db, known, session).await,
        _ => Ok(()),
    }
}

/// Only the first time; sessions on hosts are none in a workspace.
async fn opened(db: &mut AnyConnection, known: Known<'_>, session: &SessionOpened) -> Result<(), sqlx::Error> {
    let Some(workspace) = session.workspace_id.as_deref().map(line) else { return Ok(()) };
    execute!(
        db,
        "INSERT INTO session_spans (position, session_id, workspace_id, began_at, own) SELECT $1, $2, $3, $4, $5
            WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE id = $2)",
        known.position,
        known.event.resource.id.clone(),
        workspace,
        known.at(),
        known.own(),
    )
}

/// Without a beginning that is known, the duration tells when it was.
async fn closed(db: &mut AnyConnection, known: Known<'_>, session: &SessionClosed) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE session_spans SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END, ended_position = $2
            WHERE session_id = $3 AND ended_at IS NULL AND own <= $4",
        known.at(),
        known.position,
        known.event.resource.id.clone(),
        known.own(),
    )?;
    let (Some(workspace), Some(duration)) = (session.workspace_id.as_deref().map(line), session.duration_ms) else {
        return Ok(());
    };
    let began = known.at().saturating_sub(i64::try_from(duration).unwrap_or(i64::MAX).saturating_mul(1000));
    execute!(
        db,
        "INSERT INTO session_spans (position, session_id, workspace_id, began_at, ended_at, ended_position, own)
            SELECT $1, $2, $3, $4, $5, $1, $6 WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE id = $2)",
        known.position,
        known.event.resource.id.clone(),
        workspace,
        began.max(0),
        known.at(),
        known.own(),
    )
}
