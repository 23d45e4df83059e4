//! The two threads of a stream.

use std::io;
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::frame::{self, NoFrame};
use super::{StreamCounters, StreamTimes, count};
use crate::host::inbox::{Ended, Inbox};
use crate::node::face::{Event, StreamEvent, StreamId};

/// Frames that may wait to be written.
const QUEUE_FRAMES_MAX: usize = 256;
/// Bytes that may wait to be written.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// How a stream comes to be.
#[derive(Debug)]
pub enum Origin {
    /// A peer opened it.
    Accepted(TcpStream),
    /// It is to be opened.
    Connect(SocketAddrV4),
}

/// What the core's thread and the stream's threads have in common.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes in the queue.
    queued_bytes: AtomicUsize,
    /// Frames written: a stream that writes is not idle.
    written: AtomicU64,
    /// Do not write what is still in the queue.
    abort: AtomicBool,
}

/// The way out to a stream. Dropping it closes the stream once what it holds is written.
#[derive(Debug)]
pub struct Queue {
    frames: Sender<Bytes>,
    shared: Arc<Shared>,
}

impl Queue {
    /// Queues a frame, without waiting; `false` if there is no room, or nobody to write it.
    pub fn put(&self, frame: Bytes) -> bool {
        let size = frame.len();
        let queued = self.shared.queued_bytes.fetch_add(size, Ordering::Relaxed);
        if queued + size > QUEUE_BYTES_MAX {
            return false;
        }
        match self.frames.try_send(frame) {
            Ok(()) => true,
            // A stream that has ended tells so by itself.
            Err(error) => error.is_disconnected(),
        }
    }

    /// Makes the writer stop after the frame it is at.
    pub fn abort(&self) {
        self.shared.abort.store(true, Ordering::Relaxed);
    }
}

/// A stream, as its threads see it.
#[derive(Debug)]
pub struct Pump {
    id: StreamId,
    times: StreamTimes,
    inbox: Inbox,
    counters: Arc<StreamCounters>,
    shared: Arc<Shared>,
    frames: Receiver<Bytes>,
}

impl Pump {
    /// A stream that is not running yet, and the way out to it.
    pub fn new(
        id: StreamId,
        times: StreamTimes,
        inbox: Inbox,
        counters: Arc<StreamCounters>,
    ) -> (Pump, Queue) {
        let (sender, frames) = bounded(QUEUE_FRAMES_MAX);
        let shared = Arc::new(Shared::default());
        let queue = Queue {
            frames: sender,
            shared: shared.clone(),
        };
        let pump = Pump {
            id,
            times,
            inbox,
            counters,
            shared,
            frames,
        };
        (pump, queue)
    }

    /// Starts the reader, which starts the writer. An error means that nothing was started.
    pub fn start(self, origin: Origin) -> io::Result<()> {
        let name = format!("stream-{}-in", self.id.0);
        thread::Builder::new()
            .name(name)
            .spawn(move || self.run(origin))
            .map(drop)
    }

    /// The reader: opens the stream, reads until it ends, and tells so.
    fn run(self, origin: Origin) {
        let wait = match &origin {
            Origin::Accepted(_) => self.times.gap,
            Origin::Connect(_) => self.times.idle,
        };
        match self.open(origin) {
            Ok(stream) => self.converse(stream, wait),
            Err(error) => {
                log::debug!("stream {}: {error}", self.id.0);
                count(&self.counters.unreachable);
            }
        }
        // Nobody to tell is the end of the node; so it is for this thread.
        let _: Result<(), Ended> = self.tell(StreamEvent::Closed);
    }

    fn open(&self, origin: Origin) -> io::Result<TcpStream> {
        let stream = match origin {
            Origin::Accepted(stream) => stream,
            Origin::Connect(to) => {
                let stream = TcpStream::connect_timeout(&to.into(), self.times.connect)?;
                self.tell(StreamEvent::Connected).map_err(io::Error::other)?;
                stream
            }
        };
        // An accepted stream may have inherited this from its listener.
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.times.gap))?;
        Ok(stream)
    }

    /// Reads until the stream ends, with the writer beside.
    fn converse(&self, mut stream: TcpStream, wait: std::time::Duration) {
        let (reading, ended) = bounded::<()>(0);
        let writer = match self.start_writer(&stream, ended) {
            Ok(writer) => writer,
            Err(error) => return self.count_end(&NoFrame::Broken(error)),
        };
        let end = self.read_frames(&mut stream, wait);
        // Both directions end together. A stream that has ended already cannot be shut down: no harm.
        let _: io::Result<()> = stream.shutdown(Shutdown::Both);
        drop(reading);
        if writer.join().is_err() {
            log::error!("the writer of stream {} failed", self.id.0);
        }
        if let Some(end) = end {
            self.count_end(&end);
        }
    }

    /// Why reading ended; `None` if the node did.
    fn read_frames(&self, stream: &mut TcpStream, first_wait: std::time::Duration) -> Option<NoFrame> {
        let mut wait = first_wait;
        let mut written = self.shared.written.load(Ordering::Relaxed);
        loop {
            match frame::read(stream, wait, self.times) {
                Ok(frame) => self.tell(StreamEvent::Frame(frame)).ok()?,
                Err(NoFrame::Silent) if self.shared.written.load(Ordering::Relaxed) > written => {}
                Err(end) => return Some(end),
            }
            wait = self.times.idle;
            written = self.shared.written.load(Ordering::Relaxed);
        }
    }

    fn start_writer(&self, stream: &TcpStream, ended: Receiver<()>) -> io::Result<thread::JoinHandle<()>> {
        let writer = Writer {
            stream: stream.try_clone()?,
            frames: self.frames.clone(),
            shared: self.shared.clone(),
            times: self.times,
            ended,
        };
        let name = format!("stream-{}-out", self.id.0);
        thread::Builder::new().name(name).spawn(move || writer.run())
    }

    fn tell(&self, event: StreamEvent) -> Result<(), Ended> {
        self.inbox.send(Event::Stream(self.id, event))
    }

    fn count_end(&self, end: &NoFrame) {
        log::debug!("stream {} ended: {end}", self.id.0);
        match end {
            NoFrame::Closed => {}
            NoFrame::Silent => count(&self.counters.silent),
            NoFrame::Slow => count(&self.counters.slow),
            NoFrame::Oversized(_) => count(&self.counters.oversized),
            NoFrame::Broken(_) => count(&self.counters.broken),
        }
    }
}

/// The writing side of a stream.
#[derive(Debug)]
struct Writer {
    stream: TcpStream,
    frames: Receiver<Bytes>,
    shared: Arc<Shared>,
    times: StreamTimes,
    /// Nothing comes through it; it closes when the reader ends.
    ended: Receiver<()>,
}

impl Writer {
    /// Writes what is queued until the queue is dropped or the stream ends, then ends the stream.
    ///
    /// After a `Close` only this direction ends, so that the peer gets everything; it then closes its own, and
    /// that wakes the reader. In all other cases both end at once.
    fn run(mut self) {
        let how = if self.write_frames() {
            Shutdown::Write
        } else {
            Shutdown::Both
        };
        // A stream that has ended already cannot be shut down: no harm.
        let _: io::Result<()> = self.stream.shutdown(how);
    }

    /// Whether all that was queued is written.
    fn write_frames(&mut self) -> bool {
        while let Some(frame) = self.next() {
            self.shared.queued_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
            if self.shared.abort.load(Ordering::Relaxed) {
                return false;
            }
            if let Err(error) = frame::write(&mut self.stream, &frame, self.times) {
                log::debug!("a stream cannot be written: {error}");
                return false;
            }
            self.shared.written.fetch_add(1, Ordering::Relaxed);
        }
        !self.shared.abort.load(Ordering::Relaxed)
    }

    /// The next frame; `None` when the core has closed the stream or the reader has ended.
    fn next(&self) -> Option<Bytes> {
        select! {
            recv(self.frames) -> frame => frame.ok(),
            recv(self.ended) -> _ => None,
        }
    }
}
