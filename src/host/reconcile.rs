//! Reconciling replicas at rest: finds them, holds them, and has them surveyed, merged and written anew.
//!
//! What is done to their contents is the business of [`crate::reconcile`]; here are the files. A replica that
//! is equal to the merged one already is not touched.
#![allow(clippy::disallowed_methods)] // Opens the replicas.

mod hold;
mod rewrite;
mod spool;
mod targets;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use self::hold::{Hold, Taken};
use self::rewrite::{Rewrite, Rewrites};
use self::spool::{FileScratch, Section, section};
use self::targets::Target;
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
            ReconcileError::Live { .. } => Code::Taken,
            ReconcileError::Unreadable(_, ScanError::UnknownVersion { .. }) => Code::Damaged,
            ReconcileError::NoFolder(_)
            | ReconcileError::NoReplicas(_)
            | ReconcileError::NoFile(_)
            | ReconcileError::NotAFile(_)
            | ReconcileError::Unreadable(..)
            | ReconcileError::File(_)
            | ReconcileError::Merging(_)
            | ReconcileError::Changed => Code::Other,
        }
    }
}

/// A replica, held and surveyed.
struct Replica {
    target: Target,
    _hold: Option<Hold>,
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
    let holds: Result<Vec<Option<Hold>>, ReconcileError> =
        targets.iter().map(|target| hold(target, options)).collect();
    let mut work = Work::new();
    for (target, hold) in targets.into_iter().zip(holds?) {
        work.open(target, hold)?;
    }
    work.survey()?;
    let (outcome, watched) = work.count()?;
    let mut report = work.report(&outcome);
    if !options.check && !report.is_equal() {
        work.rewrite(&mut report, watched)?;
    }
    Ok(report)
}

/// Takes hold of a replica at rest; a live one is the business of [`reconcile_live`].
fn hold(target: &Target, options: &Options) -> Result<Option<Hold>, ReconcileError> {
    match hold::take(target, options.check)? {
        Taken::Held(hold) => Ok(Some(hold)),
        Taken::NeedsNone => Ok(None),
        Taken::Live { lock, process } => reconcile_live(target, lock, process, options),
    }
}

/// What is done about a replica whose node is running: its file is that node's alone, so it is refused.
fn reconcile_live(
    target: &Target,
    lock: PathBuf,
    process: String,
    options: &Options,
) -> Result<Option<Hold>, ReconcileError> {
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
    fn open(&mut self, target: Target, hold: Option<Hold>) -> Result<(), ReconcileError> {
        let file = files::open(&target.path)?.map(Arc::new);
        let folder = target.path.parent().unwrap_or(Path::new("."));
        let scratch = FileScratch::new(folder, &self.progress);
        let (survey, runs) = (Survey::default(), Vec::new());
        let sorted = Sorted { scratch, runs };
        self.replicas.push(Replica {
            target,
            _hold: hold,
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

    /// Merges once without writing, and once more if an id was found at two positions. Returns exact counts,
    /// and which ids to watch.
    fn count(&mut self) -> Result<(Outcome, Watched), ReconcileError> {
        let outcome = self.merge(Watched::default(), &mut CountOnly)?;
        let watched = outcome.watch_next.clone();
        if watched.is_empty() {
            return Ok((outcome, watched));
        }
        Ok((self.merge(watched.clone(), &mut CountOnly)?, watched))
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

    /// Writes those replicas anew that differ from the merged one, and says so in the report.
    fn rewrite(&self, report: &mut Report, watched: Watched) -> Result<(), ReconcileError> {
        let mut rewrites = Vec::new();
        for (replica, report) in self.replicas.iter().zip(&report.replicas) {
            let differs = report.result == report::Result::Differs;
            rewrites.push(differs.then(|| replica.begin_rewrite()).transpose()?);
        }
        let mut rewrites = Rewrites(rewrites);
        self.merge(watched, &mut rewrites)?;
        for (rewrite, report) in rewrites.0.into_iter().zip(&mut report.replicas) {
            if let Some(rewrite) = rewrite {
                report.set_aside = rewrite.finish()?.iter().map(|path| shown(path)).collect();
                report.result = report::Result::Rewritten;
            }
        }
        Ok(())
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
        // Surveyed, counted, written. On something else than a terminal, the bar draws nothing.
        self.progress = ProgressBar::new(3 * bytes);
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
        let mut rewrite = Rewrite::begin(&self.target.path)?;
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

/// A path as it can be shown.
fn shown(path: &Path) -> String {
    visible::line(&path.to_string_lossy())
}
