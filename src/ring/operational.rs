//! Operational: the token goes round; who holds it stamps and sends.
//!
//! A visit of the token: learn what it says, answer what others lack, stamp and send what waits here within the
//! shared window, say what I have and lack, hand it on, and only then deliver. The token rests where nothing is
//! left to do, and a request wakes it.

use super::packing::Packing;
use super::state::{Holding, RingState};
use super::{Offer, Output, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Chunk, Data, HEADER_BYTES, Token};
use crate::words::{Hop, Member, Position, Time};

/// Datagrams of new messages that may be under way in the whole ring within one rotation.
const WINDOW_DATAGRAMS: usize = 384;
/// Datagrams one member may send in one visit; one long message may exceed it.
const VISIT_DATAGRAMS: usize = 128;
/// Numbers that may be assigned and not yet received by all.
const UNSTABLE_MAX: u64 = 8_192;

impl Ring {
    /// The ring whose token may come: the installed one, or the one being recovered into.
    pub(super) fn current_mut(&mut self) -> Option<&mut RingState> {
        match &mut self.phase {
            Phase::Recover(recovering) => Some(&mut recovering.state),
            Phase::Operational => self.installed.as_mut(),
            Phase::Gather(_) | Phase::Commit(_) => None,
        }
    }

    /// The same, to look at.
    pub(super) fn current(&self) -> Option<&RingState> {
        match &self.phase {
            Phase::Recover(recovering) => Some(&recovering.state),
            Phase::Operational => self.installed.as_ref(),
            Phase::Gather(_) | Phase::Commit(_) => None,
        }
    }

    /// The token arrived.
    pub(super) fn on_token(&mut self, now: Time, sender: Member, token: Token) {
        let no_fencing = bugs::on(Bug::NoFencing);
        let Some(state) = self
            .current_mut()
            .filter(|state| state.id == token.ring || no_fencing)
        else {
            self.refuse_token(sender, &token);
            return;
        };
        let received_up_to = state.buffer.received_up_to();
        let sound = token.rows.len() == state.members.len()
            && state.index_of(sender).is_some()
            && token.high.0 <= received_up_to.0 + super::buffer::SPAN_MAX
            && token.high >= received_up_to
            && token.hop.0 <= state.hop.0 + super::JUMP_MAX
            && token
                .rows
                .iter()
                .all(|row| row.received_up_to <= token.high && row.held_up_to <= token.high);
        if token.hop <= state.hop && !bugs::on(Bug::HopNotChecked) {
            return;
        }
        if !sound {
            self.counters.senseless += 1;
            return;
        }
        state.hop = token.hop;
        state.seen_hop = state.seen_hop.max(token.hop);
        state.progress = now;
        state.seen_at = state.me;
        state.passed = None;
        state.sent_in_visit = 0;
        state.learn(&token.rows);
        if !bugs::on(Bug::HighNotLearned) {
            state.high = state.high.max(token.high);
        }
        state.due = std::mem::replace(&mut state.token_high, token.high);
        state.lacking.clone_from(&token.lacking);
        let (high, me) = (state.high, state.me);
        state.rows[me].waiting_since = Hop(0);
        let asked_at = self.deadlines.request_again.map(|_| self.requested_at);
        let timeout = self.timing.token_timeout();
        let state = self.current_mut().expect("the ring is still current");
        state.holding = Some(Holding {
            token,
            stale_after: now.after_us(timeout),
            resting: false,
        });
        self.high = self.high.max(high);
        self.timing.visited(now, asked_at);
        self.deadlines.token_again = None;
        self.deadlines.request_again = None;
        self.deadlines.commit_again = None;
        self.deadlines.loss = None;
        self.watch_token();
        self.visit(now);
        self.out.push(Output::RowsChanged);
        if self.is_operational() {
            if self.settings.accelerated {
                // Of what is missing, more is due by now.
                self.deadlines.nack_again = None;
            }
            self.ask_for_missing(now, sender);
        }
    }

    /// A token of another ring: fenced if that ring is over.
    fn refuse_token(&mut self, sender: Member, token: &Token) {
        if token.ring.epoch <= self.epoch {
            self.counters.fenced += 1;
        } else {
            self.counters.foreign += 1;
        }
        let over = self.installed.as_ref().filter(|state| token.ring < state.id);
        let known = |state: &RingState| state.index_of(sender).is_some() || self.was_in(sender, token.ring);
        if over.is_some_and(known) {
            self.out.push(Output::Fenced(sender.id, token.ring));
        }
    }

    /// The token is here: does all that a visit does, as far as it can by now.
    pub(super) fn visit(&mut self, now: Time) {
        let recovered = self.has_recovered();
        if let Phase::Recover(recovering) = &mut self.phase {
            recovering.note_progress(now, recovered);
            if !recovering.state.rows.iter().all(|row| row.recovered) {
                self.go_on(now);
                return;
            }
            self.install(now);
        }
        self.establish(now, false);
        let Some(state) = &mut self.installed else { return };
        let Some(holding) = &state.holding else { return };
        let first_time = !holding.resting;
        let mut lacking = std::mem::take(&mut state.lacking);
        self.answer_lacking(&mut lacking);
        self.fold_requests();
        let state = self.installed.as_mut().expect("the ring was there");
        state.lacking = lacking;
        // Known waiters are served before this node speaks again.
        if first_time || !state.rows.iter().any(|row| row.waiting_since > Hop(0)) {
            self.stamp(now);
        }
        self.raise_own_row();
        if first_time {
            self.count_settled_visit();
        }
        self.go_on(now);
        assert!(
            self.held_back.is_empty(),
            "what was stamped in a visit leaves in it"
        );
        self.deliver_ready();
        self.settle(now);
    }

    /// Counts visits that found everything held by all: only then does everybody know it.
    fn count_settled_visit(&mut self) {
        let Some(state) = &mut self.installed else { return };
        let settled = state.held_by_all() >= state.high;
        state.settled_visits = if settled {
            state.settled_visits.saturating_add(1)
        } else {
            0
        };
        let sum = state
            .rows
            .iter()
            .map(|row| row.received_up_to.0 + row.held_up_to.0)
            .sum::<u64>()
            + state.high.0;
        state.unchanged = state.last_sum == sum;
        state.last_sum = sum;
    }

    /// Stamps and sends what waits here, within the window.
    pub(super) fn stamp(&mut self, now: Time) {
        let holding = self.installed.as_ref().and_then(|state| state.holding.as_ref());
        let fresh = holding
            .is_some_and(|holding| now <= holding.stale_after || bugs::on(Bug::StalenessIgnored))
            || bugs::on(Bug::StampedWithoutToken);
        if !fresh || !self.may_grant() || (self.queue.is_empty() && self.hold_us.is_none()) {
            return;
        }
        let state = self
            .installed
            .as_mut()
            .expect("the token of the installed ring is here");
        assert!(
            state.holding.is_some() || bugs::on(Bug::StampedWithoutToken),
            "only the holder stamps"
        );
        if !state.granted {
            state.granted = true;
            self.out.push(Output::Granted(state.id, state.hop));
        }
        let datagrams = self.take_queue();
        let state = self.installed.as_mut().expect("the ring was there");
        let (ring, hop) = (state.id, state.hop);
        state.progress = now;
        state.sent_in_visit = state.sent_in_visit.saturating_add(datagrams.len() as u16);
        // One datagram alone has nobody to make room for.
        let after_token = self.settings.accelerated && datagrams.len() > 1;
        for chunks in datagrams {
            let body = Body::Data(Data { ring, hop, chunks });
            if after_token {
                self.held_back.push(body);
            } else {
                self.multicast(body);
            }
        }
    }

    /// Sends what was kept back until the token had left, or stays.
    pub(super) fn send_held_back(&mut self) {
        for body in std::mem::take(&mut self.held_back) {
            self.multicast(body);
        }
    }

    /// Takes as many messages off the queue as the window allows, gives them their numbers, and puts them into datagrams.
    fn take_queue(&mut self) -> Vec<Vec<Chunk>> {
        let state = self
            .installed
            .as_ref()
            .expect("the token of the installed ring is here");
        let others: usize = state
            .rows
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != state.me)
            .map(|(_, row)| usize::from(row.sent))
            .sum();
        let busy = state.busy_members();
        let window = WINDOW_DATAGRAMS.saturating_sub(others).min(VISIT_DATAGRAMS);
        let window = window.min(WINDOW_DATAGRAMS / busy);
        // Where others speak too, each leaves them numbers.
        let visit_ends = match (&state.holding, busy) {
            (Some(holding), 2..) => holding.token.high.0 + UNSTABLE_MAX / busy as u64,
            (Some(_) | None, _) => u64::MAX,
        };
        let mut left = (window * self.settings.payload_max)
            .saturating_sub(usize::from(state.sent_in_visit) * self.settings.payload_max);
        let first = state.sent_in_visit == 0;
        let received_by_all = state.received_by_all();
        let mut packing = Packing::new(self.settings.payload_max - HEADER_BYTES - Data::OVERHEAD_BYTES);
        while let Some(offer) = self.queue.front() {
            let cost = offer.content.len() + Chunk::OVERHEAD_BYTES_MAX;
            let high = self.installed.as_ref().expect("the ring was there").high;
            let unstable = high.0 - received_by_all.0.min(high.0);
            let fits = cost <= left || (packing.is_empty() && first);
            if !fits || unstable >= UNSTABLE_MAX || high.0 >= visit_ends {
                break;
            }
            left = left.saturating_sub(cost);
            let offer = self.queue.pop_front().expect("it is at the front");
            self.number(offer, &mut packing);
        }
        packing.into_datagrams()
    }

    /// Gives a message its numbers, one for each of its parts.
    fn number(&mut self, offer: Offer, packing: &mut Packing) {
        let state = self
            .installed
            .as_mut()
            .expect("the token of the installed ring is here");
        let cuts = packing.cuts(offer.id, offer.content.len());
        let mut from = 0;
        for (fragment, end) in cuts.iter().enumerate() {
            state.high = state.high.next();
            let chunk = Chunk {
                seq: state.high,
                id: offer.id,
                fragment: fragment as u16,
                fragments: cuts.len() as u16,
                bytes: offer.content.slice(from..*end),
            };
            from = *end;
            let fresh = state.buffer.insert(chunk.clone());
            assert!(fresh, "a number is assigned once: {}", chunk.seq);
            if self.settings.quorum > 0 {
                let (ring, seq) = (state.id, chunk.seq);
                self.unaccepted.insert(Position { ring, seq });
                self.out.push(Output::Accept(state.id, chunk.clone()));
            }
            packing.add(chunk);
        }
        let position = Position {
            ring: state.id,
            seq: state.high,
        };
        self.high = self.high.max(state.high);
        self.out.push(Output::Stamped(offer.id, position, state.hop));
    }

    /// Notes on the token who asked for it since its last visit there.
    pub(super) fn fold_requests(&mut self) {
        let Some(state) = self.installed.as_mut().filter(|state| state.holding.is_some()) else {
            return;
        };
        let hop = state.hop;
        for (index, asked_at) in std::mem::take(&mut state.requests) {
            let row = &mut state.rows[index];
            if index != state.me && asked_at >= row.visited && row.waiting_since == Hop(0) {
                row.waiting_since = hop;
            }
        }
    }

    /// Says on the own row what is received and held here by now.
    pub(super) fn raise_own_row(&mut self) {
        let Some(state) = &self.installed else { return };
        let (received, held) = (state.buffer.received_up_to(), self.held_up_to(state));
        let state = self.installed.as_mut().expect("the ring was there");
        let hop = state.hop;
        let row = &mut state.rows[state.me];
        row.received_up_to = row.received_up_to.max(received);
        row.held_up_to = row.held_up_to.max(held.min(received));
        row.visited = hop;
        row.recovered = true;
        state.forget_stable();
    }

    /// Received or written numbers changed here: they may be told at once if the token rests here.
    pub(super) fn settle(&mut self, now: Time) {
        let Some(state) = self.installed.as_ref().filter(|_| self.is_operational()) else {
            return;
        };
        let Some(holding) = &state.holding else { return };
        if !holding.resting {
            return;
        }
        let before = state.rows[state.me];
        let was_received = state.received_by_all() >= state.high;
        self.raise_own_row();
        let state = self.installed.as_ref().expect("the ring was there");
        if state.rows[state.me] != before {
            self.out.push(Output::RowsChanged);
            self.establish(now, false);
            self.deliver_ready();
            let state = self.installed.as_ref().expect("the ring was there");
            let all_received = state.received_by_all() >= state.high && !was_received;
            if all_received && state.holding.is_some() {
                self.go_on(now);
            }
        }
    }
}
