//! Signing in with a browser: authorization code with PKCE (`OpenID` Connect Core 1.0 §3.1, RFC 7636, RFC 9700).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::error::OidcError;
use crate::identity::Identity;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::relying_party::{RelyingParty, needed, refused};
use crate::secret::Secret;

/// A sign-in that has begun. It is kept where only the browser that began can lead to it, and used once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The provider's name.
    pub provider: String,
    /// Ties the callback to this attempt.
    pub state: Secret,
    /// Ties the ID token to this attempt.
    pub nonce: Secret,
    /// Ties the code to whoever asked for it (PKCE).
    pub verifier: Secret,
    /// Where the provider sends the browser back to.
    pub redirect_uri: Url,
    /// When it began, in seconds since 1970.
    pub begun: u64,
}

/// What the browser brings back: the query of the redirect URL.
#[derive(Clone, Default, Deserialize)]
pub struct Callback {
    /// The code, when all went well.
    pub code: Option<Secret>,
    /// The state that the attempt was given.
    pub state: Option<Secret>,
    /// The issuer that answers (RFC 9207).
    pub iss: Option<String>,
    /// The provider's error code.
    pub error: Option<String>,
    /// What it says about it.
    pub error_description: Option<String>,
}

impl Pending {
    /// How long a sign-in may take: the provider may ask for a second factor, or for a new password.
    pub const LIFETIME: Duration = Duration::from_mins(15);

    fn new(provider: &Provider, redirect_uri: Url) -> Self {
        Self {
            provider: provider.name.clone(),
            state: random(),
            nonce: random(),
            verifier: random(),
            redirect_uri,
            begun: now(),
        }
    }

    fn check(&self, provider: &Provider, callback: &Callback, metadata: &Metadata) -> Result<(), OidcError> {
        if self.provider != provider.name {
            return Err(OidcError::Callback("it began at another provider"));
        }
        if !callback.state.as_ref().is_some_and(|state| same(state.reveal(), self.state.reveal())) {
            return Err(OidcError::Callback("the state is another one"));
        }
        if now().saturating_sub(self.begun) > Self::LIFETIME.as_secs() {
            return Err(OidcError::Late);
        }
        // A provider that always says who it is must not be quiet either, or another could answer in its place.
        match &callback.iss {
            Some(issuer) if *issuer != provider.issuer => Err(OidcError::Callback("another issuer answered")),
            None if metadata.says_issuer => Err(OidcError::Callback("the issuer is missing")),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("error", &self.error).finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// Where to send the browser, and what to keep until it comes back. It comes back to the provider's redirect URL,
    /// or to this one when the provider is set up without.
    pub async fn begin(&self, provider: &Provider, redirect_uri: &Url) -> Result<(Url, Pending), OidcError> {
        provider.check()?;
        let metadata = self.issuer(&provider.issuer, None).metadata().await?;
        let mut url = needed(metadata.document.authorization.as_ref(), "authorization endpoint")?.clone();
        let pending = Pending::new(provider, provider.redirect_url.as_ref().unwrap_or(redirect_uri).clone());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.reveal()));
        url.query_pairs_mut()
            .extend_pairs(&provider.authorization_parameters)
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", pending.redirect_uri.as_str())
            .append_pair("scope", &provider.scope())
            .append_pair("state", pending.state.reveal())
            .append_pair("nonce", pending.nonce.reveal())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok((url, pending))
    }

    /// Who came back.
    pub async fn finish(
        &self,
        provider: &Provider,
        pending: &Pending,
        callback: &Callback,
    ) -> Result<Identity, OidcError> {
        let metadata = self.issuer(&provider.issuer, None).metadata().await?;
        pending.check(provider, callback, &metadata.document)?;
        if let Some(error) = &callback.error {
            return Err(refused(error, callback.error_description.as_deref().unwrap_or_default()));
        }
        let code = callback.code.as_ref().ok_or(OidcError::Callback("there is no code"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.reveal()),
            ("redirect_uri", pending.redirect_uri.as_str()),
            ("code_verifier", pending.verifier.reveal()),
        ];
        let tokens = self.ask_for_tokens(provider, &metadata.document, &form).await??;
        self.identify(provider, &metadata.document, &tokens, Some(&pending.nonce)).await
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// 256 random bits.
fn random() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}
