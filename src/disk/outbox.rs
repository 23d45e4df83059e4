//! The outbox: what the user said, from before it is stamped until the own replica holds it.
//!
//! JSON Lines: `{"v":1,"id":"3-1763680000000000-17","content":{…},"sum":"…"}`. A line is forgotten in memory;
//! its bytes go when all are forgotten, or when most are and they are many. Until then a start drops what it
//! finds in the replica.

use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::files::{AppendFile, FileError, FileSystem};
use super::{DiskError, sealed_log};
use crate::checkpoint::{SealError, is_sealed, seal_behind, unseal};
use crate::replica::ById;
use crate::replica::record::put_id;
use crate::words::MessageId;

/// The version of the format.
const VERSION: u64 = 1;
/// How a line of this version begins.
const HEAD: &[u8] = b"{\"v\":1,\"id\":\"";
/// A file longer than this, and mostly dead, is written anew: small enough to read in no time at a start.
pub const COMPACT_BYTES: u64 = 1 << 20;

/// A line as it is read.
#[derive(Deserialize)]
struct Line<'a> {
    id: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The outbox's file and which of its lines still count.
pub struct Outbox<S: FileSystem> {
    file: AppendFile<S>,
    live: ById<u64>,
    live_bytes: u64,
}

/// What an outbox held at the start.
pub struct Waiting {
    /// Lines that the replica does not have, oldest first.
    pub lines: Vec<(MessageId, Bytes)>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl<S: FileSystem> Outbox<S> {
    /// Opens the outbox, dropping the lines that `in_replica` knows.
    pub fn open(
        system: &S,
        path: &Path,
        in_replica: impl Fn(MessageId) -> bool,
    ) -> Result<(Outbox<S>, Waiting), DiskError> {
        let contents = sealed_log::read(system, path, parse)?;
        let mut outbox = Outbox {
            file: AppendFile::open(system, path)?,
            live: ById::new(),
            live_bytes: 0,
        };
        let mut lines = Vec::new();
        for ((id, content), length) in contents.lines {
            if !in_replica(id) && !outbox.live.contains(id) {
                outbox.keep(id, length);
                lines.push((id, content));
            }
        }
        let warnings = contents.warnings;
        Ok((outbox, Waiting { lines, warnings }))
    }

    /// Appends lines with one write. If it fails, nothing of them is kept.
    pub fn append<'a>(
        &mut self,
        lines: impl Iterator<Item = (MessageId, &'a [u8])>,
    ) -> Result<(), FileError> {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        for (id, content) in lines {
            let start = bytes.len();
            bytes.extend_from_slice(HEAD);
            put_id(&mut bytes, id);
            bytes.extend_from_slice(b"\",\"content\":");
            bytes.extend_from_slice(content);
            seal_behind(&mut bytes, start);
            lengths.push((id, (bytes.len() - start) as u64));
        }
        self.file.append(&bytes)?;
        lengths.into_iter().for_each(|(id, length)| self.keep(id, length));
        Ok(())
    }

    fn keep(&mut self, id: MessageId, length: u64) {
        let before = self.live.insert(id, length).unwrap_or(0);
        self.live_bytes = self.live_bytes - before + length;
    }

    /// Forgets lines that are in the replica, durably.
    pub fn forget(&mut self, ids: &[MessageId]) {
        for id in ids {
            self.live_bytes -= self.live.remove(*id).unwrap_or(0);
        }
    }

    /// Makes what was appended durable.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync()
    }

    /// Gives back the room of forgotten lines when that is worth it, which on a full disk it always is. Call it when
    /// the replica is synced. A file of nothing but forgotten lines is cut where it is, which takes no room.
    pub fn tidy(&mut self, full: bool) -> Result<(), FileError> {
        let length = self.file.length();
        let worth_it = full || length > COMPACT_BYTES;
        if self.live.is_empty() && length > 0 {
            self.file.cut(0)?;
        } else if worth_it && self.live_bytes < length / 2 {
            let path = self.file.path().to_path_buf();
            let live = &self.live;
            self.file = sealed_log::compact(self.file.system(), &path, |line| match id_of(line) {
                Ok(id) => live.contains(id),
                Err(_) => true,
            })?;
        }
        Ok(())
    }
}

/// Reads the id of a line; of one as [`Outbox::append`] writes it, without reading the rest.
fn id_of(line: &[u8]) -> Result<MessageId, SealError> {
    let written = |line: &[u8]| {
        let id = line.strip_prefix(HEAD)?;
        let id = &id[..memchr::memchr(b'"', id)?];
        std::str::from_utf8(id).ok()?.parse().ok()
    };
    match written(line).filter(|_| is_sealed(line)) {
        Some(id) => Ok(id),
        None => parse(line).map(|(id, _)| id),
    }
}

/// Reads one line.
fn parse(line: &[u8]) -> Result<(MessageId, Bytes), SealError> {
    let line: Line = unseal(line, VERSION)?;
    let id = line
        .id
        .parse()
        .map_err(|error| SealError::Foreign(format!("id: {error}")))?;
    Ok((id, Bytes::copy_from_slice(line.content.get().as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::disk::files::{self, How};
    use crate::host::files::Os;
    use crate::words::{Incarnation, Member, NodeId};

    fn id(counter: u64) -> MessageId {
        let sender = Member {
            id: NodeId(3),
            incarnation: Incarnation(5),
        };
        MessageId { sender, counter }
    }

    fn append(outbox: &mut Outbox<Os>, counter: u64, content: &[u8]) {
        let line = (id(counter), content);
        outbox.append([line].into_iter()).unwrap();
    }

    fn open(path: &Path) -> (Outbox<Os>, Vec<u64>, usize) {
        let (outbox, waiting) = Outbox::open(&Os, path, |_| false).unwrap();
        let counters = waiting.lines.iter().map(|(id, _)| id.counter).collect();
        (outbox, counters, waiting.warnings.len())
    }

    /// An outbox whose lines are worth giving back.
    fn twelve_long_lines(path: &Path) -> Outbox<Os> {
        let (mut outbox, ..) = open(path);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        for counter in 1..=12 {
            append(&mut outbox, counter, long.as_bytes());
        }
        outbox
    }

    #[test]
    fn lines_come_back_byte_for_byte_but_for_those_in_the_replica() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let (mut outbox, ..) = open(&path);
        append(&mut outbox, 1, b"{\"from\":3 }");
        append(&mut outbox, 2, "{\"text\":\"ol\u{e1}\"}".as_bytes());
        outbox.sync().unwrap();
        let (_, waiting) = Outbox::open(&Os, &path, |found| found == id(1)).unwrap();
        assert_eq!(waiting.lines, [(id(2), Bytes::from("{\"text\":\"ol\u{e1}\"}"))]);
    }

    #[test]
    fn a_crash_at_every_byte_of_a_line_loses_only_that_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let (mut outbox, ..) = open(&path);
        append(&mut outbox, 1, b"{\"a\":1}");
        let first = outbox.file.length() as usize;
        append(&mut outbox, 2, b"{\"a\":2}");
        let whole = files::read(&Os, &path).unwrap().unwrap();
        for cut in first..=whole.len() {
            files::replace(&Os, &path, &whole[..cut]).unwrap();
            let (mut outbox, lines, warnings) = open(&path);
            let complete = cut + 1 >= whole.len();
            assert_eq!(lines, if complete { vec![1, 2] } else { vec![1] }, "cut at {cut}");
            assert_eq!(warnings == 1, cut > first && !complete, "cut at {cut}");
            append(&mut outbox, 3, b"{\"a\":3}");
            assert_eq!(open(&path).1.last(), Some(&3), "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_line_is_set_aside_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let (mut outbox, ..) = open(&path);
        for counter in 1..=3 {
            append(&mut outbox, counter, b"{\"a\":1}");
        }
        let mut bytes = files::read(&Os, &path).unwrap().unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        files::replace(&Os, &path, &bytes).unwrap();
        let (_, lines, warnings) = open(&path);
        assert_eq!((lines, warnings), (vec![1, 3], 1));
        let kept = files::read(&Os, &folder.path().join("outbox.damaged.txt"))
            .unwrap()
            .unwrap();
        assert_eq!(kept, &bytes[bytes.len() / 3..bytes.len() / 3 * 2]);
        assert_eq!(open(&path).2, 0, "said once");
    }

    #[test]
    fn a_last_line_whose_newline_rotted_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let (mut outbox, ..) = open(&path);
        append(&mut outbox, 1, b"{\"a\":1}");
        append(&mut outbox, 2, b"{\"a\":2}");
        let mut bytes = files::read(&Os, &path).unwrap().unwrap();
        *bytes.last_mut().unwrap() ^= 0x20;
        files::replace(&Os, &path, &bytes).unwrap();
        assert_eq!(open(&path).1, [1, 2]);
        assert_eq!(open(&path).1, [1, 2], "it is mended");
    }

    #[test]
    fn what_is_damaged_when_room_is_given_back_is_told_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let mut outbox = twelve_long_lines(&path);
        let mut bytes = files::read(&Os, &path).unwrap().unwrap();
        let end = bytes.len();
        bytes[end - 1_000] ^= 1;
        let mut file = Os.open(&path, How::Anew).unwrap();
        file.write_all(&bytes).unwrap();
        outbox.forget(&(1..=10).map(id).collect::<Vec<_>>());
        outbox.tidy(false).unwrap();
        assert!(outbox.file.length() < 210_000);
        drop(outbox);
        let (_, lines, warnings) = open(&path);
        assert_eq!((lines, warnings), (vec![11], 1));
    }

    #[test]
    fn a_line_of_a_newer_version_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        files::replace(&Os, &path, &crate::checkpoint::seal_open(b"{\"v\":2".to_vec())).unwrap();
        let error = Outbox::open(&Os, &path, |_| false).err().unwrap();
        assert_eq!(error.exit_code(), 7);
    }

    #[test]
    fn on_a_full_disk_little_room_is_given_back_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let (mut outbox, ..) = open(&path);
        for counter in 1..=3 {
            append(&mut outbox, counter, b"{}");
        }
        let whole = outbox.file.length();
        outbox.forget(&[id(1), id(2)]);
        outbox.tidy(false).unwrap();
        assert_eq!(outbox.file.length(), whole, "it is not worth it");
        outbox.tidy(true).unwrap();
        assert_eq!(outbox.file.length(), whole / 3);
        append(&mut outbox, 4, b"{}");
        assert_eq!(open(&path).1, [3, 4]);
    }

    #[test]
    fn forgotten_lines_give_their_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let mut outbox = twelve_long_lines(&path);
        outbox.forget(&(1..=11).map(id).collect::<Vec<_>>());
        outbox.tidy(false).unwrap();
        assert!(outbox.file.length() < 110_000, "only the live line is left");
        append(&mut outbox, 13, b"{}");
        assert_eq!(open(&path).1, [12, 13]);
        outbox.forget(&[id(12), id(13)]);
        outbox.tidy(false).unwrap();
        assert_eq!(outbox.file.length(), 0);
        assert!(open(&path).1.is_empty());
    }
}
