//! What files at rest hold together, to be served to live nodes; and what came from live nodes, to be merged.
//!
//! The merged records lie in scratch space in canonical order, so that where a block lies is one range. Memory
//! grows with blocks and holes, a thousandth of the history.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::spool::FileScratch;
use crate::reconcile::{Scratch, Sink, Sorted};
use crate::replica::digest::{BlockKey, Digest};
use crate::replica::record::RecordView;
use crate::replica::{PositionSet, Scan};
use crate::words::Position;

/// How much is gathered before it goes to scratch space.
const APPEND_BYTES: usize = 256 * 1024;

/// Records that came from live nodes, sorted.
pub struct Pulled {
    /// The records.
    pub sorted: Sorted<FileScratch>,
    /// How many they are.
    pub records: u64,
}

/// The merged records of all files at rest: a merge's sink.
pub struct Rest {
    held: PositionSet,
    digest: Digest,
    scratch: FileScratch,
    /// Where each block lies.
    blocks: BTreeMap<BlockKey, Range<u64>>,
    pending: Vec<u8>,
}

impl Rest {
    /// Nothing yet.
    pub fn new(scratch: FileScratch) -> Rest {
        Rest {
            held: PositionSet::new(),
            digest: Digest::default(),
            scratch,
            blocks: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// Which positions there are.
    pub fn held(&self) -> &PositionSet {
        &self.held
    }

    /// The digest of the records.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// All is merged.
    pub fn finish(&mut self) -> io::Result<()> {
        self.scratch.append(&self.pending)?;
        self.pending = Vec::new();
        Ok(())
    }

    /// The lines of these positions that are here, in canonical order, as many as fit so many bytes, and at least
    /// one if there is one.
    pub fn load(&self, wanted: &PositionSet, bytes_max: usize) -> io::Result<Vec<Bytes>> {
        let there = self.held.difference(&self.held.difference(wanted));
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut last = None;
        for (ring, first, end) in there.ranges() {
            let [first, end] = [first, end].map(|seq| BlockKey::of(Position { ring, seq }));
            for (block, range) in self.blocks.range(first..=end) {
                // Two intervals of one block were both found when it was read first.
                if last.replace(*block) == Some(*block) {
                    continue;
                }
                let mut scan = Scan::new(self.scratch.section(range.clone())?);
                while let Some(raw) = scan.next_raw()? {
                    let position = RecordView::parse(raw.bytes).map(|view| view.position);
                    if !position.is_ok_and(|position| there.contains(position)) {
                        continue;
                    }
                    if bytes + raw.bytes.len() > bytes_max && !lines.is_empty() {
                        return Ok(lines);
                    }
                    bytes += raw.bytes.len();
                    lines.push(Bytes::copy_from_slice(raw.bytes));
                }
            }
        }
        Ok(lines)
    }
}

impl Sink for Rest {
    fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        let view = RecordView::parse(line).map_err(|error| io::Error::other(error.to_string()))?;
        let position = view.position;
        let start = self.scratch.length() + self.pending.len() as u64;
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        let end = start + line.len() as u64 + 1;
        self.blocks
            .entry(BlockKey::of(position))
            .or_insert(start..end)
            .end = end;
        if self.held.insert(position) {
            self.digest.add_line(position, line);
        }
        if self.pending.len() >= APPEND_BYTES {
            self.scratch.append(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    fn set_aside(&mut self, _replica: usize, _line: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Record;
    use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, RingId, Seq};

    fn record(seq: u64) -> Record {
        let sender = Member {
            id: NodeId(1),
            incarnation: Incarnation(9),
        };
        let ring = RingId {
            epoch: Epoch(4),
            leader: sender,
        };
        let id = MessageId { sender, counter: seq };
        let position = Position { ring, seq: Seq(seq) };
        Record::new(id, position, Bytes::from_static(b"{\"from\":1}")).unwrap()
    }

    #[test]
    fn records_are_found_again_by_position_within_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut rest = Rest::new(FileScratch::new(folder.path(), &indicatif::ProgressBar::hidden()));
        for seq in (0..5_000).filter(|seq| seq % 10 > 0) {
            rest.keep(&record(seq).line()).unwrap();
        }
        rest.finish().unwrap();
        assert_eq!(rest.digest().records(), 4_500);
        let ring = record(1).position.ring;
        let mut wanted = PositionSet::new();
        wanted.insert_range(ring, Seq(1_019), Seq(1_031));
        wanted.insert_range(ring, Seq(4_998), Seq(u64::MAX));
        let expected: Vec<Bytes> = [
            1_019, 1_021, 1_022, 1_023, 1_024, 1_025, 1_026, 1_027, 1_028, 1_029,
        ]
        .into_iter()
        .chain([1_031, 4_998, 4_999])
        .map(|seq| record(seq).line().into())
        .collect();
        assert_eq!(rest.load(&wanted, usize::MAX).unwrap(), expected);
        assert_eq!(rest.load(&wanted, 1).unwrap(), expected[..1]);
        assert!(rest.load(&PositionSet::new(), 100).unwrap().is_empty());
    }
}
