//! What is asked about.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Scope;

/// What is asked about. What has no organization belongs to the deployment alone: only deployment-wide roles
/// reach it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// The whole.
    Deployment,
    /// An organization, or everything in it.
    Organization {
        /// Its name.
        name: String,
    },
    /// A template.
    Template(Template),
    /// A workspace.
    Workspace {
        /// Its id.
        id: String,
        /// Name of its organization.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organization: Option<String>,
        /// User id of its owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Id of its template.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
    },
    /// An API token, also one that is about to be issued.
    Token {
        /// Its id.
        id: String,
        /// User id of its owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Its scopes.
        #[serde(default)]
        scopes: BTreeSet<Scope>,
    },
    /// Anything else.
    Thing {
        /// What it is, such as `group`.
        #[serde(rename = "type")]
        kind: String,
        /// Its id.
        id: String,
        /// Name of its organization.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organization: Option<String>,
    },
}

/// A template and who was given access to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: String,
    /// Name of its organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Who may use it.
    #[serde(default)]
    pub users: Access,
    /// Who may administer it.
    #[serde(default)]
    pub admins: Access,
}

/// Users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access {
    /// User ids.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Group ids.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// All members of the resource's organization.
    #[serde(default)]
    pub everyone: bool,
}

impl Resource {
    /// An organization by its name.
    pub fn organization(name: impl Into<String>) -> Self {
        Self::Organization { name: name.into() }
    }

    /// `deployment`, `organization`, `template`, `workspace`, `token` or what else it is.
    pub fn kind(&self) -> &str {
        match self {
            Self::Deployment => "deployment",
            Self::Organization { .. } => "organization",
            Self::Template(_) => "template",
            Self::Workspace { .. } => "workspace",
            Self::Token { .. } => "token",
            Self::Thing { kind, .. } => kind,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment => f.write_str("deployment"),
            Self::Organization { name: id }
            | Self::Template(Template { id, .. })
            | Self::Workspace { id, .. }
            | Self::Token { id, .. }
            | Self::Thing { id, .. } => write!(f, "{}/{id}", self.kind()),
        }
    }
}
