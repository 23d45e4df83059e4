//! One of everything that can be told, for tests.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use bytes::Bytes;

use super::start::{Start, Story};
use crate::node::face::{
    Counters, Detail, Evidence, Foreign, Gone, MemberSeen, MemberStatus, Moved, Notice, PhaseName, Status,
    Step, Stranger, TokenSeen, Why,
};
use crate::replica::content::Content;
use crate::replica::record::Record;
use crate::wire::{Deed, Lab, LabState};
use crate::words::{
    Epoch, Hop, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, Time, WallTime,
};

const LIFE: Incarnation = Incarnation(1_763_680_000_000_000);

pub fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: LIFE,
    }
}

pub fn position(epoch: u64, seq: u64) -> Position {
    Position {
        ring: RingId {
            epoch: Epoch(epoch),
            leader: member(1),
        },
        seq: Seq(seq),
    }
}

pub fn id(node: u16, counter: u64) -> MessageId {
    MessageId {
        sender: member(node),
        counter,
    }
}

pub fn content(from: u16, name: &str, room: &str, text: &str) -> Bytes {
    let content = Content {
        from,
        name: name.into(),
        room: room.into(),
        sent: "2026-11-21T14:03:11.482Z".into(),
        text: text.into(),
        key: None,
    };
    content.to_bytes()
}

/// A message of ana, node 3.
pub fn record(seq: u64, text: &str) -> Record {
    Record {
        id: id(3, 17),
        position: position(4, seq),
        content: content(3, "ana", "geral", text),
    }
}

pub fn message(seq: u64, text: &str) -> Notice {
    Notice::Message {
        record: record(seq, text),
        late: false,
        own: false,
    }
}

pub fn ring(members: &[u16], joined: &[u16], left: &[u16]) -> Notice {
    let nodes = |ids: &[u16]| ids.iter().copied().map(NodeId).collect();
    Notice::Ring {
        ring: position(4, 1).ring,
        members: members.iter().copied().map(member).collect(),
        names: members.iter().map(|_| String::new()).collect(),
        joined: nodes(joined),
        left: nodes(left),
        left_how: left.iter().map(|_| Gone::Silent).collect(),
        came_from: vec![
            (None, nodes(joined)),
            (Some(position(3, 1).ring), vec![NodeId(1)]),
        ],
        first: Seq(40),
    }
}

pub fn request() -> Notice {
    Notice::Request(position(4, 1).ring)
}

pub fn grant(hop: u64) -> Notice {
    Notice::Grant(position(4, 1).ring, Hop(hop))
}

pub fn pass(hop: u64, to: u16) -> Notice {
    Notice::Pass(position(4, 1).ring, Hop(hop), NodeId(to))
}

/// No word from node 2, in these words.
pub fn gathering(reason: &str) -> Notice {
    Notice::Gathering(Evidence {
        silent_us: Some(310_000),
        limit_us: Some(300_000),
        ..Evidence::about(NodeId(2), reason.into())
    })
}

pub fn checkpointed() -> Notice {
    Notice::Checkpointed {
        number: Some(13),
        records: 42,
        delivered: Some(position(4, 42)),
    }
}

/// Each detail that only who watches is told.
pub fn details() -> Vec<Detail> {
    let ring = position(4, 1).ring;
    let seen = |id: u16, waiting_since| MemberSeen {
        id: NodeId(id),
        received_up_to: Seq(42),
        held_up_to: Seq(41),
        waiting_since,
    };
    vec![
        Detail::Token(Box::new(TokenSeen {
            ring,
            hop: Hop(812),
            high: Seq(42),
            stable_up_to: Seq(41),
            rotation_us: 1_234,
            members: vec![seen(1, None), seen(3, Some(Hop(810)))],
            lacking: vec![(NodeId(3), Seq(40), Seq(41))],
        })),
        Detail::Rest(ring, Hop(812)),
        Detail::Wake {
            ring,
            hop: Hop(812),
            by: Some(NodeId(1)),
        },
        Detail::Asked {
            ring,
            from: Seq(40),
            to: Seq(41),
            by: NodeId(1),
        },
        Detail::Resent {
            ring,
            seq: Seq(40),
            to: None,
        },
        Detail::Repaired {
            ring,
            seq: Seq(40),
            from: NodeId(1),
        },
    ]
}

pub fn start() -> Start {
    Start {
        id: NodeId(3),
        incarnation: LIFE,
        name: "ana".into(),
        room: "geral".into(),
        interface: "lo".into(),
        address: [127, 0, 0, 1].into(),
        group: "224.1.1.1:5007".parse().unwrap(),
        delay_min_us: 0,
        delay_max_us: 150_000,
        quorum: 0,
        replica: PathBuf::from("./replicas/node-3.jsonl"),
        checkpoints: PathBuf::from("./checkpoints/node-3"),
        key: None,
        lab: false,
        web: None,
    }
}

pub fn story() -> Story {
    Story {
        fresh: false,
        clean: false,
        held: 47,
        checkpoint: Some(12),
        checkpoint_time: Some(WallTime(1_763_680_000_482)),
        rolled_back: 7,
        recovered_own: 7,
        set_aside: 1,
        warnings: vec!["checkpoint 13 is cut; checkpoint 12 is used".into()],
    }
}

pub fn status(why: Why) -> Status {
    let with_name = |id: u16, name: &str, held| MemberStatus {
        member: member(id),
        name: name.into(),
        address: "127.0.0.1:4001".parse().unwrap(),
        received_up_to: Seq(42),
        held_up_to: Seq(held),
    };
    Status {
        me: member(3),
        phase: PhaseName::Operational,
        ring: Some(position(4, 1).ring),
        members: vec![with_name(1, "bob", 41), with_name(3, "ana", 42)],
        hop: Hop(812),
        holding: false,
        holder: Some(NodeId(1)),
        high: Seq(42),
        stable_up_to: Seq(41),
        rotation_us: 1_234,
        token_timeout_us: 200_000,
        waiting_lines: 2,
        records: 42,
        why,
        counters: Counters {
            refused: vec![("bad_checksum", 3), ("truncated", 1)],
            sent: 10,
            accepted: 20,
            limited: vec![("line not taken", 2)],
            machine: vec![("lost by chaos", 7)],
            ..Counters::default()
        },
    }
}

/// Every answer to "what am I waiting for".
pub fn whys() -> Vec<Why> {
    vec![
        Why::Nothing,
        Why::OwnDisk,
        Why::DiskFull("No space left on device".into()),
        Why::Gathering(vec![NodeId(2)]),
        Why::Token {
            holder: NodeId(1),
            hops: 2,
        },
        Why::Quorum { have: 1, need: 3 },
        Why::Asking(vec![NodeId(1), NodeId(2)]),
        Why::Held {
            seq: Seq(42),
            missing: vec![NodeId(1)],
        },
    ]
}

/// Every step in the life of a message.
pub fn steps() -> Vec<(Time, Step)> {
    vec![
        (Time(1_000), Step::Said),
        (Time(1_900), Step::InOutbox),
        (Time(5_000), Step::Stamped(Hop(812))),
        (Time(5_100), Step::Received),
        (Time(5_200), Step::Delivered),
        (Time(95_200), Step::Written),
        (Time(2_095_200), Step::HeldBy(NodeId(1))),
    ]
}

/// Every notice at least once.
pub fn notices() -> Vec<Notice> {
    let details = details().into_iter().map(Notice::Detail);
    let statuses = whys()
        .into_iter()
        .map(|why| Notice::Status(Box::new(status(why))));
    let told = [of_lines(), of_the_ring(), of_files(), of_traces(), of_others()];
    told.into_iter()
        .flatten()
        .chain(details)
        .chain(statuses)
        .collect()
}

/// What becomes of lines.
fn of_lines() -> Vec<Notice> {
    vec![
        Notice::Pending {
            id: id(3, 17),
            tag: Some(5),
            content: content(3, "ana", "geral", "oi"),
        },
        Notice::Refused {
            tag: 5,
            reason: "too long".into(),
        },
        message(42, "oi"),
        Notice::Message {
            record: Record {
                content: Bytes::from_static(b"no content"),
                ..record(41, "")
            },
            late: true,
            own: false,
        },
        Notice::Held {
            id: id(3, 17),
            position: position(4, 42),
            k: 2,
            n: 3,
        },
        Notice::Moved(Moved {
            id: id(3, 17),
            from: position(5, 44),
            to: position(4, 42),
        }),
    ]
}

/// What the ring does.
fn of_the_ring() -> Vec<Notice> {
    vec![
        request(),
        grant(812),
        pass(813, 1),
        gathering("no word from 2 for 310 ms, limit 300"),
        Notice::Gathering("this node starts".into()),
        ring(&[1, 3], &[3], &[2]),
        Notice::Fenced {
            from: NodeId(2),
            ring: position(3, 1).ring,
        },
        Notice::Woke { away_us: 3_000_000 },
        Notice::Standing(Box::new(status(Why::Nothing))),
    ]
}

/// What becomes of messages and files.
fn of_files() -> Vec<Notice> {
    vec![
        Notice::CatchingUp {
            peer: NodeId(1),
            done: 120,
            total: 412,
        },
        Notice::CaughtUp {
            peer: NodeId(1),
            received: 412,
        },
        Notice::Conflict {
            id: id(3, 17),
            position: position(4, 42),
        },
        Notice::FoundOrdered { id: id(3, 16) },
        Notice::OfferedAgain { id: id(3, 17) },
        checkpointed(),
        Notice::Stamped {
            id: id(3, 17),
            position: position(4, 42),
            hop: Hop(812),
        },
        Notice::Written {
            id: id(3, 17),
            position: position(4, 42),
        },
        Notice::Reconciled { records: 42 },
        Notice::DiskFull("No space left on device".into()),
        Notice::DiskRoom,
    ]
}

/// Lives of messages.
fn of_traces() -> Vec<Notice> {
    vec![
        Notice::Trace {
            position: Some(position(4, 42)),
            steps: steps(),
        },
        Notice::Trace {
            position: None,
            steps: vec![],
        },
    ]
}

/// Keys, strangers, lessons, and what needs attention.
fn of_others() -> Vec<Notice> {
    vec![
        Notice::Rekeyed(vec!["0badc0de".into(), "12345678".into()]),
        Notice::Stranger(Stranger {
            from: Ipv4Addr::LOCALHOST,
            foreign: Foreign::OtherKey,
            per_second: 2,
            total: 7,
        }),
        Notice::Lab(Box::new(Lab {
            counter: 1,
            by: NodeId(1),
            on: NodeId(2),
            state: LabState::Begins,
            deed: Deed::Cut {
                from: vec![NodeId(1), NodeId(3)],
                for_ms: 5_000,
            },
        })),
        Notice::Warning("the clock went back".into()),
    ]
}
