//! Writing replicas anew, and setting aside what is taken out of them.
//!
//! First everything is written beside the replicas, by a thread each (`writer`), and made durable there; then the
//! files set aside are synced, then one replica after the other is put in place. Whatever goes wrong on the way, each
//! replica is the old one or the new one, and what the new one lacks is set aside already. The next run does what this
//! one left.
#![allow(clippy::disallowed_methods)] // A file set aside gets a name that no file has yet.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReconcileError;
use super::targets::Target;
use super::writer::{BLOCK_BYTES, Writer};
use crate::host::disk::{Paths, raise_generation};
use crate::host::files::{self, Doing, FileError, Replacement};
use crate::reconcile::Sink;
use crate::reconcile::survey::Damage;

/// How much of a damaged line is copied at once: it may be longer than memory.
const COPY_BYTES: usize = 64 * 1024;

/// The new version of one replica.
pub struct Rewrite {
    path: PathBuf,
    /// The node's files, if the replica is a node's.
    node: Option<Paths>,
    writer: Writer,
    damaged: Aside,
    conflicts: Aside,
}

impl Rewrite {
    /// Begins to write a replica anew.
    pub fn begin(target: &Target) -> Result<Rewrite, ReconcileError> {
        let path = &target.path;
        let replacement = Replacement::begin(&files::Os, path)?;
        Ok(Rewrite {
            path: path.clone(),
            node: target.paths(),
            writer: Writer::start(replacement).map_err(ReconcileError::Merging)?,
            damaged: Aside::new(path, "damaged"),
            conflicts: Aside::new(path, "conflict"),
        })
    }

    /// Sets a damaged part of the old file aside.
    pub fn set_damage_aside(&mut self, old: &File, damage: Damage) -> io::Result<()> {
        let (mut at, end) = (damage.offset, damage.offset + damage.length);
        let mut piece = [0; COPY_BYTES];
        while at < end {
            let length = piece.len().min((end - at) as usize);
            old.read_exact_at(&mut piece[..length], at)?;
            self.damaged.write(&piece[..length])?;
            at += length as u64;
        }
        if damage.newline {
            Ok(())
        } else {
            self.damaged.write(b"\n")
        }
    }

    /// Waits until the new version is durable beside the old one.
    fn written(mut self) -> Result<Written, FileError> {
        Ok(Written {
            replacement: self.writer.end()?,
            path: self.path,
            node: self.node,
            asides: [self.damaged, self.conflicts],
        })
    }
}

/// The new version of one replica, complete and durable, not in place yet.
pub struct Written {
    path: PathBuf,
    node: Option<Paths>,
    replacement: Replacement,
    asides: [Aside; 2],
}

impl Written {
    /// Puts the new version in place. Returns the files in which lines were set aside.
    pub fn finish(self) -> Result<Vec<PathBuf>, ReconcileError> {
        let mut asides = Vec::new();
        for aside in self.asides {
            asides.extend(aside.finish()?);
        }
        if !asides.is_empty() {
            files::sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        if let Some(paths) = &self.node {
            // Before the file is replaced: then the node never takes the new file for a damaged old one.
            raise_generation(paths)?;
        }
        self.replacement.finish()?;
        Ok(asides)
    }
}

/// The new versions of the replicas that need one: a merge's sink.
pub struct Rewrites {
    rewrites: Vec<Option<Rewrite>>,
    /// What is gathered for the next block.
    pending: Vec<u8>,
}

impl Rewrites {
    /// Nothing written yet, and none for a replica that needs no new version.
    pub fn new(rewrites: Vec<Option<Rewrite>>) -> Rewrites {
        Rewrites {
            rewrites,
            pending: Vec::new(),
        }
    }

    /// Waits until all of them are durable, so that a full disk is met before the first replica is replaced.
    pub fn written(mut self) -> Result<Vec<Option<Written>>, FileError> {
        self.hand_on()?;
        let rewrites = self.rewrites.into_iter();
        rewrites
            .map(|rewrite| rewrite.map(Rewrite::written).transpose())
            .collect()
    }

    /// Hands what was gathered to all who write.
    fn hand_on(&mut self) -> Result<(), FileError> {
        let block = Arc::new(std::mem::replace(
            &mut self.pending,
            Vec::with_capacity(BLOCK_BYTES),
        ));
        let mut rewrites = self.rewrites.iter_mut().flatten();
        rewrites.try_for_each(|rewrite| rewrite.writer.write(Arc::clone(&block)))
    }
}

impl Sink for Rewrites {
    fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        if self.pending.len() + line.len() + 1 > BLOCK_BYTES {
            self.hand_on().map_err(io::Error::other)?;
        }
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        Ok(())
    }

    fn set_aside(&mut self, replica: usize, line: &[u8]) -> io::Result<()> {
        // A replica without a new version loses no line: then the merge's counts say that it needs one, and
        // all of this is thrown away.
        let Some(rewrite) = &mut self.rewrites[replica] else {
            return Ok(());
        };
        let aside = &mut rewrite.conflicts;
        aside.write(line)?;
        aside.write(b"\n")
    }
}

/// Lines taken out of a replica, in a file of their own, created with the first of them.
struct Aside {
    folder: PathBuf,
    /// The name up to the number.
    stem: String,
    out: Option<(PathBuf, BufWriter<File>)>,
}

impl Aside {
    /// Nothing set aside yet, of this replica and for this reason.
    fn new(replica: &Path, why: &str) -> Aside {
        let name = replica.file_stem().unwrap_or_default().to_string_lossy();
        Aside {
            folder: replica.parent().unwrap_or(Path::new(".")).to_path_buf(),
            stem: format!("{name}.{why}-"),
            out: None,
        }
    }

    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (_, out) = match &mut self.out {
            Some(out) => out,
            None => self.out.insert(first_free(&self.folder, &self.stem)?),
        };
        out.write_all(bytes)
    }

    /// Makes the file durable and keeps it. Returns its path, if anything was set aside.
    fn finish(mut self) -> Result<Option<PathBuf>, FileError> {
        let Some((path, mut out)) = self.out.take() else {
            return Ok(None);
        };
        let written = out.flush().and_then(|()| out.get_ref().sync_all());
        if let Err(error) = written {
            drop(std::fs::remove_file(&path));
            return Err(FileError::at(&path, Doing::Write)(error));
        }
        Ok(Some(path))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.out {
            // The old replica is in place, with all its lines.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Creates the file with the lowest number that no file has.
fn first_free(folder: &Path, stem: &str) -> io::Result<(PathBuf, BufWriter<File>)> {
    let mut number = 1;
    loop {
        let path = folder.join(format!("{stem}{number}.jsonl"));
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, BufWriter::new(file))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(io::Error::other(FileError::at(&path, Doing::Open)(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::record::RecordError;

    fn names(folder: &Path) -> Vec<String> {
        files::names(folder).unwrap()
    }

    fn target(path: &Path) -> Target {
        let path = path.to_path_buf();
        Target {
            node: None,
            path,
            data_dir: None,
        }
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_replica_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node-3.jsonl");
        std::fs::write(&path, "old").unwrap();
        let mut rewrites = Rewrites::new(vec![Some(Rewrite::begin(&target(&path)).unwrap()), None]);
        rewrites.keep(b"new").unwrap();
        rewrites.set_aside(0, b"loser").unwrap();
        assert_eq!(names(folder.path()).len(), 3);
        drop(rewrites);
        assert_eq!(names(folder.path()), ["node-3.jsonl"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_writer_that_fails_says_why_and_leaves_the_old_replica() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node-3.jsonl");
        std::fs::write(&path, "old").unwrap();
        for blocks in [1, 40] {
            std::os::unix::fs::symlink("/dev/full", folder.path().join("node-3.jsonl.new")).unwrap();
            let mut rewrites = Rewrites::new(vec![Some(Rewrite::begin(&target(&path)).unwrap())]);
            let line = vec![b'x'; BLOCK_BYTES - 1];
            let kept = (0..blocks).try_for_each(|_| rewrites.keep(&line));
            let reason = match kept {
                Err(error) => error.to_string(),
                Ok(()) => rewrites
                    .written()
                    .map(drop)
                    .expect_err("the disk is full")
                    .to_string(),
            };
            assert!(
                reason.contains("node-3.jsonl.new") && reason.contains("No space"),
                "{reason}"
            );
            assert_eq!(names(folder.path()), ["node-3.jsonl"]);
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn files_set_aside_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node-3.jsonl");
        std::fs::write(&path, "bad\ntail").unwrap();
        let error = RecordError::Torn;
        let lines = [(1, 0, 4, true), (2, 4, 4, false)];
        let lines = lines.map(|(line, offset, length, newline)| Damage {
            line,
            offset,
            length,
            newline,
            error,
        });
        for round in 1..=2 {
            let mut rewrite = Rewrite::begin(&target(&path)).unwrap();
            let old = File::open(&path).unwrap();
            for damage in lines {
                rewrite.set_damage_aside(&old, damage).unwrap();
            }
            let asides = rewrite.written().unwrap().finish().unwrap();
            assert_eq!(
                asides,
                [folder.path().join(format!("node-3.damaged-{round}.jsonl"))]
            );
            assert_eq!(std::fs::read(&asides[0]).unwrap(), b"bad\ntail\n");
            std::fs::write(&path, "bad\ntail").unwrap();
        }
        assert_eq!(
            names(folder.path()),
            ["node-3.damaged-1.jsonl", "node-3.damaged-2.jsonl", "node-3.jsonl"]
        );
    }
}
