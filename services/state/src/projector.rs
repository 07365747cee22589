//! The consumer that folds the log into the tables.

use chancery_domain::Event;
use chancery_evidence::event_type;
use chancery_log::{ConsumeError, Consumer, Position, Recorded};
use sqlx::SqliteConnection;

use crate::{State, StateError, apply, queries};

pub(crate) const NAME: &str = "projector";

/// Folds events into a [`State`].
#[derive(Debug)]
pub struct Projector {
    state: State,
}

impl Projector {
    /// A projector for this state.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    async fn fold(&self, events: &[Recorded]) -> Result<(), ConsumeError> {
        let mut transaction = self.state.pool.begin_with("BEGIN IMMEDIATE").await.map_err(retry)?;
        let mut reached = None;
        let mut tokens_moved = false;
        let mut poison = None;
        for recorded in events {
            match fold_one(&mut transaction, recorded).await {
                Ok(()) => reached = Some(recorded.position),
                Err(Fold::Poison(reason)) => {
                    poison = Some(ConsumeError::Poison { position: recorded.position, reason });
                    break;
                }
                Err(Fold::Database(error)) => return Err(retry(error)),
            }
            tokens_moved |= event_type(&recorded.bytes).is_some_and(|name| name.starts_with("token."));
        }
        if let Some(position) = reached {
            queries::set_checkpoint(&mut transaction, NAME, position).await.map_err(retry)?;
            transaction.commit().await.map_err(retry)?;
            if tokens_moved {
                self.state.reload_tokens().await.map_err(|error| ConsumeError::Retry(error.to_string()))?;
            }
            self.state.applied.send_replace(position);
        }
        poison.map_or(Ok(()), Err)
    }
}

impl Consumer for Projector {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn checkpoint(&self) -> Result<Position, ConsumeError> {
        let position =
            queries::checkpoint(&self.state.pool, NAME).await.map_err(|e| ConsumeError::Retry(e.to_string()))?;
        self.state.applied.send_replace(position);
        Ok(position)
    }

    async fn handle(&mut self, events: &[Recorded]) -> Result<(), ConsumeError> {
        self.fold(events).await
    }

    async fn skip_to(&mut self, position: Position) -> Result<(), ConsumeError> {
        let mut connection = self.state.pool.acquire().await.map_err(retry)?;
        queries::set_checkpoint(&mut connection, NAME, position).await.map_err(retry)?;
        self.state.applied.send_replace(position);
        Ok(())
    }
}

enum Fold {
    Poison(String),
    Database(sqlx::Error),
}

async fn fold_one(connection: &mut SqliteConnection, recorded: &Recorded) -> Result<(), Fold> {
    match event_type(&recorded.bytes) {
        None => return Err(Fold::Poison("it is not the canonical form of an event".to_owned())),
        Some(name) if !apply::concerns(name) => return Ok(()),
        Some(_) => {}
    }
    let event: Event = serde_json::from_str(&recorded.bytes).map_err(|error| Fold::Poison(error.to_string()))?;
    apply::apply(connection, &event).await.map_err(|error| match error {
        apply::ApplyError::Payload(error) => Fold::Poison(error.to_string()),
        apply::ApplyError::Database(sqlx::Error::Database(database))
            if database.is_check_violation() || database.kind() == sqlx::error::ErrorKind::NotNullViolation =>
        {
            Fold::Poison(database.to_string())
        }
        apply::ApplyError::Database(error) => Fold::Database(error),
    })
}

fn retry(error: sqlx::Error) -> ConsumeError {
    ConsumeError::Retry(StateError::from(error).to_string())
}
