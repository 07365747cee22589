//! The last events of a partition in memory, so that the consumers that follow the log's end do not each read them
//! from where they are kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::Position;

/// What can be kept in memory.
pub(crate) trait Held: Clone {
    fn position(&self) -> Position;
    fn size(&self) -> usize;
}

/// A ring of the newest events, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    limit: usize,
    ring: Mutex<Ring<T>>,
}

#[derive(Debug)]
struct Ring<T> {
    /// Everything after this position, up to the end of the ring, is held.
    before: Position,
    events: VecDeque<T>,
    bytes: usize,
}

impl<T: Held> Recent<T> {
    pub(crate) fn new(limit: usize, before: Position) -> Self {
        Self { limit, ring: Mutex::new(Ring { before, events: VecDeque::new(), bytes: 0 }) }
    }

    /// Adds events that follow those held.
    pub(crate) fn extend(&self, events: impl IntoIterator<Item = T>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            ring.bytes += event.size();
            ring.events.push_back(event);
        }
        while ring.bytes > self.limit {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.size();
            ring.before = oldest.position();
        }
    }

    /// Whether an event at this position would still be held.
    pub(crate) fn begins_before(&self, position: Position) -> bool {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).before < position
    }

    /// Events after `after` up to `until`, if they are all still held, and whether a limit left some out.
    pub(crate) fn read(
        &self,
        after: Position,
        until: Position,
        max_events: usize,
        max_bytes: usize,
    ) -> Option<(Vec<T>, bool)> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if after < ring.before {
            return None;
        }
        let first = ring.events.partition_point(|event| event.position() <= after);
        let mut bytes = 0;
        let mut events = Vec::new();
        for event in ring.events.range(first..).take_while(|event| event.position() <= until) {
            if events.len() == max_events || (bytes > 0 && bytes + event.size() > max_bytes) {
                return Some((events, true));
            }
            bytes += event.size();
            events.push(event.clone());
        }
        Some((events, false))
    }
}
