//! `apply(event)`: the one fold from events to rows, live and when rebuilding.
//!
//! Events may come from systems whose log we see only in part, so nothing here assumes an earlier event: what
//! names a new resource inserts or refreshes its row, what touches an unknown one changes nothing.

/// Executes one statement, the same text on every engine: parameters are `$1`, `$2` …
macro_rules! execute {
    ($database:expr, $statement:expr $(, $value:expr)* $(,)?) => {
        sqlx::query($statement)$(.bind($value))*.execute($database).await.map(drop)
    };
}

mod identity;
mod sessions;
mod templates;
mod workspaces;

use chancery_domain::catalogue::{self, Payload, PayloadError};
use chancery_domain::{Event, OWN_SOURCE};
use sqlx::AnyConnection;

/// Why an event could not be applied.
#[derive(Debug)]
pub(crate) enum ApplyError {
    Payload(PayloadError),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for ApplyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Whether events of this type change any table.
pub(crate) fn concerns(event_type: &str) -> bool {
    let area = event_type.split('.').next().unwrap_or_default();
    matches!(
        area,
        "user" | "token" | "group" | "role" | "organization" | "template" | "workspace" | "session" | "quota"
    ) && !matches!(event_type, "token.refused" | "user.login.failed" | "user.logout")
}

/// Applies one event.
pub(crate) async fn apply(connection: &mut AnyConnection, event: &Event) -> Result<(), ApplyError> {
    if event.event_type.starts_with("token.") && event.source != OWN_SOURCE {
        // What other systems say of their tokens is on record, but gives nobody access here.
        return Ok(());
    }
    match catalogue::decode(event).map_err(ApplyError::Payload)? {
        Payload::Identity(payload) => identity::apply(connection, event, payload).await?,
        Payload::Template(payload) => templates::apply(connection, event, payload).await?,
        Payload::Workspace(payload) => workspaces::apply(connection, event, payload).await?,
        Payload::Session(payload) => sessions::apply(connection, event, payload).await?,
        Payload::Quota(chancery_domain::events::quotas::QuotaEvent::QuotaAllowanceSet(set)) => {
            execute!(
                connection,
                "UPDATE groups SET quota_allowance = $1, updated_at = $2 WHERE id = $3",
                i64::from(set.allowance),
                event.occurred_at.as_micros(),
                event.resource.id.as_str().to_owned(),
            )?;
        }
        Payload::Quota(_)
        | Payload::Policy(_)
        | Payload::Runner(_)
        | Payload::Node(_)
        | Payload::Audit(_)
        | Payload::Unknown => {}
    }
    Ok(())
}
