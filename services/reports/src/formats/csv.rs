//! RFC 4180.

use crate::period::time;
use crate::{Cell, Document};

pub(super) fn write(document: &Document) -> Vec<u8> {
    let mut out = String::new();
    let header: Vec<&str> = document.columns.iter().map(|column| column.name).collect();
    out.push_str(&header.join(","));
    out.push_str("\r\n");
    for row in &document.rows {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            field(&mut out, cell);
        }
        out.push_str("\r\n");
    }
    out.into_bytes()
}

fn field(out: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => {}
        Cell::Text(text) if text.contains([',', '"', '\n', '\r']) => {
            out.push('"');
            out.push_str(&text.replace('"', "\"\""));
            out.push('"');
        }
        Cell::Text(text) => out.push_str(text),
        Cell::Integer(number) => out.push_str(&number.to_string()),
        Cell::Amount(amount) => out.push_str(&amount.to_string()),
        Cell::Time(moment) => out.push_str(&time(*moment)),
        Cell::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
    }
}
