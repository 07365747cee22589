//! Signing in: people in a browser, on the command line and on devices without a browser; machines with tokens of
//! issuers that are trusted.
//!
//! ```text
//! browser        GET /auth/{provider}/start → provider → GET …/callback → cookie with a session
//! command line   the same, and from the callback to a port of the machine with a code, which buys a session
//! device         POST /api/v1/sign-in/device → a code on the screen → POST …/device/poll → a session
//! machine        `Authorization: Bearer <JSON Web Token>`, without any of this
//! ```
//!
//! What a sign-in is about while it is under way is kept by whoever signs in, [sealed](seal): any node can go on with it.
//! [`account`] finds or makes the account, gives and takes the roles that come with [claims](grants), and issues the
//! [session](session) — all one decision. Whoever does not get in is on [record](failure), unknown people too.

mod account;
pub(crate) mod browser;
pub(crate) mod command_line;
pub(crate) mod device;
mod failure;
mod grants;
mod link;
pub(crate) mod machine;
pub(crate) mod me;
mod origin;
mod seal;
pub(crate) mod session;

use chancery_oidc::{OidcError, Provider, RelyingParty, Timing, TrustedIssuer};

use crate::error::ApiError;
use crate::gateway::Limiter;
use seal::Seal;

/// Most requests a second in which somebody unknown has a provider asked.
const ASKED_PER_SECOND: u32 = 50;

/// Who people sign in with, and whose tokens machines bring.
#[derive(Debug)]
pub struct SignIn {
    party: RelyingParty,
    providers: Vec<Provider>,
    trusted: Vec<TrustedIssuer>,
    seal: Seal,
    asked: Limiter,
}

impl SignIn {
    /// Sign-in with these providers and issuers. All nodes that share `state_key` can go on with what one has begun;
    /// without, one is drawn.
    pub fn new(
        providers: Vec<Provider>,
        trusted: Vec<TrustedIssuer>,
        state_key: Option<&str>,
    ) -> Result<Self, OidcError> {
        providers.iter().try_for_each(Provider::check)?;
        trusted.iter().try_for_each(TrustedIssuer::check)?;
        let seal =
            Seal::new(state_key).ok_or_else(|| OidcError::Configuration("the state key is no good".to_owned()))?;
        let party = RelyingParty::new(Timing::default())?;
        Ok(Self { party, providers, trusted, seal, asked: Limiter::new(ASKED_PER_SECOND) })
    }

    fn provider(&self, name: &str) -> Result<&Provider, ApiError> {
        let found = self.providers.iter().find(|provider| provider.name == name);
        found.ok_or_else(|| ApiError::NotFound("there is no such provider".to_owned()))
    }

    /// Slows down who would have providers asked too often.
    fn moderate(&self) -> Result<(), ApiError> {
        if self.asked.admit() { Ok(()) } else { Err(ApiError::Busy) }
    }
}
