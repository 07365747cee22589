//! Questions about the audit trail. Each is asked for what its caller may see.

pub(crate) mod aggregate;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod formats;
pub(crate) mod sql;
pub(crate) mod tail;

use chancery_filter::{Context, Filter};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Reads the filter of a request.
fn filter(gateway: &Gateway, caller: &Caller, query: Option<&str>) -> Result<Option<Filter>, ApiError> {
    let Some(query) = query.filter(|query| !query.trim().is_empty()) else { return Ok(None) };
    let context = Context { me: caller.actor.name.clone(), ..Context::new(gateway.now()) };
    Filter::parse(query, &context).map(Some).map_err(|error| ApiError::filter(query, &error))
}

/// A canonical event as JSON text with its position in front.
fn with_position(position: u64, event: &str) -> String {
    match event.strip_prefix('{') {
        Some(members) if members.len() > 1 => format!("{{\"position\":{position},{members}"),
        _ => event.to_owned(),
    }
}
