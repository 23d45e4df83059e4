//! Lines that stand near their places, put in order while they are read.
//!
//! Replicas are disordered by delays of milliseconds. So a section in which every line stands within a *window* of its
//! place needs no sorting beforehand: whoever reads it holds back a window of lines, and takes the lowest of them whenever
//! there are more. The survey tells with the keys alone whether that comes out in order, and the merge then does it with the
//! lines.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::streams::Key;
use crate::replica::Scan;
use crate::replica::record::RecordView;

/// How many bytes of lines are held back.
pub const WINDOW_BYTES: usize = 1 << 20;
/// How many such sections of one replica are read side by side; what stands behind them is sorted.
pub const SECTIONS_MAX: usize = 4;

/// So many places from the end one looks for a line's place before all of them are divided.
const STEPS: usize = 32;

/// A held-back line: its key, its length, and what stands for it.
struct Held<T> {
    key: Key,
    length: usize,
    what: T,
}

/// What is held back, lowest first; of equal keys the one that came first. Most lines belong near the end.
struct Window<T> {
    bytes_max: usize,
    bytes: usize,
    held: VecDeque<Held<T>>,
    /// How many bytes of lines had to be held back so far for the sake of one that belongs before them; the whole window
    /// where it was not looked for from the end.
    needed: usize,
}

impl<T> Window<T> {
    fn new(bytes_max: usize) -> Window<T> {
        Window {
            bytes_max,
            bytes: 0,
            held: VecDeque::new(),
            needed: 0,
        }
    }

    fn push(&mut self, key: Key, length: usize, what: T) {
        self.bytes += length;
        let last = self.held.iter().rev().take(STEPS);
        let (mut behind, mut bytes) = (0, 0);
        for held in last.take_while(|held| held.key > key) {
            behind += 1;
            bytes += held.length;
        }
        let place = match behind {
            STEPS => {
                bytes = self.bytes_max;
                self.held.partition_point(|held| held.key <= key)
            }
            _ => self.held.len() - behind,
        };
        self.needed = self.needed.max(bytes);
        self.held.insert(place, Held { key, length, what });
    }

    /// Whether the lowest is to be taken before more comes.
    fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    fn pop(&mut self) -> Option<(Key, T)> {
        let Held { key, length, what } = self.held.pop_front()?;
        self.bytes -= length;
        Some((key, what))
    }
}

/// Tells whether lines come out of a window in order, from their keys alone.
pub struct Nearness {
    window: Window<()>,
    /// The highest that came out.
    out: Option<Key>,
}

impl Default for Nearness {
    /// Nothing has come.
    fn default() -> Nearness {
        Nearness::within(WINDOW_BYTES)
    }
}

impl Nearness {
    fn within(bytes_max: usize) -> Nearness {
        Nearness {
            window: Window::new(bytes_max),
            out: None,
        }
    }

    /// A window of so many bytes is enough for what was taken in: whenever a line is taken out of it, all that it holds is
    /// behind that one, and more than ever came before a line that belongs before it.
    pub fn needed(&self) -> usize {
        self.window.needed
    }

    /// Takes the next line in; false if it belongs before one that came out already, and is not taken in.
    pub fn take(&mut self, key: Key, length: usize) -> bool {
        if self.out.is_some_and(|out| key < out) {
            return false;
        }
        self.window.push(key, length, ());
        while self.window.is_full() {
            self.out = self.window.pop().map(|(key, ())| key);
        }
        true
    }
}

/// A section whose lines stand near their places, read in order.
pub struct Near<R> {
    scan: Scan<R>,
    at_end: bool,
    window: Window<usize>,
    /// The lines held back, and the one that was read last.
    lines: Vec<Vec<u8>>,
    /// Places in `lines` that can be used again.
    free: Vec<usize>,
    last: Option<usize>,
}

impl<R: BufRead> Near<R> {
    /// Reads this section with a window of so many bytes.
    pub fn within(input: R, bytes_max: usize) -> Near<R> {
        Near {
            scan: Scan::new(input),
            at_end: false,
            window: Window::new(bytes_max),
            lines: Vec::new(),
            free: Vec::new(),
            last: None,
        }
    }

    /// Reads the next record. Returns its key; none at the end.
    pub fn advance(&mut self) -> io::Result<Option<Key>> {
        self.free.extend(self.last.take());
        while !self.window.is_full() && !self.at_end {
            self.hold_one()?;
        }
        let next = self.window.pop();
        self.last = next.map(|(_, place)| place);
        Ok(next.map(|(key, _)| key))
    }

    /// The line that was read last, without its newline.
    pub fn last_bytes(&self) -> &[u8] {
        self.last.map_or(&[], |place| &self.lines[place])
    }

    /// Holds one more line back, if there is one. Lines that are no records are passed over.
    fn hold_one(&mut self) -> io::Result<()> {
        let Some(raw) = self.scan.next_raw()? else {
            self.at_end = true;
            return Ok(());
        };
        let Ok(RecordView { id, position, .. }) = raw.judge(RecordView::parse(raw.bytes)) else {
            return Ok(());
        };
        let place = self.free.pop().unwrap_or(self.lines.len());
        if place == self.lines.len() {
            self.lines.push(Vec::new());
        }
        self.lines[place].clear();
        self.lines[place].extend_from_slice(raw.bytes);
        self.window.push(Key { position, id }, raw.bytes.len(), place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::merge::tests::record;

    fn key(seq: u64) -> Key {
        let record = record(seq, seq, "oi");
        Key {
            position: record.position,
            id: record.id,
        }
    }

    /// How many of these numbers are taken in by a window of so many lines of ten bytes.
    fn taken(window: usize, seqs: &[u64]) -> usize {
        let mut near = Nearness::within(10 * window);
        seqs.iter().take_while(|seq| near.take(key(**seq), 10)).count()
    }

    fn read(window_bytes: usize, seqs: &[u64]) -> Vec<u64> {
        let mut bytes = Vec::new();
        for &seq in seqs {
            record(seq, seq, "oi").write_line(&mut bytes);
            bytes.extend_from_slice(b"damage\n");
        }
        let mut near = Near::within(&bytes[..], window_bytes);
        let mut read = Vec::new();
        while let Some(key) = near.advance().unwrap() {
            let seq = key.position.seq.0;
            assert_eq!(near.last_bytes(), record(seq, seq, "oi").line());
            read.push(seq);
        }
        assert_eq!((near.advance().unwrap(), near.last_bytes()), (None, &[][..]));
        read
    }

    #[test]
    fn lines_within_a_window_of_their_places_come_out_in_order() {
        let seqs = [3, 1, 2, 6, 5, 4, 9, 7, 8, 8];
        assert_eq!(taken(2, &seqs), seqs.len());
        assert_eq!(taken(1, &seqs), 5, "5 has come out when 4 comes");
        let length = record(1, 1, "oi").line().len();
        assert_eq!(read(2 * length, &seqs), [1, 2, 3, 4, 5, 6, 7, 8, 8, 9]);
        assert_eq!(read(usize::MAX, &seqs), [1, 2, 3, 4, 5, 6, 7, 8, 8, 9]);
        assert_eq!(read(0, &[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn what_the_survey_takes_in_is_what_comes_out_in_order() {
        // Of each order of six lines, as many as the keys alone promise.
        let length = record(1, 1, "oi").line().len();
        let mut order = [1, 2, 3, 4, 5, 6];
        for round in 0..720usize {
            let mut left = round;
            for at in (1..order.len()).rev() {
                order.swap(at, left % (at + 1));
                left /= at + 1;
            }
            for window in 0..6 {
                let mut near = Nearness::within(window * length);
                let fit = order
                    .iter()
                    .take_while(|seq| near.take(key(**seq), length))
                    .count();
                let mut expected = order[..fit].to_vec();
                expected.sort_unstable();
                assert_eq!(
                    read(near.needed(), &order[..fit]),
                    expected,
                    "{order:?}, {window}"
                );
                assert_eq!(
                    read(window * length, &order[..fit]),
                    expected,
                    "{order:?}, {window}"
                );
                assert!(window < 5 || fit == 6, "nothing is further from its place");
            }
        }
    }

    #[test]
    fn no_more_is_held_back_than_is_needed() {
        let needed = |seqs: &[u64]| {
            let mut near = Nearness::within(1_000);
            assert!(seqs.iter().all(|seq| near.take(key(*seq), 10)));
            near.needed()
        };
        assert_eq!(needed(&[1, 2, 2, 3, 4]), 0);
        assert_eq!(needed(&[2, 1, 5, 4, 3, 6]), 20);
        let far: Vec<u64> = (2..100).chain([1]).collect();
        assert_eq!(needed(&far), 1_000, "what is far from its place is not measured");
        assert_eq!(needed(&far[98 - STEPS + 1..]), 10 * (STEPS - 1));
    }

    #[test]
    fn a_line_that_belongs_before_what_came_out_is_not_taken_in() {
        assert_eq!(
            taken(2, &[1, 2, 3, 4, 5, 3]),
            6,
            "3 came out, and another 3 may follow it"
        );
        assert_eq!(taken(2, &[1, 2, 3, 4, 5, 2]), 5);
    }
}
