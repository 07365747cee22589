//! Current state, folded from the log into SQL tables, on SQLite or PostgreSQL.
//!
//! State is derived and never the truth: every table below is the result of applying the log's events in
//! order, starting from nothing. The database carries how far each partition has been folded, in the same transaction
//! as the rows, so a crash at any moment only means that a few events are folded again from there, and of two nodes that
//! fold the same events one succeeds. An event changes rows of its own stream only, so partitions fold in any order.
//!
//! An event of another system touches nothing that Chancery's own events have made, and gives no access: rows know
//! whose they are (`own`), and tokens, connections, roles' meanings and policies are taken from own events alone.
//!
//! * [`State`] reads: users, groups, members, roles, connections, policies, templates, workspaces, sessions, tokens,
//!   dead letters.
//! * [`Projector`] is the consumer that folds; [`apply`](mod@apply) is the one `apply(event)`.
//! * [`Decisions`] decide: they wait until the state has seen the log's head, decide on it, append on the
//!   condition that the stream has not moved, and wait until the state has seen the result.
//! * [`rebuild`] folds the whole log into fresh tables and reports every difference to the live ones.

mod apply;
mod builds;
mod database;
mod decisions;
mod directory;
mod due;
mod error;
mod logs;
mod projector;
mod queries;
mod quotas;
mod rebuild;
mod runners;
mod sessions;
mod state;
mod states;
mod templates;
mod tokens;
mod usage;
mod work;
mod workspaces;

pub use builds::{QueuedJob, WorkspaceLife};
pub use database::{Database, GENERATION};
pub use decisions::{CommandError, DecisionError, Decisions};
pub use directory::{Named, Person};
pub use error::StateError;
pub use logs::{Arrived, Chunk, OpenLog};
pub use projector::Projector;
pub use queries::{ConsumerStatus, ResourceKind, Wanted, Within};
pub use quotas::{LedgerRow, Subject, zone};
pub use rebuild::{Difference, RebuildReport, rebuild};
pub use sessions::Whose;
pub use state::State;
pub use states::Reported;
pub use usage::UsagePeriod;
pub use work::{Failure, Making, Permit, Reaped, Rounds};

#[cfg(test)]
mod tests;
