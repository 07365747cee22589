//! Runners, their keys and their jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;
use crate::time::Timestamp;

event_types! {
    /// What happened to runners and jobs.
    pub enum RunnerEvent {
        /// A runner key was issued.
        "runner.key.created" v 1 "create" => RunnerKeyCreated(RunnerKey),
        /// A runner key was withdrawn.
        "runner.key.revoked" v 1 "delete" => RunnerKeyRevoked(Bare),
        /// A runner introduced itself.
        "runner.registered" v 1 "register" => RunnerRegistered(Runner),
        /// A runner is there.
        "runner.connected" v 1 "connect" => RunnerConnected(Runner),
        /// A runner was not heard from.
        "runner.lost" v 1 "disconnect" => RunnerLost(Bare),
        /// A runner took a job.
        "job.acquired" v 1 "acquire" => JobAcquired(Job),
        /// A job is done.
        "job.completed" v 1 "complete" => JobCompleted(Job),
        /// A job went wrong.
        "job.failed" v 1 "complete" => JobFailed(Job),
        /// A job's lease ran out.
        "job.expired" v 1 "expire" => JobExpired(Job),
    }
}

/// Payload of `runner.key.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerKey {
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Key name.
    pub name: String,
    /// `key=value` tags its runners carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Payload of `runner.registered` and `.connected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runner {
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `key=value` tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Payload of every `job.*`; the resource is the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// How often it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How long it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Runner that holds or held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<String>,
    /// Workspace it builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
}
