//! Three real nodes round a table, with a network and disks in memory, that a byte string drives.
//!
//! The script says which datagram arrives, is lost, doubled, spoiled or forged, when time passes, when a disk is
//! done, who says something, who crashes. The core's own assertions are the judge, and the bounds in `check`.

mod forged;
mod streams;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use roda::node::Node;
use roda::node::face::{
    Action, Command, Config, Event, Load, LoadId, RecoverLevel, StreamEvent, StreamId, Ticket,
};
use roda::sim::disk::Disk;
use roda::words::{Incarnation, NodeId, Seq, Time, WallTime};

use crate::{GROUP, Script};

/// The nodes at the table.
pub const SEATS: usize = 3;
/// Datagrams under way; more are lost, as in a full socket.
const FLYING_MAX: usize = 256;
/// Datagrams remembered, to be replayed.
const HEARD_MAX: usize = 64;
/// Operations a disk can have under way before it must be done with them.
const STORES_MAX: usize = 256;
/// Steps of one input: bounds the time an input takes.
const STEPS_MAX: usize = 1_500;
/// The most bytes of chunks that a node may buffer: a whole window of the largest chunks.
const BUFFERED_MAX: usize = 16_384 * 1_400;

/// A datagram under way.
#[derive(Clone)]
struct Flying {
    to: usize,
    from: SocketAddrV4,
    multicast: bool,
    bytes: Bytes,
}

/// An end of a stream: whose, and its number there.
type End = (usize, StreamId);

/// A node with its disk, which keeps books only.
struct Seat {
    node: Option<Node>,
    life: u8,
    disk: Disk,
    stores: VecDeque<Ticket>,
    loads: VecDeque<(LoadId, Load)>,
}

impl Clone for Seat {
    fn clone(&self) -> Seat {
        Seat {
            node: self.node.clone(),
            life: self.life,
            disk: self.disk.copy_of_books(),
            stores: self.stores.clone(),
            loads: self.loads.clone(),
        }
    }
}

/// The table.
#[derive(Clone)]
pub struct Table {
    now: Time,
    seats: Vec<Seat>,
    flying: VecDeque<Flying>,
    heard: VecDeque<(SocketAddrV4, Bytes)>,
    frames: VecDeque<(End, StreamEvent)>,
    streams: Vec<(End, End)>,
    next_stream: u64,
    steps: usize,
    /// Every datagram that was sent, if wanted.
    pub sent: Option<Vec<Bytes>>,
    /// Every frame that was sent, if wanted.
    pub framed: Option<Vec<Bytes>>,
}

fn config(seat: usize, quorum: u16) -> Config {
    Config {
        id: NodeId(seat as u16 + 1),
        name: format!("n{seat}"),
        group: GROUP,
        token_timeout_us: 200_000,
        delay_min_us: 0,
        delay_max_us: 10_000,
        checkpoint_every_us: 1_000_000,
        quorum,
        catch_up: true,
        recover: RecoverLevel::Peers,
        payload_max: 1_400,
        accelerated: false,
        unicast_port: 5_000,
        stream_port: 7_000,
        seal: None,
        lab: false,
    }
}

fn address(seat: usize, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, (seat as u8).wrapping_add(1)), port)
}

impl Table {
    /// Three nodes that form a ring and have said a line each.
    pub fn set(quorum: u16, records: bool) -> Table {
        let seat = || Seat {
            node: None,
            life: 0,
            disk: Disk::default(),
            stores: VecDeque::new(),
            loads: VecDeque::new(),
        };
        let mut table = Table {
            now: Time(1_000_000),
            seats: (0..SEATS).map(|_| seat()).collect(),
            flying: VecDeque::new(),
            heard: VecDeque::new(),
            frames: VecDeque::new(),
            streams: Vec::new(),
            next_stream: 1,
            steps: 0,
            sent: records.then(Vec::new),
            framed: records.then(Vec::new),
        };
        (0..SEATS).for_each(|seat| table.start(seat, quorum));
        table.calm(400);
        (0..SEATS).for_each(|seat| table.say(seat, "oi".into()));
        table.calm(400);
        let rings: Vec<_> = table
            .nodes()
            .map(|node| node.ring().installed().map(|ring| ring.id))
            .collect();
        assert!(
            rings[0].is_some() && rings.iter().all(|ring| *ring == rings[0]),
            "a calm table has one ring"
        );
        table.steps = 0;
        table
    }

    /// Some talk, a node that comes back with an empty disk, and a reconciliation: everything is sent once.
    pub fn talk(&mut self) {
        let text = |at: usize| format!("line {at}");
        (0..40).for_each(|at| self.say(at % SEATS, text(at)));
        self.calm(2_000);
        self.seats[2].disk = Disk::default();
        self.crash(2, &mut Script(&[0, 0]));
        self.calm(8_000);
        self.event(0, Event::Command(Command::Reconcile));
        self.calm(4_000);
        self.event(1, Event::Command(Command::Leave));
        self.calm(1_000);
    }

    /// Does what the script says, to its end.
    pub fn play(&mut self, script: &mut Script<'_>) {
        while script.goes_on() && self.steps < STEPS_MAX {
            self.step(script);
            self.check();
        }
        self.calm(200);
        self.check();
    }

    /// The nodes that live.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.seats.iter().filter_map(|seat| seat.node.as_ref())
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.byte();
        let seat = usize::from(script.byte()) % SEATS;
        match what % 24 {
            0..=2 => self.calm(usize::from(script.byte())),
            3 => self.next_deadline(),
            4 => self.pass(u64::from(script.short()) * 10),
            5 => self.arrive(0),
            6 => self.arrive(usize::from(script.byte())),
            7 => drop(self.take(usize::from(script.byte()))),
            8 => self.double(usize::from(script.byte())),
            9 | 10 => self.spoil(script),
            11 => self.replay(seat, script),
            12 | 13 => self.forge(seat, script),
            14 => self.alter(seat, script),
            15 => {
                let text = String::from_utf8_lossy(&script.bytes()).into_owned();
                let times = 1 + usize::from(script.byte() % 3) * 100;
                self.say(seat, text.repeat(times));
            }
            16 => self.command(seat, script),
            17 => self.synced(seat),
            18 => self.event(
                seat,
                Event::DiskFull {
                    reason: "no space".into(),
                },
            ),
            19 => self.loaded(seat),
            20 => self.frame(script),
            21 => self.spoiled_frame(seat, script),
            22 => self.crash(seat, script),
            _ => self.sleep(seat, script),
        }
    }

    /// What must hold of every node, whatever came.
    fn check(&self) {
        for node in self.nodes() {
            for ring in node.ring().installed().into_iter().chain(node.ring().forming()) {
                assert!(
                    ring.buffer.bytes() <= BUFFERED_MAX,
                    "a buffer of {} bytes",
                    ring.buffer.bytes()
                );
                assert!(
                    ring.delivered_up_to <= ring.buffer.received_up_to(),
                    "delivered before it is received"
                );
            }
            assert!(
                node.held().range_count() < 10_000,
                "the books have {} ranges",
                node.held().range_count()
            );
        }
    }

    fn start(&mut self, seat: usize, quorum: u16) {
        let place = &mut self.seats[seat];
        place.life += 1;
        let incarnation = Incarnation(1_763_680_000_000_000 + (u64::from(place.life) << 20) + seat as u64);
        let restart = place.disk.restart(incarnation);
        let (node, actions) = Node::new(
            config(seat, quorum),
            restart,
            u64::from(place.life) * 8 + seat as u64,
            self.now,
        );
        place.node = Some(node);
        self.carry_out(seat, actions);
    }

    /// The power goes, and comes back. Of what was under way, some was written.
    fn crash(&mut self, seat: usize, script: &mut Script<'_>) {
        let quorum = script.byte() % 4 / 3 * 2;
        let survivors = usize::from(script.byte());
        let place = &mut self.seats[seat];
        if place.life > 20 {
            return;
        }
        (place.node, place.stores, place.loads) = (None, VecDeque::new(), VecDeque::new());
        place.disk.crash(survivors);
        let ends: Vec<End> = self
            .streams
            .iter()
            .flat_map(|(a, b)| [*a, *b])
            .filter(|end| end.0 == seat)
            .collect();
        ends.into_iter().for_each(|end| self.close(end));
        self.frames.retain(|(end, _)| end.0 != seat);
        self.start(seat, u16::from(quorum));
    }

    /// A node is not given any time for a while; what arrives waits.
    fn sleep(&mut self, seat: usize, script: &mut Script<'_>) {
        let node = self.seats[seat].node.take();
        let waiting: Vec<Flying> = self
            .flying
            .iter()
            .filter(|flying| flying.to == seat)
            .cloned()
            .collect();
        self.flying.retain(|flying| flying.to != seat);
        self.calm(usize::from(script.byte()));
        self.seats[seat].node = node;
        self.flying.extend(waiting);
    }

    /// Lets things take their course: disks are done, datagrams arrive, timers fire.
    fn calm(&mut self, steps: usize) {
        for _ in 0..steps {
            self.steps += 1;
            // What the disk has to say to who sleeps waits, too.
            let awake = |seat: &usize| self.seats[*seat].node.is_some();
            let stores = |seat: &usize| !self.seats[*seat].stores.is_empty();
            let loads = |seat: &usize| !self.seats[*seat].loads.is_empty();
            let stored = (0..SEATS).find(|seat| awake(seat) && stores(seat));
            let loaded = (0..SEATS).find(|seat| awake(seat) && loads(seat));
            if let Some(seat) = stored {
                self.synced(seat);
            } else if let Some(seat) = loaded {
                self.loaded(seat);
            } else if !self.frames.is_empty() {
                self.next_frame();
            } else if !self.flying.is_empty() {
                self.pass(50);
                self.arrive(0);
            } else {
                self.next_deadline();
            }
        }
    }

    fn pass(&mut self, us: u64) {
        self.now = self.now.after_us(us);
        for seat in 0..SEATS {
            let due = |node: &Node| node.deadline().is_some_and(|at| at <= self.now);
            if self.seats[seat].node.as_ref().is_some_and(due) {
                self.event(seat, Event::Timer);
            }
        }
    }

    fn next_deadline(&mut self) {
        let next = self.nodes().filter_map(Node::deadline).min();
        let wait = next.map_or(1_000, |at| at.since_us(self.now));
        self.pass(wait);
    }

    fn take(&mut self, at: usize) -> Option<Flying> {
        let count = self.flying.len().max(1);
        self.flying.remove(at % count)
    }

    fn arrive(&mut self, at: usize) {
        if let Some(flying) = self.take(at) {
            self.receive(flying);
        }
    }

    fn receive(&mut self, flying: Flying) {
        let Flying {
            to,
            from,
            multicast,
            bytes,
        } = flying;
        self.event(
            to,
            Event::Datagram {
                from,
                multicast,
                bytes,
            },
        );
    }

    fn double(&mut self, at: usize) {
        if let Some(flying) = self.take(at) {
            self.flying.push_back(flying.clone());
            self.receive(flying);
        }
    }

    fn say(&mut self, seat: usize, text: String) {
        let sent = WallTime(1_763_680_000_000);
        self.event(
            seat,
            Event::Command(Command::Say {
                room: "geral".into(),
                text,
                tag: 7,
                key: None,
                sent,
            }),
        );
    }

    fn command(&mut self, seat: usize, script: &mut Script<'_>) {
        let command = match script.byte() % 8 {
            0 => Command::Name(String::from_utf8_lossy(&script.bytes()).into_owned()),
            1 => Command::HoldToken {
                hold_us: script.number(100_000),
            },
            2 => Command::Status,
            3 => Command::Trace {
                seq: Seq(script.number(2)),
                ring: None,
            },
            4 => Command::Checkpoint,
            5 => Command::Reconcile,
            6 => Command::Suspend,
            _ => Command::Leave,
        };
        self.event(seat, Event::Command(command));
    }

    fn synced(&mut self, seat: usize) {
        if let Some(ticket) = self.seats[seat].stores.pop_front() {
            let stored = self.seats[seat].disk.sync(ticket);
            self.event(seat, Event::Stored(ticket, stored));
        }
    }

    fn loaded(&mut self, seat: usize) {
        if let Some((load, query)) = self.seats[seat].loads.pop_front() {
            let records = self.seats[seat].disk.load(&query);
            self.event(seat, Event::Loaded { load, records });
        }
    }

    fn event(&mut self, seat: usize, event: Event) {
        self.steps += 1;
        let now = self.now;
        if let Some(node) = &mut self.seats[seat].node {
            let actions = node.handle(now, event);
            self.carry_out(seat, actions);
        }
        while self.seats[seat].stores.len() > STORES_MAX {
            self.synced(seat);
        }
    }

    fn carry_out(&mut self, seat: usize, actions: Vec<Action>) {
        let from = address(seat, 5_000);
        for action in actions {
            match action {
                Action::Multicast(bytes) => {
                    let others = (0..SEATS).filter(|other| *other != seat);
                    others.for_each(|to| self.fly(to, from, true, &bytes));
                    self.hear(from, bytes);
                }
                Action::Unicast(address, bytes) => {
                    let to = usize::from(address.ip().octets()[3]).wrapping_sub(1);
                    self.fly(to, from, false, &bytes);
                    self.hear(from, bytes);
                }
                Action::Store(ticket, store) => {
                    self.seats[seat].disk.submit(ticket, store);
                    self.seats[seat].stores.push_back(ticket);
                }
                Action::Load(load, query) => self.seats[seat].loads.push_back((load, query)),
                Action::Stream(stream, action) => self.stream((seat, stream), action),
                Action::Notice(_) => {}
                Action::Exit(_) => {
                    self.seats[seat].node = None;
                    self.seats[seat].disk.crash(usize::MAX);
                    self.seats[seat].stores.clear();
                    return;
                }
            }
        }
    }

    fn fly(&mut self, to: usize, from: SocketAddrV4, multicast: bool, bytes: &Bytes) {
        if to < SEATS && self.flying.len() < FLYING_MAX {
            self.flying.push_back(Flying {
                to,
                from,
                multicast,
                bytes: bytes.clone(),
            });
        }
    }

    fn hear(&mut self, from: SocketAddrV4, bytes: Bytes) {
        if let Some(sent) = &mut self.sent {
            sent.push(bytes.clone());
        }
        self.heard.push_back((from, bytes));
        if self.heard.len() > HEARD_MAX {
            self.heard.pop_front();
        }
    }
}
