//! Reading one replica: every line checked and counted, and what is far from its place handed to the sorter.

use std::io::{self, BufRead};
use std::ops::Range;

use super::near::{Nearness, SECTIONS_MAX};
use super::runs::{Scratch, Sorter};
use super::streams::Key;
use crate::replica::Scan;
use crate::replica::record::{RecordError, RecordView};
use crate::replica::scan::{RawLine, ScanError};

/// A line that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the line, from 1.
    pub line: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// How many bytes it has, its newline included if it has one.
    pub length: u64,
    /// Whether a newline ends it. If not, it is the torn tail.
    pub newline: bool,
    /// What is wrong with it.
    pub error: RecordError,
}

/// How many damaged lines a survey describes; all are counted.
pub const DAMAGE_SHOWN: usize = 10;

/// What a replica file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many bytes the file has.
    pub bytes: u64,
    /// How many lines are records.
    pub records: u64,
    /// How many records stand behind one that belongs behind them.
    pub out_of_order: u64,
    /// How many lines are no records, the torn tail not among them.
    pub damaged: u64,
    /// Whether the last line has no newline and is no record.
    pub torn: bool,
    /// Whether the last line is a record that lacks only its newline.
    pub unended: bool,
    /// The file is in order up to this offset.
    pub ordered_bytes: u64,
    /// Sections behind that, in each of which lines stand near their places. The records behind these went to the sorter.
    pub near: Vec<Range<u64>>,
    /// How large a window puts each of these in order.
    pub window_bytes: usize,
    /// The first damaged lines, the torn tail among them.
    pub shown: Vec<Damage>,
}

impl Survey {
    /// Whether the file is a sorted list of records and nothing else.
    pub fn is_canonical(&self) -> bool {
        self.out_of_order == 0 && self.damaged == 0 && !self.torn && !self.unended
    }

    /// Whether a record behind a disorder is near its place in one of the sections. Once they are all used up, there is no
    /// nearness, and nothing stays.
    fn stays(&mut self, nearness: &mut Option<Nearness>, key: Key, line: &RawLine<'_>) -> bool {
        let Some(current) = nearness else {
            return false;
        };
        let (start, end) = (line.offset, line.offset + line.length);
        if let Some(section) = self.near.last_mut()
            && current.take(key, line.bytes.len())
        {
            section.end = end;
            self.window_bytes = self.window_bytes.max(current.needed());
            return true;
        }
        if self.near.len() == SECTIONS_MAX {
            *nearness = None;
            return false;
        }
        *current = Nearness::default();
        current.take(key, line.bytes.len());
        self.near.push(start..end);
        true
    }

    /// Counts a line that is no record.
    fn count_damage(&mut self, damage: Damage) {
        if damage.newline {
            self.damaged += 1;
        } else {
            self.torn = true;
        }
        if self.shown.len() < DAMAGE_SHOWN {
            self.shown.push(damage);
        }
    }
}

/// Reads a replica file from its beginning.
pub fn survey<S: Scratch>(input: impl BufRead, sorter: &mut Sorter<S>) -> Result<Survey, ScanError> {
    let (mut survey, mut highest) = (Survey::default(), None);
    let mut nearness = Some(Nearness::default());
    let mut scan = Scan::new(input);
    let mut line = 0;
    while let Some(raw) = scan.next_raw()? {
        line += 1;
        survey.bytes = raw.offset + raw.length;
        let key = match raw.judge(RecordView::parse(raw.bytes)) {
            Ok(RecordView { id, position, .. }) => Key { position, id },
            Err(RecordError::UnknownVersion(version)) => {
                return Err(ScanError::UnknownVersion { version, line });
            }
            Err(error) => {
                let (offset, length, newline) = (raw.offset, raw.length, raw.newline);
                survey.count_damage(Damage {
                    line,
                    offset,
                    length,
                    newline,
                    error,
                });
                continue;
            }
        };
        survey.records += 1;
        survey.unended = !raw.newline;
        if Some(key) >= highest {
            highest = Some(key);
        } else {
            survey.out_of_order += 1;
        }
        if survey.out_of_order == 0 {
            survey.ordered_bytes = survey.bytes;
        } else if !survey.stays(&mut nearness, key, &raw) {
            sorter.push(key, raw.bytes)?;
        }
    }
    Ok(survey)
}

/// Reads a replica file from its beginning and calls `found` for each line that is no record.
pub fn for_each_damage(
    input: impl BufRead,
    mut found: impl FnMut(Damage) -> io::Result<()>,
) -> io::Result<()> {
    let mut scan = Scan::new(input);
    let mut line = 0;
    while let Some(raw) = scan.next_raw()? {
        line += 1;
        if let Err(error) = raw.judge(RecordView::parse(raw.bytes)) {
            let (offset, length, newline) = (raw.offset, raw.length, raw.newline);
            found(Damage {
                line,
                offset,
                length,
                newline,
                error,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::merge::tests::record;

    fn file(seqs: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &seq in seqs {
            record(seq, seq, "oi").write_line(&mut bytes);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Survey, Vec<u8>) {
        let mut sorter = Sorter::new(Vec::new());
        let survey = survey(bytes, &mut sorter).unwrap();
        (survey, sorter.finish().unwrap().scratch)
    }

    #[test]
    fn a_file_in_order_stays_where_it_is() {
        let bytes = file(&[1, 2, 2, 5]);
        let (survey, scratch) = read(&bytes);
        assert!(survey.is_canonical() && scratch.is_empty());
        assert_eq!((survey.records, survey.ordered_bytes), (4, bytes.len() as u64));
        assert_eq!(read(b"").0, Survey::default());
    }

    #[test]
    fn what_stands_near_its_place_behind_a_disorder_stays_where_it_is() {
        let bytes = file(&[1, 2, 5, 3, 4, 6]);
        let (survey, scratch) = read(&bytes);
        assert_eq!(survey.out_of_order, 2);
        let ordered = file(&[1, 2, 5]).len() as u64;
        assert_eq!(survey.ordered_bytes, ordered);
        assert_eq!(survey.near, vec![ordered..bytes.len() as u64; 1]);
        assert!(scratch.is_empty() && !survey.is_canonical());
    }

    #[test]
    fn what_is_far_from_its_place_is_sorted_once_there_are_many_sections() {
        // Each part begins below the one before it, and is longer than a window.
        let long = "x".repeat(40_000);
        let one = |seq: u64| record(seq, seq, &long);
        let part = |part: u64| (1..=40).map(move |n| 1_000 - 100 * part + n);
        let parts = 1 + SECTIONS_MAX as u64;
        let mut bytes = Vec::new();
        let mut begins = Vec::new();
        for seq in (0..=parts).flat_map(part) {
            begins.push(bytes.len() as u64);
            one(seq).write_line(&mut bytes);
        }
        let mut sorter = Sorter::new(Vec::new());
        let survey = survey(&bytes[..], &mut sorter).unwrap();
        let begin = |part: usize| begins[40 * part];
        assert_eq!(survey.ordered_bytes, begin(1));
        let sections: Vec<Range<u64>> = (1..=SECTIONS_MAX)
            .map(|part| begin(part)..begin(part + 1))
            .collect();
        assert_eq!(survey.near, sections);
        let behind = &bytes[begin(SECTIONS_MAX + 1) as usize..];
        assert_eq!(sorter.finish().unwrap().scratch, behind);
    }

    #[test]
    fn damage_is_counted_and_described() {
        let mut bytes = file(&[1]);
        bytes.extend_from_slice(b"garbage\n");
        bytes.extend_from_slice(&file(&[2]));
        let length = bytes.len() as u64;
        bytes.extend_from_slice(b"{\"v\":1,\"id");
        let (survey, _) = read(&bytes);
        assert_eq!((survey.records, survey.damaged, survey.torn), (2, 1, true));
        assert_eq!((survey.shown[0].line, survey.shown[1].line), (2, 4));
        let mut found = Vec::new();
        for_each_damage(&bytes[..], |damage| {
            found.push(damage);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, survey.shown);
        assert_eq!((found[1].offset, found[1].length), (length, 10));
    }

    #[test]
    fn a_last_record_without_newline_is_a_record() {
        let bytes = file(&[1, 2]);
        let (survey, _) = read(&bytes[..bytes.len() - 1]);
        assert_eq!((survey.records, survey.unended, survey.torn), (2, true, false));
        assert!(!survey.is_canonical());
    }

    #[test]
    fn a_foreign_version_is_an_error() {
        let mut bytes = file(&[1]);
        bytes.extend_from_slice(b"{\"v\":2}\n");
        let mut sorter = Sorter::new(Vec::new());
        let error = survey(&bytes[..], &mut sorter).expect_err("a foreign version");
        assert!(matches!(error, ScanError::UnknownVersion { version: 2, line: 2 }));
    }

    #[test]
    fn only_so_many_damaged_lines_are_described() {
        let (survey, _) = read(&b"x\n".repeat(DAMAGE_SHOWN + 3));
        assert_eq!((survey.damaged, survey.shown.len()), (13, DAMAGE_SHOWN));
        assert_eq!(survey.bytes, 2 * (DAMAGE_SHOWN as u64 + 3));
        assert!(!survey.is_canonical());
    }

    #[test]
    fn each_flaw_alone_makes_a_file_not_canonical() {
        assert!(Survey::default().is_canonical());
        for flawed in [
            Survey {
                out_of_order: 1,
                ..Survey::default()
            },
            Survey {
                damaged: 1,
                ..Survey::default()
            },
            Survey {
                torn: true,
                ..Survey::default()
            },
            Survey {
                unended: true,
                ..Survey::default()
            },
        ] {
            assert!(!flawed.is_canonical(), "{flawed:?}");
        }
    }

    #[test]
    fn a_foreign_version_names_its_line_behind_damage_too() {
        let mut bytes = file(&[1]);
        bytes.extend_from_slice(b"garbage\ngarbage\n{\"v\":2}\n");
        let error = survey(&bytes[..], &mut Sorter::new(Vec::new())).expect_err("a foreign version");
        assert!(matches!(error, ScanError::UnknownVersion { version: 2, line: 4 }));
    }
}
