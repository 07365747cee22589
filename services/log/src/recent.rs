//! The last events in memory, so that the consumers that follow the log's end do not each read them from disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::handle::{Position, Recorded};

/// A ring of the newest events, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Recent {
    limit: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// Position before the first event held.
    before: Position,
    events: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Recent {
    pub(crate) fn new(limit: usize, head: Position) -> Self {
        Self { limit, ring: Mutex::new(Ring { before: head, events: VecDeque::new(), bytes: 0 }) }
    }

    /// Adds events that follow those held.
    pub(crate) fn extend(&self, events: impl Iterator<Item = Arc<str>>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            ring.bytes += event.len();
            ring.events.push_back(event);
        }
        while ring.bytes > self.limit {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.len();
            ring.before += 1;
        }
    }

    /// Events after `after`, if they are all still held.
    pub(crate) fn read(&self, after: Position, max_events: usize, max_bytes: usize) -> Option<Vec<Recorded>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = usize::try_from(after.checked_sub(ring.before)?).ok()?;
        let mut bytes = 0;
        let mut events = Vec::new();
        for (position, event) in (after + 1..).zip(ring.events.range(skipped.min(ring.events.len())..)) {
            if events.len() == max_events || (bytes > 0 && bytes + event.len() > max_bytes) {
                break;
            }
            bytes += event.len();
            events.push(Recorded { position, bytes: event.clone() });
        }
        Some(events)
    }
}
