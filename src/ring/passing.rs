//! Passing: where the token goes next, how long it rests, how it is asked for, sent again and given up.

use super::deadlines::{due, due_again};
use super::state::{Passed, RingState};
use super::timing::Repeat;
use super::{Deadlines, Evidence, Output, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Pace, RANGES_MAX, Request, Token};
use crate::words::{Hop, Member, NodeId, Seq, Time};

/// How many ranges a member puts on the token's list.
const LACKING_MAX: usize = 16;
/// To how many members a request goes at their own ports.
const ASKED_AT_PORT_MAX: usize = 16;

/// Where the token goes next, or how long it rests here.
enum Plan {
    Pass(usize, Pace),
    Rest(u64, Pace),
    Keep,
}

impl Ring {
    /// Where the token should go now.
    fn plan(&self) -> Plan {
        let state = self.current().expect("the token is here");
        if state.alone() {
            return Plan::Keep;
        }
        let next = state.next_in_order();
        if !self.is_operational() {
            return if !state.unchanged || state.holding.as_ref().is_some_and(|h| h.resting) {
                Plan::Pass(next, Pace::Fast)
            } else {
                Plan::Rest(self.timing.spin_rest(), Pace::Fast)
            };
        }
        if let Some(hold_us) = self.hold_us {
            return Plan::Rest(hold_us, Pace::Fast);
        }
        let received = state.received_by_all() >= state.high && state.lacking.is_empty();
        let mut waiting =
            (0..state.rows.len()).filter(|at| *at != state.me && state.rows[*at].waiting_since > Hop(0));
        match (waiting.next(), waiting.next()) {
            (Some(one), None) if received => return Plan::Pass(one, Pace::Fast),
            (Some(_), _) => return Plan::Pass(next, Pace::Fast),
            (None, _) => {}
        }
        let more = !self.queue.is_empty() && self.may_grant();
        if more || !received {
            let spins = state.unchanged && state.sent_in_visit == 0;
            return if spins {
                Plan::Rest(self.timing.spin_rest(), Pace::Fast)
            } else {
                Plan::Pass(next, Pace::Fast)
            };
        }
        if self.some_have_not_installed() {
            return Plan::Pass(next, Pace::Fast);
        }
        if !self.may_grant() && self.counts(state.members.len()) {
            // Who has entered is told as soon as it is so.
            return Plan::Rest(self.timing.nack_again(), Pace::Fast);
        }
        if self.expected_offers > 0 {
            return Plan::Rest(self.timing.settling_rest(), Pace::Settling);
        }
        if state.settled_visits < 2 {
            return Plan::Rest(self.timing.settling_rest(), Pace::Settling);
        }
        // It rests for all of them at one: each place where it rests wakes a process once more.
        if state.me > 0 {
            return Plan::Pass(next, Pace::Idle);
        }
        let members = state.members.len() as u64;
        Plan::Rest(members * self.timing.idle_rest(), Pace::Idle)
    }

    /// Whether the token was not yet everywhere since the ring was installed: only then all know that it is.
    fn some_have_not_installed(&self) -> bool {
        let state = self.current().expect("the token is here");
        let others = state.rows.iter().enumerate().filter(|(at, _)| *at != state.me);
        others.into_iter().any(|(_, row)| row.visited == Hop(0))
    }

    /// A beacon that would be due while the token rests waits for the end of the rest, so that both wake this
    /// process only once.
    fn let_beacon_wait(&mut self, rest_until: Time) {
        let beacon = self.timing.beacon();
        if let Some(at) = &mut self.deadlines.beacon
            && rest_until <= at.after_us(beacon)
        {
            *at = rest_until.max(*at);
        }
    }

    /// Hands the token on, or lets it rest.
    pub(super) fn go_on(&mut self, now: Time) {
        match self.plan() {
            Plan::Pass(to, pace) => self.pass(now, to, pace),
            Plan::Rest(rest_us, pace) => {
                self.send_held_back();
                let until = now.after_us(rest_us);
                let stale_after = until.after_us(self.timing.token_timeout());
                let state = self.current_mut().expect("the token is here");
                let holding = state.holding.as_mut().expect("the token is here");
                if !holding.resting || holding.token.pace != pace {
                    self.deadlines.rest = Some(until);
                }
                let state = self.current_mut().expect("the token is here");
                let holding = state.holding.as_mut().expect("the token is here");
                holding.resting = true;
                holding.token.pace = pace;
                holding.stale_after = holding.stale_after.max(stale_after);
                if let (Pace::Idle, Some(until)) = (pace, self.deadlines.rest) {
                    self.let_beacon_wait(until);
                }
                self.watch_rest(pace);
            }
            Plan::Keep => {
                self.send_held_back();
                let state = self.current_mut().expect("the token is here");
                let holding = state.holding.as_mut().expect("the token is here");
                holding.resting = true;
                holding.stale_after = Time(u64::MAX);
                state.sent_in_visit = 0;
                self.hold_us = None;
                self.end_grant();
                self.watch_rest(Pace::Idle);
            }
        }
    }

    /// The grant is over without the token going anywhere.
    fn end_grant(&mut self) {
        let me = self.settings.me.id;
        let Some(state) = &mut self.installed else { return };
        if std::mem::take(&mut state.granted) {
            state.hop = Hop(state.hop.0 + 1);
            self.out.push(Output::PassedOn(state.id, state.hop, me));
        }
    }

    /// Hands the token on.
    fn pass(&mut self, now: Time, to: usize, pace: Pace) {
        let operational = self.is_operational();
        if operational {
            self.fold_requests();
            self.raise_own_row();
        }
        self.hold_us = None;
        let my_lacking = self.own_lacking();
        let token_again = self.passed_token_again(to, pace);
        let state = self.current_mut().expect("the token is here");
        let me = state.me;
        let holding = state.holding.take().expect("only the holder passes");
        state.rows[me].sent = state.sent_in_visit;
        state.rows[me].waiting_since = Hop(0);
        let mut lacking = std::mem::take(&mut state.lacking);
        lacking.retain(|(index, ..)| usize::from(*index) != me);
        lacking.extend(
            my_lacking
                .into_iter()
                .map(|(first, last)| (me as u16, first, last)),
        );
        lacking.truncate(RANGES_MAX);
        let (ring, hop) = (state.id, Hop(holding.token.hop.0 + 1));
        let rows = state.rows.clone();
        let token = Token {
            ring,
            hop,
            high: state.high,
            pace,
            rows,
            lacking,
        };
        let receiver = state.members[to];
        state.seen_hop = hop;
        state.progress = now;
        state.seen_at = to;
        state.passed = Some(Passed {
            to: receiver,
            token: token.clone(),
        });
        let granted = std::mem::take(&mut state.granted);
        self.unicast(receiver, Body::Token(token));
        self.send_held_back();
        if granted {
            self.out.push(Output::PassedOn(ring, hop, receiver.id));
        }
        self.watch_pass();
        self.deadlines.rest = None;
        self.deadlines.token_again = Some(Repeat::first(now, token_again));
        if let Phase::Recover(recovering) = &self.phase {
            self.deadlines.loss = Some(recovering.progress().after_us(self.timing.forming()));
        } else if !self.queue.is_empty() && self.may_grant() {
            self.request(now);
        }
    }

    /// What to put on the token's list for this node.
    fn own_lacking(&self) -> Vec<(Seq, Seq)> {
        match &self.installed {
            Some(state) if self.is_operational() => {
                state.buffer.missing(self.asked_up_to(state), LACKING_MAX)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// When the passed token must have shown itself again: soon if anybody but its receiver is in want of it.
    fn passed_token_again(&self, to: usize, pace: Pace) -> u64 {
        let state = self.current().expect("the token is here");
        let others = state
            .rows
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != to && *at != state.me);
        let lacking = others.into_iter().any(|(_, row)| row.received_up_to < state.high);
        let waiting = state.rows.iter().any(|row| row.waiting_since > Hop(0));
        let forming = !self.is_operational() || self.some_have_not_installed();
        let wanted = waiting || !self.queue.is_empty() || forming;
        let members = state.members.len() as u64;
        match pace {
            Pace::Fast if wanted => self.timing.token_again(),
            // Nobody waits; what is lacking is asked for as soon as it is noticed.
            Pace::Fast if lacking => 4 * self.timing.token_again(),
            Pace::Fast => members * self.timing.settling_rest() + self.timing.again_max(),
            // It comes straight back to where it rests.
            Pace::Idle if state.me == 0 => self.timing.again_max(),
            // Who receives it settled may let it rest for long.
            Pace::Settling | Pace::Idle => members * self.timing.idle_rest() + self.timing.again_max(),
        }
    }

    /// Asks for the token, unless that is under way, or the token is here.
    pub(super) fn request(&mut self, now: Time) {
        let Some(state) = self.installed.as_ref().filter(|_| self.is_operational()) else {
            return;
        };
        if let Some(holding) = &state.holding {
            let wants = !self.queue.is_empty() || self.hold_us.is_some();
            if holding.resting && wants && !state.granted {
                self.out.push(Output::Requested(state.id));
            }
            self.hasten(now, Some(self.settings.me.id));
            return;
        }
        if self.deadlines.request_again.is_some() {
            return;
        }
        let request = Request {
            ring: state.id,
            hop: state.hop,
        };
        self.requested_at = now;
        self.out.push(Output::Requested(request.ring));
        self.multicast(Body::Request(request));
        self.resend_soon(now);
        self.deadlines.request_again = Some(Repeat::first(now, self.timing.request_again()));
    }

    /// Somebody asks for the token.
    pub(super) fn on_request(&mut self, now: Time, sender: Member, request: Request) {
        if !self.is_operational() || !self.is_current(sender, request.ring) {
            return;
        }
        let state = self.installed.as_mut().expect("a current ring is installed");
        let index = state
            .index_of(sender)
            .expect("the sender of a current datagram is a member");
        state.requests.insert(index, request.hop);
        self.resend_soon(now);
        self.hasten(now, Some(sender.id));
    }

    /// Somebody is in want of the token: if it was passed and not seen since, that is to show itself soon.
    fn resend_soon(&mut self, now: Time) {
        let soon = Repeat::first(now, self.timing.token_again());
        let passed = self
            .installed
            .as_ref()
            .is_some_and(|state| state.passed.is_some());
        let later = self.deadlines.token_again.filter(|repeat| repeat.at > soon.at);
        if passed && later.is_some() {
            self.deadlines.token_again = Some(soon);
        }
    }

    /// If the token rests here, there is something to do with it now, because of `by` if it is because of anybody.
    pub(super) fn hasten(&mut self, now: Time, by: Option<NodeId>) {
        let rests = self
            .current()
            .and_then(|state| state.holding.as_ref())
            .is_some_and(|h| h.resting);
        if rests {
            self.watch_wake(by);
            self.visit(now);
        }
    }

    pub(super) fn tick_token(&mut self, now: Time) {
        if due(&mut self.deadlines.rest, now) {
            self.hold_us = None;
            self.rest_is_over(now);
        }
        if let Some(repeat) = due_again(&mut self.deadlines.token_again, now) {
            self.resend_token(now, repeat);
        }
        if let Some(repeat) = due_again(&mut self.deadlines.request_again, now) {
            self.resend_request(now, repeat);
        }
        if self.is_operational() && due(&mut self.deadlines.loss, now) {
            self.token_is_lost(now);
        }
        if due(&mut self.deadlines.reserve, now) && self.is_operational() {
            self.reserve_epoch();
        }
        if due(&mut self.deadlines.beacon, now)
            && !bugs::on(Bug::BeaconForgotten)
            && let Some(ring) = self
                .installed
                .as_ref()
                .filter(|_| self.is_operational())
                .map(|state| state.id)
        {
            self.multicast(Body::Beacon { ring });
            self.deadlines.beacon = Some(now.after_us(self.timing.beacon()));
        }
    }

    /// The token has rested long enough: one more look, then it goes to the next member.
    fn rest_is_over(&mut self, now: Time) {
        let Some(state) = self.current().filter(|state| state.holding.is_some()) else {
            return;
        };
        let next = state.next_in_order();
        self.fold_requests();
        match self.plan() {
            Plan::Pass(to, pace) => self.pass(now, to, pace),
            Plan::Rest(_, pace) => self.pass(now, next, pace),
            Plan::Keep => self.go_on(now),
        }
    }

    /// This process is about to be stopped: hands a token that rests here to the next member, so that nobody has
    /// to find out that it is lost.
    pub fn yield_token(&mut self, now: Time) {
        let rests = self
            .current()
            .filter(|state| !state.alone() && state.holding.as_ref().is_some_and(|h| h.resting));
        if let Some(next) = rests.map(RingState::next_in_order) {
            self.pass(now, next, Pace::Fast);
        }
    }

    fn resend_token(&mut self, now: Time, repeat: Repeat) {
        let passed = self.current().and_then(|state| state.passed.clone());
        if let Some(Passed { to, mut token }) = passed {
            token.hop.0 += u64::from(bugs::on(Bug::ResentTokenAltered));
            self.counters.tokens_resent += 1;
            self.unicast(to, Body::Token(token));
            self.deadlines.token_again = Some(repeat.again(now, self.timing.again_max()));
        }
    }

    fn resend_request(&mut self, now: Time, repeat: Repeat) {
        let wants =
            !self.queue.is_empty() || self.hold_us.is_some() || self.expected_offers > 0 || self.leaving;
        let Some(state) = self.installed.as_ref().filter(|_| wants && self.is_operational()) else {
            return;
        };
        if state.holding.is_none() && self.may_grant() {
            let request = Request {
                ring: state.id,
                hop: state.hop,
            };
            self.multicast(Body::Request(request.clone()));
            self.request_at_ports(&request, repeat.times > 0);
            self.deadlines.request_again = Some(repeat.again(now, self.timing.again_max()));
        }
    }

    /// A request that was not answered goes to the ports of members too: first where the token was seen last, then
    /// to all. Whoever died there is noticed, because its host answers that the port is closed.
    fn request_at_ports(&mut self, request: &Request, all: bool) {
        let state = self.installed.as_ref().expect("an operational node has a ring");
        let (count, seen_at, me) = (state.members.len(), state.seen_at, state.me);
        let most = if all { ASKED_AT_PORT_MAX } else { 1 };
        let to: Vec<Member> = (0..count.min(most))
            .map(|step| (seen_at + step) % count)
            .filter(|at| *at != me)
            .map(|at| state.members[at])
            .collect();
        for member in to {
            self.unicast(member, Body::Request(request.clone()));
        }
    }

    fn token_is_lost(&mut self, now: Time) {
        let state = self.installed.as_ref().expect("an operational node has a ring");
        let about = state.believed_holder();
        let whom = about.map_or("the ring".to_string(), |id| format!("{id}"));
        let (silent_us, limit_us) = (now.since_us(state.progress), self.timing.token_timeout());
        let (silent_ms, limit_ms) = (silent_us / 1_000, limit_us / 1_000);
        let evidence = Evidence {
            reason: format!("no word from {whom} for {silent_ms} ms, limit {limit_ms}"),
            about,
            silent_us: Some(silent_us),
            limit_us: Some(limit_us),
        };
        self.enter_gather(now, evidence, &[]);
    }

    /// Sets when the token counts as lost: soon if this node waits for it, later if nobody does.
    pub(super) fn expect_token(&mut self, now: Time) {
        let Some(state) = self.installed.as_ref().filter(|_| self.is_operational()) else {
            return;
        };
        if state.holding.is_some() || state.alone() || bugs::on(Bug::TokenLossIgnored) {
            self.deadlines.loss = None;
            return;
        }
        let lazy = state
            .progress
            .after_us(self.timing.lazy_token_timeout(state.members.len()));
        let waits = self.deadlines.request_again.is_some();
        let since = state.progress.max(self.requested_at);
        let soon = since.after_us(self.timing.token_timeout());
        let loss = if waits { soon.min(lazy.max(now)) } else { lazy };
        self.deadlines.loss = Some(loss);
    }

    /// A token that is older than the others would wait for is not used any more.
    pub fn notice_suspension(&mut self, now: Time) {
        self.watched_at(now);
        let timeout = self.timing.token_timeout();
        if self.deadline().is_some_and(|at| now > at.after_us(timeout)) {
            self.away_until = now.after_us(timeout);
        }
        let stale = |state: &RingState| state.holding.as_ref().map(|holding| holding.stale_after);
        let Some(stale_after) = self
            .current()
            .and_then(stale)
            .filter(|at| now > *at && !bugs::on(Bug::StalenessIgnored))
        else {
            return;
        };
        let away_us = now.since_us(stale_after) + self.timing.token_timeout();
        self.out.push(Output::Woke(away_us));
        self.deadlines = Deadlines::default();
        self.suspects.clear();
        let evidence = Evidence {
            silent_us: Some(away_us),
            limit_us: Some(timeout),
            ..Evidence::about(
                self.settings.me.id,
                "this node was suspended while it held the token".into(),
            )
        };
        self.enter_gather(now, evidence, &[]);
    }
}
