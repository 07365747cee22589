//! Consumers: what reads the log from its own checkpoint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::position::{partition, place};
use crate::{Assignment, Log, Page, Position, Recorded};

/// Events handed to a consumer at once.
const BATCH: usize = 2048;
/// Where many partitions are followed side by side, a page smaller than this is followed by a pause, in which more
/// gathers: each page is a transaction.
const SMALL: usize = 256;
const PACE: Duration = Duration::from_millis(4);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a consumer did not take a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// One event can never be taken. Everything before it in the batch was taken.
    #[error("the event at position {position} cannot be taken: {reason}")]
    Poison {
        /// Which one.
        position: Position,
        /// Why, in words.
        reason: String,
    },
    /// It may work later; the whole batch is handed over again.
    #[error("{0}")]
    Retry(String),
}

/// Something that follows the log and keeps its own checkpoint of each partition together with its results.
///
/// Several nodes may believe for a moment that a partition is theirs. A consumer must therefore store results and
/// checkpoint in one transaction, and only if the checkpoint still stands where the page begins.
pub trait Consumer: Clone + Send + 'static {
    /// Its name, as in the API and the metrics.
    fn name(&self) -> &'static str;

    /// The last position of a partition that it has dealt with, as stored.
    fn checkpoint(&self, partition: u16) -> impl Future<Output = Result<Position, ConsumeError>> + Send;

    /// Takes a page's events in order and stores where it reaches as the new checkpoint with the results, all or
    /// nothing.
    fn handle(&mut self, page: &Page) -> impl Future<Output = Result<(), ConsumeError>> + Send;

    /// Stores a checkpoint without results, after an event was parked.
    fn skip_to(&mut self, position: Position) -> impl Future<Output = Result<(), ConsumeError>> + Send;
}

/// An event that a consumer could not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Who could not take it.
    pub consumer: String,
    /// Where it stands in the log.
    pub position: Position,
    /// Why.
    pub reason: String,
    /// Its bytes.
    pub event: String,
    /// When it was parked; [`Timestamp::EPOCH`] lets the store decide.
    pub parked_at: Timestamp,
}

/// Where events that cannot be taken are parked.
pub trait DeadLetters: Send + Sync {
    /// Parks one; parking it again changes nothing.
    fn park(&self, letter: DeadLetter) -> impl Future<Output = Result<(), ConsumeError>> + Send;
}

/// Drives a consumer over the partitions assigned to this process until cancelled.
pub async fn consume<C: Consumer, D: DeadLetters + 'static>(
    log: Log,
    consumer: C,
    dead_letters: Arc<D>,
    mut assignment: Assignment,
    cancel: CancellationToken,
) {
    let mut running: HashMap<u16, (CancellationToken, JoinHandle<()>)> = HashMap::new();
    loop {
        let assigned = assignment.borrow_and_update().clone();
        running.retain(|partition, (cancel, _)| {
            let stays = assigned.contains(partition);
            if !stays {
                cancel.cancel();
            }
            stays
        });
        for partition in assigned {
            running.entry(partition).or_insert_with(|| {
                let cancel = cancel.child_token();
                let following = follow(log.clone(), partition, consumer.clone(), dead_letters.clone(), cancel.clone());
                (cancel, tokio::spawn(following))
            });
        }
        let changed = async {
            if assignment.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => break,
            () = changed => {}
        }
    }
    for (_, task) in running.into_values() {
        task.await.ok();
    }
}

/// Follows one partition until cancelled: reads after its checkpoint, hands over, waits for more.
///
/// A poison event is parked and skipped; whatever else fails is tried again with growing pauses, visible in
/// `chancery_consumer_failures_total` and as lag.
async fn follow<C: Consumer, D: DeadLetters>(
    log: Log,
    partition: u16,
    mut consumer: C,
    dead_letters: Arc<D>,
    cancel: CancellationToken,
) {
    let name = consumer.name();
    let mut pause = FIRST_PAUSE;
    let mut checkpoint = None;
    while !cancel.is_cancelled() {
        match advance(&log, partition, &mut consumer, dead_letters.as_ref(), &mut checkpoint, &cancel).await {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => {
                metrics::counter!("chancery_consumer_failures_total", "consumer" => name).increment(1);
                tracing::warn!(
                    consumer = name,
                    partition,
                    %error,
                    pause_ms = pause.as_millis(),
                    "consumer failed, trying again"
                );
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                checkpoint = None;
            }
        }
    }
}

async fn advance<C: Consumer, D: DeadLetters>(
    log: &Log,
    partition: u16,
    consumer: &mut C,
    dead_letters: &D,
    checkpoint: &mut Option<Position>,
    cancel: &CancellationToken,
) -> Result<(), ConsumeError> {
    let after = match *checkpoint {
        Some(position) => position,
        None => consumer.checkpoint(partition).await?,
    };
    *checkpoint = Some(after);
    report_lag(consumer.name(), log, after);
    tokio::select! {
        () = cancel.cancelled() => return Ok(()),
        _ = log.wait_beyond(after) => {}
    }
    let page = log.read(after, BATCH).await.map_err(|error| ConsumeError::Retry(error.to_string()))?;
    if page.reached == after {
        return Ok(());
    }
    let reached = match consumer.handle(&page).await {
        Ok(()) => page.reached,
        Err(ConsumeError::Poison { position, reason }) => {
            park(consumer.name(), dead_letters, &page.events, position, reason).await?;
            consumer.skip_to(position).await?;
            position
        }
        Err(retry) => return Err(retry),
    };
    *checkpoint = Some(reached);
    report_lag(consumer.name(), log, reached);
    if log.partitions() > 1 && page.events.len() < SMALL {
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

async fn park<D: DeadLetters>(
    consumer: &'static str,
    dead_letters: &D,
    events: &[Recorded],
    position: Position,
    reason: String,
) -> Result<(), ConsumeError> {
    tracing::error!(consumer, position, reason, "parked an event that cannot be taken");
    metrics::counter!("chancery_dead_letters_total", "consumer" => consumer).increment(1);
    let event = events.iter().find(|event| event.position == position).map(|event| event.bytes.to_string());
    let letter = DeadLetter {
        consumer: consumer.to_owned(),
        position,
        reason,
        event: event.unwrap_or_default(),
        parked_at: Timestamp::EPOCH,
    };
    dead_letters.park(letter).await
}

#[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52")]
fn report_lag(consumer: &'static str, log: &Log, reached: Position) {
    let partition = partition(reached);
    let head = place(log.heads().of(partition));
    let partition = partition.to_string();
    metrics::gauge!("chancery_consumer_position", "consumer" => consumer, "partition" => partition.clone())
        .set(place(reached) as f64);
    metrics::gauge!("chancery_consumer_lag_events", "consumer" => consumer, "partition" => partition)
        .set(head.saturating_sub(place(reached)) as f64);
}
