//! The columns of the table `events`.
//!
//! Columns are for queries; the truth is `event`, the canonical bytes as the log holds them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The Delta table's partition column, the UTC date of `occurred_at`. It is not stored in the files.
pub(crate) const DATE: &str = "date";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Time,
    Text,
    Texts,
}

/// Every column: name, kind, whether it may be null.
const LAYOUT: [(&str, Kind, bool); 33] = [
    ("position", Kind::Integer, false),
    ("occurred_at", Kind::Time, false),
    ("recorded_at", Kind::Time, false),
    ("id", Kind::Text, false),
    ("source", Kind::Text, false),
    ("type", Kind::Text, false),
    ("schema", Kind::Integer, false),
    ("stream", Kind::Text, false),
    ("stream_version", Kind::Integer, false),
    ("actor_kind", Kind::Text, false),
    ("actor_id", Kind::Text, false),
    ("actor_name", Kind::Text, true),
    ("actor_email", Kind::Text, true),
    ("actor_ip", Kind::Text, true),
    ("actor_user_agent", Kind::Text, true),
    ("actor_session", Kind::Text, true),
    ("actor_on_behalf_of", Kind::Text, true),
    ("actor_roles", Kind::Texts, true),
    ("actor_groups", Kind::Texts, true),
    ("organization", Kind::Text, true),
    ("resource_kind", Kind::Text, false),
    ("resource_id", Kind::Text, false),
    ("resource_name", Kind::Text, true),
    ("resource_owner", Kind::Text, true),
    ("action", Kind::Text, false),
    ("outcome", Kind::Text, false),
    ("reason", Kind::Text, true),
    ("correlation", Kind::Text, true),
    ("causation", Kind::Text, true),
    ("imported", Kind::Text, true),
    ("policies", Kind::Texts, true),
    ("changed", Kind::Texts, true),
    ("event", Kind::Text, false),
];

/// Names of the columns, in order.
pub static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| LAYOUT.iter().map(|(name, ..)| *name).collect());

/// The schema queries see.
pub fn events_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(schema(&DataType::Utf8View)));
    SCHEMA.clone()
}

/// The Delta table's schema: the same with plain strings, and the partition column.
pub(crate) fn delta_schema() -> Schema {
    let mut fields = schema(&DataType::Utf8).fields.to_vec();
    fields.push(Arc::new(Field::new(DATE, DataType::Date32, true)));
    Schema::new(fields)
}

fn schema(text: &DataType) -> Schema {
    let field = |(name, kind, nullable): &(&str, Kind, bool)| {
        let data_type = match kind {
            Kind::Integer => DataType::Int64,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Text => text.clone(),
            Kind::Texts => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        };
        Field::new(*name, data_type, *nullable)
    };
    Schema::new(LAYOUT.iter().map(field).collect::<Vec<_>>())
}
