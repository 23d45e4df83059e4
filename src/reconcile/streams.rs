//! Sorted streams of records, read side by side in one order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufRead};

use super::near::Near;
use crate::replica::Scan;
use crate::replica::record::RecordView;
use crate::words::{MessageId, Position};

/// What records are sorted by. The order of the fields makes the derived order the canonical one, with the id
/// deciding between records under one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where the message stands.
    pub position: Position,
    /// The message.
    pub id: MessageId,
}

/// So many bytes of lines are handed on together.
const BATCH_BYTES: usize = 128 * 1024;

/// Some lines in ascending order of their keys, one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Each line's key and where it ends.
    lines: Vec<(Key, usize)>,
}

impl Batch {
    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    fn push(&mut self, key: Key, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.lines.push((key, self.bytes.len()));
    }

    fn key(&self, index: usize) -> Option<Key> {
        self.lines.get(index).map(|&(key, _)| key)
    }

    fn line(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.lines[before].1);
        &self.bytes[start..self.lines[index].1]
    }
}

/// Where the lines of a stream come from: read when they are wanted, or by somebody who reads ahead.
pub trait Batches {
    /// Puts the next lines in the place of those in the batch: some, or none at the end.
    fn next(&mut self, batch: &mut Batch) -> io::Result<()>;
}

/// The lines of a section, without those that are no records: the survey has counted them.
pub enum Lines<R> {
    /// A section that is in order.
    Ordered(Scan<R>),
    /// One that is nearly so.
    Near(Near<R>),
}

impl<R: BufRead> Lines<R> {
    /// Those of a section in order.
    pub fn ordered(input: R) -> Lines<R> {
        Lines::Ordered(Scan::new(input))
    }

    /// Those of a section whose lines stand near their places: within so many bytes, as its survey found.
    pub fn near(input: R, window_bytes: usize) -> Lines<R> {
        Lines::Near(Near::within(input, window_bytes))
    }
}

impl<R: BufRead> Batches for Lines<R> {
    fn next(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        match self {
            Lines::Ordered(scan) => {
                while !batch.is_full()
                    && let Some(raw) = scan.next_raw()?
                {
                    if let Ok(view) = raw.judge(RecordView::parse(raw.bytes)) {
                        let RecordView { id, position, .. } = view;
                        batch.push(Key { position, id }, raw.bytes);
                    }
                }
            }
            Lines::Near(near) => {
                while !batch.is_full()
                    && let Some(key) = near.advance()?
                {
                    batch.push(key, near.last_bytes());
                }
            }
        }
        Ok(())
    }
}

/// Lines of one replica in ascending order of their keys.
pub struct Stream<B> {
    batches: B,
    replica: usize,
    batch: Batch,
    /// Which line of the batch is the current one.
    current: usize,
}

impl<R: BufRead> Stream<Lines<R>> {
    /// Reads a section in order that belongs to the replica of this index.
    pub fn new(replica: usize, input: R) -> Stream<Lines<R>> {
        Stream::of(replica, Lines::ordered(input))
    }
}

impl<B: Batches> Stream<B> {
    /// Lines of the replica of this index.
    pub fn of(replica: usize, batches: B) -> Stream<B> {
        Stream {
            batches,
            replica,
            batch: Batch::default(),
            current: 0,
        }
    }

    /// Goes on to the next record. Returns its key; none at the end.
    fn advance(&mut self) -> io::Result<Option<Key>> {
        self.current += 1;
        if self.current >= self.batch.lines.len() {
            self.batches.next(&mut self.batch)?;
            self.current = 0;
        }
        Ok(self.batch.key(self.current))
    }
}

/// The record that comes next of all streams.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a> {
    /// What it is sorted by.
    pub key: Key,
    /// The index of the replica it is in.
    pub replica: usize,
    /// Its line, without the newline.
    pub line: &'a [u8],
}

/// Several streams as one.
pub struct Streams<B> {
    streams: Vec<Stream<B>>,
    /// The key of the current record of each stream that is not at its end, lowest on top.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
}

impl<B: Batches> Streams<B> {
    /// Reads the first record of each stream.
    pub fn new(streams: Vec<Stream<B>>) -> io::Result<Streams<B>> {
        let (mut streams, mut heads) = (streams, BinaryHeap::new());
        for (index, stream) in streams.iter_mut().enumerate() {
            if let Some(key) = stream.advance()? {
                heads.push(Reverse((key, index)));
            }
        }
        Ok(Streams { streams, heads })
    }

    /// The record with the lowest key; none when all streams are at their end.
    pub fn peek(&self) -> Option<Next<'_>> {
        let &Reverse((key, index)) = self.heads.peek()?;
        let stream = &self.streams[index];
        Some(Next {
            key,
            replica: stream.replica,
            line: stream.batch.line(stream.current),
        })
    }

    /// Goes on to the record after the one that [`Streams::peek`] shows.
    pub fn advance(&mut self) -> io::Result<()> {
        let Some(mut top) = self.heads.peek_mut() else {
            return Ok(());
        };
        let Reverse((last, index)) = *top;
        match self.streams[index].advance()? {
            Some(key) if key < last => Err(io::Error::other("the file changed while it was read")),
            Some(key) => {
                *top = Reverse((key, index));
                Ok(())
            }
            None => {
                PeekMut::pop(top);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::merge::tests::record;

    fn streams(files: &[&[u64]]) -> Streams<Lines<std::io::Cursor<Vec<u8>>>> {
        let file = |seqs: &&[u64]| {
            let mut bytes = Vec::new();
            seqs.iter()
                .for_each(|&seq| record(seq, seq, "x").write_line(&mut bytes));
            std::io::Cursor::new(bytes)
        };
        let streams = files.iter().map(file).enumerate();
        Streams::new(
            streams
                .map(|(replica, bytes)| Stream::new(replica, bytes))
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn streams_are_read_side_by_side_in_one_order() {
        let mut streams = streams(&[&[1, 4, 4], &[], &[2, 4]]);
        let mut read = Vec::new();
        while let Some(next) = streams.peek() {
            assert_eq!(
                next.line,
                record(next.key.position.seq.0, next.key.position.seq.0, "x").line()
            );
            read.push((next.replica, next.key.position.seq.0));
            streams.advance().unwrap();
        }
        assert_eq!(read, [(0, 1), (2, 2), (0, 4), (0, 4), (2, 4)]);
        assert!(streams.advance().is_ok() && streams.peek().is_none());
    }

    #[test]
    fn a_stream_that_goes_backwards_is_an_error() {
        let mut streams = streams(&[&[5, 4]]);
        let error = streams
            .advance()
            .expect_err("it was in order when it was surveyed");
        assert_eq!(error.to_string(), "the file changed while it was read");
    }

    #[test]
    fn lines_come_in_batches_of_a_size_and_an_empty_one_ends_them() {
        let mut bytes = Vec::new();
        let seqs = 1..=3 * BATCH_BYTES as u64 / 100;
        for seq in seqs.clone() {
            bytes.extend_from_slice(b"damage\n");
            record(seq, seq, "x").write_line(&mut bytes);
        }
        for near in [false, true] {
            let mut lines = if near {
                Lines::near(&bytes[..], 1000)
            } else {
                Lines::ordered(&bytes[..])
            };
            let (mut batch, mut read) = (Batch::default(), Vec::new());
            loop {
                lines.next(&mut batch).unwrap();
                if batch.is_empty() {
                    break;
                }
                let last = batch.line(batch.lines.len() - 1).len();
                assert!(batch.bytes.len() < BATCH_BYTES + last, "no more than wanted");
                for index in 0..batch.lines.len() {
                    let seq = batch.key(index).unwrap().position.seq.0;
                    assert_eq!(batch.line(index), record(seq, seq, "x").line());
                    read.push(seq);
                }
            }
            assert_eq!(read, seqs.clone().collect::<Vec<_>>());
        }
    }
}
