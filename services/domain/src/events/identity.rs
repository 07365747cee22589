//! Users, groups, roles, organizations, API tokens and sign-ins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use crate::catalogue::event_types;
use crate::time::Timestamp;

event_types! {
    /// What happened to identities.
    pub enum IdentityEvent {
        /// A person got an account.
        "user.created" v 1 "create" => UserCreated(UserCreated),
        /// Attributes of a user changed.
        "user.updated" v 1 "write" => UserUpdated(UserUpdated),
        /// A user lost access, reversibly.
        "user.suspended" v 1 "write" => UserSuspended(Bare),
        /// A suspended user got access back.
        "user.reactivated" v 1 "write" => UserReactivated(Bare),
        /// An account was removed.
        "user.deleted" v 1 "delete" => UserDeleted(Bare),
        /// Someone signed in.
        "user.login.succeeded" v 1 "login" => UserLoginSucceeded(LoginSucceeded),
        /// A sign-in did not succeed.
        "user.login.failed" v 1 "login" => UserLoginFailed(LoginFailed),
        /// Someone signed out.
        "user.logout" v 1 "logout" => UserLogout(Bare),
        /// An API token was issued.
        "token.created" v 1 "create" => TokenCreated(TokenCreated),
        /// An API token was withdrawn.
        "token.revoked" v 1 "delete" => TokenRevoked(Bare),
        /// A request was refused for its credentials or their scope.
        "token.refused" v 1 "login" => TokenRefused(TokenRefused),
        /// A group was made.
        "group.created" v 1 "create" => GroupCreated(GroupCreated),
        /// Attributes of a group changed.
        "group.updated" v 1 "write" => GroupUpdated(GroupUpdated),
        /// A group was removed.
        "group.deleted" v 1 "delete" => GroupDeleted(Bare),
        /// A user joined a group.
        "group.member.added" v 1 "write" => GroupMemberAdded(GroupMember),
        /// A user left a group.
        "group.member.removed" v 1 "write" => GroupMemberRemoved(GroupMember),
        /// A role was given.
        "role.assigned" v 1 "write" => RoleAssigned(RoleGrant),
        /// A role was taken away.
        "role.revoked" v 1 "write" => RoleRevoked(RoleGrant),
        /// An organization was made.
        "organization.created" v 1 "create" => OrganizationCreated(Organization),
        /// An organization changed.
        "organization.updated" v 1 "write" => OrganizationUpdated(Organization),
    }
}

/// Payload of `user.created`; the resource is the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserCreated {
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub display_name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub email: Option<String>,
    /// Deployment-wide roles from the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Login name.
    #[schemars(extend("x-personal" = true))]
    pub username: String,
}

/// Payload of `user.updated`: the attributes that have a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserUpdated {
    /// New full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub display_name: Option<String>,
    /// New e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub email: Option<String>,
    /// New login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub username: Option<String>,
}

/// Payload of `user.login.succeeded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginSucceeded {
    /// `password`, `publickey`, `oidc`, …
    pub method: String,
    /// Host or application signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Payload of `user.login.failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginFailed {
    /// `password`, `publickey`, `oidc`, …
    pub method: String,
    /// Host or application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The account does not exist.
    #[serde(default)]
    pub unknown_user: bool,
}

/// Payload of `token.created`; the resource is the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCreated {
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub name: String,
    /// `ingest`, `read`, `admin`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Lower-case hex SHA-256 of the secret; the secret itself is nowhere.
    pub secret_sha256: String,
}

/// Payload of `token.refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRefused {
    /// HTTP method of the refused request.
    pub method: String,
    /// Scope that was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<String>,
    /// Path of the refused request.
    pub path: String,
}

/// Payload of `group.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupCreated {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Unique name in its organization.
    pub name: String,
    /// Daily credits each member gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_allowance: Option<u32>,
}

/// Payload of `group.updated`: the attributes that have a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupUpdated {
    /// New name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New daily credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_allowance: Option<u32>,
}

/// Payload of `group.member.added` and `.removed`; the resource is the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMember {
    /// Who joined or left.
    pub user_id: String,
    /// Their login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub user_name: Option<String>,
}

/// Payload of `role.assigned` and `.revoked`; the resource is the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleGrant {
    /// Organization it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Role name.
    pub role: String,
}

/// Payload of `organization.created` and `.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organization {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Unique name.
    pub name: String,
}
