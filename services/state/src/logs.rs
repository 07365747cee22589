//! Logs of builds while they are written: chunks of lines as runners send them. They are not folded from the log of
//! events; what is closed is kept as a blob, and its digest is on record.

use chancery_domain::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::{flag, number};
use crate::queries::time;
use crate::{State, StateError};

pub(crate) const HEAD: &str =
    "SELECT last_line, hash, arrived_at FROM build_log_chunks WHERE job_id = $1 AND attempt = $2
    ORDER BY first_line DESC LIMIT 1";
pub(crate) const SIZE: &str = "SELECT coalesce(CAST(sum(bytes) AS BIGINT), 0), count(*),
    coalesce(CAST(sum(last_line - first_line + 1) AS BIGINT), 0) FROM build_log_chunks WHERE job_id = $1";
pub(crate) const AFTER: &str = "SELECT attempt, first_line, last_line, hash, gap, bytes, lines, arrived_at
    FROM build_log_chunks WHERE job_id = $1 AND (arrived_at > $2 OR (arrived_at = $2 AND first_line > $3))
    ORDER BY arrived_at, first_line LIMIT $4";
/// Jobs that have ended, or are none, whose logs nobody has added to since then.
const SILENT: &str = "SELECT c.job_id FROM build_log_chunks c LEFT JOIN builds b ON b.job_id = c.job_id AND b.own = 1
    WHERE b.job_id IS NULL OR b.finished_at IS NOT NULL
    GROUP BY c.job_id HAVING max(c.arrived_at) < $1 ORDER BY c.job_id LIMIT 500";

/// Lines of a log as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Whose lines they are: a job that is tried again begins to count anew.
    pub attempt: String,
    /// Number of the first line.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// The chain's hash after it.
    pub hash: String,
    /// Lines before the first are missing.
    pub gap: bool,
    /// Bytes of the lines.
    pub bytes: u64,
    /// The lines, packed.
    pub lines: Vec<u8>,
    /// When they arrived.
    pub arrived_at: Timestamp,
}

/// How far a log has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Number of its last line, 0 before the first.
    pub last: u64,
    /// The chain's hash after it.
    pub hash: Option<String>,
    /// When it arrived.
    pub at: Option<Timestamp>,
}

/// How large a log is that is not closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenLog {
    /// Bytes of its lines.
    pub bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Lines.
    pub lines: u64,
}

impl State {
    /// How far the log of an attempt at a job has arrived.
    pub async fn log_arrived(&self, job: &str, attempt: &str) -> Result<Arrived, StateError> {
        let query = sqlx::query(HEAD).bind(job.to_owned()).bind(attempt.to_owned());
        let rows = self.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(Arrived::default()) };
        Ok(Arrived { last: number(row, 0)?, hash: row.try_get(1)?, at: Some(time(row.try_get(2)?)) })
    }

    /// How large the log of a job is.
    pub async fn log_size(&self, job: &str) -> Result<OpenLog, StateError> {
        let rows = self.rows(sqlx::query(SIZE).bind(job.to_owned())).await?;
        let Some(row) = rows.first() else { return Ok(OpenLog::default()) };
        Ok(OpenLog { bytes: number(row, 0)?, chunks: number(row, 1)?, lines: number(row, 2)? })
    }

    /// Keeps lines of a job; whether they were not there.
    pub async fn keep_log(&self, job: &str, chunk: Chunk) -> Result<bool, StateError> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let kept = sqlx::query(
            "INSERT INTO build_log_chunks (job_id, attempt, first_line, last_line, hash, gap, bytes, lines, arrived_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(job.to_owned())
        .bind(chunk.attempt)
        .bind(whole(chunk.first))
        .bind(whole(chunk.last))
        .bind(chunk.hash)
        .bind(i64::from(chunk.gap))
        .bind(whole(chunk.bytes))
        .bind(chunk.lines)
        .bind(chunk.arrived_at.as_micros())
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() > 0)
    }

    /// Lines of a job in the order they arrived, after those that arrived then and began with that number.
    pub async fn log_chunks(&self, job: &str, after: (i64, u64), limit: usize) -> Result<Vec<Chunk>, StateError> {
        let query = sqlx::query(AFTER)
            .bind(job.to_owned())
            .bind(after.0)
            .bind(i64::try_from(after.1).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(query).await?.iter().map(chunk).collect()
    }

    /// Jobs that have ended with lines that are not closed, to which nothing was added since then; 500 at most.
    pub async fn silent_logs(&self, before: Timestamp) -> Result<Vec<String>, StateError> {
        let rows = self.rows(sqlx::query(SILENT).bind(before.as_micros())).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Forgets the lines of a job, which are kept elsewhere.
    pub async fn forget_log(&self, job: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM build_log_chunks WHERE job_id = $1").bind(job.to_owned()).execute(&self.pool).await?;
        Ok(())
    }
}

fn chunk(row: &AnyRow) -> Result<Chunk, StateError> {
    Ok(Chunk {
        attempt: row.try_get(0)?,
        first: number(row, 1)?,
        last: number(row, 2)?,
        hash: row.try_get(3)?,
        gap: flag(row, 4)?,
        bytes: number(row, 5)?,
        lines: row.try_get(6)?,
        arrived_at: time(row.try_get(7)?),
    })
}
