//! What the user is told as it happens.

use bytes::Bytes;

use super::{Detail, Evidence, Moved, Status, Step, Stranger};
use crate::replica::Record;
use crate::wire::Lab;
use crate::words::{Hop, Member, MessageId, NodeId, Position, RingId, Seq, Time};

/// How a member left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It said so.
    Goodbye,
    /// It was not heard any more.
    Silent,
}

/// What the user is told. Programs see the same as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The own line is in the synced outbox under this id: from now on it is not lost.
    Pending {
        /// The line's id.
        id: MessageId,
        /// The caller's mark; `None` for a line of an earlier life.
        tag: Option<u64>,
        /// Its content.
        content: Bytes,
    },
    /// A line was refused, with the reason; nothing was kept of it.
    Refused {
        /// The caller's mark.
        tag: u64,
        /// Why.
        reason: String,
    },
    /// A message was delivered.
    Message {
        /// The message.
        record: Record,
        /// It came late and was inserted at its place.
        late: bool,
        /// It is an own one (of any life).
        own: bool,
    },
    /// An own message is held by k of the n members of its ring.
    Held {
        /// The message.
        id: MessageId,
        /// Where it stands.
        position: Position,
        /// How many have it in their replicas, synced.
        k: u16,
        /// The size of its ring.
        n: u16,
    },
    /// A message has two positions; the lower one is kept.
    Moved(Moved),
    /// This node asked for the token of this ring.
    Request(RingId),
    /// This node received the token, with this hop.
    Grant(RingId, Hop),
    /// This node handed the token on, with this hop, to that node.
    Pass(RingId, Hop, NodeId),
    /// What the token does in detail; only for who watches.
    Detail(Detail),
    /// The ring is over, and why.
    Gathering(Evidence),
    /// A new ring is installed.
    Ring {
        /// Its name.
        ring: RingId,
        /// Its members in ring order.
        members: Vec<Member>,
        /// What they call themselves, in the same order; empty where that is not known.
        names: Vec<String>,
        /// Who is new since the last ring.
        joined: Vec<NodeId>,
        /// Who is gone.
        left: Vec<NodeId>,
        /// How each of them left, in the same order.
        left_how: Vec<Gone>,
        /// Which rings its members come from; those that come from none are together.
        came_from: Vec<(Option<RingId>, Vec<NodeId>)>,
        /// Its first number.
        first: Seq,
    },
    /// Something under a ring that is over was refused.
    Fenced {
        /// The sender.
        from: NodeId,
        /// The ring it named.
        ring: RingId,
    },
    /// This node noticed that it had been suspended, and does not use the token it held.
    Woke {
        /// For how long, in microseconds.
        away_us: u64,
    },
    /// Catching up with a peer.
    CatchingUp {
        /// The peer.
        peer: NodeId,
        /// Messages received so far.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// Caught up with a peer: this many messages came from it.
    CaughtUp {
        /// The peer.
        peer: NodeId,
        /// How many.
        received: u64,
    },
    /// Two contents under one id. The one already held stays.
    Conflict {
        /// The id.
        id: MessageId,
        /// Where.
        position: Position,
    },
    /// A line of an earlier life was found in the order after all.
    FoundOrdered {
        /// The line.
        id: MessageId,
    },
    /// A line that was not ordered is offered again under its old id.
    OfferedAgain {
        /// The line.
        id: MessageId,
    },
    /// This node gave an own message its number; only for who watches.
    Stamped {
        /// The message.
        id: MessageId,
        /// Where it stands.
        position: Position,
        /// The hop of the token that was here then.
        hop: Hop,
    },
    /// A message is in this node's replica, synced; only for who watches.
    Written {
        /// The message.
        id: MessageId,
        /// Where it stands.
        position: Position,
    },
    /// A checkpoint is durable.
    Checkpointed {
        /// Its number, if the host numbers them.
        number: Option<u64>,
        /// How many messages it holds.
        records: u64,
        /// The position delivered last.
        delivered: Option<Position>,
    },
    /// A reconciliation began or ended here.
    Reconciled {
        /// Messages at or below the cut, all in canonical order now.
        records: u64,
    },
    /// The disk is full: nothing new is sent until there is room.
    DiskFull(String),
    /// There is room again.
    DiskRoom,
    /// The answer to [`Command::Status`](super::Command::Status).
    Status(Box<Status>),
    /// How things stand, told once a second to who watches.
    Standing(Box<Status>),
    /// The answer to [`Command::Trace`](super::Command::Trace): each step with its time, as far as known.
    Trace {
        /// The message, if it is known.
        position: Option<Position>,
        /// What happened to it.
        steps: Vec<(Time, Step)>,
    },
    /// The group keys were exchanged: the names of those that are accepted, that used for sending first.
    Rekeyed(Vec<String>),
    /// Somebody is there with another key, or without one; told at most once a minute for each.
    Stranger(Stranger),
    /// A lesson: a deed is asked for, begins, ends or is not done, here or at another member.
    Lab(Box<Lab>),
    /// This may need the user's attention: a fact in words.
    Warning(String),
}
