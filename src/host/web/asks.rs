//! What the page asks of the node, on its way to the user's side and back.
//!
//! A connection's thread hands an ask over and waits for its answer. When full: who asks waits, and is told so when its time
//! is over; the user's side never waits for anybody.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::answer::Denied;
use crate::wire;
use crate::words::{Epoch, NodeId, Position, RingId, Seq};

/// Asks that wait for the user's side.
const ASKS_MAX: usize = 64;
/// How long an answer may take. A rollback keeps them all waiting, for as long as it takes to open the files again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is answered: an object, or why not.
pub type Reply = Result<String, Denied>;

/// What the page wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who this node is.
    About,
    /// How things stand.
    Status,
    /// The life of a message.
    Trace {
        /// Its number.
        seq: Seq,
        /// Its ring, where the number alone is not clear.
        ring: Option<(Epoch, NodeId)>,
    },
    /// The messages of a number.
    Message {
        /// The number.
        seq: Seq,
        /// Its ring, where the number alone is not clear.
        ring: Option<(Epoch, NodeId)>,
    },
    /// Earlier messages.
    History(Wanted),
    /// Say something.
    Say(Say),
    /// Do something.
    Do(Deed),
}

/// Which earlier messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many, the newest.
    pub count: usize,
    /// Only those before this position.
    pub before: Option<Position>,
    /// Only those of this room.
    pub room: Option<String>,
    /// Only those that have all these words.
    pub words: Vec<String>,
}

/// A line of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// Where it is said.
    pub room: String,
    /// What.
    pub text: String,
    /// By this a second try is known.
    pub key: String,
}

/// What the page can have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Write a checkpoint.
    Checkpoint,
    /// Go back to one; to the newest good one if none is named.
    Rollback(Option<u64>),
    /// Make the replicas equal.
    Reconcile,
    /// Ask for the token and keep it for a while, in microseconds.
    Token(Option<u64>),
    /// Use this name.
    Name(String),
    /// Ask a member to do something to itself, for a lesson.
    Lab(NodeId, wire::Deed),
    /// Leave.
    Quit,
}

/// An ask and where its answer goes.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is wanted.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: Replier,
}

/// Where an answer goes. If it is dropped, whoever asked is told that there is none.
#[derive(Clone, Debug)]
pub struct Replier(Sender<Reply>);

impl Replier {
    /// Answers. Only the first answer counts, and nobody may be waiting any more.
    pub fn reply(&self, reply: Reply) {
        self.0.try_send(reply).unwrap_or_default();
    }
}

/// The connections' end.
#[derive(Clone, Debug)]
pub struct Asks(Sender<Asked>);

impl Asks {
    /// Makes the channel.
    pub fn open() -> (Asks, Receiver<Asked>) {
        let (sender, receiver) = bounded(ASKS_MAX);
        (Asks(sender), receiver)
    }

    /// Asks, and waits for the answer.
    pub fn ask(&self, ask: Ask) -> Reply {
        let (sender, answer) = bounded(1);
        let reply = Replier(sender);
        let ended = || Denied::new(503, "this node is leaving");
        match self.0.send_timeout(Asked { ask, reply }, PATIENCE) {
            Ok(()) => {}
            Err(error) if error.is_timeout() => return Err(late()),
            Err(_) => return Err(ended()),
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(reply) => reply,
            Err(error) if error.is_timeout() => Err(late()),
            Err(_) => Err(ended()),
        }
    }
}

fn late() -> Denied {
    let seconds = PATIENCE.as_secs();
    Denied::new(
        504,
        format!("the node did not answer within {seconds} s; try again"),
    )
}

/// Reads a position: a ring as in a replica file, a comma, a number.
pub fn position(text: &str) -> Option<Position> {
    let (ring, seq) = text.split_once(',')?;
    let ring: RingId = ring.parse().ok()?;
    Some(Position {
        ring,
        seq: Seq(seq.parse().ok()?),
    })
}

/// Reads a ring's short name: its epoch and its leader, with or without the leader's life.
pub fn short_ring(text: &str) -> Option<(Epoch, NodeId)> {
    let mut parts = text.split('.');
    let epoch = parts.next()?.parse().ok()?;
    let leader = parts.next()?.parse().ok()?;
    Some((Epoch(epoch), NodeId(leader)))
}
