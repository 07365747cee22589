//! Private keys that nobody stores: each follows from a secret and its own name.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;

/// What an Ed25519 key is made of.
#[derive(Clone)]
pub struct Seed([u8; SEED_BYTES]);

impl Seed {
    /// The seed of the key with this name. Without the secret nobody can tell it, and it tells nothing of the secret.
    pub fn derive(secret: &[u8], name: &str) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(b"chancery key\0");
        mac.update(name.as_bytes());
        Some(Self(mac.finalize().into_bytes().into()))
    }

    /// A seed that was drawn.
    pub const fn drawn(bytes: [u8; SEED_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; SEED_BYTES] {
        &self.0
    }

    /// The private key as PKCS #8 (RFC 8410).
    pub fn pkcs8(&self) -> Vec<u8> {
        /// Version 0, the algorithm Ed25519, and the head of the octets in octets.
        const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        [HEAD.as_slice(), &self.0].concat()
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}
