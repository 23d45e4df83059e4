//! Taking part in a reconciliation: filling the own gaps, then sorting the own replica up to the common cut.
//!
//! One round at a time. A round of another asker is taken up once the one under way is done, or its asker has
//! been silent for a while; until then its questions stay unanswered, and are asked again. The protocol stands in
//! `docs/PROTOCOL.md`, the asker's side in [`super::round`].

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::face::{Notice, Store};
use super::round::{Round, Stage};
use super::{AfterStore, Node};
use crate::replica::digest::Digest;
use crate::wire::{Body, Progress, Reconcile, ReconcileStep, Reconciled};
use crate::words::{Member, NodeId, Position, Time};

/// A round whose asker is silent for so long is given up: it asks every half second.
const ABANDONED_US: u64 = 10_000_000;
/// How often a peer whose stream breaks or is refused is tried.
const TRIES_MAX: u8 = 5;
/// The pause before it is tried again: its streams may all be taken.
const RETRY_US: u64 = 300_000;
/// How long a node that asks waits for others to answer, after the last new one.
const LOOK_US: u64 = 500_000;

/// Somebody to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Who asked, with records of its own to give.
    Asker(NodeId, SocketAddrV4),
    /// A member of the ring.
    Member(Member),
}

/// Somebody still to compare with in this round.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) place: Place,
    nonce: u64,
    tries: u8,
    due: Time,
}

/// A round that this node takes part in.
#[derive(Clone, Debug)]
struct Task {
    nonce: u64,
    /// Who asked; `None` for this node itself.
    asker: Option<SocketAddrV4>,
    heard_at: Time,
    progress: Progress,
    sources: VecDeque<Source>,
    received: u64,
    /// Everything up to here must be written before the step is done.
    until: Option<Position>,
    /// The file is being written anew.
    storing: bool,
}

/// Both roles of a node in a reconciliation.
#[derive(Clone, Debug, Default)]
pub(super) struct Reconciling {
    task: Option<Task>,
    /// What the own user asked for.
    round: Option<Round>,
    /// The own user asked once more meanwhile.
    once_more: bool,
}

impl Reconciling {
    pub(super) fn deadline(&self) -> Option<Time> {
        let task = self
            .task
            .as_ref()
            .map(|task| task.heard_at.after_us(ABANDONED_US));
        let round = self.round.as_ref().and_then(Round::deadline);
        task.into_iter().chain(round).min()
    }
}

impl Node {
    /// The user asks for a reconciliation of all live nodes.
    pub(super) fn start_reconcile(&mut self, now: Time) {
        self.reconciling.once_more = self.reconciling.round.is_some();
        if self.reconciling.round.is_none() && self.leaving.is_none() {
            let nonce = self.dice.random();
            self.reconciling.round = Some(Round::new(nonce, 0, false, LOOK_US, now));
        }
    }

    /// Somebody, or this node itself, wants a step of a reconciliation.
    pub(super) fn on_reconcile(
        &mut self,
        now: Time,
        sender: NodeId,
        asker: Option<SocketAddrV4>,
        ask: Reconcile,
    ) {
        if self.leaving.is_some() {
            return;
        }
        let known = self.reconciling.task.as_ref().map(|task| task.nonce) == Some(ask.nonce);
        match ask.step {
            ReconcileStep::Look => {}
            ReconcileStep::Fill if known => {}
            ReconcileStep::Fill if self.is_reconciling() => return,
            ReconcileStep::Fill => self.begin_filling(now, sender, asker, ask),
            ReconcileStep::Sort(cut) if known => self.begin_sorting(now, cut),
            ReconcileStep::Sort(_) => {}
        }
        if let Some(task) = self.reconciling.task.as_mut().filter(|_| known) {
            task.heard_at = now;
        }
        self.answer(now, ask.nonce, asker);
    }

    /// Whether a round is under way that another one must wait for.
    pub fn is_reconciling(&self) -> bool {
        let busy = |task: &Task| [Progress::Filling, Progress::Sorting].contains(&task.progress);
        self.reconciling.task.as_ref().is_some_and(busy)
    }

    /// Says how far this node is.
    fn answer(&mut self, now: Time, nonce: u64, asker: Option<SocketAddrV4>) {
        let task = self.reconciling.task.as_ref().filter(|task| task.nonce == nonce);
        let all = self.digest.summary(Digest::whole());
        let answer = Reconciled {
            nonce,
            progress: task.map_or(Progress::Here, |task| task.progress),
            records: all.count,
            hash: all.hash,
            received: task.map_or(0, |task| task.received),
            out_of_order: self.disorder.count(),
            high: self.held.last(),
            stream_port: self.config.stream_port,
        };
        match asker {
            Some(asker) => self.unicast(asker, &Body::Reconciled(answer)),
            None => {
                let nowhere = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, self.config.unicast_port);
                self.on_reconciled(now, self.me(), nowhere, answer);
            }
        }
    }

    /// Says how far this node is without having been asked: a step is done.
    fn answer_done(&mut self, now: Time) {
        if let Some((nonce, asker)) = self
            .reconciling
            .task
            .as_ref()
            .map(|task| (task.nonce, task.asker))
        {
            self.answer(now, nonce, asker);
        }
    }

    /// Somebody answered what this node asked.
    pub(super) fn on_reconciled(
        &mut self,
        now: Time,
        member: Member,
        from: SocketAddrV4,
        answer: Reconciled,
    ) {
        match &mut self.reconciling.round {
            Some(round) => round.heard(now, member, from, answer),
            None => *self.refused.entry("answer to nothing").or_default() += 1,
        }
    }

    fn begin_filling(&mut self, now: Time, sender: NodeId, asker: Option<SocketAddrV4>, ask: Reconcile) {
        let me = self.me();
        let members = self
            .ring
            .installed()
            .map_or(Vec::new(), |state| state.members.clone());
        let mut places: Vec<Place> = members
            .into_iter()
            .filter(|member| *member != me)
            .map(Place::Member)
            .collect();
        // Not all at once to the same one.
        places.shuffle(&mut self.dice);
        let own_records = asker.filter(|_| ask.stream_port > 0);
        let first = own_records.map(|at| Place::Asker(sender, SocketAddrV4::new(*at.ip(), ask.stream_port)));
        let source = |place| Source {
            place,
            nonce: ask.nonce,
            tries: 0,
            due: now,
        };
        self.reconciling.task = Some(Task {
            nonce: ask.nonce,
            asker,
            heard_at: now,
            progress: Progress::Filling,
            sources: first.into_iter().chain(places).map(source).collect(),
            received: 0,
            until: None,
            storing: false,
        });
        self.end_delays(now);
        self.catching_up.hurry(now);
    }

    /// Whom to compare with next, if anybody is due.
    pub(super) fn next_source(&mut self, now: Time) -> Option<Source> {
        let sources = &mut self.reconciling.task.as_mut()?.sources;
        let due = sources.front().is_some_and(|source| source.due <= now);
        if due { sources.pop_front() } else { None }
    }

    /// When the next one is due.
    pub(super) fn next_source_at(&self) -> Option<Time> {
        let sources = &self.reconciling.task.as_ref()?.sources;
        sources.front().map(|source| source.due)
    }

    /// A comparison is over.
    pub(super) fn source_done(&mut self, now: Time, source: Source, received: u64, complete: bool) {
        let task = self.reconciling.task.as_mut();
        let Some(task) = task.filter(|task| task.nonce == source.nonce) else {
            return;
        };
        task.received += received;
        if !complete && source.tries < TRIES_MAX {
            task.sources.push_back(Source {
                tries: source.tries + 1,
                due: now.after_us(RETRY_US),
                ..source
            });
        }
    }

    fn begin_sorting(&mut self, now: Time, cut: Position) {
        let Some(task) = self.reconciling.task.as_mut() else {
            return;
        };
        if task.progress == Progress::Filled {
            task.progress = Progress::Sorting;
            task.until = Some(cut);
            self.end_delays(now);
        }
    }

    pub(super) fn tick_reconciling(&mut self, now: Time) {
        let abandoned = |task: &mut Task| now.since_us(task.heard_at) >= ABANDONED_US;
        drop(self.reconciling.task.take_if(abandoned));
        match self.reconciling.task.as_ref().map(|task| task.progress) {
            Some(Progress::Filling) => self.go_on_filling(now),
            Some(Progress::Sorting) => self.go_on_sorting(now),
            Some(Progress::Here | Progress::Filled | Progress::Sorted) | None => {}
        }
        self.tick_round(now);
    }

    /// Filled is who has compared with everybody and written what had been delivered by then.
    fn go_on_filling(&mut self, now: Time) {
        let compared = self.next_source_at().is_none() && !self.catching_up.is_reconciling();
        let Some(task) = self.reconciling.task.as_mut().filter(|_| compared) else {
            return;
        };
        if task.until.is_none() {
            task.until = self.unheld.values().max().copied();
            self.end_delays(now);
        }
        if self.is_written_up_to_mark() {
            self.set_progress(Progress::Filled);
            self.answer_done(now);
        }
    }

    /// Once all up to the cut is written, the file is put in order, unless it is already.
    fn go_on_sorting(&mut self, now: Time) {
        let cut = self.reconciling.task.as_ref().filter(|task| !task.storing);
        let Some(cut) = cut
            .and_then(|task| task.until)
            .filter(|_| self.is_written_up_to_mark())
        else {
            return;
        };
        if self.disorder.count() == 0 {
            return self.sorted(now);
        }
        self.store(Store::Rewrite { cut }, Some(AfterStore::Rewritten(cut)));
        if let Some(task) = &mut self.reconciling.task {
            task.storing = true;
        }
    }

    fn is_written_up_to_mark(&self) -> bool {
        let until = self.reconciling.task.as_ref().and_then(|task| task.until);
        self.unheld.values().all(|position| Some(*position) > until)
    }

    fn set_progress(&mut self, progress: Progress) {
        if let Some(task) = &mut self.reconciling.task {
            task.progress = progress;
            task.until = None;
            task.storing = false;
        }
    }

    /// The file is written anew.
    pub(super) fn rewritten(&mut self, now: Time, cut: Position) {
        self.disorder.sorted(cut);
        let waited = |task: &Task| task.storing && task.until == Some(cut);
        if self.reconciling.task.as_ref().is_some_and(waited) {
            self.sorted(now);
        }
    }

    /// The file is in order up to the cut.
    fn sorted(&mut self, now: Time) {
        self.set_progress(Progress::Sorted);
        let records = self.held.len();
        self.notice(Notice::Reconciled { records });
        self.answer_done(now);
    }

    /// What the own user asked for goes on.
    fn tick_round(&mut self, now: Time) {
        let Some(round) = &mut self.reconciling.round else {
            return;
        };
        let ask = round.tick(now);
        match round.stage() {
            // A node that asks has no records beside those it takes part with.
            Stage::Filled => round.go_on(now),
            Stage::Over => self.end_round(now),
            Stage::Look | Stage::Fill | Stage::Sort(_) => {}
        }
        if let Some(ask) = ask {
            self.multicast(&Body::Reconcile(ask));
            self.on_reconcile(now, self.config.id, None, ask);
        }
    }

    /// Says what came of it where that is not what was asked for.
    fn end_round(&mut self, now: Time) {
        let Some(round) = self.reconciling.round.take() else {
            return;
        };
        for (member, _) in round.nodes().iter().filter(|(_, found)| found.lost) {
            let words = format!(
                "node {} stopped answering; reconcile again when it is back",
                member.id
            );
            self.notice(Notice::Warning(words));
        }
        if !round.is_equal() {
            let words = "replicas still differ: somebody talked, or holds a conflict; reconcile again when it is quiet";
            self.notice(Notice::Warning(words.into()));
        }
        if std::mem::take(&mut self.reconciling.once_more) {
            self.start_reconcile(now);
        }
    }
}
