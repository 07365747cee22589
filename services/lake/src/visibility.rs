//! Who sees which events.

use std::collections::BTreeSet;

/// Which events a reader sees. Every reading method asks for it, and there is no default: whoever reads has to say for
/// whom.
///
/// An answer to a reader of some organizations is the answer a lake would give that held nothing but their events: no
/// count, order, error or unfinished session tells of another event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Every event.
    All,
    /// The events of these organizations, by their names as they are, byte by byte. Events without an organization are
    /// not among them.
    Organizations(BTreeSet<String>),
}

impl Visibility {
    /// Whether an event of this organization, or of none, is visible.
    pub fn includes(&self, organization: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Organizations(visible) => organization.is_some_and(|name| visible.contains(name)),
        }
    }

    /// The organization, if exactly one is visible.
    pub fn only_organization(&self) -> Option<&str> {
        match self {
            Self::Organizations(visible) if visible.len() == 1 => visible.first().map(String::as_str),
            _ => None,
        }
    }
}
