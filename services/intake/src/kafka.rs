//! The inbound topic: CloudEvents of other producers, in the structured and the binary mode of the CloudEvents
//! binding for Kafka.

use std::collections::HashMap;
use std::time::Duration;

use chancery_domain::cloudevents::CloudEvent;
use chancery_domain::validate::Violation;
use chancery_domain::{Actor, ActorKind, Event, OWN_SOURCE, Resource, Timestamp};
use chancery_evidence::Sealed;
use chancery_log::{Appended, Clock, Log, rejection};
use futures::FutureExt;
use futures::future::try_join_all;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use crate::{Arrival, IntakeError};

/// Messages appended at once.
const BATCH: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Partitions of topics that are made here.
const PARTITIONS: i32 = 12;

/// Which Kafka, and how to get in.
#[derive(Clone)]
pub struct Kafka {
    /// `host:port,…`
    pub brokers: String,
    /// Where CloudEvents come from.
    pub topic: String,
    /// Where messages go that are no acceptable events.
    pub dead_letters: String,
    /// The consumer group.
    pub group: String,
    /// More of librdkafka's settings: protocol, credentials, certificates.
    pub access: Vec<(&'static str, String)>,
}

/// Without what may be a secret.
impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("brokers", &self.brokers).field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Kafka {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "chancery");
        for (name, value) in &self.access {
            config.set(*name, value);
        }
        config
    }
}

/// Follows the inbound topic.
pub struct Inbound {
    kafka: Kafka,
    consumer: StreamConsumer,
    dead_letters: FutureProducer,
    log: Log,
    clock: Clock,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("kafka", &self.kafka).finish_non_exhaustive()
    }
}

/// A message that is no acceptable event.
struct Refused<'a> {
    message: &'a OwnedMessage,
    violation: Violation,
}

impl Inbound {
    /// Reaches Kafka, makes the topics that are missing, and joins the consumer group.
    pub async fn open(kafka: Kafka, log: Log, clock: Clock) -> Result<Self, IntakeError> {
        let consumer: StreamConsumer = kafka
            .config()
            .set("group.id", &kafka.group)
            // A member that died gives its partitions to others after this long.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()
            .map_err(IntakeError::Settings)?;
        let dead_letters: FutureProducer = kafka
            .config()
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "zstd")
            .create()
            .map_err(IntakeError::Settings)?;
        let inbound = Self { kafka, consumer, dead_letters, log, clock };
        inbound.make_topics().await?;
        inbound.consumer.subscribe(&[&inbound.kafka.topic]).map_err(IntakeError::Settings)?;
        Ok(inbound)
    }

    async fn make_topics(&self) -> Result<(), IntakeError> {
        let admin: AdminClient<DefaultClientContext> = self.kafka.config().create().map_err(IntakeError::Settings)?;
        // The default replication of the brokers, which their owners chose.
        let topic = |name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(-1));
        let topics = [topic(&self.kafka.topic), topic(&self.kafka.dead_letters)];
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let made = admin.create_topics(&topics, &options).await.map_err(|error| IntakeError::Unreachable {
            brokers: self.kafka.brokers.clone(),
            reason: error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string()),
        })?;
        for outcome in made {
            match outcome {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, reason)) => return Err(IntakeError::Topic { topic, reason: reason.to_string() }),
            }
        }
        Ok(())
    }

    /// Takes messages until cancelled. What fails is tried again with growing pauses; nothing is passed over.
    pub async fn run(self, cancel: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !cancel.is_cancelled() {
            let batch = tokio::select! {
                () = cancel.cancelled() => break,
                batch = self.next_batch() => batch,
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    // The client connects again by itself and tells each failure once: asking on drains them.
                    tracing::warn!(%error, "reading from Kafka failed, trying again");
                    tokio::time::sleep(FIRST_PAUSE).await;
                    continue;
                }
            };
            while let Err(error) = self.take(&batch).await {
                tracing::warn!(error, messages = batch.len(), "messages from Kafka cannot be taken now, trying again");
                metrics::counter!("chancery_kafka_failures_total").increment(1);
                self.wait(&cancel, &mut pause).await;
                if cancel.is_cancelled() {
                    return;
                }
            }
            pause = FIRST_PAUSE;
        }
    }

    async fn wait(&self, cancel: &CancellationToken, pause: &mut Duration) {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(*pause) => {}
        }
        *pause = (*pause * 2).min(LONGEST_PAUSE);
    }

    /// At least one message, and those that have come with it.
    async fn next_batch(&self) -> Result<Vec<OwnedMessage>, KafkaError> {
        let mut batch = vec![self.consumer.recv().await?.detach()];
        while batch.len() < BATCH {
            match self.consumer.recv().now_or_never() {
                Some(Ok(message)) => batch.push(message.detach()),
                _ => break,
            }
        }
        Ok(batch)
    }

    /// Appends a batch, parks what is refused, and moves the group on.
    async fn take(&self, batch: &[OwnedMessage]) -> Result<(), String> {
        let now = (self.clock)();
        let (mut sealed, mut accepted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for message in batch {
            match arrival(message, now).sealed {
                Ok((ready, event)) => {
                    sealed.push(ready);
                    accepted.push((message, event));
                }
                Err(violation) => refused.push(Refused { message, violation }),
            }
        }
        let outcomes = self.log.append(sealed).await.map_err(|error| error.to_string())?;
        let mut conflicts = Vec::new();
        for ((message, event), outcome) in accepted.into_iter().zip(outcomes) {
            if let Appended::Conflict { position } = outcome {
                conflicts.push(conflict(message, &event, position)?);
                let violation = Violation::new("/id", "another event has this source and id");
                refused.push(Refused { message, violation });
            }
        }
        self.log.append(conflicts).await.map_err(|error| error.to_string())?;
        metrics::counter!("chancery_kafka_messages_total", "result" => "refused").increment(refused.len() as u64);
        metrics::counter!("chancery_kafka_messages_total", "result" => "taken")
            .increment((batch.len() - refused.len()) as u64);
        try_join_all(refused.iter().map(|refused| self.park(refused))).await.map_err(|error| error.to_string())?;
        if let Err(error) = self.move_on(batch) {
            // The next commit covers these offsets; until then a restart reads them again, and the log knows them.
            tracing::warn!(%error, "the consumer group's offsets cannot be committed now");
        }
        Ok(())
    }

    async fn park(&self, refused: &Refused<'_>) -> Result<(), KafkaError> {
        let Refused { message, violation } = refused;
        let origin = format!("{}/{}/{}", message.topic(), message.partition(), message.offset());
        tracing::warn!(origin, reason = violation.reason, "a message from Kafka is no acceptable event");
        let mut headers = message.headers().cloned().unwrap_or_default();
        for (key, value) in [
            ("chancery_reason", &violation.reason),
            ("chancery_pointer", &violation.pointer),
            ("chancery_origin", &origin),
        ] {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut record = FutureRecord::<[u8], [u8]>::to(&self.kafka.dead_letters).headers(headers);
        record.payload = message.payload();
        record.key = message.key();
        self.dead_letters.send(record, PATIENCE).await.map(drop).map_err(|(error, _)| error)
    }

    fn move_on(&self, batch: &[OwnedMessage]) -> Result<(), KafkaError> {
        let mut next: HashMap<i32, i64> = HashMap::new();
        for message in batch {
            next.insert(message.partition(), message.offset() + 1);
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in next {
            offsets.add_partition_offset(&self.kafka.topic, partition, Offset::Offset(offset))?;
        }
        self.consumer.commit(&offsets, CommitMode::Async)
    }
}

/// The same message gives the same event, however often it is read.
fn conflict(message: &OwnedMessage, refused: &Event, position: u64) -> Result<Sealed, String> {
    let place = format!("kafka:{}/{}/{}", message.topic(), message.partition(), message.offset());
    let actor = Actor { id: format!("kafka:{}", message.topic()), kind: ActorKind::Service, ..Actor::default() };
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, place.as_bytes()).to_string();
    let at = message.timestamp().to_millis().and_then(|millis| Timestamp::from_micros(millis * 1000).ok());
    let at = at.unwrap_or(Timestamp::EPOCH);
    let record = Event::new("audit.event.rejected", id, OWN_SOURCE, at, actor, Resource::new("event", &refused.id));
    Sealed::new(&rejection(record, refused, position)).map_err(|error| error.to_string())
}

fn arrival(message: &OwnedMessage, now: Timestamp) -> Arrival {
    let Ok(text) = std::str::from_utf8(message.payload().unwrap_or_default()) else {
        return Arrival::unreadable(Violation::new("", "the message is not UTF-8"));
    };
    let headers = || message.headers().into_iter().flat_map(Headers::iter);
    if !headers().any(|header| header.key == "ce_specversion") {
        return Arrival::structured(text, now);
    }
    let mut event = CloudEvent::default();
    for header in headers() {
        let Some(attribute) = header.key.strip_prefix("ce_") else { continue };
        let Some(value) = header.value.and_then(|value| std::str::from_utf8(value).ok()) else {
            return Arrival::unreadable(Violation::new("", format!("header `{}` is not UTF-8", header.key)));
        };
        event.set(attribute, value.to_owned());
    }
    match serde_json::from_str(text) {
        Ok(data) => event.data = Some(data),
        Err(_) if text.is_empty() => {}
        Err(error) => return Arrival::unreadable(Violation::new("/data", error.to_string())),
    }
    Arrival::of(event, now)
}
