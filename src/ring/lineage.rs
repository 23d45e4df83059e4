//! With a quorum: which ring the next one must account for, and what of it is on disk.
//!
//! With `--quorum K` a chunk is stored before it counts as held, and a message is delivered when K members hold
//! it. Rings with fewer than K members grant nothing, so they add nothing to the order: the *lineage* is the
//! chain of rings that had K members. A new ring of K adopts the undelivered rest of the newest ring of the
//! lineage that any of its members was in. All its members store that rest before they install, so K hold it,
//! and it is delivered. What a member has of an older ring of the lineage and did not deliver is void: the
//! newer ring had K members and did not find it. If K is more than half of all ids, two rings of the lineage
//! always share a member, and one order comes of it (as in viewstamped replication and Raft).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::buffer::Buffer;
use super::bugs::{self, Bug};
use super::{Delivery, Output, Ring, RingState};
use crate::wire::{Chunk, OldRing};
use crate::words::{Member, MessageId, Position, RingId, Seq, Time};

/// The counter of a marker: a stored chunk that says only that a ring of the lineage was entered here.
const MARKER: u64 = 0;

impl Ring {
    /// Whether a ring of this many members belongs to the lineage.
    pub(super) fn counts(&self, members: usize) -> bool {
        members >= usize::from(self.settings.quorum)
    }

    /// The ring that the next one must account for.
    pub(super) fn old_ring(&self) -> Option<&RingState> {
        let counted = self
            .installed
            .as_ref()
            .filter(|state| self.counts(state.members.len()));
        self.lineage.as_ref().or(counted)
    }

    /// A ring whose chunks are still here.
    pub(super) fn ring_here(&self, ring: RingId) -> Option<&RingState> {
        [&self.installed, &self.lineage]
            .into_iter()
            .flatten()
            .find(|state| state.id == ring)
    }

    /// With a quorum: the newest ring of the lineage that these members were in becomes the old ring of all.
    /// Returns what they have of it.
    pub(super) fn adopt(&mut self, now: Time, rows: &BTreeMap<Member, OldRing>) -> BTreeMap<Member, OldRing> {
        let me = self.settings.me;
        let mut newest = rows.values().filter_map(|old| old.ring).max();
        if bugs::on(Bug::OldestAdopted) {
            newest = rows.values().filter_map(|old| old.ring).min();
        }
        let mut holders: BTreeMap<Member, OldRing> = rows
            .iter()
            .filter(|(_, old)| old.ring == newest)
            .map(|(member, old)| (*member, old.clone()))
            .collect();
        let Some(ring) = newest.filter(|_| !holders.contains_key(&me)) else {
            return holders;
        };
        let delivered_by_all = holders
            .values()
            .map(|old| old.delivered_up_to)
            .min()
            .unwrap_or_default();
        let adopted = RingState::new(ring, vec![me], me, delivered_by_all.next(), now);
        self.out.push(Output::Adopted(ring));
        self.unaccepted.clear();
        let nothing = OldRing {
            ring: newest,
            high: self.high,
            kept_from: delivered_by_all.next(),
            received_up_to: delivered_by_all,
            delivered_up_to: delivered_by_all,
            above: Vec::new(),
        };
        holders.insert(me, nothing);
        self.lineage = Some(adopted);
        holders
    }

    /// The new ring is installed: what became of the old one. Returns what is delivered of it.
    pub(super) fn succeed(&mut self, members: usize) -> Vec<Delivery> {
        let was_lineage = self.lineage.take();
        let installed = self.installed.take();
        let counted = installed.filter(|state| self.counts(state.members.len()));
        let Some(mut old) = was_lineage.or(counted) else {
            return Vec::new();
        };
        if self.counts(members) {
            return old.deliver_rest();
        }
        self.lineage = Some(old);
        Vec::new()
    }

    /// With a quorum: stores that this node entered a ring of the lineage.
    pub(super) fn store_marker(&mut self, ring: RingId, before: Seq) {
        let id = MessageId {
            sender: self.settings.me,
            counter: MARKER,
        };
        let chunk = Chunk {
            seq: before,
            id,
            fragment: 0,
            fragments: 1,
            bytes: Bytes::new(),
        };
        self.out.push(Output::Accept(ring, chunk));
    }

    /// With a quorum: everything up to here is delivered and written, and need not be stored as accepted; a
    /// marker remains. Nothing, if there is nothing to forget.
    pub fn accepted_and_written(&mut self) -> Option<Position> {
        let state = self.old_ring().filter(|_| self.settings.quorum > 0)?;
        let (ring, seq) = (state.id, state.delivered_up_to);
        let news = self.forgotten < Some(Position { ring, seq });
        let idle = self.unwritten.is_empty() && self.unaccepted.is_empty();
        let position = Position { ring, seq };
        if !news || !idle || seq == Seq(0) {
            return None;
        }
        self.forgotten = Some(position);
        self.store_marker(ring, seq);
        Some(Position {
            ring,
            seq: Seq(seq.0 - 1),
        })
    }

    /// What was accepted in an earlier life: the newest ring becomes the old ring, what is there of older ones
    /// was delivered when it was entered, and is returned.
    pub fn restore(&mut self, now: Time, accepted: Vec<(RingId, Chunk)>) -> Vec<Delivery> {
        let mut rings: BTreeMap<RingId, Vec<Chunk>> = BTreeMap::new();
        accepted
            .into_iter()
            .for_each(|(ring, chunk)| rings.entry(ring).or_default().push(chunk));
        let Some((newest, chunks)) = rings.pop_last() else {
            return Vec::new();
        };
        let older = rings
            .into_iter()
            .flat_map(|(ring, chunks)| self.stored_ring(now, ring, chunks).deliver_rest());
        let older = older.collect();
        let state = self.stored_ring(now, newest, chunks);
        self.high = self.high.max(state.buffer.highest());
        self.epoch = self.epoch.max(newest.epoch);
        self.lineage = Some(state);
        older
    }

    /// The same node under a new incarnation: its lineage goes on.
    pub fn inherit(&mut self, before: Ring) {
        let counts = before
            .installed
            .filter(|state| state.members.len() >= usize::from(self.settings.quorum));
        self.lineage = before.lineage.or(counts).filter(|_| self.settings.quorum > 0);
    }

    /// A ring as far as it was stored: from its last marker on.
    fn stored_ring(&self, now: Time, ring: RingId, mut chunks: Vec<Chunk>) -> RingState {
        let me = self.settings.me;
        let marker = chunks
            .iter()
            .filter(|chunk| chunk.id.counter == MARKER)
            .map(|chunk| chunk.seq)
            .max();
        let lowest = chunks.iter().map(|chunk| chunk.seq).min().unwrap_or(Seq(1));
        let first = marker.map_or(lowest, Seq::next).max(Seq(1));
        let mut state = RingState::new(ring, vec![me], me, first, now);
        state.buffer = Buffer::new(first);
        chunks.retain(|chunk| chunk.id.counter != MARKER);
        for chunk in chunks {
            state.buffer.insert(chunk);
        }
        state.high = state.buffer.highest();
        state
    }
}
