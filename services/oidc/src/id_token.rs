//! From the tokens of a provider to who signed in (`OpenID` Connect Core 1.0 §3.1.3.7, §5.3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use url::Url;

use crate::claims::find;
use crate::error::OidcError;
use crate::identity::Identity;
use crate::issuer::{Expectation, Verified};
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::relying_party::{RelyingParty, Tokens};
use crate::secret::Secret;
use crate::sign_in::same;

impl RelyingParty {
    /// Verifies the ID token, and asks `UserInfo` for what it does not say.
    pub(crate) async fn identify(
        &self,
        provider: &Provider,
        metadata: &Metadata,
        tokens: &Tokens,
        nonce: Option<&Secret>,
    ) -> Result<Identity, OidcError> {
        let id_token = tokens.id_token.as_ref().ok_or_else(|| OidcError::token("the provider gave no ID token"))?;
        let audiences = [provider.client_id.clone()];
        // An access token or a logout token of the same provider is signed with the same keys.
        let expected = Expectation { audiences: &audiences, algorithms: &[], types: &["jwt"] };
        let verified = self.issuer(&provider.issuer, None).verify(id_token.reveal(), &expected).await?;
        check(&verified, provider, nonce, tokens.access_token.as_ref())?;
        let mut claims = verified.claims;
        if let (Some(url), Some(token)) = (&metadata.userinfo, &tokens.access_token)
            && provider.userinfo
            && lacks_something(provider, &claims)
        {
            self.add_userinfo(&mut claims, url, token).await?;
        }
        Identity::new(provider, claims)
    }

    /// Adds what the ID token does not say; what it says stands.
    async fn add_userinfo(&self, claims: &mut Map<String, Value>, url: &Url, token: &Secret) -> Result<(), OidcError> {
        let more: Map<String, Value> = self.http.get_as(url, token).await?;
        // §5.3.2: without this, the information could be about somebody else.
        if more.get("sub") != claims.get("sub") {
            return Err(OidcError::token("the user information is about somebody else"));
        }
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }
}

fn lacks_something(provider: &Provider, claims: &Map<String, Value>) -> bool {
    let names = &provider.claims;
    let wanted = [&names.username, &names.email, &names.display_name, &names.groups, &names.roles];
    wanted.into_iter().any(|name| find(claims, name).is_none())
}

/// The rules of ID tokens beyond those of all tokens.
fn check(
    token: &Verified,
    provider: &Provider,
    nonce: Option<&Secret>,
    access_token: Option<&Secret>,
) -> Result<(), OidcError> {
    let claim = |name: &str| token.claims.get(name).and_then(Value::as_str);
    let several = token.claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
    match claim("azp") {
        Some(party) if party != provider.client_id => return Err(OidcError::token("it was made for another client")),
        None if several => return Err(OidcError::token("of its audiences, none is said to be the client")),
        _ => {}
    }
    if !token.claims.contains_key("iat") {
        return Err(OidcError::token("`iat` is missing"));
    }
    if let Some(nonce) = nonce
        && !claim("nonce").is_some_and(|said| same(said, nonce.reveal()))
    {
        return Err(OidcError::token("it belongs to another sign-in, by its nonce"));
    }
    match (token.claims.get("at_hash"), access_token) {
        (Some(hash), Some(access_token)) if hash.as_str() != Some(&half_hash(token.algorithm, access_token)) => {
            Err(OidcError::token("the access token is not the one that came with it"))
        }
        _ => Ok(()),
    }
}

/// The left half of a hash that goes with the signature's algorithm (§3.1.3.6).
fn half_hash(algorithm: Algorithm, access_token: &Secret) -> String {
    let text = access_token.reveal();
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(text).to_vec(),
        // Ed25519 hashes with SHA-512.
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => Sha512::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}
