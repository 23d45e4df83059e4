//! Logs of sealed lines: what the outbox and the accepted chunks have in common.
//!
//! Reading one leaves only good lines in its file: an unfinished last line is cut (it was never acknowledged),
//! damaged lines are set aside in a file beside it.

use std::path::{Path, PathBuf};

use super::DiskError;
use super::files::{self, AppendFile, FileError, FileSystem, Replacement};
use crate::checkpoint::SealError;

/// What was read from a log.
pub struct Contents<T> {
    /// The good lines, oldest first, with their lengths in bytes.
    pub lines: Vec<(T, u64)>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Where the damaged lines of a log go.
fn aside(path: &Path) -> PathBuf {
    path.with_extension("damaged.txt")
}

/// Reads a log and repairs its file.
pub fn read<T>(
    system: &impl FileSystem,
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, SealError>,
) -> Result<Contents<T>, DiskError> {
    let bytes = files::read(system, path)?.unwrap_or_default();
    let (mut lines, mut good, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
    let mut torn = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.ends_with(b"\n");
        let line = if whole { line } else { spared(line, &parse) };
        match parse(line) {
            Ok(parsed) => {
                let start = good.len();
                good.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
                good.push(b'\n');
                lines.push((parsed, (good.len() - start) as u64));
            }
            Err(SealError::Future(version)) => {
                let path = path.to_path_buf();
                return Err(DiskError::Foreign { path, version });
            }
            Err(_) if whole => damaged.extend_from_slice(line),
            Err(_) => torn = true,
        }
    }
    let mut warnings = Vec::new();
    if torn {
        warnings.push(format!(
            "{} ended in an unfinished line, which was cut; it had not been acknowledged",
            path.display()
        ));
    }
    if !damaged.is_empty() {
        warnings.push(set_aside(system, &aside(path), path, &damaged)?);
    }
    if good != bytes {
        files::replace(system, path, &good)?;
    }
    Ok(Contents { lines, warnings })
}

/// A last line without its newline. If it is a line but for one more byte, that is what became of the newline.
fn spared<T>(line: &[u8], parse: impl Fn(&[u8]) -> Result<T, SealError>) -> &[u8] {
    match line.split_last() {
        Some((_, rest)) if parse(line).is_err() && parse(rest).is_ok() => rest,
        Some(_) | None => line,
    }
}

/// Keeps damaged lines, durably, and says so.
fn set_aside(system: &impl FileSystem, to: &Path, from: &Path, damaged: &[u8]) -> Result<String, DiskError> {
    let mut file = AppendFile::open(system, to)?;
    file.append(damaged)?;
    file.sync()?;
    let count = damaged.split_inclusive(|byte| *byte == b'\n').count();
    Ok(format!(
        "{}: {count} damaged lines, set aside in {}",
        from.display(),
        to.display()
    ))
}

/// Writes a log anew with only these lines of it. What was damaged since the start is to stay: the next start sets
/// it aside, and says so.
pub fn compact<S: FileSystem>(
    system: &S,
    path: &Path,
    mut keep: impl FnMut(&[u8]) -> bool,
) -> Result<AppendFile<S>, FileError> {
    let bytes = files::read(system, path)?.unwrap_or_default();
    let mut anew = Replacement::begin(system, path)?;
    for line in bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| keep(line))
    {
        anew.write(line)?;
    }
    anew.finish_and_append()
}
