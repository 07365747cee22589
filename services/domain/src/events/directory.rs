//! Connections of identity providers, and what these push.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Bare;
use crate::attributes::Attributes;
use crate::catalogue::event_types;

event_types! {
    /// What identity providers do.
    pub enum DirectoryEvent {
        /// An identity provider was connected.
        "connection.created" v 1 "create" => ConnectionCreated(Connection),
        /// The settings of a connection changed.
        "connection.updated" v 1 "write" => ConnectionUpdated(Connection),
        /// An identity provider was disconnected.
        "connection.deleted" v 1 "delete" => ConnectionDeleted(Bare),
        /// A resource of a custom type was made.
        "directory.resource.created" v 1 "create" => DirectoryResourceCreated(DirectoryResource),
        /// Attributes of a resource of a custom type changed.
        "directory.resource.updated" v 1 "write" => DirectoryResourceUpdated(DirectoryResource),
        /// A resource of a custom type was removed.
        "directory.resource.deleted" v 1 "delete" => DirectoryResourceDeleted(DirectoryResource),
        /// A request of an identity provider changed nothing.
        "directory.request.unchanged" v 1 "write" => DirectoryRequestUnchanged(RequestUnchanged),
        /// A request of an identity provider was refused.
        "directory.request.refused" v 1 "write" => DirectoryRequestRefused(RequestRefused),
        /// Two connections claim the same name.
        "directory.conflict.found" v 1 "write" => DirectoryConflictFound(DirectoryConflict),
    }
}

/// Payload of `connection.created` and `.updated`: all settings. The resource is the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Whether it takes over users and groups of the same name that no connection provisions.
    #[serde(default)]
    pub adopt_unmanaged: bool,
    /// What happens to a user the provider deletes.
    #[serde(default)]
    pub deletion: Deletion,
    /// Report what requests would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Roles that come with a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_mappings: Vec<GroupMapping>,
    /// Whether administrators may choose members of its groups, beside the provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub members_by_hand: bool,
    /// Attribute mappings, as the SCIM service reads them.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub mappings: Value,
    /// Unique name.
    pub name: String,
    /// Names of the organizations it may touch; the first is home to what it makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// Compatibility profile, as the SCIM service reads it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub profile: Value,
    /// What a suspension entails.
    #[serde(default)]
    pub suspension: Suspension,
}

/// Roles that come with membership in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMapping {
    /// Name of the group, in any case.
    pub group: String,
    /// The roles.
    #[serde(default)]
    pub roles: Vec<MappedRole>,
}

/// A role that comes with a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MappedRole {
    /// Organization it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Role name.
    pub role: String,
}

/// What the suspension of a user entails. Everything, unless switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suspension {
    /// Sessions into workspaces end.
    #[serde(default = "yes")]
    pub end_sessions: bool,
    /// Tokens, browser sessions among them, stop working.
    #[serde(default = "yes")]
    pub revoke_tokens: bool,
    /// Workspaces are stopped and do not start by themselves.
    #[serde(default = "yes")]
    pub stop_workspaces: bool,
}

impl Default for Suspension {
    fn default() -> Self {
        Self { end_sessions: true, revoke_tokens: true, stop_workspaces: true }
    }
}

fn yes() -> bool {
    true
}

/// What happens to a user whom an identity provider deletes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// Suspended, for good.
    #[default]
    Suspend,
    /// Deleted at once.
    Delete,
    /// Suspended, and deleted after so many days.
    AfterDays(u32),
}

/// Payload of `directory.resource.*`; the resource's kind is its type's name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DirectoryResource {
    /// All its attributes after the event, by canonical name; none when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub attributes: Option<Attributes>,
    /// Id of the connection that provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Name of its SCIM resource type, such as `Device`.
    pub resource_type: String,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
}

/// Payload of `directory.request.unchanged`; the resource is what the request was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestUnchanged {
    /// HTTP method.
    pub method: String,
    /// Path below the SCIM base.
    pub path: String,
    /// Why nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of the SCIM resource type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
}

/// Payload of `directory.request.refused`; the resource is what the request was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestRefused {
    /// Why, as the provider was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path below the SCIM base.
    pub path: String,
    /// SCIM's name of the error (RFC 7644, 3.12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<String>,
    /// HTTP status of the answer.
    pub status: u16,
}

/// Payload of `directory.conflict.found`; the resource is the connection that came later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DirectoryConflict {
    /// The attribute both claim, such as `userName`.
    pub attribute: String,
    /// Id of the connection that has it; none when no connection provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_connection: Option<String>,
    /// Id of the resource that has it.
    pub other_id: String,
    /// The contested value.
    #[schemars(extend("x-personal" = true))]
    pub value: String,
}
