//! Newcomers and other rings: foreign traffic leads to a new ring only if its sender answers a probe.
//!
//! A ring's leader probes whoever joins or beacons and is not a member. The probe goes by multicast, so an
//! answer shows that multicast reaches the foreigner. After a probe the same sender is left alone for a while,
//! longer each time, so that somebody who hears us only half of the time does not keep the ring from settling.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;

use rand::RngExt;

use super::deadlines::due;
use super::{Expelled, Output, Peer, Phase, Ring};
use crate::wire::{Body, Refuse};
use crate::words::{Epoch, Member, RingId, Time};

/// How many foreigners are kept in mind.
const FOREIGNERS_MAX: usize = 256;
/// The longest pause between two probes of the same sender.
const PAUSE_MAX_US: u64 = 32_000_000;

/// A foreigner that was probed.
#[derive(Clone, Debug)]
struct Probed {
    nonce: u64,
    /// It answered, or did not, by then.
    answered: bool,
    until: Time,
    /// Not probed again before that.
    again_at: Time,
    pause_us: u64,
    /// The member whose id it has, and whether that one was heard since the probe.
    rival: Option<Member>,
    rival_nonce: u64,
    /// Where it is; unknown where it was only heard as a beacon.
    peer: Option<Peer>,
}

/// All foreigners in mind.
#[derive(Clone, Debug, Default)]
pub(super) struct Newcomers {
    probed: BTreeMap<Member, Probed>,
}

impl Newcomers {
    /// For a checker: every probe has run out, and every pause before the next one.
    pub(super) fn run_out(&mut self, now: Time) {
        for probed in self.probed.values_mut() {
            probed.until = probed.until.min(now);
            probed.again_at = probed.again_at.min(now);
        }
    }

    /// For a checker: adds what decides whom this node deals with.
    pub(super) fn hash_state(&self, now: Time, hasher: &mut impl Hasher) {
        for (foreigner, probed) in &self.probed {
            let Probed {
                nonce,
                answered,
                until,
                again_at,
                pause_us: _,
                rival,
                rival_nonce,
                peer,
            } = probed;
            (foreigner, nonce, answered, *until <= now, *again_at <= now).hash(hasher);
            (rival, rival_nonce, peer.is_some()).hash(hasher);
        }
    }

    /// A new ring was installed: members are no foreigners any more.
    pub(super) fn new_ring(&mut self, members: &[Member]) {
        self.probed.retain(|foreigner, _| !members.contains(foreigner));
    }
}

impl Ring {
    /// A join of somebody who is not in the ring.
    pub(super) fn on_newcomer(&mut self, now: Time, sender: Member, peer: Peer, _epoch: Epoch) {
        // Whoever deals with it, all must know where it is when a ring with it is proposed: it may have sent
        // its view before, and then does not send it again.
        self.note_peer(sender, peer.clone());
        if self.leads_for(sender) {
            self.probe(now, sender, Some(peer));
        }
    }

    /// Another ring, or one this node was in, shows itself.
    pub(super) fn on_beacon(&mut self, now: Time, sender: Member, from: SocketAddrV4, ring: RingId) {
        let me = self.settings.me;
        if sender.id == me.id {
            // Two live ones of one id: the later one is told, and exits; it will hear this one's beacon otherwise.
            if sender.incarnation > me.incarnation && self.is_operational() && now > self.away_until {
                let name = self.settings.name.clone();
                self.out
                    .push(Output::Unicast(from, Body::Refuse(Refuse::IdTaken { name })));
            }
            return;
        }
        let mine = self
            .installed
            .as_ref()
            .is_some_and(|state| state.id == ring || state.index_of(sender).is_some());
        if mine || !self.leads_for(sender) {
            return;
        }
        if let Some(by) = self.successor_of(sender, Some(ring)) {
            self.out
                .push(Output::Unicast(from, Body::Refuse(Refuse::Superseded { by })));
            return;
        }
        if ring.epoch.0 > self.epoch.0.saturating_add(super::JUMP_MAX) {
            self.counters.senseless += 1;
            return;
        }
        self.counters.foreign += 1;
        self.probe(now, sender, None);
    }

    /// Whether it is up to this node to deal with a foreigner: it leads, or comes after a leader whose id the
    /// foreigner has.
    fn leads_for(&self, foreigner: Member) -> bool {
        let members = self.installed.iter().flat_map(|state| state.members.iter());
        let first = members.copied().find(|member| member.id != foreigner.id);
        self.is_operational() && first == Some(self.settings.me)
    }

    fn probe(&mut self, now: Time, target: Member, peer: Option<Peer>) {
        let earlier = self.newcomers.probed.get(&target);
        if earlier.is_some_and(|probed| now < probed.again_at) {
            return;
        }
        let pause_us = earlier.map_or(self.timing.probe_again(), |p| (p.pause_us * 2).min(PAUSE_MAX_US));
        let first = earlier.is_none();
        let members = self.installed.iter().flat_map(|state| state.members.iter());
        let rival = members.copied().find(|member| member.id == target.id);
        let (nonce, rival_nonce) = (self.dice.random(), self.dice.random());
        let until = now.after_us(self.timing.probe());
        // The first probe may be lost on its way: a second chance soon.
        let again_at = if first {
            until.after_us(self.timing.join_again(0))
        } else {
            now.after_us(pause_us)
        };
        let probed = Probed {
            nonce,
            answered: false,
            until,
            again_at,
            pause_us,
            rival,
            rival_nonce,
            peer,
        };
        if self.newcomers.probed.len() >= FOREIGNERS_MAX {
            self.newcomers.probed.retain(|_, probed| now < probed.again_at);
        }
        if self.newcomers.probed.len() < FOREIGNERS_MAX {
            self.newcomers.probed.insert(target, probed);
            self.multicast(Body::Probe { target, nonce });
            if let Some(rival) = rival {
                self.unicast(
                    rival,
                    Body::Probe {
                        target: rival,
                        nonce: rival_nonce,
                    },
                );
            }
            self.deadlines.probe = Some(self.deadlines.probe.unwrap_or(until).min(until));
        } else {
            self.counters.foreigners_ignored += 1;
        }
    }

    /// Somebody asks whether this node hears it.
    pub(super) fn on_probe(
        &mut self,
        now: Time,
        sender: Member,
        from: SocketAddrV4,
        target: Member,
        nonce: u64,
    ) {
        if target != self.settings.me {
            return;
        }
        self.out.push(Output::Unicast(from, Body::ProbeAnswer { nonce }));
        self.listen_longer(now);
        if let Some(probed) = self.newcomers.probed.get_mut(&sender) {
            // It hears this node and is about to gather: no reason to hold back.
            probed.again_at = now;
        }
    }

    /// A probed foreigner answered, or the member whose id it has.
    pub(super) fn on_probe_answer(&mut self, now: Time, sender: Member, nonce: u64) {
        if self.suspect_answered(sender, nonce) {
            return;
        }
        let rival_lives = |p: &Probed| p.rival == Some(sender) && p.rival_nonce == nonce;
        self.newcomers.probed.retain(|_, probed| {
            !rival_lives(probed) || {
                probed.rival = None;
                probed.nonce = 0;
                true
            }
        });
        let Some(probed) = self
            .newcomers
            .probed
            .get_mut(&sender)
            .filter(|p| p.nonce == nonce && now <= p.until)
        else {
            return;
        };
        probed.answered = true;
        if probed.rival.is_none() {
            self.admit(now, sender, None);
        }
    }

    /// Gathers with a foreigner that hears us.
    fn admit(&mut self, now: Time, newcomer: Member, gone: Option<Member>) {
        let probed = self
            .newcomers
            .probed
            .get_mut(&newcomer)
            .expect("only who was probed is admitted");
        probed.again_at = now.after_us(probed.pause_us);
        let peer = probed.peer.take();
        if let Some(peer) = peer {
            self.learn_peer(newcomer, peer);
        }
        if let Phase::Operational = self.phase {
            self.gather_with(now, newcomer, gone);
        }
    }

    /// A probe has run out: a rival that did not answer is taken to be dead.
    pub(super) fn tick_newcomers(&mut self, now: Time) {
        if !due(&mut self.deadlines.probe, now) {
            return;
        }
        let superseding = self
            .newcomers
            .probed
            .iter()
            .find(|(_, p)| p.answered && p.rival.is_some() && p.until <= now);
        let superseding = superseding.map(|(member, probed)| (*member, probed.rival));
        self.deadlines.probe = self
            .newcomers
            .probed
            .values()
            .map(|p| p.until)
            .filter(|until| *until > now)
            .min();
        if let Some((newcomer, rival)) = superseding {
            if let Some(probed) = self.newcomers.probed.get_mut(&newcomer) {
                probed.rival = None;
            }
            if self.leads_for(newcomer) {
                self.admit(now, newcomer, rival);
            }
        }
    }

    /// Somebody says that this node cannot take part.
    pub(super) fn on_refuse(&mut self, sender: Member, from: SocketAddrV4, refuse: Refuse) {
        let me = self.settings.me;
        match refuse {
            Refuse::IdTaken { name } if sender.id == me.id && sender != me => {
                // The later one exits; an earlier one that is refused stays.
                if sender.incarnation < me.incarnation || self.installed.is_none() {
                    self.out
                        .push(Output::Expelled(Expelled::IdTaken(sender, from, name)));
                }
            }
            Refuse::Superseded { by } if by.id == me.id && by.incarnation > me.incarnation => {
                self.out.push(Output::Expelled(Expelled::Superseded(by)));
            }
            Refuse::IncarnationSeen { incarnation }
                if incarnation > me.incarnation && self.installed.is_none() =>
            {
                self.out.push(Output::IncarnationSeen(incarnation));
            }
            Refuse::QuorumDiffers { quorum } if quorum != self.settings.quorum => {
                self.out.push(Output::Expelled(Expelled::QuorumDiffers(quorum)));
            }
            Refuse::IdTaken { .. }
            | Refuse::Superseded { .. }
            | Refuse::IncarnationSeen { .. }
            | Refuse::QuorumDiffers { .. } => self.counters.senseless += 1,
        }
    }
}
