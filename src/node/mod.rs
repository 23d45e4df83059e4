//! The node's core: ring, outbox, delay, replica bookkeeping, checkpoints and catching up, without I/O.
//!
//! A [`Node`] takes `(now, event)` and returns actions and one next deadline. The same core runs under real
//! sockets, in the simulator and under a checker.
//!
//! The way of a line: said → outbox, synced → offered to the ring → stamped → delivered → delayed on purpose →
//! appended to the replica, synced → the outbox forgets it. The way of everybody else's begins at "delivered".

mod asking;
mod catching_up;
mod completing;
mod delayed;
mod disorder;
pub mod face;
mod hearing;
mod lab;
mod leaving;
mod mending;
mod outbox;
pub mod pulling;
mod reconciling;
mod relay;
pub mod round;
pub mod sealing;
pub mod serving;
mod status;
mod storing;
mod strangers;
mod ticks;
mod tracing;
mod watching;
mod writing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::replica::content::NAME_BYTES_MAX;
use crate::replica::digest::Digest;
use crate::replica::{ById, IdSet, PositionSet, Record};
use crate::ring::{Ring, Settings};
use crate::wire::seal::OVERHEAD_BYTES;
use crate::words::{Epoch, Incarnation, Member, MessageId, Position, Seq, Time};

use asking::Asking;
use catching_up::CatchingUp;
use completing::Completing;
use delayed::Delayed;
use disorder::Disorder;
use face::{Action, Command, Config, Event, LoadId, Notice, Restart, Store, StreamId, Ticket};
use outbox::Line;
use reconciling::Reconciling;
use sealing::Sealing;
use serving::Serving;
use storing::AfterStore;
use strangers::Strangers;
use ticks::Ticks;
use tracing::Traces;
use watching::Watching;

/// A digest of what was delivered in one ring, in its order: equal for members that moved on together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderDigest {
    /// How many messages.
    pub count: u64,
    /// Over their positions and ids, one after the other.
    pub hash: u64,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    config: Config,
    ring: Ring,
    sealing: Sealing,
    strangers: Strangers,
    dice: SmallRng,
    /// The last message counter used in this life.
    counter: u64,
    last_ticket: Ticket,
    after: VecDeque<(Ticket, AfterStore)>,
    outbox: ById<Line>,
    /// What is in the state, written and synced.
    held: PositionSet,
    digest: Digest,
    disorder: Disorder,
    /// All ids in the replica file.
    ids: IdSet,
    /// Delivered and not yet held: by id.
    unheld: ById<Position>,
    /// When which record leaves the artificial delay.
    delayed: Delayed,
    delivered: Option<Position>,
    rooms: BTreeSet<String>,
    name: String,
    /// The names that members of the installed ring spoke under since it was: newer than those of their joins.
    names: BTreeMap<Member, String>,
    checkpoint_at: Option<Time>,
    /// Something changed since the last checkpoint.
    dirty: bool,
    ticks: Ticks,
    traces: Traces,
    asking: Option<Asking>,
    catching_up: CatchingUp,
    completing: Completing,
    reconciling: Reconciling,
    serving: BTreeMap<StreamId, Serving>,
    loads: BTreeMap<LoadId, StreamId>,
    last_load: LoadId,
    lessons: lab::Lessons,
    leaving: Option<leaving::Leaving>,
    disk_full: Option<String>,
    reborn: Option<Incarnation>,
    refused: BTreeMap<&'static str, u64>,
    /// What was turned away at a limit, by what it was.
    limited: BTreeMap<&'static str, u64>,
    /// The bytes of all lines in the outbox.
    outbox_bytes: usize,
    accepted: u64,
    sent: u64,
    delivered_count: u64,
    /// When something happened last.
    last_now: Time,
    order: OrderDigest,
    last_order: OrderDigest,
    watching: Watching,
    actions: Vec<Action>,
}

impl Node {
    /// A node that begins a life. `seed` feeds all its dice.
    pub fn new(config: Config, restart: Restart, seed: u64, now: Time) -> (Node, Vec<Action>) {
        let me = Member {
            id: config.id,
            incarnation: restart.incarnation,
        };
        let settings = settings(&config, me, restart.epoch, restart.high);
        let every = config.checkpoint_every_us;
        let mut node = Node {
            ring: Ring::new(settings, seed, now),
            sealing: Sealing::new(config.group, me, config.seal.clone()),
            strangers: Strangers::default(),
            dice: SmallRng::seed_from_u64(seed ^ 0x6e6f_6465),
            counter: 0,
            last_ticket: Ticket(0),
            after: VecDeque::new(),
            outbox: ById::new(),
            delivered: restart.held.last(),
            disorder: Disorder::found(restart.out_of_order, restart.held.last()),
            held: restart.held,
            digest: restart.digest,
            ids: restart.ids,
            unheld: ById::new(),
            delayed: Delayed::default(),
            rooms: restart.rooms.into_iter().collect(),
            name: config.name.clone(),
            names: BTreeMap::new(),
            checkpoint_at: (every > 0).then(|| now.after_us(every)),
            dirty: true,
            ticks: Ticks::default(),
            traces: Traces::default(),
            asking: None,
            catching_up: CatchingUp::default(),
            completing: Completing::default(),
            reconciling: Reconciling::default(),
            serving: BTreeMap::new(),
            loads: BTreeMap::new(),
            last_load: LoadId(0),
            lessons: lab::Lessons::default(),
            leaving: None,
            disk_full: None,
            reborn: None,
            refused: BTreeMap::new(),
            limited: BTreeMap::new(),
            outbox_bytes: 0,
            accepted: 0,
            sent: 0,
            delivered_count: 0,
            last_now: now,
            order: OrderDigest::default(),
            last_order: OrderDigest::default(),
            watching: Watching::default(),
            actions: Vec::new(),
            config,
        };
        node.counter = node.ids.last_counter(me);
        for (id, content) in restart.outbox {
            node.take_old_line(id, content);
        }
        let accepted = restart
            .accepted
            .into_iter()
            .map(|a| (a.position.ring, a.chunk))
            .collect();
        for delivery in node.ring.restore(now, accepted) {
            node.take_stored(now, delivery);
        }
        node.relay(now);
        let actions = std::mem::take(&mut node.actions);
        (node, actions)
    }

    /// Something happened. Returns what is to be done, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        self.last_now = now;
        // Before anything else: a command or a finished sync must not find a token that was slept over.
        self.ring.notice_suspension(now);
        match event {
            Event::Datagram {
                from,
                multicast,
                bytes,
            } => self.on_datagram(now, from, multicast, bytes),
            Event::PortClosed { .. } if self.has_left() => {}
            Event::PortClosed { at } => self.ring.port_closed(now, at),
            Event::Timer => {}
            Event::Stored(ticket, found) => self.on_stored(now, ticket, found),
            Event::DiskFull { reason } => self.on_disk_full(reason),
            Event::Loaded { load, records } => self.on_loaded(now, load, records),
            Event::Mended {
                lost,
                digest,
                warnings,
            } => self.on_mended(now, &lost, digest, warnings),
            Event::Stream(stream, event) => self.on_stream(now, stream, event),
            Event::Command(command) => self.on_command(now, command),
        }
        if self.ring.deadline().is_some_and(|at| at <= now) {
            self.ring.tick(now);
        }
        self.relay(now);
        self.tick(now);
        self.relay(now);
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Timer`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let asking = self.asking.as_ref().map(Asking::deadline);
        let leaving = self.leaving.as_ref().and_then(leaving::Leaving::deadline);
        let own = [
            self.delayed.deadline(),
            self.checkpoint_at,
            asking,
            leaving,
            self.catching_up.deadline(),
            self.completing.deadline(),
            self.reconciling.deadline(),
            self.strangers.deadline(),
            self.lessons.deadline(),
            self.watching.deadline(),
        ];
        own.into_iter().flatten().chain(self.ring.deadline()).min()
    }

    /// The ring, to look at.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What is held: in the state, written and synced.
    pub fn held(&self) -> &PositionSet {
        &self.held
    }

    /// The lines that are not held yet, for a report.
    pub fn waiting_lines(&self) -> Vec<String> {
        self.outbox
            .iter()
            .map(|(id, line)| format!("{id} {:?}", line.state))
            .collect()
    }

    /// Whether every own line is held here and nothing waits to be written.
    pub fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && self.unheld.is_empty()
    }

    /// What was delivered in the ring before the installed one.
    pub fn last_order(&self) -> OrderDigest {
        self.last_order
    }

    /// What was delivered in the installed ring so far.
    pub fn order(&self) -> OrderDigest {
        self.order
    }

    /// This life.
    pub fn me(&self) -> Member {
        self.ring.me()
    }

    /// What else is due at `now`, beside the ring's business.
    fn tick(&mut self, now: Time) {
        self.write_due(now);
        self.ask_again(now);
        self.tick_completing(now);
        self.tick_catching_up(now);
        self.tick_reconciling(now);
        for notice in self.strangers.tick(now) {
            self.notice(notice);
        }
        if self.checkpoint_at.is_some_and(|at| at <= now) {
            self.checkpoint_at = None;
            if self.dirty {
                self.checkpoint(false);
            }
        }
        self.tick_lessons(now);
        self.tick_watching(now);
        self.tick_leaving(now);
    }

    fn on_command(&mut self, now: Time, command: Command) {
        match command {
            Command::Say {
                room,
                text,
                tag,
                key,
                sent,
            } => self.say(now, &room, &text, key.as_deref(), tag, sent),
            Command::Name(name) if name.is_empty() || name.len() > NAME_BYTES_MAX => {
                let text = format!(
                    "{name:?} is no name: 1 to {NAME_BYTES_MAX} bytes; the name stays {:?}",
                    self.name
                );
                self.notice(Notice::Warning(text));
            }
            Command::Name(name) => {
                self.ring.rename(name.clone());
                self.name = name;
            }
            Command::HoldToken { hold_us } => self.ring.hold_token(now, hold_us),
            Command::Status => {
                let status = self.status(now);
                self.notice(Notice::Status(Box::new(status)));
            }
            Command::Trace { seq, ring } => self.tell_trace(seq, ring),
            Command::Checkpoint => self.checkpoint(false),
            Command::Reconcile => self.start_reconcile(now),
            Command::Rekey(keys) => self.rekey(keys),
            Command::Lab { on, deed } => self.ask_for_deed(now, on, deed),
            Command::LabTold { by, state, deed } => self.lab_told(by, state, deed),
            Command::Suspend => self.ring.yield_token(now),
            Command::Watch(watch) => self.watch(now, watch),
            Command::Leave => self.start_leaving(now),
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.actions.push(Action::Notice(notice));
    }

    /// Peers have seen a larger incarnation of this id (its disk was wiped, or the clock is wrong): takes a
    /// larger one, stored before it is used.
    fn reincarnate(&mut self, seen: Incarnation) {
        if self.reborn.is_some() {
            return;
        }
        let dice = self.dice.random();
        let incarnation = Incarnation::next(seen.max(self.me().incarnation), 0, dice);
        self.reborn = Some(incarnation);
        let epoch = self.ring.epoch();
        self.store(Store::Identity { incarnation, epoch }, Some(AfterStore::Reborn));
    }

    fn begin_new_life(&mut self, now: Time) {
        let Some(incarnation) = self.reborn.take() else {
            return;
        };
        let me = Member {
            id: self.config.id,
            incarnation,
        };
        let config = Config {
            name: self.name.clone(),
            ..self.config.clone()
        };
        let settings = settings(&config, me, self.ring.epoch(), self.ring.high());
        let seed = self.dice.random();
        let ring = Ring::new(settings, seed, now);
        let before = std::mem::replace(&mut self.ring, ring);
        self.ring.inherit(before);
        self.sealing.rename(me);
        self.counter = 0;
        self.outbox.values_mut().for_each(Line::undecide);
    }

    /// Whether this message is known here: in the replica file, on its way there, or in the repair buffer.
    fn knows(&self, id: MessageId) -> bool {
        self.ids.contains(id) || self.unheld.contains(id) || self.ring.buffers(id)
    }

    /// A record's place in the books once it is durable. `hash` is that of its line.
    fn hold(&mut self, record: &Record, hash: u64) {
        if self.held.insert(record.position) {
            self.digest.add_hash(record.position, hash);
        }
        self.ids.insert(record.id);
        self.change();
    }

    /// Something changed that the next checkpoint will hold. While nothing does, none is waited for.
    fn change(&mut self) {
        self.dirty = true;
        let every_us = self.config.checkpoint_every_us;
        if self.checkpoint_at.is_none() && every_us > 0 {
            self.checkpoint_at = Some(self.last_now.after_us(every_us));
        }
    }
}

/// What a life of this node's ring begins with.
fn settings(config: &Config, me: Member, epoch: Epoch, high: Seq) -> Settings {
    Settings {
        me,
        name: config.name.clone(),
        stream_port: config.stream_port,
        token_timeout_us: config.token_timeout_us,
        quorum: config.quorum,
        payload_max: config.payload_max - config.seal.as_ref().map_or(0, |_| OVERHEAD_BYTES),
        accelerated: config.accelerated,
        epoch,
        high,
    }
}
