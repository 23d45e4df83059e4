//! A disk: the books of what is durable on it, and perhaps the files themselves.
//!
//! A disk of books alone is quick: of what was under way at a crash, the first few operations survive. One with
//! files has the production code write and read them, on a file system that breaks; see [`files`].

pub mod files;
pub mod memory;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::node::face::{Accepted, CheckpointState, Load, Moved, Restart, Store, Stored, Ticket};
use crate::replica::Record;
use crate::replica::record::hash_line;
use crate::words::{Epoch, Incarnation, MessageId, Position, Seq};

/// One node's disk.
#[derive(Debug, Default)]
pub struct Disk {
    /// The stored incarnation and epoch.
    pub identity: (Incarnation, Epoch),
    /// The lines in the outbox.
    pub outbox: BTreeMap<MessageId, Bytes>,
    /// The replica by position.
    pub replica: BTreeMap<Position, Record>,
    /// Where each message stands.
    pub places: BTreeMap<MessageId, Position>,
    /// The last checkpoint.
    pub checkpoint: Option<CheckpointState>,
    /// How many were written.
    checkpoints: u64,
    /// Chunks accepted before delivery.
    pub accepted: BTreeMap<Position, Accepted>,
    /// Messages of which a chunk was ever accepted here, or that rot took: what was confirmed stays true when the
    /// lineage goes on without it, or the disk.
    pub ever_accepted: BTreeSet<MessageId>,
    /// Operations under way, in order.
    pending: VecDeque<(Ticket, Store)>,
    /// A digest of everything that was ever made durable, for the trace.
    pub history: u64,
    /// The files, if there are any.
    files: Option<files::Files>,
}

impl Disk {
    /// Another disk with the same books, and no files.
    pub fn copy_of_books(&self) -> Disk {
        Disk {
            identity: self.identity,
            outbox: self.outbox.clone(),
            replica: self.replica.clone(),
            places: self.places.clone(),
            checkpoint: self.checkpoint.clone(),
            checkpoints: self.checkpoints,
            accepted: self.accepted.clone(),
            ever_accepted: self.ever_accepted.clone(),
            pending: self.pending.clone(),
            history: self.history,
            files: None,
        }
    }

    /// An operation is on its way.
    pub fn submit(&mut self, ticket: Ticket, store: Store) {
        self.pending.push_back((ticket, store));
    }

    /// All operations up to this ticket become durable.
    pub fn sync(&mut self, ticket: Ticket) -> Stored {
        let mut stored = Stored::default();
        while let Some((_, store)) = self.pending.pop_front_if(|(at, _)| *at <= ticket) {
            self.apply(store, &mut stored);
        }
        stored
    }

    /// The process is killed: of what was under way, `survivors` operations made it all the same.
    pub fn crash(&mut self, survivors: usize) {
        if self.files.is_none() {
            for (_, store) in std::mem::take(&mut self.pending).into_iter().take(survivors) {
                self.apply(store, &mut Stored::default());
            }
            return;
        }
        let last = self.pending.iter().take(survivors).last();
        if let Some(last) = last.map(|(ticket, _)| *ticket) {
            // What fails now fails nobody any more.
            let _ = self.carry_out(last);
        }
        self.kill();
    }

    /// How many operations are under way.
    pub fn under_way(&self) -> usize {
        self.pending.len()
    }

    fn apply(&mut self, store: Store, stored: &mut Stored) {
        match store {
            Store::Identity { incarnation, epoch } => self.identity = (incarnation, epoch),
            Store::Outbox { id, content } => {
                self.outbox.insert(id, content);
            }
            Store::OutboxForget(ids) => ids.iter().for_each(|id| {
                self.outbox.remove(id);
            }),
            Store::Append(records) => {
                for record in records {
                    let line = record.line();
                    stored.hashes.push(hash_line(&line));
                    stored.moved.extend(self.append(record, &line));
                }
            }
            Store::Checkpoint(state) => {
                self.checkpoint = Some(*state);
                self.checkpoints += 1;
                stored.checkpoints.push(self.checkpoints);
            }
            Store::Rewrite { .. } => {}
            Store::Accept(chunks) => {
                self.ever_accepted
                    .extend(chunks.iter().map(|accepted| accepted.chunk.id));
                self.accepted
                    .extend(chunks.into_iter().map(|accepted| (accepted.position, accepted)));
            }
            Store::AcceptForget(up_to) => self.accepted.retain(|position, _| *position > up_to),
        }
    }

    /// Keeps a record; of two positions of one id, the lower.
    fn append(&mut self, record: Record, line: &[u8]) -> Option<Moved> {
        let mut link = self.history.to_le_bytes().to_vec();
        link.extend_from_slice(line);
        self.history = hash_line(&link);
        let (id, position) = (record.id, record.position);
        let moved = match self.places.get(&id).copied() {
            Some(at) if at < position => {
                return Some(Moved {
                    id,
                    from: position,
                    to: at,
                });
            }
            Some(at) if at > position => {
                self.replica.remove(&at);
                Some(Moved {
                    id,
                    from: at,
                    to: position,
                })
            }
            Some(_) | None => None,
        };
        self.places.insert(id, position);
        self.replica.insert(position, record);
        moved
    }

    /// Records asked for.
    pub fn load(&self, load: &Load) -> Vec<Record> {
        let mut bytes = 0;
        let mut records = Vec::new();
        for (ring, first, last) in load.wanted.ranges() {
            let range = Position { ring, seq: first }..=Position { ring, seq: last };
            for record in self.replica.range(range).map(|(_, record)| record) {
                bytes += record.content.len();
                if bytes > load.bytes_max && !records.is_empty() {
                    return records;
                }
                records.push(record.clone());
            }
        }
        records
    }

    /// What a node that starts on this disk finds, under a fresh incarnation that is stored at once.
    pub fn restart(&mut self, incarnation: Incarnation) -> Restart {
        let highest = self.replica.values().map(|record| record.position);
        let epoch = highest
            .clone()
            .map(|at| at.ring.epoch)
            .max()
            .unwrap_or_default()
            .max(self.identity.1);
        let high = highest.map(|at| at.seq).max().unwrap_or(Seq(0));
        self.identity = (incarnation, self.identity.1);
        self.outbox.retain(|id, _| !self.places.contains_key(id));
        let mut restart = Restart {
            incarnation,
            epoch,
            high,
            ..Restart::default()
        };
        for record in self.replica.values() {
            restart.held.insert(record.position);
            restart.ids.insert(record.id);
            restart.digest.add(record);
        }
        restart.outbox = self
            .outbox
            .iter()
            .map(|(id, content)| (*id, content.clone()))
            .collect();
        restart.accepted = self.accepted.values().cloned().collect();
        restart
    }
}
