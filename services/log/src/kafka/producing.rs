//! Observations: produced to the topic directly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_evidence::{Identity, Sealed};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use sqlx::PgPool;
use tokio::sync::{Semaphore, TryAcquireError};
use uuid::Uuid;

use super::admission::{Known, find};
use super::options::KafkaLogOptions;
use super::record::Fingerprint;
use crate::position::position;
use crate::{Appended, Clock, LogError, Position};

/// Longest that is waited for what is on its way, when closing.
const FLUSH: Duration = Duration::from_secs(10);

/// Appends observations.
pub(crate) struct Observations {
    producer: FutureProducer,
    topic: String,
    pool: PgPool,
    permits: Arc<Semaphore>,
    queue_events: usize,
    clock: Clock,
}

/// What is known of an event before it is sent.
enum Fate {
    Send,
    Done(Appended),
    /// The same as an earlier one of this append.
    Repeats(usize),
}

impl Observations {
    pub(crate) fn new(options: &KafkaLogOptions, pool: PgPool) -> Result<Self, LogError> {
        let mut settings = options.producer();
        settings
            .set("linger.ms", "3")
            .set("batch.size", "262144")
            .set("queue.buffering.max.messages", (options.queue_events * 2).to_string())
            .set("queue.buffering.max.kbytes", "262144");
        Ok(Self {
            producer: settings.create()?,
            topic: options.topic.clone(),
            pool,
            permits: Arc::new(Semaphore::new(options.queue_events)),
            queue_events: options.queue_events,
            clock: options.clock.clone(),
        })
    }

    /// Sends what is not known to be there, and waits until all in-sync replicas have it.
    ///
    /// Whether an event was there before is looked up, and holds for what was admitted a moment ago; what comes in
    /// between through another node is sent, and refused by admission.
    pub(crate) async fn append(&self, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let begun = Instant::now();
        let wanted = u32::try_from(events.len().min(self.queue_events)).map_err(|_| LogError::Busy)?;
        let _permit = self.permits.try_acquire_many(wanted).map_err(|error| match error {
            TryAcquireError::NoPermits => LogError::Busy,
            TryAcquireError::Closed => LogError::Closed,
        })?;
        let fingerprints: Vec<Fingerprint> = events.iter().map(Fingerprint::of).collect();
        let known = self.known(&fingerprints).await;
        let fates = fates(&fingerprints, &known);
        let mut sent = Vec::with_capacity(events.len());
        for ((event, fingerprint), fate) in events.into_iter().zip(&fingerprints).zip(&fates) {
            sent.push(match fate {
                Fate::Send => Some(self.send(event, fingerprint)?),
                _ => None,
            });
        }
        let mut outcomes: Vec<Appended> = Vec::with_capacity(fates.len());
        for (fate, delivery) in fates.iter().zip(sent) {
            outcomes.push(match (fate, delivery) {
                (_, Some(delivery)) => {
                    let delivered = delivery.await.map_err(|_| LogError::Closed)?.map_err(|(error, _)| error)?;
                    let place = u64::try_from(delivered.offset).unwrap_or(0) + 1;
                    let position = position(u16::try_from(delivered.partition).unwrap_or(0), place);
                    Appended::Created { position, stream_version: 0 }
                }
                (Fate::Done(outcome), None) => *outcome,
                (Fate::Repeats(first), None) => {
                    let position = outcomes.get(*first).map_or(0, position_of);
                    let same = match (fingerprints.get(*first), fingerprints.get(outcomes.len())) {
                        (Some(first), Some(this)) => first.says_the_same_as(this),
                        _ => false,
                    };
                    if same { Appended::Duplicate { position } } else { Appended::Conflict { position } }
                }
                (Fate::Send, None) => return Err(LogError::Closed),
            });
        }
        metrics::histogram!("chancery_log_append_seconds").record(begun.elapsed().as_secs_f64());
        Ok(outcomes)
    }

    /// Without the database nothing is known, and admission alone decides.
    async fn known(&self, fingerprints: &[Fingerprint]) -> HashMap<Uuid, Known> {
        let found = async {
            let mut connection = self.pool.acquire().await?;
            find(&mut connection, fingerprints.iter()).await
        };
        found.await.unwrap_or_else(|error: LogError| {
            tracing::debug!(%error, "what is in the log already cannot be looked up");
            HashMap::new()
        })
    }

    fn send(&self, event: Sealed, fingerprint: &Fingerprint) -> Result<DeliveryFuture, LogError> {
        let key = event.stream_name().to_owned();
        let bytes = event.stamp((self.clock)(), 0);
        self.produce(&key, &bytes, fingerprint)
    }

    /// Gives canonical bytes to Kafka as they are.
    pub(crate) fn produce(
        &self,
        stream: &str,
        bytes: &[u8],
        fingerprint: &Fingerprint,
    ) -> Result<DeliveryFuture, LogError> {
        let record = FutureRecord::to(&self.topic).key(stream).payload(bytes).headers(fingerprint.headers());
        Ok(self.producer.send_result(record).map_err(|(error, _)| error)?)
    }

    pub(crate) async fn close(&self) {
        self.permits.close();
        let producer = self.producer.clone();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("not everything was given to Kafka before the end; nothing of it was acknowledged");
        }
    }
}

fn fates(fingerprints: &[Fingerprint], known: &HashMap<Uuid, Known>) -> Vec<Fate> {
    let mut first: HashMap<Identity, usize> = HashMap::with_capacity(fingerprints.len());
    let fate = |(index, fingerprint): (usize, &Fingerprint)| {
        if let Some(known) = known.get(&fingerprint.uuids().0) {
            let position = known.position;
            let repeats = known.says(fingerprint);
            return Fate::Done(if repeats {
                Appended::Duplicate { position }
            } else {
                Appended::Conflict { position }
            });
        }
        match *first.entry(fingerprint.identity).or_insert(index) {
            earlier if earlier < index => Fate::Repeats(earlier),
            _ => Fate::Send,
        }
    };
    fingerprints.iter().enumerate().map(fate).collect()
}

fn position_of(outcome: &Appended) -> Position {
    match outcome {
        Appended::Created { position, .. } | Appended::Duplicate { position } | Appended::Conflict { position } => {
            *position
        }
    }
}
