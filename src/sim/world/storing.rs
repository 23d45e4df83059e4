//! Disks at work: what a start finds, what becomes of a store, and what breaks.

use std::path::Path;

use super::{AGAIN_US, Coming, World};
use crate::bugs::{self, Bug};
use crate::disk::Outcome;
use crate::node::face::{Event, Load, LoadId, Restart, Ticket};
use crate::replica::IdSet;
use crate::sim::check::Broken;
use crate::sim::disk::Disk;
use crate::sim::disk::files::Found;
use crate::sim::disk::memory::Fault;
use crate::words::{Incarnation, NodeId};

impl World {
    /// What a node that starts finds on its disk. If the machine does not let it, it tries again later.
    pub(super) fn open_disk(
        &mut self,
        id: NodeId,
        own_id: NodeId,
        clock_us: u64,
        dice: u64,
    ) -> Result<Option<Restart>, Broken> {
        if !self.disks.contains_key(&id) {
            let disk = self.new_disk(id);
            self.disks.insert(id, disk);
        }
        let disk = self.disks.get_mut(&id).expect("it has one now");
        let before = disk.identity.0;
        let mut restart = if disk.memory().is_some() {
            let found = disk.restart_on_files(own_id, clock_us, dice);
            self.note_disk_faults(id);
            match found {
                Ok(found) => self.found(id, found?)?,
                Err(error) => {
                    self.tell(|| format!("{id} cannot start: {error}"));
                    self.checker.count("disk: start failed");
                    self.start_later(id, AGAIN_US);
                    return Ok(None);
                }
            }
        } else {
            let mut incarnation = Incarnation::next(before, clock_us, dice);
            if bugs::on(Bug::NumbersReused) && before > Incarnation(0) {
                incarnation = before;
            }
            disk.restart(incarnation)
        };
        if bugs::on(Bug::NumbersReused) {
            restart.ids = IdSet::new();
            restart.outbox.clear();
        }
        Ok(Some(restart))
    }

    fn new_disk(&self, id: NodeId) -> Disk {
        if !self.disks_have_files {
            return Disk::default();
        }
        let life = self.lives.get(&id).copied().unwrap_or(0);
        Disk::with_files(self.seed ^ u64::from(id.0) << 48 ^ u64::from(life) << 32)
    }

    fn found(&mut self, id: NodeId, found: Found) -> Result<Restart, Broken> {
        for warning in &found.warnings {
            self.tell(|| format!("{id} warns: {warning}"));
        }
        self.checker
            .found_on_disk(id, &found.records, found.taken, &self.disks)?;
        Ok(found.restart)
    }

    /// A node's disk carries out what it was asked for, up to this ticket.
    pub(super) fn sync_disk(&mut self, id: NodeId, life: u32, ticket: Ticket) -> Result<(), Broken> {
        let disk = self.disks.get_mut(&id).expect("a node that lives has a disk");
        let carried_out = disk.carry_out(ticket);
        self.note_disk_faults(id);
        let Outcome {
            durable,
            stored,
            full,
            ..
        } = match carried_out {
            Ok(outcome) => outcome,
            Err(error) => {
                self.stop_by_disk(id, &error.to_string());
                return Ok(());
            }
        };
        if let Some(ticket) = durable {
            if self.stored_as_awaited(id, ticket) {
                self.spring(id, Vec::new());
            }
            self.deliver(id, Event::Stored(ticket, stored))?;
        }
        if let Some(reason) = full
            && self.lives_still(id, life)
        {
            let again = Coming::Synced {
                node: id,
                life,
                ticket,
            };
            self.schedule(self.now.after_us(AGAIN_US), again);
            self.deliver(id, Event::DiskFull { reason })?;
        }
        Ok(())
    }

    /// A node's disk gives records back.
    pub(super) fn read_disk(&mut self, id: NodeId, load: LoadId, query: &Load) -> Result<(), Broken> {
        let read = self.disks[&id].read(query);
        self.note_disk_faults(id);
        match read {
            Ok(records) => self.deliver(id, Event::Loaded { load, records }),
            Err(error) if error.is_full() => self.deliver(
                id,
                Event::Loaded {
                    load,
                    records: Vec::new(),
                },
            ),
            Err(error) => {
                self.stop_by_disk(id, &error.to_string());
                Ok(())
            }
        }
    }

    /// The disk failed, and with it the node. Somebody starts it again.
    fn stop_by_disk(&mut self, id: NodeId, error: &str) {
        self.tell(|| format!("{id} stops: {error}"));
        self.checker.count("disk: node stopped");
        self.disks
            .get_mut(&id)
            .expect("a node that lives has a disk")
            .stop();
        self.crash_keeping(id, 0);
        self.start_later(id, AGAIN_US);
    }

    /// Loses all a node ever stored. It must be down.
    pub fn wipe(&mut self, id: NodeId) {
        assert!(
            !self.processes.contains_key(&id),
            "only the disk of a node that is down is wiped"
        );
        self.tell(|| format!("the disk of {id} is wiped"));
        self.checker.wiped(id, &self.disks);
        let disk = self.new_disk(id);
        self.disks.insert(id, disk);
    }

    /// The power of a machine goes; its node is down.
    pub(super) fn cut_power(&mut self, id: NodeId) {
        let Some(disk) = self.disks.get_mut(&id).filter(|disk| disk.memory().is_some()) else {
            return;
        };
        let unsynced = disk.cut_power();
        self.tell(|| format!("the power of {id} goes with {unsynced} files and names not synced"));
        self.checker.count("disk: power cut");
        if unsynced > 0 {
            self.checker.count("disk: not synced at a power cut");
        }
    }

    /// The power of all machines goes at once.
    pub fn blackout(&mut self, nodes: &[NodeId], back_us: u64) {
        for id in nodes {
            let lived = self.processes.contains_key(id);
            self.hosts_down.insert(*id);
            self.crash(*id);
            if lived {
                self.start_later(*id, back_us);
            } else {
                self.cut_power(*id);
            }
        }
    }

    /// Something breaks at a call to come of a node to its file system.
    pub fn break_disk(&mut self, id: NodeId, calls: u64, fault: Fault) {
        if let Some(memory) = self.disks.get(&id).and_then(Disk::memory) {
            memory.break_call(Some((calls, fault)));
        }
    }

    /// A node's disk has no room but for a few bytes, for a while.
    pub fn fill_disk(&mut self, id: NodeId, room: usize, for_us: u64) {
        if let Some(memory) = self.disks.get(&id).and_then(Disk::memory) {
            memory.set_room(Some(room));
            self.schedule(self.now.after_us(for_us), Coming::Room(id));
        }
    }

    /// A node's disk has room, and nothing of it breaks.
    pub fn make_room(&mut self, id: NodeId) {
        if let Some(memory) = self.disks.get(&id).and_then(Disk::memory) {
            memory.set_room(None);
            memory.break_call(None);
        }
    }

    /// Ends a node whose disk has rotted under it, as its log tells the user to do: a start repairs it.
    pub fn end_if_rotten(&mut self, id: NodeId) {
        if self.disks.get(&id).is_some_and(Disk::is_rotten) {
            self.crash(id);
        }
    }

    /// A bit rots on the disk of a node. With a quorum only in a checkpoint: one order is claimed as
    /// long as no disk loses what it confirmed.
    pub fn rot(&mut self, id: NodeId) {
        let only_checkpoints = self.config.quorum > 0;
        let wanted =
            |path: &str| !only_checkpoints || kind_of(Path::new(path)) == "disk: rot in a checkpoint";
        let rotted = self.disks.get_mut(&id).and_then(|disk| disk.rot(wanted));
        if let Some(path) = rotted {
            let kind = kind_of(&path);
            self.tell(|| format!("a bit rots in {} of {id}", path.display()));
            self.checker.count(kind);
            if kind == "disk: rot in an identity" {
                self.checker.forgetful.insert(id);
            }
        }
    }

    /// Counts the faults of a node's disk that came to pass.
    fn note_disk_faults(&mut self, id: NodeId) {
        let seen = self.disks[&id].memory().map(|memory| memory.take_seen());
        for fault in seen.unwrap_or_default() {
            self.tell(|| format!("{id}: {fault}"));
            self.checker.count(fault);
        }
    }
}

/// What rots, by the name of the file.
fn kind_of(path: &Path) -> &'static str {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match name {
        "identity.json" => "disk: rot in an identity",
        "generation.json" => "disk: rot in a generation",
        "outbox.jsonl" => "disk: rot in an outbox",
        "accepted.jsonl" => "disk: rot in accepted chunks",
        _ if name.ends_with(".jsonl") => "disk: rot in a replica",
        _ if name.ends_with(".json") => "disk: rot in a checkpoint",
        _ => "disk: rot elsewhere",
    }
}
