//! What a report is written as. No format carries the time at which it was written.

mod csv;
mod json;
mod parquet;
mod xlsx;

use std::str::FromStr;

use crate::Document;

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object with the rows and all that has to be said about them.
    Json,
    /// The rows.
    Csv,
    /// The rows; position and parameters are in the metadata of the file.
    Parquet,
    /// A workbook with the rows, and a sheet about them.
    Xlsx,
}

/// Why a report cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no such format.
    #[error("`format` is json, csv, parquet or xlsx, not `{0}`")]
    Unknown(String),
    /// A workbook has a bound.
    #[error("a workbook has at most 1048000 rows; ask for csv or parquet")]
    TooLong,
    /// A defect.
    #[error("{0}")]
    Internal(String),
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            "xlsx" => Ok(Self::Xlsx),
            other => Err(FormatError::Unknown(other.to_owned())),
        }
    }
}

impl Format {
    /// Its name, also that of its files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Writes a report.
    pub fn write(self, document: &Document) -> Result<Vec<u8>, FormatError> {
        match self {
            Self::Json => Ok(json::write(document)),
            Self::Csv => Ok(csv::write(document)),
            Self::Parquet => parquet::write(document),
            Self::Xlsx => xlsx::write(document),
        }
    }
}

#[cfg(test)]
mod tests;
