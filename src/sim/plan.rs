//! The plan of a run: all that will happen to the nodes, decided from the seed before anything happens.
//!
//! A plan is a list of decisions, each with the time to wait before it. A [`Mask`] leaves some of them out, and
//! the rest stays as it is: that is how a failing run is made smaller. What the network and the disks do by the
//! microsecond is drawn while the run goes, from dice of their own.

mod draw;
mod mask;
mod words;

use crate::sim::disk::memory::Fault;
use crate::sim::world::Weather;
use crate::words::NodeId;

pub use mask::Mask;

/// The phase of a node's work that a crash waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Midst {
    /// It exchanges messages of the old ring with others on the way to a new one.
    Recovery,
    /// It asks a peer for what it lacks.
    CatchingUp,
    /// It takes part in a reconciliation.
    Reconciling,
}

/// Something that happens to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A user says some lines, the first of them repeated so often.
    Say {
        /// Where.
        node: NodeId,
        /// How many lines.
        lines: u32,
        /// How often the first line repeats its text: long lines are fragmented.
        long: usize,
    },
    /// A node is killed, and perhaps comes back by itself.
    Crash {
        /// Which.
        node: NodeId,
        /// After so many µs.
        back_us: Option<u64>,
        /// Whether its machine goes, too, so that nobody says that its port is closed.
        machine: bool,
    },
    /// A node is killed the next time it is in the midst of something, and comes back.
    CrashIn {
        /// Which.
        node: NodeId,
        /// In what.
        midst: Midst,
        /// It comes back after so many µs.
        back_us: u64,
    },
    /// A node is killed and its disk is lost.
    Wipe(NodeId),
    /// The power of all machines goes at once, and all come back after so many µs.
    Blackout(u64),
    /// Something breaks at a call to come of a node to its file system, that many calls from now.
    BreakDisk(NodeId, u64, Fault),
    /// A node's disk has room for so many bytes, for so many µs.
    FillDisk(NodeId, usize, u64),
    /// A node is killed, a bit rots on its disk, and it comes back after so many µs.
    Rot(NodeId, u64),
    /// A bit rots on a node's disk, under it if it lives.
    RotUnder(NodeId),
    /// A node that is down starts; one that never lived joins.
    Start(NodeId),
    /// A node is stopped in its tracks.
    Sleep(NodeId),
    /// All that sleep go on.
    Wake,
    /// Links between these and the others are cut.
    Partition(Vec<NodeId>),
    /// One direction of one link is cut.
    OneWay(NodeId, NodeId),
    /// Multicast does not reach a node.
    Deaf(NodeId),
    /// One direction of a link takes this long on average, µs.
    Clog(NodeId, NodeId, u64),
    /// All links work again.
    Mend,
    /// A node's clock jumps ahead by µs.
    Jump(NodeId, u64),
    /// A node's clock runs faster or slower by millionths.
    Drift(NodeId, i64),
    /// A node's wall clock is set by µs.
    Wall(NodeId, i64),
    /// Somebody tells the first, falsely, that the port of the second is closed.
    Forge(NodeId, NodeId),
    /// A user asks for a reconciliation.
    Reconcile(NodeId),
    /// The network changes.
    Weather(Weather),
    /// A node leaves politely.
    Leave(NodeId),
    /// Nothing: the decision was left out.
    Nothing,
}

/// One decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The time that passes before it, µs.
    pub wait_us: u64,
    /// What happens.
    pub deed: Deed,
}

/// The plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed it was drawn from, which also feeds the dice of the run.
    pub seed: u64,
    /// All nodes that live at some time.
    pub nodes: Vec<NodeId>,
    /// The network at the beginning.
    pub weather: Weather,
    /// The longest artificial delay, µs.
    pub delay_max_us: u64,
    /// The quorum, 0 for none.
    pub quorum: u16,
    /// What happens, in order.
    pub decisions: Vec<Decision>,
    /// Whether the disks have files, which break.
    pub files: bool,
    /// Whether all are reconciled once more when all is quiet.
    pub reconciled: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Plan {
        draw::plan(seed)
    }

    /// The plan of a seed without what the mask leaves out.
    pub fn masked(seed: u64, mask: &Mask) -> Plan {
        let mut plan = Plan::new(seed);
        mask.apply(&mut plan);
        plan
    }
}

impl Deed {
    /// The nodes it is about; none if it is about the network, or whoever is there.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Deed::Say { node, .. }
            | Deed::Crash { node, .. }
            | Deed::CrashIn { node, .. }
            | Deed::Wipe(node)
            | Deed::BreakDisk(node, ..)
            | Deed::FillDisk(node, ..)
            | Deed::Rot(node, _)
            | Deed::RotUnder(node)
            | Deed::Start(node)
            | Deed::Sleep(node)
            | Deed::Deaf(node)
            | Deed::Jump(node, _)
            | Deed::Drift(node, _)
            | Deed::Wall(node, _)
            | Deed::Reconcile(node)
            | Deed::Leave(node) => vec![*node],
            Deed::OneWay(from, to) | Deed::Clog(from, to, _) | Deed::Forge(from, to) => vec![*from, *to],
            Deed::Wake
            | Deed::Partition(_)
            | Deed::Mend
            | Deed::Blackout(_)
            | Deed::Weather(_)
            | Deed::Nothing => vec![],
        }
    }
}
