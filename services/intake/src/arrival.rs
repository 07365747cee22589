//! Events on their way in.

use chancery_domain::cloudevents::CloudEvent;
use chancery_domain::validate::Violation;
use chancery_domain::{Event, OWN_SOURCE, Timestamp};
use chancery_evidence::Sealed;

/// An event as it came, ready for the log or with what is wrong with it.
#[derive(Debug)]
pub struct Arrival {
    /// Its id, if it could be read.
    pub id: Option<String>,
    /// The event, sealed and plain.
    pub sealed: Result<(Sealed, Event), Violation>,
}

impl Arrival {
    /// Reads a CloudEvent in the JSON format. `now` stands in for an absent time.
    pub fn structured(json: &str, now: Timestamp) -> Self {
        match CloudEvent::parse(json) {
            Ok(event) => Self::of(event, now),
            Err(violation) => Self::unreadable(violation),
        }
    }

    /// Checks and seals a CloudEvent.
    pub fn of(cloudevent: CloudEvent, now: Timestamp) -> Self {
        let id = Some(cloudevent.id.clone());
        let timed = cloudevent.time.is_some();
        let sealed = cloudevent.into_event(now).and_then(|event| {
            if event.source == OWN_SOURCE {
                let reason = format!("`{OWN_SOURCE}` is reserved for the server's own events");
                return Err(Violation::new("/source", reason));
            }
            let sealed = if timed { Sealed::new(&event) } else { Sealed::untimed(&event) };
            sealed.map(|sealed| (sealed, event)).map_err(|error| Violation::new("", error.to_string()))
        });
        Self { id, sealed }
    }

    /// Something of which not even the id could be read.
    pub fn unreadable(violation: Violation) -> Self {
        Self { id: None, sealed: Err(violation) }
    }
}
