//! The books of a replica: what a start has to know of the lines before a checkpoint without reading them.
//!
//! A log of sealed lines. For each block of 1,024 numbers that changed since the checkpoint before, how many records it has,
//! the sum of their hashes, and where in the file they lie; then a mark, which says up to where all of that holds:
//!
//! ```json
//! {"v":1,"block":12,"ring":"4.1.1763680000000000","count":1024,"hash":"9f3a61c29f3a61c2","extents":[[0,345600]],"sum":"…"}
//! {"v":1,"mark":7,"generation":0,"length":345600,"digest":"9f3a61c2","out_of_order":0,
//!  "present":[{"ring":"4.1.1763680000000000","ranges":[[12288,13311]]}],
//!  "ids":[{"sender":"3-1763680000000000","ranges":[[1,1024]]}],"sum":"…"}
//! ```
//! each on one line. A later line of a block replaces the earlier one. What no mark follows is not believed.

use serde::{Deserialize, Serialize};

use super::seal::{SealError, seal, unseal};
use super::snapshot::{Written, by_ring, foreign, positions};
use crate::replica::digest::{BlockKey, Summary};
use crate::replica::{IdSet, PositionSet};
use crate::words::{Incarnation, Member, NodeId};

/// The version of the format.
const VERSION: u64 = 1;

/// One block of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which.
    pub key: BlockKey,
    /// How many records it has, and the sum of their hashes.
    pub summary: Summary,
    /// Where they lie: first byte, and the byte after the last.
    pub extents: Vec<(u64, u64)>,
}

/// What holds at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// How often the replica had been written anew.
    pub generation: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The CRC-32 of these bytes.
    pub digest: u32,
    /// Records that stand behind one that belongs behind them.
    pub out_of_order: u64,
    /// All positions in it.
    pub present: PositionSet,
    /// All ids in it.
    pub ids: IdSet,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A block that changed.
    Block(Block),
    /// All before this holds.
    Mark(Box<Mark>),
}

#[derive(Serialize, Deserialize)]
struct BlockLine {
    v: u64,
    block: u64,
    ring: String,
    count: u64,
    hash: String,
    extents: Vec<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct MarkLine {
    v: u64,
    mark: u64,
    generation: u64,
    length: u64,
    digest: String,
    out_of_order: u64,
    present: Vec<Written>,
    ids: Vec<Said>,
}

/// What is there of one life: first and last counter of each range.
#[derive(Serialize, Deserialize)]
struct Said {
    sender: String,
    ranges: Vec<(u64, u64)>,
}

impl Entry {
    /// The line, with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        match self {
            Entry::Block(block) => seal(&BlockLine {
                v: VERSION,
                block: block.key.number(),
                ring: block.key.ring().to_string(),
                count: block.summary.count,
                hash: format!("{:016x}", block.summary.hash),
                extents: block.extents.clone(),
            }),
            Entry::Mark(mark) => seal(&MarkLine {
                v: VERSION,
                mark: mark.checkpoint,
                generation: mark.generation,
                length: mark.length,
                digest: format!("{:08x}", mark.digest),
                out_of_order: mark.out_of_order,
                present: by_ring(&mark.present),
                ids: by_sender(&mark.ids),
            }),
        }
    }

    /// Reads a line, given with or without its newline.
    pub fn from_line(line: &[u8]) -> Result<Entry, SealError> {
        if line.starts_with(b"{\"v\":1,\"mark\":") {
            return mark(unseal(line, VERSION)?);
        }
        let read: BlockLine = unseal(line, VERSION)?;
        let ring = read.ring.parse().map_err(|_| foreign("ring", &read.ring))?;
        let key = BlockKey::numbered(ring, read.block).ok_or_else(|| foreign("block", &read.ring))?;
        let hash = u64::from_str_radix(&read.hash, 16).map_err(|_| foreign("hash", &read.hash))?;
        let sound = read.count > 0 && read.extents.iter().all(|(start, end)| start < end);
        if !sound {
            return Err(foreign("block", &read.hash));
        }
        Ok(Entry::Block(Block {
            key,
            summary: Summary {
                count: read.count,
                hash,
            },
            extents: read.extents,
        }))
    }
}

fn mark(read: MarkLine) -> Result<Entry, SealError> {
    let digest = u32::from_str_radix(&read.digest, 16).map_err(|_| foreign("digest", &read.digest))?;
    let mut ids = IdSet::new();
    for said in &read.ids {
        let sender = sender(&said.sender)?;
        for (first, last) in &said.ranges {
            ids.insert_range(sender, *first, *last);
        }
    }
    Ok(Entry::Mark(Box::new(Mark {
        checkpoint: read.mark,
        generation: read.generation,
        length: read.length,
        digest,
        out_of_order: read.out_of_order,
        present: positions(&read.present)?,
        ids,
    })))
}

fn by_sender(ids: &IdSet) -> Vec<Said> {
    let said = ids.senders().map(|(member, counters)| Said {
        sender: format!("{}-{}", member.id, member.incarnation),
        ranges: counters.ranges().collect(),
    });
    said.collect()
}

fn sender(text: &str) -> Result<Member, SealError> {
    let parts = text.split_once('-');
    let member = parts.and_then(|(id, incarnation)| {
        let (id, incarnation) = (id.parse().ok()?, incarnation.parse().ok()?);
        (id > 0).then_some(Member {
            id: NodeId(id),
            incarnation: Incarnation(incarnation),
        })
    });
    member.ok_or_else(|| foreign("sender", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{MessageId, samples};

    fn block() -> Block {
        Block {
            key: BlockKey::of(samples::at(4, 12_300)),
            summary: Summary {
                count: 3,
                hash: 0x00ab_cdef,
            },
            extents: vec![(0, 345_600), (900_000, 900_100)],
        }
    }

    fn mark() -> Mark {
        let sender = samples::ring(4).leader;
        let mut ids = IdSet::new();
        [1, 2, 9].into_iter().for_each(|counter| {
            ids.insert(MessageId { sender, counter });
        });
        Mark {
            checkpoint: 7,
            generation: 2,
            length: 900_100,
            digest: 0x0012_3456,
            out_of_order: 1,
            present: [1, 2, 12_300]
                .into_iter()
                .map(|seq| samples::at(4, seq))
                .collect(),
            ids,
        }
    }

    #[test]
    fn lines_come_back_and_their_format_stands() {
        for entry in [Entry::Block(block()), Entry::Mark(Box::new(mark()))] {
            let line = entry.to_line();
            assert!(line.ends_with(b"\n"));
            assert_eq!(Entry::from_line(&line), Ok(entry));
        }
        let line = String::from_utf8(Entry::Block(block()).to_line()).unwrap();
        assert!(
            line.starts_with(
                "{\"v\":1,\"block\":12,\"ring\":\"4.1.9\",\"count\":3,\"hash\":\"0000000000abcdef\",\
                 \"extents\":[[0,345600],[900000,900100]],"
            ),
            "{line}"
        );
        let line = String::from_utf8(Entry::Mark(Box::new(mark())).to_line()).unwrap();
        assert!(
            line.starts_with(
                "{\"v\":1,\"mark\":7,\"generation\":2,\"length\":900100,\"digest\":\"00123456\",\"out_of_order\":1,\
                 \"present\":[{\"ring\":\"4.1.9\",\"ranges\":[[1,2],[12300,12300]]}],\
                 \"ids\":[{\"sender\":\"1-9\",\"ranges\":[[1,2],[9,9]]}],"
            ),
            "{line}"
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for entry in [Entry::Block(block()), Entry::Mark(Box::new(mark()))] {
            let line = entry.to_line();
            for bit in 0..8 * (line.len() - 1) {
                let mut flipped = line.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Entry::from_line(&flipped).is_err(), "bit {bit}");
            }
            for end in 0..line.len() - 1 {
                assert!(Entry::from_line(&line[..end]).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let empty = Block {
            summary: Summary { count: 0, hash: 0 },
            ..block()
        };
        let backwards = Block {
            extents: vec![(9, 9)],
            ..block()
        };
        for block in [empty, backwards] {
            assert!(Entry::from_line(&Entry::Block(block).to_line()).is_err());
        }
        assert_eq!(sender("3-17").map(|member| member.id), Ok(NodeId(3)));
        for text in ["", "3", "0-1", "x-1", "3-x", "65536-1"] {
            assert!(sender(text).is_err(), "{text}");
        }
    }
}
