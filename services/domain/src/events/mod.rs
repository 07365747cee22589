//! The event types, one module per area. Payloads only grow; a breaking change is a new version with an
//! upcaster in [`crate::upcast`].

pub mod audit;
pub mod builds;
pub mod directory;
pub mod groups;
pub mod identity;
pub mod nodes;
pub mod policy;
pub mod quotas;
pub mod runners;
pub mod sessions;
pub mod states;
pub mod templates;
pub mod tokens;
pub mod workspaces;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A payload without members of its own: the envelope says it all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bare {}
