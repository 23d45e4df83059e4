//! What concerns several nodes at once: a network that is split, rings that part, rings that become one.

use std::collections::BTreeMap;

use super::super::super::words::{all_of, list, short};
use super::{Staging, Turn};
use crate::host::terminal::lang::say;
use crate::words::RingId;

impl Staging {
    /// The network is split, and whole again, as those tell who did it.
    pub(super) fn lab_turns(&mut self) {
        for (time, cuts) in std::mem::take(&mut self.cuts) {
            let mut sides: Vec<Vec<u16>> = Vec::new();
            for row in cuts.keys() {
                let from = &cuts[row];
                let node = self.scene.rows[*row].0;
                match sides
                    .iter_mut()
                    .find(|side| !side.iter().any(|other| from.contains(other)))
                {
                    Some(side) => side.push(node),
                    None => sides.push(vec![node]),
                }
            }
            let sides: Vec<String> = sides.iter().map(|side| list(side)).collect();
            self.scene.turns.push(Turn {
                points: cuts.keys().map(|row| (*row, time)).collect(),
                text: say!(self.voice, "drawn-splits", sides = sides.join(" | ")),
                merge: false,
            });
        }
        for (time, rows) in std::mem::take(&mut self.heals) {
            self.scene.turns.push(Turn {
                points: rows.into_iter().map(|row| (row, time)).collect(),
                text: say!(self.voice, "drawn-whole"),
                merge: false,
            });
        }
    }

    /// Rings whose members come from several: merges. Rings that leave the same one behind: partitions.
    pub(super) fn ring_turns(&mut self) {
        let mut stays = self.scene.stays.clone();
        stays.sort_by_key(|stay| (stay.row, stay.from));
        let mut rings: BTreeMap<RingId, Vec<(usize, u64, Option<RingId>)>> = BTreeMap::new();
        let mut before: Option<(usize, RingId)> = None;
        for stay in &stays {
            let old = before.filter(|(row, _)| *row == stay.row).map(|(_, ring)| ring);
            before = Some((stay.row, stay.what));
            rings
                .entry(stay.what)
                .or_default()
                .push((stay.row, stay.from, old));
        }
        let mut after: BTreeMap<RingId, Vec<RingId>> = BTreeMap::new();
        for (ring, members) in &rings {
            let mut olds: Vec<RingId> = members.iter().filter_map(|(.., old)| *old).collect();
            olds.sort_unstable();
            olds.dedup();
            olds.iter()
                .for_each(|old| after.entry(*old).or_default().push(*ring));
            if olds.len() > 1 {
                let olds: Vec<String> = olds.iter().map(|ring| short(*ring)).collect();
                self.scene.turns.push(Turn {
                    points: members.iter().map(|(row, time, _)| (*row, *time)).collect(),
                    text: say!(
                        self.voice,
                        "drawn-merge",
                        rings = all_of(self.voice, olds),
                        ring = short(*ring)
                    ),
                    merge: true,
                });
            }
        }
        for news in after.values().filter(|news| news.len() > 1) {
            let parts: Vec<String> = news.iter().map(|ring| short(*ring)).collect();
            let points = news.iter().filter_map(|ring| rings[ring].first());
            self.scene.turns.push(Turn {
                points: points.map(|(row, time, _)| (*row, *time)).collect(),
                text: say!(self.voice, "drawn-partition", rings = all_of(self.voice, parts)),
                merge: false,
            });
        }
        self.scene
            .turns
            .sort_by_key(|turn| turn.points.iter().map(|(_, time)| *time).min());
    }
}
