//! What a cursor says (RFC 9865). It is plain here: whoever hands it out seals it, so that nobody can forge one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ScimError, ScimType};

/// Where a page begins, and of which request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// What the request asks, as [`fingerprint`] makes it: the cursor is good for no other.
    #[serde(rename = "q")]
    pub query: u64,
    /// When it was handed out, in seconds since 1970.
    #[serde(rename = "t")]
    pub issued_at: i64,
    /// What the last resource of the page was ordered by; null without an order.
    #[serde(rename = "k")]
    pub key: Value,
    /// The id of the last resource of the page.
    #[serde(rename = "i")]
    pub id: String,
    /// Whether the page lies before that resource and not after it.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub backward: bool,
}

impl Cursor {
    /// The bytes to seal.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, ScimError> {
        serde_json::from_slice(bytes).map_err(|_| invalid())
    }

    /// Refuses the cursor for another request or after its time.
    pub fn check(&self, query: u64, now: i64, timeout: Option<u64>) -> Result<(), ScimError> {
        if self.query != query {
            return Err(ScimError::of(ScimType::InvalidCursor, "the cursor belongs to another request"));
        }
        let age = now.saturating_sub(self.issued_at);
        if timeout.is_some_and(|timeout| u64::try_from(age).is_ok_and(|age| age > timeout)) {
            return Err(ScimError::of(ScimType::ExpiredCursor, "the cursor has expired, begin with the first page"));
        }
        Ok(())
    }
}

/// The refusal of what is no cursor of this server.
pub fn invalid() -> ScimError {
    ScimError::of(ScimType::InvalidCursor, "this is no cursor of this server")
}

/// A number for the parts of a request that must stay the same from page to page. It tells requests apart and
/// protects nothing; the seal does.
pub fn fingerprint<'p>(parts: impl IntoIterator<Item = &'p str>) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            query: fingerprint(["Users", "a pr"]),
            issued_at: 100,
            key: "b".into(),
            id: "1".to_owned(),
            backward: false,
        }
    }

    #[test]
    fn a_cursor_survives_its_bytes() {
        assert_eq!(Cursor::decode(&cursor().encode()).unwrap(), cursor());
        assert_eq!(Cursor::decode(b"x").unwrap_err().scim_type, Some(ScimType::InvalidCursor));
    }

    #[test]
    fn a_cursor_is_good_for_its_request_and_its_time_alone() {
        let query = cursor().query;
        let keyword = |query, now| cursor().check(query, now, Some(60)).err().and_then(|error| error.scim_type);
        assert_eq!(keyword(query, 160), None);
        assert_eq!(keyword(query, 161), Some(ScimType::ExpiredCursor));
        assert_eq!(keyword(fingerprint(["Users", "b pr"]), 100), Some(ScimType::InvalidCursor));
        assert!(cursor().check(query, i64::MAX, None).is_ok());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
    }
}
