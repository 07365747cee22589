//! Templates: what workspaces are made from. Here is what decisions know of them; the decisions are about the
//! template itself ([`lifecycle`]), its versions ([`versions`]) and who may use it ([`access`]).
//!
//! INVARIANT: where a promotion takes two people, nobody brings a version into use alone.

pub mod access;
pub mod lifecycle;
pub mod settings;
pub mod versions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::Refusal;
use crate::event::Resource;
use crate::time::Timestamp;

/// Whether workspaces can be made from a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateStatus {
    /// They can.
    Active,
    /// No new ones; those that exist go on.
    Deprecated,
    /// It is gone.
    Deleted,
}

impl TemplateStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
        }
    }

    /// Looks a status up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Deprecated, Self::Deleted].into_iter().find(|status| status.as_str() == name)
    }
}

/// The rules that a template's workspaces live by. Spans are whole seconds; absent means never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateSettings {
    /// Owners may give their workspaces a schedule of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_own_schedule: bool,
    /// Credits per day that a running workspace costs at most, as its author declares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_cost: Option<u32>,
    /// A started workspace is stopped after this long, unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ttl_seconds: Option<u32>,
    /// A dormant workspace is deleted after this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dormant_deletion_seconds: Option<u32>,
    /// A workspace that nobody has used for this long becomes dormant, and stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dormant_after_seconds: Option<u32>,
    /// What a failed start has left is stopped after this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_ttl_seconds: Option<u32>,
    /// A workspace is stopped at the latest this long after its start, whatever it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<u32>,
    /// Builds take the active version, whoever asks, template administrators excepted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_active_version: bool,
    /// A second person has to agree before a version becomes the active one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub two_person_promotion: bool,
    /// Tags that a runner must have to build it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runner_tags: BTreeMap<String, String>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRecord {
    /// Its id.
    pub id: String,
    /// Unique name in its organization.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// What it offers.
    pub description: Option<String>,
    /// Name of the organization it is in.
    pub organization: Option<String>,
    /// Whether it can be used.
    pub status: TemplateStatus,
    /// What to use instead.
    pub deprecation: Option<String>,
    /// Id of the version that new builds take.
    pub active_version: Option<String>,
    /// The rules that its workspaces live by.
    pub settings: TemplateSettings,
    /// Made by Chancery itself, and so beyond the reach of what other systems report.
    pub own: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl TemplateRecord {
    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        Resource::new("template", &self.id).named(&self.name)
    }

    /// Whether it may be changed: it is there, and Chancery's own.
    pub(crate) fn is_there(&self) -> Result<(), Refusal> {
        if self.status == TemplateStatus::Deleted {
            return Err(Refusal::Unknown("template"));
        }
        if !self.own {
            return Err(Refusal::conflict("the template is another system's: it is changed there"));
        }
        Ok(())
    }
}

/// A version of a template. It never changes, except that it is put away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersionRecord {
    /// Its id.
    pub id: String,
    /// Id of its template.
    pub template_id: String,
    /// Unique name in its template.
    pub name: String,
    /// Why, from whoever pushed it.
    pub message: Option<String>,
    /// Lower-case hex SHA-256 of the archive.
    pub sha256: String,
    /// Size of the archive.
    pub size_bytes: u64,
    /// It was put away: nothing new is built from it.
    pub archived: bool,
    /// Who pushed it.
    pub pushed_by: Option<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
}

/// What someone may do with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TemplateRight {
    /// See it and make workspaces from it.
    Use,
    /// Change it, too.
    Admin,
}

impl TemplateRight {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Admin => "admin",
        }
    }

    /// Looks a right up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Use, Self::Admin].into_iter().find(|right| right.as_str() == name)
    }
}

/// To whom a template is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectKind {
    /// A user.
    User,
    /// The members of a group.
    Group,
    /// Every member of the template's organization.
    Everyone,
}

impl SubjectKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Everyone => "everyone",
        }
    }

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Everyone].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Who may do what with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateGrant {
    /// To whom it is given.
    pub subject: SubjectKind,
    /// Id of the user or group; the name of the organization for everyone.
    pub subject_id: String,
    /// Name of the user or group when it was given.
    pub subject_name: Option<String>,
    /// What they may do.
    pub right: TemplateRight,
    /// When it was given.
    pub granted_at: Timestamp,
}

/// A promotion that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionRequest {
    /// Id of the version.
    pub version_id: String,
    /// Its name.
    pub version_name: Option<String>,
    /// User id of whoever asked.
    pub requested_by: String,
    /// Their login name.
    pub requested_by_name: Option<String>,
    /// When they asked.
    pub requested_at: Timestamp,
    /// Id of the event that says so.
    pub event: String,
}

#[cfg(test)]
mod tests;
