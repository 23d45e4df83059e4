//! Suspicion: a port that is closed leads to a short probe, and only a probe without answer to a new ring.
//!
//! Where a process has died and its host lives, the host answers whatever is sent to its port with "port
//! unreachable". That comes within a millisecond, long before any timeout; but anybody can send such an answer. So it
//! is no verdict: the member is probed, by multicast and at its port, and whoever lives answers. Who is silent for
//! the suspicion time is left out of a gathering that begins at once. It comes back as any newcomer does, should it
//! live after all: what is held against it ends with that gathering.
//!
//! A member that answered is not probed again for a while, longer each time, so that forged reports cost little.

use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;

use rand::RngExt;

use super::deadlines::due;
use super::{Evidence, Phase, Ring};
use crate::wire::Body;
use crate::words::{Member, Time};

/// The longest pause between two suspicions of the same member.
const PAUSE_MAX_US: u64 = 32_000_000;
/// How often a node that was late itself gives a suspect another chance.
const CHANCES: u8 = 3;

/// A member whose port was said to be closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    /// What an answer must name.
    nonce: u64,
    /// It must answer by then; nothing if it has, or has not.
    until: Option<Time>,
    /// It is probed once more then, in case the first probe is lost.
    repeat_at: Option<Time>,
    /// How often it was given another chance.
    chances: u8,
    /// Not suspected again before that.
    again_at: Time,
    pause_us: u64,
}

impl Suspect {
    /// For a checker: adds what decides whether this suspect is left out.
    pub(super) fn hash_state(&self, now: Time, hasher: &mut impl Hasher) {
        let Suspect {
            nonce,
            until,
            repeat_at,
            chances,
            again_at,
            pause_us: _,
        } = self;
        (
            nonce,
            until.is_some(),
            repeat_at.is_some(),
            chances,
            *again_at <= now,
        )
            .hash(hasher);
    }

    fn next(&self) -> Option<Time> {
        let until = self.until?;
        Some(self.repeat_at.map_or(until, |at| at.min(until)))
    }
}

impl Ring {
    /// The network says that nobody listens at this address any more.
    pub fn port_closed(&mut self, now: Time, at: SocketAddrV4) {
        let there = self.peers.iter().filter(|(_, peer)| peer.address == at);
        let there: Vec<Member> = there.map(|(member, _)| *member).collect();
        for member in there {
            if member != self.settings.me && self.takes_part(member) {
                self.suspect(now, member);
            }
        }
    }

    /// Whether a member is counted on in what the protocol is doing now.
    fn takes_part(&self, member: Member) -> bool {
        match &self.phase {
            Phase::Gather(gather) => gather.candidates().contains(&member),
            Phase::Commit(committing) => committing.members().contains(&member),
            Phase::Recover(recovering) => recovering.state.index_of(member).is_some(),
            Phase::Operational => self
                .installed
                .as_ref()
                .is_some_and(|state| state.index_of(member).is_some()),
        }
    }

    /// For a checker: whoever is suspected has not answered in time.
    pub(super) fn suspicion_runs_out(&mut self, now: Time) {
        for suspect in self.suspects.values_mut() {
            suspect.until = suspect.until.map(|until| until.min(now));
        }
    }

    fn suspect(&mut self, now: Time, member: Member) {
        let earlier = self.suspects.get(&member);
        if earlier.is_some_and(|suspect| suspect.until.is_some() || now < suspect.again_at) {
            return;
        }
        let recent = earlier.filter(|suspect| now < suspect.again_at.after_us(suspect.pause_us));
        let pause_us = recent.map_or(self.timing.probe_again(), |s| (s.pause_us * 2).min(PAUSE_MAX_US));
        let span = self.timing.suspicion();
        let suspect = Suspect {
            nonce: self.dice.random(),
            until: Some(now.after_us(span)),
            repeat_at: Some(now.after_us(span / 2)),
            chances: 0,
            again_at: now.after_us(pause_us),
            pause_us,
        };
        self.suspects.insert(member, suspect);
        self.counters.suspected += 1;
        self.probe_suspect(member);
        self.schedule_suspicion();
    }

    fn probe_suspect(&mut self, target: Member) {
        let Some(nonce) = self.suspects.get(&target).map(|suspect| suspect.nonce) else {
            return;
        };
        self.multicast(Body::Probe { target, nonce });
        self.unicast(target, Body::Probe { target, nonce });
    }

    /// Sets when something is due next.
    pub(super) fn schedule_suspicion(&mut self) {
        self.deadlines.suspicion = self.suspects.values().filter_map(Suspect::next).min();
    }

    /// A suspect lives. Whether this was the answer of one.
    pub(super) fn suspect_answered(&mut self, sender: Member, nonce: u64) -> bool {
        let Some(suspect) = self.suspects.get_mut(&sender).filter(|s| s.nonce == nonce) else {
            return false;
        };
        suspect.until = None;
        self.schedule_suspicion();
        true
    }

    /// A new ring: who is not in it is suspected of nothing.
    pub(super) fn forget_suspects(&mut self, members: &[Member]) {
        self.suspects.retain(|member, _| members.contains(member));
        self.schedule_suspicion();
    }

    /// Probes suspects once more, or gathers without those that did not answer.
    pub(super) fn tick_suspects(&mut self, now: Time) {
        if !due(&mut self.deadlines.suspicion, now) {
            return;
        }
        let span = self.timing.suspicion();
        let (mut again, mut silent) = (Vec::new(), Vec::new());
        for (member, suspect) in &mut self.suspects {
            let Some(until) = suspect.until else { continue };
            let repeats = suspect.repeat_at.take_if(|at| *at <= now).is_some();
            // Who comes late to this does not know what waits to be read.
            let late = now > until.after_us(span / 2) && suspect.chances < CHANCES;
            if late {
                suspect.chances += 1;
                suspect.until = Some(now.after_us(span));
                again.push(*member);
            } else if until <= now {
                suspect.until = None;
                silent.push(*member);
            } else if repeats {
                again.push(*member);
            }
        }
        self.schedule_suspicion();
        again.into_iter().for_each(|member| self.probe_suspect(member));
        silent.retain(|member| self.takes_part(*member));
        if silent.is_empty() {
            return;
        }
        if let Phase::Gather(_) = self.phase {
            self.fail_in_gather(now, &silent);
        } else {
            let ids: Vec<String> = silent.iter().map(|member| member.id.to_string()).collect();
            let reason = format!(
                "the port of {} is closed, and no answer for {} ms",
                ids.join(", "),
                span / 1_000
            );
            let evidence = Evidence {
                reason,
                about: silent.first().map(|member| member.id),
                silent_us: Some(span),
                limit_us: Some(span),
            };
            self.enter_gather(now, evidence, &silent);
        }
    }
}
