//! A disk that forgets: what may be on it after a power cut.
//!
//! What was synced is there. Of what was not, any part may be: the bytes of a file up to some point, a torn piece of
//! them, zeros in place of some; of the names in a folder (made, renamed, removed) none, some or all, whatever became
//! of the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::trace::Step;

/// Files by name, with their bytes, and folders.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub folders: BTreeSet<PathBuf>,
}

/// A change of a file that may not be on the disk yet.
#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Cut(usize),
}

/// A file, whatever its names.
#[derive(Clone, Debug, Default)]
struct Body {
    synced: Vec<u8>,
    changes: Vec<Change>,
}

/// A change of a folder that may not be on the disk yet.
#[derive(Clone, Debug)]
enum Entry {
    Made(PathBuf, usize),
    Renamed(PathBuf, PathBuf, usize),
    Removed(PathBuf),
    Folder(PathBuf),
}

impl Entry {
    fn folder(&self) -> &Path {
        match self {
            Entry::Made(path, _) | Entry::Removed(path) | Entry::Folder(path) => path.parent().unwrap(),
            Entry::Renamed(_, to, _) => to.parent().unwrap(),
        }
    }
}

/// Names on the disk.
#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Made(path, body) => drop(self.files.insert(path.clone(), *body)),
            Entry::Renamed(from, to, body) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *body);
            }
            Entry::Removed(path) => drop(self.files.remove(path)),
            Entry::Folder(path) => drop(self.folders.insert(path.clone())),
        }
    }
}

/// The disk, with what is on it for sure and what is not.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    bodies: Vec<Body>,
    synced: Names,
    entries: Vec<Entry>,
    /// What a running program sees.
    seen: Names,
    /// Syncs do nothing.
    lies: bool,
}

impl Disk {
    /// An empty disk. One that lies says that it has synced, and has not.
    pub fn new(lies: bool) -> Disk {
        Disk {
            lies,
            ..Disk::default()
        }
    }

    fn body(&mut self, path: &Path) -> &mut Body {
        let body = self.seen.files[path];
        &mut self.bodies[body]
    }

    fn enter(&mut self, entry: Entry) {
        self.seen.apply(&entry);
        self.entries.push(entry);
    }

    /// Takes a step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Open(path) => {
                if !self.seen.files.contains_key(path) {
                    self.bodies.push(Body::default());
                    self.enter(Entry::Made(path.clone(), self.bodies.len() - 1));
                }
            }
            Step::Append(path, bytes) => self.body(path).changes.push(Change::Append(bytes.clone())),
            Step::Cut(path, length) => self.body(path).changes.push(Change::Cut(*length)),
            Step::Sync(path) => self.sync(path),
            Step::Rename(from, to) => {
                self.enter(Entry::Renamed(from.clone(), to.clone(), self.seen.files[from]))
            }
            Step::Remove(path) => self.enter(Entry::Removed(path.clone())),
            Step::MakeFolder(path) => self.enter(Entry::Folder(path.clone())),
            Step::Told(_) => {}
        }
    }

    fn sync(&mut self, path: &Path) {
        if self.lies {
            return;
        }
        if self.seen.files.contains_key(path) {
            let body = self.body(path);
            body.synced = body.after(body.changes.len());
            body.changes.clear();
            return;
        }
        let (synced, rest) = self.entries.drain(..).partition(|entry| entry.folder() == path);
        self.entries = rest;
        let synced: Vec<Entry> = synced;
        synced.iter().for_each(|entry| self.synced.apply(entry));
    }

    /// The states that a power cut could leave now: each choice of names with each choice for one file, while all
    /// other files have none or all of their changes.
    pub fn states(&self) -> BTreeSet<State> {
        let mut states = BTreeSet::new();
        for names in self.names() {
            let mut open: BTreeSet<usize> = names.files.values().copied().collect();
            open.retain(|body| !self.bodies[*body].changes.is_empty());
            for all in [false, true] {
                states.insert(self.state(&names, all, None));
                for body in open.iter().copied() {
                    for bytes in self.bodies[body].variants() {
                        states.insert(self.state(&names, all, Some((body, bytes))));
                    }
                }
            }
        }
        states
    }

    fn state(&self, names: &Names, all: bool, one: Option<(usize, Vec<u8>)>) -> State {
        let bytes = |body: usize| match &one {
            Some((one, bytes)) if *one == body => bytes.clone(),
            _ => self.bodies[body].after(if all { self.bodies[body].changes.len() } else { 0 }),
        };
        // A name in a folder that is not there is not there either.
        let there = |path: &Path| path.parent().is_some_and(|folder| names.folders.contains(folder));
        let files = names.files.iter().filter(|(path, _)| there(path));
        State {
            files: files.map(|(path, body)| (path.clone(), bytes(*body))).collect(),
            folders: names.folders.clone(),
        }
    }

    /// The names that may be there: those synced, with the first so many of the others, or all but one of them, or
    /// only one.
    fn names(&self) -> Vec<Names> {
        let count = self.entries.len();
        let mut choices: Vec<Vec<usize>> = (0..=count).map(|first| (0..first).collect()).collect();
        for one in 0..count {
            choices.push(vec![one]);
            choices.push((0..count).filter(|index| *index != one).collect());
        }
        choices.sort();
        choices.dedup();
        let names = choices.into_iter().map(|choice| {
            let mut names = self.synced.clone();
            choice
                .into_iter()
                .for_each(|index| names.apply(&self.entries[index]));
            names
        });
        names.collect()
    }
}

impl Body {
    /// Its bytes after the first so many changes.
    fn after(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.changes[..count] {
            match change {
                Change::Append(more) => bytes.extend(more),
                Change::Cut(length) => bytes.resize(*length, 0),
            }
        }
        bytes
    }

    /// What may be left of its changes.
    fn variants(&self) -> BTreeSet<Vec<u8>> {
        let mut variants = BTreeSet::new();
        for count in 0..=self.changes.len() {
            let bytes = self.after(count);
            if let Some(Change::Append(next)) = self.changes.get(count) {
                for torn in [1, next.len() / 2, next.len().saturating_sub(1)] {
                    variants.insert([&bytes[..], &next[..torn.min(next.len())]].concat());
                }
                // Its length is there, its bytes are not, also if bytes behind it are.
                let zeros = vec![0; next.len()];
                variants.insert([&bytes[..], &zeros[..]].concat());
                let whole = self.after(self.changes.len());
                if whole.len() >= bytes.len() + next.len() {
                    let mut hole = whole;
                    hole[bytes.len()..bytes.len() + next.len()].fill(0);
                    variants.insert(hole);
                }
            }
            if let (Some(Change::Cut(_)), Some(Change::Append(next))) =
                (self.changes.get(count), self.changes.get(count + 1))
            {
                // The new bytes came before the cut: over the old ones.
                let mut over = bytes.clone();
                over.splice(..next.len().min(bytes.len()), next.iter().copied());
                variants.insert(over);
            }
            variants.insert(bytes);
        }
        variants
    }
}

#[test]
fn unsynced_bytes_and_names_may_be_lost_and_synced_ones_may_not() {
    let (folder, path) = (PathBuf::from("/t"), PathBuf::from("/t/a"));
    let mut disk = Disk::default();
    disk.synced.folders.insert(folder.clone());
    let append = |text: &str| Step::Append(path.clone(), text.into());
    [
        Step::Open(path.clone()),
        append("one\n"),
        Step::Sync(path.clone()),
    ]
    .iter()
    .for_each(|step| disk.step(step));
    let file = |state: &State| state.files.get(&path).cloned();
    let found: BTreeSet<_> = disk.states().iter().map(file).collect();
    assert_eq!(
        found,
        [None, Some(b"one\n".to_vec())].into(),
        "its name is not synced"
    );
    disk.step(&Step::Sync(folder));
    disk.step(&append("two\n"));
    let found: BTreeSet<_> = disk.states().iter().filter_map(file).collect();
    let expected = [
        "one\n",
        "one\nt",
        "one\ntw",
        "one\ntwo",
        "one\ntwo\n",
        "one\n\0\0\0\0",
    ];
    assert_eq!(found, expected.map(|text| text.as_bytes().to_vec()).into());
}
