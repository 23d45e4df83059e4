//! Reading a replica file from front to back, whatever is in it.
//!
//! Memory is bounded by one line: a line longer than any record can be is damaged and is passed over without
//! being kept. Nothing in a file is an error to the reader except what the machine reports and a line of a
//! foreign format version: reading on there would mistake another program's work for damage.

use std::fmt;
use std::io::{self, BufRead};

use super::Record;
use super::record::{LINE_BYTES_MAX, RecordError, is_whole};

/// How many bytes of a damaged line are kept to be shown. Its place in the file names it in full.
pub const DAMAGED_BYTES_KEPT: usize = 64 * 1024;

/// Why reading a replica file stopped. What was read before stays good.
#[derive(Debug)]
pub enum ScanError {
    /// The machine could not read on.
    Io(io::Error),
    /// A line is of a format version that this program does not know.
    UnknownVersion {
        /// The version.
        version: u64,
        /// The number of the line, from 1.
        line: u64,
    },
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanError::Io(error) => write!(f, "{error}"),
            ScanError::UnknownVersion { version, line } => {
                write!(f, "line {line}: {}", RecordError::UnknownVersion(*version))
            }
        }
    }
}

impl std::error::Error for ScanError {}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> ScanError {
        ScanError::Io(error)
    }
}

/// What a line of a replica file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A record.
    Record(Record),
    /// No record, though a newline ends it.
    Damaged {
        /// What is wrong with it.
        error: RecordError,
        /// Its first [`DAMAGED_BYTES_KEPT`] bytes.
        bytes: Vec<u8>,
    },
    /// The last line, without a newline, and no record: an append that was cut.
    TornTail {
        /// What is wrong with it.
        error: RecordError,
        /// Its first [`DAMAGED_BYTES_KEPT`] bytes.
        bytes: Vec<u8>,
    },
}

/// A line with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes it has, its newline included if it has one.
    pub length: u64,
    /// Whether a newline ends it. A last record that lacks only this is good; who appends must add it first.
    pub newline: bool,
    /// What it is.
    pub line: Line,
}

/// A line as it stands, not judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes it has, its newline included if it has one.
    pub length: u64,
    /// Whether a newline ends it.
    pub newline: bool,
    /// Its bytes without the newline; only the first [`LINE_BYTES_MAX`] of them if it is `too_long`.
    pub bytes: &'a [u8],
    /// Whether it is longer than any record can be.
    pub too_long: bool,
}

impl RawLine<'_> {
    /// The error of this line for what parsing its bytes gave: a line that is too long is damaged whatever
    /// its beginning says, unless it says that it is of a foreign version. An append that was cut is not believed
    /// to be: its first bytes may be as damaged as its end.
    pub fn judge<T>(&self, parsed: Result<T, RecordError>) -> Result<T, RecordError> {
        match parsed {
            Err(RecordError::UnknownVersion(_)) if !self.newline && !is_whole(self.bytes) => {
                Err(RecordError::Torn)
            }
            Err(RecordError::UnknownVersion(version)) => Err(RecordError::UnknownVersion(version)),
            _ if self.too_long => Err(RecordError::NotARecord("a line of at most LINE_BYTES_MAX bytes")),
            parsed => parsed,
        }
    }
}

/// Reads the lines of a replica file.
pub struct Scan<R> {
    input: R,
    offset: u64,
    line: u64,
    /// Bytes of the line given last that still stand in the input.
    given: usize,
    /// A line that the input does not have in one piece.
    buffer: Vec<u8>,
}

impl<R: BufRead> Scan<R> {
    /// Reads from here on, which is taken for the beginning of the file.
    pub fn new(input: R) -> Scan<R> {
        Scan::from_offset(input, 0)
    }

    /// Reads from here on, which is at this offset of the file and at the beginning of a line.
    pub fn from_offset(input: R, offset: u64) -> Scan<R> {
        Scan {
            input,
            offset,
            line: 0,
            given: 0,
            buffer: Vec::new(),
        }
    }

    /// How many lines have been read.
    pub fn lines_read(&self) -> u64 {
        self.line
    }

    /// The next line as it stands; none at the end of the file.
    pub fn next_raw(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.input.consume(std::mem::take(&mut self.given));
        let whole = memchr::memchr(b'\n', at_hand(&mut self.input)?).filter(|&end| end <= LINE_BYTES_MAX);
        let Some(end) = whole else {
            return self.next_in_pieces();
        };
        // Where it stands, without a copy: it is taken out of the input when the next one is asked for.
        self.given = end + 1;
        let offset = self.pass(end as u64 + 1);
        Ok(Some(RawLine {
            offset,
            length: end as u64 + 1,
            newline: true,
            bytes: &self.input.fill_buf()?[..end],
            too_long: false,
        }))
    }

    /// The next line, which the input does not have in one piece.
    fn next_in_pieces(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.buffer.clear();
        let (mut length, mut newline) = (0, false);
        while !newline {
            let available = at_hand(&mut self.input)?;
            if available.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', available);
            newline = end.is_some();
            let bytes = &available[..end.unwrap_or(available.len())];
            let room = LINE_BYTES_MAX - self.buffer.len();
            self.buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
            let used = bytes.len() + usize::from(newline);
            length += used as u64;
            self.input.consume(used);
        }
        if length == 0 {
            return Ok(None);
        }
        let offset = self.pass(length);
        Ok(Some(RawLine {
            offset,
            length,
            newline,
            bytes: &self.buffer,
            too_long: length - u64::from(newline) > LINE_BYTES_MAX as u64,
        }))
    }

    /// Counts a line of so many bytes. Returns where it begins.
    fn pass(&mut self, length: u64) -> u64 {
        self.line += 1;
        self.offset += length;
        self.offset - length
    }

    /// The next line, judged; none at the end of the file.
    pub fn next_line(&mut self) -> Result<Option<Scanned>, ScanError> {
        let line_number = self.line + 1;
        let Some(raw) = self.next_raw()? else {
            return Ok(None);
        };
        let line = match raw.judge(Record::parse(raw.bytes)) {
            Ok(record) => Line::Record(record),
            Err(RecordError::UnknownVersion(version)) => {
                return Err(ScanError::UnknownVersion {
                    version,
                    line: line_number,
                });
            }
            Err(error) => {
                let bytes = raw.bytes[..raw.bytes.len().min(DAMAGED_BYTES_KEPT)].to_vec();
                match raw.newline {
                    true => Line::Damaged { error, bytes },
                    false => Line::TornTail { error, bytes },
                }
            }
        };
        Ok(Some(Scanned {
            offset: raw.offset,
            length: raw.length,
            newline: raw.newline,
            line,
        }))
    }
}

impl<R: BufRead> Iterator for Scan<R> {
    type Item = Result<Scanned, ScanError>;

    fn next(&mut self) -> Option<Result<Scanned, ScanError>> {
        self.next_line().transpose()
    }
}

/// What the input has at hand, read if it has nothing; empty at the end of the file.
fn at_hand<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Ok([]) => return Ok(&[]),
            // What is there is given by the next call, without reading.
            Ok(_) => return input.fill_buf(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use bytes::Bytes;

    use super::*;
    use crate::words::{Position, Seq};

    fn record(counter: u64) -> Record {
        Record {
            id: format!("3-9-{counter}").parse().unwrap(),
            position: Position {
                ring: "4.1.9".parse().unwrap(),
                seq: Seq(counter),
            },
            content: Bytes::from_static(b"{\"from\":3,\"text\":\"oi\"}"),
        }
    }

    fn file(records: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &counter in records {
            record(counter).write_line(&mut bytes);
        }
        bytes
    }

    /// The lines of a file, read through a buffer so small that every line is read in pieces.
    fn scan(bytes: &[u8]) -> Vec<Scanned> {
        let lines = Scan::new(BufReader::with_capacity(7, bytes));
        lines.map(|line| line.expect("no foreign version")).collect()
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        assert_eq!(scan(b""), []);
    }

    #[test]
    fn lines_are_found_with_their_places() {
        let bytes = file(&[1, 2]);
        let lines = scan(&bytes);
        let first = file(&[1]).len() as u64;
        assert_eq!(lines[0].line, Line::Record(record(1)));
        assert_eq!((lines[0].offset, lines[0].length), (0, first));
        assert_eq!(
            (lines[1].offset, lines[1].length),
            (first, bytes.len() as u64 - first)
        );
        assert!(lines[1].newline);
    }

    #[test]
    fn damage_does_not_stop_the_reading() {
        let mut bytes = file(&[1]);
        bytes.extend_from_slice(b"\n\xff\xfe\n{\"v\":1,\"id\n");
        bytes.extend_from_slice(&file(&[2]));
        let lines = scan(&bytes);
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[4].line, Line::Record(record(2)));
        let damaged = |line: &Scanned| matches!(line.line, Line::Damaged { .. });
        assert!(lines[1..4].iter().all(damaged));
        assert_eq!(
            lines.iter().map(|line| line.length).sum::<u64>(),
            bytes.len() as u64
        );
    }

    #[test]
    fn every_cut_of_the_last_line_leaves_the_others_and_a_torn_tail() {
        let (bytes, first) = (file(&[1, 2]), file(&[1]).len());
        for length in first + 1..bytes.len() - 1 {
            let lines = scan(&bytes[..length]);
            assert_eq!(lines[0].line, Line::Record(record(1)));
            assert!(matches!(lines[1].line, Line::TornTail { .. }), "cut at {length}");
        }
        let lines = scan(&bytes[..bytes.len() - 1]);
        assert_eq!(
            lines[1].line,
            Line::Record(record(2)),
            "only the newline is missing"
        );
        assert!(!lines[1].newline);
    }

    #[test]
    fn an_append_that_was_cut_is_torn_whatever_its_version_says() {
        let (bytes, first) = (file(&[1, 2]), file(&[1]).len());
        let version_at = first + b"{\"v\":".len();
        for version in [b'0', b'3', b'5', b'9'] {
            for length in version_at + 1..bytes.len() {
                let mut cut = bytes[..length].to_vec();
                cut[version_at] = version;
                let lines = scan(&cut);
                assert_eq!(lines[0].line, Line::Record(record(1)));
                assert!(matches!(lines[1].line, Line::TornTail { .. }), "cut at {length}");
            }
        }
    }

    #[test]
    fn a_whole_line_of_a_foreign_version_lacks_no_newline_to_be_believed() {
        let mut line = b"{\"v\":2,\"x\":1".to_vec();
        let sum = crc32fast::hash(&line);
        line.extend_from_slice(format!(",\"sum\":\"{sum:08x}\"}}").as_bytes());
        let error = Scan::new(&line[..]).last().unwrap().expect_err("foreign");
        assert!(matches!(error, ScanError::UnknownVersion { version: 2, line: 1 }));
    }

    #[test]
    fn a_foreign_version_stops_with_its_line() {
        let mut bytes = file(&[1]);
        bytes.extend_from_slice(b"{\"v\":7,\"x\":1}\n");
        let last = Scan::new(&bytes[..]).last().unwrap();
        let error = last.expect_err("a foreign version is an error");
        assert!(matches!(error, ScanError::UnknownVersion { version: 7, line: 2 }));
        assert!(error.to_string().contains("format version 7"), "{error}");
    }

    #[test]
    fn an_endless_line_is_passed_over_without_being_kept() {
        let mut bytes = vec![b'x'; 5 * LINE_BYTES_MAX];
        bytes.push(b'\n');
        bytes.extend_from_slice(&file(&[1]));
        let mut lines = Scan::new(BufReader::new(&bytes[..]));
        let endless = lines.next_line().unwrap().unwrap();
        assert_eq!(endless.length, 5 * LINE_BYTES_MAX as u64 + 1);
        let Line::Damaged { bytes, .. } = endless.line else {
            panic!("damaged, not {:?}", endless.line)
        };
        assert_eq!(bytes.len(), DAMAGED_BYTES_KEPT);
        assert!(lines.buffer.capacity() <= 2 * LINE_BYTES_MAX);
        assert_eq!(lines.next_line().unwrap().unwrap().line, Line::Record(record(1)));
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn a_tail_of_zeros_is_torn() {
        let mut bytes = file(&[1]);
        bytes.resize(bytes.len() + 2 * LINE_BYTES_MAX, 0);
        let lines = scan(&bytes);
        assert!(matches!(lines[1].line, Line::TornTail { .. }));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_whole_and_one_byte_more_is_too_long() {
        for (length, too_long) in [(LINE_BYTES_MAX, false), (LINE_BYTES_MAX + 1, true)] {
            for end in [&b"\n"[..], b""] {
                let bytes = [&vec![b'x'; length][..], end].concat();
                let mut scan = Scan::new(&bytes[..]);
                let raw = scan.next_raw().unwrap().unwrap();
                assert_eq!((raw.too_long, raw.bytes.len()), (too_long, LINE_BYTES_MAX));
                assert_eq!((raw.length, raw.newline), (bytes.len() as u64, end == b"\n"));
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_damaged_whatever_its_beginning_says() {
        let raw = RawLine {
            offset: 0,
            length: 9,
            newline: true,
            bytes: b"",
            too_long: true,
        };
        let long = RecordError::NotARecord("a line of at most LINE_BYTES_MAX bytes");
        assert_eq!(raw.judge(Ok(1)), Err(long));
        assert_eq!(raw.judge::<u8>(Err(RecordError::Torn)), Err(long));
        let foreign = RecordError::UnknownVersion(2);
        assert_eq!(raw.judge::<u8>(Err(foreign)), Err(foreign));
        let fitting = RawLine {
            too_long: false,
            ..raw
        };
        assert_eq!(fitting.judge(Ok(1)), Ok(1));
        assert_eq!(
            fitting.judge::<u8>(Err(RecordError::Torn)),
            Err(RecordError::Torn)
        );
    }

    #[test]
    fn reading_begins_at_an_offset_and_lines_are_counted() {
        let bytes = file(&[1, 2]);
        let mut scan = Scan::from_offset(&bytes[..], 1000);
        assert_eq!(scan.lines_read(), 0);
        let first = scan.next_line().unwrap().unwrap();
        let second = scan.next_line().unwrap().unwrap();
        assert_eq!((first.offset, second.offset), (1000, 1000 + first.length));
        assert_eq!((scan.next_line().unwrap(), scan.lines_read()), (None, 2));
    }

    /// A reader that is interrupted before each piece, and breaks where its bytes end.
    struct Interrupted<'a>(&'a [u8], bool);

    impl io::Read for Interrupted<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("a scan reads from the buffer")
        }
    }

    impl BufRead for Interrupted<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            match (std::mem::replace(&mut self.1, true), self.0) {
                (false, _) => Err(io::ErrorKind::Interrupted.into()),
                (true, b"") => Err(io::Error::other("the disk is gone")),
                (true, bytes) => Ok(&bytes[..bytes.len().min(10)]),
            }
        }

        fn consume(&mut self, amount: usize) {
            self.0 = &self.0[amount..];
            self.1 &= amount == 0;
        }
    }

    #[test]
    fn an_interruption_is_passed_over_and_an_error_is_told() {
        let bytes = file(&[1]);
        let mut scan = Scan::new(Interrupted(&bytes, false));
        assert_eq!(scan.next_line().unwrap().unwrap().line, Line::Record(record(1)));
        let error = scan.next_line().expect_err("the disk is gone");
        assert_eq!(error.to_string(), "the disk is gone");
    }
}
