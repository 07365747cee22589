//! What others keep for this server and bring back: encrypted, bound to its purpose, and good for some time only.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_domain::Timestamp;
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::ApiError;

/// What a sealed text is for. It opens for nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// A sign-in that has begun.
    Begun,
    /// A code that the command line exchanges.
    Code,
    /// A sign-in on a device.
    Device,
}

impl Purpose {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Begun => b"begun",
            Self::Code => b"code",
            Self::Device => b"device",
        }
    }
}

/// The key that seals.
pub(super) struct Seal(RandomizedNonceKey);

#[derive(Serialize, Deserialize)]
struct Content<T> {
    /// Microseconds since 1970.
    until: i64,
    value: T,
}

impl Seal {
    /// A key made from a secret, or drawn.
    pub(super) fn new(secret: Option<&str>) -> Option<Self> {
        let key: [u8; 32] = match secret {
            Some(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
                mac.update(b"chancery sign-in");
                mac.finalize().into_bytes().into()
            }
            None => rand::random(),
        };
        RandomizedNonceKey::new(&AES_256_GCM, &key).ok().map(Self)
    }

    /// A value as a text that is good until then.
    pub(super) fn close(&self, purpose: Purpose, value: &impl Serialize, until: Timestamp) -> Result<String, ApiError> {
        self.sealed(purpose, value, until).ok_or_else(|| ApiError::Internal("a sign-in cannot be sealed".to_owned()))
    }

    fn sealed(&self, purpose: Purpose, value: &impl Serialize, until: Timestamp) -> Option<String> {
        let mut bytes = serde_json::to_vec(&Content { until: until.as_micros(), value }).ok()?;
        let nonce = self.0.seal_in_place_append_tag(Aad::from(purpose.name()), &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &bytes].concat()))
    }

    /// The value of a text that this key has sealed for this purpose, and that is still good.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str, now: Timestamp) -> Option<T> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::from(purpose.name()), sealed).ok()?;
        let content: Content<T> = serde_json::from_slice(plain).ok()?;
        (now.as_micros() < content.until).then_some(content.value)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_on_every_node_in_time_and_for_its_purpose() {
        let seal = Seal::new(Some("a key that all nodes share, long enough")).unwrap();
        let text = seal.close(Purpose::Code, &("ada", 7), at(100)).unwrap();
        let node = Seal::new(Some("a key that all nodes share, long enough")).unwrap();
        let open = |seal: &Seal, purpose, now| seal.open::<(String, u32)>(purpose, &text, at(now));
        assert_eq!(open(&node, Purpose::Code, 99), Some(("ada".to_owned(), 7)));
        assert_eq!(open(&node, Purpose::Code, 100), None);
        assert_eq!(open(&node, Purpose::Device, 99), None);
        assert_eq!(open(&Seal::new(None).unwrap(), Purpose::Code, 99), None);
        assert!(!text.contains("ada"));
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let seal = Seal::new(None).unwrap();
        let text = seal.close(Purpose::Begun, &"value", at(100)).unwrap();
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'Q' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(seal.open::<String>(Purpose::Begun, &changed, at(1)), None, "{index}");
        }
        assert_eq!(seal.open::<String>(Purpose::Begun, "", at(1)), None);
    }
}
