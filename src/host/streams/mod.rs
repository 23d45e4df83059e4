//! Byte streams between nodes: blocking TCP on threads of their own, frames in and out.
//!
//! Each stream has two threads: the *reader* (which also opens an outgoing one, and tells of its end) and the
//! *writer*. The core's thread never waits for either.
//! - Reader, when the inbox is full: it waits, stops reading, and TCP slows the peer.
//! - Writer, when its queue is full: the peer does not keep up with what it asked for; the stream is closed.
//!
//! Every stream that was opened or accepted ends with exactly one `Closed`, whoever closed it; a stream that
//! cannot be opened has only that.

mod frame;
mod pump;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mio::net::TcpListener;

use crate::host::inbox::Inbox;
use crate::node::face::{StreamAction, StreamEvent, StreamId};

pub use frame::FRAME_BYTES_MAX;
use pump::{Origin, Pump, Queue};

/// Streams at once, in both directions together.
const STREAMS_MAX: usize = 8;
/// Of these, accepted ones: strangers who connect and keep silent must not keep this node from opening its own.
const ACCEPTED_MAX: usize = 6;
/// Connections accepted at one time, before the core's thread goes on with other work.
const ACCEPT_BATCH: usize = 16;

/// How long a stream waits for what.
#[derive(Clone, Copy, Debug)]
pub struct StreamTimes {
    /// To be connected.
    pub connect: Duration,
    /// For the next bytes of a frame that has begun, in either direction; and for the first frame of an
    /// accepted stream.
    pub gap: Duration,
    /// For a whole frame, from its first byte.
    pub frame: Duration,
    /// For the next frame, while none goes out either.
    pub idle: Duration,
}

impl Default for StreamTimes {
    fn default() -> StreamTimes {
        StreamTimes {
            connect: Duration::from_secs(3),
            gap: Duration::from_secs(10),
            frame: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

/// Why streams were refused or closed, counted; shared with the threads of the streams.
#[derive(Debug, Default)]
pub struct StreamCounters {
    refused: AtomicU64,
    unreachable: AtomicU64,
    oversized: AtomicU64,
    silent: AtomicU64,
    slow: AtomicU64,
    broken: AtomicU64,
}

impl StreamCounters {
    /// By reason, in the order of their names.
    pub fn list(&self) -> [(&'static str, u64); 6] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("stream broken", read(&self.broken)),
            ("stream frame too large", read(&self.oversized)),
            ("stream peer silent", read(&self.silent)),
            ("stream peer too slow", read(&self.slow)),
            ("stream refused, too many", read(&self.refused)),
            ("stream unreachable", read(&self.unreachable)),
        ]
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The streams of a node; the core's thread has them.
#[derive(Debug)]
pub struct Streams {
    listener: TcpListener,
    inbox: Inbox,
    times: StreamTimes,
    open: BTreeMap<StreamId, Open>,
    next_accepted: u64,
    counters: Arc<StreamCounters>,
}

/// A stream that has not told its end yet.
#[derive(Debug)]
struct Open {
    /// Gone once the core has closed the stream.
    queue: Option<Queue>,
    accepted: bool,
}

impl Streams {
    /// Takes over a listener; the events of all streams go to `inbox`.
    pub fn new(listener: TcpListener, inbox: Inbox, times: StreamTimes) -> Streams {
        Streams {
            listener,
            inbox,
            times,
            open: BTreeMap::new(),
            next_accepted: 1,
            counters: Arc::new(StreamCounters::default()),
        }
    }

    /// The listener, to be watched for readiness.
    pub fn source(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    /// Why streams were refused or closed.
    pub fn counters(&self) -> &StreamCounters {
        &self.counters
    }

    /// Does what the core asks, without waiting. An event that comes of it at once is returned.
    ///
    /// Frames for a stream that has ended, or was closed, are dropped: the core is yet to hear of it.
    pub fn act(&mut self, id: StreamId, action: StreamAction) -> Option<StreamEvent> {
        match action {
            StreamAction::Connect(to) => self.connect(id, to),
            StreamAction::Send(frame) => {
                self.send(id, frame);
                None
            }
            StreamAction::Close => {
                if let Some(open) = self.open.get_mut(&id) {
                    open.queue = None;
                }
                None
            }
        }
    }

    /// To be asked for each event that comes through the inbox: whether the core is to hear of it. What still
    /// comes on a stream that the core has closed is not for it, other than the end.
    pub fn admit(&mut self, id: StreamId, event: &StreamEvent) -> bool {
        match event {
            StreamEvent::Closed => self.open.remove(&id).is_some(),
            StreamEvent::Accepted { .. } | StreamEvent::Connected | StreamEvent::Frame(_) => {
                self.open.get(&id).is_some_and(|open| open.queue.is_some())
            }
        }
    }

    /// Accepts what waits: the streams to tell the core of, and whether more may wait.
    pub fn accept(&mut self) -> (Vec<(StreamId, SocketAddrV4)>, bool) {
        let mut accepted = Vec::new();
        for _ in 0..ACCEPT_BATCH {
            match self.listener.accept() {
                Ok((stream, SocketAddr::V4(from))) => {
                    accepted.extend(self.take(stream.into(), from).map(|id| (id, from)));
                }
                Ok((_, SocketAddr::V6(_))) => unreachable!("an IPv4 listener has IPv4 peers"),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (accepted, false),
                // The peer gave up meanwhile, or this process has too many files open. Either way this
                // connection is lost, and the next is tried when the listener reports again.
                Err(error) => {
                    log::debug!("cannot accept a stream: {error}");
                    count(&self.counters.refused);
                    return (accepted, false);
                }
            }
        }
        (accepted, true)
    }

    fn take(&mut self, stream: TcpStream, from: SocketAddrV4) -> Option<StreamId> {
        let accepted = self.open.values().filter(|open| open.accepted).count();
        if accepted >= ACCEPTED_MAX || self.open.len() >= STREAMS_MAX {
            log::debug!("refused a stream of {from}: there are {}", self.open.len());
            count(&self.counters.refused);
            return None;
        }
        let id = StreamId(self.next_accepted);
        self.next_accepted += 2;
        self.start(id, Origin::Accepted(stream)).then_some(id)
    }

    fn connect(&mut self, id: StreamId, to: SocketAddrV4) -> Option<StreamEvent> {
        assert!(
            id.0.is_multiple_of(2),
            "the core numbers its streams evenly: {id:?}"
        );
        assert!(
            !self.open.contains_key(&id),
            "the core uses a stream number once: {id:?}"
        );
        if self.open.len() >= STREAMS_MAX {
            count(&self.counters.refused);
            return Some(StreamEvent::Closed);
        }
        let started = self.start(id, Origin::Connect(to));
        (!started).then_some(StreamEvent::Closed)
    }

    /// Starts the threads of a stream; `false` if the machine has none to give.
    fn start(&mut self, id: StreamId, origin: Origin) -> bool {
        let accepted = matches!(origin, Origin::Accepted(_));
        let (pump, queue) = Pump::new(id, self.times, self.inbox.clone(), self.counters.clone());
        if let Err(error) = pump.start(origin) {
            log::warn!("cannot start a thread for a stream: {error}");
            count(&self.counters.refused);
            return false;
        }
        let queue = Some(queue);
        self.open.insert(id, Open { queue, accepted });
        true
    }

    fn send(&mut self, id: StreamId, frame: Bytes) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        let Some(queue) = &open.queue else {
            return;
        };
        if frame.len() > FRAME_BYTES_MAX {
            log::error!(
                "a frame of {} bytes is too large to send; its stream is closed",
                frame.len()
            );
            count(&self.counters.oversized);
        } else if queue.put(frame) {
            return;
        } else {
            count(&self.counters.slow);
        }
        queue.abort();
        open.queue = None;
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for open in self.open.values() {
            if let Some(queue) = &open.queue {
                queue.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests;
