//! Order only: the ring for a program that wants one total order of opaque payloads and keeps nothing.
//!
//! It takes `(now, event)` and returns actions and one deadline, like the node's core, and runs under the same host.
//! What it says is stamped, sent and delivered as every message is. Nothing is written, not even the epoch: a member
//! that ends begins anew under a larger incarnation, and what it had not yet got through is lost. So of the promises
//! only those of the ring hold (mutual exclusion, total order, virtual synchrony, no duplicates within a life,
//! fairness), and none about the disk. That is what other group communication gives, and what a benchmark compares.

use std::net::SocketAddrV4;

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::node::face::{Action, Command, Event, Exit, StreamAction, StreamEvent};
use crate::node::sealing::Sealing;
use crate::ring::{Delivery, Installed, Offer, Output, Ring, Settings};
use crate::wire::Body;
use crate::wire::seal::sessions::SealSettings;
use crate::wire::seal::{OVERHEAD_BYTES, To};
use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Seq, Time};

/// How long leaving may take, in microseconds.
const LEAVE_US: u64 = 1_000_000;
/// The most payloads that are taken from the user at a time: bounds the work of one event.
const OFFERS_MAX: usize = 8_192;

/// How a member is to behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its id.
    pub id: NodeId,
    /// Larger than that of every earlier life.
    pub incarnation: Incarnation,
    /// The number of the group.
    pub group: u32,
    /// The one knob of time.
    pub token_timeout_us: u64,
    /// The largest datagram payload.
    pub payload_max: usize,
    /// Whether datagrams may leave just after the token.
    pub accelerated: bool,
    /// What is needed to seal; without it everything is in the clear.
    pub seal: Option<SealSettings>,
}

/// Who uses the order.
pub trait User {
    /// A ring was installed; what is delivered from now on is of this ring.
    fn installed(&mut self, now: Time, installed: &Installed);

    /// A payload was delivered, in the same order at every member.
    fn delivered(&mut self, now: Time, delivery: &Delivery);

    /// The next payload to be said, if there is one by now; `waiting` so many are not stamped yet.
    fn next(&mut self, now: Time, waiting: usize) -> Option<Bytes>;

    /// When [`User::next`] is to be asked again, if nothing happens before.
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// Whether the member may leave.
    fn is_done(&self) -> bool {
        false
    }
}

/// What was sent, counted as it goes to the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams.
    pub datagrams: u64,
    /// Their payload.
    pub bytes: u64,
}

impl Traffic {
    /// Counts an action, if it sends a datagram.
    pub fn count(&mut self, action: &Action) {
        if let Action::Multicast(bytes) | Action::Unicast(_, bytes) = action {
            self.datagrams += 1;
            self.bytes += bytes.len() as u64;
        }
    }
}

/// How far leaving is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// Until then, what was said is ordered and received by all.
    Polite(Time),
    Gone,
}

/// One member.
#[derive(Debug)]
pub struct OrderOnly<U> {
    config: Config,
    ring: Ring,
    sealing: Sealing,
    dice: SmallRng,
    /// The last counter used in this life.
    counter: u64,
    user: U,
    /// Some of what was taken from the user was stamped at once: there may be room for more.
    more: bool,
    leaving: Leaving,
    traffic: Traffic,
    actions: Vec<Action>,
}

impl<U: User> OrderOnly<U> {
    /// A member that begins by looking for others. `seed` feeds all its dice.
    pub fn new(config: Config, user: U, seed: u64, now: Time) -> (OrderOnly<U>, Vec<Action>) {
        let me = Member {
            id: config.id,
            incarnation: config.incarnation,
        };
        let settings = settings(&config, me, Epoch(0), Seq(0));
        let mut order = OrderOnly {
            ring: Ring::new(settings, seed, now),
            sealing: Sealing::new(config.group, me, config.seal.clone()),
            dice: SmallRng::seed_from_u64(seed ^ 0x6f72_6465),
            counter: 0,
            user,
            more: false,
            leaving: Leaving::No,
            traffic: Traffic::default(),
            actions: Vec::new(),
            config,
        };
        order.relay(now);
        let actions = std::mem::take(&mut order.actions);
        (order, actions)
    }

    /// Something happened. Returns what is to be done, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        if self.leaving == Leaving::Gone {
            return Vec::new();
        }
        self.ring.notice_suspension(now);
        match event {
            Event::Datagram {
                from,
                multicast,
                bytes,
            } => self.on_datagram(now, from, multicast, bytes),
            Event::PortClosed { at } => self.ring.port_closed(now, at),
            Event::Command(Command::Leave) => self.leave(now),
            // Nobody serves streams here.
            Event::Stream(stream, StreamEvent::Accepted { .. }) => {
                self.actions.push(Action::Stream(stream, StreamAction::Close));
            }
            Event::Timer | Event::Command(_) | Event::Stream(..) => {}
            Event::Stored(..) | Event::DiskFull { .. } | Event::Loaded { .. } => {}
            Event::Mended { .. } => {}
        }
        if self.ring.deadline().is_some_and(|at| at <= now) {
            self.ring.tick(now);
        }
        self.relay(now);
        self.offer(now);
        self.relay(now);
        if self.user.is_done() {
            self.leave(now);
        }
        self.go_on_leaving(now);
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Timer`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let leaving = match self.leaving {
            Leaving::Polite(until) => Some(until),
            Leaving::No | Leaving::Gone => None,
        };
        let more = self.more.then_some(Time(0));
        [self.ring.deadline(), self.user.deadline(), leaving, more]
            .into_iter()
            .flatten()
            .min()
    }

    /// Who uses it.
    pub fn user(&self) -> &U {
        &self.user
    }

    /// The same, to change.
    pub fn user_mut(&mut self) -> &mut U {
        &mut self.user
    }

    /// The ring, to look at.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn on_datagram(&mut self, now: Time, from: SocketAddrV4, multicast: bool, bytes: Bytes) {
        let opened = self.sealing.open(now, from, multicast, bytes);
        for (to, bytes) in self.sealing.take_answers() {
            self.send(Action::Unicast(to, bytes));
        }
        // What is refused, or is a node's own business, changes nothing here.
        if let Ok(Some((sender, body))) = opened {
            self.ring.receive(now, sender, from, multicast, body);
        }
    }

    /// Carries out what the ring wants. Every round consumes what it found, so it is bounded.
    fn relay(&mut self, now: Time) {
        loop {
            let outputs = self.ring.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                self.relay_one(now, output);
            }
        }
    }

    fn relay_one(&mut self, now: Time, output: Output) {
        match output {
            Output::Multicast(body) => self.multicast(&body),
            Output::Unicast(to, body) => {
                let bytes = self.sealing.datagram(To::Node(to), &body);
                self.send(Action::Unicast(to, bytes));
            }
            // There is no disk that has to hear of it first.
            Output::StoreEpoch(epoch) => self.ring.epoch_stored(now, epoch),
            Output::Deliver(delivery) => {
                self.ring.written(now, delivery.position.seq);
                self.user.delivered(now, &delivery);
            }
            Output::Installed(installed) => self.user.installed(now, &installed),
            Output::IncarnationSeen(seen) => self.begin_anew(now, seen),
            Output::Expelled(expelled) => {
                // The others find out by themselves.
                self.leaving = Leaving::Gone;
                self.actions.push(Action::Exit(expelled.into()));
            }
            // Only with a quorum.
            Output::Accept(..) | Output::Adopted(_) | Output::Entered(_) | Output::Established => {}
            Output::Stamped(..) | Output::RowsChanged | Output::Requested(_) | Output::Granted(..) => {}
            Output::Detail(_)
            | Output::PassedOn(..)
            | Output::Gathering(_)
            | Output::Fenced(..)
            | Output::Woke(_) => {}
        }
    }

    fn multicast(&mut self, body: &Body) {
        let bytes = self.sealing.datagram(To::Group, body);
        self.send(Action::Multicast(bytes));
    }

    fn send(&mut self, action: Action) {
        self.traffic.count(&action);
        self.actions.push(action);
    }

    /// Takes what the user has to say.
    fn offer(&mut self, now: Time) {
        self.more = false;
        if self.leaving != Leaving::No {
            return;
        }
        let sender = self.ring.me();
        let mut offers = Vec::new();
        while offers.len() < OFFERS_MAX
            && let Some(content) = self.user.next(now, self.ring.queued() + offers.len())
        {
            self.counter += 1;
            let counter = self.counter;
            let id = MessageId { sender, counter };
            offers.push(Offer { id, content });
        }
        let count = offers.len();
        if count > 0 {
            self.ring.offer_all(now, offers);
            self.more = self.ring.queued() < count;
        }
    }

    fn leave(&mut self, now: Time) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Polite(now.after_us(LEAVE_US));
            self.ring.leave(now);
        }
    }

    fn go_on_leaving(&mut self, now: Time) {
        let Leaving::Polite(until) = self.leaving else {
            return;
        };
        if (self.ring.is_operational() && self.ring.may_leave()) || now >= until {
            self.ring.say_goodbye();
            self.relay(now);
            self.leaving = Leaving::Gone;
            self.actions.push(Action::Exit(Exit::Left));
        }
    }

    /// Others have seen a larger incarnation of this id: this member begins another life.
    fn begin_anew(&mut self, now: Time, seen: Incarnation) {
        let incarnation = Incarnation::next(seen.max(self.ring.me().incarnation), 0, self.dice.random());
        let me = Member {
            id: self.config.id,
            incarnation,
        };
        let settings = settings(&self.config, me, self.ring.epoch(), self.ring.high());
        self.ring = Ring::new(settings, self.dice.random(), now);
        self.sealing.rename(me);
        self.counter = 0;
    }
}

/// What a life of this member's ring begins with.
fn settings(config: &Config, me: Member, epoch: Epoch, high: Seq) -> Settings {
    Settings {
        me,
        name: format!("node{}", config.id),
        stream_port: 0,
        token_timeout_us: config.token_timeout_us,
        quorum: 0,
        payload_max: config.payload_max - config.seal.as_ref().map_or(0, |_| OVERHEAD_BYTES),
        accelerated: config.accelerated,
        epoch,
        high,
    }
}

#[cfg(test)]
mod tests;
