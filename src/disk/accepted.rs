//! Accepted chunks: stamped and received, but not delivered, because fewer than K members hold them yet.
//!
//! Only with `--quorum`. JSON Lines, a log: `{"v":1,"type":"accept","ring":"…","seq":42,"id":"…","fragment":0,
//! "fragments":1,"bytes":"6f69","sum":"…"}` and `{"v":1,"type":"forget","ring":"…","seq":42,"sum":"…"}`, which
//! forgets all positions up to its own. Forgetting is logged because a chunk that came back from the dead could
//! be taken for one that a quorum holds. `bytes` is hexadecimal.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::files::{AppendFile, FileError, FileSystem};
use super::outbox::COMPACT_BYTES;
use super::{DiskError, sealed_log};
use crate::checkpoint::{SealError, seal, unseal};
use crate::node::face::Accepted;
use crate::wire::Chunk;
use crate::words::{Position, Seq};

/// The version of the format.
const VERSION: u64 = 1;

/// A line of the log.
#[derive(Serialize, Deserialize)]
struct Line {
    v: u64,
    #[serde(flatten)]
    entry: Entry,
}

/// What a line says.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Entry {
    Accept {
        ring: String,
        seq: u64,
        id: String,
        fragment: u16,
        fragments: u16,
        bytes: String,
    },
    Forget {
        ring: String,
        seq: u64,
    },
}

/// What an entry means.
enum Meaning {
    Accept(Accepted),
    Forget(Position),
}

/// The log's file and which of its chunks still count.
pub struct AcceptedLog<S: FileSystem> {
    file: AppendFile<S>,
    live: BTreeMap<Position, u64>,
    live_bytes: u64,
}

/// What opening a log gives: the log, the chunks that count, in canonical order, and what the user should know.
pub type Opened<S> = (AcceptedLog<S>, Vec<Accepted>, Vec<String>);

impl<S: FileSystem> AcceptedLog<S> {
    /// Opens the log.
    pub fn open(system: &S, path: &Path) -> Result<Opened<S>, DiskError> {
        let contents = sealed_log::read(system, path, parse)?;
        let mut chunks = BTreeMap::new();
        for (meaning, length) in contents.lines {
            match meaning {
                Meaning::Accept(accepted) => {
                    chunks.insert(accepted.position, (accepted, length));
                }
                Meaning::Forget(upto) => chunks.retain(|position, _| *position > upto),
            }
        }
        let log = AcceptedLog {
            file: AppendFile::open(system, path)?,
            live: chunks
                .iter()
                .map(|(position, (_, length))| (*position, *length))
                .collect(),
            live_bytes: chunks.values().map(|(_, length)| length).sum(),
        };
        let chunks = chunks.into_values().map(|(accepted, _)| accepted).collect();
        Ok((log, chunks, contents.warnings))
    }

    /// Begins a log where there is none.
    pub fn create(system: &S, path: &Path) -> Result<AcceptedLog<S>, FileError> {
        Ok(AcceptedLog {
            file: AppendFile::open(system, path)?,
            live: BTreeMap::new(),
            live_bytes: 0,
        })
    }

    /// Appends chunks with one write. If it fails, none is kept.
    pub fn accept(&mut self, chunks: &[Accepted]) -> Result<(), FileError> {
        let lines: Vec<Vec<u8>> = chunks.iter().map(line_of).collect();
        self.file.append(&lines.concat())?;
        for (chunk, line) in chunks.iter().zip(&lines) {
            let length = line.len() as u64;
            self.live_bytes += length;
            self.live_bytes -= self.live.insert(chunk.position, length).unwrap_or(0);
        }
        Ok(())
    }

    /// Forgets all chunks up to this position.
    pub fn forget(&mut self, upto: Position) -> Result<(), FileError> {
        if self.live.keys().next().is_none_or(|first| *first > upto) {
            return Ok(());
        }
        let (ring, seq) = (upto.ring.to_string(), upto.seq.0);
        self.file.append(&sealed(Entry::Forget { ring, seq }))?;
        while let Some(entry) = self.live.first_entry()
            && *entry.key() <= upto
        {
            self.live_bytes -= entry.remove();
        }
        Ok(())
    }

    /// Makes what was appended durable.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync()
    }

    /// Gives back the room of forgotten chunks when that is worth it. Call it when the log is synced.
    pub fn tidy(&mut self) -> Result<(), FileError> {
        let length = self.file.length();
        if self.live.is_empty() && length > 0 {
            self.file.cut(0)?;
        } else if length > COMPACT_BYTES && self.live_bytes < length / 2 {
            let path = self.file.path().to_path_buf();
            let live = &self.live;
            // Forgets can go: what they forgot goes with them.
            self.file = sealed_log::compact(self.file.system(), &path, |line| match parse(line) {
                Ok(Meaning::Accept(accepted)) => live.contains_key(&accepted.position),
                Ok(Meaning::Forget(_)) => false,
                Err(_) => true,
            })?;
        }
        Ok(())
    }
}

fn sealed(entry: Entry) -> Vec<u8> {
    seal(&Line { v: VERSION, entry })
}

fn line_of(accepted: &Accepted) -> Vec<u8> {
    let chunk = &accepted.chunk;
    sealed(Entry::Accept {
        ring: accepted.position.ring.to_string(),
        seq: accepted.position.seq.0,
        id: chunk.id.to_string(),
        fragment: chunk.fragment,
        fragments: chunk.fragments,
        bytes: to_hex(&chunk.bytes),
    })
}

fn parse(line: &[u8]) -> Result<Meaning, SealError> {
    let foreign = |what: &str| SealError::Foreign(format!("bad {what}"));
    let line: Line = unseal(line, VERSION)?;
    let position = |ring: &str, seq: u64| {
        let ring = ring.parse().map_err(|_| foreign("ring"))?;
        Ok(Position { ring, seq: Seq(seq) })
    };
    match line.entry {
        Entry::Forget { ring, seq } => Ok(Meaning::Forget(position(&ring, seq)?)),
        Entry::Accept {
            ring,
            seq,
            id,
            fragment,
            fragments,
            bytes,
        } => Ok(Meaning::Accept(Accepted {
            position: position(&ring, seq)?,
            chunk: Chunk {
                seq: Seq(seq),
                id: id.parse().map_err(|_| foreign("id"))?,
                fragment,
                fragments,
                bytes: from_hex(&bytes).ok_or_else(|| foreign("bytes"))?,
            },
        })),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::Os;
    use crate::words::MessageId;
    use crate::words::samples::at;

    fn accepted(epoch: u64, seq: u64) -> Accepted {
        let position = at(epoch, seq);
        let id = MessageId {
            sender: position.ring.leader,
            counter: seq,
        };
        Accepted {
            position,
            chunk: Chunk {
                seq: Seq(seq),
                id,
                fragment: 1,
                fragments: 3,
                bytes: Bytes::from(vec![0, 10, 255, b'"']),
            },
        }
    }

    #[test]
    fn chunks_come_back_until_they_are_forgotten_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accepted.jsonl");
        let (mut log, found, _) = AcceptedLog::open(&Os, &path).unwrap();
        assert!(found.is_empty());
        log.accept(&[accepted(2, 1), accepted(1, 7), accepted(2, 2)])
            .unwrap();
        log.sync().unwrap();
        let (mut log, found, _) = AcceptedLog::open(&Os, &path).unwrap();
        assert_eq!(found, [accepted(1, 7), accepted(2, 1), accepted(2, 2)]);
        log.forget(at(2, 1)).unwrap();
        log.sync().unwrap();
        let (mut log, found, _) = AcceptedLog::open(&Os, &path).unwrap();
        assert_eq!(found, [accepted(2, 2)]);
        log.forget(at(2, 2)).unwrap();
        log.tidy().unwrap();
        assert_eq!(log.file.length(), 0);
        assert!(AcceptedLog::open(&Os, &path).unwrap().1.is_empty());
    }

    #[test]
    fn a_mostly_forgotten_log_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accepted.jsonl");
        let (mut log, ..) = AcceptedLog::open(&Os, &path).unwrap();
        let mut big = accepted(1, 1);
        big.chunk.bytes = Bytes::from(vec![7; 600_000]);
        log.accept(&[big, accepted(1, 2)]).unwrap();
        log.forget(at(1, 1)).unwrap();
        log.tidy().unwrap();
        assert!(log.file.length() < 1_000);
        assert_eq!(AcceptedLog::open(&Os, &path).unwrap().1, [accepted(1, 2)]);
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(to_hex(&[0, 171, 255]), "00abff");
        assert_eq!(from_hex("00abff"), Some(Bytes::from(vec![0, 171, 255])));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
