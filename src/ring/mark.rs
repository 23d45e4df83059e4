//! What a marker of a ring says: that this node entered it, and what the ring adopted of the one before.

use bytes::Bytes;

use super::RingState;
use crate::words::{RingId, Seq};

/// What a marker says of the rest of the ring before: which numbers of which ring it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// There is none, or it is all in the replica.
    Written,
    /// It is not decided yet.
    Undecided(RingId, Vec<(Seq, Seq)>),
    /// It is decided, but perhaps not in the replica yet.
    Decided(RingId, Vec<(Seq, Seq)>),
}

impl Mark {
    /// What is adopted of a ring is named number by number: the disk may have more of it, from a try that came to
    /// nothing.
    pub(super) fn of(rest: &RingState) -> (RingId, Vec<(Seq, Seq)>) {
        let first = rest.settled_up_to().next();
        (rest.id, rest.buffer.present(first, rest.buffer.highest()))
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let (word, ring, ranges) = match self {
            Mark::Written => return Bytes::new(),
            Mark::Undecided(ring, ranges) => ("undecided", ring, ranges),
            Mark::Decided(ring, ranges) => ("decided", ring, ranges),
        };
        let each = ranges
            .iter()
            .map(|(first, last)| format!(" {}-{}", first.0, last.0));
        Bytes::from(format!("{word} {ring}{}", each.collect::<String>()))
    }

    /// Reads a marker of an own file; what makes no sense names nothing.
    pub(super) fn from_bytes(bytes: &[u8]) -> Mark {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let mut words = text.split(' ');
        let (word, ring) = (words.next(), words.next().and_then(|ring| ring.parse().ok()));
        let range = |word: &str| {
            let (first, last) = word.split_once('-')?;
            Some((Seq(first.parse().ok()?), Seq(last.parse().ok()?)))
        };
        let ranges = words.filter_map(range).collect();
        match (word, ring) {
            (Some("undecided"), Some(ring)) => Mark::Undecided(ring, ranges),
            (Some("decided"), Some(ring)) => Mark::Decided(ring, ranges),
            (Some(_) | None, _) => Mark::Written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Epoch, Incarnation, Member, NodeId};

    #[test]
    fn a_marker_says_what_was_adopted() {
        let leader = Member {
            id: NodeId(3),
            incarnation: Incarnation(7),
        };
        let ring = RingId {
            epoch: Epoch(4),
            leader,
        };
        let ranges = vec![(Seq(41), Seq(42)), (Seq(44), Seq(44))];
        let marks = [
            (Mark::Written, ""),
            (
                Mark::Undecided(ring, ranges.clone()),
                "undecided 4.3.7 41-42 44-44",
            ),
            (Mark::Decided(ring, ranges), "decided 4.3.7 41-42 44-44"),
            (Mark::Undecided(ring, Vec::new()), "undecided 4.3.7"),
        ];
        for (mark, text) in marks {
            assert_eq!(mark.to_bytes(), text.as_bytes());
            assert_eq!(Mark::from_bytes(text.as_bytes()), mark);
        }
        assert_eq!(Mark::from_bytes(b"decided nothing"), Mark::Written);
    }
}
