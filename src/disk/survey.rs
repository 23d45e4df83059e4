//! The survey: what a replica file holds and what is wrong with it, found in one reading from end to end.
//!
//! Memory grows with holes and damage, not with history. Nothing is changed here; `repair` does that. With books of the
//! replica only what was appended since them is read; what lies before is read in the background, by `scrub`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::DiskError;
use super::books::Books;
use super::files::{self, FileError, FileSystem};
use super::index::{Extent, Index};
use super::lines::{extent_of, for_each_line, for_each_record, record_in};
use crate::bugs::{self, Bug};
use crate::checkpoint::Snapshot;
use crate::replica::digest::BlockKey;
use crate::replica::record::{RecordError, RecordView, VERSION, hash_line};
use crate::replica::scan::RawLine;
use crate::replica::{Content, Digest, IdSet, PositionSet};
use crate::words::{Epoch, Incarnation, MessageId, NodeId, Position, Seq};

/// Rooms remembered from records after the checkpoint; more would be no help to anybody.
const ROOMS_MAX: usize = 256;

/// From where a survey looks at a replica.
#[derive(Clone, Copy)]
pub struct Viewpoint<'a> {
    /// Whose replica it is.
    pub id: NodeId,
    /// The checkpoint gone back to.
    pub snapshot: Option<&'a Snapshot>,
    /// Whether what the checkpoint lacks is recovered from the file.
    pub recover: bool,
}

/// What a replica file holds.
#[derive(Default)]
pub struct Survey {
    /// Every position.
    pub present: PositionSet,
    /// Every id.
    pub ids: IdSet,
    /// Where the records lie.
    pub index: Index,
    /// The CRC-32 of the whole file, to be gone on with. Right only if nothing is wrong with the file.
    pub sum: crc32fast::Hasher,
    /// The CRC-32 of as many bytes as the checkpoint names, if a line ends there.
    pub sum_at_checkpoint: Option<u32>,
    /// From where on the file was read; what is before is known from the books.
    pub read_from: u64,
    /// The CRC-32 of what is before.
    pub sum_before: u32,
    /// The digest of all that is present.
    pub digest: Digest,
    /// The digest of what is in the state, if that is less.
    in_state: Digest,
    /// Blocks of what was read.
    pub changed: BTreeSet<BlockKey>,
    /// Rooms of messages that the checkpoint lacks.
    pub rooms: BTreeSet<String>,
    /// Records that stand behind one that belongs behind them.
    pub out_of_order: u64,
    /// The highest position.
    pub highest: Option<Position>,
    /// The highest number.
    pub high: Seq,
    /// The largest epoch.
    pub epoch: Epoch,
    /// The latest life of this node that a record names.
    pub incarnation: Incarnation,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong with a replica file.
#[derive(Default)]
pub struct Trouble {
    /// Lines that are no records, in the order of the file; neighbours are one extent.
    pub damaged: Vec<Extent>,
    /// How many lines that are.
    pub damaged_lines: u64,
    /// The unfinished line at the end.
    pub torn: Option<Extent>,
    /// The last line is a record, but lacks its newline.
    pub lacks_newline: bool,
    /// Lines whose message or position stood before already.
    pub doubles: Doubles,
}

/// Lines that are there twice in some way, in the order of the file.
#[derive(Default)]
pub struct Doubles {
    /// The same message at a higher position, or the same line again: nothing is lost without it.
    pub needless: Vec<Extent>,
    /// Another content under the same id, or another message at the same position.
    pub conflicts: Vec<Extent>,
    ids: BTreeSet<MessageId>,
    positions: BTreeSet<Position>,
}

impl Trouble {
    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        let lines_are_good = self.damaged.is_empty() && self.doubles.is_empty();
        lines_are_good && self.torn.is_none() && !self.lacks_newline
    }

    /// How many lines are not kept and not known to be elsewhere in the file.
    pub fn set_aside(&self) -> u64 {
        self.damaged_lines + self.doubles.conflicts.len() as u64 + u64::from(self.torn.is_some())
    }
}

impl Doubles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.needless.is_empty() && self.conflicts.is_empty()
    }
}

impl Survey {
    /// Reads a replica file; one that is not there is empty.
    pub fn read(system: &impl FileSystem, path: &Path, view: Viewpoint<'_>) -> Result<Survey, DiskError> {
        Survey::default().read_on(system, path, view)
    }

    /// Reads what was appended to a replica file since its books. None if they cannot be of this file, or do not tell the
    /// state that is looked from.
    pub fn read_behind(
        system: &impl FileSystem,
        path: &Path,
        view: Viewpoint<'_>,
        books: &Books,
    ) -> Result<Option<Survey>, DiskError> {
        let in_checkpoint =
            |snapshot: &Snapshot| books.mark.present.difference(&snapshot.state.written).is_empty();
        let told = view.recover || view.snapshot.is_some_and(in_checkpoint);
        if !told || !ends_a_line(system, path, books.mark.length)? {
            return Ok(None);
        }
        let survey = Survey::of_books(books, view.id);
        survey.read_on(system, path, view).map(Some)
    }

    fn of_books(books: &Books, id: NodeId) -> Survey {
        let Books { mark, digest, index } = books;
        let rings = || mark.present.ranges().map(|(ring, ..)| ring);
        let senders = mark.ids.senders().map(|(sender, _)| sender);
        let lives = senders.chain(rings().map(|ring| ring.leader));
        let own = lives.filter(|member| member.id == id);
        Survey {
            sum: crc32fast::Hasher::new_with_initial_len(mark.digest, mark.length),
            read_from: mark.length,
            sum_before: mark.digest,
            out_of_order: mark.out_of_order,
            highest: mark.present.last(),
            high: mark
                .present
                .ranges()
                .map(|(_, _, last)| last)
                .max()
                .unwrap_or_default(),
            epoch: rings().map(|ring| ring.epoch).max().unwrap_or_default(),
            incarnation: own.map(|member| member.incarnation).max().unwrap_or_default(),
            in_state: digest.clone(),
            digest: digest.clone(),
            index: index.clone(),
            ids: mark.ids.clone(),
            present: mark.present.clone(),
            ..Survey::default()
        }
    }

    /// Goes on from what is known, to the end of the file.
    fn read_on(
        self,
        system: &impl FileSystem,
        path: &Path,
        view: Viewpoint<'_>,
    ) -> Result<Survey, DiskError> {
        let mut survey = self;
        let checkpoint_length = view.snapshot.map(|snapshot| snapshot.length);
        survey.note_sum(survey.read_from, checkpoint_length);
        let behind = Extent {
            start: survey.read_from,
            ..Extent::ALL
        };
        for_each_line(system, path, behind, |line| {
            survey.sum.update(line.bytes);
            survey.sum.update(if line.newline { b"\n" } else { b"" });
            survey.note_sum(extent_of(&line).end, checkpoint_length);
            match record_in(&line) {
                Ok(record) => survey.record(line, record, view),
                Err(RecordError::UnknownVersion(version)) if version != VERSION => {
                    let path = path.to_path_buf();
                    return Err(DiskError::Foreign { path, version });
                }
                Err(_) if line.newline => survey.trouble.damaged(extent_of(&line)),
                Err(_) if bugs::on(Bug::TornTailKept) => {}
                Err(_) => survey.trouble.torn = Some(extent_of(&line)),
            }
            Ok(())
        })?;
        let doubles = &mut survey.trouble.doubles;
        if !doubles.ids.is_empty() || !doubles.positions.is_empty() {
            doubles.judge(system, path)?;
        }
        Ok(survey)
    }

    /// The digest of what is in the state.
    pub fn digest_of_state(&self, view: Viewpoint<'_>) -> Digest {
        match view.recover {
            true => self.digest.clone(),
            false => self.in_state.clone(),
        }
    }

    /// Remembers the sum if the file is as long as it was at the checkpoint here.
    fn note_sum(&mut self, length: u64, checkpoint_length: Option<u64>) {
        if checkpoint_length == Some(length) {
            self.sum_at_checkpoint = Some(self.sum.clone().finalize());
        }
    }

    fn record(&mut self, line: RawLine<'_>, record: RecordView<'_>, view: Viewpoint<'_>) {
        let (id, position) = (record.id, record.position);
        self.trouble.lacks_newline |= !line.newline;
        let new_position = self.present.insert(position);
        let new_id = self.ids.insert(id);
        if !new_position || !new_id {
            self.trouble.doubles.ids.insert(id);
            self.trouble.doubles.positions.insert(position);
            return;
        }
        self.index.add(position, extent_of(&line));
        self.changed.insert(BlockKey::of(position));
        self.out_of_order += u64::from(Some(position) < self.highest);
        self.highest = self.highest.max(Some(position));
        self.high = self.high.max(position.seq);
        self.epoch = self.epoch.max(position.ring.epoch);
        for member in [id.sender, position.ring.leader] {
            if member.id == view.id {
                self.incarnation = self.incarnation.max(member.incarnation);
            }
        }
        let in_checkpoint = view
            .snapshot
            .is_some_and(|snapshot| snapshot.state.written.contains(position));
        let hash = hash_line(line.bytes);
        self.digest.add_hash(position, hash);
        if in_checkpoint && !view.recover {
            self.in_state.add_hash(position, hash);
        }
        if !in_checkpoint && view.recover && self.rooms.len() < ROOMS_MAX {
            let content = [b"{", record.body, b"}"].concat();
            self.rooms
                .extend(Content::from_bytes(&content).ok().map(|content| content.room));
        }
    }
}

impl Trouble {
    fn damaged(&mut self, extent: Extent) {
        self.damaged_lines += 1;
        match self.damaged.last_mut() {
            Some(last) if last.end == extent.start => last.end = extent.end,
            _ => self.damaged.push(extent),
        }
    }
}

/// A line that has a double.
struct Suspect {
    position: Position,
    extent: Extent,
    id: MessageId,
    content: u64,
}

/// Whether a line of a file ends at this byte, as it does at its beginning.
fn ends_a_line(system: &impl FileSystem, path: &Path, length: u64) -> Result<bool, FileError> {
    if length == 0 {
        return Ok(true);
    }
    let mut last = None;
    files::copy(system, path, length - 1, length, |bytes| {
        last = bytes.last().copied();
        Ok(())
    })?;
    Ok(last == Some(b'\n'))
}

impl Doubles {
    /// Reads the file again for all lines that have a double, and decides which of them stay: of each message
    /// the one at the lowest position, at each position the first.
    fn judge(&mut self, system: &impl FileSystem, path: &Path) -> Result<(), DiskError> {
        let mut suspects = self.suspects(system, path)?;
        suspects.sort_by_key(|suspect| (suspect.position, suspect.extent.start));
        let mut kept: BTreeMap<MessageId, u64> = BTreeMap::new();
        let mut taken: BTreeSet<Position> = BTreeSet::new();
        for suspect in suspects {
            match kept.get(&suspect.id) {
                Some(content) if *content == suspect.content => self.needless.push(suspect.extent),
                Some(_) => self.conflicts.push(suspect.extent),
                None if taken.contains(&suspect.position) => self.conflicts.push(suspect.extent),
                None => {
                    kept.insert(suspect.id, suspect.content);
                    taken.insert(suspect.position);
                }
            }
        }
        self.needless.sort_by_key(|extent| extent.start);
        self.conflicts.sort_by_key(|extent| extent.start);
        Ok(())
    }

    fn suspects(&self, system: &impl FileSystem, path: &Path) -> Result<Vec<Suspect>, DiskError> {
        let mut suspects = Vec::new();
        for_each_record::<DiskError>(system, path, Extent::ALL, |record, line| {
            if self.ids.contains(&record.id) || self.positions.contains(&record.position) {
                suspects.push(Suspect {
                    position: record.position,
                    extent: extent_of(&line),
                    id: record.id,
                    content: hash_line(record.body),
                });
            }
            Ok(())
        })?;
        Ok(suspects)
    }
}
