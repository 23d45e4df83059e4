//! With a quorum: catching up with a member that has all, so that this node counts again.
//!
//! A member that lags asks the others with an inquiry that names no message. One that has entered the ring, and has
//! written all that was delivered before it, answers. What it has is then compared over a stream, and when all that
//! came is written here, this node has all that was decided before the ring, and enters it too. It does so also
//! with `--no-catch-up`: who lags counts for nothing, and without it a ring may wait for ever.

use rand::RngExt;

use super::Node;
use super::face::RecoverLevel;
use crate::wire::Body;
use crate::words::{Member, RingId, Time};

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Completing {
    /// In which ring.
    ring: Option<RingId>,
    nonce: u64,
    again_at: Option<Time>,
    /// Who answered, and is compared with.
    with: Option<Member>,
    /// All it had is here, or on its way to the disk.
    compared: bool,
}

impl Completing {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.again_at
    }

    /// Who is to be compared with next, and the question that it answered: it tells this ring's from an earlier one.
    pub(super) fn wanted(&self) -> Option<(Member, u64)> {
        let with = self.with.filter(|_| !self.compared)?;
        Some((with, self.nonce))
    }
}

impl Node {
    /// Looks whether this node may enter the ring, or lags and has to ask who has all.
    pub(super) fn tick_completing(&mut self, now: Time) {
        let installed = self.ring.installed().map(|state| state.id);
        if self.ring.may_enter() && installed.is_some_and(|ring| self.has_written_all_before(ring)) {
            self.ring.enter(now);
            self.relay(now);
        }
        let lags = self.ring.must_catch_up() && self.config.recover == RecoverLevel::Peers;
        let Some(state) = self.ring.installed().filter(|_| lags) else {
            self.completing = Completing::default();
            return;
        };
        let ring = state.id;
        if self.completing.ring != Some(ring) {
            let nonce = self.dice.random();
            self.completing = Completing {
                ring: Some(ring),
                nonce,
                again_at: Some(now),
                ..Completing::default()
            };
        }
        if self.completing.compared {
            self.ring.caught_up();
            return self.tick_completing(now);
        }
        if self.completing.again_at.is_some_and(|at| at <= now) {
            let asks = self.completing.with.is_none();
            let again = now.after_us(self.ring.timing().again_max());
            self.completing.again_at = asks.then_some(again);
            if asks {
                self.ask_who_has_all();
            }
        }
    }

    fn ask_who_has_all(&mut self) {
        let (me, nonce) = (self.me(), self.completing.nonce);
        let members = self
            .ring
            .installed()
            .map_or(Vec::new(), |state| state.members.clone());
        let others = members.into_iter().filter(|member| *member != me);
        let addresses: Vec<_> = others
            .filter_map(|member| self.ring.peer(member))
            .map(|peer| peer.address)
            .collect();
        let ids = Vec::new();
        let body = Body::Inquiry { nonce, ids };
        addresses
            .into_iter()
            .for_each(|address| self.unicast(address, &body));
    }

    /// Whether nothing of rings before this one is still on its way to the replica.
    fn has_written_all_before(&self, ring: RingId) -> bool {
        self.unheld.values().all(|position| position.ring >= ring)
    }

    /// Whether who compares with this replica now has all that was decided before the installed ring.
    pub(super) fn has_all(&self) -> bool {
        let ring = self.ring.installed().map(|state| state.id);
        // What was rolled back to be looked at may not be here.
        self.config.recover != RecoverLevel::None
            && self.ring.has_entered()
            && ring.is_some_and(|ring| self.has_written_all_before(ring))
    }

    /// A member says that it has all.
    pub(super) fn on_has_all(&mut self, now: Time, sender: Member, nonce: u64) {
        let asked = self.completing.ring.is_some() && self.completing.nonce == nonce;
        if asked && self.completing.with.is_none() && self.ring.must_catch_up() {
            self.completing.with = Some(sender);
            self.completing.again_at = None;
            self.catching_up.hurry(now);
        }
    }

    /// A session for this question is over; whether all that the other had is here or on its way.
    pub(super) fn compared(&mut self, now: Time, nonce: u64, all: bool) {
        if self.completing.wanted().is_some_and(|(_, asked)| asked == nonce) {
            if all {
                self.completing.compared = true;
            } else {
                // Somebody else may answer.
                self.completing.with = None;
                self.completing.again_at = Some(now.after_us(self.ring.timing().again_max()));
            }
        }
    }
}
