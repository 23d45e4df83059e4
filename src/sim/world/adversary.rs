//! Somebody on the network who has no key, hears everything, and sends what was recorded, altered or forged.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;

use super::{Broken, World};
use crate::node::face::Event;
use crate::wire::seal::To;
use crate::wire::seal::key::{GroupKey, Keys};
use crate::wire::seal::sessions::{SEED_BYTES, SealSettings, Sessions};
use crate::wire::{Body, VERSION};
use crate::words::{Epoch, NodeId, RingId};

/// Datagrams kept. Old ones stay as likely as new ones.
const RECORDED_MAX: usize = 512;

/// A datagram as it went to a node.
#[derive(Clone, Debug)]
struct Recorded {
    to: NodeId,
    /// Which start of the receiver it went to.
    start: u32,
    from: SocketAddrV4,
    multicast: bool,
    bytes: Bytes,
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Adversary {
    recorded: VecDeque<Recorded>,
    starts: BTreeMap<NodeId, u32>,
}

impl Adversary {
    /// A node starts.
    pub(super) fn started(&mut self, id: NodeId) {
        *self.starts.entry(id).or_default() += 1;
    }

    /// A datagram goes to a node.
    pub(super) fn record(
        &mut self,
        dice: &mut SmallRng,
        to: NodeId,
        from: SocketAddrV4,
        multicast: bool,
        bytes: &Bytes,
    ) {
        if self.recorded.len() == RECORDED_MAX {
            let at = dice.random_range(0..RECORDED_MAX);
            self.recorded.swap_remove_back(at);
        }
        self.recorded.push_back(Recorded {
            to,
            start: self.starts.get(&to).copied().unwrap_or(0),
            from,
            multicast,
            bytes: bytes.clone(),
        });
    }
}

impl World {
    /// Sends a node datagrams that must not be believed: altered, forged with another key, on another way than they
    /// were meant for, sent twice, recorded in the time of an earlier start of it.
    pub fn attack(&mut self, count: u32) -> Result<(), Broken> {
        for _ in 0..count {
            let all = self.adversary.recorded.len();
            if all == 0 {
                return Ok(());
            }
            let at = self.dice.random_range(0..all);
            let recorded = self.adversary.recorded[at].clone();
            match self.dice.random_range(0..5) {
                0 => self.alter(&recorded)?,
                1 => self.forge(&recorded)?,
                2 => self.redirect(recorded)?,
                _ => self.play_again(&recorded)?,
            }
        }
        Ok(())
    }

    fn alter(&mut self, recorded: &Recorded) -> Result<(), Broken> {
        let mut bytes = recorded.bytes.to_vec();
        let at = self.dice.random_range(0..bytes.len());
        bytes[at] ^= 1 << self.dice.random_range(0..8);
        self.checker.count("altered");
        self.refused(recorded, Bytes::from(bytes), "altered")
    }

    fn forge(&mut self, recorded: &Recorded) -> Result<(), Broken> {
        let Some(me) = self.node(recorded.to).map(|node| node.me()) else {
            return Ok(());
        };
        let settings = SealSettings {
            keys: Keys::one(GroupKey::new([0x66; 32].into())),
            seed: [self.dice.random(); SEED_BYTES],
            address: recorded.from,
        };
        let mut member = me;
        member.id = NodeId(me.id.0 + 1);
        let ring = RingId {
            epoch: Epoch(u64::from(VERSION)),
            leader: member,
        };
        let mut forger = Sessions::new(super::GROUP, member, settings);
        let mut bytes = forger.seal(To::Group, &Body::Beacon { ring }).to_vec();
        // Under the right key's name, or under its own.
        if self.dice.random_bool(0.5) {
            bytes[20..24].copy_from_slice(&recorded.bytes[20..24]);
        }
        self.checker.count("forged");
        self.refused(recorded, Bytes::from(bytes), "forged")
    }

    /// What went to a node goes to the group, or the other way round, or comes from elsewhere.
    fn redirect(&mut self, mut recorded: Recorded) -> Result<(), Broken> {
        match self.dice.random_bool(0.5) {
            true => recorded.multicast = !recorded.multicast,
            false => recorded.from.set_port(recorded.from.port() ^ 1),
        }
        self.checker.count("redirected");
        let bytes = recorded.bytes.clone();
        self.refused(&recorded, bytes, "meant for elsewhere")
    }

    /// What was recorded is sent twice: the second time, at the latest, it is refused. If the receiver has started
    /// again since, it is refused at once.
    fn play_again(&mut self, recorded: &Recorded) -> Result<(), Broken> {
        self.checker.count("replayed");
        let now = self.adversary.starts.get(&recorded.to).copied().unwrap_or(0);
        if now == recorded.start {
            self.arrive(recorded, recorded.bytes.clone())?;
        }
        self.refused(recorded, recorded.bytes.clone(), "replayed")
    }

    /// Delivers a datagram that must not be believed.
    fn refused(&mut self, recorded: &Recorded, bytes: Bytes, what: &str) -> Result<(), Broken> {
        let (before, after) = self.arrive(recorded, bytes)?;
        if before != after {
            return Err(format!("privacy: {} believed what was {what}", recorded.to));
        }
        Ok(())
    }

    /// Delivers a datagram. How many its receiver had believed before and after; the same if it is not there.
    fn arrive(&mut self, recorded: &Recorded, bytes: Bytes) -> Result<(u64, u64), Broken> {
        let to = recorded.to;
        let awake = self.processes.get(&to).is_some_and(|process| !process.sleeps);
        let Some(me) = self.node(to).map(|node| node.me()).filter(|_| awake) else {
            return Ok((0, 0));
        };
        let believed = |world: &World| {
            world
                .node(to)
                .filter(|node| node.me() == me)
                .map_or(0, |node| node.accepted())
        };
        let before = believed(self);
        self.deliver(
            to,
            Event::Datagram {
                from: recorded.from,
                multicast: recorded.multicast,
                bytes,
            },
        )?;
        let gone = self.node(to).is_none_or(|node| node.me() != me);
        Ok((before, if gone { before } else { believed(self) }))
    }
}
