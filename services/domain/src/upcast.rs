//! Brings payloads of older versions up to the current one, on read only. Stored bytes never change.

use std::borrow::Cow;

use serde_json::Value;

/// The payload in the current version of `event_type`.
///
/// Payloads of the current version, of newer versions and of unknown types pass through untouched.
pub fn current<'a>(event_type: &str, version: u16, data: &'a Value) -> Cow<'a, Value> {
    match (event_type, version) {
        ("session.closed", 1) => Cow::Owned(session_closed_v1(data.clone())),
        _ => Cow::Borrowed(data),
    }
}

/// Version 1 counted whole seconds in `duration_s`; version 2 counts milliseconds in `duration_ms`.
fn session_closed_v1(mut data: Value) -> Value {
    if let Some(members) = data.as_object_mut()
        && let Some(seconds) = members.remove("duration_s").and_then(|v| v.as_u64())
    {
        members.insert("duration_ms".to_owned(), seconds.saturating_mul(1000).into());
    }
    data
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{self, Payload};
    use crate::event::Event;
    use crate::events::sessions::SessionEvent;

    #[test]
    fn a_stored_session_closed_of_version_1_reads_as_version_2() {
        let stored = include_str!("../../../schemas/fixtures/session.closed.v1.json");
        let event: Event = serde_json::from_str(stored).unwrap();
        assert_eq!(event.schema, 1);
        let Payload::Session(SessionEvent::SessionClosed(closed)) = catalogue::decode(&event).unwrap() else {
            panic!("not a session.closed");
        };
        assert_eq!(closed.duration_ms, Some(5_025_000));
        assert_eq!(event.data["duration_s"], 5025, "stored payload stays as it was");
    }
}
