//! The repair buffer: the chunks of one ring that not everybody is known to have.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use crate::bugs::{self, Bug};
use crate::wire::Chunk;
use crate::words::Seq;

/// How far above the forgotten ones a chunk may be: bounds the buffer whatever arrives.
pub const SPAN_MAX: u64 = 16_384;

/// Chunks by number, from the first one that is not forgotten.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The number of the first slot.
    base: Seq,
    slots: VecDeque<Option<Chunk>>,
    /// Received without a gap up to here.
    received_up_to: Seq,
    /// The bytes of all chunks.
    bytes: usize,
}

impl Buffer {
    /// An empty buffer of a ring whose first number is `first`.
    pub fn new(first: Seq) -> Buffer {
        assert!(first.0 >= 1, "numbers begin at 1");
        Buffer {
            base: first,
            slots: VecDeque::new(),
            received_up_to: Seq(first.0 - 1),
            bytes: 0,
        }
    }

    /// For a checker: adds all that is here.
    pub(super) fn hash_state(&self, hasher: &mut impl Hasher) {
        (self.base, self.received_up_to, self.slots.len()).hash(hasher);
        for slot in &self.slots {
            let what = |chunk: &Chunk| (chunk.seq, chunk.id, chunk.fragment);
            slot.as_ref().map(what).hash(hasher);
        }
    }

    /// Keeps a chunk. Whether it was new.
    pub fn insert(&mut self, chunk: Chunk) -> bool {
        let seq = chunk.seq;
        if seq < self.base || self.is_beyond(seq) {
            return false;
        }
        let at = (seq.0 - self.base.0) as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, None);
        }
        if self.slots[at].is_some() {
            return false;
        }
        self.bytes += chunk.bytes.len();
        self.slots[at] = Some(chunk);
        while self.get(self.received_up_to.next()).is_some() {
            self.received_up_to = self.received_up_to.next();
        }
        if bugs::on(Bug::ReceivedOverGap) {
            self.received_up_to = self.received_up_to.max(seq);
        }
        true
    }

    /// Whether a number is too far ahead to be kept.
    pub fn is_beyond(&self, seq: Seq) -> bool {
        seq.0 >= self.base.0 + SPAN_MAX
    }

    /// A chunk, if it is here.
    pub fn get(&self, seq: Seq) -> Option<&Chunk> {
        let at = seq.0.checked_sub(self.base.0)?;
        self.slots.get(usize::try_from(at).ok()?)?.as_ref()
    }

    /// Whether this chunk is here or was, before all had it.
    pub fn has(&self, seq: Seq) -> bool {
        seq <= self.received_up_to || self.get(seq).is_some()
    }

    /// The first number that is not forgotten.
    pub fn kept_from(&self) -> Seq {
        self.base
    }

    /// Received without a gap up to here.
    pub fn received_up_to(&self) -> Seq {
        self.received_up_to
    }

    /// The highest number here.
    pub fn highest(&self) -> Seq {
        Seq((self.base.0 + self.slots.len() as u64).saturating_sub(1)).max(self.received_up_to)
    }

    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The ranges above `received_up_to` that are here, at most `most` of them.
    pub fn above(&self, most: usize) -> Vec<(Seq, Seq)> {
        self.ranges(self.received_up_to.next(), self.highest(), most, true)
    }

    /// The ranges up to `high` that are missing, at most `most` of them.
    pub fn missing(&self, high: Seq, most: usize) -> Vec<(Seq, Seq)> {
        self.ranges(self.received_up_to.next(), high, most, false)
    }

    /// The ranges from `first` to `last` that are here.
    pub fn present(&self, first: Seq, last: Seq) -> Vec<(Seq, Seq)> {
        self.ranges(first, last, usize::MAX, true)
    }

    fn ranges(&self, first: Seq, last: Seq, most: usize, here: bool) -> Vec<(Seq, Seq)> {
        let mut ranges: Vec<(Seq, Seq)> = Vec::new();
        let last = last.min(Seq(self.base.0 + SPAN_MAX));
        for number in first.0..=last.0 {
            if self.get(Seq(number)).is_some() != here {
                continue;
            }
            let full = ranges.len() == most;
            match ranges.last_mut() {
                Some(range) if range.1.0 + 1 == number => range.1 = Seq(number),
                _ if full => break,
                _ => ranges.push((Seq(number), Seq(number))),
            }
        }
        ranges
    }

    /// Forgets chunks that all members have.
    pub fn forget_up_to(&mut self, seq: Seq) {
        let seq = seq.min(self.received_up_to);
        while self.base <= seq {
            if let Some(Some(chunk)) = self.slots.pop_front() {
                self.bytes -= chunk.bytes.len();
            }
            self.base = self.base.next();
        }
    }

    /// Drops what is above `received_up_to` and in none of these ranges.
    pub fn keep_only(&mut self, ranges: &[(Seq, Seq)]) {
        let first = self.received_up_to.next().max(self.base);
        for number in first.0..=self.highest().0 {
            let named = ranges.iter().any(|(a, b)| a.0 <= number && number <= b.0);
            let slot = self.slots.get_mut((number - self.base.0) as usize);
            if let Some(chunk) = slot.filter(|_| !named).and_then(Option::take) {
                self.bytes -= chunk.bytes.len();
            }
        }
        while self.slots.back().is_some_and(Option::is_none) {
            self.slots.pop_back();
        }
    }

    /// Drops what is above `seq`.
    pub fn forget_above(&mut self, seq: Seq) {
        while self.highest() > seq && !self.slots.is_empty() && self.highest() > self.received_up_to {
            if let Some(Some(chunk)) = self.slots.pop_back() {
                self.bytes -= chunk.bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Incarnation, Member, MessageId, NodeId};

    fn chunk(seq: u64) -> Chunk {
        let sender = Member {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        let id = MessageId { sender, counter: seq };
        Chunk {
            seq: Seq(seq),
            id,
            fragment: 0,
            fragments: 1,
            bytes: bytes::Bytes::from_static(b"x"),
        }
    }

    fn buffer(first: u64, seqs: &[u64]) -> Buffer {
        let mut buffer = Buffer::new(Seq(first));
        seqs.iter().for_each(|seq| assert!(buffer.insert(chunk(*seq))));
        buffer
    }

    #[test]
    fn gaps_are_named_and_closed() {
        let mut buffer = buffer(10, &[10, 12, 13, 16]);
        assert_eq!(buffer.received_up_to(), Seq(10));
        assert_eq!(
            buffer.missing(Seq(18), 9),
            [(Seq(11), Seq(11)), (Seq(14), Seq(15)), (Seq(17), Seq(18))]
        );
        assert_eq!(buffer.above(9), [(Seq(12), Seq(13)), (Seq(16), Seq(16))]);
        assert_eq!(buffer.missing(Seq(18), 1), [(Seq(11), Seq(11))]);
        buffer.insert(chunk(11));
        assert_eq!(buffer.received_up_to(), Seq(13));
    }

    #[test]
    fn copies_old_and_absurd_numbers_are_refused() {
        let mut buffer = buffer(10, &[10]);
        assert!(!buffer.insert(chunk(10)));
        assert!(!buffer.insert(chunk(9)));
        assert!(!buffer.insert(chunk(10 + SPAN_MAX)));
        assert_eq!(buffer.bytes(), 1);
    }

    #[test]
    fn only_what_was_received_is_forgotten() {
        let mut buffer = buffer(1, &[1, 2, 4]);
        buffer.forget_up_to(Seq(4));
        assert!(buffer.get(Seq(2)).is_none() && buffer.has(Seq(2)));
        assert!(buffer.get(Seq(4)).is_some() && !buffer.has(Seq(3)));
        buffer.forget_above(Seq(3));
        assert_eq!((buffer.highest(), buffer.bytes()), (Seq(3), 0));
    }

    #[test]
    fn numbers_begin_where_the_ring_begins() {
        let mut buffer = buffer(10, &[]);
        assert_eq!((buffer.kept_from(), buffer.received_up_to()), (Seq(10), Seq(9)));
        assert_eq!((buffer.highest(), buffer.bytes()), (Seq(9), 0));
        assert!(buffer.has(Seq(9)) && !buffer.has(Seq(10)) && buffer.get(Seq(9)).is_none());
        // The last number that fits, and no further one.
        assert!(buffer.insert(chunk(10 + SPAN_MAX - 1)));
        assert_eq!((buffer.highest(), buffer.bytes()), (Seq(10 + SPAN_MAX - 1), 1));
        assert!(!buffer.insert(chunk(10 + SPAN_MAX)));
        assert_eq!(buffer.received_up_to(), Seq(9));
    }

    #[test]
    fn what_is_forgotten_is_had_and_no_longer_counted() {
        let mut buffer = buffer(5, &[5, 6, 7, 9]);
        assert_eq!(buffer.bytes(), 4);
        buffer.forget_up_to(Seq(6));
        assert_eq!((buffer.kept_from(), buffer.bytes()), (Seq(7), 2));
        assert_eq!(buffer.get(Seq(7)).map(|chunk| chunk.seq), Some(Seq(7)));
        assert!(buffer.has(Seq(6)) && buffer.get(Seq(6)).is_none() && !buffer.insert(chunk(6)));
        // Everything received, so nothing is left but the number.
        buffer.forget_above(Seq(7));
        buffer.forget_up_to(Seq(7));
        assert_eq!(
            (buffer.kept_from(), buffer.highest(), buffer.bytes()),
            (Seq(8), Seq(7), 0)
        );
        assert!(buffer.insert(chunk(8)));
        assert_eq!((buffer.received_up_to(), buffer.highest()), (Seq(8), Seq(8)));
    }

    #[test]
    fn what_lies_above_is_dropped_down_to_the_number_but_not_below_what_was_received() {
        let mut gapped = buffer(1, &[1, 2, 4, 6, 7]);
        gapped.forget_above(Seq(6));
        assert_eq!((gapped.highest(), gapped.bytes()), (Seq(6), 4));
        assert!(gapped.has(Seq(6)) && !gapped.has(Seq(7)));
        gapped.forget_above(Seq(1));
        assert_eq!(
            (gapped.highest(), gapped.received_up_to(), gapped.bytes()),
            (Seq(2), Seq(2), 2)
        );
        gapped.forget_above(Seq(9));
        assert_eq!((gapped.highest(), gapped.bytes()), (Seq(2), 2));
    }

    #[test]
    fn only_what_is_named_is_kept_above_what_was_received() {
        let mut gapped = buffer(5, &[5, 6, 8, 9, 11, 14]);
        gapped.keep_only(&[(Seq(9), Seq(10)), (Seq(11), Seq(11))]);
        assert_eq!(gapped.above(9), [(Seq(9), Seq(9)), (Seq(11), Seq(11))]);
        assert_eq!(
            (gapped.received_up_to(), gapped.highest(), gapped.bytes()),
            (Seq(6), Seq(11), 4)
        );
        gapped.keep_only(&[]);
        assert_eq!((gapped.highest(), gapped.bytes()), (Seq(6), 2));
        assert!(gapped.insert(chunk(7)) && gapped.received_up_to() == Seq(7));
    }

    #[test]
    fn at_most_so_many_ranges_are_named_and_the_last_of_them_whole() {
        let buffer = buffer(1, &[3, 4, 7, 8, 9, 12]);
        assert_eq!(buffer.above(0), []);
        assert_eq!(buffer.above(1), [(Seq(3), Seq(4))]);
        assert_eq!(buffer.above(2), [(Seq(3), Seq(4)), (Seq(7), Seq(9))]);
        assert_eq!(buffer.missing(Seq(11), 2), [(Seq(1), Seq(2)), (Seq(5), Seq(6))]);
        assert_eq!(buffer.missing(Seq(0), 9), []);
        assert_eq!(buffer.missing(Seq(1), 9), [(Seq(1), Seq(1))]);
    }
}
