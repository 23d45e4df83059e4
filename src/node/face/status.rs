//! How things stand: what `/ring`, `/why` and `/trace` show.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::words::{Hop, Member, NodeId, RingId, Seq};

/// A member with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Who.
    pub member: Member,
    /// Its name, once known: the one it used last.
    pub name: String,
    /// Where.
    pub address: SocketAddrV4,
    /// Received without a gap up to here.
    pub received_up_to: Seq,
    /// Written, synced, up to here.
    pub held_up_to: Seq,
}

/// What the protocol is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseName {
    /// Finding out who is there.
    Gather,
    /// Agreeing on the new ring.
    Commit,
    /// Exchanging what some have of the old ring and others lack.
    Recover,
    /// The token goes round.
    Operational,
}

/// One answer to "what am I waiting for".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing: every own line is held by all.
    Nothing,
    /// The outbox is being synced.
    OwnDisk,
    /// The disk is full.
    DiskFull(String),
    /// Others are being looked for, or have not agreed yet. The members not heard from.
    Gathering(Vec<NodeId>),
    /// The token, held by or on its way to this member; how many hops away in ring order.
    Token {
        /// Who is believed to hold it.
        holder: NodeId,
        /// Hops until it is here in ring order.
        hops: u16,
    },
    /// Fewer than K members are in the ring.
    Quorum {
        /// How many are here.
        have: u16,
        /// How many are needed.
        need: u16,
    },
    /// Whether a line from an earlier life was ordered is being asked of these members.
    Asking(Vec<NodeId>),
    /// Own lines up to this number are ordered, and these members have not written them yet.
    Held {
        /// The number.
        seq: Seq,
        /// The members whose confirmation is missing.
        missing: Vec<NodeId>,
    },
}

/// Why somebody is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// It has another group key.
    OtherKey,
    /// It has a key, and this node has none.
    WithKey,
    /// It has none, and this node has one.
    WithoutKey,
}

/// Somebody who is there and not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Where.
    pub from: Ipv4Addr,
    /// Why.
    pub foreign: Foreign,
    /// Its datagrams a second, when they were counted last.
    pub per_second: u64,
    /// All of them.
    pub total: u64,
}

/// Counters of what arrived and was refused, and of what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By reason, in the order of their names.
    pub refused: Vec<(&'static str, u64)>,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams accepted.
    pub accepted: u64,
    /// Chunks sent again for others.
    pub repaired_for_others: u64,
    /// Chunks received again on request.
    pub repaired_for_me: u64,
    /// Tokens sent again.
    pub tokens_resent: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Who is there with another key, or without one.
    pub strangers: Vec<Stranger>,
    /// What was turned away because something was at its limit, by what it was (docs/LIMITS.md).
    pub limited: Vec<(&'static str, u64)>,
    /// What the host counts: sockets, streams, chaos, notices. The core leaves it empty.
    pub machine: Vec<(&'static str, u64)>,
}

/// All that `/ring` and `/why` show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who I am.
    pub me: Member,
    /// What the protocol is doing.
    pub phase: PhaseName,
    /// The installed ring.
    pub ring: Option<RingId>,
    /// Its members in ring order.
    pub members: Vec<MemberStatus>,
    /// The last hop seen.
    pub hop: Hop,
    /// Whether this node holds the token.
    pub holding: bool,
    /// The last known holder.
    pub holder: Option<NodeId>,
    /// The highest number assigned, as far as known.
    pub high: Seq,
    /// Everybody has written everything up to here.
    pub stable_up_to: Seq,
    /// The last rotation in microseconds.
    pub rotation_us: u64,
    /// The token timeout in force, in microseconds.
    pub token_timeout_us: u64,
    /// Lines not ordered yet.
    pub waiting_lines: usize,
    /// Messages in the replica.
    pub records: u64,
    /// What is waited for.
    pub why: Why,
    /// Counters.
    pub counters: Counters,
}

/// A step in the life of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The own user said it.
    Said,
    /// It is in the synced outbox.
    InOutbox,
    /// It was stamped, holding the token at this hop.
    Stamped(Hop),
    /// It was received whole.
    Received,
    /// It was delivered.
    Delivered,
    /// It is in the own replica, synced.
    Written,
    /// This member confirmed having written it.
    HeldBy(NodeId),
}
