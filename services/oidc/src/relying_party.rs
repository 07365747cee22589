//! The application in its part of relying party, and the token endpoint as it uses it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use url::Url;

use crate::cached::Timing;
use crate::error::{OidcError, for_log};
use crate::http::{Answer, Http};
use crate::issuer::Issuer;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::secret::Secret;

/// Signs people and machines in. One in a process is enough: it keeps what it knows about providers.
#[derive(Debug)]
pub struct RelyingParty {
    pub(crate) http: Http,
    timing: Timing,
    issuers: Mutex<Issuers>,
}

/// By issuer and, for those without a discovery document, the address of its keys. Only configured ones come here.
type Issuers = HashMap<(String, Option<Url>), Arc<Issuer>>;

/// What the token endpoint gives.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
}

/// An error of the token endpoint (RFC 6749 §5.2).
#[derive(Deserialize)]
pub(crate) struct TokenError {
    pub(crate) error: String,
    #[serde(default)]
    error_description: String,
}

impl RelyingParty {
    /// One that treats providers like this.
    pub fn new(timing: Timing) -> Result<Self, OidcError> {
        Ok(Self { http: Http::new(timing.timeout)?, timing, issuers: Mutex::default() })
    }

    pub(crate) fn issuer(&self, issuer: &str, keys_at: Option<&Url>) -> Arc<Issuer> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = issuers.entry((issuer.to_owned(), keys_at.cloned()));
        let new = || Arc::new(Issuer::new(self.http.clone(), self.timing, issuer, keys_at.cloned()));
        Arc::clone(known.or_insert_with(new))
    }

    /// Posts a form as the client that the provider knows.
    pub(crate) async fn post_as_client(
        &self,
        provider: &Provider,
        metadata: &Metadata,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<Answer, OidcError> {
        let mut form = form.to_vec();
        let mut basic = None;
        match &provider.client_secret {
            Some(secret) if !metadata.secret_in_form => basic = Some((provider.client_id.as_str(), secret)),
            Some(secret) => {
                form.extend([("client_id", provider.client_id.as_str()), ("client_secret", secret.reveal())]);
            }
            None => form.push(("client_id", &provider.client_id)),
        }
        self.http.post(url, &form, basic).await
    }

    /// Asks the token endpoint; the provider's own errors are inside.
    pub(crate) async fn ask_for_tokens(
        &self,
        provider: &Provider,
        metadata: &Metadata,
        form: &[(&str, &str)],
    ) -> Result<Result<Tokens, TokenError>, OidcError> {
        let url = needed(metadata.token.as_ref(), "token endpoint")?;
        let answer = self.post_as_client(provider, metadata, url, form).await?;
        if answer.status.is_success() {
            return answer.expect_json().map(Ok);
        }
        match answer.json() {
            Some(error) => Ok(Err(error)),
            None => Err(answer.failed()),
        }
    }
}

impl From<TokenError> for OidcError {
    fn from(error: TokenError) -> Self {
        refused(&error.error, &error.error_description)
    }
}

/// An error that the provider gave.
pub(crate) fn refused(code: &str, description: &str) -> OidcError {
    OidcError::Refused { code: for_log(code), description: for_log(description) }
}

pub(crate) fn needed<'a>(endpoint: Option<&'a Url>, name: &str) -> Result<&'a Url, OidcError> {
    endpoint.ok_or_else(|| OidcError::Configuration(format!("the provider has no {name}")))
}
