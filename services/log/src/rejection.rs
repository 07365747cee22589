//! The event on record when other content comes under a taken `(source, id)`.

use chancery_domain::Event;
use chancery_domain::events::audit::EventRejected;
use sha2::{Digest, Sha256};

use crate::Position;

/// Someone sent other content under a taken id: that is worth an event of its own. `record` is an
/// `audit.event.rejected` without its particulars; `position` is where the other event stands.
pub fn rejection(mut record: Event, refused: &Event, position: Position) -> Event {
    let bytes = serde_json::to_vec(refused).unwrap_or_default();
    record.reason = Some("another event has this source and id".to_owned());
    record.data = serde_json::json!(EventRejected {
        event_id: refused.id.clone(),
        event_source: refused.source.clone(),
        event_type: refused.event_type.clone(),
        position,
        refused_sha256: format!("{:x}", Sha256::digest(bytes)),
    });
    record
}
