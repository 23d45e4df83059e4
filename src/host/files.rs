//! The machine's file system, as the disk side of a node uses it.
#![allow(clippy::disallowed_methods)] // This is the host's door to the file system.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::disk::files::{self, FileSystem, How, OpenFile};

pub use crate::disk::files::{Doing, FileError, folder_of};

/// Files hold what people said: for their owner only.
const MODE: u32 = 0o600;

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Os;

/// A new version of a file of the machine.
pub type Replacement = files::Replacement<Os>;

/// A file of the machine that grows at its end.
pub type AppendFile = files::AppendFile<Os>;

impl FileSystem for Os {
    type File = File;

    fn open(&self, path: &Path, how: How) -> io::Result<File> {
        let mut options = OpenOptions::new();
        match how {
            How::Read | How::Folder => options.read(true),
            How::Append => options.append(true).create(true).mode(MODE),
            How::Anew => options.write(true).create(true).truncate(true).mode(MODE),
        };
        options.open(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }
}

impl OpenFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }
}

/// Creates a folder and its parents where they are missing; see [`files::make_folder`].
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    files::make_folder(&Os, path)
}

/// Makes a folder's entries durable.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    files::sync_folder(&Os, path)
}

/// The whole of a file; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    files::read(&Os, path)
}

/// The names in a folder, sorted; see [`files::names`].
pub fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    files::names(&Os, folder)
}

/// Opens a file for reading; `None` if there is none.
pub fn open(path: &Path) -> Result<Option<File>, FileError> {
    files::open(&Os, path)
}

/// Removes a file; it is no error if there is none.
pub fn remove(path: &Path) -> Result<(), FileError> {
    files::remove(&Os, path)
}

/// Replaces a file by these bytes, durably and at once.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    files::replace(&Os, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_replaced_file_is_private_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(names(folder.path()).unwrap(), ["a.json"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_unfinished_replacement_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace(&path, b"one").unwrap();
        let mut replacement = Replacement::begin(&Os, &path).unwrap();
        replacement.write(b"tw").unwrap();
        drop(replacement);
        assert_eq!(read(&path).unwrap().unwrap(), b"one");
        assert_eq!(names(folder.path()).unwrap(), ["a.json"]);
    }

    #[test]
    fn appends_follow_each_other_also_after_a_cut_and_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut file = AppendFile::open(&Os, &path).unwrap();
        assert_eq!(file.append(b"one\n").unwrap(), 0);
        assert_eq!(file.append(b"two\n").unwrap(), 4);
        file.cut(4).unwrap();
        assert_eq!(file.append(b"three\n").unwrap(), 4);
        file.sync().unwrap();
        let mut file = AppendFile::open(&Os, &path).unwrap();
        assert_eq!(file.append(b"four\n").unwrap(), 10);
        assert_eq!(read(&path).unwrap().unwrap(), b"one\nthree\nfour\n");
    }

    #[test]
    fn errors_name_the_path_the_reason_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        replace(&file, b"").unwrap();
        let error = make_folder(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("/file: File exists"), "{error}");
        let full = FileError::at(&file, Doing::Write)(io::Error::from(ErrorKind::StorageFull));
        assert!(full.is_full() && full.to_string().contains("make room"), "{full}");
        let refused = FileError::at(&file, Doing::Open)(io::Error::from(ErrorKind::ReadOnlyFilesystem));
        assert!(refused.to_string().contains("--data-dir"), "{refused}");
        let synced = FileError::at(&file, Doing::Sync)(io::Error::from(ErrorKind::StorageFull));
        assert!(!synced.is_full(), "a failed sync is never harmless");
        for errno in [Errno::MFILE, Errno::NFILE] {
            let many = FileError::at(&file, Doing::Open)(errno.into());
            assert!(many.is_full() && many.to_string().contains("ulimit"), "{many}");
            assert!(!FileError::at(&file, Doing::Sync)(errno.into()).is_full());
        }
    }

    #[test]
    fn a_replaced_file_goes_on_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"old").unwrap();
        let mut replacement = Replacement::begin(&Os, &path).unwrap();
        replacement.write(b"new ").unwrap();
        let mut file = replacement.finish_and_append().unwrap();
        assert_eq!(file.length(), 4);
        file.append(b"end").unwrap();
        file.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new end");
        file.cut(0).unwrap();
        file.append(b"x").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }
}
