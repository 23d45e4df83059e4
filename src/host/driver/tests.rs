//! The driver with a core of the tests' own, on loopback.
#![allow(clippy::wildcard_enum_match_arm)] // A test names the variants it is about.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::thread::{self, JoinHandle};

use super::backlog::DISK_MAX;
use super::*;
use crate::host::net::{Group, Interface};
use crate::node::face::{Command, StreamAction};

/// Tells everything that happens as a warning, and does as the test says.
struct Echo<F> {
    deadline: Option<Time>,
    react: F,
}

impl<F: FnMut(Time, &Event) -> Vec<Action>> Core for Echo<F> {
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        if matches!(event, Event::Timer) {
            assert!(
                self.deadline.take().is_some_and(|deadline| deadline <= now),
                "not before it is due"
            );
        }
        let mut actions = vec![told(&name(&event))];
        if matches!(event, Event::Command(Command::Leave)) {
            actions.push(Action::Exit(Exit::Left));
            actions.push(told("after the exit"));
        }
        actions.extend((self.react)(now, &event));
        actions
    }

    fn deadline(&self) -> Option<Time> {
        self.deadline
    }
}

fn told(text: &str) -> Action {
    Action::Notice(Notice::Warning(text.to_string()))
}

fn name(event: &Event) -> String {
    match event {
        Event::Datagram { multicast, bytes, .. } => {
            let port = if *multicast { "multicast" } else { "unicast" };
            format!("{port} {}", String::from_utf8_lossy(bytes))
        }
        Event::Stream(id, StreamEvent::Accepted { .. }) => format!("stream {} accepted", id.0),
        other => format!("{other:?}"),
    }
}

/// A driver that is not running yet.
struct Fixture {
    driver: Driver,
    ends: Ends,
    group: Group,
    address: SocketAddrV4,
    stream_address: SocketAddrV4,
}

fn fixture(group: Option<Group>, chaos: Option<Chaos>) -> Fixture {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let group = group.unwrap_or_else(|| format!("224.1.1.1:{port}").parse().unwrap());
    let net = Net::open(group, Interface::resolve(Some("127.0.0.1")).unwrap()).unwrap();
    let address = net.address();
    let stream_address = SocketAddrV4::new(*address.ip(), net.stream_port());
    let (driver, ends) = Driver::new(net, chaos).unwrap();
    Fixture {
        driver,
        ends,
        group,
        address,
        stream_address,
    }
}

type Running = JoinHandle<Result<Exit, DriverError>>;

/// Runs a driver on a thread of its own.
fn run<F>(driver: Driver, first: Vec<Action>, deadline: Option<Time>, react: F) -> Running
where
    F: FnMut(Time, &Event) -> Vec<Action> + Send + 'static,
{
    let body = move || driver.run(&mut Echo { deadline, react }, first);
    thread::Builder::new()
        .name("core".to_string())
        .spawn(body)
        .unwrap()
}

fn nothing(_: Time, _: &Event) -> Vec<Action> {
    Vec::new()
}

/// The next warning; fails after five seconds.
fn next(ends: &Ends) -> String {
    match ends.notices.recv_timeout(Duration::from_secs(5)).unwrap() {
        Notice::Warning(text) => text,
        other => panic!("only warnings are told here: {other:?}"),
    }
}

fn leave(ends: &Ends) {
    ends.inbox.urge(Event::Command(Command::Leave)).unwrap();
}

#[test]
fn the_exit_ends_the_loop_and_nothing_follows_it() {
    let Fixture { driver, ends, .. } = fixture(None, None);
    let core = run(driver, vec![told("first")], None, nothing);
    assert_eq!(next(&ends), "first");
    leave(&ends);
    assert_eq!(core.join().unwrap().unwrap(), Exit::Left);
    let rest: Vec<Notice> = ends.notices.iter().collect();
    assert_eq!(rest, [Notice::Warning("Command(Leave)".to_string())]);
    assert!(ends.inbox.send(Event::Timer).is_err());
}

#[test]
fn the_deadline_fires_once_and_not_early() {
    let Fixture { driver, ends, .. } = fixture(None, None);
    let start = clock::now();
    let core = run(driver, Vec::new(), Some(start.after_us(20_500)), nothing);
    assert_eq!(next(&ends), "Timer");
    let passed_us = clock::now().since_us(start);
    assert!(passed_us >= 20_500, "{passed_us} µs");
    leave(&ends);
    assert_eq!(next(&ends), "Command(Leave)");
    core.join().unwrap().unwrap();
}

#[test]
fn data_is_handed_on_before_the_token_though_it_was_sent_after() {
    let Fixture {
        driver,
        ends,
        group,
        address,
        ..
    } = fixture(None, None);
    let mut peer = Net::open(group, Interface::resolve(Some("127.0.0.1")).unwrap()).unwrap();
    // Both wait in their sockets before the driver looks: it must take the data first.
    assert_eq!(peer.send_unicast(address, b"token"), Sent::Yes);
    for data in [b"1", b"2", b"3"] {
        assert_eq!(peer.send_multicast(&[Bytes::from_static(data)]), Sent::Yes);
    }
    let core = run(driver, Vec::new(), None, nothing);
    let told: Vec<String> = (0..4).map(|_| next(&ends)).collect();
    assert_eq!(
        told,
        ["multicast 1", "multicast 2", "multicast 3", "unicast token"]
    );
    leave(&ends);
    core.join().unwrap().unwrap();
}

#[test]
fn datagrams_go_out_and_come_in_and_chaos_acts_on_arrival() {
    let plain = fixture(None, None);
    let chaos = Chaos::new("dup=100%,delay=1ms".parse().unwrap(), 1);
    let doubling = fixture(Some(plain.group), Some(chaos));
    let answer = |_: Time, event: &Event| match event {
        Event::Datagram {
            from,
            multicast: true,
            ..
        } => {
            vec![Action::Unicast(*from, Bytes::from_static(b"heard"))]
        }
        _ => Vec::new(),
    };
    let second = run(doubling.driver, Vec::new(), None, answer);
    let hello = Action::Multicast(Bytes::from_static(b"hello"));
    let first = run(plain.driver, vec![hello], None, nothing);
    assert_eq!(next(&doubling.ends), "multicast hello");
    assert_eq!(next(&doubling.ends), "multicast hello");
    assert_eq!(next(&plain.ends), "unicast heard");
    assert_eq!(next(&plain.ends), "unicast heard");
    for (ends, core) in [(plain.ends, first), (doubling.ends, second)] {
        leave(&ends);
        core.join().unwrap().unwrap();
    }
}

#[test]
fn streams_reach_the_core_of_the_other_side() {
    let (a, b) = (fixture(None, None), fixture(None, None));
    let ask = vec![
        Action::Stream(StreamId(2), StreamAction::Connect(b.stream_address)),
        Action::Stream(StreamId(2), StreamAction::Send(Bytes::from_static(b"ask"))),
    ];
    let close = |_: Time, event: &Event| match event {
        Event::Stream(id, StreamEvent::Frame(_)) => vec![Action::Stream(*id, StreamAction::Close)],
        _ => Vec::new(),
    };
    let there = run(b.driver, Vec::new(), None, close);
    let here = run(a.driver, ask, None, nothing);
    assert_eq!(next(&b.ends), "stream 1 accepted");
    assert_eq!(next(&b.ends), "Stream(StreamId(1), Frame(b\"ask\"))");
    assert_eq!(next(&b.ends), "Stream(StreamId(1), Closed)");
    assert_eq!(next(&a.ends), "Stream(StreamId(2), Connected)");
    assert_eq!(next(&a.ends), "Stream(StreamId(2), Closed)");
    for (ends, core) in [(a.ends, here), (b.ends, there)] {
        leave(&ends);
        core.join().unwrap().unwrap();
    }
}

#[test]
fn a_disk_that_stands_still_gets_everything_in_order_and_no_datagrams_are_read_meanwhile() {
    let Fixture {
        driver,
        ends,
        address,
        ..
    } = fixture(None, None);
    let count = DISK_MAX as u64 + 10;
    let store = |ticket| Action::Store(Ticket(ticket), Store::OutboxForget(Vec::new()));
    let core = run(driver, (0..count).map(store).collect(), None, nothing);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.send_to(b"x", address).unwrap();
    // Commands are still obeyed, which also shows that the driver went round since the datagram came.
    for _ in 0..2 {
        ends.inbox.send(Event::Command(Command::Status)).unwrap();
        assert_eq!(next(&ends), "Command(Status)");
    }
    for expected in 0..count {
        let work = ends.disk.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(work, DiskWork::Store(Ticket(ticket), _) if ticket == expected));
    }
    assert_eq!(next(&ends), "unicast x");
    leave(&ends);
    core.join().unwrap().unwrap();
}

#[test]
fn a_pump_that_cannot_go_on_ends_the_node_with_its_reason() {
    let Fixture { driver, ends, .. } = fixture(None, None);
    let core = run(driver, Vec::new(), None, nothing);
    ends.inbox
        .fail("cannot sync replicas/node-1.jsonl".to_string())
        .unwrap();
    let error = core.join().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "cannot sync replicas/node-1.jsonl");
}

#[test]
fn the_disks_last_words_are_told_though_its_end_is_noticed_first() {
    let Fixture { driver, ends, .. } = fixture(None, None);
    ends.inbox.fail("the disk broke".to_string()).unwrap();
    drop(ends.disk);
    let store = Action::Store(Ticket(1), Store::OutboxForget(Vec::new()));
    let error = run(driver, vec![store], None, nothing)
        .join()
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, DriverError::Pump(reason) if reason == "the disk broke"));
}

#[test]
fn an_unread_screen_does_not_stop_the_node() {
    let Fixture { driver, ends, .. } = fixture(None, None);
    let first = (0..2_000).map(|number| told(&number.to_string())).collect();
    let core = run(driver, first, None, nothing);
    leave(&ends);
    assert_eq!(core.join().unwrap().unwrap(), Exit::Left);
    assert_eq!(next(&ends), "0");
}
