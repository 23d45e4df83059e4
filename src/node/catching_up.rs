//! Catching up: a node gets from its peers what it lacks, by comparing digests with one at a time.
//!
//! After a new ring, and now and then, a node opens a stream to a member chosen at random and asks. First it
//! finds out what it lacks, then it fetches that in bounded portions, each written before the next is asked
//! for. A session that is cut short loses nothing: the next one finds what is still lacking.

use std::net::SocketAddrV4;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::Node;
use super::face::{Action, Notice, RecoverLevel, StreamAction, StreamEvent, StreamId};
use super::pulling::{Next, Pull};
use super::reconciling::{Place, Source};
use crate::bugs::{self, Bug};
use crate::replica::frames::Frame;
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
/// How many records may be on their way to the disk before more are fetched.
const UNWRITTEN_MAX: usize = 2_048;

/// One session with a peer.
#[derive(Clone, Debug)]
struct Session {
    stream: StreamId,
    peer: NodeId,
    /// The question that the peer answered, if this node lags and has to catch up with it.
    completing: Option<u64>,
    /// What it is for, if a reconciliation wants it.
    source: Option<Source>,
    pull: Pull,
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

    /// Whether a session is under way that a reconciliation waits for.
    pub(super) fn is_reconciling(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.source.is_some())
    }

    /// The next session is due now, unless one is under way.
    pub(super) fn hurry(&mut self, now: Time) {
        self.next_at = Some(now);
    }
}

impl Node {
    fn may_catch_up(&self) -> bool {
        self.config.catch_up && self.config.recover == RecoverLevel::Peers && self.leaving.is_none()
    }

    /// A new ring: its members may have what is missing here.
    pub(super) fn catch_up_soon(&mut self, now: Time) {
        if self.may_catch_up() && !bugs::on(Bug::CatchUpForgotten) {
            let wait = self.dice.random_range(0..=self.ring.timing().consensus(0));
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
            self.end_session(now, false);
        }
        if self.catching_up.session.is_none() && self.catching_up.next_at.is_some_and(|at| at <= now) {
            self.catching_up.next_at = None;
            self.begin_session(now);
        }
        self.ask_next(now);
    }

    /// Opens a stream: to what a reconciliation wants next, or to a member drawn for this pass.
    fn begin_session(&mut self, now: Time) {
        let source = self.next_source(now);
        let completing = self.completing.wanted().filter(|_| source.is_none());
        if source.is_none() && completing.is_none() && !self.may_catch_up() {
            return self.after_session(now, false);
        }
        if self.catching_up.queue.is_empty() && source.is_none() {
            self.begin_pass();
        }
        let place = match (&source, completing) {
            (Some(source), _) => Some(source.place),
            (None, Some((member, _))) => Some(Place::Member(member)),
            (None, None) => self.catching_up.queue.pop().map(Place::Member),
        };
        let address = place.and_then(|place| self.address_of(place));
        let Some((peer, address)) = address.filter(|_| self.leaving.is_none()) else {
            if let Some((_, nonce)) = completing {
                self.compared(now, nonce, false);
            }
            return self.after_session(now, false);
        };
        self.catching_up.last_stream += 2;
        let stream = StreamId(self.catching_up.last_stream);
        self.catching_up.session = Some(Session {
            stream,
            peer,
            completing: completing.map(|(_, nonce)| nonce),
            source,
            pull: Pull::default(),
            silent_until: now.after_us(SILENCE_US),
        });
        self.actions
            .push(Action::Stream(stream, StreamAction::Connect(address)));
    }

    /// Where a place accepts streams, and under which id it is known; `None` if it is known no more.
    fn address_of(&self, place: Place) -> Option<(NodeId, SocketAddrV4)> {
        match place {
            Place::Asker(id, address) => Some((id, address)),
            Place::Member(member) => {
                let peer = self.ring.peer(member)?;
                let address = SocketAddrV4::new(*peer.address.ip(), peer.stream_port);
                Some((member.id, address))
            }
        }
    }

    pub(super) fn on_catch_up_stream(&mut self, now: Time, event: StreamEvent) {
        let Some(session) = &mut self.catching_up.session else {
            return;
        };
        session.silent_until = now.after_us(SILENCE_US);
        match event {
            StreamEvent::Connected => {
                session.pull.connected();
                self.ask_next(now);
            }
            StreamEvent::Frame(bytes) => match Frame::from_bytes(bytes) {
                Ok(frame) => self.on_answer(now, frame),
                Err(refused) => {
                    *self.refused.entry(refused.reason()).or_default() += 1;
                    self.end_session(now, false);
                }
            },
            StreamEvent::Accepted { .. } | StreamEvent::Closed => self.end_session(now, false),
        }
    }

    /// The peer answered.
    fn on_answer(&mut self, now: Time, frame: Frame) {
        let Some(session) = self.catching_up.session.as_mut() else {
            return;
        };
        let came = matches!(frame, Frame::Records(_));
        let installed = self.ring.installed().map(|state| state.id);
        let (held, unheld) = (&self.held, &self.unheld);
        let brought = session.pull.answered(frame, &self.digest, |positions| {
            // What the peer has and this node neither has nor will get through the ring.
            let mut lacking = positions.difference(held);
            installed.iter().for_each(|ring| lacking.remove_ring(ring));
            unheld.values().for_each(|position| {
                lacking.remove(*position);
            });
            lacking
        });
        let Ok(brought) = brought else {
            *self.refused.entry("stream out of turn").or_default() += 1;
            return self.end_session(now, false);
        };
        if brought.unreadable > 0 {
            *self.refused.entry("unreadable record").or_default() += brought.unreadable;
        }
        let mut left_out = false;
        // The next portion is on its way while this one is taken in.
        if self.is_wanting() {
            self.ask_next_behind(now, brought.records.len());
        }
        for record in brought.records {
            if !self.ring.saw(record.position) {
                *self.refused.entry("position out of reach").or_default() += 1;
                left_out = true;
            } else if !self.will_have(record.position) {
                self.accept_record(now, record, None);
            }
        }
        brought.rooms.iter().for_each(|room| self.learn_room(room));
        if let Some(session) = self.catching_up.session.as_mut().filter(|_| left_out) {
            session.pull.leave_out();
        }
        if came {
            self.tell_progress();
        }
        self.ask_next(now);
    }

    fn tell_progress(&mut self) {
        let Some(session) = &self.catching_up.session else {
            return;
        };
        let (peer, (done, total)) = (session.peer, session.pull.progress());
        if done > 0 {
            self.notice(Notice::CatchingUp { peer, done, total });
        }
    }

    /// Whether the session has records to fetch.
    fn is_wanting(&self) -> bool {
        let session = self.catching_up.session.as_ref();
        session.is_some_and(|session| session.pull.is_wanting())
    }

    /// Asks the next question; records only while not too many are on their way to the disk.
    fn ask_next(&mut self, now: Time) {
        self.ask_next_behind(now, 0);
    }

    /// The same while so many more are about to be on their way there.
    fn ask_next_behind(&mut self, now: Time, more: usize) {
        let room = self.unheld.len() + more < UNWRITTEN_MAX;
        let Some(session) = self.catching_up.session.as_mut() else {
            return;
        };
        match session.pull.next(&self.digest, room) {
            Next::Ask(frame) => {
                session.silent_until = now.after_us(SILENCE_US);
                let stream = session.stream;
                self.send_frame(stream, &frame);
            }
            // The own disk is what it waits for, so the peer's silence is no fault.
            Next::Wait if !room => session.silent_until = now.after_us(SILENCE_US),
            Next::Wait => {}
            Next::Over => self.end_session(now, true),
        }
    }

    /// A session is over, for whatever reason.
    fn end_session(&mut self, now: Time, complete: bool) {
        let Some(session) = self.catching_up.session.take() else {
            return;
        };
        let (received, _) = session.pull.progress();
        self.sealing.close(session.stream, &mut self.actions);
        if received > 0 {
            self.notice(Notice::CaughtUp {
                peer: session.peer,
                received,
            });
        }
        if let Some(nonce) = session.completing {
            self.compared(now, nonce, complete && session.pull.is_exhaustive());
        }
        if let Some(source) = session.source {
            self.source_done(now, source, received, complete);
        }
        self.after_session(now, received > 0 || session.pull.is_wanting());
    }

    /// Whether it is asking a peer for what it lacks.
    pub fn is_catching_up(&self) -> bool {
        self.catching_up.session.is_some()
    }

    /// When the next session is due: soon while sessions find something.
    pub(super) fn after_session(&mut self, now: Time, found: bool) {
        if self.completing.wanted().is_some() {
            self.catching_up.next_at = Some(now);
            return;
        }
        if let Some(at) = self.next_source_at() {
            self.catching_up.next_at = Some(at.max(now));
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
}
