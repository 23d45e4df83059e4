//! The load of a benchmark and what is measured of it, as one member sees it. No I/O.
//!
//! A run, in the order that the ring itself gives it:
//! 1. As soon as the ring has all members, each says *hello*. The last hello in the order begins the load, for all of
//!    them at the same place.
//! 2. Each says messages, for a second to warm up and then for the window, in which everything is measured.
//! 3. Each says *end* and how many its messages were. When all ends are there, what is missing is lost.
//! 4. Each says what it measured, so that every member can report for all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;

use super::outcome::{Latency, Outcome};
use super::payload::Payload;
use crate::words::{NodeId, Time};

/// How long it takes until windows, buffers and caches are as they will be.
const WARM_US: u64 = 1_000_000;
/// How long after the last message the ends may take.
const DRAIN_US: u64 = 8_000_000;
/// How long the outcomes of the others are waited for.
const TELL_US: u64 = 3_000_000;
/// A message that is later than this counts from when it was due, and not from when it was said.
const LATE_US: u64 = 1_000;
/// How much memory is taken at a time for what is said.
const STORE_BYTES: usize = 64 << 10;
/// The longest latency that is told apart from longer ones.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What one member is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who.
    pub me: NodeId,
    /// How many members make the ring.
    pub members: usize,
    /// Bytes of a message.
    pub size: usize,
    /// Messages a second; none for as many as it can.
    pub rate: Option<u32>,
    /// How long everything is measured.
    pub window_us: u64,
    /// The same for all processes of one running machine.
    pub machine: u64,
    /// Messages that may wait to be stamped.
    pub waiting_max: usize,
    /// Own messages that may be on their way.
    pub under_way_max: u64,
    /// When the ring must have its members.
    pub complete_by: Time,
}

/// What a run costs, each rising from the start on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Messages that count, where that is not "delivered".
    pub counted: Option<u64>,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Their payload.
    pub bytes: u64,
    /// Processor time in microseconds.
    pub cpu_us: u64,
    /// Parts of messages and tokens sent again.
    pub resent: u64,
    /// The token's rotation, as it is now.
    pub rotation_us: u64,
    /// Resident memory at its peak.
    pub peak_kib: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The ring is not complete.
    Gathering,
    /// The load has begun; what is said now is not measured.
    Warming { window_at: Time },
    /// The window.
    Measuring { from: Time, until: Time },
    /// What is under way arrives.
    Draining { until: Time },
    /// Outcomes are exchanged.
    Telling { until: Time },
    /// It is over.
    Done,
}

/// What came from one member.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    messages: u64,
    last: u64,
    end: Option<u64>,
}

/// The load of one member.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    stage: Stage,
    ring: BTreeSet<NodeId>,
    machines: BTreeMap<NodeId, u64>,
    greeted: bool,
    heard: BTreeMap<NodeId, Heard>,
    outcomes: BTreeMap<NodeId, Outcome>,
    /// What payloads are made of, a piece at a time.
    store: BytesMut,
    /// To be said ahead of messages.
    to_say: VecDeque<Bytes>,
    said: u64,
    own_delivered: u64,
    next_due: Time,
    delivered: u64,
    /// When the last message was delivered, or the window began.
    delivered_at: Time,
    own: Histogram<u32>,
    remote: Histogram<u32>,
    costs: Costs,
    outcome: Outcome,
    failed: Option<String>,
}

impl Load {
    /// A run that waits for its members.
    pub fn new(plan: Plan) -> Load {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("these bounds are sound");
        Load {
            plan,
            stage: Stage::Gathering,
            ring: BTreeSet::new(),
            machines: BTreeMap::new(),
            greeted: false,
            heard: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            store: BytesMut::with_capacity(STORE_BYTES),
            to_say: VecDeque::new(),
            said: 0,
            own_delivered: 0,
            next_due: Time(0),
            delivered: 0,
            delivered_at: Time(0),
            own: histogram(),
            remote: histogram(),
            costs: Costs::default(),
            outcome: Outcome::default(),
            failed: None,
        }
    }

    /// Whether it is over, well or not.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Why it came to nothing.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// What the members measured, in the order of their ids.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.values().cloned().collect()
    }

    /// When something changes by the clock.
    pub fn deadline(&self) -> Option<Time> {
        let due = self.plan.rate.map(|_| self.next_due);
        match self.stage {
            Stage::Gathering => Some(self.plan.complete_by),
            Stage::Warming { window_at } => Some(due.map_or(window_at, |due| due.min(window_at))),
            Stage::Measuring { until, .. } => Some(due.map_or(until, |due| due.min(until))),
            Stage::Draining { until } | Stage::Telling { until } => Some(until),
            Stage::Done => None,
        }
    }

    /// Whether [`Load::advance`] is due.
    pub fn is_due(&self, now: Time) -> bool {
        match self.stage {
            Stage::Gathering => now >= self.plan.complete_by,
            Stage::Warming { window_at } => now >= window_at,
            Stage::Measuring { until, .. } | Stage::Draining { until } | Stage::Telling { until } => {
                now >= until
            }
            Stage::Done => false,
        }
    }

    /// Time passed: the window begins, or ends, or something was waited for in vain.
    pub fn advance(&mut self, now: Time, costs: Costs) {
        match self.stage {
            Stage::Gathering => {
                let (is, wanted) = (self.ring.len(), self.plan.members);
                self.failed = Some(format!(
                    "the ring has {is} members and not {wanted}; start the others, on the same group"
                ));
                self.stage = Stage::Done;
            }
            Stage::Warming { .. } => {
                let until = now.after_us(self.plan.window_us);
                self.costs = costs;
                (self.delivered, self.delivered_at) = (0, now);
                self.stage = Stage::Measuring { from: now, until };
            }
            Stage::Measuring { from, .. } => {
                self.note_silence(now);
                self.measure(now.since_us(from), costs);
                let end = Payload::End {
                    from: self.plan.me,
                    sent: self.said,
                };
                let end = end.to_bytes(0, &mut self.store);
                self.to_say.push_back(end);
                self.stage = Stage::Draining {
                    until: now.after_us(DRAIN_US),
                };
            }
            Stage::Draining { .. } => self.tell(now),
            Stage::Telling { .. } => self.stage = Stage::Done,
            Stage::Done => {}
        }
    }

    /// A ring was installed.
    pub fn installed(&mut self, now: Time, members: impl Iterator<Item = NodeId>) {
        self.ring = members.collect();
        if self.stage != Stage::Gathering {
            self.outcome.new_rings += 1;
            self.end_if_all_have(now);
        } else if !self.greeted && self.ring.len() >= self.plan.members {
            self.greeted = true;
            let hello = Payload::Hello {
                from: self.plan.me,
                machine: self.plan.machine,
            };
            let hello = hello.to_bytes(0, &mut self.store);
            self.to_say.push_back(hello);
        }
    }

    /// A payload was delivered.
    pub fn delivered(&mut self, now: Time, payload: &[u8]) {
        match Payload::read(payload) {
            Some(Payload::Hello { from, machine }) => {
                self.machines.insert(from, machine);
                if self.stage == Stage::Gathering && self.machines.len() >= self.plan.members {
                    self.begin(now);
                }
            }
            Some(Payload::Message { from, number, due }) => self.message(now, from, number, due),
            Some(Payload::End { from, sent }) => {
                self.heard.entry(from).or_default().end = Some(sent);
                self.end_if_all_have(now);
            }
            Some(Payload::Outcome { from, json }) => {
                if let Ok(outcome) = serde_json::from_slice(&json) {
                    self.outcomes.insert(from, outcome);
                }
                let told = |id: &NodeId| self.outcomes.contains_key(id);
                if matches!(self.stage, Stage::Telling { .. }) && self.present().all(told) {
                    self.stage = Stage::Done;
                }
            }
            None => {}
        }
    }

    /// What is to be said next, if anything is by now.
    pub fn next(&mut self, now: Time, waiting: usize) -> Option<Bytes> {
        if let Some(payload) = self.to_say.pop_front() {
            return Some(payload);
        }
        let loads = matches!(self.stage, Stage::Warming { .. } | Stage::Measuring { .. });
        let room =
            waiting < self.plan.waiting_max && self.said - self.own_delivered < self.plan.under_way_max;
        if !loads || !room {
            return None;
        }
        let mut due = now;
        if let Some(rate) = self.plan.rate {
            if self.next_due > now {
                return None;
            }
            if now.since_us(self.next_due) > LATE_US {
                due = self.next_due;
            }
            self.next_due = self.next_due.after_us(interval_us(rate));
        }
        self.said += 1;
        let message = Payload::Message {
            from: self.plan.me,
            number: self.said,
            due,
        };
        Some(message.to_bytes(self.plan.size, &mut self.store))
    }

    /// All are there: the load begins.
    fn begin(&mut self, now: Time) {
        let place = self
            .machines
            .keys()
            .position(|id| *id == self.plan.me)
            .unwrap_or(0) as u64;
        let spread = self
            .plan
            .rate
            .map_or(0, |rate| interval_us(rate) * place / self.plan.members as u64);
        self.next_due = now.after_us(spread);
        self.stage = Stage::Warming {
            window_at: now.after_us(WARM_US),
        };
    }

    fn message(&mut self, now: Time, from: NodeId, number: u64, due: Time) {
        let heard = self.heard.entry(from).or_default();
        self.outcome.fifo_errors += u64::from(number != heard.last + 1);
        heard.last = number;
        heard.messages += 1;
        self.outcome.digest = chain(self.outcome.digest, u64::from(from.0), number);
        let own = from == self.plan.me;
        self.own_delivered += u64::from(own);
        if let Stage::Measuring { .. } = self.stage {
            self.delivered += 1;
            self.note_silence(now);
            let latency_us = now.since_us(due);
            let histogram = if own { &mut self.own } else { &mut self.remote };
            histogram.saturating_record(latency_us.max(1));
        }
    }

    /// Something is delivered now, or was to be.
    fn note_silence(&mut self, now: Time) {
        let silence_us = now.since_us(self.delivered_at);
        self.outcome.silence_us = self.outcome.silence_us.max(silence_us);
        self.delivered_at = now;
    }

    /// The window is over.
    fn measure(&mut self, window_us: u64, costs: Costs) {
        let before = self.costs;
        let delivered = costs
            .counted
            .zip(before.counted)
            .map(|(now, before)| now.saturating_sub(before));
        self.outcome = Outcome {
            machine: self.plan.machine,
            counted: delivered.unwrap_or(self.delivered),
            window_us,
            own: latency(&self.own),
            remote: self.one_clock().then(|| latency(&self.remote)),
            datagrams: costs.datagrams - before.datagrams,
            bytes: costs.bytes - before.bytes,
            cpu_us: costs.cpu_us - before.cpu_us,
            resent: costs.resent,
            rotation_us: costs.rotation_us,
            peak_kib: costs.peak_kib,
            ..self.outcome.clone()
        };
    }

    fn one_clock(&self) -> bool {
        self.machines
            .values()
            .all(|machine| *machine == self.plan.machine)
    }

    /// The members that greeted and are in the ring.
    fn present(&self) -> impl Iterator<Item = &NodeId> {
        self.machines.keys().filter(|id| self.ring.contains(id))
    }

    fn end_if_all_have(&mut self, now: Time) {
        if matches!(self.stage, Stage::Draining { .. }) && self.present().all(|id| self.has_ended(id)) {
            self.tell(now);
        }
    }

    fn has_ended(&self, id: &NodeId) -> bool {
        self.heard.get(id).is_some_and(|heard| heard.end.is_some())
    }

    /// Nothing more will come: what was measured goes round.
    fn tell(&mut self, now: Time) {
        let missing = |heard: &Heard| heard.end.unwrap_or(heard.last).saturating_sub(heard.messages);
        // Of a member that is there, an end that did not come is lost too, and what it would have told.
        let endless = self.present().filter(|id| !self.has_ended(id)).count() as u64;
        self.outcome.lost = self.heard.values().map(missing).sum::<u64>() + endless;
        let json = serde_json::to_vec(&self.outcome).expect("numbers always become JSON");
        let told = Payload::Outcome {
            from: self.plan.me,
            json,
        };
        self.outcomes.insert(self.plan.me, self.outcome.clone());
        let told = told.to_bytes(0, &mut self.store);
        self.to_say.push_back(told);
        self.stage = Stage::Telling {
            until: now.after_us(TELL_US),
        };
    }
}

/// The time between two messages.
fn interval_us(rate: u32) -> u64 {
    (1_000_000 / u64::from(rate)).max(1)
}

fn latency(histogram: &Histogram<u32>) -> Latency {
    Latency {
        p50_us: histogram.value_at_quantile(0.5),
        p99_us: histogram.value_at_quantile(0.99),
        max_us: histogram.max(),
    }
}

/// The digest of an order with one more message (a multiplicative chain; no defence against forgery).
fn chain(digest: u64, from: u64, number: u64) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (digest.rotate_left(5) ^ (from << 48 ^ number)).wrapping_mul(FACTOR);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(me: u16, rate: Option<u32>) -> Plan {
        Plan {
            me: NodeId(me),
            members: 2,
            size: 50,
            rate,
            window_us: 1_000_000,
            machine: 7,
            waiting_max: 4,
            under_way_max: 8,
            complete_by: Time(5_000_000),
        }
    }

    fn at(ms: u64) -> Time {
        Time(ms * 1_000)
    }

    /// Two members whose payloads are ordered at once, `lost` of the second one's never reaching the first.
    fn run(rate: Option<u32>, lost: u64) -> (Load, Load) {
        let mut loads = [Load::new(plan(1, rate)), Load::new(plan(2, rate))];
        for load in &mut loads {
            load.installed(at(0), [NodeId(1), NodeId(2)].into_iter());
        }
        let mut now = at(0);
        while !loads.iter().all(Load::is_done) {
            for load in &mut loads {
                if load.is_due(now) {
                    let costs = Costs {
                        datagrams: now.0,
                        cpu_us: now.0,
                        ..Costs::default()
                    };
                    load.advance(now, costs);
                }
            }
            for from in 0..2 {
                while let Some(payload) = loads[from].next(now, 0) {
                    let is_lost = matches!(Payload::read(&payload), Some(Payload::Message { from: NodeId(2), number, .. })
                        if number <= lost);
                    let later = now.after_us(300);
                    (!is_lost).then(|| loads[0].delivered(later, &payload));
                    loads[1].delivered(later, &payload);
                    if rate.is_none() {
                        break;
                    }
                }
            }
            now = now.after_us(1_000);
            assert!(now < at(60_000), "it ends: {:?}", loads[0].stage);
        }
        let [first, second] = loads;
        (first, second)
    }

    #[test]
    fn all_measure_the_same_window_and_the_same_order() {
        let (first, second) = run(Some(100), 0);
        assert_eq!(first.outcomes(), second.outcomes());
        let outcomes = first.outcomes();
        assert_eq!(outcomes.len(), 2);
        for outcome in &outcomes {
            assert!((190..=210).contains(&outcome.counted), "{outcome:?}");
            assert_eq!((outcome.own.p50_us, outcome.own.max_us), (300, 300));
            assert_eq!(outcome.remote.map(|remote| remote.p99_us), Some(300));
            assert_eq!((outcome.lost, outcome.fifo_errors, outcome.new_rings), (0, 0, 0));
            assert!((5_000..=10_000).contains(&outcome.silence_us), "{outcome:?}");
            assert_eq!((outcome.window_us, outcome.cpu_us), (1_000_000, 1_000_000));
        }
        assert_eq!(outcomes[0].digest, outcomes[1].digest);
    }

    #[test]
    fn what_one_did_not_hear_is_lost_and_changes_its_digest() {
        let (first, _) = run(Some(100), 3);
        let outcomes = first.outcomes();
        assert_eq!((outcomes[0].lost, outcomes[0].fifo_errors), (3, 1));
        assert_eq!((outcomes[1].lost, outcomes[1].fifo_errors), (0, 0));
        assert_ne!(outcomes[0].digest, outcomes[1].digest);
    }

    #[test]
    fn without_a_rate_the_next_is_said_as_soon_as_there_is_room() {
        let mut load = Load::new(plan(1, None));
        load.installed(at(0), [NodeId(1), NodeId(2)].into_iter());
        let hello = load.next(at(1), 0).unwrap();
        load.delivered(at(1), &hello);
        assert_eq!(load.next(at(1), 0), None);
        let hello = Payload::Hello {
            from: NodeId(2),
            machine: 8,
        };
        load.delivered(at(2), &hello.to_bytes(0, &mut BytesMut::new()));
        assert!(load.next(at(3), 3).is_some());
        assert_eq!(load.next(at(3), 4), None, "enough wait to be stamped");
        let said = std::iter::from_fn(|| load.next(at(3), 0)).count();
        assert_eq!(said, 7, "as many are under way as may be");
        load.advance(at(1_002), Costs::default());
        load.advance(at(2_002), Costs::default());
        assert_eq!(load.outcome.remote, None, "the other's clock is another one");
    }

    #[test]
    fn a_message_that_comes_late_counts_from_when_it_was_due() {
        let mut load = Load::new(plan(1, Some(1_000)));
        load.begin(at(0));
        let due = |payload: Bytes| match Payload::read(&payload) {
            Some(Payload::Message { due, .. }) => due,
            other => panic!("a message, not {other:?}"),
        };
        assert_eq!(load.next(Time(900), 0).map(due), Some(Time(900)));
        assert_eq!(load.next(Time(900), 0), None, "the next is due at a millisecond");
        assert_eq!(load.next(at(5), 0).map(due), Some(at(1)));
        assert_eq!(load.deadline(), Some(at(2)));
    }

    #[test]
    fn who_is_alone_for_too_long_says_so() {
        let mut load = Load::new(plan(1, None));
        load.installed(at(0), [NodeId(1)].into_iter());
        assert_eq!(load.next(at(1), 0), None);
        assert!(load.is_due(at(5_000)));
        load.advance(at(5_000), Costs::default());
        assert!(load.is_done());
        assert!(load.failed().unwrap().contains("has 1 members and not 2"));
    }

    /// The first of two members, whose window is over and whose own end was delivered.
    fn drained() -> Load {
        let mut load = Load::new(plan(1, None));
        load.installed(at(0), [NodeId(1), NodeId(2)].into_iter());
        for from in [1, 2] {
            let hello = Payload::Hello {
                from: NodeId(from),
                machine: 7,
            };
            load.delivered(at(1), &hello.to_bytes(0, &mut BytesMut::new()));
        }
        for ms in [1_001, 2_001] {
            load.advance(at(ms), Costs::default());
        }
        assert!(load.next(at(2_001), 0).is_some(), "the hello");
        let end = load.next(at(2_001), 0).unwrap();
        load.delivered(at(2_002), &end);
        load
    }

    #[test]
    fn an_end_that_does_not_come_is_a_loss() {
        let mut load = drained();
        assert!(load.is_due(at(10_001)));
        load.advance(at(10_001), Costs::default());
        assert_eq!(
            load.outcomes()[0].lost,
            1,
            "the other is there, and did not say how many its were"
        );
    }

    #[test]
    fn who_dies_is_not_waited_for() {
        let mut load = drained();
        assert!(matches!(load.stage, Stage::Draining { .. }));
        load.installed(at(2_100), [NodeId(1)].into_iter());
        let told = load.next(at(2_101), 0).unwrap();
        load.delivered(at(2_102), &told);
        assert!(load.is_done());
        assert_eq!(load.outcomes()[0].new_rings, 1);
    }
}
