//! An event as a Kafka record: key is its stream, value its canonical bytes, and one header says what makes it the
//! same event as another, so that admission need not parse it.

use std::sync::Arc;

use chancery_domain::Event;
use chancery_evidence::{ContentDigest, Identity, Sealed};
use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use uuid::Uuid;

use crate::Position;
use crate::position::position;
use crate::recent::Held;

const HEADER: &str = "chancery";

/// What makes an event the same event as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) identity: Identity,
    pub(crate) content: ContentDigest,
    /// Of an event that came without a time.
    pub(crate) timeless: Option<ContentDigest>,
}

impl Fingerprint {
    pub(crate) fn of(sealed: &Sealed) -> Self {
        Self { identity: *sealed.identity(), content: *sealed.content(), timeless: sealed.timeless().copied() }
    }

    /// Whether two events of one identity are the same.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.content == other.content || (self.timeless.is_some() && self.timeless == other.timeless)
    }

    /// As the header of a record.
    pub(crate) fn headers(&self) -> OwnedHeaders {
        let parts = [Some(&self.identity), Some(&self.content), self.timeless.as_ref()];
        let value = parts.into_iter().flatten().flatten().copied().collect::<Vec<u8>>();
        OwnedHeaders::new_with_capacity(1).insert(Header { key: HEADER, value: Some(&value) })
    }

    fn from_header(value: &[u8]) -> Option<Self> {
        let (identity, rest) = value.split_first_chunk()?;
        let (content, rest) = rest.split_first_chunk()?;
        Some(Self { identity: *identity, content: *content, timeless: rest.first_chunk().copied() })
    }

    /// Of an event that was given to Kafka by someone else, without the header.
    fn from_bytes(bytes: &str, position: Position) -> Self {
        let sealed = serde_json::from_str::<Event>(bytes).ok().and_then(|event| Sealed::new(&event).ok());
        let place = Uuid::new_v5(&Uuid::NAMESPACE_OID, &position.to_be_bytes()).into_bytes();
        sealed.map_or(Self { identity: place, content: place, timeless: None }, |sealed| Self::of(&sealed))
    }

    pub(crate) fn uuids(&self) -> (Uuid, Uuid, Option<Uuid>) {
        (Uuid::from_bytes(self.identity), Uuid::from_bytes(self.content), self.timeless.map(Uuid::from_bytes))
    }
}

/// An event as it arrived in a partition, admitted or not.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) position: Position,
    pub(crate) bytes: Arc<str>,
    pub(crate) fingerprint: Fingerprint,
}

impl Held for Arrived {
    fn position(&self) -> Position {
        self.position
    }

    fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

impl Arrived {
    pub(crate) fn of(message: &impl Message) -> Self {
        let place = u64::try_from(message.offset()).unwrap_or(0) + 1;
        let position = position(u16::try_from(message.partition()).unwrap_or(0), place);
        let bytes = String::from_utf8_lossy(message.payload().unwrap_or_default());
        let header = message.headers().and_then(|headers| headers.iter().find(|header| header.key == HEADER));
        let fingerprint = header.and_then(|header| Fingerprint::from_header(header.value?));
        let fingerprint = fingerprint.unwrap_or_else(|| Fingerprint::from_bytes(&bytes, position));
        Self { position, bytes: bytes.into(), fingerprint }
    }
}
