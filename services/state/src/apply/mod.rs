//! `apply(event)`: the one fold from events to rows, live and when rebuilding.
//!
//! Events may come from systems whose log we see only in part, so nothing here assumes an earlier event: what
//! names a new resource inserts or refreshes its row, what touches an unknown one changes nothing.

mod identity;
mod sessions;
mod templates;
mod workspaces;

use chancery_domain::catalogue::{self, Payload, PayloadError};
use chancery_domain::{Event, OWN_SOURCE};
use sqlx::SqliteConnection;

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
pub(crate) async fn apply(connection: &mut SqliteConnection, event: &Event) -> Result<(), ApplyError> {
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
            sqlx::query("UPDATE groups SET quota_allowance = ?, updated_at = ? WHERE id = ?")
                .bind(set.allowance)
                .bind(event.occurred_at.as_micros())
                .bind(event.resource.id.as_str().to_owned())
                .execute(connection)
                .await?;
        }
        Payload::Quota(_) | Payload::Policy(_) | Payload::Runner(_) | Payload::Audit(_) | Payload::Unknown => {}
    }
    Ok(())
}
