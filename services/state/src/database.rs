//! Opening the state database.

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::StateError;

/// Every table that is folded from the log, with the columns that order its rows.
pub(crate) const PROJECTIONS: [(&str, &str); 11] = [
    ("organizations", "id"),
    ("users", "id"),
    ("user_roles", "user_id, role, organization"),
    ("groups", "id"),
    ("group_members", "group_id, user_id"),
    ("templates", "id"),
    ("template_versions", "template_id, id"),
    ("template_access", "template_id, subject_kind, subject_id, permission"),
    ("workspaces", "id"),
    ("sessions", "id"),
    ("tokens", "id"),
];

/// Opens or creates the database and migrates it.
///
/// Commits are not synced one by one: what a power cut takes is folded from the log again, and SQLite's
/// write-ahead log keeps rows and position together.
pub(crate) async fn open(path: &Path) -> Result<SqlitePool, StateError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-8192")
        .statement_cache_capacity(200);
    let pool = SqlitePoolOptions::new().max_connections(5).connect_with(options).await?;
    sqlx::migrate!("../../migrations/state").run(&pool).await?;
    Ok(pool)
}
