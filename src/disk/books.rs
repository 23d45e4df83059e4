//! The books of the replica, on disk: written with each checkpoint, for the blocks that changed; read by a start, which then
//! reads of the replica only what was written since.
//!
//! They are a help and no more. Whatever is strange about them, a start reads the whole replica instead, and they are written
//! anew with the next checkpoint. Nothing is repaired here, and nothing is lost with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{self, AppendFile, FileError, FileSystem, Replacement};
use super::index::{Extent, Index};
use crate::checkpoint::books::{Block, Entry, Mark};
use crate::replica::Digest;
use crate::replica::digest::BlockKey;

/// A log that is longer than this, and mostly of lines that later ones replaced, is written anew.
const COMPACT_BYTES: u64 = 64 << 10;

/// What the books say.
pub struct Books {
    /// Up to where they hold, and what is there.
    pub mark: Mark,
    /// The digests of all blocks.
    pub digest: Digest,
    /// Where all blocks lie.
    pub index: Index,
}

/// The log.
pub struct BooksLog<S: FileSystem> {
    system: S,
    path: PathBuf,
    /// None if it has to be written anew.
    file: Option<AppendFile<S>>,
    /// About how long it would be without the lines that were replaced.
    live_bytes: u64,
}

impl<S: FileSystem> BooksLog<S> {
    /// Reads the log; without books in it, it will be written anew.
    pub fn open(system: &S, path: &Path) -> Result<(BooksLog<S>, Option<Books>), FileError> {
        let mut log = BooksLog {
            system: system.clone(),
            path: path.to_path_buf(),
            file: None,
            live_bytes: 0,
        };
        let bytes = files::read(system, path)?.unwrap_or_default();
        let Some((books, good)) = read(&bytes) else {
            return Ok((log, None));
        };
        log.live_bytes = good as u64;
        if good == bytes.len() {
            log.file = Some(AppendFile::open(system, path)?);
        }
        Ok((log, Some(books)))
    }

    /// What was written does not hold any more: it is written anew with the next checkpoint.
    pub fn forget(&mut self) {
        self.file = None;
    }

    /// Whether all blocks are to be written with the next mark, and not only those that changed.
    pub fn is_anew(&self) -> bool {
        let length = self.file.as_ref().map(AppendFile::length);
        length.is_none_or(|length| length > COMPACT_BYTES && length > 2 * self.live_bytes)
    }

    /// Writes blocks, all of them if [`BooksLog::is_anew`], and a mark behind them, durably.
    pub fn write(&mut self, blocks: impl Iterator<Item = Block>, mark: Mark) -> Result<(), FileError> {
        let mut bytes = Vec::new();
        let anew = self.is_anew();
        let mut replacement = match anew {
            true => Some(Replacement::begin(&self.system, &self.path)?),
            false => None,
        };
        let mut length = 0;
        for block in blocks {
            bytes.extend_from_slice(&Entry::Block(block).to_line());
            if let Some(replacement) = &mut replacement {
                replacement.write(&bytes)?;
                length += bytes.len() as u64;
                bytes.clear();
            }
        }
        bytes.extend_from_slice(&Entry::Mark(Box::new(mark)).to_line());
        match (replacement, &mut self.file) {
            (Some(mut replacement), _) => {
                replacement.write(&bytes)?;
                self.live_bytes = length + bytes.len() as u64;
                self.file = Some(replacement.finish_and_append()?);
                Ok(())
            }
            (None, Some(file)) => {
                file.append(&bytes)?;
                file.sync()
            }
            (None, None) => unreachable!("a log without a file is written anew"),
        }
    }
}

/// Reads a log: the books as of its last mark, and how many bytes there are up to its end. None if anything is wrong with it
/// but for an append that was cut.
fn read(bytes: &[u8]) -> Option<(Books, usize)> {
    let (mut blocks, mut since): (BTreeMap<BlockKey, Block>, Vec<Block>) = Default::default();
    let (mut found, mut at, mut good) = (None, 0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        match Entry::from_line(line) {
            Ok(_) if !line.ends_with(b"\n") => break,
            Ok(Entry::Block(block)) => since.push(block),
            Ok(Entry::Mark(mark)) => {
                blocks.extend(since.drain(..).map(|block| (block.key, block)));
                (found, good) = (Some(mark), at);
            }
            Err(_) if !line.ends_with(b"\n") => break,
            Err(_) => return None,
        }
    }
    let mark = *found?;
    let (mut digest, mut index) = (Digest::default(), Index::default());
    for (key, block) in blocks {
        digest.put(key, block.summary);
        let extents = block.extents.iter().map(|&(start, end)| Extent { start, end });
        index.put(key, extents.collect());
    }
    let sound = digest.records() == mark.present.len() && index.ends_within(mark.length);
    let books = Books { mark, digest, index };
    sound.then_some((books, good))
}

/// A block as the books have it.
pub fn block_of(key: BlockKey, digest: &Digest, index: &Index) -> Option<Block> {
    let summary = digest.block(key)?;
    let extents = index.of(key).iter().map(|extent| (extent.start, extent.end));
    Some(Block {
        key,
        summary,
        extents: extents.collect(),
    })
}
