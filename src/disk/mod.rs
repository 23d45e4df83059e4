//! The disk side of a node: its identity, outbox, replica and checkpoints, over a file system that is handed in.
//!
//! `start` opens all of them, repairs what a crash or a bad disk left, and goes back to a checkpoint; `Disk`
//! then carries out what the core asks to be stored, a batch with one sync per file. The host
//! does so on its own thread and on the machine's files, the simulator on files in memory that break on purpose.
//!
//! Three sets tell a replica apart. *Present* is what the file holds. The *state* is what the node acts on: after
//! a rollback that does not recover, it is less than present. *Written* is what a checkpoint says was in the
//! state then; its positions are the truth, while its length and digest of the file are only compared with it.

mod accepted;
mod books;
mod checkpoints;
mod error;
pub mod files;
mod identity;
mod index;
mod lines;
mod outbox;
mod paths;
mod repair;
mod replica_file;
mod scrub;
mod sealed_log;
mod start;
mod survey;

pub use error::DiskError;
pub use identity::raise_generation;
pub use paths::Paths;
pub use scrub::{Mended, Scrubbed};
pub use start::{End, Options, Preview, Story, preview_restore};

use std::collections::VecDeque;
use std::path::Path;

use accepted::AcceptedLog;
use books::BooksLog;
use checkpoints::Checkpoints;
use files::{FileError, FileSystem};
use identity::Identity;
use outbox::Outbox;
use replica_file::ReplicaFile;
use scrub::Scrub;

use crate::bugs::{self, Bug};
use crate::checkpoint::Snapshot;
use crate::node::face::{CheckpointState, Load, Moved, Restart, Store, Stored, Ticket};
use crate::replica::{IdSet, Record};
use crate::words::{Epoch, NodeId, Position, Seq, WallTime};

/// Reads the wall clock, in microseconds since 1970.
pub type Clock = Box<dyn Fn() -> u64 + Send>;

/// All files of one node. Whoever opens them sees to it that nobody else does.
pub struct Disk<S: FileSystem> {
    system: S,
    paths: Paths,
    id: NodeId,
    clock_us: Clock,
    outbox: Outbox<S>,
    /// Opened when it is first needed: without `--quorum` there is no such file.
    accepted: Option<AcceptedLog<S>>,
    replica: ReplicaFile<S>,
    books: BooksLog<S>,
    /// What the start did not read, and has to be read yet.
    scrub: Option<Scrub>,
    checkpoints: Checkpoints<S>,
    generation: u64,
}

/// What became of the records of an append.
#[derive(Debug, Default)]
pub struct Appended {
    /// The messages of which there were two positions.
    pub moved: Vec<Moved>,
    /// The hash of each record's line.
    pub hashes: Vec<u64>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The last operation that is durable, and with it all before it.
    pub durable: Option<Ticket>,
    /// What was found out on the way.
    pub stored: Stored,
    /// Why the batch stopped before its end: the disk is full. Nothing of the operation it stopped at was kept.
    pub full: Option<String>,
    /// That operation and those after it, in order, to be tried again.
    pub rest: Vec<(Ticket, Store)>,
}

impl<S: FileSystem> Disk<S> {
    /// Opens the files of node `id` below `data_dir`, creating what is missing and repairing what is damaged.
    /// When it returns, the fresh incarnation in [`Restart`] is durable. [`Story`] is for the user.
    pub fn open(
        system: &S,
        data_dir: &Path,
        id: NodeId,
        options: Options,
    ) -> Result<(Disk<S>, Restart, Story), DiskError> {
        start::open(system, data_dir, id, options)
    }

    /// Carries out a batch in order, with one sync per file at its end. An error means that the node must stop:
    /// how much of the batch is durable is unknown until the next start. A full disk is no error: see
    /// [`Outcome`].
    pub fn execute(&mut self, batch: Vec<(Ticket, Store)>) -> Result<Outcome, FileError> {
        let mut outcome = Outcome::default();
        let mut last = None;
        let mut batch = VecDeque::from(batch);
        while let Some((ticket, store)) = batch.pop_front() {
            assert!(last < Some(ticket), "tickets rise");
            if let Some(together) = self.said_together(&store, &mut batch)? {
                last = Some(together);
                continue;
            }
            match self.apply(&store, &mut outcome) {
                Ok(()) => last = Some(ticket),
                Err(error) if error.is_full() && bugs::on(Bug::FullTakenForDone) => last = Some(ticket),
                Err(error) if error.is_full() => {
                    outcome.full = Some(error.to_string());
                    batch.push_front((ticket, store));
                    outcome.rest = batch.into();
                    self.forget_ahead(&outcome.rest);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.sync()?;
        outcome.durable = last;
        self.tidy(outcome.full.is_some())?;
        if !outcome.stored.moved.is_empty() {
            self.drop_given_up()?;
        }
        Ok(outcome)
    }

    /// Lines said one after the other go to the outbox with one write: the ticket of the last of them, and they are taken off
    /// the batch. None if there is but one, or no room for all of them: then each is tried by itself.
    fn said_together(
        &mut self,
        first: &Store,
        batch: &mut VecDeque<(Ticket, Store)>,
    ) -> Result<Option<Ticket>, FileError> {
        let line = |store: &Store| match store {
            Store::Outbox { id, content } => Some((*id, content.clone())),
            Store::Identity { .. } | Store::OutboxForget(_) | Store::Append(_) | Store::Checkpoint(_) => None,
            Store::Rewrite { .. } | Store::Accept(_) | Store::AcceptForget(_) => None,
        };
        let mut lines: Vec<_> = line(first).into_iter().collect();
        if lines.is_empty() {
            return Ok(None);
        }
        lines.extend(batch.iter().map_while(|(_, store)| line(store)));
        let more = lines.len() - 1;
        if more == 0 {
            return Ok(None);
        }
        match self
            .outbox
            .append(lines.iter().map(|(id, content)| (*id, &content[..])))
        {
            Ok(()) => Ok(batch.drain(..more).last().map(|(ticket, _)| ticket)),
            Err(error) if error.is_full() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What waits behind a full disk may be what makes room on it: lines that the replica holds already need not
    /// wait for those that found no room. It is done again in its turn, and changes nothing then.
    fn forget_ahead(&mut self, waiting: &[(Ticket, Store)]) {
        for (_, store) in waiting {
            if let Store::OutboxForget(ids) = store {
                self.outbox.forget(ids);
            }
        }
    }

    fn apply(&mut self, store: &Store, outcome: &mut Outcome) -> Result<(), FileError> {
        match store {
            Store::Identity { incarnation, epoch } => {
                let (incarnation, epoch) = (*incarnation, *epoch);
                identity::write_identity(&self.system, &self.paths, Identity { incarnation, epoch })?;
            }
            Store::Outbox { id, content } => self.outbox.append([(*id, &content[..])].into_iter())?,
            Store::OutboxForget(ids) => self.outbox.forget(ids),
            Store::Append(records) => {
                let appended = self.replica.append(records)?;
                outcome.stored.moved.extend(appended.moved);
                outcome.stored.hashes.extend(appended.hashes);
            }
            Store::Checkpoint(state) => outcome.stored.checkpoints.push(self.checkpoint(state)?),
            Store::Rewrite { cut } => self.rewrite(Some(*cut))?,
            Store::Accept(chunks) => self.accepted_log()?.accept(chunks)?,
            Store::AcceptForget(upto) => {
                if let Some(log) = &mut self.accepted {
                    log.forget(*upto)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the replica anew, in canonical order up to the cut if there is one, under its next generation.
    fn rewrite(&mut self, cut: Option<Position>) -> Result<(), FileError> {
        let generation = self.generation + 1;
        let raise = || identity::write_generation(&self.system, &self.paths, generation);
        self.replica.rewrite(cut, raise)?;
        self.generation = generation;
        self.books.forget();
        Ok(())
    }

    /// Writes the books for the next checkpoint. They are a help and no more: where there is no room for them, the next start
    /// reads more of the replica.
    fn write_books(&mut self) -> Result<(), FileError> {
        let number = self.checkpoints.next_number();
        let all = self.books.is_anew();
        let Some((blocks, mark)) = self.replica.books(all, self.generation, number) else {
            return Ok(());
        };
        match self.books.write(blocks.into_iter(), mark) {
            Err(error) if error.is_full() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                self.replica.is_booked();
                Ok(())
            }
        }
    }

    /// Takes the lines out of the replica whose messages stand at a lower position too, so that it has one line a
    /// message as everybody else's has. Where there is no room for that, or damage may be in it that the scrub has yet to
    /// find, it is tried again before each checkpoint.
    fn drop_given_up(&mut self) -> Result<(), FileError> {
        if !self.replica.has_given_up() || self.is_scrubbing() || bugs::on(Bug::GivenUpKept) {
            return Ok(());
        }
        match self.rewrite(None) {
            Err(error) if error.is_full() => Ok(()),
            rewritten => rewritten,
        }
    }

    /// What a checkpoint says was written must be so before the checkpoint is.
    /// Returns its number.
    fn checkpoint(&mut self, state: &CheckpointState) -> Result<u64, FileError> {
        self.drop_given_up()?;
        self.replica.sync()?;
        self.write_books()?;
        let (length, digest) = self.replica.length_and_sum();
        let snapshot = Snapshot {
            node: self.id,
            number: self.checkpoints.next_number(),
            time: WallTime((self.clock_us)() / 1000),
            generation: self.generation,
            length,
            digest,
            state: state.clone(),
        };
        self.checkpoints.write(&snapshot)?;
        Ok(snapshot.number)
    }

    fn accepted_log(&mut self) -> Result<&mut AcceptedLog<S>, FileError> {
        if self.accepted.is_none() {
            self.accepted = Some(AcceptedLog::create(&self.system, &self.paths.accepted())?);
        }
        Ok(self.accepted.as_mut().expect("it was just opened"))
    }

    fn sync(&mut self) -> Result<(), FileError> {
        self.outbox.sync()?;
        self.replica.sync()?;
        self.accepted.as_mut().map_or(Ok(()), AcceptedLog::sync)
    }

    /// Gives room back; on a full disk also what is not worth it otherwise. There may be no room there to make room:
    /// it is tried again with the next batch. What one log finds no room for does not keep the other from its cut.
    fn tidy(&mut self, full: bool) -> Result<(), FileError> {
        let outbox = self.outbox.tidy(full);
        let accepted = self.accepted.as_mut().map_or(Ok(()), AcceptedLog::tidy);
        [outbox, accepted]
            .into_iter()
            .try_for_each(|tidied| match tidied {
                Err(error) if error.is_full() => Ok(()),
                tidied => tidied,
            })
    }

    /// The records asked for that are in the state, in canonical order.
    pub fn load(&self, load: &Load) -> Result<Vec<Record>, FileError> {
        self.replica.load(load)
    }

    /// The newest records in the state, in canonical order.
    pub fn last_records(&self, count: usize) -> Result<Vec<Record>, FileError> {
        self.replica.last_records(count, None, |_| true)
    }

    /// The newest records in the state that are wanted, in canonical order; reads the whole file if there are few.
    pub fn last_records_of(
        &self,
        count: usize,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Vec<Record>, FileError> {
        self.replica.last_records(count, None, wanted)
    }

    /// The same of those that stand before a position.
    pub fn last_records_before(
        &self,
        count: usize,
        before: Option<Position>,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Vec<Record>, FileError> {
        self.replica.last_records(count, before, wanted)
    }

    /// The records of this number: more than one only if the network was split and no ring is given.
    pub fn find(&self, seq: Seq, ring: Option<(Epoch, NodeId)>) -> Result<Vec<Record>, FileError> {
        self.replica.find(seq, ring)
    }

    /// Sees to it that a checkpoint (the newest good one if none is named) outlives those that this life still
    /// writes, because it will be gone back to. Returns its number.
    pub fn keep_checkpoint(&mut self, number: Option<u64>) -> Result<u64, DiskError> {
        self.checkpoints.keep(number)
    }

    /// Every id in the replica.
    pub fn ids(&self) -> &IdSet {
        self.replica.ids()
    }

    /// Where the node's files are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// How often the replica was written anew.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
