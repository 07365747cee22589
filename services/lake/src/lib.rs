//! The lake: every event as a row of a Delta Lake table, and the questions auditors ask of it.
//!
//! ```text
//! log ──► tail (decoded batches in memory) ──► archiver ──► Parquet files + Delta commit
//!              └───────────────── one snapshot ─────────────────┘
//!                                     │
//!                       DataFusion table `events` ──► search, aggregate, SQL, export
//! ```
//!
//! * The tail follows the log's end and decodes each event once, into the columns of [`schema`]. A question
//!   asked now first brings the tail up to the log's head, so an acknowledged event is in the next answer.
//! * The archiver sorts the oldest part of the tail by time, writes one Parquet file per date and commits
//!   them to the Delta table together with the last position they contain (an application transaction), so
//!   every event is in the table exactly once wherever the process dies.
//! * A snapshot is the table's files up to the watermark and the tail beyond it, taken together; a commit
//!   moves rows from one to the other in one step.
//! * Compaction merges the small files of a date; replaced files stay on disk until no running question can
//!   need them.

mod aggregate;
mod archiver;
mod compaction;
mod delta;
mod encode;
mod engine;
mod error;
mod export;
mod expressions;
mod files;
mod functions;
mod handle;
mod schema;
mod search;
mod snapshot;
mod sql;
mod table;
mod tail;

pub use aggregate::{AggregateRequest, AggregateResult, Bucket, rows};
pub use error::LakeError;
pub use export::ExportRequest;
pub use handle::{Lake, LakeOptions, LakeStatus};
pub use schema::{COLUMNS, events_schema};
pub use search::{Cursor, Hit, SearchPage, SearchRequest};
pub use sql::{SqlLimits, SqlStream};

#[cfg(test)]
mod tests;
