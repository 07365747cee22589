//! The handle to the lake.

use std::sync::Arc;
use std::time::Duration;

use chancery_log::{Assignment, Clock, Frontier, Log, Role, system_clock};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::delta::DeltaLog;
use crate::engine::Engine;
use crate::snapshot::Current;
use crate::store::Store;
use crate::{LakeError, Location};

/// How the lake is opened.
#[derive(Clone)]
pub struct LakeOptions {
    /// Events the archiver writes at once.
    pub batch_events: usize,
    /// How long an event may wait for a full batch.
    pub batch_age: Duration,
    /// Most decoded events of all partitions kept in memory.
    pub tail_events: usize,
    /// How often the commits of other nodes are looked for.
    pub refresh_interval: Duration,
    /// Memory all running questions may use together, bytes.
    pub query_memory: usize,
    /// Longest a question may run.
    pub query_timeout: Duration,
    /// How often small files are merged and old ones removed.
    pub maintenance_interval: Duration,
    /// How long a replaced file stays readable; at least the query time-out, and never less than an hour in a store that
    /// several nodes share.
    pub file_retention: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl std::fmt::Debug for LakeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LakeOptions").field("batch_events", &self.batch_events).finish_non_exhaustive()
    }
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            batch_events: 16_384,
            batch_age: Duration::from_secs(20),
            tail_events: 49_152,
            refresh_interval: Duration::from_secs(1),
            query_memory: 512 << 20,
            query_timeout: Duration::from_mins(1),
            maintenance_interval: Duration::from_mins(1),
            file_retention: Duration::from_hours(1),
            clock: system_clock(),
        }
    }
}

/// A cheap handle to the lake.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

/// What the parts of the lake share.
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) options: LakeOptions,
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) current: Current,
    pub(crate) delta: Mutex<DeltaLog>,
    /// Whose turn it is to be decoded; held while one is.
    pub(crate) turn: Mutex<u16>,
    /// The partitions this node archives.
    pub(crate) assignment: Assignment,
    pub(crate) archive_now: Notify,
    pub(crate) refresh_now: Notify,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("table", &self.inner.store.url.as_str()).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens or creates the table at `location`, to be filled from `log`.
    pub async fn open(location: &Location, log: Log, options: LakeOptions) -> Result<Self, LakeError> {
        Self::open_in(Store::open(location).await?, log, options).await
    }

    pub(crate) async fn open_in(store: Store, log: Log, options: LakeOptions) -> Result<Self, LakeError> {
        let delta = DeltaLog::open(&store, log.partitions()).await?;
        let current = Current::new(delta.content().clone());
        belongs_to(&delta.content().watermark, &log).await?;
        let inner = Inner {
            engine: Engine::new(&store, &options)?,
            assignment: log.assignment(Role::Archiver)?,
            log,
            options,
            store,
            current,
            delta: Mutex::new(delta),
            turn: Mutex::new(0),
            archive_now: Notify::new(),
            refresh_now: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Follows the log and the table, archives and keeps the table tidy until cancelled; then archives what is left.
    pub async fn run(&self, cancel: CancellationToken) {
        tokio::join!(
            self.inner.follow(cancel.clone()),
            self.inner.keep_up(cancel.clone()),
            self.inner.archive(cancel.clone()),
            self.inner.maintain(cancel.clone())
        );
    }

    /// How far the log is archived, as this node knows it.
    pub fn watermark(&self) -> Frontier {
        self.inner.current.get().table.watermark.clone()
    }
}

/// Refuses a table that holds more than the log. What other nodes archived before the table was read is in the log that
/// can be read after it.
async fn belongs_to(watermark: &Frontier, log: &Log) -> Result<(), LakeError> {
    let heads = log.barrier().await?;
    if heads.reaches(watermark) {
        return Ok(());
    }
    Err(LakeError::Storage(format!(
        "the table holds events up to position {watermark}, the log ends at {heads}: they do not belong together"
    )))
}
