//! The disk's thread: it takes all that is waiting as one batch, so that one sync serves many.
//!
//! When full: the channel holds [`WAITING_MAX`] pieces of work; whoever offers one more waits in
//! [`DiskPump::send`], or gets it back from [`DiskPump::try_send`] and should stop taking in new traffic until
//! an answer comes. While the *disk* is full, the pump keeps up to [`STUCK_MAX`] stores in hand and tries them
//! again about once a second in their old order; loads are answered at once. With that many in hand it takes
//! nothing more, so that the channel fills up and its rule holds.
#![allow(clippy::disallowed_methods)] // A pump of the host: it waits on the clock to try a full disk again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{Disk, DiskError, Mended, Outcome, Scrubbed};
use crate::host::files::FileError;
use crate::node::face::{Event, Load, LoadId, Store, Ticket};

/// Pieces of work that may wait: more than a full flow-control window of messages, and a bound on memory.
pub const WAITING_MAX: usize = 4096;
/// Stores kept in hand while the disk is full, before the channel is left to fill up.
const STUCK_MAX: usize = 4096;
/// The most work in one batch: bounds how long a ticket waits for the sync.
const BATCH_MAX: usize = 1024;
/// How much of what a start did not read is read at once, and the pause after it: forty megabytes a second, which a chat
/// does not notice.
const SCRUB_BYTES: u64 = 4 << 20;
const SCRUB_PAUSE: Duration = Duration::from_millis(100);
/// How soon a repair is tried again that found no room: it reads the whole replica.
const SCRUB_AGAIN: Duration = Duration::from_secs(60);
/// How soon a full disk is tried again: a person who makes room sees the effect at once, and it costs nothing.
const AGAIN: Duration = Duration::from_secs(1);

/// Work for the disk's thread.
pub enum Work {
    /// Make something durable; answered by [`Event::Stored`], or [`Event::DiskFull`] first.
    Store(Ticket, Store),
    /// Read records; answered by [`Event::Loaded`].
    Load(LoadId, Load),
    /// Look something up; the closure sends its own answer. It must not wait for anything.
    Ask(Box<dyn FnOnce(&mut Disk) + Send>),
}

/// What the disk's thread tells.
#[derive(Debug)]
pub enum Answer {
    /// For the core.
    Event(Event),
    /// The disk failed: the node must stop, with exit code 1. It is the last answer.
    Failed(FileError),
}

/// The disk's thread, and the way to it.
pub struct DiskPump {
    work: Sender<Work>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Disk>,
}

impl DiskPump {
    /// Starts the thread. `answer` is called on it, once for each answer, and must not wait for the disk.
    pub fn start(disk: Disk, answer: impl FnMut(Answer) + Send + 'static) -> io::Result<DiskPump> {
        let (work, waiting) = bounded(WAITING_MAX);
        let ending = Arc::new(AtomicBool::new(false));
        let pump_ending = ending.clone();
        let thread = std::thread::Builder::new().name("disk".into());
        let thread = thread.spawn(move || {
            let mut pump = Pump {
                disk,
                waiting,
                answer,
                stuck: Vec::new(),
                scrub_at: Instant::now() + SCRUB_PAUSE,
                ending: pump_ending,
                open: true,
            };
            if let Err(error) = pump.run() {
                (pump.answer)(Answer::Failed(error));
            }
            pump.disk
        })?;
        Ok(DiskPump { work, ending, thread })
    }

    /// Hands over work, waiting while the channel is full. Gives it back if the disk has failed.
    pub fn send(&self, work: Work) -> Result<(), Work> {
        self.work.send(work).map_err(|error| error.into_inner())
    }

    /// Hands over work, or gives it back at once if the channel is full or the disk has failed.
    pub fn try_send(&self, work: Work) -> Result<(), Work> {
        self.work.try_send(work).map_err(TrySendError::into_inner)
    }

    /// Lets the thread do what is waiting, ends it and gives the disk back. On a full disk what is waiting is
    /// tried once more and then given up: its tickets were never answered.
    pub fn finish(self) -> std::thread::Result<Disk> {
        self.ending.store(true, Ordering::Release);
        drop(self.work);
        self.thread.thread().unpark();
        self.thread.join()
    }
}

/// The thread's own state.
struct Pump<A> {
    disk: Disk,
    waiting: Receiver<Work>,
    answer: A,
    /// Stores that found the disk full, in order.
    stuck: Vec<(Ticket, Store)>,
    /// When to scrub, while there is something to scrub.
    scrub_at: Instant,
    /// Set when nobody will hand over work any more, which a full channel would not show.
    ending: Arc<AtomicBool>,
    /// Whether more work can come.
    open: bool,
}

impl<A: FnMut(Answer)> Pump<A> {
    fn run(&mut self) -> Result<(), FileError> {
        while self.open {
            match self.next_work() {
                Ok(first) => self.batch(first)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.open = false,
            }
            // However much work there is, the scrub has its turns.
            if self.disk.is_scrubbing() && self.scrub_at <= Instant::now() {
                self.scrub()?;
            }
            while self.open && !self.stuck.is_empty() {
                self.wait_for_room()?;
                self.store(Vec::new())?;
            }
        }
        Ok(())
    }

    /// The next work; a timeout when it is time to scrub.
    fn next_work(&self) -> Result<Work, RecvTimeoutError> {
        match self.disk.is_scrubbing() {
            true => self.waiting.recv_deadline(self.scrub_at),
            false => self.waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Reads on in what the start did not read. False if that has to wait for room on the disk.
    fn scrub(&mut self) -> Result<bool, FileError> {
        let scrubbed = self.disk.scrub(SCRUB_BYTES);
        let mut has_room = true;
        match scrubbed {
            Ok(Scrubbed::More | Scrubbed::Done) => {}
            Ok(Scrubbed::NoRoom(reason)) => {
                log::warn!("{reason}; the replica is repaired when there is room");
                has_room = false;
            }
            Ok(Scrubbed::Mended(mended)) => {
                let Mended {
                    lost,
                    digest,
                    warnings,
                } = mended;
                (self.answer)(Answer::Event(Event::Mended {
                    lost,
                    digest,
                    warnings,
                }));
            }
            Err(DiskError::File(error)) => return Err(error),
            // The next start refuses it, with this reason; what is written now is as good as ever.
            Err(error) => log::warn!("{error}"),
        }
        let pause = if has_room { SCRUB_PAUSE } else { SCRUB_AGAIN };
        self.scrub_at = Instant::now() + pause;
        Ok(has_room)
    }

    /// What is to be written anew is read to its end first: what is damaged in it is repaired, and told, as it would be by
    /// and by.
    fn scrub_before(&mut self, stores: &[(Ticket, Store)]) -> Result<(), FileError> {
        let anew = |(_, store): &(Ticket, Store)| matches!(store, Store::Rewrite { .. });
        if stores.iter().any(anew) {
            while self.disk.is_scrubbing() && self.scrub()? {}
        }
        Ok(())
    }

    /// Does the first piece of work and all that waits behind it.
    fn batch(&mut self, first: Work) -> Result<(), FileError> {
        let rest = self.waiting.try_iter().take(BATCH_MAX - 1);
        let (mut stores, mut others) = (Vec::new(), Vec::new());
        for work in std::iter::once(first).chain(rest) {
            match work {
                Work::Store(ticket, store) => stores.push((ticket, store)),
                Work::Load(..) | Work::Ask(_) => others.push(work),
            }
        }
        self.store(stores)?;
        others.into_iter().try_for_each(|work| self.read(work))
    }

    /// Stores what is stuck, then these; what finds the disk full is stuck again.
    fn store(&mut self, stores: Vec<(Ticket, Store)>) -> Result<(), FileError> {
        let was_stuck = self.stuck.first().map(|(ticket, _)| *ticket);
        let mut batch = std::mem::take(&mut self.stuck);
        batch.extend(stores);
        self.scrub_before(&batch)?;
        let Outcome {
            durable,
            stored,
            full,
            rest,
        } = self.disk.execute(batch)?;
        self.stuck = rest;
        if let Some(ticket) = durable {
            (self.answer)(Answer::Event(Event::Stored(ticket, stored)));
        }
        let is_stuck = self.stuck.first().map(|(ticket, _)| *ticket);
        if let Some(reason) = full
            && is_stuck != was_stuck
        {
            (self.answer)(Answer::Event(Event::DiskFull { reason }));
        }
        Ok(())
    }

    /// Waits until the disk is to be tried again, answering loads and collecting a bounded number of stores.
    fn wait_for_room(&mut self) -> Result<(), FileError> {
        let again = Instant::now() + AGAIN;
        while self.stuck.len() < STUCK_MAX {
            match self.waiting.recv_deadline(again) {
                Ok(Work::Store(ticket, store)) => self.stuck.push((ticket, store)),
                Ok(work @ (Work::Load(..) | Work::Ask(_))) => self.read(work)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    self.open = false;
                    return Ok(());
                }
            }
        }
        if !self.ending.load(Ordering::Acquire) {
            std::thread::park_timeout(again.saturating_duration_since(Instant::now()));
        }
        self.open = !self.ending.load(Ordering::Acquire);
        Ok(())
    }

    fn read(&mut self, work: Work) -> Result<(), FileError> {
        match work {
            Work::Load(load, wanted) => {
                let records = match self.disk.load(&wanted) {
                    // Who asks takes it that nothing is here, and comes again.
                    Err(error) if error.is_full() => {
                        log::warn!("{error}");
                        Vec::new()
                    }
                    loaded => loaded?,
                };
                (self.answer)(Answer::Event(Event::Loaded { load, records }));
            }
            Work::Ask(ask) => ask(&mut self.disk),
            Work::Store(ticket, _) => unreachable!("{ticket:?} is a store, not a read"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::disk::Options;
    use crate::node::face::{CheckpointState, RecoverLevel};
    use crate::replica::Record;
    use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn open(folder: &tempfile::TempDir) -> Disk {
        let options = Options {
            restore: None,
            recover: RecoverLevel::Own,
            clock_us: Box::new(|| 1),
            dice: 5,
        };
        Disk::open(folder.path(), NodeId(3), options).unwrap().0
    }

    fn record(seq: u64) -> Record {
        let sender = Member {
            id: NodeId(3),
            incarnation: Incarnation(7),
        };
        let ring = RingId {
            epoch: Epoch(1),
            leader: sender,
        };
        let position = Position { ring, seq: Seq(seq) };
        let id = MessageId { sender, counter: seq };
        Record::new(id, position, "{\"from\":3}".into()).unwrap()
    }

    #[test]
    #[allow(clippy::wildcard_enum_match_arm)] // Any other answer is a failure.
    fn all_that_waits_is_one_batch_with_one_answer() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, answers) = crossbeam_channel::unbounded();
        let (go, gate) = bounded::<()>(0);
        let answer = move |answer| sender.send(answer).unwrap();
        let pump = DiskPump::start(open(&folder), answer).unwrap();
        // The thread is kept busy while work piles up behind it.
        let busy = Work::Ask(Box::new(move |_| gate.recv().unwrap()));
        assert!(pump.send(busy).is_ok());
        for seq in 1..=100 {
            assert!(
                pump.send(Work::Store(Ticket(seq), Store::Append(vec![record(seq)])))
                    .is_ok()
            );
        }
        let wanted = (1..=100).map(|seq| record(seq).position).collect();
        let bytes_max = usize::MAX;
        assert!(
            pump.send(Work::Load(LoadId(4), Load { wanted, bytes_max }))
                .is_ok()
        );
        go.send(()).unwrap();
        let stored = answers.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(stored, Answer::Event(Event::Stored(Ticket(100), _))),
            "{stored:?}"
        );
        match answers.recv_timeout(PATIENCE).unwrap() {
            Answer::Event(Event::Loaded { records, .. }) => assert_eq!(records.len(), 100),
            other => panic!("{other:?}"),
        }
        let disk = pump.finish().unwrap();
        assert_eq!(disk.last_records(1).unwrap(), [record(100)]);
    }

    #[test]
    #[allow(clippy::wildcard_enum_match_arm)] // Any other answer is a failure.
    fn a_failed_disk_is_the_last_answer_and_gives_work_back() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, answers) = crossbeam_channel::unbounded();
        let answer = move |answer| sender.send(answer).unwrap();
        let pump = DiskPump::start(open(&folder), answer).unwrap();
        // An identity cannot be replaced in a folder that is gone.
        std::fs::remove_dir_all(folder.path()).unwrap();
        let (incarnation, epoch) = (Incarnation(9), Epoch(9));
        let store = Store::Identity { incarnation, epoch };
        assert!(pump.send(Work::Store(Ticket(1), store)).is_ok());
        match answers.recv_timeout(PATIENCE).unwrap() {
            Answer::Failed(error) => assert!(error.to_string().contains("identity.json"), "{error}"),
            other => panic!("{other:?}"),
        }
        assert!(answers.recv_timeout(PATIENCE).is_err(), "the thread is gone");
        let late = Work::Store(Ticket(2), Store::OutboxForget(vec![]));
        assert!(pump.try_send(late).is_err());
    }

    /// A folder whose replica of ten records is known from books, with a bit rotted in it.
    fn rotten(folder: &tempfile::TempDir) {
        let mut disk = open(folder);
        let records: Vec<Record> = (1..=10).map(record).collect();
        let state = CheckpointState {
            ring: Some(record(1).position.ring),
            delivered: Some(record(10).position),
            written: records.iter().map(|record| record.position).collect(),
            name: "ana".into(),
            rooms: Vec::new(),
            leaving: false,
        };
        let stores = [Store::Append(records), Store::Checkpoint(Box::new(state))];
        let stores = stores
            .into_iter()
            .zip(1..)
            .map(|(store, ticket)| (Ticket(ticket), store));
        assert!(disk.execute(stores.collect()).unwrap().rest.is_empty());
        let path = disk.paths().replica();
        drop(disk);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }

    #[test]
    fn what_is_written_anew_is_scrubbed_first_and_what_is_lost_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        rotten(&folder);
        let (sender, answers) = crossbeam_channel::unbounded();
        let answer = move |answer| sender.send(answer).unwrap();
        let pump = DiskPump::start(open(&folder), answer).unwrap();
        let cut = record(10).position;
        assert!(pump.send(Work::Store(Ticket(7), Store::Rewrite { cut })).is_ok());
        let told = [(); 2].map(|()| answers.recv_timeout(PATIENCE).unwrap());
        let [
            Answer::Event(Event::Mended { lost, digest, .. }),
            Answer::Event(Event::Stored(ticket, _)),
        ] = told
        else {
            panic!("mended, then stored, and not {told:?}")
        };
        assert_eq!((lost.len(), digest.records(), ticket), (1, 9, Ticket(7)));
        assert_eq!(pump.finish().unwrap().last_records(20).unwrap().len(), 9);
    }

    #[test]
    fn the_scrub_has_its_turns_however_much_work_there_is() {
        let folder = tempfile::tempdir().unwrap();
        rotten(&folder);
        let (sender, answers) = crossbeam_channel::unbounded();
        let answer = move |answer| sender.send(answer).unwrap();
        let pump = DiskPump::start(open(&folder), answer).unwrap();
        let until = Instant::now() + PATIENCE;
        let is_mended = |answer: Answer| matches!(answer, Answer::Event(Event::Mended { .. }));
        // The channel is kept full, so that no wait for work ever runs out.
        let rest = || Work::Ask(Box::new(|_| std::thread::sleep(Duration::from_micros(100))));
        while !answers.try_iter().any(is_mended) {
            assert!(Instant::now() < until, "it never came to its turn");
            assert!(pump.send(rest()).is_ok());
        }
        pump.finish().unwrap();
    }
}
