//! The replicas on all disks, merged by the reconciler's own code at a moment when they differ.
//!
//! Two things that a run hardly ever brings about are added: a message at a second, higher position, and another
//! content under an id. Then, whatever the disks hold and in whatever order they are merged: of every id the record
//! at the lowest position is kept, of several contents there the lowest line, in canonical order; and what is
//! not kept is set aside and reported.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor};
use std::ops::Range;

use bytes::Bytes;

use super::check::Broken;
use super::disk::Disk;
use crate::reconcile::{Key, Outcome, Scratch, Sink, Sorter, Stream, Streams, Watched, merge};
use crate::replica::Record;
use crate::words::{MessageId, NodeId, Position, Seq};

/// Scratch space in memory.
#[derive(Default)]
struct Memory(Vec<u8>);

impl Scratch for Memory {
    type Section = Cursor<Vec<u8>>;

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn section(&self, range: Range<u64>) -> io::Result<Self::Section> {
        Ok(Cursor::new(
            self.0[range.start as usize..range.end as usize].to_vec(),
        ))
    }
}

/// What a merge kept and what it set aside.
#[derive(Default)]
struct Lines {
    kept: Vec<Vec<u8>>,
    aside: BTreeSet<Vec<u8>>,
}

impl Sink for Lines {
    fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        self.kept.push(line.to_vec());
        Ok(())
    }

    fn set_aside(&mut self, _replica: usize, line: &[u8]) -> io::Result<()> {
        self.aside.insert(line.to_vec());
        Ok(())
    }
}

/// Merges what is on the disks, all at once and pair by pair.
pub fn check(disks: &BTreeMap<NodeId, Disk>) -> Result<(), Broken> {
    let mut replicas: Vec<Vec<Record>> = disks
        .values()
        .map(|disk| disk.replica.values().cloned().collect())
        .collect();
    add_quarrels(&mut replicas);
    let files: Vec<Vec<u8>> = replicas
        .iter()
        .map(|records| sorted(records))
        .collect::<io::Result<_>>()
        .map_err(|error| format!("reconciling: {error}"))?;
    judge(&replicas, &files).map_err(|broken| format!("reconciling: {broken}"))
}

/// Puts a message at a second position, and another content under an id.
fn add_quarrels(replicas: &mut [Vec<Record>]) {
    let Some(records) = replicas.iter_mut().find(|records| !records.is_empty()) else {
        return;
    };
    let (first, last) = (records[0].clone(), records[records.len() - 1].clone());
    let beyond = Position {
        seq: Seq(last.position.seq.0 + 1),
        ..last.position
    };
    records.push(Record {
        position: beyond,
        ..first
    });
    let mut content = last.content.to_vec();
    content.splice(content.len() - 1.., br#","x":1}"#.iter().copied());
    let content = Bytes::from(content);
    replicas[0].push(Record { content, ..last });
}

/// A replica as a sorted file, from an order that has nothing to do with positions.
fn sorted(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut scrambled: Vec<&Record> = records.iter().collect();
    scrambled.sort_by_key(|record| record.hash());
    let mut sorter = Sorter::new(Memory::default());
    for record in scrambled {
        let (position, id) = (record.position, record.id);
        sorter.push(Key { position, id }, &record.line())?;
    }
    Ok(sorter.finish()?.scratch.0)
}

/// Merges files, a second time if the first one found messages at two positions.
fn merged(files: &[&[u8]]) -> io::Result<(Outcome, Lines)> {
    let pass = |watched| {
        let streams = files.iter().enumerate().map(|(at, file)| Stream::new(at, *file));
        let mut sink = Lines::default();
        let outcome = merge(Streams::new(streams.collect())?, files.len(), watched, &mut sink)?;
        Ok((outcome, sink))
    };
    let (outcome, sink) = pass(Watched::default())?;
    if outcome.watch_next.is_empty() {
        return Ok((outcome, sink));
    }
    pass(outcome.watch_next)
}

fn judge(replicas: &[Vec<Record>], files: &[Vec<u8>]) -> Result<(), Broken> {
    let mut lowest: BTreeMap<MessageId, (Position, Vec<u8>)> = BTreeMap::new();
    let mut contents: BTreeMap<MessageId, BTreeSet<&Bytes>> = BTreeMap::new();
    for record in replicas.iter().flatten() {
        contents.entry(record.id).or_default().insert(&record.content);
        let here = (record.position, record.line());
        let best = lowest.entry(record.id).or_insert_with(|| here.clone());
        *best = here.min(best.clone());
    }
    let mut expected: Vec<(Position, MessageId, Vec<u8>)> = lowest
        .into_iter()
        .map(|(id, (position, line))| (position, id, line))
        .collect();
    expected.sort();
    let expected: Vec<Vec<u8>> = expected.into_iter().map(|(.., line)| line).collect();
    let failed = |error: io::Error| error.to_string();
    let all: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let (outcome, sink) = merged(&all).map_err(failed)?;
    if sink.kept != expected {
        return Err(format!(
            "{} records kept, not the right {}",
            sink.kept.len(),
            expected.len()
        ));
    }
    let quarrels = contents.values().filter(|contents| contents.len() > 1).count();
    if (outcome.conflicts == 0) != (quarrels == 0) || sink.aside.len() < quarrels {
        let (told, aside) = (outcome.conflicts, sink.aside.len());
        return Err(format!(
            "{quarrels} ids have two contents; {told} are told, {aside} lines set aside"
        ));
    }
    let mut together: Vec<u8> = Vec::new();
    for file in all.iter().rev() {
        let (_, sink) = merged(&[file, &together]).map_err(failed)?;
        together = sink.kept.join(&b'\n');
    }
    if together != expected.join(&b'\n') {
        return Err("merged one after the other, replicas give something else".into());
    }
    Ok(())
}
