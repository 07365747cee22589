//! Machines: a JSON Web Token of a trusted issuer stands for a token of this server, for as long as it is good.

use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_domain::directory::{DirectoryUser, UserStatus};
use chancery_domain::events::tokens::{OwnerKind, TokenKind, TokenOwner};
use chancery_domain::tokens::{Scope, Token};
use chancery_oidc::{Bearer, OidcError, TrustedIssuer};
use chancery_state::StateError;

use super::SignIn;
use super::link::Link;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// Longest name of a principal, in characters.
const LONGEST: usize = 200;
/// Where an issuer's settings name principals: this begins the name of a user.
const USER: &str = "user/";

/// Why a machine is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    /// The token, or who brings it.
    #[error(transparent)]
    Token(#[from] OidcError),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<&MachineError> for ApiError {
    fn from(error: &MachineError) -> Self {
        match error {
            MachineError::State(StateError::Behind) => Self::Unavailable(error.to_string()),
            MachineError::State(_) => Self::Unavailable("the state cannot be read now".to_owned()),
            MachineError::Token(error) if error.is_temporary() => Self::Unavailable(error.client_message().to_owned()),
            MachineError::Token(error) => Self::Unauthenticated(error.client_message().to_owned()),
        }
    }
}

impl SignIn {
    /// Whether credentials may be a token of a trusted issuer.
    pub(crate) fn may_trust(&self, presented: &str) -> bool {
        !self.trusted.is_empty() && !presented.starts_with("chy_")
    }

    fn issuer(&self, name: &str) -> Option<&TrustedIssuer> {
        self.trusted.iter().find(|trusted| trusted.name == name)
    }
}

/// The token that a JSON Web Token stands for: a user's, with that user's roles as far as its scopes let it, or a
/// service's, which may do what its scopes say.
pub(crate) async fn token(gateway: &Gateway, presented: &str) -> Result<Arc<Token>, MachineError> {
    let bearer = gateway.sign_in.party.verify_bearer(&gateway.sign_in.trusted, presented).await?;
    let owner = owner(gateway, &bearer).await?;
    let name = owner.as_ref().and_then(|owner| owner.name.clone()).unwrap_or_else(|| bearer.principal.clone());
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(OidcError::NotAllowed("the principal has no acceptable name".to_owned()).into());
    }
    let expires_at = bearer.expires_at.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000_000));
    Ok(Arc::new(Token {
        id: format!("{}/{name}", bearer.trusted_issuer),
        name,
        secret_sha256: String::new(),
        // Pushing users and groups needs a connection.
        scopes: bearer
            .scopes
            .iter()
            .filter_map(|name| Scope::from_name(name))
            .filter(|it| *it != Scope::Scim)
            .collect(),
        created_at: gateway.now(),
        expires_at: expires_at.and_then(|micros| Timestamp::from_micros(micros).ok()),
        revoked_at: None,
        kind: TokenKind::Api,
        owner,
        last_used_at: None,
        replaced_by: None,
    }))
}

/// The user a bearer acts for: whom the issuer's settings name, else who has signed in with this very account.
async fn owner(gateway: &Gateway, bearer: &Bearer) -> Result<Option<TokenOwner>, MachineError> {
    let names = gateway.sign_in.issuer(&bearer.trusted_issuer).is_some_and(|issuer| !issuer.principal.names.is_empty());
    let user = match bearer.principal.strip_prefix(USER) {
        // What a claim itself says is no reason to take somebody for a user.
        Some(name) if names => Some(named(gateway, name).await?),
        _ if names => None,
        _ => linked(gateway, bearer).await?,
    };
    Ok(user.map(|user| TokenOwner { id: user.id, kind: OwnerKind::User, name: Some(user.username) }))
}

async fn named(gateway: &Gateway, name: &str) -> Result<DirectoryUser, MachineError> {
    let found = gateway.state.users_by_name(name).await?;
    let mut active = found.into_iter().filter(|user| user.status == UserStatus::Active);
    match (active.next(), active.next()) {
        (Some(user), None) => Ok(user),
        _ => Err(OidcError::NotAllowed("the user whom the issuer's settings name has no access".to_owned()).into()),
    }
}

async fn linked(gateway: &Gateway, bearer: &Bearer) -> Result<Option<DirectoryUser>, MachineError> {
    let link = Link::of(&gateway.state, &bearer.issuer, &bearer.subject).await?;
    let Some(id) = link.user() else { return Ok(None) };
    match gateway.state.user(id).await? {
        Some(user) if user.own && user.status == UserStatus::Active => Ok(Some(user)),
        // Who has lost access does not come back as a service.
        _ => Err(OidcError::NotAllowed("the user has no access".to_owned()).into()),
    }
}
