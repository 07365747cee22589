//! Appending what was decided: all of a decision's events or none, on the condition that nothing it depends on was
//! touched by another decision meanwhile.

use chancery_evidence::{Identity, stream_identity};

use crate::Frontier;

/// What a decision depends on, named by texts such as `user/<id>` or `user-name/<name>`. Decisions that share a key take
/// effect one after the other; no other wait for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<Identity>);

impl Keys {
    /// The keys of these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut keys: Vec<Identity> = names.into_iter().map(stream_identity).collect();
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    /// Digests of the names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.0.iter()
    }
}

/// When the keys of a decision were touched last, before it was thought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    seen: Vec<(Identity, u64)>,
    settled: Frontier,
}

impl Ticket {
    pub(crate) fn new(seen: Vec<(Identity, u64)>, settled: Frontier) -> Self {
        Self { seen, settled }
    }

    /// How far the log must be known to decide: every decision that touched the keys stands before it.
    pub fn settled(&self) -> &Frontier {
        &self.settled
    }

    pub(crate) fn seen(&self) -> impl Iterator<Item = (&Identity, u64)> {
        self.seen.iter().map(|(key, seen)| (key, *seen))
    }
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Its events are in the log, up to here.
    Appended(Frontier),
    /// A key was touched by another decision, or an event of this one is there already: nothing was appended.
    Moved,
}
