//! What decisions read of the state: users, groups and all that identity providers and administrators change.

use crate::attributes::Attributes;
use crate::event::Resource;
use crate::events::directory::{Connection, MappedRole};
use crate::events::groups::MemberKind;
use crate::events::sessions::SessionKind;
use crate::time::Timestamp;
use crate::tokens::Token;
use crate::workspaces::WorkspaceRecord;
use crate::workspaces::builds::BuildRecord;

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// It can.
    Active,
    /// Not now.
    Suspended,
    /// Never again.
    Deleted,
}

impl UserStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleted].into_iter().find(|status| status.as_str() == name)
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// Its id.
    pub id: String,
    /// Login name.
    pub username: String,
    /// Full name.
    pub display_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Home organization.
    pub organization: Option<String>,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// All SCIM attributes; `active` says what `status` says.
    pub attributes: Attributes,
    /// Whether it can be used.
    pub status: UserStatus,
    /// Its identity provider has deleted it, and is not to see it; it is suspended.
    pub removed: bool,
    /// When it is to be deleted for good.
    pub delete_at: Option<Timestamp>,
    /// Made or changed by Chancery itself, and so beyond the reach of what other systems report.
    pub own: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl DirectoryUser {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("user", &self.id).named(&self.username).owned_by(&self.username)
    }
}

/// A group, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryGroup {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Organization it belongs to.
    pub organization: Option<String>,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// All SCIM attributes, without `members`.
    pub attributes: Attributes,
    /// It was removed.
    pub deleted: bool,
    /// It is that of everyone in its organization.
    pub everyone: bool,
    /// Made or changed by Chancery itself, and so beyond the reach of what other systems report.
    pub own: bool,
    /// Daily credits that each member gets.
    pub quota_allowance: u32,
    /// Counts its changes, those of its members too, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it or its members last changed.
    pub updated_at: Timestamp,
}

impl DirectoryGroup {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("group", &self.id).named(&self.name)
    }
}

/// A resource of a custom SCIM type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomResource {
    /// Name of its type, such as `Device`.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// All its attributes.
    pub attributes: Attributes,
    /// It was removed.
    pub deleted: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Id of a user or a group.
    pub id: String,
    /// Which of them.
    pub kind: MemberKind,
    /// Its name when it joined.
    pub name: Option<String>,
    /// When the membership ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A group a user is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Id of the group.
    pub group_id: String,
    /// Its name.
    pub name: String,
    /// Connection that provisions it.
    pub connection: Option<String>,
    /// It is that of everyone in an organization.
    pub everyone: bool,
}

/// What membership in a group adds to what somebody may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Id of the group.
    pub group_id: String,
    /// Its name.
    pub name: String,
    /// Daily credits that each member gets.
    pub allowance: u32,
}

/// A role a user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// The role, and the organization it is limited to.
    pub role: MappedRole,
    /// It came with a group.
    pub by_group: bool,
}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: String,
    /// How the person is connected.
    pub kind: SessionKind,
    /// Workspace it goes to.
    pub workspace_id: Option<String>,
    /// Its name.
    pub workspace_name: Option<String>,
    /// Organization it is in.
    pub organization: Option<String>,
    /// When it began, if that is known.
    pub opened_at: Option<Timestamp>,
}

/// A workspace that is not deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedWorkspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Organization it is in.
    pub organization: Option<String>,
    /// It runs or is about to.
    pub running: bool,
    /// It does not start by itself.
    pub dormant: bool,
    /// Number of its last build.
    pub last_build: u32,
    /// All of it, where it is Chancery's to build.
    pub record: Option<WorkspaceRecord>,
    /// Its last build, where Chancery made it.
    pub build: Option<BuildRecord>,
}

/// What a user has that a suspension takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Possessions {
    /// Tokens and browser sessions.
    pub tokens: Vec<Token>,
    /// Sessions into workspaces.
    pub sessions: Vec<OpenSession>,
    /// Workspaces.
    pub workspaces: Vec<OwnedWorkspace>,
}

/// A connection of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Its id.
    pub id: String,
    /// Its settings.
    pub settings: Connection,
    /// It was removed.
    pub deleted: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ConnectionRecord {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("connection", &self.id).named(&self.settings.name)
    }
}

/// A custom role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows.
    pub permissions: Vec<String>,
    /// Grows with each definition.
    pub version: u64,
}

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Id of the policy.
    pub id: String,
    /// From 1.
    pub version: u64,
    /// Its Cedar text.
    pub text: String,
    /// Lower-case hex SHA-256 of the text.
    pub sha256: String,
    /// When it took effect.
    pub published_at: Timestamp,
    /// When it stopped applying: a later version took its place, or it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRecord {
    /// Its id.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
