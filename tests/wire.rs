//! The wire format against everything that can arrive: each body there and back, each cut, each flipped bit, each
//! field out of its range, and random bytes. Whatever comes, reading answers with a body or a reason.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use roda::wire::{
    Body, CUT_MAX, Chunk, Commit, CommitRow, Data, Deed, FRAGMENTS_MAX, HEADER_BYTES, INQUIRY_MAX, Join, Lab,
    LabState, MEMBERS_MAX, OldRing, Pace, Progress, RANGES_MAX, Reconcile, ReconcileStep, Reconciled, Refuse,
    Refused, Repair, Request, Token, TokenRow, VERSION, decode, encode,
};
use roda::words::{Epoch, Hop, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

/// The group of the tests.
const GROUP: u32 = 0x0107_2005;
/// Where the header says the version, the kind, the group, the tag's length, the reserved byte and the sum.
const VERSION_AT: usize = 2;
const KIND_AT: usize = 3;
const GROUP_AT: usize = 4;
const SENDER_AT: usize = 8;
const TAG_AT: usize = 18;
const RESERVED_AT: usize = 19;
const SUM_AT: usize = 20;
/// Kinds from 1 to this one exist.
const KIND_LAST: u8 = 17;
/// The largest number that a sequence number or an epoch can be on the wire.
const SEQ_MAX: u64 = (1 << 62) - 1;

/// A member of the examples.
pub fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(1_763_680_000_000_000 + u64::from(id)),
    }
}

fn ring() -> RingId {
    RingId {
        epoch: Epoch(4),
        leader: member(1),
    }
}

fn chunk(seq: u64, sender: Member, bytes: &'static [u8]) -> Chunk {
    Chunk {
        seq: Seq(seq),
        id: MessageId {
            sender,
            counter: seq * 3,
        },
        fragment: 0,
        fragments: 1,
        bytes: Bytes::from_static(bytes),
    }
}

/// A message of the sender, a fragment, an empty one, and one of another life with the largest counter.
fn chunks() -> Vec<Chunk> {
    let mut fragment = chunk(43, member(2), b"{\"from\":2,");
    (fragment.fragment, fragment.fragments) = (FRAGMENTS_MAX as u16 - 1, FRAGMENTS_MAX as u16);
    let mut foreign = chunk(45, member(9), b"x");
    foreign.id.counter = (1 << 63) - 1;
    vec![
        chunk(42, member(2), b"{\"from\":2}"),
        fragment,
        chunk(44, member(2), b""),
        foreign,
    ]
}

fn ranges() -> Vec<(Seq, Seq)> {
    vec![(Seq(1), Seq(1)), (Seq(7), Seq(SEQ_MAX))]
}

fn token() -> Token {
    let row = TokenRow {
        received_up_to: Seq(41),
        held_up_to: Seq(40),
        sent: 3,
        recovered: true,
        waiting_since: Hop(7),
        visited: Hop(u64::MAX),
    };
    Token {
        ring: ring(),
        hop: Hop(99),
        high: Seq(SEQ_MAX),
        pace: Pace::Settling,
        rows: vec![row, TokenRow::default()],
        lacking: vec![(1, Seq(3), Seq(5))],
    }
}

fn join() -> Join {
    Join {
        epoch: Epoch(SEQ_MAX),
        ring: Some(ring()),
        stream_port: 40_000,
        quorum: 2,
        name: "josé \u{1f600}".into(),
        present: vec![member(1), member(2), member(65_535)],
        failed: vec![member(2)],
    }
}

fn commit() -> Commit {
    let old = OldRing {
        kept_from: Seq(1),
        ring: Some(ring()),
        entered: Some(ring()),
        high: Seq(50),
        received_up_to: Seq(40),
        above: ranges(),
        delivered_up_to: Seq(39),
    };
    let new = OldRing {
        ring: None,
        entered: None,
        above: vec![],
        ..old.clone()
    };
    let rows = [(1, Some(old)), (2, Some(new)), (7, None)];
    let row = |(id, old)| CommitRow {
        member: member(id),
        old,
    };
    Commit {
        ring: ring(),
        hop: Hop(2),
        rows: rows.into_iter().map(row).collect(),
    }
}

fn reconcile(nonce: u64, step: ReconcileStep) -> Body {
    Body::Reconcile(Reconcile {
        nonce,
        step,
        stream_port: 5005,
    })
}

fn reconciled(progress: Progress, high: Option<Position>) -> Reconciled {
    Reconciled {
        nonce: 12,
        progress,
        records: 412,
        hash: u64::MAX,
        received: 7,
        out_of_order: 3,
        high,
        stream_port: 40_001,
    }
}

/// Every body, every choice within a body: also the seeds of the fuzzers.
pub fn bodies() -> Vec<Body> {
    let (ring, id, name) = (ring(), member(3), String::from("ana"));
    let cut = Position { ring, seq: Seq(99) };
    let ids = |count| {
        (0..count).map(|counter| MessageId {
            sender: member(3),
            counter,
        })
    };
    let mut first = join();
    (first.ring, first.name, first.failed) = (None, String::new(), vec![]);
    let (mut fast, mut idle) = (token(), token());
    (fast.pace, fast.lacking) = (Pace::Fast, vec![]);
    idle.pace = Pace::Idle;
    let data = |chunks| {
        Body::Data(Data {
            ring,
            hop: Hop(8),
            chunks,
        })
    };
    vec![
        data(chunks()),
        data(chunks().into_iter().skip(3).collect()),
        Body::Repair(Repair {
            ring,
            chunks: chunks(),
        }),
        Body::Token(token()),
        Body::Token(fast),
        Body::Token(idle),
        Body::Request(Request { ring, hop: Hop(5) }),
        Body::Join(join()),
        Body::Join(first),
        Body::Commit(commit()),
        Body::Beacon { ring },
        Body::Probe {
            target: id,
            nonce: u64::MAX,
        },
        Body::ProbeAnswer { nonce: 0 },
        Body::Nack {
            ring,
            ranges: ranges(),
        },
        Body::Leave { ring },
        Body::Refuse(Refuse::IdTaken { name }),
        Body::Refuse(Refuse::Superseded { by: id }),
        Body::Refuse(Refuse::IncarnationSeen {
            incarnation: Incarnation(7),
        }),
        Body::Refuse(Refuse::QuorumDiffers { quorum: 3 }),
        Body::Inquiry {
            nonce: 1,
            ids: ids(INQUIRY_MAX as u64).collect(),
        },
        Body::InquiryAnswer {
            nonce: 1,
            known: vec![],
        },
        reconcile(12, ReconcileStep::Look),
        reconcile(12, ReconcileStep::Fill),
        reconcile(12, ReconcileStep::Sort(cut)),
        Body::Reconciled(reconciled(Progress::Here, None)),
        Body::Reconciled(reconciled(Progress::Filling, Some(cut))),
        Body::Reconciled(reconciled(Progress::Filled, Some(cut))),
        Body::Reconciled(reconciled(Progress::Sorting, Some(cut))),
        Body::Reconciled(reconciled(Progress::Sorted, Some(cut))),
        lab(
            LabState::Asked,
            Deed::Pause {
                for_ms: 3_000,
                holding: true,
            },
        ),
        lab(LabState::Begins, cut_off(CUT_MAX as u16)),
        lab(LabState::Ends, Deed::Heal),
        lab(
            LabState::NobodyRestarts,
            Deed::Crash {
                for_ms: 0,
                holding: false,
            },
        ),
        lab(LabState::Alone, Deed::LoseToken),
        lab(LabState::NoCheckpoint, Deed::Rollback { number: 7 }),
        lab(LabState::CutFromItself, cut_off(0)),
        lab(LabState::Ends, Deed::Checkpoint),
        lab(LabState::WentWrong, Deed::Twin),
        lab(
            LabState::Asked,
            Deed::Say {
                text: "á".repeat(100),
            },
        ),
        lab(
            LabState::Ends,
            Deed::Delay {
                min_us: 0,
                max_us: u64::MAX,
            },
        ),
    ]
}

fn lab(state: LabState, deed: Deed) -> Body {
    Body::Lab(Lab {
        counter: 3,
        by: NodeId(1),
        on: NodeId(2),
        state,
        deed,
    })
}

/// Not to hear the nodes up to this one.
fn cut_off(last: u16) -> Deed {
    Deed::Cut {
        from: (1..=last).map(NodeId).collect(),
        for_ms: 60_000,
    }
}

fn read(bytes: &[u8]) -> Result<(Member, Body), Refused> {
    decode(GROUP, Bytes::copy_from_slice(bytes))
}

/// Gives bytes the checksum they should have.
fn mend(bytes: &mut [u8]) {
    bytes[SUM_AT..HEADER_BYTES].fill(0);
    let sum = crc32fast::hash(bytes);
    bytes[SUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// A datagram of this kind with this body and a right header.
fn datagram(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(GROUP, member(2), &reconcile(0, ReconcileStep::Look))[..HEADER_BYTES].to_vec();
    bytes[KIND_AT] = kind;
    bytes.extend_from_slice(body);
    mend(&mut bytes);
    bytes
}

/// The body of a datagram.
fn body_of(body: &Body) -> Vec<u8> {
    encode(GROUP, member(2), body)[HEADER_BYTES..].to_vec()
}

#[test]
fn every_body_comes_back_as_it_went() {
    let mut kinds: Vec<u8> = Vec::new();
    for body in bodies() {
        let bytes = encode(GROUP, member(2), &body);
        kinds.push(bytes[KIND_AT]);
        assert_eq!(read(&bytes), Ok((member(2), body)));
    }
    kinds.dedup();
    let all: Vec<u8> = (1..=KIND_LAST).collect();
    assert_eq!(kinds, all, "every kind has an example");
}

#[test]
fn the_header_stands_as_documented() {
    let bytes = encode(GROUP, member(2), &reconcile(0x0102, ReconcileStep::Look));
    assert_eq!(&bytes[..KIND_AT], b"ro\x01");
    assert_eq!(bytes[KIND_AT], 15);
    assert_eq!(bytes[GROUP_AT..SENDER_AT], GROUP.to_le_bytes());
    assert_eq!(bytes[SENDER_AT..10], 2u16.to_le_bytes());
    assert_eq!(bytes[10..TAG_AT], member(2).incarnation.0.to_le_bytes());
    assert_eq!(bytes[TAG_AT..SUM_AT], [0, 0]);
    let mut zeroed = bytes.to_vec();
    zeroed[SUM_AT..HEADER_BYTES].fill(0);
    assert_eq!(
        bytes[SUM_AT..HEADER_BYTES],
        crc32fast::hash(&zeroed).to_le_bytes()
    );
    assert_eq!(bytes[HEADER_BYTES..], [2, 1, 0, 0, 0, 0, 0, 0, 0x8d, 0x13, 0]);
}

#[test]
fn every_cut_is_refused() {
    for body in bodies() {
        let bytes = encode(GROUP, member(2), &body);
        for end in 0..bytes.len() {
            let refused = read(&bytes[..end]).expect_err("a cut datagram is none");
            let expected = match end {
                0 | 1 => Refused::NotRoda,
                2..HEADER_BYTES => Refused::Truncated,
                _ => Refused::WrongChecksum,
            };
            assert_eq!(refused, expected, "{body:?} cut at {end}");
        }
    }
}

#[test]
fn every_cut_is_refused_even_under_a_right_checksum() {
    for body in bodies() {
        let kind = encode(GROUP, member(2), &body)[KIND_AT];
        let whole = body_of(&body);
        for end in 0..whole.len() {
            let refused = read(&datagram(kind, &whole[..end])).expect_err("a cut body is none");
            assert_eq!(refused, Refused::Truncated, "{body:?} cut at {end}");
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for body in bodies() {
        let kind = encode(GROUP, member(2), &body)[KIND_AT];
        let longer = [body_of(&body), vec![0]].concat();
        assert_eq!(
            read(&datagram(kind, &longer)),
            Err(Refused::TrailingBytes),
            "{body:?}"
        );
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for body in bodies() {
        let bytes = encode(GROUP, member(2), &body);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let refused = read(&flipped).expect_err("a flipped bit is noticed");
            let expected = match bit / 8 {
                0 | 1 => Refused::NotRoda,
                VERSION_AT => Refused::ForeignVersion(flipped[VERSION_AT]),
                GROUP_AT..SENDER_AT => Refused::ForeignGroup,
                TAG_AT => Refused::Sealed,
                _ => Refused::WrongChecksum,
            };
            assert_eq!(refused, expected, "{body:?} bit {bit}");
        }
    }
}

#[test]
fn what_is_not_for_us_is_refused_by_its_reason() {
    let good = datagram(7, &body_of(&Body::Beacon { ring: ring() }));
    assert!(read(&good).is_ok());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        mend(&mut bytes);
        read(&bytes).expect_err("refused")
    };
    assert_eq!(
        with(VERSION_AT, VERSION + 1),
        Refused::ForeignVersion(VERSION + 1)
    );
    assert_eq!(with(GROUP_AT, !good[GROUP_AT]), Refused::ForeignGroup);
    assert_eq!(with(TAG_AT, 16), Refused::Sealed);
    assert_eq!(with(RESERVED_AT, 1), Refused::BadField("reserved byte"));
    assert_eq!(with(SENDER_AT, 0), Refused::BadField("node id"));
    assert_eq!(with(KIND_AT, 0), Refused::UnknownKind);
    assert_eq!(with(KIND_AT, KIND_LAST + 1), Refused::UnknownKind);
    assert_eq!(with(KIND_AT, 255), Refused::UnknownKind);
    assert_eq!(read(b""), Err(Refused::NotRoda));
    assert_eq!(read(b"hello, is there anybody out there?"), Err(Refused::NotRoda));
    assert_eq!(read(&[b'r'; 65_508]), Err(Refused::Oversized));
}

/// A ring id, as bytes.
fn ring_bytes() -> Vec<u8> {
    body_of(&Body::Beacon { ring: ring() })
}

#[test]
fn a_list_that_is_too_long_is_refused_before_it_is_read() {
    let count = |count: usize| (count as u16).to_le_bytes().to_vec();
    let nonce = vec![0; 8];
    let too_long = [
        (10, [ring_bytes(), count(RANGES_MAX + 1)].concat()),
        (13, [nonce.clone(), count(INQUIRY_MAX + 1)].concat()),
        (14, [nonce, count(INQUIRY_MAX + 1)].concat()),
        (6, [ring_bytes(), vec![0; 8], count(MEMBERS_MAX + 1)].concat()),
        (3, [ring_bytes(), vec![0; 17], count(MEMBERS_MAX + 1)].concat()),
        (
            3,
            [ring_bytes(), vec![0; 17], count(0), count(RANGES_MAX + 1)].concat(),
        ),
        (5, [vec![0; 8 + 1 + 2 + 2 + 1], count(MEMBERS_MAX + 1)].concat()),
        (
            17,
            [vec![1; 13], vec![1, 0, 0, 0, 0], count(CUT_MAX + 1)].concat(),
        ),
    ];
    for (kind, body) in too_long {
        assert_eq!(
            read(&datagram(kind, &body)),
            Err(Refused::BadField("count")),
            "kind {kind}"
        );
    }
}

#[test]
fn a_list_that_cannot_follow_is_refused_before_room_is_made_for_it() {
    let most = |most: usize| (most as u16).to_le_bytes().to_vec();
    let announced = [
        (
            1,
            [
                ring_bytes(),
                vec![0; 16],
                body_of(&Body::Probe {
                    target: member(1),
                    nonce: 0,
                })[..10]
                    .to_vec(),
                most(65_535),
            ]
            .concat(),
        ),
        (3, [ring_bytes(), vec![0; 17], most(MEMBERS_MAX)].concat()),
        (6, [ring_bytes(), vec![0; 8], most(MEMBERS_MAX)].concat()),
        (10, [ring_bytes(), most(RANGES_MAX)].concat()),
        (13, [vec![0; 8], most(INQUIRY_MAX)].concat()),
    ];
    for (kind, body) in announced {
        assert_eq!(
            read(&datagram(kind, &body)),
            Err(Refused::Truncated),
            "kind {kind}"
        );
    }
}

#[test]
fn fields_out_of_their_range_are_refused_by_name() {
    let bad = |kind: u8, body: Vec<u8>| read(&datagram(kind, &body)).expect_err("refused");
    let seq = |number: u64| number.to_le_bytes().to_vec();
    let one = 1u16.to_le_bytes().to_vec();
    let range = |first, last| [ring_bytes(), one.clone(), seq(first), seq(last)].concat();
    assert_eq!(bad(10, range(2, 1)), Refused::BadField("range"));
    assert_eq!(
        bad(10, range(1, SEQ_MAX + 1)),
        Refused::BadField("sequence number")
    );
    assert_eq!(bad(12, vec![4]), Refused::BadField("reason"));
    assert_eq!(
        bad(12, [vec![0, 2], vec![0xc3, 0x28]].concat()),
        Refused::BadField("text")
    );
    assert_eq!(
        bad(12, [vec![0, 65], vec![b'a'; 65]].concat()),
        Refused::BadField("length")
    );
    assert_eq!(bad(8, vec![0; 18]), Refused::BadField("node id"));
    let token = body_of(&Body::Token(token()));
    let mut pace = token.clone();
    pace[34] = 3;
    assert_eq!(bad(3, pace), Refused::BadField("pace"));
    let mut recovered = token.clone();
    recovered[37 + 18] = 2;
    assert_eq!(bad(3, recovered), Refused::BadField("flag"));
    let mut index = token;
    index[37 + 2 * 35 + 2] = 2;
    assert_eq!(bad(3, index), Refused::BadField("member index"));
}

#[test]
fn members_that_do_not_rise_are_refused() {
    let refused = |body: &Body| read(&encode(GROUP, member(2), body)).expect_err("refused");
    for order in [vec![member(2), member(1)], vec![member(1), member(1)]] {
        let mut present = join();
        present.present.clone_from(&order);
        assert_eq!(refused(&Body::Join(present)), Refused::BadField("members"));
        let mut failed = join();
        failed.failed.clone_from(&order);
        assert_eq!(refused(&Body::Join(failed)), Refused::BadField("members"));
        let mut rows = commit();
        rows.rows = order
            .iter()
            .map(|m| CommitRow {
                member: *m,
                old: None,
            })
            .collect();
        assert_eq!(refused(&Body::Commit(rows)), Refused::BadField("members"));
    }
    let mut nobody = commit();
    nobody.rows.clear();
    assert_eq!(refused(&Body::Commit(nobody)), Refused::BadField("members"));
}

/// A body of one chunk, as bytes: the chunk itself begins at its flags.
fn data_with(chunk: &[u8]) -> Vec<u8> {
    let mut body = ring_bytes();
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(
        &body_of(&Body::Probe {
            target: member(2),
            nonce: 0,
        })[..10],
    );
    body.extend_from_slice(&1u16.to_le_bytes());
    body.extend_from_slice(chunk);
    body
}

#[test]
fn chunks_out_of_their_range_are_refused() {
    let refused = |chunk: &[u8]| read(&datagram(1, &data_with(chunk))).expect_err("refused");
    assert!(read(&datagram(1, &data_with(&[0, 5, 0]))).is_ok());
    assert_eq!(refused(&[4, 5, 0]), Refused::BadField("chunk flags"));
    assert_eq!(refused(&[2, 5, 2, 0, 2, 0, 0]), Refused::BadField("fragment"));
    assert_eq!(refused(&[2, 5, 0, 0, 1, 0, 0]), Refused::BadField("fragment"));
    assert_eq!(refused(&[2, 5, 0, 0, 1, 4, 0]), Refused::BadField("fragment"));
    assert_eq!(refused(&[0, 0x85, 0, 0]), Refused::BadField("varint"));
    assert_eq!(
        refused(&[&[0][..], &[0xff; 9], &[1, 0]].concat()),
        Refused::BadField("varint")
    );
    assert_eq!(refused(&[0, 5, 0xe9, 0xfb, 0x03]), Refused::BadField("length"));
    assert_eq!(refused(&[0, 5, 2, b'x']), Refused::Truncated);
}

#[test]
fn data_and_repairs_without_chunks_are_refused() {
    let none = 0u16.to_le_bytes();
    let mut data = data_with(&[]);
    let at = data.len() - 2;
    data[at..].copy_from_slice(&none);
    assert_eq!(read(&datagram(1, &data)), Err(Refused::BadField("count")));
    let repair = [&data[..18], &data[34..44], &none].concat();
    assert_eq!(read(&datagram(2, &repair)), Err(Refused::BadField("count")));
}

#[test]
fn a_chunk_on_its_own_comes_back_and_every_cut_of_it_is_refused() {
    for chunk in chunks() {
        let bytes = Bytes::from(chunk.to_bytes());
        assert_eq!(Chunk::from_bytes(bytes.clone()).as_ref(), Ok(&chunk));
        for end in 0..bytes.len() {
            assert_eq!(
                Chunk::from_bytes(bytes.slice(..end)),
                Err(Refused::Truncated),
                "cut at {end}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Chunk::from_bytes(longer.into()), Err(Refused::TrailingBytes));
    }
}

#[test]
fn the_largest_lists_fit_a_datagram() {
    let members: Vec<Member> = (1..=MEMBERS_MAX as u16).map(member).collect();
    let mut token = token();
    token.rows = vec![TokenRow::default(); MEMBERS_MAX];
    token.lacking = vec![(0, Seq(1), Seq(1)); RANGES_MAX];
    let mut join = join();
    (join.present, join.failed) = (members.clone(), members.clone());
    join.name = "x".repeat(64);
    let mut commit = commit();
    let old = OldRing {
        kept_from: Seq(1),
        ring: Some(ring()),
        entered: Some(ring()),
        high: Seq(1),
        received_up_to: Seq(1),
        above: vec![(Seq(1), Seq(1)); 2],
        delivered_up_to: Seq(1),
    };
    commit.rows = members
        .iter()
        .map(|m| CommitRow {
            member: *m,
            old: Some(old.clone()),
        })
        .collect();
    let nack = Body::Nack {
        ring: ring(),
        ranges: vec![(Seq(1), Seq(1)); RANGES_MAX],
    };
    for body in [Body::Token(token), Body::Join(join), Body::Commit(commit), nack] {
        assert_eq!(read(&encode(GROUP, member(2), &body)), Ok((member(2), body)));
    }
}

/// What was read can be written and read again: nothing is accepted that this program would not say.
fn survives(read_body: Result<(Member, Body), Refused>) -> bool {
    let Ok((sender, body)) = read_body else {
        return false;
    };
    assert_eq!(read(&encode(GROUP, sender, &body)), Ok((sender, body)));
    true
}

#[test]
fn random_bytes_are_refused() {
    let mut dice = SmallRng::seed_from_u64(1);
    for round in 0..100_000 {
        let mut bytes = vec![0; dice.random_range(0..200)];
        dice.fill_bytes(&mut bytes);
        assert!(read(&bytes).is_err(), "round {round}");
        let _: Result<Chunk, Refused> = Chunk::from_bytes(bytes.into());
    }
}

#[test]
fn random_bodies_under_a_right_header_never_panic() {
    let mut dice = SmallRng::seed_from_u64(2);
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut body = vec![0; dice.random_range(0..200)];
        // Small numbers make counts that can be met, and so lists that are read.
        let biggest = *[1, 3, 255].choose(&mut dice).expect("there are three");
        body.fill_with(|| dice.random_range(0..=biggest));
        let kind = dice.random_range(0..=KIND_LAST + 1);
        understood += usize::from(survives(read(&datagram(kind, &body))));
    }
    assert!(understood > 100, "only {understood} of them made sense");
}

#[test]
fn spoiled_bodies_under_a_right_checksum_never_panic() {
    let mut dice = SmallRng::seed_from_u64(3);
    let examples: Vec<Bytes> = bodies()
        .iter()
        .map(|body| encode(GROUP, member(2), body))
        .collect();
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut bytes = examples.choose(&mut dice).expect("there are examples").to_vec();
        for _ in 0..dice.random_range(1..4) {
            let at = dice.random_range(HEADER_BYTES..bytes.len());
            match dice.random_range(0..4) {
                0 => bytes[at] = dice.random(),
                1 => bytes[at] ^= 1 << dice.random_range(0..8),
                2 => bytes.truncate(at.max(HEADER_BYTES + 1)),
                _ => bytes.insert(at, dice.random()),
            }
        }
        mend(&mut bytes);
        understood += usize::from(survives(read(&bytes)));
    }
    assert!(understood > 1_000, "only {understood} of them made sense");
}
