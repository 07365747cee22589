//! Follows the end of every partition and keeps what is newest in memory, for everyone on this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::options::KafkaLogOptions;
use super::reader::{Ends, LogConsumer, Quiet, Range, Readers};
use super::record::Arrived;
use crate::position::{partition, place};
use crate::recent::Recent;
use crate::{Frontier, LogError, Position};

/// Messages taken at once.
const BATCH: usize = 2000;
/// How long the end of a partition may stay out of sight before it is looked for.
const UNSEEN: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_secs(8);

/// What has arrived in Kafka, as far as this node has seen.
pub(crate) struct Follower {
    recent: Vec<Recent<Arrived>>,
    /// Up to the last event that was delivered.
    seen: watch::Sender<Frontier>,
    /// Up to where partitions are known to hold no more events than those seen.
    blank: Mutex<Frontier>,
    readers: Arc<Readers>,
    ends: Ends,
}

impl Follower {
    /// Follows from `start` on.
    pub(crate) fn start(
        options: &KafkaLogOptions,
        start: Frontier,
        ends: Ends,
        cancel: CancellationToken,
    ) -> Result<Arc<Self>, LogError> {
        let mut settings = options.consumer();
        settings.set("queued.max.messages.kbytes", "16384");
        let consumer: LogConsumer = settings.create_with_context(Quiet)?;
        let mut assignment = TopicPartitionList::new();
        for position in start.positions() {
            let offset = Offset::Offset(place(position).cast_signed());
            assignment.add_partition_offset(&options.topic, i32::from(partition(position)), offset)?;
        }
        consumer.assign(&assignment)?;
        let share = (options.recent_bytes / usize::from(start.partitions())).max(1 << 20);
        let follower = Arc::new(Self {
            recent: start.positions().map(|position| Recent::new(share, position)).collect(),
            blank: Mutex::new(start.clone()),
            seen: watch::Sender::new(start),
            readers: Readers::new(options),
            ends,
        });
        let following = follower.clone();
        tokio::task::spawn_blocking(move || following.follow(&consumer, &cancel));
        Ok(follower)
    }

    fn follow(&self, consumer: &LogConsumer, cancel: &CancellationToken) {
        while !cancel.is_cancelled() {
            let mut arrived: HashMap<u16, Vec<Arrived>> = HashMap::new();
            let mut wait = Duration::from_millis(100);
            for _ in 0..BATCH {
                match consumer.poll(wait) {
                    Some(Ok(message)) => {
                        let event = Arrived::of(&message);
                        arrived.entry(partition(event.position)).or_default().push(event);
                    }
                    Some(Err(KafkaError::PartitionEOF(_))) => {}
                    // The client connects again by itself.
                    Some(Err(error)) => tracing::debug!(%error, "following Kafka"),
                    None => break,
                }
                wait = Duration::ZERO;
            }
            if !arrived.is_empty() {
                self.take(arrived);
            }
        }
    }

    fn take(&self, arrived: HashMap<u16, Vec<Arrived>>) {
        let mut reached = Vec::with_capacity(arrived.len());
        for (partition, events) in arrived {
            reached.extend(events.last().map(|event| event.position));
            if let Some(recent) = self.recent.get(usize::from(partition)) {
                recent.extend(events);
            }
        }
        self.seen.send_modify(|seen| reached.into_iter().for_each(|position| seen.advance(position)));
    }

    /// Up to where this node has seen the partitions.
    pub(crate) fn seen(&self) -> watch::Receiver<Frontier> {
        self.seen.subscribe()
    }

    /// Whether Kafka answers.
    pub(crate) async fn check(&self) -> Result<(), LogError> {
        self.ends.written().await.map(drop)
    }

    /// Waits until everything written before the call is seen, and says how far that is.
    pub(crate) async fn reach_end(&self) -> Result<Frontier, LogError> {
        let written = self.ends.written().await?;
        let reached = async {
            let mut seen = self.seen();
            loop {
                let arrived = seen.wait_for(|seen| self.is_all(seen, &written));
                if tokio::time::timeout(UNSEEN, arrived).await.is_ok() {
                    return Ok::<(), LogError>(());
                }
                self.look_for(&written).await?;
            }
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .unwrap_or_else(|_| Err(LogError::Unavailable("Kafka's newest events do not arrive".to_owned())))?;
        let seen = self.seen.borrow();
        let mut end = Frontier::start(written.partitions());
        written.positions().for_each(|until| end.advance(until.min(seen.of(partition(until)))));
        Ok(end)
    }

    /// Whether there is nothing up to `written` that is not seen.
    fn is_all(&self, seen: &Frontier, written: &Frontier) -> bool {
        let blank = self.blank.lock().unwrap_or_else(PoisonError::into_inner);
        written.positions().all(|until| seen.includes(until) || blank.includes(until))
    }

    /// A partition may end with the marks of transactions, which are never delivered: finds out whether there is
    /// anything else before its end.
    async fn look_for(&self, written: &Frontier) -> Result<(), LogError> {
        let committed = self.ends.committed().await?;
        let seen = self.seen.borrow().clone();
        for until in written.positions().filter(|until| !seen.includes(*until) && committed.includes(*until)) {
            let range = self.readers.read(seen.of(partition(until)), until, 1, 1).await?;
            if range.events.is_empty() {
                self.blank.lock().unwrap_or_else(PoisonError::into_inner).advance(until);
            }
        }
        Ok(())
    }

    /// Whether an event at this position can still be read from memory.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.recent.get(usize::from(partition(position))).is_some_and(|recent| recent.begins_before(position))
    }

    /// Events with `after < position <= until`, admitted or not, and whether they were still in memory.
    pub(crate) async fn read(
        &self,
        after: Position,
        until: Position,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<(Range, bool), LogError> {
        let recent = self.recent.get(usize::from(partition(after)));
        let Some((events, more)) = recent.and_then(|recent| recent.read(after, until, max_events, max_bytes)) else {
            return Ok((self.readers.read(after, until, max_events, max_bytes).await?, false));
        };
        let reached = if more { events.last().map_or(after, |event| event.position) } else { until };
        Ok((Range { events, reached }, true))
    }
}
