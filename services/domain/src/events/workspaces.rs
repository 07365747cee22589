//! Workspaces and their builds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;

event_types! {
    /// What happened to workspaces.
    pub enum WorkspaceEvent {
        /// A workspace was made.
        "workspace.created" v 1 "create" => WorkspaceCreated(WorkspaceCreated),
        /// A workspace was removed.
        "workspace.deleted" v 1 "delete" => WorkspaceDeleted(Bare),
        /// A workspace changed hands.
        "workspace.transferred" v 1 "write" => WorkspaceTransferred(Transfer),
        /// A workspace was put to rest for lack of use.
        "workspace.dormant" v 1 "write" => WorkspaceDormant(Bare),
        /// Someone asked for a build.
        "workspace.build.requested" v 1 "build" => WorkspaceBuildRequested(Build),
        /// A build was refused.
        "workspace.build.rejected" v 1 "build" => WorkspaceBuildRejected(Build),
        /// A build waits for a runner.
        "workspace.build.queued" v 1 "build" => WorkspaceBuildQueued(Build),
        /// A runner began a build.
        "workspace.build.started" v 1 "build" => WorkspaceBuildStarted(Build),
        /// Terraform's plan is known.
        "workspace.build.planned" v 1 "build" => WorkspaceBuildPlanned(Build),
        /// A build is done.
        "workspace.build.succeeded" v 1 "build" => WorkspaceBuildSucceeded(Build),
        /// A build went wrong.
        "workspace.build.failed" v 1 "build" => WorkspaceBuildFailed(Build),
        /// A build was stopped.
        "workspace.build.canceled" v 1 "build" => WorkspaceBuildCanceled(Build),
    }
}

/// Payload of `workspace.created`; the resource is the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceCreated {
    /// User id of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Values of the template's variables; never those of secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Template id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// Template name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
}

/// Payload of `workspace.transferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// Previous owner's name.
    #[schemars(extend("x-personal" = true))]
    pub from: String,
    /// New owner's name.
    #[schemars(extend("x-personal" = true))]
    pub to: String,
    /// New owner's user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_id: Option<String>,
}

/// Payload of every `workspace.build.*`; the resource is the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Dense count within the workspace, from 1.
    pub build_number: u32,
    /// `initiator`, `autostart`, `autostop`, `dormancy`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Credits per day, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cost: Option<u32>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Job that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// After a failure or cancellation: some of its resources may still run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_remain: Option<bool>,
    /// Id of the template version built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<String>,
    /// What the build does.
    pub transition: Transition,
}

/// What a build does to a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// Create or start its resources.
    Start,
    /// Stop them.
    Stop,
    /// Remove them.
    Delete,
}

impl Transition {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Delete => "delete",
        }
    }
}
