//! What `show` tells: rings, replicas, outboxes, and what was counted.

use std::collections::BTreeMap;

use super::command::Show;
use super::report::{self, fold, names};
use super::stage::{Done, Stage};
use crate::node::face::{self, Notice};
use crate::replica::{Content, Record};
use crate::sim::world::Told;
use crate::words::NodeId;

impl Stage {
    pub(super) fn show(&mut self, show: &Show) -> Done {
        self.flush();
        let lines = match show {
            Show::Ring => {
                let each = self.world.alive().into_iter().map(|id| (id, self.ring_of(id)));
                fold(each.collect())
            }
            Show::Log(id) => {
                let disk = self.world.disks.get(id).ok_or("it never lived")?;
                let line = |record: &Record| {
                    format!(
                        "{} has {} {}: {}",
                        report::name(*id),
                        record.position,
                        record.id.sender.id,
                        text_of(record)
                    )
                };
                disk.replica.values().map(line).collect()
            }
            Show::Replicas => {
                let disks = self.world.disks.iter();
                fold(
                    disks
                        .map(|(id, disk)| (*id, positions(disk.replica.values())))
                        .collect(),
                )
            }
            Show::Outbox(id) => {
                let disk = self.world.disks.get(id).ok_or("it never lived")?;
                let ids: Vec<String> = disk
                    .outbox
                    .keys()
                    .map(|id| format!("{}-{}", id.sender.id, id.counter))
                    .collect();
                vec![format!(
                    "{}: in the outbox: [{}]",
                    report::name(*id),
                    ids.join(" ")
                )]
            }
            Show::Refused(id) => {
                let refused = self.status(*id)?.counters.refused;
                let each: Vec<String> = refused
                    .iter()
                    .map(|(why, count)| format!("{why} {count}"))
                    .collect();
                vec![format!("{}: refused: {}", report::name(*id), each.join(", "))]
            }
            Show::Why(id) => vec![format!(
                "{}: waits for {:?}",
                report::name(*id),
                self.status(*id)?.why
            )],
            Show::Datagrams => {
                let each: Vec<String> = self
                    .datagrams()
                    .iter()
                    .map(|(kind, n)| format!("{kind} {n}"))
                    .collect();
                vec![format!("datagrams: {}", each.join(", "))]
            }
        };
        self.output.extend(lines);
        Ok(())
    }

    /// A node's ring in words.
    fn ring_of(&self, id: NodeId) -> String {
        let node = self.world.node(id).expect("it is alive");
        let phase = node.ring().phase_name();
        match node.ring().installed() {
            Some(state) => {
                let members: Vec<NodeId> = state.members.iter().map(|member| member.id).collect();
                format!(
                    "ring {}.{} [{}], {phase}",
                    state.id.epoch,
                    state.id.leader.id,
                    names(&members)
                )
            }
            None => format!("no ring, {phase}"),
        }
    }

    /// Asks a node for its status.
    fn status(&mut self, id: NodeId) -> Result<face::Status, String> {
        self.each_alive(&[id], |world, id| world.command(id, face::Command::Status))?;
        let mut told = self.world.hooks.told.iter().flatten().rev();
        let status = told.find_map(|(by, told)| match told {
            Told::Notice(Notice::Status(status)) if *by == id => Some((**status).clone()),
            Told::Notice(_) | Told::Exit(_) => None,
        });
        status.ok_or_else(|| format!("{} sleeps, and answers nothing", report::name(id)))
    }

    /// The datagrams sent since `count`, by kind.
    pub(super) fn datagrams(&self) -> BTreeMap<&'static str, u64> {
        let since = |(kind, count): (&&'static str, &u64)| {
            let before = self.counted.get(kind).copied().unwrap_or(0);
            (*kind, count - before)
        };
        let mut sent: BTreeMap<&'static str, u64> = self.world.hooks.sent.iter().map(since).collect();
        sent.retain(|_, count| *count > 0);
        sent
    }
}

/// The text of a message, cut where it is long.
pub(super) fn text_of(record: &Record) -> String {
    let text = Content::from_bytes(&record.content).map_or("?".to_string(), |content| content.text);
    text.chars().take(60).collect()
}

/// Positions as they stand in a replica, rows of them shortened.
fn positions<'a>(records: impl Iterator<Item = &'a Record>) -> String {
    let all: Vec<_> = records.map(|record| record.position).collect();
    let mut shown: Vec<String> = Vec::new();
    for rings in all.chunk_by(|a, b| a.ring == b.ring) {
        for row in rings.chunk_by(|a, b| a.seq.next() == b.seq) {
            let (ring, first, last) = (row[0].ring, row[0].seq, row[row.len() - 1].seq);
            let seqs = if first == last {
                format!("#{first}")
            } else {
                format!("#{first}..#{last}")
            };
            shown.push(format!("{seqs}@{}.{}", ring.epoch, ring.leader.id));
        }
    }
    format!("{} records: {}", all.len(), shown.join(" "))
}
