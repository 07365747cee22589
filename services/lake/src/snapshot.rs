//! What a question is asked of: files and tail, taken in one step.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chancery_log::{Frontier, Position, partition};
use tokio::sync::watch;

use crate::files::{Files, positions};

/// What the table holds: its files, and how far they go.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) files: Files,
    pub(crate) watermark: Frontier,
}

/// Decoded events of one partition: all that stand after `after` up to `last`.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) after: Position,
    pub(crate) last: Position,
    pub(crate) batch: RecordBatch,
}

impl Chunk {
    /// What of it lies beyond `seen`, a position of the same partition.
    pub(crate) fn beyond(self, seen: Position) -> Option<Self> {
        if self.after >= seen {
            return Some(self);
        }
        if self.last <= seen {
            return None;
        }
        let gone = positions(&self.batch).partition_point(|position| position.cast_unsigned() <= seen);
        let batch = self.batch.slice(gone, self.batch.num_rows() - gone);
        Some(Self { after: seen, last: self.last, batch })
    }
}

/// The table up to its watermark and the chunks beyond it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) table: Content,
    /// Where table and chunks reach together.
    pub(crate) reached: Frontier,
    /// In the order they were read; those of one partition follow each other without a gap.
    pub(crate) chunks: Vec<Chunk>,
}

impl Snapshot {
    pub(crate) fn new(table: Content) -> Self {
        Self { reached: table.watermark.clone(), table, chunks: Vec::new() }
    }

    /// All of it as rows.
    pub(crate) fn rows(&self) -> Rows {
        let batches = self.chunks.iter().map(|chunk| &chunk.batch).filter(|batch| batch.num_rows() > 0);
        Rows { files: self.table.files.clone(), tail: batches.cloned().collect() }
    }

    /// Rows in the tail.
    pub(crate) fn tail_rows(&self) -> usize {
        rows_in(&self.chunks)
    }

    /// Adds a chunk that begins where its partition was, or before it.
    pub(crate) fn extend(&mut self, chunk: Chunk) {
        let reached = self.reached.of(partition(chunk.last));
        if chunk.after > reached {
            return;
        }
        // The table may have moved on while the chunk was read and decoded.
        let Some(chunk) = chunk.beyond(reached) else { return };
        self.reached.advance(chunk.last);
        let same = |other: &&mut Chunk| partition(other.last) == partition(chunk.last);
        match self.chunks.iter_mut().rev().find(same) {
            // Gaps would pile up as empty chunks.
            Some(previous) if chunk.batch.num_rows() == 0 => previous.last = chunk.last,
            _ => self.chunks.push(chunk),
        }
    }

    /// The table moved on: what its watermark includes leaves the tail.
    pub(crate) fn follow(&mut self, table: Content) {
        table.watermark.positions().for_each(|position| self.reached.advance(position));
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        self.chunks = chunks
            .filter_map(|chunk| {
                let seen = table.watermark.of(partition(chunk.last));
                chunk.beyond(seen)
            })
            .collect();
        self.table = table;
    }
}

/// Rows in chunks.
pub(crate) fn rows_in(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.batch.num_rows()).sum()
}

/// Rows to be read: some files, some batches.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) files: Files,
    pub(crate) tail: Vec<RecordBatch>,
}

/// The current snapshot, moved by the tail and by the table's commits.
#[derive(Debug)]
pub(crate) struct Current(watch::Sender<Arc<Snapshot>>);

impl Current {
    pub(crate) fn new(table: Content) -> Self {
        Self(watch::Sender::new(Arc::new(Snapshot::new(table))))
    }

    pub(crate) fn get(&self) -> Arc<Snapshot> {
        self.0.borrow().clone()
    }

    /// Adds decoded events.
    pub(crate) fn extend(&self, chunk: Chunk) {
        self.0.send_modify(|snapshot| Arc::make_mut(snapshot).extend(chunk));
    }

    /// Rows move from the tail to the files, in one step.
    pub(crate) fn follow(&self, table: &Content) {
        self.0.send_if_modified(|snapshot| {
            let moved =
                !Arc::ptr_eq(&snapshot.table.files, &table.files) || snapshot.table.watermark != table.watermark;
            if moved {
                Arc::make_mut(snapshot).follow(table.clone());
            }
            moved
        });
    }

    /// Waits until the tail has fewer than `rows`.
    pub(crate) async fn room(&self, rows: usize) {
        self.0.subscribe().wait_for(|snapshot| snapshot.tail_rows() < rows).await.ok();
    }
}
