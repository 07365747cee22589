//! Users, groups, roles, organizations, API tokens and sign-ins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bare;
use super::groups::{GroupCreated, GroupMember, GroupUpdated, RoleDefinition, RoleGrant};
use super::tokens::{TokenCreated, TokenRotated};
use crate::attributes::Attributes;
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
        "user.suspended" v 1 "write" => UserSuspended(UserSuspended),
        /// A suspended user got access back.
        "user.reactivated" v 1 "write" => UserReactivated(Notice),
        /// An account was removed.
        "user.deleted" v 1 "delete" => UserDeleted(Notice),
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
        /// An API token got a successor and stops working after a time of overlap.
        "token.rotated" v 1 "write" => TokenRotated(TokenRotated),
        /// An API token was used; said at most every ten minutes.
        "token.used" v 1 "login" => TokenUsed(Bare),
        /// A request was refused for its credentials or their scope.
        "token.refused" v 1 "login" => TokenRefused(TokenRefused),
        /// A group was made.
        "group.created" v 1 "create" => GroupCreated(GroupCreated),
        /// Attributes of a group changed.
        "group.updated" v 1 "write" => GroupUpdated(GroupUpdated),
        /// A group was removed.
        "group.deleted" v 1 "delete" => GroupDeleted(Notice),
        /// A user or group joined a group.
        "group.member.added" v 1 "write" => GroupMemberAdded(GroupMember),
        /// A user or group left a group.
        "group.member.removed" v 1 "write" => GroupMemberRemoved(GroupMember),
        /// A role was given.
        "role.assigned" v 1 "write" => RoleAssigned(RoleGrant),
        /// A role was taken away.
        "role.revoked" v 1 "write" => RoleRevoked(RoleGrant),
        /// A custom role got its meaning, for the first time or anew.
        "role.defined" v 1 "write" => RoleDefined(RoleDefinition),
        /// A custom role stopped to exist.
        "role.withdrawn" v 1 "delete" => RoleWithdrawn(Bare),
        /// An organization was made.
        "organization.created" v 1 "create" => OrganizationCreated(Organization),
        /// An organization changed.
        "organization.updated" v 1 "write" => OrganizationUpdated(Organization),
    }
}

/// Payload of `user.created`; the resource is the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserCreated {
    /// All SCIM attributes of the user after the event, by canonical name, extensions under their URN; without `id`,
    /// `meta`, `schemas`, `groups` and passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub attributes: Option<Attributes>,
    /// Id of the connection that provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
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
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
    /// Login name.
    #[schemars(extend("x-personal" = true))]
    pub username: String,
}

/// Payload of `user.updated`: the attributes that have a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserUpdated {
    /// All SCIM attributes of the user after the event, by canonical name, extensions under their URN; without `id`,
    /// `meta`, `schemas`, `groups` and passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub attributes: Option<Attributes>,
    /// Id of the connection that provisions it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// New full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub display_name: Option<String>,
    /// New e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub email: Option<String>,
    /// New home organization. The event itself is in the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
    /// New login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub username: Option<String>,
}

/// Payload of `user.suspended`; the resource is the user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserSuspended {
    /// When the account is to be removed for good, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_at: Option<Timestamp>,
    /// The identity provider has deleted the account and sees it no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
}

/// Payload of `user.reactivated`, `user.deleted` and `group.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// SCIM event URI (RFC 9967).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_event: Option<String>,
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

/// Payload of `organization.created` and `.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organization {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Unique name.
    pub name: String,
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
