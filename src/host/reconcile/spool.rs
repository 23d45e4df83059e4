//! Sections of files as the merge reads them, and scratch space in a file without a name.
#![allow(clippy::disallowed_methods)] // Scratch space is a file that is read and written in one life.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::ProgressBar;

use crate::reconcile::Scratch;

/// How much of a section is read at once.
const READ_BYTES: usize = 64 * 1024;

/// A section of a file, read from its beginning to its end whatever others do with the file's cursor.
pub struct Section {
    file: Arc<File>,
    range: Range<u64>,
    progress: ProgressBar,
}

/// Opens a section of a file, counted in the progress as it is read.
pub fn section(file: &Arc<File>, range: Range<u64>, progress: &ProgressBar) -> BufReader<Section> {
    let section = Section {
        file: Arc::clone(file),
        range,
        progress: progress.clone(),
    };
    BufReader::with_capacity(READ_BYTES, section)
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end.saturating_sub(self.range.start);
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let length = self.file.read_at(&mut buffer[..length], self.range.start)?;
        self.range.start += length as u64;
        self.progress.inc(length as u64);
        Ok(length)
    }
}

/// Scratch space in a file that is created when it is needed and has no name from then on, so that it is gone
/// with the process, however that ends.
pub struct FileScratch {
    folder: PathBuf,
    file: Option<Arc<File>>,
    length: u64,
    progress: ProgressBar,
}

impl FileScratch {
    /// Scratch space in this folder; in the machine's folder for temporary files if this one takes none.
    pub fn new(folder: &Path, progress: &ProgressBar) -> FileScratch {
        FileScratch {
            folder: folder.to_path_buf(),
            file: None,
            length: 0,
            progress: progress.clone(),
        }
    }

    /// The file, created if there is none yet.
    fn file(&mut self) -> io::Result<&Arc<File>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(nameless(&self.folder).or_else(elsewhere)?),
        };
        Ok(self.file.insert(file))
    }
}

/// Scratch space in the machine's folder for temporary files, if the error means that the other folder takes no
/// files at all: a check works on a medium that is read-only.
fn elsewhere(error: io::Error) -> io::Result<File> {
    let takes_none = [
        ErrorKind::PermissionDenied,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::NotFound,
    ];
    if takes_none.contains(&error.kind()) {
        nameless(&std::env::temp_dir())
    } else {
        Err(error)
    }
}

/// A file in a folder, without a name.
fn nameless(folder: &Path) -> io::Result<File> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".reconciler-{}-{number}.scratch", std::process::id()));
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path).map_err(|error| {
        let reason = format!("cannot create scratch space in {}: {error}", folder.display());
        io::Error::new(error.kind(), reason)
    })?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

impl Scratch for FileScratch {
    type Section = BufReader<Section>;

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = self.length;
        self.file()?.write_all_at(bytes, at)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn section(&self, range: Range<u64>) -> io::Result<BufReader<Section>> {
        let file = self.file.as_ref().ok_or(io::Error::from(ErrorKind::NotFound))?;
        Ok(section(file, range, &self.progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_space_leaves_nothing_behind_and_is_read_in_sections() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = FileScratch::new(folder.path(), &ProgressBar::hidden());
        assert_eq!(scratch.length(), 0);
        scratch.append(b"hello ").unwrap();
        scratch.append(b"ring").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut text = String::new();
        scratch.section(3..8).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "lo ri");
    }

    #[test]
    fn a_folder_that_takes_no_files_is_avoided() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = FileScratch::new(&folder.path().join("gone"), &ProgressBar::hidden());
        scratch.append(b"x").unwrap();
        assert_eq!(scratch.length(), 1);
    }
}
