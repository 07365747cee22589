//! What a question is asked of: files and tail, taken in one step.

use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::RecordBatch;
use chancery_log::Position;

use crate::files::{DataFile, Files};

/// Decoded events at consecutive positions.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) last: Position,
    pub(crate) batch: RecordBatch,
}

/// The files up to the watermark and the chunks beyond it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) files: Files,
    pub(crate) watermark: Position,
    pub(crate) chunks: Vec<Chunk>,
}

impl Snapshot {
    /// The last position in it.
    pub(crate) fn position(&self) -> Position {
        self.chunks.last().map_or(self.watermark, |chunk| chunk.last)
    }

    /// The batches of the tail.
    pub(crate) fn tail(&self) -> Vec<RecordBatch> {
        self.chunks.iter().map(|chunk| chunk.batch.clone()).collect()
    }

    /// Rows in the tail.
    pub(crate) fn tail_rows(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.batch.num_rows()).sum()
    }
}

/// The current snapshot, moved by the tail, the archiver and the compactor.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Snapshot>);

impl Current {
    pub(crate) fn new(files: Vec<DataFile>, watermark: Position) -> Self {
        Self(RwLock::new(Snapshot { files: Arc::new(files), watermark, chunks: Vec::new() }))
    }

    pub(crate) fn get(&self) -> Snapshot {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds decoded events that follow those in it.
    pub(crate) fn extend(&self, chunk: Chunk) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).chunks.push(chunk);
    }

    /// The archiver committed: rows up to `watermark` are in `files` now and leave the tail, in one step.
    pub(crate) fn archived(&self, files: Vec<DataFile>, watermark: Position) {
        let mut snapshot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = snapshot.files.as_ref().clone();
        all.extend(files);
        snapshot.files = Arc::new(all);
        snapshot.watermark = watermark;
        snapshot.chunks.retain(|chunk| chunk.last > watermark);
    }

    /// The compactor committed.
    pub(crate) fn replaced(&self, removed: &[DataFile], added: Vec<DataFile>) {
        let mut snapshot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<DataFile> =
            snapshot.files.iter().filter(|file| !removed.iter().any(|gone| gone.path == file.path)).cloned().collect();
        all.extend(added);
        snapshot.files = Arc::new(all);
    }
}
