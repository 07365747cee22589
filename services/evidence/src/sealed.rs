//! An event ready to append.

use chancery_domain::{Event, Timestamp, validate};
use sha2::{Digest, Sha256};

use crate::{EvidenceError, canonical_bytes};

/// First 16 bytes of SHA-256 over source and id: what makes an event the same event.
pub type Identity = [u8; 16];

/// First 16 bytes of SHA-256 over the content as it was sent.
pub type ContentDigest = [u8; 16];

const UNRECORDED: &str = "\"recorded_at\":\"1970-01-01T00:00:00.000000Z\",\"resource\":";
const UNVERSIONED: &str = ",\"stream_version\":0,\"type\":";

/// Canonical bytes with gaps for what only the log knows.
#[derive(Debug, Clone)]
pub struct Sealed {
    bytes: Vec<u8>,
    recorded_at: usize,
    stream_version: usize,
    identity: Identity,
    content: ContentDigest,
    timeless: Option<ContentDigest>,
    stream: Identity,
}

impl Sealed {
    /// Seals an event whose source gave its time.
    pub fn new(event: &Event) -> Result<Self, EvidenceError> {
        let bytes = unrecorded_bytes(event)?;
        // Both gaps stand behind everything a sender controls freely, so the last match is the envelope's own.
        let recorded_at = rfind(&bytes, UNRECORDED) + "\"recorded_at\":\"".len();
        let stream_version = rfind(&bytes, UNVERSIONED) + ",\"stream_version\":".len();
        Ok(Self {
            recorded_at,
            stream_version,
            identity: digest(&[event.source.as_bytes(), &[0], event.id.as_bytes()]),
            content: digest(&[&bytes]),
            timeless: None,
            stream: stream_identity(&event.stream),
            bytes,
        })
    }

    /// Seals an event whose time was filled in on arrival: a retry of it carries another time and is a
    /// duplicate all the same, see [`Sealed::timeless`].
    pub fn untimed(event: &Event) -> Result<Self, EvidenceError> {
        Ok(Self { timeless: Some(timeless_digest(event)?), ..Self::new(event)? })
    }

    /// Size of the canonical bytes, before the log adds its own digits.
    #[expect(clippy::len_without_is_empty, reason = "an event is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What makes it the same event when it is sent again.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What must be equal when it is sent again.
    pub fn content(&self) -> &ContentDigest {
        &self.content
    }

    /// For an event that came without a time: digest of its content but for the time, see [`timeless_digest`].
    pub fn timeless(&self) -> Option<&ContentDigest> {
        self.timeless.as_ref()
    }

    /// Which stream it belongs to.
    pub fn stream(&self) -> &Identity {
        &self.stream
    }

    /// The name of that stream, as JSON writes it.
    pub fn stream_name(&self) -> &str {
        // Behind the stream's name follows its version: no later member, and no quote inside a text, can be mistaken.
        let before = self.bytes.get(..self.stream_version).unwrap_or_default();
        let text = std::str::from_utf8(before).unwrap_or_default();
        let name = text.strip_suffix("\",\"stream_version\":").unwrap_or_default();
        name.rfind(",\"stream\":\"").map_or("", |at| &name[at + ",\"stream\":\"".len()..])
    }

    /// The canonical bytes with the log's own knowledge filled in.
    pub fn stamp(mut self, recorded_at: Timestamp, stream_version: u64) -> Vec<u8> {
        let digits = stream_version.to_string();
        self.bytes.splice(self.stream_version..=self.stream_version, digits.bytes());
        let time = recorded_at.to_string();
        self.bytes.iter_mut().skip(self.recorded_at).zip(time.bytes()).for_each(|(byte, stamped)| *byte = stamped);
        self.bytes
    }
}

/// Digest of an event's content without its time.
pub fn timeless_digest(event: &Event) -> Result<ContentDigest, EvidenceError> {
    unrecorded_bytes(&Event {
        occurred_at: Timestamp::EPOCH,
        recorded_at: Timestamp::EPOCH,
        stream_version: 0,
        ..event.clone()
    })
    .map(|bytes| digest(&[&bytes]))
}

/// The type of an event, read from its canonical bytes without parsing them: `type` is their last member.
pub fn event_type(canonical: &str) -> Option<&str> {
    let value = canonical.strip_suffix("\"}")?;
    value.rfind(",\"type\":\"").map(|at| &value[at + ",\"type\":\"".len()..])
}

/// The identity of a stream's name.
pub fn stream_identity(stream: &str) -> Identity {
    digest(&[stream.as_bytes()])
}

fn unrecorded_bytes(event: &Event) -> Result<Vec<u8>, EvidenceError> {
    let bytes = if event.recorded_at == Timestamp::EPOCH && event.stream_version == 0 {
        canonical_bytes(event)?
    } else {
        canonical_bytes(&Event { recorded_at: Timestamp::EPOCH, stream_version: 0, ..event.clone() })?
    };
    // The version's digits come on top.
    if bytes.len() + 20 > validate::MAX_EVENT {
        return Err(EvidenceError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

fn rfind(bytes: &[u8], needle: &str) -> usize {
    bytes.windows(needle.len()).rposition(|window| window == needle.as_bytes()).unwrap_or_default()
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use chancery_domain::{Actor, Resource};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(text: &str) -> Event {
        let resource = Resource::new("user", "1").named(text);
        let mut event = Event::new("user.suspended", text, text, Timestamp::MAX, Actor::default(), resource);
        event.data =
            json!({ "recorded_at": "1970-01-01T00:00:00.000000Z", "resource": {"stream_version": 0, "type": text} });
        event.extensions.insert(text.to_owned(), json!(text));
        event
    }

    proptest! {
        #[test]
        fn stamping_equals_serialising_the_stamped_event(text in "\\PC{1,40}|.*recorded_at.*", version in 1..=validate::MAX_INTEGER, micros in 0..=Timestamp::MAX.as_micros()) {
            let event = event(&text);
            let recorded_at = Timestamp::from_micros(micros).unwrap();
            let sealed = Sealed::new(&event).unwrap();
            prop_assert_eq!(sealed.stream_name(), "user/1");
            let stamped = sealed.stamp(recorded_at, version);
            let expected = canonical_bytes(&Event { recorded_at, stream_version: version, ..event }).unwrap();
            let stamped = String::from_utf8(stamped).unwrap();
            prop_assert_eq!(event_type(&stamped), Some("user.suspended"));
            prop_assert_eq!(stamped, String::from_utf8(expected).unwrap());
        }
    }

    #[test]
    fn a_retry_without_a_time_has_the_same_content() {
        let first = event("a");
        let retry = Event { occurred_at: Timestamp::EPOCH.saturating_add_micros(7), ..first.clone() };
        assert_eq!(Sealed::untimed(&first).unwrap().timeless(), Some(&timeless_digest(&retry).unwrap()));
        assert_ne!(Sealed::new(&first).unwrap().content(), Sealed::new(&retry).unwrap().content());
    }

    #[test]
    fn an_event_beyond_the_limit_is_refused() {
        let mut large = event("a");
        large.data = json!("x".repeat(validate::MAX_EVENT));
        assert!(matches!(Sealed::new(&large), Err(EvidenceError::TooLarge(_))));
    }
}
