//! Files: the three ways this program writes, each of which a crash at any byte leaves readable.
//!
//! A small file is *replaced*: written beside itself, synced, renamed over the old one, folder synced, so that
//! a reader finds the old one or the new one whole. A growing file is *appended* to: one `write` per batch of
//! lines, one sync for many batches; a crash can tear only its tail. Anything else is *read*.
//!
//! A failed sync is the end: what the machine then has on disk is unknown, and a second sync may claim success
//! for pages that were dropped (see "fsyncgate", PostgreSQL wiki). A full disk is not: the append is taken back
//! and can be tried again.
#![allow(clippy::disallowed_methods)] // This is the host's door to the file system.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Files hold what people said: for their owner only.
const MODE: u32 = 0o600;

/// What was being done when it failed, as it reads after "cannot".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Creating a folder. Nothing was changed.
    MakeFolder,
    /// Opening or creating a file. Nothing was changed.
    Open,
    /// Reading. Nothing was changed.
    Read,
    /// Writing. What was written of the batch was taken back.
    Write,
    /// Shortening a file. It may have a torn tail, which the next start cuts.
    Cut,
    /// Syncing. What is on the disk is unknown until the next start reads it.
    Sync,
    /// Renaming over the old file. The old file is in place.
    Rename,
    /// Removing a file. It is still there.
    Remove,
    /// Taking the lock.
    Lock,
}

/// A file operation that failed: what, where and the machine's reason.
#[derive(Debug)]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was being done to it.
    pub doing: Doing,
    /// What the machine said.
    pub reason: io::Error,
}

impl FileError {
    /// For `map_err`: gives the machine's reason its place.
    pub fn at(path: &Path, doing: Doing) -> impl FnOnce(io::Error) -> FileError + '_ {
        move |reason| FileError {
            path: path.to_path_buf(),
            doing,
            reason,
        }
    }

    /// Whether there was merely no room, on the disk or for another open file: nothing was lost, and it can be
    /// tried again. Never true of a sync.
    pub fn is_full(&self) -> bool {
        if self.is_out_of_handles() {
            return true;
        }
        let no_room = matches!(
            self.reason.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        );
        no_room
            && matches!(
                self.doing,
                Doing::Write | Doing::Open | Doing::Rename | Doing::MakeFolder
            )
    }
}

impl FileError {
    /// Whether this process, or the machine, has as many files open as it may. What opens files does so before
    /// it changes anything.
    fn is_out_of_handles(&self) -> bool {
        let errno = Errno::from_io_error(&self.reason);
        self.doing == Doing::Open && matches!(errno, Some(Errno::MFILE | Errno::NFILE))
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.doing {
            Doing::MakeFolder => "create the folder",
            Doing::Open => "open",
            Doing::Read => "read",
            Doing::Write => "write to",
            Doing::Cut => "shorten",
            Doing::Sync => "sync",
            Doing::Rename => "replace",
            Doing::Remove => "remove",
            Doing::Lock => "lock",
        };
        write!(f, "cannot {verb} {}: {}", self.path.display(), self.reason)?;
        let advice = if self.is_out_of_handles() {
            "; raise the limit of open files (ulimit -n), or end what has them open"
        } else if self.is_full() {
            "; make room on that disk"
        } else if self.reason.kind() == ErrorKind::PermissionDenied {
            "; check its owner and mode, or use another --data-dir"
        } else if self.reason.kind() == ErrorKind::ReadOnlyFilesystem {
            "; use a --data-dir that can be written"
        } else {
            ""
        };
        write!(f, "{advice}")
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

/// Creates a folder and its parents where they are missing, durably: what is synced in a folder is lost with it.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    if parent != path {
        make_folder(parent)?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(FileError::at(path, Doing::MakeFolder)(error))
        }
        _ => sync_folder(parent),
    }
}

/// Makes a folder's entries durable.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    let folder = File::open(path).map_err(FileError::at(path, Doing::Open))?;
    folder.sync_all().map_err(FileError::at(path, Doing::Sync))
}

/// The whole of a file; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(FileError::at(path, Doing::Read))?;
    Ok(Some(bytes))
}

/// Opens a file for reading; `None` if there is none.
pub fn open(path: &Path) -> Result<Option<File>, FileError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(path, Doing::Open)(error)),
    }
}

/// Passes on the bytes `start..end` of a file, piece by piece; no piece is empty.
pub fn copy(
    path: &Path,
    start: u64,
    end: u64,
    mut to: impl FnMut(&[u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let Some(mut file) = open(path)? else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(start))
        .map_err(FileError::at(path, Doing::Read))?;
    let mut part = file.take(end.saturating_sub(start));
    let mut piece = vec![0; 1 << 16];
    loop {
        match part.read(&mut piece).map_err(FileError::at(path, Doing::Read))? {
            0 => return Ok(()),
            length => to(&piece[..length])?,
        }
    }
}

/// Removes a file; it is no error if there is none.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::at(path, Doing::Remove)(error)),
        _ => Ok(()),
    }
}

/// Moves a file to another name in its folder, durably.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    std::fs::rename(from, to).map_err(FileError::at(from, Doing::Rename))?;
    sync_folder(folder_of(to))
}

/// The names in a folder, sorted; those that are no UTF-8 are none of ours and left out. A folder that is not
/// there has none.
pub fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(FileError::at(folder, Doing::Read))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(FileError::at(folder, Doing::Read))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Replaces a file by these bytes, durably and at once.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut replacement = Replacement::begin(path)?;
    replacement.write(bytes)?;
    replacement.finish()
}

/// The folder a file is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A new version of a file, growing beside the old one; thrown away unless it is finished.
pub struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    finished: bool,
}

impl Replacement {
    /// Begins a new version of `path`, as `path` with `.new` behind its name.
    pub fn begin(path: &Path) -> Result<Replacement, FileError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&temporary)
            .map_err(FileError::at(&temporary, Doing::Open))?;
        Ok(Replacement {
            path: path.to_path_buf(),
            temporary,
            out: BufWriter::with_capacity(1 << 16, file),
            finished: false,
        })
    }

    /// Adds bytes at its end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.out
            .write_all(bytes)
            .map_err(FileError::at(&self.temporary, Doing::Write))
    }

    /// Hands all bytes to the machine: after this, a full disk can no longer refuse them.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.out
            .flush()
            .map_err(FileError::at(&self.temporary, Doing::Write))
    }

    /// Puts it in the old one's place: sync, rename, sync of the folder. Whatever has to be opened for that is
    /// open before anything changes.
    pub fn finish(mut self) -> Result<(), FileError> {
        let folder = folder_of(&self.path);
        let opened = File::open(folder).map_err(FileError::at(folder, Doing::Open))?;
        self.flush()?;
        self.out
            .get_ref()
            .sync_all()
            .map_err(FileError::at(&self.temporary, Doing::Sync))?;
        std::fs::rename(&self.temporary, &self.path).map_err(FileError::at(&self.path, Doing::Rename))?;
        self.finished = true;
        let folder = folder_of(&self.path);
        opened.sync_all().map_err(FileError::at(folder, Doing::Sync))
    }

    /// The same, and goes on at its end.
    pub fn finish_and_append(mut self) -> Result<AppendFile, FileError> {
        self.flush()?;
        let at = |doing| FileError::at(&self.temporary, doing);
        let file = OpenOptions::new()
            .append(true)
            .open(&self.temporary)
            .map_err(at(Doing::Open))?;
        let length = file.metadata().map_err(at(Doing::Read))?.len();
        let path = self.path.clone();
        self.finish()?;
        Ok(AppendFile {
            path,
            file,
            length,
            unsynced: false,
        })
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.finished {
            // The old file is in place; a leftover is overwritten by the next replacement.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// A file that grows at its end.
pub struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
    unsynced: bool,
}

impl AppendFile {
    /// Opens the file, creating it (durably) if there is none.
    pub fn open(path: &Path) -> Result<AppendFile, FileError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            .open(path)
            .map_err(FileError::at(path, Doing::Open))?;
        // Also if it was there: the life that created it may have ended before it came to this.
        sync_folder(folder_of(path))?;
        let metadata = file.metadata().map_err(FileError::at(path, Doing::Read))?;
        Ok(AppendFile {
            path: path.to_path_buf(),
            file,
            length: metadata.len(),
            unsynced: false,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length: all bytes of all appends that succeeded.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends with one write and returns where the bytes begin. If it fails, none of them is kept. Not
    /// durable before [`AppendFile::sync`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64, FileError> {
        let start = self.length;
        if let Err(reason) = self.file.write_all(bytes) {
            self.cut(start)?;
            return Err(FileError::at(&self.path, Doing::Write)(reason));
        }
        self.length += bytes.len() as u64;
        self.unsynced |= !bytes.is_empty();
        Ok(start)
    }

    /// Forgets everything from `length` on.
    pub fn cut(&mut self, length: u64) -> Result<(), FileError> {
        assert!(length <= self.length, "a cut shortens");
        self.file
            .set_len(length)
            .map_err(FileError::at(&self.path, Doing::Cut))?;
        self.length = length;
        self.unsynced = true;
        Ok(())
    }

    /// Makes all appends durable; costs nothing if there were none.
    pub fn sync(&mut self) -> Result<(), FileError> {
        if self.unsynced {
            self.file
                .sync_data()
                .map_err(FileError::at(&self.path, Doing::Sync))?;
            self.unsynced = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut replacement = Replacement::begin(&path).unwrap();
        replacement.write(b"tw").unwrap();
        drop(replacement);
        assert_eq!(read(&path).unwrap().unwrap(), b"one");
        assert_eq!(names(folder.path()).unwrap(), ["a.json"]);
    }

    #[test]
    fn appends_follow_each_other_also_after_a_cut_and_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut file = AppendFile::open(&path).unwrap();
        assert_eq!(file.append(b"one\n").unwrap(), 0);
        assert_eq!(file.append(b"two\n").unwrap(), 4);
        file.cut(4).unwrap();
        assert_eq!(file.append(b"three\n").unwrap(), 4);
        file.sync().unwrap();
        let mut file = AppendFile::open(&path).unwrap();
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
        let mut replacement = Replacement::begin(&path).unwrap();
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
