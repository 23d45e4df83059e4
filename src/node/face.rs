//! The face of the core: everything that can happen to a node, and everything a node can ask of its host.
//!
//! Contract. The host carries out the actions of one call in the order given. A `Store` action is durable only
//! once the host has answered [`Event::Stored`] with its ticket; tickets are answered in order, and one answer
//! covers all earlier tickets. What must be durable before it is said is held back by the core itself, so a
//! host may send datagrams at once. Nothing that arrives from a peer can make the core fail; an assertion that
//! fires is a bug of the core.

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;

use crate::replica::{IdSet, PositionSet, Record};
use crate::wire::seal::key::Keys;
use crate::wire::seal::sessions::SealSettings;
use crate::words::{
    Epoch, Hop, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, Time, WallTime,
};

/// Names a `Store` action; rises by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Names a `Load` action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadId(pub u64);

/// Names a byte stream between two nodes. The side that opens it picks an even number, the host picks odd
/// numbers for those it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Event {
    /// A datagram arrived, by multicast or to this node's own port.
    Datagram {
        /// Who sent it, as the network says.
        from: SocketAddrV4,
        /// Whether it came through the group.
        multicast: bool,
        /// What it carries.
        bytes: Bytes,
    },
    /// The network says that nobody listens at this address, to which this node sent something. It may be wrong or
    /// forged.
    PortClosed {
        /// The address.
        at: SocketAddrV4,
    },
    /// The deadline has passed.
    Timer,
    /// This ticket's operation and all earlier ones are durable.
    Stored {
        /// The ticket of the last operation that is durable.
        ticket: Ticket,
        /// Ids of which the file held another position already; the lower one is kept.
        moved: Vec<Moved>,
    },
    /// An append failed without harm (a full disk): nothing of this ticket was kept. The host tries again by
    /// itself and answers `Stored` when it works.
    DiskFull {
        /// What the machine said.
        reason: String,
    },
    /// Records asked for by a `Load` action, in canonical order.
    Loaded {
        /// The load that is answered.
        load: LoadId,
        /// What was found, at most as many bytes as asked for (but at least one record if there is one).
        records: Vec<Record>,
    },
    /// Something happened on a stream to or from a peer.
    Stream(StreamId, StreamEvent),
    /// The user, or a program, wants something.
    Command(Command),
}

/// What happens on a stream.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// A peer opened it.
    Accepted {
        /// The peer's address.
        from: SocketAddrV4,
    },
    /// It is open, after a `Connect`.
    Connected,
    /// A whole frame arrived.
    Frame(Bytes),
    /// It is closed, by whom or whatever.
    Closed,
}

/// A message that two positions were found of; the lower one is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The message.
    pub id: MessageId,
    /// The higher position, given up.
    pub from: Position,
    /// The lower position, kept.
    pub to: Position,
}

/// What a user asks of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say a line in a room. `tag` comes back in [`Notice::Pending`], so that a program can follow its line.
    Say {
        /// The room, by name.
        room: String,
        /// The text, at most [`crate::replica::content::TEXT_BYTES_MAX`] bytes.
        text: String,
        /// The caller's own mark.
        tag: u64,
        /// The wall clock when it was said.
        sent: WallTime,
    },
    /// Use this name from now on.
    Name(String),
    /// Ask for the token although there is nothing to say, and keep it for this long.
    HoldToken {
        /// How long, in microseconds; at most half a token timeout is granted.
        hold_us: u64,
    },
    /// Report the ring, as [`Notice::Status`].
    Status,
    /// Report what is known of the life of a message, as [`Notice::Trace`].
    Trace {
        /// Its number.
        seq: Seq,
        /// Its ring's epoch and leader, where the number alone is not clear.
        ring: Option<(Epoch, NodeId)>,
    },
    /// Write a checkpoint now.
    Checkpoint,
    /// Take part in a reconciliation up to a common cut, and make all reachable nodes do so.
    Reconcile,
    /// Seal with the first of these group keys from now on, and accept all of them.
    Rekey(Keys),
    /// The process is about to be stopped for a while: hand the token on, if it rests here.
    Suspend,
    /// Pass the token, leave the ring, write everything and exit.
    Leave,
}

/// What a node asks of its host.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send to the group.
    Multicast(Bytes),
    /// Send to one address.
    Unicast(SocketAddrV4, Bytes),
    /// Make something durable.
    Store(Ticket, Store),
    /// Read records of the own replica.
    Load(LoadId, Load),
    /// Do something with a stream.
    Stream(StreamId, StreamAction),
    /// Tell the user.
    Notice(Notice),
    /// The node is done. Nothing follows.
    Exit(Exit),
}

/// What is to be made durable.
#[derive(Clone, Debug)]
pub enum Store {
    /// Replace `identity.json`: never rolled back.
    Identity {
        /// This life.
        incarnation: Incarnation,
        /// The largest epoch seen, proposed or agreed to.
        epoch: Epoch,
    },
    /// Append a line to the outbox.
    Outbox {
        /// The message's id.
        id: MessageId,
        /// Its content.
        content: Bytes,
    },
    /// These are in the replica, durably; the outbox may forget them.
    OutboxForget(Vec<MessageId>),
    /// Append records to the replica. Where the file has the id already, the lower position wins.
    Append(Vec<Record>),
    /// Write a checkpoint. The host adds number, time, generation, length and digest.
    Checkpoint(Box<CheckpointState>),
    /// Rewrite the replica in canonical order, raising its generation: all records up to the cut sorted, then
    /// the others as they come.
    Rewrite {
        /// The cut: records at or below it are sorted.
        cut: Position,
    },
    /// Append chunks that were received but not delivered (only with `--quorum`).
    Accept(Vec<Accepted>),
    /// Forget accepted chunks of rings below this one, and of it up to this number (only with `--quorum`).
    AcceptForget(Position),
}

/// A stamped chunk on disk before it is delivered (only with `--quorum`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its ring and number.
    pub position: Position,
    /// The chunk as it travels.
    pub chunk: crate::wire::Chunk,
}

/// What the core knows that belongs in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointState {
    /// The ring at that moment.
    pub ring: Option<RingId>,
    /// The position delivered last.
    pub delivered: Option<Position>,
    /// What was written, by position.
    pub written: PositionSet,
    /// The user's name.
    pub name: String,
    /// The rooms seen.
    pub rooms: Vec<String>,
    /// Whether it is written on leaving.
    pub leaving: bool,
}

/// Which records to read.
#[derive(Clone, Debug)]
pub struct Load {
    /// These positions.
    pub wanted: PositionSet,
    /// Stop after about this many bytes of content.
    pub bytes_max: usize,
}

/// What to do with a stream.
#[derive(Clone, Debug)]
pub enum StreamAction {
    /// Open it.
    Connect(SocketAddrV4),
    /// Send a frame.
    Send(Bytes),
    /// Close it.
    Close,
}

/// Why a node ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It left as asked.
    Left,
    /// Its id is in use on the network.
    IdTaken {
        /// Who has it.
        by: Member,
        /// Where.
        at: SocketAddrV4,
        /// Under which name.
        name: String,
    },
    /// The group asks for another `--quorum`.
    QuorumDiffers {
        /// What the group asks for.
        theirs: u16,
    },
    /// Multicast does not reach this node, though unicast does.
    MulticastFiltered,
    /// Another incarnation of this id took its place while it was away.
    Superseded {
        /// The incarnation that did.
        by: Member,
    },
}

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
    /// This node asked for the token.
    Request,
    /// This node received the token.
    Grant(Hop),
    /// This node handed the token on.
    Pass(Hop, NodeId),
    /// The ring is over; the reason in words, such as "no word from 2 for 310 ms, limit 300".
    Gathering(String),
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
    /// A checkpoint is durable.
    Checkpointed,
    /// A reconciliation began or ended here.
    Reconciled {
        /// Messages at or below the cut, all in canonical order now.
        records: u64,
    },
    /// The disk is full: nothing new is sent until there is room.
    DiskFull(String),
    /// There is room again.
    DiskRoom,
    /// The answer to [`Command::Status`].
    Status(Box<Status>),
    /// The answer to [`Command::Trace`]: each step with its time, as far as known.
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
    /// This may need the user's attention: a fact in words.
    Warning(String),
}

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
