//! The journal table in SQLite: the only place where events are durable.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::{Event, Timestamp};
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::{LogError, Position, Recorded};

/// Rows of one INSERT statement; a group is written in as few of these as possible, and the few sizes keep
/// SQLite's statement cache hot.
const ROWS: [usize; 5] = [512, 64, 16, 4, 1];

/// The journal's last event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Last {
    pub(crate) position: Position,
    pub(crate) recorded_at: Timestamp,
}

/// The open journal: one connection that writes, a few that read.
#[derive(Clone)]
pub(crate) struct Journal {
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    write_options: SqliteConnectOptions,
    readers: SqlitePool,
}

impl Journal {
    pub(crate) async fn open(path: &Path) -> Result<Self, LogError> {
        let base = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(16_384)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let write_options = base.clone().pragma("wal_autocheckpoint", "1000").pragma("cache_size", "-8192");
        let mut writer = SqliteConnection::connect_with(&write_options).await?;
        sqlx::migrate!("../../migrations/journal")
            .run(&mut writer)
            .await
            .map_err(|error| LogError::Open(error.to_string()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(
                base.read_only(true).create_if_missing(false).pragma("cache_size", "-4096").row_buffer_size(512),
            )
            .await?;
        Ok(Self { writer: Arc::new(Mutex::new(Some(writer))), write_options, readers })
    }

    /// Writes events at dense positions from `first` on. All of them are durable when this returns, or none.
    pub(crate) async fn insert(&self, first: Position, events: &[Arc<str>]) -> Result<(), LogError> {
        let mut slot = self.writer.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.write_options).await?,
        };
        let result = insert(&mut connection, first, events).await;
        // After a failed write or sync the connection's idea of the file is not to be trusted, nor is its idea of
        // the transaction: a commit inside one that was not rolled back would be acknowledged and lost.
        match &result {
            Ok(()) => *slot = Some(connection),
            Err(_) => drop(connection.close_hard().await),
        }
        result
    }

    pub(crate) async fn last(&self) -> Result<Last, LogError> {
        let row = sqlx::query("SELECT position, event FROM journal ORDER BY position DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(Last::default()) };
        let recorded_at = serde_json::from_str::<Event>(row.try_get(1)?).map(|event| event.recorded_at);
        Ok(Last { position: position(row.try_get(0)?), recorded_at: recorded_at.unwrap_or_default() })
    }

    /// Events with `after < position <= until`.
    pub(crate) async fn read(
        &self,
        after: Position,
        until: Position,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Vec<Recorded>, LogError> {
        let mut rows = sqlx::query(
            "SELECT position, event FROM journal WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        )
        .bind(after.cast_signed())
        .bind(until.cast_signed())
        .bind(i64::try_from(max_events).unwrap_or(i64::MAX))
        .fetch(&self.readers);
        let mut events = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            let event: &str = row.try_get(1)?;
            if bytes > 0 && bytes + event.len() > max_bytes {
                break;
            }
            bytes += event.len();
            events.push(Recorded { position: position(row.try_get(0)?), bytes: event.into() });
        }
        Ok(events)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(connection) = self.writer.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the journal did not close cleanly; it recovers on the next start");
        }
    }
}

async fn insert(connection: &mut SqliteConnection, first: Position, events: &[Arc<str>]) -> Result<(), LogError> {
    if ROWS.contains(&events.len()) {
        return insert_rows(connection, first, events).await;
    }
    let mut transaction = connection.begin().await?;
    let mut position = first;
    let mut rest = events;
    while !rest.is_empty() {
        let size = ROWS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (rows, others) = rest.split_at(size);
        insert_rows(&mut transaction, position, rows).await?;
        position += rows.len() as u64;
        rest = others;
    }
    transaction.commit().await?;
    Ok(())
}

async fn insert_rows(connection: &mut SqliteConnection, first: Position, events: &[Arc<str>]) -> Result<(), LogError> {
    let mut statement = sqlx::query(insert_statement(events.len()));
    for (position, event) in (first..).zip(events) {
        statement = statement.bind(position.cast_signed()).bind(event.clone());
    }
    statement.execute(connection).await?;
    Ok(())
}

/// `INSERT … VALUES (?, ?), …` with a known number of rows.
fn insert_statement(rows: usize) -> &'static str {
    static STATEMENTS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        ROWS.iter()
            .map(|rows| format!("INSERT INTO journal (position, event) VALUES {}", vec!["(?, ?)"; *rows].join(", ")))
            .collect()
    });
    let size = ROWS.iter().position(|size| *size == rows).unwrap_or(ROWS.len() - 1);
    STATEMENTS.get(size).map_or("", String::as_str)
}

fn position(value: i64) -> Position {
    value.cast_unsigned()
}
