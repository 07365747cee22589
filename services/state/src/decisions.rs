//! Decisions: know what was decided before about the same things, decide, append if nobody else did meanwhile, see the
//! result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::decision::{Context, Refusal};
use chancery_domain::tokens::{CreateToken, RotateToken, Token, TokenRefusal};
use chancery_domain::{Event, Timestamp};
use chancery_evidence::Sealed;
use chancery_log::{Decided, Frontier, Keys, Log, LogError};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::tokens::BELIEVED;
use crate::{State, StateError, queries};

/// How often a decision is taken again because another node has decided about the same meanwhile.
const ATTEMPTS: u32 = 12;
/// Longest pause before the second attempt; it grows with each.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a decision waits for a projector elsewhere before it folds itself.
const UNHELPED: Duration = Duration::from_millis(700);

/// Decisions of this process about the same wait for each other here, in the order they came; keys share queues.
const QUEUES: usize = 4096;

/// Why a decision could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log could not take it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Others kept deciding about the same.
    #[error("too many others change the same thing; try again")]
    Contended,
    /// The event cannot be sealed.
    #[error("the decision's event is not acceptable")]
    Event(#[from] chancery_evidence::EvidenceError),
}

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be decided.
    #[error(transparent)]
    Decision(#[from] DecisionError),
}

/// Takes decisions on a log and its state.
#[derive(Debug, Clone)]
pub struct Decisions {
    log: Log,
    state: State,
    queues: Arc<Vec<Arc<Mutex<()>>>>,
}

impl Decisions {
    /// Decisions on `log`, judged by `state`, which a [`crate::Projector`] must be folding.
    pub fn new(log: Log, state: State) -> Self {
        Self { log, state, queues: Arc::new((0..QUEUES).map(|_| Arc::default()).collect()) }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes a decision. `decide` reads the state, which contains every earlier decision that shares a key, and returns
    /// the events to append, all or none, and what to tell the caller; it is asked again when another decision about a
    /// key came first. The state contains the events when this returns.
    pub async fn decide<T, E: From<DecisionError>>(
        &self,
        keys: &[String],
        decide: impl AsyncFn() -> Result<(Vec<Event>, T), E>,
    ) -> Result<T, E> {
        let names = Keys::new(keys.iter().map(String::as_str));
        let _turn = self.turn(&names).await;
        for attempt in 0..ATTEMPTS {
            let ticket = self.log.consider(&names).await.map_err(DecisionError::from)?;
            self.settle(ticket.settled()).await.map_err(DecisionError::from)?;
            let (events, told) = decide().await?;
            if events.is_empty() {
                return Ok(told);
            }
            let sealed: Result<Vec<Sealed>, _> = events.iter().map(Sealed::new).collect();
            let sealed = sealed.map_err(DecisionError::from)?;
            if let Decided::Appended(reached) = self.log.decide(sealed, &ticket).await.map_err(DecisionError::from)? {
                self.settle(&reached).await.map_err(DecisionError::from)?;
                return Ok(told);
            }
            // Not in step with whoever came first.
            tokio::time::sleep(PAUSE.mul_f64(f64::from(attempt) * rand::random::<f64>())).await;
        }
        Err(DecisionError::Contended.into())
    }

    /// Waits for the decisions of this process about the same keys.
    async fn turn(&self, names: &Keys) -> Vec<OwnedMutexGuard<()>> {
        let slots: BTreeSet<usize> =
            names.iter().map(|key| usize::from(u16::from_be_bytes([key[2], key[3]])) % QUEUES).collect();
        let mut turns = Vec::with_capacity(slots.len());
        for queue in slots.into_iter().filter_map(|slot| self.queues.get(slot)) {
            turns.push(queue.clone().lock_owned().await);
        }
        turns
    }

    /// Makes a token. Its id must be new.
    pub async fn create_token(&self, command: CreateToken, context: Context) -> Result<(), CommandError> {
        let owner = command.owner.as_ref().map(|owner| format!("{}/{}", owner.kind.as_str(), owner.id));
        let keys: Vec<String> = owner.into_iter().chain([token_key(&command.id)]).collect();
        self.decide(&keys, async || {
            if self.stored_token(&command.id).await?.is_some() {
                return Err(DecisionError::Contended.into());
            }
            Ok((command.clone().decide(context.clone())?, ()))
        })
        .await
    }

    /// Makes a successor for a token; both work until the overlap is over.
    pub async fn rotate_token(&self, id: &str, command: RotateToken, context: Context) -> Result<(), CommandError> {
        self.decide(&[token_key(id), token_key(&command.id)], async || {
            let token = self.stored_token(id).await?.ok_or(Refusal::Token(TokenRefusal::Unknown))?;
            Ok::<_, CommandError>((command.clone().decide(&token, context.clone())?, ()))
        })
        .await
    }

    /// Withdraws a token; it stops working before this returns.
    pub async fn revoke_token(&self, id: &str, context: Context) -> Result<(), CommandError> {
        self.decide(&[token_key(id)], async || {
            let token = self.stored_token(id).await?.ok_or(Refusal::Token(TokenRefusal::Unknown))?;
            Ok::<_, CommandError>((token.revoke(context.clone())?, ()))
        })
        .await?;
        self.disbelieved().await;
        Ok(())
    }

    /// A token as it is stored, not as it is believed.
    async fn stored_token(&self, id: &str) -> Result<Option<Token>, DecisionError> {
        Ok(queries::find_token(&self.state.pool, id).await?)
    }

    /// Waits until no node believes any more what it knew of tokens before.
    pub async fn disbelieved(&self) {
        if self.state.shared {
            tokio::time::sleep(BELIEVED).await;
        }
    }

    /// Whether any token with the admin scope works at `now`.
    pub async fn has_admin(&self, now: Timestamp) -> Result<bool, StateError> {
        use chancery_domain::tokens::Scope;
        Ok(self.state.tokens().await?.iter().any(|token| token.authorize(Scope::Admin, now).is_ok()))
    }

    /// Waits until the state contains everything up to `wanted`, as long as it gets nearer: a node of a new version folds
    /// the whole log when it starts for the first time.
    pub async fn catch_up(&self, wanted: &Frontier) -> Result<(), StateError> {
        loop {
            let before = self.state.applied().total();
            match self.settle(wanted).await {
                Err(StateError::Behind) if self.state.applied().total() > before => {
                    tracing::info!(position = self.state.applied().total(), wanted = wanted.total(), "folding the log");
                }
                settled => return settled,
            }
        }
    }

    /// Waits until the state contains everything up to `wanted`; folds it here if no other node does.
    pub async fn settle(&self, wanted: &Frontier) -> Result<(), StateError> {
        if !self.state.shared {
            return self.state.caught_up(wanted).await;
        }
        for _ in 0..ATTEMPTS {
            if let Ok(reached) = tokio::time::timeout(UNHELPED, self.state.caught_up(wanted)).await {
                return reached;
            }
            self.state.help(&self.log, wanted).await?;
        }
        self.state.caught_up(wanted).await
    }
}

fn token_key(id: &str) -> String {
    format!("token/{id}")
}
