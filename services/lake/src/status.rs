//! How far the lake is.

use chancery_log::{partition, place};
use serde::Serialize;

use crate::Lake;
use crate::archiver::oldest_recorded;

/// How far the lake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LakeStatus {
    /// Archived places of the log, over all partitions: with one partition, the last archived position.
    pub watermark: u64,
    /// All places of the log: with one partition, its last position.
    pub head: u64,
    /// Files of the table.
    pub files: usize,
    /// Archived events.
    pub rows: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Age of the oldest event that waits in memory to be archived, microseconds.
    pub waiting_micros: i64,
    /// The same of each partition.
    pub partitions: Vec<LakePartition>,
}

/// How far the lake is with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LakePartition {
    /// Its number.
    pub partition: u16,
    /// Last archived place in it.
    pub watermark: u64,
    /// Last place in it.
    pub head: u64,
}

impl Lake {
    /// How far the lake is, as this node knows it.
    pub fn status(&self) -> LakeStatus {
        let snapshot = self.inner.current.get();
        let (watermark, files) = (&snapshot.table.watermark, &snapshot.table.files);
        let mut heads = self.inner.log.heads();
        // Another node may have read and archived more than can be read here yet.
        watermark.positions().for_each(|position| heads.advance(position));
        let partitions = heads.positions().map(|head| {
            let partition = partition(head);
            LakePartition { partition, watermark: place(watermark.of(partition)), head: place(head) }
        });
        let now = (self.inner.options.clock)().as_micros();
        LakeStatus {
            watermark: watermark.total(),
            head: heads.total(),
            files: files.len(),
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            waiting_micros: oldest_recorded(&snapshot.chunks).map_or(0, |oldest| (now - oldest).max(0)),
            partitions: partitions.collect(),
        }
    }
}
