//! Sign-in with `OpenID` Connect, as the application that relies on providers.
//!
//! ```text
//! begin → browser → provider → browser → finish          authorization code with PKCE
//! begin_device → a code on the screen → poll_device …    device authorization
//! verify_bearer                                          machines with tokens of issuers that are trusted
//! ```
//!
//! A [`RelyingParty`] does the talking; a [`Provider`] or [`TrustedIssuer`] says how one peer is set up. What comes
//! out is an [`Identity`] or a [`Bearer`]: claims that the peer has signed. Who that is among the users, and whether
//! they may do anything, is for the caller to decide.
//!
//! * `relying_party` keeps what is known about issuers; `sign_in`, `device` and `bearer` are the three ways in.
//! * `id_token` has the rules of ID tokens, `issuer` those of all signed tokens, `keys` which key may be used with
//!   which algorithm.
//! * `metadata` is the discovery document; `cached` keeps it and the keys, and bounds how often they are asked for.
//! * `http` bounds time, size and reach of every request.
//!
//! Nothing here prints a token, a code or a secret: they are [`Secret`]s, and errors do not quote what they refuse.

mod bearer;
mod cached;
mod claims;
mod device;
mod error;
mod http;
mod id_token;
mod identity;
mod issuer;
mod keys;
mod metadata;
mod provider;
mod relying_party;
mod secret;
mod sign_in;
#[cfg(test)]
mod tests;

pub use bearer::{Bearer, PrincipalRule, TrustedIssuer};
pub use cached::Timing;
pub use device::{DeviceAuthorization, DevicePoll};
pub use error::OidcError;
pub use identity::{Identity, Link};
pub use jsonwebtoken::Algorithm;
pub use provider::{ClaimNames, Grant, LinkBy, Provider};
pub use relying_party::RelyingParty;
pub use secret::Secret;
pub use sign_in::{Callback, Pending};
