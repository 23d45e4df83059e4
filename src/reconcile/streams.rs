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

/// Lines of one replica in ascending order of their keys.
pub struct Stream<R> {
    lines: Lines<R>,
    replica: usize,
}

/// Where lines come from.
enum Lines<R> {
    /// A section that is in order.
    Ordered(Scan<R>),
    /// One that is nearly so.
    Near(Near<R>),
}

impl<R: BufRead> Stream<R> {
    /// Reads lines that belong to the replica of this index. Lines that are no records are passed over: the
    /// survey has counted them.
    pub fn new(replica: usize, input: R) -> Stream<R> {
        let lines = Lines::Ordered(Scan::new(input));
        Stream { lines, replica }
    }

    /// The same for lines that stand near their places.
    pub fn near(replica: usize, input: R) -> Stream<R> {
        let lines = Lines::Near(Near::new(input));
        Stream { lines, replica }
    }

    /// The line that was read last, without its newline.
    fn last_bytes(&self) -> &[u8] {
        match &self.lines {
            Lines::Ordered(scan) => scan.last_bytes(),
            Lines::Near(near) => near.last_bytes(),
        }
    }

    /// Reads the next record. Returns its key; none at the end.
    fn advance(&mut self) -> io::Result<Option<Key>> {
        let scan = match &mut self.lines {
            Lines::Ordered(scan) => scan,
            Lines::Near(near) => return near.advance(),
        };
        while let Some(raw) = scan.next_raw()? {
            if let Ok(view) = raw.judge(RecordView::parse(raw.bytes)) {
                let RecordView { id, position, .. } = view;
                return Ok(Some(Key { position, id }));
            }
        }
        Ok(None)
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
pub struct Streams<R> {
    streams: Vec<Stream<R>>,
    /// The key of the current record of each stream that is not at its end, lowest on top.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
}

impl<R: BufRead> Streams<R> {
    /// Reads the first record of each stream.
    pub fn new(streams: Vec<Stream<R>>) -> io::Result<Streams<R>> {
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
            line: stream.last_bytes(),
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

    fn streams(files: &[&[u64]]) -> Streams<std::io::Cursor<Vec<u8>>> {
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
}
