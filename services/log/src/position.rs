//! Where an event stands, and how far along the log something is.

use std::fmt;
use std::str::FromStr;

/// Place of an event in the log: its partition and its place in it, in one number that JSON can carry exactly.
///
/// The place counts from 1; 0 stands before everything in its partition. A log of one partition, the embedded one, so
/// has the positions 1, 2, 3 … In Kafka the place is the offset plus one.
pub type Position = u64;

const PLACE_BITS: u32 = 43;
const PLACE: u64 = (1 << PLACE_BITS) - 1;

/// Most partitions of a log: ten bits of a position.
pub const MAX_PARTITIONS: u16 = 1 << 10;

/// The position of a place in a partition.
pub const fn position(partition: u16, place: u64) -> Position {
    ((partition as u64) << PLACE_BITS) | (place & PLACE)
}

/// The partition of a position.
#[expect(clippy::cast_possible_truncation, reason = "ten bits are left")]
pub const fn partition(position: Position) -> u16 {
    (position >> PLACE_BITS) as u16
}

/// The place of a position in its partition, from 1.
pub const fn place(position: Position) -> u64 {
    position & PLACE
}

/// How far along every partition something is: it has seen each partition up to a position, and nothing beyond.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frontier(Vec<u64>);

impl Frontier {
    /// Before everything.
    pub fn start(partitions: u16) -> Self {
        Self(vec![0; usize::from(partitions)])
    }

    /// In a log of one partition: everything up to `position`.
    pub fn single(position: Position) -> Self {
        Self(vec![place(position)])
    }

    /// Number of partitions.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most MAX_PARTITIONS")]
    pub fn partitions(&self) -> u16 {
        self.0.len() as u16
    }

    /// The last position seen of a partition.
    pub fn of(&self, partition: u16) -> Position {
        position(partition, self.0.get(usize::from(partition)).copied().unwrap_or(0))
    }

    /// The last position seen of every partition.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        (0..self.partitions()).map(|partition| self.of(partition))
    }

    /// Moves forward to `reached` in its partition; never back.
    pub fn advance(&mut self, reached: Position) {
        if let Some(seen) = self.0.get_mut(usize::from(partition(reached))) {
            *seen = place(reached).max(*seen);
        }
    }

    /// Whether an event is within.
    pub fn includes(&self, event: Position) -> bool {
        self.of(partition(event)) >= event
    }

    /// Whether it is at least as far as `other` everywhere.
    pub fn reaches(&self, other: &Self) -> bool {
        other.positions().all(|position| place(position) == 0 || self.includes(position))
    }

    /// The sum of places: in a log of one partition, the number of events.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many places `self` is ahead of `other`.
    pub fn ahead_of(&self, other: &Self) -> u64 {
        self.positions().map(|ahead| place(ahead).saturating_sub(place(other.of(partition(ahead))))).sum()
    }
}

/// Places joined by dots.
impl fmt::Display for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.0.iter().enumerate() {
            write!(f, "{}{place}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// Why a text is no [`Frontier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a list of whole numbers joined by dots")]
pub struct FrontierError;

impl FromStr for Frontier {
    type Err = FrontierError;

    fn from_str(text: &str) -> Result<Self, FrontierError> {
        let places: Vec<u64> =
            text.split('.').map(|place| place.parse().map_err(|_| FrontierError)).collect::<Result<_, _>>()?;
        if places.len() > usize::from(MAX_PARTITIONS) || places.iter().any(|place| *place > PLACE) {
            return Err(FrontierError);
        }
        Ok(Self(places))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_is_its_partition_and_place_and_json_can_carry_it(p in 0..MAX_PARTITIONS, n in 0..=PLACE) {
            let packed = position(p, n);
            prop_assert_eq!((partition(packed), place(packed)), (p, n));
            prop_assert!(packed < 1 << 53);
        }

        #[test]
        fn a_frontier_is_read_as_it_is_written(places in prop::collection::vec(0..=PLACE, 1..20)) {
            let frontier = Frontier(places);
            prop_assert_eq!(frontier.to_string().parse::<Frontier>(), Ok(frontier));
        }
    }

    #[test]
    fn a_frontier_moves_forward_in_each_partition_alone() {
        let mut frontier = Frontier::start(3);
        assert!(frontier.reaches(&Frontier::start(3)));
        frontier.advance(position(1, 7));
        frontier.advance(position(1, 5));
        assert!(frontier.includes(position(1, 7)) && !frontier.includes(position(1, 8)));
        assert!(!frontier.includes(position(2, 1)));
        assert_eq!((frontier.total(), frontier.of(1)), (7, position(1, 7)));
        assert_eq!(frontier.ahead_of(&Frontier::start(3)), 7);
        assert!(!Frontier::start(3).reaches(&frontier));
    }
}
