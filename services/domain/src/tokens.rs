//! API tokens: what may be decided about them. Pure: time, ids and secrets are passed in.
//!
//! INVARIANT: a revoked token never works again; its id is never reused.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Actor, Event, Resource};
use crate::events::identity::TokenCreated;
use crate::time::Timestamp;

/// What a token allows. Each scope stands for itself; `admin` includes the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read the audit trail and the state.
    Read,
    /// Everything, tokens included.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Looks a scope up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A token as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, the part of `chy_<id>_<secret>` that may be shown.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
}

/// Why a token was not accepted or a command about it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// No such token.
    #[error("no such token")]
    Unknown,
    /// It was withdrawn.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It does not allow this.
    #[error("the token's scopes do not allow this")]
    Scope,
    /// A token needs at least one scope.
    #[error("a token needs at least one of the scopes ingest, read, admin")]
    NoScope,
    /// A name of 1 to 100 characters is needed.
    #[error("a token needs a name of 1 to 100 characters without control characters")]
    Name,
    /// The expiry lies in the past.
    #[error("the expiry lies in the past")]
    ExpiryInThePast,
}

/// What a decision may know of the world.
#[derive(Debug, Clone)]
pub struct Context {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Id for the event.
    pub event_id: String,
    /// Chancery's own source name.
    pub source: String,
    /// Who asks.
    pub actor: Actor,
    /// Request id.
    pub correlation: Option<String>,
}

/// A token to be made; id and secret were drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateToken {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

impl CreateToken {
    /// Decides whether the token can be made.
    pub fn decide(self, context: Context) -> Result<Event, TokenRefusal> {
        if self.scopes.is_empty() {
            return Err(TokenRefusal::NoScope);
        }
        let length = self.name.chars().count();
        if length == 0 || length > 100 || self.name.chars().any(char::is_control) {
            return Err(TokenRefusal::Name);
        }
        if self.expires_at.is_some_and(|at| at <= context.now) {
            return Err(TokenRefusal::ExpiryInThePast);
        }
        let payload = TokenCreated {
            expires_at: self.expires_at,
            name: self.name.clone(),
            scopes: self.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            secret_sha256: self.secret_sha256,
        };
        let resource = Resource::new("token", self.id).named(self.name);
        let mut event =
            Event::new("token.created", context.event_id, context.source, context.now, context.actor, resource);
        event.correlation = context.correlation;
        event.data = serde_json::json!(payload);
        Ok(event)
    }
}

impl Token {
    /// Decides whether the token allows `needed` at `now`.
    pub fn authorize(&self, needed: Scope, now: Timestamp) -> Result<(), TokenRefusal> {
        if self.revoked_at.is_some() {
            return Err(TokenRefusal::Revoked);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(TokenRefusal::Expired);
        }
        if self.scopes.contains(&Scope::Admin) || self.scopes.contains(&needed) {
            return Ok(());
        }
        Err(TokenRefusal::Scope)
    }

    /// Decides whether the token can be withdrawn.
    pub fn revoke(&self, context: Context) -> Result<Event, TokenRefusal> {
        if self.revoked_at.is_some() {
            return Err(TokenRefusal::Revoked);
        }
        let resource = Resource::new("token", &self.id).named(&self.name);
        let mut event =
            Event::new("token.revoked", context.event_id, context.source, context.now, context.actor, resource);
        event.correlation = context.correlation;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(scopes: &[Scope]) -> Token {
        Token {
            id: "t".into(),
            name: "ci".into(),
            secret_sha256: String::new(),
            scopes: scopes.iter().copied().collect(),
            created_at: Timestamp::EPOCH,
            expires_at: Timestamp::from_micros(100).ok(),
            revoked_at: None,
        }
    }

    #[test]
    fn scopes_expiry_and_revocation_decide() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        assert_eq!(token(&[Scope::Read]).authorize(Scope::Read, at(99)), Ok(()));
        assert_eq!(token(&[Scope::Admin]).authorize(Scope::Ingest, at(1)), Ok(()));
        assert_eq!(token(&[Scope::Read]).authorize(Scope::Admin, at(1)), Err(TokenRefusal::Scope));
        assert_eq!(token(&[Scope::Read]).authorize(Scope::Read, at(100)), Err(TokenRefusal::Expired));
        let revoked = Token { revoked_at: Some(at(5)), ..token(&[Scope::Admin]) };
        assert_eq!(revoked.authorize(Scope::Read, at(6)), Err(TokenRefusal::Revoked));
    }
}
