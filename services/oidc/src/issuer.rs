//! An issuer as this process knows it: its document, its keys, and tokens it may have signed.

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, AlgorithmFamily, Validation, decode, decode_header};
use serde_json::{Map, Value};
use url::Url;

use crate::cached::{Cached, Held, Timing};
use crate::error::OidcError;
use crate::http::Http;
use crate::keys::{Key, KeySet};
use crate::metadata::Metadata;

/// How far apart clocks may be, in seconds.
pub(crate) const CLOCK_SKEW: u64 = 60;

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST_TOKEN: usize = 64 * 1024;

/// One issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    http: Http,
    name: String,
    /// Where its keys are, when it has no discovery document.
    keys_at: Option<Url>,
    metadata: Cached<Metadata>,
    keys: Cached<KeySet>,
}

/// What a token must be.
pub(crate) struct Expectation<'a> {
    /// One of these must be in `aud`.
    pub(crate) audiences: &'a [String],
    /// Only these algorithms; empty means all that its key can be used with.
    pub(crate) algorithms: &'a [Algorithm],
    /// Types that the header may name, in lower case and without `application/`.
    pub(crate) types: &'a [&'a str],
}

/// A token whose signature and standard claims are right.
pub(crate) struct Verified {
    pub(crate) algorithm: Algorithm,
    /// The type in the header, in lower case and without `application/`.
    pub(crate) typ: Option<String>,
    pub(crate) claims: Map<String, Value>,
}

/// A token that may have been signed by another key than those that are known.
enum Fault {
    NoSuchKey,
    Other(OidcError),
}

impl Issuer {
    pub(crate) fn new(http: Http, timing: Timing, name: &str, keys_at: Option<Url>) -> Self {
        Self { http, name: name.to_owned(), keys_at, metadata: Cached::new(timing), keys: Cached::new(timing) }
    }

    pub(crate) async fn metadata(&self) -> Result<Arc<Held<Metadata>>, OidcError> {
        self.metadata.get(Metadata::fetch(&self.http, &self.name)).await
    }

    /// Verifies signature, algorithm, type, `iss`, `aud`, `exp`, `nbf` and `iat`.
    pub(crate) async fn verify(&self, token: &str, expected: &Expectation<'_>) -> Result<Verified, OidcError> {
        if token.len() > LONGEST_TOKEN {
            return Err(OidcError::token("it is too long"));
        }
        // A header that cannot be read has an algorithm that nobody may use, `none` for one.
        let header = decode_header(token).map_err(|error| OidcError::token(said(error.kind())))?;
        let typ = header.typ.as_deref().map(type_name);
        check_header(&header, typ.as_deref(), expected)?;
        let attempt = |keys: &KeySet| -> Result<Map<String, Value>, Fault> {
            let candidates = keys.candidates(header.kid.as_deref(), header.alg);
            self.verify_with(token, &candidates, header.alg, expected)
        };
        let keys = self.keys.get(self.fetch_keys()).await?;
        let claims = match attempt(&keys.document) {
            Err(Fault::NoSuchKey) => {
                let newer = self.keys.instead_of(&keys, self.fetch_keys()).await?;
                attempt(&newer.document)
            }
            tried => tried,
        };
        match claims {
            Ok(claims) => Ok(Verified { algorithm: header.alg, typ, claims }),
            Err(Fault::NoSuchKey) => Err(OidcError::token("no key of the issuer has signed it")),
            Err(Fault::Other(error)) => Err(error),
        }
    }

    async fn fetch_keys(&self) -> Result<KeySet, OidcError> {
        match &self.keys_at {
            Some(url) => KeySet::fetch(&self.http, url).await,
            None => KeySet::fetch(&self.http, &self.metadata().await?.document.jwks).await,
        }
    }

    fn verify_with(
        &self,
        token: &str,
        candidates: &[&Key],
        algorithm: Algorithm,
        expected: &Expectation<'_>,
    ) -> Result<Map<String, Value>, Fault> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_SKEW;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(expected.audiences);
        for candidate in candidates {
            match decode::<Map<String, Value>>(token, &candidate.key, &validation) {
                Ok(token) => return check_claims(&token.claims).map(|()| token.claims).map_err(Fault::Other),
                // Two keys may share an id, and a token may name none.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(error) if *error.kind() == ErrorKind::ExpiredSignature => {
                    return Err(Fault::Other(OidcError::Expired));
                }
                Err(error) => return Err(Fault::Other(OidcError::token(said(error.kind())))),
            }
        }
        Err(Fault::NoSuchKey)
    }
}

fn check_header(header: &jsonwebtoken::Header, typ: Option<&str>, expected: &Expectation<'_>) -> Result<(), OidcError> {
    // With public keys a shared secret cannot be meant: somebody tries a public key as one.
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(OidcError::token("it is signed with a shared secret"));
    }
    if !expected.algorithms.is_empty() && !expected.algorithms.contains(&header.alg) {
        return Err(OidcError::token(format!("its algorithm {:?} is not one of those allowed", header.alg)));
    }
    // RFC 7515 §4.1.11: extensions that must be understood, and none is.
    if header.crit.is_some() {
        return Err(OidcError::token("it has critical extensions"));
    }
    if typ.is_some_and(|typ| !expected.types.contains(&typ)) {
        return Err(OidcError::token("it is a token for something else, by its type"));
    }
    Ok(())
}

fn check_claims(claims: &Map<String, Value>) -> Result<(), OidcError> {
    // The library takes a list of issuers, which RFC 7519 §4.1.1 does not know.
    if !claims.get("iss").is_some_and(Value::is_string) {
        return Err(OidcError::token("`iss` is not one issuer"));
    }
    if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(OidcError::token("`sub` is empty"));
    }
    match claims.get("iat").map(Value::as_f64) {
        Some(None) => Err(OidcError::token("`iat` is not a time")),
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact for a long time")]
        Some(Some(at)) if at > (jsonwebtoken::get_current_timestamp() + CLOCK_SKEW) as f64 => {
            Err(OidcError::token("`iat` is in the future"))
        }
        _ => Ok(()),
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out, and case does not matter.
fn type_name(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
}

/// What the library says, without the parts of the token that some of its messages have.
fn said(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::MissingRequiredClaim(claim) => format!("`{claim}` is missing"),
        ErrorKind::InvalidClaimFormat(claim) => format!("`{claim}` has no value that it can have"),
        ErrorKind::InvalidIssuer => "it is of another issuer".to_owned(),
        ErrorKind::InvalidAudience => "it is meant for others".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidAlgorithm => "its key is not for its algorithm".to_owned(),
        ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) | ErrorKind::InvalidToken => {
            "it is not a signed JSON Web Token of a known algorithm".to_owned()
        }
        _ => "it cannot be verified".to_owned(),
    }
}
