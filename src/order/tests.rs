//! Members of one ring, with a network between them that keeps everything, in memory.

use std::collections::VecDeque;

use super::*;
use crate::words::Position;

/// Says so many payloads, and remembers what it heard.
struct Talker {
    left: u64,
    heard: Vec<(Position, Bytes)>,
    members: usize,
    done: bool,
}

impl User for Talker {
    fn installed(&mut self, _now: Time, installed: &Installed) {
        self.members = installed.members.len();
    }

    fn delivered(&mut self, _now: Time, delivery: &Delivery) {
        self.heard.push((delivery.position, delivery.content.clone()));
    }

    fn next(&mut self, _now: Time, waiting: usize) -> Option<Bytes> {
        if self.left == 0 || waiting >= 20 {
            return None;
        }
        self.left -= 1;
        Some(Bytes::from(self.left.to_string()))
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

fn address(id: u16) -> SocketAddrV4 {
    SocketAddrV4::new([10, 0, 0, id as u8].into(), 4_000)
}

fn config(id: u16) -> Config {
    Config {
        id: NodeId(id),
        incarnation: Incarnation(1 + u64::from(id)),
        group: 7,
        token_timeout_us: 200_000,
        payload_max: 1_400,
        accelerated: false,
        seal: None,
    }
}

struct World {
    now: Time,
    members: Vec<OrderOnly<Talker>>,
    /// From whom, to whom (none for all), and what.
    under_way: VecDeque<(usize, Option<SocketAddrV4>, Bytes)>,
    gone: Vec<bool>,
}

impl World {
    fn new(count: u16, each_says: u64) -> World {
        let mut world = World {
            now: Time(1_000_000),
            members: Vec::new(),
            under_way: VecDeque::new(),
            gone: Vec::new(),
        };
        for id in 1..=count {
            let user = Talker {
                left: each_says,
                heard: Vec::new(),
                members: 0,
                done: false,
            };
            let (member, first) = OrderOnly::new(config(id), user, u64::from(id), world.now);
            world.members.push(member);
            world.gone.push(false);
            world.take(usize::from(id) - 1, first);
        }
        world
    }

    fn take(&mut self, from: usize, actions: Vec<Action>) {
        for action in actions {
            match &action {
                Action::Multicast(bytes) => self.under_way.push_back((from, None, bytes.clone())),
                Action::Unicast(to, bytes) => self.under_way.push_back((from, Some(*to), bytes.clone())),
                Action::Exit(exit) => {
                    assert_eq!(*exit, Exit::Left);
                    self.gone[from] = true;
                }
                Action::Store(..) | Action::Load(..) | Action::Stream(..) | Action::Notice(_) => {
                    panic!("no member asks for {action:?}")
                }
            }
        }
    }

    /// Lets everything arrive and time pass, until it is so.
    fn run_until(&mut self, what: &str, is_so: impl Fn(&World) -> bool) {
        for _ in 0..200_000 {
            if is_so(self) {
                return;
            }
            if let Some((from, to, bytes)) = self.under_way.pop_front() {
                let all = 0..self.members.len();
                for at in all.filter(|at| *at != from && to.is_none_or(|to| to == address(*at as u16 + 1))) {
                    let event = Event::Datagram {
                        from: address(from as u16 + 1),
                        multicast: to.is_none(),
                        bytes: bytes.clone(),
                    };
                    let actions = self.members[at].handle(self.now, event);
                    self.take(at, actions);
                }
                continue;
            }
            let next = self.members.iter().filter_map(OrderOnly::deadline).min();
            self.now = self.now.max(next.expect("somebody waits for something"));
            for at in 0..self.members.len() {
                if self.members[at].deadline().is_some_and(|at| at <= self.now) {
                    let actions = self.members[at].handle(self.now, Event::Timer);
                    self.take(at, actions);
                }
            }
        }
        panic!("in vain: {what}");
    }

    fn heard(&self, at: usize) -> &[(Position, Bytes)] {
        &self.members[at].user().heard
    }
}

#[test]
fn three_members_hear_all_that_is_said_in_one_order() {
    let mut world = World::new(3, 100);
    world.run_until("all heard everything", |world| {
        (0..3).all(|at| world.heard(at).len() >= 100 && world.members[at].user().left == 0)
            && world.heard(0).len() == world.heard(1).len()
            && world
                .members
                .iter()
                .all(|member| member.user().members == 3 && member.ring().queued() == 0)
            && world.under_way.is_empty()
    });
    // Before the ring was complete each may have spoken in a ring of its own.
    let ring = world.heard(0).last().unwrap().0.ring;
    let of_ring = |at: usize| -> Vec<(Position, Bytes)> {
        let heard = world
            .heard(at)
            .iter()
            .filter(|(position, _)| position.ring == ring);
        heard.cloned().collect()
    };
    assert!(!of_ring(0).is_empty());
    assert_eq!(of_ring(0), of_ring(1));
    assert_eq!(of_ring(0), of_ring(2));
    assert!(world.members[0].traffic().datagrams > 0);
}

#[test]
fn who_is_alone_says_everything_without_being_woken_by_others() {
    let mut world = World::new(1, 1_000);
    world.run_until("all is said", |world| world.heard(0).len() == 1_000);
    let texts: Vec<&[u8]> = world.heard(0).iter().map(|(_, text)| &text[..]).collect();
    assert_eq!((texts[0], texts[999]), (&b"999"[..], &b"0"[..]));
}

#[test]
fn who_is_done_leaves_and_the_others_go_on_at_once() {
    let mut world = World::new(3, 0);
    let complete = |world: &World| world.members.iter().all(|member| member.user().members == 3);
    world.run_until("the ring is complete", complete);
    world.members[2].user_mut().done = true;
    let since = world.now;
    world.run_until("it is gone", |world| world.gone[2]);
    world.run_until("the others have a ring", |world| {
        (0..2).all(|at| world.members[at].user().members == 2)
    });
    assert!(world.now.since_us(since) < 1_200_000, "no timeout was waited for");
    assert!(world.members[2].handle(world.now, Event::Timer).is_empty());
}
