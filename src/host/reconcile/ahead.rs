//! A section that is read ahead of the merge, by a thread of its own: lines are read, checked and put in order there, so that
//! the merge only chooses among them.
//!
//! When full: [`WAITING_MAX`] batches wait; the thread waits for the merge.

use std::io;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::reconcile::{Batch, Batches};

/// Batches that wait for the merge.
const WAITING_MAX: usize = 2;

/// The thread, and the ways from it and to it.
pub struct Ahead {
    batches: Option<Receiver<io::Result<Batch>>>,
    /// Batches to be filled again.
    spent: Sender<Batch>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Starts it.
    pub fn start(lines: impl Batches + Send + 'static) -> io::Result<Ahead> {
        let (sender, batches) = bounded(WAITING_MAX);
        // All there are: those that wait, one that is filled and one that is merged.
        let (spent, empty) = bounded(WAITING_MAX + 2);
        let thread = thread::Builder::new().name("read ahead".into());
        let thread = thread.spawn(move || read(lines, &sender, &empty))?;
        Ok(Ahead {
            batches: Some(batches),
            spent,
            thread: Some(thread),
        })
    }

    /// Waits for the thread, which has nothing more to give.
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

impl Batches for Ahead {
    fn next(&mut self, batch: &mut Batch) -> io::Result<()> {
        let next = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        let Some(next) = next else {
            self.join();
            *batch = Batch::default();
            return Ok(());
        };
        let spent = std::mem::replace(batch, next?);
        // If nobody wants it any more, it is dropped.
        drop(self.spent.try_send(spent));
        Ok(())
    }
}

impl Drop for Ahead {
    /// A thread whose batches nobody wants ends with the next one.
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Hands on batch after batch, until one is empty, fails or finds no taker.
fn read(mut lines: impl Batches, batches: &Sender<io::Result<Batch>>, empty: &Receiver<Batch>) {
    loop {
        let mut batch = empty.try_recv().unwrap_or_default();
        let read = lines.next(&mut batch);
        let is_last = read.is_err() || batch.is_empty();
        if batches.send(read.map(|()| batch)).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::Lines;
    use crate::reconcile::streams::{Stream, Streams};
    use crate::replica::Record;
    use crate::words::{Position, Seq};

    fn file(seqs: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in seqs {
            let record = Record {
                id: format!("3-9-{seq}").parse().unwrap(),
                position: Position {
                    ring: "4.1.9".parse().unwrap(),
                    seq: Seq(seq),
                },
                content: "{\"from\":3,\"text\":\"oi\"}".into(),
            };
            record.write_line(&mut bytes);
        }
        bytes
    }

    /// A reader of these bytes that cannot read on behind them.
    struct Broken(io::Cursor<Vec<u8>>);

    impl Batches for Broken {
        fn next(&mut self, batch: &mut Batch) -> io::Result<()> {
            match self.0.position() {
                0 => Lines::ordered(&mut self.0).next(batch),
                _ => Err(io::Error::other("the disk is gone")),
            }
        }
    }

    #[test]
    fn what_is_read_ahead_is_what_is_there() {
        let lines = Lines::ordered(io::Cursor::new(file(1..20_001)));
        let stream = Stream::of(4, Ahead::start(lines).unwrap());
        let mut streams = Streams::new(vec![stream]).unwrap();
        for seq in 1..=20_000 {
            let next = streams.peek().expect("one more");
            assert_eq!((next.replica, next.key.position.seq), (4, Seq(seq)));
            streams.advance().unwrap();
        }
        assert!(streams.peek().is_none());
    }

    #[test]
    fn an_error_comes_behind_what_was_read_before_it() {
        let mut ahead = Ahead::start(Broken(io::Cursor::new(file(1..3)))).unwrap();
        let mut batch = Batch::default();
        ahead.next(&mut batch).unwrap();
        assert!(!batch.is_empty());
        let error = ahead.next(&mut batch).expect_err("the disk is gone");
        assert_eq!(error.to_string(), "the disk is gone");
        ahead.next(&mut batch).unwrap();
        assert!(batch.is_empty(), "and nothing comes behind it");
    }

    #[test]
    fn a_merge_that_is_given_up_does_not_wait_for_the_end() {
        /// Lines without an end.
        struct Endless;
        impl Batches for Endless {
            fn next(&mut self, batch: &mut Batch) -> io::Result<()> {
                Lines::ordered(&file(1..100)[..]).next(batch)
            }
        }
        let mut ahead = Ahead::start(Endless).unwrap();
        let mut batch = Batch::default();
        ahead.next(&mut batch).unwrap();
        drop(ahead);
        assert!(!batch.is_empty());
    }
}
