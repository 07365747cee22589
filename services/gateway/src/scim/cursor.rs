//! Cursors as they are handed out: sealed, so that only the token that began a walk can go on with it (RFC 9865).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_scim::ScimError;
use chancery_scim::cursor::{Cursor, invalid};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::push::Push;

/// Bytes of the seal.
const SEAL: usize = 16;

/// How long a cursor can be used, seconds.
pub(super) const LIFETIME: u64 = 3600;

/// A cursor as text.
pub(super) fn seal(push: &Push, cursor: &Cursor) -> Option<String> {
    let mut bytes = cursor.encode();
    let seal = mac(push, &bytes)?;
    bytes.extend_from_slice(seal.get(..SEAL)?);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a cursor that this token was given for this question.
pub(super) fn open(push: &Push, text: &str, query: u64) -> Result<Cursor, ScimError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
    let (content, seal) = bytes.split_at_checked(bytes.len().saturating_sub(SEAL)).ok_or_else(invalid)?;
    let expected = mac(push, content).ok_or_else(invalid)?;
    let genuine: bool = subtle::ConstantTimeEq::ct_eq(expected.get(..SEAL).unwrap_or_default(), seal).into();
    let cursor = if genuine { Cursor::decode(content)? } else { return Err(invalid()) };
    cursor.check(query, now(push), Some(LIFETIME))?;
    Ok(cursor)
}

/// Seconds since 1970.
pub(super) fn now(push: &Push) -> i64 {
    push.gateway.now().as_micros() / 1_000_000
}

/// Every node knows the digest of the token's secret, and nobody else does.
fn mac(push: &Push, content: &[u8]) -> Option<Vec<u8>> {
    let secret = &push.caller.token.as_ref()?.secret_sha256;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(b"scim cursor");
    mac.update(content);
    Some(mac.finalize().into_bytes().to_vec())
}
