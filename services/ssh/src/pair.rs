//! Key pairs of people, made for one certificate.

use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use crate::{Seed, SshError};

/// A key pair as OpenSSH keeps it in files.
pub struct KeyPair {
    /// The private key.
    pub private_key: String,
    /// The public key.
    pub public_key: String,
}

impl KeyPair {
    /// The pair of this seed.
    pub fn new(seed: &Seed, comment: &str) -> Result<Self, SshError> {
        let pair = Ed25519Keypair::from_seed(seed.bytes());
        let failed = |error: ssh_key::Error| SshError::NotAKey(error.to_string());
        let key = PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(failed)?;
        let private_key = key.to_openssh(LineEnding::LF).map_err(failed)?.to_string();
        Ok(Self { private_key, public_key: key.public_key().to_openssh().map_err(failed)? })
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public_key).finish()
    }
}
