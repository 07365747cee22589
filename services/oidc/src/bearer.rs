//! Tokens that machines bring from an issuer of their own: a cluster, a CI service, an authorization server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::claims::{require, text, words};
use crate::error::OidcError;
use crate::http::checked;
use crate::issuer::{Expectation, LONGEST_TOKEN, Verified};
use crate::relying_party::RelyingParty;

/// An issuer whose JSON Web Tokens machines may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// A short name.
    pub name: String,
    /// The issuer, exactly as tokens have it in `iss`.
    pub issuer: String,
    /// Where its keys are; without, its discovery document says so.
    #[serde(default)]
    pub jwks_url: Option<Url>,
    /// A token must be meant for one of these. An ID token is meant for the application that somebody signed in to, so
    /// no client id belongs here.
    pub audiences: Vec<String>,
    /// The algorithms that it signs with; empty means all that its keys are good for.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// Who the bearer is.
    #[serde(default)]
    pub principal: PrincipalRule,
    /// Claims that a token must have, each with one of these values, or with any when there are none.
    #[serde(default)]
    pub required_claims: BTreeMap<String, Vec<String>>,
    /// The claim with the scopes: words in a text, or a list.
    #[serde(default = "default_scopes_claim")]
    pub scopes_claim: String,
}

/// From a claim to a principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrincipalRule {
    /// The claim that names the bearer, found as in [`ClaimNames`](crate::ClaimNames).
    pub claim: String,
    /// From its values to principals. When there are any, no other value is let in; when there are none, the value
    /// itself is the principal.
    pub names: BTreeMap<String, String>,
}

/// The bearer of a token that was verified.
#[derive(Clone, PartialEq)]
pub struct Bearer {
    /// The name of the trusted issuer.
    pub trusted_issuer: String,
    /// The issuer.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// Who that is here.
    pub principal: String,
    /// The client that the token was given to.
    pub client_id: Option<String>,
    /// What it may be used for.
    pub scopes: BTreeSet<String>,
    /// When it ends, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// Its own id (`jti`).
    pub token_id: Option<String>,
    /// All claims.
    pub claims: Map<String, Value>,
}

impl Default for PrincipalRule {
    fn default() -> Self {
        Self { claim: "sub".to_owned(), names: BTreeMap::new() }
    }
}

impl TrustedIssuer {
    /// An issuer with nothing but what it must have.
    pub fn new(name: impl Into<String>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            jwks_url: None,
            audiences: vec![audience.into()],
            algorithms: Vec::new(),
            principal: PrincipalRule::default(),
            required_claims: BTreeMap::new(),
            scopes_claim: default_scopes_claim(),
        }
    }

    /// Whether the settings make sense; the issuer itself is not asked.
    pub fn check(&self) -> Result<(), OidcError> {
        let wrong = |text: &str| Err(OidcError::Configuration(format!("the trusted issuer `{}`: {text}", self.name)));
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return wrong("it needs an audience, or tokens meant for others would be taken");
        }
        if self.algorithms.iter().any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac) {
            return wrong("its algorithms must be those of public keys");
        }
        match &self.jwks_url {
            // The issuer is then only a name.
            Some(url) => checked(url.as_str()),
            None => checked(&self.issuer),
        }
        .map(|_| ())
    }

    fn bearer(&self, token: Verified) -> Result<Bearer, OidcError> {
        let claims = token.claims;
        // RFC 9068 §2.2 says what a token of this type has.
        if token.typ.as_deref() == Some("at+jwt")
            && let Some(missing) = ["iat", "jti", "client_id"].into_iter().find(|name| !claims.contains_key(*name))
        {
            return Err(OidcError::token(format!("`{missing}` is missing")));
        }
        require(&claims, &self.required_claims)?;
        Ok(Bearer {
            trusted_issuer: self.name.clone(),
            issuer: self.issuer.clone(),
            subject: text(&claims, "sub").unwrap_or_default(),
            principal: self.principal_of(&claims)?,
            client_id: text(&claims, "client_id").or_else(|| text(&claims, "azp")),
            scopes: words(&claims, &self.scopes_claim).into_iter().collect(),
            expires_at: claims.get("exp").and_then(Value::as_u64),
            token_id: text(&claims, "jti"),
            claims,
        })
    }

    fn principal_of(&self, claims: &Map<String, Value>) -> Result<String, OidcError> {
        let PrincipalRule { claim, names } = &self.principal;
        let value =
            text(claims, claim).ok_or_else(|| OidcError::NotAllowed(format!("the claim `{claim}` is missing")))?;
        if names.is_empty() {
            return Ok(value);
        }
        let unknown = || OidcError::NotAllowed(format!("nobody here goes by the value of the claim `{claim}`"));
        names.get(&value).cloned().ok_or_else(unknown)
    }
}

/// Claims may be personal: they are for the application, not for its log.
impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("trusted_issuer", &self.trusted_issuer)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// Who brings this token. Of several entries for one issuer, the first that takes the token decides.
    pub async fn verify_bearer(&self, trusted: &[TrustedIssuer], token: &str) -> Result<Bearer, OidcError> {
        #[derive(Deserialize)]
        struct Unverified {
            iss: String,
        }

        if token.len() > LONGEST_TOKEN {
            return Err(OidcError::token("it is too long"));
        }
        // Only to know whose keys to verify it with.
        let unverified: Unverified =
            insecure_decode_claims(token).map_err(|_| OidcError::token("it is not a JSON Web Token with an issuer"))?;
        let mut outcome = Err(OidcError::UnknownIssuer);
        for issuer in trusted.iter().filter(|trusted| trusted.issuer == unverified.iss) {
            outcome = self.verify_bearer_of(issuer, token).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn verify_bearer_of(&self, trusted: &TrustedIssuer, token: &str) -> Result<Bearer, OidcError> {
        trusted.check()?;
        let expected =
            Expectation { audiences: &trusted.audiences, algorithms: &trusted.algorithms, types: &["jwt", "at+jwt"] };
        let issuer = self.issuer(&trusted.issuer, trusted.jwks_url.as_ref());
        trusted.bearer(issuer.verify(token, &expected).await?)
    }
}

fn default_scopes_claim() -> String {
    "scope".to_owned()
}
