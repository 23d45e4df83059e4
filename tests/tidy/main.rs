//! The rules of the code's shape, checked by a machine: which module may use which, how long files and functions may be, what
//! a file begins with, what no text may contain.
//!
//! Each rule is a function from a text to what is wrong with it; `rules` holds them, with tests that each can fail. This file
//! goes through the tree. A rule that has to be broken once is listed in [`EXCEPTIONS`], with the reason.
#![allow(clippy::disallowed_methods)] // It reads the source tree.

mod arrows;
mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// A rule broken on purpose.
struct Exception {
    /// The file.
    path: &'static str,
    /// How the complaint begins.
    complaint: &'static str,
    /// Why it is right to break the rule here. Printed nowhere; it is for whoever reads this list.
    _reason: &'static str,
}

/// All rules broken on purpose. An exception that excuses nothing is an error too, so that the list stays true.
const EXCEPTIONS: [Exception; 1] = [Exception {
    path: "src/checkpoint/snapshot.rs",
    complaint: "checkpoint uses node",
    _reason: "a snapshot is converted from and to the core's state, whose plain type stands at the core's face",
}];

/// The folders whose text is checked, and the single files beside them.
const PLACES: [&str; 10] = [
    "src",
    "tests",
    "benches",
    "examples",
    "docs",
    ".ci",
    "README.md",
    "CHANGELOG.md",
    "Cargo.toml",
    "check",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a place, in order; none if it is not there.
fn files_below(place: &Path, into: &mut Vec<PathBuf>) {
    if place.is_file() {
        into.push(place.to_path_buf());
    } else if place.is_dir() {
        let entries = fs::read_dir(place).expect("the source tree can be read");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the source tree can be read").path())
            .collect();
        paths.sort();
        paths.iter().for_each(|path| files_below(path, into));
    }
}

/// Every text file of the tree.
fn tree() -> Vec<Source> {
    let mut paths = Vec::new();
    for place in PLACES {
        files_below(&root().join(place), &mut paths);
    }
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root()).expect("a file of the tree").display();
        Some(Source::new(&name.to_string(), &fs::read_to_string(path).ok()?))
    };
    let mut sources: Vec<Source> = paths.iter().filter_map(read).collect();
    source::mark_tests(&mut sources);
    sources
}

/// Takes out what is excused; an exception that nothing is excused by is a complaint of its own.
fn excuse(complaints: Vec<(String, String)>, exceptions: &[Exception]) -> Vec<String> {
    let mut used = vec![false; exceptions.len()];
    let mut left = Vec::new();
    for (path, complaint) in complaints {
        let excused = exceptions
            .iter()
            .position(|e| e.path == path && complaint.contains(e.complaint));
        match excused {
            Some(index) => used[index] = true,
            None => left.push(format!("{path}: {complaint}")),
        }
    }
    for (exception, _) in exceptions.iter().zip(used).filter(|(_, used)| !used) {
        left.push(format!(
            "{}: the exception for {:?} excuses nothing; take it off the list in tests/tidy/main.rs",
            exception.path, exception.complaint
        ));
    }
    left
}

#[test]
fn the_tree_is_tidy() {
    let sources = tree();
    assert!(sources.len() > 50, "the tree was found: {} files", sources.len());
    let mut complaints = Vec::new();
    for source in &sources {
        let found = rules::all(source, root())
            .into_iter()
            .chain(arrows::check(source));
        complaints.extend(found.map(|complaint| (source.path.clone(), complaint)));
    }
    let left = excuse(complaints, &EXCEPTIONS);
    assert!(
        left.is_empty(),
        "{} rules are broken:\n{}",
        left.len(),
        left.join("\n")
    );
}

#[test]
fn an_exception_excuses_its_own_complaint_and_must_be_needed() {
    let exception = || Exception {
        path: "a.rs",
        complaint: "x uses y",
        _reason: "a test",
    };
    let complaint = |path: &str| vec![(path.to_string(), "line 1: x uses y".to_string())];
    assert_eq!(excuse(complaint("a.rs"), &[exception()]), [""; 0]);
    assert_eq!(excuse(complaint("b.rs"), &[exception()]).len(), 2);
}
