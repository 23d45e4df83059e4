//! For a model checker: what two states of a ring are compared by, and how any deadline is made due.
//!
//! The fingerprint covers everything that decides what a ring will do, and no time: a checker stops the clock and fires
//! deadlines as it likes, so when they are due says nothing, and only what is waited for counts. Dice, counters and
//! measured intervals are left out. Every field is named here, so that a new one has to be judged.

use std::hash::{Hash, Hasher};

use rand::{SeedableRng, rngs::SmallRng};

use super::deadlines::Due;
use super::state::{Holding, Passed};
use super::{Phase, Ring, RingState};
use crate::wire::{self, Body};
use crate::words::{Member, Time};

/// Adds a body as it would travel.
pub(super) fn hash_body(me: Member, body: Body, hasher: &mut impl Hasher) {
    wire::encode(0, me, &body).hash(hasher);
}

impl Ring {
    /// What is waited for.
    pub fn waits_for(&self) -> Vec<Due> {
        self.deadlines.pending()
    }

    /// Makes one deadline due at `now`, whenever it would have been, with all that goes with it.
    pub fn fire(&mut self, now: Time, due: Due) {
        self.deadlines.bring_forward(due, now);
        if due == Due::Probe {
            self.newcomers.run_out(now);
        }
        if due == Due::Suspicion {
            self.suspicion_runs_out(now);
        }
        if let (Due::Consensus, Phase::Gather(gather)) = (due, &mut self.phase) {
            gather.has_listened(now);
        }
        self.tick(now);
    }

    /// The same dice from here on, whatever was thrown before.
    pub fn fix_dice(&mut self, seed: u64) {
        self.dice = SmallRng::seed_from_u64(seed);
    }

    /// The node was suspended for longer than a token that it holds is good for.
    pub fn oversleep(&mut self) {
        let state = self.current_mut().filter(|state| !state.alone());
        if let Some(holding) = state.and_then(|state| state.holding.as_mut()) {
            holding.stale_after = Time(0);
        }
    }

    /// Adds everything that decides what this ring will do.
    pub fn hash_state(&self, now: Time, hasher: &mut impl Hasher) {
        let Ring {
            settings,
            timing: _,
            dice: _,
            phase,
            installed,
            lineage,
            deadlines,
            epoch,
            high,
            peers,
            incarnations,
            together,
            superseded,
            newcomers,
            held_back: _,
            queue,
            unwritten,
            unaccepted,
            hold_us,
            leaving,
            expected_offers,
            requested_at: _,
            multicast_heard: _,
            multicast_missed: _,
            away_until,
            previous,
            stored_epoch,
            storing_epoch,
            suspects,
            estranged,
            goodbyes: _,
            watched: _,
            counters: _,
            out,
        } = self;
        assert!(out.is_empty(), "outputs are taken before states are compared");
        let me = settings.me;
        (me, epoch, high, incarnations, unwritten, unaccepted).hash(hasher);
        (hold_us, leaving, expected_offers, *away_until >= now, previous).hash(hasher);
        (stored_epoch, storing_epoch, estranged, together, superseded).hash(hasher);
        for (member, suspect) in suspects {
            member.hash(hasher);
            suspect.hash_state(now, hasher);
        }
        deadlines.pending().hash(hasher);
        peers
            .iter()
            .for_each(|(member, peer)| (member, peer.address).hash(hasher));
        newcomers.hash_state(now, hasher);
        queue
            .iter()
            .for_each(|offer| (offer.id, &offer.content).hash(hasher));
        let is_ours = (lineage.complete, lineage.established);
        (lineage.entered, is_ours, lineage.forgotten()).hash(hasher);
        for state in [installed, &lineage.log, &lineage.rest] {
            state.is_some().hash(hasher);
            state.iter().for_each(|state| state.hash_state(me, now, hasher));
        }
        self.phase_name().hash(hasher);
        match phase {
            Phase::Gather(gather) => gather.hash_state(now, hasher),
            Phase::Commit(committing) => committing.hash_state(me, hasher),
            Phase::Recover(recovering) => recovering.hash_state(me, now, hasher),
            Phase::Operational => {}
        }
    }
}

impl RingState {
    /// Adds everything that decides what becomes of this ring.
    pub(super) fn hash_state(&self, node: Member, now: Time, hasher: &mut impl Hasher) {
        let RingState {
            id,
            members,
            me,
            first,
            buffer,
            high,
            // These decide something only where the token is accelerated.
            token_high: _,
            due: _,
            delivered_up_to,
            rows,
            hop,
            seen_hop,
            seen_at,
            progress: _,
            holding,
            passed,
            requests,
            sent_in_visit,
            lacking,
            granted,
            settled_visits,
            unchanged,
            last_sum,
            partial,
        } = self;
        (
            id,
            members,
            me,
            first,
            high,
            delivered_up_to,
            hop,
            seen_hop,
            seen_at,
        )
            .hash(hasher);
        (
            requests,
            sent_in_visit,
            lacking,
            granted,
            (*settled_visits).min(2),
        )
            .hash(hasher);
        (unchanged, last_sum, partial).hash(hasher);
        buffer.hash_state(hasher);
        for row in rows {
            let said = (row.received_up_to, row.held_up_to, row.sent);
            (said, row.recovered, row.waiting_since, row.visited).hash(hasher);
        }
        holding.is_some().hash(hasher);
        if let Some(Holding {
            token,
            stale_after,
            resting,
        }) = holding
        {
            (*stale_after < now, resting).hash(hasher);
            hash_body(node, Body::Token(token.clone()), hasher);
        }
        passed.is_some().hash(hasher);
        if let Some(Passed { to, token }) = passed {
            to.hash(hasher);
            hash_body(node, Body::Token(token.clone()), hasher);
        }
    }
}
