use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};

use super::*;
use crate::{Amount, Cell, Column};

fn document() -> Document {
    let row = |name: Cell, number: i64| {
        vec![
            name,
            Cell::Integer(number),
            Cell::Amount(Amount::from_millionths(1_500_000)),
            Cell::Time(1_772_323_200_000_000),
            Cell::Flag(true),
        ]
    };
    Document {
        name: "example",
        position: "42".to_owned(),
        as_of: 1_772_323_200_000_000,
        parameters: vec![("by", "user".to_owned())],
        notes: vec!["a \"note\"".to_owned()],
        columns: vec![
            Column::text("name"),
            Column::integer("count"),
            Column::amount("cost"),
            Column::time("at"),
            Column::flag("on"),
        ],
        rows: vec![row(Cell::Text("=ada, \"x\"".to_owned()), 1), row(Cell::Null, 2)],
        totals: Some(vec![Cell::Null, Cell::Integer(3), Cell::Null, Cell::Null, Cell::Null]),
    }
}

#[test]
fn csv_has_the_rows_and_quotes_what_needs_it() {
    let text = String::from_utf8(Format::Csv.write(&document()).unwrap()).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let expected = [
        "name,count,cost,at,on",
        "\"=ada, \"\"x\"\"\",1,1.5,2026-03-01T00:00:00Z,true",
        ",2,1.5,2026-03-01T00:00:00Z,true",
        "",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn json_says_all() {
    let answer: serde_json::Value = serde_json::from_slice(&Format::Json.write(&document()).unwrap()).unwrap();
    assert_eq!((&answer["report"], &answer["position"]), (&"example".into(), &"42".into()));
    assert_eq!(answer["rows"][0]["cost"], 1.5);
    assert_eq!(
        answer["rows"][1],
        serde_json::json!({"name": null, "count": 2, "cost": 1.5, "at": "2026-03-01T00:00:00Z", "on": true})
    );
    assert_eq!(answer["totals"]["count"], 3);
}

#[test]
fn parquet_has_exact_amounts_and_says_where_it_comes_from() {
    let bytes = bytes::Bytes::from(Format::Parquet.write(&document()).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let about = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    assert!(about.iter().any(|it| it.key == "chancery.position" && it.value.as_deref() == Some("42")));
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("=ada, \"x\""), None]);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().values().as_ref(), [1, 2]);
    assert_eq!(batch.column(2).as_primitive::<Decimal128Type>().value(0), 1_500_000);
    assert_eq!(batch.column(3).as_primitive::<TimestampMicrosecondType>().value(1), 1_772_323_200_000_000);
}

/// Also when it is written at another time: zip archives and workbooks like to say when they were made.
#[test]
fn the_same_report_has_the_same_bytes_at_any_time() {
    let all = [Format::Json, Format::Csv, Format::Parquet, Format::Xlsx];
    let first: Vec<Vec<u8>> = all.iter().map(|format| format.write(&document()).unwrap()).collect();
    // Zip archives count in steps of two seconds.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let again: Vec<Vec<u8>> = all.iter().map(|format| format.write(&document()).unwrap()).collect();
    assert!(first == again);
    assert!(first[3].starts_with(b"PK"));
}
