//! The face of the core: everything that can happen to a node, and everything a node can ask of its host.
//!
//! Contract. The host carries out the actions of one call in the order given. A `Store` action is durable only
//! once the host has answered [`Event::Stored`] with its ticket; tickets are answered in order, and one answer
//! covers all earlier tickets. What must be durable before it is said is held back by the core itself, so a
//! host may send datagrams at once. Nothing that arrives from a peer can make the core fail; an assertion that
//! fires is a bug of the core.
//!
//! Here are events and actions; what the user is told, how things stand, and what a life begins with are beside it.

mod beginning;
mod notice;
mod status;

use std::net::SocketAddrV4;

use bytes::Bytes;

use crate::replica::{Digest, PositionSet, Record};
use crate::wire::seal::key::Keys;
use crate::wire::{Deed, LabState};
use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};

pub use crate::ring::{Detail, Evidence, MemberSeen, TokenSeen};
pub use beginning::{Config, RecoverLevel, Restart};
pub use notice::{Gone, Notice};
pub use status::{Counters, Foreign, MemberStatus, PhaseName, Status, Step, Stranger, Why};

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
    Stored(Ticket, Stored),
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
    /// The replica was found damaged while the node lives, and was repaired. It comes behind the answers to all that was
    /// stored before.
    Mended {
        /// What is there no more.
        lost: PositionSet,
        /// The digest of what is in the state and there.
        digest: Digest,
        /// What the user should know.
        warnings: Vec<String>,
    },
    /// Something happened on a stream to or from a peer.
    Stream(StreamId, StreamEvent),
    /// The user, or a program, wants something.
    Command(Command),
}

/// What the disk found out while it made things durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Ids of which the file held another position already; the lower one is kept.
    pub moved: Vec<Moved>,
    /// The hashes of the lines of all records in these operations, in their order, those that the file had included:
    /// the disk makes the lines, and so the core need not.
    pub hashes: Vec<u64>,
    /// The numbers of the checkpoints written by these operations, in their order.
    pub checkpoints: Vec<u64>,
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
        /// A mark that stays in the message for good; see [`crate::replica::content::Content::key`].
        key: Option<String>,
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
    /// Ask a member to do this to itself, for a lesson.
    Lab {
        /// Who.
        on: NodeId,
        /// What.
        deed: Deed,
    },
    /// What the host makes of a deed that [`Notice::Lab`] told as asked for: everybody is told.
    LabTold {
        /// Who asked for it.
        by: NodeId,
        /// How far it is.
        state: LabState,
        /// What it is.
        deed: Deed,
    },
    /// Somebody watches closely from now on, or nobody does any more.
    Watch(Watch),
    /// The process is about to be stopped for a while: hand the token on, if it rests here.
    Suspend,
    /// Pass the token, leave the ring, write everything and exit.
    Leave,
}

/// How closely a node is watched. What is told in detail is [`Notice::Detail`], [`Notice::Stamped`],
/// [`Notice::Written`] and [`Notice::Standing`]; a node that is not watched makes none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Not at all.
    #[default]
    Off,
    /// All that the protocol does is told.
    Details,
    /// And once a second how things stand.
    DetailsAndStatus,
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
