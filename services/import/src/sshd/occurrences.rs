//! Tells identical lines apart: the first, the second, …

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::header::Header;

/// Lines remembered. Identical lines carry the same time, so they stand close together.
const MAX_LINES: usize = 8192;

/// Counts identical lines among the latest.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    counts: HashMap<u64, (u32, u64)>,
    order: VecDeque<(u64, u64)>,
    clock: u64,
}

impl Occurrences {
    /// How many identical lines came before.
    pub(super) fn count(&mut self, header: &Header) -> u32 {
        let mut hasher = DefaultHasher::new();
        (header.time.as_micros(), &header.host, header.pid, &header.cursor, &header.message).hash(&mut hasher);
        let line = hasher.finish();
        self.clock += 1;
        let seen = self.counts.get(&line).map_or(0, |(count, _)| count + 1);
        self.counts.insert(line, (seen, self.clock));
        self.order.push_back((line, self.clock));
        if self.order.len() > MAX_LINES
            && let Some((oldest, at)) = self.order.pop_front()
            && self.counts.get(&oldest).is_some_and(|(_, last)| *last == at)
        {
            self.counts.remove(&oldest);
        }
        seen
    }
}
