//! The tail: follows the ends of all partitions and decodes each event once, for questions and for the archiver.

use std::sync::Arc;
use std::time::Duration;

use chancery_log::{Frontier, Position, partition};
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::encode::encode;
use crate::handle::Inner;
use crate::snapshot::{Chunk, Snapshot};

/// Events decoded at once.
const CHUNK_EVENTS: usize = 4096;
/// How long a question waits for the archivers to make room in a full tail.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);
/// How long events gather before they are decoded without a question: many small chunks cost more than few large ones.
const PACE: Duration = Duration::from_millis(100);

impl Inner {
    /// A snapshot that contains everything that is in the log now.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, LakeError> {
        let goal = self.log.barrier().await?;
        let reached = async {
            loop {
                let snapshot = self.current.get();
                if snapshot.reached.reaches(&goal) {
                    return Ok(snapshot);
                }
                if !self.decode_towards(&goal).await? {
                    self.make_room().await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .unwrap_or_else(|_| Err(LakeError::Unavailable("too much is waiting to be archived".to_owned())))
    }

    /// Decodes the next events of one partition that is behind `goal`; `false` when the tail is full.
    async fn decode_towards(&self, goal: &Frontier) -> Result<bool, LakeError> {
        let mut turn = self.turn.lock().await;
        let snapshot = self.current.get();
        if snapshot.tail_rows() >= self.options.tail_events {
            return Ok(false);
        }
        let Some(after) = first_behind(&snapshot.reached, goal, *turn) else { return Ok(true) };
        drop(snapshot);
        *turn = partition(after) + 1;
        let page = self.log.read(after, CHUNK_EVENTS).await?;
        if page.reached <= after {
            return Err(LakeError::Unavailable(format!("nothing can be read after position {after}")));
        }
        self.current.extend(Chunk { after, last: page.reached, batch: encode(&page.events)? });
        Ok(true)
    }

    /// Asks for room in a full tail, and waits for it.
    async fn make_room(&self) {
        self.archive_now.notify_one();
        self.refresh_now.notify_one();
        self.current.room(self.options.tail_events).await;
    }

    /// Follows the log until cancelled, and wakes the archiver when there is enough for it.
    pub(crate) async fn follow(&self, cancel: CancellationToken) {
        cancel.run_until_cancelled_owned(self.follow_forever()).await;
    }

    async fn follow_forever(&self) {
        loop {
            let heads = self.log.heads();
            let mut goal = self.current.get().reached.clone();
            // What others archive is decoded when a question needs it.
            self.assignment.borrow().iter().for_each(|partition| goal.advance(heads.of(*partition)));
            while !self.current.get().reached.reaches(&goal) {
                match self.decode_towards(&goal).await {
                    Ok(true) => {}
                    Ok(false) => self.make_room().await,
                    Err(error) => {
                        tracing::warn!(%error, "the tail could not follow the log");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                if self.current.get().tail_rows() >= self.enough(1) {
                    self.archive_now.notify_one();
                }
            }
            self.log.wait_past(&heads).await;
            tokio::time::sleep(PACE).await;
        }
    }
}

/// Where the first partition behind `goal` is, from `turn` on and around.
fn first_behind(reached: &Frontier, goal: &Frontier, turn: u16) -> Option<Position> {
    let count = goal.partitions();
    (0..count).map(|step| reached.of((turn + step) % count)).find(|position| *position < goal.of(partition(*position)))
}
