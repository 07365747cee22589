//! The tail: follows the log's end and decodes each event once, for questions and for the archiver.

use std::time::Duration;

use chancery_log::Position;
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::encode::encode;
use crate::handle::Inner;
use crate::snapshot::{Chunk, Snapshot};

/// Events decoded at once.
const CHUNK_EVENTS: usize = 4096;
/// How long a question waits for the archiver to make room in a full tail.
const PATIENCE: Duration = Duration::from_secs(20);

impl Inner {
    /// A snapshot that contains everything that is in the log now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, LakeError> {
        let head = self.log.head();
        let reached = async {
            while self.current.get().position() < head {
                if !self.decode_more().await? {
                    // The tail is full; the archiver is making room.
                    self.archive_now.notify_one();
                    self.archived.notified().await;
                }
            }
            Ok(self.current.get())
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .unwrap_or_else(|_| Err(LakeError::Unavailable("too much is waiting to be archived".to_owned())))
    }

    /// Decodes the next events of the log; `false` when the tail is full.
    async fn decode_more(&self) -> Result<bool, LakeError> {
        let _one_at_a_time = self.decoding.lock().await;
        let snapshot = self.current.get();
        if snapshot.tail_rows() >= self.options.tail_events {
            return Ok(false);
        }
        let events = self.log.read(snapshot.position(), CHUNK_EVENTS).await?;
        if let Some(last) = events.last().map(|event| event.position) {
            self.current.extend(Chunk { last, batch: encode(&events)? });
        }
        Ok(true)
    }

    /// Follows the log until cancelled, and wakes the archiver when there is enough for it.
    pub(crate) async fn follow(&self, cancel: CancellationToken) {
        loop {
            let position: Position = self.current.get().position();
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = self.log.wait_beyond(position) => {}
            }
            let room = self.decode_more().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the tail could not follow the log");
                false
            });
            if self.current.get().tail_rows() >= self.options.batch_events {
                self.archive_now.notify_one();
            }
            if !room {
                // Full, or the log failed: wait for the archiver, or a moment.
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = self.archived.notified() => {}
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
    }
}
