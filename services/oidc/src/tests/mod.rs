//! Providers of the tests' own on real sockets, with real signatures.

mod bearer;
mod configuration;
mod device;
mod fake;
mod id_token;
mod identity;
mod rotation;
mod sign_in;
mod signer;

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use crate::{Callback, Identity, OidcError, Pending, Provider, RelyingParty, Secret, Timing};
use fake::FakeProvider;
use signer::Signer;

const CLIENT: &str = "chancery";

/// An application, the provider it relies on, and the key that signs there.
struct Setup {
    fake: FakeProvider,
    signer: Signer,
    relying_party: RelyingParty,
    provider: Provider,
}

impl Setup {
    async fn new() -> Self {
        Self::with(Signer::ec("first"), Timing::default()).await
    }

    async fn with(signer: Signer, timing: Timing) -> Self {
        let fake = FakeProvider::start().await;
        fake.publish(&[&signer]);
        let mut provider = Provider::new("company", fake.url(), CLIENT);
        provider.client_secret = Some(Secret::new("s3cret & more"));
        Self { relying_party: RelyingParty::new(timing).unwrap(), provider, fake, signer }
    }

    async fn try_begin(&self) -> Result<(Url, Pending), OidcError> {
        let here = Url::parse("https://chancery.example/callback").unwrap();
        self.relying_party.begin(&self.provider, &here).await
    }

    async fn begin(&self) -> (Url, Pending) {
        self.try_begin().await.unwrap()
    }

    /// Claims of an ID token with nothing wrong.
    fn claims(&self, nonce: &Secret) -> Map<String, Value> {
        let now = jsonwebtoken::get_current_timestamp();
        let claims = json!({
            "iss": self.fake.url(), "aud": CLIENT, "sub": "248289761001", "nonce": nonce.reveal(),
            "iat": now, "exp": now + 300, "auth_time": now - 20, "amr": ["pwd", "mfa"], "sid": "session-1",
            "preferred_username": "alice", "name": "Alice Lidell", "email": "alice@example.com",
            "email_verified": true, "groups": ["developers"], "roles": "auditor",
        });
        object(claims)
    }

    /// A whole sign-in with an ID token that `forge` makes of good claims.
    async fn sign_in(&self, forge: impl FnOnce(&Self, Map<String, Value>) -> String) -> Result<Identity, OidcError> {
        let (_, pending) = self.begin().await;
        let id_token = forge(self, self.claims(&pending.nonce));
        self.fake.answer(
            "/token",
            200,
            &json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token}),
        );
        self.relying_party.finish(&self.provider, &pending, &self.callback(&pending)).await
    }

    /// A sign-in with changed claims, signed well.
    async fn sign_in_with(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<Identity, OidcError> {
        let forge = |setup: &Self, mut claims: Map<String, Value>| {
            change(&mut claims);
            setup.signer.sign(&claims)
        };
        self.sign_in(forge).await
    }

    fn callback(&self, pending: &Pending) -> Callback {
        Callback {
            code: Some(Secret::new("the-code")),
            state: Some(pending.state.clone()),
            iss: Some(self.fake.url()),
            ..Callback::default()
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// Timing in which nothing is worth waiting for.
fn impatient() -> Timing {
    Timing { timeout: Duration::from_secs(5), failure_pause: Duration::ZERO, ..Timing::default() }
}

/// The reason of a refused token.
fn reason<T: std::fmt::Debug>(outcome: Result<T, OidcError>) -> String {
    match outcome {
        Err(OidcError::Token(reason)) => reason,
        other => panic!("not refused as a token: {other:?}"),
    }
}
