//! What reports over time are computed from: spans that begin and end, and changes, each with the position of the log
//! at which it became known. It is folded before everything else of an event, so that rows of the resource tell what was
//! there before it.

mod charges;
mod labels;
mod memberships;
mod work;

use chancery_domain::catalogue::{self, Payload};
use chancery_domain::{Event, OWN_SOURCE};
use sqlx::AnyConnection;

use super::ApplyError;

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
pub(crate) async fn apply(db: &mut AnyConnection, event: &Event, position: u64) -> Result<(), ApplyError> {
    let area = event.event_type.split('.').next().unwrap_or_default();
    if !matches!(area, "user" | "role" | "group" | "organization" | "template" | "workspace" | "session" | "quota")
        || event.event_type == "user.login.succeeded"
        || is_beyond(db, event).await?
    {
        return Ok(());
    }
    let known = Known { event, position: position.cast_signed() };
    match catalogue::decode(event).map_err(ApplyError::Payload)? {
        Payload::Quota(payload) => charges::apply(db, known, payload).await?,
        Payload::Workspace(payload) => work::workspace(db, known, payload).await?,
        Payload::Session(payload) => work::session(db, known, payload).await?,
        Payload::Template(payload) => labels::template(db, known, payload).await?,
        Payload::Identity(payload) => {
            labels::identity(db, known, &payload).await?;
            memberships::apply(db, known, payload).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Whether another system speaks of what Chancery itself has made.
async fn is_beyond(db: &mut AnyConnection, event: &Event) -> Result<bool, sqlx::Error> {
    if event.source == OWN_SOURCE {
        return Ok(false);
    }
    let statement = match event.event_type.split('.').next() {
        Some("template") => "SELECT 1 FROM templates WHERE id = $1 AND own = 1",
        Some("workspace") => "SELECT 1 FROM workspaces WHERE id = $1 AND own = 1",
        Some("quota") if event.resource.kind == "quota" => "SELECT 1 FROM charge_spans WHERE quota = $1 AND own = 1",
        _ => return super::identity::is_beyond(db, event).await,
    };
    let row = sqlx::query(statement).bind(event.resource.id.clone()).fetch_optional(db).await?;
    Ok(row.is_some())
}

/// A text in one line, as reports join them.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
