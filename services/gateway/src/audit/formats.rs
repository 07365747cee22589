//! Export formats: from record batches to bytes, a batch at a time.

use std::io::Write;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::ApiError;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Ndjson,
    Csv,
    Parquet,
    Arrow,
}

impl FromStr for Format {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            "arrow" => Ok(Self::Arrow),
            _ => Err(ApiError::bad_request(format!("`format` is ndjson, csv, parquet or arrow, not `{text}`"))),
        }
    }
}

impl Format {
    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

/// Bytes that a writer has written and nobody has sent yet.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Vec<u8>>>);

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Writer {
    Ndjson,
    Csv(Box<arrow::csv::Writer<Outbox>>),
    Parquet(Box<ArrowWriter<Outbox>>),
    Arrow(Box<StreamWriter<Outbox>>),
}

/// Turns batches into bytes.
pub(crate) struct Encoder {
    writer: Writer,
    schema: SchemaRef,
    outbox: Outbox,
}

impl Encoder {
    /// An encoder for batches of `schema`.
    pub(crate) fn new(format: Format, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let schema = Arc::new(plain_schema(schema, format));
        let outbox = Outbox::default();
        let writer = match format {
            Format::Ndjson => Writer::Ndjson,
            Format::Csv => {
                Writer::Csv(Box::new(arrow::csv::WriterBuilder::new().with_header(true).build(outbox.clone())))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(32_768))
                    .build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(outbox.clone(), schema.clone(), Some(properties))?))
            }
            Format::Arrow => Writer::Arrow(Box::new(StreamWriter::try_new(outbox.clone(), &schema)?)),
        };
        Ok(Self { writer, schema, outbox })
    }

    /// Encodes a batch; the bytes that are ready may be none yet.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        match &mut self.writer {
            Writer::Ndjson => {
                let mut outbox = self.outbox.clone();
                ndjson(batch, &mut outbox)?;
            }
            Writer::Csv(writer) => writer.write(&plain(batch, &self.schema)?)?,
            Writer::Parquet(writer) => writer.write(&plain(batch, &self.schema)?)?,
            Writer::Arrow(writer) => writer.write(&plain(batch, &self.schema)?)?,
        }
        Ok(self.take())
    }

    /// The last bytes.
    pub(crate) fn finish(mut self) -> Result<Bytes, ArrowError> {
        match &mut self.writer {
            Writer::Ndjson | Writer::Csv(_) => {}
            Writer::Parquet(writer) => drop(writer.finish()?),
            Writer::Arrow(writer) => writer.finish()?,
        }
        Ok(self.take())
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.outbox.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

/// One event per line: the canonical bytes when the batch has only them, else an object of the columns.
fn ndjson(batch: &RecordBatch, out: &mut impl Write) -> Result<(), ArrowError> {
    if let ([field], Some(events)) = (batch.schema().fields().as_ref(), batch.column(0).as_string_view_opt())
        && field.name() == "event"
    {
        for event in events.iter().flatten() {
            out.write_all(event.as_bytes())?;
            out.write_all(b"\n")?;
        }
        return Ok(());
    }
    let mut writer = arrow::json::LineDelimitedWriter::new(out);
    writer.write(batch)?;
    writer.finish()
}

/// The schema with plain strings; for CSV lists become text.
fn plain_schema(schema: &Schema, format: Format) -> Schema {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        DataType::List(_) if format == Format::Csv => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| as_type(column, field.data_type()));
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn as_type(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), wanted) {
        (have, want) if have == want => Ok(column.clone()),
        (DataType::List(_), DataType::Utf8) => Ok(joined(column)),
        _ => cast(column, wanted),
    }
}

/// Lists as texts, items separated by spaces.
fn joined(column: &ArrayRef) -> ArrayRef {
    let lists = column.as_list::<i32>().iter().map(|items| {
        let items = items?;
        Some(items.as_string_opt::<i32>()?.iter().flatten().collect::<Vec<_>>().join(" "))
    });
    Arc::new(lists.collect::<arrow::array::StringArray>())
}
