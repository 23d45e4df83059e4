//! Gather: who hears whom, until all who are left hold the same view.
//!
//! Every node multicasts a join with two sets: who is present, who failed. Sets from others are merged into the
//! own ones. Who is silent for the consensus time, or hears but does not come to agree for twice that time, is
//! counted as failed. When every remaining member has sent the same two sets, they agree.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;

use super::deadlines::due;
use super::{Deadlines, Evidence, Output, Peer, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Join, MEMBERS_MAX, Refuse};
use crate::words::{Member, NodeId, RingId, Time};

/// How often agreement may fail to lead to a commit token before the leader is counted as failed.
const LEADER_TRIES: u32 = 3;

/// Up to so many members, a disk after the other is soon done with an epoch.
const SMALL: usize = 8;

/// The sets of a join, in rising order: present, failed.
type View = (Vec<Member>, Vec<Member>);

/// What a node knows while it gathers.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    /// Who would be in the new ring.
    present: BTreeSet<Member>,
    /// Who failed or left.
    failed: BTreeSet<Member>,
    /// The last view each sent.
    heard: BTreeMap<Member, View>,
    /// Those heard that come from a ring.
    from_rings: BTreeSet<Member>,
    /// When the own view was told last.
    told_at: Time,
    /// Who did not agree when it was looked last: looked at first, because it probably does not yet.
    lagging: Option<Member>,
    /// A node that starts alone listens until then.
    listen_until: Time,
    /// How often the consensus time ran out.
    rounds: u32,
}

impl Gather {
    /// Present and not failed: the members of the ring that would be formed.
    pub(super) fn candidates(&self) -> BTreeSet<Member> {
        self.present.difference(&self.failed).copied().collect()
    }

    /// Who starts alone has listened long enough.
    pub(super) fn has_listened(&mut self, now: Time) {
        self.listen_until = self.listen_until.min(now);
    }

    /// For a checker: adds what decides how this ends.
    pub(super) fn hash_state(&self, now: Time, hasher: &mut impl Hasher) {
        let Gather {
            present,
            failed,
            heard,
            from_rings,
            told_at: _,
            lagging: _,
            listen_until,
            rounds,
        } = self;
        (present, failed, heard, from_rings, *listen_until > now).hash(hasher);
        (*rounds).min(LEADER_TRIES).hash(hasher);
    }

    /// Whether these sets are the own view.
    fn is_own(&self, present: &[Member], failed: &[Member]) -> bool {
        let same =
            |own: &BTreeSet<Member>, other: &[Member]| own.len() == other.len() && own.iter().eq(other);
        same(&self.present, present) && same(&self.failed, failed)
    }

    fn agrees(&self, member: Member) -> bool {
        self.heard
            .get(&member)
            .is_some_and(|view| self.is_own(&view.0, &view.1))
    }

    /// Whether all candidates have sent the own view.
    fn all_agree(&mut self, me: Member, candidates: &BTreeSet<Member>) -> bool {
        let lags = |m: &Member| *m != me && candidates.contains(m) && !self.agrees(*m);
        let first = self.lagging.filter(lags);
        self.lagging = first.or_else(|| candidates.iter().copied().find(lags));
        self.lagging.is_none()
    }

    /// The candidates other than `me` that have not sent the same view.
    pub(super) fn not_agreed(&self, me: Member) -> Vec<Member> {
        self.candidates()
            .into_iter()
            .filter(|m| *m != me && !self.agrees(*m))
            .collect()
    }

    /// Keeps one incarnation of each id. An earlier one that shows itself from its ring is alive, and the later one
    /// has to go, as it will be told; else the earlier one is dead, or is defending its id itself.
    fn keep_one_of_each_id(&mut self, me: Member) {
        let candidates = self.candidates();
        let mut kept: BTreeMap<NodeId, Member> = BTreeMap::new();
        for member in candidates {
            let Some(earlier) = kept.get(&member.id).copied() else {
                kept.insert(member.id, member);
                continue;
            };
            if self.from_rings.contains(&earlier) {
                self.failed.extend((member != me).then_some(member));
            } else if earlier != me {
                self.present.remove(&earlier);
                kept.insert(member.id, member);
            }
        }
    }
}

impl Ring {
    /// Begins to gather, without those who are known to be gone.
    pub(super) fn enter_gather(&mut self, now: Time, reason: Evidence, gone: &[Member]) {
        self.gather_anew(now, reason, gone, None);
    }

    /// The same, with somebody new.
    fn gather_anew(&mut self, now: Time, reason: Evidence, gone: &[Member], new: Option<Member>) {
        let mut present = self.known_members();
        if let Phase::Gather(gather) = &self.phase {
            present.extend(&gather.present);
        }
        if let Phase::Commit(committing) = &self.phase {
            present.extend(committing.members());
        }
        present.insert(self.settings.me);
        present.extend(new);
        present.retain(|member| !self.is_over(*member));
        let failed: BTreeSet<Member> = gone.iter().copied().filter(|m| present.contains(m)).collect();
        if bugs::on(Bug::OldBufferDropped) && matches!(self.phase, Phase::Recover(_)) {
            self.installed = None;
        }
        if let Some(state) = &mut self.installed {
            state.holding = None;
            state.passed = None;
            state.requests.clear();
        }
        let rounds = match &self.phase {
            Phase::Commit(_) | Phase::Recover(_) => 1,
            Phase::Gather(gather) => gather.rounds,
            Phase::Operational => 0,
        };
        let consensus = self.timing.consensus(present.len());
        let listen_until = now.after_us(consensus);
        let me = self.settings.me;
        let mut gather = Gather {
            present,
            failed,
            heard: BTreeMap::new(),
            from_rings: self.installed.iter().map(|_| me).collect(),
            told_at: now,
            lagging: None,
            listen_until,
            rounds,
        };
        gather.keep_one_of_each_id(me);
        self.phase = Phase::Gather(gather);
        self.timing.forget_rotation();
        let back_off = if rounds > 0 { self.jitter(consensus / 2) } else { 0 };
        self.deadlines = Deadlines {
            consensus: Some(now.after_us(consensus + back_off)),
            probe: self.deadlines.probe,
            suspicion: self.deadlines.suspicion,
            ..Deadlines::default()
        };
        self.out.push(Output::Gathering(reason));
        self.send_join(now);
        self.seek_agreement(now);
    }

    /// Multicasts the own view.
    fn send_join(&mut self, now: Time) {
        let Phase::Gather(gather) = &mut self.phase else {
            return;
        };
        gather.told_at = now;
        let join = Join {
            epoch: self.epoch,
            ring: self.installed.as_ref().map(|state| state.id),
            stream_port: self.settings.stream_port,
            quorum: self.settings.quorum,
            name: self.settings.name.clone(),
            present: gather.present.iter().copied().collect(),
            failed: gather.failed.iter().copied().collect(),
        };
        let pause = self.timing.join_again(gather.present.len());
        self.multicast(Body::Join(join));
        let pause = pause - self.jitter(pause / 4);
        self.deadlines.join_again = Some(now.after_us(pause));
    }

    /// A join arrived, in whatever phase.
    pub(super) fn on_join(&mut self, now: Time, sender: Member, from: SocketAddrV4, join: Join) {
        if self.refuse_join(now, sender, from, &join) {
            return;
        }
        let peer = Peer {
            address: from,
            stream_port: join.stream_port,
            name: join.name.clone(),
        };
        match &self.phase {
            Phase::Gather(_) => {
                self.learn_peer(sender, peer);
                self.merge_view(now, sender, join);
            }
            Phase::Commit(_) | Phase::Recover(_) => self.on_join_while_forming(now, sender, peer, join),
            Phase::Operational => self.on_join_in_operation(now, sender, peer, join),
        }
    }

    /// Answers joins that cannot be accepted. Whether this was one.
    fn refuse_join(&mut self, now: Time, sender: Member, from: SocketAddrV4, join: &Join) -> bool {
        let me = self.settings.me;
        let known = self.incarnations.get(&sender.id).copied().unwrap_or_default();
        let refuse = if sender.id == me.id {
            // Two live ones of one id: the later one exits, be it a newcomer or met at a merge.
            if sender.incarnation < me.incarnation && join.ring.is_some() {
                return true;
            }
            // Who has just woken reads what came while it was away, and may have lost its place to the sender.
            if now <= self.away_until {
                return true;
            }
            Refuse::IdTaken {
                name: self.settings.name.clone(),
            }
        } else if join.quorum != self.settings.quorum {
            Refuse::QuorumDiffers {
                quorum: self.settings.quorum,
            }
        } else if join.ring.is_none() && sender.incarnation < known {
            Refuse::IncarnationSeen { incarnation: known }
        } else if let Some(by) = self.successor_of(sender, join.ring) {
            Refuse::Superseded { by }
        } else {
            return join.epoch.0 > self.epoch.0.saturating_add(super::JUMP_MAX);
        };
        // A gathering node is in no ring: it has no standing to refuse a group's quorum.
        let speaks = self.is_operational() || !matches!(refuse, Refuse::QuorumDiffers { .. });
        if speaks {
            self.out.push(Output::Unicast(from, Body::Refuse(refuse)));
        }
        true
    }

    /// A join of a member while a ring is being formed: one that has seen the new epoch has given it up.
    fn on_join_while_forming(&mut self, now: Time, sender: Member, peer: Peer, join: Join) {
        let Some((ring, is_member)) = self.forming_ring(sender) else {
            return;
        };
        if is_member && join.epoch >= ring.epoch {
            self.learn_peer(sender, peer);
            let reason = format!("{} gave up ring {}", sender.id, ring.epoch);
            self.gather_anew(now, Evidence::about(sender.id, reason), &[], Some(sender));
            self.merge_view(now, sender, join);
        }
    }

    /// The ring being formed, and whether `member` is to be in it.
    fn forming_ring(&self, member: Member) -> Option<(RingId, bool)> {
        match &self.phase {
            Phase::Commit(committing) => Some((committing.ring(), committing.members().contains(&member))),
            Phase::Recover(recovering) => {
                Some((recovering.state.id, recovering.state.index_of(member).is_some()))
            }
            Phase::Gather(_) | Phase::Operational => None,
        }
    }

    /// A join while the ring is in operation: a member that lost it, or somebody new.
    fn on_join_in_operation(&mut self, now: Time, sender: Member, peer: Peer, join: Join) {
        let state = self.installed.as_ref().expect("an operational node has a ring");
        if state.index_of(sender).is_none() {
            self.on_newcomer(now, sender, peer, join.epoch);
        } else if join.epoch >= state.id.epoch {
            self.learn_peer(sender, peer);
            let without_me = join.failed.iter().all(|member| *member != self.settings.me);
            let gone = if without_me { &join.failed[..] } else { &[] };
            let reason = Evidence::about(sender.id, format!("{} gathers", sender.id));
            self.gather_anew(now, reason, gone, Some(sender));
            self.merge_view(now, sender, join);
        }
    }

    /// Adds somebody who answered a probe to those present.
    pub(super) fn gather_with(&mut self, now: Time, newcomer: Member, gone: Option<Member>) {
        let reason = Evidence::about(newcomer.id, format!("{} is new here", newcomer.id));
        self.gather_anew(now, reason, gone.as_slice(), Some(newcomer));
    }

    /// Merges the view of a join into the own one.
    fn merge_view(&mut self, now: Time, sender: Member, join: Join) {
        let me = self.settings.me;
        self.epoch = self.epoch.max(join.epoch);
        let Phase::Gather(gather) = &mut self.phase else {
            return;
        };
        if gather.failed.contains(&sender) {
            return;
        }
        let news = join.ring.is_some() && gather.from_rings.insert(sender);
        if !news && gather.present.contains(&sender) && gather.is_own(&join.present, &join.failed) {
            gather.heard.insert(sender, (join.present, join.failed));
            self.seek_agreement(now);
            return;
        }
        let before = (gather.present.clone(), gather.failed.clone());
        gather.present.insert(sender);
        if join.failed.contains(&me) {
            gather.failed.insert(sender);
            self.estranged = true;
        } else {
            gather.present.extend(&join.present);
            gather
                .failed
                .extend(join.failed.iter().filter(|member| **member != me));
            gather.keep_one_of_each_id(me);
        }
        gather.failed = gather.failed.intersection(&gather.present).copied().collect();
        if gather.present.len() > MEMBERS_MAX {
            gather.present.clone_from(&before.0);
        }
        gather.heard.insert(sender, (join.present, join.failed));
        let changed = before != (gather.present.clone(), gather.failed.clone());
        self.tell_and_agree(now, changed);
    }

    /// Members that are known to be gone are failed at once.
    pub(super) fn fail_in_gather(&mut self, now: Time, gone: &[Member]) {
        let Phase::Gather(gather) = &mut self.phase else {
            return;
        };
        let before = gather.failed.len();
        let present = gone.iter().filter(|member| gather.present.contains(member));
        gather.failed.extend(present);
        if gather.failed.len() > before {
            self.tell_and_agree(now, true);
        }
    }

    /// Tells the own view if it changed, and looks whether all agree now.
    fn tell_and_agree(&mut self, now: Time, changed: bool) {
        if changed {
            self.expect_consensus(now);
            self.tell_soon(now);
        }
        self.seek_agreement(now);
    }

    /// From now on those who are present have the consensus time to agree.
    fn expect_consensus(&mut self, now: Time) {
        if let Phase::Gather(gather) = &self.phase {
            let consensus = self.timing.consensus(gather.present.len());
            self.deadlines.consensus = Some(now.after_us(consensus));
        }
    }

    /// Tells the own view at once, or in a moment if many are there and it was told just now.
    fn tell_soon(&mut self, now: Time) {
        let Phase::Gather(gather) = &self.phase else {
            return;
        };
        let soon = gather
            .told_at
            .after_us(self.timing.join_apart(gather.present.len()));
        if now >= soon {
            self.send_join(now);
        } else {
            let again = self.deadlines.join_again;
            self.deadlines.join_again = Some(again.map_or(soon, |again| again.min(soon)));
        }
    }

    /// All agree: proposes the ring if this node is its leader. If they are many, the others store its epoch meanwhile,
    /// all at once, so that the commit token does not wait for one disk after the other.
    fn seek_agreement(&mut self, now: Time) {
        let me = self.settings.me;
        let Phase::Gather(gather) = &mut self.phase else {
            return;
        };
        let candidates = gather.candidates();
        if !gather.all_agree(me, &candidates) {
            return;
        }
        if candidates.first() != Some(&me) {
            if candidates.len() > SMALL {
                self.reserve_epoch();
            }
            return;
        }
        let alone_and_new = candidates.len() == 1 && self.installed.is_none();
        if alone_and_new && now < gather.listen_until {
            return;
        }
        self.propose(now, candidates.into_iter().collect());
    }

    /// Somebody knows of this node and will gather: no reason to begin alone.
    pub(super) fn listen_longer(&mut self, now: Time) {
        if let Phase::Gather(gather) = &mut self.phase {
            let until = now.after_us(self.timing.consensus(gather.present.len()));
            gather.listen_until = until;
            self.deadlines.consensus = self.deadlines.consensus.max(Some(until));
        }
    }

    pub(super) fn tick_gather(&mut self, now: Time) {
        if due(&mut self.deadlines.join_again, now) {
            self.send_join(now);
        }
        if due(&mut self.deadlines.consensus, now) {
            self.consensus_ran_out(now);
        }
    }

    /// Counts the silent as failed; later also those who do not agree; at last a leader that does not propose.
    fn consensus_ran_out(&mut self, now: Time) {
        let me = self.settings.me;
        self.expect_consensus(now);
        let Phase::Gather(gather) = &mut self.phase else {
            return;
        };
        gather.rounds += 1;
        let lagging = gather.not_agreed(me);
        let mut failed: Vec<Member> = lagging
            .iter()
            .copied()
            .filter(|member| !gather.heard.contains_key(member))
            .collect();
        if failed.is_empty() && gather.rounds >= 2 {
            failed = lagging;
        }
        let leader = gather.candidates().first().copied();
        if failed.is_empty() && gather.rounds >= LEADER_TRIES {
            failed.extend(leader.filter(|leader| *leader != me));
        }
        let changed = !failed.is_empty();
        gather.failed.extend(failed);
        self.tell_and_agree(now, changed);
    }
}
