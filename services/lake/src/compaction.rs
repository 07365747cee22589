//! Keeping the table tidy: merging the small files of a date, removing files nobody can need any more.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datafusion::logical_expr::ident;
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::files::{DataFile, FileWriter, date_text};
use crate::handle::Inner;
use crate::schema::DATE;
use crate::snapshot::Snapshot;
use crate::table::Order;

/// A file with this many rows is large enough to be left alone.
const LARGE_ROWS: usize = 1 << 20;
/// A date with this many small files is merged.
const MANY_FILES: usize = 8;

impl Inner {
    /// Merges and removes at intervals until cancelled.
    pub(crate) async fn maintain(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(self.options.maintenance_interval) => {}
            }
            if let Err(error) = self.compact(MANY_FILES, &cancel).await {
                tracing::warn!(%error, "merging small files failed and is tried again");
            }
            if let Err(error) = self.remove_unneeded().await {
                tracing::warn!(%error, "removing old files failed and is tried again");
            }
        }
    }

    /// Merges every date that has at least `many` small files.
    pub(crate) async fn compact(&self, many: usize, cancel: &CancellationToken) -> Result<(), LakeError> {
        let mut small: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
        for file in self.current.get().files.iter().filter(|file| file.rows < LARGE_ROWS) {
            small.entry(file.date).or_default().push(file.clone());
        }
        for (date, files) in small {
            if files.len() >= many && !cancel.is_cancelled() {
                self.merge(date, first_that_fit(files)).await?;
            }
        }
        Ok(())
    }

    /// Merges files of one date into one, in order, a batch at a time.
    async fn merge(&self, date: i32, files: Vec<DataFile>) -> Result<(), LakeError> {
        let part = Snapshot { files: Arc::new(files.clone()), watermark: 0, chunks: Vec::new() };
        let session = self.engine.session();
        let order = vec![ident("occurred_at").sort(true, false), ident("position").sort(true, false)];
        let merged = session.read_table(self.engine.table(part, Order::Merge))?.sort(order)?;
        let mut batches = merged.execute_stream().await?;

        let path = format!("{DATE}={}/merged-{}.parquet", date_text(date), uuid::Uuid::now_v7());
        let directory = self.directory.clone();
        let mut writer = FileWriter::create(&directory, path, date)?;
        while let Some(batch) = batches.try_next().await? {
            writer = tokio::task::spawn_blocking(move || writer.write(&batch).map(|()| writer))
                .await
                .map_err(|error| LakeError::Storage(error.to_string()))??;
        }
        let merged = tokio::task::spawn_blocking(move || writer.finish())
            .await
            .map_err(|error| LakeError::Storage(error.to_string()))??;
        let rows: usize = files.iter().map(|file| file.rows).sum();
        if merged.rows != rows {
            return Err(LakeError::Storage(format!(
                "merging {} of {rows} rows lost some; nothing was replaced",
                merged.rows
            )));
        }
        let mut delta = self.delta.lock().await;
        delta.replace(&files, std::slice::from_ref(&merged)).await?;
        self.current.replaced(&files, vec![merged]);
        metrics::counter!("chancery_lake_merged_files_total").increment(files.len() as u64);
        Ok(())
    }

    /// Removes Parquet files that are not in the table and have not been touched for the retention time:
    /// replaced ones that running questions may still read until then, and leftovers of crashes.
    pub(crate) async fn remove_unneeded(&self) -> Result<(), LakeError> {
        // The lock keeps files that are being written and not yet committed out of sight.
        let _no_commit = self.delta.lock().await;
        let needed: HashSet<PathBuf> =
            self.current.get().files.iter().map(|file| self.directory.join(&file.path)).collect();
        let (directory, retention) = (self.directory.clone(), self.options.file_retention);
        let removed = tokio::task::spawn_blocking(move || remove_old(&directory, &needed, retention))
            .await
            .map_err(|error| LakeError::Storage(error.to_string()))??;
        metrics::counter!("chancery_lake_removed_files_total").increment(removed);
        Ok(())
    }
}

/// The first files, by time, that make at most one large file together.
fn first_that_fit(mut files: Vec<DataFile>) -> Vec<DataFile> {
    files.sort_by_key(|file| file.times);
    let mut rows = 0;
    let fitting = files.iter().take_while(|file| {
        rows += file.rows;
        rows <= LARGE_ROWS
    });
    let count = fitting.count().max(2);
    files.truncate(count);
    files
}

fn remove_old(directory: &Path, needed: &HashSet<PathBuf>, retention: Duration) -> Result<u64, LakeError> {
    let mut removed = 0;
    for date in std::fs::read_dir(directory)? {
        let date = date?;
        if !date.file_name().to_string_lossy().starts_with(DATE) || !date.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(date.path())? {
            let file = file?;
            let age = SystemTime::now().duration_since(file.metadata()?.modified()?).unwrap_or_default();
            if age >= retention && !needed.contains(&file.path()) {
                std::fs::remove_file(file.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
