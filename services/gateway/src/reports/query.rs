//! Questions that reports ask of the audit trail, as it was known at a position.

use arrow::array::RecordBatch;
use chancery_lake::{LakeError, SqlLimits, Visibility};
use chancery_log::{Frontier, partition, place, position};
use chancery_reports::Period;
use futures::TryStreamExt;
use serde_json::Value;

use crate::error::ApiError;
use crate::gateway::Gateway;

/// Most rows of one question.
pub(super) const MOST_ROWS: usize = 1_000_000;

/// The rows of a question.
pub(super) async fn rows(gateway: &Gateway, visibility: &Visibility, query: &str) -> Result<Vec<Vec<Value>>, ApiError> {
    let limits = SqlLimits { timeout: gateway.settings.query_timeout, max_rows: MOST_ROWS };
    let answer = async {
        let stream = gateway.lake.sql(visibility, query, limits).await?;
        let columns: Vec<String> = stream.schema().fields().iter().map(|field| field.name().clone()).collect();
        let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(LakeError::from)?;
        chancery_lake::rows(&batches, &columns)
    };
    let late = LakeError::TimedOut(limits.timeout.as_secs());
    let rows = tokio::time::timeout(limits.timeout, answer).await.map_err(|_| late)??;
    if rows.len() > MOST_ROWS {
        let detail = format!("there are more than {MOST_ROWS} rows; ask about a shorter period");
        return Err(ApiError::Unprocessable(detail));
    }
    Ok(rows)
}

/// The condition that an event is known.
pub(super) fn known(known: &Frontier) -> String {
    let ranges: Vec<String> = known
        .positions()
        .filter(|last| place(*last) > 0)
        .map(|last| format!("position BETWEEN {} AND {last}", position(partition(last), 1)))
        .collect();
    if ranges.is_empty() { "1 = 0".to_owned() } else { format!("({})", ranges.join(" OR ")) }
}

/// The condition that it happened in a period.
pub(super) fn within(period: Period) -> String {
    format!("occurred_at >= {} AND occurred_at < {}", moment(period.from), moment(period.to))
}

/// A moment, in microseconds since 1970 UTC.
pub(super) fn moment(micros: i64) -> String {
    format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// Types as a list.
pub(super) fn listed(types: &[&str]) -> String {
    types.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// A text of a row.
pub(super) fn text(row: &[Value], index: usize) -> Option<String> {
    row.get(index).and_then(Value::as_str).map(str::to_owned)
}

/// A whole number of a row.
pub(super) fn number(row: &[Value], index: usize) -> Option<i64> {
    row.get(index).and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_a_range_of_each_partition() {
        assert_eq!(known(&Frontier::single(7)), "(position BETWEEN 1 AND 7)");
        assert_eq!(known(&Frontier::start(2)), "1 = 0");
        let mut both = Frontier::start(3);
        both.advance(position(0, 4));
        both.advance(position(2, 1));
        let (first, last) = (position(2, 1), position(2, 1));
        assert_eq!(known(&both), format!("(position BETWEEN 1 AND 4 OR position BETWEEN {first} AND {last})"));
    }
}
