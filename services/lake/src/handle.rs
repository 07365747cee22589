//! The handle to the lake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_log::{Clock, Log, Position, system_clock};
use serde::Serialize;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::archiver::oldest_recorded;
use crate::delta::DeltaLog;
use crate::engine::Engine;
use crate::snapshot::Current;

/// How the lake is opened.
#[derive(Clone)]
pub struct LakeOptions {
    /// Events the archiver writes at once.
    pub batch_events: usize,
    /// How long an event may wait for a full batch.
    pub batch_age: Duration,
    /// Most decoded events kept in memory.
    pub tail_events: usize,
    /// Memory all running questions may use together, bytes.
    pub query_memory: usize,
    /// Longest a question may run.
    pub query_timeout: Duration,
    /// How often small files are merged and old ones removed.
    pub maintenance_interval: Duration,
    /// How long a replaced file stays on disk; at least the query time-out.
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
            query_memory: 512 << 20,
            query_timeout: Duration::from_mins(1),
            maintenance_interval: Duration::from_mins(1),
            file_retention: Duration::from_hours(1),
            clock: system_clock(),
        }
    }
}

/// How far the lake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LakeStatus {
    /// Last archived position.
    pub watermark: Position,
    /// Last position of the log.
    pub head: Position,
    /// Files of the table.
    pub files: usize,
    /// Archived events.
    pub rows: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Age of the oldest event that waits in memory to be archived, microseconds.
    pub waiting_micros: i64,
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
    pub(crate) directory: PathBuf,
    pub(crate) current: Current,
    pub(crate) delta: Mutex<DeltaLog>,
    pub(crate) decoding: Mutex<()>,
    pub(crate) archive_now: Notify,
    pub(crate) archived: Notify,
    pub(crate) engine: Engine,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens or creates the table in `directory`, to be filled from `log`.
    pub async fn open(directory: &Path, log: Log, options: LakeOptions) -> Result<Self, LakeError> {
        let delta = DeltaLog::open(directory).await?;
        let directory = directory.canonicalize()?;
        let watermark = delta.watermark().await?;
        if watermark > log.head() {
            return Err(LakeError::Storage(format!(
                "the table holds events up to position {watermark}, the log ends at {}: they do not belong together",
                log.head()
            )));
        }
        let engine = Engine::new(&directory, &options)?;
        let inner = Inner {
            log,
            directory,
            current: Current::new(delta.files()?, watermark),
            delta: Mutex::new(delta),
            decoding: Mutex::new(()),
            archive_now: Notify::new(),
            archived: Notify::new(),
            engine,
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Follows the log, archives and keeps the table tidy until cancelled; then archives what is left.
    pub async fn run(&self, cancel: CancellationToken) {
        tokio::join!(
            self.inner.follow(cancel.clone()),
            self.inner.archive(cancel.clone()),
            self.inner.maintain(cancel.clone())
        );
    }

    /// The last archived position.
    pub fn watermark(&self) -> Position {
        self.inner.current.get().watermark
    }

    /// How far the lake is.
    pub fn status(&self) -> LakeStatus {
        let snapshot = self.inner.current.get();
        let now = (self.inner.options.clock)().as_micros();
        LakeStatus {
            watermark: snapshot.watermark,
            head: self.inner.log.head(),
            files: snapshot.files.len(),
            rows: snapshot.files.iter().map(|file| file.rows).sum(),
            bytes: snapshot.files.iter().map(|file| file.bytes).sum(),
            waiting_micros: oldest_recorded(&snapshot.chunks).map_or(0, |oldest| (now - oldest).max(0)),
        }
    }
}
