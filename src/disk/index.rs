//! Where in the replica file the records of a block lie.
//!
//! A block is that of the digests: 1,024 consecutive numbers of one ring. Its records lie close together, because they were
//! delivered together; so a few extents say where to read, and memory is a small fraction of an index by
//! record. What is read beyond the block is filtered out by its reader.

use std::collections::BTreeMap;

use crate::replica::digest::{BLOCK_SEQS, BlockKey};
use crate::words::{Position, Seq};

/// Extents closer than this become one: reading on is cheaper than another seek, and memory is saved.
const JOIN_BYTES: u64 = 64 * 1024;

/// A part of the file: bytes `start..end`, whole lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first byte.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
}

impl Extent {
    /// The whole of a file, however long.
    pub const ALL: Extent = Extent {
        start: 0,
        end: u64::MAX,
    };
}

/// The blocks from that of `first` to that of `last`, which are of one ring.
pub fn blocks_between(first: Position, last: Position) -> impl Iterator<Item = BlockKey> {
    assert_eq!(first.ring, last.ring, "blocks are of one ring");
    let ring = first.ring;
    let numbers = first.seq.0 / BLOCK_SEQS..=last.seq.0 / BLOCK_SEQS;
    numbers.map(move |number| {
        let seq = Seq(number * BLOCK_SEQS);
        BlockKey::of(Position { ring, seq })
    })
}

/// The extents of all blocks, in canonical order.
#[derive(Clone, Debug, Default)]
pub struct Index {
    blocks: BTreeMap<BlockKey, Vec<Extent>>,
}

impl Index {
    /// Notes where a record lies. Records come in the order of the file.
    pub fn add(&mut self, position: Position, extent: Extent) {
        let extents = self.blocks.entry(BlockKey::of(position)).or_default();
        match extents.last_mut() {
            Some(last) if extent.start < last.end + JOIN_BYTES => {
                assert!(extent.end >= last.end, "records come in the order of the file");
                last.end = extent.end;
            }
            _ => extents.push(extent),
        }
    }

    /// Puts the extents of a whole block in the place of what is known of it.
    pub fn put(&mut self, block: BlockKey, extents: Vec<Extent>) {
        self.blocks.insert(block, extents);
    }

    /// Whether all extents end at or before this byte.
    pub fn ends_within(&self, length: u64) -> bool {
        self.blocks.values().flatten().all(|extent| extent.end <= length)
    }

    /// Where records of a block lie.
    pub fn of(&self, block: BlockKey) -> &[Extent] {
        self.blocks.get(&block).map_or(&[], Vec::as_slice)
    }

    /// All blocks in canonical order.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = BlockKey> {
        self.blocks.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples;

    fn at(seq: u64) -> Position {
        samples::at(1, seq)
    }

    #[test]
    fn near_records_share_an_extent_and_far_ones_do_not() {
        let mut index = Index::default();
        index.add(at(1), Extent { start: 0, end: 100 });
        index.add(at(2), Extent { start: 200, end: 300 });
        index.add(at(2000), Extent { start: 300, end: 400 });
        index.add(
            at(3),
            Extent {
                start: 200_000,
                end: 200_100,
            },
        );
        assert_eq!(index.blocks().count(), 2);
        let expected = [
            Extent { start: 0, end: 300 },
            Extent {
                start: 200_000,
                end: 200_100,
            },
        ];
        assert_eq!(index.of(BlockKey::of(at(1023))), expected);
        assert_eq!(
            index.of(BlockKey::of(at(1024))),
            [Extent { start: 300, end: 400 }]
        );
        assert_eq!(blocks_between(at(1023), at(2048)).count(), 3);
    }
}
