//! What reports over time are computed from: spans that begin and end, and changes, each with the position of the log
//! at which it became known. It is folded before everything else of an event, so that rows of the resource tell what was
//! there before it.

mod allowances;
mod labels;
mod memberships;
mod sessions;

use chancery_domain::catalogue::Payload;
use chancery_domain::{Event, OWN_SOURCE};
use chancery_log::Position;
use sqlx::AnyConnection;

/// An event at its place in the log.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    event: &'a Event,
    position: i64,
}

impl Known<'_> {
    fn at(self) -> i64 {
        self.event.occurred_at.as_micros()
    }

    fn own(self) -> i64 {
        super::own(self.event)
    }
}

/// Applies one event.
pub(super) async fn apply(
    db: &mut AnyConnection,
    event: &Event,
    payload: &Payload,
    position: Position,
) -> Result<(), sqlx::Error> {
    if !concerns(&event.event_type) || is_beyond(db, event).await? {
        return Ok(());
    }
    let known = Known { event, position: position.cast_signed() };
    match payload {
        Payload::Quota(payload) => allowances::apply(db, known, payload).await,
        Payload::Workspace(payload) => labels::workspace(db, known, payload).await,
        Payload::Session(payload) => sessions::apply(db, known, payload).await,
        Payload::Template(payload) => labels::template(db, known, payload).await,
        Payload::Identity(payload) => {
            labels::identity(db, known, payload).await?;
            memberships::apply(db, known, payload).await
        }
        _ => Ok(()),
    }
}

/// Whether events of this type begin, end or change anything of it.
fn concerns(event_type: &str) -> bool {
    let rest = event_type.split_once('.').map_or("", |(_, rest)| rest);
    match event_type.split('.').next() {
        Some("user" | "template" | "organization") => matches!(rest, "created" | "updated" | "deleted"),
        Some("group") => true,
        Some("role") => matches!(rest, "assigned" | "revoked"),
        Some("workspace") => matches!(rest, "created" | "transferred"),
        Some("session") => matches!(rest, "opened" | "closed"),
        Some("quota") => matches!(rest, "allowance.set" | "denied"),
        _ => false,
    }
}

/// Whether another system speaks of what Chancery itself has made.
async fn is_beyond(db: &mut AnyConnection, event: &Event) -> Result<bool, sqlx::Error> {
    if event.source == OWN_SOURCE {
        return Ok(false);
    }
    let statement = match event.event_type.split('.').next() {
        Some("template") => "SELECT 1 FROM templates WHERE id = $1 AND own = 1",
        Some("workspace") => "SELECT 1 FROM workspaces WHERE id = $1 AND own = 1",
        Some("quota") if event.resource.kind == "quota" => "SELECT 1 FROM quota_usage WHERE quota_id = $1 AND own = 1",
        _ => return super::identity::is_beyond(db, event).await,
    };
    let row = sqlx::query(statement).bind(event.resource.id.clone()).fetch_optional(db).await?;
    Ok(row.is_some())
}

/// A text in one line, as reports join them.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
