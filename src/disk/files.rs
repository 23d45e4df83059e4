//! Files: the three ways this program writes, each of which a crash at any byte leaves readable.
//!
//! A small file is *replaced*: written beside itself, synced, renamed over the old one, folder synced, so that
//! a reader finds the old one or the new one whole. A growing file is *appended* to: one `write` per batch of
//! lines, one sync for many batches; a crash can tear only its tail. Anything else is *read*.
//!
//! A failed sync is the end: what the machine then has on disk is unknown, and a second sync may claim success
//! for pages that were dropped (see "fsyncgate", PostgreSQL wiki). A full disk is not: the append is taken back
//! and can be tried again.
//!
//! What lies below is handed in as a [`FileSystem`]: the machine's, or one in memory that breaks on purpose.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::bugs::{self, Bug};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// To be read; it must be there.
    Read,
    /// To be added to at its end, created if need be, for its owner only.
    Append,
    /// To be written from nothing, created if need be, for its owner only.
    Anew,
    /// A folder, for its entries to be synced.
    Folder,
}

/// The file system below: each operation is one call to the machine, and can fail as that can.
pub trait FileSystem: Clone {
    /// An open file.
    type File: OpenFile;

    /// Opens a file.
    fn open(&self, path: &Path, how: How) -> io::Result<Self::File>;
    /// Creates a folder below one that is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Whether there is a folder of this name.
    fn is_folder(&self, path: &Path) -> bool;
    /// Whether there is anything of this name.
    fn exists(&self, path: &Path) -> bool;
    /// Gives a file another name, in the place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder that are UTF-8, in any order.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
}

/// An open file.
pub trait OpenFile: Read + Write + Seek {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Makes it this long.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Makes its bytes and its length durable.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes all of it durable; of a folder, its entries.
    fn sync_all(&mut self) -> io::Result<()>;
}

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
pub fn make_folder(system: &impl FileSystem, path: &Path) -> Result<(), FileError> {
    if system.is_folder(path) {
        return Ok(());
    }
    let parent = folder_of(path);
    if parent != path {
        make_folder(system, parent)?;
    }
    match system.make_folder(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !system.is_folder(path) => {
            Err(FileError::at(path, Doing::MakeFolder)(error))
        }
        _ => sync_folder(system, parent),
    }
}

/// Makes a folder's entries durable.
pub fn sync_folder(system: &impl FileSystem, path: &Path) -> Result<(), FileError> {
    let mut folder = system
        .open(path, How::Folder)
        .map_err(FileError::at(path, Doing::Open))?;
    folder.sync_all().map_err(FileError::at(path, Doing::Sync))
}

/// The whole of a file; `None` if there is none.
pub fn read(system: &impl FileSystem, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let Some(mut file) = open(system, path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(FileError::at(path, Doing::Read))?;
    Ok(Some(bytes))
}

/// Opens a file for reading; `None` if there is none.
pub fn open<S: FileSystem>(system: &S, path: &Path) -> Result<Option<S::File>, FileError> {
    match system.open(path, How::Read) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(path, Doing::Open)(error)),
    }
}

/// Passes on the bytes `start..end` of a file, piece by piece; no piece is empty.
pub fn copy(
    system: &impl FileSystem,
    path: &Path,
    start: u64,
    end: u64,
    mut to: impl FnMut(&[u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let Some(mut file) = open(system, path)? else {
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
pub fn remove(system: &impl FileSystem, path: &Path) -> Result<(), FileError> {
    match system.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::at(path, Doing::Remove)(error)),
        _ => Ok(()),
    }
}

/// Moves a file to another name in its folder, durably.
pub fn rename(system: &impl FileSystem, from: &Path, to: &Path) -> Result<(), FileError> {
    system
        .rename(from, to)
        .map_err(FileError::at(from, Doing::Rename))?;
    sync_folder(system, folder_of(to))
}

/// The names in a folder, sorted; those that are no UTF-8 are none of ours and left out. A folder that is not
/// there has none.
pub fn names(system: &impl FileSystem, folder: &Path) -> Result<Vec<String>, FileError> {
    let mut names = match system.names(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(FileError::at(folder, Doing::Read))?,
    };
    names.sort();
    Ok(names)
}

/// Replaces a file by these bytes, durably and at once.
pub fn replace(system: &impl FileSystem, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut replacement = Replacement::begin(system, path)?;
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
pub struct Replacement<S: FileSystem> {
    system: S,
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<S::File>,
    finished: bool,
}

impl<S: FileSystem> Replacement<S> {
    /// Begins a new version of `path`, as `path` with `.new` behind its name.
    pub fn begin(system: &S, path: &Path) -> Result<Replacement<S>, FileError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let file = system
            .open(&temporary, How::Anew)
            .map_err(FileError::at(&temporary, Doing::Open))?;
        Ok(Replacement {
            system: system.clone(),
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

    /// Hands all bytes to the machine and makes them durable. It is not in the old one's place yet.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.flush()?;
        self.out
            .get_mut()
            .sync_data()
            .map_err(FileError::at(&self.temporary, Doing::Sync))
    }

    /// Puts it in the old one's place: sync, rename, sync of the folder. Whatever has to be opened for that is
    /// open before anything changes.
    pub fn finish(mut self) -> Result<(), FileError> {
        let folder = folder_of(&self.path);
        let mut opened = self
            .system
            .open(folder, How::Folder)
            .map_err(FileError::at(folder, Doing::Open))?;
        self.flush()?;
        if !bugs::on(Bug::RenamedBeforeSync) {
            self.out
                .get_mut()
                .sync_all()
                .map_err(FileError::at(&self.temporary, Doing::Sync))?;
        }
        self.system
            .rename(&self.temporary, &self.path)
            .map_err(FileError::at(&self.path, Doing::Rename))?;
        self.finished = true;
        if bugs::on(Bug::NameNotSynced) {
            return Ok(());
        }
        let folder = folder_of(&self.path);
        opened.sync_all().map_err(FileError::at(folder, Doing::Sync))
    }

    /// The same, and goes on at its end.
    pub fn finish_and_append(mut self) -> Result<AppendFile<S>, FileError> {
        self.flush()?;
        let at = |doing| FileError::at(&self.temporary, doing);
        let file = self
            .system
            .open(&self.temporary, How::Append)
            .map_err(at(Doing::Open))?;
        let length = file.length().map_err(at(Doing::Read))?;
        let (system, path) = (self.system.clone(), self.path.clone());
        self.finish()?;
        Ok(AppendFile {
            system,
            path,
            file,
            length,
            unsynced: false,
        })
    }
}

impl<S: FileSystem> Drop for Replacement<S> {
    fn drop(&mut self) {
        if !self.finished {
            // The old file is in place; a leftover is overwritten by the next replacement.
            let _ = self.system.remove(&self.temporary);
        }
    }
}

/// A file that grows at its end.
pub struct AppendFile<S: FileSystem> {
    system: S,
    path: PathBuf,
    file: S::File,
    length: u64,
    unsynced: bool,
}

impl<S: FileSystem> AppendFile<S> {
    /// Opens the file, creating it (durably) if there is none.
    pub fn open(system: &S, path: &Path) -> Result<AppendFile<S>, FileError> {
        let mut file = system
            .open(path, How::Append)
            .map_err(FileError::at(path, Doing::Open))?;
        // Also if it was there: the life that created it may have ended before it came to this.
        if !bugs::on(Bug::NameNotSynced) {
            sync_folder(system, folder_of(path))?;
        }
        let length = file.length().map_err(FileError::at(path, Doing::Read))?;
        if length > 0 && !bugs::on(Bug::OpenedUnsynced) {
            // What that life wrote and did not come to sync is acted on from now on.
            file.sync_data().map_err(FileError::at(path, Doing::Sync))?;
        }
        Ok(AppendFile {
            system: system.clone(),
            path: path.to_path_buf(),
            file,
            length,
            unsynced: false,
        })
    }

    /// What it lies on.
    pub fn system(&self) -> &S {
        &self.system
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
        let written = match bugs::on(Bug::ShortWriteBelieved) {
            true => self.file.write(bytes).map(drop),
            false => self.file.write_all(bytes),
        };
        if let Err(reason) = written {
            if !bugs::on(Bug::FailedWriteKept) {
                self.cut(start)?;
            }
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
            .cut(length)
            .map_err(FileError::at(&self.path, Doing::Cut))?;
        self.length = length;
        self.unsynced = true;
        Ok(())
    }

    /// Makes all appends durable; costs nothing if there were none.
    pub fn sync(&mut self) -> Result<(), FileError> {
        if self.unsynced {
            let synced = self.file.sync_data();
            if !bugs::on(Bug::FailedSyncIgnored) {
                synced.map_err(FileError::at(&self.path, Doing::Sync))?;
            }
            self.unsynced = false;
        }
        Ok(())
    }
}
