//! Leaving: what is still to be said is said, everything is written, the others are told, a checkpoint is made.

use super::Node;
use super::outbox::LineState;
use crate::words::Time;

/// How long the polite part may take, in microseconds: well within the two seconds a user waits.
const POLITE_US: u64 = 1_000_000;

/// How far leaving is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaving {
    /// Until then, lines are ordered and received by all.
    Polite(Time),
    /// The others are told; what was delivered is being written.
    Writing,
    /// The last checkpoint is under way.
    Checkpointing,
}

impl Leaving {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Leaving::Polite(until) => Some(*until),
            Leaving::Writing | Leaving::Checkpointing => None,
        }
    }
}

impl Node {
    pub(super) fn start_leaving(&mut self, now: Time) {
        if self.leaving.is_none() {
            self.leaving = Some(Leaving::Polite(now.after_us(POLITE_US)));
            self.end_delays(now);
            self.ring.leave(now);
        }
    }

    /// Goes on with leaving as far as it can.
    pub(super) fn tick_leaving(&mut self, now: Time) {
        if let Some(Leaving::Polite(until)) = self.leaving {
            let syncing = self.outbox.values().any(|line| line.state == LineState::Syncing);
            let done = !syncing && self.ring.is_operational() && self.ring.may_leave();
            if done || now >= until {
                self.ring.say_goodbye();
                self.leaving = Some(Leaving::Writing);
            }
        }
        if let Some(Leaving::Writing) = self.leaving {
            self.relay(now);
            self.end_delays(now);
            self.write_due(now);
            if self.unheld.is_empty() || self.disk_full.is_some() {
                self.leaving = Some(Leaving::Checkpointing);
                self.checkpoint(true);
            }
        }
    }

    /// Whether this node has said goodbye: it takes no part any more.
    pub fn has_left(&self) -> bool {
        matches!(self.leaving, Some(Leaving::Writing | Leaving::Checkpointing))
    }
}
