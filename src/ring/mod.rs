//! The ring: a token goes round, its holder stamps messages, and the members agree on who they are.
//!
//! The protocol is of the Totem single-ring family (Amir, Moser, Melliar-Smith, Agarwal, Ciarfella), with
//! extended virtual synchrony. A ring goes through four phases:
//!
//! - *Gather*: everybody multicasts joins: whom it hears, whom it holds failed. When the views of all who are
//!   left are equal, the member with the lowest id proposes a ring. (`gather`)
//! - *Commit*: the commit token goes round twice, first collecting what each member has of the ring it comes
//!   from, then telling everybody. The epoch is stored before the token goes on. (`commit`)
//! - *Recover*: members that come from the same ring give each other what some of them lack of it, so that all
//!   deliver the same; the new ring's token goes round, and nothing is stamped until all are done. (`recover`)
//! - *Operational*: the token goes round; who holds it sends. (`operational`, `repair`)
//!
//! A token is valid in one ring only, and only if its hop number is newer than the last one seen. Whatever
//! names a ring that is over is *fenced*: refused and counted. Together with the fresh epoch of every ring this
//! makes a holder that slept harmless: what it sends under its old ring reaches nobody's order.
//!
//! The token carries one row a member, which only that member raises: received up to, held up to. So "all have
//! it" is read off the token, without waiting for a second round as the all-received-up-to of the papers does,
//! and the token may skip members: when all is received and one member waits, it goes straight there.
//!
//! By default all data of a visit leaves before the token. Accelerated (Babay and Amir, ICDCS 2016) it leaves behind it, so
//! that the next holder begins to send meanwhile; and because what the token names may then still be on its way, only what
//! it named one round before is asked for. It is off by default, because it pays at high load only.
//!
//! Left out, and why: safe delivery as a mode of its own, because the held-up-to rows say the same about every message
//! afterwards (`--quorum` delivers by them); redundant rings, because a chat has one LAN.

mod buffer;
mod commit;
mod deadlines;
mod face;
mod fingerprint;
mod gather;
mod lineage;
mod looks;
mod mark;
mod newcomers;
mod operational;
mod packing;
mod passing;
mod queue;
mod recover;
mod repair;
mod state;
mod suspicion;
mod timing;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::bugs::{self, Bug};
use crate::wire::Body;
use crate::words::{Epoch, Incarnation, Member, NodeId, Position, RingId, Seq, Time};

pub use deadlines::{Deadlines, Due};
pub use face::{Evidence, Expelled, Installed, Offer, Output, Peer, RingCounters, Settings};
pub use state::{Delivery, RingState};
pub use timing::Timing;
pub use watch::{Detail, MemberSeen, TokenSeen};

use commit::Committing;
use gather::Gather;
use lineage::Lineage;
use newcomers::Newcomers;
use queue::Queue;
use recover::Recovering;
use suspicion::Suspect;
use watch::Watched;

/// How many peers' addresses are remembered.
const PEERS_MAX: usize = 2_048;
/// How far an epoch may jump.
pub const JUMP_MAX: u64 = 1 << 32;

/// What the protocol is doing. `Operational` is the installed ring's own state.
#[derive(Clone, Debug)]
enum Phase {
    Gather(Gather),
    Commit(Committing),
    Recover(Box<Recovering>),
    Operational,
}

/// The ring protocol of one node.
#[derive(Clone, Debug)]
pub struct Ring {
    settings: Settings,
    timing: Timing,
    dice: SmallRng,
    phase: Phase,
    /// The ring installed last. It stays, with its buffer, until the next one is installed.
    installed: Option<RingState>,
    /// With a quorum: which rings this node entered, and what it accounts for.
    lineage: Lineage,
    deadlines: Deadlines,
    /// The largest epoch seen or proposed; stored before it is used.
    epoch: Epoch,
    /// The largest epoch that was stored in this life.
    stored_epoch: Epoch,
    /// The largest that was handed to the disk in this life.
    storing_epoch: Epoch,
    /// The highest number seen assigned anywhere.
    high: Seq,
    peers: BTreeMap<Member, Peer>,
    /// The largest incarnation seen of each id.
    incarnations: BTreeMap<NodeId, Incarnation>,
    /// The newest life of each id that was in a ring with this node, and the last such ring.
    together: BTreeMap<NodeId, (Incarnation, RingId)>,
    /// The newest life of each id whose place a later one took in a ring of this node, and the last ring with it.
    superseded: BTreeMap<NodeId, (Incarnation, RingId)>,
    newcomers: Newcomers,
    /// Members whose ports were said to be closed.
    suspects: BTreeMap<Member, Suspect>,
    /// Somebody holds this node failed and lives.
    estranged: bool,
    /// Messages to stamp.
    queue: Queue,
    /// Delivered, not yet written: the numbers.
    unwritten: BTreeSet<Seq>,
    /// With a quorum: received, not yet accepted on disk.
    unaccepted: BTreeSet<Position>,
    /// Accelerated: new data of this visit that leaves after the token.
    held_back: Vec<Body>,
    /// The token is wanted although there is nothing to say, and kept for this long.
    hold_us: Option<u64>,
    leaving: bool,
    /// Lines that are being synced and will be offered in a moment.
    expected_offers: usize,
    /// When the request that is under way was made.
    requested_at: Time,
    /// When multicast from another member was heard last, and how often it should have been since.
    multicast_heard: Time,
    multicast_missed: u32,
    /// This node was suspended: until then it may still be reading what arrived meanwhile.
    away_until: Time,
    /// The ring this node was in before the installed one, with its members.
    previous: Option<(RingId, Vec<Member>)>,
    /// Who said goodbye since the ring was installed.
    goodbyes: BTreeSet<Member>,
    /// Somebody watches.
    watched: Option<Watched>,
    counters: RingCounters,
    out: Vec<Output>,
}

impl Ring {
    /// A ring that begins by looking for others.
    pub fn new(settings: Settings, seed: u64, now: Time) -> Ring {
        let mut ring = Ring {
            timing: Timing::new(settings.token_timeout_us),
            dice: SmallRng::seed_from_u64(seed),
            phase: Phase::Operational,
            installed: None,
            lineage: Lineage::default(),
            deadlines: Deadlines::default(),
            epoch: settings.epoch,
            stored_epoch: Epoch(0),
            storing_epoch: Epoch(0),
            high: settings.high,
            peers: BTreeMap::new(),
            incarnations: BTreeMap::from([(settings.me.id, settings.me.incarnation)]),
            together: BTreeMap::new(),
            superseded: BTreeMap::new(),
            newcomers: Newcomers::default(),
            suspects: BTreeMap::new(),
            estranged: false,
            queue: Queue::default(),
            unwritten: BTreeSet::new(),
            unaccepted: BTreeSet::new(),
            held_back: Vec::new(),
            hold_us: None,
            leaving: false,
            expected_offers: 0,
            requested_at: now,
            multicast_heard: now,
            multicast_missed: 0,
            away_until: Time(0),
            previous: None,
            goodbyes: BTreeSet::new(),
            watched: None,
            counters: RingCounters::default(),
            out: Vec::new(),
            settings,
        };
        ring.enter_gather(now, "this node starts".into(), &[]);
        ring
    }

    /// What is to be done, in order; empties the list.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// A new name for the joins to come.
    pub fn rename(&mut self, name: String) {
        self.settings.name = name;
    }

    /// A record of this ring and number was seen: later rings and numbers are larger. Whether it can be true: a
    /// jump beyond reason is refused.
    pub fn saw(&mut self, position: Position) -> bool {
        let near = position.seq.0 <= self.high.0.saturating_add(JUMP_MAX)
            && position.ring.epoch.0 <= self.epoch.0.saturating_add(JUMP_MAX);
        if near {
            self.high = self.high.max(position.seq);
            self.epoch = self.epoch.max(position.ring.epoch);
        }
        near
    }

    /// Queues a message that is in the synced outbox, and asks for the token.
    pub fn offer(&mut self, now: Time, offer: Offer) {
        self.expected_offers = self.expected_offers.saturating_sub(1);
        self.queue.push_back(offer);
        if bugs::on(Bug::StampedWithoutToken) && self.is_operational() {
            self.stamp(now);
        }
        self.request(now);
    }

    /// Queues messages that nobody waits to have synced, and asks for the token once for all of them.
    pub fn offer_all(&mut self, now: Time, offers: impl IntoIterator<Item = Offer>) {
        offers.into_iter().for_each(|offer| self.queue.push_back(offer));
        self.request(now);
    }

    /// A message is being synced and will be offered: asks for the token already.
    pub fn expect_offer(&mut self, now: Time) {
        self.expected_offers += 1;
        self.request(now);
    }

    /// Asks for the token, to keep it for a while.
    pub fn hold_token(&mut self, now: Time, hold_us: u64) {
        self.hold_us = Some(hold_us.min(self.settings.token_timeout_us / 2));
        self.request(now);
    }

    /// A delivered message is in the replica, synced (or is no message this node keeps).
    pub fn written(&mut self, now: Time, seq: Seq) {
        self.unwritten.remove(&seq);
        self.settle(now);
    }

    /// Up to where this node has written all it delivered.
    fn held_up_to(&self, state: &RingState) -> Seq {
        if self.settings.quorum > 0 {
            if bugs::on(Bug::QuorumOfReceived) {
                return state.buffer.received_up_to();
            }
            return self.accepted_up_to(state);
        }
        match self.unwritten.first() {
            Some(first) if !bugs::on(Bug::HeldBeforeSync) => Seq(first.0 - 1),
            Some(_) | None => state.delivered_up_to,
        }
    }

    /// Whether this member may be heard of no more: a later life took its place in a ring of this node. A larger
    /// incarnation that was merely seen says nothing: both may live, on two sides of a network.
    fn is_over(&self, member: Member) -> bool {
        self.superseded
            .get(&member.id)
            .is_some_and(|(life, _)| *life >= member.incarnation)
    }

    /// The life that took this member's place. One that has meanwhile been in a ring this node does not know lives on
    /// elsewhere, and is not over: the two meet at a merge, and the later one exits.
    fn successor_of(&mut self, member: Member, ring: Option<RingId>) -> Option<Member> {
        let (_, last) = *self.superseded.get(&member.id).filter(|_| self.is_over(member))?;
        if ring.is_some_and(|ring| ring > last) {
            self.superseded.remove(&member.id);
            return None;
        }
        let incarnation = self.together.get(&member.id)?.0;
        Some(Member {
            id: member.id,
            incarnation,
        })
    }

    /// A ring is installed: who is in it with this node, and whose place they took.
    fn note_together(&mut self, ring: RingId, members: &[Member]) {
        for member in members {
            let before = self.together.insert(member.id, (member.incarnation, ring));
            if let Some(before) = before.filter(|(life, _)| *life < member.incarnation) {
                self.superseded.insert(member.id, before);
            }
        }
    }

    /// Remembers where a member is.
    fn learn_peer(&mut self, member: Member, peer: Peer) {
        let newest = self.incarnations.entry(member.id).or_insert(member.incarnation);
        *newest = (*newest).max(member.incarnation);
        self.note_peer(member, peer);
    }

    /// Remembers where somebody is, without believing yet that it is the newest incarnation of its id.
    fn note_peer(&mut self, member: Member, peer: Peer) {
        self.peers.insert(member, peer);
        if self.peers.len() > PEERS_MAX {
            let needed: BTreeSet<Member> = self.known_members();
            let unneeded = self
                .peers
                .keys()
                .copied()
                .find(|m| !needed.contains(m) && *m != member);
            if let Some(unneeded) = unneeded {
                self.peers.remove(&unneeded);
                self.counters.peers_forgotten += 1;
            }
        }
    }

    /// Where the newest life of this id that is known was heard last.
    pub fn newest_address(&self, id: NodeId) -> Option<SocketAddrV4> {
        let newest = self.peers.iter().rev().find(|(member, _)| member.id == id);
        newest.map(|(_, peer)| peer.address)
    }

    /// The members of the rings installed and forming.
    fn known_members(&self) -> BTreeSet<Member> {
        let installed = self.installed.iter().flat_map(|state| state.members.iter());
        let forming = self.forming().into_iter().flat_map(|state| state.members.iter());
        installed.chain(forming).copied().collect()
    }

    fn multicast(&mut self, body: Body) {
        self.out.push(Output::Multicast(body));
    }

    /// Sends to a member, if its address is known.
    fn unicast(&mut self, to: Member, body: Body) {
        if let Some(peer) = self.peers.get(&to) {
            self.out.push(Output::Unicast(peer.address, body));
        }
    }

    /// A random part of `us`, so that nodes that failed together do not try again together.
    fn jitter(&mut self, us: u64) -> u64 {
        self.dice.random_range(0..=us)
    }

    /// A datagram arrived from `sender`. Bodies that are not the ring's business must not come here.
    pub fn receive(&mut self, now: Time, sender: Member, from: SocketAddrV4, multicast: bool, body: Body) {
        if sender == self.settings.me {
            return;
        }
        self.notice_suspension(now);
        if multicast && self.known_members().contains(&sender) {
            self.multicast_heard = now;
            self.multicast_missed = 0;
        }
        match body {
            Body::Data(data) => self.on_data(now, sender, data),
            Body::Repair(repair) => self.on_repair(now, sender, repair),
            Body::Token(token) => self.on_token(now, sender, token),
            Body::Request(request) => self.on_request(now, sender, request),
            Body::Join(join) => self.on_join(now, sender, from, join),
            Body::Commit(commit) => self.on_commit(now, sender, commit),
            Body::Beacon { ring } => self.on_beacon(now, sender, from, ring),
            Body::Probe { target, nonce } => self.on_probe(now, sender, from, target, nonce),
            Body::ProbeAnswer { nonce } => self.on_probe_answer(now, sender, nonce),
            Body::Nack { ring, ranges } => self.on_nack(sender, ring, &ranges),
            Body::Leave { ring } => self.on_leave(now, sender, ring),
            Body::Refuse(refuse) => self.on_refuse(sender, from, refuse),
            Body::Inquiry { .. } | Body::InquiryAnswer { .. } | Body::Reconcile(_) | Body::Reconciled(_) => {
                self.counters.senseless += 1
            }
            Body::Lab(_) => self.counters.senseless += 1,
        }
        self.expect_token(now);
    }

    /// The deadline has passed.
    pub fn tick(&mut self, now: Time) {
        self.notice_suspension(now);
        match &self.phase {
            Phase::Gather(_) => self.tick_gather(now),
            Phase::Commit(_) | Phase::Recover(_) => self.tick_forming(now),
            Phase::Operational => {}
        }
        self.tick_token(now);
        self.tick_repair(now);
        self.tick_newcomers(now);
        self.tick_suspects(now);
        self.expect_token(now);
    }

    /// Prepares to leave: the token is asked for, so that what is still to be said is said.
    pub fn leave(&mut self, now: Time) {
        self.leaving = true;
        self.request(now);
    }

    /// Whether leaving would take nothing along: all own lines are stamped and received by all.
    pub fn may_leave(&self) -> bool {
        let received = |state: &RingState| state.received_by_all() >= state.high;
        self.queue.is_empty()
            && self
                .installed
                .as_ref()
                .is_none_or(|state| state.alone() || received(state))
    }

    /// Says goodbye and stops taking part.
    pub fn say_goodbye(&mut self) {
        if let Some(ring) = self.installed.as_ref().map(|state| state.id) {
            self.multicast(Body::Leave { ring });
            self.multicast(Body::Leave { ring });
        }
        self.deadlines = Deadlines::default();
    }

    /// A member left politely: a new ring is formed without waiting for it.
    fn on_leave(&mut self, now: Time, sender: Member, ring: RingId) {
        let is_mine = self
            .installed
            .as_ref()
            .is_some_and(|s| s.id == ring && s.index_of(sender).is_some());
        // It is said twice, in case one is lost: the second one must not undo what the first one began.
        let is_done = self
            .forming()
            .is_some_and(|state| state.index_of(sender).is_none())
            || matches!(&self.phase, Phase::Commit(committing) if !committing.members().contains(&sender));
        // Who is in operation in the ring that is being formed here saw that all have recovered.
        let is_ahead = matches!(&self.phase, Phase::Recover(recovering)
            if recovering.state.id == ring && recovering.state.index_of(sender).is_some());
        if is_mine || is_ahead {
            self.goodbyes.insert(sender);
        }
        if is_ahead && self.has_recovered() {
            self.install(now);
        }
        if let Phase::Gather(_) = self.phase {
            self.fail_in_gather(now, &[sender]);
        } else if is_ahead || (is_mine && !is_done) {
            let left = Evidence::about(sender.id, format!("{} left", sender.id));
            self.enter_gather(now, left, &[sender]);
        }
    }
}

#[cfg(test)]
mod tests;
