//! A state, what can happen in it, and what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use bytes::Bytes;
use roda::ring::{Due, Offer, Output, Ring, Settings};
use roda::sim::tell;
use roda::sim::world::GROUP;
use roda::wire;
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, Time};
use xxhash_rust::xxh3::Xxh3;

/// How much may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Datagrams that are lost.
    pub losses: u8,
    /// Datagrams that arrive and stay under way.
    pub copies: u8,
    /// Nodes that crash; each may start again, on what its disk holds.
    pub crashes: u8,
    /// Holders that are suspended for longer than their token is good for.
    pub sleeps: u8,
    /// How often it is given up to wait: for the token, for a ring that forms, for those who are silent or suspected.
    pub timeouts: u8,
    /// Reports of a closed port, true or forged.
    pub closed: u8,
    /// Other deadlines that fire while something else is still going on.
    pub early: u8,
    /// Lines that are said, one a node, the lowest ids first.
    pub lines: u8,
    /// How many rings may follow each other: proposals beyond are not followed.
    pub epochs: u64,
    /// How many hops a token may make in one ring: later ones are not followed.
    pub hops: u64,
}

/// A datagram under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datagram {
    to: usize,
    from: SocketAddrV4,
    multicast: bool,
    bytes: Bytes,
}

/// A node, alive or not, with what outlives a crash.
#[derive(Clone, Debug)]
pub struct Slot {
    pub ring: Option<Ring>,
    pub id: NodeId,
    life: u64,
    /// The epoch on its disk, and one that is being stored.
    stored: Epoch,
    storing: Option<Epoch>,
    /// The line it says, if it has said it in this life, and whether it was delivered here.
    line: Option<MessageId>,
    delivered_line: bool,
    /// The last position delivered in this life, and a hash over all that was delivered in the installed ring.
    delivered: Option<Position>,
    order: u64,
    /// The highest number on its disk.
    high: Seq,
    /// The ring installed last, over all lives, and in this one.
    last: Option<RingId>,
    current: Option<RingId>,
    /// What two states are compared by.
    print: u128,
}

/// What a number was given to.
type Stamps = BTreeMap<Position, MessageId>;
/// What was delivered of an old ring by those who moved on to a new one.
type Moves = BTreeMap<(RingId, RingId), u64>;

/// A state of the whole.
#[derive(Clone, Debug)]
pub struct State {
    pub now: Time,
    pub slots: Vec<Rc<Slot>>,
    network: BTreeSet<Datagram>,
    pub left: Bounds,
    stamped: Rc<Stamps>,
    moves: Rc<Moves>,
    /// The last node neither hears the others nor is heard.
    pub cut: bool,
}

/// Something that can happen.
#[derive(Clone, Debug)]
pub enum Happening {
    Arrives(Datagram),
    ArrivesAndStays(Datagram),
    IsLost(Datagram),
    IsStored(usize),
    Fires(usize, Due, bool),
    Says(usize),
    Oversleeps(usize),
    Crashes(usize),
    Starts(usize),
    /// The first is told that nobody listens where the second was last.
    FindsClosed(usize, usize),
}

impl Happening {
    /// In words.
    pub fn words(&self) -> String {
        let told = |datagram: &Datagram| {
            let seen = wire::decode(GROUP, datagram.bytes.clone());
            format!("{} ← {}", datagram.to + 1, tell::datagram(&datagram.bytes, seen))
        };
        match self {
            Happening::Arrives(datagram) => told(datagram),
            Happening::ArrivesAndStays(datagram) => format!("{} (a copy stays)", told(datagram)),
            Happening::IsLost(datagram) => format!("lost: {}", told(datagram)),
            Happening::IsStored(at) => format!("{} has stored its epoch", at + 1),
            Happening::Fires(at, due, early) => {
                format!("{} {due:?} fires{}", at + 1, if *early { " early" } else { "" })
            }
            Happening::Says(at) => format!("{} says its line", at + 1),
            Happening::Oversleeps(at) => format!("{} oversleeps", at + 1),
            Happening::Crashes(at) => format!("{} crashes", at + 1),
            Happening::Starts(at) => format!("{} starts again", at + 1),
            Happening::FindsClosed(at, other) => {
                format!("{} is told that the port of {} is closed", at + 1, other + 1)
            }
        }
    }
}

/// How long a datagram is under way while the clock runs, in microseconds.
const TRAVEL_US: u64 = 20;

/// Whether a deadline is one at which waiting is given up, and not only something said again or done next.
fn gives_up(due: Due) -> bool {
    matches!(due, Due::Loss | Due::Consensus | Due::Suspicion)
}

/// Where a life of a node is reached.
fn address(id: NodeId, life: u64) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, id.0 as u8, life as u8), 7_000)
}

impl Slot {
    /// A node that begins its first life.
    pub fn new(id: NodeId, now: Time) -> Slot {
        let mut slot = Slot {
            ring: None,
            id,
            life: 0,
            stored: Epoch(0),
            storing: None,
            line: None,
            delivered_line: false,
            delivered: None,
            order: 0,
            high: Seq(0),
            last: None,
            current: None,
            print: 0,
        };
        slot.begin_life(now);
        slot
    }

    fn member(&self) -> Member {
        let incarnation = Incarnation(self.life);
        Member {
            id: self.id,
            incarnation,
        }
    }

    fn begin_life(&mut self, now: Time) {
        self.life += 1;
        let settings = Settings {
            me: self.member(),
            name: String::new(),
            stream_port: 1,
            token_timeout_us: 200_000,
            quorum: 0,
            payload_max: 1_400,
            accelerated: false,
            epoch: self.stored,
            high: self.high,
        };
        self.ring = Some(Ring::new(settings, u64::from(self.id.0), now));
        self.storing = None;
        self.line = None;
        self.delivered_line = false;
        self.delivered = None;
        self.current = None;
        self.order = 0;
    }

    fn fingerprint(&mut self, now: Time) {
        let mut hasher = Xxh3::new();
        let durable = (self.life, self.stored, self.storing, self.high, self.last);
        self.current.hash(&mut hasher);
        (
            durable,
            self.line,
            self.delivered_line,
            self.delivered,
            self.order,
        )
            .hash(&mut hasher);
        self.ring.is_some().hash(&mut hasher);
        if let Some(ring) = &self.ring {
            ring.hash_state(now, &mut hasher);
        }
        self.print = hasher.digest128();
    }
}

impl State {
    /// Nodes that start at the same moment.
    pub fn new(count: u16, now: Time) -> State {
        let slots = (1..=count)
            .map(|id| Rc::new(Slot::new(NodeId(id), now)))
            .collect();
        let mut state = State {
            now,
            slots,
            network: BTreeSet::new(),
            left: Bounds::default(),
            stamped: Rc::new(Stamps::new()),
            moves: Rc::new(Moves::new()),
            cut: false,
        };
        for at in 0..usize::from(count) {
            state.settle(at).expect("nothing is broken at the start");
        }
        state
    }

    /// What two states are compared by: 128 bits, so that two that differ are hardly ever taken for one.
    pub fn fingerprint(&self) -> u128 {
        let mut hasher = Xxh3::new();
        self.slots.iter().for_each(|slot| slot.print.hash(&mut hasher));
        (&self.network, self.left, &self.stamped, &self.moves).hash(&mut hasher);
        hasher.digest128()
    }

    /// Whether this state lies beyond the bounds on epochs and hops.
    pub fn is_beyond(&self, epoch_max: u64, hop_max: u64) -> bool {
        self.slots
            .iter()
            .filter_map(|slot| slot.ring.as_ref())
            .any(|ring| {
                let states = ring.installed().into_iter().chain(ring.forming());
                let hop = states.map(|state| state.hop.0).max().unwrap_or(0);
                ring.epoch().0 > epoch_max || hop > hop_max
            })
    }

    /// The highest epoch and hop, by which bounds are counted from a start.
    pub fn reach(&self) -> (u64, u64) {
        let rings = || self.slots.iter().filter_map(|slot| slot.ring.as_ref());
        let epoch = rings().map(|ring| ring.epoch().0).max().unwrap_or(0);
        let hops = rings()
            .filter_map(|ring| ring.installed())
            .map(|state| state.hop.0);
        (epoch, hops.max().unwrap_or(0))
    }

    /// All that can happen.
    pub fn happenings(&self) -> Vec<Happening> {
        let left = &self.left;
        let mut all: Vec<Happening> = Vec::new();
        for datagram in &self.network {
            all.push(Happening::Arrives(datagram.clone()));
            if left.copies > 0 {
                all.push(Happening::ArrivesAndStays(datagram.clone()));
            }
            if left.losses > 0 {
                all.push(Happening::IsLost(datagram.clone()));
            }
        }
        let quiet = self.is_quiet();
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(ring) = &slot.ring else {
                all.push(Happening::Starts(at));
                continue;
            };
            if slot.storing.is_some() {
                all.push(Happening::IsStored(at));
            }
            for due in ring.waits_for() {
                let may = if gives_up(due) {
                    left.timeouts > 0
                } else {
                    quiet || left.early > 0
                };
                if may {
                    all.push(Happening::Fires(at, due, !quiet));
                }
            }
            if left.lines > 0 && slot.line.is_none() {
                all.push(Happening::Says(at));
            }
            let holds = ring
                .installed()
                .is_some_and(|state| state.holding.is_some() && !state.alone());
            if left.sleeps > 0 && holds {
                all.push(Happening::Oversleeps(at));
            }
            if left.crashes > 0 {
                all.push(Happening::Crashes(at));
            }
            if left.closed > 0 {
                let others = (0..self.slots.len()).filter(|other| *other != at);
                all.extend(others.map(|other| Happening::FindsClosed(at, other)));
            }
        }
        all
    }

    /// Lets something happen, and says what it broke.
    pub fn happen(&mut self, what: &Happening) -> Result<(), String> {
        match what {
            Happening::Arrives(datagram) => {
                self.network.remove(datagram);
                self.arrive(datagram)
            }
            Happening::ArrivesAndStays(datagram) => {
                self.left.copies -= 1;
                self.arrive(datagram)
            }
            Happening::IsLost(datagram) => {
                self.left.losses -= 1;
                self.network.remove(datagram);
                Ok(())
            }
            Happening::IsStored(at) => self.store(*at),
            Happening::Fires(at, due, early) => {
                match gives_up(*due) {
                    true => self.left.timeouts -= 1,
                    false => self.left.early -= u8::from(*early),
                }
                self.act(*at, |ring, now| ring.fire(now, *due))
            }
            Happening::Says(at) => {
                self.left.lines -= 1;
                self.say(*at)
            }
            Happening::Oversleeps(at) => {
                self.left.sleeps -= 1;
                let slot = Rc::make_mut(&mut self.slots[*at]);
                if let Some(ring) = &mut slot.ring {
                    ring.oversleep();
                }
                slot.fingerprint(self.now);
                Ok(())
            }
            Happening::Crashes(at) => {
                self.left.crashes -= 1;
                self.network.retain(|datagram| datagram.to != *at);
                let slot = Rc::make_mut(&mut self.slots[*at]);
                slot.ring = None;
                slot.storing = None;
                slot.fingerprint(self.now);
                Ok(())
            }
            Happening::Starts(at) => {
                Rc::make_mut(&mut self.slots[*at]).begin_life(self.now);
                self.settle(*at)
            }
            Happening::FindsClosed(at, other) => {
                self.left.closed -= 1;
                let there = address(self.slots[*other].id, self.slots[*other].life);
                self.act(*at, |ring, now| ring.port_closed(now, there))
            }
        }
    }

    fn arrive(&mut self, datagram: &Datagram) -> Result<(), String> {
        let (sender, body) = wire::decode(GROUP, datagram.bytes.clone()).expect("what a ring sends is sound");
        let (from, multicast) = (datagram.from, datagram.multicast);
        self.act(datagram.to, |ring, now| {
            ring.receive(now, sender, from, multicast, body)
        })
    }

    fn store(&mut self, at: usize) -> Result<(), String> {
        let slot = Rc::make_mut(&mut self.slots[at]);
        let Some(epoch) = slot.storing.take() else {
            return Ok(());
        };
        slot.stored = slot.stored.max(epoch);
        self.act(at, |ring, now| ring.epoch_stored(now, epoch))
    }

    /// A node says its line of this life.
    pub fn say(&mut self, at: usize) -> Result<(), String> {
        let slot = Rc::make_mut(&mut self.slots[at]);
        let (sender, content) = (slot.member(), Bytes::from_static(b"x"));
        let id = MessageId { sender, counter: 1 };
        slot.line = Some(id);
        self.act(at, |ring, now| ring.offer(now, Offer { id, content }))
    }

    /// Nothing is under way to a node or to a disk.
    pub fn is_quiet(&self) -> bool {
        self.network.is_empty() && self.slots.iter().all(|slot| slot.storing.is_none())
    }

    /// The same state, the clock stopped at its time.
    pub fn stopped(mut self) -> State {
        let now = self.now;
        for slot in &mut self.slots {
            Rc::make_mut(slot).fingerprint(now);
        }
        self
    }

    /// Without any fault the next thing happens, the clock running: a sync, an arrival, or the next deadline.
    pub fn go_on(&mut self) -> Result<(), String> {
        if let Some(at) = self.slots.iter().position(|slot| slot.storing.is_some()) {
            return self.store(at);
        }
        let deadline = |slot: &Rc<Slot>| slot.ring.as_ref().and_then(Ring::deadline);
        let due = (0..self.slots.len())
            .filter_map(|at| Some((deadline(&self.slots[at])?, at)))
            .min();
        if let Some((_, at)) = due.filter(|(time, _)| *time <= self.now) {
            return self.act(at, |ring, now| ring.tick(now));
        }
        if let Some(datagram) = self.network.pop_first() {
            self.now = self.now.after_us(TRAVEL_US);
            return self.arrive(&datagram);
        }
        self.now = due.map_or(self.now, |(time, _)| time.max(self.now));
        Ok(())
    }

    /// Whether all that live are in one ring, quiet, and have delivered the same and every line of their own.
    pub fn is_settled(&self) -> bool {
        let living: Vec<&Rc<Slot>> = self.slots.iter().filter(|slot| slot.ring.is_some()).collect();
        let islands = if self.cut { 2 } else { 1 };
        let calm = |slot: &&Rc<Slot>| {
            let ring = slot.ring.as_ref().expect("it lives");
            let said = slot.line.is_none() || slot.delivered_line;
            ring.is_operational() && ring.queued() == 0 && said
        };
        let rings: BTreeSet<Option<RingId>> = living.iter().map(|slot| slot.current).collect();
        let orders: BTreeSet<(Option<RingId>, u64)> =
            living.iter().map(|slot| (slot.current, slot.order)).collect();
        let whole = living.iter().all(|slot| {
            let state = slot.ring.as_ref().and_then(Ring::installed);
            state.is_some_and(|state| self.cut || state.members.len() == living.len())
        });
        self.is_quiet()
            && living.iter().all(calm)
            && rings.len() == islands
            && orders.len() == islands
            && whole
    }

    /// Those that live and have not said their line.
    pub fn silent(&self) -> Vec<usize> {
        let silent = |at: &usize| self.slots[*at].ring.is_some() && self.slots[*at].line.is_none();
        (0..self.slots.len()).filter(silent).collect()
    }

    /// A ring does something, and what it wants done is done.
    fn act(&mut self, at: usize, deed: impl FnOnce(&mut Ring, Time)) -> Result<(), String> {
        let now = self.now;
        let slot = Rc::make_mut(&mut self.slots[at]);
        let Some(ring) = &mut slot.ring else {
            return Ok(());
        };
        ring.fix_dice(u64::from(slot.id.0));
        ring.notice_suspension(now);
        deed(ring, now);
        self.settle(at)
    }

    /// Carries out what a ring wants until it wants nothing more, and checks.
    fn settle(&mut self, at: usize) -> Result<(), String> {
        loop {
            let slot = Rc::make_mut(&mut self.slots[at]);
            let outputs = slot.ring.as_mut().map_or(Vec::new(), Ring::take_outputs);
            if outputs.is_empty() {
                break;
            }
            for output in outputs {
                self.carry_out(at, output)?;
            }
        }
        Rc::make_mut(&mut self.slots[at]).fingerprint(self.now);
        self.judge(at)
    }

    fn carry_out(&mut self, at: usize, output: Output) -> Result<(), String> {
        let me = self.slots[at].member();
        let from = address(me.id, me.incarnation.0);
        match output {
            Output::Multicast(body) => {
                let bytes = wire::encode(GROUP, me, &body);
                self.send(at, from, None, &bytes);
            }
            Output::Unicast(to, body) => {
                let bytes = wire::encode(GROUP, me, &body);
                self.send(at, from, Some(to), &bytes);
            }
            Output::StoreEpoch(epoch) => {
                // One answer covers all that was to be stored before.
                let storing = &mut Rc::make_mut(&mut self.slots[at]).storing;
                *storing = (*storing).max(Some(epoch));
            }
            Output::Stamped(id, position, _) => {
                let other = Rc::make_mut(&mut self.stamped).insert(position, id);
                if let Some(other) = other {
                    return Err(format!("order: {position} is given to {id}, and was {other}'s"));
                }
            }
            Output::Deliver(delivery) => self.deliver(at, delivery.position, delivery.id)?,
            Output::Installed(installed) => self.install(at, installed.ring)?,
            Output::Expelled(_) => Rc::make_mut(&mut self.slots[at]).ring = None,
            Output::Accept(..)
            | Output::Adopted(_)
            | Output::Entered(_)
            | Output::Established
            | Output::RowsChanged
            | Output::Requested(_)
            | Output::Granted(..)
            | Output::Detail(_)
            | Output::PassedOn(..)
            | Output::Gathering(_)
            | Output::Fenced(..)
            | Output::Woke(_)
            | Output::IncarnationSeen(_) => {}
        }
        Ok(())
    }

    /// Puts a datagram under way, to one address or to all others.
    fn send(&mut self, at: usize, from: SocketAddrV4, only: Option<SocketAddrV4>, bytes: &Bytes) {
        let last = self.slots.len() - 1;
        for (to, slot) in self.slots.iter().enumerate() {
            if self.cut && (at == last) != (to == last) {
                continue;
            }
            let meant = only.is_none_or(|only| only == address(slot.id, slot.life));
            if to != at && meant && slot.ring.is_some() {
                let (multicast, bytes) = (only.is_none(), bytes.clone());
                let datagram = Datagram {
                    to,
                    from,
                    multicast,
                    bytes,
                };
                self.network.insert(datagram);
            }
        }
    }

    /// A message is delivered, and written at once.
    fn deliver(&mut self, at: usize, position: Position, id: MessageId) -> Result<(), String> {
        let now = self.now;
        if self.stamped.get(&position) != Some(&id) {
            return Err(format!(
                "order: {position} is delivered as {id}, and was not given to it"
            ));
        }
        let slot = Rc::make_mut(&mut self.slots[at]);
        let last = slot.delivered.replace(position);
        if last.is_some_and(|last| last >= position) {
            return Err(format!("order: {} delivers {position} after another", slot.id));
        }
        let mut hasher = DefaultHasher::new();
        (slot.order, position, id).hash(&mut hasher);
        slot.order = hasher.finish();
        slot.high = slot.high.max(position.seq);
        slot.delivered_line |= slot.line == Some(id);
        if let Some(ring) = &mut slot.ring {
            ring.written(now, position.seq);
        }
        Ok(())
    }

    /// A ring is installed: later than any before, and those who move together have delivered the same.
    fn install(&mut self, at: usize, ring: RingId) -> Result<(), String> {
        let slot = Rc::make_mut(&mut self.slots[at]);
        let order = std::mem::take(&mut slot.order);
        let last = slot.last.replace(ring);
        if last.is_some_and(|last| last.epoch >= ring.epoch) {
            return Err(format!("rings: {} installs {ring} after {last:?}", slot.id));
        }
        let Some(old) = slot.current.replace(ring) else {
            return Ok(());
        };
        let theirs = *Rc::make_mut(&mut self.moves).entry((old, ring)).or_insert(order);
        if theirs != order {
            return Err(format!(
                "virtual synchrony: from {old} to {ring}, not the same was delivered"
            ));
        }
        Ok(())
    }

    /// What must hold after every step.
    fn judge(&self, at: usize) -> Result<(), String> {
        let mut holders: BTreeMap<RingId, NodeId> = BTreeMap::new();
        for slot in &self.slots {
            let states = slot
                .ring
                .iter()
                .flat_map(|ring| ring.installed().into_iter().chain(ring.forming()));
            for state in states.filter(|state| state.holding.is_some()) {
                if let Some(other) = holders.insert(state.id, slot.id) {
                    let (one, ring) = (slot.id, state.id);
                    return Err(format!(
                        "mutual exclusion: {one} and {other} hold the token of {ring}"
                    ));
                }
            }
        }
        let slot = &self.slots[at];
        let (Some(ring), Some(line)) = (&slot.ring, slot.line) else {
            return Ok(());
        };
        let kept = ring.is_queued(line) || ring.buffers(line) || slot.delivered_line;
        match kept {
            true => Ok(()),
            false => Err(format!(
                "nothing lost: {line} is neither queued nor stamped nor delivered"
            )),
        }
    }
}
