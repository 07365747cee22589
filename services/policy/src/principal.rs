//! Who asks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Who asks. A token that has an owner acts as its owner, with the token's scopes in
/// [`Context::scopes`](crate::Context).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// A person.
    User(User),
    /// An API token without an owner.
    Token(Bearer),
    /// A connection to an identity provider.
    Connection(Bearer),
    /// A runner, which takes builds of one organization.
    Runner(Runner),
}

/// A runner.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Runner {
    /// Its id.
    pub id: String,
    /// Name of its organization.
    pub organization: String,
}

/// A person, with what was given to them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub id: String,
    /// Roles.
    #[serde(default)]
    pub grants: BTreeSet<Grant>,
    /// Ids of the groups they are in, also through other groups.
    #[serde(default)]
    pub groups: BTreeSet<String>,
}

/// A role, deployment-wide or limited to one organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Role name.
    pub role: String,
    /// Organization it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// What may do exactly what its scopes cover.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bearer {
    /// Id of the token or connection.
    pub id: String,
    /// Its scopes.
    #[serde(default)]
    pub scopes: BTreeSet<Scope>,
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Writing events.
    Ingest,
    /// Everything that changes nothing.
    Read,
    /// Everything.
    Admin,
    /// Pushing users and groups over SCIM.
    Scim,
}

impl Principal {
    /// `user`, `token`, `connection` or `runner`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Connection(_) => "connection",
            Self::Runner(_) => "runner",
        }
    }

    /// Id of the user, token, connection or runner.
    pub fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::Token(bearer) | Self::Connection(bearer) => &bearer.id,
            Self::Runner(runner) => &runner.id,
        }
    }
}

impl User {
    /// A user who has nothing yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// The same with a deployment-wide role.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.grants.insert(Grant { role: role.into(), organization: None });
        self
    }

    /// The same with a role in an organization.
    #[must_use]
    pub fn with_role_in(mut self, organization: impl Into<String>, role: impl Into<String>) -> Self {
        self.grants.insert(Grant { role: role.into(), organization: Some(organization.into()) });
        self
    }

    /// The same in a group.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<String>) -> Self {
        self.groups.insert(group.into());
        self
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: &[Self] = &[Self::Ingest, Self::Read, Self::Admin, Self::Scim];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Scim => "scim",
        }
    }

    /// The scope of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == name)
    }

    /// The scopes that cover what both of two sets cover.
    pub(crate) fn common(one: &BTreeSet<Self>, other: &BTreeSet<Self>) -> BTreeSet<Self> {
        let has = |set: &BTreeSet<Self>, scope: &Self| set.contains(scope) || set.contains(&Self::Admin);
        one.union(other).copied().filter(|scope| has(one, scope) && has(other, scope)).collect()
    }
}
