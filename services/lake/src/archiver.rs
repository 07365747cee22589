//! The archiver: moves the oldest part of the tail into the table.

use std::time::Duration;

use arrow::compute::concat_batches;
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::files::write_batch;
use crate::handle::Inner;
use crate::schema::events_schema;
use crate::snapshot::Chunk;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Inner {
    /// Archives whenever there is a batch, or when the oldest event has waited long enough, until cancelled;
    /// then archives what is left.
    pub(crate) async fn archive(&self, cancel: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        self.report();
        loop {
            let stop = cancel.is_cancelled();
            if !stop {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = self.archive_now.notified() => {}
                    () = tokio::time::sleep(self.options.batch_age) => {}
                }
            }
            match self.archive_all(stop || cancel.is_cancelled()).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => {
                    tracing::error!(%error, "archiving failed; the events stay in the log and it is tried again");
                    metrics::counter!("chancery_lake_archive_failures_total").increment(1);
                    if stop {
                        return;
                    }
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            if stop {
                return;
            }
        }
    }

    /// Archives batch after batch while there are full ones, and the rest if it waited long or `flush` is set.
    async fn archive_all(&self, flush: bool) -> Result<(), LakeError> {
        loop {
            let chunks = self.next_batch();
            let rows: usize = chunks.iter().map(|chunk| chunk.batch.num_rows()).sum();
            let due = flush || rows >= self.options.batch_events || self.waited_long(&chunks);
            if rows == 0 || !due {
                self.report();
                return Ok(());
            }
            self.archive_batch(chunks).await?;
        }
    }

    fn next_batch(&self) -> Vec<Chunk> {
        let mut rows = 0;
        let mut chunks = Vec::new();
        for chunk in self.current.get().chunks {
            if rows >= self.options.batch_events {
                break;
            }
            rows += chunk.batch.num_rows();
            chunks.push(chunk);
        }
        chunks
    }

    fn waited_long(&self, chunks: &[Chunk]) -> bool {
        let age = i64::try_from(self.options.batch_age.as_micros()).unwrap_or(i64::MAX);
        oldest_recorded(chunks).is_some_and(|oldest| (self.options.clock)().as_micros() - oldest >= age)
    }

    async fn archive_batch(&self, chunks: Vec<Chunk>) -> Result<(), LakeError> {
        let Some(watermark) = chunks.last().map(|chunk| chunk.last) else { return Ok(()) };
        let mut delta = self.delta.lock().await;
        let name = format!("{:020}-{watermark:020}", self.current.get().watermark + 1);
        let directory = self.directory.clone();
        let files = tokio::task::spawn_blocking(move || {
            let batch = concat_batches(&events_schema(), chunks.iter().map(|chunk| &chunk.batch))?;
            drop(chunks);
            write_batch(&directory, &batch, &name)
        })
        .await
        .map_err(|error| LakeError::Storage(error.to_string()))??;
        delta.append(&files, watermark).await?;
        self.current.archived(files, watermark);
        self.archived.notify_waiters();
        self.report();
        Ok(())
    }

    /// Says in the metrics how far the lake is.
    #[expect(clippy::cast_precision_loss, reason = "positions and ages are far below 2^52")]
    fn report(&self) {
        let snapshot = self.current.get();
        metrics::gauge!("chancery_lake_watermark_position").set(snapshot.watermark as f64);
        metrics::gauge!("chancery_lake_files").set(snapshot.files.len() as f64);
        let age = oldest_recorded(&snapshot.chunks).map_or(0, |oldest| (self.options.clock)().as_micros() - oldest);
        metrics::gauge!("chancery_lake_watermark_age_seconds").set(age.max(0) as f64 / 1e6);
    }
}

/// When the first of these events was recorded: `recorded_at` never decreases along the log.
pub(crate) fn oldest_recorded(chunks: &[Chunk]) -> Option<i64> {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    let column = chunks.first()?.batch.column_by_name("recorded_at")?;
    column.as_primitive_opt::<TimestampMicrosecondType>()?.values().first().copied()
}
