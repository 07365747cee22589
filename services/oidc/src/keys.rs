//! The public keys of a provider (RFC 7517).

use std::collections::HashMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::error::OidcError;
use crate::http::Http;

/// More keys than any provider has: a token without a key id is tried with each.
const MOST_KEYS: usize = 64;

/// The keys that signatures can be verified with, by key id. Keys for anything else are left out.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    by_id: HashMap<Option<String>, Vec<Key>>,
}

/// A key and what it may be used with.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    pub(crate) async fn fetch(http: &Http, url: &Url) -> Result<Self, OidcError> {
        let document: Document = http.get(url).await?;
        let set = Self::from_values(document.keys);
        if set.by_id.is_empty() {
            let reason = "the key set has no key that signatures can be verified with".to_owned();
            return Err(OidcError::Malformed { url: url.to_string(), reason });
        }
        Ok(set)
    }

    /// A key that cannot be read does not spoil the others: providers add new kinds of them.
    fn from_values(keys: Vec<Value>) -> Self {
        let mut set = Self::default();
        for jwk in keys.into_iter().take(MOST_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key).ok()) {
            if let Some(key) = Key::from_jwk(&jwk) {
                set.by_id.entry(jwk.common.key_id).or_default().push(key);
            }
        }
        set
    }

    /// The keys that may have signed a token with this header: those of its key id. A token without one, or a key set
    /// without any, leaves only trying.
    pub(crate) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let named = id.and_then(|id| self.by_id.get(&Some(id.to_owned())));
        let keys: Vec<&Key> = match (id, named) {
            (_, Some(keys)) => keys.iter().collect(),
            (Some(_), None) => self.by_id.get(&None).into_iter().flatten().collect(),
            (None, None) => self.by_id.values().flatten().collect(),
        };
        keys.into_iter().filter(|key| key.algorithms.contains(&algorithm)).collect()
    }
}

impl Key {
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let verifies = common.public_key_use.as_ref().is_none_or(|use_of| *use_of == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let mut algorithms = algorithms_of(&jwk.algorithm);
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if !verifies || algorithms.is_empty() {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(jwk).ok()?, algorithms })
    }
}

/// What a key of this type can be used with. A public key is never a secret of HMAC (RFC 8725 §2.1), and a curve has
/// one algorithm.
fn algorithms_of(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    }
}
