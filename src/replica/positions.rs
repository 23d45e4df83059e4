//! A set of positions: per ring, intervals of numbers.
//!
//! What a replica holds, what a node wants, what was written: all of them grow with the number of rings and
//! holes, not with the number of messages.

use std::collections::BTreeMap;

use super::Intervals;
use crate::words::{Position, RingId, Seq};

/// A set of positions.
///
/// Invariant: no ring without a number is kept, so that equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionSet {
    rings: BTreeMap<RingId, Intervals>,
}

impl PositionSet {
    /// The empty set.
    pub fn new() -> PositionSet {
        PositionSet::default()
    }

    /// Adds a position. Returns whether it was new.
    pub fn insert(&mut self, position: Position) -> bool {
        self.rings
            .entry(position.ring)
            .or_default()
            .insert(position.seq.0)
    }

    /// Adds the numbers from `first` to `last`, inclusive, of a ring; none if `first` is above `last`.
    pub fn insert_range(&mut self, ring: RingId, first: Seq, last: Seq) {
        if first <= last {
            self.rings.entry(ring).or_default().insert_range(first.0, last.0);
        }
    }

    /// Takes a position out. Returns whether it was there.
    pub fn remove(&mut self, position: Position) -> bool {
        let Some(numbers) = self.rings.get_mut(&position.ring) else {
            return false;
        };
        let held = numbers.remove(position.seq.0);
        if numbers.is_empty() {
            self.rings.remove(&position.ring);
        }
        held
    }

    /// Whether the position is in the set.
    pub fn contains(&self, position: Position) -> bool {
        self.rings
            .get(&position.ring)
            .is_some_and(|numbers| numbers.contains(position.seq.0))
    }

    /// How many positions the set has.
    pub fn len(&self) -> u64 {
        self.rings
            .values()
            .fold(0, |sum, numbers| sum.saturating_add(numbers.len()))
    }

    /// Whether no position is in the set.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    /// The numbers of one ring.
    pub fn get(&self, ring: &RingId) -> Option<&Intervals> {
        self.rings.get(ring)
    }

    /// The ranges in canonical order, each as ring, first and last number, inclusive.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (RingId, Seq, Seq)> + '_ {
        self.rings.iter().flat_map(|(&ring, numbers)| {
            numbers
                .ranges()
                .map(move |(first, last)| (ring, Seq(first), Seq(last)))
        })
    }

    /// The ranges of the rings from `first` to `last`, both included, in canonical order.
    pub fn ranges_between(
        &self,
        first: RingId,
        last: RingId,
    ) -> impl Iterator<Item = (RingId, Seq, Seq)> + '_ {
        // A range from a peer may end before it begins, where the map would panic.
        let rings = self.rings.range(first..=last.max(first));
        rings.flat_map(|(ring, seqs)| seqs.ranges().map(|(from, to)| (*ring, Seq(from), Seq(to))))
    }

    /// Takes a whole ring out.
    pub fn remove_ring(&mut self, ring: &RingId) {
        self.rings.remove(ring);
    }

    /// How many ranges the set is made of: what it costs.
    pub fn range_count(&self) -> usize {
        self.rings.values().map(Intervals::range_count).sum()
    }

    /// The lowest position.
    pub fn first(&self) -> Option<Position> {
        let (&ring, numbers) = self.rings.first_key_value()?;
        numbers.first().map(|seq| Position { ring, seq: Seq(seq) })
    }

    /// The highest position.
    pub fn last(&self) -> Option<Position> {
        let (&ring, numbers) = self.rings.last_key_value()?;
        numbers.last().map(|seq| Position { ring, seq: Seq(seq) })
    }

    /// The positions one by one, in canonical order. Lazy: a set from a peer may claim any number of them.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.ranges().flat_map(|(ring, first, last)| {
            (first.0..=last.0).map(move |seq| Position { ring, seq: Seq(seq) })
        })
    }

    /// Adds all positions of another set.
    pub fn union_with(&mut self, other: &PositionSet) {
        for (&ring, numbers) in &other.rings {
            self.rings.entry(ring).or_default().union_with(numbers);
        }
    }

    /// The positions of this set that the other lacks.
    pub fn difference(&self, other: &PositionSet) -> PositionSet {
        let mut rings = BTreeMap::new();
        for (&ring, numbers) in &self.rings {
            let rest = match other.get(&ring) {
                Some(theirs) => numbers.difference(theirs),
                None => numbers.clone(),
            };
            if !rest.is_empty() {
                rings.insert(ring, rest);
            }
        }
        PositionSet { rings }
    }

    /// The lowest positions of the set, at most `count` of them.
    pub fn take_first(&self, count: u64) -> PositionSet {
        let (mut taken, mut left) = (PositionSet::new(), count);
        for (ring, first, last) in self.ranges() {
            if left == 0 {
                break;
            }
            let last = last.0.min(first.0.saturating_add(left - 1));
            taken.insert_range(ring, first, Seq(last));
            left -= (last - first.0).saturating_add(1);
        }
        taken
    }
}

impl FromIterator<Position> for PositionSet {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> PositionSet {
        let mut set = PositionSet::new();
        for position in positions {
            set.insert(position);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples::{at, ring};

    fn set(ranges: &[(u64, u64, u64)]) -> PositionSet {
        let mut set = PositionSet::new();
        for &(epoch, first, last) in ranges {
            set.insert_range(ring(epoch), Seq(first), Seq(last));
        }
        set
    }

    #[test]
    fn positions_come_back_in_canonical_order() {
        let set: PositionSet = [at(2, 4), at(1, 9), at(2, 5), at(1, 7)].into_iter().collect();
        let all: Vec<Position> = set.positions().collect();
        assert_eq!(all, [at(1, 7), at(1, 9), at(2, 4), at(2, 5)]);
        assert_eq!((set.first(), set.last()), (Some(at(1, 7)), Some(at(2, 5))));
        assert_eq!((set.len(), set.range_count()), (4, 3));
    }

    #[test]
    fn an_emptied_ring_leaves_no_trace() {
        let mut emptied = set(&[(1, 3, 3)]);
        assert!(emptied.remove(at(1, 3)));
        assert!(!emptied.remove(at(1, 3)));
        emptied.insert_range(ring(2), Seq(5), Seq(4));
        assert_eq!(emptied, PositionSet::new());
        assert_eq!(emptied.last(), None);
    }

    #[test]
    fn the_difference_of_equal_sets_is_the_empty_set() {
        let mine = set(&[(1, 1, 10), (2, 11, 20), (3, 21, 21)]);
        assert_eq!(mine.difference(&mine), PositionSet::new());
        let theirs = set(&[(1, 1, 4), (2, 11, 30)]);
        assert_eq!(mine.difference(&theirs), set(&[(1, 5, 10), (3, 21, 21)]));
        let mut union = theirs.clone();
        union.union_with(&mine);
        assert_eq!(union, set(&[(1, 1, 10), (2, 11, 30), (3, 21, 21)]));
    }

    #[test]
    fn the_first_positions_are_taken_across_rings() {
        let all = set(&[(1, 1, 3), (1, 5, 5), (2, 6, u64::MAX)]);
        assert_eq!(all.take_first(0), PositionSet::new());
        assert_eq!(all.take_first(2), set(&[(1, 1, 2)]));
        assert_eq!(all.take_first(6), set(&[(1, 1, 3), (1, 5, 5), (2, 6, 7)]));
        assert_eq!(set(&[(1, 1, 3), (2, 4, 4)]).take_first(u64::MAX).len(), 4);
    }

    #[test]
    fn what_is_in_the_set_is_found_ring_by_ring() {
        let mut some = set(&[(1, 3, 5), (2, 6, 9), (4, 1, 1)]);
        assert!(some.contains(at(1, 5)) && !some.contains(at(1, 6)) && !some.contains(at(3, 3)));
        assert!(!some.insert(at(2, 9)) && some.insert(at(2, 10)) && !some.is_empty());
        assert_eq!(some.get(&ring(2)).map(Intervals::len), Some(5));
        assert_eq!(some.get(&ring(3)), None);
        let between = |first, last| {
            let ranges = some.ranges_between(ring(first), ring(last));
            ranges
                .map(|(ring, from, to)| (ring.epoch.0, from.0, to.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(between(1, 2), [(1, 3, 5), (2, 6, 10)]);
        assert_eq!(between(2, 4), [(2, 6, 10), (4, 1, 1)]);
        assert_eq!(between(3, 3), []);
        some.remove_ring(&ring(2));
        assert_eq!(some, set(&[(1, 3, 5), (4, 1, 1)]));
        some.remove_ring(&ring(1));
        some.remove_ring(&ring(4));
        assert!(some.is_empty());
    }

    #[test]
    fn a_ring_that_is_left_with_numbers_stays() {
        let mut some = set(&[(1, 3, 4)]);
        assert!(some.remove(at(1, 3)));
        assert_eq!(some, set(&[(1, 4, 4)]));
        assert!(!some.remove(at(2, 4)));
    }
}
