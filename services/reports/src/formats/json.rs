//! One JSON object. Members are in an order of their own, so it is written member by member.

use serde_json::{Number, Value, json};

use crate::period::time;
use crate::{Cell, Column, Document};

pub(super) fn write(document: &Document) -> Vec<u8> {
    let text = |value: &str| json!(value).to_string();
    let mut out = format!(
        "{{\"report\":{},\"position\":{},\"as_of\":{},\"parameters\":{{",
        text(document.name),
        text(&document.position),
        text(&time(document.as_of))
    );
    let parameters: Vec<String> =
        document.parameters.iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    out.push_str(&parameters.join(","));
    let columns: Vec<&str> = document.columns.iter().map(|column| column.name).collect();
    for (name, value) in [("},\"notes\":", json!(document.notes)), (",\"columns\":", json!(columns))] {
        out.push_str(name);
        out.push_str(&value.to_string());
    }
    out.push_str(",\"rows\":[");
    for (index, row) in document.rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        object(&mut out, &document.columns, row);
    }
    out.push_str("],\"totals\":");
    match &document.totals {
        Some(totals) => object(&mut out, &document.columns, totals),
        None => out.push_str("null"),
    }
    out.push('}');
    out.into_bytes()
}

fn object(out: &mut String, columns: &[Column], row: &[Cell]) {
    out.push('{');
    for (index, (column, cell)) in columns.iter().zip(row).enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(column.name);
        out.push_str("\":");
        match cell {
            Cell::Integer(number) => out.push_str(&number.to_string()),
            other => out.push_str(&value(other).to_string()),
        }
    }
    out.push('}');
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => text.as_str().into(),
        Cell::Integer(number) => (*number).into(),
        // A whole one looks like one.
        Cell::Amount(amount) => match amount.to_string().parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => Number::from_f64(amount.as_f64()).map_or(Value::Null, Value::Number),
        },
        Cell::Time(moment) => time(*moment).into(),
        Cell::Flag(flag) => (*flag).into(),
    }
}
