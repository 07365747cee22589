//! What every decision has in common: what it may know of the world, how it draws up events, why it refuses.

use serde::Serialize;
use uuid::Uuid;

use crate::event::{Actor, Event, PolicyReference, Resource};
use crate::time::Timestamp;
use crate::tokens::TokenRefusal;

/// Longest name of a thing, in characters.
pub const MAX_NAME: usize = 100;

/// What a decision may know of the world.
#[derive(Debug, Clone)]
pub struct Context {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Ids for the events.
    pub ids: EventIds,
    /// Chancery's own source name.
    pub source: String,
    /// Who asks.
    pub actor: Actor,
    /// Request id.
    pub correlation: Option<String>,
    /// The policies that let them.
    pub policies: Vec<PolicyReference>,
}

/// The ids of a decision's events: the first was drawn by the caller, each next one counts it up by one (RFC 9562,
/// 6.2, method 2). A copy draws the same ids again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventIds(Uuid);

impl EventIds {
    /// Ids from `first` on, a fresh `UUIDv7`.
    pub const fn starting_with(first: Uuid) -> Self {
        Self(first)
    }

    /// The next id.
    pub fn draw(&mut self) -> String {
        /// The bits below the variant, which are random in a `UUIDv7`.
        const RANDOM: u128 = (1 << 62) - 1;
        let (drawn, bits) = (self.0, self.0.as_u128());
        self.0 = Uuid::from_u128((bits & !RANDOM) | (bits.wrapping_add(1) & RANDOM));
        drawn.to_string()
    }
}

/// Why a command has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What it is about does not exist, or exists no longer.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A value cannot be accepted.
    #[error("`{field}` {reason}")]
    Invalid {
        /// Name of the field or attribute.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else has a name that must be unique.
    #[error("the {field} `{value}` is taken")]
    Taken {
        /// Name of the field or attribute.
        field: &'static str,
        /// The contested value.
        value: String,
        /// Id of what has it.
        by: String,
        /// Connection that provisions what has it.
        connection: Option<String>,
    },
    /// Another connection, or none, provisions it.
    #[error("the {0} is not provisioned by this connection")]
    Foreign(&'static str),
    /// It is doing something that does not allow this.
    #[error("the {what} is {status}")]
    InState {
        /// What it is about.
        what: &'static str,
        /// What it is doing.
        status: &'static str,
    },
    /// What is there does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// It is not in the version any more that the change was made for.
    #[error("the {what} has changed: it is in version {version} now")]
    Stale {
        /// What was to be changed.
        what: &'static str,
        /// The version it is in.
        version: u64,
    },
    /// Who asks may not, whatever their permissions.
    #[error("{0}")]
    Forbidden(String),
    /// What it is about is not of the kind, or in the condition, that allows it.
    #[error("{0}")]
    Contradicts(&'static str),
    /// About a token.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
}

impl Refusal {
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    pub(crate) fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict(reason.into())
    }
}

/// The events of a decision as it is taken.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) context: Context,
    pub(crate) events: Vec<Event>,
}

impl Draft {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, events: Vec::new() }
    }

    /// An event that is not yet part of the decision.
    pub(crate) fn event(&mut self, event_type: &str, resource: Resource, data: &impl Serialize) -> Event {
        let context = &mut self.context;
        let (id, source, actor) = (context.ids.draw(), context.source.clone(), context.actor.clone());
        let mut event = Event::new(event_type, id, source, context.now, actor, resource);
        event.correlation.clone_from(&context.correlation);
        event.policies.clone_from(&context.policies);
        event.data = serde_json::json!(data);
        event
    }

    /// Adds an event; its id, to name as the cause of others.
    pub(crate) fn push(&mut self, event: Event) -> String {
        let id = event.id.clone();
        self.events.push(event);
        id
    }

    /// Adds an event that `cause` entails.
    pub(crate) fn entail(&mut self, cause: &str, event: Event) -> String {
        self.push(Event { causation: Some(cause.to_owned()), ..event })
    }
}

/// A name for people: some text, bounded, without control characters.
pub(crate) fn name(field: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > limit {
        return Err(Refusal::invalid(field, format!("must have 1 to {limit} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::invalid(field, "must not contain control characters"));
    }
    Ok(())
}

/// Text for people, bounded, perhaps of several lines.
pub(crate) fn prose(field: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.chars().count() > limit {
        return Err(Refusal::invalid(field, format!("must have at most {limit} characters")));
    }
    if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t')) {
        return Err(Refusal::invalid(field, "must not contain control characters"));
    }
    Ok(())
}

/// A name for machines: lower-case letters, digits and `-`, with a letter first.
pub(crate) fn slug(field: &'static str, text: &str) -> Result<(), Refusal> {
    name(field, text, MAX_NAME)?;
    let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if rest && text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(Refusal::invalid(field, "may contain a-z, 0-9 and `-` only, and starts with a letter"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A context at microsecond `now`, whose events have the ids 1, 2, …
    pub(crate) fn context(now: i64) -> Context {
        Context {
            now: Timestamp::from_micros(now).unwrap(),
            ids: EventIds::starting_with(Uuid::from_u128(1)),
            source: crate::OWN_SOURCE.into(),
            actor: Actor { id: "idp".into(), ..Actor::default() },
            correlation: Some("request".into()),
            policies: Vec::new(),
        }
    }

    /// The events as `type resource-id`, and after `<-` the type of the event that caused it.
    pub(crate) fn told(events: &[Event]) -> Vec<String> {
        for event in events {
            crate::validate::check(event).unwrap();
            assert_eq!(event.correlation.as_deref(), Some("request"));
        }
        let kind = |id: &String| &events.iter().find(|event| event.id == *id).unwrap().event_type;
        let cause = |event: &Event| event.causation.as_ref().map(|id| format!(" <- {}", kind(id))).unwrap_or_default();
        events.iter().map(|event| format!("{} {}{}", event.event_type, event.resource.id, cause(event))).collect()
    }

    #[test]
    fn ids_count_up_and_stay_of_their_kind() {
        let last = "0197a0c2-6f00-7abc-bfff-ffffffffffff".parse().unwrap();
        let mut ids = EventIds::starting_with(last);
        let mut again = ids;
        assert_eq!(ids.draw(), last.to_string());
        assert_eq!(ids.draw(), "0197a0c2-6f00-7abc-8000-000000000000");
        assert_eq!(again.draw(), last.to_string());
    }

    #[test]
    fn names_are_bounded_and_printable() {
        assert_eq!(name("name", "Ada", 3), Ok(()));
        for bad in ["", " ", "Adas", "a\n"] {
            assert!(name("name", bad, 3).is_err(), "{bad:?}");
        }
        assert_eq!(slug("name", "team-1"), Ok(()));
        for bad in ["Team", "1a", "-a", "a b", ""] {
            assert!(slug("name", bad).is_err(), "{bad:?}");
        }
    }
}
