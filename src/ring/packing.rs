//! Packing: chunks into datagrams, and messages that are longer than a datagram into fragments.
//!
//! A message that fits a datagram is never cut. A longer one begins in what the datagram before it has left and is cut where
//! a datagram is full, and the next message goes on behind its end. So a stream of long messages is one of datagrams of the
//! same length, which the machine takes many at a time.

use crate::wire::{Chunk, FRAGMENTS_MAX};
use crate::words::{Member, MessageId};

/// What each chunk of a repair takes beside what it takes in new data: its number.
const NUMBER_BYTES: usize = 8;

/// Datagrams that are being filled.
#[derive(Debug)]
pub struct Packing {
    /// Bytes for chunks in each.
    room: usize,
    /// Bytes of the last one's chunks.
    used: usize,
    datagrams: Vec<Vec<Chunk>>,
}

impl Packing {
    /// No datagram yet; each will have `room` bytes of chunks.
    pub fn new(room: usize) -> Packing {
        Packing {
            room,
            used: 0,
            datagrams: Vec::new(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The datagrams: their chunks.
    pub fn into_datagrams(self) -> Vec<Vec<Chunk>> {
        self.datagrams
    }

    /// Adds a chunk of new data.
    pub fn add(&mut self, chunk: Chunk) {
        self.add_at(chunk, Chunk::encoded_bytes);
    }

    /// Adds a chunk that is sent again.
    pub fn add_again(&mut self, chunk: Chunk) {
        self.add_at(chunk, |chunk, sender| NUMBER_BYTES + chunk.encoded_bytes(sender));
    }

    /// Adds a chunk; `cost` is what it takes in a datagram whose first chunk is of that sender.
    fn add_at(&mut self, chunk: Chunk, cost: impl Fn(&Chunk, Member) -> usize) {
        if let Some(datagram) = self.datagrams.last_mut() {
            let needed = cost(&chunk, datagram[0].id.sender);
            if self.used + needed <= self.room {
                self.used += needed;
                datagram.push(chunk);
                return;
            }
        }
        self.used = cost(&chunk, chunk.id.sender);
        self.datagrams.push(vec![chunk]);
    }

    /// Where to cut a message of this length that comes next: the end of each of its parts.
    pub fn cuts(&self, id: MessageId, length: usize) -> Vec<usize> {
        // So that each part can also be sent again.
        let room = self.room - NUMBER_BYTES;
        let whole = Chunk::fragment_bytes(id, id.sender, room);
        if length <= whole {
            return vec![length];
        }
        let behind = self.datagrams.last().map_or(0, |datagram| {
            Chunk::fragment_bytes(id, datagram[0].id.sender, room.saturating_sub(self.used))
        });
        let first = if behind > 0 { behind } else { whole };
        let mut cuts: Vec<usize> = (first..length).step_by(whole).collect();
        cuts.push(length);
        assert!(
            cuts.len() <= FRAGMENTS_MAX,
            "a checked content has at most {FRAGMENTS_MAX} fragments"
        );
        cuts
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::words::Seq;
    use crate::words::samples::id;

    fn chunk(id: MessageId, length: usize, fragment: usize, fragments: usize) -> Chunk {
        Chunk {
            seq: Seq(1),
            id,
            fragment: fragment as u16,
            fragments: fragments as u16,
            bytes: Bytes::from(vec![b'x'; length]),
        }
    }

    /// Packs messages of these lengths: the bytes that each datagram's chunks take, and the lengths of the parts.
    fn packed(room: usize, messages: &[(MessageId, usize)]) -> (Vec<usize>, Vec<Vec<usize>>) {
        let mut packing = Packing::new(room);
        for (id, length) in messages {
            let (cuts, mut from) = (packing.cuts(*id, *length), 0);
            for (at, end) in cuts.iter().enumerate() {
                packing.add(chunk(*id, end - from, at, cuts.len()));
                from = *end;
            }
            assert_eq!(from, *length, "nothing is left over");
        }
        let datagrams = packing.into_datagrams();
        let taken = |chunks: &Vec<Chunk>| {
            let sender = chunks[0].id.sender;
            chunks.iter().map(|chunk| chunk.encoded_bytes(sender)).sum()
        };
        let parts = |chunks: &Vec<Chunk>| chunks.iter().map(|chunk| chunk.bytes.len()).collect();
        (
            datagrams.iter().map(taken).collect(),
            datagrams.iter().map(parts).collect(),
        )
    }

    #[test]
    fn what_fits_a_datagram_is_not_cut_and_goes_into_as_few_as_its_order_allows() {
        let lengths = [400, 500, 300, 984, 10, 984];
        let messages: Vec<_> = lengths.iter().map(|length| (id(1, 1), *length)).collect();
        let (_, parts) = packed(1_000, &messages);
        assert_eq!(parts, [vec![400, 500], vec![300], vec![984], vec![10], vec![984]]);
        assert_eq!(packed(1_000, &[]).0, [0; 0]);
        assert_eq!(packed(1_000, &[(id(1, 1), 0)]).1, [[0]]);
    }

    #[test]
    fn long_messages_fill_their_datagrams_to_the_same_length() {
        for length in [985, 1_000, 1_400, 4_000, 16_000] {
            let messages: Vec<_> = (1_000..1_040).map(|counter| (id(1, counter), length)).collect();
            let (taken, _) = packed(1_000, &messages);
            let full = &taken[..taken.len() - 1];
            let short = full.iter().filter(|bytes| **bytes != 1_000 - NUMBER_BYTES);
            // One in which less is left than a fragment's own head is as long as it is.
            assert!(short.count() <= 40 / 8, "{length}: {taken:?}");
            assert!(
                full.iter().all(|bytes| (975..=1_000).contains(bytes)),
                "{length}: {taken:?}"
            );
        }
    }

    #[test]
    fn a_fragment_fits_a_datagram_of_its_own_when_it_is_sent_again() {
        let messages = [(id(2, 1 << 62), 100), (id(1, 1 << 62), 5_000), (id(2, 1), 2_000)];
        let (_, parts) = packed(1_000, &messages);
        assert!(
            parts
                .iter()
                .flatten()
                .all(|part| *part <= 1_000 - 8 - 1 - 1 - 4 - 2)
        );
        let mut again = Packing::new(1_000);
        let mut from = 0;
        let cuts = again.cuts(id(1, 1 << 62), 5_000);
        for end in &cuts {
            again.add_again(chunk(id(1, 1 << 62), end - from, 0, cuts.len()));
            assert!(again.used <= 1_000, "{}", again.used);
            from = *end;
        }
        assert_eq!(again.into_datagrams().len(), cuts.len());
    }

    #[test]
    fn behind_a_message_of_another_life_a_fragment_says_whose_it_is() {
        let (taken, parts) = packed(1_000, &[(id(2, 7), 500), (id(1, 7), 1_400)]);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(taken[0], 1_000 - NUMBER_BYTES);
    }
}
