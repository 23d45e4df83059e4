//! With a quorum: which ring the next one must account for, what of it is on disk, and when it is decided.
//!
//! This is viewstamped replication (Liskov, Cowling, 2012) with rings for views. A chunk is stored before it counts
//! as held, and a message is delivered when K members hold it. The *lineage* is the chain of rings of at least K
//! members. A member *enters* such a ring when it has all that was decided before it: it then keeps, on disk, the
//! mark that it entered, and what the ring adopted.
//!
//! - A new ring of K adopts the *rest*, what is stored and not delivered, of the newest ring that any of its members
//!   entered. If K is more than half of all ids, some member entered every ring in which anything was decided, so
//!   nothing decided is missed; what is not found is void, for good.
//! - A member that comes from an older ring, or has a hole, stores the rest too, but enters only after it has caught
//!   up with one that entered. Until then it holds nothing in the eyes of the others, and keeps the log of the ring
//!   it entered last: the ring that is forming may come to nothing.
//! - When K members have entered, the ring is *established*: the rest is decided, and messages are stamped. So a
//!   ring has chunks of its own only when the rest before it is decided, and a log is always of one ring.
//!
//! Why this is one order stands in `docs/PROTOCOL.md`, Phases.

use std::collections::BTreeMap;

use super::mark::Mark;
use super::recover::{has, union};
use super::{Delivery, Output, Ring, RingState};
use crate::bugs::{self, Bug};
use crate::wire::{Chunk, OldRing};
use crate::words::{Member, MessageId, Position, RingId, Seq, Time};

/// The counter of a marker: a stored chunk that says only that a ring of the lineage was entered here.
pub(super) const MARKER: u64 = 0;

/// The lineage as one member knows it. Without a quorum all of it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage {
    /// The newest ring this node entered.
    pub(super) entered: Option<RingId>,
    /// Its log, while the installed ring is another one: one that is too small, or that was not entered yet.
    pub(super) log: Option<RingState>,
    /// What the installed ring adopted, until it is decided.
    pub(super) rest: Option<RingState>,
    /// This node has all that was decided before the installed ring.
    pub(super) complete: bool,
    /// K members are known to have entered the installed ring.
    pub(super) established: bool,
    /// What is accepted was forgotten up to here.
    forgotten: Option<Position>,
}

impl Lineage {
    /// What is accepted was forgotten up to here.
    pub(super) fn forgotten(&self) -> Option<Position> {
        self.forgotten
    }
}

/// What a forming ring adopts.
#[derive(Clone, Debug, Default)]
pub(super) struct Adoption {
    /// What each member has of the ring that is adopted, this node included.
    pub(super) holders: BTreeMap<Member, OldRing>,
    /// Where this node collects it, if it has no log of that ring itself.
    pub(super) adopted: Option<RingState>,
    /// This node has all that was decided before.
    pub(super) complete: bool,
}

impl Ring {
    /// Whether a ring of this many members belongs to the lineage.
    pub(super) fn counts(&self, members: usize) -> bool {
        members >= usize::from(self.settings.quorum)
    }

    /// Whether messages are delivered only when a quorum holds them.
    pub fn has_quorum(&self) -> bool {
        self.settings.quorum > 0
    }

    /// Whether this node entered the ring that is installed.
    pub fn has_entered(&self) -> bool {
        let installed = self.installed.as_ref().map(|state| state.id);
        !self.has_quorum() || (installed.is_some() && self.lineage.entered == installed)
    }

    /// Whether a member is known to have entered the installed ring.
    pub fn is_known_to_have_entered(&self, member: Member) -> bool {
        let Some(state) = &self.installed else {
            return false;
        };
        let row = state.index_of(member).map(|at| &state.rows[at]);
        !self.has_quorum() || row.is_some_and(|row| row.held_up_to.0 + 1 >= state.first.0)
    }

    /// Whether all of the installed ring may be counted on: messages may be stamped, and what is not known is void.
    /// A ring smaller than the quorum grants nothing, nor does one that too few have entered.
    pub fn may_grant(&self) -> bool {
        !self.has_quorum() || self.lineage.established || bugs::on(Bug::GrantedBelowQuorum)
    }

    /// Whether this node has to catch up before it counts in the installed ring.
    pub fn must_catch_up(&self) -> bool {
        let counts = self
            .installed
            .as_ref()
            .is_some_and(|state| self.counts(state.members.len()));
        self.has_quorum() && counts && self.is_operational() && !self.lineage.complete
    }

    /// Up to where this node has stored what it received in the installed ring. Nothing, until it has entered.
    pub(super) fn accepted_up_to(&self, state: &RingState) -> Seq {
        if !self.counts(state.members.len()) {
            // Nothing is said in it: what is held is of the rings before.
            let first = self.unaccepted.iter().map(|at| at.seq).min();
            let before = first.map_or(Seq(u64::MAX), |first| Seq(first.0.saturating_sub(1)));
            return state.buffer.received_up_to().min(before);
        }
        if !self.has_entered() {
            return Seq(0);
        }
        let (ring, received) = (state.id, state.buffer.received_up_to());
        let position = |seq: Seq| Position { ring, seq };
        let mut unaccepted = self.unaccepted.range(position(Seq(0))..=position(received));
        let first = unaccepted.next().map(|first| Seq(first.seq.0.saturating_sub(1)));
        first.unwrap_or(received)
    }

    /// The log that the next ring must account for.
    pub(super) fn old_ring(&self) -> Option<&RingState> {
        match self.has_entered() {
            true => self.lineage.rest.as_ref().or(self.installed.as_ref()),
            false => self.lineage.log.as_ref(),
        }
    }

    /// A ring whose chunks are still here.
    pub(super) fn ring_here(&self, ring: RingId) -> Option<&RingState> {
        [&self.installed, &self.lineage.log, &self.lineage.rest]
            .into_iter()
            .flatten()
            .find(|state| state.id == ring)
    }

    /// What a forming ring of the lineage adopts: the log of the newest ring that any member entered.
    pub(super) fn adopt(&self, now: Time, rows: &BTreeMap<Member, OldRing>) -> Adoption {
        let me = self.settings.me;
        let entered_rings = rows.values().filter_map(|old| old.entered);
        let newest = match bugs::on(Bug::OldestAdopted) {
            true => entered_rings.min(),
            false => entered_rings.max(),
        };
        let Some(newest) = newest else {
            return Adoption {
                complete: true,
                ..Adoption::default()
            };
        };
        let entered = |old: &&OldRing| old.entered == Some(newest);
        // Some may know already that the rest before the newest ring is decided, and report that ring's own log.
        let ring = rows.values().filter(entered).filter_map(|old| old.ring).max();
        let mut holders = rows.clone();
        holders.retain(|_, old| old.entered == Some(newest) && old.ring == ring);
        let delivered = holders.values().map(|old| old.delivered_up_to);
        let (least, most) = (delivered.clone().min(), delivered.max());
        let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
        if let Some(mine) = holders.get(&me) {
            let ranges = union(&holders);
            let somewhere = |seq: Seq| ranges.iter().any(|(first, last)| *first <= seq && seq <= *last);
            let mut undelivered = (mine.received_up_to.next().0..=most.0).map(Seq);
            let complete = undelivered.all(|seq| has(mine, seq) || somewhere(seq));
            return Adoption {
                holders,
                adopted: None,
                complete,
            };
        }
        let adopted = ring.map(|ring| RingState::new(ring, vec![me], me, least.next(), now));
        let nothing = OldRing {
            ring,
            entered: Some(newest),
            high: self.high,
            kept_from: least.next(),
            received_up_to: least,
            delivered_up_to: least,
            above: Vec::new(),
        };
        holders.insert(me, nothing);
        Adoption {
            holders,
            adopted,
            complete: false,
        }
    }

    /// A new ring is installed: what becomes of the old one. Returns what is delivered of it. `named` is what the
    /// reports name of what a ring of the lineage adopts.
    pub(super) fn succeed(
        &mut self,
        new: RingState,
        adopted: Option<RingState>,
        complete: bool,
        named: &[(Seq, Seq)],
    ) -> Vec<Delivery> {
        if !self.has_quorum() {
            let old = self.installed.replace(new);
            return old.map_or(Vec::new(), RingState::deliver_rest);
        }
        let own = self.take_log();
        let (counts, nothing_before) = (self.counts(new.members.len()), new.first == Seq(1));
        self.installed = Some(new);
        self.lineage.established = false;
        self.lineage.complete = counts && (complete || nothing_before || bugs::on(Bug::LaggardCounted));
        (self.lineage.log, self.lineage.rest) = match (counts, adopted) {
            (true, Some(adopted)) => (own, Some(adopted)),
            (true, None) => (own.clone(), own),
            (false, _) => (own, None),
        };
        if let Some(rest) = &mut self.lineage.rest {
            // All adopt the same, and a report has room for so many ranges only.
            rest.buffer.keep_only(named);
        }
        Vec::new()
    }

    /// Whether this node has all it needs to enter the installed ring, once what it delivered before is written.
    pub fn may_enter(&self) -> bool {
        self.lineage.complete && !self.has_entered() && self.is_operational()
    }

    /// This node has caught up with one that entered the installed ring.
    pub fn caught_up(&mut self) {
        if self.must_catch_up() {
            self.lineage.complete = true;
        }
    }

    /// Enters the installed ring: its log counts, and that of older ones no more. All that was delivered of them must
    /// be in the replica.
    pub fn enter(&mut self, now: Time) {
        assert!(
            self.may_enter(),
            "a ring is entered once, by who has all that was decided"
        );
        let state = self
            .installed
            .as_ref()
            .expect("a ring is entered once it is installed");
        let (ring, first) = (state.id, state.first);
        self.lineage.entered = Some(ring);
        self.lineage.log = None;
        let rest = self.lineage.rest.as_ref().map(Mark::of);
        let oldest = rest.as_ref().map_or(ring, |(before, _)| *before);
        // The marker of a ring that begins at 1 stands at 0, and stays.
        let void = (rest.is_some() || first > Seq(1)).then_some(Position {
            ring: oldest,
            seq: Seq(0),
        });
        let mark = rest.map_or(Mark::Written, |(before, ranges)| Mark::Undecided(before, ranges));
        if !bugs::on(Bug::EntryNotStored) {
            let seq = Seq(first.0 - 1);
            self.store_marker(ring, seq, mark);
            self.unaccepted.insert(Position { ring, seq });
        }
        self.out.push(Output::Entered(void));
        self.settle(now);
    }

    /// With a quorum: once K members have entered, or somebody has stamped because they have, the rest is decided.
    pub(super) fn establish(&mut self, now: Time, stamped: bool) {
        let Some(state) = self.installed.as_ref().filter(|_| self.has_quorum()) else {
            return;
        };
        let known = state.held_by(usize::from(self.settings.quorum)).0 + 1 >= state.first.0;
        if self.lineage.established || !self.counts(state.members.len()) || !(known || stamped) {
            return;
        }
        let (ring, first) = (state.id, state.first);
        self.lineage.established = true;
        let rest = self.lineage.rest.take();
        if let (Some(rest), true) = (&rest, self.has_entered()) {
            let (before, ranges) = Mark::of(rest);
            self.store_marker(ring, Seq(first.0 - 1), Mark::Decided(before, ranges));
        }
        for delivery in rest.map_or(Vec::new(), RingState::deliver_rest) {
            self.deliver(delivery);
        }
        self.out.push(Output::Established);
        if !self.queue.is_empty() || self.leaving {
            self.request(now);
        }
    }

    /// Stores that this node entered a ring of the lineage, and has delivered all of it up to `before`.
    fn store_marker(&mut self, ring: RingId, before: Seq, mark: Mark) {
        let id = MessageId {
            sender: self.settings.me,
            counter: MARKER,
        };
        let chunk = Chunk {
            seq: before,
            id,
            fragment: 0,
            fragments: 1,
            bytes: mark.to_bytes(),
        };
        self.out.push(Output::Accept(ring, chunk));
    }

    /// With a quorum: everything up to here is delivered and written, and need not be stored as accepted; a
    /// marker remains. Nothing, if there is nothing to forget.
    pub fn accepted_and_written(&mut self) -> Option<Position> {
        let settled = self.has_quorum() && self.has_entered() && self.lineage.established;
        let state = self.installed.as_ref().filter(|_| settled)?;
        let (ring, seq) = (state.id, state.settled_up_to());
        let position = Position { ring, seq };
        let news = self.lineage.forgotten < Some(position);
        let idle = self.unwritten.is_empty() && self.unaccepted.is_empty();
        if !news || !idle || seq == Seq(0) {
            return None;
        }
        self.lineage.forgotten = Some(position);
        self.store_marker(ring, seq, Mark::Written);
        Some(Position {
            ring,
            seq: Seq(seq.0 - 1),
        })
    }

    /// What was accepted in an earlier life: the log of the ring entered last. What was decided before that ring is
    /// returned, to be delivered again. Chunks of rings that were not entered count for nothing.
    pub fn restore(&mut self, now: Time, accepted: Vec<(RingId, Chunk)>) -> Vec<Delivery> {
        let mut rings: BTreeMap<RingId, Vec<Chunk>> = BTreeMap::new();
        for (ring, chunk) in accepted {
            rings.entry(ring).or_default().push(chunk);
        }
        let markers = |chunks: &Vec<Chunk>| {
            let markers = chunks.iter().filter(|chunk| chunk.id.counter == MARKER);
            markers.max_by_key(|chunk| chunk.seq).cloned()
        };
        let newest = rings
            .iter()
            .rev()
            .find_map(|(ring, chunks)| Some((*ring, markers(chunks)?)));
        let Some((entered, marker)) = newest else {
            return Vec::new();
        };
        let chunks = rings.remove(&entered).unwrap_or_default();
        let log = self.stored_ring(now, entered, (marker.seq.next(), Seq(u64::MAX)), chunks);
        let has_chunks = log.buffer.highest() > marker.seq;
        let mut rest = |ring: RingId, ranges: &[(Seq, Seq)]| {
            let mut chunks = rings.remove(&ring).unwrap_or_default();
            let named = |seq: Seq| ranges.iter().any(|(first, last)| *first <= seq && seq <= *last);
            chunks.retain(|chunk| named(chunk.seq));
            let first = ranges.first().map_or(marker.seq.next(), |(first, _)| *first);
            self.stored_ring(now, ring, (first, marker.seq), chunks)
        };
        let (log, decided) = match Mark::from_bytes(&marker.bytes) {
            Mark::Undecided(before, ranges) if !has_chunks => (rest(before, &ranges), Vec::new()),
            Mark::Undecided(before, ranges) | Mark::Decided(before, ranges) => {
                (log, rest(before, &ranges).deliver_rest())
            }
            Mark::Written => (log, Vec::new()),
        };
        self.high = self.high.max(log.buffer.highest()).max(marker.seq);
        self.epoch = self.epoch.max(entered.epoch);
        self.lineage.entered = Some(entered);
        self.lineage.log = Some(log);
        decided
    }

    /// The same node under a new incarnation: its lineage goes on.
    pub fn inherit(&mut self, mut before: Ring) {
        self.watch(before.watched.is_some());
        if self.has_quorum() {
            self.lineage.log = before.take_log();
            self.lineage.entered = before.lineage.entered;
        }
    }

    /// The log of the ring entered last, taken out of its place.
    fn take_log(&mut self) -> Option<RingState> {
        match self.has_entered() {
            true => self.lineage.rest.take().or(self.installed.take()),
            false => self.lineage.log.take(),
        }
    }

    /// A ring as far as it was stored, in these bounds.
    fn stored_ring(&self, now: Time, ring: RingId, bounds: (Seq, Seq), chunks: Vec<Chunk>) -> RingState {
        let me = self.settings.me;
        let (first, last) = (bounds.0.max(Seq(1)), bounds.1);
        let mut state = RingState::new(ring, vec![me], me, first, now);
        let messages = chunks.into_iter().filter(|chunk| chunk.id.counter != MARKER);
        for chunk in messages.filter(|chunk| chunk.seq <= last) {
            state.buffer.insert(chunk);
        }
        state.high = state.buffer.highest();
        state
    }
}
