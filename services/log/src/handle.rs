//! The handle everyone holds.

use std::path::Path;
use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use tokio::sync::watch;

use crate::embedded::Embedded;
use crate::kafka::{Cluster, KafkaLogOptions, Role};
use crate::position::partition;
use crate::recent::Held;
use crate::{Decided, Frontier, Keys, LogError, LogOptions, Position, Ticket};

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

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its position.
    pub position: Position,
    /// Its canonical bytes, JSON of [`chancery_domain::Event`].
    pub bytes: Arc<str>,
}

impl Held for Recorded {
    fn position(&self) -> Position {
        self.position
    }

    fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Consecutive events of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Position the page begins after.
    pub after: Position,
    /// The events, in order.
    pub events: Vec<Recorded>,
    /// Position the page reaches: the last event's, or beyond it where no more event stands. Not before `after`.
    pub reached: Position,
}

/// What became of one event of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log now.
    Created {
        /// Where.
        position: Position,
        /// Its version in its stream; 0 for an observation in the Kafka log, which takes no part in versions.
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
}

/// The partitions that this process has to work on, as they come and go.
pub type Assignment = watch::Receiver<Vec<u16>>;

/// A cheap handle to the log.
#[derive(Debug, Clone)]
pub struct Log(Engine);

/// What the log in Kafka does is boxed where it is waited for: it is large, and would make everyone's futures so.
#[derive(Debug, Clone)]
enum Engine {
    Embedded(Box<Embedded>),
    Kafka(Cluster),
}

impl Log {
    /// Most bytes one [`Log::read`] returns.
    pub const READ_BYTES: usize = 8 << 20;

    /// Opens or creates the embedded log in `directory` and brings its index up to the journal's head.
    pub async fn open(directory: &Path, options: LogOptions) -> Result<Self, LogError> {
        Ok(Self(Engine::Embedded(Box::new(Embedded::open(directory, options).await?))))
    }

    /// Opens the log in Kafka, making what is missing; refuses a topic that could lose events.
    pub async fn open_kafka(options: KafkaLogOptions) -> Result<Self, LogError> {
        Ok(Self(Engine::Kafka(Box::pin(Cluster::open(options)).await?)))
    }

    /// What only a log in Kafka has: nodes, leases, the outbox.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.0 {
            Engine::Embedded(_) => None,
            Engine::Kafka(cluster) => Some(cluster),
        }
    }

    /// Appends events in order, each on its own merits. Created ones are durable when this returns.
    ///
    /// Fails as a whole with [`LogError::Busy`] when too much waits already; nothing was appended then. After
    /// [`LogError::Unavailable`] some may be in the log: appending them again adds none twice.
    pub async fn append(&self, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        match &self.0 {
            Engine::Embedded(log) => log.append(events).await,
            Engine::Kafka(log) => Box::pin(log.append(events)).await,
        }
    }

    /// Begins a decision: what is known of its keys. Whoever decides must know the log up to [`Ticket::settled`], and read
    /// after this returned.
    pub async fn consider(&self, keys: &Keys) -> Result<Ticket, LogError> {
        match &self.0 {
            Engine::Embedded(log) => Ok(log.consider(keys)),
            Engine::Kafka(log) => Box::pin(log.consider(keys)).await,
        }
    }

    /// Appends the events of a decision, all or none, unless another has touched its keys since `ticket`. They are durable
    /// and can be read when this returns.
    pub async fn decide(&self, events: Vec<Sealed>, ticket: &Ticket) -> Result<Decided, LogError> {
        match &self.0 {
            Engine::Embedded(log) => log.decide(events, ticket).await,
            Engine::Kafka(log) => Box::pin(log.decide(events, ticket)).await,
        }
    }

    /// Number of partitions.
    pub fn partitions(&self) -> u16 {
        match &self.0 {
            Engine::Embedded(_) => 1,
            Engine::Kafka(log) => log.partitions(),
        }
    }

    /// The last positions that can be read here.
    pub fn heads(&self) -> Frontier {
        match &self.0 {
            Engine::Embedded(log) => Frontier::single(log.head()),
            Engine::Kafka(log) => log.heads(),
        }
    }

    /// Waits until everything that was acknowledged anywhere before this call can be read here, and returns the heads.
    pub async fn barrier(&self) -> Result<Frontier, LogError> {
        match &self.0 {
            Engine::Embedded(log) => Ok(Frontier::single(log.head())),
            Engine::Kafka(log) => Box::pin(log.barrier()).await,
        }
    }

    /// Waits until the partition of `after` reaches beyond it, and returns its head. Pends for ever once the log is
    /// closed.
    pub async fn wait_beyond(&self, after: Position) -> Position {
        match &self.0 {
            Engine::Embedded(log) => log.wait_beyond(after).await,
            Engine::Kafka(log) => log.wait_until(|heads| heads.of(partition(after)) > after).await.of(partition(after)),
        }
    }

    /// Waits until any partition reaches beyond `seen`. Pends for ever once the log is closed.
    pub async fn wait_past(&self, seen: &Frontier) -> Frontier {
        match &self.0 {
            Engine::Embedded(log) => Frontier::single(log.wait_beyond(seen.of(0)).await),
            Engine::Kafka(log) => log.wait_until(|heads| !seen.reaches(heads)).await,
        }
    }

    /// Reads events of one partition after `after` in order: at most `max_events` and about [`Log::READ_BYTES`], at
    /// least one when there is one.
    pub async fn read(&self, after: Position, max_events: usize) -> Result<Page, LogError> {
        match &self.0 {
            Engine::Embedded(log) => log.read(after, max_events).await,
            Engine::Kafka(log) => Box::pin(log.read(after, max_events)).await,
        }
    }

    /// The partitions this process has to work on in a role: all of them in the embedded log, a share of them where
    /// several nodes divide the work.
    pub fn assignment(&self, role: Role) -> Result<Assignment, LogError> {
        match &self.0 {
            Engine::Embedded(_) => Ok(watch::channel(vec![0]).1),
            Engine::Kafka(log) => log.assignment(role),
        }
    }

    /// Whether this process is the one that may do `work` now, which only one may do at a time.
    pub async fn leads(&self, work: &'static str) -> Result<bool, LogError> {
        match &self.0 {
            Engine::Embedded(_) => Ok(true),
            Engine::Kafka(log) => Box::pin(log.leads(work)).await,
        }
    }

    /// Stops taking appends, finishes those that wait, and closes files and connections.
    pub async fn close(&self) {
        match &self.0 {
            Engine::Embedded(log) => log.close().await,
            Engine::Kafka(log) => Box::pin(log.close()).await,
        }
    }
}
