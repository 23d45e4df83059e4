//! The ring alone: members in memory, between which every datagram arrives at once.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use roda::node::face::{Action, Event};
use roda::order::{Config, OrderOnly, User};
use roda::ring::{Delivery, Installed};
use roda::words::{Incarnation, NodeId, Time};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 100;
/// Messages that each member says at once under load.
const LOAD: u64 = 100;
/// Steps after which a ring that does not get on has failed.
const STEPS_MAX: u32 = 10_000_000;

/// Says what it is told to, and counts what it hears.
struct Talker {
    left: u64,
    heard: u64,
    members: usize,
    text: Bytes,
}

impl User for Talker {
    fn installed(&mut self, _now: Time, installed: &Installed) {
        self.members = installed.members.len();
    }

    fn delivered(&mut self, _now: Time, _delivery: &Delivery) {
        self.heard += 1;
    }

    fn next(&mut self, _now: Time, _waiting: usize) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        Some(self.text.clone())
    }
}

/// A ring and the network between its members.
struct Circle {
    now: Time,
    members: Vec<OrderOnly<Talker>>,
    /// From whom, to whom (none: to all), and what.
    under_way: VecDeque<(usize, Option<SocketAddrV4>, Bytes)>,
}

fn address(at: usize) -> SocketAddrV4 {
    SocketAddrV4::new([10, 0, 0, at as u8].into(), 4_000)
}

impl Circle {
    /// A ring of so many members, in operation.
    fn new(count: usize) -> Circle {
        let mut circle = Circle {
            now: Time(1_000_000),
            members: Vec::new(),
            under_way: VecDeque::new(),
        };
        for at in 0..count {
            let config = Config {
                id: NodeId(at as u16 + 1),
                incarnation: Incarnation(at as u64 + 1),
                group: 7,
                token_timeout_us: 200_000,
                payload_max: 1_400,
                accelerated: false,
                seal: None,
            };
            let user = Talker {
                left: 0,
                heard: 0,
                members: 0,
                text: Bytes::from(vec![b'x'; MESSAGE_BYTES]),
            };
            let (member, first) = OrderOnly::new(config, user, at as u64, circle.now);
            circle.members.push(member);
            circle.take(at, first);
        }
        circle.run_until(|member| member.user().members == count);
        circle
    }

    fn take(&mut self, from: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Multicast(bytes) => self.under_way.push_back((from, None, bytes)),
                Action::Unicast(to, bytes) => self.under_way.push_back((from, Some(to), bytes)),
                Action::Store(..) | Action::Load(..) | Action::Stream(..) => {}
                Action::Notice(_) | Action::Exit(_) => {}
            }
        }
    }

    /// Lets one datagram arrive, or time pass up to the next deadline.
    fn step(&mut self) {
        let Some((from, to, bytes)) = self.under_way.pop_front() else {
            let next = self.members.iter().filter_map(OrderOnly::deadline).min();
            self.now = self.now.max(next.expect("somebody waits for something"));
            for at in 0..self.members.len() {
                if self.members[at].deadline().is_some_and(|at| at <= self.now) {
                    let actions = self.members[at].handle(self.now, Event::Timer);
                    self.take(at, actions);
                }
            }
            return;
        };
        for at in 0..self.members.len() {
            if at != from && to.is_none_or(|to| to == address(at)) {
                let event = Event::Datagram {
                    from: address(from),
                    multicast: to.is_none(),
                    bytes: bytes.clone(),
                };
                let actions = self.members[at].handle(self.now, event);
                self.take(at, actions);
            }
        }
    }

    fn run_until(&mut self, is_so: impl Fn(&OrderOnly<Talker>) -> bool) {
        for _ in 0..STEPS_MAX {
            if self.members.iter().all(&is_so) {
                return;
            }
            self.step();
        }
        panic!("the ring does not get on");
    }

    /// Some members say so many messages each, and all hear all of them.
    fn converse(&mut self, speakers: usize, each: u64) {
        let due = self.members[0].user().heard + speakers as u64 * each;
        for at in 0..speakers {
            self.members[at].user_mut().left = each;
            let actions = self.members[at].handle(self.now, Event::Timer);
            self.take(at, actions);
        }
        self.run_until(|member| member.user().heard >= due);
    }
}

/// All members' work for messages from the request to the last delivery.
pub fn ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    for (members, speakers, each) in [(3, 1, 1), (3, 3, LOAD), (16, 1, 1), (64, 1, 1)] {
        let messages = speakers as u64 * each;
        let mut circle = Circle::new(members);
        group.throughput(Throughput::Elements(messages));
        let what = match messages {
            1 => "one message".to_string(),
            many => format!("{many} messages"),
        };
        group.bench_function(format!("{members} members order and deliver {what}"), |bench| {
            bench.iter(|| circle.converse(speakers, each));
        });
    }
    group.finish();
}
