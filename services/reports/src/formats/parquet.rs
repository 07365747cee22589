//! Apache Parquet: amounts are decimals, moments are in UTC.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::FormatError;
use crate::period::time;
use crate::{Cell, Column, Document, Kind};

/// Digits of an amount, and how many of them are places.
const DIGITS: (u8, i8) = (38, 6);

pub(super) fn write(document: &Document) -> Result<Vec<u8>, FormatError> {
    let defect = |error: &dyn std::fmt::Display| FormatError::Internal(error.to_string());
    let fields: Vec<Field> =
        document.columns.iter().map(|column| Field::new(column.name, data_type(column.kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = document.columns.iter().enumerate().map(|(index, column)| array(document, index, *column));
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|error| defect(&error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("chancery".to_owned())
        .set_key_value_metadata(Some(about(document)))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|error| defect(&error))?;
    writer.write(&batch).map_err(|error| defect(&error))?;
    writer.into_inner().map_err(|error| defect(&error))
}

/// What has to be said about the rows.
fn about(document: &Document) -> Vec<KeyValue> {
    let entry = |key: &str, value: &str| KeyValue::new(format!("chancery.{key}"), value.to_owned());
    let mut about = vec![
        entry("report", document.name),
        entry("position", &document.position),
        entry("as_of", &time(document.as_of)),
    ];
    about.extend(document.parameters.iter().map(|(name, value)| entry(&format!("parameter.{name}"), value)));
    about.push(entry("notes", &document.notes.join("\n")));
    about
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Amount => DataType::Decimal128(DIGITS.0, DIGITS.1),
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Flag => DataType::Boolean,
    }
}

fn array(document: &Document, index: usize, column: Column) -> Result<ArrayRef, FormatError> {
    let cells = || document.rows.iter().map(|row| row.get(index).unwrap_or(&Cell::Null));
    Ok(match column.kind {
        Kind::Text => Arc::new(cells().map(text).collect::<StringArray>()),
        Kind::Integer => Arc::new(cells().map(integer).collect::<Int64Array>()),
        Kind::Amount => {
            let decimals = cells().map(decimal).collect::<Decimal128Array>();
            let decimals = decimals.with_precision_and_scale(DIGITS.0, DIGITS.1);
            Arc::new(decimals.map_err(|error| FormatError::Internal(error.to_string()))?)
        }
        Kind::Time => Arc::new(cells().map(moment).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Kind::Flag => Arc::new(cells().map(flag).collect::<BooleanArray>()),
    })
}

fn text(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn integer(cell: &Cell) -> Option<i64> {
    if let Cell::Integer(number) = cell { Some(*number) } else { None }
}

fn decimal(cell: &Cell) -> Option<i128> {
    if let Cell::Amount(amount) = cell { Some(amount.millionths()) } else { None }
}

fn moment(cell: &Cell) -> Option<i64> {
    if let Cell::Time(moment) = cell { Some(*moment) } else { None }
}

fn flag(cell: &Cell) -> Option<bool> {
    if let Cell::Flag(flag) = cell { Some(*flag) } else { None }
}
