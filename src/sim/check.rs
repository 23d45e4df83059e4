//! The checker: what must hold after every step of every node, and when all is quiet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::disk::Disk;
use super::fairness::Fairness;
use super::witness::Witness;
use crate::node::face::{Action, Exit, Notice};
use crate::node::{Node, OrderDigest};
use crate::replica::Record;
use crate::wire::Body;
use crate::wire::seal::To;
use crate::words::{Hop, Member, MessageId, NodeId, Position, RingId, Seq};

/// What must hold, with what was seen so far. Every check is incremental.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// Who holds the token of which ring.
    holders: BTreeMap<RingId, Member>,
    holding: BTreeMap<Member, RingId>,
    /// What every number was given to: message and fragment.
    stamped: BTreeMap<Position, (MessageId, u16)>,
    /// What every id says.
    contents: BTreeMap<MessageId, Bytes>,
    /// The last position delivered in order, by life.
    delivered: BTreeMap<Member, Position>,
    /// The ring every life is in.
    rings: BTreeMap<Member, RingId>,
    /// The last ring of every node, and in which life: over its lives, the canonical order must extend causality.
    last_rings: BTreeMap<NodeId, (Member, RingId)>,
    /// Lives that are over.
    over: BTreeSet<Member>,
    /// What was delivered of an old ring by those who moved on to a new one.
    moves: BTreeMap<(RingId, RingId), (Member, OrderDigest)>,
    fairness: Fairness,
    /// How many hold a message, as last told; it never falls.
    told_held: BTreeMap<(Member, Position), u16>,
    /// Lines acknowledged as pending, with their content.
    pub pending: BTreeMap<MessageId, Bytes>,
    /// Nodes that lost their disks: what they alone held may be gone.
    pub wiped: BTreeSet<NodeId>,
    /// Messages that rot took from some disk.
    taken: BTreeSet<MessageId>,
    /// Of those, the ones of which no other disk had a copy: they may be gone everywhere.
    lost_to_rot: BTreeSet<MessageId>,
    /// Nodes whose identity rotted: they may have forgotten their last ring.
    pub forgetful: BTreeSet<NodeId>,
    /// Lives that told of a full disk, and not yet of room.
    full: BTreeSet<Member>,
    /// With a quorum of more than half: no message ever has two positions.
    pub one_order: bool,
    /// Where each message was first told to stand, whoever told it.
    places: BTreeMap<MessageId, Position>,
    /// What is seen of several nodes.
    pub witness: Witness,
    /// Faults seen at work, for the report.
    pub seen: BTreeMap<&'static str, u64>,
}

/// A promise that was broken, in words.
pub type Broken = String;

impl Checker {
    /// Counts a fault or an event for the report.
    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn seen(&mut self, what: &'static str) -> Result<(), Broken> {
        self.count(what);
        Ok(())
    }

    /// A life is over: it holds nothing any more.
    pub fn gone(&mut self, member: Member) {
        self.over.insert(member);
        self.fairness.gone(member);
        self.release(member);
    }

    /// A life holds no token.
    fn release(&mut self, member: Member) {
        if let Some(ring) = self.holding.remove(&member) {
            self.holders.remove(&ring);
        }
    }

    /// The last position that a life delivered in order.
    pub fn delivered(&self, member: Member) -> Option<Position> {
        self.delivered.get(&member).copied()
    }

    /// One step of one node: what it did, and how it is now.
    pub fn step(
        &mut self,
        node: &Node,
        actions: &[Action],
        disks: &BTreeMap<NodeId, Disk>,
    ) -> Result<(), Broken> {
        self.mutual_exclusion(node)?;
        self.witness.step(node, actions, disks)?;
        let mut stamped = None;
        for action in actions {
            match action {
                Action::Multicast(bytes) => stamped = self.stamps(node, bytes)?.or(stamped),
                Action::Notice(notice) => self.notice(node, notice, disks)?,
                Action::Exit(exit) => Checker::the_later_exits(node, exit)?,
                Action::Unicast(..) | Action::Store(..) | Action::Load(..) | Action::Stream(..) => {}
            }
        }
        let ends = node.has_left() || actions.iter().any(|action| matches!(action, Action::Exit(_)));
        self.fairness.step(node, stamped, ends)
    }

    /// Of two lives of one id that meet, the later one exits; an earlier one only if its place was taken, or if it
    /// comes to a ring that has its id.
    fn the_later_exits(node: &Node, exit: &Exit) -> Result<(), Broken> {
        let (me, in_ring) = (node.me(), node.ring().installed().is_some());
        match exit {
            Exit::IdTaken { by, .. } if in_ring && by.incarnation > me.incarnation => Err(format!(
                "one of each id: {me} exits because of {by}, which is later"
            )),
            Exit::Superseded { by } if by.incarnation < me.incarnation => {
                Err(format!("one of each id: {me} exits for {by}, which is earlier"))
            }
            Exit::IdTaken { .. }
            | Exit::Superseded { .. }
            | Exit::Left
            | Exit::QuorumDiffers { .. }
            | Exit::MulticastFiltered => Ok(()),
        }
    }

    /// In one ring at most one node holds the token.
    fn mutual_exclusion(&mut self, node: &Node) -> Result<(), Broken> {
        let me = node.me();
        self.release(me);
        let states = [node.ring().installed(), node.ring().forming()];
        let held = states.into_iter().flatten().find(|state| state.holding.is_some());
        if let Some(ring) = held.map(|state| state.id) {
            self.holding.insert(me, ring);
            if let Some(other) = self.holders.insert(ring, me) {
                return Err(format!(
                    "mutual exclusion: {} and {} hold the token of ring {ring}",
                    other.id, me.id
                ));
            }
        }
        let bytes = node.ring().installed().map_or(0, |state| state.buffer.bytes());
        if bytes > 64 << 20 {
            return Err(format!("bounded: {} buffers {bytes} bytes", me.id));
        }
        Ok(())
    }

    /// A number is given once. Returns the hop at which numbers were given here.
    fn stamps(&mut self, node: &Node, bytes: &Bytes) -> Result<Option<Hop>, Broken> {
        if !super::tell::is_data(bytes) {
            return Ok(None);
        }
        let seen = node.sealing().look_sent(To::Group, bytes.clone());
        let Ok((sender, Body::Data(data))) = seen else {
            return Ok(None);
        };
        let hop = Some(data.hop);
        for chunk in data.chunks {
            let position = Position {
                ring: data.ring,
                seq: chunk.seq,
            };
            let what = (chunk.id, chunk.fragment);
            if let Some(other) = self.stamped.insert(position, what).filter(|other| *other != what) {
                return Err(format!(
                    "total order: {sender} gave {position} to {what:?}, it was {other:?}'s"
                ));
            }
        }
        Ok(hop)
    }

    fn notice(&mut self, node: &Node, notice: &Notice, disks: &BTreeMap<NodeId, Disk>) -> Result<(), Broken> {
        let me = node.me();
        match notice {
            Notice::Pending { id, .. } if self.full.contains(&me) => {
                Err(format!("bounded: {me} has told of a full disk, and takes {id}"))
            }
            Notice::Pending { id, content, .. } => self.same_content(*id, content).map(|()| {
                self.pending.insert(*id, content.clone());
            }),
            Notice::DiskFull(_) => {
                self.full.insert(me);
                self.seen("told of a full disk")
            }
            Notice::DiskRoom => {
                self.full.remove(&me);
                Ok(())
            }
            Notice::Message { record, late, .. } => self.message(me, record, *late),
            Notice::Ring { ring, first, .. } => self.installed(node, *ring, *first),
            Notice::Held { id, position, k, n } => self.held(me, (*id, *position), (*k, *n), disks),
            Notice::Conflict { id, .. } => Err(format!("no duplicates: conflict about {id}")),
            Notice::Moved(moved) => {
                self.count("moved");
                self.two_places(moved.id, moved.from, moved.to)
            }
            Notice::Fenced { .. } => self.seen("fenced"),
            Notice::Woke { .. } => self.seen("woke with an old token"),
            Notice::CaughtUp { .. } => self.seen("caught up"),
            Notice::FoundOrdered { .. } => self.seen("old line found ordered"),
            Notice::OfferedAgain { .. } => self.seen("old line offered again"),
            Notice::Gathering(_) => self.seen("gathering"),
            Notice::Reconciled { .. } => self.seen("reconciled"),
            Notice::Refused { .. }
            | Notice::Request(_)
            | Notice::Grant(..)
            | Notice::Detail(_)
            | Notice::Stamped { .. }
            | Notice::Written { .. }
            | Notice::Standing(_)
            | Notice::Pass(..)
            | Notice::CatchingUp { .. }
            | Notice::Checkpointed { .. }
            | Notice::Status(_)
            | Notice::Trace { .. }
            | Notice::Rekeyed(_)
            | Notice::Stranger(_)
            | Notice::Lab(_)
            | Notice::Warning(_) => Ok(()),
        }
    }

    /// A message was ordered at two positions: that may be only where one order is not claimed.
    fn two_places(&self, id: MessageId, first: Position, second: Position) -> Result<(), Broken> {
        match self.one_order && self.wiped.is_empty() {
            true => Err(format!("one order: {id} has two places, {first} and {second}")),
            false => Ok(()),
        }
    }

    /// One id says one thing.
    fn same_content(&mut self, id: MessageId, content: &Bytes) -> Result<(), Broken> {
        match self.contents.insert(id, content.clone()) {
            Some(other) if other != content => Err(format!("no duplicates: two contents under {id}")),
            Some(_) | None => Ok(()),
        }
    }

    /// A delivery: in order, or marked as late.
    fn message(&mut self, me: Member, record: &Record, late: bool) -> Result<(), Broken> {
        self.same_content(record.id, &record.content)?;
        let place = *self.places.entry(record.id).or_insert(record.position);
        if place != record.position {
            self.two_places(record.id, place, record.position)?;
        }
        if let Some((id, _)) = self
            .stamped
            .get(&record.position)
            .filter(|(id, _)| *id != record.id)
        {
            return Err(format!(
                "total order: {me} has {} at {}, it is {id}'s",
                record.id, record.position
            ));
        }
        if late {
            self.count("late message");
            return Ok(());
        }
        let last = self.delivered.insert(me, record.position);
        match last.filter(|last| *last >= record.position) {
            Some(last) => Err(format!(
                "total order: {me} delivered {} after {last}",
                record.position
            )),
            None => Ok(()),
        }
    }

    /// Those who move together have delivered the same.
    fn installed(&mut self, node: &Node, ring: RingId, first: Seq) -> Result<(), Broken> {
        let me = node.me();
        self.count("ring");
        if let Some(last) = self.delivered.get(&me).filter(|last| last.seq >= first) {
            return Err(format!(
                "rings: {ring} begins at #{first}, and {me} has delivered {last}"
            ));
        }
        let last = self
            .last_rings
            .insert(me.id, (me, ring))
            .filter(|(life, _)| *life == me || (self.over.contains(life) && *life < me))
            .filter(|_| !self.wiped.contains(&me.id) && !self.forgetful.contains(&me.id));
        if let Some((_, last)) = last.filter(|(_, last)| last.epoch >= ring.epoch) {
            return Err(format!("rings: {me} installed {ring} after {last}"));
        }
        let old = self.rings.insert(me, ring);
        // With a quorum, what is delivered between two small rings is no matter of who moves together.
        let Some(old) = old.filter(|_| !node.ring().has_quorum()) else {
            return Ok(());
        };
        if old >= ring {
            return Err(format!("rings: {me} went from {old} to {ring}"));
        }
        let order = node.last_order();
        let (other, theirs) = *self.moves.entry((old, ring)).or_insert((me, order));
        if theirs == order {
            return Ok(());
        }
        Err(format!(
            "virtual synchrony: from {old} to {ring}, {other} delivered {} messages and {me} {}, or others",
            theirs.count, order.count
        ))
    }

    /// A tick is a fact: that many disks hold the message.
    fn held(
        &mut self,
        me: Member,
        (id, position): (MessageId, Position),
        (k, n): (u16, u16),
        disks: &BTreeMap<NodeId, Disk>,
    ) -> Result<(), Broken> {
        self.count("tick");
        let told = self.told_held.insert((me, position), k).unwrap_or(0);
        let holds = |disk: &&Disk| disk.places.contains_key(&id) || disk.ever_accepted.contains(&id);
        // More than that many do not matter.
        let holding = disks.values().filter(holds).take(usize::from(k)).count();
        let facts = holding + self.wiped.len() >= usize::from(k) && k <= n;
        if !facts || k < told {
            return Err(format!(
                "true ticks: {me} tells {id} to be held by {k} of {n}, earlier by {told}; {holding} disks hold it"
            ));
        }
        Ok(())
    }

    /// A start found these records on its disk, and that rot took those messages. What another disk has must
    /// come back everywhere; what only ever lived on the disk that rotted may be gone.
    pub fn found_on_disk(
        &mut self,
        id: NodeId,
        records: &[Record],
        taken: Vec<MessageId>,
        disks: &BTreeMap<NodeId, Disk>,
    ) -> Result<(), Broken> {
        for record in records {
            self.same_content(record.id, &record.content)?;
            let stamped = self.stamped.get(&record.position).map(|(id, _)| *id);
            if let Some(other) = stamped.filter(|other| *other != record.id) {
                return Err(format!(
                    "recovery: the disk of {id} has {} at {}, it is {other}'s",
                    record.id, record.position
                ));
            }
        }
        for message in taken {
            self.count("disk: message lost to rot here");
            self.taken.insert(message);
            self.excuse_if_gone(message, id, disks);
        }
        Ok(())
    }

    /// A disk is about to be wiped: of what rot took elsewhere, it may have had the last copy.
    pub fn wiped(&mut self, id: NodeId, disks: &BTreeMap<NodeId, Disk>) {
        self.wiped.insert(id);
        for message in self.taken.clone() {
            self.excuse_if_gone(message, id, disks);
        }
    }

    fn excuse_if_gone(&mut self, message: MessageId, gone_from: NodeId, disks: &BTreeMap<NodeId, Disk>) {
        let has = |disk: &Disk| disk.places.contains_key(&message) || disk.outbox.contains_key(&message);
        let elsewhere = disks.iter().any(|(id, disk)| *id != gone_from && has(disk));
        if !elsewhere && self.lost_to_rot.insert(message) {
            self.count("disk: only copy lost to rot");
        }
    }

    /// When all is quiet: equal replicas, and every acknowledged line in them exactly once.
    pub fn converged(&self, disks: &BTreeMap<NodeId, Disk>) -> Result<(), Broken> {
        let mut replicas = disks.iter();
        let Some((first_id, first)) = replicas.next() else {
            return Ok(());
        };
        for (id, disk) in replicas {
            if disk.replica != first.replica {
                let (a, b) = (first.replica.len(), disk.replica.len());
                return Err(format!(
                    "convergence: {first_id} has {a} records, {id} has {b}, or others"
                ));
            }
        }
        for (id, content) in &self.pending {
            let excused = self.wiped.contains(&id.sender.id) || self.lost_to_rot.contains(id);
            if !first.places.contains_key(id) && !excused {
                return Err(format!("nothing lost: {id} was acknowledged and is nowhere"));
            }
            let place = first.places.get(id).and_then(|at| first.replica.get(at));
            if place.is_some_and(|record| record.content != content) {
                return Err(format!("no duplicates: {id} says something else"));
            }
        }
        if first.places.len() != first.replica.len() {
            return Err("no duplicates: an id stands twice".to_string());
        }
        disks.values().try_for_each(Disk::as_booked)
    }
}
