//! What can go wrong between an application and its identity provider.

use thiserror::Error;

/// Why somebody could not be signed in.
///
/// `Display` is for logs: it says what exactly was wrong, and never contains a token, a code or a secret. What may be
/// shown to whoever tried is [`client_message`](Self::client_message): it does not help to forge a better token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OidcError {
    /// A setting makes no sense.
    #[error("configuration: {0}")]
    Configuration(String),
    /// The provider could not be asked.
    #[error("{url}: {reason}")]
    Unreachable {
        /// The address, without its query.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The provider answered something that no provider should.
    #[error("{url}: {reason}")]
    Malformed {
        /// The address, without its query.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The provider answered with an error (RFC 6749 §4.1.2.1 and §5.2).
    #[error("the provider refused: {code} ({description})")]
    Refused {
        /// Its error code, such as `access_denied`.
        code: String,
        /// What it says about it, shortened and without control characters.
        description: String,
    },
    /// The answer of the browser does not belong to this attempt.
    #[error("the callback does not belong to this sign-in: {0}")]
    Callback(&'static str),
    /// The sign-in took longer than [`Pending::LIFETIME`](crate::Pending::LIFETIME).
    #[error("the sign-in began too long ago")]
    Late,
    /// A token is not to be believed.
    #[error("the token is not valid: {0}")]
    Token(String),
    /// A token is past its end.
    #[error("the token has expired")]
    Expired,
    /// The token is of an issuer that nobody configured.
    #[error("the token's issuer is not a trusted one")]
    UnknownIssuer,
    /// The token is good, its bearer is not somebody who may come in.
    #[error("not allowed: {0}")]
    NotAllowed(String),
}

impl OidcError {
    /// What whoever tried may be told.
    pub fn client_message(&self) -> &'static str {
        match self {
            Self::Configuration(_) | Self::Malformed { .. } => "Sign-in is not set up properly: ask an administrator.",
            Self::Unreachable { .. } => "The identity provider cannot be reached at the moment.",
            Self::Refused { code, .. } if code == "access_denied" => "The identity provider denied access.",
            Self::Refused { .. } => "The identity provider refused the sign-in.",
            Self::Callback(_) => "This sign-in does not belong to this browser: begin again.",
            Self::Late => "The sign-in took too long: begin again.",
            Self::Token(_) | Self::UnknownIssuer => "The token is not valid.",
            Self::Expired => "The token has expired.",
            Self::NotAllowed(_) => "This account may not sign in here.",
        }
    }

    /// Whether the same attempt may succeed later without anybody changing anything.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    pub(crate) fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }
}

/// A text of somebody else, fit for a log: short and on one line.
pub(crate) fn for_log(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
