//! Records in their artificial delay.

use std::collections::{BTreeMap, VecDeque};

use super::writing::Writing;
use crate::words::Time;

/// When a record is due, and which one it is of those that came: each has its place.
type Turn = (Time, u64);

/// The records that are delayed on purpose, by when they are due.
#[derive(Clone, Debug, Default)]
pub(super) struct Delayed {
    /// Each of them is due no earlier than the one before it: without a delay, all are.
    in_line: VecDeque<(Turn, Writing)>,
    others: BTreeMap<Turn, Writing>,
    count: u64,
}

impl Delayed {
    /// A record waits until then.
    pub(super) fn put(&mut self, at: Time, writing: Writing) {
        self.count += 1;
        let turn = (at, self.count);
        if self.in_line.back().is_none_or(|(last, _)| *last < turn) {
            self.in_line.push_back((turn, writing));
        } else {
            self.others.insert(turn, writing);
        }
    }

    /// When the first one is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let turns = [
            self.in_line.front().map(|(turn, _)| *turn),
            self.others.keys().next().copied(),
        ];
        turns.into_iter().flatten().min().map(|(at, _)| at)
    }

    /// Takes the first one, if it is due.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Writing> {
        let other = self.others.first_key_value().map(|(turn, _)| *turn);
        match self.in_line.front() {
            Some((turn, _)) if other.is_none_or(|other| *turn < other) => {
                let next = self.in_line.pop_front_if(|((at, _), _)| *at <= now);
                next.map(|(_, writing)| writing)
            }
            Some(_) | None => {
                let next = self.others.first_entry().filter(|next| next.key().0 <= now);
                next.map(|next| next.remove())
            }
        }
    }

    /// Makes all due at once, in the order in which they came.
    pub(super) fn end(&mut self, now: Time) {
        let in_line = std::mem::take(&mut self.in_line);
        let others = std::mem::take(&mut self.others);
        let all = in_line.into_iter().chain(others);
        let mut all: Vec<_> = all
            .map(|((at, n), writing)| ((at.min(now), n), writing))
            .collect();
        all.sort_by_key(|(turn, _)| *turn);
        self.in_line = all.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Record;
    use crate::words::samples;

    fn writing(seq: u64) -> Writing {
        let record = Record::new(samples::id(1, seq), samples::at(1, seq), "{\"from\":1}".into()).unwrap();
        Writing {
            record,
            ring_seq: None,
        }
    }

    fn due(delayed: &mut Delayed, now: u64) -> Vec<u64> {
        let due = std::iter::from_fn(|| delayed.take_due(Time(now)));
        due.map(|writing| writing.record.position.seq.0).collect()
    }

    #[test]
    fn records_leave_by_when_they_are_due_and_then_in_the_order_they_came() {
        let mut delayed = Delayed::default();
        for (seq, at) in (1..).zip([5, 9, 7, 9, 5, 12]) {
            delayed.put(Time(at), writing(seq));
        }
        assert_eq!(delayed.deadline(), Some(Time(5)));
        assert!(due(&mut delayed, 4).is_empty());
        assert_eq!(due(&mut delayed, 7), [1, 5, 3]);
        assert_eq!(
            (due(&mut delayed, 9), delayed.deadline()),
            (vec![2, 4], Some(Time(12)))
        );
        delayed.put(Time(20), writing(7));
        delayed.put(Time(15), writing(8));
        delayed.end(Time(10));
        assert_eq!(due(&mut delayed, 10), [6, 7, 8]);
        assert_eq!(delayed.deadline(), None);
    }
}
