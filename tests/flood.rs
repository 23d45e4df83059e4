//! Floods of datagrams that are well formed: members that do not exist, rings that do not exist, numbers beyond reason, and real
//! traffic played again. A ring of real nodes bears it in bounded memory, counts it by reason, and lives on.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Instant;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use roda::host::net::Group as Address;
use roda::wire::{
    Body, Chunk, Data, Join, Pace, Reconcile, ReconcileStep, Refuse, Repair, Request, Token, TokenRow, encode,
};
use roda::words::{Epoch, Hop, Incarnation, Member, MessageId, NodeId, RingId, Seq};
use support::Group;
use support::pty::Person;

/// Datagrams in the flood.
const FLOOD: u64 = 120_000;
/// How much a node may grow in it: its bounded tables fill up once.
const GROWTH_KIB_MAX: u64 = 32 << 10;
/// Datagrams between two looks at whether the ring is alive.
const BURST: u64 = 20_000;
/// Datagrams between two looks at the bounds that were met.
const WAVE: u64 = 1_000;

/// The memory of a process, in KiB.
fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Somebody who is not there. The ids of those who are stay theirs: without a key anybody can speak in a member's name.
fn member(dice: &mut SmallRng) -> Member {
    Member {
        id: NodeId(dice.random_range(4..=u16::MAX)),
        incarnation: Incarnation(dice.random()),
    }
}

fn ring(dice: &mut SmallRng) -> RingId {
    // Near the epochs in use, at the edge of a jump, and beyond.
    let epoch = match dice.random_range(0..3) {
        0 => dice.random_range(0..50),
        1 => (1 << 32) + dice.random_range(0..50),
        _ => dice.random_range(0..1 << 62),
    };
    RingId {
        epoch: Epoch(epoch),
        leader: member(dice),
    }
}

fn number(dice: &mut SmallRng) -> Seq {
    let bits = dice.random_range(1..62);
    Seq(dice.random_range(1..1 << bits))
}

fn chunks(dice: &mut SmallRng) -> Vec<Chunk> {
    let sender = member(dice);
    let first = dice.random_range(1..1 << 40);
    let chunk = |seq| Chunk {
        seq: Seq(seq),
        id: MessageId { sender, counter: seq },
        fragment: 0,
        fragments: 1,
        bytes: Bytes::from_static(b"{\"from\":1,\"text\":\"never said\"}"),
    };
    (first..first + 3).map(chunk).collect()
}

/// Something that a member could say, from one that does not exist.
fn invented(dice: &mut SmallRng) -> Body {
    let ring = ring(dice);
    let hop = Hop(dice.random());
    match dice.random_range(0..12) {
        0 | 1 => {
            let mut present: Vec<Member> = (0..8).map(|_| member(dice)).collect();
            present.sort();
            Body::Join(Join {
                epoch: ring.epoch,
                ring: Some(ring).filter(|_| dice.random()),
                stream_port: 1,
                quorum: 0,
                name: "nobody".into(),
                present,
                failed: vec![],
            })
        }
        2 => Body::Probe {
            target: member(dice),
            nonce: dice.random(),
        },
        3 => Body::ProbeAnswer { nonce: dice.random() },
        4 => Body::Request(Request { ring, hop }),
        5 => {
            let first = number(dice);
            let last = Seq(first.0 + dice.random_range(0..1 << 20));
            Body::Nack {
                ring,
                ranges: vec![(first, last); 100],
            }
        }
        6 => Body::Data(Data {
            ring,
            hop,
            chunks: chunks(dice),
        }),
        7 => Body::Repair(Repair {
            ring,
            chunks: chunks(dice),
        }),
        8 => Body::Token(Token {
            ring,
            hop,
            high: number(dice),
            pace: Pace::Fast,
            rows: vec![TokenRow::default(); 3],
            lacking: vec![],
        }),
        9 => Body::Beacon { ring },
        10 => Body::Refuse(Refuse::Superseded { by: member(dice) }),
        _ => Body::Reconcile(Reconcile {
            nonce: dice.random(),
            step: ReconcileStep::Look,
            stream_port: 0,
        }),
    }
}

/// What of a flood the network carries on: a sender that waits for nobody, on loopback.
struct Flood<'a> {
    socket: UdpSocket,
    group: SocketAddrV4,
    number: u32,
    dice: SmallRng,
    /// Real datagrams, to be played again as they were and under another version.
    real: &'a [Vec<u8>],
    /// The nodes' own ports.
    ports: &'a [SocketAddrV4],
}

impl Flood<'_> {
    fn burst(&mut self, count: u64) {
        for _ in 0..count {
            let to = match self.dice.random_range(0..4) {
                0 => self.ports[self.dice.random_range(0..self.ports.len())],
                _ => self.group,
            };
            let bytes = self.datagram();
            // A full queue loses some of them, as a network would.
            self.socket.send_to(&bytes, to).map(drop).unwrap_or_default();
        }
    }

    fn datagram(&mut self) -> Vec<u8> {
        let real = &self.real[self.dice.random_range(0..self.real.len())];
        match self.dice.random_range(0..8) {
            0 => real.clone(),
            1 => {
                let mut foreign = real.clone();
                foreign[2] = self.dice.random_range(2..=255);
                foreign
            }
            2 => real[..self.dice.random_range(0..real.len())].to_vec(),
            3 => vec![self.dice.random(); 60_000 * usize::from(self.dice.random_range(0..50) == 0)],
            _ => {
                let sender = member(&mut self.dice);
                let body = invented(&mut self.dice);
                encode(self.number, sender, &body).to_vec()
            }
        }
    }
}

/// Real datagrams, and where those who sent them receive: everything is sent from a node's own port.
fn overheard(listener: &UdpSocket) -> (Vec<Vec<u8>>, Vec<SocketAddrV4>) {
    let mut buffer = vec![0; 65_536];
    let (mut real, mut ports) = (Vec::new(), BTreeSet::new());
    let deadline = Instant::now() + support::PATIENCE;
    while real.len() < 8 || ports.len() < 3 {
        assert!(Instant::now() < deadline, "three nodes were not heard: {ports:?}");
        let (length, from) = listener.recv_from(&mut buffer).unwrap();
        if let SocketAddr::V4(from) = from {
            ports.insert(from);
        }
        if real.len() < 64 {
            real.push(buffer[..length].to_vec());
        }
    }
    (real, ports.into_iter().collect())
}

#[test]
fn a_flood_of_invented_members_costs_bounded_memory_and_leaves_the_ring_alive() {
    let group = Group::new();
    let listener = group.listener();
    // The first of them leads, and so has to deal with strangers; a person looks at its counters.
    let mut ana = Person::at_terminal(group.command(1, &["--name", "ana"]));
    let mut nodes = [2, 3].map(|id| group.start(id, &[]));
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    ana.types("um");
    nodes.iter_mut().for_each(|node| {
        node.wait_texts(&["um"]);
        node.say("eu");
    });
    let (real, ports) = overheard(&listener);
    let address: Address = group.address.parse().unwrap();
    let mut flood = Flood {
        socket: group.sender(),
        group: address.address(),
        number: address.number(),
        dice: SmallRng::seed_from_u64(7),
        real: &real,
        ports: &ports,
    };
    let pids = [ana.child.id(), nodes[0].child.id(), nodes[1].child.id()];
    let before = pids.map(memory_kib);
    (0..FLOOD / BURST).for_each(|_| flood.burst(BURST));
    // It has stopped. Whatever the ring went through, it orders what is said, at all three.
    ana.types("depois");
    for node in &mut nodes {
        node.wait_within(support::PATIENCE, "what is said after the flood", |event| {
            event["type"] == "message" && event["text"] == "depois"
        });
    }
    nodes[1].say("tambem");
    ana.sees("tambem");
    for (pid, before) in pids.iter().zip(before) {
        let after = memory_kib(*pid);
        assert!(
            after < before + GROWTH_KIB_MAX,
            "{before} KiB before, {after} KiB after"
        );
    }
    ana.types("/ring -v");
    for reason in ["foreign ring", "foreign version", "not roda", "truncated"] {
        ana.sees(&format!("{reason} "));
    }
    for node in &mut nodes {
        node.drain();
        let invented = node
            .messages()
            .into_iter()
            .filter(|(_, text)| text == "never said")
            .count();
        assert_eq!(invented, 0, "what nobody said is told by nobody");
    }
}

/// Floods in waves of datagrams, each from another sender that does not exist, until a bound is met. The names of all
/// bounds that were met by then.
fn bounds_met(
    ana: &mut Person,
    flood: &mut Flood,
    until: &str,
    body: impl Fn(Member) -> Body,
) -> Vec<String> {
    let deadline = Instant::now() + support::PATIENCE;
    loop {
        for _ in 0..WAVE {
            let sender = member(&mut flood.dice);
            let bytes = encode(flood.number, sender, &body(sender));
            // A full queue loses some of them, as a network would.
            flood
                .socket
                .send_to(&bytes, flood.group)
                .map(drop)
                .unwrap_or_default();
        }
        ana.types("/ring -v");
        ana.sees("turned away at a limit: ");
        let met = ana.rest_of_line();
        let names = met.split(", ").filter_map(|one| one.rsplit_once(' '));
        let names: Vec<String> = names.map(|(name, _)| name.to_string()).collect();
        if names.iter().any(|name| name == until) {
            return names;
        }
        assert!(Instant::now() < deadline, "{until:?} is not told among {names:?}");
    }
}

#[test]
fn a_bound_that_a_flood_meets_is_told_by_its_name() {
    let group = Group::new();
    // Who was probed is kept in mind for three eighths of it: however slowly a wave is read, they become too many.
    let slow = ["--token-timeout", "1s"];
    let mut ana = Person::at_terminal(group.command(1, &slow));
    let mut other = group.start(2, &slow);
    other.wait_ring(&[1, 2]);
    let address: Address = group.address.parse().unwrap();
    let mut flood = Flood {
        socket: group.sender(),
        group: address.address(),
        number: address.number(),
        dice: SmallRng::seed_from_u64(7),
        real: &[],
        ports: &[],
    };
    // Members of other rings that show themselves: they are probed, and nothing else is remembered of them.
    let beacon = |leader| Body::Beacon {
        ring: RingId {
            epoch: Epoch(1),
            leader,
        },
    };
    let met = bounds_met(&mut ana, &mut flood, "foreigner not probed", beacon);
    assert_eq!(met, ["foreigner not probed"]);
    // Who wants to join is remembered with its address, too.
    let join = |sender| {
        Body::Join(Join {
            epoch: Epoch(1),
            ring: None,
            stream_port: 1,
            quorum: 0,
            name: "nobody".into(),
            present: vec![sender],
            failed: vec![],
        })
    };
    let met = bounds_met(&mut ana, &mut flood, "peer forgotten", join);
    assert_eq!(met, ["foreigner not probed", "peer forgotten"]);
    ana.types("depois");
    other.wait_texts(&["depois"]);
}
