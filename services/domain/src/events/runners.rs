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
        /// A runner key got a successor.
        "runner.key.rotated" v 1 "write" => RunnerKeyRotated(RunnerKeyRotated),
        /// A runner was registered with a runner key.
        "runner.key.used" v 1 "use" => RunnerKeyUsed(RunnerKeyUsed),
        /// A runner key was withdrawn.
        "runner.key.revoked" v 1 "delete" => RunnerKeyRevoked(Bare),
        /// A runner introduced itself.
        "runner.registered" v 1 "register" => RunnerRegistered(Runner),
        /// A runner signs with another key pair from now on.
        "runner.identity.rotated" v 1 "write" => RunnerIdentityRotated(RunnerIdentity),
        /// A runner is there.
        "runner.connected" v 1 "connect" => RunnerConnected(Runner),
        /// A runner was not heard from.
        "runner.lost" v 1 "disconnect" => RunnerLost(Bare),
        /// A runner may not do anything any more.
        "runner.revoked" v 1 "delete" => RunnerRevoked(Bare),
        /// A runner was stopped: a replayed or wrongly signed request, or one for what is not its own.
        "runner.refused" v 1 "use" => RunnerRefused(RunnerRefused),
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

/// Payload of `runner.key.created`; the resource is the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerKey {
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Key name.
    pub name: String,
    /// It registers one runner only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_time: bool,
    /// Id of the user whose workspaces alone its runners build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Id of the key that it succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// How long each of its runners is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_seconds: Option<u64>,
    /// Lower-case hex SHA-256 of its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_sha256: Option<String>,
    /// `key=value` tags its runners carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Payload of `runner.key.rotated`; the resource is the key that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerKeyRotated {
    /// When the old one stops working.
    pub expires_at: Timestamp,
    /// Id of the successor.
    pub replaced_by: String,
}

/// Payload of `runner.key.used`; the resource is the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerKeyUsed {
    /// Id of the runner.
    pub runner_id: String,
}

/// Payload of `runner.registered` and `.connected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runner {
    /// When it is no longer accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Id of the runner key that it was registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Id of the user whose workspaces alone it builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The public half of its key pair: 32 bytes of Ed25519 in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// `key=value` tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Payload of `runner.identity.rotated`; the resource is the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerIdentity {
    /// The public half of the new key pair: 32 bytes of Ed25519 in base64.
    pub public_key: String,
}

/// Payload of `runner.refused`; the resource is the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerRefused {
    /// HTTP method.
    pub method: String,
    /// Path asked for.
    pub path: String,
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
