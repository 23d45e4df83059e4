//! Datagrams: written and read, sealed and opened.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use roda::wire::seal::To;
use roda::wire::seal::key::{GroupKey, Keys};
use roda::wire::seal::sessions::{SEED_BYTES, SealSettings, Sessions};
use roda::wire::{Body, Chunk, Data, Pace, Token, TokenRow, decode, encode};
use roda::words::{Epoch, Hop, Incarnation, Member, MessageId, NodeId, RingId, Seq, Time};

const GROUP: u32 = 7;
/// Bytes of a message.
const MESSAGE_BYTES: usize = 100;
/// Messages in a datagram: as many as 1,400 bytes take.
const MESSAGES: u64 = 12;

fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(1_763_680_000_000_000 + u64::from(id)),
    }
}

fn ring() -> RingId {
    RingId {
        epoch: Epoch(3),
        leader: member(1),
    }
}

/// A full datagram of new messages.
fn data() -> Body {
    let chunk = |number: u64| Chunk {
        seq: Seq(1_000_000 + number),
        id: MessageId {
            sender: member(1),
            counter: 300_000 + number,
        },
        fragment: 0,
        fragments: 1,
        bytes: Bytes::from(vec![b'x'; MESSAGE_BYTES]),
    };
    Body::Data(Data {
        ring: ring(),
        hop: Hop(80_000),
        chunks: (0..MESSAGES).map(chunk).collect(),
    })
}

/// A token of so many members.
fn token(members: usize) -> Body {
    let row = TokenRow {
        received_up_to: Seq(1_000_000),
        held_up_to: Seq(999_000),
        sent: 40,
        recovered: true,
        waiting_since: Hop(0),
        visited: Hop(80_000),
    };
    Body::Token(Token {
        ring: ring(),
        hop: Hop(80_003),
        high: Seq(1_000_100),
        pace: Pace::Fast,
        rows: vec![row; members],
        lacking: Vec::new(),
    })
}

/// Writing and reading.
pub fn wire(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire");
    let bodies = [
        ("data, 12 messages of 100 bytes", data(), MESSAGES),
        ("token, 3 members", token(3), 1),
        ("token, 64 members", token(64), 1),
    ];
    for (name, body, elements) in bodies {
        let datagram = encode(GROUP, member(1), &body);
        group.throughput(Throughput::Elements(elements));
        group.bench_function(format!("encode {name}"), |bench| {
            bench.iter(|| encode(GROUP, member(1), black_box(&body)));
        });
        group.bench_function(format!("decode {name}"), |bench| {
            bench.iter(|| decode(GROUP, black_box(datagram.clone())).expect("it is sound"));
        });
    }
    group.finish();
}

/// Two members that have met and believe each other.
fn acquainted() -> (Sessions, Sessions, SocketAddrV4) {
    let address = |id: u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, id);
    let start = |id: u16| {
        let settings = SealSettings {
            keys: Keys::one(GroupKey::new([7; 32].into())),
            seed: [id as u8; SEED_BYTES],
            address: address(id),
        };
        Sessions::new(GROUP, member(id), settings)
    };
    let (mut a, mut b) = (start(1), start(2));
    let first = a.seal(To::Group, &data());
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
    (a, b, address(1))
}

/// Sealing and opening with a group key.
pub fn seal(criterion: &mut Criterion) {
    let (mut a, mut b, from) = acquainted();
    let body = data();
    let bytes = a.seal(To::Group, &body).len() as u64;
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("seal a full datagram", |bench| {
        bench.iter(|| a.seal(To::Group, black_box(&body)));
    });
    group.bench_function("open a full datagram", |bench| {
        bench.iter_batched(
            || a.seal(To::Group, &body),
            |datagram| b.open(Time(1), from, true, datagram).expect("it is fresh"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}
