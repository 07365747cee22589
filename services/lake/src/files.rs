//! Parquet files: how they are written, and what is known of each.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chancery_domain::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use crate::LakeError;
use crate::schema::{COLUMNS, DATE, events_schema};
use crate::sink::Sink;
use crate::store::Store;

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
const ROW_GROUP_ROWS: usize = 131_072;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Path below the table's directory.
    pub(crate) path: String,
    /// Days since 1970-01-01 of every row's `occurred_at`.
    pub(crate) date: i32,
    pub(crate) bytes: u64,
    pub(crate) rows: usize,
    /// First and last `occurred_at`, microseconds.
    pub(crate) times: (i64, i64),
    /// Lowest and highest position.
    pub(crate) positions: (i64, i64),
}

impl DataFile {
    /// Per-file statistics as the Delta protocol writes them.
    pub(crate) fn delta_statistics(&self) -> String {
        let time = |micros| Timestamp::EPOCH.saturating_add_micros(micros).to_string();
        json!({
            "numRecords": self.rows,
            "minValues": { "position": self.positions.0, "occurred_at": time(self.times.0) },
            "maxValues": { "position": self.positions.1, "occurred_at": time(self.times.1) },
            "nullCount": { "position": 0, "occurred_at": 0 },
        })
        .to_string()
    }

    /// Reads back what [`DataFile::delta_statistics`] wrote.
    pub(crate) fn from_delta(path: String, bytes: u64, statistics: &str) -> Option<Self> {
        let statistics: Value = serde_json::from_str(statistics).ok()?;
        let position = |side: &str| statistics.get(side)?.get("position")?.as_i64();
        let time = |side: &str| {
            let text = statistics.get(side)?.get("occurred_at")?.as_str()?;
            text.parse::<Timestamp>().ok().map(Timestamp::as_micros)
        };
        let times = (time("minValues")?, time("maxValues")?);
        Some(Self {
            path,
            date: day(times.0),
            bytes,
            rows: usize::try_from(statistics.get("numRecords")?.as_u64()?).ok()?,
            times,
            positions: (position("minValues")?, position("maxValues")?),
        })
    }
}

/// Days since 1970-01-01.
pub(crate) fn day(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(DAY)).unwrap_or(i32::MAX)
}

/// `2026-01-31` for a number of days.
pub(crate) fn date_text(day: i32) -> String {
    Timestamp::EPOCH
        .saturating_add_micros(i64::from(day) * DAY)
        .to_string()
        .split('T')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// How every file is written: sorted by time, zstd, page index, and bloom filters on the columns that are
/// asked for by equality and have too many values for a dictionary or for min and max to tell files apart.
pub(crate) fn writer_properties() -> WriterProperties {
    let column = |name: &str| {
        let index = COLUMNS.iter().position(|column| *column == name).unwrap_or_default();
        SortingColumn { column_idx: i32::try_from(index).unwrap_or_default(), descending: false, nulls_first: false }
    };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(8_192)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_dictionary_enabled(ColumnPath::from("event"), false)
        .set_column_statistics_enabled(ColumnPath::from("event"), EnabledStatistics::None)
        .set_sorting_columns(Some(vec![column("occurred_at"), column("position")]));
    for name in ["id", "correlation", "actor_session", "resource_id"] {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(name), true);
    }
    properties.build()
}

/// Sorts rows by time and position.
pub(crate) fn sort_by_time(batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let column = |name: &str| batch.column_by_name(name).cloned();
    let columns: Vec<SortColumn> = [column("occurred_at"), column("position")]
        .into_iter()
        .flatten()
        .map(|values| SortColumn { values, options: None })
        .collect();
    let indices = lexsort_to_indices(&columns, None)?;
    Ok(take_record_batch(batch, &indices)?)
}

/// Splits rows sorted by time into one piece per date.
pub(crate) fn split_by_date(sorted: &RecordBatch) -> Vec<(i32, RecordBatch)> {
    let times = times(sorted);
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < times.len() {
        let date = day(times[start]);
        let length = times[start..].partition_point(|time| day(*time) == date);
        pieces.push((date, sorted.slice(start, length)));
        start += length;
    }
    pieces
}

/// The `occurred_at` column.
pub(crate) fn times(batch: &RecordBatch) -> &[i64] {
    batch
        .column_by_name("occurred_at")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .map_or(&[], |column| column.values())
}

/// The `position` column.
pub(crate) fn positions(batch: &RecordBatch) -> &[i64] {
    batch
        .column_by_name("position")
        .and_then(|column| column.as_primitive_opt::<Int64Type>())
        .map_or(&[], |column| column.values())
}

/// Writes batches of one date, already sorted, into one file. It is durable when [`FileWriter::finish`] returns.
pub(crate) struct FileWriter {
    writer: ArrowWriter<Sink>,
    file: DataFile,
}

impl FileWriter {
    /// Starts the file `name` of a date.
    pub(crate) fn create(store: &Store, date: i32, name: &str) -> Result<Self, LakeError> {
        let path = format!("{DATE}={}/{name}.parquet", date_text(date));
        // Readers get plain Parquet types; our own scan asks for views.
        let options = ArrowWriterOptions::new().with_properties(writer_properties()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(store.create(&path)?, events_schema(), options)?;
        let file =
            DataFile { path, date, bytes: 0, rows: 0, times: (i64::MAX, i64::MIN), positions: (i64::MAX, i64::MIN) };
        Ok(Self { writer, file })
    }

    pub(crate) async fn write(mut self, batch: RecordBatch) -> Result<Self, LakeError> {
        self.file.rows += batch.num_rows();
        for (bounds, values) in [(&mut self.file.times, times(&batch)), (&mut self.file.positions, positions(&batch))] {
            bounds.0 = values.iter().copied().fold(bounds.0, i64::min);
            bounds.1 = values.iter().copied().fold(bounds.1, i64::max);
        }
        let mut written = blocking(move || Ok(self.writer.write(&batch).map(|()| self)?)).await?;
        written.writer.inner_mut().send().await?;
        Ok(written)
    }

    pub(crate) async fn finish(mut self) -> Result<DataFile, LakeError> {
        let mut finished = blocking(move || {
            self.writer.finish()?;
            self.writer.inner().sync()?;
            Ok(self)
        })
        .await?;
        finished.writer.inner_mut().complete().await?;
        finished.file.bytes = finished.writer.bytes_written() as u64;
        Ok(finished.file)
    }
}

/// Writes a file of one batch.
pub(crate) async fn write_file(store: &Store, date: i32, name: &str, rows: RecordBatch) -> Result<DataFile, LakeError> {
    FileWriter::create(store, date, name)?.write(rows).await?.finish().await
}

/// Runs what keeps a processor or a disk busy away from the tasks that answer requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LakeError::Storage(error.to_string()))?
}

/// The path as the object store sees it.
pub(crate) fn object_path(file: &DataFile) -> object_store::path::Path {
    object_store::path::Path::from(file.path.as_str())
}

/// Shared list of files.
pub(crate) type Files = Arc<Vec<DataFile>>;
