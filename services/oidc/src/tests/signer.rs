//! Keys made for a test, and what can be signed with them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value};

/// A private key with an id.
pub(super) struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    pub(super) id: Option<String>,
}

impl Signer {
    pub(super) fn ec(id: &str) -> Self {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self::new(EncodingKey::from_ec_der(key.as_ref()), Algorithm::ES256, id)
    }

    pub(super) fn ed(id: &str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self::new(EncodingKey::from_ed_der(key.as_ref()), Algorithm::EdDSA, id)
    }

    pub(super) fn rsa(id: &str, algorithm: Algorithm) -> Self {
        /// What PKCS #8 puts before the PKCS #1 form of a key of this size, which the library wants.
        const WRAPPING: usize = 26;
        let key: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        Self::new(EncodingKey::from_rsa_der(&key.as_ref()[WRAPPING..]), algorithm, id)
    }

    fn new(key: EncodingKey, algorithm: Algorithm, id: &str) -> Self {
        Self { key, algorithm, id: Some(id.to_owned()) }
    }

    /// The public key.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id.clone_from(&self.id);
        serde_json::to_value(jwk).unwrap()
    }

    pub(super) fn header(&self) -> Header {
        Header { kid: self.id.clone(), ..Header::new(self.algorithm) }
    }

    pub(super) fn sign(&self, claims: &Map<String, Value>) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub(super) fn sign_with(&self, header: &Header, claims: &Map<String, Value>) -> String {
        encode(header, claims, &self.key).unwrap()
    }
}
