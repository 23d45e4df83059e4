//! Reads recordings: line by line, whatever their length, keeping of each event only where it stands and what others
//! depend on. The texts stay in the files and are read again when they are shown.
//!
//! A recording is what a process wrote until it ended, perhaps in the middle of a line: the last line may be cut, and a
//! disk may have spoiled one in between. Both are told, and everything else is used.
#![allow(clippy::disallowed_methods)] // This is where replay reads files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::ReplayError;
use super::facts::Fact;
use super::told::{self, Head, NoEvent, Told};
use crate::words::{NodeId, RingId};

/// The longest line that is read: more than a message of 64 KiB can need, every byte of it escaped.
const LINE_BYTES_MAX: usize = 1 << 20;
/// How many events are kept in mind, of all recordings together.
const EVENTS_MAX: usize = 4_000_000;
/// How many notes on what is wrong with the recordings are told one by one.
const NOTES_MAX: usize = 20;
/// Clocks that began within this time of each other, in microseconds, are one: that of one machine.
const ONE_MACHINE_US: u64 = 5_000;
/// Among so many lines at the beginning there must be an event.
const HEADING_LINES: u64 = 16;

/// Where the text of an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, by number.
    pub file: u16,
    /// Its first byte.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u32,
}

/// An event as it is kept in mind.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Who told it.
    pub node: NodeId,
    /// In which stretch of which clock.
    pub clock: u32,
    /// When, on that clock.
    pub us: u64,
    /// Where its text is; none for what is known from others only.
    pub place: Option<Place>,
    /// What others can depend on.
    pub fact: Fact,
}

/// A file with events.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: File,
}

/// All that was recorded.
#[derive(Debug, Default)]
pub struct Recording {
    sources: Vec<Source>,
    /// All events, those of a file in its order.
    pub entries: Vec<Entry>,
    /// The events of each node in the order in which it told them.
    pub streams: BTreeMap<NodeId, Vec<u32>>,
    /// For each clock, what to add to it for the time since 1970, as its wall clock had it, in microseconds.
    pub clocks: Vec<i64>,
    /// Whether its nodes hold a message before they deliver it, and write it into the replica later.
    pub has_quorum: bool,
    /// What the nodes call themselves.
    pub names: BTreeMap<NodeId, String>,
    /// What is wrong with the recordings, in sentences.
    pub notes: Vec<String>,
    /// How many more of these there are.
    pub notes_left_out: usize,
}

/// A life of a node: which file it is in, and which of that file's events are its.
#[derive(Debug, Default)]
struct Life {
    file: usize,
    entries: Vec<u32>,
}

/// What is remembered of a node while its file is read.
#[derive(Debug, Default)]
struct Teller {
    life: u64,
    last_n: Option<u64>,
    ring: Option<RingId>,
}

/// A file being read.
struct Reading<'a> {
    recording: &'a mut Recording,
    lives: &'a mut BTreeMap<(NodeId, u64), Life>,
    file: usize,
    path: &'a Path,
    line: u64,
    found: u64,
    tellers: BTreeMap<NodeId, Teller>,
    last_start: Option<NodeId>,
}

impl Recording {
    /// Reads all these files.
    pub fn read(paths: &[PathBuf]) -> Result<Recording, ReplayError> {
        let mut recording = Recording::default();
        let mut lives = BTreeMap::new();
        for (file, path) in paths.iter().enumerate() {
            let failed = |error| ReplayError::File(path.clone(), error);
            let opened = File::open(path).map_err(failed)?;
            if opened.metadata().map_err(failed)?.is_dir() {
                let why = "it is a folder".to_string();
                return Err(ReplayError::NoRecording(path.clone(), why));
            }
            let mut reading = Reading {
                recording: &mut recording,
                lives: &mut lives,
                file,
                path,
                line: 0,
                found: 0,
                tellers: BTreeMap::new(),
                last_start: None,
            };
            reading.whole(&opened)?;
            let path = path.clone();
            recording.sources.push(Source { path, file: opened });
        }
        recording.string_lives_together(lives);
        Ok(recording)
    }

    /// Lives of one node follow each other: in a file as they stand there, and files by the first incarnation in them,
    /// for a later life has a larger one (unless its disk was wiped and its clock is wrong).
    fn string_lives_together(&mut self, lives: BTreeMap<(NodeId, u64), Life>) {
        let mut firsts: BTreeMap<(NodeId, usize), (u32, u64)> = BTreeMap::new();
        for ((node, incarnation), life) in &lives {
            let begins = (life.entries[0], *incarnation);
            let first = firsts.entry((*node, life.file)).or_insert(begins);
            *first = begins.min(*first);
        }
        let mut in_order: Vec<_> = lives.into_iter().collect();
        in_order.sort_by_key(|((node, _), life)| {
            let (_, first) = firsts[&(*node, life.file)];
            (*node, first, life.file, life.entries[0])
        });
        for ((node, _), life) in in_order {
            let stream = self.streams.entry(node).or_default();
            stream.extend(life.entries);
        }
    }

    /// The text of an event, without the end of the line. `None` for what is known from others only.
    pub fn text(&self, entry: &Entry) -> Result<Option<String>, ReplayError> {
        let Some(place) = entry.place else { return Ok(None) };
        let source = &self.sources[usize::from(place.file)];
        let mut bytes = vec![0; place.bytes as usize];
        let read = source.file.read_exact_at(&mut bytes, place.offset);
        let text = read.and_then(|()| String::from_utf8(bytes).map_err(io::Error::other));
        match text {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(ReplayError::File(source.path.clone(), error)),
        }
    }

    /// What an event tells; `None` for what is known from others only, or has changed under our eyes.
    pub fn told(&self, entry: &Entry) -> Result<Option<Told>, ReplayError> {
        let text = self.text(entry)?;
        Ok(text
            .and_then(|text| told::read(text.as_bytes()).ok())
            .map(|(_, told)| told))
    }

    /// Whether this is one of the files that are read.
    pub fn reads(&self, path: &Path) -> bool {
        let same = |source: &Source| match (source.path.canonicalize(), path.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            (Ok(_) | Err(_), _) => false,
        };
        self.sources.iter().any(same)
    }

    /// Whether two clocks are the same machine's: they began at the same time.
    pub fn is_one_machine(&self, one: u32, other: u32) -> bool {
        let [one, other] = [one, other].map(|clock| self.clocks[clock as usize]);
        one.abs_diff(other) <= ONE_MACHINE_US
    }

    /// The nodes that told something, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.streams.keys().copied().collect()
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        } else {
            self.notes_left_out += 1;
        }
    }
}

impl Reading<'_> {
    /// Reads the file to its end.
    fn whole(&mut self, file: &File) -> Result<(), ReplayError> {
        let failed = |error| ReplayError::File(self.path.to_path_buf(), error);
        let mut input = BufReader::with_capacity(1 << 16, file);
        let mut offset = 0;
        let mut why_none = "it is empty".to_string();
        loop {
            let mut line = Vec::new();
            let most = LINE_BYTES_MAX as u64 + 1;
            let read = (&mut input)
                .take(most)
                .read_until(b'\n', &mut line)
                .map_err(failed)?;
            if read == 0 {
                break;
            }
            self.line += 1;
            let ended = line.last() == Some(&b'\n');
            let mut bytes = read as u64;
            if !ended && read > LINE_BYTES_MAX {
                bytes += skip_line(&mut input).map_err(failed)?;
                self.damaged(&format!("it is longer than {LINE_BYTES_MAX} bytes"));
            } else if let Err(why) = self.one(line.trim_ascii(), offset, ended)? {
                why_none = why;
            }
            offset += bytes;
            if self.found == 0 && self.line >= HEADING_LINES {
                break;
            }
        }
        if self.found == 0 {
            return Err(ReplayError::NoRecording(self.path.to_path_buf(), why_none));
        }
        Ok(())
    }

    /// Takes a line in. What is wrong with it has then been told; the inner error says it once more.
    fn one(&mut self, line: &[u8], offset: u64, ended: bool) -> Result<Result<(), String>, ReplayError> {
        if line.is_empty() {
            return Ok(Ok(()));
        }
        match told::read(line) {
            Ok((head, told)) => match self.teller(&head, &told) {
                Some(node) => {
                    let place = Place {
                        file: self.file as u16,
                        offset,
                        bytes: line.len() as u32,
                    };
                    self.event(node, &head, &told, place)?;
                    Ok(Ok(()))
                }
                None => {
                    let why = "it does not say which node tells it".to_string();
                    self.damaged(&why);
                    Ok(Err(why))
                }
            },
            Err(NoEvent::Newer(version)) => Err(ReplayError::Newer {
                path: self.path.to_path_buf(),
                line: self.line,
                version,
            }),
            Err(NoEvent::Damaged(_)) if !ended && self.found > 0 => {
                let (path, line, bytes) = (self.path.display(), self.line, line.len());
                self.recording.note(format!(
                    "{path}: the last line ({line}) is cut after {bytes} bytes; everything before it is used"
                ));
                Ok(Ok(()))
            }
            Err(NoEvent::Damaged(why)) => {
                self.damaged(&why);
                Ok(Err(why))
            }
        }
    }

    fn damaged(&mut self, why: &str) {
        let (path, line) = (self.path.display(), self.line);
        let note = format!("{path}, line {line}: damaged, and left out ({why})");
        self.recording.note(note);
    }

    /// Who tells this event: named by it, or the last one that started in this file.
    fn teller(&self, head: &Head, told: &Told) -> Option<NodeId> {
        let started = if let Told::Start { id, .. } = told {
            Some(NodeId(*id))
        } else {
            None
        };
        head.node.map(NodeId).or(started).or(self.last_start)
    }

    /// Keeps an event in mind.
    fn event(&mut self, node: NodeId, head: &Head, told: &Told, place: Place) -> Result<(), ReplayError> {
        if self.recording.entries.len() >= EVENTS_MAX {
            return Err(ReplayError::TooMany(EVENTS_MAX));
        }
        self.found += 1;
        let wall_us = head.at.as_deref().and_then(wall_us);
        let us = head.us.or(wall_us).unwrap_or(0);
        if let Told::Start {
            incarnation,
            name,
            quorum,
            ..
        } = told
        {
            self.recording.has_quorum |= *quorum > 0;
            self.starts(node, *incarnation, name)?;
        }
        let offset_us = wall_us.unwrap_or(us) as i64 - us as i64;
        let clock = self.clock(offset_us);
        self.count(node, head, told);
        let teller = self.tellers.entry(node).or_default();
        if let Told::Ring(installed) = told {
            teller.ring = Some(installed.ring);
        }
        let entry = Entry {
            node,
            clock,
            us,
            place: Some(place),
            fact: Fact::of(told, teller.ring),
        };
        let life = self.lives.entry((node, teller.life)).or_default();
        if life.entries.is_empty() {
            life.file = self.file;
        }
        life.entries.push(self.recording.entries.len() as u32);
        self.recording.entries.push(entry);
        Ok(())
    }

    /// A life begins.
    fn starts(&mut self, node: NodeId, incarnation: u64, name: &str) -> Result<(), ReplayError> {
        self.last_start = Some(node);
        if let Some(before) = self.lives.get(&(node, incarnation)) {
            let there = self.recording.sources.get(before.file);
            let there = there.map_or(self.path, |source| &source.path);
            return Err(ReplayError::Twice(
                node,
                there.to_path_buf(),
                self.path.to_path_buf(),
            ));
        }
        let life = Teller {
            life: incarnation,
            ..Teller::default()
        };
        self.tellers.insert(node, life);
        if !name.is_empty() {
            self.recording.names.insert(node, name.to_string());
        }
        Ok(())
    }

    /// The clock of an event. All nodes of a file share one; a machine that started again has another.
    fn clock(&mut self, offset_us: i64) -> u32 {
        /// By how much wall clocks are set right without that the other clock began anew.
        const SET_RIGHT_US: u64 = 60_000_000;
        let clocks = &mut self.recording.clocks;
        let mine = self.found > 1;
        let same = |last: &i64| mine && last.abs_diff(offset_us) < SET_RIGHT_US;
        if !clocks.last().is_some_and(same) {
            clocks.push(offset_us);
        }
        clocks.len() as u32 - 1
    }

    /// Looks whether events of this node are missing.
    fn count(&mut self, node: NodeId, head: &Head, told: &Told) {
        let teller = self.tellers.entry(node).or_default();
        let Some(n) = head.n else { return };
        let missing = teller
            .last_n
            .map(|last| (last + 1, n))
            .filter(|(next, n)| next < n);
        teller.last_n = Some(n);
        let (path, line) = (self.path.display(), self.line);
        if let Told::Lost { count } = told {
            self.recording.note(format!(
                "{path}, line {line}: node {node} could not record {count} events"
            ));
        } else if let Some((next, n)) = missing {
            let last = n - 1;
            self.recording.note(format!(
                "{path}, line {line}: events {next} to {last} of node {node} are missing"
            ));
        }
    }
}

/// Skips the rest of a line. Returns how many bytes that were.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |at| at + 1);
        input.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// A time as events spell it, in microseconds since 1970.
fn wall_us(text: &str) -> Option<u64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_microsecond()).ok()
}
