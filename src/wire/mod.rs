//! The wire format: what travels in datagrams and on streams between nodes.
//!
//! Every datagram is a fixed clear header and one body. All numbers are little-endian. The header, 24 bytes:
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 2 | `ro` |
//! | 2 | 1 | version, 1 |
//! | 3 | 1 | kind, see [`Body`] |
//! | 4 | 4 | group: tells groups that share an address apart |
//! | 8 | 2 | sender's id |
//! | 10 | 8 | sender's incarnation |
//! | 18 | 1 | length of the authentication tag at the end of the datagram; 0: none |
//! | 19 | 1 | 0, reserved |
//! | 20 | 4 | CRC-32 of the datagram with this field as 0 |
//!
//! With a group key the header is longer and what follows it is encrypted, see [`seal`].
//!
//! A field that is out of its range, a length that does not fit and bytes after the end refuse the datagram
//! whole; the refusal is counted by its reason.

mod bodies;
pub mod codec;
mod datagram;
mod lab;
mod reconciling;
pub mod seal;

use std::fmt;

use bytes::Bytes;

use crate::words::{Epoch, Hop, Incarnation, Member, MessageId, RingId, Seq};

pub use datagram::{HEADER_BYTES, decode, encode};
pub use lab::{CUT_MAX, Deed, LINE_BYTES_MAX, Lab, LabState};
pub use reconciling::{Progress, Reconcile, ReconcileStep, Reconciled};

/// The version of the wire format.
pub const VERSION: u8 = 1;
/// The most members a ring can have: what a token of one UDP datagram carries.
pub const MEMBERS_MAX: usize = 512;
/// The most ranges in one list of sequence numbers.
pub const RANGES_MAX: usize = 256;
/// The most message ids in one inquiry.
pub const INQUIRY_MAX: usize = 48;
/// The most fragments of one message.
pub const FRAGMENTS_MAX: usize = 1024;

/// A message, or a fragment of a long one, under its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the ring.
    pub seq: Seq,
    /// The message it belongs to.
    pub id: MessageId,
    /// Which fragment this is, from 0.
    pub fragment: u16,
    /// How many fragments the message has.
    pub fragments: u16,
    /// The content, or the fragment's part of it.
    pub bytes: Bytes,
}

/// What a datagram says. The number in brackets is its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// (1) New messages, by multicast, from the token's holder.
    Data(Data),
    /// (2) Chunks sent again, to who asked, or to the group where several did.
    Repair(Repair),
    /// (3) The token, to the next holder only.
    Token(Token),
    /// (4) The sender has something to say, by multicast: the holder lets it wait no longer.
    Request(Request),
    /// (5) Gathering: whom the sender hears, and whom it holds failed, by multicast.
    Join(Join),
    /// (6) The commit token, to the next member of the proposed ring only.
    Commit(Commit),
    /// (7) From a ring's leader, by multicast, about once a second: this ring exists.
    Beacon {
        /// The ring.
        ring: RingId,
    },
    /// (8) By multicast: does this member hear me? Only who answers can start a merge.
    Probe {
        /// Who is asked.
        target: Member,
        /// To be echoed.
        nonce: u64,
    },
    /// (9) To who probed.
    ProbeAnswer {
        /// The probe's nonce.
        nonce: u64,
    },
    /// (10) The sender lacks these chunks of this ring, to one member that should have them.
    Nack {
        /// The ring, installed or just ended.
        ring: RingId,
        /// First to last number, inclusive.
        ranges: Vec<(Seq, Seq)>,
    },
    /// (11) By multicast: the sender leaves this ring now.
    Leave {
        /// The ring.
        ring: RingId,
    },
    /// (12) To a sender that cannot take part, with the reason.
    Refuse(Refuse),
    /// (13) To each member of the ring: which of these, of an earlier life of mine, do you know?
    Inquiry {
        /// To be echoed.
        nonce: u64,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// (14) To who inquired: those of them that the sender has received or written.
    InquiryAnswer {
        /// The inquiry's nonce.
        nonce: u64,
        /// What is known.
        known: Vec<MessageId>,
    },
    /// (15) By multicast, from a node whose user wants it or from a reconciler: take this step of a
    /// reconciliation, and answer.
    Reconcile(Reconcile),
    /// (16) To who asked for a reconciliation: how far the sender is, at once and when a step is done.
    Reconciled(Reconciled),
    /// (17) A lesson (`--lab`): a wish to the member it is for, or news of it, by multicast.
    Lab(Lab),
}

/// New messages of one visit of the token, or a part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The ring that stamped them.
    pub ring: RingId,
    /// The hop at which the sender holds the token.
    pub hop: Hop,
    /// The chunks, numbered without a gap.
    pub chunks: Vec<Chunk>,
}

/// Chunks sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The ring that stamped them: installed, or just ended and being recovered.
    pub ring: RingId,
    /// The chunks, in rising order.
    pub chunks: Vec<Chunk>,
}

/// How fast the token goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once: somebody waits or lacks something.
    Fast,
    /// With short rests: all is received, not all is written.
    Settling,
    /// With long rests: nothing is left to do.
    Idle,
}

/// The right to send, and what the members tell each other by way of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The ring it belongs to.
    pub ring: RingId,
    /// Rises with every pass: a token that is not newer is a copy.
    pub hop: Hop,
    /// The highest number assigned.
    pub high: Seq,
    /// How fast it goes; receivers derive from it when they may expect it back.
    pub pace: Pace,
    /// One row a member, in ring order; each member raises only its own.
    pub rows: Vec<TokenRow>,
    /// Chunks that members lack: the member's index, first and last number.
    pub lacking: Vec<(u16, Seq, Seq)>,
}

/// What a member says of itself on the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// Received without a gap up to here.
    pub received_up_to: Seq,
    /// Written and synced up to here.
    pub held_up_to: Seq,
    /// Datagrams of new messages it sent in its last visit: the flow-control count.
    pub sent: u16,
    /// It has all it can get of the old ring. Nothing is stamped before all have.
    pub recovered: bool,
    /// It waits for the token since the holder of this hop learned of it; 0: it does not wait.
    pub waiting_since: Hop,
    /// The hop of its last visit: a request made before that is answered.
    pub visited: Hop,
}

/// A wish for the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The ring.
    pub ring: RingId,
    /// The newest hop the sender has seen: an older one is a late copy.
    pub hop: Hop,
}

/// A view of who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The largest epoch the sender has seen.
    pub epoch: Epoch,
    /// The ring it has installed, if any.
    pub ring: Option<RingId>,
    /// Where it accepts streams.
    pub stream_port: u16,
    /// How many must hold a message before it is delivered; 0: no quorum. All must agree.
    pub quorum: u16,
    /// Its user's name.
    pub name: String,
    /// Whom it would have in the new ring, in rising order.
    pub present: Vec<Member>,
    /// Whom it holds failed, in rising order.
    pub failed: Vec<Member>,
}

/// The commit token: goes round the proposed ring twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The proposed ring.
    pub ring: RingId,
    /// 1 is the leader's first pass; the second round begins after as many hops as there are members.
    pub hop: Hop,
    /// One row a member, in ring order.
    pub rows: Vec<CommitRow>,
}

/// A member of a proposed ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRow {
    /// Who.
    pub member: Member,
    /// What it has of its old ring; filled in on the first round.
    pub old: Option<OldRing>,
}

/// What a member has of the ring it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRing {
    /// The ring installed last; none for a new node. With a quorum: the ring that its log is of.
    pub ring: Option<RingId>,
    /// With a quorum: the ring of the lineage it entered last. The new ring adopts the log of the newest one.
    pub entered: Option<RingId>,
    /// The highest number it has seen assigned anywhere.
    pub high: Seq,
    /// The first number it may still have; those below were with everybody, and are forgotten.
    pub kept_from: Seq,
    /// Received without a gap up to here.
    pub received_up_to: Seq,
    /// What it has above that.
    pub above: Vec<(Seq, Seq)>,
    /// Everything up to here was delivered here.
    pub delivered_up_to: Seq,
}

/// Why somebody cannot take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refuse {
    /// The id is in use by a live incarnation: the sender of this.
    IdTaken {
        /// Its user's name.
        name: String,
    },
    /// Another incarnation of the id took its place in the ring.
    Superseded {
        /// The one that did.
        by: Member,
    },
    /// An incarnation of the id at least this large was seen.
    IncarnationSeen {
        /// The largest.
        incarnation: Incarnation,
    },
    /// The group asks for another quorum.
    QuorumDiffers {
        /// What it asks for.
        quorum: u16,
    },
}

/// Why a datagram or frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It ends too early.
    Truncated,
    /// It is longer than any roda datagram.
    Oversized,
    /// It is no roda datagram.
    NotRoda,
    /// It has another version of the format.
    ForeignVersion(u8),
    /// It belongs to another group on the same address.
    ForeignGroup,
    /// Its checksum is wrong.
    WrongChecksum,
    /// Its kind is unknown.
    UnknownKind,
    /// It is sealed, and there is no key here.
    Sealed,
    /// It is not sealed, and there is a key here.
    NoKey,
    /// It is sealed with a key that is not accepted here.
    OtherKey,
    /// Its tag does not verify: it is forged, damaged, or meant for somebody else.
    Forged,
    /// It was received before, or is too old to tell.
    Replayed,
    /// It is authentic, and not yet known to be fresh.
    NotFresh,
    /// It is a commit token for other starts of its members than those known here.
    OtherNonces,
    /// A sealed stream closed without its end.
    CutOff,
    /// A field is out of its range.
    BadField(&'static str),
    /// It says something after its last field.
    TrailingBytes,
}

impl Refused {
    /// The reason as it is counted and shown.
    pub fn reason(self) -> &'static str {
        match self {
            Refused::Truncated => "truncated",
            Refused::Oversized => "oversized",
            Refused::NotRoda => "not roda",
            Refused::ForeignVersion(_) => "foreign version",
            Refused::ForeignGroup => "foreign group",
            Refused::WrongChecksum => "wrong checksum",
            Refused::UnknownKind => "unknown kind",
            Refused::Sealed => "sealed with a key",
            Refused::NoKey => "without a key",
            Refused::OtherKey => "sealed with another key",
            Refused::Forged => "forged",
            Refused::Replayed => "replayed",
            Refused::NotFresh => "not fresh yet",
            Refused::OtherNonces => "of other starts",
            Refused::CutOff => "stream cut off",
            Refused::BadField(_) => "field out of range",
            Refused::TrailingBytes => "bytes after the end",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::ForeignVersion(version) => write!(f, "version {version}, not {VERSION}"),
            Refused::BadField(field) => write!(f, "{field} out of range"),
            Refused::Truncated
            | Refused::Oversized
            | Refused::NotRoda
            | Refused::ForeignGroup
            | Refused::WrongChecksum
            | Refused::UnknownKind
            | Refused::Sealed
            | Refused::NoKey
            | Refused::OtherKey
            | Refused::Forged
            | Refused::Replayed
            | Refused::NotFresh
            | Refused::OtherNonces
            | Refused::CutOff
            | Refused::TrailingBytes => write!(f, "{}", self.reason()),
        }
    }
}

impl std::error::Error for Refused {}
