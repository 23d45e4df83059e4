//! The messages that wait to be stamped, oldest first.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use super::Offer;
use crate::words::MessageId;

/// The queue. Ids mostly rise from front to back; while they do, finding one takes no look at all of them.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    offers: VecDeque<Offer>,
    /// Some id is not above the one before it.
    mixed: bool,
}

impl Queue {
    /// Adds a message at the end.
    pub fn push_back(&mut self, offer: Offer) {
        self.mixed |= self.offers.back().is_some_and(|last| last.id >= offer.id);
        self.offers.push_back(offer);
    }

    /// The oldest message.
    pub fn front(&self) -> Option<&Offer> {
        self.offers.front()
    }

    /// Takes the oldest message.
    pub fn pop_front(&mut self) -> Option<Offer> {
        let offer = self.offers.pop_front();
        self.mixed &= !self.offers.is_empty();
        offer
    }

    /// Takes a message out, wherever it is.
    pub fn withdraw(&mut self, id: MessageId) {
        if self.mixed {
            self.offers.retain(|offer| offer.id != id);
            self.mixed = !self.offers.is_empty();
        } else if let Ok(at) = self.offers.binary_search_by_key(&id, |offer| offer.id) {
            self.offers.remove(at);
        }
    }

    /// Whether a message is in it.
    pub fn contains(&self, id: MessageId) -> bool {
        match self.mixed {
            true => self.offers.iter().any(|offer| offer.id == id),
            false => self.offers.binary_search_by_key(&id, |offer| offer.id).is_ok(),
        }
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.offers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// All messages, oldest first.
    pub fn iter(&self) -> Iter<'_, Offer> {
        self.offers.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Incarnation, Member, NodeId};

    fn id(counter: u64) -> MessageId {
        let sender = Member {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        MessageId { sender, counter }
    }

    fn queue(counters: &[u64]) -> Queue {
        let mut queue = Queue::default();
        for counter in counters {
            let content = bytes::Bytes::new();
            queue.push_back(Offer {
                id: id(*counter),
                content,
            });
        }
        queue
    }

    fn counters(queue: &Queue) -> Vec<u64> {
        queue.iter().map(|offer| offer.id.counter).collect()
    }

    #[test]
    fn a_message_is_found_and_taken_out_in_whatever_order_they_came() {
        for order in [&[1, 2, 3, 4][..], &[3, 4, 1, 2], &[4, 3, 2, 1]] {
            let mut queue = queue(order);
            assert!(queue.contains(id(2)) && !queue.contains(id(5)));
            queue.withdraw(id(2));
            queue.withdraw(id(5));
            let left: Vec<u64> = order.iter().copied().filter(|counter| *counter != 2).collect();
            assert_eq!((counters(&queue), queue.len()), (left, 3));
            assert!(!queue.contains(id(2)) && queue.contains(id(4)));
        }
    }

    #[test]
    fn messages_leave_in_the_order_in_which_they_came() {
        let mut queue = queue(&[2, 1, 3]);
        assert_eq!(queue.front().map(|offer| offer.id), Some(id(2)));
        let taken: Vec<u64> = std::iter::from_fn(|| queue.pop_front())
            .map(|offer| offer.id.counter)
            .collect();
        assert_eq!(taken, [2, 1, 3]);
        assert!(
            queue.is_empty() && !queue.mixed,
            "an empty queue is in order again"
        );
    }

    #[test]
    fn a_copy_of_a_message_is_taken_out_too() {
        let mut queue = queue(&[1, 1, 2]);
        queue.withdraw(id(1));
        assert_eq!(counters(&queue), [2]);
        queue.withdraw(id(2));
        assert!(queue.is_empty() && !queue.mixed);
    }
}
