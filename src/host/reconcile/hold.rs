//! Holding a replica while it is reconciled: no node may start on it, none may be running.
#![allow(clippy::disallowed_methods)] // The lock is a file opened without being replaced or appended to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::ReconcileError;
use super::targets::Target;
use crate::host::files::{self, Doing, FileError};

/// Holds a replica until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

/// What became of taking hold.
#[derive(Debug)]
pub enum Taken {
    /// It is held.
    Held(Hold),
    /// No node can be running on it: the file is not a node's, or only looked at and the node has no lock yet.
    NeedsNone,
    /// A node is running on it.
    Live {
        /// The lock that it holds.
        lock: PathBuf,
        /// Its process id, as the lock says.
        process: String,
    },
}

/// Takes a node's lock, as a node does when it starts. To look only, nothing is created.
pub fn take(target: &Target, look_only: bool) -> Result<Taken, ReconcileError> {
    let Some(folder) = target.own_folder() else {
        return Ok(Taken::NeedsNone);
    };
    let path = folder.join("lock");
    if look_only && !path.exists() {
        return Ok(Taken::NeedsNone);
    }
    files::make_folder(&folder)?;
    let file = OpenOptions::new()
        .read(true)
        .write(!look_only)
        .create(!look_only)
        .mode(0o600)
        .open(&path)
        .map_err(FileError::at(&path, Doing::Open))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let process = holder(file);
            return Ok(Taken::Live { lock: path, process });
        }
        Err(TryLockError::Error(error)) => return Err(FileError::at(&path, Doing::Lock)(error).into()),
    }
    if !look_only {
        name_this_process(&file).map_err(FileError::at(&path, Doing::Write))?;
    }
    Ok(Taken::Held(Hold { _lock: file }))
}

/// Writes into the lock who has it, for a node that starts meanwhile.
fn name_this_process(mut file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// Who has it, as the lock says.
fn holder(file: File) -> String {
    let mut text = String::new();
    // That it is taken is what matters; what cannot be read is left out of the message.
    let _ = file.take(20).read_to_string(&mut text);
    match text.trim() {
        "" => "of unknown id".to_string(),
        process => process.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::reconcile::targets;

    /// A data folder with the replica of node 3, and that replica.
    fn target() -> (tempfile::TempDir, Target) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("replicas")).unwrap();
        std::fs::write(folder.path().join("replicas/node-3.jsonl"), "").unwrap();
        let target = targets::all_in(folder.path()).unwrap().remove(0);
        (folder, target)
    }

    #[test]
    fn a_held_replica_is_live_to_others_until_it_is_let_go() {
        let (_folder, target) = target();
        let held = take(&target, false).unwrap();
        for look_only in [true, false] {
            let Taken::Live { process, .. } = take(&target, look_only).unwrap() else {
                panic!("taken twice")
            };
            assert_eq!(process, std::process::id().to_string());
        }
        drop(held);
        assert!(matches!(take(&target, true).unwrap(), Taken::Held(_)));
    }

    #[test]
    fn looking_creates_nothing() {
        let (folder, target) = target();
        assert!(matches!(take(&target, true).unwrap(), Taken::NeedsNone));
        assert!(!folder.path().join("checkpoints").exists());
    }
}
