//! Coder's audit log and connection log.

mod audit;
mod connections;
mod record;

pub(crate) use audit::audit;
pub(crate) use connections::connection;

/// The system these events come from. Coder's ids are UUIDs, so deployments need no names of their own.
const SOURCE: &str = "coder";
/// What Coder writes where there is no id.
const NIL: &str = "00000000-0000-0000-0000-000000000000";
