//! Cursors (RFC 9865): where a walk through a list is, sealed so that only the token that began it can go on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_scim::query::CursorState;
use chancery_scim::{ScimError, ScimType};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::push::Push;

/// Bytes of the seal.
const SEAL: usize = 16;

/// How long a cursor can be used, seconds.
pub(super) const LIFETIME: i64 = 3600;

/// A cursor as text.
pub(super) fn seal(push: &Push, state: &CursorState) -> Option<String> {
    let mut bytes = state.to_bytes();
    let seal = mac(push, &bytes)?;
    bytes.extend_from_slice(seal.get(..SEAL)?);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a cursor that this token was given.
pub(super) fn open(push: &Push, text: &str) -> Result<CursorState, ScimError> {
    let invalid = || ScimError::new(ScimType::InvalidCursor, "the cursor is not one that was given to this token");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
    let (content, seal) = bytes.split_at_checked(bytes.len().saturating_sub(SEAL)).ok_or_else(invalid)?;
    let expected = mac(push, content).ok_or_else(invalid)?;
    let genuine: bool = subtle::ConstantTimeEq::ct_eq(expected.get(..SEAL).unwrap_or_default(), seal).into();
    let state = if genuine { CursorState::from_bytes(content) } else { None }.ok_or_else(invalid)?;
    let age = push.gateway.now().as_micros() / 1_000_000 - state.issued;
    if age > LIFETIME {
        return Err(ScimError::new(ScimType::ExpiredCursor, "the cursor is too old; begin again"));
    }
    Ok(state)
}

/// Every node knows the digest of the token's secret, and nobody else does.
fn mac(push: &Push, content: &[u8]) -> Option<Vec<u8>> {
    let secret = &push.caller.token.as_ref()?.secret_sha256;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(b"scim cursor");
    mac.update(content);
    Some(mac.finalize().into_bytes().to_vec())
}
