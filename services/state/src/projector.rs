//! The consumer that folds the log into the tables.

use std::collections::BTreeSet;

use chancery_domain::Event;
use chancery_evidence::event_type;
use chancery_log::{ConsumeError, Consumer, Frontier, Log, Page, Position, Recorded, partition, place};
use sqlx::{AnyConnection, Connection};

use crate::runners::ChangedRunners;
use crate::{State, StateError, apply, queries};

pub(crate) const NAME: &str = "projector";

/// Folds events into a [`State`].
#[derive(Debug, Clone)]
pub struct Projector {
    state: State,
}

impl Projector {
    /// A projector for this state.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// Folds events in one transaction; of a page with a poison event, those before it.
    async fn fold(&self, page: &Page) -> Result<(), ConsumeError> {
        let Some((index, reason)) = self.try_fold(page.after, &page.events, page.reached).await? else { return Ok(()) };
        let (before, rest) = page.events.split_at(index);
        if let Some(last) = before.last()
            && let Some((index, reason)) = self.try_fold(page.after, before, last.position).await?
        {
            return Err(ConsumeError::Retry(format!("event {index} of a page folds only sometimes: {reason}")));
        }
        let position = rest.first().map_or(0, |poison| poison.position);
        Err(ConsumeError::Poison { position, reason })
    }

    /// Folds all of `events`, or nothing: then the index of the poison event, and the reason.
    async fn try_fold(
        &self,
        after: Position,
        events: &[Recorded],
        reached: Position,
    ) -> Result<Option<(usize, String)>, ConsumeError> {
        let mut connection = self.state.pool.acquire().await.map_err(retry)?;
        let folded = fold_all(&mut connection, self.state.database.begin(), after, events, reached).await;
        match folded {
            Ok(()) => {}
            Err(Fold::Poison(index, reason)) => return Ok(Some((index, reason))),
            Err(Fold::Moved) => {
                return Err(ConsumeError::Retry("another node has folded these events meanwhile".to_owned()));
            }
            Err(Fold::Database(error)) => {
                // Its idea of the transaction is not to be trusted.
                connection.close_on_drop();
                return Err(retry(error));
            }
        }
        let changed = Changed::by(events);
        let reading = |error: StateError| ConsumeError::Retry(error.to_string());
        self.state.refresh_tokens(&changed.tokens).await.map_err(reading)?;
        self.state.refresh_runners(&changed.runners).await.map_err(reading)?;
        // Before whoever has queued a job is told that it is: it is found from then on.
        if changed.queue {
            self.state.queued.send_modify(|times| *times += 1);
        }
        self.state.advance(std::iter::once(reached));
        Ok(None)
    }
}

impl Consumer for Projector {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn checkpoint(&self, partition: u16) -> Result<Position, ConsumeError> {
        let reached = queries::reached(&self.state.pool, NAME, self.state.partitions).await.map_err(retry)?;
        self.state.advance(reached.positions());
        Ok(reached.of(partition))
    }

    async fn handle(&mut self, page: &Page) -> Result<(), ConsumeError> {
        self.fold(page).await
    }

    async fn skip_to(&mut self, position: Position) -> Result<(), ConsumeError> {
        let from = self.checkpoint(partition(position)).await?;
        let mut connection = self.state.pool.acquire().await.map_err(retry)?;
        queries::move_checkpoint(&mut connection, NAME, from, position).await.map_err(retry)?;
        self.state.advance(std::iter::once(position));
        Ok(())
    }
}

/// Longest page a node folds that waits for a projector elsewhere.
const HELP_EVENTS: usize = 2048;

impl State {
    /// Folds what is missing up to `wanted` in this process, where the node that should do it does not: it may have
    /// died a moment ago. Of two that fold the same events one succeeds.
    pub(crate) async fn help(&self, log: &Log, wanted: &Frontier) -> Result<(), StateError> {
        self.look().await?;
        let applied = self.applied();
        for missing in wanted.positions().filter(|position| place(*position) > 0 && !applied.includes(*position)) {
            let page = log.read(applied.of(partition(missing)), HELP_EVENTS).await?;
            if let Err(error) = Projector::new(self.clone()).handle(&page).await {
                tracing::debug!(%error, "folding for another node");
            }
        }
        Ok(())
    }
}

/// What events have changed that is kept in memory, or waited for.
#[derive(Default)]
struct Changed {
    /// Ids of tokens.
    tokens: BTreeSet<String>,
    runners: ChangedRunners,
    /// Jobs may have come to wait for a runner.
    queue: bool,
}

impl Changed {
    fn by(events: &[Recorded]) -> Self {
        let mut changed = Self::default();
        for recorded in events {
            let Some(name) = event_type(&recorded.bytes) else { continue };
            changed.queue |= matches!(name, "workspace.build.queued" | "workspace.build.requeued");
            if !name.starts_with("token.") && !name.starts_with("runner.") {
                continue;
            }
            let is_key = name.starts_with("runner.key.");
            let set = match name.split('.').next() {
                Some("token") => &mut changed.tokens,
                _ if is_key => &mut changed.runners.keys,
                _ => &mut changed.runners.runners,
            };
            if let Ok(event) = serde_json::from_str::<Event>(&recorded.bytes) {
                set.insert(event.resource.id);
            }
        }
        changed
    }
}

enum Fold {
    /// Which event, and why.
    Poison(usize, String),
    /// Someone else has folded them.
    Moved,
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
    after: Position,
    events: &[Recorded],
    reached: Position,
) -> Result<(), Fold> {
    let mut transaction = connection.begin_with(begin).await?;
    if !queries::move_checkpoint(&mut transaction, NAME, after, reached).await? {
        transaction.rollback().await?;
        return Err(Fold::Moved);
    }
    for (index, recorded) in events.iter().enumerate() {
        if let Err(error) = fold_one(&mut transaction, recorded, index).await {
            transaction.rollback().await?;
            return Err(error);
        }
    }
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
    apply::apply(connection, &event, recorded.position).await.map_err(|error| match error {
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
