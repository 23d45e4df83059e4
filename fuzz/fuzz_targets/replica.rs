//! Replica lines and whole replica files: every byte is accounted for, a good line is written as it was read.
#![no_main]

use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use roda::replica::Record;
use roda::replica::record::RecordView;
use roda::replica::scan::{Line, Scan};
use roda_fuzz::resealed;

/// Reads a file to its end.
fn read(file: &[u8]) {
    let mut at = 0;
    let mut scan = Scan::new(BufReader::with_capacity(64, file));
    while let Ok(Some(scanned)) = scan.next_line() {
        assert_eq!(scanned.offset, at, "lines follow each other");
        let length = usize::try_from(scanned.length).expect("a line of the file is no longer than it");
        let from = usize::try_from(at).expect("an offset in the file");
        let bytes = &file[from..from + length];
        at += scanned.length;
        let bare = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let view = RecordView::parse(bare);
        match scanned.line {
            Line::Record(record) => {
                assert_eq!(record.line(), bare, "a record is written as it was read");
                assert_eq!(Record::parse(bare).as_ref(), Ok(&record));
                let view = view.expect("a view accepts what a record does");
                assert_eq!((view.id, view.position), (record.id, record.position));
            }
            Line::Damaged { .. } => assert!(scanned.newline, "a damaged line has an end"),
            Line::TornTail { .. } => assert_eq!(at, file.len() as u64, "only the last line is torn"),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    read(data);
    read(&resealed(data));
});
