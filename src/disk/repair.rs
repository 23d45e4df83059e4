//! The repair of a replica file at the start: after it, every line of the file is a record, and none is there
//! twice. What is taken out and is not known to be elsewhere in the file is set aside first.

use std::path::Path;

use super::files::{self, AppendFile, FileError, FileSystem, Replacement};
use super::identity;
use super::index::Extent;
use super::survey::Trouble;
use super::{DiskError, Paths};

/// Repairs a replica file and returns what the user should know. If lines had to be taken out of the middle,
/// the replica is written anew, as `generation`.
pub fn repair(
    system: &impl FileSystem,
    paths: &Paths,
    trouble: &Trouble,
    generation: &mut u64,
) -> Result<Vec<String>, DiskError> {
    let path = paths.replica();
    let aside = paths.replica_damaged();
    let doubles = &trouble.doubles;
    let mut out: Vec<Extent> = Vec::new();
    for extents in [&trouble.damaged, &doubles.conflicts] {
        set_aside(system, &path, &aside, extents)?;
        out.extend(extents);
    }
    set_aside(system, &path, &aside, trouble.torn.as_slice())?;
    out.extend(&doubles.needless);
    out.sort_by_key(|extent| extent.start);
    if let Some(torn) = trouble.torn {
        let mut file = AppendFile::open(system, &path)?;
        file.cut(torn.start)?;
        file.sync()?;
    }
    if trouble.lacks_newline {
        let mut file = AppendFile::open(system, &path)?;
        file.append(b"\n")?;
        file.sync()?;
    }
    if !out.is_empty() {
        *generation += 1;
        identity::write_generation(system, paths, *generation)?;
        without(system, &path, &out)?;
    }
    Ok(words(&path, &aside, trouble))
}

/// What was done, as the user is told.
fn words(path: &Path, aside: &Path, trouble: &Trouble) -> Vec<String> {
    let (path, aside) = (path.display(), aside.display());
    let mut words = Vec::new();
    if trouble.damaged_lines > 0 {
        words.push(format!(
            "{path}: {} damaged lines, set aside in {aside}; they are filled in again from others",
            trouble.damaged_lines
        ));
    }
    if trouble.torn.is_some() {
        words.push(format!(
            "{path} ended in an unfinished line, which was cut and set aside in {aside}"
        ));
    }
    if !trouble.doubles.conflicts.is_empty() {
        words.push(format!(
            "{path}: {} lines contradict earlier ones (another content under the same id, or another message \
             at the same position); the earlier ones stay, these are set aside in {aside}",
            trouble.doubles.conflicts.len()
        ));
    }
    if !trouble.doubles.needless.is_empty() {
        words.push(format!(
            "{path}: {} messages were there twice; the lowest position of each is kept",
            trouble.doubles.needless.len()
        ));
    }
    words
}

/// Copies parts of a file to the end of another, durably, each ended by a newline.
fn set_aside(system: &impl FileSystem, from: &Path, to: &Path, extents: &[Extent]) -> Result<(), FileError> {
    if extents.is_empty() {
        return Ok(());
    }
    let mut file = AppendFile::open(system, to)?;
    for extent in extents {
        let mut last = b'\n';
        files::copy(system, from, extent.start, extent.end, |bytes| {
            last = bytes[bytes.len() - 1];
            file.append(bytes).map(|_| ())
        })?;
        if last != b'\n' {
            file.append(b"\n")?;
        }
    }
    file.sync()
}

/// Writes a file anew without these parts, which are in order and apart.
fn without(system: &impl FileSystem, path: &Path, out: &[Extent]) -> Result<(), FileError> {
    let mut replacement = Replacement::begin(system, path)?;
    let mut kept_from = 0;
    for extent in out {
        assert!(extent.start >= kept_from, "the parts are in order and apart");
        files::copy(system, path, kept_from, extent.start, |bytes| {
            replacement.write(bytes)
        })?;
        kept_from = extent.end;
    }
    files::copy(system, path, kept_from, u64::MAX, |bytes| {
        replacement.write(bytes)
    })?;
    replacement.finish()
}
