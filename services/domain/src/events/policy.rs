//! Policies and settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;

event_types! {
    /// What happened to the rules.
    pub enum PolicyEvent {
        /// A policy version took effect.
        "policy.published" v 1 "write" => PolicyPublished(PolicyPublished),
        /// A policy stopped applying.
        "policy.withdrawn" v 1 "delete" => PolicyWithdrawn(Bare),
        /// A setting changed; the changes say how.
        "settings.changed" v 1 "write" => SettingsChanged(SettingsChanged),
    }
}

/// Payload of `policy.published`; the resource is the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyPublished {
    /// Digest of the policy's text.
    pub sha256: String,
    /// Its Cedar text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Version from 1.
    pub version: u64,
}

/// Payload of `settings.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsChanged {
    /// Which settings, such as `browser_only`.
    pub section: String,
    /// What they are now, all of the section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
}
