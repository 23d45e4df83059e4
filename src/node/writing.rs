//! From delivered to written: the artificial delay, the append, and the books.

use rand::RngExt;

use super::face::{Moved, Notice, Step, Store};
use super::{AfterStore, Node};
use crate::bugs::{self, Bug};
use crate::replica::Record;
use crate::replica::content::ContentView;
use crate::replica::record::hash_line;
use crate::ring::Delivery;
use crate::words::{MessageId, Position, Seq, Time};

/// What the digest of the order goes on with: what it was, and the next message's place and id.
fn link(hash: u64, position: Position, id: MessageId) -> [u8; 52] {
    let mut bytes = [0; 52];
    let (leader, sender) = (position.ring.leader, id.sender);
    bytes[..8].copy_from_slice(&hash.to_le_bytes());
    bytes[8..16].copy_from_slice(&position.ring.epoch.0.to_le_bytes());
    bytes[16..18].copy_from_slice(&leader.id.0.to_le_bytes());
    bytes[18..26].copy_from_slice(&leader.incarnation.0.to_le_bytes());
    bytes[26..34].copy_from_slice(&position.seq.0.to_le_bytes());
    bytes[34..36].copy_from_slice(&sender.id.0.to_le_bytes());
    bytes[36..44].copy_from_slice(&sender.incarnation.0.to_le_bytes());
    bytes[44..52].copy_from_slice(&id.counter.to_le_bytes());
    bytes
}

/// A record on its way to the replica.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) record: Record,
    /// Its number, if it came through the ring and the ring waits to hear that it is written.
    pub(super) ring_seq: Option<Seq>,
}

/// The most rooms that are remembered; messages of others are kept like all.
const ROOMS_MAX: usize = 1_000;
/// The most records in one append: bounds the memory of a batch.
const BATCH_MAX: usize = 4_096;

impl Node {
    /// The ring delivered a message.
    pub(super) fn on_delivery(&mut self, now: Time, delivery: Delivery) {
        let Delivery {
            position,
            id,
            content,
        } = delivery;
        self.order.hash = hash_line(&link(self.order.hash, position, id));
        self.order.count += 1;
        let view = ContentView::from_bytes(&content);
        let (Ok(record), Ok(view)) = (Record::new(id, position, content.clone()), view) else {
            // The same bytes are judged the same everywhere: nobody keeps it.
            *self.refused.entry("unreadable message").or_default() += 1;
            self.ring.written(now, position.seq);
            return;
        };
        self.learn_name(id.sender, &view.name);
        self.delivered = self.delivered.max(Some(position));
        self.delivered_count += 1;
        if bugs::on(Bug::ForgotWhenDelivered) && self.outbox.remove(id).is_some() {
            self.store(Store::OutboxForget(vec![id]), None);
        }
        self.traces.step_at(now, id, Step::Delivered, position);
        self.learn_room(&view.room);
        self.accept_record(now, record, Some(position.seq));
    }

    /// Somebody spoke in this room.
    pub(super) fn learn_room(&mut self, room: &str) {
        if self.rooms.contains(room) {
            return;
        }
        if self.rooms.len() < ROOMS_MAX {
            self.rooms.insert(room.to_string());
        } else {
            self.at_limit("room not remembered");
        }
    }

    /// A message is part of the state: told to the user, and written after its delay.
    pub(super) fn accept_record(&mut self, now: Time, record: Record, ring_seq: Option<Seq>) {
        let known_at = self.unheld.get(record.id).copied();
        if self.ring.has_quorum() && known_at == Some(record.position) {
            // A rest that is decided may be delivered again by a ring that adopts it.
            if let Some(seq) = ring_seq {
                self.ring.written(now, seq);
            }
            return;
        }
        let known = known_at.is_some() || self.ids.contains(record.id);
        if self.held.contains(record.position) {
            // It is here already: it came from a peer before it came through the ring.
            if let Some(seq) = ring_seq {
                self.ring.written(now, seq);
            }
            return;
        }
        let own = record.id.sender.id == self.config.id;
        if own {
            self.ring.withdraw(record.id);
        }
        if !known {
            let late = ring_seq.is_none() && !bugs::on(Bug::LateUnmarked);
            self.notice(Notice::Message {
                record: record.clone(),
                late,
                own,
            });
        }
        let at = known_at.map_or(record.position, |at| at.min(record.position));
        self.unheld.insert(record.id, at);
        let delayed = ring_seq.is_some() && self.leaving.is_none();
        let delay_us = if delayed { self.delay() } else { 0 };
        self.delayed
            .put(now.after_us(delay_us), Writing { record, ring_seq });
    }

    /// A message that was accepted and delivered in an earlier life, and perhaps not written.
    pub(super) fn take_stored(&mut self, now: Time, delivery: Delivery) {
        let Delivery {
            position,
            id,
            content,
        } = delivery;
        let view = ContentView::from_bytes(&content);
        if let Ok(record) = Record::new(id, position, content.clone())
            && let Ok(view) = view
            && !self.ids.contains(id)
        {
            self.learn_room(&view.room);
            self.accept_record(now, record, None);
        }
    }

    /// With a quorum: the marker first, then the forgetting, so that a crash between leaves the lineage known.
    pub(super) fn marker_then_forget(&mut self, up_to: Position) {
        let now = self.last_now;
        self.relay(now);
        self.store(Store::AcceptForget(up_to), None);
    }

    /// The artificial delay of one message.
    fn delay(&mut self) -> u64 {
        let (min, max) = (self.config.delay_min_us, self.config.delay_max_us);
        if max <= min {
            min
        } else {
            self.dice.random_range(min..=max)
        }
    }

    /// Appends what has left its delay.
    pub(super) fn write_due(&mut self, now: Time) {
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH_MAX
                && let Some(writing) = self.delayed.take_due(now)
            {
                batch.push(writing);
            }
            if batch.is_empty() {
                return;
            }
            let records = batch.iter().map(|writing| writing.record.clone()).collect();
            self.store(Store::Append(records), Some(AfterStore::Append(batch)));
        }
    }

    /// Lets everything leave its delay at once.
    pub(super) fn end_delays(&mut self, now: Time) {
        self.delayed.end(now);
    }

    /// Records are in the replica, synced; these are the hashes of their lines.
    pub(super) fn appended(
        &mut self,
        now: Time,
        batch: Vec<Writing>,
        moved: &[Moved],
        hashes: &mut impl Iterator<Item = u64>,
    ) {
        let mut forget = Vec::new();
        for Writing { record, ring_seq } in batch {
            let (id, position) = (record.id, record.position);
            let hash = hashes.next().expect("the disk says a hash for each record");
            match moved.iter().find(|moved| moved.id == id) {
                Some(moved) if moved.to == position => {
                    self.disorder.appended(position);
                    self.move_record(&record, hash, *moved);
                }
                Some(moved) => self.notice(Notice::Moved(*moved)),
                None => {
                    self.disorder.appended(position);
                    self.hold(&record, hash);
                }
            }
            if self.unheld.get(id).is_some_and(|at| *at == position) {
                self.unheld.remove(id);
            }
            self.traces.step(now, id, Step::Written);
            self.watch_written(id, position);
            if let Some(seq) = ring_seq {
                self.ring.written(now, seq);
            }
            if let Some(line) = self.outbox.remove(id) {
                self.outbox_bytes -= line.bytes();
                forget.push(id);
            }
        }
        if !forget.is_empty() {
            self.store(Store::OutboxForget(forget), None);
        }
    }

    /// A record took the place of one at a higher position.
    fn move_record(&mut self, record: &Record, hash: u64, moved: Moved) {
        let old = Record {
            position: moved.from,
            ..record.clone()
        };
        if self.held.remove(moved.from) {
            self.digest.remove(&old);
        }
        self.hold(record, hash);
        self.notice(Notice::Moved(moved));
    }

    /// Whether a position is here, on its way here, or will come through the ring.
    pub(super) fn will_have(&self, position: Position) -> bool {
        let through_ring = self
            .ring
            .installed()
            .is_some_and(|state| state.id == position.ring);
        through_ring || self.held.contains(position)
    }
}
