//! What a life of a node begins with.

use bytes::Bytes;

use super::Accepted;
use crate::replica::{IdSet, PositionSet};
use crate::wire::seal::sessions::SealSettings;
use crate::words::{Epoch, Incarnation, MessageId, NodeId, Seq};

/// How far recovery goes after a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoverLevel {
    /// Not at all: the state stays at the checkpoint.
    None,
    /// From the own replica.
    Own,
    /// From the own replica, then from peers.
    Peers,
}

/// How a node is to behave. The same for its whole life.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its id.
    pub id: NodeId,
    /// The user's name.
    pub name: String,
    /// Separates groups that share a multicast address: a hash of address and port.
    pub group: u32,
    /// The one knob of time, in microseconds.
    pub token_timeout_us: u64,
    /// The artificial delay between delivered and written: shortest, in microseconds.
    pub delay_min_us: u64,
    /// The artificial delay: longest.
    pub delay_max_us: u64,
    /// Microseconds between checkpoints; 0 for only on leaving.
    pub checkpoint_every_us: u64,
    /// How many members must hold a message before it is delivered; 0 for no quorum.
    pub quorum: u16,
    /// Whether to get from peers what is missing here.
    pub catch_up: bool,
    /// How far recovery goes.
    pub recover: RecoverLevel,
    /// The largest datagram payload.
    pub payload_max: usize,
    /// Whether datagrams may leave just after the token.
    pub accelerated: bool,
    /// Whether it takes part in lessons.
    pub lab: bool,
    /// Where peers reach this node: unicast datagrams. The address is as others see it.
    pub unicast_port: u16,
    /// Where peers reach this node: streams.
    pub stream_port: u16,
    /// What is needed to seal; without it everything is in the clear.
    pub seal: Option<SealSettings>,
}

/// What the disk told at the start.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// The incarnation of this life: fresh, and stored already.
    pub incarnation: Incarnation,
    /// The largest epoch in `identity.json` or any record.
    pub epoch: Epoch,
    /// What is in the state after rollback and recovery from the own replica.
    pub held: PositionSet,
    /// Records of the replica file that stand behind one that belongs behind them.
    pub out_of_order: u64,
    /// All ids in the replica file, in the state or not.
    pub ids: IdSet,
    /// Digests of what is in the state.
    pub digest: crate::replica::digest::Digest,
    /// The highest number in any record of the file.
    pub high: Seq,
    /// Lines that are in the outbox and not in the replica file, oldest first.
    pub outbox: Vec<(MessageId, Bytes)>,
    /// The last name used, if a checkpoint knew it.
    pub name: Option<String>,
    /// Rooms seen.
    pub rooms: Vec<String>,
    /// Chunks accepted but not delivered (only with `--quorum`).
    pub accepted: Vec<Accepted>,
}
