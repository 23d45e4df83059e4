//! Asking one that was met for what is still missing: whether unicasts pass both ways, also unasked; whether its multicasts
//! come here; and which lengths pass.
//!
//! Three tries, each asks only for what the ones before did not show. If datagrams of the usual length do not pass, shorter
//! ones are tried, so that the verdict can name a length that does.

use super::facts::Peer;
use super::survey::Survey;
use crate::host::hail::{HAIL_BYTES, Way, Wish};
use crate::words::Time;

/// How many are probed: what one shows, the others hardly contradict, and each costs datagrams.
const PROBED_MAX: usize = 3;
/// How often each is asked.
const TRIES: u32 = 3;
/// Time between two tries, in microseconds; answers on a LAN take a thousandth of it.
const EVERY_US: u64 = 350_000;
/// Lengths that are tried if the usual one does not pass: jumbo, an ordinary LAN, IPv6's least, and what every network carries.
const SHORTER: [usize; 5] = [4_000, 1_400, 1_252, 972, 548];

/// One that is being asked.
#[derive(Debug)]
pub(super) struct Probe {
    /// Whom, by number.
    pub peer: usize,
    tries: u32,
    due: Time,
    /// All is known, or it was asked often enough.
    pub is_settled: bool,
}

impl Survey<'_> {
    /// Takes up who was met at the place in question, and asks who is due.
    pub(super) fn probe(&mut self, now: Time) {
        for number in 0..self.peers.len() {
            let peer = &self.peers[number];
            let is_known = self.probes.iter().any(|probe| probe.peer == number);
            if Some(peer.place) == self.chosen && !is_known && self.probes.len() < PROBED_MAX {
                self.probes.push(Probe {
                    peer: number,
                    tries: 0,
                    due: now,
                    is_settled: false,
                });
            }
        }
        for number in 0..self.probes.len() {
            if !self.probes[number].is_settled {
                self.go_on(number, now);
            }
        }
    }

    fn go_on(&mut self, number: usize, now: Time) {
        let probe = &self.probes[number];
        let peer = self.peers[probe.peer].clone();
        let own_payload = self.places[peer.place].payload;
        let (tries, is_due) = (probe.tries, probe.due <= now);
        let is_settled = self.is_all_known(&peer, own_payload) || (is_due && tries == TRIES);
        self.probes[number].is_settled = is_settled;
        if is_settled || !is_due {
            return;
        }
        self.probes[number].tries += 1;
        self.probes[number].due = now.after_us(EVERY_US);
        self.ask_peer(&peer, own_payload, tries);
    }

    fn is_all_known(&self, peer: &Peer, own_payload: usize) -> bool {
        let longest = longest(peer, own_payload);
        let passes = peer.sizes.get(&longest).is_some_and(|size| size.out && size.back);
        let unasked = peer.unasked || self.quiet_port().is_none();
        peer.answered(Way::Port) > 0 && unasked && peer.heard > 0 && passes
    }

    /// One try: what is not known yet.
    fn ask_peer(&mut self, peer: &Peer, own_payload: usize, tries: u32) {
        let (place, to) = (peer.place, peer.at);
        if peer.answered(Way::Port) == 0 {
            self.say(place, to, HAIL_BYTES, Wish::Short, 0);
        }
        if let Some(port) = self.quiet_port().filter(|_| !peer.unasked) {
            self.say(place, to, HAIL_BYTES, Wish::Short, port);
        }
        if peer.heard == 0 {
            self.say(place, to, HAIL_BYTES, Wish::Aloud, 0);
        }
        let longest = longest(peer, own_payload);
        let shorter = SHORTER
            .into_iter()
            .filter(|length| *length < longest && tries > 0);
        for length in [longest].into_iter().chain(shorter) {
            let passed = peer.sizes.get(&length).copied().unwrap_or_default();
            if !passed.back {
                self.say(place, to, length, Wish::Full, 0);
            }
            // Answers to the longer ones may be lost on their way back; this tells the two ways apart.
            if !passed.out && tries > 0 {
                self.say(place, to, length, Wish::Short, 0);
            }
        }
    }
}

/// The longest payload that one of the two sends.
pub(super) fn longest(peer: &Peer, own_payload: usize) -> usize {
    own_payload.max(peer.payload.unwrap_or(0)).max(HAIL_BYTES)
}
