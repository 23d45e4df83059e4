//! The lives of the latest messages, for `/trace`.

use std::collections::VecDeque;

use super::Node;
use super::face::{Notice, Step};
use crate::replica::ById;
use crate::words::{Epoch, MessageId, NodeId, Position, Seq, Time};

/// How many lives are remembered.
const LIVES_MAX: usize = 1_000;
/// How many steps of one life: a member more than once, after a move, and what comes on top is left out.
const STEPS_MAX: usize = 1_024;
/// How many steps a life has that is used again.
const STEPS_USUAL: usize = 32;

/// What is known of one message.
#[derive(Clone, Debug)]
struct Life {
    id: MessageId,
    steps: Vec<(Time, Step)>,
    /// Where it has been, the last place last.
    places: Vec<Position>,
}

impl Life {
    /// A step, unless there are too many.
    fn take(&mut self, now: Time, step: Step) -> bool {
        let has_room = self.steps.len() < STEPS_MAX;
        if has_room {
            self.steps.push((now, step));
        }
        has_room
    }
}

/// The lives of the latest messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    /// In the order in which they began.
    lives: VecDeque<Life>,
    /// How many began before the first of these.
    forgotten: u64,
    /// Which life is whose, counted from the first there ever was.
    numbers: ById<u64>,
}

impl Traces {
    /// A step in the life of a message. A life that is forgotten is not begun again by its last steps.
    pub(super) fn step(&mut self, now: Time, id: MessageId, step: Step) {
        if let Some(life) = self.life(id, &step) {
            life.take(now, step);
        }
    }

    /// A step by which a message has a place.
    pub(super) fn step_at(&mut self, now: Time, id: MessageId, step: Step, position: Position) {
        if let Some(life) = self.life(id, &step) {
            let is_there = life.places.last() == Some(&position);
            if life.take(now, step) && !is_there {
                life.places.push(position);
            }
        }
    }

    fn life(&mut self, id: MessageId, step: &Step) -> Option<&mut Life> {
        let number = match self.numbers.get(id) {
            Some(number) => *number,
            None if begins(step) => self.begin(id),
            None => return None,
        };
        self.lives.get_mut((number - self.forgotten) as usize)
    }

    /// Begins a life, at the oldest one's expense.
    fn begin(&mut self, id: MessageId) -> u64 {
        let (mut steps, mut places) = (Vec::new(), Vec::new());
        if self.lives.len() >= LIVES_MAX
            && let Some(oldest) = self.lives.pop_front()
        {
            self.forgotten += 1;
            self.numbers.remove(oldest.id);
            if oldest.steps.capacity() <= STEPS_USUAL {
                (steps, places) = (oldest.steps, oldest.places);
                steps.clear();
                places.clear();
            }
        }
        self.lives.push_back(Life { id, steps, places });
        let number = self.forgotten + self.lives.len() as u64 - 1;
        self.numbers.insert(id, number);
        number
    }

    /// The life of the message with this number; of several, the latest.
    fn find(&self, seq: Seq, ring: Option<(Epoch, NodeId)>) -> Option<(Position, &[(Time, Step)])> {
        let named = |at: &&Position| {
            let in_ring = ring.is_none_or(|(epoch, id)| at.ring.epoch == epoch && at.ring.leader.id == id);
            at.seq == seq && in_ring
        };
        let places = |life: &Life| life.places.iter().filter(named).max().copied();
        let found = self.lives.iter().filter_map(|life| Some((places(life)?, life)));
        let (position, life) = found.max_by_key(|(position, _)| *position)?;
        Some((position, &life.steps))
    }
}

/// Whether a life begins with such a step: it was said here, or came from the ring.
fn begins(step: &Step) -> bool {
    match step {
        Step::Said | Step::Stamped(_) | Step::Received | Step::Delivered => true,
        Step::InOutbox | Step::Written | Step::HeldBy(_) => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples;

    fn id(counter: u64) -> MessageId {
        samples::id(1, counter)
    }

    /// How many steps the message with this number took, and where it is.
    fn found(traces: &Traces, seq: u64) -> Option<(Position, usize)> {
        let found = traces.find(Seq(seq), None);
        found.map(|(position, steps)| (position, steps.len()))
    }

    #[test]
    fn a_life_is_found_by_each_number_it_had() {
        let mut traces = Traces::default();
        traces.step(Time(1), id(1), Step::Said);
        traces.step(Time(2), id(1), Step::InOutbox);
        assert_eq!(found(&traces, 5), None);
        traces.step_at(Time(3), id(1), Step::Delivered, samples::at(1, 5));
        traces.step(Time(4), id(1), Step::Written);
        assert_eq!(found(&traces, 5), Some((samples::at(1, 5), 4)));
        traces.step_at(Time(5), id(1), Step::Delivered, samples::at(2, 7));
        assert_eq!(found(&traces, 5), Some((samples::at(1, 5), 5)));
        assert_eq!(found(&traces, 7), Some((samples::at(2, 7), 5)));
        // A later ring has a message with the same number.
        traces.step_at(Time(6), id(2), Step::Delivered, samples::at(3, 5));
        assert_eq!(found(&traces, 5), Some((samples::at(3, 5), 1)));
        let first_ring = samples::at(1, 5).ring;
        let named = traces.find(Seq(5), Some((first_ring.epoch, first_ring.leader.id)));
        assert_eq!(
            named.map(|(at, steps)| (at, steps.len())),
            Some((samples::at(1, 5), 5))
        );
    }

    #[test]
    fn the_latest_lives_are_remembered_and_a_forgotten_one_does_not_begin_anew_at_its_end() {
        let mut traces = Traces::default();
        let count = LIVES_MAX as u64 + 10;
        for n in 1..=count {
            traces.step(Time(n), id(n), Step::Said);
            traces.step_at(Time(n), id(n), Step::Delivered, samples::at(1, n));
        }
        assert_eq!((traces.lives.len(), traces.numbers.len()), (LIVES_MAX, LIVES_MAX));
        for n in 1..=count {
            traces.step(Time(n), id(n), Step::Written);
            let is_remembered = n > 10;
            let expected = is_remembered.then_some((samples::at(1, n), 3));
            assert_eq!(found(&traces, n), expected);
        }
        assert_eq!((traces.lives.len(), traces.numbers.len()), (LIVES_MAX, LIVES_MAX));
    }
}
