//! How fast a ring can go on a given network, in simulated time: the rings alone, all members loaded.
//!
//! The network is a switch and a link of one gigabit for each member: a datagram takes its bytes' time on its sender's
//! link, then a fixed time to all receivers. Members take no time for anything, so what comes out is what the protocol
//! leaves of the network: the window, the token's way and its length. What processors leave is for `node bench` to say.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use bytes::Bytes;

use super::check::Broken;
use crate::node::face::{Action, Event};
use crate::order::{Config, OrderOnly, User};
use crate::ring::{Delivery, Installed};
use crate::words::{Incarnation, NodeId, Time};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 100;
/// What a datagram costs on the wire beyond its payload: UDP, IP, Ethernet, preamble and gap.
const OVERHEAD_BYTES: u64 = 8 + 20 + 18 + 20;
/// A packet's payload: a larger datagram is several packets.
const PACKET_BYTES: u64 = 1_472;
/// Bytes of a gigabit link in a microsecond.
const LINK_BYTES_PER_US: u64 = 125;
/// From a sender's link to all receivers, µs: a switch, two kernels and a wake-up.
const HOP_US: u64 = 100;
/// Messages that wait at all members together: more than the window takes.
const WAITING: usize = 9_216;
/// How long the load runs before it is measured, and how long it is measured, µs.
const WARM_UP_US: u64 = 200_000;
const WINDOW_US: u64 = 200_000;
/// How long forming the ring may take, µs.
const BOUND_US: u64 = 60_000_000;

/// What a loaded ring does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throughput {
    /// Messages a second, at the slowest member.
    pub messages_per_s: u64,
    /// The longest of the members' last rotations, µs.
    pub rotation_us: u64,
    /// Messages stamped in a visit, on average.
    pub per_visit: f64,
    /// Of a link's time, the share in which somebody sends, in percent.
    pub link_percent: f64,
}

/// Loads a ring of this many members, and measures it.
pub fn measure(members: u16, seed: u64) -> Result<Throughput, Broken> {
    let mut network = Network::new(members, seed);
    network.run_until(network.now.after_us(BOUND_US), |network| network.is_complete())?;
    if !network.is_complete() {
        return Err(format!(
            "progress: no ring of {members} in {} s",
            BOUND_US / 1_000_000
        ));
    }
    let load = WAITING / usize::from(members);
    for at in 0..network.members.len() {
        network.members[at].user_mut().waiting_max = load;
        network.step(at, Event::Timer)?;
    }
    let never = |_: &Network| false;
    network.run_until(network.now.after_us(WARM_UP_US), never)?;
    let before = network.seen();
    network.run_until(network.now.after_us(WINDOW_US), never)?;
    let after = network.seen();
    if !network.is_complete() {
        return Err("progress: the ring broke under load".into());
    }
    let heard = after.heard - before.heard;
    let rotations = network.members.iter().map(|m| m.ring().timing().rotation_us);
    Ok(Throughput {
        messages_per_s: heard * 1_000_000 / WINDOW_US,
        rotation_us: rotations.max().unwrap_or(0),
        per_visit: heard as f64 / (after.tokens - before.tokens).max(1) as f64,
        link_percent: (after.busy_us - before.busy_us) as f64 * 100.0 / WINDOW_US as f64,
    })
}

/// Always has something to say, once it is loaded.
struct Talker {
    waiting_max: usize,
    heard: u64,
    members: usize,
    text: Bytes,
}

impl User for Talker {
    fn installed(&mut self, _now: Time, installed: &Installed) {
        self.members = installed.members.len();
    }

    fn delivered(&mut self, _now: Time, _delivery: &Delivery) {
        self.heard += 1;
    }

    fn next(&mut self, _now: Time, waiting: usize) -> Option<Bytes> {
        (waiting < self.waiting_max).then(|| self.text.clone())
    }
}

/// A datagram that arrives at one member.
struct Arrival {
    to: usize,
    from: usize,
    multicast: bool,
    bytes: Bytes,
}

/// Counts from the beginning on.
struct Seen {
    heard: u64,
    tokens: u64,
    busy_us: u64,
}

/// The members and what is under way between them.
struct Network {
    now: Time,
    members: Vec<OrderOnly<Talker>>,
    deadlines: Vec<Option<Time>>,
    /// When each member's link is free again.
    free_at: Vec<Time>,
    coming: BTreeMap<(Time, u64), Arrival>,
    order: u64,
    tokens: u64,
    busy_us: u64,
}

fn address(at: usize) -> SocketAddrV4 {
    SocketAddrV4::new([10, 0, (at >> 8) as u8, at as u8].into(), 4_000)
}

fn at_address(address: SocketAddrV4) -> usize {
    let [_, _, high, low] = address.ip().octets();
    usize::from(high) << 8 | usize::from(low)
}

impl Network {
    fn new(count: u16, seed: u64) -> Network {
        let count = usize::from(count);
        let mut network = Network {
            now: Time(1_000_000),
            members: Vec::new(),
            deadlines: vec![None; count],
            free_at: vec![Time(0); count],
            coming: BTreeMap::new(),
            order: 0,
            tokens: 0,
            busy_us: 0,
        };
        for at in 0..count {
            let config = Config {
                id: NodeId(at as u16 + 1),
                incarnation: Incarnation(at as u64 + 1),
                group: 7,
                token_timeout_us: 200_000,
                payload_max: 1_400,
                accelerated: false,
                seal: None,
            };
            let user = Talker {
                waiting_max: 0,
                heard: 0,
                members: 0,
                text: Bytes::from(vec![b'x'; MESSAGE_BYTES]),
            };
            let (member, first) = OrderOnly::new(config, user, seed ^ at as u64, network.now);
            network.deadlines[at] = member.deadline();
            network.members.push(member);
            first
                .into_iter()
                .for_each(|action| network.send(at, action, count));
        }
        network
    }

    /// Whether all are in one ring.
    fn is_complete(&self) -> bool {
        let ring = |member: &OrderOnly<Talker>| member.ring().installed().map(|state| state.id);
        let first = ring(&self.members[0]);
        let same = |member: &OrderOnly<Talker>| {
            member.ring().is_operational()
                && ring(member) == first
                && member.user().members == self.members.len()
        };
        first.is_some() && self.members.iter().all(same)
    }

    fn seen(&self) -> Seen {
        Seen {
            heard: self.members.iter().map(|m| m.user().heard).min().unwrap_or(0),
            tokens: self.tokens,
            busy_us: self.busy_us,
        }
    }

    fn send(&mut self, from: usize, action: Action, count: usize) {
        let (to, bytes) = match action {
            Action::Multicast(bytes) => (None, bytes),
            Action::Unicast(to, bytes) => (Some(at_address(to)), bytes),
            Action::Store(..) | Action::Load(..) | Action::Stream(..) => return,
            Action::Notice(_) | Action::Exit(_) => return,
        };
        let length = bytes.len() as u64;
        let on_wire = length + length.div_ceil(PACKET_BYTES) * OVERHEAD_BYTES;
        let takes_us = on_wire.div_ceil(LINK_BYTES_PER_US);
        self.busy_us += takes_us;
        self.tokens += u64::from(super::tell::kind(&bytes) == "token");
        let sent = self.free_at[from].max(self.now).after_us(takes_us);
        self.free_at[from] = sent;
        for at in (0..count).filter(|at| *at != from && to.is_none_or(|to| to == *at)) {
            self.order += 1;
            let arrival = Arrival {
                to: at,
                from,
                multicast: to.is_none(),
                bytes: bytes.clone(),
            };
            self.coming.insert((sent.after_us(HOP_US), self.order), arrival);
        }
    }

    fn step(&mut self, at: usize, event: Event) -> Result<(), Broken> {
        let actions = self.members[at].handle(self.now, event);
        self.deadlines[at] = self.members[at].deadline();
        let exits = actions.iter().any(|action| matches!(action, Action::Exit(_)));
        let count = self.members.len();
        actions
            .into_iter()
            .for_each(|action| self.send(at, action, count));
        match exits {
            true => Err(format!("progress: member {} left", at + 1)),
            false => Ok(()),
        }
    }

    /// Lets things happen up to a time, or until it is so.
    fn run_until(&mut self, until: Time, is_so: impl Fn(&Network) -> bool) -> Result<(), Broken> {
        let mut look_at = self.now;
        loop {
            // Looking at all of them costs something.
            if self.now >= look_at {
                if is_so(self) {
                    return Ok(());
                }
                look_at = self.now.after_us(1_000);
            }
            let timer = self.deadlines.iter().enumerate();
            let timer = timer
                .filter_map(|(at, deadline)| Some((deadline.as_ref()?, at)))
                .min();
            let timer = timer.map(|(deadline, at)| (*deadline, at));
            let arrival = self.coming.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return Ok(());
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, arrival) = self.coming.pop_first().expect("it is the first");
                let event = Event::Datagram {
                    from: address(arrival.from),
                    multicast: arrival.multicast,
                    bytes: arrival.bytes,
                };
                self.step(arrival.to, event)?;
            } else if let Some((_, at)) = timer {
                self.step(at, Event::Timer)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_members_use_most_of_a_link_and_more_members_less() {
        let (three, thirty) = (measure(3, 1).unwrap(), measure(30, 1).unwrap());
        assert!(
            three.link_percent > 80.0 && three.link_percent <= 100.0,
            "{three:?}"
        );
        assert!(thirty.messages_per_s < three.messages_per_s, "{thirty:?}");
        assert!(thirty.per_visit < three.per_visit, "{thirty:?}");
        // A full datagram of these messages is 1,300 bytes or more on the wire.
        assert!(three.messages_per_s < 1_250_000, "{three:?}");
    }
}
