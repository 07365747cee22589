//! Terraform states of workspaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Payload of `workspace.state.written` and `.restored`; the resource is the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateWritten {
    /// SHA-256 of what is kept: the state, encrypted.
    pub blob: String,
    /// Number of the build that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u32>,
    /// The job that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Id of the key that encrypts the key of this version.
    pub key_id: String,
    /// Terraform's id of the line of states that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// How many resources are in it.
    #[serde(default)]
    pub resources: u64,
    /// The version that it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<u64>,
    /// Terraform's own count.
    pub serial: u64,
    /// SHA-256 of the state.
    pub sha256: String,
    /// Bytes of the state.
    pub size: u64,
    /// Version of Terraform that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform_version: Option<String>,
    /// Dense count within the workspace, from 1.
    pub version: u64,
}

/// Payload of `workspace.state.read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateReference {
    /// The job that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// SHA-256 of the state.
    pub sha256: String,
    /// The version.
    pub version: u64,
}

/// Payload of `workspace.state.locked`, `.unlocked` and `.lock.broken`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateLock {
    /// The job that has or had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Terraform's id of the lock.
    pub lock_id: String,
    /// What it is locked for, such as `OperationTypeApply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Who has locked it, as Terraform says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub who: Option<String>,
}
