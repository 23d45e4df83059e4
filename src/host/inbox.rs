//! The way into the core's thread for all others: the disk, the streams, the user and the signals.
//!
//! Three bounded lanes, because what comes through them must not wait for each other. Each "when full" rule is
//! the same: the sender waits, because the core's thread always comes round to take something out. It never
//! sends here itself, so it cannot wait for itself.
//!
//! - *urgent* (256): answers of the disk, and signals. Always taken first.
//! - *streams* (16): frames of peers; small, because one may have a mebibyte. A stream that waits here stops
//!   reading, and TCP slows its peer.
//! - *commands* (256): of the user. Not taken while the user does not read what is told (see
//!   [`crate::host::notices`]), so that answers do not pile up.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use mio::Waker;

use crate::node::face::Event;

/// Answers of the disk and signals that may wait. The disk answers in groups; this is ample.
const URGENT_MAX: usize = 256;
/// Stream events that may wait: at most 16 MiB of frames.
const STREAMS_MAX: usize = 16;
/// Commands that may wait.
const COMMANDS_MAX: usize = 256;

/// The node has ended: nobody takes events any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node has ended")
    }
}

impl std::error::Error for Ended {}

/// What comes through a lane.
#[derive(Debug)]
pub enum Arrival {
    /// Something for the core.
    Event(Event),
    /// A pump cannot go on, and so the node cannot: the reason in words.
    Failed(String),
    /// The core is to do nothing for so long, for a lesson.
    Pause(Duration),
}

/// The sending side; every thread has its own copy.
#[derive(Clone, Debug)]
pub struct Inbox {
    urgent: Sender<Arrival>,
    streams: Sender<Arrival>,
    commands: Sender<Arrival>,
    waker: Arc<Waker>,
}

impl Inbox {
    /// Sends an event by the lane that it belongs to; waits while that one is full.
    pub fn send(&self, event: Event) -> Result<(), Ended> {
        let lane = match &event {
            Event::Stream(..) => &self.streams,
            Event::Command(_) => &self.commands,
            Event::Stored(..) | Event::DiskFull { .. } | Event::Loaded { .. } => &self.urgent,
            Event::Mended { .. } => &self.urgent,
            Event::Datagram { .. } | Event::PortClosed { .. } | Event::Timer => &self.urgent,
        };
        self.put(lane, Arrival::Event(event))
    }

    /// Sends an event ahead of all commands: for signals, which must be obeyed even while nobody reads what
    /// the node tells.
    pub fn urge(&self, event: Event) -> Result<(), Ended> {
        self.put(&self.urgent, Arrival::Event(event))
    }

    /// Ends the node, because a pump of it cannot go on: `reason` is shown to the user.
    pub fn fail(&self, reason: String) -> Result<(), Ended> {
        self.put(&self.urgent, Arrival::Failed(reason))
    }

    /// Stops the core for a while, behind all commands that were sent before.
    pub fn pause(&self, for_: Duration) -> Result<(), Ended> {
        self.put(&self.commands, Arrival::Pause(for_))
    }

    fn put(&self, lane: &Sender<Arrival>, arrival: Arrival) -> Result<(), Ended> {
        lane.send(arrival).map_err(|_| Ended)?;
        if let Err(error) = self.waker.wake() {
            // The event is in the lane and will be found at the latest with the next deadline.
            log::warn!("cannot wake the core's thread: {error}");
        }
        Ok(())
    }
}

/// The lanes, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Answers of the disk, and signals.
    Urgent,
    /// What happens on streams.
    Streams,
    /// What the user wants.
    Commands,
}

/// The receiving side; the core's thread has it.
#[derive(Debug)]
pub struct Entrance {
    urgent: Receiver<Arrival>,
    streams: Receiver<Arrival>,
    commands: Receiver<Arrival>,
}

impl Entrance {
    /// Takes the next of a lane, without waiting.
    pub fn take(&self, lane: Lane) -> Option<Arrival> {
        self.lane(lane).try_recv().ok()
    }

    /// Takes the next of a lane, and waits for it at most so long.
    pub fn wait(&self, lane: Lane, at_most: Duration) -> Option<Arrival> {
        self.lane(lane).recv_timeout(at_most).ok()
    }

    /// Whether a lane has nothing.
    pub fn is_empty(&self, lane: Lane) -> bool {
        self.lane(lane).is_empty()
    }

    fn lane(&self, lane: Lane) -> &Receiver<Arrival> {
        match lane {
            Lane::Urgent => &self.urgent,
            Lane::Streams => &self.streams,
            Lane::Commands => &self.commands,
        }
    }
}

/// Makes an inbox that wakes `poll`'s thread under the name `token`.
pub fn open(poll: &mio::Poll, token: mio::Token) -> io::Result<(Inbox, Entrance)> {
    let waker = Arc::new(Waker::new(poll.registry(), token)?);
    let (urgent, urgent_end) = bounded(URGENT_MAX);
    let (streams, streams_end) = bounded(STREAMS_MAX);
    let (commands, commands_end) = bounded(COMMANDS_MAX);
    let inbox = Inbox {
        urgent,
        streams,
        commands,
        waker,
    };
    let entrance = Entrance {
        urgent: urgent_end,
        streams: streams_end,
        commands: commands_end,
    };
    Ok((inbox, entrance))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::node::face::{Command, StreamEvent, StreamId};

    #[test]
    fn each_event_goes_by_its_lane_and_wakes_the_poll() {
        let mut poll = mio::Poll::new().unwrap();
        let (inbox, entrance) = open(&poll, mio::Token(7)).unwrap();
        inbox.send(Event::Command(Command::Status)).unwrap();
        inbox
            .send(Event::Stream(StreamId(1), StreamEvent::Closed))
            .unwrap();
        inbox.urge(Event::Command(Command::Leave)).unwrap();

        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, None).unwrap();
        assert_eq!(events.iter().next().unwrap().token(), mio::Token(7));
        let urgent = entrance.take(Lane::Urgent);
        assert!(matches!(
            urgent,
            Some(Arrival::Event(Event::Command(Command::Leave)))
        ));
        assert!(matches!(
            entrance.take(Lane::Streams),
            Some(Arrival::Event(Event::Stream(..)))
        ));
        let command = entrance.take(Lane::Commands);
        assert!(matches!(
            command,
            Some(Arrival::Event(Event::Command(Command::Status)))
        ));
        assert!(entrance.is_empty(Lane::Commands));
    }

    #[test]
    fn a_sender_learns_that_the_node_has_ended() {
        let poll = mio::Poll::new().unwrap();
        let (inbox, entrance) = open(&poll, mio::Token(7)).unwrap();
        drop(entrance);
        assert_eq!(inbox.send(Event::Command(Command::Status)), Err(Ended));
        assert_eq!(inbox.fail("the disk is gone".into()), Err(Ended));
    }
}
