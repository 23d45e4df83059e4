//! Streams on loopback, between two ends of ours and with bare sockets as badly behaved peers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};

use mio::{Events, Interest, Poll, Token};

use super::*;
use crate::host::inbox::{Arrival, Entrance, Lane, open};
use crate::node::face::Event;

const WAKE: Token = Token(0);
const LISTEN: Token = Token(1);

/// Times short enough for a test to wait for their end.
const HASTY: StreamTimes = StreamTimes {
    connect: Duration::from_secs(2),
    gap: Duration::from_millis(150),
    frame: Duration::from_millis(400),
    idle: Duration::from_millis(300),
};

/// What the core's thread does with streams, without a core.
struct Side {
    poll: Poll,
    entrance: Entrance,
    streams: Streams,
    address: SocketAddrV4,
}

impl Side {
    /// Times long enough for a busy machine.
    fn new() -> Side {
        Side::with(StreamTimes::default())
    }

    fn with(times: StreamTimes) -> Side {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
        let poll = Poll::new().unwrap();
        let (inbox, entrance) = open(&poll, WAKE).unwrap();
        let mut streams = Streams::new(TcpListener::from_std(listener), inbox, times);
        let source = streams.source();
        poll.registry()
            .register(source, LISTEN, Interest::READABLE)
            .unwrap();
        Side {
            poll,
            entrance,
            streams,
            address,
        }
    }

    /// The next thing that happens; fails after five seconds.
    fn next(&mut self) -> (StreamId, StreamEvent) {
        let mut events = Events::with_capacity(4);
        loop {
            while let Some(arrival) = self.entrance.take(Lane::Streams) {
                let Arrival::Event(Event::Stream(id, event)) = arrival else {
                    panic!("only streams send here: {arrival:?}");
                };
                if self.streams.admit(id, &event) {
                    return (id, event);
                }
            }
            if let [(id, from)] = self.streams.accept().0[..] {
                return (id, StreamEvent::Accepted { from });
            }
            self.poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
            assert!(!events.is_empty(), "nothing happened in five seconds");
        }
    }

    fn frame(&mut self) -> (StreamId, Bytes) {
        match self.next() {
            (id, StreamEvent::Frame(frame)) => (id, frame),
            other => panic!("expected a frame: {other:?}"),
        }
    }

    fn closed(&mut self) -> StreamId {
        match self.next() {
            (id, StreamEvent::Closed) => id,
            other => panic!("expected the end: {other:?}"),
        }
    }

    fn accepted(&mut self) -> StreamId {
        match self.next() {
            (id, StreamEvent::Accepted { .. }) => id,
            other => panic!("expected a peer: {other:?}"),
        }
    }

    fn counted(&self, reason: &str) -> u64 {
        let list = self.streams.counters().list();
        list.iter().find(|(name, _)| *name == reason).unwrap().1
    }
}

/// Opens a stream from `a` to `b`; the ids on both sides.
fn joined(a: &mut Side, b: &mut Side) -> (StreamId, StreamId) {
    let id = StreamId(2);
    assert!(a.streams.act(id, StreamAction::Connect(b.address)).is_none());
    let there = b.accepted();
    assert!(matches!(a.next(), (here, StreamEvent::Connected) if here == id));
    (id, there)
}

/// A peer that is not one of ours.
fn stranger(side: &mut Side) -> (TcpStream, StreamId) {
    let stream = TcpStream::connect(side.address).unwrap();
    let id = side.accepted();
    (stream, id)
}

#[test]
fn frames_go_both_ways_in_order_and_whole() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (here, there) = joined(&mut a, &mut b);
    assert_eq!((here.0 % 2, there.0 % 2), (0, 1));
    let large = Bytes::from(vec![9; FRAME_BYTES_MAX]);
    let frames = [Bytes::from_static(b"ask"), Bytes::new(), large];
    for frame in &frames {
        a.streams.act(here, StreamAction::Send(frame.clone()));
    }
    for frame in &frames {
        assert_eq!(b.frame(), (there, frame.clone()));
    }
    b.streams
        .act(there, StreamAction::Send(Bytes::from_static(b"answer")));
    assert_eq!(a.frame(), (here, Bytes::from_static(b"answer")));
}

#[test]
fn closing_lets_what_was_sent_arrive_and_tells_both() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (here, there) = joined(&mut a, &mut b);
    a.streams
        .act(here, StreamAction::Send(Bytes::from_static(b"last")));
    a.streams.act(here, StreamAction::Close);
    a.streams
        .act(here, StreamAction::Send(Bytes::from_static(b"too late")));
    assert_eq!(b.frame(), (there, Bytes::from_static(b"last")));
    assert_eq!(b.closed(), there);
    assert_eq!(a.closed(), here);
    assert!(a.streams.open.is_empty() && b.streams.open.is_empty());
}

#[test]
fn a_peer_that_is_not_there_is_an_end_without_a_beginning() {
    let mut a = Side::new();
    let nobody = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    assert!(a.streams.act(StreamId(2), StreamAction::Connect(to)).is_none());
    assert_eq!(a.closed(), StreamId(2));
    assert_eq!(a.counted("stream unreachable"), 1);
}

#[test]
fn an_oversized_frame_ends_the_stream_before_it_is_read() {
    let mut a = Side::new();
    let (mut peer, id) = stranger(&mut a);
    peer.write_all(&(FRAME_BYTES_MAX as u32 + 1).to_le_bytes())
        .unwrap();
    assert_eq!(a.closed(), id);
    assert_eq!(a.counted("stream frame too large"), 1);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_silent_stranger_is_closed() {
    let mut a = Side::with(HASTY);
    let (_peer, id) = stranger(&mut a);
    assert_eq!(a.closed(), id);
    assert_eq!(a.counted("stream peer silent"), 1);
}

#[test]
fn a_frame_that_stops_in_the_middle_is_closed() {
    let mut a = Side::with(HASTY);
    let (mut peer, id) = stranger(&mut a);
    peer.write_all(&[8, 0, 0, 0, 1, 2]).unwrap();
    assert_eq!(a.closed(), id);
    assert_eq!(a.counted("stream peer too slow"), 1);
}

#[test]
fn a_stream_that_is_cut_in_a_frame_is_broken_not_short() {
    let mut a = Side::new();
    let (mut peer, id) = stranger(&mut a);
    peer.write_all(&[3, 0, 0, 0, 1, 2]).unwrap();
    drop(peer);
    assert_eq!(a.closed(), id);
    assert_eq!(a.counted("stream broken"), 1);
}

#[test]
fn a_peer_that_does_not_read_is_closed_and_costs_bounded_memory() {
    let mut a = Side::with(HASTY);
    let (peer, id) = stranger(&mut a);
    let frame = Bytes::from(vec![1; FRAME_BYTES_MAX]);
    for _ in 0..64 {
        a.streams.act(id, StreamAction::Send(frame.clone()));
    }
    assert!(a.streams.open[&id].queue.is_none(), "closed at once");
    assert_eq!(a.closed(), id);
    assert!(a.counted("stream peer too slow") >= 1);
    drop(peer);
}

#[test]
fn too_many_streams_are_refused_and_own_ones_keep_their_share() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let _peers: Vec<_> = (0..ACCEPTED_MAX).map(|_| stranger(&mut a)).collect();
    let mut refused = TcpStream::connect(a.address).unwrap();
    assert!(a.streams.accept().0.is_empty());
    assert_eq!(refused.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(a.counted("stream refused, too many"), 1);

    for number in 0..(STREAMS_MAX - ACCEPTED_MAX) as u64 {
        let connect = StreamAction::Connect(b.address);
        assert!(a.streams.act(StreamId(2 + 2 * number), connect).is_none());
        b.accepted();
    }
    let one_more = a.streams.act(StreamId(100), StreamAction::Connect(b.address));
    assert!(matches!(one_more, Some(StreamEvent::Closed)));
}

#[test]
fn a_frame_too_large_to_send_closes_the_stream() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (here, there) = joined(&mut a, &mut b);
    let large = Bytes::from(vec![1; FRAME_BYTES_MAX + 1]);
    a.streams.act(here, StreamAction::Send(large));
    assert_eq!(a.closed(), here);
    assert_eq!(b.closed(), there);
}
