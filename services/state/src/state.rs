//! The handle to current state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::tokens::Token;
use chancery_log::{ConsumeError, DeadLetter, DeadLetters, Frontier, Log, Position};
use sqlx::AnyPool;
use tokio::sync::watch;

use crate::runners::{ChangedRunners, Runners};
use crate::tokens::Tokens;
use crate::{Database, StateError, queries};

const PATIENCE: Duration = Duration::from_secs(10);

/// How often a node of a cluster looks how far others have folded, while it waits for it.
const LOOK: Duration = Duration::from_millis(15);

/// A cheap handle to current state.
#[derive(Clone)]
pub struct State {
    pub(crate) pool: AnyPool,
    pub(crate) database: Database,
    pub(crate) applied: Arc<watch::Sender<Frontier>>,
    pub(crate) partitions: u16,
    /// Whether other nodes fold into the same tables.
    pub(crate) shared: bool,
    tokens: Arc<Tokens>,
    pub(crate) runners: Arc<Runners>,
    /// Told when jobs may have come to wait for a runner, as far as this process folds.
    pub(crate) queued: Arc<watch::Sender<u64>>,
    pub(crate) clock: chancery_log::Clock,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("applied", &self.applied()).finish_non_exhaustive()
    }
}

impl State {
    /// Opens or creates the tables that are folded from `log`.
    pub async fn open(database: &Database, log: &Log, clock: chancery_log::Clock) -> Result<Self, StateError> {
        let pool = database.open().await?;
        let (partitions, shared) = (log.partitions(), log.cluster().is_some());
        let applied = queries::reached(&pool, crate::projector::NAME, partitions).await?;
        let state = Self {
            pool,
            database: database.clone(),
            applied: Arc::new(watch::Sender::new(applied)),
            partitions,
            shared,
            tokens: Arc::new(Tokens::new(shared)),
            runners: Arc::new(Runners::new(shared)),
            queued: Arc::new(watch::Sender::new(0)),
            clock,
        };
        state.tokens.load(&state.pool).await?;
        state.runners.load(&state.pool).await?;
        Ok(state)
    }

    /// How far the tables contain the log, as this process knows.
    pub fn applied(&self) -> Frontier {
        self.applied.borrow().clone()
    }

    /// Waits until the tables contain everything up to `wanted`; [`StateError::Behind`] after ten seconds.
    pub async fn caught_up(&self, wanted: &Frontier) -> Result<(), StateError> {
        let reached = async {
            let mut applied = self.applied.subscribe();
            loop {
                let wait = applied.wait_for(|applied| applied.reaches(wanted));
                if !self.shared {
                    return wait.await.map(drop).map_err(|_| StateError::Behind);
                }
                if tokio::time::timeout(LOOK, wait).await.is_ok() {
                    return Ok(());
                }
                self.look().await?;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or(Err(StateError::Behind))
    }

    /// Learns how far others have folded.
    pub async fn look(&self) -> Result<(), StateError> {
        let reached = queries::reached(&self.pool, crate::projector::NAME, self.partitions).await?;
        self.advance(reached.positions());
        Ok(())
    }

    pub(crate) fn advance(&self, reached: impl Iterator<Item = Position>) {
        self.applied.send_modify(|applied| reached.for_each(|position| applied.advance(position)));
    }

    /// A token by id.
    pub async fn token(&self, id: &str) -> Result<Option<Token>, StateError> {
        Ok(self.tokens.find(&self.pool, id).await?.map(|token| Token::clone(&token)))
    }

    /// Every token, by id.
    pub async fn tokens(&self) -> Result<Vec<Token>, StateError> {
        queries::tokens(&self.pool).await
    }

    pub(crate) async fn refresh_tokens(&self, ids: &BTreeSet<String>) -> Result<(), StateError> {
        self.tokens.refresh(&self.pool, ids).await
    }

    pub(crate) async fn refresh_runners(&self, changed: &ChangedRunners) -> Result<(), StateError> {
        self.runners.refresh(&self.pool, changed).await
    }

    /// Changes when this process has folded events after which other jobs may wait for a runner. Where other nodes fold, too,
    /// the table may have changed without.
    pub fn queue_changes(&self) -> watch::Receiver<u64> {
        self.queued.subscribe()
    }

    /// The time.
    pub(crate) fn now(&self) -> chancery_domain::Timestamp {
        (self.clock)()
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<(), StateError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes files and connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl DeadLetters for State {
    async fn park(&self, letter: DeadLetter) -> Result<(), ConsumeError> {
        sqlx::query(
            "INSERT INTO dead_letters (consumer, position, reason, event, parked_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(letter.consumer)
        .bind(letter.position.cast_signed())
        .bind(letter.reason)
        .bind(letter.event)
        .bind((self.clock)().as_micros())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| ConsumeError::Retry(error.to_string()))
    }
}
