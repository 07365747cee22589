//! Reading what is no longer in memory, and where partitions end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientContext, TopicPartitionList};

use super::options::KafkaLogOptions;
use super::record::Arrived;
use crate::position::{partition, place, position};
use crate::recent::Held;
use crate::{Frontier, LogError, Position};

const PATIENCE: Duration = Duration::from_secs(8);
/// Readers kept for whoever goes on where they are.
const IDLE: usize = 8;

/// A consumer that is told where partitions end, which is nothing to be logged.
pub(crate) type LogConsumer = BaseConsumer<Quiet>;

/// Logs what goes wrong, and not that a partition ends.
#[derive(Debug)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PartitionEOF)) {
            tracing::warn!(%error, reason, "Kafka");
        }
    }
}

impl ConsumerContext for Quiet {}

/// Events of one partition, and how far they reach.
pub(crate) struct Range {
    pub(crate) events: Vec<Arrived>,
    pub(crate) reached: Position,
}

/// Reads ranges of partitions from Kafka.
pub(crate) struct Readers {
    topic: String,
    config: ClientConfig,
    idle: Mutex<Vec<Reader>>,
}

struct Reader {
    consumer: LogConsumer,
    reached: Position,
    /// An event that was read beyond what was wanted.
    beyond: Option<Arrived>,
}

impl Readers {
    pub(crate) fn new(options: &KafkaLogOptions) -> Arc<Self> {
        let mut config = options.consumer();
        config.set("queued.max.messages.kbytes", "4096").set("fetch.wait.max.ms", "10");
        Arc::new(Self { topic: options.topic.clone(), config, idle: Mutex::default() })
    }

    /// Committed events with `after < position <= until`, where `until` is known to be committed.
    pub(crate) async fn read(
        self: &Arc<Self>,
        after: Position,
        until: Position,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Range, LogError> {
        let readers = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut reader = readers.take(after)?;
            let (range, at_end) = reader.read(until, max_events, max_bytes)?;
            if !at_end {
                readers.keep(reader);
            }
            Ok(range)
        })
        .await
        .map_err(|error| LogError::Storage(error.to_string()))?
    }

    fn take(&self, after: Position) -> Result<Reader, LogError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = idle.iter().position(|reader| reader.reached == after) {
            return Ok(idle.swap_remove(found));
        }
        drop(idle);
        let consumer: LogConsumer = self.config.create_with_context(Quiet)?;
        let mut start = TopicPartitionList::new();
        let offset = Offset::Offset(place(after).cast_signed());
        start.add_partition_offset(&self.topic, i32::from(partition(after)), offset)?;
        consumer.assign(&start)?;
        Ok(Reader { consumer, reached: after, beyond: None })
    }

    fn keep(&self, reader: Reader) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() == IDLE {
            idle.remove(0);
        }
        idle.push(reader);
    }
}

impl Reader {
    /// The range, and whether the partition's end was seen: Kafka tells of it once only.
    fn read(&mut self, until: Position, max_events: usize, max_bytes: usize) -> Result<(Range, bool), LogError> {
        let deadline = Instant::now() + PATIENCE;
        let (mut events, mut bytes) = (Vec::<Arrived>::new(), 0);
        let mut at_end = false;
        while self.reached < until && events.len() < max_events && bytes < max_bytes && !at_end {
            let event = match self.beyond.take() {
                Some(event) => event,
                None => match self.consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => Arrived::of(&message),
                    Some(Err(KafkaError::PartitionEOF(_))) => {
                        (at_end, self.reached) = (true, until);
                        continue;
                    }
                    None if Instant::now() < deadline => continue,
                    None => return Err(LogError::Unavailable("Kafka does not answer".to_owned())),
                    Some(Err(error)) if Instant::now() < deadline && !is_final(&error) => continue,
                    Some(Err(error)) => return Err(error.into()),
                },
            };
            if event.position > until {
                self.reached = until;
                self.beyond = Some(event);
            } else {
                self.reached = event.position;
                bytes += event.size();
                events.push(event);
            }
        }
        Ok((Range { events, reached: self.reached }, at_end))
    }
}

/// An offset that is not there (any more) will not come.
fn is_final(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset))
}

/// Asks the brokers where the partitions end.
pub(crate) struct Ends {
    topic: String,
    partitions: u16,
    written: Arc<LogConsumer>,
    committed: Arc<LogConsumer>,
}

impl Ends {
    pub(crate) fn new(options: &KafkaLogOptions, partitions: u16) -> Result<Self, LogError> {
        let consumer =
            |isolation: &str| options.consumer().set("isolation.level", isolation).create_with_context(Quiet);
        Ok(Self {
            topic: options.topic.clone(),
            partitions,
            written: Arc::new(consumer("read_uncommitted")?),
            committed: Arc::new(consumer("read_committed")?),
        })
    }

    /// Up to where partitions are written: beyond everything acknowledged before the call.
    pub(crate) async fn written(&self) -> Result<Frontier, LogError> {
        self.ask(self.written.clone()).await
    }

    /// Up to where partitions are committed: before the first transaction that is still open.
    pub(crate) async fn committed(&self) -> Result<Frontier, LogError> {
        self.ask(self.committed.clone()).await
    }

    async fn ask(&self, consumer: Arc<LogConsumer>) -> Result<Frontier, LogError> {
        let mut wanted = TopicPartitionList::new();
        for partition in 0..self.partitions {
            wanted.add_partition_offset(&self.topic, i32::from(partition), Offset::End)?;
        }
        let found = tokio::task::spawn_blocking(move || consumer.offsets_for_times(wanted, Duration::from_secs(3)))
            .await
            .map_err(|error| LogError::Storage(error.to_string()))??;
        let mut ends = Frontier::start(self.partitions);
        for element in found.elements() {
            element.error()?;
            match element.offset() {
                Offset::Offset(offset) => {
                    let partition = u16::try_from(element.partition()).unwrap_or(0);
                    ends.advance(position(partition, u64::try_from(offset).unwrap_or(0)));
                }
                other => return Err(LogError::Unavailable(format!("Kafka says a partition ends at {other:?}"))),
            }
        }
        Ok(ends)
    }
}
