//! The crate's one error type.

/// Why the log could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The queue of waiting appends is full; try again shortly.
    #[error("the log is busy")]
    Busy,
    /// The disk is full. Nothing was written; it goes on when there is space again.
    #[error("no space is left for the log")]
    Full,
    /// Another process owns the directory, or it is not a log's.
    #[error("the log cannot be opened: {0}")]
    Open(String),
    /// The storage failed. Nothing of this append was acknowledged.
    #[error("the log's storage failed: {0}")]
    Storage(String),
    /// Kafka or PostgreSQL cannot be reached now. What was being appended may be in the log or not.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
    /// The log is shut down.
    #[error("the log is closed")]
    Closed,
}

const SQLITE_FULL: &str = "13";
/// `SQLITE_IOERR_WRITE`: what a write-ahead log answers when the file system has no block left.
const SQLITE_IOERR_WRITE: &str = "778";

impl From<sqlx::Error> for LogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database)
                if matches!(database.code().as_deref(), Some(SQLITE_FULL | SQLITE_IOERR_WRITE)) =>
            {
                Self::Full
            }
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::Unavailable(error.to_string())
            }
            sqlx::Error::Database(database) if database.code().is_some_and(|code| passes(&code)) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Storage(error.to_string()),
        }
    }
}

/// Classes of PostgreSQL's conditions that go by without anyone's doing: lost connections, transactions that met
/// others, scarce resources, a server that restarts; and time-outs of statements and locks.
fn passes(code: &str) -> bool {
    ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || code == "55P03"
}

impl From<rdkafka::error::KafkaError> for LogError {
    fn from(error: rdkafka::error::KafkaError) -> Self {
        use rdkafka::error::{KafkaError, RDKafkaErrorCode};
        match &error {
            KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => Self::Busy,
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => Self::Open(error.to_string()),
            _ => Self::Unavailable(format!("Kafka: {error}")),
        }
    }
}

impl From<fjall::Error> for LogError {
    fn from(error: fjall::Error) -> Self {
        match &error {
            fjall::Error::Io(cause) | fjall::Error::Storage(fjall::LsmError::Io(cause))
                if cause.kind() == std::io::ErrorKind::StorageFull =>
            {
                Self::Full
            }
            _ => Self::Storage(format!("identity index: {error}")),
        }
    }
}
