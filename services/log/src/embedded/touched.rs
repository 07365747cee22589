//! Where in the log the keys of decisions were touched last.

use std::sync::atomic::{AtomicU64, Ordering};

use chancery_evidence::Identity;

use crate::Position;

/// Keys share slots, so that memory is bounded: of two that share one, a decision may be taken again for nothing.
const SLOTS: usize = 1 << 16;

/// The last position at which a decision touched each slot.
#[derive(Debug)]
pub(crate) struct Touched(Vec<AtomicU64>);

impl Touched {
    /// What was touched up to `position` is not known any more: as if all had been, there.
    pub(crate) fn new(position: Position) -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(position)).collect())
    }

    pub(crate) fn slot(key: &Identity) -> usize {
        usize::from(u16::from_be_bytes([key[0], key[1]]))
    }

    pub(crate) fn last(&self, slot: usize) -> Position {
        self.0.get(slot).map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    pub(crate) fn touch(&self, slots: impl IntoIterator<Item = (usize, Position)>) {
        for (slot, position) in slots {
            if let Some(slot) = self.0.get(slot) {
                slot.store(position, Ordering::Release);
            }
        }
    }

    pub(crate) fn touch_all(&self, position: Position) {
        self.touch((0..SLOTS).map(|slot| (slot, position)));
    }
}
