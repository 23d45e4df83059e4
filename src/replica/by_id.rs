//! A map by message id, for ids of which the counters come one after the other.
//!
//! Each sender's life has its own list in the order of counters. What comes next is put at its end and what is done with
//! is mostly taken off its front, and where no counter is left out a place is found without a search. Other ids are as
//! right, and slower.

use std::collections::{BTreeMap, VecDeque};

use crate::words::{Member, MessageId};

/// A map from message ids, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ById<T> {
    senders: BTreeMap<Member, VecDeque<(u64, T)>>,
    len: usize,
}

impl<T> Default for ById<T> {
    fn default() -> ById<T> {
        let senders = BTreeMap::new();
        ById { senders, len: 0 }
    }
}

/// Where a counter is in a list, or belongs.
fn find<T>(list: &VecDeque<(u64, T)>, counter: u64) -> Result<usize, usize> {
    let is_behind = list.back().is_none_or(|(last, _)| *last < counter);
    if is_behind {
        return Err(list.len());
    }
    let first = list.front().map_or(0, |(first, _)| *first);
    let place = counter.wrapping_sub(first) as usize;
    match list.get(place) {
        Some((found, _)) if *found == counter => Ok(place),
        Some(_) | None => list.binary_search_by_key(&counter, |(counter, _)| *counter),
    }
}

impl<T> ById<T> {
    /// An empty map.
    pub fn new() -> ById<T> {
        ById::default()
    }

    /// What is there under this id.
    pub fn get(&self, id: MessageId) -> Option<&T> {
        let list = self.senders.get(&id.sender)?;
        find(list, id.counter).ok().map(|at| &list[at].1)
    }

    /// What is there under this id, to change.
    pub fn get_mut(&mut self, id: MessageId) -> Option<&mut T> {
        let list = self.senders.get_mut(&id.sender)?;
        find(list, id.counter).ok().map(|at| &mut list[at].1)
    }

    /// Whether something is there under this id.
    pub fn contains(&self, id: MessageId) -> bool {
        self.get(id).is_some()
    }

    /// Puts something there; returns what was.
    pub fn insert(&mut self, id: MessageId, value: T) -> Option<T> {
        let list = self.senders.entry(id.sender).or_default();
        match find(list, id.counter) {
            Ok(at) => Some(std::mem::replace(&mut list[at].1, value)),
            Err(at) => {
                list.insert(at, (id.counter, value));
                self.len += 1;
                None
            }
        }
    }

    /// Takes something out.
    pub fn remove(&mut self, id: MessageId) -> Option<T> {
        let list = self.senders.get_mut(&id.sender)?;
        let (_, value) = list.remove(find(list, id.counter).ok()?)?;
        self.len -= 1;
        if list.is_empty() {
            self.senders.remove(&id.sender);
        }
        Some(value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (MessageId, &T)> {
        self.senders.iter().flat_map(|(sender, list)| {
            let id = |counter| MessageId {
                sender: *sender,
                counter,
            };
            list.iter().map(move |(counter, value)| (id(*counter), value))
        })
    }

    /// All values, in the order of their ids.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.senders.values().flatten().map(|(_, value)| value)
    }

    /// All values, to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.senders.values_mut().flatten().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::words::samples::id;

    #[test]
    fn it_does_what_a_map_does_whatever_the_counters() {
        let mut dice = SmallRng::seed_from_u64(3);
        let (mut ours, mut plain) = (ById::new(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let near = step / 40 + dice.random_range(0..20);
            let counter = match dice.random_range(0..9) {
                0 => u64::MAX - near,
                1 => dice.random_range(0..step + 1),
                _ => near,
            };
            let id = id(dice.random_range(1..4), counter);
            if dice.random_range(0..5) < 3 {
                assert_eq!(ours.insert(id, step), plain.insert(id, step));
            } else {
                assert_eq!(ours.remove(id), plain.remove(&id));
            }
            if let (Some(value), Some(other)) = (ours.get_mut(id), plain.get_mut(&id)) {
                (*value, *other) = (step + 1, step + 1);
            }
            assert_eq!(
                (ours.get(id), ours.contains(id)),
                (plain.get(&id), plain.contains_key(&id))
            );
            assert_eq!((ours.len(), ours.is_empty()), (plain.len(), plain.is_empty()));
        }
        assert!(ours.len() > 100);
        assert!(ours.iter().eq(plain.iter().map(|(id, value)| (*id, value))));
        assert!(ours.values().eq(plain.values()));
        assert!(ours.values_mut().eq(plain.values_mut()));
        for id in plain.into_keys() {
            ours.remove(id);
        }
        assert_eq!(ours, ById::new(), "an emptied map leaves no sender behind");
    }
}
