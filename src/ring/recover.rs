//! Recover: members that come from the same ring give each other what some of them lack of it.
//!
//! The commit token told everybody what each member has. The union of what those who come from my old ring
//! have is what all of us will deliver of it before anything of the new ring; a number that none of us has is
//! void. Each member pulls what it lacks from those that have it. The new token goes round meanwhile and
//! carries a flag of each member that is done; only when all are, the ring is installed.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::commit::{hash_sent, old_rings, rings_before};
use super::lineage::{Adoption, MARKER};
use super::state::{Holding, RingState};
use super::timing::Repeat;
use super::{Deadlines, Installed, Output, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Commit, OldRing, Pace, RANGES_MAX, Token, TokenRow};
use crate::words::{Hop, Member, NodeId, Position, RingId, Seq, Time};

/// A new ring whose members still exchange what is left of their old ones.
#[derive(Clone, Debug)]
pub(super) struct Recovering {
    /// The new ring.
    pub(super) state: RingState,
    /// What each member from my old ring has of it, me included.
    pub(super) together: BTreeMap<Member, OldRing>,
    /// With a quorum: where I collect what the ring adopts, if I have no log of that.
    adopted: Option<RingState>,
    /// With a quorum: I have all that was decided before.
    complete: bool,
    /// The members that were in the same ring as I before.
    companions: Vec<Member>,
    /// Which rings the members come from.
    came_from: BTreeMap<Option<RingId>, Vec<NodeId>>,
    /// What I still lack of what they have: numbers.
    pub(super) wanted: Vec<(Seq, Seq)>,
    /// Whom I asked last, as an index into those who have it.
    asked: usize,
    /// The commit token that I forwarded.
    pub(super) sent_commit: Option<(Member, Commit)>,
    /// Something came, or was stored, since the token was here last.
    pub(super) moved_on: bool,
    /// How many steps this node's recovery made, as its row tells them.
    steps: u16,
    /// What the rows said of everybody's progress when the token was here last.
    seen: u64,
    /// When anybody's recovery got on last. A token that goes round is no progress.
    progress: Time,
}

impl Recovering {
    /// The token is here: tells the own progress on it, and looks for that of the others. While a ring recovers,
    /// nobody sends messages, and each row's count of sent datagrams counts the steps of its member's recovery.
    pub(super) fn note_progress(&mut self, now: Time, recovered: bool) {
        let row = &mut self.state.rows[self.state.me];
        let news = std::mem::take(&mut self.moved_on) || (recovered && !row.recovered);
        // What is news here must not wait on its way.
        self.state.unchanged = !news;
        row.recovered = recovered;
        if news {
            self.steps = self.steps.wrapping_add(1);
        }
        row.sent = self.steps;
        self.state.sent_in_visit = self.steps;
        let each = |row: &TokenRow| u64::from(row.sent) + u64::from(row.recovered);
        let seen = self.state.rows.iter().map(each).sum();
        if seen != self.seen {
            self.seen = seen;
            self.progress = now;
        }
    }

    /// When anybody's recovery got on last.
    pub(super) fn progress(&self) -> Time {
        self.progress
    }
}

impl Recovering {
    /// For a checker: adds what decides how this ends.
    pub(super) fn hash_state(&self, me: Member, now: Time, hasher: &mut impl Hasher) {
        let Recovering {
            state,
            together,
            companions,
            wanted,
            asked,
            sent_commit,
            adopted,
            complete,
            moved_on,
            steps,
            seen,
            progress: _,
            came_from: _,
        } = self;
        state.hash_state(me, now, hasher);
        // Whom it asks next goes round those who have it.
        (
            companions,
            wanted,
            (moved_on, steps, seen, complete),
            asked % together.len().saturating_sub(1).max(1),
        )
            .hash(hasher);
        for (member, old) in together {
            let reached = (old.high, old.kept_from, old.received_up_to, old.delivered_up_to);
            (member, old.ring, reached, &old.above).hash(hasher);
        }
        adopted.is_some().hash(hasher);
        adopted.iter().for_each(|state| state.hash_state(me, now, hasher));
        hash_sent(me, sent_commit.as_ref(), hasher);
    }
}

/// Whether a member has this number of its old ring.
pub(super) fn has(old: &OldRing, seq: Seq) -> bool {
    let contiguous = old.kept_from <= seq && seq <= old.received_up_to;
    contiguous
        || old
            .above
            .iter()
            .any(|(first, last)| *first <= seq && seq <= *last)
}

/// The numbers above `received_up_to` that any of these members has.
pub(super) fn union(together: &BTreeMap<Member, OldRing>) -> Vec<(Seq, Seq)> {
    let mut ranges: Vec<(Seq, Seq)> = together
        .values()
        .map(|old| (old.kept_from, old.received_up_to))
        .collect();
    ranges.extend(together.values().flat_map(|old| old.above.iter().copied()));
    ranges.retain(|(first, last)| first <= last);
    ranges
}

impl Ring {
    /// All rows of the commit token are filled: pulls what is lacking.
    pub(super) fn begin_recovery(&mut self, now: Time, commit: Commit) {
        let me = self.settings.me;
        let rows = old_rings(&commit);
        let members: Vec<Member> = commit.rows.iter().map(|row| row.member).collect();
        assert_eq!(
            rows.len(),
            members.len(),
            "recovery begins when all have reported"
        );
        let mut high = rows.values().map(|old| old.high).max().unwrap_or_default();
        if bugs::on(Bug::FirstAfterOwn) {
            high = rows[&me].high;
        } else if bugs::on(Bug::FirstIsOne) {
            high = Seq(0);
        }
        self.high = self.high.max(high);
        let my_old = rows[&me].ring;
        let came_along =
            |member: &Member, old: &OldRing| *member == me || (old.ring == my_old && my_old.is_some());
        let along = rows.iter().filter(|(member, old)| came_along(member, old));
        let companions = along.map(|(member, _)| *member).collect();
        let came_from = rings_before(&rows);
        let mut adoption = Adoption::default();
        if !self.has_quorum() {
            let holders = rows.into_iter().filter(|(member, old)| came_along(member, old));
            adoption.holders = holders.collect();
        } else if self.counts(members.len()) {
            adoption = self.adopt(now, &rows);
        }
        let state = RingState::new(commit.ring, members, me, high.next(), now);
        let base = adoption.adopted.as_ref().or(self.old_ring());
        let wanted = base.map_or(Vec::new(), |base| lacking_of(base, &adoption.holders));
        let Adoption {
            holders: together,
            adopted,
            complete,
        } = adoption;
        let recovering = Recovering {
            state,
            together,
            adopted,
            complete,
            companions,
            came_from,
            wanted,
            asked: 0,
            sent_commit: None,
            moved_on: false,
            steps: 0,
            seen: 0,
            progress: now,
        };
        self.phase = Phase::Recover(Box::new(recovering));
        self.deadlines = Deadlines {
            loss: Some(now.after_us(self.timing.forming())),
            probe: self.deadlines.probe,
            suspicion: self.deadlines.suspicion,
            ..Deadlines::default()
        };
        let alone = commit.rows.len() == 1;
        if !alone {
            self.forward_commit(now, commit);
        }
        self.pull(now);
        if alone {
            self.start_token(now);
        }
    }

    /// Asks a member that has it for what is lacking.
    pub(super) fn pull(&mut self, now: Time) {
        let me = self.settings.me;
        let Phase::Recover(recovering) = &mut self.phase else {
            return;
        };
        let Some((first, _)) = recovering.wanted.first().copied() else {
            return;
        };
        let holders: Vec<Member> = recovering
            .together
            .iter()
            .filter(|(m, old)| **m != me && has(old, first))
            .map(|(m, _)| *m)
            .collect();
        assert!(!holders.is_empty(), "only what somebody has is wanted: {first}");
        recovering.asked += 1;
        let holder = holders[recovering.asked % holders.len()];
        let ring = recovering.together[&me]
            .ring
            .expect("who lacks something comes from a ring");
        let ranges: Vec<(Seq, Seq)> = recovering.wanted.iter().copied().take(RANGES_MAX).collect();
        self.watch_asked(ring, &ranges, me);
        self.unicast(holder, Body::Nack { ring, ranges });
        self.deadlines.nack_again = Some(Repeat::first(now, self.timing.nack_again()));
    }

    /// Chunks of the old ring arrived; only what is wanted is taken.
    pub(super) fn take_recovered(
        &mut self,
        now: Time,
        sender: Member,
        ring: RingId,
        chunks: Vec<crate::wire::Chunk>,
    ) {
        let (entered, quorum) = (self.has_entered(), self.settings.quorum);
        let Phase::Recover(recovering) = &mut self.phase else {
            return;
        };
        let own = match entered {
            true => self.lineage.rest.as_mut().or(self.installed.as_mut()),
            false => self.lineage.log.as_mut(),
        };
        let base = recovering.adopted.as_mut().or(own);
        let Some(old) = base.filter(|state| state.id == ring) else {
            self.counters.fenced += 1;
            return;
        };
        let mut progress = false;
        let mut repaired = Vec::new();
        for chunk in chunks {
            let wanted = recovering
                .wanted
                .iter()
                .any(|(first, last)| *first <= chunk.seq && chunk.seq <= *last);
            let copy = (quorum > 0).then(|| chunk.clone());
            let wanted = wanted && (quorum == 0 || chunk.id.counter != MARKER);
            let seq = chunk.seq;
            if wanted && old.buffer.insert(chunk) {
                if let Some(chunk) = copy {
                    self.unaccepted.insert(Position { ring, seq: chunk.seq });
                    self.out.push(Output::Accept(ring, chunk));
                }
                self.counters.repaired_for_me += 1;
                repaired.extend(self.watched.is_some().then_some(seq));
                progress = true;
            }
        }
        let left: Vec<Seq> = recovering
            .wanted
            .iter()
            .flat_map(|(a, b)| (a.0..=b.0).map(Seq))
            .collect();
        let left: Vec<Seq> = left.into_iter().filter(|seq| !old.buffer.has(*seq)).collect();
        recovering.wanted = ranges_of(&left);
        let rest = !recovering.wanted.is_empty();
        recovering.moved_on |= progress;
        if progress {
            self.deadlines.loss = Some(now.after_us(self.timing.forming()));
        }
        self.watch_repaired(ring, repaired.into_iter(), sender);
        if progress && rest {
            self.pull(now);
        }
        if !rest {
            self.deadlines.nack_again = None;
            self.hasten(now, None);
        }
    }

    /// Both rounds of the commit token are done: the leader makes the new ring's token.
    pub(super) fn start_token(&mut self, now: Time) {
        let stale_after = now.after_us(self.timing.token_timeout());
        let Phase::Recover(recovering) = &mut self.phase else {
            return;
        };
        let state = &mut recovering.state;
        if state.hop > Hop(0) {
            return;
        }
        state.hop = Hop(2 * state.members.len() as u64 + 1);
        state.seen_hop = state.hop;
        let token = Token {
            ring: state.id,
            hop: state.hop,
            high: state.high,
            pace: Pace::Fast,
            rows: state.rows.clone(),
            lacking: Vec::new(),
        };
        state.holding = Some(Holding {
            token,
            stale_after,
            resting: false,
        });
        recovering.sent_commit = None;
        self.deadlines.commit_again = None;
        self.visit(now);
    }

    /// Whether this node has all it can get of its old ring.
    pub(super) fn has_recovered(&self) -> bool {
        match &self.phase {
            Phase::Recover(recovering) => {
                let base = recovering
                    .adopted
                    .as_ref()
                    .or(self.old_ring())
                    .map(|base| base.id);
                let stored = !self.unaccepted.iter().any(|at| Some(at.ring) == base);
                recovering.wanted.is_empty()
                    && (stored
                        || bugs::on(Bug::AdoptedNotStored)
                        || !self.counts(recovering.state.members.len()))
            }
            Phase::Operational => true,
            Phase::Gather(_) | Phase::Commit(_) => false,
        }
    }

    /// Everybody has recovered: delivers the rest of the old ring and begins the new one.
    pub(super) fn install(&mut self, now: Time) {
        let Phase::Recover(recovering) = std::mem::replace(&mut self.phase, Phase::Operational) else {
            unreachable!("only a ring that was recovered into is installed");
        };
        assert!(
            recovering.wanted.is_empty(),
            "a node that lacks something does not install"
        );
        let mut new = recovering.state;
        new.sent_in_visit = 0;
        let (old_id, old_members) = match &self.installed {
            Some(old) => (Some(old.id), old.members.clone()),
            None => (None, Vec::new()),
        };
        let lead = new.members.first() == Some(&self.settings.me) && !new.alone();
        let told = Installed {
            ring: new.id,
            members: new.members.clone(),
            together: recovering.companions,
            old: old_id,
            old_members: old_members.clone(),
            came_from: recovering.came_from.into_iter().collect(),
            goodbyes: std::mem::take(&mut self.goodbyes).into_iter().collect(),
            first: new.first,
        };
        if recovering.adopted.is_some() {
            self.out.push(Output::Adopted(new.id));
        }
        let named = union(&recovering.together);
        let rest = self.succeed(new, recovering.adopted, recovering.complete, &named);
        let (before, after) = match bugs::on(Bug::NewRingFirst) {
            true => (Vec::new(), rest),
            false => (rest, Vec::new()),
        };
        before.into_iter().for_each(|delivery| self.deliver(delivery));
        if bugs::on(Bug::HeldForgetsOldRing) {
            self.unwritten.clear();
        }
        self.out.push(Output::Installed(told));
        after.into_iter().for_each(|delivery| self.deliver(delivery));
        self.previous = old_id.map(|id| (id, old_members));
        self.multicast_heard = now;
        self.multicast_missed = 0;
        self.deadlines.nack_again = None;
        self.deadlines.commit_again = None;
        self.deadlines.loss = None;
        let alone = self.installed.as_ref().is_some_and(RingState::alone);
        // Whom the others left out although it lives shows itself to them at once.
        let beacon = if std::mem::take(&mut self.estranged) {
            self.timing.join_again(0)
        } else {
            self.timing.beacon()
        };
        self.deadlines.beacon = (lead || alone).then(|| now.after_us(beacon));
        self.deadlines.reserve = Some(now.after_us(self.timing.reserve()));
        let members = self
            .installed
            .as_ref()
            .map_or(Vec::new(), |state| state.members.clone());
        self.newcomers.new_ring(&members);
        self.forget_suspects(&members);
        if let Some(ring) = self.installed.as_ref().map(|state| state.id) {
            self.note_together(ring, &members);
        }
        if !self.queue.is_empty() || self.leaving {
            self.request(now);
        }
    }
}

/// What the others that come from the same old ring have and this node lacks.
fn lacking_of(state: &RingState, together: &BTreeMap<Member, OldRing>) -> Vec<(Seq, Seq)> {
    if bugs::on(Bug::RecoverySkipped) {
        return Vec::new();
    }
    let mut lacking: Vec<Seq> = Vec::new();
    for (first, last) in union(together) {
        let first = first.max(state.buffer.received_up_to().next());
        lacking.extend((first.0..=last.0).map(Seq).filter(|seq| !state.buffer.has(*seq)));
    }
    lacking.sort_unstable();
    lacking.dedup();
    ranges_of(&lacking)
}

/// Sorted numbers as ranges.
fn ranges_of(seqs: &[Seq]) -> Vec<(Seq, Seq)> {
    let mut ranges: Vec<(Seq, Seq)> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some(range) if range.1.next() == *seq => range.1 = *seq,
            _ => ranges.push((*seq, *seq)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Incarnation, NodeId};

    fn old(kept_from: u64, received_up_to: u64, above: &[(u64, u64)]) -> OldRing {
        OldRing {
            ring: None,
            entered: None,
            high: Seq(99),
            kept_from: Seq(kept_from),
            received_up_to: Seq(received_up_to),
            above: above
                .iter()
                .map(|(first, last)| (Seq(*first), Seq(*last)))
                .collect(),
            delivered_up_to: Seq(0),
        }
    }

    #[test]
    fn a_member_has_what_it_kept_and_what_it_has_above() {
        let old = old(5, 7, &[(9, 10), (13, 13)]);
        let had: Vec<u64> = (0..20).filter(|seq| has(&old, Seq(*seq))).collect();
        assert_eq!(had, [5, 6, 7, 9, 10, 13]);
    }

    #[test]
    fn the_union_names_every_range_that_anybody_has() {
        let member = |id| Member {
            id: NodeId(id),
            incarnation: Incarnation(1),
        };
        let members = [
            (member(1), old(5, 7, &[(9, 10)])),
            (member(2), old(8, 7, &[])),
            (member(3), old(6, 6, &[])),
        ];
        let ranges = union(&BTreeMap::from(members));
        assert_eq!(ranges, [(Seq(5), Seq(7)), (Seq(6), Seq(6)), (Seq(9), Seq(10))]);
    }

    #[test]
    fn neighbours_make_a_range() {
        let ranges = ranges_of(&[Seq(1), Seq(2), Seq(4), Seq(6), Seq(7), Seq(8)]);
        assert_eq!(ranges, [(Seq(1), Seq(2)), (Seq(4), Seq(4)), (Seq(6), Seq(8))]);
        assert_eq!(ranges_of(&[]), []);
    }
}
