//! Payloads of the group and role events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::time::Timestamp;

/// Payload of `group.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupCreated {
    /// All SCIM attributes of the group after the event, by canonical name, extensions under their URN; without `id`,
    /// `meta`, `schemas`, `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Id of the connection that provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// It is the group of everyone in its organization, whose members nobody chooses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everyone: bool,
    /// Unique name in its organization.
    pub name: String,
    /// Daily credits each member gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_allowance: Option<u32>,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
}

/// Payload of `group.updated`: the attributes that have a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupUpdated {
    /// All SCIM attributes of the group after the event, by canonical name, extensions under their URN; without `id`,
    /// `meta`, `schemas`, `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Id of the connection that provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// New name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New daily credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_allowance: Option<u32>,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
}

/// Payload of `group.member.added` and `.removed`; the resource is the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMember {
    /// It came with a value that a connection maps to groups, and goes with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_attribute: bool,
    /// When the membership ends by itself; it counts no more from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether the member is a user or a group; absent means a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_kind: Option<MemberKind>,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
    /// Who joined or left: the id of a user, or of a group.
    pub user_id: String,
    /// Their login name, or the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub user_name: Option<String>,
}

/// What a member of a group is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A user.
    #[default]
    User,
    /// A group inside the group.
    Group,
}

impl MemberKind {
    /// Its JSON name, also the kind of its resource.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Group].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Payload of `role.assigned` and `.revoked`; the resource is the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleGrant {
    /// It came with a group that a connection maps to roles, and goes with the last such group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_group: bool,
    /// Organization it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Role name.
    pub role: String,
}

/// Payload of `role.defined`; the resource is the role, known by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleDefinition {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Unique name.
    pub name: String,
    /// What it allows, such as `workspace.read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}
