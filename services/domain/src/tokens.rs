//! API tokens: what may be decided about them. Pure: time, ids and secrets are passed in.
//!
//! INVARIANT: a revoked token never works again; its id is never reused.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::{self, Context, Draft, Refusal};
use crate::event::{Event, Resource};
use crate::events::Bare;
use crate::events::tokens::{OwnerKind, TokenCreated, TokenKind, TokenOwner, TokenRotated};
use crate::time::Timestamp;

/// What a token allows. Each scope stands for itself; `admin` includes the others, except `scim`, which
/// means nothing without a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read the audit trail and the state.
    Read,
    /// Everything, tokens included.
    Admin,
    /// Push users and groups, for the connection that owns the token.
    Scim,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Read, Self::Admin, Self::Scim];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Scim => "scim",
        }
    }

    /// Looks a scope up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// How often the use of a token is recorded, in microseconds: ten minutes.
pub const USE_RECORDED_EVERY: i64 = 600_000_000;

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
    /// What it stands for.
    pub kind: TokenKind,
    /// Whose it is.
    pub owner: Option<TokenOwner>,
    /// When it was last used, give or take [`USE_RECORDED_EVERY`].
    pub last_used_at: Option<Timestamp>,
    /// Id of its successor.
    pub replaced_by: Option<String>,
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
    #[error("a token needs at least one of the scopes ingest, read, admin, scim")]
    NoScope,
    /// A name of 1 to 100 characters is needed.
    #[error("a token needs a name of 1 to 100 characters without control characters")]
    Name,
    /// The expiry lies in the past.
    #[error("the expiry lies in the past")]
    ExpiryInThePast,
    /// Kind, owner and scopes do not fit each other.
    #[error(
        "a scim token has the scope scim alone and a connection as its owner, a session token a user; no other token has that scope"
    )]
    Kind,
    /// It has a successor already.
    #[error("the token was rotated already")]
    Rotated,
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
    /// What it stands for.
    pub kind: TokenKind,
    /// Whose it is.
    pub owner: Option<TokenOwner>,
}

impl CreateToken {
    /// Decides whether the token can be made.
    pub fn decide(self, context: Context) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        self.check(draft.context.now)?;
        let event = self.event(None, &mut draft);
        draft.push(event);
        Ok(draft.events)
    }

    fn check(&self, now: Timestamp) -> Result<(), TokenRefusal> {
        if self.scopes.is_empty() {
            return Err(TokenRefusal::NoScope);
        }
        decision::name("name", &self.name, decision::MAX_NAME).map_err(|_| TokenRefusal::Name)?;
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(TokenRefusal::ExpiryInThePast);
        }
        let owner = self.owner.as_ref().map(|owner| owner.kind);
        let scim = self.scopes.contains(&Scope::Scim);
        let fits = match self.kind {
            TokenKind::Api => !scim && owner != Some(OwnerKind::Connection),
            TokenKind::Session => !scim && owner == Some(OwnerKind::User),
            TokenKind::Scim => scim && self.scopes.len() == 1 && owner == Some(OwnerKind::Connection),
        };
        if fits { Ok(()) } else { Err(TokenRefusal::Kind) }
    }

    fn event(self, replaces: Option<String>, draft: &mut Draft) -> Event {
        let resource = resource(&self.id, &self.name, self.owner.as_ref());
        let payload = TokenCreated {
            expires_at: self.expires_at,
            kind: Some(self.kind),
            name: self.name,
            owner: self.owner,
            replaces,
            scopes: self.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            secret_sha256: self.secret_sha256,
        };
        draft.event("token.created", resource, &payload)
    }
}

/// A successor for a token, with the same name, owner and scopes; id and secret were drawn by the caller.
#[derive(Debug, Clone)]
pub struct RotateToken {
    /// Id of the successor.
    pub id: String,
    /// Lower-case hex SHA-256 of its secret.
    pub secret_sha256: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// How long both work, in microseconds.
    pub overlap: i64,
}

impl RotateToken {
    /// Decides whether `old` can be rotated.
    pub fn decide(self, old: &Token, context: Context) -> Result<Vec<Event>, Refusal> {
        let mut draft = Draft::new(context);
        let now = draft.context.now;
        old.check_works(now)?;
        if old.replaced_by.is_some() {
            return Err(TokenRefusal::Rotated.into());
        }
        let successor = CreateToken {
            id: self.id.clone(),
            name: old.name.clone(),
            secret_sha256: self.secret_sha256,
            scopes: old.scopes.clone(),
            expires_at: self.expires_at,
            kind: old.kind,
            owner: old.owner.clone(),
        };
        successor.check(now)?;
        let event = successor.event(Some(old.id.clone()), &mut draft);
        let created = draft.push(event);
        let end = now.saturating_add_micros(self.overlap.max(0));
        let expires_at = old.expires_at.map_or(end, |expiry| expiry.min(end));
        let rotated = TokenRotated { expires_at, replaced_by: self.id };
        let event = draft.event("token.rotated", old.resource(), &rotated);
        draft.entail(&created, event);
        Ok(draft.events)
    }
}

fn resource(id: &str, name: &str, owner: Option<&TokenOwner>) -> Resource {
    let resource = Resource::new("token", id).named(name);
    match owner {
        Some(TokenOwner { kind: OwnerKind::User, name: Some(owner), .. }) => resource.owned_by(owner),
        _ => resource,
    }
}

impl Token {
    /// Decides whether the token allows `needed` at `now`.
    pub fn authorize(&self, needed: Scope, now: Timestamp) -> Result<(), TokenRefusal> {
        self.check_works(now)?;
        let admin = self.scopes.contains(&Scope::Admin) && needed != Scope::Scim;
        if admin || self.scopes.contains(&needed) { Ok(()) } else { Err(TokenRefusal::Scope) }
    }

    /// Whether it is neither withdrawn nor expired at `now`.
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.check_works(now).is_ok()
    }

    fn check_works(&self, now: Timestamp) -> Result<(), TokenRefusal> {
        if self.revoked_at.is_some() {
            return Err(TokenRefusal::Revoked);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(TokenRefusal::Expired);
        }
        Ok(())
    }

    /// It as the resource of an event.
    pub fn resource(&self) -> Resource {
        resource(&self.id, &self.name, self.owner.as_ref())
    }

    /// Decides whether the token can be withdrawn.
    pub fn revoke(&self, context: Context) -> Result<Vec<Event>, Refusal> {
        if self.revoked_at.is_some() {
            return Err(TokenRefusal::Revoked.into());
        }
        Ok(self.one("token.revoked", context))
    }

    /// What is to be recorded of its use: nothing if the last record of it is recent.
    pub fn used(&self, context: Context) -> Vec<Event> {
        let due = self.last_used_at.map(|at| at.saturating_add_micros(USE_RECORDED_EVERY));
        if due.is_some_and(|due| context.now < due) {
            return Vec::new();
        }
        self.one("token.used", context)
    }

    fn one(&self, event_type: &str, context: Context) -> Vec<Event> {
        let mut draft = Draft::new(context);
        let event = draft.event(event_type, self.resource(), &Bare {});
        draft.push(event);
        draft.events
    }
}

#[cfg(test)]
mod tests;
