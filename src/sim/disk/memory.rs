//! A file system in memory that breaks as real ones do.
//!
//! What was synced survives a power cut. Of what was not, some part does: of a file's new bytes the first few, to
//! the byte, perhaps with a hole of one sector; of a folder's changed names the first few, in the order they were
//! changed, as a journal keeps it. A name may survive without the bytes of its file, and a file that was emptied may
//! come back. A killed process loses nothing that it had written. After a failed sync, what the disk lacks is
//! not to be read either. A folder, once made, is there for good.

mod break_down;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::disk::files::{FileSystem, How, OpenFile, folder_of};

/// What breaks a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine reports an error of the device.
    Device,
    /// The machine reports that there is no room.
    Full,
    /// A write is only done in part, which is no error.
    Short,
    /// The process is killed: this call and all after it do nothing.
    Killed,
}

/// The number of a file, whatever its names.
type Number = usize;

/// A file, whatever its names.
#[derive(Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    /// How many of the first bytes are synced.
    safe: usize,
    /// What was synced, if synced bytes were cut off since.
    before: Option<Vec<u8>>,
}

/// A change of a folder that is not synced.
#[derive(Clone, Debug)]
enum Change {
    Link(PathBuf, Number),
    Rename(PathBuf, PathBuf, Number),
    Unlink(PathBuf),
}

#[derive(Debug)]
struct State {
    dice: SmallRng,
    inodes: Vec<Inode>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, Number>,
    /// The names that survive a power cut.
    durable: BTreeMap<PathBuf, Number>,
    changes: Vec<Change>,
    /// What breaks, and at which call from now.
    fault: Option<(u64, Fault)>,
    /// How many bytes there is room for, if that may not be enough.
    room: Option<usize>,
    /// Faults that came to pass.
    seen: Vec<&'static str>,
}

/// The file system of one simulated machine. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Memory(Rc<RefCell<State>>);

/// An open file or folder.
#[derive(Debug)]
pub struct MemoryFile {
    system: Memory,
    what: Opened,
    at: usize,
}

#[derive(Debug)]
enum Opened {
    File(Number),
    Folder(PathBuf),
}

/// No room, as the machine says it.
fn full() -> io::Error {
    io::Error::from(ErrorKind::StorageFull)
}

impl State {
    /// One call to the machine.
    fn call(&mut self) -> io::Result<()> {
        let Some((left, fault)) = &mut self.fault else {
            return Ok(());
        };
        if *left > 0 {
            *left -= 1;
            return Ok(());
        }
        match fault {
            Fault::Killed => Err(io::Error::other("the process is gone")),
            Fault::Device => {
                self.fault = None;
                self.seen.push("disk: device error");
                Err(io::Error::other("input/output error"))
            }
            Fault::Full => {
                self.fault = None;
                self.seen.push("disk: no room once");
                Err(full())
            }
            // It waits for a write.
            Fault::Short => Ok(()),
        }
    }

    /// A call that needs room for something other than bytes.
    fn call_for_room(&mut self) -> io::Result<()> {
        self.call()?;
        if self.room == Some(0) {
            self.seen.push("disk: full");
            return Err(full());
        }
        Ok(())
    }

    /// How many of these bytes a write takes.
    fn takes(&mut self, length: usize) -> io::Result<usize> {
        let mut takes = length;
        if self.fault == Some((0, Fault::Short)) && length > 1 {
            self.fault = None;
            self.seen.push("disk: short write");
            takes = self.dice.random_range(1..length);
        }
        if let Some(room) = &mut self.room {
            if *room == 0 && length > 0 {
                self.seen.push("disk: full");
                return Err(full());
            }
            takes = takes.min(*room);
            *room -= takes;
        }
        Ok(takes)
    }

    fn number(&self, path: &Path) -> io::Result<Number> {
        let number = self.names.get(path).copied();
        number.ok_or_else(|| io::Error::from(ErrorKind::NotFound))
    }

    /// A change of a folder, seen at once and durable later.
    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.names);
        self.changes.push(change);
    }
}

impl Memory {
    /// An empty one.
    pub fn new(seed: u64) -> Memory {
        Memory(Rc::new(RefCell::new(State {
            dice: SmallRng::seed_from_u64(seed),
            inodes: Vec::new(),
            folders: BTreeSet::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            changes: Vec::new(),
            fault: None,
            room: None,
            seen: Vec::new(),
        })))
    }

    /// A file's bytes, if there is one.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        let number = state.number(path).ok()?;
        Some(state.inodes[number].bytes.clone())
    }

    /// All files with something in them.
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.0.borrow();
        let names = state.names.iter();
        let full = names.filter(|(_, number)| !state.inodes[**number].bytes.is_empty());
        full.map(|(path, _)| path.clone()).collect()
    }
}

impl FileSystem for Memory {
    type File = MemoryFile;

    fn open(&self, path: &Path, how: How) -> io::Result<MemoryFile> {
        let state = &mut *self.0.borrow_mut();
        state.call()?;
        let what = match (how, state.number(path)) {
            (How::Folder, _) => Opened::Folder(path.to_path_buf()),
            (How::Read | How::Append, Ok(number)) => Opened::File(number),
            (How::Anew, Ok(number)) => {
                state.inodes[number].give_up_from(0);
                Opened::File(number)
            }
            (How::Read, Err(error)) => return Err(error),
            (How::Append | How::Anew, Err(_)) => {
                if state.room == Some(0) {
                    state.seen.push("disk: full");
                    return Err(full());
                }
                let number = state.inodes.len();
                state.inodes.push(Inode::default());
                state.change(Change::Link(path.to_path_buf(), number));
                Opened::File(number)
            }
        };
        Ok(MemoryFile {
            system: self.clone(),
            what,
            at: 0,
        })
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.call_for_room()?;
        state.folders.insert(path.to_path_buf());
        Ok(())
    }

    fn is_folder(&self, path: &Path) -> bool {
        [Path::new(""), Path::new(".")].contains(&path) || self.0.borrow().folders.contains(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.borrow().names.contains_key(path) || self.is_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.call_for_room()?;
        let number = state.number(from)?;
        state.change(Change::Rename(from.to_path_buf(), to.to_path_buf(), number));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.call()?;
        state.number(path)?;
        state.change(Change::Unlink(path.to_path_buf()));
        Ok(())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = &mut *self.0.borrow_mut();
        state.call()?;
        let here = state.names.keys().filter(|path| folder_of(path) == folder);
        let name = |path: &PathBuf| path.file_name()?.to_str().map(str::to_string);
        Ok(here.filter_map(name).collect())
    }
}

impl MemoryFile {
    fn number(&self) -> io::Result<Number> {
        match self.what {
            Opened::File(number) => Ok(number),
            Opened::Folder(_) => Err(io::Error::from(ErrorKind::IsADirectory)),
        }
    }
}

impl Read for MemoryFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.system.0.borrow_mut();
        state.call()?;
        let bytes = &state.inodes[self.number()?].bytes;
        let rest = bytes.get(self.at..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// All writes go to the end: no file is written elsewhere.
impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *self.system.0.borrow_mut();
        state.call()?;
        let takes = state.takes(bytes.len())?;
        let number = self.number()?;
        state.inodes[number].bytes.extend_from_slice(&bytes[..takes]);
        Ok(takes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) => self.at = at as usize,
            SeekFrom::End(_) | SeekFrom::Current(_) => return Err(io::Error::from(ErrorKind::Unsupported)),
        }
        Ok(self.at as u64)
    }
}

impl OpenFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        let state = self.system.0.borrow();
        Ok(state.inodes[self.number()?].bytes.len() as u64)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let state = &mut *self.system.0.borrow_mut();
        state.call()?;
        let number = self.number()?;
        state.inodes[number].give_up_from(length as usize);
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let state = &mut *self.system.0.borrow_mut();
        let called = state.call();
        match (&self.what, called.is_ok()) {
            (Opened::File(number), true) => state.inodes[*number].sync(),
            (Opened::File(number), false) => state.sync_failed(*number),
            (Opened::Folder(path), true) => state.sync_names(path),
            (Opened::Folder(_), false) => {}
        }
        called
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
