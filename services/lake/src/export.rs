//! Exporting: every matching event in the order of time, in constant memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use chancery_filter::Filter;
use datafusion::logical_expr::{Expr, ident};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};

use crate::files::{DataFile, sort_by_time, split_by_date};
use crate::handle::{Inner, Lake};
use crate::schema::{COLUMNS, events_schema};
use crate::snapshot::{Rows, Snapshot};
use crate::table::Order;
use crate::{LakeError, SqlStream, Visibility};

/// What to export.
#[derive(Debug, Clone, Default)]
pub struct ExportRequest {
    /// Which events; all without.
    pub filter: Option<Filter>,
    /// Columns of the table `events`; all without.
    pub fields: Option<Vec<String>>,
    /// Oldest first. Newest first sorts one date at a time in memory.
    pub ascending: bool,
}

impl Lake {
    /// Every visible matching event of this moment's snapshot, ordered by time and position. Dates are read one after
    /// the other and the sorted files of a date are merged, so memory does not grow with the export.
    pub async fn export(&self, visibility: &Visibility, request: ExportRequest) -> Result<SqlStream, LakeError> {
        let columns = columns(request.fields.as_deref())?;
        let snapshot = self.inner.snapshot().await?;
        let filter = match &request.filter {
            Some(filter) => Some(self.condition_of(visibility, filter, &snapshot).await?),
            None => None,
        };
        let parts = by_date(&snapshot)?;
        let parts: Vec<_> = if request.ascending { parts } else { parts.into_iter().rev().collect() };
        let schema = projected(&columns)?;
        let inner = self.inner.clone();
        let (visibility, names, ascending) = (visibility.clone(), columns, request.ascending);
        let batches = stream::iter(parts)
            .then(move |part| {
                let (inner, visibility) = (inner.clone(), visibility.clone());
                let (names, filter) = (names.clone(), filter.clone());
                async move { inner.one_date(&visibility, part, &names, filter, ascending).await.map_err(external) }
            })
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

impl Inner {
    async fn one_date(
        &self,
        visibility: &Visibility,
        part: Rows,
        columns: &[String],
        filter: Option<Expr>,
        ascending: bool,
    ) -> Result<SendableRecordBatchStream, LakeError> {
        let session = self.engine.session();
        let mut events = session.read_table(self.engine.table(visibility, part, Order::Merge))?;
        if let Some(filter) = filter {
            events = events.filter(filter)?;
        }
        let order = vec![ident("occurred_at").sort(ascending, false), ident("position").sort(ascending, false)];
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        Ok(events.sort(order)?.select_columns(&names)?.execute_stream().await?)
    }
}

/// The rows of each date, oldest first, with one sorted batch of the tail.
fn by_date(snapshot: &Snapshot) -> Result<Vec<Rows>, LakeError> {
    let mut dates: BTreeMap<i32, (Vec<DataFile>, Vec<RecordBatch>)> = BTreeMap::new();
    let rows = snapshot.rows();
    for file in rows.files.iter() {
        dates.entry(file.date).or_default().0.push(file.clone());
    }
    let tail = sort_by_time(&concat_batches(&events_schema(), &rows.tail)?)?;
    for (date, batch) in split_by_date(&tail) {
        dates.entry(date).or_default().1.push(batch);
    }
    Ok(dates.into_values().map(|(files, tail)| Rows { files: Arc::new(files), tail }).collect())
}

fn columns(asked: Option<&[String]>) -> Result<Vec<String>, LakeError> {
    let Some(asked) = asked else { return Ok(COLUMNS.iter().map(|&name| name.to_owned()).collect()) };
    for name in asked {
        if !COLUMNS.contains(&name.as_str()) {
            return Err(LakeError::Invalid(format!("`{name}` is not a column; there are {}", COLUMNS.join(", "))));
        }
    }
    Ok(asked.to_vec())
}

fn projected(columns: &[String]) -> Result<SchemaRef, LakeError> {
    let schema = events_schema();
    let fields = columns.iter().map(|name| schema.field_with_name(name).cloned()).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

fn external(error: LakeError) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(error))
}
