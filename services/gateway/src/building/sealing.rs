//! States at rest: each version is encrypted with a key of its own, and that key with the deployment's. What is read is
//! what was written for that workspace, or an error.
//!
//! The deployment's key follows from a secret of the configuration, and is known by an id that says nothing of it. A new
//! secret encrypts from then on; what an old one has encrypted is read as long as it is configured.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// What a sealed state begins with.
const MAGIC: &[u8; 8] = b"CHANCST1";
/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of the id of a key.
const KEY_ID: usize = 16;
/// Bytes of the tag of an encrypted text.
const TAG: usize = 16;

/// How states are kept.
#[derive(Debug, Clone, Default)]
pub struct StateSettings {
    /// The secret that states are encrypted with; without, runners keep them.
    pub key: Option<Vec<u8>>,
    /// Secrets that older ones were encrypted with.
    pub old_keys: Vec<Vec<u8>>,
}

/// Why a state cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealingError {
    /// There is no secret.
    #[error("there is no secret to encrypt states with")]
    NoKey,
    /// It was encrypted with a secret that is not configured.
    #[error("the state was encrypted with the key {0}, which is not configured")]
    UnknownKey(String),
    /// It is not what was written.
    #[error("the state is not what was written")]
    Broken,
    /// The cipher does not work.
    #[error("the state cannot be encrypted")]
    Cipher,
}

/// The key of a deployment.
struct MasterKey {
    id: String,
    key: RandomizedNonceKey,
}

impl MasterKey {
    fn new(secret: &[u8]) -> Result<Self, SealingError> {
        let derive = |purpose: &[u8]| -> Result<[u8; KEY], SealingError> {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| SealingError::Cipher)?;
            mac.update(purpose);
            Ok(mac.finalize().into_bytes().into())
        };
        let mut id = format!("{:x}", Sha256::digest(derive(b"chancery state key id")?));
        id.truncate(KEY_ID);
        let key = cipher(&derive(b"chancery state key")?)?;
        Ok(Self { id, key })
    }
}

fn cipher(key: &[u8; KEY]) -> Result<RandomizedNonceKey, SealingError> {
    RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| SealingError::Cipher)
}

/// Encrypts; the nonce comes first, the tag last.
fn encrypt(key: &RandomizedNonceKey, about: &[u8], mut text: Vec<u8>) -> Result<Vec<u8>, SealingError> {
    let nonce = key.seal_in_place_append_tag(Aad::from(about), &mut text).map_err(|_| SealingError::Cipher)?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn decrypt(key: &RandomizedNonceKey, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(SealingError::Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealingError::Broken)?;
    let mut text = text.to_vec();
    let length = key.open_in_place(nonce, Aad::from(about), &mut text).map_err(|_| SealingError::Broken)?.len();
    text.truncate(length);
    Ok(text)
}

/// A state that is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// What is kept.
    pub(crate) bytes: Vec<u8>,
    /// Id of the deployment's key.
    pub(crate) key_id: String,
    /// SHA-256 of the state.
    pub(crate) sha256: String,
}

/// Whether something is sealed.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Encrypts a state of a workspace.
pub(crate) fn seal(settings: &StateSettings, workspace: &str, state: &[u8]) -> Result<Sealed, SealingError> {
    let master = MasterKey::new(settings.key.as_deref().ok_or(SealingError::NoKey)?)?;
    let own: [u8; KEY] = rand::random();
    let sha256 = format!("{:x}", Sha256::digest(state));
    let wrapped = encrypt(&master.key, &about(workspace, &master.id), own.to_vec())?;
    let text = encrypt(&cipher(&own)?, &about(workspace, &sha256), state.to_vec())?;
    let bytes = [MAGIC.as_slice(), master.id.as_bytes(), &wrapped, &text].concat();
    Ok(Sealed { bytes, key_id: master.id, sha256 })
}

/// Decrypts a state of a workspace, whose digest is on record.
pub(crate) fn open(
    settings: &StateSettings,
    workspace: &str,
    sha256: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, SealingError> {
    let rest = sealed.strip_prefix(MAGIC.as_slice()).ok_or(SealingError::Broken)?;
    let (id, rest) = rest.split_at_checked(KEY_ID).ok_or(SealingError::Broken)?;
    let (wrapped, text) = rest.split_at_checked(NONCE_LEN + KEY + TAG).ok_or(SealingError::Broken)?;
    let id = std::str::from_utf8(id).map_err(|_| SealingError::Broken)?;
    for secret in settings.key.iter().chain(&settings.old_keys) {
        let master = MasterKey::new(secret)?;
        if master.id != id {
            continue;
        }
        let own = decrypt(&master.key, &about(workspace, id), wrapped)?;
        let own: [u8; KEY] = own.try_into().map_err(|_| SealingError::Broken)?;
        let state = decrypt(&cipher(&own)?, &about(workspace, sha256), text)?;
        if format!("{:x}", Sha256::digest(&state)) != sha256 {
            return Err(SealingError::Broken);
        }
        return Ok(state);
    }
    Err(SealingError::UnknownKey(id.to_owned()))
}

/// What an encrypted text is bound to.
fn about(workspace: &str, what: &str) -> Vec<u8> {
    format!("chancery state\n{workspace}\n{what}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str, old: &[&str]) -> StateSettings {
        let old_keys = old.iter().map(|key| key.as_bytes().to_vec()).collect();
        StateSettings { key: Some(key.as_bytes().to_vec()), old_keys }
    }

    const STATE: &[u8] = br#"{"version":4,"serial":1,"password":"hunter22"}"#;

    #[test]
    fn what_is_sealed_opens_for_its_workspace_alone_also_after_the_key_was_replaced() {
        let first = settings("a secret of all nodes, long enough", &[]);
        let sealed = seal(&first, "w", STATE).unwrap();
        assert!(!String::from_utf8_lossy(&sealed.bytes).contains("hunter22"));
        assert_ne!(seal(&first, "w", STATE).unwrap().bytes, sealed.bytes, "each version has a key of its own");
        assert_eq!(open(&first, "w", &sealed.sha256, &sealed.bytes).unwrap(), STATE);
        assert_eq!(open(&first, "v", &sealed.sha256, &sealed.bytes), Err(SealingError::Broken));
        let second = settings("another secret, also long enough", &["a secret of all nodes, long enough"]);
        assert_eq!(open(&second, "w", &sealed.sha256, &sealed.bytes).unwrap(), STATE);
        assert_ne!(seal(&second, "w", STATE).unwrap().key_id, sealed.key_id);
        let third = settings("another secret, also long enough", &[]);
        let unknown = SealingError::UnknownKey(sealed.key_id.clone());
        assert_eq!(open(&third, "w", &sealed.sha256, &sealed.bytes), Err(unknown));
        assert_eq!(seal(&StateSettings::default(), "w", STATE), Err(SealingError::NoKey));
    }

    #[test]
    fn a_state_that_was_changed_does_not_open() {
        let settings = settings("a secret of all nodes, long enough", &[]);
        let sealed = seal(&settings, "w", STATE).unwrap();
        for index in 0..sealed.bytes.len() {
            let mut changed = sealed.bytes.clone();
            changed[index] ^= 1;
            assert!(open(&settings, "w", &sealed.sha256, &changed).is_err(), "{index}");
        }
        for length in 0..sealed.bytes.len() {
            assert!(open(&settings, "w", &sealed.sha256, &sealed.bytes[..length]).is_err(), "{length}");
        }
        let other = format!("{:x}", Sha256::digest("other"));
        assert_eq!(open(&settings, "w", &other, &sealed.bytes), Err(SealingError::Broken));
    }
}
