//! Lines of a replica file on disk, one after the other, in bounded memory.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::files::{self, Doing, FileError, FileSystem};
use super::index::Extent;
use crate::replica::Scan;
use crate::replica::record::{RecordError, RecordView};
use crate::replica::scan::RawLine;

/// Reads this much at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Calls `each` for every line in a part of a file that begins and ends between lines; a file that is not there
/// has none.
pub fn for_each_line<E: From<FileError>>(
    system: &impl FileSystem,
    path: &Path,
    extent: Extent,
    mut each: impl FnMut(RawLine<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error| FileError::at(path, Doing::Read)(error);
    let Some(mut file) = files::open(system, path)? else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(extent.start)).map_err(failed)?;
    let input = BufReader::with_capacity(BUFFER_BYTES, file.take(extent.end - extent.start));
    let mut lines = Scan::from_offset(input, extent.start);
    while let Some(line) = lines.next_raw().map_err(failed)? {
        each(line)?;
    }
    Ok(())
}

/// Calls `each` for every record in a part of a file, with its line; what is no record is passed over.
pub fn for_each_record<E: From<FileError>>(
    system: &impl FileSystem,
    path: &Path,
    extent: Extent,
    mut each: impl FnMut(RecordView<'_>, RawLine<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for_each_line(system, path, extent, |line| match record_in(&line) {
        Ok(record) => each(record, line),
        Err(_) => Ok(()),
    })
}

/// The record that a line is, or why it is none.
pub fn record_in<'a>(line: &RawLine<'a>) -> Result<RecordView<'a>, RecordError> {
    line.judge(RecordView::parse(line.bytes))
}

/// Where a line is.
pub fn extent_of(line: &RawLine<'_>) -> Extent {
    Extent {
        start: line.offset,
        end: line.offset + line.length,
    }
}
