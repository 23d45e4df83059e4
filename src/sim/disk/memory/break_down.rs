//! How the file system breaks: power cuts, failed syncs, rotting bits, no room.

use super::{
    BTreeMap, BTreeSet, Change, Fault, Inode, Memory, Number, Path, PathBuf, RngExt, State, folder_of,
};
use rand::rngs::SmallRng;

/// A hole that a power cut leaves begins and ends at a multiple of this.
const SECTOR: usize = 512;
/// How likely the journal of a folder ends at a change that was not synced.
const JOURNAL_ENDS: f64 = 0.3;
/// How likely a torn file has a hole.
const HOLE: f64 = 0.3;

impl Change {
    fn folder(&self) -> &Path {
        match self {
            Change::Link(path, _) | Change::Rename(_, path, _) | Change::Unlink(path) => folder_of(path),
        }
    }

    pub(super) fn apply(self, names: &mut BTreeMap<PathBuf, Number>) {
        match self {
            Change::Link(path, number) => {
                names.insert(path, number);
            }
            Change::Rename(from, to, number) => {
                names.remove(&from);
                names.insert(to, number);
            }
            Change::Unlink(path) => {
                names.remove(&path);
            }
        }
    }
}

impl Inode {
    /// What it holds is what a power cut leaves.
    pub(super) fn sync(&mut self) {
        self.safe = self.bytes.len();
        self.before = None;
    }

    /// Bytes from here on go.
    pub(super) fn give_up_from(&mut self, length: usize) {
        if length < self.safe {
            let safe = &self.bytes[..self.safe];
            self.before.get_or_insert_with(|| safe.to_vec());
            self.safe = length;
        }
        self.bytes.truncate(length);
    }

    /// Part of what was not synced is lost.
    fn lose(&mut self, dice: &mut SmallRng) {
        if let Some(before) = self.before.take().filter(|_| dice.random_bool(0.5)) {
            self.bytes = before;
        } else if self.bytes.len() > self.safe {
            let left = dice.random_range(self.safe..=self.bytes.len());
            self.bytes.truncate(left);
            let hole = self.safe.next_multiple_of(SECTOR);
            if hole < left && dice.random_bool(HOLE) {
                self.bytes[hole..(hole + SECTOR).min(left)].fill(0);
            }
        }
        self.sync();
    }
}

impl State {
    /// The machine gave up on what a file had that was not synced, and will not say so again. A process that is
    /// gone synced nothing.
    pub(super) fn sync_failed(&mut self, number: Number) {
        if self.fault.is_none() {
            self.inodes[number].lose(&mut self.dice);
        }
    }

    /// A folder's names are what a power cut leaves.
    pub(super) fn sync_names(&mut self, folder: &Path) {
        let changes = std::mem::take(&mut self.changes);
        for change in changes {
            if change.folder() == folder {
                change.apply(&mut self.durable);
            } else {
                self.changes.push(change);
            }
        }
    }
}

impl Memory {
    /// Something breaks at a call to come, that many calls from now; `None` for nothing.
    pub fn break_call(&self, fault: Option<(u64, Fault)>) {
        self.0.borrow_mut().fault = fault;
    }

    /// There is only so much room from now on; `None` for enough.
    pub fn set_room(&self, room: Option<usize>) {
        self.0.borrow_mut().room = room;
    }

    /// The faults that came to pass since this was asked last.
    pub fn take_seen(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.borrow_mut().seen)
    }

    /// A number below a bound, from the dice of this file system.
    pub fn roll(&self, bound: u64) -> u64 {
        self.0.borrow_mut().dice.random_range(0..bound)
    }

    /// The power goes and comes back. No file is open. Returns how much was not synced: files and names.
    pub fn cut_power(&self) -> usize {
        let state = &mut *self.0.borrow_mut();
        state.fault = None;
        let changes = std::mem::take(&mut state.changes);
        let mut unsynced = changes.len();
        let mut ended = BTreeSet::new();
        for change in changes {
            let folder = change.folder().to_path_buf();
            if !ended.contains(&folder) && state.dice.random_bool(JOURNAL_ENDS) {
                ended.insert(folder);
            } else if !ended.contains(&folder) {
                change.apply(&mut state.durable);
            }
        }
        state.names = state.durable.clone();
        for inode in &mut state.inodes {
            if inode.bytes.len() > inode.safe || inode.before.is_some() {
                unsynced += 1;
                inode.lose(&mut state.dice);
            }
        }
        unsynced
    }

    /// Flips a bit of a file that is not empty, on the disk as in what is read.
    pub fn rot(&self, path: &Path) {
        let state = &mut *self.0.borrow_mut();
        let Ok(number) = state.number(path) else {
            return;
        };
        let bytes = &mut state.inodes[number].bytes;
        if !bytes.is_empty() {
            let at = state.dice.random_range(0..bytes.len());
            bytes[at] ^= 1 << state.dice.random_range(0..8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::disk::files::{AppendFile, Replacement, read, replace, sync_folder};

    fn whole(memory: &Memory, name: &str) -> Option<Vec<u8>> {
        read(memory, Path::new(name)).unwrap()
    }

    #[test]
    fn what_is_synced_survives_and_the_rest_in_part() {
        let (mut none, mut some, mut all) = (0, 0, 0);
        for seed in 0..200 {
            let memory = Memory::new(seed);
            let mut file = AppendFile::open(&memory, Path::new("log")).unwrap();
            file.append(&[b'a'; 600]).unwrap();
            file.sync().unwrap();
            file.append(&[b'b'; 2_000]).unwrap();
            assert!(memory.cut_power() > 0);
            let left = whole(&memory, "log").unwrap();
            assert_eq!(left[..600], [b'a'; 600], "seed {seed}");
            none += u32::from(left.len() == 600);
            some += u32::from(left[600..].contains(&0));
            all += u32::from(left.len() > 2_000);
        }
        assert!(
            some > 10 && all > 10,
            "{none} lost all, {some} have a hole, {all} hardly lost any"
        );
    }

    #[test]
    fn a_name_may_survive_without_its_bytes_unless_they_were_synced_first() {
        let mut empty = 0;
        for seed in 0..200 {
            let memory = Memory::new(seed);
            replace(&memory, Path::new("a"), b"old").unwrap();
            let mut file = memory.open(Path::new("a.new"), How::Anew).unwrap();
            file.write_all(b"new").unwrap();
            memory.rename(Path::new("a.new"), Path::new("a")).unwrap();
            sync_folder(&memory, Path::new(".")).unwrap();
            memory.cut_power();
            empty += u32::from(whole(&memory, "a").unwrap() != b"new");

            let memory = Memory::new(seed);
            replace(&memory, Path::new("a"), b"old").unwrap();
            let mut replacement = Replacement::begin(&memory, Path::new("a")).unwrap();
            replacement.write(b"new").unwrap();
            memory.break_call(Some((seed % 7, Fault::Killed)));
            let done = replacement.finish().is_ok();
            memory.cut_power();
            let left = whole(&memory, "a").unwrap();
            assert!(
                left == b"new" || (!done && left == b"old"),
                "seed {seed}: {left:?}"
            );
        }
        assert!(empty > 50, "only {empty}");
    }

    #[test]
    fn a_file_whose_name_was_not_synced_may_be_gone() {
        let gone = |seed: &u64| {
            let memory = Memory::new(*seed);
            let mut file = memory.open(Path::new("a"), How::Append).unwrap();
            file.write_all(b"said").unwrap();
            file.sync_all().unwrap();
            memory.cut_power();
            whole(&memory, "a").is_none()
        };
        let gone = (0..200).filter(gone).count();
        assert!((20..180).contains(&gone), "{gone} of 200");
    }

    #[test]
    fn a_full_disk_takes_what_it_can_and_what_failed_is_taken_back() {
        let memory = Memory::new(1);
        let mut file = AppendFile::open(&memory, Path::new("log")).unwrap();
        memory.set_room(Some(5));
        let error = file.append(b"0123456789").unwrap_err();
        assert!(error.is_full(), "{error}");
        assert_eq!(whole(&memory, "log").unwrap(), b"");
        memory.set_room(None);
        memory.break_call(Some((0, Fault::Short)));
        file.append(b"0123456789").unwrap();
        assert_eq!(whole(&memory, "log").unwrap(), b"0123456789");
        assert_eq!(memory.take_seen(), ["disk: full", "disk: short write"]);
    }

    #[test]
    fn a_failed_sync_loses_what_a_second_one_would_claim() {
        let lost = |seed: &u64| {
            let memory = Memory::new(*seed);
            let mut file = AppendFile::open(&memory, Path::new("log")).unwrap();
            file.append(&[b'a'; 100]).unwrap();
            memory.break_call(Some((0, Fault::Device)));
            assert!(file.sync().is_err());
            assert!(file.sync().is_ok(), "the machine says so");
            memory.cut_power();
            whole(&memory, "log").unwrap().len() < 100
        };
        assert!((0..50).filter(lost).count() > 30);
    }
}
