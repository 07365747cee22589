//! A day in the making: events are added in any order and leave in the order of time.

use std::collections::VecDeque;

use chancery_domain::{Actor, Event, Resource, Timestamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::people::ORGANIZATION;

/// Microseconds of a minute.
pub(crate) const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;
const SOURCE: &str = "/company/engineering";

/// The events of a day.
#[derive(Debug)]
pub(crate) struct Day {
    midnight: Timestamp,
    number: u32,
    events: Vec<Event>,
}

impl Day {
    pub(crate) fn new(start: Timestamp, number: u32) -> Self {
        Self { midnight: start.saturating_add_micros(i64::from(number) * DAY), number, events: Vec::new() }
    }

    /// Whether people rest today: 1970-01-01 was a Thursday.
    pub(crate) fn is_weekend(&self) -> bool {
        matches!(self.midnight.as_micros().div_euclid(DAY).rem_euclid(7), 2 | 3)
    }

    /// Days since the first one.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Adds an event `at` microseconds after midnight and gives it back to be filled in.
    pub(crate) fn add(
        &mut self,
        at: i64,
        event_type: &str,
        actor: Actor,
        resource: Resource,
        data: Value,
    ) -> &mut Event {
        let time = self.midnight.saturating_add_micros(at.clamp(0, DAY - 1));
        let mut event = Event::new(event_type, "", SOURCE, time, actor, resource);
        event.organization = Some(ORGANIZATION.to_owned());
        event.data = data;
        self.events.push(event);
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    /// The events in the order of time, with ids that grow with it.
    pub(crate) fn finish(mut self, random: &mut ChaCha8Rng) -> VecDeque<Event> {
        self.events.sort_by_key(|event| event.occurred_at);
        for event in &mut self.events {
            event.id = identifier(random, event.occurred_at);
        }
        self.events.into()
    }
}

/// A UUID of version 7 for a moment.
fn identifier(random: &mut ChaCha8Rng, at: Timestamp) -> String {
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random.random()).into_uuid().to_string()
}
