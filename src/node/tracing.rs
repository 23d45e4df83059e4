//! The lives of the latest messages, for `/trace`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::Node;
use super::face::{Notice, Step};
use crate::words::{Epoch, MessageId, NodeId, Position, Seq, Time};

/// How many lives are remembered.
const LIVES_MAX: usize = 1_000;
/// How many steps of one life: a member more than once, after a move, and what comes on top is left out.
const STEPS_MAX: usize = 1_024;
/// How many steps a life has that is used again.
const STEPS_USUAL: usize = 32;

/// What is known of one message.
#[derive(Clone, Debug, Default)]
struct Life {
    steps: Vec<(Time, Step)>,
    /// Where it was, to take it out there.
    places: Vec<Position>,
}

/// The lives of the latest messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    lives: BTreeMap<MessageId, Life>,
    places: BTreeMap<Position, MessageId>,
    order: VecDeque<MessageId>,
    /// An emptied life: the next one needs no new memory.
    spare: Option<Life>,
}

impl Traces {
    /// A step in the life of a message.
    pub(super) fn step(&mut self, now: Time, id: MessageId, step: Step) {
        let life = match self.lives.entry(id) {
            Entry::Occupied(life) => life.into_mut(),
            Entry::Vacant(life) => {
                self.order.push_back(id);
                life.insert(self.spare.take().unwrap_or_default())
            }
        };
        if life.steps.len() < STEPS_MAX {
            life.steps.push((now, step));
        }
        if self.order.len() > LIVES_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front().expect("the list is not empty");
        let Some(mut life) = self.lives.remove(&oldest) else {
            return;
        };
        for place in life.places.drain(..) {
            // Another message may have been there since.
            if self.places.get(&place) == Some(&oldest) {
                self.places.remove(&place);
            }
        }
        if life.steps.capacity() <= STEPS_USUAL {
            life.steps.clear();
            self.spare = Some(life);
        }
    }

    /// A message has a place.
    pub(super) fn place(&mut self, id: MessageId, position: Position) {
        if let Some(life) = self.lives.get_mut(&id)
            && self.places.insert(position, id) != Some(id)
        {
            life.places.push(position);
        }
    }

    /// The life of the message with this number; of several, the latest.
    fn find(&self, seq: Seq, ring: Option<(Epoch, NodeId)>) -> Option<(Position, &[(Time, Step)])> {
        let named = |at: &Position| {
            let in_ring = ring.is_none_or(|(epoch, id)| at.ring.epoch == epoch && at.ring.leader.id == id);
            at.seq == seq && in_ring
        };
        let (position, id) = self.places.iter().rev().find(|(at, _)| named(at))?;
        Some((*position, &self.lives.get(id)?.steps))
    }
}

impl Node {
    /// Tells what is known of the life of a message.
    pub(super) fn tell_trace(&mut self, seq: Seq, ring: Option<(Epoch, NodeId)>) {
        let found = self
            .traces
            .find(seq, ring)
            .map(|(position, steps)| (position, steps.to_vec()));
        let (position, steps) = match found {
            Some((position, steps)) => (Some(position), steps),
            None => (None, Vec::new()),
        };
        self.notice(Notice::Trace { position, steps });
    }
}
