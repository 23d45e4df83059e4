//! Sorting more records than fit memory: sorted runs in scratch space.
//!
//! Replicas are disordered by delays of milliseconds, so a record is rarely far from its place. Therefore a full
//! buffer writes only its lower part and keeps the rest: a file of any length that is disordered only locally
//! becomes a single run. A file in any order at all becomes many runs, which are merged as soon as there are
//! [`FAN_IN`] of a size, so that the number of runs grows with the logarithm of the file's length.

use std::io::{self, BufRead};
use std::ops::Range;

use super::streams::{Key, Lines, Stream, Streams};
use crate::bugs::{self, Bug};

/// How many bytes of lines are sorted in memory at once. While the kept part moves there are two such buffers.
pub const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How many runs of a size are merged into one.
pub const FAN_IN: usize = 32;
/// How many bytes are handed to the scratch space at once.
const APPEND_BYTES: usize = 256 * 1024;

/// Space outside memory: bytes that are appended and read again in sections.
pub trait Scratch {
    /// What reads a section.
    type Section: BufRead;

    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// How many bytes have been appended.
    fn length(&self) -> u64;

    /// Reads a section of what was appended.
    fn section(&self, range: Range<u64>) -> io::Result<Self::Section>;
}

/// A sorted run in scratch space.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    range: Range<u64>,
    /// How often its records have been merged: runs of a level have about one size.
    level: u32,
}

/// A line in the buffer.
struct Entry {
    key: Key,
    start: usize,
    length: usize,
}

/// Sorts lines into runs.
pub struct Sorter<S> {
    scratch: S,
    buffer_bytes: usize,
    /// The lines in memory, one after the other.
    lines: Vec<u8>,
    entries: Vec<Entry>,
    /// Where the run that is being written begins, and its highest key so far.
    open: Option<(u64, Key)>,
    runs: Vec<Run>,
}

/// Scratch space with all records in it, in sorted runs.
pub struct Sorted<S> {
    /// The scratch space.
    pub scratch: S,
    /// The sections that are sorted in themselves.
    pub runs: Vec<Range<u64>>,
}

impl<S: Scratch> Sorter<S> {
    /// A sorter with nothing in it. Uses memory and scratch space only once there is something to sort.
    pub fn new(scratch: S) -> Sorter<S> {
        Sorter::with_buffer(scratch, BUFFER_BYTES)
    }

    /// A sorter with a buffer of this size.
    fn with_buffer(scratch: S, buffer_bytes: usize) -> Sorter<S> {
        Sorter {
            scratch,
            buffer_bytes,
            lines: Vec::new(),
            entries: Vec::new(),
            open: None,
            runs: Vec::new(),
        }
    }

    /// Adds a line, given without its newline.
    pub fn push(&mut self, key: Key, line: &[u8]) -> io::Result<()> {
        if !self.entries.is_empty() && self.lines.len() + line.len() > self.buffer_bytes {
            let lower_part = (self.entries.len() * 3 / 4).max(1);
            self.spill(lower_part)?;
        }
        let (start, length) = (self.lines.len(), line.len());
        self.lines.extend_from_slice(line);
        self.entries.push(Entry { key, start, length });
        Ok(())
    }

    /// Writes out what is left.
    pub fn finish(mut self) -> io::Result<Sorted<S>> {
        if !self.entries.is_empty() {
            self.spill(self.entries.len())?;
        }
        self.close_run()?;
        Ok(Sorted {
            scratch: self.scratch,
            runs: self.runs.into_iter().map(|run| run.range).collect(),
        })
    }

    /// Writes out the lowest `count` lines, to the open run if they all come after it, and keeps the others.
    fn spill(&mut self, count: usize) -> io::Result<()> {
        self.entries.sort_by_key(|entry| entry.key);
        if bugs::on(Bug::SortedByNumber) {
            self.entries.sort_by_key(|entry| entry.key.position.seq);
        }
        if self
            .open
            .is_some_and(|(_, highest)| self.entries[0].key < highest)
        {
            self.close_run()?;
        }
        let start = self.open.map_or(self.scratch.length(), |(start, _)| start);
        self.open = Some((start, self.entries[count - 1].key));
        let mut appender = Appender::default();
        for entry in self.entries.drain(..count) {
            let line = &self.lines[entry.start..entry.start + entry.length];
            appender.append(&mut self.scratch, line)?;
        }
        appender.flush(&mut self.scratch)?;
        self.compact();
        Ok(())
    }

    /// Drops the lines that no entry names any more.
    fn compact(&mut self) {
        let mut kept = Vec::with_capacity(if self.entries.is_empty() {
            0
        } else {
            self.buffer_bytes
        });
        for entry in &mut self.entries {
            let start = kept.len();
            kept.extend_from_slice(&self.lines[entry.start..entry.start + entry.length]);
            entry.start = start;
        }
        self.lines = kept;
    }

    /// Ends the open run, and merges runs where there are enough of a level.
    fn close_run(&mut self) -> io::Result<()> {
        let Some((start, _)) = self.open.take() else {
            return Ok(());
        };
        let range = start..self.scratch.length();
        self.runs.push(Run { range, level: 0 });
        // Levels fall from the first run to the last, so runs of one level stand together at the end.
        while let Some(level) = self.runs.last().map(|run| run.level) {
            let of_level = self.runs.iter().rev().take_while(|run| run.level == level);
            if of_level.count() < FAN_IN {
                break;
            }
            let merged = self.runs.split_off(self.runs.len() - FAN_IN);
            let range = self.merge_runs(&merged)?;
            self.runs.push(Run {
                range,
                level: level + 1,
            });
        }
        Ok(())
    }

    /// Merges runs into a new one behind all that is in the scratch space.
    fn merge_runs(&mut self, runs: &[Run]) -> io::Result<Range<u64>> {
        let section = |run: &Run| Ok(Stream::new(0, self.scratch.section(run.range.clone())?));
        let streams: io::Result<Vec<Stream<Lines<S::Section>>>> = runs.iter().map(section).collect();
        let mut streams = Streams::new(streams?)?;
        let start = self.scratch.length();
        let mut appender = Appender::default();
        while let Some(next) = streams.peek() {
            appender.append(&mut self.scratch, next.line)?;
            streams.advance()?;
        }
        appender.flush(&mut self.scratch)?;
        Ok(start..self.scratch.length())
    }
}

/// Gathers lines into larger writes.
#[derive(Default)]
struct Appender {
    pending: Vec<u8>,
}

impl Appender {
    /// Adds a line and its newline.
    fn append(&mut self, scratch: &mut impl Scratch, line: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        if self.pending.len() >= APPEND_BYTES {
            self.flush(scratch)
        } else {
            Ok(())
        }
    }

    /// Hands over what is left.
    fn flush(&mut self, scratch: &mut impl Scratch) -> io::Result<()> {
        scratch.append(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::reconcile::merge::tests::record;
    use crate::replica::Record;

    /// Scratch space in memory.
    impl Scratch for Vec<u8> {
        type Section = Cursor<Vec<u8>>;

        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.extend_from_slice(bytes);
            Ok(())
        }

        fn length(&self) -> u64 {
            self.len() as u64
        }

        fn section(&self, range: Range<u64>) -> io::Result<Cursor<Vec<u8>>> {
            Ok(Cursor::new(
                self[range.start as usize..range.end as usize].to_vec(),
            ))
        }
    }

    /// Sorts records with these numbers. Returns how many runs they made, and the numbers of all runs merged.
    fn sort(seqs: impl Iterator<Item = u64>, buffer_bytes: usize) -> (usize, Vec<u64>) {
        let mut sorter = Sorter::with_buffer(Vec::new(), buffer_bytes);
        for seq in seqs {
            let Record { id, position, .. } = record(seq, seq, "x");
            sorter
                .push(Key { position, id }, &record(seq, seq, "x").line())
                .unwrap();
        }
        let sorted = sorter.finish().unwrap();
        let streams = sorted.runs.iter().cloned();
        let streams = streams.map(|run| Stream::new(0, sorted.scratch.section(run).unwrap()));
        let mut streams = Streams::new(streams.collect()).unwrap();
        let mut seqs = Vec::new();
        while let Some(next) = streams.peek() {
            seqs.push(next.key.position.seq.0);
            streams.advance().unwrap();
        }
        (sorted.runs.len(), seqs)
    }

    #[test]
    fn nothing_to_sort_makes_no_run() {
        assert_eq!(sort(0..0, 1000), (0, vec![]));
    }

    #[test]
    fn a_local_disorder_makes_one_run_whatever_the_length() {
        let all: Vec<u64> = (0..4000).collect();
        let swapped = all.chunks(5).flat_map(|chunk| chunk.iter().rev().copied());
        assert_eq!(sort(swapped, 4000), (1, all));
    }

    #[test]
    fn any_disorder_is_sorted_with_few_runs() {
        let all: Vec<u64> = (0..6000).collect();
        let (runs, seqs) = sort(all.iter().rev().copied(), 2000);
        assert_eq!(seqs, all);
        assert!(runs > 1 && runs < 2 * FAN_IN, "{runs} runs");
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_sorted_too() {
        assert_eq!(sort([3, 1, 2].into_iter(), 1), (2, vec![1, 2, 3]));
    }

    /// The scratch space and the sections that so many runs, of one line each, come to.
    fn runs_of_one(count: u64) -> Sorted<Vec<u8>> {
        let mut sorter = Sorter::with_buffer(Vec::new(), 1);
        for seq in (1..=count).rev() {
            let Record { id, position, .. } = record(seq, seq, "x");
            sorter
                .push(Key { position, id }, &record(seq, seq, "x").line())
                .unwrap();
        }
        sorter.finish().unwrap()
    }

    #[test]
    fn runs_are_merged_when_there_are_enough_of_a_size_and_not_before() {
        let fan_in = FAN_IN as u64;
        assert_eq!(runs_of_one(fan_in - 1).runs.len(), FAN_IN - 1);
        assert_eq!(runs_of_one(fan_in).runs.len(), 1);
        assert_eq!(runs_of_one(fan_in + 1).runs.len(), 2);
        // A merged run is of another size than a fresh one: 32 fresh ones make the second merged run.
        assert_eq!(runs_of_one(2 * fan_in - 1).runs.len(), FAN_IN);
        assert_eq!(runs_of_one(2 * fan_in).runs.len(), 2);
        assert_eq!(runs_of_one(fan_in * fan_in).runs.len(), 1);
    }

    #[test]
    fn a_full_buffer_writes_its_lower_three_quarters() {
        let line = record(1, 1, "x").line().len();
        let mut sorter = Sorter::with_buffer(Vec::new(), 4 * line);
        let push = |seq: u64, sorter: &mut Sorter<Vec<u8>>| {
            let Record { id, position, .. } = record(seq, seq, "x");
            sorter
                .push(Key { position, id }, &record(seq, seq, "x").line())
                .unwrap();
        };
        (1..=4).for_each(|seq| push(seq, &mut sorter));
        assert_eq!((sorter.entries.len(), sorter.scratch.len()), (4, 0));
        push(5, &mut sorter);
        assert_eq!((sorter.entries.len(), sorter.scratch.len()), (2, 3 * (line + 1)));
        assert_eq!(sorter.lines.len(), 2 * line);
    }

    #[test]
    fn large_writes_are_gathered_and_none_is_lost() {
        let mut appender = Appender::default();
        let mut scratch: Vec<u8> = Vec::new();
        let line = vec![b'x'; APPEND_BYTES - 2];
        appender.append(&mut scratch, &line).unwrap();
        assert_eq!((scratch.len(), appender.pending.len()), (0, APPEND_BYTES - 1));
        appender.append(&mut scratch, b"").unwrap();
        assert_eq!((scratch.len(), appender.pending.len()), (APPEND_BYTES, 0));
    }
}
