//! Templates, their versions and who may use them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;
use crate::templates::TemplateSettings;

event_types! {
    /// What happened to templates.
    pub enum TemplateEvent {
        /// A template was made.
        "template.created" v 1 "create" => TemplateCreated(TemplateAttributes),
        /// Attributes of a template changed.
        "template.updated" v 1 "write" => TemplateUpdated(TemplateAttributes),
        /// A template should no longer be used.
        "template.deprecated" v 1 "write" => TemplateDeprecated(Deprecation),
        /// A template was removed.
        "template.deleted" v 1 "delete" => TemplateDeleted(Bare),
        /// A version of a template was uploaded.
        "template.version.pushed" v 1 "create" => TemplateVersionPushed(VersionPushed),
        /// A version became the active one.
        "template.version.promoted" v 1 "write" => TemplateVersionPromoted(VersionReference),
        /// A version was put away.
        "template.version.archived" v 1 "write" => TemplateVersionArchived(VersionReference),
        /// Someone may use or administer a template.
        "template.access.granted" v 1 "write" => TemplateAccessGranted(TemplateAccess),
        /// Someone may no longer use or administer a template.
        "template.access.revoked" v 1 "write" => TemplateAccessRevoked(TemplateAccess),
    }
}

/// Payload of `template.created` and `.updated`: the attributes that have a (new) value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateAttributes {
    /// What it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Unique name in its organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The rules that its workspaces live by, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<TemplateSettings>,
}

/// Payload of `template.deprecated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deprecation {
    /// What to use instead.
    pub message: String,
}

/// Payload of `template.version.pushed`; the resource is the template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionPushed {
    /// Why, from whoever pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Digest of the archive.
    pub sha256: String,
    /// Size of the archive.
    pub size_bytes: u64,
    /// Version id.
    pub version_id: String,
    /// Version name.
    pub version_name: String,
}

/// Payload of `template.version.promoted` and `.archived`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionReference {
    /// Version id.
    pub version_id: String,
    /// Version name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
}

/// Payload of `template.access.granted` and `.revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateAccess {
    /// `use` or `admin`.
    pub permission: String,
    /// User or group id.
    pub subject_id: String,
    /// `user` or `group`.
    pub subject_kind: String,
    /// Name of the user or group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub subject_name: Option<String>,
}
