//! A question and its answer.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Permission, Principal, Resource, Scope};

/// May this principal do this with that resource?
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What for.
    pub permission: Permission,
    /// What it is about.
    pub resource: &'a Resource,
    /// Under which circumstances.
    pub context: &'a Context,
}

/// The circumstances of a request. What is unknown is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Scopes of the token that the request came with; none for a session, which has no limits of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<Scope>>,
    /// Address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// How someone connects to a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Connecting>,
}

/// How someone connects to a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connecting {
    /// The kind of session, such as `ssh`.
    pub kind: String,
    /// Whether that counts as browser.
    pub browser: bool,
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// The policies that determined it: those that permit, or those that forbid; none if nothing permits.
    pub policies: Vec<PolicyRef>,
    /// What went wrong in policies. One that forbids and cannot be evaluated counts as forbidding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A policy in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// `builtin:` and the name of a built-in policy, `role:` and the name of a custom role, or the id of a
    /// published policy.
    pub id: Arc<str>,
    /// Its version.
    pub version: u64,
}

impl PolicyRef {
    /// A policy by id and version.
    pub fn new(id: &str, version: u64) -> Self {
        Self { id: id.into(), version }
    }
}
