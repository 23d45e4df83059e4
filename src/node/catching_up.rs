//! Catching up: a node gets from its peers what it lacks, by comparing digests with one at a time.
//!
//! After a new ring, and now and then, a node opens a stream to a member chosen at random and asks. First it
//! finds out what it lacks, then it fetches that in bounded portions, each written before the next is asked
//! for. A session that is cut short loses nothing: the next one finds what is still lacking.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::Node;
use super::face::{Action, Notice, RecoverLevel, StreamAction, StreamEvent, StreamId};
use crate::replica::digest::{Digest, Range, Summary};
use crate::replica::frames::{Frame, first_intervals};
use crate::replica::{Content, PositionSet, Record};
use crate::wire::Body;
use crate::words::{Member, NodeId, Time};

/// Members compared with after a new ring; in larger rings a part of them, drawn anew each time.
const PEERS_MAX: usize = 8;
/// Passes over the members after a new ring; what others were still writing in the first is found in the next.
const PASSES: u32 = 2;
/// The pause between two passes, beside the longest delay.
const PASS_PAUSE_US: u64 = 1_000_000;
/// Microseconds between sessions when all is quiet.
const QUIET_US: u64 = 60_000_000;
/// A session without an answer for this long is given up.
const SILENCE_US: u64 = 5_000_000;
/// How many ranges may wait to be compared.
const RANGES_MAX: usize = 4_096;
/// How many records may be on their way to the disk before more are fetched.
const UNWRITTEN_MAX: usize = 2_048;

/// One session with a peer.
#[derive(Clone, Debug)]
struct Session {
    stream: StreamId,
    peer: NodeId,
    /// Ranges still to be compared.
    todo: Vec<Range>,
    /// What the peer has and this node lacks.
    wanted: PositionSet,
    received: u64,
    total: u64,
    /// A question is under way.
    asked: bool,
    silent_until: Time,
}

/// Catching up, over all sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct CatchingUp {
    session: Option<Session>,
    last_stream: u64,
    next_at: Option<Time>,
    /// Members still to be compared with in this pass, in random order.
    queue: Vec<Member>,
    /// Passes to come.
    passes: u32,
    /// This pass found something.
    found: bool,
    /// Members that this node is still to compare with before it rewrites its replica.
    reconciling: Option<Vec<Member>>,
    last_nonce: Option<u64>,
}

impl CatchingUp {
    pub(super) fn is_on(&self, stream: StreamId) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.stream == stream)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.session {
            Some(session) => Some(session.silent_until),
            None => self.next_at,
        }
    }
}

impl Node {
    fn may_catch_up(&self) -> bool {
        self.config.catch_up && self.config.recover == RecoverLevel::Peers && self.leaving.is_none()
    }

    /// A new ring: its members may have what is missing here.
    pub(super) fn catch_up_soon(&mut self, now: Time) {
        if self.may_catch_up() {
            let wait = self.dice.random_range(0..=self.ring.timing().consensus());
            self.catching_up.passes = PASSES;
            self.begin_pass();
            self.catching_up.next_at = Some(now.after_us(wait));
        }
    }

    /// Draws the members to compare with.
    fn begin_pass(&mut self) {
        let me = self.me();
        let members = self
            .ring
            .installed()
            .map_or(Vec::new(), |state| state.members.clone());
        let mut others: Vec<Member> = members.into_iter().filter(|member| *member != me).collect();
        others.shuffle(&mut self.dice);
        others.truncate(PEERS_MAX);
        self.catching_up.queue = others;
        self.catching_up.found = false;
        self.catching_up.passes = self.catching_up.passes.saturating_sub(1);
    }

    pub(super) fn tick_catching_up(&mut self, now: Time) {
        if self
            .catching_up
            .session
            .as_ref()
            .is_some_and(|session| session.silent_until <= now)
        {
            self.end_session(now);
        }
        if self.catching_up.session.is_none() && self.catching_up.next_at.is_some_and(|at| at <= now) {
            self.catching_up.next_at = None;
            self.begin_session(now);
        }
        self.fetch_more(now);
        self.rewrite_if_reconciled(now);
    }

    /// Opens a stream to a member: the next one to reconcile with, or one at random.
    fn begin_session(&mut self, now: Time) {
        if self.catching_up.queue.is_empty() && self.catching_up.reconciling.is_none() {
            self.begin_pass();
        }
        let chosen = match &mut self.catching_up.reconciling {
            Some(members) => members.pop(),
            None => self.catching_up.queue.pop(),
        };
        let peer = chosen.and_then(|member| Some((member.id, self.ring.peer(member)?.clone())));
        let Some((id, peer)) = peer.filter(|_| self.leaving.is_none()) else {
            return self.after_session(now, false);
        };
        self.catching_up.last_stream += 2;
        let stream = StreamId(self.catching_up.last_stream);
        let session = Session {
            stream,
            peer: id,
            todo: vec![Digest::whole()],
            wanted: PositionSet::new(),
            received: 0,
            total: 0,
            asked: true,
            silent_until: now.after_us(SILENCE_US),
        };
        self.catching_up.session = Some(session);
        let address = std::net::SocketAddrV4::new(*peer.address.ip(), peer.stream_port);
        self.actions
            .push(Action::Stream(stream, StreamAction::Connect(address)));
    }

    pub(super) fn on_catch_up_stream(&mut self, now: Time, event: StreamEvent) {
        let Some(session) = &mut self.catching_up.session else {
            return;
        };
        session.silent_until = now.after_us(SILENCE_US);
        match event {
            StreamEvent::Connected => {
                session.asked = false;
                self.ask_next(now);
            }
            StreamEvent::Frame(bytes) => match Frame::from_bytes(bytes) {
                Ok(frame) => self.on_answer(now, frame),
                Err(refused) => {
                    *self.refused.entry(refused.reason()).or_default() += 1;
                    self.end_session(now);
                }
            },
            StreamEvent::Accepted { .. } | StreamEvent::Closed => self.end_session(now),
        }
    }

    /// The peer answered.
    fn on_answer(&mut self, now: Time, frame: Frame) {
        let Some(session) = self.catching_up.session.as_mut().filter(|session| session.asked) else {
            return self.end_session(now);
        };
        session.asked = false;
        match frame {
            Frame::Same => {}
            Frame::Has(positions) => self.want(&positions),
            Frame::Parts(parts) => self.compare_parts(parts),
            Frame::Records(lines) => {
                if lines.is_empty() {
                    session.wanted = PositionSet::new();
                }
                lines.iter().for_each(|line| self.take_line(now, line));
                self.tell_progress();
            }
            Frame::Compare(..) | Frame::Fetch(_) => return self.end_session(now),
        }
        self.ask_next(now);
    }

    /// What the peer has and this node neither has nor will get through the ring.
    fn want(&mut self, positions: &PositionSet) {
        let mut lacking = positions.difference(&self.held);
        if let Some(state) = self.ring.installed() {
            lacking.remove_ring(&state.id);
        }
        for position in self.unheld.values() {
            lacking.remove(*position);
        }
        let Some(session) = &mut self.catching_up.session else {
            return;
        };
        session.wanted.union_with(&lacking);
        session.total = session.received + session.wanted.len();
    }

    fn compare_parts(&mut self, parts: Vec<(Range, Summary)>) {
        let Some(session) = &mut self.catching_up.session else {
            return;
        };
        for (range, theirs) in parts {
            let differs = self.digest.summary(range) != theirs && theirs.count > 0;
            if differs && session.todo.len() < RANGES_MAX {
                session.todo.push(range);
            }
        }
    }

    /// A record came from the peer.
    fn take_line(&mut self, now: Time, line: &[u8]) {
        let Ok(record) = Record::parse(line) else {
            *self.refused.entry("unreadable record").or_default() += 1;
            return;
        };
        let sound = Content::from_bytes(&record.content).is_ok();
        let Some(session) = &mut self.catching_up.session else {
            return;
        };
        if !session.wanted.remove(record.position) || !sound {
            return;
        }
        session.received += 1;
        self.ring.saw(record.position);
        if !self.will_have(record.position) {
            self.accept_record(now, record, None);
        }
    }

    fn tell_progress(&mut self) {
        let Some(session) = &self.catching_up.session else {
            return;
        };
        let (peer, done, total) = (session.peer, session.received, session.total);
        if done > 0 {
            self.notice(Notice::CatchingUp { peer, done, total });
        }
    }

    /// Asks the next question: first all comparisons, then the records.
    fn ask_next(&mut self, now: Time) {
        let Some(session) = self.catching_up.session.as_mut().filter(|session| !session.asked) else {
            return;
        };
        if let Some(range) = session.todo.pop() {
            session.asked = true;
            let (stream, summary) = (session.stream, self.digest.summary(range));
            self.send_frame(stream, &Frame::Compare(range, summary));
        } else if session.wanted.is_empty() {
            self.end_session(now);
        } else {
            self.fetch_more(now);
        }
    }

    /// Fetches the next portion, if the last one is written.
    fn fetch_more(&mut self, now: Time) {
        let room = self.unheld.len() < UNWRITTEN_MAX;
        let Some(session) = self.catching_up.session.as_mut().filter(|session| !session.asked) else {
            return;
        };
        session.silent_until = session.silent_until.max(now.after_us(1));
        if room && session.todo.is_empty() && !session.wanted.is_empty() {
            session.asked = true;
            session.silent_until = now.after_us(SILENCE_US);
            let (stream, wanted) = (session.stream, first_intervals(&session.wanted));
            self.send_frame(stream, &Frame::Fetch(wanted));
        }
    }

    /// A session is over, for whatever reason.
    fn end_session(&mut self, now: Time) {
        let Some(session) = self.catching_up.session.take() else {
            return;
        };
        self.actions
            .push(Action::Stream(session.stream, StreamAction::Close));
        if session.received > 0 {
            self.notice(Notice::CaughtUp {
                peer: session.peer,
                received: session.received,
            });
        }
        self.after_session(now, session.received > 0 || !session.wanted.is_empty());
    }

    /// When the next session is due: soon while sessions find something.
    fn after_session(&mut self, now: Time, found: bool) {
        if self.catching_up.reconciling.is_some() {
            self.catching_up.next_at = None;
            if self
                .catching_up
                .reconciling
                .as_ref()
                .is_some_and(|members| !members.is_empty())
            {
                self.catching_up.next_at = Some(now);
            }
            return;
        }
        self.catching_up.found |= found;
        let quiet = QUIET_US / 2 + self.dice.random_range(0..=QUIET_US);
        let pass_over = self.catching_up.queue.is_empty();
        let wait = match (pass_over, self.catching_up.passes, self.catching_up.found) {
            (false, ..) => 0,
            (true, 0, false) => quiet,
            (true, ..) => PASS_PAUSE_US + self.config.delay_max_us,
        };
        let alone = self.ring.installed().is_none_or(|state| state.alone());
        self.catching_up.next_at = (!alone && self.may_catch_up()).then(|| now.after_us(wait));
    }

    /// The user asks for a reconciliation: everybody is told.
    pub(super) fn start_reconcile(&mut self, now: Time) {
        let nonce = self.dice.random();
        self.multicast(&Body::Reconcile { nonce });
        self.on_reconcile(now, nonce);
    }

    /// Gets what is missing from every member, then puts the own replica in canonical order.
    pub(super) fn on_reconcile(&mut self, now: Time, nonce: u64) {
        if self.catching_up.last_nonce == Some(nonce) || self.leaving.is_some() {
            return;
        }
        self.catching_up.last_nonce = Some(nonce);
        let me = self.me();
        let members = self
            .ring
            .installed()
            .map_or(Vec::new(), |state| state.members.clone());
        self.end_delays(now);
        self.catching_up.reconciling = Some(members.into_iter().filter(|member| *member != me).collect());
        self.catching_up.next_at = Some(now);
    }

    /// All members were compared with, and what came is written: the replica is rewritten up to here.
    fn rewrite_if_reconciled(&mut self, _now: Time) {
        let compared = self.catching_up.reconciling.as_ref().is_some_and(Vec::is_empty);
        if !compared || self.catching_up.session.is_some() || !self.unheld.is_empty() {
            return;
        }
        self.catching_up.reconciling = None;
        if let Some(cut) = self.held.last() {
            self.store(
                super::face::Store::Rewrite { cut },
                Some(super::AfterStore::Rewritten),
            );
        } else {
            self.notice(Notice::Reconciled { records: 0 });
        }
    }
}
