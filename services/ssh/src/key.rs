//! Public keys that are to be certified.

use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use crate::SshError;

/// Longest text of a key.
const MAX_TEXT: usize = 8192;
/// Fewest bytes of an RSA modulus: 3072 bits.
const MIN_RSA: usize = 384;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub(crate) ssh_key::PublicKey);

impl PublicKey {
    /// Reads a line such as `ssh-ed25519 AAAA… comment`.
    pub fn read(text: &str) -> Result<Self, SshError> {
        let text = text.trim();
        if text.len() > MAX_TEXT || text.contains(['\n', '\r']) {
            return Err(SshError::NotAKey("it must be one line".to_owned()));
        }
        let key = ssh_key::PublicKey::from_openssh(text).map_err(|error| SshError::NotAKey(error.to_string()))?;
        let strong = match key.key_data() {
            KeyData::Ed25519(_) | KeyData::SkEd25519(_) => true,
            KeyData::Rsa(rsa) => rsa.n.as_positive_bytes().is_some_and(|n| n.len() >= MIN_RSA),
            _ => false,
        };
        if strong { Ok(Self(key)) } else { Err(SshError::Weak(key.algorithm().to_string())) }
    }

    /// `SHA256:…`, as OpenSSH shows it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The raw 32 bytes, if it is an Ed25519 key.
    pub fn ed25519(&self) -> Option<[u8; 32]> {
        self.0.key_data().ed25519().map(|key| key.0)
    }
}
