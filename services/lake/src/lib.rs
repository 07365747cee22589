//! The lake: every event as a row of a Delta Lake table, and the questions auditors ask of it.
//!
//! ```text
//! log ──► tail (decoded batches in memory) ──► archiver ──► Parquet files + Delta commit
//!              └───────────────── one snapshot ─────────────────┘
//!                                     │
//!                       DataFusion table `events` ──► search, aggregate, SQL, export
//! ```
//!
//! * The tail follows the ends of all partitions and decodes each event once, into the columns of [`schema`]. A
//!   question asked now first brings the tail up to everything acknowledged anywhere, so an acknowledged event is in
//!   the next answer, whichever node is asked.
//! * The archiver sorts the oldest part of the tail by time, writes one Parquet file per date and commits them to the
//!   Delta table together with the last position they contain of each partition (application transactions), so every
//!   event is in the table exactly once wherever a process dies. A commit is refused unless it begins where the table
//!   ends: which node archives which partition divides the work, and nothing depends on it.
//! * A snapshot is the table's files up to the watermark and the tail beyond it, taken together; a commit, of this node
//!   or seen of another, moves rows from one to the other in one step.
//! * Every question says for whom it is asked ([`Visibility`]). The rows it may see are chosen in the scan of the table,
//!   below all conditions of the question, so that no question however written reaches the others.
//! * [`Blobs`] are kept beside it: bytes that are known by their digest, such as the archives of templates.
//! * Compaction, on one node at a time, merges the small files of a date; replaced files stay until no running question
//!   can need them.

mod actions;
mod aggregate;
mod archiver;
mod blobs;
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
mod sink;
mod snapshot;
mod sql;
mod status;
mod store;
mod table;
mod tail;
mod visibility;
mod visible;

pub use aggregate::{AggregateRequest, AggregateResult, Bucket, rows};
pub use blobs::Blobs;
pub use error::LakeError;
pub use export::ExportRequest;
pub use handle::{Lake, LakeOptions};
pub use schema::{COLUMNS, events_schema};
pub use search::{Cursor, Hit, SearchPage, SearchRequest};
pub use sql::{SqlLimits, SqlStream};
pub use status::{LakePartition, LakeStatus};
pub use store::{Location, S3Options};
pub use visibility::Visibility;

#[cfg(test)]
mod tests;
