//! CloudEvents documents, one per event.

use chancery_domain::Timestamp;
use chancery_domain::cloudevents::CloudEvent;

use crate::{Format, Parsed, shape};

/// Reads one CloudEvent. A time is required: the moment of an import is not when something happened.
pub(crate) fn event(text: &str) -> Result<Parsed, String> {
    let cloudevent = CloudEvent::parse(text).map_err(|violation| violation.reason)?;
    if cloudevent.time.is_none() {
        return Err("has no `time`".to_owned());
    }
    let mut event = cloudevent.into_event(Timestamp::EPOCH).map_err(|violation| violation.to_string())?;
    event.recorded_at = Timestamp::EPOCH;
    shape::finish(event, Format::CloudEvents, text.len(), |_, _| false).map(|event| Parsed::Imported(vec![event]))
}
