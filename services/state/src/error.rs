//! The crate's one error type.

/// Why state could not be read or folded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database failed.
    #[error("the state database failed")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought to this version.
    #[error("the state database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The log failed.
    #[error("the log failed")]
    Log(#[from] chancery_log::LogError),
    /// A file of the state could not be replaced.
    #[error("the state's files could not be replaced")]
    Files(#[from] std::io::Error),
    /// A row does not hold what its column promises.
    #[error("the state holds an unreadable row in {0}")]
    Row(&'static str),
    /// State has not seen the wanted position in time.
    #[error("the state is behind the log and did not catch up in time")]
    Behind,
}
