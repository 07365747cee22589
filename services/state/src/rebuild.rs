//! Folding the whole log into fresh tables, and comparing.

use std::sync::Arc;

use chancery_log::{Clock, Frontier, Log, consume};
use serde_json::{Value, json};
use sqlx::{AnyPool, Column, Row};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::database::PROJECTIONS;
use crate::{Database, Projector, State, StateError, queries};

/// Rows kept per table in a report.
const REPORTED: usize = 20;

/// A row that the live and the fresh tables do not agree on, as JSON arrays of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Table it is in.
    pub table: &'static str,
    /// The live row, if there is one.
    pub live: Option<String>,
    /// The rebuilt row, if there is one.
    pub rebuilt: Option<String>,
}

/// What a rebuild found.
#[derive(Debug, Clone)]
pub struct RebuildReport {
    /// How far both were folded.
    pub reached: Frontier,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ.
    pub different_rows: u64,
    /// The first few of them.
    pub differences: Vec<Difference>,
}

/// Brings the tables of `live` up to the log's head, folds the whole log into fresh ones beside them,
/// compares every row, and puts the fresh ones in their place. Nothing else may have the state open.
pub async fn rebuild(log: &Log, live: &Database, clock: Clock) -> Result<RebuildReport, StateError> {
    let fresh = live.fresh().await?;
    let heads = log.barrier().await?;
    let before = State::open(live, log, clock.clone()).await?;
    fold(log, &before, &heads).await?;
    let after = State::open(&fresh, log, clock).await?;
    fold(log, &after, &heads).await?;
    let report = compare(&before, &after, heads).await?;
    before.close().await;
    after.close().await;
    live.renew().await?;
    Ok(report)
}

/// Folds every partition of `log` into `state` until `heads` are reached.
pub(crate) async fn fold(log: &Log, state: &State, heads: &Frontier) -> Result<(), StateError> {
    let cancel = CancellationToken::new();
    let (_all, assignment) = watch::channel((0..log.partitions()).collect());
    let (projector, dead_letters) = (Projector::new(state.clone()), Arc::new(state.clone()));
    let running = tokio::spawn(consume(log.clone(), projector, dead_letters, assignment, cancel.clone()));
    let mut applied = state.applied.subscribe();
    let reached = applied.wait_for(|applied| applied.reaches(heads)).await.map(drop);
    cancel.cancel();
    running.await.ok();
    reached.map_err(|_| StateError::Behind)
}

pub(crate) async fn compare(live: &State, rebuilt: &State, reached: Frontier) -> Result<RebuildReport, StateError> {
    let mut report = RebuildReport { reached, rows: 0, different_rows: 0, differences: Vec::new() };
    for (table, key) in PROJECTIONS {
        compare_table(&live.pool, &rebuilt.pool, table, key, &mut report).await?;
    }
    Ok(report)
}

async fn compare_table(
    live: &AnyPool,
    rebuilt: &AnyPool,
    table: &'static str,
    key: &[&str],
    report: &mut RebuildReport,
) -> Result<(), StateError> {
    let before = rows(live, table, key).await?;
    let after = rows(rebuilt, table, key).await?;
    report.rows += after.len() as u64;
    let (mut left, mut right) = (before.into_iter().peekable(), after.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let a = if order.is_le() { left.next().map(|(_, row)| row) } else { None };
        let b = if order.is_ge() { right.next().map(|(_, row)| row) } else { None };
        if a != b {
            report.different_rows += 1;
            if report.differences.len() < REPORTED {
                report.differences.push(Difference { table, live: a, rebuilt: b });
            }
        }
    }
}

/// Every row as (key, row), both JSON arrays, in the order of the keys' text.
async fn rows(pool: &AnyPool, table: &'static str, key: &[&str]) -> Result<Vec<(String, String)>, StateError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(pool).await?;
    let mut keyed = Vec::with_capacity(rows.len());
    for row in &rows {
        let values = (0..row.len()).map(|index| queries::column_value(row, index)).collect::<Result<Vec<_>, _>>()?;
        let keys = row.columns().iter().zip(&values).filter(|(column, _)| key.contains(&column.name()));
        let keys: Vec<&Value> = keys.map(|(_, value)| value).collect();
        keyed.push((json!(keys).to_string(), json!(values).to_string()));
    }
    keyed.sort();
    Ok(keyed)
}
