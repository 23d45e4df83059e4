//! The demo's own folder, below the system's for temporary files.
#![allow(clippy::disallowed_methods)] // Makes and removes the folder.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::host::clock;

use super::failure::Failure;

/// Only the user may look inside.
const MODE: u32 = 0o700;

/// A folder that nobody else uses.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, under a name that nobody can guess: the place is open to all users of the machine.
    pub fn create() -> Result<Folder, Failure> {
        let dice = clock::seed().map_err(|error| Failure::Machine("get random numbers".into(), error))?;
        let path = std::env::temp_dir().join(format!("roda-demo-{dice:016x}"));
        std::fs::DirBuilder::new()
            .mode(MODE)
            .create(&path)
            .map_err(Failure::at("create", &path))?;
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it with all that is in it.
    pub fn remove(&self) -> Result<(), Failure> {
        std::fs::remove_dir_all(&self.0).map_err(Failure::at("remove", &self.0))
    }
}
