//! The simulated network: what becomes of a datagram, and streams between two nodes.

use std::net::SocketAddrV4;

use bytes::Bytes;
use rand::RngExt;

use super::{Broken, Coming, End, World, address, tell};
use crate::node::face::{Event, StreamAction, StreamEvent, StreamId};
use crate::words::NodeId;

/// The longest time on a clogged link: what is that late is as good as lost.
const CLOGGED_MAX_US: u64 = 20_000_000;

impl World {
    /// One datagram to one node: whether and when it arrives is up to the weather.
    pub(super) fn send(&mut self, from: NodeId, life: u32, to: NodeId, to_life: Option<u32>, bytes: &Bytes) {
        if to_life.is_some_and(|life| !self.lives_still(to, life)) {
            return self.answer_for_the_dead(from, life, to, to_life.unwrap_or_default());
        }
        let Some(receiver) = self.processes.get(&to).map(|process| process.life) else {
            return;
        };
        let multicast = to_life.is_none();
        if self.keys.is_some() {
            self.adversary
                .record(&mut self.dice, to, address(from, life), multicast, bytes);
        }
        let fate = self.hooks.fate(from, to, tell::kind(bytes));
        if fate.lost {
            return self.checker.count("lost");
        }
        let cut = self.cut.contains(&(from, to)) || (multicast && self.multicast_cut.contains(&to));
        if cut {
            return;
        }
        if self.dice.random_range(0..1_000) < self.weather.loss {
            return self.checker.count("lost");
        }
        let doubled = self.dice.random_range(0..1_000) < self.weather.duplication;
        for copy in 0..=u32::from(doubled) + fate.copies {
            let mut bytes = bytes.clone();
            if self.dice.random_range(0..1_000) < self.weather.garbling {
                self.checker.count("garbled");
                let mut garbled = bytes.to_vec();
                let at = self.dice.random_range(0..garbled.len());
                garbled[at] ^= 1 << self.dice.random_range(0..8);
                bytes = Bytes::from(garbled);
            }
            if copy > 0 {
                self.checker.count("doubled");
            }
            let took = self.time_under_way(from, to);
            let event = Event::Datagram {
                from: address(from, life),
                multicast,
                bytes,
            };
            self.schedule(
                self.now.after_us(took + fate.late_us),
                Coming::Arrival {
                    to,
                    life: receiver,
                    event,
                },
            );
        }
    }

    /// A unicast came to a port where nobody listens any more: its host says so, if it is up and is heard.
    fn answer_for_the_dead(&mut self, from: NodeId, life: u32, to: NodeId, to_life: u32) {
        let cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        let lost = (0..2).any(|_| self.dice.random_range(0..1_000) < self.weather.loss);
        if cut || lost || self.hosts_down.contains(&to) {
            return;
        }
        self.checker.count("port closed");
        let took = 2 * self
            .dice
            .random_range(self.weather.delay_min_us..=self.weather.delay_max_us);
        let event = Event::PortClosed {
            at: address(to, to_life),
        };
        self.schedule(
            self.now.after_us(took),
            Coming::Arrival {
                to: from,
                life,
                event,
            },
        );
    }

    /// Somebody forges a report that the port of a node is closed.
    pub fn forge_port_closed(&mut self, at: NodeId, of: NodeId) -> Result<(), Broken> {
        let life = self.lives.get(&of).copied().unwrap_or_default();
        self.deliver(
            at,
            Event::PortClosed {
                at: address(of, life),
            },
        )
    }

    /// How long something takes from one node to another, µs. On a clogged link: exponentially distributed.
    fn time_under_way(&mut self, from: NodeId, to: NodeId) -> u64 {
        let took = self
            .dice
            .random_range(self.weather.delay_min_us..=self.weather.delay_max_us);
        let Some(mean_us) = self.clogged.get(&(from, to)) else {
            return took;
        };
        let share: f64 = self.dice.random_range(f64::EPSILON..1.0);
        took + ((-share.ln() * *mean_us as f64) as u64).min(CLOGGED_MAX_US)
    }

    pub(super) fn stream(&mut self, id: NodeId, life: u32, stream: StreamId, action: StreamAction) {
        let end = (id, life, stream);
        match action {
            StreamAction::Connect(address) => self.connect(end, address),
            StreamAction::Send(bytes) => {
                let Some(((to, to_life, there), last)) = self.peers.get(&end).copied() else {
                    return;
                };
                if self.cut.contains(&(id, to)) || self.cut.contains(&(to, id)) {
                    return self.break_stream(end);
                }
                let took = self.time_under_way(id, to);
                let at = self.now.after_us(took).max(last.after_us(1));
                self.peers.insert(end, ((to, to_life, there), at));
                let event = Event::Stream(there, StreamEvent::Frame(bytes));
                self.schedule(
                    at,
                    Coming::Arrival {
                        to,
                        life: to_life,
                        event,
                    },
                );
            }
            StreamAction::Close => self.break_stream(end),
        }
    }

    pub(super) fn connect(&mut self, end: End, address: SocketAddrV4) {
        let [_, _, to, to_life] = address.ip().octets();
        let (to, to_life) = (NodeId(u16::from(to)), u32::from(to_life));
        let reachable = self.lives_still(to, to_life)
            && !self.cut.contains(&(end.0, to))
            && !self.cut.contains(&(to, end.0));
        let at = self.now.after_us(self.weather.delay_max_us + 100);
        if !reachable {
            let event = Event::Stream(end.2, StreamEvent::Closed);
            return self.schedule(
                at,
                Coming::Arrival {
                    to: end.0,
                    life: end.1,
                    event,
                },
            );
        }
        self.next_stream += 2;
        let there = StreamId(self.next_stream);
        let other = (to, to_life, there);
        self.peers.insert(end, (other, at.after_us(2)));
        self.peers.insert(other, (end, at.after_us(2)));
        let from = super::address(end.0, end.1);
        let accepted = Event::Stream(there, StreamEvent::Accepted { from });
        self.schedule(
            at,
            Coming::Arrival {
                to,
                life: to_life,
                event: accepted,
            },
        );
        let connected = Event::Stream(end.2, StreamEvent::Connected);
        self.schedule(
            at.after_us(1),
            Coming::Arrival {
                to: end.0,
                life: end.1,
                event: connected,
            },
        );
    }

    /// Both ends hear that a stream is closed, after what was sent before.
    pub(super) fn break_stream(&mut self, end: End) {
        let Some((other, last)) = self.peers.remove(&end) else {
            return;
        };
        self.peers.remove(&other);
        let at = self.now.after_us(self.weather.delay_max_us).max(last.after_us(1));
        for (node, life, stream) in [end, other] {
            let event = Event::Stream(stream, StreamEvent::Closed);
            self.schedule(
                at,
                Coming::Arrival {
                    to: node,
                    life,
                    event,
                },
            );
        }
    }

    pub(super) fn close_streams_of(&mut self, id: NodeId, life: u32) {
        let ends: Vec<End> = self
            .peers
            .keys()
            .copied()
            .filter(|end| (end.0, end.1) == (id, life))
            .collect();
        ends.into_iter().for_each(|end| self.break_stream(end));
    }
}
