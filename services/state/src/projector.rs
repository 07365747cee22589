//! The consumer that folds the log into the tables.

use chancery_domain::Event;
use chancery_evidence::event_type;
use chancery_log::{ConsumeError, Consumer, Position, Recorded};
use sqlx::{AnyConnection, Connection};

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

    /// Folds events in one transaction; of a batch with a poison event, those before it.
    async fn fold(&self, events: &[Recorded]) -> Result<(), ConsumeError> {
        let Some((index, reason)) = self.try_fold(events).await? else { return Ok(()) };
        let (before, rest) = events.split_at(index);
        if let Some((index, reason)) = self.try_fold(before).await? {
            return Err(ConsumeError::Retry(format!("event {index} of a batch folds only sometimes: {reason}")));
        }
        let position = rest.first().map_or(0, |poison| poison.position);
        Err(ConsumeError::Poison { position, reason })
    }

    /// Folds all of `events`, or nothing: then the index of the poison event, and the reason.
    async fn try_fold(&self, events: &[Recorded]) -> Result<Option<(usize, String)>, ConsumeError> {
        let Some(last) = events.last().map(|last| last.position) else { return Ok(None) };
        let mut connection = self.state.pool.acquire().await.map_err(retry)?;
        let folded = fold_all(&mut connection, self.state.database.begin(), events, last).await;
        match folded {
            Ok(()) => {}
            Err(Fold::Poison(index, reason)) => return Ok(Some((index, reason))),
            Err(Fold::Database(error)) => {
                // Its idea of the transaction is not to be trusted.
                connection.close_on_drop();
                return Err(retry(error));
            }
        }
        if events.iter().any(|event| event_type(&event.bytes).is_some_and(|name| name.starts_with("token."))) {
            self.state.reload_tokens().await.map_err(|error| ConsumeError::Retry(error.to_string()))?;
        }
        self.state.applied.send_replace(last);
        Ok(None)
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
    /// Which event, and why.
    Poison(usize, String),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Fold {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn fold_all(
    connection: &mut AnyConnection,
    begin: &'static str,
    events: &[Recorded],
    last: Position,
) -> Result<(), Fold> {
    let mut transaction = connection.begin_with(begin).await?;
    for (index, recorded) in events.iter().enumerate() {
        if let Err(error) = fold_one(&mut transaction, recorded, index).await {
            transaction.rollback().await?;
            return Err(error);
        }
    }
    queries::set_checkpoint(&mut transaction, NAME, last).await?;
    Ok(transaction.commit().await?)
}

async fn fold_one(connection: &mut AnyConnection, recorded: &Recorded, index: usize) -> Result<(), Fold> {
    let poison = |reason: String| Fold::Poison(index, reason);
    match event_type(&recorded.bytes) {
        None => return Err(poison("it is not the canonical form of an event".to_owned())),
        Some(name) if !apply::concerns(name) => return Ok(()),
        Some(_) => {}
    }
    let event: Event = serde_json::from_str(&recorded.bytes).map_err(|error| poison(error.to_string()))?;
    apply::apply(connection, &event).await.map_err(|error| match error {
        apply::ApplyError::Payload(error) => poison(error.to_string()),
        apply::ApplyError::Database(sqlx::Error::Database(database))
            if database.is_check_violation() || database.kind() == sqlx::error::ErrorKind::NotNullViolation =>
        {
            poison(database.to_string())
        }
        apply::ApplyError::Database(error) => Fold::Database(error),
    })
}

fn retry(error: sqlx::Error) -> ConsumeError {
    ConsumeError::Retry(StateError::from(error).to_string())
}
