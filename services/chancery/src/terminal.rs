//! What people and pipes get to see.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values.
    Csv,
}

impl Output {
    /// The chosen one; a table on a terminal and NDJSON in a pipe otherwise.
    pub(crate) fn or_default(chosen: Option<Self>) -> Self {
        chosen.unwrap_or_else(|| if std::io::stdout().is_terminal() { Self::Table } else { Self::Ndjson })
    }
}

/// Prints a line; a closed pipe ends the command quietly.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints raw bytes.
pub(crate) fn bytes(bytes: &[u8]) {
    if std::io::stdout().lock().write_all(bytes).is_err() {
        std::process::exit(0);
    }
}

/// Prints rows of values under column names.
pub(crate) fn rows(columns: &[String], rows: &[Vec<Value>], output: Output) {
    match output {
        Output::Table => {
            let mut table = Table::new();
            table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(columns);
            for row in rows {
                table.add_row(row.iter().map(text));
            }
            line(&table.to_string());
        }
        Output::Json => line(&Value::Array(rows.iter().map(|row| object(columns, row)).collect()).to_string()),
        Output::Ndjson => rows.iter().for_each(|row| line(&object(columns, row).to_string())),
        Output::Csv => {
            line(&columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(","));
            for row in rows {
                line(&row.iter().map(|value| quoted(&text(value))).collect::<Vec<_>>().join(","));
            }
        }
    }
}

fn object(columns: &[String], row: &[Value]) -> Value {
    Value::Object(columns.iter().cloned().zip(row.iter().cloned()).collect())
}

/// A value as a cell, without control characters that could act on the terminal.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// A CSV field (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
