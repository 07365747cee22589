//! Office Open XML: one sheet with the rows, one about them. Texts are texts, whatever they look like.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format as Style, Workbook, Worksheet, XlsxError};

use super::FormatError;
use crate::period::time;
use crate::{Cell, Document, Kind};

/// Most rows of a sheet, with a few for its head and totals.
const MOST_ROWS: usize = 1_048_000;
/// Longest text in a cell.
const MOST_TEXT: usize = 32_000;

pub(super) fn write(document: &Document) -> Result<Vec<u8>, FormatError> {
    if document.rows.len() > MOST_ROWS {
        return Err(FormatError::TooLong);
    }
    workbook(document).map_err(|error| FormatError::Internal(error.to_string()))
}

fn workbook(document: &Document) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // The workbook is as old as what it tells.
    let made = ExcelDateTime::from_timestamp(document.as_of.div_euclid(1_000_000))?;
    let properties = DocProperties::new().set_title(document.name).set_author("Chancery");
    workbook.set_properties(&properties.set_creation_datetime(&made));
    rows(workbook.add_worksheet(), document)?;
    about(workbook.add_worksheet(), document)?;
    workbook.save_to_buffer()
}

fn rows(sheet: &mut Worksheet, document: &Document) -> Result<(), XlsxError> {
    let bold = Style::new().set_bold();
    let plain = Style::new();
    let moments = Style::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    sheet.set_name("Report")?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, index) in document.columns.iter().zip(0_u16..) {
        sheet.write_string_with_format(0, index, column.name, &bold)?;
        let width = if column.kind == Kind::Text { 24.0 } else { 20.0 };
        sheet.set_column_width(index, width)?;
    }
    let last = document.totals.iter().map(|totals| (totals, &bold));
    let all = document.rows.iter().map(|row| (row, &plain)).chain(last);
    for ((row, style), number) in all.zip(1_u32..) {
        for (cell, index) in row.iter().zip(0_u16..) {
            match cell {
                Cell::Null => {}
                Cell::Text(text) => drop(sheet.write_string_with_format(number, index, short(text), style)?),
                #[expect(clippy::cast_precision_loss, reason = "a workbook has no other numbers")]
                Cell::Integer(value) => drop(sheet.write_number_with_format(number, index, *value as f64, style)?),
                Cell::Amount(amount) => {
                    sheet.write_number_with_format(number, index, amount.as_f64(), style)?;
                }
                Cell::Time(moment) => match ExcelDateTime::from_timestamp(moment.div_euclid(1_000_000)) {
                    Ok(moment) => drop(sheet.write_datetime_with_format(number, index, &moment, &moments)?),
                    Err(_) => drop(sheet.write_string(number, index, time(*moment))?),
                },
                Cell::Flag(flag) => drop(sheet.write_boolean_with_format(number, index, *flag, style)?),
            }
        }
    }
    Ok(())
}

fn about(sheet: &mut Worksheet, document: &Document) -> Result<(), XlsxError> {
    sheet.set_name("About")?;
    sheet.set_column_width(0, 24)?;
    sheet.set_column_width(1, 80)?;
    let mut lines = vec![
        ("report", document.name.to_owned()),
        ("position", document.position.clone()),
        ("as of", time(document.as_of)),
    ];
    lines.extend(document.parameters.iter().map(|(name, value)| (*name, value.clone())));
    lines.extend(document.notes.iter().map(|note| ("note", note.clone())));
    for ((name, value), number) in lines.iter().zip(0_u32..) {
        sheet.write_string(number, 0, *name)?;
        sheet.write_string(number, 1, short(value))?;
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}
