//! Payloads of the token events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Payload of `token.created`; the resource is the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCreated {
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it stands for; absent means `api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<TokenKind>,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenOwner>,
    /// Id of the token it succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// `ingest`, `read`, `admin`, `scim`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Lower-case hex SHA-256 of the secret; the secret itself is nowhere.
    pub secret_sha256: String,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A program's access to the API.
    #[default]
    Api,
    /// A person's session in a browser or the command line.
    Session,
    /// An identity provider's access to SCIM.
    Scim,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Api, Self::Session, Self::Scim];

    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Session => "session",
            Self::Scim => "scim",
        }
    }

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenOwner {
    /// Id of the user or the connection.
    pub id: String,
    /// Which of them.
    pub kind: OwnerKind,
    /// Name at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub name: Option<String>,
}

/// What can own a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// A user.
    User,
    /// A connection of an identity provider.
    Connection,
}

impl OwnerKind {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Connection => "connection",
        }
    }

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Connection].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Payload of `token.rotated`; the resource is the old token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRotated {
    /// When the overlap ends and the old token stops working.
    pub expires_at: Timestamp,
    /// Id of its successor.
    pub replaced_by: String,
}
