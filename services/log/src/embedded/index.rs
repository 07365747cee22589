//! The identity index: `(source, id)` → position and content, stream → version. Derived from the journal.
//!
//! It is written after the journal's commit and not synced: what a crash takes from it is read from the
//! journal again on opening.

use std::path::Path;

use chancery_domain::Event;
use chancery_evidence::{ContentDigest, Identity, Sealed};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::journal::Journal;
use crate::{LogError, Position, Recorded};

const APPLIED: &str = "applied";

/// Where an identity stands and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) content: ContentDigest,
}

/// What a commit adds to the index.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) identities: Vec<(Identity, Entry)>,
    pub(crate) streams: Vec<(Identity, u64)>,
}

/// The open index.
pub(crate) struct Index {
    database: Database,
    identities: Keyspace,
    streams: Keyspace,
    progress: Keyspace,
}

impl Index {
    /// Opens the index and brings it up to the journal's `head`. An index that cannot be opened or that knows
    /// more than the journal is thrown away and rebuilt.
    pub(crate) async fn open(
        path: &Path,
        cache_bytes: u64,
        journal: &Journal,
        head: Position,
    ) -> Result<Self, LogError> {
        let usable = match Self::load(path, cache_bytes) {
            Ok(index) if index.applied()? <= head => Some(index),
            Ok(_) => None,
            Err(LogError::Full) => return Err(LogError::Full),
            Err(error) => {
                tracing::warn!(%error, "the identity index is unreadable and will be rebuilt from the journal");
                None
            }
        };
        let index = if let Some(index) = usable {
            index
        } else {
            std::fs::remove_dir_all(path).map_err(|error| LogError::Open(error.to_string()))?;
            Self::load(path, cache_bytes)?
        };
        index.catch_up(journal, head).await?;
        Ok(index)
    }

    fn load(path: &Path, cache_bytes: u64) -> Result<Self, LogError> {
        let database = Database::builder(path)
            .cache_size(cache_bytes)
            .worker_threads(1)
            .max_journaling_size(64 << 20)
            .manual_journal_persist(true)
            .open()?;
        let points = || KeyspaceCreateOptions::default().max_memtable_size(8 << 20);
        Ok(Self {
            identities: database.keyspace("identities", points)?,
            streams: database.keyspace("streams", points)?,
            progress: database.keyspace("progress", || KeyspaceCreateOptions::default().max_memtable_size(1 << 20))?,
            database,
        })
    }

    fn applied(&self) -> Result<Position, LogError> {
        Ok(self.progress.get(APPLIED)?.and_then(|bytes| number(&bytes)).unwrap_or(0))
    }

    async fn catch_up(&self, journal: &Journal, head: Position) -> Result<(), LogError> {
        let mut applied = self.applied()?;
        if applied < head {
            tracing::info!(from = applied, to = head, "bringing the identity index up to the journal");
        }
        while applied < head {
            let events = journal.read(applied, head, 4096, 8 << 20).await?;
            let Some(last) = events.last() else {
                return Err(LogError::Open(format!("the journal has a gap after position {applied}")));
            };
            applied = last.position;
            self.apply(additions(&events), applied)?;
        }
        Ok(())
    }

    pub(crate) fn find(&self, identity: &Identity) -> Result<Option<Entry>, LogError> {
        Ok(self.identities.get(identity)?.and_then(|bytes| entry(&bytes)))
    }

    pub(crate) fn stream_version(&self, stream: &Identity) -> Result<u64, LogError> {
        Ok(self.streams.get(stream)?.and_then(|bytes| number(&bytes)).unwrap_or(0))
    }

    /// Adds what a commit brought, all at once.
    pub(crate) fn apply(&self, additions: Additions, head: Position) -> Result<(), LogError> {
        let mut batch = self.database.batch();
        for (identity, entry) in additions.identities {
            let mut value = [0; 24];
            value[..8].copy_from_slice(&entry.position.to_be_bytes());
            value[8..].copy_from_slice(&entry.content);
            batch.insert(&self.identities, identity, value);
        }
        for (stream, version) in additions.streams {
            batch.insert(&self.streams, stream, version.to_be_bytes());
        }
        batch.insert(&self.progress, APPLIED, head.to_be_bytes());
        batch.commit()?;
        Ok(())
    }
}

/// What stored events add. One that cannot be decoded was not written by this log and has no identity.
fn additions(events: &[Recorded]) -> Additions {
    let mut additions = Additions::default();
    for recorded in events {
        let Ok(event) = serde_json::from_str::<Event>(&recorded.bytes) else { continue };
        let Ok(sealed) = Sealed::new(&event) else { continue };
        let entry = Entry { position: recorded.position, content: *sealed.content() };
        additions.identities.push((*sealed.identity(), entry));
        additions.streams.push((*sealed.stream(), event.stream_version));
    }
    additions
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let (position, content) = bytes.split_first_chunk::<8>()?;
    Some(Entry { position: u64::from_be_bytes(*position), content: content.try_into().ok()? })
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}
