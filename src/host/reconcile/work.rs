//! Replicas at rest on their way: surveyed, merged, and written anew where they differ.

use std::fs::File;
use std::io::{self, BufReader};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::ReconcileError;
use super::ahead::Ahead;
use super::rest::{Pulled, Rest};
use super::rewrite::{Rewrite, Rewrites};
use super::spool::{FileScratch, Section, section};
use super::targets::Target;
use crate::host::disk::Lock;
use crate::host::files;
use crate::host::terminal::visible;
use crate::reconcile::merge::CountOnly;
use crate::reconcile::report;
use crate::reconcile::survey::for_each_damage;
use crate::reconcile::{
    Batch, Batches, Lines, Outcome, ReplicaReport, Report, Scratch, Sink, Sorted, Sorter, Stream, Streams,
    Survey, Watched, merge, survey,
};
use crate::replica::scan::ScanError;

/// From how many bytes on the work is long enough for a progress bar.
const PROGRESS_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Replicas that are surveyed side by side: each takes memory to sort in. Also on fewer cores, since three on two are done
/// sooner than two and then one.
const SURVEYS_MAX: usize = 4;
/// Sections that are read ahead of the merge, by a thread each; so many cores are seldom more than busy with them.
const AHEAD_MAX: usize = 8;
/// From how many bytes on a section is worth a thread.
const AHEAD_BYTES_MIN: u64 = 1 << 20;

/// A replica, locked and surveyed.
pub(super) struct Replica {
    target: Target,
    _lock: Option<Lock>,
    /// The file; none if it is missing.
    file: Option<Arc<File>>,
    survey: Survey,
    sorted: Sorted<FileScratch>,
}

/// A reconciliation on its way.
pub(super) struct Work {
    replicas: Vec<Replica>,
    /// What live nodes have beside, if any were reached.
    pulled: Option<Pulled>,
    progress: ProgressBar,
}

impl Work {
    /// No replica yet.
    pub(super) fn new() -> Work {
        Work {
            replicas: Vec::new(),
            pulled: None,
            progress: ProgressBar::hidden(),
        }
    }

    /// Whether there is no replica.
    pub(super) fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// Merges all replicas into one to be looked up and served from, with its scratch space in this folder.
    pub(super) fn at_rest(&self, folder: &Path) -> Result<Rest, ReconcileError> {
        let mut rest = Rest::new(FileScratch::new(folder, &self.progress));
        // Ids at two positions are of no matter here: of each, the lowest is kept at once.
        self.merge(Watched::default(), &mut rest)?;
        rest.finish().map_err(ReconcileError::Merging)?;
        Ok(rest)
    }

    /// Takes in what came from live nodes: merged like one more replica, which is written nowhere.
    pub(super) fn add_pulled(&mut self, pulled: Pulled) {
        self.pulled = Some(pulled);
    }

    /// Opens a replica.
    pub(super) fn open(&mut self, target: Target, lock: Option<Lock>) -> Result<(), ReconcileError> {
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

    /// Reads every replica, some of them side by side, and sorts what is out of order.
    pub(super) fn survey(&mut self) -> Result<(), ReconcileError> {
        self.show_progress();
        let progress = &self.progress;
        for some in self.replicas.chunks_mut(SURVEYS_MAX) {
            thread::scope(|scope| {
                let survey = |replica| scope.spawn(move || Replica::survey(replica, progress));
                let surveys: Vec<_> = some.iter_mut().map(survey).collect();
                let ended = surveys
                    .into_iter()
                    .map(|survey| survey.join().unwrap_or_else(|panic| resume_unwind(panic)));
                // All are waited for, and the first that failed is told of.
                ended.fold(Ok(()), Result::and)
            })?;
        }
        Ok(())
    }

    /// Merges, and writes anew what differs, unless it is only a check.
    ///
    /// A replica that is out of order or damaged, or has fewer records than another, is written during the first merge, on
    /// the guess that these are the ones that differ. If others do, or if an id was found at two positions, that is thrown
    /// away and the replicas are merged again, with all known.
    pub(super) fn settle(&self, check: bool) -> Result<Report, ReconcileError> {
        let records = |replica: &Replica| replica.survey.records;
        let most = self.replicas.iter().map(records).max().unwrap_or(0);
        let flawed = |replica: &Replica| !replica.survey.is_canonical() || records(replica) < most;
        let guess: Vec<bool> = self
            .replicas
            .iter()
            .map(|replica| !check && flawed(replica))
            .collect();
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
        let mut rewrites = rewrites?;
        // What was pulled is a replica to the merge, and no file.
        rewrites.extend(self.pulled.iter().map(|_| None));
        Ok(Rewrites::new(rewrites))
    }

    /// Merges all replicas.
    fn merge(&self, watched: Watched, sink: &mut impl Sink) -> Result<Outcome, ReconcileError> {
        let streams = self
            .streams()
            .and_then(Streams::new)
            .map_err(ReconcileError::Merging)?;
        let replicas = self.replicas.len() + usize::from(self.pulled.is_some());
        let outcome = merge(streams, replicas, watched, sink).map_err(ReconcileError::Merging)?;
        let surveyed: u64 = self.replicas.iter().map(|replica| replica.survey.records).sum();
        let pulled = self.pulled.as_ref().map_or(0, |pulled| pulled.records);
        if outcome.read == surveyed + pulled {
            Ok(outcome)
        } else {
            Err(ReconcileError::Changed)
        }
    }

    /// All sorted sections of all replicas. The first that are long are read ahead.
    fn streams(&self) -> io::Result<Vec<Stream<Feed>>> {
        let (mut streams, mut ahead) = (Vec::new(), 0);
        let mut add = |index, lines: Lines<Input>, bytes: u64| {
            let feed = if bytes >= AHEAD_BYTES_MIN && ahead < AHEAD_MAX {
                ahead += 1;
                Feed::Ahead(Ahead::start(lines)?)
            } else {
                Feed::Here(Box::new(lines))
            };
            streams.push(Stream::of(index, feed));
            io::Result::Ok(())
        };
        for (index, replica) in self.replicas.iter().enumerate() {
            if let Some(file) = &replica.file {
                let survey = &replica.survey;
                let ordered = section(file, 0..survey.ordered_bytes, &self.progress);
                add(index, Lines::ordered(ordered), survey.ordered_bytes)?;
                for near in &survey.near {
                    let input = section(file, near.clone(), &self.progress);
                    let lines = Lines::near(input, survey.window_bytes);
                    add(index, lines, near.end - near.start)?;
                }
            }
        }
        let pulled = self.pulled.iter().map(|pulled| &pulled.sorted);
        let sorted = self.replicas.iter().map(|replica| &replica.sorted);
        for (index, sorted) in sorted.chain(pulled).enumerate() {
            for run in &sorted.runs {
                let input = sorted.scratch.section(run.clone())?;
                add(index, Lines::ordered(input), run.end - run.start)?;
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
            checked: false,
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
    /// A file that was replaced gives its space back when it is closed, which takes a while: some do so side by side.
    fn drop(&mut self) {
        self.progress.finish_and_clear();
        let files = self.replicas.iter_mut().filter_map(|replica| replica.file.take());
        thread::scope(|scope| {
            for file in files.take(SURVEYS_MAX) {
                // Without a thread it is closed here and now.
                drop(thread::Builder::new().spawn_scoped(scope, || drop(file)));
            }
        });
    }
}

impl Replica {
    /// Reads the replica, and sorts what is out of order.
    fn survey(&mut self, progress: &ProgressBar) -> Result<(), ReconcileError> {
        let path = &self.target.path;
        let unreadable = |error: ScanError| ReconcileError::Unreadable(path.clone(), error);
        let Some(file) = &self.file else {
            return Ok(());
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut sorter = Sorter::new(FileScratch::new(folder, progress));
        let whole = section(file, 0..u64::MAX, progress);
        self.survey = survey(whole, &mut sorter).map_err(unreadable)?;
        self.sorted = sorter.finish().map_err(|error| unreadable(error.into()))?;
        Ok(())
    }

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

/// What the merge reads of a section.
type Input = BufReader<Section>;

/// Where the lines of a section come from.
enum Feed {
    /// Read when they are wanted.
    Here(Box<Lines<Input>>),
    /// Read ahead.
    Ahead(Ahead),
}

impl Batches for Feed {
    fn next(&mut self, batch: &mut Batch) -> io::Result<()> {
        match self {
            Feed::Here(lines) => lines.next(batch),
            Feed::Ahead(ahead) => ahead.next(batch),
        }
    }
}

/// Puts the new versions in place, and says so in the report.
fn finish(rewrites: Rewrites, report: &mut Report) -> Result<(), ReconcileError> {
    for (written, report) in rewrites.written()?.into_iter().zip(&mut report.replicas) {
        if let Some(written) = written {
            report.set_aside = written.finish()?.iter().map(|path| shown(path)).collect();
            report.result = report::Result::Rewritten;
        }
    }
    Ok(())
}

/// A path as it can be shown.
fn shown(path: &Path) -> String {
    visible::line(&path.to_string_lossy())
}
