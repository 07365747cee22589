//! The log: every event once, in one order, durable before it is acknowledged, never changed.
//!
//! In the embedded profile the log is the `journal` table of one SQLite file. A single writer task drains
//! the queue of waiting appends into one transaction (group commit) and acknowledges after SQLite has synced
//! it. Positions are dense from 1.
//!
//! * [`Log`] is the handle: append, read from any position, wait for more without polling.
//! * Beside the journal stands an index from `(source, id)` to position and from stream to version
//!   ([`fjall`], an LSM tree). It is derived: it may lag after a crash, is brought up to the journal's head on
//!   opening, and is rebuilt when it is lost. That keeps random-key index maintenance out of the transaction
//!   that has to be synced.
//! * [`consume`] drives a [`Consumer`] from its own checkpoint; events it cannot take are parked in
//!   [`DeadLetters`] with the reason, and the rest goes on.
//!
//! Invariants: what [`Log::append`] returned as created is on disk; no two events share `(source, id)`; the
//! versions of a stream are dense from 1; `recorded_at` never decreases along the log.

mod consumer;
mod error;
mod handle;
mod index;
mod journal;
mod recent;
mod writer;

pub use consumer::{ConsumeError, Consumer, DeadLetter, DeadLetters, consume};
pub use error::LogError;
pub use handle::{Appended, Clock, Log, LogOptions, Position, Recorded, system_clock};

#[cfg(test)]
mod tests;
