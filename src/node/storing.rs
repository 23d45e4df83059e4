//! Storing: what is asked of the disk, and what is done once it is durable.

use super::Node;
use super::face::{Action, CheckpointState, Exit, Notice, Store, Stored, Ticket};
use super::writing::Writing;
use crate::words::{Epoch, MessageId, Position, RingId, Seq, Time};

/// What is done when a ticket is durable.
#[derive(Clone, Debug)]
pub(super) enum AfterStore {
    /// The line is pending: it is offered to the ring.
    Outbox(MessageId),
    /// The ring may use the epoch.
    Epoch(Epoch),
    /// The records are held.
    Append(Vec<Writing>),
    /// A checkpoint is there; after the last one of this life, the node ends.
    Checkpoint {
        records: u64,
        delivered: Option<Position>,
        leaving: bool,
    },
    /// The replica is in canonical order up to here.
    Rewritten(Position),
    /// The new incarnation may be used.
    Reborn,
    /// The chunk is accepted.
    Accepted(RingId, Seq),
}

impl Node {
    /// Asks for something to be made durable, and remembers what to do then.
    pub(super) fn store(&mut self, store: Store, after: Option<AfterStore>) -> Ticket {
        self.last_ticket = Ticket(self.last_ticket.0 + 1);
        self.actions.push(Action::Store(self.last_ticket, store));
        if let Some(after) = after {
            self.after.push_back((self.last_ticket, after));
        }
        self.last_ticket
    }

    /// The disk says that all up to this ticket is durable.
    pub(super) fn on_stored(&mut self, now: Time, ticket: Ticket, found: Stored) {
        let mut hashes = found.hashes.into_iter();
        let mut numbers = found.checkpoints.into_iter();
        if self.disk_full.take().is_some() {
            self.notice(Notice::DiskRoom);
        }
        while let Some((_, after)) = self.after.pop_front_if(|(at, _)| *at <= ticket) {
            match after {
                AfterStore::Outbox(id) => self.line_is_pending(now, id),
                AfterStore::Epoch(epoch) => self.ring.epoch_stored(now, epoch),
                AfterStore::Append(records) => self.appended(now, records, &found.moved, &mut hashes),
                AfterStore::Checkpoint {
                    records,
                    delivered,
                    leaving,
                } => {
                    let number = numbers.next();
                    self.notice(Notice::Checkpointed {
                        number,
                        records,
                        delivered,
                    });
                    if leaving {
                        self.actions.push(Action::Exit(Exit::Left));
                    }
                }
                AfterStore::Rewritten(cut) => self.rewritten(now, cut),
                AfterStore::Reborn => self.begin_new_life(now),
                AfterStore::Accepted(ring, seq) => self.ring.accepted(now, ring, seq),
            }
        }
    }

    /// Writes a checkpoint.
    pub(super) fn checkpoint(&mut self, leaving: bool) {
        self.dirty = false;
        if let Some(up_to) = self
            .unheld
            .is_empty()
            .then(|| self.ring.accepted_and_written())
            .flatten()
        {
            self.marker_then_forget(up_to);
        }
        let state = CheckpointState {
            ring: self.ring.installed().map(|state| state.id),
            delivered: self.delivered,
            written: self.held.clone(),
            name: self.name.clone(),
            rooms: self.rooms.iter().cloned().collect(),
            leaving,
        };
        let after = AfterStore::Checkpoint {
            records: self.held.len(),
            delivered: self.delivered,
            leaving,
        };
        self.store(Store::Checkpoint(Box::new(state)), Some(after));
    }
}
