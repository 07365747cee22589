//! The crate's one error type.

use chancery_log::LogError;
use datafusion::error::DataFusionError;

/// Why the lake could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The question is not one the lake can answer; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// It took longer than allowed.
    #[error("the query took longer than {0} seconds")]
    TimedOut(u64),
    /// It needs more memory than allowed.
    #[error("the query needs more memory than it may use; narrow it by time or by a filter")]
    Memory,
    /// The lake is behind the log and cannot answer truthfully now.
    #[error("the lake is behind the log: {0}")]
    Unavailable(String),
    /// The table or a file of it failed.
    #[error("the lake's storage failed: {0}")]
    Storage(String),
}

impl From<DataFusionError> for LakeError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Memory,
            DataFusionError::SQL(parse, _) => Self::Invalid(parse.to_string()),
            DataFusionError::Plan(reason) | DataFusionError::Execution(reason) => Self::Invalid(reason.clone()),
            DataFusionError::SchemaError(reason, _) => Self::Invalid(reason.to_string()),
            DataFusionError::NotImplemented(reason) => Self::Invalid(format!("not supported: {reason}")),
            DataFusionError::ArrowError(reason, _) => Self::Invalid(reason.to_string()),
            other => Self::Storage(other.to_string()),
        }
    }
}

impl From<deltalake::DeltaTableError> for LakeError {
    fn from(error: deltalake::DeltaTableError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<object_store::Error> for LakeError {
    fn from(error: object_store::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<parquet::errors::ParquetError> for LakeError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<arrow::error::ArrowError> for LakeError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<std::io::Error> for LakeError {
    fn from(error: std::io::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<LogError> for LakeError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
