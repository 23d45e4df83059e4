//! The server's own thread: takes connections in, gives each a thread, and closes all of them at the end.
//!
//! When full, the connection that has rested longest makes room, those first that have not shown the token: so a thousand
//! connections that say nothing do not keep the user out. If all are busy, the new one is told to come again.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::host::feed::Feed;

use super::answer::{Answer, Denied};
use super::asks::Asks;
use super::guard::Guard;
use super::line::{self, Line};
use super::request::Head;

/// Connections at once. A browser has six of a page at most.
const LINES_MAX: usize = 64;
/// Threads of connections at once: those that were given up need a moment to notice.
const THREADS_MAX: usize = 96;
/// Streams of events at once: open pages.
const STREAMS_MAX: usize = 16;
/// Connections taken in at one time, before it is looked whether the server ends.
const ACCEPTED_MAX: usize = 64;
/// How soon it is looked again whether those that were given up have ended.
const GIVEN_UP: Duration = Duration::from_millis(5);
/// How long the server rests when the machine gives no more handles.
const NO_HANDLES: Duration = Duration::from_millis(100);
/// How often it is looked at the end whether the streams have told all they had.
const END_TICK: Duration = Duration::from_millis(10);

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);

/// What a server stands before.
pub enum Behind {
    /// A node.
    Node {
        /// The way to its user's side.
        asks: Asks,
        /// What happens.
        feed: Feed,
        /// The life in which this process began.
        life: u64,
    },
    /// Something at rest: it answers what is asked, by its head, and nothing happens.
    Rest(Box<dyn Fn(&Head) -> Answer + Send + Sync>),
}

/// What all connections share.
pub struct Shared {
    /// Who is let in.
    pub guard: Guard,
    /// What is served beside the files of the page.
    pub behind: Behind,
    streams: Arc<AtomicUsize>,
    ending: AtomicBool,
}

/// A place among the streams; it is free again when this is dropped.
pub struct Place(Arc<AtomicUsize>);

/// The server's thread, as the rest of the node sees it.
pub struct Server {
    waker: Waker,
    streams: Arc<AtomicUsize>,
    shared: Weak<Shared>,
    ended: Receiver<()>,
}

impl Shared {
    /// What connections share.
    pub fn new(guard: Guard, behind: Behind) -> Shared {
        Shared {
            guard,
            behind,
            streams: Arc::default(),
            ending: AtomicBool::new(false),
        }
    }

    /// Takes a place among the streams, if there is one.
    pub fn take_stream(&self) -> Option<Place> {
        let more = |streams| (streams < STREAMS_MAX).then_some(streams + 1);
        let taken = self
            .streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Place(self.streams.clone()))
    }

    /// Whether the server is about to end.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Begins to serve.
    pub fn start(listener: TcpListener, shared: Shared) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let mut listener = mio::net::TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let shared = Arc::new(shared);
        let (end, ended) = bounded::<()>(1);
        let server = Server {
            waker,
            streams: shared.streams.clone(),
            shared: Arc::downgrade(&shared),
            ended,
        };
        let mut doors = Doors {
            listener,
            poll,
            lines: Vec::new(),
            count: 0,
            shared,
        };
        Builder::new().name("page".to_string()).spawn(move || {
            doors.serve();
            // The port is free before anybody is told that this has ended.
            drop(doors);
            drop(end);
        })?;
        Ok(server)
    }

    /// Closes all connections. The streams may first tell what they still have, at most this long.
    pub fn end(self, at_most: Duration) {
        if let Some(shared) = self.shared.upgrade() {
            shared.ending.store(true, Ordering::Relaxed);
        }
        let until = line::after(at_most);
        let told = || self.streams.load(Ordering::Relaxed) == 0;
        while !told() && crate::host::clock::now() < until {
            // Nothing is sent here: it ends at once if the thread has ended.
            if self
                .ended
                .recv_timeout(END_TICK)
                .is_err_and(|error| !error.is_timeout())
            {
                return;
            }
        }
        // If it cannot be woken, the end of the process closes what is open.
        self.waker.wake().unwrap_or_default();
        self.ended.recv_timeout(at_most).unwrap_or_default();
    }
}

/// The server's thread.
struct Doors {
    listener: mio::net::TcpListener,
    poll: Poll,
    /// Connections by their threads: one that has ended is gone from here too.
    lines: Vec<Weak<Line>>,
    /// Connections so far: the names of their threads.
    count: u64,
    shared: Arc<Shared>,
}

impl Doors {
    fn serve(&mut self) {
        let mut events = Events::with_capacity(2);
        let mut wait = None;
        loop {
            match self.poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return log::warn!("the page is not served any more: {error}"),
            }
            if events.iter().any(|event| event.token() == WAKER) {
                self.lines
                    .iter()
                    .filter_map(Weak::upgrade)
                    .for_each(|line| line.end());
                return;
            }
            wait = self.accept();
        }
    }

    /// Takes in who has come. Says how soon it is to be tried again, if not when somebody comes.
    fn accept(&mut self) -> Option<Duration> {
        for _ in 0..ACCEPTED_MAX {
            self.lines.retain(|line| line.strong_count() > 0);
            if self.lines.len() >= THREADS_MAX {
                // Some of them were given up, and are about to notice: who comes waits for that before the door.
                return Some(GIVEN_UP);
            }
            match self.listener.accept() {
                Ok((stream, _)) => self.take(OwnedFd::from(stream)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // The one who came has gone again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("cannot take in a connection: {error}");
                    return Some(NO_HANDLES);
                }
            }
        }
        Some(Duration::ZERO)
    }

    /// Gives a connection a thread, if there is room.
    fn take(&mut self, stream: OwnedFd) {
        let line = Arc::new(Line::new(stream.into()));
        if !self.make_room() || line.prepare().is_err() {
            return turn_away(&line);
        }
        self.count += 1;
        let (kept, shared) = (Arc::downgrade(&line), self.shared.clone());
        let thread = Builder::new().name(format!("page {}", self.count));
        let spawned = thread.spawn(move || line::serve(&line, &shared));
        match spawned {
            Ok(_) => self.lines.push(kept),
            // The connection was closed with the thread that was not to be.
            Err(error) => log::debug!("no thread for a connection: {error}"),
        }
    }

    /// Sees to it that there is room for one more: if need be, the connection that has rested longest is given up.
    /// Whether there is room then.
    fn make_room(&mut self) -> bool {
        let lines = self.lines.iter().filter_map(Weak::upgrade);
        let lines: Vec<Arc<Line>> = lines.filter(|line| !line.is_given_up()).collect();
        if lines.len() < LINES_MAX {
            return true;
        }
        let resting = lines.iter().filter_map(|line| Some((line.worth()?, line)));
        match resting.min_by_key(|(worth, _)| *worth) {
            Some((_, line)) => {
                line.give_up();
                true
            }
            None => false,
        }
    }
}

/// Tells somebody to come again, without waiting.
fn turn_away(line: &Line) {
    let busy = Denied::new(503, "this node serves as many connections as it can; try again");
    // A new connection has room for so little; if not, closing it says as much.
    line.write_now(&Answer::denied(&busy).to_bytes(true, false))
        .unwrap_or_default();
}
