//! Two nodes' sockets on loopback.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::*;

/// A port nobody uses at the moment.
fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap().port()
}

fn group(port: u16) -> Group {
    format!("224.1.1.1:{port}").parse().unwrap()
}

fn open(group: Group) -> Net {
    let interface = Interface::resolve(Some("127.0.0.1")).unwrap();
    Net::open(group, interface).unwrap()
}

/// Waits for a datagram; `None` after two seconds. Those that come with it are dropped.
fn wait(net: &mut Net, port: Port) -> Option<Received> {
    wait_for(net, port, 1).into_iter().next()
}

/// Waits for so many datagrams, each for two seconds.
fn wait_for(net: &mut Net, port: Port, count: usize) -> Vec<Received> {
    let mut poll = Poll::new().unwrap();
    let source = net.source(port);
    poll.registry()
        .register(source, Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(4);
    let mut found = Vec::new();
    while found.len() < count {
        poll.poll(&mut events, Some(Duration::from_secs(2))).unwrap();
        if events.is_empty() {
            break;
        }
        found.extend(drain(net, port));
    }
    poll.registry().deregister(net.source(port)).unwrap();
    found
}

fn drain(net: &mut Net, port: Port) -> Vec<Received> {
    let mut found = Vec::new();
    loop {
        match net.read(port) {
            Read::Datagram(datagram) => found.push(datagram),
            Read::Skipped => {}
            Read::Empty => return found,
        }
    }
}

#[test]
fn two_nodes_on_one_machine_hear_each_other_both_ways() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    assert_ne!(a.address(), b.address());
    assert!(a.receive_buffer_bytes() > 0);

    assert_eq!(a.send_multicast(&["data".into()]), Sent::Yes);
    let data = wait(&mut b, Port::Multicast).expect("the multicast arrives");
    assert_eq!((&data.bytes[..], data.multicast), (&b"data"[..], true));

    // The source of a multicast is where its sender can be answered.
    assert_eq!(data.from, a.address());
    assert_eq!(b.send_unicast(data.from, b"token"), Sent::Yes);
    let token = wait(&mut a, Port::Unicast).expect("the unicast arrives");
    assert_eq!((&token.bytes[..], token.multicast), (&b"token"[..], false));
    assert_eq!(token.from, b.address());
}

#[test]
fn own_multicasts_do_not_come_back() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    a.send_multicast(&["mine".into()]);
    b.send_multicast(&["other".into()]);
    let heard = wait(&mut a, Port::Multicast).expect("the other's arrives");
    assert_eq!(&heard.bytes[..], b"other");
    assert_eq!(drain(&mut a, Port::Multicast), []);
    // Linux does not even wake the node for them; elsewhere it drops them itself.
    assert_eq!(a.counters().own, u64::from(cfg!(not(target_os = "linux"))));
}

#[test]
fn many_datagrams_at_once_arrive_each_by_itself_and_in_order() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    // Runs of one length, with shorter and longer ones between, and more than fit one piece.
    let lengths = [700; 130].into_iter().chain([30, 700, 700, 1_400, 1_400, 9, 1]);
    let datagrams: Vec<Bytes> = lengths
        .enumerate()
        .map(|(at, length)| Bytes::from(vec![at as u8; length]))
        .collect();
    assert_eq!(a.send_multicast(&datagrams), Sent::Yes);
    let heard = wait_for(&mut b, Port::Multicast, datagrams.len());
    let heard: Vec<Bytes> = heard.into_iter().map(|datagram| datagram.bytes).collect();
    assert!(
        heard == datagrams,
        "{} of {} datagrams",
        heard.len(),
        datagrams.len()
    );
}

#[test]
fn where_the_machine_takes_no_pieces_each_datagram_goes_by_itself() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    let datagrams: Vec<Bytes> = vec![Bytes::from(vec![1; 100]), Bytes::from(vec![2; 100])];
    a.in_pieces = false;
    assert_eq!(a.send_multicast(&datagrams), Sent::Yes);
    let heard = wait_for(&mut b, Port::Multicast, 2);
    let heard: Vec<Bytes> = heard.into_iter().map(|datagram| datagram.bytes).collect();
    assert_eq!(heard, datagrams);
}

#[test]
fn groups_that_share_a_port_do_not_hear_each_other() {
    let port = free_port();
    let (mut a, mut b) = (
        open(group(port)),
        open(format!("224.1.1.2:{port}").parse().unwrap()),
    );
    let mut c = open(group(port));
    a.send_multicast(&["first group".into()]);
    wait(&mut c, Port::Multicast).expect("the same group hears it");
    assert_eq!(drain(&mut b, Port::Multicast), []);
}

#[test]
fn a_port_taken_by_another_program_is_named() {
    let greedy = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = greedy.local_addr().unwrap().port();
    let interface = Interface::resolve(Some("127.0.0.1")).unwrap();
    let error = Net::open(group(port), interface).unwrap_err();
    assert!(matches!(error, NetError::PortTaken(_)), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().starts_with(&format!("port {port} is taken")));
}

#[test]
fn an_address_that_is_not_here_is_an_error_with_the_address() {
    let interface = Interface {
        name: "gone0".to_string(),
        address: Ipv4Addr::new(203, 0, 113, 7),
        is_loopback: false,
    };
    let error = Net::open(group(free_port()), interface).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("gone0 (203.0.113.7)"), "{error}");
}

#[test]
fn a_datagram_too_large_is_counted_and_not_fatal() {
    let mut a = open(group(free_port()));
    let sent = a.send_multicast(&[vec![0; 70_000].into()]);
    assert!(matches!(sent, Sent::Refused(_)), "{sent:?}");
    assert_eq!(a.counters().refused, 1);
    assert_eq!(a.send_multicast(&["fits".into()]), Sent::Yes);
}

#[test]
fn the_largest_datagram_arrives_whole() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    let bytes = vec![7; 65_507];
    assert_eq!(a.send_unicast(b.address(), &bytes), Sent::Yes);
    let got = wait(&mut b, Port::Unicast).expect("it arrives");
    assert_eq!(got.bytes, bytes);
}

#[test]
fn failures_of_sending_are_told_apart() {
    let of = |errno: Errno| Sent::of(&io::Error::from_raw_os_error(errno.raw_os_error()));
    assert_eq!(of(Errno::AGAIN), Sent::NoRoom);
    assert_eq!(of(Errno::NOBUFS), Sent::NoRoom);
    assert!(matches!(of(Errno::NETUNREACH), Sent::Unreachable(_)));
    assert!(matches!(of(Errno::NETDOWN), Sent::Unreachable(_)));
    assert!(matches!(of(Errno::NODEV), Sent::Unreachable(_)));
    assert!(matches!(of(Errno::CONNREFUSED), Sent::Refused(_)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_port_is_reported_and_costs_no_other_datagram() {
    let group = group(free_port());
    let (mut a, mut b) = (open(group), open(group));
    let gone = open(group);
    let port = gone.address();
    drop(gone);
    assert_eq!(a.closed_ports(), []);
    for round in 0..20 {
        assert_eq!(a.send_unicast(port, b"nobody"), Sent::Yes, "round {round}");
        // The report fails the next call, whatever it is about.
        assert_eq!(
            a.send_unicast(b.address(), b"somebody"),
            Sent::Yes,
            "round {round}"
        );
        let arrived = wait(&mut b, Port::Unicast);
        assert_eq!(
            arrived.map(|datagram| datagram.bytes),
            Some("somebody".into()),
            "round {round}"
        );
        assert_eq!(a.closed_ports(), [port], "round {round}");
        assert_eq!(drain(&mut a, Port::Unicast), []);
    }
    assert_eq!(a.counters().closed, 20);
    assert_eq!(a.counters().refused, 0);
}
