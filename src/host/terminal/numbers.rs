//! How a message is called: `#42`, or `#42@epoch.leader` where the network was split and `#42` names two.

use std::collections::BTreeMap;

use crate::words::{Position, RingId, Seq};

/// How many rings are remembered; the oldest is forgotten first.
const RINGS_MAX: usize = 1024;

/// The numbers seen, as one range for each ring: within a ring they have no gaps.
#[derive(Clone, Debug, Default)]
pub struct Numbers(BTreeMap<RingId, (Seq, Seq)>);

impl Numbers {
    /// Remembers a position.
    pub fn saw(&mut self, position: Position) {
        let Position { ring, seq } = position;
        let (first, last) = self.0.entry(ring).or_insert((seq, seq));
        *first = seq.min(*first);
        *last = seq.max(*last);
        if self.0.len() > RINGS_MAX {
            self.0.pop_first();
        }
    }

    /// The shortest name that means one message only, as far as is known.
    pub fn name(&self, position: Position) -> String {
        if self.is_ambiguous(position) {
            position.to_string()
        } else {
            format!("#{}", position.seq)
        }
    }

    fn is_ambiguous(&self, position: Position) -> bool {
        self.0
            .iter()
            .any(|(ring, (first, last))| *ring != position.ring && (*first..=*last).contains(&position.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::position;
    use super::*;

    #[test]
    fn a_number_is_enough_unless_two_rings_gave_it() {
        let mut numbers = Numbers::default();
        for (epoch, seq) in [(4, 1), (4, 40), (5, 41), (5, 50)] {
            numbers.saw(position(epoch, seq));
        }
        assert_eq!(numbers.name(position(5, 42)), "#42");
        numbers.saw(position(6, 44));
        assert_eq!(numbers.name(position(5, 43)), "#43");
        assert_eq!(numbers.name(position(5, 44)), "#44@5.1");
        assert_eq!(numbers.name(position(6, 44)), "#44@6.1");
    }

    #[test]
    fn memory_is_bounded() {
        let mut numbers = Numbers::default();
        for epoch in 0..3_000 {
            numbers.saw(position(epoch, epoch));
        }
        assert_eq!(numbers.0.len(), RINGS_MAX);
    }
}
