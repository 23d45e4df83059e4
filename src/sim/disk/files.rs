//! The files of a simulated disk: written, read back and repaired by [`crate::disk`], as on a machine.
//!
//! Each start is compared with the books of what was acknowledged as durable, and of what the start before
//! found: a node acts on that, and others are told of it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Disk;
use super::memory::{Fault, Memory};
use crate::disk::files::{Doing, FileError};
use crate::disk::{self, DiskError, Options, Outcome, Scrubbed, Story};
use crate::node::face::{Load, RecoverLevel, Restart, Store, Stored, Ticket};
use crate::replica::Record;
use crate::words::{MessageId, NodeId, Position};

/// Where the files are on their file system.
const FOLDER: &str = "";
/// About how many calls to the machine an operation takes; a kill comes at any of them.
const CALLS: u64 = 4;

/// The files of one disk, and what must be in them beyond the books.
#[derive(Debug)]
pub struct Files {
    memory: Memory,
    /// The node's view of them while it lives.
    open: Option<Open>,
    /// A bit rotted since the last start.
    rotted: bool,
    /// A start failed since: it may have repaired something, and nobody was told.
    failed: bool,
    /// The number of the newest checkpoint that is durable.
    checkpoint: u64,
    /// Accepted chunks up to here may be forgotten.
    may_forget: Option<Position>,
}

/// The production code at work.
struct Open(disk::Disk<Memory>);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "open files, generation {}", self.0.generation())
    }
}

/// What a start found.
pub struct Found {
    /// For the node.
    pub restart: Restart,
    /// All records, in canonical order.
    pub records: Vec<Record>,
    /// Messages that rot took.
    pub taken: Vec<MessageId>,
    /// What the user is told.
    pub warnings: Vec<String>,
}

impl Disk {
    /// An empty disk with files.
    pub fn with_files(seed: u64) -> Disk {
        let files = Files {
            memory: Memory::new(seed),
            open: None,
            rotted: false,
            failed: false,
            checkpoint: 0,
            may_forget: None,
        };
        Disk {
            files: Some(files),
            ..Disk::default()
        }
    }

    /// The file system, to break, if the disk has one.
    pub fn memory(&self) -> Option<&Memory> {
        self.files.as_ref().map(|files| &files.memory)
    }

    /// All operations up to this ticket are carried out and synced. What finds the disk full stays under way.
    pub fn carry_out(&mut self, ticket: Ticket) -> Result<Outcome, FileError> {
        if self.files.is_none() {
            let stored = self.sync(ticket);
            return Ok(Outcome {
                stored,
                durable: Some(ticket),
                ..Outcome::default()
            });
        }
        let mut batch = Vec::new();
        while let Some(first) = self.pending.pop_front_if(|(at, _)| *at <= ticket) {
            batch.push(first);
        }
        self.note_forgets(&batch);
        let open = self.files.as_mut().and_then(|files| files.open.as_mut());
        let Some(open) = open.filter(|_| !batch.is_empty()) else {
            return Ok(Outcome::default());
        };
        let mut outcome = open.0.execute(batch.clone())?;
        for rest in std::mem::take(&mut outcome.rest).into_iter().rev() {
            self.pending.push_front(rest);
        }
        let mut appended = Stored::default();
        for (_, store) in batch
            .into_iter()
            .take_while(|(at, _)| Some(*at) <= outcome.durable)
        {
            let is_checkpoint = matches!(store, Store::Checkpoint(_));
            self.apply(store, &mut appended);
            if let Some(files) = &mut self.files {
                files.checkpoint += u64::from(is_checkpoint);
            }
        }
        // What is damaged is not found where it stood.
        let rotted = self.files.as_ref().is_some_and(|files| files.rotted);
        assert!(
            rotted || (appended.moved == outcome.stored.moved && appended.hashes == outcome.stored.hashes),
            "the file and the books agree on what moved, and on every line"
        );
        Ok(outcome)
    }

    /// Chunks that a batch forgets may be gone, whether the batch comes to its end or not.
    fn note_forgets(&mut self, batch: &[(Ticket, Store)]) {
        let Some(files) = &mut self.files else {
            return;
        };
        for (_, store) in batch {
            if let Store::AcceptForget(upto) = store {
                files.may_forget = files.may_forget.max(Some(*upto));
            }
        }
    }

    /// The process is killed at any call it makes to the machine, or has just come to the end of all it had to do.
    pub(super) fn kill(&mut self) {
        let batch: Vec<(Ticket, Store)> = std::mem::take(&mut self.pending).into();
        self.note_forgets(&batch);
        let Some(files) = &mut self.files else {
            return;
        };
        let Some(mut open) = files.open.take().filter(|_| !batch.is_empty()) else {
            return;
        };
        let calls = files.memory.roll(CALLS * batch.len() as u64 + 2);
        files.memory.break_call(Some((calls, Fault::Killed)));
        // Nobody is told how far it came.
        let _ = open.0.execute(batch);
        drop(open);
        files.memory.break_call(None);
    }

    /// The process ends where it is.
    pub fn stop(&mut self) {
        self.pending.clear();
        if let Some(files) = &mut self.files {
            files.open = None;
        }
    }

    /// The power of the machine goes: what was not synced may be lost. Returns how much there was of it.
    pub fn cut_power(&mut self) -> usize {
        self.files.as_ref().map_or(0, |files| files.memory.cut_power())
    }

    /// A bit rots in one of the files that are wanted. Returns in which, if there is one.
    pub fn rot(&mut self, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let files = self.files.as_mut()?;
        let mut paths = files.memory.files();
        paths.retain(|path| wanted(&path.to_string_lossy()));
        if paths.is_empty() {
            return None;
        }
        let path = paths.swap_remove(files.memory.roll(paths.len() as u64) as usize);
        files.memory.rot(&path);
        files.rotted = true;
        Some(path)
    }

    /// Whether a bit rotted since the last start.
    pub fn is_rotten(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.rotted)
    }

    /// Records asked for.
    pub fn read(&self, load: &Load) -> Result<Vec<Record>, FileError> {
        let open = self.files.as_ref().and_then(|files| files.open.as_ref());
        open.map_or_else(|| Ok(self.load(load)), |open| open.0.load(load))
    }

    /// A node starts on these files. The inner error is a broken promise: something durable is not there.
    pub fn restart_on_files(
        &mut self,
        id: NodeId,
        clock_us: u64,
        dice: u64,
    ) -> Result<Result<Found, String>, DiskError> {
        let files = self.files.as_mut().expect("the disk has files");
        let options = Options {
            restore: None,
            recover: RecoverLevel::Peers,
            clock_us: Box::new(move || clock_us),
            dice,
        };
        let opened =
            disk::Disk::open(&files.memory, Path::new(FOLDER), id, options).and_then(opened_and_read);
        files.failed |= opened.is_err();
        let (open, restart, story, records) = opened?;
        let missing = self.missing(&restart);
        let files = self.files.as_mut().expect("the disk has files");
        let tells = |warning: &String| warning.contains("set aside") || warning.contains("unfinished line");
        let told = files.failed || story.warnings.iter().any(tells);
        let judged = if files.rotted {
            match missing.first().filter(|_| !told) {
                Some(id) => Err(format!(
                    "recovery: {id} rotted on the disk, and the user is not told"
                )),
                None => Ok(()),
            }
        } else {
            self.judge(&restart, &records, &story, &missing)
        };
        if let Err(broken) = judged {
            return Ok(Err(broken));
        }
        self.begin_books(&restart, &records);
        // That it was confirmed stays true.
        self.ever_accepted.extend(missing.iter().copied());
        let files = self.files.as_mut().expect("the disk has files");
        files.checkpoint = story.checkpoint.map_or(0, |(number, _)| number);
        (files.open, files.rotted, files.failed, files.may_forget) = (Some(open), false, false, None);
        Ok(Ok(Found {
            restart,
            records,
            taken: missing,
            warnings: story.warnings,
        }))
    }

    /// Messages that were durable, and that a start did not find.
    fn missing(&self, restart: &Restart) -> Vec<MessageId> {
        let waiting: BTreeSet<MessageId> = restart.outbox.iter().map(|(id, _)| *id).collect();
        let lines = self.outbox.keys().filter(|id| !waiting.contains(id));
        let durable = lines.chain(self.places.keys()).copied();
        durable.filter(|id| !restart.ids.contains(*id)).collect()
    }

    /// What must be so unless a bit rotted: all that was durable is there, and nothing is damaged that is
    /// replaced as a whole.
    fn judge(
        &self,
        restart: &Restart,
        records: &[Record],
        story: &Story,
        missing: &[MessageId],
    ) -> Result<(), String> {
        let files = self.files.as_ref().expect("the disk has files");
        if let Some(id) = missing.first() {
            return Err(format!("recovery: {id} was durable and is gone after a restart"));
        }
        let (incarnation, epoch) = self.identity;
        if restart.incarnation <= incarnation || restart.epoch < epoch {
            return Err(format!(
                "recovery: life {} of epoch {} after life {incarnation} of epoch {epoch}",
                restart.incarnation, restart.epoch
            ));
        }
        let newest = story.checkpoint.map_or(0, |(number, _)| number);
        if newest < files.checkpoint {
            return Err(format!(
                "recovery: checkpoint {} was durable, and a start goes back to {newest}",
                files.checkpoint
            ));
        }
        let higher = |record: &&Record| {
            let place = self.places.get(&record.id);
            place.is_some_and(|place| *place < record.position)
        };
        if let Some(record) = records.iter().find(higher) {
            return Err(format!(
                "recovery: {} stood lower than {} before a restart",
                record.id, record.position
            ));
        }
        let found: BTreeSet<Position> = restart.accepted.iter().map(|chunk| chunk.position).collect();
        let kept = self
            .accepted
            .keys()
            .filter(|position| Some(**position) > files.may_forget);
        match kept.into_iter().find(|position| !found.contains(position)) {
            Some(position) => Err(format!("recovery: the accepted chunk at {position} is gone")),
            None => Ok(()),
        }
    }

    /// The books begin with what a start found.
    fn begin_books(&mut self, restart: &Restart, records: &[Record]) {
        self.identity = (restart.incarnation, restart.epoch);
        self.outbox = restart.outbox.iter().cloned().collect();
        self.places = records
            .iter()
            .map(|record| (record.id, record.position))
            .collect();
        self.replica = records
            .iter()
            .map(|record| (record.position, record.clone()))
            .collect();
        let chunks = restart.accepted.iter();
        self.accepted = chunks.map(|chunk| (chunk.position, chunk.clone())).collect();
    }

    /// Compares the replica's file with the books, when all is quiet.
    pub fn as_booked(&self) -> Result<(), String> {
        let all = Load {
            wanted: self.replica.keys().copied().collect(),
            bytes_max: usize::MAX,
        };
        let read = self.read(&all).map_err(|error| error.to_string())?;
        if !read.iter().eq(self.replica.values()) {
            return Err(format!(
                "recovery: {} records are durable, and the file says {}, or others",
                self.replica.len(),
                read.len()
            ));
        }
        let lines = self.files.as_ref().map_or(read.len(), Files::replica_lines);
        match lines == read.len() {
            true => Ok(()),
            false => Err(format!("no duplicates: {lines} lines of {} messages", read.len())),
        }
    }
}

impl Files {
    /// How many lines the replica's file has.
    fn replica_lines(&self) -> usize {
        let path = self.open.as_ref().map(|open| open.0.paths().replica());
        let bytes = path.and_then(|path| self.memory.bytes(&path));
        bytes.map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
    }
}

type Opened = (Open, Restart, Story, Vec<Record>);

/// Reads all records as soon as the files are open and all that the start did not read has been scrubbed: what is lost is
/// known before the node lives.
fn opened_and_read(
    (mut open, mut restart, mut story): (disk::Disk<Memory>, Restart, Story),
) -> Result<Opened, DiskError> {
    match open.scrub(u64::MAX)? {
        Scrubbed::Done => {}
        Scrubbed::More => unreachable!("all was to be read"),
        Scrubbed::NoRoom(_) => {
            let path = open.paths().replica();
            let full = FileError::at(&path, Doing::Write)(ErrorKind::StorageFull.into());
            return Err(DiskError::File(full));
        }
        Scrubbed::Mended(mended) => {
            restart.held = restart.held.difference(&mended.lost);
            restart.digest = mended.digest;
            restart.ids = open.ids().clone();
            story.warnings.extend(mended.warnings);
        }
    }
    let records = open.load(&Load {
        wanted: restart.held.clone(),
        bytes_max: usize::MAX,
    })?;
    Ok((Open(open), restart, story, records))
}
