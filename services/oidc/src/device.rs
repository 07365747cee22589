//! Signing in on a device without a browser (RFC 8628).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::OidcError;
use crate::identity::Identity;
use crate::provider::Provider;
use crate::relying_party::{RelyingParty, TokenError, needed};
use crate::secret::Secret;

/// What to show, and what to ask with until the person has done their part.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeviceAuthorization {
    /// What [`poll_device`](RelyingParty::poll_device) asks with; nobody else may know it.
    pub device_code: Secret,
    /// What the person types in.
    pub user_code: String,
    /// Where they do; Google names it as a draft of the RFC did.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(default)]
    pub verification_uri_complete: Option<String>,
    /// How long the codes are good for, in seconds.
    pub expires_in: u64,
    /// How long to wait between two questions, in seconds.
    #[serde(default = "default_interval")]
    interval: u64,
}

/// How far a sign-in on a device is.
#[derive(Debug, Clone, PartialEq)]
pub enum DevicePoll {
    /// The person has not done anything yet: ask again after the interval.
    Pending,
    /// The same, and from now on wait five seconds longer between two questions.
    SlowDown,
    /// The person refused.
    Denied,
    /// The codes are too old.
    Expired,
    /// The person signed in.
    SignedIn(Box<Identity>),
}

impl DeviceAuthorization {
    /// How long to wait between two questions.
    pub fn interval(&self) -> Duration {
        // Nobody is asked more than once a second, whatever it says.
        Duration::from_secs(self.interval.max(1))
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization").field("verification_uri", &self.verification_uri).finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// Asks the provider for codes.
    pub async fn begin_device(&self, provider: &Provider) -> Result<DeviceAuthorization, OidcError> {
        provider.check()?;
        let metadata = self.issuer(&provider.issuer, None).metadata().await?;
        let metadata = &metadata.document;
        let url = needed(metadata.device_authorization.as_ref(), "device authorization endpoint")?;
        let scope = provider.scope();
        let answer = self.post_as_client(provider, metadata, url, &[("scope", &scope)]).await?;
        if answer.status.is_success() {
            return answer.expect_json();
        }
        match answer.json::<TokenError>() {
            Some(error) => Err(error.into()),
            None => Err(answer.failed()),
        }
    }

    /// Asks whether the person has signed in.
    pub async fn poll_device(&self, provider: &Provider, device_code: &Secret) -> Result<DevicePoll, OidcError> {
        let metadata = self.issuer(&provider.issuer, None).metadata().await?;
        let metadata = &metadata.document;
        let form =
            [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device_code.reveal())];
        match self.ask_for_tokens(provider, metadata, &form).await? {
            Ok(tokens) => {
                let identity = self.identify(provider, metadata, &tokens, None).await?;
                Ok(DevicePoll::SignedIn(Box::new(identity)))
            }
            Err(error) => match error.error.as_str() {
                "authorization_pending" => Ok(DevicePoll::Pending),
                "slow_down" => Ok(DevicePoll::SlowDown),
                "access_denied" => Ok(DevicePoll::Denied),
                "expired_token" => Ok(DevicePoll::Expired),
                _ => Err(error.into()),
            },
        }
    }
}

/// RFC 8628 §3.2.
fn default_interval() -> u64 {
    5
}
