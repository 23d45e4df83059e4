//! Vector clocks (Fidge 1988, Mattern 1989): one entry a node, the own one rising by one an event. Of two events the one
//! whose clock is lower everywhere happened before the other; if neither is lower, neither knew of the other.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::order::Merged;
use super::reading::Recording;
use crate::words::NodeId;

/// The clocks of all events, given out in order.
pub struct Clocks<'a> {
    recording: &'a Recording,
    merged: &'a Merged,
    /// The nodes, in the order of a clock's entries.
    pub nodes: Vec<NodeId>,
    /// What each node knows now.
    now: Vec<Vec<u32>>,
    /// The clocks of events that are causes of later ones, with how many of those there still are.
    kept: BTreeMap<u32, (Rc<[u32]>, u32)>,
    effects: BTreeMap<u32, u32>,
    next: usize,
}

impl<'a> Clocks<'a> {
    /// The clocks of this order.
    pub fn new(recording: &'a Recording, merged: &'a Merged) -> Clocks<'a> {
        let nodes = recording.nodes();
        let mut effects = BTreeMap::new();
        for (from, _) in &merged.causes {
            *effects.entry(*from).or_default() += 1;
        }
        Clocks {
            recording,
            merged,
            now: vec![vec![0; nodes.len()]; nodes.len()],
            nodes,
            kept: BTreeMap::new(),
            effects,
            next: 0,
        }
    }

    /// The next event in order, with its clock.
    pub fn advance(&mut self) -> Option<(u32, &[u32])> {
        let event = *self.merged.order.get(self.next)?;
        self.next += 1;
        let node = self.recording.entries[event as usize].node;
        let own = self.nodes.binary_search(&node).expect("it has a stream");
        for cause in self.merged.causes_of(event) {
            // One that contradicts the others is not in order, and not kept yet.
            let Some((clock, left)) = self.kept.get_mut(&cause) else {
                continue;
            };
            for (mine, theirs) in self.now[own].iter_mut().zip(clock.iter()) {
                *mine = (*mine).max(*theirs);
            }
            *left -= 1;
            if *left == 0 {
                self.kept.remove(&cause);
            }
        }
        self.now[own][own] += 1;
        if let Some(effects) = self.effects.remove(&event) {
            self.kept
                .insert(event, (Rc::from(self.now[own].as_slice()), effects));
        }
        Some((event, &self.now[own]))
    }
}
