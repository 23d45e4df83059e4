//! Digests of ranges of a replica, by which two nodes find out where theirs differ.
//!
//! A digest sums records up in blocks of 1,024 numbers of a ring: how many, and the wrapping sum of their
//! hashes, so that records can be added and taken out in any order. Its size grows with blocks and rings, a
//! thousandth of the history.
//!
//! Comparing is done by the side that wants to have what the other has. It asks for the other's [`Digest::split`]
//! of [`Digest::whole`], compares each part with its own [`Digest::summary`] of the same range, and asks again
//! for each part that differs and in which the other has records, until a part is a single block, whose
//! positions are then listed. A part without records there has nothing to give and is left alone. With parts of
//! 16, a million records are six questions deep at most.

use std::collections::BTreeMap;

use super::record::{Record, hash_line};
use crate::words::{Epoch, Incarnation, Member, NodeId, Position, RingId, Seq};

/// How many numbers of a ring a block spans: small enough that listing one block's positions fits a datagram,
/// large enough that a million records are a thousand blocks.
pub const BLOCK_SEQS: u64 = 1024;
/// The fewest parts a range can be split in: a lone block has a range before it and one after it.
pub const PARTS_MIN: usize = 3;
/// The number of the last block of a ring.
const BLOCK_LAST: u64 = u64::MAX / BLOCK_SEQS;

/// Names a block. The order of the fields makes the derived order the canonical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// The ring.
    ring: RingId,
    /// The block's number in its ring: its first seq divided by [`BLOCK_SEQS`].
    block: u64,
}

impl BlockKey {
    /// How many bytes a key has when it travels.
    pub const BYTES: usize = 26;
    /// The first key of all.
    pub const FIRST: BlockKey = BlockKey::made(0, 0, 0, 0);
    /// The last key of all.
    pub const LAST: BlockKey = BlockKey::made(u64::MAX, u16::MAX, u64::MAX, BLOCK_LAST);

    /// A key from its numbers.
    const fn made(epoch: u64, id: u16, incarnation: u64, block: u64) -> BlockKey {
        let leader = Member {
            id: NodeId(id),
            incarnation: Incarnation(incarnation),
        };
        let ring = RingId {
            epoch: Epoch(epoch),
            leader,
        };
        BlockKey { ring, block }
    }

    /// The block that a position falls into.
    pub fn of(position: Position) -> BlockKey {
        BlockKey {
            ring: position.ring,
            block: position.seq.0 / BLOCK_SEQS,
        }
    }

    /// The block of this number in a ring; none if the number is beyond the last.
    pub fn numbered(ring: RingId, block: u64) -> Option<BlockKey> {
        (block <= BLOCK_LAST).then_some(BlockKey { ring, block })
    }

    /// The block's number in its ring.
    pub fn number(self) -> u64 {
        self.block
    }

    /// The block's ring.
    pub fn ring(self) -> RingId {
        self.ring
    }

    /// The first and the last number of the block.
    pub fn seqs(self) -> (Seq, Seq) {
        let first = self.block * BLOCK_SEQS;
        (Seq(first), Seq(first + (BLOCK_SEQS - 1)))
    }

    /// The key as it travels: epoch, leader's id, leader's incarnation, block number; big-endian, so that keys
    /// compare like their bytes.
    pub fn to_bytes(self) -> [u8; BlockKey::BYTES] {
        let mut bytes = [0; BlockKey::BYTES];
        bytes[..8].copy_from_slice(&self.ring.epoch.0.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.ring.leader.id.0.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.ring.leader.incarnation.0.to_be_bytes());
        bytes[18..].copy_from_slice(&self.block.to_be_bytes());
        bytes
    }

    /// Reads a key that travelled; none if its block number is beyond the last.
    pub fn from_bytes(bytes: [u8; BlockKey::BYTES]) -> Option<BlockKey> {
        let number = |range: std::ops::Range<usize>| {
            let fold = |value, &byte: &u8| value << 8 | u64::from(byte);
            bytes[range].iter().fold(0, fold)
        };
        let block = number(18..26);
        let key = BlockKey::made(number(0..8), number(8..10) as u16, number(10..18), block);
        (block <= BLOCK_LAST).then_some(key)
    }

    /// The key right before this one; none before the first.
    fn before(self) -> Option<BlockKey> {
        let (epoch, id) = (self.ring.epoch.0, self.ring.leader.id.0);
        let incarnation = self.ring.leader.incarnation.0;
        if self.block > 0 {
            Some(BlockKey::made(epoch, id, incarnation, self.block - 1))
        } else if incarnation > 0 {
            Some(BlockKey::made(epoch, id, incarnation - 1, BLOCK_LAST))
        } else if id > 0 {
            Some(BlockKey::made(epoch, id - 1, u64::MAX, BLOCK_LAST))
        } else {
            let epoch = epoch.checked_sub(1)?;
            Some(BlockKey::made(epoch, u16::MAX, u64::MAX, BLOCK_LAST))
        }
    }

    /// The key right after this one; none after the last.
    fn after(self) -> Option<BlockKey> {
        let (epoch, id) = (self.ring.epoch.0, self.ring.leader.id.0);
        let incarnation = self.ring.leader.incarnation.0;
        if self.block < BLOCK_LAST {
            Some(BlockKey::made(epoch, id, incarnation, self.block + 1))
        } else if incarnation < u64::MAX {
            Some(BlockKey::made(epoch, id, incarnation + 1, 0))
        } else if id < u16::MAX {
            Some(BlockKey::made(epoch, id + 1, 0, 0))
        } else {
            Some(BlockKey::made(epoch.checked_add(1)?, 0, 0, 0))
        }
    }
}

/// A range of blocks, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first block.
    pub from: BlockKey,
    /// The last block.
    pub to: BlockKey,
}

impl Range {
    /// Whether the range is one block, whose positions can be listed.
    pub fn single_block(self) -> bool {
        self.from == self.to
    }
}

/// What a range holds, in two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many records.
    pub count: u64,
    /// The wrapping sum of their hashes.
    pub hash: u64,
}

impl Summary {
    /// Both together.
    fn and(self, other: &Summary) -> Summary {
        Summary {
            count: self.count + other.count,
            hash: self.hash.wrapping_add(other.hash),
        }
    }
}

/// The digest of a whole replica, in blocks.
///
/// Invariant: no block without a record is kept, so that replicas of equal records have equal digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    blocks: BTreeMap<BlockKey, Summary>,
}

impl Digest {
    /// The range of all blocks there can be.
    pub fn whole() -> Range {
        Range {
            from: BlockKey::FIRST,
            to: BlockKey::LAST,
        }
    }

    /// Adds a record, which must not be in the digest yet.
    pub fn add(&mut self, record: &Record) {
        self.add_hash(record.position, record.hash());
    }

    /// Adds a record whose line is at hand (without its newline).
    pub fn add_line(&mut self, position: Position, line: &[u8]) {
        self.add_hash(position, hash_line(line));
    }

    /// Adds a record by its hash.
    pub fn add_hash(&mut self, position: Position, hash: u64) {
        let summary = self.blocks.entry(BlockKey::of(position)).or_default();
        *summary = summary.and(&Summary { count: 1, hash });
    }

    /// What a block holds; none that is not there.
    pub fn block(&self, key: BlockKey) -> Option<Summary> {
        self.blocks.get(&key).copied()
    }

    /// Puts a block in the place of what is there of it.
    pub fn put(&mut self, key: BlockKey, summary: Summary) {
        assert!(summary.count > 0, "no block without a record is kept");
        self.blocks.insert(key, summary);
    }

    /// Takes a record out, which must be in the digest with this very content.
    pub fn remove(&mut self, record: &Record) {
        let key = BlockKey::of(record.position);
        let summary = self.blocks.get_mut(&key);
        let summary = summary.expect("a record that is taken out of a digest was added before");
        summary.count -= 1;
        summary.hash = summary.hash.wrapping_sub(record.hash());
        if summary.count == 0 {
            assert_eq!(summary.hash, 0, "the records taken out are those that were added");
            self.blocks.remove(&key);
        }
    }

    /// How many records are in the digest.
    pub fn records(&self) -> u64 {
        self.blocks.values().map(|summary| summary.count).sum()
    }

    /// What a range holds. A range that ends before it begins holds nothing.
    pub fn summary(&self, range: Range) -> Summary {
        let blocks = self.blocks_in(range);
        blocks.fold(Summary::default(), |sum, (_, summary)| sum.and(summary))
    }

    /// Splits a range into at most `parts` ranges (but at least [`PARTS_MIN`] are allowed for) that follow each
    /// other and together cover it exactly, each with about as many of the blocks that exist here, and with
    /// what it holds. A block that only the other side has falls into one of them. No part of a range with
    /// several blocks here has all of them, and a lone block becomes a part of its own, so that asking again
    /// and again comes to an end.
    pub fn split(&self, range: Range, parts: usize) -> Vec<(Range, Summary)> {
        let here = self.blocks_in(range).count();
        let ranges = match self.blocks_in(range).next() {
            Some((&only, _)) if here == 1 => around(range, only),
            _ => {
                let size = here.div_ceil(parts.max(PARTS_MIN)).max(1);
                let starts = self.blocks_in(range).map(|(&key, _)| key).step_by(size).skip(1);
                cut(range, starts)
            }
        };
        ranges
            .into_iter()
            .map(|range| (range, self.summary(range)))
            .collect()
    }

    /// The blocks of a range that exist here.
    fn blocks_in(&self, range: Range) -> impl Iterator<Item = (&BlockKey, &Summary)> {
        // A range from a peer may end before it begins, where the map would panic.
        let to = range.to.max(range.from);
        self.blocks
            .range(range.from..=to)
            .filter(move |_| range.from <= range.to)
    }
}

/// Cuts a range before each of these blocks, which are in it, in order, and not its first.
fn cut(range: Range, starts: impl Iterator<Item = BlockKey>) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut from = range.from;
    for start in starts {
        let to = start.before().expect("a block that another one comes before");
        ranges.push(Range { from, to });
        from = start;
    }
    ranges.push(Range { from, to: range.to });
    ranges
}

/// Cuts a range before and after one block in it.
fn around(range: Range, only: BlockKey) -> Vec<Range> {
    let before = only
        .before()
        .filter(|_| only > range.from)
        .map(|to| Range { from: range.from, to });
    let block = Range { from: only, to: only };
    let after = only
        .after()
        .filter(|_| only < range.to)
        .map(|from| Range { from, to: range.to });
    before.into_iter().chain([block]).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn ring(epoch: u64) -> RingId {
        BlockKey::made(epoch, 1, 5, 0).ring
    }

    fn record(epoch: u64, seq: u64) -> Record {
        let sender = ring(epoch).leader;
        Record {
            id: crate::words::MessageId { sender, counter: seq },
            position: Position {
                ring: ring(epoch),
                seq: Seq(seq),
            },
            content: Bytes::from_static(b"{\"from\":1}"),
        }
    }

    fn digest(records: &[(u64, u64)]) -> Digest {
        let mut digest = Digest::default();
        for &(epoch, seq) in records {
            digest.add(&record(epoch, seq));
        }
        digest
    }

    /// All records whose block the puller `mine` finds to differ from `theirs`, by the walk of the module doc.
    fn walk(mine: &Digest, theirs: &Digest, parts: usize) -> (Vec<BlockKey>, usize) {
        let (mut open, mut found, mut questions) = (vec![Digest::whole()], Vec::new(), 0);
        while let Some(range) = open.pop() {
            questions += 1;
            for (part, summary) in theirs.split(range, parts) {
                if summary.count == 0 || summary == mine.summary(part) {
                    continue;
                }
                if part.single_block() {
                    found.push(part.from)
                } else {
                    open.push(part)
                }
            }
        }
        found.sort();
        (found, questions)
    }

    #[test]
    fn the_order_of_adding_does_not_matter_and_removing_undoes_it() {
        let mut some = digest(&[(1, 1), (1, 5000), (2, 3)]);
        assert_eq!(some, digest(&[(2, 3), (1, 5000), (1, 1)]));
        assert_eq!(some.records(), 3);
        some.remove(&record(1, 5000));
        assert_eq!(some, digest(&[(1, 1), (2, 3)]));
        let mut by_line = Digest::default();
        by_line.add_line(record(1, 1).position, &record(1, 1).line());
        assert_eq!(by_line, digest(&[(1, 1)]));
    }

    #[test]
    #[should_panic(expected = "was added before")]
    fn taking_out_what_is_not_there_is_a_bug() {
        digest(&[(1, 1)]).remove(&record(1, 1024));
    }

    #[test]
    fn parts_cover_the_range_exactly_and_hold_what_it_holds() {
        let records: Vec<(u64, u64)> = (0..40)
            .map(|i| (1 + i % 3, i * 700))
            .chain([(9, u64::MAX)])
            .collect();
        let digest = digest(&records);
        for parts in 0..50 {
            let split = digest.split(Digest::whole(), parts);
            assert!(split.len() <= parts.max(PARTS_MIN), "{parts}");
            assert_eq!(split[0].0.from, BlockKey::FIRST);
            assert_eq!(split[split.len() - 1].0.to, BlockKey::LAST);
            for pair in split.windows(2) {
                assert_eq!(pair[0].0.to.after(), Some(pair[1].0.from));
            }
            assert_eq!(split.iter().map(|(_, summary)| summary.count).sum::<u64>(), 41);
        }
    }

    #[test]
    fn the_walk_finds_every_block_the_other_has_more_of() {
        let theirs: Vec<(u64, u64)> = (0..30_000)
            .map(|i| (1, i))
            .chain((0..50).map(|ring| (2 + ring, 1)))
            .collect();
        let lacks =
            |&&(epoch, seq): &&(u64, u64)| !(epoch == 1 && (2000..2010).contains(&seq)) && epoch != 40;
        let mine: Vec<(u64, u64)> = theirs.iter().filter(lacks).copied().collect();
        let (mine, theirs) = (digest(&mine), digest(&theirs));
        let expected = [
            BlockKey::of(record(1, 2000).position),
            BlockKey::of(record(40, 1).position),
        ];
        for parts in [0, 3, 4, 16, 1000] {
            assert_eq!(walk(&mine, &theirs, parts).0, expected, "{parts} parts");
        }
        assert!(walk(&mine, &theirs, 16).1 <= 6);
        assert_eq!(walk(&theirs, &theirs, 16), (vec![], 1));
        assert_eq!(walk(&mine, &Digest::default(), 16), (vec![], 1));
        assert_eq!(walk(&Digest::default(), &digest(&[(3, 3)]), 16).0.len(), 1);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_holds_nothing() {
        let backwards = Range {
            from: BlockKey::LAST,
            to: BlockKey::FIRST,
        };
        let digest = digest(&[(1, 1)]);
        assert_eq!(digest.summary(backwards), Summary::default());
        assert_eq!(digest.split(backwards, 4), [(backwards, Summary::default())]);
    }

    #[test]
    fn keys_travel_in_order_and_step_over_their_borders() {
        let keys = [
            BlockKey::FIRST,
            BlockKey::made(0, 0, 0, BLOCK_LAST),
            BlockKey::made(0, 0, 1, 0),
            BlockKey::made(0, 0, u64::MAX, BLOCK_LAST),
            BlockKey::made(0, 1, 0, 0),
            BlockKey::made(0, u16::MAX, u64::MAX, BLOCK_LAST),
            BlockKey::made(1, 0, 0, 0),
            BlockKey::LAST,
        ];
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes());
        }
        for key in keys {
            assert_eq!(BlockKey::from_bytes(key.to_bytes()), Some(key));
            assert_eq!(key.after().and_then(BlockKey::before), key.after().map(|_| key));
        }
        assert_eq!((BlockKey::FIRST.before(), BlockKey::LAST.after()), (None, None));
        assert_eq!(BlockKey::from_bytes([0xff; BlockKey::BYTES]), None);
        assert_eq!(BlockKey::LAST.seqs().1, Seq(u64::MAX));
    }

    #[test]
    fn a_lone_block_is_cut_out_of_its_range_wherever_it_stands() {
        let only = BlockKey::of(record(3, 5000).position);
        let digest = digest(&[(3, 5000), (3, 5001)]);
        let (before, after) = (only.before().unwrap(), only.after().unwrap());
        let split = |from, to| {
            let parts = digest.split(Range { from, to }, 16);
            let counted = parts
                .into_iter()
                .map(|(part, summary)| (part.from, part.to, summary.count));
            counted.collect::<Vec<_>>()
        };
        let (first, last) = (BlockKey::FIRST, BlockKey::LAST);
        let lone = (only, only, 2);
        assert_eq!(split(first, last), [(first, before, 0), lone, (after, last, 0)]);
        assert_eq!(split(only, last), [lone, (after, last, 0)]);
        assert_eq!(split(first, only), [(first, before, 0), lone]);
        assert_eq!(split(only, only), [lone]);
        assert_eq!(
            split(before, after),
            [(before, before, 0), lone, (after, after, 0)]
        );
    }
}
