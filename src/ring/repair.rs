//! Repair: chunks that are missing are asked for at once, and anybody who has them may answer.

use std::collections::BTreeMap;

use super::buffer::SPAN_MAX;
use super::deadlines::due_again;
use super::lineage::MARKER;
use super::packing::Packing;
use super::state::RingState;
use super::timing::Repeat;
use super::{Delivery, Expelled, Output, Phase, Ring};
use crate::bugs::{self, Bug};
use crate::wire::{Body, Chunk, Data, HEADER_BYTES, RANGES_MAX, Repair};
use crate::words::{Member, Position, RingId, Seq, Time};

/// The most chunks sent in answer to one request, so that a forged one costs little.
const REPAIR_CHUNKS_MAX: usize = 512;
/// So many chunks must have come only by repair before multicast counts as filtered.
const MISSED_MAX: u32 = 5;

impl Ring {
    /// New messages arrived.
    pub(super) fn on_data(&mut self, now: Time, sender: Member, data: Data) {
        if let Phase::Recover(recovering) = &self.phase
            && recovering.state.id == data.ring
            && recovering.state.index_of(sender).is_some()
            && self.has_recovered()
        {
            // Somebody stamped in the new ring, so somebody saw that all have recovered.
            self.install(now);
        }
        if !self.is_current(sender, data.ring) {
            return;
        }
        let gathering = matches!(self.phase, Phase::Gather(_));
        let state = self.installed.as_mut().expect("a current ring is installed");
        let last = data.chunks.last().map_or(Seq(0), |chunk| chunk.seq);
        if last.0 > state.high.0 + SPAN_MAX {
            self.counters.senseless += 1;
            return;
        }
        if data.hop < state.seen_hop {
            // A late copy, or a datagram that was overtaken: its chunks are as good as any.
        } else {
            state.seen_hop = data.hop;
            state.progress = now;
            state.seen_at = state.index_of(sender).unwrap_or(state.seen_at);
            let passed_on = state
                .passed
                .as_ref()
                .is_some_and(|passed| passed.token.hop <= data.hop);
            if passed_on {
                state.passed = None;
                self.deadlines.token_again = None;
            }
        }
        state.high = state.high.max(last);
        self.high = self.high.max(last);
        self.take_chunks(now, data.chunks);
        if !gathering {
            self.ask_for_missing(now, sender);
        }
    }

    /// Whether a datagram belongs to the installed ring and comes from a member of it; counts those that do not.
    pub(super) fn is_current(&mut self, sender: Member, ring: RingId) -> bool {
        if bugs::on(Bug::NoFencing)
            && self
                .installed
                .as_ref()
                .is_some_and(|s| s.members.contains(&sender))
        {
            return true;
        }
        let frozen = matches!(self.phase, Phase::Commit(_) | Phase::Recover(_));
        match &self.installed {
            Some(state) if state.id == ring && state.index_of(sender).is_some() && !frozen => true,
            Some(state) if ring <= state.id || (frozen && ring.epoch <= self.epoch) => {
                self.counters.fenced += 1;
                let known = state.index_of(sender).is_some() || self.was_in(sender, ring);
                if known && ring < state.id {
                    self.out.push(Output::Fenced(sender.id, ring));
                }
                false
            }
            Some(_) | None => {
                self.counters.foreign += 1;
                false
            }
        }
    }

    /// Whether a member was in the ring before the installed one, together with this node.
    pub(super) fn was_in(&self, member: Member, ring: RingId) -> bool {
        let previous = self.previous.as_ref();
        previous.is_some_and(|(id, members)| *id == ring && members.contains(&member))
    }

    /// Puts chunks into the buffer and delivers what is in order now.
    fn take_chunks(&mut self, now: Time, chunks: Vec<Chunk>) {
        self.establish(now, !chunks.is_empty());
        let state = self
            .installed
            .as_mut()
            .expect("chunks are taken into an installed ring");
        let before = state.buffer.received_up_to();
        for chunk in chunks {
            let (ring, quorum) = (state.id, self.settings.quorum > 0);
            if quorum && chunk.id.counter == MARKER {
                // No message has this counter; stored, it would be taken for a mark of this node's own.
                self.counters.senseless += 1;
                continue;
            }
            self.counters.beyond_buffer += u64::from(state.buffer.is_beyond(chunk.seq));
            let copy = quorum.then(|| chunk.clone());
            if let (true, Some(chunk)) = (state.buffer.insert(chunk), copy) {
                self.unaccepted.insert(Position { ring, seq: chunk.seq });
                self.out.push(Output::Accept(ring, chunk));
            }
        }
        if state.buffer.received_up_to() > before {
            self.deliver_ready();
            self.settle(now);
        }
    }

    /// Delivers all that may be delivered by now.
    pub(super) fn deliver_ready(&mut self) {
        let Some(state) = &mut self.installed else { return };
        let bound = match self.settings.quorum {
            0 => state.buffer.received_up_to(),
            k => state.held_by(usize::from(k)).min(state.buffer.received_up_to()),
        };
        let deliveries = state.deliver_ready(bound);
        for delivery in deliveries {
            self.deliver(delivery);
        }
    }

    /// Hands a message up; it is unwritten until the replica has it.
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        self.unwritten.insert(delivery.position.seq);
        self.out.push(Output::Deliver(delivery));
    }

    /// With a quorum: this chunk is on disk.
    pub fn accepted(&mut self, now: Time, ring: RingId, seq: Seq) {
        if self.unaccepted.remove(&Position { ring, seq }) {
            if let Phase::Recover(recovering) = &mut self.phase {
                recovering.moved_on = true;
            }
            self.settle(now);
            if !self.is_operational() && self.has_recovered() {
                self.hasten(now, None);
            }
        }
    }

    /// Up to where a gap is a loss. Where data leaves after the token it may still be on its way, so only what the token named
    /// one round before is due.
    pub(super) fn asked_up_to(&self, state: &RingState) -> Seq {
        if self.settings.accelerated {
            state.due
        } else {
            state.high
        }
    }

    /// Asks `holder` for gaps below what it showed to exist; once, then again by the clock.
    pub(super) fn ask_for_missing(&mut self, now: Time, holder: Member) {
        let Some(state) = &self.installed else { return };
        if self.deadlines.nack_again.is_some() || state.buffer.received_up_to() >= state.high {
            return;
        }
        self.send_nack(holder, self.asked_up_to(state));
        // The next token makes more due; the clock is for where none comes.
        let again = match self.settings.accelerated {
            true => self.timing.token_again(),
            false => self.timing.nack_again(),
        };
        self.deadlines.nack_again = Some(Repeat::first(now, again));
    }

    fn send_nack(&mut self, holder: Member, bound: Seq) {
        let Some(state) = &self.installed else { return };
        let ranges = state.buffer.missing(bound, RANGES_MAX);
        if !ranges.is_empty() {
            let ring = state.id;
            self.watch_asked(ring, &ranges, self.settings.me);
            self.unicast(holder, Body::Nack { ring, ranges });
        }
    }

    /// Somebody lacks chunks: what is here is sent.
    pub(super) fn on_nack(&mut self, sender: Member, ring: RingId, ranges: &[(Seq, Seq)]) {
        let Some(state) = self.ring_here(ring) else {
            self.counters.foreign += 1;
            return;
        };
        // With a quorum also members of the ring being formed adopt it.
        let member = state.index_of(sender).is_some() || self.known_members().contains(&sender);
        if bugs::on(Bug::NacksDropped) || !member {
            return;
        }
        let chunks = chunks_in(state, ranges);
        self.watch_asked(ring, ranges, sender);
        self.watch_resent(ring, chunks.iter().map(|chunk| chunk.seq), Some(sender));
        for body in self.pack_repairs(ring, chunks) {
            self.unicast(sender, body);
        }
    }

    /// Repairs as datagrams.
    fn pack_repairs(&mut self, ring: RingId, chunks: Vec<Chunk>) -> Vec<Body> {
        self.counters.repaired_for_others += chunks.len() as u64;
        let room = self.settings.payload_max - HEADER_BYTES - Data::OVERHEAD_BYTES;
        let mut packing = Packing::new(room);
        chunks.into_iter().for_each(|chunk| packing.add_again(chunk));
        packing
            .into_datagrams()
            .into_iter()
            .map(|chunks| Body::Repair(Repair { ring, chunks }))
            .collect()
    }

    /// Chunks that were asked for arrived.
    pub(super) fn on_repair(&mut self, now: Time, sender: Member, repair: Repair) {
        if let Phase::Recover(_) = self.phase {
            self.take_recovered(now, sender, repair.ring, repair.chunks);
            return;
        }
        if !self.is_current(sender, repair.ring) {
            return;
        }
        let state = self.installed.as_mut().expect("a current ring is installed");
        let (high, before) = (state.high, state.buffer.received_up_to());
        let chunks: Vec<Chunk> = repair
            .chunks
            .into_iter()
            .filter(|chunk| chunk.seq <= high)
            .collect();
        let missed = || chunks.iter().filter(|chunk| !state.buffer.has(chunk.seq));
        let count = missed().count();
        if self.watched.is_some() {
            let missed: Vec<Seq> = missed().map(|chunk| chunk.seq).collect();
            self.watch_repaired(repair.ring, missed.into_iter(), sender);
        }
        self.counters.repaired_for_me += count as u64;
        if count > 0 {
            self.multicast_missed += 1;
        }
        self.take_chunks(now, chunks);
        let state = self.installed.as_ref().expect("a current ring is installed");
        if state.buffer.received_up_to() >= state.high {
            self.deadlines.nack_again = None;
        } else if state.buffer.received_up_to() > before {
            self.deadlines.nack_again = None;
            self.ask_for_missing(now, sender);
        }
        self.notice_filter(now);
    }

    /// Unicast repairs this node, but multicast does not reach it: it leaves and says so.
    fn notice_filter(&mut self, now: Time) {
        let silent_us = now.since_us(self.multicast_heard);
        if self.multicast_missed >= MISSED_MAX && silent_us > self.timing.filtered() {
            self.out.push(Output::Expelled(Expelled::MulticastFiltered));
        }
    }

    /// Answers what the token says others lack; what is answered is struck from it. A chunk that several
    /// lack goes to the group.
    pub(super) fn answer_lacking(&mut self, lacking: &mut Vec<(u16, Seq, Seq)>) {
        if lacking.is_empty() || bugs::on(Bug::NacksDropped) {
            return;
        }
        let state = self
            .installed
            .as_ref()
            .expect("the token of an installed ring is here");
        let (ring, me) = (state.id, state.me);
        let members = state.members.clone();
        let mut wanted: BTreeMap<Seq, Vec<usize>> = BTreeMap::new();
        for (index, first, last) in lacking.iter().filter(|(index, ..)| usize::from(*index) != me) {
            let chunks = chunks_in(state, &[(*first, *last)]);
            chunks
                .iter()
                .for_each(|chunk| wanted.entry(chunk.seq).or_default().push(usize::from(*index)));
        }
        lacking.retain(|(_, first, last)| (first.0..=last.0).any(|n| state.buffer.get(Seq(n)).is_none()));
        let mut by_receiver: BTreeMap<Option<usize>, Vec<Chunk>> = BTreeMap::new();
        for (seq, who) in wanted.iter().take(REPAIR_CHUNKS_MAX) {
            let to = if who.len() == 1 { Some(who[0]) } else { None };
            by_receiver
                .entry(to)
                .or_default()
                .extend(state.buffer.get(*seq).cloned());
        }
        for (to, chunks) in by_receiver {
            let receiver = to.map(|index| members[index]);
            self.watch_resent(ring, chunks.iter().map(|chunk| chunk.seq), receiver);
            for body in self.pack_repairs(ring, chunks) {
                match to {
                    Some(index) => self.unicast(members[index], body),
                    None => self.multicast(body),
                }
            }
        }
    }

    pub(super) fn tick_repair(&mut self, now: Time) {
        let Some(repeat) = due_again(&mut self.deadlines.nack_again, now) else {
            return;
        };
        if let Phase::Recover(_) = self.phase {
            self.pull(now);
            self.deadlines.nack_again = Some(repeat.again(now, self.timing.again_max()));
            return;
        }
        let others = self.holders_by_progress();
        if others.is_empty() {
            return;
        }
        let holder = others[self.jitter(others.len() as u64 - 1) as usize];
        // No token came meanwhile, or none that helped: whatever it was, it is late now.
        let high = self.installed.as_ref().map_or(Seq(0), |state| state.high);
        self.send_nack(holder, high);
        self.deadlines.nack_again = Some(repeat.again(now, self.timing.again_max()));
    }

    /// The other members that may have what is missing here: those known to, or else all.
    pub(super) fn holders_by_progress(&self) -> Vec<Member> {
        let Some(state) = &self.installed else {
            return Vec::new();
        };
        let first_missing = state.buffer.received_up_to().next();
        if first_missing > state.high {
            return Vec::new();
        }
        let others = || {
            state
                .members
                .iter()
                .zip(&state.rows)
                .filter(|(m, _)| **m != self.settings.me)
        };
        let having: Vec<Member> = others()
            .filter(|(_, row)| row.received_up_to >= first_missing)
            .map(|(m, _)| *m)
            .collect();
        if having.is_empty() {
            others().map(|(m, _)| *m).collect()
        } else {
            having
        }
    }
}

/// The chunks of these ranges that are in the ring's buffer, at most [`REPAIR_CHUNKS_MAX`].
fn chunks_in(state: &RingState, ranges: &[(Seq, Seq)]) -> Vec<Chunk> {
    let highest = state.buffer.highest();
    let lowest = Seq(highest.0.saturating_sub(SPAN_MAX));
    let seqs = ranges
        .iter()
        .flat_map(|(first, last)| (first.max(&lowest).0..=last.min(&highest).0).map(Seq));
    seqs.filter_map(|seq| state.buffer.get(seq).cloned())
        .take(REPAIR_CHUNKS_MAX)
        .collect()
}
