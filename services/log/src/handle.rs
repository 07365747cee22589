//! The handle everyone holds.

use std::path::Path;
use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use tokio::sync::{Semaphore, TryAcquireError, mpsc, oneshot, watch};

use crate::LogError;
use crate::index::Index;
use crate::journal::Journal;
use crate::recent::Recent;
use crate::writer::{Request, Writer};

/// Place of an event in the log: dense from 1; 0 stands before everything.
pub type Position = u64;

/// Where time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        Timestamp::EPOCH.saturating_add_micros(micros)
    })
}

/// How a log is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// Events that may wait for the writer before [`LogError::Busy`].
    pub queue_events: usize,
    /// Bytes of recent events kept in memory for readers near the end.
    pub recent_bytes: usize,
    /// Bytes the identity index may cache.
    pub index_cache_bytes: u64,
    /// Where `recorded_at` comes from.
    pub clock: Clock,
}

impl std::fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogOptions").field("queue_events", &self.queue_events).finish_non_exhaustive()
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { queue_events: 32_768, recent_bytes: 24 << 20, index_cache_bytes: 32 << 20, clock: system_clock() }
    }
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its position.
    pub position: Position,
    /// Its canonical bytes, JSON of [`chancery_domain::Event`].
    pub bytes: Arc<str>,
}

/// What became of one event of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log now.
    Created {
        /// Where.
        position: Position,
        /// Its version in its stream.
        stream_version: u64,
    },
    /// The same event was there already.
    Duplicate {
        /// Where.
        position: Position,
    },
    /// Another event has its `(source, id)`; this one was not appended.
    Conflict {
        /// Where the other stands.
        position: Position,
    },
    /// The stream has moved; this one was not appended.
    WrongVersion {
        /// The stream's version.
        actual: u64,
    },
}

/// A cheap handle to the log.
#[derive(Clone)]
pub struct Log {
    journal: Journal,
    recent: Arc<Recent>,
    requests: mpsc::UnboundedSender<Request>,
    permits: Arc<Semaphore>,
    queue_events: usize,
    head: watch::Receiver<Position>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Log {
    /// Most bytes one [`Log::read`] returns.
    pub const READ_BYTES: usize = 8 << 20;

    /// Opens or creates the log in `directory` and brings its index up to the journal's head.
    pub async fn open(directory: &Path, options: LogOptions) -> Result<Self, LogError> {
        std::fs::create_dir_all(directory).map_err(|error| LogError::Open(error.to_string()))?;
        let journal = Journal::open(&directory.join("journal.db")).await?;
        let last = journal.last().await?;
        let index = Index::open(&directory.join("index"), options.index_cache_bytes, &journal, last.position).await?;
        let recent = Arc::new(Recent::new(options.recent_bytes, last.position));
        let (head_sender, head) = watch::channel(last.position);
        let (requests, receiver) = mpsc::unbounded_channel();
        let writer = Writer {
            journal: journal.clone(),
            index: Some(index),
            index_path: directory.join("index"),
            index_cache_bytes: options.index_cache_bytes,
            recent: recent.clone(),
            head: head_sender,
            clock: options.clock,
            last,
        };
        tokio::spawn(writer.run(receiver));
        let permits = Arc::new(Semaphore::new(options.queue_events));
        Ok(Self { journal, recent, requests, permits, queue_events: options.queue_events, head })
    }

    /// Appends events in order, each on its own merits. Created ones are durable when this returns.
    ///
    /// Fails as a whole with [`LogError::Busy`] when too much waits already; nothing was appended then.
    pub async fn append(&self, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        self.request(events, None).await
    }

    /// Appends one event if its stream stands at `stream_version` (0: the stream must not exist).
    pub async fn append_expecting(&self, event: Sealed, stream_version: u64) -> Result<Appended, LogError> {
        let outcomes = self.request(vec![event], Some(stream_version)).await?;
        outcomes.first().copied().ok_or(LogError::Closed)
    }

    async fn request(&self, events: Vec<Sealed>, expected: Option<u64>) -> Result<Vec<Appended>, LogError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = u32::try_from(events.len().min(self.queue_events)).map_err(|_| LogError::Busy)?;
        let permit = self.permits.clone().try_acquire_many_owned(wanted).map_err(|error| match error {
            TryAcquireError::NoPermits => LogError::Busy,
            TryAcquireError::Closed => LogError::Closed,
        })?;
        let (reply, answer) = oneshot::channel();
        let request = Request { events, expected, reply, permit };
        self.requests.send(request).map_err(|_| LogError::Closed)?;
        answer.await.map_err(|_| LogError::Closed)?
    }

    /// The last durable position.
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// Waits until the log reaches beyond `position` and returns its head. Pends for ever once it is closed.
    pub async fn wait_beyond(&self, position: Position) -> Position {
        let mut head = self.head.clone();
        let reached = head.wait_for(|head| *head > position).await.map(|head| *head);
        match reached {
            Ok(head) => head,
            Err(_) => std::future::pending().await,
        }
    }

    /// Reads events after `after` in order: at most `max_events` and about [`Log::READ_BYTES`], at least one
    /// when there is one.
    pub async fn read(&self, after: Position, max_events: usize) -> Result<Vec<Recorded>, LogError> {
        let head = self.head();
        if after >= head || max_events == 0 {
            return Ok(Vec::new());
        }
        if let Some(events) = self.recent.read(after, max_events, Self::READ_BYTES) {
            return Ok(events);
        }
        self.journal.read(after, head, max_events, Self::READ_BYTES).await
    }

    /// Stops taking appends, finishes those that wait, and closes the files.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if let Ok(permit) = self.permits.clone().acquire_owned().await {
            self.permits.close();
            let last = Request { events: Vec::new(), expected: None, reply, permit };
            if self.requests.send(last).is_ok() {
                // The writer answers when everything before this request is durable.
                answer.await.ok();
            }
        }
        self.journal.close().await;
    }
}
