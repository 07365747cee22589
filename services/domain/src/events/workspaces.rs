//! Workspaces and their builds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use super::builds::{BuildLog, BuildOutput, BuildResource};
use super::states::{StateLock, StateReference, StateWritten};
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
        /// A dormant workspace was woken.
        "workspace.woken" v 1 "write" => WorkspaceWoken(Bare),
        /// A workspace got another name.
        "workspace.renamed" v 1 "write" => WorkspaceRenamed(Renamed),
        /// A workspace got a schedule, or lost it.
        "workspace.schedule.set" v 1 "write" => WorkspaceScheduleSet(ScheduleSet),
        /// Someone works in a workspace.
        "workspace.used" v 1 "use" => WorkspaceUsed(Bare),
        /// Someone asked for a build.
        "workspace.build.requested" v 1 "build" => WorkspaceBuildRequested(Build),
        /// A build was refused.
        "workspace.build.rejected" v 1 "build" => WorkspaceBuildRejected(Build),
        /// A build waits for a runner.
        "workspace.build.queued" v 1 "build" => WorkspaceBuildQueued(Build),
        /// A build whose runner was lost waits for another one.
        "workspace.build.requeued" v 1 "build" => WorkspaceBuildRequeued(Build),
        /// A runner began a build.
        "workspace.build.started" v 1 "build" => WorkspaceBuildStarted(Build),
        /// Terraform's plan is known.
        "workspace.build.planned" v 1 "build" => WorkspaceBuildPlanned(Build),
        /// A build began to change resources.
        "workspace.build.apply-started" v 1 "build" => WorkspaceBuildApplyStarted(Build),
        /// A build in progress was told to end.
        "workspace.build.cancel-requested" v 1 "cancel" => WorkspaceBuildCancelRequested(Build),
        /// A build is done.
        "workspace.build.succeeded" v 1 "build" => WorkspaceBuildSucceeded(Build),
        /// A build went wrong.
        "workspace.build.failed" v 1 "build" => WorkspaceBuildFailed(Build),
        /// A build was stopped.
        "workspace.build.canceled" v 1 "build" => WorkspaceBuildCanceled(Build),
        /// The log of a build that had ended before was closed.
        "workspace.build.log-closed" v 1 "write" => WorkspaceBuildLogClosed(Build),
        /// A version of a workspace's Terraform state was written.
        "workspace.state.written" v 1 "write" => WorkspaceStateWritten(StateWritten),
        /// A workspace's Terraform state was read.
        "workspace.state.read" v 1 "read" => WorkspaceStateRead(StateReference),
        /// An earlier version of a workspace's Terraform state was put in the place of the last one.
        "workspace.state.restored" v 1 "write" => WorkspaceStateRestored(StateWritten),
        /// Someone locked a workspace's Terraform state.
        "workspace.state.locked" v 1 "lock" => WorkspaceStateLocked(StateLock),
        /// Who had locked it has unlocked it.
        "workspace.state.unlocked" v 1 "unlock" => WorkspaceStateUnlocked(StateLock),
        /// A lock of a workspace's Terraform state was broken by someone else.
        "workspace.state.lock.broken" v 1 "unlock" => WorkspaceStateLockBroken(StateLock),
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

/// Payload of `workspace.renamed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renamed {
    /// Name before.
    pub from: String,
    /// Name from now on.
    pub to: String,
}

/// Payload of `workspace.schedule.set`: what is absent is not scheduled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleSet {
    /// When it starts by itself: five fields of cron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autostart: Option<String>,
    /// Time zone of `autostart`, such as `Europe/Berlin`; UTC without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How long it runs after a start; 0 for until someone stops it. What the template says, without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

/// Payload of every `workspace.build.*`; the resource is the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Whether it had begun to change resources when it failed or was canceled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<bool>,
    /// How often runners have begun it, this time included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
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
    /// The end of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<BuildLog>,
    /// The template's outputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, BuildOutput>,
    /// Values of the template's variables that it is built with; never those of secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, String>>,
    /// What there will be, when it is planned; what there is, when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<BuildResource>>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_left_out: Option<u64>,
    /// After a failure or cancellation: some of its resources may still run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_remain: Option<bool>,
    /// Runner that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<String>,
    /// Tags that a runner must have to carry it out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Id of the template version built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<String>,
    /// What the build does.
    pub transition: Transition,
    /// Addresses of resources whose costs nobody knows. They are not in `daily_cost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

impl Build {
    /// A build of which nothing else is said.
    pub const fn new(build_number: u32, transition: Transition) -> Self {
        Self {
            applied: None,
            attempt: None,
            build_number,
            cause: None,
            daily_cost: None,
            duration_ms: None,
            error: None,
            job_id: None,
            log: None,
            outputs: BTreeMap::new(),
            parameters: None,
            resources: None,
            resources_left_out: None,
            resources_remain: None,
            runner_id: None,
            tags: BTreeMap::new(),
            template_version: None,
            transition,
            unknown: Vec::new(),
        }
    }
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

    /// Looks a transition up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Start, Self::Stop, Self::Delete].into_iter().find(|transition| transition.as_str() == name)
    }
}
