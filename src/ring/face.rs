//! The face of the ring: what it is given, what it wants done, what it tells.

use std::net::SocketAddrV4;

use bytes::Bytes;

use super::Delivery;
use super::watch::Detail;
use crate::wire::{Body, Chunk};
use crate::words::{Epoch, Hop, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

/// What a ring needs to know from the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This life of this node.
    pub me: Member,
    /// Its user's name.
    pub name: String,
    /// Where it accepts streams.
    pub stream_port: u16,
    /// The one knob of time.
    pub token_timeout_us: u64,
    /// How many must hold a message before it is delivered; 0 for no quorum.
    pub quorum: u16,
    /// The largest datagram payload.
    pub payload_max: usize,
    /// Whether datagrams may leave just after the token.
    pub accelerated: bool,
    /// The largest epoch in `identity.json` or any record.
    pub epoch: Epoch,
    /// The highest number in any record.
    pub high: Seq,
}

/// What is known of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where its datagrams come from, and go to.
    pub address: SocketAddrV4,
    /// Where it accepts streams.
    pub stream_port: u16,
    /// Its user's name.
    pub name: String,
}

/// A message that waits to be stamped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: MessageId,
    /// Its content.
    pub content: Bytes,
}

/// What a ring wants done or known, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send to the group.
    Multicast(Body),
    /// Send to one address.
    Unicast(SocketAddrV4, Body),
    /// Store this epoch, then call [`super::Ring::epoch_stored`].
    StoreEpoch(Epoch),
    /// An own message got its number (for a long one: its last fragment's).
    Stamped(MessageId, Position, Hop),
    /// A message is delivered. Answer with [`super::Ring::written`] once it is in the replica, synced.
    Deliver(Delivery),
    /// With a quorum: store this chunk, then call [`super::Ring::accepted`].
    Accept(RingId, Chunk),
    /// With a quorum: a ring is being installed that adopted what this node may not have: what others hold from now
    /// on says nothing of messages of rings before it.
    Adopted(RingId),
    /// With a quorum: the installed ring is entered; what is stored up to this position is void or written.
    Entered(Option<Position>),
    /// With a quorum: enough members have entered the installed ring.
    Established,
    /// A new ring is installed; deliveries before this belong to older rings.
    Installed(Installed),
    /// What members have received or written has changed.
    RowsChanged,
    /// The token of this ring was asked for.
    Requested(RingId),
    /// The token arrived and is used.
    Granted(RingId, Hop),
    /// The token was handed on.
    PassedOn(RingId, Hop, NodeId),
    /// Something happened that only those are told who watch: see [`super::Ring::watch`].
    Detail(Detail),
    /// The ring is over, for this reason.
    Gathering(Evidence),
    /// Something under a ring that is over was refused.
    Fenced(NodeId, RingId),
    /// A suspension was noticed.
    Woke(u64),
    /// A larger incarnation of this node was seen: it needs a larger one.
    IncarnationSeen(Incarnation),
    /// This node cannot stay.
    Expelled(Expelled),
}

/// Why a ring is over: in words, and what the words rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// In words, such as "no word from 2 for 310 ms, limit 300".
    pub reason: String,
    /// The node that it is about.
    pub about: Option<NodeId>,
    /// For how long nothing was heard, in microseconds.
    pub silent_us: Option<u64>,
    /// How long that may be.
    pub limit_us: Option<u64>,
}

impl Evidence {
    /// Words that are about a node.
    pub fn about(node: NodeId, reason: String) -> Evidence {
        Evidence {
            about: Some(node),
            ..Evidence::from(reason)
        }
    }
}

impl From<String> for Evidence {
    fn from(reason: String) -> Evidence {
        Evidence {
            reason,
            about: None,
            silent_us: None,
            limit_us: None,
        }
    }
}

impl From<&str> for Evidence {
    fn from(reason: &str) -> Evidence {
        Evidence::from(reason.to_string())
    }
}

/// Why a node cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expelled {
    /// Its id is in use by this member, at this address, under this name.
    IdTaken(Member, SocketAddrV4, String),
    /// This incarnation took its place.
    Superseded(Member),
    /// The group asks for another quorum.
    QuorumDiffers(u16),
    /// Multicast does not reach it.
    MulticastFiltered,
}

/// A ring that was just installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub ring: RingId,
    /// Its members in ring order.
    pub members: Vec<Member>,
    /// The members that came from the same ring as this node.
    pub together: Vec<Member>,
    /// The ring this node comes from.
    pub old: Option<RingId>,
    /// The members of that ring.
    pub old_members: Vec<Member>,
    /// Which rings the members come from; those that come from none are together.
    pub came_from: Vec<(Option<RingId>, Vec<NodeId>)>,
    /// Who said goodbye since the ring before.
    pub goodbyes: Vec<Member>,
    /// The first number.
    pub first: Seq,
}

/// Counters of the ring's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingCounters {
    /// Datagrams refused because they named a ring that is over.
    pub fenced: u64,
    /// Datagrams of rings this node is not in.
    pub foreign: u64,
    /// Datagrams that made no sense to this node, such as a token with a wrong number of rows.
    pub senseless: u64,
    /// Chunks sent again for others.
    pub repaired_for_others: u64,
    /// Chunks that came as a repair.
    pub repaired_for_me: u64,
    /// Tokens sent again.
    pub tokens_resent: u64,
    /// Members probed because their port was said to be closed.
    pub suspected: u64,
    /// Chunks too far ahead for the repair buffer.
    pub beyond_buffer: u64,
    /// Foreigners that were not probed because too many are.
    pub foreigners_ignored: u64,
    /// Addresses forgotten to make room for others.
    pub peers_forgotten: u64,
}
