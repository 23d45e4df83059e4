//! A set of message ids: per sender's life, intervals of counters.

use std::collections::BTreeMap;

use super::Intervals;
use crate::words::{Member, MessageId};

/// A set of message ids.
///
/// Invariant: no sender without a counter is kept, so that equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    senders: BTreeMap<Member, Intervals>,
}

impl IdSet {
    /// The empty set.
    pub fn new() -> IdSet {
        IdSet::default()
    }

    /// Adds an id. Returns whether it was new.
    pub fn insert(&mut self, id: MessageId) -> bool {
        self.senders.entry(id.sender).or_default().insert(id.counter)
    }

    /// Adds the counters from `first` to `last`, inclusive, of a sender's life; none if `first` is above `last`.
    pub fn insert_range(&mut self, sender: Member, first: u64, last: u64) {
        if first <= last {
            self.senders.entry(sender).or_default().insert_range(first, last);
        }
    }

    /// The senders' lives with their counters, in order.
    pub fn senders(&self) -> impl Iterator<Item = (Member, &Intervals)> {
        self.senders.iter().map(|(member, counters)| (*member, counters))
    }

    /// Whether the id is in the set.
    pub fn contains(&self, id: MessageId) -> bool {
        self.senders
            .get(&id.sender)
            .is_some_and(|counters| counters.contains(id.counter))
    }

    /// Takes an id out. Returns whether it was there.
    pub fn remove(&mut self, id: MessageId) -> bool {
        let Some(counters) = self.senders.get_mut(&id.sender) else {
            return false;
        };
        let held = counters.remove(id.counter);
        if counters.is_empty() {
            self.senders.remove(&id.sender);
        }
        held
    }

    /// How many ids the set has.
    pub fn len(&self) -> u64 {
        self.senders
            .values()
            .fold(0, |sum, counters| sum.saturating_add(counters.len()))
    }

    /// Whether no id is in the set.
    pub fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }

    /// The highest counter of a sender's life in the set; 0 if there is none, as counters begin at 1.
    pub fn last_counter(&self, sender: Member) -> u64 {
        self.senders.get(&sender).and_then(Intervals::last).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples::id;

    #[test]
    fn an_id_is_new_once() {
        let mut ids = IdSet::new();
        assert!(ids.insert(id(1, 4)));
        assert!(!ids.insert(id(1, 4)));
        assert!(ids.insert(id(2, 4)));
        assert!(ids.contains(id(1, 4)) && !ids.contains(id(1, 3)));
        assert_eq!(ids.len(), 2);
        assert_eq!(ids.last_counter(id(1, 0).sender), 4);
        assert_eq!(ids.last_counter(id(3, 0).sender), 0);
    }

    #[test]
    fn a_range_is_as_good_as_its_ids() {
        let (mut ids, mut one_by_one) = (IdSet::new(), IdSet::new());
        ids.insert_range(id(1, 0).sender, 4, 6);
        ids.insert_range(id(2, 0).sender, 6, 4);
        (4..=6).for_each(|counter| assert!(one_by_one.insert(id(1, counter))));
        assert_eq!(ids, one_by_one);
        let senders: Vec<_> = ids
            .senders()
            .map(|(member, counters)| (member, counters.len()))
            .collect();
        assert_eq!(senders, [(id(1, 0).sender, 3)]);
    }

    #[test]
    fn an_emptied_set_equals_a_new_one() {
        let mut ids = IdSet::new();
        ids.insert(id(1, 4));
        assert!(ids.remove(id(1, 4)));
        assert!(!ids.remove(id(1, 4)));
        assert_eq!(ids, IdSet::new());
        assert!(ids.is_empty());
    }

    #[test]
    fn a_set_with_an_id_is_not_empty() {
        let mut ids = IdSet::new();
        ids.insert(id(1, 4));
        ids.insert(id(1, 9));
        assert!(ids.remove(id(1, 4)) && !ids.is_empty() && ids.contains(id(1, 9)));
        assert_eq!(ids.len(), 1);
    }
}
