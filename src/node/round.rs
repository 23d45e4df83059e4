//! A reconciliation as its asker sees it: who is there, how far they are, and what they are asked next.
//!
//! A round: *look* who answers; have all *fill* their gaps; then have all *sort* up to a common cut. The cut is the
//! lowest of the highest positions that the nodes hold when all are filled. Each of them holds, or has been
//! delivered, all there is up to it, so what lies at or below the cut is the same everywhere; what is said
//! meanwhile lies above and stays as it came. If the replicas still differ a moment later, because somebody
//! talked, another round follows, up to a bound.
//!
//! No I/O: a node whose user types `/reconcile` carries out a round just as the reconciler does. Everything that
//! answers is counted in, up to a bound; who stops answering is lost, and the others go on.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use crate::wire::{Progress, Reconcile, ReconcileStep, Reconciled};
use crate::words::{Member, Position, Time};

/// The most nodes in one reconciliation.
const NODES_MAX: usize = crate::wire::MEMBERS_MAX;
/// How often a question is repeated.
const REPEAT_US: u64 = 400_000;
/// Who has not answered for so long, though asked a dozen times, is lost.
const SILENCE_US: u64 = 5_000_000;
/// Who answers and gets no further for so long is lost too.
const STUCK_US: u64 = 60_000_000;
/// How long replicas may differ after they were sorted, before another round is tried.
const SETTLE_US: u64 = 1_000_000;
/// Rounds in one reconciliation: while people talk, replicas never come to rest.
const ROUNDS_MAX: u32 = 3;

/// What a reconciliation is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for nodes to answer at all.
    Look,
    /// Nodes fill their gaps.
    Fill,
    /// All have: the asker may do its own work now, and then says [`Round::go_on`].
    Filled,
    /// Nodes sort up to the cut.
    Sort(Position),
    /// Done.
    Over,
}

/// A node that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it answered from.
    pub address: SocketAddrV4,
    /// What it said first.
    pub first: Reconciled,
    /// What it said last.
    pub last: Reconciled,
    /// What it got in earlier rounds.
    received_before: u64,
    /// It stopped answering, or got no further.
    pub lost: bool,
    heard_at: Time,
    moved_at: Time,
}

impl Found {
    /// How many records it got.
    pub fn received(&self) -> u64 {
        self.received_before.saturating_add(self.last.received)
    }
}

/// A reconciliation on its way.
#[derive(Clone, Debug)]
pub struct Round {
    nonce: u64,
    stream_port: u16,
    /// Only look.
    check: bool,
    wait_us: u64,
    stage: Stage,
    rounds: u32,
    nodes: BTreeMap<Member, Found>,
    /// When looking ends.
    look_until: Time,
    repeat_at: Time,
    /// When all were sorted for the first time in this round.
    sorted_at: Option<Time>,
}

impl Round {
    /// Begins to look. `wait_us` is how long nothing new must be heard before looking ends.
    pub fn new(nonce: u64, stream_port: u16, check: bool, wait_us: u64, now: Time) -> Round {
        Round {
            nonce,
            stream_port,
            check,
            wait_us,
            stage: Stage::Look,
            rounds: 1,
            nodes: BTreeMap::new(),
            look_until: now.after_us(wait_us),
            repeat_at: now,
            sorted_at: None,
        }
    }

    /// What it is at.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Who answered so far.
    pub fn nodes(&self) -> &BTreeMap<Member, Found> {
        &self.nodes
    }

    /// When [`Round::tick`] is due.
    pub fn deadline(&self) -> Option<Time> {
        match self.stage {
            Stage::Look => Some(self.repeat_at.min(self.look_until)),
            Stage::Fill | Stage::Filled | Stage::Sort(_) => Some(self.repeat_at),
            Stage::Over => None,
        }
    }

    /// Somebody answered.
    pub fn heard(&mut self, now: Time, member: Member, address: SocketAddrV4, answer: Reconciled) {
        let newer = |other: &Member| other.id == member.id && other.incarnation > member.incarnation;
        if answer.nonce != self.nonce || self.stage == Stage::Over || self.nodes.keys().any(newer) {
            return;
        }
        if let Some(found) = self.nodes.get_mut(&member) {
            let moved = found.last.progress != answer.progress || found.last.records != answer.records;
            if moved || found.last.received != answer.received {
                found.moved_at = now;
            }
            found.heard_at = now;
            found.lost = false;
            found.address = address;
            found.last = answer;
            return;
        }
        // A node that started again is not counted twice.
        self.nodes.retain(|other, _| other.id != member.id);
        if self.nodes.len() < NODES_MAX {
            self.look_until = now.after_us(self.wait_us);
            let found = Found {
                address,
                first: answer,
                last: answer,
                received_before: 0,
                lost: false,
                heard_at: now,
                moved_at: now,
            };
            self.nodes.insert(member, found);
        }
    }

    /// The asker's own work of this round is done.
    pub fn go_on(&mut self, now: Time) {
        assert_eq!(self.stage, Stage::Filled, "only what waits goes on");
        let highest = self.taking_part().map(|found| found.last.high);
        self.stage = match highest.flatten().min() {
            Some(cut) => Stage::Sort(cut),
            None => Stage::Over,
        };
        self.sorted_at = None;
        self.repeat_at = now;
    }

    /// Time passed or something was heard: what is to be asked now, of all.
    pub fn tick(&mut self, now: Time) -> Option<Reconcile> {
        self.lose_the_silent(now);
        self.advance(now);
        if self.stage == Stage::Over || self.repeat_at > now {
            return None;
        }
        self.repeat_at = now.after_us(REPEAT_US);
        let step = match self.stage {
            Stage::Look => ReconcileStep::Look,
            // Asked on while the asker works, so that nobody takes it for gone.
            Stage::Fill | Stage::Filled | Stage::Over => ReconcileStep::Fill,
            Stage::Sort(cut) => ReconcileStep::Sort(cut),
        };
        Some(Reconcile {
            nonce: self.nonce,
            step,
            stream_port: self.stream_port,
        })
    }

    /// Whether all that take part hold the same, each in order.
    pub fn is_equal(&self) -> bool {
        let same = |found: &Found| (found.last.records, found.last.hash);
        let first = self.taking_part().next().map(same);
        self.taking_part()
            .all(|found| Some(same(found)) == first && found.last.out_of_order == 0)
    }

    fn taking_part(&self) -> impl Iterator<Item = &Found> {
        self.nodes.values().filter(|found| !found.lost)
    }

    fn lose_the_silent(&mut self, now: Time) {
        for found in self.nodes.values_mut() {
            let silent = now.since_us(found.heard_at) >= SILENCE_US;
            let works = [Progress::Here, Progress::Filling, Progress::Sorting].contains(&found.last.progress);
            let stuck = works && now.since_us(found.moved_at) >= STUCK_US;
            found.lost |= self.stage != Stage::Look && (silent || stuck);
        }
    }

    fn advance(&mut self, now: Time) {
        match self.stage {
            Stage::Look if self.look_until > now => {}
            Stage::Look if self.check || self.nodes.is_empty() => self.stage = Stage::Over,
            Stage::Look => {
                self.stage = Stage::Fill;
                self.repeat_at = now;
                let nodes = self.nodes.values_mut();
                nodes.for_each(|found| (found.heard_at, found.moved_at) = (now, now));
            }
            Stage::Fill => {
                let is_filled = |found: &Found| found.last.progress == Progress::Filled;
                if self.taking_part().all(is_filled) {
                    self.stage = Stage::Filled;
                }
            }
            Stage::Sort(_) => self.advance_sorting(now),
            Stage::Filled | Stage::Over => {}
        }
    }

    fn advance_sorting(&mut self, now: Time) {
        let again = self
            .taking_part()
            .any(|found| found.last.progress == Progress::Here);
        if again {
            // Somebody came in the meantime, who has not filled its gaps.
            return self.next_round(now);
        }
        if self
            .taking_part()
            .any(|found| found.last.progress != Progress::Sorted)
        {
            return;
        }
        let sorted_at = *self.sorted_at.get_or_insert(now);
        if self.is_equal() {
            self.stage = Stage::Over;
        } else if now.since_us(sorted_at) >= SETTLE_US {
            self.next_round(now);
        }
    }

    fn next_round(&mut self, now: Time) {
        if self.rounds == ROUNDS_MAX {
            self.stage = Stage::Over;
            return;
        }
        self.rounds += 1;
        self.nonce = self.nonce.wrapping_add(1);
        self.stage = Stage::Fill;
        self.repeat_at = now;
        for found in self.nodes.values_mut() {
            found.received_before = found.received();
            found.last.received = 0;
            found.last.progress = Progress::Here;
            (found.heard_at, found.moved_at) = (now, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Epoch, Incarnation, NodeId, RingId, Seq};

    fn member(id: u16) -> Member {
        Member {
            id: NodeId(id),
            incarnation: Incarnation(1),
        }
    }

    fn address() -> SocketAddrV4 {
        "127.0.0.1:9".parse().unwrap()
    }

    fn answer(nonce: u64, progress: Progress, records: u64) -> Reconciled {
        let ring = RingId {
            epoch: Epoch(1),
            leader: member(1),
        };
        let seq = Seq(records);
        Reconciled {
            nonce,
            progress,
            records,
            hash: records,
            received: 0,
            out_of_order: 0,
            high: (records > 0).then_some(Position { ring, seq }),
            stream_port: 1,
        }
    }

    fn at(ms: u64) -> Time {
        Time(ms * 1_000)
    }

    fn looked(check: bool) -> Round {
        let mut round = Round::new(7, 0, check, 1_000_000, at(0));
        assert_eq!(round.tick(at(0)).unwrap().step, ReconcileStep::Look);
        for id in [1, 2] {
            round.heard(at(500), member(id), address(), answer(7, Progress::Here, 5));
        }
        round.tick(at(1_000));
        assert_eq!(round.stage(), Stage::Look, "a second after the last new answer");
        round
    }

    #[test]
    fn nobody_there_ends_it_and_a_check_only_looks() {
        let mut round = Round::new(7, 0, false, 1_000_000, at(0));
        round.tick(at(1_000));
        assert_eq!((round.stage(), round.deadline()), (Stage::Over, None));
        let mut round = looked(true);
        assert_eq!(round.tick(at(1_500)), None);
        assert_eq!((round.stage(), round.nodes().len()), (Stage::Over, 2));
    }

    #[test]
    fn all_fill_then_all_sort_up_to_the_lowest_of_their_highest() {
        let mut round = looked(false);
        assert_eq!(round.tick(at(1_500)).unwrap().step, ReconcileStep::Fill);
        round.heard(at(1_600), member(1), address(), answer(7, Progress::Filled, 9));
        round.heard(at(1_600), member(2), address(), answer(6, Progress::Filled, 9));
        round.tick(at(1_600));
        assert_eq!(
            round.stage(),
            Stage::Fill,
            "an answer to another round counts nothing"
        );
        round.heard(at(1_700), member(2), address(), answer(7, Progress::Filled, 8));
        round.tick(at(1_700));
        assert_eq!(round.stage(), Stage::Filled);
        round.go_on(at(1_800));
        let step = round.tick(at(1_800)).unwrap().step;
        assert!(
            matches!(step, ReconcileStep::Sort(cut) if cut.seq == Seq(8)),
            "{step:?}"
        );
        for id in [1, 2] {
            round.heard(at(1_900), member(id), address(), answer(7, Progress::Sorted, 9));
        }
        round.tick(at(1_900));
        assert_eq!(round.stage(), Stage::Over);
        assert!(round.is_equal());
    }

    #[test]
    fn what_still_differs_is_tried_again_a_few_times() {
        let mut round = looked(false);
        let (mut now, mut nonce, mut rounds) = (1_500, 7, 0);
        while round.stage() != Stage::Over {
            for (id, records) in [(1, 5), (2, 6)] {
                for progress in [Progress::Filled, Progress::Sorted] {
                    let fits = matches!(round.stage(), Stage::Sort(_)) == (progress == Progress::Sorted);
                    let told = answer(nonce, progress, records);
                    fits.then(|| round.heard(at(now), member(id), address(), told));
                }
            }
            nonce = round.tick(at(now)).map_or(nonce, |ask| ask.nonce);
            if round.stage() == Stage::Filled {
                round.go_on(at(now));
                rounds += 1;
            }
            now += 100;
            assert!(now < 60_000, "it ends: {round:?}");
        }
        assert_eq!(rounds, ROUNDS_MAX);
        assert!(!round.is_equal());
    }

    #[test]
    fn who_falls_silent_is_lost_and_the_others_go_on() {
        let mut round = looked(false);
        round.tick(at(1_500));
        round.heard(at(6_000), member(1), address(), answer(7, Progress::Filled, 5));
        round.tick(at(6_499));
        assert_eq!(round.stage(), Stage::Fill);
        round.tick(at(6_500));
        assert_eq!(round.stage(), Stage::Filled);
        assert!(round.nodes()[&member(2)].lost && !round.nodes()[&member(1)].lost);
    }

    #[test]
    fn a_flood_of_forged_answers_is_bounded() {
        let mut round = Round::new(7, 0, true, 1_000_000, at(0));
        for id in 1..5_000 {
            round.heard(at(1), member(id), address(), answer(7, Progress::Here, 1));
        }
        assert_eq!(round.nodes().len(), NODES_MAX);
    }
}
