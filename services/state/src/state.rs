//! The handle to current state.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chancery_domain::tokens::Token;
use chancery_log::{ConsumeError, DeadLetter, DeadLetters, Position};
use sqlx::AnyPool;
use tokio::sync::watch;

use crate::{Database, StateError, queries};

const PATIENCE: Duration = Duration::from_secs(10);

/// A cheap handle to current state.
#[derive(Clone)]
pub struct State {
    pub(crate) pool: AnyPool,
    pub(crate) database: Database,
    pub(crate) applied: Arc<watch::Sender<Position>>,
    tokens: Arc<RwLock<HashMap<String, Arc<VersionedToken>>>>,
    clock: chancery_log::Clock,
}

/// A token and the version of its stream.
#[derive(Debug, Clone)]
pub(crate) struct VersionedToken {
    pub(crate) token: Token,
    pub(crate) stream_version: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("applied", &self.applied()).finish_non_exhaustive()
    }
}

impl State {
    /// Opens or creates the tables.
    pub async fn open(database: &Database, clock: chancery_log::Clock) -> Result<Self, StateError> {
        let pool = database.open().await?;
        let applied = queries::checkpoint(&pool, crate::projector::NAME).await?;
        let database = database.clone();
        let state =
            Self { pool, database, applied: Arc::new(watch::Sender::new(applied)), tokens: Arc::default(), clock };
        state.reload_tokens().await?;
        Ok(state)
    }

    /// The last position the tables below contain.
    pub fn applied(&self) -> Position {
        *self.applied.borrow()
    }

    /// Waits until the tables contain `position`; [`StateError::Behind`] after ten seconds.
    pub async fn caught_up(&self, position: Position) -> Result<(), StateError> {
        let mut applied = self.applied.subscribe();
        let reached = tokio::time::timeout(PATIENCE, applied.wait_for(|applied| *applied >= position)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StateError::Behind),
        }
    }

    /// A token by id. Served from memory: tokens are looked up on every request.
    pub fn token(&self, id: &str) -> Option<Token> {
        self.versioned_token(id).map(|versioned| versioned.token.clone())
    }

    /// Every token, by id.
    pub fn tokens(&self) -> Vec<Token> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Token> = tokens.values().map(|versioned| versioned.token.clone()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(crate) fn versioned_token(&self, id: &str) -> Option<Arc<VersionedToken>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) async fn reload_tokens(&self) -> Result<(), StateError> {
        let tokens = queries::tokens(&self.pool).await?;
        let by_id = tokens.into_iter().map(|versioned| (versioned.token.id.clone(), Arc::new(versioned))).collect();
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = by_id;
        Ok(())
    }

    /// Closes the database's files.
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
