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
        /// A template may be used again.
        "template.undeprecated" v 1 "write" => TemplateUndeprecated(Bare),
        /// A template was removed.
        "template.deleted" v 1 "delete" => TemplateDeleted(Bare),
        /// A version of a template was uploaded.
        "template.version.pushed" v 1 "create" => TemplateVersionPushed(VersionPushed),
        /// Someone wants a version to become the active one, which takes a second person.
        "template.version.promotion.requested" v 1 "write" => TemplateVersionPromotionRequested(VersionReference),
        /// A version is not to become the active one after all.
        "template.version.promotion.withdrawn" v 1 "write" => TemplateVersionPromotionWithdrawn(VersionReference),
        /// A version became the active one.
        "template.version.promoted" v 1 "write" => TemplateVersionPromoted(VersionReference),
        /// A version was put away.
        "template.version.archived" v 1 "write" => TemplateVersionArchived(VersionReference),
        /// A version that was put away can be used again.
        "template.version.unarchived" v 1 "write" => TemplateVersionUnarchived(VersionReference),
        /// Someone may use or administer a template.
        "template.access.granted" v 1 "write" => TemplateAccessGranted(TemplateAccess),
        /// Someone may no longer use or administer a template.
        "template.access.revoked" v 1 "write" => TemplateAccessRevoked(TemplateAccess),
    }
}

/// Payload of `template.created` and `.updated`: the attributes that have a (new) value. An empty text is none.
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
    /// What its files declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<TemplateContents>,
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

/// What the Terraform files of a version declare.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateContents {
    /// Sum of the daily costs that `coder_metadata` resources declare, in credits; absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cost: Option<u32>,
    /// Some costs are not known before a plan: they are no literals, or of resources that are repeated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub daily_cost_partial: bool,
    /// Providers that it requires, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<RequiredProvider>,
    /// Versions of Terraform that it works with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_version: Option<String>,
    /// Its variables by name: what a workspace may choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<TemplateVariable>,
}

/// A provider that a template requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequiredProvider {
    /// Its name in the template.
    pub name: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which versions of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A variable of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateVariable {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// It has a default, which may be a secret and is not told.
    pub has_default: bool,
    /// Its name.
    pub name: String,
    /// It may be null.
    pub nullable: bool,
    /// Its value is not to be shown.
    pub sensitive: bool,
    /// Its type as it is written; any without.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub variable_type: Option<String>,
}

/// Payload of the events about a version that is there: promotion, its request and withdrawal, archiving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionReference {
    /// Id of whoever asked for the promotion, where it took two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub requested_by: Option<String>,
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
    /// User or group id; the organization's name for everyone in it.
    pub subject_id: String,
    /// `user`, `group` or `everyone`.
    pub subject_kind: String,
    /// Name of the user or group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub subject_name: Option<String>,
}
