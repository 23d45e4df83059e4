//! A folder of a program's own, below the system's for temporary files.
#![allow(clippy::disallowed_methods)] // Makes and removes the folder.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::host::clock;

/// Only the user may look inside.
const MODE: u32 = 0o700;

/// A folder that nobody else uses. It stays until it is removed.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, under a name that begins like this and that nobody can guess: the place is open to all users of the
    /// machine.
    pub fn create(name: &str) -> io::Result<Folder> {
        let dice = clock::seed()?;
        let path = std::env::temp_dir().join(format!("{name}-{dice:016x}"));
        let made = std::fs::DirBuilder::new().mode(MODE).create(&path);
        let told = |error| io::Error::other(format!("{}: {error}", path.display()));
        made.map_err(told)?;
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it with all that is in it.
    pub fn remove(&self) -> io::Result<()> {
        let told = |error| io::Error::other(format!("{}: {error}", self.0.display()));
        std::fs::remove_dir_all(&self.0).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_its_owner_and_goes_with_all_that_is_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::create("roda-test").unwrap();
        let mode = std::fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        std::fs::create_dir(folder.path().join("inside")).unwrap();
        folder.remove().unwrap();
        assert!(!folder.path().exists());
        assert!(folder.remove().is_err());
    }
}
