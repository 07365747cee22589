//! Keeping the table tidy: merging the small files of a date, removing files nobody can need any more.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datafusion::logical_expr::ident;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio_util::sync::CancellationToken;

use crate::files::{DataFile, FileWriter, object_path};
use crate::handle::Inner;
use crate::schema::DATE;
use crate::snapshot::Rows;
use crate::table::Order;
use crate::{LakeError, Visibility};

/// A file with this many rows is large enough to be left alone.
const LARGE_ROWS: usize = 1 << 20;
/// A date with this many small files is merged.
const MANY_FILES: usize = 8;
/// Files in a store that others write to are never removed sooner: somebody may be about to commit them.
const SHARED_RETENTION: Duration = Duration::from_hours(1);

impl Inner {
    /// Merges and removes at intervals until cancelled, while this node is the one to do it.
    pub(crate) async fn maintain(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(self.options.maintenance_interval) => {}
            }
            match self.log.leads("compaction").await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%error, "who merges files is not known");
                    continue;
                }
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
        self.refresh().await?;
        let mut small: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
        for file in self.current.get().table.files.iter().filter(|file| file.rows < LARGE_ROWS) {
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
        let part = Rows { files: Arc::new(files.clone()), tail: Vec::new() };
        let session = self.engine.session();
        let order = vec![ident("occurred_at").sort(true, false), ident("position").sort(true, false)];
        let merged = session.read_table(self.engine.table(&Visibility::All, part, Order::Merge))?.sort(order)?;
        let mut batches = merged.execute_stream().await?;

        let mut writer = FileWriter::create(&self.store, date, &format!("merged-{}", uuid::Uuid::now_v7()))?;
        while let Some(batch) = batches.try_next().await? {
            writer = writer.write(batch).await?;
        }
        let merged = writer.finish().await?;
        let rows: usize = files.iter().map(|file| file.rows).sum();
        if merged.rows != rows {
            return Err(LakeError::Storage(format!(
                "merging {} of {rows} rows lost some; nothing was replaced",
                merged.rows
            )));
        }
        let mut delta = self.delta.lock().await;
        let replaced = delta.replace(&files, &merged).await;
        self.current.follow(delta.content());
        if replaced? {
            metrics::counter!("chancery_lake_merged_files_total").increment(files.len() as u64);
        } else {
            tracing::info!(file = merged.path, "these files are merged already");
        }
        Ok(())
    }

    /// Removes files that are not in the table, and neither were written nor replaced within the retention time:
    /// running questions may still read replaced ones until then. What is left are leftovers of crashes and lost races.
    pub(crate) async fn remove_unneeded(&self) -> Result<(), LakeError> {
        let retention = if self.store.is_shared() {
            self.options.file_retention.max(SHARED_RETENTION)
        } else {
            self.options.file_retention
        };
        let until = SystemTime::now().checked_sub(retention).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut old = self.written_before(until).await?;
        // Only now: a file that was committed while the store was listed is needed.
        self.refresh().await?;
        let needed: HashSet<Path> = self.current.get().table.files.iter().map(object_path).collect();
        old.retain(|path| !needed.contains(path));
        if old.is_empty() {
            return Ok(());
        }
        let millis = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let kept = self.delta.lock().await.replaced_since(i64::try_from(millis).unwrap_or(i64::MAX)).await?;
        for path in old.iter().filter(|path| !kept.contains(path.as_ref())) {
            match self.store.objects.delete(path).await {
                Ok(()) => metrics::counter!("chancery_lake_removed_files_total").increment(1),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The data files, in the table or not, that were last written before a moment.
    async fn written_before(&self, moment: SystemTime) -> Result<Vec<Path>, LakeError> {
        let is_old = |meta: &ObjectMeta| {
            meta.location.as_ref().starts_with(&format!("{DATE}=")) && SystemTime::from(meta.last_modified) <= moment
        };
        let objects = self.store.objects.list(None);
        let old = objects.try_filter_map(|meta| async move { Ok(is_old(&meta).then_some(meta.location)) });
        Ok(old.try_collect().await?)
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
