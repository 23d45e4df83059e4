//! The replica file of a running node: appending, reading by position, rewriting in canonical order.
//!
//! No record is kept in memory: compact sets say what the file holds, the index says where to read.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::Appended;
use super::books::block_of;
use super::files::{AppendFile, Doing, FileError, FileSystem, Replacement};
use super::index::{Extent, Index, blocks_between};
use super::lines::{for_each_line, for_each_record};
use super::survey::Survey;
use crate::bugs::{self, Bug};
use crate::checkpoint::books::{Block, Mark};
use crate::node::face::{Load, Moved};
use crate::replica::digest::BlockKey;
use crate::replica::record::hash_line;
use crate::replica::{ById, Digest, IdSet, PositionSet, Record};
use crate::words::{Epoch, MessageId, NodeId, Position, Seq};

/// About what a line has beside its content.
const LINE_BYTES_MORE: usize = 160;
/// A rewrite holds about this much of the file in memory at once.
const REWRITE_BYTES: usize = 4 << 20;

/// A replica file with what is known of it.
pub struct ReplicaFile<S: FileSystem> {
    file: AppendFile<S>,
    sum: crc32fast::Hasher,
    index: Index,
    ids: IdSet,
    /// Every position in the file, but for those given up for a lower one.
    present: PositionSet,
    /// In the file, but discarded from the state by a rollback and not recovered.
    discarded: PositionSet,
    /// The file has lines of records that were given up for a lower position.
    has_given_up: bool,
    /// The digest of what is present; not right while something is given up.
    digest: Digest,
    /// Blocks that changed since the books were written.
    changed: BTreeSet<BlockKey>,
    order: Order,
}

/// What stands in the file where it does not belong.
#[derive(Clone, Copy, Default)]
struct Order {
    highest: Option<Position>,
    out_of_order: u64,
}

impl Order {
    /// A record stands behind all others.
    fn add(&mut self, position: Position) {
        self.out_of_order += u64::from(Some(position) < self.highest);
        self.highest = self.highest.max(Some(position));
    }
}

/// What an append does, step by step, once its bytes are in the file.
enum Step {
    /// A record lies here, and its line has this hash.
    Wrote(MessageId, Position, Extent, u64),
    /// The record at this position was given up for a lower one.
    GaveUp(Position),
    /// The file had this record already; if it was discarded from the state, it is back.
    Had(Position),
}

impl<S: FileSystem> ReplicaFile<S> {
    /// Opens a repaired file for appending. Of what the survey found, only `state` is in the state.
    pub fn open(
        system: &S,
        path: &Path,
        survey: Survey,
        state: &PositionSet,
    ) -> Result<ReplicaFile<S>, FileError> {
        Ok(ReplicaFile {
            file: AppendFile::open(system, path)?,
            discarded: survey.present.difference(state),
            sum: survey.sum,
            index: survey.index,
            ids: survey.ids,
            present: survey.present,
            has_given_up: false,
            digest: survey.digest,
            changed: survey.changed,
            order: Order {
                highest: survey.highest,
                out_of_order: survey.out_of_order,
            },
        })
    }

    /// Every position in the file that counts.
    pub fn present(&self) -> &PositionSet {
        &self.present
    }

    /// What of it is not in the state.
    pub fn discarded(&self) -> &PositionSet {
        &self.discarded
    }

    /// Every id in the file.
    pub fn ids(&self) -> &IdSet {
        &self.ids
    }

    /// Its length in bytes and the CRC-32 of them.
    pub fn length_and_sum(&self) -> (u64, u32) {
        (self.file.length(), self.sum.clone().finalize())
    }

    /// What the books are to say of it now, but for the checkpoint's number: all blocks, or those that changed since the last
    /// time. None while they would not be right.
    pub fn books(&self, all: bool, generation: u64, checkpoint: u64) -> Option<(Vec<Block>, Mark)> {
        if self.has_given_up {
            return None;
        }
        let (length, digest) = self.length_and_sum();
        let block = |key| block_of(key, &self.digest, &self.index);
        let blocks = match all {
            true => self.index.blocks().filter_map(block).collect(),
            false => self.changed.iter().copied().filter_map(block).collect(),
        };
        let mark = Mark {
            checkpoint,
            generation,
            length,
            digest,
            out_of_order: self.order.out_of_order,
            present: self.present.clone(),
            ids: self.ids.clone(),
        };
        Some((blocks, mark))
    }

    /// The books were written.
    pub fn is_booked(&mut self) {
        self.changed.clear();
    }

    /// Appends records with one write; if it fails, none is kept. A record that the file has is not written
    /// again; of a message at two positions the lower one is kept.
    pub fn append(&mut self, records: &[Record]) -> Result<Appended, FileError> {
        let mut known = self.positions_of_known(records)?;
        let length = |record: &Record| record.content.len() + LINE_BYTES_MORE;
        let mut bytes = Vec::with_capacity(records.iter().map(length).sum());
        let (mut steps, mut hashes) = (
            Vec::with_capacity(records.len()),
            Vec::with_capacity(records.len()),
        );
        let mut moved = Vec::new();
        for record in records {
            let (id, new) = (record.id, record.position);
            let old = known.get(id).copied();
            match old {
                Some(old) if old <= new => {
                    steps.push(Step::Had(old));
                    hashes.push(record.hash());
                    if old < new {
                        moved.push(Moved {
                            id,
                            from: new,
                            to: old,
                        });
                    }
                    continue;
                }
                Some(old) => {
                    steps.push(Step::GaveUp(old));
                    moved.push(Moved {
                        id,
                        from: old,
                        to: new,
                    });
                }
                None if self.present.contains(new) => {
                    steps.push(Step::Had(new));
                    hashes.push(record.hash());
                    continue;
                }
                None => {}
            }
            let start = self.file.length() + bytes.len() as u64;
            record.write_line(&mut bytes);
            let end = self.file.length() + bytes.len() as u64;
            let line = &bytes[(start - self.file.length()) as usize..bytes.len() - 1];
            let hash = hash_line(line);
            hashes.push(hash);
            steps.push(Step::Wrote(id, new, Extent { start, end }, hash));
            known.insert(id, new);
        }
        self.file.append(&bytes)?;
        self.sum.update(&bytes);
        steps.into_iter().for_each(|step| self.apply(step));
        Ok(Appended { moved, hashes })
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wrote(id, position, extent, hash) => {
                self.ids.insert(id);
                self.present.insert(position);
                self.discarded.remove(position);
                self.index.add(position, extent);
                self.digest.add_hash(position, hash);
                self.changed.insert(BlockKey::of(position));
                self.order.add(position);
            }
            Step::GaveUp(position) => {
                self.present.remove(position);
                self.discarded.remove(position);
                self.has_given_up = true;
            }
            Step::Had(position) => {
                self.discarded.remove(position);
            }
        }
    }

    /// Where the file has messages that are to be appended. Reads the whole file, but only when a message comes
    /// under a position that the file lacks although it has the message: that is rare.
    fn positions_of_known(&self, records: &[Record]) -> Result<ById<Position>, FileError> {
        let mut known = ById::new();
        let strange =
            |record: &&Record| self.ids.contains(record.id) && !self.present.contains(record.position);
        let looked_for: Vec<MessageId> = records.iter().filter(strange).map(|record| record.id).collect();
        if !looked_for.is_empty() {
            for_each_record::<FileError>(self.file.system(), self.file.path(), Extent::ALL, |found, _| {
                if looked_for.contains(&found.id) && self.present.contains(found.position) {
                    known.insert(found.id, found.position);
                }
                Ok(())
            })?;
        }
        Ok(known)
    }

    /// Makes what was appended durable.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync()
    }

    /// The records wanted that are in the state, in canonical order, up to about as many bytes as asked for.
    pub fn load(&self, load: &Load) -> Result<Vec<Record>, FileError> {
        let there = self.present.difference(&self.present.difference(&load.wanted));
        let wanted = there.difference(&self.discarded);
        let mut lowest = Lowest::new(load.bytes_max);
        for block in blocks_of(&wanted) {
            if lowest.is_full() {
                break;
            }
            self.read_block(
                block,
                |position| wanted.contains(position),
                |record| lowest.offer(record),
            )?;
        }
        Ok(lowest.into_records())
    }

    /// The newest records in the state that are wanted, in canonical order. Reads backwards until there are enough, and
    /// holds no more than those.
    pub fn last_records(
        &self,
        count: usize,
        before: Option<Position>,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Vec<Record>, FileError> {
        let mut newest = BTreeMap::new();
        let is_before = |position| before.is_none_or(|before| position < before);
        let last = before.map(BlockKey::of);
        let blocks = self.index.blocks().rev();
        for block in blocks.skip_while(|block| last.is_some_and(|last| *block > last)) {
            if newest.len() >= count {
                break;
            }
            let mut of_block = BTreeMap::new();
            let in_state = |position| {
                is_before(position) && self.present.contains(position) && !self.discarded.contains(position)
            };
            self.read_block(block, in_state, |record| {
                if wanted(&record) {
                    of_block.insert(record.position, record);
                }
                while newest.len() + of_block.len() > count {
                    of_block.pop_first();
                }
            })?;
            newest.extend(of_block);
        }
        Ok(newest.into_values().collect())
    }

    /// The records in the state of this number: one, or one of each half if the network was split.
    pub fn find(&self, seq: Seq, ring: Option<(Epoch, NodeId)>) -> Result<Vec<Record>, FileError> {
        let is_it = |position: &Position| {
            ring.is_none_or(|(epoch, leader)| {
                position.ring.epoch == epoch && position.ring.leader.id == leader
            })
        };
        let hit = |(ring, first, last)| (first <= seq && seq <= last).then_some(Position { ring, seq });
        let wanted = self.present.ranges().filter_map(hit).filter(is_it).collect();
        let bytes_max = usize::MAX;
        self.load(&Load { wanted, bytes_max })
    }

    /// Passes on the records of a block whose positions are wanted, in the order of the file.
    fn read_block(
        &self,
        block: BlockKey,
        wanted: impl Fn(Position) -> bool,
        mut to: impl FnMut(Record),
    ) -> Result<(), FileError> {
        for extent in self.index.of(block) {
            for_each_line::<FileError>(self.file.system(), self.file.path(), *extent, |line| {
                match line.judge(Record::parse(line.bytes)) {
                    Ok(found) => {
                        let here = BlockKey::of(found.position) == block && wanted(found.position);
                        here.then(|| to(found));
                    }
                    // The scrub has not come here yet, or the damage came after it, as by a failing disk.
                    Err(error) => log::warn!(
                        "{}, byte {}: {error}; it is repaired in the background, or at the next start",
                        self.file.path().display(),
                        line.offset
                    ),
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether the file has lines that no longer count.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    /// Writes the file anew, without what was given up: the records up to the cut in canonical order, the others
    /// after them as they come. Without a cut all are left where they are. Memory is bounded; the old file stays in
    /// place until the new one is whole. `before_swap` is called when it is, just before it takes the old one's place.
    /// A file that was damaged since the start stays as it is, which is an error: a start sets the damage aside,
    /// and has what is missing filled in again.
    pub fn rewrite(
        &mut self,
        cut: Option<Position>,
        before_swap: impl FnOnce() -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let path = self.file.path().to_path_buf();
        let mut anew = Anew::begin(self.file.system(), &path)?;
        if let Some(cut) = cut {
            let blocks = self.index.blocks();
            for block in blocks.take_while(|block| *block <= BlockKey::of(cut)) {
                self.sort_block(block, cut, &mut anew)?;
            }
        }
        for_each_record::<FileError>(self.file.system(), &path, Extent::ALL, |found, line| {
            if Some(found.position) > cut && self.present.contains(found.position) {
                anew.write(found.position, line.bytes)?;
            }
            Ok(())
        })?;
        let (path, lost) = (&path, self.present.len().saturating_sub(anew.records));
        if lost > 0 && !bugs::on(Bug::DamageRewritten) {
            let reason =
                format!("{lost} records were damaged since the start; start this node again to repair it");
            return Err(FileError::at(path, Doing::Read)(io::Error::other(reason)));
        }
        anew.replacement.flush()?;
        before_swap()?;
        self.file = anew.replacement.finish_and_append()?;
        self.sum = anew.sum;
        self.index = anew.index;
        self.digest = anew.digest;
        self.order = anew.order;
        self.has_given_up = false;
        assert_eq!(
            self.file.length(),
            anew.length,
            "the new file is what was written"
        );
        Ok(())
    }

    /// Writes the records of a block up to the cut in canonical order, a bounded part of them at a time.
    fn sort_block(&self, block: BlockKey, cut: Position, anew: &mut Anew<S>) -> Result<(), FileError> {
        let mut done: Option<Position> = None;
        loop {
            let next = |position| {
                self.present.contains(position) && position <= cut && done.is_none_or(|done| position > done)
            };
            let mut lowest = Lowest::new(REWRITE_BYTES);
            self.read_block(block, next, |record| lowest.offer(record))?;
            let more = lowest.is_full();
            for record in lowest.into_records() {
                anew.write(record.position, &record.line())?;
                done = Some(record.position);
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// The blocks that a set of positions touches, in canonical order, each once.
fn blocks_of(positions: &PositionSet) -> impl Iterator<Item = BlockKey> + '_ {
    let mut last = None;
    positions
        .ranges()
        .flat_map(|(ring, first, end)| {
            blocks_between(Position { ring, seq: first }, Position { ring, seq: end })
        })
        .filter(move |block| last.replace(*block) != Some(*block))
}

/// Keeps the lowest records of those offered, as many as fit a number of bytes, and at least one.
struct Lowest {
    records: BTreeMap<Position, Record>,
    bytes: usize,
    bytes_max: usize,
    refused: bool,
}

impl Lowest {
    fn new(bytes_max: usize) -> Lowest {
        Lowest {
            records: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            refused: false,
        }
    }

    fn offer(&mut self, record: Record) {
        self.bytes += record.content.len();
        if let Some(same) = self.records.insert(record.position, record) {
            self.bytes -= same.content.len();
        }
        while self.bytes > self.bytes_max && self.records.len() > 1 {
            let highest = self.records.pop_last();
            self.bytes -= highest.map_or(0, |(_, record)| record.content.len());
            self.refused = true;
        }
    }

    /// Whether there may be more than what was kept.
    fn is_full(&self) -> bool {
        self.refused || self.bytes >= self.bytes_max
    }

    fn into_records(self) -> Vec<Record> {
        self.records.into_values().collect()
    }
}

/// A new version of the file, growing.
struct Anew<S: FileSystem> {
    replacement: Replacement<S>,
    sum: crc32fast::Hasher,
    index: Index,
    digest: Digest,
    order: Order,
    length: u64,
    records: u64,
}

impl<S: FileSystem> Anew<S> {
    fn begin(system: &S, path: &Path) -> Result<Anew<S>, FileError> {
        Ok(Anew {
            replacement: Replacement::begin(system, path)?,
            sum: crc32fast::Hasher::new(),
            index: Index::default(),
            digest: Digest::default(),
            order: Order::default(),
            length: 0,
            records: 0,
        })
    }

    fn write(&mut self, position: Position, line: &[u8]) -> Result<(), FileError> {
        for bytes in [line, b"\n"] {
            self.replacement.write(bytes)?;
            self.sum.update(bytes);
        }
        let start = self.length;
        self.records += 1;
        self.length += line.len() as u64 + 1;
        let end = self.length;
        self.index.add(position, Extent { start, end });
        self.digest.add_line(position, line);
        self.order.add(position);
        Ok(())
    }
}
