//! Signed requests: HTTP Message Signatures (RFC 9421) with Ed25519, in the one form that runners and server speak.
//!
//! What is signed is the method, the path, the query, the digest of the body (RFC 9530), the moment, the id of the key and
//! a nonce. Nothing here does IO, reads a clock or draws a random number.
//!
//! INVARIANT: a claim says nothing until it is verified; a signature of another form than [`sign`]'s is none.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Header with the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// Header that says what is signed, and how.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Header with the signature.
pub const SIGNATURE: &str = "signature";

/// What is signed, in this order.
const COMPONENTS: &str = r#"("@method" "@path" "@query" "content-digest")"#;
/// Longest key id or nonce.
const MOST: usize = 64;

/// Why a signature is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, or not of the form that runners send.
    #[error("the signature is not of the form that runners send")]
    Form,
    /// It was made with another key, or for another request.
    #[error("the signature does not fit the request")]
    Wrong,
}

/// A key pair.
pub struct KeyPair {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// The key pair of 32 random bytes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, SignatureError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SignatureError::Form)?;
        Ok(Self { seed, pair })
    }

    /// The bytes that it was made of: whoever has them is it.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Its public half, in base64.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_ref())
    }

    /// The signature of a text, in base64.
    pub fn sign_text(&self, text: &str) -> String {
        STANDARD.encode(self.pair.sign(text.as_bytes()).as_ref())
    }
}

/// Whether a signature of a text, in base64, was made with the other half of a public key.
pub fn verifies(public_key: &str, text: &str, signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (STANDARD.decode(public_key), STANDARD.decode(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}

/// What whoever registers or changes a key pair signs with the new one, to show that it is theirs.
pub fn possession(of: &str, public_key: &str) -> String {
    format!("chancery runner {of} has the key pair {public_key}")
}

/// A request, as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Its path, as it is sent.
    pub path: &'a str,
    /// Its query, without the question mark.
    pub query: &'a str,
    /// SHA-256 of its body.
    pub body_sha256: [u8; 32],
}

impl<'a> Request<'a> {
    /// A request with this body, to a path and query as they are sent.
    pub fn new(method: &'a str, path_and_query: &'a str, body: &[u8]) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        Self { method, path, query, body_sha256: digest(body) }
    }
}

/// SHA-256 of a body.
pub fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// The headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// [`CONTENT_DIGEST`].
    pub content_digest: String,
    /// [`SIGNATURE_INPUT`].
    pub signature_input: String,
    /// [`SIGNATURE`].
    pub signature: String,
}

/// Signs a request; `created` is in seconds since 1970, `nonce` is never used again.
pub fn sign(pair: &KeyPair, key_id: &str, request: &Request<'_>, created: i64, nonce: &str) -> Signed {
    let parameters = format!(r#"{COMPONENTS};created={created};keyid="{key_id}";nonce="{nonce}";alg="ed25519""#);
    let content_digest = format!("sha-256=:{}:", STANDARD.encode(request.body_sha256));
    let signature = pair.sign_text(&base(request, &content_digest, &parameters));
    Signed { content_digest, signature_input: format!("sig1={parameters}"), signature: format!("sig1=:{signature}:") }
}

/// The signature base.
fn base(request: &Request<'_>, content_digest: &str, parameters: &str) -> String {
    let Request { method, path, query, .. } = request;
    format!(
        "\"@method\": {method}\n\"@path\": {path}\n\"@query\": ?{query}\n\"content-digest\": {content_digest}\n\
         \"@signature-params\": {parameters}"
    )
}

/// What the headers of a request say of its signature; nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Id of the key that it is said to be made with.
    pub key_id: String,
    /// When, in seconds since 1970.
    pub created: i64,
    /// What no other request of that key has.
    pub nonce: String,
    /// SHA-256 of the body that was signed.
    pub body_sha256: [u8; 32],
    content_digest: String,
    parameters: String,
    signature: String,
}

impl Claim {
    /// Reads the headers.
    ///
    /// # Errors
    /// When they are not of the form that [`sign`] gives them.
    pub fn read(content_digest: &str, signature_input: &str, signature: &str) -> Result<Self, SignatureError> {
        Self::find(content_digest, signature_input, signature).ok_or(SignatureError::Form)
    }

    fn find(content_digest: &str, signature_input: &str, signature: &str) -> Option<Self> {
        let parameters = signature_input.strip_prefix("sig1=")?;
        let rest = parameters.strip_prefix(COMPONENTS)?.strip_prefix(";created=")?;
        let (created, rest) = rest.split_once(r#";keyid=""#)?;
        let (key_id, rest) = rest.split_once(r#"";nonce=""#)?;
        let (nonce, rest) = rest.split_once(r#"";alg=""#)?;
        if rest != r#"ed25519""# {
            return None;
        }
        let plain = |text: &str| {
            let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            (1..=MOST).contains(&text.len()) && fits
        };
        if !plain(key_id) || !plain(nonce) || !created.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digest = STANDARD.decode(content_digest.strip_prefix("sha-256=:")?.strip_suffix(':')?).ok()?;
        Some(Self {
            key_id: key_id.to_owned(),
            created: created.parse().ok()?,
            nonce: nonce.to_owned(),
            body_sha256: digest.try_into().ok()?,
            content_digest: content_digest.to_owned(),
            parameters: parameters.to_owned(),
            signature: signature.strip_prefix("sig1=:")?.strip_suffix(':')?.to_owned(),
        })
    }

    /// Verifies that this request was signed with the other half of a public key. Whether its body is the one that was
    /// signed, [`Claim::body_sha256`] tells.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(&self, public_key: &str, method: &str, path: &str, query: &str) -> Result<(), SignatureError> {
        let request = Request { method, path, query, body_sha256: self.body_sha256 };
        let base = base(&request, &self.content_digest, &self.parameters);
        if verifies(public_key, &base, &self.signature) { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 1; and its public key.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn signed(body: &[u8]) -> Signed {
        let pair = KeyPair::from_seed(SEED).unwrap();
        sign(&pair, "runner-1", &Request::new("POST", "/api/v1/jobs/acquire?a=b", body), 1_700_000_000, "n0nce")
    }

    fn claim(signed: &Signed) -> Result<Claim, SignatureError> {
        Claim::read(&signed.content_digest, &signed.signature_input, &signed.signature)
    }

    #[test]
    fn what_was_signed_is_verified_and_nothing_else() {
        let signed = signed(b"{}");
        let claim = claim(&signed).unwrap();
        assert_eq!((claim.key_id.as_str(), claim.created, claim.nonce.as_str()), ("runner-1", 1_700_000_000, "n0nce"));
        assert_eq!(claim.body_sha256, digest(b"{}"));
        assert_eq!(claim.verify(PUBLIC, "POST", "/api/v1/jobs/acquire", "a=b"), Ok(()));
        let wrong = Err(SignatureError::Wrong);
        assert_eq!(claim.verify(PUBLIC, "GET", "/api/v1/jobs/acquire", "a=b"), wrong);
        assert_eq!(claim.verify(PUBLIC, "POST", "/api/v1/jobs/acquire", "a=c"), wrong);
        assert_eq!(claim.verify(PUBLIC, "POST", "/api/v1/jobs/acquired", "a=b"), wrong);
        let other = KeyPair::from_seed([1; 32]).unwrap().public_key();
        assert_eq!(claim.verify(&other, "POST", "/api/v1/jobs/acquire", "a=b"), wrong);
        assert_eq!(claim.verify("nonsense", "POST", "/api/v1/jobs/acquire", "a=b"), wrong);
    }

    #[test]
    fn neither_moment_nor_nonce_nor_body_can_be_exchanged() {
        for (from, to) in [("1700000000", "1700000001"), ("n0nce", "n1nce"), ("runner-1", "runner-2")] {
            let signed = signed(b"{}");
            let changed = Signed { signature_input: signed.signature_input.replace(from, to), ..signed };
            let verified = claim(&changed).unwrap().verify(PUBLIC, "POST", "/api/v1/jobs/acquire", "a=b");
            assert_eq!(verified, Err(SignatureError::Wrong), "{from}");
        }
        let (one, other) = (signed(b"{}"), signed(b"[]"));
        let changed = Signed { content_digest: other.content_digest, ..one };
        let verified = claim(&changed).unwrap().verify(PUBLIC, "POST", "/api/v1/jobs/acquire", "a=b");
        assert_eq!(verified, Err(SignatureError::Wrong));
    }

    #[test]
    fn other_forms_are_none() {
        let good = signed(b"");
        for (from, to) in [
            ("sig1=", "sig2="),
            ("\"@query\" ", ""),
            ("ed25519", "hmac-sha256"),
            ("created=17", "created=-17"),
            ("n0nce", ""),
            ("n0nce", "a b"),
        ] {
            let bad = Signed { signature_input: good.signature_input.replace(from, to), ..good.clone() };
            assert_eq!(claim(&bad), Err(SignatureError::Form), "{from} {to}");
        }
        let bad = Signed { content_digest: "sha-512=:AA==:".to_owned(), ..good.clone() };
        assert_eq!(claim(&bad), Err(SignatureError::Form));
        let bad = Signed { signature: "sig1=AA".to_owned(), ..good };
        assert_eq!(claim(&bad), Err(SignatureError::Form));
    }

    #[test]
    fn a_key_pair_is_shown_to_be_ones_own() {
        let pair = KeyPair::from_seed(SEED).unwrap();
        assert_eq!(pair.public_key(), PUBLIC);
        let text = possession("key", PUBLIC);
        assert!(verifies(PUBLIC, &text, &pair.sign_text(&text)));
        assert!(!verifies(PUBLIC, &possession("other", PUBLIC), &pair.sign_text(&text)));
    }
}
