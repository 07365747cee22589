//! Decisions: read the state, decide, append on the condition that nothing moved, see the result.

use std::time::Duration;

use chancery_domain::decision::{Context, Refusal};
use chancery_domain::tokens::{CreateToken, TokenRefusal};
use chancery_domain::{Event, Timestamp};
use chancery_evidence::Sealed;
use chancery_log::{Appended, Frontier, Log, LogError, Position};

use crate::tokens::BELIEVED;
use crate::{State, StateError};

/// How often a decision is taken again because its stream moved meanwhile.
const ATTEMPTS: usize = 8;

/// How long a decision waits for a projector elsewhere before it folds itself.
const UNHELPED: Duration = Duration::from_millis(700);

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log could not take it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The stream kept moving.
    #[error("too many others change the same thing; try again")]
    Contended,
    /// The event cannot be sealed.
    #[error("the decision's event is not acceptable")]
    Event(#[from] chancery_evidence::EvidenceError),
}

/// Takes decisions on a log and its state.
#[derive(Debug, Clone)]
pub struct Decisions {
    log: Log,
    state: State,
}

impl Decisions {
    /// Decisions on `log`, judged by `state`, which a [`crate::Projector`] must be folding.
    pub fn new(log: Log, state: State) -> Self {
        Self { log, state }
    }

    /// Makes a token. Its id must be new.
    pub async fn create_token(&self, command: CreateToken, context: Context) -> Result<Position, DecisionError> {
        let events = command.decide(context)?;
        let [event] = events.as_slice() else { return Err(DecisionError::Contended) };
        self.append(event, 0).await?.ok_or(DecisionError::Contended)
    }

    /// Withdraws a token; it stops working before this returns.
    pub async fn revoke_token(&self, id: &str, context: Context) -> Result<Position, DecisionError> {
        for _ in 0..ATTEMPTS {
            self.settle(&self.log.barrier().await?).await?;
            let token = self.state.versioned_token(id).await?.ok_or(Refusal::Token(TokenRefusal::Unknown))?;
            let events = token.token.revoke(context.clone())?;
            let [event] = events.as_slice() else { return Err(DecisionError::Contended) };
            if let Some(position) = self.append(event, token.stream_version).await? {
                if self.state.shared {
                    tokio::time::sleep(BELIEVED).await;
                }
                return Ok(position);
            }
        }
        Err(DecisionError::Contended)
    }

    /// Whether any token with the admin scope works at `now`.
    pub async fn has_admin(&self, now: Timestamp) -> Result<bool, StateError> {
        use chancery_domain::tokens::Scope;
        Ok(self.state.tokens().await?.iter().any(|token| token.authorize(Scope::Admin, now).is_ok()))
    }

    /// Waits until the state contains everything up to `wanted`; folds it here if no other node does.
    async fn settle(&self, wanted: &Frontier) -> Result<(), StateError> {
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

    /// Appends if the stream stands at `version`; `None` when it moved.
    async fn append(&self, event: &Event, version: u64) -> Result<Option<Position>, DecisionError> {
        match self.log.append_expecting(Sealed::new(event)?, version).await? {
            Appended::Created { position, .. } | Appended::Duplicate { position } => {
                let mut wanted = Frontier::start(self.log.partitions());
                wanted.advance(position);
                self.settle(&wanted).await?;
                Ok(Some(position))
            }
            Appended::WrongVersion { .. } | Appended::Conflict { .. } => Ok(None),
        }
    }
}
