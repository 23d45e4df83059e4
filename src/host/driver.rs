//! The driver: the one thread that owns the core. It waits, reads, hands events to the core and carries out
//! what comes back.
//!
//! A turn has a fixed order and a bounded amount of work:
//! 1. What the disk or the user had no room for is offered again.
//! 2. Unicast datagrams are *read*, then the group's are read and handed to the core until there are none, and
//!    only then are the unicast ones handed on. A token says which data was sent before it; read the other way
//!    round, data that overtook the look at the socket would seem to be missing, and be asked for again.
//! 3. Streams, answers of the disk, and commands.
//! 4. The deadline, if it has passed, last: what arrived while the machine was busy counts as arrived in time.
//!
//! When full: the disk's queue has a backlog here; while anything is in it no datagrams are read, so that a disk
//! that does not keep up slows the node and not its memory. What the user does not read: see
//! [`crate::host::notices`]. Datagrams that the machine does not take are lost and counted; the protocol repairs.

mod backlog;
mod counted;
mod hails;

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Receiver;
use mio::{Events, Interest, Poll, Token};

use crate::host::alarm::Alarm;
use crate::host::chaos::Chaos;
use crate::host::clock;
use crate::host::hail::answerer::Answerer;
use crate::host::inbox::{self, Arrival, Entrance, Inbox, Lane};
use crate::host::net::{Net, Port, Read, Received, Sent};
use crate::host::notices::Notices;
use crate::host::streams::{StreamTimes, Streams};
use crate::node::Node;
use crate::node::face::{
    Action, Command, Event, Exit, Load, LoadId, Notice, Store, StreamEvent, StreamId, Ticket,
};
use crate::words::Time;

use backlog::Disk;

const MULTICAST: Token = Token(0);
const UNICAST: Token = Token(1);
const LISTENER: Token = Token(2);
const WAKE: Token = Token(3);
const ALARM: Token = Token(4);
const HAIL: Token = Token(5);

/// The group's datagrams in one turn: more than a flow-control window, so that all data of a visit is read
/// before the token behind it.
const MULTICAST_BATCH: usize = 1_024;
/// Unicast datagrams in one turn.
const UNICAST_BATCH: usize = 64;
/// Arrivals of each lane in one turn.
const LANE_BATCH: usize = 64;
/// How soon a backlog is offered again, if nothing else happens.
const RETRY_US: u64 = 10_000;
/// A wait shorter than this ends at the microsecond; a longer one may take a millisecond more.
const EXACT_US: u64 = 100_000;
/// The longest wait without a deadline; it is only a bound for the machine's arithmetic.
const WAIT_US_MAX: u64 = 3_600_000_000;
/// How long the last notices and the last work for the disk may take to find room when the node ends.
const FINISH_WAIT: Duration = Duration::from_millis(300);

/// What the driver needs of a core. The node's core and the tests' own have it.
pub trait Core {
    /// Takes an event and returns what is to be done, in order.
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action>;

    /// When [`Event::Timer`] is due.
    fn deadline(&self) -> Option<Time>;
}

impl Core for Node {
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        Node::handle(self, now, event)
    }

    fn deadline(&self) -> Option<Time> {
        Node::deadline(self)
    }
}

/// Work for the disk, in the order given by the core.
#[derive(Debug)]
pub enum DiskWork {
    /// Make something durable, and answer `Stored`.
    Store(Ticket, Store),
    /// Read records, and answer `Loaded`.
    Load(LoadId, Load),
}

/// Why a node ended without having been asked to.
#[derive(Debug)]
pub enum DriverError {
    /// The machine cannot wait for its sockets.
    Poll(io::Error),
    /// A pump cannot go on: the reason in its words.
    Pump(String),
    /// The disk's thread is gone without a word.
    DiskGone,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DriverError::Poll(error) => write!(f, "cannot wait for the network: {error}"),
            DriverError::Pump(reason) => write!(f, "{reason}"),
            DriverError::DiskGone => write!(f, "the disk's thread has ended; start the node again"),
        }
    }
}

impl std::error::Error for DriverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DriverError::Poll(error) => Some(error),
            DriverError::Pump(_) | DriverError::DiskGone => None,
        }
    }
}

/// The ends that other threads have of a driver's channels.
#[derive(Debug)]
pub struct Ends {
    /// For everybody who has events for the core.
    pub inbox: Inbox,
    /// For the disk's thread, which answers through the inbox. It closes when the node ends; what is in it then
    /// is still to be done.
    pub disk: Receiver<DiskWork>,
    /// For the user interface. It closes when the node ends.
    pub notices: Receiver<Notice>,
}

/// Everything around the core.
#[derive(Debug)]
pub struct Driver {
    poll: Poll,
    alarm: Alarm,
    net: Net,
    chaos: Option<Chaos>,
    streams: Streams,
    entrance: Entrance,
    disk: Disk,
    notices: Notices,
    hails: Option<Answerer>,
    waiting: Waiting,
    /// Stream events that arose here, for the core.
    own_events: Vec<(StreamId, StreamEvent)>,
    /// The group could not be reached the last time.
    unreachable: bool,
}

/// What the machine said there is, and was not found to be empty since.
#[derive(Debug, Default)]
struct Waiting {
    multicast: bool,
    unicast: bool,
    listener: bool,
    reports: bool,
    hails: bool,
}

/// How a turn can be the last.
enum Last {
    Exit(Exit),
    Failed(DriverError),
}

impl Driver {
    /// Takes over the sockets. Nothing moves until [`Driver::run`].
    pub fn new(mut net: Net, chaos: Option<Chaos>) -> io::Result<(Driver, Ends)> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(net.source(Port::Multicast), MULTICAST, Interest::READABLE)?;
        registry.register(net.source(Port::Unicast), UNICAST, Interest::READABLE)?;
        let (inbox, entrance) = inbox::open(&poll, WAKE)?;
        let listener = net
            .take_listener()
            .expect("the network's listener is there, and taken only here");
        let mut streams = Streams::new(listener, inbox.clone(), StreamTimes::default());
        registry.register(streams.source(), LISTENER, Interest::READABLE)?;
        let (disk, disk_end) = Disk::open();
        let (notices, notices_end) = Notices::open();
        let alarm = Alarm::open(poll.registry(), ALARM);
        let driver = Driver {
            poll,
            alarm,
            net,
            chaos,
            streams,
            entrance,
            disk,
            notices,
            hails: None,
            waiting: Waiting::default(),
            own_events: Vec::new(),
            unreachable: false,
        };
        let ends = Ends {
            inbox,
            disk: disk_end,
            notices: notices_end,
        };
        Ok((driver, ends))
    }

    /// Carries out `first`, then drives the core until it exits, or the machine fails.
    pub fn run(mut self, core: &mut impl Core, first: Vec<Action>) -> Result<Exit, DriverError> {
        let mut events = Events::with_capacity(16);
        let mut last = self.carry_out(first);
        while last.is_ok() {
            last = self.wait(core, &mut events).and_then(|()| self.turn(core));
        }
        self.disk.finish(FINISH_WAIT);
        self.notices.finish(FINISH_WAIT);
        match last {
            Err(Last::Exit(exit)) => Ok(exit),
            Err(Last::Failed(DriverError::DiskGone)) => Err(last_words(&self.entrance)),
            Err(Last::Failed(error)) => Err(error),
            Ok(()) => unreachable!("the loop ends with the last turn"),
        }
    }

    /// Waits for something to do, and notes which sockets have something.
    fn wait(&mut self, core: &impl Core, events: &mut Events) -> Result<(), Last> {
        let now = clock::now();
        let wait_us = self.wait_us(core, now);
        if wait_us > 0 {
            let exact = (wait_us < EXACT_US).then(|| now.after_us(wait_us));
            self.alarm.set(exact);
        }
        // The machine counts in milliseconds and rounds up, so a deadline has passed when the wait is over.
        match self.poll.poll(events, Some(Duration::from_micros(wait_us))) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(Last::Failed(DriverError::Poll(error))),
        }
        for event in events.iter() {
            match event.token() {
                MULTICAST => self.waiting.multicast = true,
                UNICAST => {
                    self.waiting.unicast = true;
                    self.waiting.reports |= event.is_error();
                }
                LISTENER => self.waiting.listener = true,
                HAIL => self.waiting.hails = true,
                WAKE | ALARM => {}
                other => unreachable!("nothing is registered as {other:?}"),
            }
        }
        Ok(())
    }

    /// How long there is nothing to do, in microseconds.
    fn wait_us(&self, core: &impl Core, now: Time) -> u64 {
        if self.has_more() {
            return 0;
        }
        let chaos = self.chaos.as_ref().and_then(Chaos::deadline);
        let chaos = if self.disk.is_behind() { None } else { chaos };
        let behind = self.disk.is_behind() || self.notices.is_waiting();
        let retry = behind.then(|| now.after_us(RETRY_US));
        let next = [core.deadline(), chaos, retry].into_iter().flatten().min();
        next.map_or(WAIT_US_MAX, |next| next.since_us(now).min(WAIT_US_MAX))
    }

    /// Whether the last turn left something that can be done at once.
    fn has_more(&self) -> bool {
        let datagrams = self.waiting.multicast || self.waiting.unicast;
        let obeys = !self.notices.is_behind();
        (datagrams && !self.disk.is_behind())
            || self.waiting.listener
            || self.waiting.hails
            || !self.own_events.is_empty()
            || !self.entrance.is_empty(Lane::Urgent)
            || !self.entrance.is_empty(Lane::Streams)
            || (obeys && !self.entrance.is_empty(Lane::Commands))
    }

    fn turn(&mut self, core: &mut impl Core) -> Result<(), Last> {
        self.disk.flush()?;
        self.notices.flush();
        if !self.disk.is_behind() {
            self.take_datagrams(core)?;
        }
        self.take_hails();
        self.take_streams(core)?;
        for lane in [Lane::Urgent, Lane::Streams, Lane::Commands] {
            self.take_lane(core, lane)?;
        }
        let now = clock::now();
        match core.deadline() {
            Some(deadline) if deadline <= now => self.feed(core, Event::Timer),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads both sockets and hands on what they had, data first.
    fn take_datagrams(&mut self, core: &mut impl Core) -> Result<(), Last> {
        let mut unicast = Vec::new();
        for _ in 0..UNICAST_BATCH {
            if !self.waiting.unicast {
                break;
            }
            match self.net.read(Port::Unicast) {
                Read::Datagram(datagram) => unicast.push(datagram),
                Read::Skipped => {}
                Read::Empty => self.waiting.unicast = false,
            }
        }
        // Data may have come since the machine was asked, so look again where a token may be at hand.
        self.waiting.multicast |= !unicast.is_empty();
        for _ in 0..MULTICAST_BATCH {
            if !self.waiting.multicast {
                break;
            }
            match self.net.read(Port::Multicast) {
                Read::Datagram(datagram) => self.receive(core, datagram)?,
                Read::Skipped => {}
                Read::Empty => self.waiting.multicast = false,
            }
        }
        for datagram in unicast {
            self.receive(core, datagram)?;
        }
        if std::mem::take(&mut self.waiting.reports) {
            for at in self.net.closed_ports() {
                self.feed(core, Event::PortClosed { at })?;
            }
        }
        while let Some(datagram) = self.chaos.as_mut().and_then(|chaos| chaos.due(clock::now())) {
            self.feed(core, datagram_event(datagram))?;
        }
        Ok(())
    }

    /// A datagram arrived: to the core with it, by way of chaos if there is to be some; a hail is answered here.
    fn receive(&mut self, core: &mut impl Core, datagram: Received) -> Result<(), Last> {
        if self.take_hail(&datagram) {
            return Ok(());
        }
        match &mut self.chaos {
            Some(chaos) => {
                chaos.arrive(clock::now(), datagram);
                Ok(())
            }
            None => self.feed(core, datagram_event(datagram)),
        }
    }

    /// New streams of peers, and what came of opening own ones.
    fn take_streams(&mut self, core: &mut impl Core) -> Result<(), Last> {
        if self.waiting.listener {
            let (accepted, more) = self.streams.accept();
            self.waiting.listener = more;
            for (id, from) in accepted {
                self.feed(core, Event::Stream(id, StreamEvent::Accepted { from }))?;
            }
        }
        // Only those of before: what the core makes of them may bring new ones, for the next turn.
        for (id, event) in std::mem::take(&mut self.own_events) {
            self.feed(core, Event::Stream(id, event))?;
        }
        Ok(())
    }

    fn take_lane(&mut self, core: &mut impl Core, lane: Lane) -> Result<(), Last> {
        for _ in 0..LANE_BATCH {
            if lane == Lane::Commands && self.notices.is_behind() {
                break;
            }
            match self.entrance.take(lane) {
                Some(Arrival::Pause(for_)) => self.pause(core, for_)?,
                Some(arrival) => self.arrive(core, arrival)?,
                None => break,
            }
        }
        Ok(())
    }

    fn arrive(&mut self, core: &mut impl Core, arrival: Arrival) -> Result<(), Last> {
        match arrival {
            Arrival::Event(Event::Stream(id, event)) if !self.streams.admit(id, &event) => Ok(()),
            Arrival::Event(event) => self.feed(core, event),
            Arrival::Failed(reason) => Err(Last::Failed(DriverError::Pump(reason))),
            Arrival::Pause(_) => unreachable!("pauses come among commands"),
        }
    }

    /// Does nothing for a while, for a lesson: the core finds out by its clock. Only the wish to leave ends it early. What the disk
    /// answers meanwhile is as much as it was asked before.
    fn pause(&mut self, core: &mut impl Core, for_: Duration) -> Result<(), Last> {
        let until = clock::now().after_us(for_.as_micros() as u64);
        let mut meanwhile = Vec::new();
        loop {
            let left = Duration::from_micros(until.since_us(clock::now()));
            match self.entrance.wait(Lane::Urgent, left) {
                Some(arrival) => {
                    let leave = matches!(arrival, Arrival::Event(Event::Command(Command::Leave)));
                    meanwhile.push(arrival);
                    if leave {
                        break;
                    }
                }
                None => break,
            }
        }
        meanwhile
            .into_iter()
            .try_for_each(|arrival| self.arrive(core, arrival))
    }

    /// Hands an event to the core and carries out what it asks for.
    fn feed(&mut self, core: &mut impl Core, event: Event) -> Result<(), Last> {
        let actions = core.handle(clock::now(), event);
        self.carry_out(actions)
    }

    /// Carries out actions in order.
    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), Last> {
        let mut actions = actions.into_iter().peekable();
        while let Some(action) = actions.next() {
            match action {
                Action::Multicast(bytes) => {
                    // All that follow one another go to the machine at once.
                    let mut datagrams = vec![bytes];
                    let is_another = |action: &Action| matches!(action, Action::Multicast(_));
                    while let Some(Action::Multicast(bytes)) = actions.next_if(is_another) {
                        datagrams.push(bytes);
                    }
                    self.multicast(&datagrams);
                }
                Action::Unicast(to, bytes) => {
                    // What became of it is counted; a peer that is away is the protocol's business.
                    let _: Sent = self.net.send_unicast(to, &bytes);
                }
                Action::Store(ticket, store) => self.disk.put(DiskWork::Store(ticket, store))?,
                Action::Load(id, load) => self.disk.put(DiskWork::Load(id, load))?,
                Action::Stream(id, action) => {
                    let event = self.streams.act(id, action);
                    self.own_events.extend(event.map(|event| (id, event)));
                }
                Action::Notice(Notice::Status(mut status)) => {
                    status.counters.machine = self.counted();
                    self.notices.tell(Notice::Status(status));
                }
                Action::Notice(notice) => self.tell(notice),
                Action::Exit(exit) => return Err(Last::Exit(exit)),
            }
        }
        Ok(())
    }

    /// Sends to the group, and tells once when that stops working and once when it works again.
    fn multicast(&mut self, datagrams: &[Bytes]) {
        let sent = self.net.send_multicast(datagrams);
        let interface = self.net.interface();
        let text = match sent {
            Sent::Unreachable(kind) if !self.unreachable => format!(
                "interface {interface} does not send to the group: {kind}; \
                 others are unreachable until it works again"
            ),
            Sent::Yes if self.unreachable => format!("interface {interface} sends to the group again"),
            Sent::Yes | Sent::NoRoom | Sent::Unreachable(_) | Sent::Refused(_) => return,
        };
        self.unreachable = !self.unreachable;
        self.notices.tell(Notice::Warning(text));
    }
}

/// The disk's thread is gone: what it said before, if it did.
fn last_words(entrance: &Entrance) -> DriverError {
    while let Some(arrival) = entrance.take(Lane::Urgent) {
        if let Arrival::Failed(reason) = arrival {
            return DriverError::Pump(reason);
        }
    }
    DriverError::DiskGone
}

fn datagram_event(datagram: Received) -> Event {
    let Received {
        from,
        multicast,
        bytes,
    } = datagram;
    Event::Datagram {
        from,
        multicast,
        bytes,
    }
}

#[cfg(test)]
mod tests;
