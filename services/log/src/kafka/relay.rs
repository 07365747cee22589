//! The relay: publishes the outbox to Kafka, each decision once.
//!
//! One node is the relay at a time, by a lease; one that lost it without noticing is fenced by Kafka, where all relays
//! share one transactional id. A transaction carries some decisions and, as the committed offset of a consumer group
//! that has no consumers, the number of the last of them: whoever is relay next goes on behind that number, wherever
//! the one before it died.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::leases::Leases;
use super::options::KafkaLogOptions;
use super::outbox::CHANNEL;
use super::reader::{LogConsumer, Quiet};
use super::record::Fingerprint;
use crate::LogError;

/// Decisions of one transaction.
const BATCH: i64 = 500;
const LEASE: Duration = Duration::from_secs(2);
/// How often the lease is renewed, and the outbox looked into if nobody calls.
const TICK: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(5);
pub(crate) const WORK: &str = "relay";

pub(crate) struct Relay {
    options: KafkaLogOptions,
    pool: PgPool,
    leases: Leases,
}

struct Decision {
    sequence: i64,
    stream: String,
    event: String,
    fingerprint: Fingerprint,
}

/// A producer that holds the transactional id, and how far it has published.
struct Publisher {
    producer: Arc<FutureProducer>,
    progress: Arc<LogConsumer>,
    topic: String,
    published: i64,
}

impl Relay {
    pub(crate) fn new(options: KafkaLogOptions, pool: PgPool, leases: Leases) -> Self {
        Self { options, pool, leases }
    }

    /// Publishes whenever this node is the relay, until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut listener: Option<PgListener> = None;
        let mut publisher: Option<Publisher> = None;
        while !cancel.is_cancelled() {
            if let Err(error) = self.turn(&mut publisher).await {
                tracing::warn!(%error, "the relay failed, trying again");
                metrics::counter!("chancery_log_relay_failures_total").increment(1);
                publisher = None;
            }
            if listener.is_none() {
                listener = self.listen().await.ok();
            }
            let called = async {
                match &mut listener {
                    Some(listener) => listener.recv().await.map(drop),
                    None => std::future::pending().await,
                }
            };
            let lost = tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(TICK) => false,
                called = called, if publisher.is_some() => called.is_err(),
            };
            if lost {
                listener = None;
            }
        }
        drop(publisher);
        self.leases.release(WORK).await.ok();
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// Publishes what waits, if this node is the relay.
    async fn turn(&self, publisher: &mut Option<Publisher>) -> Result<(), LogError> {
        if !self.leases.acquire(WORK, LEASE).await? {
            *publisher = None;
            return Ok(());
        }
        let publisher = match publisher {
            Some(publisher) => publisher,
            None => publisher.insert(self.begin().await?),
        };
        loop {
            self.number().await?;
            let decisions = self.next(publisher.published).await?;
            let Some(last) = decisions.last().map(|decision| decision.sequence) else { return Ok(()) };
            publisher.publish(&decisions).await?;
            self.forget(last).await?;
            metrics::counter!("chancery_log_relayed_events_total").increment(decisions.len() as u64);
            if !self.leases.acquire(WORK, LEASE).await? {
                return Err(LogError::Unavailable("another node is the relay now".to_owned()));
            }
        }
    }

    /// Takes the transactional id from whoever had it, and finds out how far that one came.
    async fn begin(&self) -> Result<Publisher, LogError> {
        let id = format!("{}.relay.{}", self.options.group, self.options.topic);
        let mut settings = self.options.producer();
        // What a relay that died left open holds up every reader until this has passed or the next relay begins.
        settings.set("transactional.id", id).set("transaction.timeout.ms", "5000");
        settings.set("delivery.timeout.ms", "4000").set("request.timeout.ms", "3000").set("linger.ms", "1");
        let producer: Arc<FutureProducer> = Arc::new(settings.create()?);
        let mut group = self.options.consumer();
        group.set("group.id", format!("{}.relay", self.options.group));
        let progress: LogConsumer = group.create_with_context(Quiet)?;
        let (progress, topic) = (Arc::new(progress), self.options.topic.clone());
        let (taking, asking, place) = (producer.clone(), progress.clone(), marker(&topic, Offset::Invalid)?);
        let published = blocking(move || {
            taking.init_transactions(PATIENCE)?;
            let committed = asking.committed_offsets(place, PATIENCE)?;
            Ok(committed.elements().first().and_then(|element| element.offset().to_raw()).unwrap_or(0).max(0))
        })
        .await?;
        tracing::info!(node = self.options.node, published, "this node is the relay");
        self.forget(published).await?;
        Ok(Publisher { producer, progress, topic, published })
    }

    /// Numbers decisions in the order of their ids. A stream's were stored one after the other, so their ids are in
    /// order; a lower id of another stream may become visible later, and gets a later number.
    async fn number(&self) -> Result<(), LogError> {
        sqlx::query(
            "WITH waiting AS (SELECT id FROM outbox WHERE sequence IS NULL ORDER BY id LIMIT $1),
                  numbered AS (SELECT id, nextval('outbox_sequence') AS number FROM (SELECT id FROM waiting ORDER BY id) w)
             UPDATE outbox SET sequence = number FROM numbered WHERE outbox.id = numbered.id",
        )
        .bind(BATCH)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn next(&self, published: i64) -> Result<Vec<Decision>, LogError> {
        let rows = sqlx::query(
            "SELECT sequence, stream, event, identity, content FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        )
        .bind(published)
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let digest = |index: usize| Ok::<_, sqlx::Error>(row.try_get::<Uuid, _>(index)?.into_bytes());
                let fingerprint = Fingerprint { identity: digest(3)?, content: digest(4)?, timeless: None };
                let (sequence, stream, event) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                Ok(Decision { sequence, stream, event, fingerprint })
            })
            .collect()
    }

    async fn forget(&self, published: i64) -> Result<(), LogError> {
        sqlx::query("DELETE FROM outbox WHERE sequence <= $1").bind(published).execute(&self.pool).await?;
        Ok(())
    }
}

impl Publisher {
    async fn publish(&mut self, decisions: &[Decision]) -> Result<(), LogError> {
        self.producer.begin_transaction()?;
        let published = self.transact(decisions).await;
        if published.is_err() {
            // Fails as well when another relay has the transactional id.
            let producer = self.producer.clone();
            blocking(move || producer.abort_transaction(PATIENCE)).await.ok();
        }
        self.published = published?;
        Ok(())
    }

    async fn transact(&self, decisions: &[Decision]) -> Result<i64, LogError> {
        let mut delivered = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let record = FutureRecord::to(&self.topic)
                .key(decision.stream.as_str())
                .payload(decision.event.as_str())
                .headers(decision.fingerprint.headers());
            delivered.push(self.producer.send_result(record).map_err(|(error, _)| error)?);
        }
        for delivery in delivered {
            let outcome = delivery.await.map_err(|_| LogError::Closed)?;
            outcome.map_err(|(error, _)| error)?;
        }
        let last = decisions.last().map_or(self.published, |decision| decision.sequence);
        let place = marker(&self.topic, Offset::Offset(last))?;
        let (producer, progress) = (self.producer.clone(), self.progress.clone());
        blocking(move || {
            let group = progress.group_metadata().ok_or(KafkaError::Canceled)?;
            producer.send_offsets_to_transaction(&place, &group, PATIENCE)?;
            producer.commit_transaction(PATIENCE)
        })
        .await?;
        Ok(last)
    }
}

/// Where the number of the last published decision is kept.
fn marker(topic: &str, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, 0, offset)?;
    Ok(place)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, LogError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| LogError::Storage(error.to_string()))?;
    Ok(done?)
}
