//! The archiver: moves the oldest part of the tail into the table.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::compute::concat_batches;
use chancery_log::{partition, place};
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::delta::Span;
use crate::files::{blocking, sort_by_time, split_by_date, write_file};
use crate::handle::Inner;
use crate::schema::events_schema;
use crate::snapshot::{Chunk, rows_in};

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

    /// Takes note of what other nodes did to the table, until cancelled.
    pub(crate) async fn keep_up(&self, cancel: CancellationToken) {
        let mut failing = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.refresh_now.notified() => {}
                () = tokio::time::sleep(self.options.refresh_interval) => {}
            }
            let refreshed = self.refresh().await;
            if let Err(error) = &refreshed
                && !failing
            {
                tracing::warn!(%error, "the table cannot be read; it is tried again");
            }
            failing = refreshed.is_err();
        }
    }

    /// Brings the snapshot up to the table's newest commit.
    pub(crate) async fn refresh(&self) -> Result<(), LakeError> {
        let mut delta = self.delta.lock().await;
        let updated = delta.update().await;
        self.current.follow(delta.content());
        updated
    }

    /// Archives batch after batch while there are full ones, and the rest if it waited long or `flush` is set.
    async fn archive_all(&self, flush: bool) -> Result<(), LakeError> {
        let assigned = self.assignment.borrow().clone();
        loop {
            let batch = self.next_batch(&assigned);
            let rows = rows_in(&batch);
            let due = flush || rows >= self.enough(assigned.len()) || self.waited_long(&batch);
            if rows == 0 || !due {
                self.report();
                return Ok(());
            }
            // What another node has archived meanwhile is no part of the batch.
            self.refresh().await?;
            self.archive_batch(self.next_batch(&assigned)).await?;
        }
    }

    /// Rows that are worth a commit: a full batch, or this node's share of a tail that is half full.
    pub(crate) fn enough(&self, assigned: usize) -> usize {
        let share = self.options.tail_events / 2 * assigned / usize::from(self.log.partitions()).max(1);
        self.options.batch_events.min(share).max(1)
    }

    fn next_batch(&self, assigned: &[u16]) -> Vec<Chunk> {
        let mut rows = 0;
        let mut chunks = Vec::new();
        for chunk in self.current.get().chunks.iter().filter(|chunk| assigned.contains(&partition(chunk.last))) {
            if rows >= self.options.batch_events {
                break;
            }
            rows += chunk.batch.num_rows();
            chunks.push(chunk.clone());
        }
        chunks
    }

    fn waited_long(&self, chunks: &[Chunk]) -> bool {
        let age = i64::try_from(self.options.batch_age.as_micros()).unwrap_or(i64::MAX);
        oldest_recorded(chunks).is_some_and(|oldest| (self.options.clock)().as_micros() - oldest >= age)
    }

    /// Writes and commits chunks. If another node was faster, the files are leftovers and the rows are in the table.
    async fn archive_batch(&self, chunks: Vec<Chunk>) -> Result<(), LakeError> {
        if rows_in(&chunks) == 0 {
            return Ok(());
        }
        let spans = spans(&chunks);
        let sorted = blocking(move || {
            let batch = concat_batches(&events_schema(), chunks.iter().map(|chunk| &chunk.batch))?;
            drop(chunks);
            sort_by_time(&batch)
        })
        .await?;
        let name = file_name(&spans);
        let mut files = Vec::new();
        for (date, rows) in split_by_date(&sorted) {
            files.push(write_file(&self.store, date, &name, rows).await?);
        }
        let mut delta = self.delta.lock().await;
        let appended = delta.append(&files, &spans).await;
        self.current.follow(delta.content());
        drop(delta);
        if !appended? {
            tracing::info!(%name, "these events are in the table already");
        }
        self.report();
        Ok(())
    }

    /// Says in the metrics how far the lake is.
    #[expect(clippy::cast_precision_loss, reason = "positions and ages are far below 2^52")]
    fn report(&self) {
        let snapshot = self.current.get();
        for position in snapshot.table.watermark.positions() {
            let partition = partition(position).to_string();
            metrics::gauge!("chancery_lake_watermark_position", "partition" => partition).set(place(position) as f64);
        }
        metrics::gauge!("chancery_lake_files").set(snapshot.table.files.len() as f64);
        let age = oldest_recorded(&snapshot.chunks).map_or(0, |oldest| (self.options.clock)().as_micros() - oldest);
        metrics::gauge!("chancery_lake_watermark_age_seconds").set(age.max(0) as f64 / 1e6);
    }
}

/// What chunks cover of each partition, in the order of partitions.
fn spans(chunks: &[Chunk]) -> Vec<Span> {
    let mut spans: BTreeMap<u16, Span> = BTreeMap::new();
    for chunk in chunks {
        let span = Span { after: chunk.after, last: chunk.last };
        spans.entry(partition(chunk.last)).and_modify(|whole| whole.last = chunk.last).or_insert(span);
    }
    spans.into_values().collect()
}

/// A name that no other attempt has: what is committed is never written again or taken for a leftover.
fn file_name(spans: &[Span]) -> String {
    let first = spans.first().map_or(0, |span| span.after + 1);
    let last = spans.last().map_or(0, |span| span.last);
    format!("{first:020}-{last:020}-{}", uuid::Uuid::now_v7())
}

/// When the first of these events was recorded: `recorded_at` does not decrease along a partition, but for what the
/// clocks of nodes differ.
pub(crate) fn oldest_recorded(chunks: &[Chunk]) -> Option<i64> {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    let first = |chunk: &Chunk| {
        let column = chunk.batch.column_by_name("recorded_at")?;
        column.as_primitive_opt::<TimestampMicrosecondType>()?.values().first().copied()
    };
    chunks.iter().filter_map(first).min()
}
