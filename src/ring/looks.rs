//! What can be seen of a ring from outside: by the node above it, by the checker, by people.

use super::timing::Timing;
use super::{Deadlines, Peer, Phase, Ring, RingCounters, RingState};
use crate::words::{Epoch, Member, MessageId, NodeId, Seq, Time};

impl Ring {
    /// When [`Ring::tick`] is due.
    pub fn deadline(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// All deadlines, for a checker.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// This life of this node.
    pub fn me(&self) -> Member {
        self.settings.me
    }

    /// The ring installed last.
    pub fn installed(&self) -> Option<&RingState> {
        self.installed.as_ref()
    }

    /// The ring that is being recovered into, if any.
    pub fn forming(&self) -> Option<&RingState> {
        match &self.phase {
            Phase::Recover(recovering) => Some(&recovering.state),
            Phase::Gather(_) | Phase::Commit(_) | Phase::Operational => None,
        }
    }

    /// Whether the installed ring is in operation.
    pub fn is_operational(&self) -> bool {
        matches!(self.phase, Phase::Operational)
    }

    /// The phase by name.
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Gather(_) => "gather",
            Phase::Commit(_) => "commit",
            Phase::Recover(_) => "recover",
            Phase::Operational => "operational",
        }
    }

    /// The intervals in force.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The counters.
    pub fn counters(&self) -> &RingCounters {
        &self.counters
    }

    /// What is known of a peer.
    pub fn peer(&self, member: Member) -> Option<&Peer> {
        self.peers.get(&member)
    }

    /// The largest epoch seen.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The highest number seen assigned.
    pub fn high(&self) -> Seq {
        self.high
    }

    /// How many messages wait to be stamped.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether a message was received and not delivered yet.
    pub fn buffers(&self, id: MessageId) -> bool {
        let rings = [&self.installed, &self.lineage.rest, &self.lineage.log];
        rings.into_iter().flatten().any(|state| {
            let mut undelivered = state.delivered_up_to.next().0..=state.buffer.highest().0;
            undelivered.any(|seq| state.buffer.get(Seq(seq)).is_some_and(|chunk| chunk.id == id))
        })
    }

    /// A message has its place already: it is not stamped again.
    pub fn withdraw(&mut self, id: MessageId) {
        self.queue.withdraw(id);
    }

    /// Whether a message waits to be stamped.
    pub fn is_queued(&self, id: MessageId) -> bool {
        self.queue.contains(id)
    }

    /// While gathering: the ids that have not been heard or do not agree.
    pub fn not_agreed(&self) -> Vec<NodeId> {
        match &self.phase {
            Phase::Gather(gather) => gather.not_agreed(self.settings.me).iter().map(|m| m.id).collect(),
            Phase::Commit(_) | Phase::Recover(_) | Phase::Operational => Vec::new(),
        }
    }
}
