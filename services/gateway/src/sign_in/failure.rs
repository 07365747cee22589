//! Sign-ins that did not succeed: what whoever tried is told, and what is put on record.

use chancery_domain::decision::Refusal;
use chancery_domain::events::identity::LoginFailed;
use chancery_domain::{Actor, ActorKind, Outcome, Resource};
use chancery_evidence::Sealed;
use chancery_oidc::{Identity, OidcError};
use chancery_state::{DecisionError, StateError};
use serde_json::json;

use super::account::Person;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Why somebody does not get in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denial {
    /// The provider, or what it said.
    #[error(transparent)]
    Provider(#[from] OidcError),
    /// The provider knows them, and nobody here does.
    #[error("no account here belongs to this one")]
    Unknown,
    /// Which account it is cannot be said.
    #[error("several accounts here have the same {0}")]
    Ambiguous(&'static str),
    /// They have no access.
    #[error("the account is suspended")]
    Suspended(Box<Person>),
    /// The account cannot be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The code was exchanged before, or by somebody else.
    #[error("the code {0}")]
    Code(&'static str),
    /// It could not be decided.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Denial {
    /// Whether it was a rule that stopped them.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown
            | Self::Ambiguous(_)
            | Self::Suspended(_)
            | Self::Refused(_)
            | Self::Provider(OidcError::NotAllowed(_)) => Outcome::Denied,
            _ => Outcome::Failure,
        }
    }
}

impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Decision(error) => error.into(),
            Denial::State(error) => error.into(),
            Denial::Provider(error) => {
                let told = error.client_message().to_owned();
                match error {
                    OidcError::Callback(_) | OidcError::Late => Self::bad_request(told),
                    OidcError::Configuration(_) | OidcError::Malformed { .. } | OidcError::Unreachable { .. } => {
                        Self::Unavailable(told)
                    }
                    _ => Self::Forbidden(told),
                }
            }
            Denial::Code(_) => Self::bad_request("the code is not valid".to_owned()),
            denial => Self::Forbidden(format!("you cannot sign in: {denial}")),
        }
    }
}

/// Somebody tried to sign in.
pub(super) struct Attempt<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) caller: &'a Caller,
    /// Name of the provider.
    pub(super) provider: &'a str,
}

impl Attempt<'_> {
    /// Puts a failure on record, and says what is to be answered. A flood is counted but does not fill the log.
    pub(super) async fn failed(&self, identity: Option<&Identity>, denial: Denial) -> ApiError {
        tracing::info!(provider = self.provider, reason = %denial, "a sign-in failed");
        metrics::counter!("chancery_sign_ins_failed_total").increment(1);
        let ours = matches!(denial, Denial::Decision(_) | Denial::State(_));
        if !ours && self.gateway.refusals.admit() {
            self.record(identity, &denial).await;
        }
        denial.into()
    }

    async fn record(&self, identity: Option<&Identity>, denial: &Denial) {
        let (actor, resource, organization) = match denial {
            Denial::Suspended(person) => {
                (person.actor(&self.caller.actor), person.resource(), person.organization.clone())
            }
            _ => (self.stranger(identity), unknown(identity), None),
        };
        let caller = Caller { actor, ..self.caller.clone() };
        let mut event = self.gateway.event("user.login.failed", &caller, resource);
        event.organization = organization;
        event.outcome = denial.outcome();
        event.reason = Some(plain(&denial.to_string()));
        let unknown_user = matches!(denial, Denial::Unknown);
        event.data = json!(LoginFailed { method: super::session::METHOD.to_owned(), target: None, unknown_user });
        event.data["provider"] = self.provider.into();
        let appended = match Sealed::new(&event) {
            Ok(sealed) => self.gateway.log.append(vec![sealed]).await.map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = appended {
            tracing::warn!(error, "a failed sign-in could not be put on record");
        }
    }

    /// Somebody who is no user, as their provider calls them.
    fn stranger(&self, identity: Option<&Identity>) -> Actor {
        let text = |text: &Option<String>| text.as_deref().map(plain);
        Actor {
            id: identity.map(|identity| plain(&identity.subject)).unwrap_or_default(),
            kind: ActorKind::User,
            name: identity.and_then(|identity| text(&identity.username)),
            email: identity.and_then(|identity| text(&identity.email)),
            ..self.caller.actor.clone()
        }
    }
}

fn unknown(identity: Option<&Identity>) -> Resource {
    let resource = Resource::new("user", "unknown");
    match identity.and_then(|identity| identity.username.as_deref()) {
        Some(name) => resource.named(plain(name)),
        None => resource,
    }
}

/// A text of somebody else, short and on one line.
pub(super) fn plain(text: &str) -> String {
    const LONGEST: usize = 256;
    text.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}
