//! A set of numbers as sorted, disjoint ranges: small as long as the numbers are mostly contiguous.
//!
//! Sequence numbers and message counters come in long runs with few holes, so a replica of a million messages
//! is a handful of ranges. All work here is proportional to ranges touched, never to the numbers in them, so
//! that a peer which claims the range from 1 to 2⁶⁴ costs nothing.

use std::collections::BTreeMap;

/// A set of numbers.
///
/// Invariant: ranges are not empty, do not overlap and do not touch, so that equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// First number of a range → its last number, inclusive.
    ranges: BTreeMap<u64, u64>,
}

impl Intervals {
    /// The empty set.
    pub fn new() -> Intervals {
        Intervals::default()
    }

    /// Adds a number. Returns whether it was new.
    pub fn insert(&mut self, value: u64) -> bool {
        // Numbers mostly come one after the other: then the last range grows in place.
        if let Some(mut last) = self.ranges.last_entry()
            && last.get().checked_add(1) == Some(value)
        {
            *last.get_mut() = value;
            return true;
        }
        let new = !self.contains(value);
        if new {
            self.insert_range(value, value);
        }
        new
    }

    /// Adds all numbers from `first` to `last`, inclusive; none if `first` is above `last`.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        while let Some((start, end)) = self.range_at_or_before(last.saturating_add(1)) {
            if end.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Takes a number out. Returns whether it was there.
    pub fn remove(&mut self, value: u64) -> bool {
        let held = self.contains(value);
        if held {
            self.remove_range(value, value);
        }
        held
    }

    /// Takes all numbers from `first` to `last`, inclusive, out.
    pub fn remove_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        while let Some((start, end)) = self.range_at_or_before(last) {
            if end < first {
                break;
            }
            self.ranges.remove(&start);
            if end > last {
                self.ranges.insert(last + 1, end);
            }
            if start < first {
                self.ranges.insert(start, first - 1);
            }
        }
    }

    /// Whether the number is in the set.
    pub fn contains(&self, value: u64) -> bool {
        self.range_at_or_before(value)
            .is_some_and(|(_, end)| value <= end)
    }

    /// How many numbers the set has; 2⁶⁴ − 1 if it has them all.
    pub fn len(&self) -> u64 {
        let size = |(start, end): (u64, u64)| (end - start).saturating_add(1);
        self.ranges()
            .fold(0, |sum, range| sum.saturating_add(size(range)))
    }

    /// Whether no number is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges the set is made of: what it costs.
    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.ranges.first_key_value().map(|(&start, _)| start)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(_, &end)| end)
    }

    /// The ranges in order, each as first and last number, inclusive.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(&start, &end)| (start, end))
    }

    /// Adds all numbers of another set.
    pub fn union_with(&mut self, other: &Intervals) {
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        for (first, last) in other.ranges() {
            self.insert_range(first, last);
        }
    }

    /// The numbers of this set that the other lacks.
    pub fn difference(&self, other: &Intervals) -> Intervals {
        let mut rest = self.clone();
        let (Some(first), Some(last)) = (self.first(), self.last()) else {
            return rest;
        };
        for (start, end) in other.overlapping(first, last) {
            rest.remove_range(start, end);
        }
        rest
    }

    /// The numbers that both sets have.
    pub fn intersection(&self, other: &Intervals) -> Intervals {
        let (few, many) = if self.range_count() <= other.range_count() {
            (self, other)
        } else {
            (other, self)
        };
        let mut both = Intervals::new();
        for (first, last) in few.ranges() {
            for (start, end) in many.overlapping(first, last) {
                both.ranges.insert(start.max(first), end.min(last));
            }
        }
        both
    }

    /// The numbers from `first` to `last`, inclusive, that the set lacks.
    pub fn missing_between(&self, first: u64, last: u64) -> Intervals {
        let mut missing = Intervals::new();
        missing.insert_range(first, last);
        for (start, end) in self.overlapping(first, last) {
            missing.remove_range(start, end);
        }
        missing
    }

    /// How far the set goes on without a hole from `first`: the last number of the range that holds `first`, or
    /// none if the set lacks it.
    pub fn contiguous_from(&self, first: u64) -> Option<u64> {
        self.range_at_or_before(first)
            .map(|(_, end)| end)
            .filter(|&end| end >= first)
    }

    /// The last range that begins at or before a number.
    fn range_at_or_before(&self, value: u64) -> Option<(u64, u64)> {
        self.ranges
            .range(..=value)
            .next_back()
            .map(|(&start, &end)| (start, end))
    }

    /// The ranges that share a number with `first..=last`, uncut.
    fn overlapping(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let from = self
            .range_at_or_before(first)
            .filter(|&(_, end)| end >= first)
            .map_or(first, |(start, _)| start);
        // An empty question (first above last) has to stay empty, where `from..=last` would panic.
        let to = last.max(from);
        self.ranges
            .range(from..=to)
            .map(|(&start, &end)| (start, end))
            .filter(move |_| first <= last)
    }
}

impl FromIterator<u64> for Intervals {
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Intervals {
        let mut set = Intervals::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set(ranges: &[(u64, u64)]) -> Intervals {
        let mut set = Intervals::new();
        for &(first, last) in ranges {
            set.insert_range(first, last);
        }
        set
    }

    fn list(set: &Intervals) -> Vec<(u64, u64)> {
        set.ranges().collect()
    }

    /// A small deterministic generator (splitmix64), so that the comparison with a plain set is repeatable.
    fn dice(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn neighbours_join_and_holes_stay() {
        let mut set = set(&[(1, 3), (5, 9)]);
        assert_eq!(set.range_count(), 2);
        assert!(set.insert(4));
        assert!(!set.insert(4));
        assert_eq!(list(&set), [(1, 9)]);
        assert!(set.remove(6));
        assert!(!set.remove(6));
        assert_eq!(list(&set), [(1, 5), (7, 9)]);
        assert_eq!((set.len(), set.first(), set.last()), (8, Some(1), Some(9)));
    }

    #[test]
    fn a_range_swallows_what_it_covers() {
        let mut set = set(&[(1, 2), (4, 5), (8, 8), (20, 30)]);
        set.insert_range(3, 19);
        assert_eq!(list(&set), [(1, 30)]);
        set.remove_range(10, 12);
        set.remove_range(0, 1);
        assert_eq!(list(&set), [(2, 9), (13, 30)]);
    }

    #[test]
    fn the_ends_of_the_numbers_are_numbers_too() {
        let mut set = set(&[(0, 0), (u64::MAX, u64::MAX)]);
        assert_eq!(set.contiguous_from(u64::MAX), Some(u64::MAX));
        set.insert_range(0, u64::MAX);
        assert_eq!(set.len(), u64::MAX);
        assert!(set.remove(u64::MAX) && set.remove(0));
        assert_eq!(list(&set), [(1, u64::MAX - 1)]);
    }

    #[test]
    fn an_empty_range_is_nothing() {
        let mut set = set(&[(5, 4)]);
        assert!(set.is_empty());
        set.insert_range(1, 10);
        set.remove_range(9, 3);
        assert_eq!(list(&set), [(1, 10)]);
        assert!(set.missing_between(7, 6).is_empty());
    }

    #[test]
    fn missing_numbers_and_contiguous_runs() {
        let set = set(&[(3, 5), (8, 9)]);
        assert_eq!(list(&set.missing_between(1, 10)), [(1, 2), (6, 7), (10, 10)]);
        assert_eq!(list(&set.missing_between(4, 8)), [(6, 7)]);
        assert_eq!(set.contiguous_from(4), Some(5));
        assert_eq!(set.contiguous_from(6), None);
    }

    #[test]
    fn a_huge_range_costs_one_range() {
        let all = set(&[(0, u64::MAX)]);
        let some = set(&[(10, 20), (30, 40)]);
        assert_eq!(list(&all.intersection(&some)), [(10, 20), (30, 40)]);
        assert_eq!(list(&all.difference(&some)), [(0, 9), (21, 29), (41, u64::MAX)]);
        assert!(some.difference(&all).is_empty());
    }

    #[test]
    fn behaves_like_a_plain_set_of_numbers() {
        let mut state = 1;
        for _ in 0..200 {
            let mut sets = [Intervals::new(), Intervals::new()];
            let mut plain = [BTreeSet::new(), BTreeSet::new()];
            for _ in 0..60 {
                let (roll, first) = (dice(&mut state), dice(&mut state) % 64);
                let (side, last) = ((roll >> 8) as usize % 2, first + (roll >> 16) % 9);
                if roll % 3 == 0 {
                    sets[side].remove_range(first, last);
                    plain[side].retain(|value| !(first..=last).contains(value));
                } else {
                    sets[side].insert_range(first, last);
                    plain[side].extend(first..=last);
                }
            }
            let collect = |values: &mut dyn Iterator<Item = u64>| values.collect::<Intervals>();
            let [a, b] = &sets;
            let [pa, pb] = &plain;
            assert_eq!(*a, collect(&mut pa.iter().copied()));
            assert_eq!(a.difference(b), collect(&mut pa.difference(pb).copied()));
            assert_eq!(a.intersection(b), collect(&mut pa.intersection(pb).copied()));
            let mut union = a.clone();
            union.union_with(b);
            assert_eq!(union, collect(&mut pa.union(pb).copied()));
            assert_eq!(union.len(), pa.union(pb).count() as u64);
        }
    }
}
