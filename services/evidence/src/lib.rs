//! What is hashed, stored and proved: the canonical bytes of an event (RFC 8785, JCS).
//!
//! [`Sealed`] is an event made ready for the log outside the log's single writer: its canonical bytes exist
//! already, with fixed-width gaps that the writer fills in place (`recorded_at`, `stream_version`), so that
//! the writer never serialises. Bytes that are stored are never serialised again: readers hash what they read.

mod canonical;
mod sealed;

pub use canonical::canonical_bytes;
pub use sealed::{ContentDigest, Identity, Sealed, event_type, stream_identity, timeless_digest};

/// Why an event has no canonical bytes.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Something in it cannot be written as canonical JSON.
    #[error("the event has no canonical form")]
    Canonical(#[source] serde_json::Error),
    /// It is larger than an entry of the log may be.
    #[error("the event's canonical form has {0} bytes, {limit} are allowed; store large bodies elsewhere and send their digest", limit = chancery_domain::validate::MAX_EVENT)]
    TooLarge(usize),
}
