//! One order of what several nodes told, in which no effect stands before its cause, and times to show it by.
//!
//! Each recording has a clock of its own. They are laid over each other by the wall clocks first; where that contradicts
//! what happened before what, a clock is moved as little as it takes, to the middle of what its causes and effects allow
//! (the idea of NTP's offset, RFC 5905, section 8). What is left (clocks that drift) is settled event by event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::causes::Causes;
use super::reading::Recording;

/// The order, and what belongs to it.
#[derive(Debug)]
pub struct Merged {
    /// The events by number, in order.
    pub order: Vec<u32>,
    /// For each event when it happened, in microseconds since the first one; never before its cause.
    pub times_us: Vec<u64>,
    /// When the first one happened, in microseconds since 1970.
    pub began_us: i64,
    /// The causes, sorted by what they cause.
    pub causes: Causes,
    /// How many causes were left out, because they contradict others.
    pub contradictions: usize,
}

/// Puts all events of a recording in order.
pub fn merge(recording: &Recording, causes: Causes) -> Merged {
    let offsets = align(recording, &causes);
    let entries = &recording.entries;
    let at = |event: u32| {
        let entry = &entries[event as usize];
        (entry.us as i64).saturating_add(offsets[entry.clock as usize])
    };
    let mut sorting = Sorting::new(recording, &causes);
    let times: Vec<i64> = (0..entries.len() as u32).map(at).collect();
    let (order, mut shown) = sorting.run(&times);
    let contradictions = sorting.contradictions;
    let began_us = order.first().map_or(0, |first| shown[*first as usize]);
    shown
        .iter_mut()
        .for_each(|time| *time = time.saturating_sub(began_us));
    let times_us = shown
        .into_iter()
        .map(|time| u64::try_from(time).unwrap_or(0))
        .collect();
    let mut causes = causes;
    causes.sort_unstable_by_key(|(from, to)| (*to, *from));
    Merged {
        order,
        times_us,
        began_us,
        causes,
        contradictions,
    }
}

impl Merged {
    /// The events of other nodes that this one directly follows from.
    pub fn causes_of(&self, event: u32) -> impl Iterator<Item = u32> + use<'_> {
        let first = self.causes.partition_point(|(_, to)| *to < event);
        let rest = &self.causes[first..];
        rest.iter()
            .take_while(move |(_, to)| *to == event)
            .map(|(from, _)| *from)
    }
}

/// What to add to each clock.
fn align(recording: &Recording, causes: &Causes) -> Vec<i64> {
    let machines = machines(recording);
    // For two machines: the second one's offset is at least so much larger than the first one's.
    let mut least: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    for (from, to) in causes {
        let (from, to) = (
            &recording.entries[*from as usize],
            &recording.entries[*to as usize],
        );
        let pair = (machines[from.clock as usize], machines[to.clock as usize]);
        if pair.0 != pair.1 {
            let by = (from.us as i64).saturating_sub(to.us as i64);
            least
                .entry(pair)
                .and_modify(|least| *least = by.max(*least))
                .or_insert(by);
        }
    }
    let mut offsets = recording.clocks.clone();
    for clock in 0..offsets.len() {
        offsets[clock] = recording.clocks[machines[clock]];
    }
    let all: BTreeSet<usize> = machines.iter().copied().collect();
    let mut settled: BTreeSet<usize> = BTreeSet::new();
    for machine in all {
        settle(machine, &mut offsets, &least, &mut settled);
    }
    (0..offsets.len()).map(|clock| offsets[machines[clock]]).collect()
}

/// Moves the clocks of a machine, and of those it is connected with, to where causes and effects allow.
fn settle(
    first: usize,
    offsets: &mut [i64],
    least: &BTreeMap<(usize, usize), i64>,
    settled: &mut BTreeSet<usize>,
) {
    let mut waiting = vec![first];
    while let Some(machine) = waiting.pop() {
        if !settled.insert(machine) {
            continue;
        }
        let neighbours: BTreeSet<usize> = least
            .keys()
            .filter_map(|(a, b)| match (*a == machine, *b == machine) {
                (true, _) => Some(*b),
                (_, true) => Some(*a),
                (false, false) => None,
            })
            .collect();
        for other in neighbours.into_iter().filter(|other| !settled.contains(other)) {
            let low = least.get(&(machine, other)).map(|by| offsets[machine] + by);
            let high = least.get(&(other, machine)).map(|by| offsets[machine] - by);
            let now = offsets[other];
            let fits = low.is_none_or(|low| now >= low) && high.is_none_or(|high| now <= high);
            offsets[other] = match (low, high) {
                _ if fits => now,
                (Some(low), Some(high)) => low + (high - low) / 2,
                (Some(end), None) | (None, Some(end)) => end,
                (None, None) => now,
            };
            waiting.push(other);
        }
    }
}

/// For each clock the first one that is the same machine's.
fn machines(recording: &Recording) -> Vec<usize> {
    let clocks = 0..recording.clocks.len();
    let first = |clock: usize| {
        let mut earlier = 0..clock;
        earlier.find(|other| recording.is_one_machine(*other as u32, clock as u32))
    };
    clocks.map(|clock| first(clock).unwrap_or(clock)).collect()
}

/// Sorting by time where causes leave a choice (Kahn's algorithm).
struct Sorting<'a> {
    recording: &'a Recording,
    /// The causes, sorted by what causes.
    causes: Vec<(u32, u32)>,
    /// For each event how many it waits for: causes, and the one before it at its node.
    waits_for: Vec<u32>,
    next_at_node: Vec<Option<u32>>,
    contradictions: usize,
}

impl Sorting<'_> {
    fn new<'a>(recording: &'a Recording, causes: &Causes) -> Sorting<'a> {
        let count = recording.entries.len();
        let mut waits_for = vec![0; count];
        let mut next_at_node = vec![None; count];
        for stream in recording.streams.values() {
            for pair in stream.windows(2) {
                next_at_node[pair[0] as usize] = Some(pair[1]);
                waits_for[pair[1] as usize] += 1;
            }
        }
        for (_, to) in causes {
            waits_for[*to as usize] += 1;
        }
        let mut causes = causes.clone();
        causes.sort_unstable();
        Sorting {
            recording,
            causes,
            waits_for,
            next_at_node,
            contradictions: 0,
        }
    }

    /// The order, and for each event the time it is shown at.
    fn run(&mut self, times: &[i64]) -> (Vec<u32>, Vec<i64>) {
        let mut shown = times.to_vec();
        let mut done = vec![false; times.len()];
        let mut order = Vec::with_capacity(times.len());
        let mut ready: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
        let free = (0..times.len() as u32).filter(|event| self.waits_for[*event as usize] == 0);
        ready.extend(free.map(|event| Reverse((times[event as usize], event))));
        while order.len() < times.len() {
            let Some(Reverse((_, event))) = ready.pop() else {
                let event = self.break_open(&done, &shown);
                ready.push(Reverse((shown[event as usize], event)));
                continue;
            };
            if std::mem::replace(&mut done[event as usize], true) {
                continue;
            }
            order.push(event);
            let time = shown[event as usize];
            for next in self.followers(event) {
                let waits_for = &mut self.waits_for[next as usize];
                *waits_for = waits_for.saturating_sub(1);
                shown[next as usize] = shown[next as usize].max(time);
                if *waits_for == 0 {
                    ready.push(Reverse((shown[next as usize], next)));
                }
            }
        }
        (order, shown)
    }

    /// What waits for this event.
    fn followers(&self, event: u32) -> Vec<u32> {
        let first = self.causes.partition_point(|(from, _)| *from < event);
        let caused = self.causes[first..].iter();
        let caused = caused.take_while(|(from, _)| *from == event).map(|(_, to)| *to);
        caused.chain(self.next_at_node[event as usize]).collect()
    }

    /// Causes run in a circle, which only a recording that is not true can have: the earliest of the events that
    /// wait goes on all the same.
    fn break_open(&mut self, done: &[bool], shown: &[i64]) -> u32 {
        self.contradictions += 1;
        let heads = self.recording.streams.values().filter_map(|stream| {
            let head = stream.iter().find(|event| !done[**event as usize]);
            head.copied()
        });
        let event = heads
            .min_by_key(|event| (shown[*event as usize], *event))
            .expect("not all events are in order yet");
        self.waits_for[event as usize] = 0;
        event
    }
}
