//! The scrub: what a start did not read of the replica, because the books told of it, is read in the background, piece by
//! piece, and compared with the sum that the books have of it. If it differs, bits have rotted or somebody changed the file: it
//! is repaired as at a start, and the core is told what is lost, so that others give it again.

use std::path::Path;

use super::files::{self, FileError, FileSystem};
use super::index::Extent;
use super::lines::for_each_record;
use super::replica_file::ReplicaFile;
use super::survey::Viewpoint;
use super::{Disk, DiskError, start};
use crate::replica::{Digest, PositionSet};

/// What is left to be read, and what was found so far.
#[derive(Debug)]
pub struct Scrub {
    at: u64,
    until: u64,
    sum: crc32fast::Hasher,
    /// The sum that it should come to.
    expected: u32,
    /// Of this generation of the file: a later one was read when it was written.
    generation: u64,
}

/// What a piece of work came to.
#[derive(Debug)]
pub enum Scrubbed {
    /// There is more to be read.
    More,
    /// All has been read, and is as it was.
    Done,
    /// It was not as it was, and there is no room to repair it now.
    NoRoom(String),
    /// It was not as it was, and has been repaired.
    Mended(Mended),
}

/// A replica that was repaired while its node lives.
#[derive(Debug)]
pub struct Mended {
    /// What is there no more.
    pub lost: PositionSet,
    /// The digest of what is.
    pub digest: Digest,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Scrub {
    /// What the books of this generation told of the first `length` bytes, instead of their being read.
    pub fn new(length: u64, sum: u32, generation: u64) -> Option<Scrub> {
        (length > 0).then(|| Scrub {
            at: 0,
            until: length,
            sum: crc32fast::Hasher::new(),
            expected: sum,
            generation,
        })
    }
}

/// The digest of these records of a replica, each of which is there once.
fn digest_of(system: &impl FileSystem, path: &Path, state: &PositionSet) -> Result<Digest, FileError> {
    let mut digest = Digest::default();
    for_each_record::<FileError>(system, path, Extent::ALL, |found, line| {
        if state.contains(found.position) {
            digest.add_line(found.position, line.bytes);
        }
        Ok(())
    })?;
    Ok(digest)
}

impl<S: FileSystem> Disk<S> {
    /// Whether there is something to scrub.
    pub fn is_scrubbing(&self) -> bool {
        self.scrub.is_some()
    }

    /// Reads on by so many bytes.
    pub fn scrub(&mut self, bytes: u64) -> Result<Scrubbed, DiskError> {
        let generation = self.generation;
        let Some(scrub) = self.scrub.as_mut().filter(|scrub| scrub.generation == generation) else {
            self.scrub = None;
            return Ok(Scrubbed::Done);
        };
        let end = scrub.until.min(scrub.at.saturating_add(bytes));
        let (path, sum) = (self.paths.replica(), &mut scrub.sum);
        files::copy(&self.system, &path, scrub.at, end, |bytes| {
            sum.update(bytes);
            Ok(())
        })?;
        scrub.at = end;
        if end < scrub.until {
            return Ok(Scrubbed::More);
        }
        let is_as_it_was = scrub.sum.clone().finalize() == scrub.expected;
        let scrub = self.scrub.take();
        if is_as_it_was {
            return Ok(Scrubbed::Done);
        }
        match self.mend() {
            Err(DiskError::File(error)) if error.is_full() => {
                // It is tried again; nothing was changed but for what was set aside already.
                self.scrub = scrub;
                Ok(Scrubbed::NoRoom(error.to_string()))
            }
            mended => mended.map(Scrubbed::Mended),
        }
    }

    /// Repairs the replica as a start does.
    fn mend(&mut self) -> Result<Mended, DiskError> {
        self.replica.sync()?;
        let view = Viewpoint {
            id: self.id,
            snapshot: None,
            recover: true,
        };
        let (mut generation, mut warnings) = (self.generation, Vec::new());
        let (survey, _) = start::surveyed(
            &self.system,
            &self.paths,
            view,
            None,
            &mut generation,
            &mut warnings,
        )?;
        if warnings.is_empty() {
            warnings.push(format!(
                "{} was changed by other means since the last checkpoint, though each of its lines is good",
                self.paths.replica().display()
            ));
        }
        let lost = self.replica.present().difference(&survey.present);
        let state = survey.present.difference(self.replica.discarded());
        let path = self.paths.replica();
        let digest = match state == survey.present {
            true => survey.digest.clone(),
            false => digest_of(&self.system, &path, &state)?,
        };
        self.replica = ReplicaFile::open(&self.system, &path, survey, &state)?;
        self.generation = generation;
        self.books.forget();
        Ok(Mended {
            lost,
            digest,
            warnings,
        })
    }
}
