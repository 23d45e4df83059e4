//! Commit: the new ring's token goes round twice, first collecting, then telling everybody what was collected.
//!
//! The leader stores a fresh epoch before the first commit token, and every member stores it before it forwards
//! that token; so no epoch names two rings, whoever crashes when. What a member reports of its old ring is
//! frozen from then on: later arrivals from that ring are fenced.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::buffer::SPAN_MAX;
use super::deadlines::{due, due_again};
use super::fingerprint::hash_body;
use super::timing::Repeat;
use super::{Deadlines, JUMP_MAX, Output, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Commit, CommitRow, OldRing, RANGES_MAX};
use crate::words::{Epoch, Hop, Member, NodeId, RingId, Seq, Time};

/// How many ranges all rows of a commit token may carry together, to fit one datagram.
const RANGES_TOGETHER_MAX: usize = 1_400;

/// A ring on its way: the commit token was accepted, or is about to be sent.
#[derive(Clone, Debug)]
pub(super) struct Committing {
    /// The commit token as this node received or made it.
    commit: Commit,
    /// It waits for the epoch to be stored.
    storing: bool,
    /// It was forwarded, and may have to be sent again: to whom, and as what.
    sent: Option<(Member, Commit)>,
}

impl Committing {
    /// For a checker: adds what decides how this ends.
    pub(super) fn hash_state(&self, me: Member, hasher: &mut impl Hasher) {
        let Committing {
            commit,
            storing,
            sent,
        } = self;
        hash_body(me, Body::Commit(commit.clone()), hasher);
        storing.hash(hasher);
        hash_sent(me, sent.as_ref(), hasher);
    }

    /// The ring that is proposed.
    pub(super) fn ring(&self) -> RingId {
        self.commit.ring
    }

    /// Its members.
    pub(super) fn members(&self) -> Vec<Member> {
        self.commit.rows.iter().map(|row| row.member).collect()
    }
}

impl Ring {
    /// Proposes a ring of these members, under an epoch above all that were seen.
    pub(super) fn propose(&mut self, now: Time, members: Vec<Member>) {
        assert_eq!(
            members.first(),
            Some(&self.settings.me),
            "only the leader proposes"
        );
        let epoch = Epoch(self.epoch.0 + u64::from(!bugs::on(Bug::EpochReused)));
        let ring = RingId {
            epoch,
            leader: self.settings.me,
        };
        let rows = members
            .into_iter()
            .map(|member| CommitRow { member, old: None })
            .collect();
        self.begin_commit(
            now,
            Commit {
                ring,
                hop: Hop(0),
                rows,
            },
        );
    }

    /// Takes a commit token as its own business: stores the epoch, then goes on in [`Ring::epoch_stored`].
    fn begin_commit(&mut self, now: Time, commit: Commit) {
        assert!(
            commit.ring.epoch > self.epoch || bugs::on(Bug::EpochReused),
            "every proposal has a fresh epoch"
        );
        let epoch = commit.ring.epoch;
        self.epoch = epoch;
        self.timing.ring_of(commit.rows.len());
        self.phase = Phase::Commit(Committing {
            commit,
            storing: true,
            sent: None,
        });
        self.deadlines = Deadlines {
            loss: Some(now.after_us(self.timing.forming())),
            probe: self.deadlines.probe,
            suspicion: self.deadlines.suspicion,
            ..Deadlines::default()
        };
        if bugs::on(Bug::EpochNotStored) || epoch <= self.stored_epoch {
            self.epoch_stored(now, epoch);
        } else {
            self.store_epoch(epoch);
            if bugs::on(Bug::ForwardedBeforeStored) {
                self.epoch_stored(now, epoch);
            }
        }
    }

    /// Stores the epoch that the next ring will probably have, so that forming it need not wait for the disk.
    pub(super) fn reserve_epoch(&mut self) {
        if !bugs::on(Bug::EpochNotStored) {
            self.store_epoch(Epoch(self.epoch.0 + 1));
        }
    }

    /// Has an epoch stored, unless it is stored or on its way to the disk.
    fn store_epoch(&mut self, epoch: Epoch) {
        if epoch > self.storing_epoch {
            self.storing_epoch = epoch;
            self.out.push(Output::StoreEpoch(epoch));
        }
    }

    /// The epoch is durable: a commit token that waits for it may go on.
    pub fn epoch_stored(&mut self, now: Time, epoch: Epoch) {
        let me = self.settings.me;
        self.stored_epoch = self.stored_epoch.max(epoch);
        let Phase::Commit(committing) = &mut self.phase else {
            return;
        };
        if !committing.storing || committing.commit.ring.epoch > epoch {
            return;
        }
        committing.storing = false;
        let mut commit = committing.commit.clone();
        let told: usize = commit
            .rows
            .iter()
            .filter_map(|row| row.old.as_ref())
            .map(|old| old.above.len())
            .sum();
        let old = self.report(commit.rows.len(), RANGES_TOGETHER_MAX.saturating_sub(told));
        let row = commit
            .rows
            .iter_mut()
            .find(|row| row.member == me)
            .expect("a checked commit has my row");
        row.old = Some(old);
        if commit.rows.len() == 1 {
            self.begin_recovery(now, commit);
        } else {
            self.forward_commit(now, commit);
        }
    }

    /// What this node has of the ring installed last, for its row.
    fn report(&self, members: usize, left: usize) -> OldRing {
        let most = RANGES_MAX.min(RANGES_TOGETHER_MAX / members.max(1)).min(left);
        match self.old_ring() {
            Some(state) => OldRing {
                ring: Some(state.id),
                entered: self.lineage.entered,
                high: self.high.max(state.high).max(state.buffer.highest()),
                kept_from: state.buffer.kept_from(),
                received_up_to: state.buffer.received_up_to(),
                delivered_up_to: state.settled_up_to(),
                above: state.buffer.above(most),
            },
            None => OldRing {
                ring: None,
                entered: None,
                high: self.high,
                kept_from: Seq(1),
                received_up_to: Seq(0),
                delivered_up_to: Seq(0),
                above: Vec::new(),
            },
        }
    }

    /// Hands the commit token on, and remembers it for a repetition.
    pub(super) fn forward_commit(&mut self, now: Time, mut commit: Commit) {
        let me = self.settings.me;
        let at = commit
            .rows
            .iter()
            .position(|row| row.member == me)
            .expect("a checked commit has my row");
        let next = commit.rows[(at + 1) % commit.rows.len()].member;
        commit.hop = Hop(commit.hop.0 + 1);
        self.unicast(next, Body::Commit(commit.clone()));
        match &mut self.phase {
            Phase::Commit(committing) => committing.sent = Some((next, commit)),
            Phase::Recover(recovering) => recovering.sent_commit = Some((next, commit)),
            Phase::Gather(_) | Phase::Operational => {}
        }
        self.deadlines.commit_again = Some(Repeat::first(now, self.timing.token_again()));
        self.deadlines.loss = Some(now.after_us(self.timing.forming()));
    }

    /// A commit token arrived.
    pub(super) fn on_commit(&mut self, now: Time, sender: Member, commit: Commit) {
        let me = self.settings.me;
        let Some(at) = commit.rows.iter().position(|row| row.member == me) else {
            self.counters.foreign += 1;
            return;
        };
        let count = commit.rows.len();
        let before = commit.rows[(at + count - 1) % count].member;
        let sound = count > 1
            && before == sender
            && commit.rows[0].member == commit.ring.leader
            && self.reports_are_sound(&commit);
        if !sound {
            self.counters.senseless += 1;
            return;
        }
        let filled = commit.rows.iter().filter(|row| row.old.is_some()).count();
        let hop = commit.hop.0 as usize;
        match &self.phase {
            Phase::Gather(_) if hop == at && at > 0 && filled == at => self.accept_proposal(now, commit),
            Phase::Commit(mine) if mine.ring() == commit.ring && filled == count => {
                let second_round = if at == 0 { hop == count } else { hop == count + at };
                let told = !mine.storing && mine.sent.is_some() && second_round;
                if told {
                    self.begin_recovery(now, commit);
                }
            }
            Phase::Recover(mine) if mine.state.id == commit.ring && at == 0 && hop == 2 * count => {
                self.start_token(now);
            }
            Phase::Gather(_) | Phase::Commit(_) | Phase::Recover(_) | Phase::Operational => {
                self.counters.fenced += u64::from(commit.ring.epoch < self.epoch);
            }
        }
    }

    /// Whether what the members report can be true: nobody is believed a number that no ring of ours could have
    /// reached, because everything that follows is sized by it.
    fn reports_are_sound(&self, commit: &Commit) -> bool {
        let reports = || commit.rows.iter().filter_map(|row| row.old.as_ref());
        let ranges: usize = reports().map(|old| old.above.len()).sum();
        let installed = self.old_ring();
        let reach = |old: &OldRing| match installed.filter(|state| old.ring == Some(state.id)) {
            Some(state) => Seq(state.buffer.received_up_to().0 + SPAN_MAX),
            None => Seq(self.high.0 + JUMP_MAX),
        };
        let sound = |old: &OldRing| {
            let last = old
                .above
                .iter()
                .map(|(_, last)| *last)
                .max()
                .unwrap_or(old.received_up_to);
            let in_ring = old.received_up_to.max(last).max(old.delivered_up_to);
            in_ring <= reach(old) && in_ring <= old.high && old.high.0 <= self.high.0 + JUMP_MAX
        };
        ranges <= RANGES_TOGETHER_MAX && reports().all(sound)
    }

    /// Accepts the proposal of a ring, if its epoch is fresh and no member of it is known to be gone.
    fn accept_proposal(&mut self, now: Time, commit: Commit) {
        let Epoch(epoch) = commit.ring.epoch;
        let fresh = epoch > self.epoch.0 && epoch <= self.epoch.0.saturating_add(JUMP_MAX);
        let over = commit.rows.iter().any(|row| self.is_over(row.member));
        let unknown = commit
            .rows
            .iter()
            .any(|row| row.member != self.settings.me && self.peer(row.member).is_none());
        if fresh && !over && !unknown {
            self.begin_commit(now, commit);
        } else {
            self.counters.fenced += 1;
        }
    }

    pub(super) fn tick_forming(&mut self, now: Time) {
        if let Some(repeat) = due_again(&mut self.deadlines.commit_again, now) {
            let sent = match &self.phase {
                Phase::Commit(committing) => committing.sent.clone(),
                Phase::Recover(recovering) => recovering.sent_commit.clone(),
                Phase::Gather(_) | Phase::Operational => None,
            };
            if let Some((to, commit)) = sent {
                self.unicast(to, Body::Commit(commit));
                self.deadlines.commit_again = Some(repeat.again(now, self.timing.again_max()));
            }
        }
        if due(&mut self.deadlines.loss, now) {
            self.enter_gather(now, "the new ring did not come about".into(), &[]);
        }
    }
}

/// For a checker: adds a commit token that may be sent again.
pub(super) fn hash_sent(me: Member, sent: Option<&(Member, Commit)>, hasher: &mut impl Hasher) {
    sent.is_some().hash(hasher);
    if let Some((to, commit)) = sent {
        to.hash(hasher);
        hash_body(me, Body::Commit(commit.clone()), hasher);
    }
}

/// The rows of a commit token by member, once all are filled.
pub(super) fn old_rings(commit: &Commit) -> BTreeMap<Member, OldRing> {
    let filled = |row: &CommitRow| Some((row.member, row.old.clone()?));
    commit.rows.iter().filter_map(filled).collect()
}

/// Which rings members come from, and who from each.
pub(super) fn rings_before(rows: &BTreeMap<Member, OldRing>) -> BTreeMap<Option<RingId>, Vec<NodeId>> {
    let mut before: BTreeMap<Option<RingId>, Vec<NodeId>> = BTreeMap::new();
    for (member, old) in rows {
        before.entry(old.ring).or_default().push(member.id);
    }
    before
}
