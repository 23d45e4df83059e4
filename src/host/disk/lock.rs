//! The lock: one process per node and data folder.
#![allow(clippy::disallowed_methods)] // The lock is a file opened without being replaced or appended to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{DiskError, Paths};
use crate::host::files::{self, Doing, FileError};
use crate::words::NodeId;

/// Holds a node's files for this process until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of node `id`, creating its folder if there is none. Its file says the process id.
    pub fn take(data_dir: &Path, id: NodeId) -> Result<Lock, DiskError> {
        let paths = Paths::new(data_dir, id);
        files::make_folder(&paths.own)?;
        let path = paths.lock();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::at(&path, Doing::Open))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(file, id, &path)),
            Err(TryLockError::Error(error)) => return Err(FileError::at(&path, Doing::Lock)(error).into()),
        }
        file.set_len(0).map_err(FileError::at(&path, Doing::Cut))?;
        let line = format!("{}\n", std::process::id());
        if let Err(error) = file.write_all(line.as_bytes()) {
            // The lock holds without its text; a full disk shall not keep a node from starting.
            log::warn!("{}", FileError::at(&path, Doing::Write)(error));
        }
        Ok(Lock { _file: file })
    }
}

/// Who has it, as the file says.
fn taken(file: File, id: NodeId, path: &Path) -> DiskError {
    let mut by = String::new();
    // What cannot be read is left out of the message: that it is taken is what matters.
    let _ = file.take(20).read_to_string(&mut by);
    DiskError::Taken {
        id,
        by: by.trim().to_string(),
        path: path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_told_the_process_id_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path(), NodeId(3)).unwrap();
        let error = Lock::take(folder.path(), NodeId(3)).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(error.to_string().contains(&format!("process {pid}")), "{error}");
        assert_eq!(error.exit_code(), 5);
        Lock::take(folder.path(), NodeId(4)).unwrap();
        drop(lock);
        Lock::take(folder.path(), NodeId(3)).unwrap();
    }
}
