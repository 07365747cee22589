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

mod builds;
mod directory;
mod groups;
mod identity;
mod keys;
mod policies;
mod quotas;
mod roles;
mod runners;
mod sessions;
mod spans;
mod states;
mod templates;
mod tokens;
mod users;
mod workspaces;

use chancery_domain::catalogue::{self, Payload, PayloadError};
use chancery_domain::{Event, OWN_SOURCE};
use chancery_log::Position;
use serde::Serialize;
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
    let kept = match area {
        "directory" => event_type.starts_with("directory.resource."),
        "user" | "group" | "role" | "organization" | "token" | "connection" | "policy" | "settings" => true,
        _ => matches!(area, "template" | "workspace" | "session" | "quota" | "runner"),
    };
    kept && !matches!(
        event_type,
        "token.refused"
            | "runner.refused"
            | "user.login.failed"
            | "user.logout"
            | "template.version.downloaded"
            | "workspace.state.read"
    )
}

/// Whether only Chancery's own events of this type count. What other systems say of their tokens, providers, roles,
/// policies and states is on record, but gives nobody access here.
fn is_own_matter(event_type: &str) -> bool {
    let area = event_type.split('.').next().unwrap_or_default();
    matches!(area, "token" | "connection" | "directory" | "policy" | "settings" | "runner")
        || event_type.starts_with("workspace.state.")
        || matches!(event_type, "role.defined" | "role.withdrawn" | "session.key.created" | "session.key.retired")
}

/// Applies one event, which stands at `position` in the log.
pub(crate) async fn apply(connection: &mut AnyConnection, event: &Event, position: Position) -> Result<(), ApplyError> {
    if is_own_matter(&event.event_type) && event.source != OWN_SOURCE {
        return Ok(());
    }
    let payload = catalogue::decode(event).map_err(ApplyError::Payload)?;
    spans::apply(connection, event, &payload, position).await?;
    match payload {
        Payload::Identity(payload) => identity::apply(connection, event, payload).await?,
        Payload::Directory(payload) => directory::apply(connection, event, payload).await?,
        Payload::Policy(payload) => policies::apply(connection, event, payload).await?,
        Payload::Template(payload) => templates::apply(connection, event, payload).await?,
        Payload::Workspace(payload) => workspaces::apply(connection, event, payload).await?,
        Payload::Session(payload) => sessions::apply(connection, event, payload).await?,
        Payload::Quota(payload) => quotas::apply(connection, event, payload, position).await?,
        Payload::Runner(payload) => runners::apply(connection, event, payload).await?,
        Payload::Node(_) | Payload::Audit(_) | Payload::Unknown => {}
    }
    Ok(())
}

/// 1 for Chancery's own events, 0 for those of other systems.
fn own(event: &Event) -> i64 {
    i64::from(event.source == OWN_SOURCE)
}

/// A payload's part as the text of a column. Members are in the order of their names.
fn json(value: &impl Serialize) -> String {
    serde_json::json!(value).to_string()
}
