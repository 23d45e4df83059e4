//! The last events, for those who come back, and what stands, for those who come new.

use std::collections::{BTreeMap, VecDeque};

use crate::host::events::{Kind, Mark, Told};
use crate::words::MessageId;

/// How many events of the moment are remembered, and how many others.
const EVENTS_MAX: usize = 20_000;
/// How many bytes of each.
const BYTES_MAX: usize = 8 << 20;
/// How many own lines without a number are told to who comes new: the oldest.
const PENDING_MAX: usize = 1_000;
/// How many of the last events, other than those of the moment, who comes new is told: the ticks of the messages
/// that it sees first.
const FRESH: usize = 500;
/// Why somebody who comes back begins anew.
const FORGOTTEN: &str = "what happened meanwhile is no longer remembered; this is how things stand";

/// The journal.
#[derive(Debug, Default)]
pub(super) struct Journal {
    passing: Queue,
    kept: Queue,
    /// The last one of each kind that stands until there is another.
    standing: BTreeMap<Kind, Told>,
    /// Own lines without a number.
    pending: BTreeMap<MessageId, Told>,
    /// What the last event began with.
    last: Option<Mark>,
}

/// Events in the order of their numbers, the oldest forgotten when there are too many.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Told>,
    bytes: usize,
    /// The number of the last event that was forgotten.
    forgotten: u64,
}

impl Queue {
    fn add(&mut self, told: Told) {
        self.bytes += told.line.len();
        self.events.push_back(told);
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.line.len();
            self.forgotten = oldest.n();
        }
    }

    /// Those behind this number.
    fn since(&self, after: u64) -> impl Iterator<Item = &Told> {
        let first = self.events.partition_point(|told| told.n() <= after);
        self.events.range(first..)
    }
}

impl Journal {
    /// Remembers an event. Numbers rise.
    pub fn add(&mut self, told: Told) {
        assert!(told.n() > self.last(), "events are numbered in their order");
        self.last = Some(told.mark);
        match told.kind {
            Kind::Start | Kind::Story | Kind::Ring | Kind::Status | Kind::Token => {
                self.standing.insert(told.kind, told.clone());
            }
            Kind::Pending(id) if self.pending.len() < PENDING_MAX => {
                self.pending.insert(id, told.clone());
            }
            Kind::Ordered(id) => {
                self.pending.remove(&id);
            }
            Kind::Pending(_) | Kind::Passing | Kind::Kept => {}
        }
        if told.kind.is_passing() {
            self.passing.add(told);
        } else {
            self.kept.add(told);
        }
    }

    /// The number of the last event.
    fn last(&self) -> u64 {
        self.last.map_or(0, |mark| mark.n)
    }

    /// What somebody is to be told first who has seen all up to `after`, or nothing yet.
    pub fn since(&self, after: Option<u64>) -> VecDeque<Told> {
        let (Some(after), Some(last)) = (after, self.last) else {
            return self.fresh();
        };
        if after >= self.kept.forgotten && after <= last.n {
            return self.missed(after, last);
        }
        let mut fresh = self.fresh();
        let first = fresh.front().map_or(last.n, Told::n);
        let before = Mark {
            n: first.saturating_sub(1),
            ..last
        };
        fresh.push_front(Told::reset(FORGOTTEN, before));
        fresh
    }

    /// All behind this number, of both queues by their numbers. If some of the moment are forgotten, that is said.
    fn missed(&self, after: u64, last: Mark) -> VecDeque<Told> {
        let both = self.passing.since(after).chain(self.kept.since(after));
        let mut missed: VecDeque<Told> = both.cloned().collect();
        missed.make_contiguous().sort_unstable_by_key(Told::n);
        let lost = last.n - after - missed.len() as u64;
        if lost > 0 {
            missed.push_front(Told::lost(lost, Mark { n: after, ..last }));
        }
        missed
    }

    /// What stands, and the last events other than those of the moment, by their numbers.
    fn fresh(&self) -> VecDeque<Told> {
        let last = self.kept.events.len().saturating_sub(FRESH);
        let standing = self.standing.values().chain(self.pending.values());
        let all = standing.chain(self.kept.events.range(last..));
        let by_number: BTreeMap<u64, &Told> = all.map(|told| (told.n(), told)).collect();
        by_number.into_values().cloned().collect()
    }
}
