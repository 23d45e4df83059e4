//! What a doctor has found out, before anything is concluded from it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use crate::host::hail::Way;
use crate::host::net::{Interface, Network};
use crate::wire::seal::key::KeyName;
use crate::words::{Incarnation, Member, NodeId};

/// Who wants to know, and about which node.
#[derive(Clone, Debug)]
pub struct Patient {
    /// The node's id, if it is known.
    pub id: Option<NodeId>,
    /// Its life under way, if it is known: not to be taken for another node of its id.
    pub life: Option<Incarnation>,
    /// The group.
    pub group: SocketAddrV4,
    /// The interface that was asked for, by name or address.
    pub interface: Option<String>,
    /// The keys it accepts, the one that seals first; empty: it has none.
    pub keys: Vec<KeyName>,
    /// The folder of its files.
    pub data_dir: PathBuf,
    /// Machines on which others should be.
    pub peers: Vec<Ipv4Addr>,
}

/// An interface with an IPv4 address.
#[derive(Clone, Debug)]
pub struct Place {
    /// Name and address.
    pub interface: Interface,
    /// What can be reached there.
    pub network: Network,
    /// It is switched on.
    pub is_up: bool,
    /// It has a carrier: a cable, an access point, the other end.
    pub is_running: bool,
    /// It takes multicasts at all. Tunnels often do not; loopback does without saying so.
    pub takes_multicast: bool,
    /// The longest payload that a node sends there.
    pub payload: usize,
}

/// What became of joining the group and of asking at a place.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Questions that left, or seemed to, by multicast.
    pub asked_group: u32,
    /// The same, by broadcast.
    pub asked_broadcast: u32,
    /// Own multicasts came back, as they do unless somebody drops them here.
    pub echo_group: bool,
    /// Own broadcasts came back.
    pub echo_broadcast: bool,
    /// A question to an own port, by unicast, left and did not arrive.
    pub deaf_unicast: bool,
    /// Questions that the machine was forbidden to send.
    pub forbidden: u32,
    /// Why others did not leave.
    pub unreachable: Option<String>,
    /// The group's port is taken by a program that does not share it.
    pub port_taken: bool,
    /// Why the group cannot be joined.
    pub not_joined: Option<String>,
}

/// Whether datagrams of one length pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// From here to there.
    pub out: bool,
    /// From there to here.
    pub back: bool,
}

/// Somebody who is there.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its own socket.
    pub at: SocketAddrV4,
    /// At which place it was met, by number.
    pub place: usize,
    /// It is on this machine.
    pub is_here: bool,
    /// Who it is, if it speaks this version.
    pub member: Option<Member>,
    /// The version of the protocol that it speaks.
    pub version: u8,
    /// The key it seals with; none: it seals with none. Unknown of other versions.
    pub key: Option<KeyName>,
    /// Multicasts of it that came here.
    pub heard: u32,
    /// Answers, by the way that the question took.
    pub answers: BTreeMap<Way, u32>,
    /// An answer came to a port from which nothing had been asked, as a token does.
    pub unasked: bool,
    /// How far its clock is ahead of this machine's.
    pub clock_ahead_ms: Option<i64>,
    /// The longest payload that it sends.
    pub payload: Option<usize>,
    /// Whether datagrams of these lengths pass.
    pub sizes: BTreeMap<usize, Passed>,
    /// It was asked all that there is to ask, so what is missing is missing.
    pub was_probed: bool,
}

impl Peer {
    /// How many questions that took this way it answered.
    pub fn answered(&self, way: Way) -> u32 {
        self.answers.get(&way).copied().unwrap_or(0)
    }

    /// Whether it answered anything.
    pub fn has_answered(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Whether it answered a unicast.
    pub fn by_unicast(&self) -> bool {
        self.answered(Way::Host) + self.answered(Way::Port) > 0
    }
}

/// What came of asking a machine that the user named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing at all.
    Silent,
    /// A node answered.
    Answered,
    /// The machine is there, and no node at that port.
    Closed,
    /// No machine has this address.
    NoMachine,
}

/// How the folder of the files is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// Something was written to it, synced and removed.
    Good {
        /// Bytes that are free.
        free: u64,
    },
    /// There is no room.
    Full {
        /// Bytes that are free.
        free: u64,
        /// What the machine said.
        error: String,
    },
    /// Nothing can be written.
    ReadOnly {
        /// What the machine said.
        error: String,
    },
    /// It cannot be used for another reason.
    Failed {
        /// What the machine said.
        error: String,
    },
}

/// All that was found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// About whom.
    pub patient: Patient,
    /// All interfaces with an IPv4 address.
    pub places: Vec<Place>,
    /// Interfaces without one, loopback left out.
    pub bare: Vec<String>,
    /// The one that the node would use, by number; or why there is none.
    pub chosen: Result<usize, String>,
    /// What became of asking, one for each place.
    pub asking: Vec<Asking>,
    /// Who was met.
    pub peers: Vec<Peer>,
    /// What the machines that the user named said.
    pub named: Vec<(Ipv4Addr, Word)>,
    /// The folder, and which.
    pub folder: (PathBuf, Folder),
    /// Why this seems to be inside of a container.
    pub container: Option<String>,
    /// Who has the group's port, if somebody has and can be named.
    pub port_owner: Option<String>,
    /// How long others were listened for, in milliseconds.
    pub listened_ms: u64,
}
