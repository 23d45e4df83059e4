//! The start: from files in whatever state to a node in a known one, with the story told in numbers.
//!
//! Order: checkpoint to go back to, survey and repair of the replica, a fresh identity (durable before
//! anything is said), outbox, accepted chunks. Every step can be cut off by a crash and is then done again.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::accepted::AcceptedLog;
use super::books::{Books, BooksLog};
use super::checkpoints::{Checkpoints, Chosen};
use super::files::{self, Doing, FileError, FileSystem};
use super::identity::{self, Found, Identity};
use super::outbox::Outbox;
use super::repair::repair;
use super::replica_file::ReplicaFile;
use super::scrub::Scrub;
use super::survey::{Survey, Viewpoint};
use super::{Clock, Disk, DiskError, Paths};
use crate::checkpoint::Snapshot;
use crate::node::face::{Accepted, RecoverLevel, Restart};
use crate::replica::PositionSet;
use crate::replica::content::rfc3339;
use crate::words::{Epoch, Incarnation, MessageId, NodeId, WallTime};

/// How to start.
pub struct Options {
    /// Go back to this checkpoint instead of the newest good one.
    pub restore: Option<u64>,
    /// How far recovery goes. Here it only matters whether it goes at all: peers are the core's business.
    pub recover: RecoverLevel,
    /// The wall clock.
    pub clock_us: Clock,
    /// Random bits for the incarnation.
    pub dice: u64,
}

/// How the life before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There was none: nothing was found.
    None,
    /// It left, and its last checkpoint holds all.
    Clean,
    /// It crashed, or was gone back on.
    Crash,
}

/// What happened at the start, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The checkpoint that was gone back to: its number and time.
    pub checkpoint: Option<(u64, WallTime)>,
    /// Whether that was on purpose.
    pub restored: bool,
    /// How the life before ended.
    pub end: End,
    /// Messages in the file that the checkpoint lacks: discarded from the state.
    pub rolled_back: u64,
    /// How many of those were recovered from the file at once.
    pub recovered: u64,
    /// Messages in the state now.
    pub held: u64,
    /// Messages in the file.
    pub records: u64,
    /// Lines in the outbox that wait to be ordered.
    pub waiting: u64,
    /// Damaged, unfinished or contradicting lines that were set aside.
    pub set_aside: u64,
    /// What was damaged, repaired or strange; one sentence each.
    pub warnings: Vec<String>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.checkpoint {
            Some((number, time)) => format!("checkpoint {number} of {}", rfc3339(time)),
            None => "nothing (there is no checkpoint)".into(),
        };
        match self.end {
            End::None => write!(f, "first start: nothing on disk yet"),
            End::Clean => write!(f, "continued from {from}: {} messages", self.held),
            End::Crash => write!(
                f,
                "{} {from}: {} messages rolled back, {} recovered from the own replica",
                if self.restored {
                    "restored"
                } else {
                    "started after a crash from"
                },
                self.rolled_back,
                self.recovered
            ),
        }
    }
}

/// What going back to a checkpoint would discard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The checkpoint.
    pub number: u64,
    /// When it was written.
    pub time: WallTime,
    /// Messages that would be in the state.
    pub held: u64,
    /// Messages that would be discarded from it; they stay in the file.
    pub discards: u64,
}

/// Says what `--restore number` would discard, and changes nothing.
pub fn preview_restore(
    system: &impl FileSystem,
    data_dir: &Path,
    id: NodeId,
    number: u64,
) -> Result<Preview, DiskError> {
    let paths = Paths::new(data_dir, id);
    let snapshot = Checkpoints::open(system, &paths, id)?.exactly(number)?;
    let view = Viewpoint {
        id,
        snapshot: Some(&snapshot),
        recover: false,
    };
    let present = Survey::read(system, &paths.replica(), view)?.present;
    let discards = present.difference(&snapshot.state.written).len();
    Ok(Preview {
        number,
        time: snapshot.time,
        held: present.len() - discards,
        discards,
    })
}

/// See [`Disk::open`].
pub fn open<S: FileSystem>(
    system: &S,
    data_dir: &Path,
    id: NodeId,
    options: Options,
) -> Result<(Disk<S>, Restart, Story), DiskError> {
    let paths = Paths::new(data_dir, id);
    let checkpoints = checkpoints(system, &paths, id)?;
    let chosen = choose(&checkpoints, options.restore)?;
    let (snapshot, mut warnings) = (chosen.snapshot, chosen.warnings);
    let mut generation = generation(system, &paths, &checkpoints, &mut warnings)?;
    let view = Viewpoint {
        id,
        snapshot: snapshot.as_ref(),
        recover: options.recover >= RecoverLevel::Own,
    };
    let (books, survey, set_aside) = with_books(system, &paths, view, &mut generation, &mut warnings)?;
    let rolled = Rolled::back(&survey.present, view);
    let digest = survey.digest_of_state(view);
    warnings.extend(doubts(&snapshot, &survey, generation, (options.clock_us)()));
    let (outbox, waiting) = Outbox::open(system, &paths.outbox(), |id| survey.ids.contains(id))?;
    warnings.extend(waiting.warnings);
    let (accepted, chunks) = accepted(system, &paths, &mut warnings)?;
    let known = Known {
        survey: &survey,
        outbox: &waiting.lines,
        accepted: &chunks,
    };
    let (before, identity) = renewed(system, &paths, &checkpoints, known, id, &options, &mut warnings)?;
    let story = Story {
        checkpoint: snapshot.as_ref().map(|snapshot| (snapshot.number, snapshot.time)),
        restored: options.restore.is_some(),
        end: end(before, &snapshot, &rolled, &options),
        rolled_back: rolled.back,
        recovered: rolled.recovered,
        held: rolled.state.len(),
        records: survey.present.len(),
        waiting: waiting.lines.len() as u64,
        set_aside,
        warnings,
    };
    let (name, rooms) = name_and_rooms(snapshot, &survey.rooms);
    let restart = Restart {
        incarnation: identity.incarnation,
        epoch: identity.epoch,
        held: rolled.state.clone(),
        out_of_order: survey.out_of_order,
        ids: survey.ids.clone(),
        digest,
        high: survey.high,
        outbox: waiting.lines,
        name,
        rooms,
        accepted: chunks,
    };
    let disk = Disk {
        system: system.clone(),
        books,
        scrub: Scrub::new(survey.read_from, survey.sum_before, generation),
        replica: ReplicaFile::open(system, &paths.replica(), survey, &rolled.state)?,
        paths,
        id,
        clock_us: options.clock_us,
        outbox,
        accepted,
        checkpoints,
        generation,
    };
    Ok((disk, restart, story))
}

/// The folders, made where they are missing, and the checkpoints in them.
fn checkpoints<S: FileSystem>(system: &S, paths: &Paths, id: NodeId) -> Result<Checkpoints<S>, DiskError> {
    files::make_folder(system, &paths.replicas)?;
    files::make_folder(system, &paths.own)?;
    Ok(Checkpoints::open(system, paths, id)?)
}

/// The checkpoint to go back to.
fn choose(checkpoints: &Checkpoints<impl FileSystem>, restore: Option<u64>) -> Result<Chosen, DiskError> {
    match restore {
        Some(number) => Ok(Chosen {
            snapshot: Some(checkpoints.exactly(number)?),
            warnings: vec![],
        }),
        None => Ok(checkpoints.newest()?),
    }
}

/// The replica's generation. If it is lost, it goes on above all that checkpoints name, so that none of them is
/// compared with a file that it did not see.
fn generation<S: FileSystem>(
    system: &S,
    paths: &Paths,
    checkpoints: &Checkpoints<S>,
    warnings: &mut Vec<String>,
) -> Result<u64, DiskError> {
    match identity::read_generation(system, paths)? {
        Found::Good(generation) => Ok(generation),
        Found::Missing => Ok(0),
        Found::Damaged(words) => {
            warnings.push(words);
            let snapshots = checkpoints.all_good()?;
            let known = snapshots.iter().map(|snapshot| snapshot.generation).max();
            let generation = known.unwrap_or(0) + 1;
            identity::write_generation(system, paths, generation)?;
            Ok(generation)
        }
    }
}

/// Surveys the replica with the help of its books. Returns also how many lines were set aside.
fn with_books<S: FileSystem>(
    system: &S,
    paths: &Paths,
    view: Viewpoint<'_>,
    generation: &mut u64,
    warnings: &mut Vec<String>,
) -> Result<(BooksLog<S>, Survey, u64), DiskError> {
    let (mut log, books) = BooksLog::open(system, &paths.books())?;
    let (survey, set_aside) = surveyed(system, paths, view, books, generation, warnings)?;
    if survey.read_from == 0 {
        // They are missing, or of another file.
        log.forget();
    }
    Ok((log, survey, set_aside))
}

/// Surveys the replica, repairing it first if need be. Returns also how many lines were set aside.
pub(super) fn surveyed(
    system: &impl FileSystem,
    paths: &Paths,
    view: Viewpoint<'_>,
    books: Option<Books>,
    generation: &mut u64,
    warnings: &mut Vec<String>,
) -> Result<(Survey, u64), DiskError> {
    let path = paths.replica();
    let survey = survey(system, &path, view, &books, *generation)?;
    if survey.trouble.is_none() {
        return Ok((survey, 0));
    }
    let set_aside = survey.trouble.set_aside();
    warnings.extend(repair(system, paths, &survey.trouble, generation)?);
    let survey = self::survey(system, &path, view, &books, *generation)?;
    if !survey.trouble.is_none() {
        let reason = std::io::Error::other("it reads differently each time; its disk may be failing");
        return Err(FileError::at(&path, Doing::Read)(reason).into());
    }
    Ok((survey, set_aside))
}

/// Surveys the replica as it is: behind the books if they are of this generation, or else from its beginning.
fn survey(
    system: &impl FileSystem,
    path: &Path,
    view: Viewpoint<'_>,
    books: &Option<Books>,
    generation: u64,
) -> Result<Survey, DiskError> {
    let books = books.as_ref().filter(|books| books.mark.generation == generation);
    let behind = books.map(|books| Survey::read_behind(system, path, view, books));
    match behind.transpose()?.flatten() {
        Some(survey) => Ok(survey),
        None => Survey::read(system, path, view),
    }
}

/// A rollback in numbers.
struct Rolled {
    state: PositionSet,
    back: u64,
    recovered: u64,
}

impl Rolled {
    fn back(present: &PositionSet, view: Viewpoint<'_>) -> Rolled {
        let later = match view.snapshot {
            Some(snapshot) => present.difference(&snapshot.state.written),
            None => present.clone(),
        };
        let back = later.len();
        if view.recover {
            let state = present.clone();
            return Rolled {
                state,
                back,
                recovered: back,
            };
        }
        Rolled {
            state: present.difference(&later),
            back,
            recovered: 0,
        }
    }
}

/// What is strange about a checkpoint.
fn doubts(snapshot: &Option<Snapshot>, survey: &Survey, generation: u64, clock_us: u64) -> Vec<String> {
    let of = |snapshot| {
        [
            compared(snapshot, survey, generation),
            from_the_future(snapshot, clock_us),
        ]
    };
    snapshot.iter().flat_map(of).flatten().collect()
}

/// Compares the replica with what a checkpoint saw of it.
fn compared(snapshot: &Snapshot, survey: &Survey, generation: u64) -> Option<String> {
    let number = snapshot.number;
    let missing = snapshot.state.written.difference(&survey.present).len();
    if missing > 0 {
        return Some(format!(
            "{missing} messages that checkpoint {number} held are missing from the replica; they are filled in \
             from others"
        ));
    }
    // What lies before the books is compared when all of it has been read, by the scrub.
    let differs = snapshot.length >= survey.read_from && survey.sum_at_checkpoint != Some(snapshot.digest);
    (snapshot.generation == generation && differs).then(|| {
        format!(
            "the replica is not the file that checkpoint {number} saw, though all its messages are there; \
             it was changed by other means"
        )
    })
}

/// A checkpoint can be used whatever its time; that the clock went back is worth a word.
fn from_the_future(snapshot: &Snapshot, clock_us: u64) -> Option<String> {
    (snapshot.time.0 > clock_us / 1000).then(|| {
        format!(
            "checkpoint {} is of {}, which is later than this machine's clock says it is",
            snapshot.number,
            rfc3339(snapshot.time)
        )
    })
}

/// Opens the accepted chunks, if there ever were any.
fn accepted<S: FileSystem>(
    system: &S,
    paths: &Paths,
    warnings: &mut Vec<String>,
) -> Result<(Option<AcceptedLog<S>>, Vec<Accepted>), DiskError> {
    if !system.exists(&paths.accepted()) {
        return Ok((None, vec![]));
    }
    let (log, chunks, words) = AcceptedLog::open(system, &paths.accepted())?;
    warnings.extend(words);
    Ok((Some(log), chunks))
}

/// What the files say of lives and epochs.
#[derive(Clone, Copy)]
struct Known<'a> {
    survey: &'a Survey,
    outbox: &'a [(MessageId, bytes::Bytes)],
    accepted: &'a [Accepted],
}

/// Begins a new life, durably. Returns also whether there was one before.
fn renewed<S: FileSystem>(
    system: &S,
    paths: &Paths,
    checkpoints: &Checkpoints<S>,
    known: Known<'_>,
    id: NodeId,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<(bool, Identity), DiskError> {
    let found = identity::read_identity(system, paths)?;
    let mut latest = named_in_files(checkpoints, known, id)?;
    let lived = latest != Identity::default();
    let before = match found {
        Found::Good(stored) => {
            latest.incarnation = latest.incarnation.max(stored.incarnation);
            latest.epoch = latest.epoch.max(stored.epoch);
            true
        }
        Found::Missing if lived => {
            warnings.push(format!(
                "{} is missing; it was built again from the other files",
                paths.identity().display()
            ));
            true
        }
        Found::Missing => false,
        Found::Damaged(words) => {
            warnings.push(words);
            true
        }
    };
    let identity = Identity {
        incarnation: Incarnation::next(latest.incarnation, (options.clock_us)(), options.dice),
        epoch: latest.epoch,
    };
    assert!(
        identity.incarnation > latest.incarnation,
        "a life is larger than all before it"
    );
    identity::write_identity(system, paths, identity)?;
    Ok((before, identity))
}

/// The latest life of this node and the largest epoch that its other files name.
fn named_in_files(
    checkpoints: &Checkpoints<impl FileSystem>,
    known: Known<'_>,
    id: NodeId,
) -> Result<Identity, FileError> {
    let mut rings = BTreeSet::new();
    for snapshot in checkpoints.all_good()? {
        rings.extend(snapshot.state.ring);
        rings.extend(snapshot.state.written.ranges().map(|(ring, ..)| ring));
    }
    rings.extend(known.accepted.iter().map(|accepted| accepted.position.ring));
    let leaders = rings.iter().map(|ring| ring.leader);
    let senders = known.outbox.iter().map(|(id, _)| id.sender);
    let lives = leaders.chain(senders).filter(|member| member.id == id);
    let incarnation = lives.map(|member| member.incarnation).max().unwrap_or_default();
    let epoch = rings.last().map_or(Epoch(0), |ring| ring.epoch);
    Ok(Identity {
        incarnation: incarnation.max(known.survey.incarnation),
        epoch: epoch.max(known.survey.epoch),
    })
}

/// How the life before ended.
fn end(before: bool, snapshot: &Option<Snapshot>, rolled: &Rolled, options: &Options) -> End {
    let left = snapshot.as_ref().is_some_and(|snapshot| snapshot.state.leaving);
    if !before && snapshot.is_none() && rolled.back == 0 {
        End::None
    } else if left && rolled.back == 0 && options.restore.is_none() {
        End::Clean
    } else {
        End::Crash
    }
}

/// The name of the checkpoint, and its rooms with those of what was recovered since.
fn name_and_rooms(snapshot: Option<Snapshot>, later: &BTreeSet<String>) -> (Option<String>, Vec<String>) {
    let (name, mut rooms) = match snapshot {
        Some(snapshot) => (Some(snapshot.state.name), snapshot.state.rooms),
        None => (None, vec![]),
    };
    for room in later {
        if !rooms.contains(room) {
            rooms.push(room.clone());
        }
    }
    (name, rooms)
}
