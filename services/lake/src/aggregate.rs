//! Counting events by what they have in common.

use std::fmt;
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, WriterBuilder};
use chancery_filter::{Field, Filter};
use datafusion::functions::expr_fn::date_trunc;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::{Expr, ident, lit};
use serde_json::Value;

use crate::expressions::column;
use crate::functions::json_text;
use crate::handle::Lake;
use crate::table::Order;
use crate::{LakeError, Visibility};

/// Most fields to group by.
const MAX_GROUPS: usize = 8;

/// A span of time to count by, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A calendar month.
    Month,
}

impl Bucket {
    /// Every span.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Bucket {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        Self::ALL.into_iter().find(|bucket| bucket.as_str() == text).ok_or_else(|| {
            LakeError::Invalid(format!("`{text}` is no span of time; use minute, hour, day, week or month"))
        })
    }
}

/// What to count.
#[derive(Debug, Clone, Default)]
pub struct AggregateRequest {
    /// Which events; all without.
    pub filter: Option<Filter>,
    /// Fields of the filter language or `data.…` paths whose combinations are counted.
    pub group_by: Vec<String>,
    /// Span of `occurred_at` to count by as well.
    pub bucket: Option<Bucket>,
    /// A field whose different values are counted beside the events.
    pub distinct: Option<String>,
    /// Most rows: the largest counts, or with a bucket the earliest spans.
    pub limit: usize,
}

/// A table of counts.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateResult {
    /// Names: `bucket`, the groups, `count`, `distinct`.
    pub columns: Vec<String>,
    /// Values in that order.
    pub rows: Vec<Vec<Value>>,
}

impl Lake {
    /// Counts visible events.
    pub async fn aggregate(
        &self,
        visibility: &Visibility,
        request: AggregateRequest,
    ) -> Result<AggregateResult, LakeError> {
        self.timed("aggregate", self.count_groups(visibility, request)).await
    }

    async fn count_groups(
        &self,
        visibility: &Visibility,
        request: AggregateRequest,
    ) -> Result<AggregateResult, LakeError> {
        if request.group_by.len() > MAX_GROUPS {
            return Err(LakeError::Invalid(format!("at most {MAX_GROUPS} fields can be grouped by")));
        }
        let mut names: Vec<String> = Vec::new();
        let mut groups: Vec<Expr> = Vec::new();
        if let Some(bucket) = request.bucket {
            names.push("bucket".to_owned());
            groups.push(date_trunc(lit(bucket.as_str()), ident("occurred_at")).alias("bucket"));
        }
        for name in &request.group_by {
            groups.push(value_of(name)?.alias(name));
            names.push(name.clone());
        }
        let mut counts = vec![count(lit(1)).alias("count")];
        names.push("count".to_owned());
        if let Some(distinct) = &request.distinct {
            counts.push(count_distinct(value_of(distinct)?).alias("distinct"));
            names.push("distinct".to_owned());
        }
        let (snapshot, mut events) = self.events(visibility, Order::OldestFirst).await?;
        if let Some(filter) = &request.filter {
            events = events.filter(self.condition_of(visibility, filter, &snapshot).await?)?;
        }
        // Equal counts are ordered by their groups, so that the same question has the same answer.
        let by_group = names.iter().take(groups.len()).map(|name| ident(name.as_str()).sort(true, true));
        let by_count = ident("count").sort(false, false);
        let order: Vec<_> = match request.bucket {
            Some(_) => by_group.collect(),
            None => std::iter::once(by_count).chain(by_group).collect(),
        };
        let table = events.aggregate(groups, counts)?.sort(order)?.limit(0, Some(request.limit))?;
        let rows = rows(&table.collect().await?, &names)?;
        Ok(AggregateResult { columns: names, rows })
    }
}

/// The value a name stands for.
fn value_of(name: &str) -> Result<Expr, LakeError> {
    if name.starts_with("data.") || name.starts_with("extensions.") {
        return Ok(json_text(ident("event"), name));
    }
    Field::named(name)
        .map(column)
        .ok_or_else(|| LakeError::Invalid(format!("`{name}` is neither a field nor a path such as data.kind")))
}

/// Rows as JSON values in the order of `columns`.
pub fn rows(batches: &[RecordBatch], columns: &[String]) -> Result<Vec<Vec<Value>>, LakeError> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    let unprintable = |error: ArrowError| LakeError::Invalid(format!("the answer has no JSON form: {error}"));
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).map_err(unprintable)?;
    writer.finish().map_err(unprintable)?;
    let json = writer.into_inner();
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let objects: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&json).map_err(|error| LakeError::Storage(error.to_string()))?;
    let row = |mut object: serde_json::Map<String, Value>| {
        columns.iter().map(|column| object.remove(column).unwrap_or(Value::Null)).collect()
    };
    Ok(objects.into_iter().map(row).collect())
}
