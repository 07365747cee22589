//! The log: every event once, in one order per stream, durable before it is acknowledged, never changed.
//!
//! [`Log`] is the handle: append, read from any position, wait for more without polling. Behind it is one of two
//! engines, chosen by configuration:
//!
//! * [`embedded`]: the `journal` table of one SQLite file, one partition. A single writer task drains the queue of
//!   waiting appends into one transaction (group commit) and acknowledges after SQLite has synced it. Beside the
//!   journal stands an index from `(source, id)` to position and from stream to version, derived from it.
//! * [`kafka`]: a topic of many partitions, keyed by stream, and a PostgreSQL database beside it. Observations are
//!   produced directly; decisions go through an outbox whose relay publishes them exactly once. *Admission* reads each
//!   partition in order and refuses what has come before: an event is in the log when it is admitted, and what every
//!   reader sees is the admitted sequence.
//!
//! A decision is appended as a whole or not at all, and only if no other decision has touched its [`Keys`] since it was
//! begun: [`Log::consider`], then decide, then [`Log::decide`].
//!
//! A [`Position`] is a partition and a place in it; a [`Frontier`] is how far along every partition something is.
//! [`consume`] drives a [`Consumer`] from its own checkpoints over the partitions that are assigned to this process;
//! events it cannot take are parked in [`DeadLetters`] with the reason, and the rest goes on.
//!
//! Invariants: what [`Log::append`] returned as created is durable; no two events share `(source, id)`; the versions of
//! a stream that decisions are taken on are dense from 1; the order of a stream is the order of its positions.

mod consumer;
mod decision;
mod embedded;
mod error;
mod handle;
mod kafka;
mod position;
mod recent;
mod rejection;

pub use consumer::{ConsumeError, Consumer, DeadLetter, DeadLetters, consume};
pub use decision::{Decided, Keys, Ticket};
pub use embedded::LogOptions;
pub use error::LogError;
pub use handle::{Appended, Assignment, Clock, Log, Page, Recorded, system_clock};
pub use kafka::{Cluster, ClusterStatus, KafkaLogOptions, NodeStatus, PartitionStatus, Role};
pub use position::{Frontier, FrontierError, MAX_PARTITIONS, Position, partition, place, position};
pub use rejection::rejection;

#[cfg(test)]
mod tests;
