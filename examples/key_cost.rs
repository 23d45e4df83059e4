//! What the group key costs: sealed against unsealed, in one run. `cargo run --release --example key_cost`
#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures how long it takes"
)]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use bytes::Bytes;
use roda::sim::world::World;
use roda::wire::seal::To;
use roda::wire::seal::key::{GroupKey, Keys};
use roda::wire::seal::sessions::{SEED_BYTES, SealSettings, Sessions};
use roda::wire::{Body, Chunk, Data, decode, encode};
use roda::words::{Epoch, Hop, Incarnation, Member, MessageId, NodeId, RingId, Seq, Time};

const GROUP: u32 = 7;
/// Datagrams of one measurement.
const DATAGRAMS: u32 = 200_000;
/// Messages of one simulated ring.
const MESSAGES: u32 = 20_000;
/// Each is measured so often, in turn; the fastest counts.
const TIMES: u32 = 5;

fn main() {
    println!("a datagram, written and read, in ns:");
    for bytes in [20, 200, 1_300] {
        let (mut open, mut sealed) = (f64::MAX, f64::MAX);
        for _ in 0..TIMES {
            open = open.min(unsealed_ns(bytes));
            sealed = sealed.min(sealed_ns(bytes));
        }
        let ratio = sealed / open;
        println!(
            "  {bytes:>5} bytes of text: without {open:>6.0}, with a key {sealed:>6.0}: {ratio:.2} times"
        );
    }
    let (mut open, mut sealed) = (0f64, 0f64);
    for _ in 0..TIMES {
        open = open.max(ring_per_second(None));
        sealed = sealed.max(ring_per_second(Some(keys())));
    }
    println!("a ring of three, simulated on one core, in messages a second of computing:");
    println!(
        "  without {open:.0}, with a key {sealed:.0}: {:.2} of it",
        sealed / open
    );
}

fn keys() -> Keys {
    Keys::one(GroupKey::new([7; 32].into()))
}

fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(u64::from(id)),
    }
}

/// A datagram of one message.
fn body(bytes: usize) -> Body {
    let ring = RingId {
        epoch: Epoch(3),
        leader: member(1),
    };
    let chunk = Chunk {
        seq: Seq(9),
        id: MessageId {
            sender: member(1),
            counter: 5,
        },
        fragment: 0,
        fragments: 1,
        bytes: Bytes::from(vec![b'x'; bytes]),
    };
    Body::Data(Data {
        ring,
        hop: Hop(8),
        chunks: vec![chunk],
    })
}

fn unsealed_ns(bytes: usize) -> f64 {
    let body = body(bytes);
    let begin = Instant::now();
    for _ in 0..DATAGRAMS {
        let datagram = encode(GROUP, member(1), black_box(&body));
        black_box(decode(GROUP, datagram)).expect("it is sound");
    }
    begin.elapsed().as_nanos() as f64 / f64::from(DATAGRAMS)
}

fn sealed_ns(bytes: usize) -> f64 {
    let address = |id: u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, id);
    let start = |id: u16| {
        let settings = SealSettings {
            keys: keys(),
            seed: [id as u8; SEED_BYTES],
            address: address(id),
        };
        Sessions::new(GROUP, member(id), settings)
    };
    let (mut a, mut b) = (start(1), start(2));
    let body = body(bytes);
    // They meet first, as nodes do.
    let first = a.seal(To::Group, &body);
    let met = b.open(Time(0), address(1), true, first);
    assert!(met.is_err(), "nobody is believed at first sight");
    for _ in 0..3 {
        for (_, hello) in b.take_answers() {
            a.open(Time(0), address(2), false, hello)
                .expect("a hello is opened");
        }
        for (_, hello) in a.take_answers() {
            b.open(Time(0), address(1), false, hello)
                .expect("a hello is opened");
        }
    }
    let begin = Instant::now();
    for _ in 0..DATAGRAMS {
        let datagram = a.seal(To::Group, black_box(&body));
        black_box(b.open(Time(1), address(1), true, datagram)).expect("it is fresh");
    }
    begin.elapsed().as_nanos() as f64 / f64::from(DATAGRAMS)
}

/// How many messages a ring of three orders and writes in a second of computing, checks included.
fn ring_per_second(keys: Option<Keys>) -> f64 {
    let mut world = World::new(1);
    world.keys = keys;
    world.config.delay_max_us = 0;
    for id in 1..=3 {
        world.start(NodeId(id)).expect("it starts");
    }
    world
        .run_until(world.now.after_us(5_000_000))
        .expect("the promises hold");
    let begin = Instant::now();
    for number in 0..MESSAGES {
        let id = NodeId(number as u16 % 3 + 1);
        world
            .say(id, "a line of ordinary length, as people say it")
            .expect("the promises hold");
        if number % 100 == 99 {
            world
                .run_until(world.now.after_us(50_000))
                .expect("the promises hold");
        }
    }
    world
        .run_until(world.now.after_us(2_000_000))
        .expect("the promises hold");
    f64::from(MESSAGES) / begin.elapsed().as_secs_f64()
}
