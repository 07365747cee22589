//! The log in one SQLite file.

mod index;
mod journal;
mod touched;
mod writer;

use std::path::Path;
use std::sync::Arc;

use chancery_evidence::Sealed;
use tokio::sync::{Semaphore, TryAcquireError, mpsc, oneshot, watch};

use crate::recent::Recent;
use crate::{Appended, Clock, Decided, Frontier, Keys, Log, LogError, Page, Position, Recorded, Ticket, system_clock};
use index::Index;
use journal::Journal;
use touched::Touched;
use writer::{Request, Wish, Writer};

/// How an embedded log is opened.
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

/// The embedded log: a journal with one writer, and many readers.
#[derive(Clone)]
pub(crate) struct Embedded {
    journal: Journal,
    recent: Arc<Recent<Recorded>>,
    requests: mpsc::UnboundedSender<Request>,
    permits: Arc<Semaphore>,
    queue_events: usize,
    head: watch::Receiver<Position>,
    touched: Arc<Touched>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Embedded {
    pub(crate) async fn open(directory: &Path, options: LogOptions) -> Result<Self, LogError> {
        std::fs::create_dir_all(directory).map_err(|error| LogError::Open(error.to_string()))?;
        let journal = Journal::open(&directory.join("journal.db")).await?;
        let last = journal.last().await?;
        let index = Index::open(&directory.join("index"), options.index_cache_bytes, &journal, last.position).await?;
        let recent = Arc::new(Recent::new(options.recent_bytes, last.position));
        let (head_sender, head) = watch::channel(last.position);
        let (requests, receiver) = mpsc::unbounded_channel();
        let touched = Arc::new(Touched::new(last.position));
        let writer = Writer {
            journal: journal.clone(),
            index: Some(index),
            index_path: directory.join("index"),
            index_cache_bytes: options.index_cache_bytes,
            recent: recent.clone(),
            head: head_sender,
            touched: touched.clone(),
            clock: options.clock,
            last,
        };
        tokio::spawn(writer.run(receiver));
        let permits = Arc::new(Semaphore::new(options.queue_events));
        Ok(Self { journal, recent, requests, permits, queue_events: options.queue_events, head, touched })
    }

    pub(crate) async fn append(&self, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.request(events, Wish::Append(reply))?;
        answer.await.map_err(|_| LogError::Closed)?
    }

    pub(crate) fn consider(&self, keys: &Keys) -> Ticket {
        let seen: Vec<_> = keys.iter().map(|key| (*key, self.touched.last(Touched::slot(key)))).collect();
        let last = seen.iter().map(|(_, position)| *position).max().unwrap_or_default();
        Ticket::new(seen, Frontier::single(last))
    }

    pub(crate) async fn decide(&self, events: Vec<Sealed>, ticket: &Ticket) -> Result<Decided, LogError> {
        if events.is_empty() {
            return Ok(Decided::Appended(ticket.settled().clone()));
        }
        let (reply, answer) = oneshot::channel();
        self.request(events, Wish::Decide(ticket.clone(), reply))?;
        answer.await.map_err(|_| LogError::Closed)?
    }

    fn request(&self, events: Vec<Sealed>, wish: Wish) -> Result<(), LogError> {
        let wanted = u32::try_from(events.len().min(self.queue_events)).map_err(|_| LogError::Busy)?;
        let permit = self.permits.clone().try_acquire_many_owned(wanted).map_err(|error| match error {
            TryAcquireError::NoPermits => LogError::Busy,
            TryAcquireError::Closed => LogError::Closed,
        })?;
        self.requests.send(Request { events, wish, permit }).map_err(|_| LogError::Closed)
    }

    /// The last durable position.
    pub(crate) fn head(&self) -> Position {
        *self.head.borrow()
    }

    pub(crate) async fn wait_beyond(&self, position: Position) -> Position {
        let mut head = self.head.clone();
        let reached = head.wait_for(|head| *head > position).await.map(|head| *head);
        match reached {
            Ok(head) => head,
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) async fn read(&self, after: Position, max_events: usize) -> Result<Page, LogError> {
        let head = self.head();
        if after >= head || max_events == 0 {
            return Ok(Page { after, events: Vec::new(), reached: after });
        }
        let events = match self.recent.read(after, head, max_events, Log::READ_BYTES) {
            Some((events, _)) => events,
            None => self.journal.read(after, head, max_events, Log::READ_BYTES).await?,
        };
        let reached = events.last().map_or(after, |last| last.position);
        Ok(Page { after, events, reached })
    }

    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if let Ok(permit) = self.permits.clone().acquire_owned().await {
            self.permits.close();
            let last = Request { events: Vec::new(), wish: Wish::Append(reply), permit };
            if self.requests.send(last).is_ok() {
                // The writer answers when everything before this request is durable.
                answer.await.ok();
            }
        }
        self.journal.close().await;
    }
}
