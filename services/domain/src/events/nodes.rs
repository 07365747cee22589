//! The nodes of a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::event_types;

event_types! {
    /// What happened to nodes; the resource is the node.
    pub enum NodeEvent {
        /// A node began to work, or is back after it was lost.
        "node.joined" v 1 "join" => NodeJoined(Node),
        /// A node stopped in order.
        "node.left" v 1 "leave" => NodeLeft(Node),
        /// A node was not heard from.
        "node.lost" v 1 "disconnect" => NodeLost(Node),
    }
}

/// Payload of every `node.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Where its API is reached.
    pub address: String,
    /// This run of its process.
    pub instance: String,
    /// What it does.
    pub roles: Vec<String>,
    /// Its version.
    pub version: String,
}
