//! Reconciling replicas at rest: finds them, locks them, and has them surveyed, merged and written anew.
//!
//! What is done to their contents is the business of [`crate::reconcile`]; here are the files. A replica that
//! is equal to the merged one already is not touched.
#![allow(clippy::disallowed_methods)] // Opens the replicas.

mod rewrite;
mod spool;
mod targets;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use self::rewrite::{Rewrite, Rewrites};
use self::spool::{FileScratch, Section, section};
use self::targets::Target;
use crate::host::disk::{DiskError, Lock};
use crate::host::exit::Code;
use crate::host::files::{self, FileError};
use crate::host::terminal::visible;
use crate::reconcile::merge::CountOnly;
use crate::reconcile::report;
use crate::reconcile::survey::for_each_damage;
use crate::reconcile::{
    Outcome, ReplicaReport, Report, Scratch, Sink, Sorted, Sorter, Stream, Streams, Survey, Watched, merge,
    survey,
};
use crate::replica::scan::ScanError;

/// From how many bytes on the work is long enough for a progress bar.
const PROGRESS_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// What is to be reconciled, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder with `replicas/` and `checkpoints/`.
    pub data_dir: PathBuf,
    /// Whether only files at rest are reached.
    pub offline: bool,
    /// Whether nothing is changed.
    pub check: bool,
    /// The replicas; all of the data folder if none is named.
    pub replicas: Vec<PathBuf>,
}

/// Why a reconciliation did not happen. Each replica is as it was, or complete.
#[derive(Debug)]
pub enum ReconcileError {
    /// There is no such folder.
    NoFolder(PathBuf),
    /// The folder has no replica.
    NoReplicas(PathBuf),
    /// There is no such replica.
    NoFile(PathBuf),
    /// This is no file.
    NotAFile(PathBuf),
    /// A node is running on this replica.
    Live {
        /// The replica.
        path: PathBuf,
        /// The node's lock.
        lock: PathBuf,
        /// The node's process id.
        process: String,
        /// Whether only files at rest were to be reached.
        offline: bool,
    },
    /// A replica cannot be read, or is of a foreign version.
    Unreadable(PathBuf, ScanError),
    /// The machine failed with a file.
    File(FileError),
    /// A node's own files stand in the way.
    Node(DiskError),
    /// Reading or writing failed while all replicas were merged.
    Merging(io::Error),
    /// A replica changed while it was read.
    Changed,
}

impl From<FileError> for ReconcileError {
    fn from(error: FileError) -> ReconcileError {
        ReconcileError::File(error)
    }
}

impl From<DiskError> for ReconcileError {
    fn from(error: DiskError) -> ReconcileError {
        ReconcileError::Node(error)
    }
}

impl fmt::Display for ReconcileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconcileError::NoFolder(path) => {
                write!(
                    f,
                    "there is no folder {}; name the folder that holds replicas/ with --data-dir",
                    path.display()
                )
            }
            ReconcileError::NoReplicas(path) => {
                write!(
                    f,
                    "{} holds no replica (node-<id>.jsonl); name another --data-dir, or the files",
                    path.display()
                )
            }
            ReconcileError::NoFile(path) => {
                write!(f, "there is no replica {}; check the path", path.display())
            }
            ReconcileError::NotAFile(path) => {
                write!(
                    f,
                    "{} is no file; name replica files, or a folder with --data-dir",
                    path.display()
                )
            }
            ReconcileError::Live {
                path,
                lock,
                process,
                offline,
            } => {
                let (path, lock) = (path.display(), lock.display());
                write!(f, "a node is running on {path}: process {process} holds {lock}; ")?;
                match offline {
                    true => write!(
                        f,
                        "leave it with /quit, or leave this replica out by naming the others"
                    ),
                    false => write!(
                        f,
                        "a live node's file is never written from outside; leave it with /quit first"
                    ),
                }
            }
            ReconcileError::Unreadable(path, error @ ScanError::UnknownVersion { .. }) => write!(
                f,
                "cannot read {}: {error}; nothing was changed: use the program that wrote it, or leave it out by naming the others",
                path.display()
            ),
            ReconcileError::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            ReconcileError::File(error) => write!(f, "{error}"),
            ReconcileError::Node(error) => write!(f, "{error}"),
            ReconcileError::Merging(error) => write!(f, "cannot merge the replicas: {error}"),
            ReconcileError::Changed => {
                write!(
                    f,
                    "a replica changed while it was read; nothing was changed: run again when nobody writes to it"
                )
            }
        }
    }
}

impl std::error::Error for ReconcileError {}

impl ReconcileError {
    /// The exit code of this error.
    pub fn code(&self) -> Code {
        match self {
            ReconcileError::Live { .. } | ReconcileError::Node(DiskError::Taken { .. }) => Code::Taken,
            ReconcileError::Node(DiskError::Foreign { .. }) => Code::Damaged,
            ReconcileError::Unreadable(_, ScanError::UnknownVersion { .. }) => Code::Damaged,
            ReconcileError::NoFolder(_)
            | ReconcileError::NoReplicas(_)
            | ReconcileError::NoFile(_)
            | ReconcileError::NotAFile(_)
            | ReconcileError::Unreadable(..)
            | ReconcileError::File(_)
            | ReconcileError::Node(_)
            | ReconcileError::Merging(_)
            | ReconcileError::Changed => Code::Other,
        }
    }
}

/// A replica, locked and surveyed.
struct Replica {
    target: Target,
    _lock: Option<Lock>,
    /// The file; none if it is missing.
    file: Option<Arc<File>>,
    survey: Survey,
    sorted: Sorted<FileScratch>,
}

/// Makes replicas equal, or says whether they are.
pub fn reconcile(options: &Options) -> Result<Report, ReconcileError> {
    let targets = match options.replicas.is_empty() {
        true => targets::all_in(&options.data_dir)?,
        false => targets::named(&options.replicas)?,
    };
    let locks: Result<Vec<Option<Lock>>, ReconcileError> =
        targets.iter().map(|target| lock(target, options)).collect();
    let mut work = Work::new();
    for (target, lock) in targets.into_iter().zip(locks?) {
        work.open(target, lock)?;
    }
    work.survey()?;
    work.settle(options.check)
}

/// Takes the lock of a replica's node, as that does when it starts. A live node is the business of
/// [`reconcile_live`]. To check, no lock is created: a node without one does not run.
fn lock(target: &Target, options: &Options) -> Result<Option<Lock>, ReconcileError> {
    let (Some(node), Some(data_dir), Some(paths)) = (target.node, &target.data_dir, target.paths()) else {
        return Ok(None);
    };
    if options.check && !paths.lock().exists() {
        return Ok(None);
    }
    match Lock::take(data_dir, node) {
        Ok(lock) => Ok(Some(lock)),
        Err(DiskError::Taken { by, path, .. }) => reconcile_live(target, path, by, options),
        // On a medium that takes no writes no node runs, and looking does no harm.
        Err(DiskError::File(error))
            if options.check && error.reason.kind() == ErrorKind::ReadOnlyFilesystem =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is done about a replica whose node is running: its file is that node's alone, so it is refused.
fn reconcile_live(
    target: &Target,
    lock: PathBuf,
    process: String,
    options: &Options,
) -> Result<Option<Lock>, ReconcileError> {
    let (path, offline) = (target.path.clone(), options.offline);
    Err(ReconcileError::Live {
        path,
        lock,
        process,
        offline,
    })
}

/// A reconciliation on its way.
struct Work {
    replicas: Vec<Replica>,
    progress: ProgressBar,
}

impl Work {
    /// No replica yet.
    fn new() -> Work {
        let progress = ProgressBar::hidden();
        let replicas = Vec::new();
        Work { replicas, progress }
    }

    /// Opens a replica.
    fn open(&mut self, target: Target, lock: Option<Lock>) -> Result<(), ReconcileError> {
        let file = files::open(&target.path)?.map(Arc::new);
        let folder = target.path.parent().unwrap_or(Path::new("."));
        let scratch = FileScratch::new(folder, &self.progress);
        let (survey, runs) = (Survey::default(), Vec::new());
        let sorted = Sorted { scratch, runs };
        self.replicas.push(Replica {
            target,
            _lock: lock,
            file,
            survey,
            sorted,
        });
        Ok(())
    }

    /// Reads every replica, and sorts what is out of order.
    fn survey(&mut self) -> Result<(), ReconcileError> {
        self.show_progress();
        for replica in &mut self.replicas {
            let path = &replica.target.path;
            let unreadable = |error: ScanError| ReconcileError::Unreadable(path.clone(), error);
            let Some(file) = &replica.file else {
                continue;
            };
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut sorter = Sorter::new(FileScratch::new(folder, &self.progress));
            let whole = section(file, 0..u64::MAX, &self.progress);
            replica.survey = survey(whole, &mut sorter).map_err(unreadable)?;
            replica.sorted = sorter.finish().map_err(|error| unreadable(error.into()))?;
        }
        Ok(())
    }

    /// Merges, and writes anew what differs, unless it is only a check.
    ///
    /// A replica that is out of order or damaged is written during the first merge, on the guess that others do
    /// not differ. If one does, or if an id was found at two positions, that is thrown away and the replicas are
    /// merged again, with all known.
    fn settle(&self, check: bool) -> Result<Report, ReconcileError> {
        let disordered = |replica: &Replica| !check && !replica.survey.is_canonical();
        let guess: Vec<bool> = self.replicas.iter().map(disordered).collect();
        let mut rewrites = self.begin_rewrites(&guess)?;
        let mut outcome = self.merge(Watched::default(), &mut rewrites)?;
        let watched = std::mem::take(&mut outcome.watch_next);
        if !watched.is_empty() {
            outcome = self.merge(watched.clone(), &mut CountOnly)?;
        }
        let mut report = self.report(&outcome);
        if check || report.is_equal() {
            return Ok(report);
        }
        let differs = |replica: &ReplicaReport| replica.result == report::Result::Differs;
        let differing: Vec<bool> = report.replicas.iter().map(differs).collect();
        if differing != guess || !watched.is_empty() {
            // Thrown away first: the new versions take the names of the guessed ones.
            drop(rewrites);
            rewrites = self.begin_rewrites(&differing)?;
            self.merge(watched, &mut rewrites)?;
        }
        finish(rewrites, &mut report)?;
        Ok(report)
    }

    /// Begins to write the chosen replicas anew.
    fn begin_rewrites(&self, chosen: &[bool]) -> Result<Rewrites, ReconcileError> {
        let replicas = self.replicas.iter().zip(chosen);
        let begin =
            |(replica, &chosen): (&Replica, &bool)| chosen.then(|| replica.begin_rewrite()).transpose();
        let rewrites: Result<Vec<Option<Rewrite>>, ReconcileError> = replicas.map(begin).collect();
        Ok(Rewrites(rewrites?))
    }

    /// Merges all replicas.
    fn merge(&self, watched: Watched, sink: &mut impl Sink) -> Result<Outcome, ReconcileError> {
        let streams = self
            .streams()
            .and_then(Streams::new)
            .map_err(ReconcileError::Merging)?;
        let outcome = merge(streams, self.replicas.len(), watched, sink).map_err(ReconcileError::Merging)?;
        let surveyed: u64 = self.replicas.iter().map(|replica| replica.survey.records).sum();
        if outcome.read == surveyed {
            Ok(outcome)
        } else {
            Err(ReconcileError::Changed)
        }
    }

    /// All sorted sections of all replicas.
    fn streams(&self) -> io::Result<Vec<Stream<BufReader<Section>>>> {
        let mut streams = Vec::new();
        for (index, replica) in self.replicas.iter().enumerate() {
            let ordered = 0..replica.survey.ordered_bytes;
            let ordered = replica
                .file
                .iter()
                .map(|file| Ok(section(file, ordered.clone(), &self.progress)));
            let scratch = &replica.sorted.scratch;
            let runs = replica
                .sorted
                .runs
                .iter()
                .cloned()
                .map(|run: Range<u64>| scratch.section(run));
            for input in ordered.chain(runs) {
                streams.push(Stream::new(index, input?));
            }
        }
        Ok(streams)
    }

    /// The report before anything is changed.
    fn report(&self, outcome: &Outcome) -> Report {
        let replicas = self
            .replicas
            .iter()
            .zip(&outcome.tallies)
            .map(|(replica, tally)| {
                let node = replica.target.node.map(|node| node.0);
                ReplicaReport::new(node, shown(&replica.target.path), &replica.survey, tally)
            });
        Report {
            replicas: replicas.collect(),
            messages: outcome.kept,
            conflicts: outcome.conflicts,
            shown: outcome.shown.clone(),
        }
    }

    /// Shows how far the work is, if it is long and somebody sees it.
    fn show_progress(&mut self) {
        let length = |replica: &Replica| replica.file.as_ref().and_then(|file| file.metadata().ok());
        let bytes: u64 = self
            .replicas
            .iter()
            .filter_map(length)
            .map(|metadata| metadata.len())
            .sum();
        if bytes < PROGRESS_BYTES_MIN {
            return;
        }
        // Surveyed, merged. On something else than a terminal, the bar draws nothing.
        self.progress = ProgressBar::new(2 * bytes);
        let template = "{bar:40} {bytes}/{total_bytes} {eta}";
        self.progress
            .set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

impl Replica {
    /// Begins to write the replica anew, with what is damaged in it set aside.
    fn begin_rewrite(&self) -> Result<Rewrite, ReconcileError> {
        let mut rewrite = Rewrite::begin(&self.target)?;
        if self.survey.damaged == 0 && !self.survey.torn {
            return Ok(rewrite);
        }
        if let Some(file) = &self.file {
            let whole = section(file, 0..self.survey.bytes, &ProgressBar::hidden());
            for_each_damage(whole, |damage| rewrite.set_damage_aside(file, damage))
                .map_err(ReconcileError::Merging)?;
        }
        Ok(rewrite)
    }
}

/// Puts the new versions in place, and says so in the report.
fn finish(rewrites: Rewrites, report: &mut Report) -> Result<(), ReconcileError> {
    let mut rewrites = rewrites;
    rewrites.flush()?;
    for (rewrite, report) in rewrites.0.into_iter().zip(&mut report.replicas) {
        if let Some(rewrite) = rewrite {
            report.set_aside = rewrite.finish()?.iter().map(|path| shown(path)).collect();
            report.result = report::Result::Rewritten;
        }
    }
    Ok(())
}

/// A path as it can be shown.
fn shown(path: &Path) -> String {
    visible::line(&path.to_string_lossy())
}
