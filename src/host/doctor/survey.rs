//! Asking around: who is there, on which ways they hear this machine, and on which ways it hears them.
//!
//! All places are listened to. At the place in question the group is asked three times by multicast and three times by
//! broadcast, elsewhere twice; who turns up there is then asked by unicast for what is still missing (see [`super::probe`]).
//! It takes 1.3 s where all is well and others are there, 3.3 s where nobody is (a ring of usual pace shows itself every two
//! seconds) and 3.7 s where a machine that the user named says nothing, and never more than 4.6 s.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::ears::{self, Ear, Sort};
use super::facts::{Asking, Patient, Peer, Place, Word};
use super::hearing;
use super::probe::Probe;
use crate::host::clock;
use crate::host::hail::{self, Answer, HAIL_BYTES, Hail, Question, Wish};
use crate::host::net::Group;
use crate::words::{Member, Time};

/// When the group is asked at the place in question, in microseconds from the beginning.
const ROUNDS_US: [u64; 3] = [0, 400_000, 1_000_000];
/// When everything can be known at the soonest.
const SOONEST_US: u64 = 1_300_000;
/// How long somebody is waited for, if nobody turns up.
const LISTEN_US: u64 = 3_300_000;
/// How long a machine that the user named is waited for: that there is none is known after three questions for it on the
/// network, a second each (RFC 1122, 2.3.2.1, as Linux does it).
const NAMED_US: u64 = 3_700_000;
/// The end, whoever has not answered.
const END_US: u64 = 4_600_000;
/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(20);
/// Those met that are kept in mind.
const PEERS_MAX: usize = 64;
/// Places that are listened to.
const PLACES_MAX: usize = 16;
/// Machines named by the user that are asked.
pub const NAMED_MAX: usize = 16;
/// Datagrams read from one socket before the others have their turn.
const READ_MAX: usize = 64;
/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// A question under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    length: usize,
    at: Time,
}

/// What a survey finds.
#[derive(Debug)]
pub struct Found {
    /// What became of asking, one for each place.
    pub asking: Vec<Asking>,
    /// Who was met.
    pub peers: Vec<Peer>,
    /// What named machines said.
    pub named: Vec<(Ipv4Addr, Word)>,
    /// How long it took, in milliseconds.
    pub listened_ms: u64,
}

/// A survey under way.
pub(super) struct Survey<'a> {
    patient: &'a Patient,
    pub(super) places: &'a [Place],
    pub(super) chosen: Option<usize>,
    number: u32,
    ears: Vec<Ear>,
    began: Time,
    rounds: usize,
    nonce: u64,
    asked: BTreeMap<u64, Asked>,
    asking: Vec<Asking>,
    /// A unicast to an own port arrived.
    has_heard_itself: bool,
    pub(super) peers: Vec<Peer>,
    pub(super) probes: Vec<Probe>,
    named: Vec<(Ipv4Addr, Word)>,
}

/// Asks around. Fails only where the machine cannot wait for sockets, or has no dice.
pub fn survey(patient: &Patient, places: &[Place], chosen: Option<usize>) -> io::Result<Found> {
    let mut poll = Poll::new()?;
    let mut survey = Survey::open(patient, places, chosen)?;
    for (at, ear) in survey.ears.iter_mut().enumerate() {
        poll.registry()
            .register(&mut ear.socket, Token(at), Interest::READABLE)?;
    }
    let mut events = Events::with_capacity(64);
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let passed_us = clock::now().since_us(survey.began);
        survey.ask(passed_us);
        survey.probe(clock::now());
        if passed_us >= END_US || survey.is_done(passed_us) {
            return Ok(survey.end(passed_us));
        }
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => survey.hear(&mut buffer),
        }
    }
}

impl<'a> Survey<'a> {
    fn open(patient: &'a Patient, places: &'a [Place], chosen: Option<usize>) -> io::Result<Survey<'a>> {
        let group: Group = patient.group.to_string().parse().map_err(io::Error::other)?;
        let mut asking = vec![Asking::default(); places.len()];
        let mut ears = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let is_chosen = Some(at) == chosen;
            if is_chosen || (place.is_up && at < PLACES_MAX) {
                ears.extend(ears::open(at, place, patient.group, is_chosen, &mut asking[at]));
            }
        }
        let peers = patient.peers.iter().take(NAMED_MAX);
        let named: Vec<(Ipv4Addr, Word)> = peers.map(|peer| (*peer, Word::Silent)).collect();
        if let Some(place) = chosen {
            for (number, (peer, _)) in named.iter().enumerate() {
                let peer = SocketAddrV4::new(*peer, patient.group.port());
                let sort = Sort::Named(number);
                // Where none can be had, only an answer can tell of the machine.
                if let Ok(socket) = ears::named(places[place].interface.address, peer) {
                    ears.push(Ear { place, sort, socket });
                }
            }
        }
        Ok(Survey {
            patient,
            places,
            chosen,
            number: group.number(),
            ears,
            began: clock::now(),
            rounds: 0,
            nonce: clock::seed()?,
            asked: BTreeMap::new(),
            asking,
            has_heard_itself: false,
            peers: Vec::new(),
            probes: Vec::new(),
            named,
        })
    }

    /// Whether nothing more is to be waited for.
    fn is_done(&self, passed_us: u64) -> bool {
        let named = self.named.iter().all(|(_, word)| *word == Word::Answered);
        let somebody = self.peers.iter().any(|peer| Some(peer.place) == self.chosen);
        let settled = self.probes.iter().all(|probe| probe.is_settled);
        let silent = self.named.iter().any(|(_, word)| *word == Word::Silent);
        let enough_us = match (somebody && named, silent) {
            (true, _) => SOONEST_US,
            (false, true) => NAMED_US,
            (false, false) => LISTEN_US,
        };
        settled && passed_us >= enough_us
    }

    fn end(mut self, passed_us: u64) -> Found {
        for probe in &self.probes {
            self.peers[probe.peer].was_probed = true;
        }
        Found {
            asking: self.asking,
            peers: self.peers,
            named: self.named,
            listened_ms: passed_us / 1_000,
        }
    }

    /// Asks the group, when a round is due.
    fn ask(&mut self, passed_us: u64) {
        if ROUNDS_US.get(self.rounds).is_none_or(|due| *due > passed_us) {
            return;
        }
        self.rounds += 1;
        for place in 0..self.places.len() {
            let is_chosen = Some(place) == self.chosen;
            // Elsewhere the middle round is left out.
            if is_chosen || self.rounds != 2 {
                self.ask_at(place);
            }
        }
        self.ask_oneself();
        let port = self.patient.group.port();
        let named: Vec<Ipv4Addr> = self.named.iter().map(|(peer, _)| *peer).collect();
        for (number, peer) in named.into_iter().enumerate() {
            if let Some(place) = self.chosen {
                self.say(place, SocketAddrV4::new(peer, port), HAIL_BYTES, Wish::Short, 0);
            }
            let bytes = self.question(HAIL_BYTES, Wish::Short, 0);
            let ear = self.ears.iter().find(|ear| ear.sort == Sort::Named(number));
            // It fails where an earlier one is known not to have arrived, which is read below.
            ear.map(|ear| ear.socket.send(&bytes));
        }
    }

    /// Asks all at a place, by multicast and by broadcast.
    fn ask_at(&mut self, place: usize) {
        let group = self.patient.group;
        let asked = self.say(place, group, HAIL_BYTES, Wish::Short, 0);
        self.asking[place].asked_group += u32::from(asked);
        if let Some(broadcast) = self.places[place].network.broadcast() {
            let to = SocketAddrV4::new(broadcast, group.port());
            let asked = self.say(place, to, HAIL_BYTES, Wish::Short, 0);
            self.asking[place].asked_broadcast += u32::from(asked);
        }
    }

    /// Sends a unicast to an own port. It goes by loopback, which many filters leave alone; one that does not is found.
    fn ask_oneself(&mut self) {
        let Some((place, port)) = self.chosen.zip(self.quiet_port()) else {
            return;
        };
        let own = SocketAddrV4::new(self.places[place].interface.address, port);
        if self.say(place, own, HAIL_BYTES, Wish::Short, 0) && !self.has_heard_itself {
            self.asking[place].deaf_unicast = true;
        }
    }

    /// Asks from a place; whether the machine took it.
    pub(super) fn say(
        &mut self,
        place: usize,
        to: SocketAddrV4,
        length: usize,
        wish: Wish,
        port: u16,
    ) -> bool {
        let bytes = self.question(length, wish, port);
        let voice = |ear: &&Ear| ear.place == place && ear.sort == Sort::Voice;
        let Some(ear) = self.ears.iter().find(voice) else {
            return false;
        };
        let Err(error) = ear.socket.send_to(&bytes, to.into()) else {
            return true;
        };
        if error.kind() == ErrorKind::PermissionDenied {
            self.asking[place].forbidden += 1;
        } else if to.ip().is_multicast() && error.kind() != ErrorKind::WouldBlock {
            self.asking[place].unreachable = Some(error.to_string());
        } else {
            // One machine that cannot be reached says nothing of the group, and what found no room is asked again.
            log::debug!("a question to {to} did not leave: {error}");
        }
        false
    }

    /// A question with a nonce of its own.
    fn question(&mut self, length: usize, wish: Wish, answer_port: u16) -> Vec<u8> {
        self.nonce = self.nonce.wrapping_add(1);
        let at = clock::now();
        self.asked.insert(self.nonce, Asked { length, at });
        Question {
            length,
            nonce: self.nonce,
            group: self.number,
            wish,
            answer_port,
        }
        .encode()
    }

    /// The port at which nothing is asked, at the place in question.
    pub(super) fn quiet_port(&self) -> Option<u16> {
        let quiet = self.ears.iter().find(|ear| ear.sort == Sort::Quiet)?;
        quiet.socket.local_addr().ok().map(|address| address.port())
    }

    /// Reads all sockets.
    fn hear(&mut self, buffer: &mut [u8]) {
        for at in 0..self.ears.len() {
            for _ in 0..READ_MAX {
                let ear = &self.ears[at];
                let (place, sort) = (ear.place, ear.sort);
                match ear.socket.recv_from(buffer) {
                    Ok((length, SocketAddr::V4(from))) => self.heard(place, sort, from, &buffer[..length]),
                    // An IPv4 socket has no other addresses.
                    Ok((_, SocketAddr::V6(_))) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => self.told(sort, error.kind()),
                }
            }
        }
    }

    /// The network told something about a named machine.
    fn told(&mut self, sort: Sort, error: ErrorKind) {
        let Sort::Named(number) = sort else { return };
        let word = &mut self.named[number].1;
        match (error, *word) {
            (ErrorKind::ConnectionRefused, Word::Silent) => *word = Word::Closed,
            (ErrorKind::HostUnreachable, Word::Silent) => *word = Word::NoMachine,
            _nothing_new => {}
        }
    }

    /// Something came.
    fn heard(&mut self, place: usize, sort: Sort, from: SocketAddrV4, bytes: &[u8]) {
        if hail::is_hail(bytes) {
            match hail::decode(bytes) {
                // Nobody else knows the nonce before it is sent.
                Some(Hail::Question(question)) if self.asked.contains_key(&question.nonce) => {
                    self.asking[place].echo_group |= sort == Sort::Group;
                    self.asking[place].echo_broadcast |= sort == Sort::Broadcast;
                    if sort == Sort::Quiet {
                        self.has_heard_itself = true;
                        self.asking[place].deaf_unicast = false;
                    }
                }
                Some(Hail::Answer(answer)) => self.answered(place, sort, from, &answer),
                Some(Hail::Question(_)) | None => {}
            }
            return;
        }
        let Some(said) = hearing::read(self.number, bytes).filter(|_| sort == Sort::Group) else {
            return;
        };
        if let Some(peer) = self.peer(place, from, said.member) {
            peer.heard += 1;
            peer.version = said.version;
            if said.member.is_some() {
                (peer.member, peer.key) = (said.member, said.key);
            }
        }
    }

    /// Somebody answered.
    fn answered(&mut self, place: usize, sort: Sort, from: SocketAddrV4, answer: &Answer) {
        let Some(asked) = self.asked.get(&answer.nonce).copied() else {
            return;
        };
        let now = clock::now();
        let half_way_ms = now.since_us(asked.at) / 2_000;
        let here_ms = clock::wall().0.saturating_sub(half_way_ms);
        if let Some((_, word)) = self.named.iter_mut().find(|(peer, _)| peer == from.ip()) {
            *word = Word::Answered;
        }
        let Some(peer) = self.peer(place, from, Some(answer.member)) else {
            return;
        };
        (peer.member, peer.version, peer.key) = (Some(answer.member), answer.protocol, answer.key);
        peer.payload = Some(usize::from(answer.payload));
        let ahead_ms = answer.wall.0 as i64 - here_ms as i64;
        peer.clock_ahead_ms = Some(ahead_ms);
        match sort {
            // The answer says of itself how the question came: not how it comes back.
            Sort::Group => peer.heard += 1,
            Sort::Quiet => peer.unasked = true,
            Sort::Broadcast | Sort::Voice | Sort::Named(_) => {}
        }
        *peer.answers.entry(answer.way).or_default() += 1;
        let passed = peer.sizes.entry(asked.length).or_default();
        passed.out = true;
        passed.back |= answer.length == asked.length;
    }

    /// Somebody who was met at a place, now or before; not this node itself, and nobody if there are too many.
    fn peer(&mut self, place: usize, at: SocketAddrV4, member: Option<Member>) -> Option<&mut Peer> {
        let own = self.patient.id.zip(self.patient.life);
        if own.is_some() && own == member.map(|member| (member.id, member.incarnation)) {
            return None;
        }
        let known = |peer: &Peer| peer.place == place && peer.at == at;
        if let Some(number) = self.peers.iter().position(known) {
            return self.peers.get_mut(number);
        }
        if self.peers.len() == PEERS_MAX {
            return None;
        }
        let is_here = self
            .places
            .iter()
            .any(|place| place.interface.address == *at.ip());
        self.peers.push(Peer {
            at,
            place,
            is_here,
            member: None,
            version: 0,
            key: None,
            heard: 0,
            answers: BTreeMap::new(),
            unasked: false,
            clock_ahead_ms: None,
            payload: None,
            sizes: BTreeMap::new(),
            was_probed: false,
        });
        self.peers.last_mut()
    }
}
