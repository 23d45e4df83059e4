//! Fairness: known waiters are served in ring order before the holder speaks again, and who waits goes on asking.

use std::collections::BTreeMap;

use super::check::Broken;
use crate::node::Node;
use crate::ring::RingState;
use crate::words::{Hop, Member, RingId};

/// When a member spoke last in its ring, and who was known to wait then.
#[derive(Clone, Debug)]
struct Spoke {
    ring: RingId,
    hop: Hop,
    waiters: Vec<Member>,
}

/// What was seen of who spoke while others waited.
#[derive(Clone, Debug, Default)]
pub(super) struct Fairness {
    spoke: BTreeMap<Member, Spoke>,
    /// The hop of the last pass looked at.
    passed: BTreeMap<Member, (RingId, Hop)>,
}

/// The others that wait for the token, as far as this member knows.
fn waiters(state: &RingState) -> Vec<Member> {
    let others = (0..state.rows.len()).filter(|at| *at != state.me);
    others
        .filter(|at| state.rows[*at].waiting_since > Hop(0))
        .map(|at| state.members[at])
        .collect()
}

impl Fairness {
    /// A life is over.
    pub(super) fn gone(&mut self, member: Member) {
        self.spoke.remove(&member);
        self.passed.remove(&member);
    }

    /// A step of a node, whether it stamped messages in its installed ring at this hop, and whether it ends with this
    /// step or has said goodbye: what it has not said then is offered in its next life.
    pub(super) fn step(&mut self, node: &Node, stamped: Option<Hop>, ends: bool) -> Result<(), Broken> {
        let me = node.me();
        let Some(state) = node.ring().installed() else {
            return Ok(());
        };
        if let Some(hop) = stamped {
            self.spoken(me, state, hop)?;
        }
        if let Some(passed) = &state.passed {
            let seen = self.passed.insert(me, (state.id, passed.token.hop));
            if seen != Some((state.id, passed.token.hop)) {
                Fairness::in_ring_order(state, passed.to)?;
            }
        }
        match ends {
            true => Ok(()),
            false => Fairness::asks_again(node, state),
        }
    }

    /// Who waited when this member spoke last was served meanwhile.
    fn spoken(&mut self, me: Member, state: &RingState, hop: Hop) -> Result<(), Broken> {
        let now = Spoke {
            ring: state.id,
            hop,
            waiters: waiters(state),
        };
        let last = self.spoke.insert(me, now).filter(|last| last.ring == state.id);
        let Some(last) = last else { return Ok(()) };
        let unserved = last.waiters.iter().find(|waiter| {
            let at = state.index_of(**waiter);
            at.is_some_and(|at| state.rows[at].visited <= last.hop)
        });
        match unserved {
            Some(waiter) => Err(format!(
                "fairness: {me} spoke at hop {} and again at {hop}, and {waiter} waited",
                last.hop
            )),
            None => Ok(()),
        }
    }

    /// Nobody who waits is passed over.
    fn in_ring_order(state: &RingState, to: Member) -> Result<(), Broken> {
        let count = state.members.len();
        let between = (1..count)
            .map(|step| (state.me + step) % count)
            .take_while(|at| state.members[*at] != to);
        for at in between {
            if state.rows[at].waiting_since > Hop(0) {
                return Err(format!(
                    "fairness: the token of {} goes to {to}, past {} who waits",
                    state.id, state.members[at]
                ));
            }
        }
        Ok(())
    }

    /// A request that is not answered is sent again.
    fn asks_again(node: &Node, state: &RingState) -> Result<(), Broken> {
        let ring = node.ring();
        let waits = ring.is_operational() && ring.queued() > 0 && ring.may_grant();
        let asks = state.holding.is_some() || ring.deadlines().request_again.is_some();
        if waits && !asks {
            return Err(format!(
                "fairness: {} has {} messages to say and does not ask for the token",
                node.me(),
                ring.queued()
            ));
        }
        Ok(())
    }
}
