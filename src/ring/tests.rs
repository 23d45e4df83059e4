//! The bounds of the ring: what is believed of others, what is counted, how much is sent. Each case feeds one
//! datagram to a ring that is in operation.

mod accelerated;
mod lineage;
mod others;
mod recover;
mod visits;
mod watch;

use bytes::Bytes;

use super::buffer::SPAN_MAX;
use super::state::Passed;
use super::timing::Repeat;
use super::*;
use crate::wire::{
    Chunk, Commit, CommitRow, Data, HEADER_BYTES, Join, MEMBERS_MAX, OldRing, Pace, Refuse, Repair, Request,
    Token, TokenRow,
};
use crate::words::{Hop, MessageId};

/// When everything here happens: later than any interval.
const NOW: Time = Time(100_000_000);
/// The first number of the ring.
const FIRST: u64 = 11;

fn member(id: u16) -> Member {
    let incarnation = Incarnation(100 + u64::from(id));
    Member {
        id: NodeId(id),
        incarnation,
    }
}

fn address(id: u16) -> SocketAddrV4 {
    SocketAddrV4::new([127, 0, 0, 1].into(), 4_000 + id)
}

fn peer(id: u16) -> Peer {
    Peer {
        address: address(id),
        stream_port: 1,
        name: format!("n{id}"),
    }
}

/// The ring of this epoch that node 1 leads.
fn ring_id(epoch: u64) -> RingId {
    RingId {
        epoch: Epoch(epoch),
        leader: member(1),
    }
}

fn settings(me: u16) -> Settings {
    Settings {
        me: member(me),
        name: "ana".into(),
        stream_port: 1,
        token_timeout_us: 200_000,
        quorum: 0,
        payload_max: 1_400,
        accelerated: false,
        epoch: Epoch(5),
        high: Seq(FIRST - 1),
    }
}

/// Node `me` in the operational ring of epoch 5 of the nodes 1 to `count`.
fn ring(me: u16, count: u16) -> Ring {
    let mut ring = Ring::new(settings(me), 1, NOW);
    for id in (1..=count).filter(|id| *id != me) {
        ring.learn_peer(member(id), peer(id));
    }
    let members = (1..=count).map(member).collect();
    ring.installed = Some(RingState::new(ring_id(5), members, member(me), Seq(FIRST), NOW));
    ring.phase = Phase::Operational;
    ring.deadlines = Deadlines::default();
    ring.take_outputs();
    ring
}

fn state(ring: &mut Ring) -> &mut RingState {
    ring.installed.as_mut().expect("the fixture has a ring")
}

fn chunk(seq: u64) -> Chunk {
    let id = MessageId {
        sender: member(2),
        counter: seq,
    };
    Chunk {
        seq: Seq(seq),
        id,
        fragment: 0,
        fragments: 1,
        bytes: Bytes::from_static(b"oi"),
    }
}

fn chunks(seqs: impl IntoIterator<Item = u64>) -> Vec<Chunk> {
    seqs.into_iter().map(chunk).collect()
}

fn data(hop: u64, seqs: impl IntoIterator<Item = u64>) -> Data {
    Data {
        ring: ring_id(5),
        hop: Hop(hop),
        chunks: chunks(seqs),
    }
}

fn token(hop: u64, count: usize) -> Token {
    let row = TokenRow {
        received_up_to: Seq(FIRST - 1),
        ..TokenRow::default()
    };
    Token {
        ring: ring_id(5),
        hop: Hop(hop),
        high: Seq(FIRST - 1),
        pace: Pace::Idle,
        rows: vec![row; count],
        lacking: Vec::new(),
    }
}

/// What was sent to one address, and what to the group.
fn sent(ring: &mut Ring) -> (Vec<(u16, Body)>, Vec<Body>) {
    let (mut unicast, mut multicast) = (Vec::new(), Vec::new());
    for output in ring.take_outputs() {
        if let Output::Unicast(to, body) = output {
            unicast.push((to.port() - 4_000, body));
        } else if let Output::Multicast(body) = output {
            multicast.push(body);
        }
    }
    (unicast, multicast)
}

/// Who is probed now.
fn probes(ring: &mut Ring) -> Vec<Member> {
    let mut probed = Vec::new();
    for body in sent(ring).1 {
        if let Body::Probe { target, .. } = body {
            probed.push(target);
        }
    }
    probed
}

/// The refusals of old rings that were told.
fn fenced(ring: &mut Ring) -> Vec<(u16, u64)> {
    let mut told = Vec::new();
    for output in ring.take_outputs() {
        if let Output::Fenced(id, ring) = output {
            told.push((id.0, ring.epoch.0));
        }
    }
    told
}

fn expelled(ring: &mut Ring) -> Vec<Expelled> {
    let mut told = Vec::new();
    for output in ring.take_outputs() {
        if let Output::Expelled(why) = output {
            told.push(why);
        }
    }
    told
}

/// The numbers of the chunks of a datagram; none if it carries none.
fn seqs_of(body: &Body) -> Vec<u64> {
    let chunks = if let Body::Repair(repair) = body {
        &repair.chunks[..]
    } else if let Body::Data(data) = body {
        &data.chunks[..]
    } else {
        &[][..]
    };
    chunks.iter().map(|chunk| chunk.seq.0).collect()
}

#[test]
fn data_is_believed_no_number_beyond_the_span() {
    let mut ring = ring(1, 2);
    let furthest = FIRST - 1 + SPAN_MAX;
    ring.on_data(NOW, member(2), data(1, [furthest + 1]));
    assert_eq!(
        (ring.counters.senseless, state(&mut ring).high),
        (1, Seq(FIRST - 1))
    );
    ring.on_data(NOW, member(2), data(1, [furthest]));
    assert_eq!(
        (ring.counters.senseless, state(&mut ring).high),
        (1, Seq(furthest))
    );
    assert_eq!(ring.high, Seq(furthest));
    ring.on_data(NOW, member(2), data(2, [furthest + 1]));
    assert_eq!((ring.counters.senseless, ring.counters.beyond_buffer), (1, 1));
}

#[test]
fn only_data_that_is_not_late_is_progress_and_shows_that_the_token_arrived() {
    let mut ring = ring(1, 2);
    let again = Some(Repeat::first(NOW, 1));
    let set = |ring: &mut Ring| {
        ring.deadlines.token_again = again;
        let passed = Passed {
            to: member(2),
            token: token(7, 2),
        };
        let state = state(ring);
        (state.seen_hop, state.progress, state.passed) = (Hop(6), Time(0), Some(passed));
    };
    for (hop, progress, arrived) in [
        (5, false, false),
        (6, true, false),
        (7, true, true),
        (8, true, true),
    ] {
        set(&mut ring);
        ring.on_data(NOW, member(2), data(hop, [FIRST + hop]));
        let ended = ring.deadlines.token_again.is_none();
        let state = state(&mut ring);
        assert_eq!(state.seen_hop, Hop(hop.max(6)));
        assert_eq!(state.progress == NOW, progress, "hop {hop}");
        assert_eq!((state.passed.is_none(), ended), (arrived, arrived), "hop {hop}");
    }
}

#[test]
fn what_names_another_ring_is_counted_as_fenced_or_foreign_and_told_of_known_ones() {
    let mut ring = ring(1, 2);
    ring.previous = Some((ring_id(3), vec![member(1), member(7)]));
    let ask = |ring: &mut Ring, sender, epoch| {
        let current = ring.is_current(member(sender), ring_id(epoch));
        (current, ring.counters.fenced, ring.counters.foreign)
    };
    assert_eq!(ask(&mut ring, 2, 5), (true, 0, 0));
    assert_eq!(ask(&mut ring, 2, 6), (false, 0, 1));
    assert_eq!(fenced(&mut ring), []);
    assert_eq!(ask(&mut ring, 9, 5), (false, 1, 1));
    assert_eq!(fenced(&mut ring), [], "a stranger under the own ring is not told");
    assert_eq!(ask(&mut ring, 9, 4), (false, 2, 1));
    assert_eq!(fenced(&mut ring), []);
    assert_eq!(ask(&mut ring, 2, 4), (false, 3, 1));
    assert_eq!(fenced(&mut ring), [(2, 4)]);
    assert_eq!(ask(&mut ring, 7, 3), (false, 4, 1));
    assert_eq!(fenced(&mut ring), [(7, 3)]);
    assert_eq!(ask(&mut ring, 7, 2), (false, 5, 1));
    assert_eq!(fenced(&mut ring), [], "it was not in that one");
    ring.installed = None;
    assert_eq!(ask(&mut ring, 2, 5), (false, 5, 2));
}

#[test]
fn a_token_is_used_only_if_all_it_says_can_be_true() {
    let last = FIRST - 1;
    type Change = fn(&mut Token);
    let unsound: [Change; 7] = [
        |token| token.rows.truncate(2),
        |token| token.rows.push(TokenRow::default()),
        |token| token.high = Seq(FIRST - 1 + SPAN_MAX + 1),
        |token| token.high = Seq(FIRST - 2),
        |token| token.hop = Hop(JUMP_MAX + 1),
        |token| token.rows[2].received_up_to = token.high.next(),
        |token| token.rows[0].held_up_to = token.high.next(),
    ];
    for (at, change) in unsound.iter().enumerate() {
        let (mut ring, mut token) = (ring(1, 3), token(1, 3));
        change(&mut token);
        ring.on_token(NOW, member(3), token);
        assert_eq!(ring.counters.senseless, 1, "case {at}");
        assert_eq!(state(&mut ring).hop, Hop(0), "case {at}");
    }
    let sound: [Change; 3] = [
        |token| token.high = Seq(FIRST - 1 + SPAN_MAX),
        |token| token.hop = Hop(JUMP_MAX),
        |token| token.rows[0].held_up_to = token.high,
    ];
    for (at, change) in sound.iter().enumerate() {
        let (mut ring, mut token) = (ring(1, 3), token(1, 3));
        change(&mut token);
        let hop = token.hop;
        ring.on_token(NOW, member(3), token);
        assert_eq!(
            (ring.counters.senseless, state(&mut ring).hop),
            (0, hop),
            "case {at}"
        );
    }
    let mut from_stranger = ring(1, 3);
    from_stranger.on_token(NOW, member(9), token(1, 3));
    assert_eq!(
        (from_stranger.counters.senseless, state(&mut from_stranger).hop),
        (1, Hop(0))
    );
    // A copy is passed over without a word.
    let mut ring = ring(1, 3);
    state(&mut ring).hop = Hop(4);
    ring.on_token(NOW, member(3), token(4, 3));
    assert_eq!(
        (ring.counters.clone(), state(&mut ring).holding.is_none()),
        (RingCounters::default(), true)
    );
    assert_eq!(state(&mut ring).high, Seq(last));
}

#[test]
fn a_token_of_another_ring_is_fenced_or_foreign() {
    let mut ring = ring(1, 2);
    ring.epoch = Epoch(8);
    let of = |sender, epoch, ring: &mut Ring| {
        ring.on_token(
            NOW,
            member(sender),
            Token {
                ring: ring_id(epoch),
                ..token(1, 2)
            },
        );
        (ring.counters.fenced, ring.counters.foreign)
    };
    assert_eq!(of(2, 4, &mut ring), (1, 0));
    assert_eq!(fenced(&mut ring), [(2, 4)]);
    assert_eq!(of(9, 4, &mut ring), (2, 0));
    assert_eq!(fenced(&mut ring), []);
    assert_eq!(of(2, 8, &mut ring), (3, 0), "no ring of a proposed epoch is news");
    assert_eq!(fenced(&mut ring), []);
    assert_eq!(of(2, 9, &mut ring), (3, 1));
}

#[test]
fn members_are_sent_what_they_lack_and_strangers_nothing() {
    let mut ring = ring(1, 3);
    for chunk in chunks([11, 12, 14]) {
        state(&mut ring).buffer.insert(chunk);
    }
    ring.on_nack(member(9), ring_id(5), &[(Seq(11), Seq(14))]);
    assert_eq!(sent(&mut ring).0, []);
    ring.on_nack(member(2), ring_id(6), &[(Seq(11), Seq(14))]);
    assert_eq!((sent(&mut ring).0, ring.counters.foreign), (vec![], 1));
    ring.on_nack(member(2), ring_id(5), &[(Seq(12), Seq(1_000_000))]);
    let (unicast, multicast) = sent(&mut ring);
    assert_eq!((unicast.len(), multicast.len(), unicast[0].0), (1, 0, 2));
    assert_eq!(seqs_of(&unicast[0].1), [12, 14]);
    assert_eq!(ring.counters.repaired_for_others, 2);
}

#[test]
fn one_request_is_answered_with_at_most_512_chunks() {
    let mut ring = ring(1, 2);
    for chunk in chunks(FIRST..FIRST + 600) {
        state(&mut ring).buffer.insert(chunk);
    }
    ring.on_nack(member(2), ring_id(5), &[(Seq(0), Seq(u64::MAX))]);
    let all: Vec<u64> = sent(&mut ring)
        .0
        .iter()
        .flat_map(|(_, body)| seqs_of(body))
        .collect();
    assert_eq!(all, (FIRST..FIRST + 512).collect::<Vec<_>>());
}

#[test]
fn a_chunk_that_one_lacks_goes_to_it_and_one_that_several_lack_to_all() {
    let mut ring = ring(1, 3);
    for chunk in chunks([11, 12, 13]) {
        state(&mut ring).buffer.insert(chunk);
    }
    let mut lacking = vec![
        (0, Seq(11), Seq(11)),
        (1, Seq(11), Seq(12)),
        (2, Seq(12), Seq(12)),
        (2, Seq(13), Seq(14)),
    ];
    ring.answer_lacking(&mut lacking);
    assert_eq!(lacking, [(2, Seq(13), Seq(14))], "14 is not here");
    let (unicast, multicast) = sent(&mut ring);
    let to: Vec<(u16, Vec<u64>)> = unicast.iter().map(|(to, body)| (*to, seqs_of(body))).collect();
    assert_eq!(to, [(2, vec![11]), (3, vec![13])]);
    assert_eq!(multicast.iter().map(seqs_of).collect::<Vec<_>>(), [[12]]);
    assert_eq!(ring.counters.repaired_for_others, 3);
}

fn repair(seqs: impl IntoIterator<Item = u64>) -> Repair {
    Repair {
        ring: ring_id(5),
        chunks: chunks(seqs),
    }
}

#[test]
fn a_repair_fills_gaps_below_what_is_known_and_asks_on_for_the_rest() {
    let mut ring = ring(1, 2);
    state(&mut ring).high = Seq(14);
    ring.deadlines.nack_again = Some(Repeat::first(NOW, 1));
    ring.on_repair(NOW, member(2), repair([12, 15]));
    assert!(
        !state(&mut ring).buffer.has(Seq(15)),
        "a repair assigns no numbers"
    );
    assert_eq!((ring.counters.repaired_for_me, ring.multicast_missed), (1, 1));
    assert_eq!(
        ring.deadlines.nack_again,
        Some(Repeat::first(NOW, 1)),
        "nothing more is in order"
    );
    assert_eq!(sent(&mut ring).0, []);
    ring.on_repair(NOW, member(2), repair([11, 12]));
    assert_eq!(
        (ring.counters.repaired_for_me, ring.multicast_missed),
        (2, 2),
        "12 was here"
    );
    let asked = Body::Nack {
        ring: ring_id(5),
        ranges: vec![(Seq(13), Seq(14))],
    };
    assert_eq!(sent(&mut ring).0, [(2, asked)]);
    assert!(
        ring.deadlines
            .nack_again
            .is_some_and(|repeat| repeat.at == NOW.after_us(5_000))
    );
    ring.on_repair(NOW, member(2), repair([11]));
    assert_eq!(
        (ring.counters.repaired_for_me, ring.multicast_missed),
        (2, 2),
        "a copy is no repair"
    );
    ring.on_repair(NOW, member(2), repair([13, 14]));
    assert_eq!(
        (ring.counters.repaired_for_me, ring.deadlines.nack_again),
        (4, None)
    );
    // What was asked for came another way; the repair is too late, and nothing is waited for any more.
    ring.deadlines.nack_again = Some(Repeat::first(NOW, 1));
    ring.on_repair(NOW, member(2), repair([13, 14]));
    assert_eq!(ring.deadlines.nack_again, None);
}

#[test]
fn multicast_counts_as_filtered_after_five_repairs_and_ten_timeouts_of_silence() {
    let filtered = |repairs: u64, silent_us: u64| {
        let mut ring = ring(1, 2);
        state(&mut ring).high = Seq(30);
        ring.multicast_heard = Time(NOW.0 - silent_us);
        for seq in FIRST..FIRST + repairs {
            assert_eq!(expelled(&mut ring), []);
            ring.on_repair(NOW, member(2), repair([seq]));
        }
        expelled(&mut ring) == [Expelled::MulticastFiltered]
    };
    assert!(filtered(5, 2_000_001));
    assert!(!filtered(4, 2_000_001));
    assert!(!filtered(5, 2_000_000));
}

#[test]
fn missing_chunks_are_asked_of_those_known_to_have_them_or_of_anybody_else() {
    let mut ring = ring(1, 3);
    assert_eq!(ring.holders_by_progress(), [], "nothing is missing");
    state(&mut ring).high = Seq(12);
    assert_eq!(ring.holders_by_progress(), [member(2), member(3)]);
    state(&mut ring).rows[2].received_up_to = Seq(11);
    assert_eq!(ring.holders_by_progress(), [member(3)]);
    state(&mut ring).rows[0].received_up_to = Seq(12);
    assert_eq!(ring.holders_by_progress(), [member(3)], "not of oneself");
    // By the clock, each time after twice the pause.
    ring.deadlines.nack_again = Some(Repeat::first(NOW, 5_000));
    ring.tick_repair(NOW.after_us(4_999));
    assert_eq!(sent(&mut ring).0, []);
    ring.tick_repair(NOW.after_us(5_000));
    let asked = Body::Nack {
        ring: ring_id(5),
        ranges: vec![(Seq(11), Seq(12))],
    };
    assert_eq!(sent(&mut ring).0, [(3, asked)]);
    let next = ring.deadlines.nack_again.unwrap();
    assert_eq!((next.at, next.pause_us), (NOW.after_us(15_000), 10_000));
    ring.installed = None;
    assert_eq!(ring.holders_by_progress(), []);
}

/// A ring of three whose node 1 has the token, with so many messages of this length to say.
fn holder(messages: u64, bytes: usize) -> Ring {
    let mut ring = ring(1, 3);
    for counter in 1..=messages {
        let id = MessageId {
            sender: member(1),
            counter,
        };
        let content = Bytes::from(vec![b'x'; bytes]);
        ring.queue.push_back(Offer { id, content });
    }
    ring
}

#[test]
fn only_a_message_that_no_datagram_holds_is_cut_and_its_end_shares_one_with_the_next() {
    let datagrams = |bytes: usize| -> Vec<usize> {
        let mut ring = holder(3, bytes);
        ring.on_token(NOW, member(3), token(1, 3));
        sent(&mut ring).1.iter().map(|body| seqs_of(body).len()).collect()
    };
    // Room for the content: that of a chunk, without its head as a fragment and the number that a repair gives it.
    let room = 1_400 - HEADER_BYTES - Data::OVERHEAD_BYTES - 8 - 8;
    assert_eq!(datagrams(room), [1, 1, 1]);
    assert_eq!(datagrams(room + 10), [1, 2, 2, 1]);
    assert_eq!(datagrams(2_000), [1, 2, 1, 2, 1]);
}

/// The messages that node 1 stamps, once it gets a token of these numbers of datagrams sent by the others.
fn stamped(ring: &mut Ring, sent_by_others: u16) -> usize {
    let mut token = token(1, 3);
    (token.rows[1].sent, token.rows[2].sent) = (sent_by_others, 0);
    token.rows[0].sent = 300;
    ring.on_token(NOW, member(3), token);
    let stamped = |output: &Output| matches!(output, Output::Stamped(..));
    ring.take_outputs()
        .iter()
        .filter(|output| stamped(output))
        .count()
}

#[test]
fn a_visit_sends_within_its_window_and_at_least_one_message() {
    // 1,400 bytes a datagram, 27 of them for the head of each chunk.
    let one = 1_400 - Chunk::OVERHEAD_BYTES_MAX;
    assert_eq!(stamped(&mut holder(200, one), 0), 128);
    assert_eq!(stamped(&mut holder(3, 0), 0), 3, "an empty one is a message too");
    assert_eq!(stamped(&mut holder(200, one), 384 - 100), 100);
    assert_eq!(
        stamped(&mut holder(200, one), 384),
        1,
        "one message, whatever the others sent"
    );
    let mut unstable = holder(5, 10);
    unstable.high = Seq(FIRST - 1 + 8_190);
    state(&mut unstable).high = unstable.high;
    state(&mut unstable).buffer = buffer_up_to(unstable.high);
    assert_eq!(
        stamped_above(&mut unstable),
        2,
        "8,192 numbers may lack somewhere, and no more"
    );
}

#[test]
fn who_speaks_leaves_room_for_all_that_speak_or_wait() {
    let stamped = |messages: u64, bytes: usize, others: [(u16, u64); 2]| {
        let mut ring = holder(messages, bytes);
        let mut token = token(1, 3);
        for (row, (sent, waiting_since)) in token.rows[1..].iter_mut().zip(others) {
            (row.sent, row.waiting_since) = (sent, Hop(waiting_since));
        }
        ring.on_token(NOW, member(3), token);
        sent(&mut ring)
            .1
            .iter()
            .map(|body| seqs_of(body).len())
            .sum::<usize>()
    };
    let small = |others| stamped(9_000, 10, others);
    // Of numbers: with 8,192 taken in one visit nobody else could give any before the token is here again.
    assert_eq!(small([(0, 0), (0, 0)]), 128 * 1_400 / 37, "nobody else speaks");
    assert_eq!(small([(1, 0), (0, 0)]), 4_096);
    assert_eq!(small([(0, 0), (0, 1)]), 4_096);
    assert_eq!(small([(1, 0), (0, 1)]), 2_730);
    // Of datagrams: with 128 in each visit the fourth in a row of many would find the window full, each time.
    let mut ring = ring(1, 8);
    ring.queue = holder(900, 1_300).queue;
    let mut token = token(1, 8);
    token.rows[1..].iter_mut().for_each(|row| row.sent = 40);
    ring.on_token(NOW, member(8), token);
    let bytes = 384 / 8 * 1_400;
    assert_eq!(
        data_datagrams(&mut ring),
        bytes / (1_300 + Chunk::OVERHEAD_BYTES_MAX)
    );
}

/// How many datagrams of new messages went out.
fn data_datagrams(ring: &mut Ring) -> usize {
    let (_, multicast) = sent(ring);
    multicast
        .iter()
        .filter(|body| matches!(body, Body::Data(_)))
        .count()
}

/// A buffer that has everything from the first number on.
fn buffer_up_to(high: Seq) -> buffer::Buffer {
    let mut buffer = buffer::Buffer::new(Seq(FIRST));
    for chunk in chunks(FIRST..=high.0) {
        buffer.insert(chunk);
    }
    buffer
}

/// Stamps with a token that knows this ring's highest number, but of whose others none has received a thing.
fn stamped_above(ring: &mut Ring) -> usize {
    let mut token = token(1, 3);
    token.high = ring.high;
    ring.on_token(NOW, member(3), token);
    sent(ring).1.iter().map(|body| seqs_of(body).len()).sum()
}

#[test]
fn a_request_is_answered_once_and_not_if_it_is_older_than_the_last_visit() {
    let mut ring = ring(1, 3);
    state(&mut ring).rows[1].visited = Hop(4);
    let waiting = |ring: &mut Ring, asked_at: u64| {
        let request = Request {
            ring: ring_id(5),
            hop: Hop(asked_at),
        };
        state(ring).rows[1].waiting_since = Hop(0);
        ring.on_request(NOW, member(2), request);
        state(ring).hop = Hop(9);
        let token = token(9, 3);
        let stale_after = Time(u64::MAX);
        state(ring).holding = Some(state::Holding {
            token,
            stale_after,
            resting: false,
        });
        ring.fold_requests();
        state(ring).holding = None;
        state(ring).rows[1].waiting_since.0
    };
    assert_eq!(waiting(&mut ring, 3), 0);
    assert_eq!(waiting(&mut ring, 4), 9);
    assert_eq!(waiting(&mut ring, 5), 9);
    assert!(state(&mut ring).requests.is_empty());
}

#[test]
fn a_jump_beyond_reason_is_not_believed() {
    let mut ring = ring(1, 2);
    let at = |epoch, seq| Position {
        ring: ring_id(epoch),
        seq: Seq(seq),
    };
    let (furthest, latest) = (FIRST - 1 + JUMP_MAX, 5 + JUMP_MAX);
    assert!(!ring.saw(at(5, furthest + 1)) && !ring.saw(at(latest + 1, 1)));
    assert_eq!((ring.high, ring.epoch), (Seq(FIRST - 1), Epoch(5)));
    assert!(ring.saw(at(latest, furthest)));
    assert_eq!((ring.high, ring.epoch), (Seq(furthest), Epoch(latest)));
    assert!(ring.saw(at(1, 1)));
    assert_eq!((ring.high, ring.epoch), (Seq(furthest), Epoch(latest)));
}

#[test]
fn so_many_peers_are_remembered_and_members_always() {
    let mut ring = ring(1, 3);
    let stranger = |at: u64| Member {
        id: NodeId(2),
        incarnation: Incarnation(1_000 + at),
    };
    for at in 1..=PEERS_MAX as u64 - 2 {
        ring.note_peer(stranger(at), peer(9));
    }
    assert_eq!(ring.peers.len(), PEERS_MAX);
    ring.note_peer(stranger(0), peer(9));
    assert_eq!(ring.peers.len(), PEERS_MAX);
    let has = |ring: &Ring, member| ring.peer(member).is_some();
    assert!(has(&ring, member(2)) && has(&ring, member(3)) && has(&ring, stranger(0)));
    assert!(!has(&ring, stranger(1)), "the first that is not needed goes");
    assert_eq!(ring.counters.peers_forgotten, 1);
}

#[test]
fn held_is_what_is_written_of_what_was_delivered() {
    let mut ring = ring(1, 2);
    let held = |ring: &Ring| ring.held_up_to(ring.installed.as_ref().unwrap());
    assert_eq!(held(&ring), Seq(FIRST - 1));
    ring.on_data(NOW, member(2), data(1, [11, 12, 13]));
    assert_eq!(held(&ring), Seq(10));
    ring.written(NOW, Seq(12));
    assert_eq!(held(&ring), Seq(10));
    ring.written(NOW, Seq(11));
    assert_eq!(held(&ring), Seq(12));
    ring.written(NOW, Seq(13));
    assert_eq!(held(&ring), Seq(13));
}

/// A commit token of nodes 1 to 3 at epoch 6, filled in by the first `filled` of them.
fn commit(hop: u64, filled: usize) -> Commit {
    let old = OldRing {
        ring: Some(ring_id(5)),
        entered: None,
        high: Seq(20),
        kept_from: Seq(FIRST),
        received_up_to: Seq(12),
        above: vec![(Seq(14), Seq(15))],
        delivered_up_to: Seq(12),
    };
    let row = |at: usize| CommitRow {
        member: member(at as u16 + 1),
        old: (at < filled).then(|| old.clone()),
    };
    Commit {
        ring: ring_id(6),
        hop: Hop(hop),
        rows: (0..3).map(row).collect(),
    }
}

/// Node 2, gathering, gets a commit token from node 1: whether it takes part, and how often it shook its head.
fn proposed(change: impl FnOnce(&mut Ring, &mut Commit)) -> (bool, u64, u64, u64) {
    let (mut ring, mut commit) = (ring(2, 3), commit(1, 1));
    ring.enter_gather(NOW, "a test".into(), &[]);
    change(&mut ring, &mut commit);
    ring.on_commit(NOW, member(1), commit);
    let takes_part = matches!(ring.phase, Phase::Commit(_));
    (
        takes_part,
        ring.counters.foreign,
        ring.counters.senseless,
        ring.counters.fenced,
    )
}

fn old(commit: &mut Commit) -> &mut OldRing {
    commit.rows[0].old.as_mut().expect("the first row is filled in")
}

#[test]
fn a_proposal_is_taken_if_its_epoch_is_fresh_and_its_members_are_known() {
    let (taken, foreign, senseless, fenced) = (
        (true, 0, 0, 0),
        (false, 1, 0, 0),
        (false, 0, 1, 0),
        (false, 0, 0, 1),
    );
    assert_eq!(proposed(|_, _| {}), taken);
    assert_eq!(proposed(|_, commit| commit.ring.epoch = Epoch(5)), fenced);
    assert_eq!(
        proposed(|_, commit| commit.ring.epoch = Epoch(5 + JUMP_MAX)),
        taken
    );
    assert_eq!(
        proposed(|_, commit| commit.ring.epoch = Epoch(5 + JUMP_MAX + 1)),
        fenced
    );
    let forget = |ring: &mut Ring, _: &mut Commit| drop(ring.peers.remove(&member(3)));
    assert_eq!(proposed(forget), fenced);
    let over = |ring: &mut Ring, _: &mut Commit| {
        ring.superseded.insert(NodeId(3), (Incarnation(103), ring_id(4)));
    };
    assert_eq!(proposed(over), fenced);
    assert_eq!(proposed(|_, commit| commit.rows[1].member = member(9)), foreign);
    assert_eq!(proposed(|_, commit| commit.rows[0].member = member(3)), senseless);
    assert_eq!(proposed(|_, commit| commit.ring.leader = member(3)), senseless);
    // Not where it should be on its way.
    assert_eq!(proposed(|_, commit| commit.hop = Hop(2)), (false, 0, 0, 0));
    assert_eq!(proposed(|_, commit| commit.rows[0].old = None), (false, 0, 0, 0));
}

#[test]
fn nobody_is_believed_to_have_numbers_that_no_ring_reached() {
    let (taken, senseless) = ((true, 0, 0, 0), (false, 0, 1, 0));
    let furthest = FIRST - 1 + SPAN_MAX;
    let above = |last: u64| {
        move |_: &mut Ring, commit: &mut Commit| {
            old(commit).high = Seq(last);
            old(commit).above = vec![(Seq(14), Seq(14)), (Seq(last), Seq(last))];
        }
    };
    assert_eq!(proposed(above(furthest)), taken);
    assert_eq!(proposed(above(furthest + 1)), senseless);
    let of_another_ring = |last: u64| {
        move |ring: &mut Ring, commit: &mut Commit| {
            above(last)(ring, commit);
            old(commit).ring = Some(ring_id(4));
        }
    };
    assert_eq!(proposed(of_another_ring(furthest + 1)), taken);
    assert_eq!(proposed(of_another_ring(FIRST - 1 + JUMP_MAX)), taken);
    assert_eq!(proposed(of_another_ring(FIRST - 1 + JUMP_MAX + 1)), senseless);
    // In the ring is never above what was assigned anywhere, and that is not above a jump.
    assert_eq!(proposed(|_, commit| old(commit).high = Seq(15)), taken);
    assert_eq!(proposed(|_, commit| old(commit).high = Seq(14)), senseless);
    assert_eq!(
        proposed(|_, commit| old(commit).high = Seq(FIRST - 1 + JUMP_MAX)),
        taken
    );
    assert_eq!(
        proposed(|_, commit| old(commit).high = Seq(FIRST + JUMP_MAX)),
        senseless
    );
    assert_eq!(
        proposed(|_, commit| old(commit).delivered_up_to = Seq(21)),
        senseless
    );
    assert_eq!(
        proposed(|_, commit| old(commit).received_up_to = Seq(21)),
        senseless
    );
    let ranges = |count: u64| {
        move |_: &mut Ring, commit: &mut Commit| {
            old(commit).high = Seq(9_000);
            old(commit).above = (0..count)
                .map(|at| (Seq(20 + 2 * at), Seq(20 + 2 * at)))
                .collect();
        }
    };
    assert_eq!(proposed(ranges(1_400)), taken);
    assert_eq!(proposed(ranges(1_401)), senseless);
}

#[test]
fn a_refusal_is_heeded_by_whom_it_concerns() {
    let taken = || Refuse::IdTaken { name: "bia".into() };
    let namesake = |incarnation| Member {
        id: NodeId(1),
        incarnation: Incarnation(incarnation),
    };
    let refused = |sender: Member, refuse: Refuse| {
        let mut ring = ring(1, 2);
        ring.on_refuse(sender, address(7), refuse);
        (expelled(&mut ring), ring.counters.senseless)
    };
    let id_taken = |by| vec![Expelled::IdTaken(by, address(7), "bia".into())];
    assert_eq!(refused(namesake(100), taken()), (id_taken(namesake(100)), 0));
    assert_eq!(
        refused(namesake(102), taken()),
        (vec![], 0),
        "the later one exits"
    );
    assert_eq!(refused(member(2), taken()), (vec![], 1));
    assert_eq!(refused(member(1), taken()), (vec![], 1));
    let mut new = ring(1, 2);
    new.installed = None;
    new.on_refuse(namesake(102), address(7), taken());
    assert_eq!(expelled(&mut new), id_taken(namesake(102)));
    let superseded = |by| Refuse::Superseded { by };
    let gone = vec![Expelled::Superseded(namesake(102))];
    assert_eq!(refused(member(2), superseded(namesake(102))), (gone, 0));
    assert_eq!(refused(member(2), superseded(namesake(101))), (vec![], 1));
    assert_eq!(refused(member(2), superseded(member(2))), (vec![], 1));
    let quorum = |quorum| Refuse::QuorumDiffers { quorum };
    assert_eq!(
        refused(member(2), quorum(2)),
        (vec![Expelled::QuorumDiffers(2)], 0)
    );
    assert_eq!(refused(member(2), quorum(0)), (vec![], 1));
    let seen = |incarnation| Refuse::IncarnationSeen {
        incarnation: Incarnation(incarnation),
    };
    assert_eq!(
        refused(member(2), seen(102)),
        (vec![], 1),
        "a member of a ring has the newest"
    );
    let told = |ring: &mut Ring, incarnation| {
        ring.on_refuse(member(2), address(2), seen(incarnation));
        ring.take_outputs()
            .iter()
            .filter(|output| matches!(output, Output::IncarnationSeen(_)))
            .count()
    };
    assert_eq!((told(&mut new, 101), told(&mut new, 102)), (0, 1));
}

#[test]
fn only_a_member_says_goodbye_and_to_the_ring_that_it_is_in() {
    for (sender, epoch, phase) in [(9, 5, "operational"), (2, 4, "operational"), (2, 5, "gather")] {
        let mut ring = ring(1, 3);
        ring.on_leave(NOW, member(sender), ring_id(epoch));
        assert_eq!(ring.phase_name(), phase, "{sender} leaves ring {epoch}");
    }
}

#[test]
fn the_token_is_asked_for_and_held_no_longer_than_half_of_its_timeout() {
    for (wanted_us, held_us) in [(60_000, 60_000), (u64::MAX, 100_000)] {
        let mut ring = ring(1, 3);
        ring.hold_token(NOW, wanted_us);
        assert!(matches!(&sent(&mut ring).1[..], [Body::Request(_)]));
        ring.on_token(NOW, member(3), token(1, 3));
        assert_eq!(ring.deadlines.rest, Some(NOW.after_us(held_us)));
    }
}

#[test]
fn a_new_name_is_told_with_the_next_join() {
    let mut ring = ring(1, 3);
    ring.rename("eva".into());
    ring.enter_gather(NOW, "a test".into(), &[]);
    assert!(matches!(&sent(&mut ring).1[..], [Body::Join(join)] if join.name == "eva"));
}

#[test]
fn what_is_no_business_of_the_ring_is_counted() {
    let mut ring = ring(1, 3);
    for count in 1..=2 {
        let inquiry = Body::Inquiry {
            nonce: 7,
            ids: Vec::new(),
        };
        ring.receive(NOW, member(2), address(2), false, inquiry);
        assert_eq!(ring.counters.senseless, count);
    }
}

#[test]
fn a_leader_takes_no_proposal_and_an_old_one_is_fenced() {
    let mut leader = ring(1, 3);
    leader.enter_gather(NOW, "a test".into(), &[]);
    leader.on_commit(NOW, member(3), commit(0, 0));
    assert_eq!(leader.phase_name(), "gather");
    for (epoch, count) in [(4, 1), (5, 0), (6, 0)] {
        let mut ring = ring(2, 3);
        ring.on_commit(
            NOW,
            member(1),
            Commit {
                ring: ring_id(epoch),
                ..commit(1, 1)
            },
        );
        assert_eq!(
            (ring.counters.fenced, ring.phase_name()),
            (count, "operational"),
            "epoch {epoch}"
        );
    }
}

#[test]
fn a_commit_token_goes_on_once_its_epoch_is_stored_and_counts_in_its_second_round() {
    let mut ring = ring(2, 3);
    ring.enter_gather(NOW, "a test".into(), &[]);
    ring.on_commit(NOW, member(1), commit(1, 1));
    sent(&mut ring);
    ring.on_commit(NOW, member(1), commit(4, 3));
    ring.epoch_stored(NOW, Epoch(5));
    assert_eq!((sent(&mut ring).0, ring.phase_name()), (vec![], "commit"));
    ring.epoch_stored(NOW, Epoch(6));
    let (unicast, _) = sent(&mut ring);
    assert!(
        matches!(&unicast[..], [(3, Body::Commit(Commit { hop: Hop(2), .. }))]),
        "{unicast:?}"
    );
    ring.epoch_stored(NOW, Epoch(6));
    assert_eq!(sent(&mut ring).0, [], "it is stored once");
    let later = Commit {
        ring: ring_id(7),
        ..commit(4, 3)
    };
    for other in [commit(5, 3), commit(3, 3), commit(4, 2), later] {
        ring.on_commit(NOW, member(1), other);
        assert_eq!(ring.phase_name(), "commit");
    }
    ring.on_commit(NOW, member(1), commit(4, 3));
    assert_eq!(ring.phase_name(), "recover");
}

#[test]
fn all_rows_of_a_commit_token_together_fit_a_datagram() {
    let mut ring = ring(2, 100);
    for chunk in chunks((0..40).map(|at| FIRST + 2 + 2 * at)) {
        state(&mut ring).buffer.insert(chunk);
    }
    ring.enter_gather(NOW, "a test".into(), &[]);
    let mut commit = commit(1, 1);
    commit.rows.extend((4..=100).map(|id| CommitRow {
        member: member(id),
        old: None,
    }));
    ring.on_commit(NOW, member(1), commit);
    sent(&mut ring);
    ring.epoch_stored(NOW, Epoch(6));
    let (unicast, _) = sent(&mut ring);
    let [(3, Body::Commit(commit))] = &unicast[..] else {
        panic!("a commit token, not {unicast:?}")
    };
    let old = commit.rows[1].old.as_ref().unwrap();
    assert_eq!(old.above.len(), 14, "1,400 ranges for 100 members");
    assert_eq!(
        (old.received_up_to, old.kept_from, old.delivered_up_to),
        (Seq(10), Seq(11), Seq(10))
    );
    assert_eq!(old.high, Seq(FIRST + 80));
}

fn join(present: &[Member], failed: &[Member]) -> Join {
    Join {
        epoch: Epoch(5),
        ring: Some(ring_id(5)),
        stream_port: 1,
        quorum: 0,
        name: "bia".into(),
        present: present.to_vec(),
        failed: failed.to_vec(),
    }
}

/// What a node answers to a join.
fn answers(ring: &mut Ring, sender: Member, join: Join) -> Vec<Refuse> {
    ring.on_join(NOW, sender, address(9), join);
    let mut refusals = Vec::new();
    for (to, body) in sent(ring).0 {
        if let Body::Refuse(refuse) = body {
            assert_eq!(to, 9);
            refusals.push(refuse);
        }
    }
    refusals
}

#[test]
fn a_join_under_a_taken_or_old_name_is_refused() {
    let namesake = |id, incarnation| Member {
        id: NodeId(id),
        incarnation: Incarnation(incarnation),
    };
    let with_ring = |ring| Join {
        ring,
        ..join(&[], &[])
    };
    let in_ring = || with_ring(Some(ring_id(4)));
    let taken = || vec![Refuse::IdTaken { name: "ana".into() }];
    assert_eq!(answers(&mut ring(1, 2), namesake(1, 102), in_ring()), taken());
    assert_eq!(
        answers(&mut ring(1, 2), namesake(1, 100), with_ring(None)),
        taken()
    );
    assert_eq!(
        answers(&mut ring(1, 2), namesake(1, 100), in_ring()),
        [],
        "the later one of two exits"
    );
    for (away_until, answer) in [(NOW, vec![]), (Time(NOW.0 - 1), taken())] {
        let mut woken = ring(1, 2);
        woken.away_until = away_until;
        assert_eq!(answers(&mut woken, namesake(1, 102), in_ring()), answer);
    }
    let by = member(2);
    let mut followed = ring(1, 2);
    followed.note_together(ring_id(4), &[member(1), namesake(2, 101)]);
    followed.note_together(ring_id(5), &[member(1), by]);
    assert_eq!(
        answers(&mut followed.clone(), namesake(2, 101), in_ring()),
        [Refuse::Superseded { by }]
    );
    assert_eq!(
        answers(&mut followed, namesake(2, 101), with_ring(Some(ring_id(6)))),
        [],
        "it lives on in a ring of its own: the two meet at a merge"
    );
    let seen = Refuse::IncarnationSeen {
        incarnation: by.incarnation,
    };
    assert_eq!(
        answers(&mut ring(1, 2), namesake(2, 101), with_ring(None)),
        [seen]
    );
    assert_eq!(answers(&mut ring(1, 2), namesake(2, 102), with_ring(None)), []);
}

#[test]
fn another_quorum_is_refused_by_a_ring_and_an_absurd_epoch_is_not_heard() {
    let other = || Join {
        quorum: 2,
        ..join(&[], &[])
    };
    assert_eq!(
        answers(&mut ring(1, 2), member(9), other()),
        [Refuse::QuorumDiffers { quorum: 0 }]
    );
    let mut gathering = ring(1, 2);
    gathering.enter_gather(NOW, "a test".into(), &[]);
    assert_eq!(
        answers(&mut gathering, member(9), other()),
        [],
        "who gathers speaks for no group"
    );
    let probed = |epoch| {
        let mut leader = ring(1, 2);
        leader.on_join(
            NOW,
            member(9),
            address(9),
            Join {
                epoch: Epoch(epoch),
                ..join(&[], &[])
            },
        );
        probes(&mut leader).len()
    };
    assert_eq!((probed(5 + JUMP_MAX), probed(5 + JUMP_MAX + 1)), (1, 0));
}

/// The joins that a node sends: ids present, ids failed.
fn joins(ring: &mut Ring) -> Vec<(Vec<u16>, Vec<u16>)> {
    let ids = |members: &[Member]| members.iter().map(|member| member.id.0).collect();
    let mut joins = Vec::new();
    for body in sent(ring).1 {
        if let Body::Join(join) = body {
            joins.push((ids(&join.present), ids(&join.failed)));
        }
    }
    joins
}

/// Node 2 of three, gathering.
fn gathering() -> Ring {
    let mut ring = ring(2, 3);
    ring.enter_gather(NOW, "a test".into(), &[]);
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![])]);
    ring
}

#[test]
fn views_are_merged_and_each_change_is_told() {
    let all = [member(1), member(2), member(3)];
    let mut ring = gathering();
    ring.on_join(NOW, member(3), address(3), join(&all, &[]));
    assert_eq!(joins(&mut ring), [], "that is the own view");
    ring.on_join(NOW, member(3), address(3), join(&all[1..], &[member(1)]));
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![1])]);
    ring.on_join(NOW, member(1), address(1), join(&[member(1), member(7)], &[]));
    assert_eq!(joins(&mut ring), [], "who failed is not heard");
    // Who holds this node failed, has failed for it.
    let mut ring = gathering();
    ring.on_join(
        NOW,
        member(3),
        address(3),
        join(&[member(3), member(7)], &[member(2)]),
    );
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![3])]);
}

#[test]
fn a_view_with_more_members_than_a_ring_can_have_adds_none() {
    let many = |count: usize| (1..=count as u16).map(member).collect::<Vec<_>>();
    let mut ring = gathering();
    ring.on_join(NOW, member(3), address(3), join(&many(MEMBERS_MAX + 1), &[]));
    assert_eq!(joins(&mut ring), []);
    let later = NOW.after_us(101_000);
    ring.on_join(later, member(3), address(3), join(&many(MEMBERS_MAX), &[]));
    let present: Vec<usize> = joins(&mut ring)
        .iter()
        .map(|(present, _)| present.len())
        .collect();
    assert_eq!(present, [MEMBERS_MAX]);
}

#[test]
fn where_many_are_there_a_view_that_changes_again_is_told_in_a_moment() {
    let many = |count: u16| join(&(1..=count).map(member).collect::<Vec<_>>(), &[]);
    let told = |ring: &mut Ring| {
        joins(ring)
            .iter()
            .map(|(present, _)| present.len())
            .collect::<Vec<_>>()
    };
    let mut ring = gathering();
    ring.on_join(NOW, member(3), address(3), many(8));
    assert_eq!(told(&mut ring), [8], "eight are not many");
    let later = NOW.after_us(11_200);
    ring.on_join(later, member(3), address(3), many(64));
    assert_eq!(told(&mut ring), [64]);
    ring.on_join(later, member(3), address(3), many(65));
    ring.on_join(later, member(3), address(3), many(66));
    assert_eq!(told(&mut ring), [0; 0]);
    // 58 beyond eight, 200 µs each.
    let due = later.after_us(58 * 200);
    assert!(ring.deadline() <= Some(due));
    ring.tick(due);
    assert_eq!(told(&mut ring), [66]);
}

#[test]
fn where_many_agree_they_store_the_epoch_before_it_is_proposed_and_once() {
    for (count, stored) in [(8, 0), (9, 1)] {
        let all: Vec<Member> = (1..=count).map(member).collect();
        let mut ring = ring(2, count);
        ring.enter_gather(NOW, "a test".into(), &[]);
        ring.take_outputs();
        for id in (1..=count).filter(|id| *id != 2).chain([1]) {
            ring.on_join(NOW, member(id), address(id), join(&all, &[]));
        }
        let mut epochs = Vec::new();
        for output in ring.take_outputs() {
            if let Output::StoreEpoch(epoch) = output {
                epochs.push(epoch.0);
            }
        }
        assert_eq!(epochs, vec![6; stored], "{count}");
    }
}

#[test]
fn of_two_incarnations_in_a_view_the_newer_one_counts() {
    let mut ring = gathering();
    let newer = Member {
        id: NodeId(1),
        incarnation: Incarnation(500),
    };
    ring.on_join(
        NOW,
        member(3),
        address(3),
        join(&[newer, member(2), member(3)], &[]),
    );
    assert_eq!(
        joins(&mut ring),
        [(vec![1, 2, 3], vec![])],
        "one member of the id, and that is news"
    );
}

#[test]
fn who_is_known_to_be_gone_fails_once() {
    let mut ring = gathering();
    ring.fail_in_gather(NOW, &[member(9)]);
    assert_eq!(joins(&mut ring), []);
    ring.fail_in_gather(NOW, &[member(3)]);
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![3])]);
    ring.fail_in_gather(NOW, &[member(3)]);
    assert_eq!(joins(&mut ring), []);
}

/// Lets the consensus time run out: whom the node holds failed then, if that is news.
fn failed_after(ring: &mut Ring, times: u64) -> Vec<Vec<u16>> {
    ring.deadlines.join_again = None;
    ring.deadlines.consensus = Some(NOW.after_us(times));
    ring.tick_gather(NOW.after_us(times));
    joins(ring).into_iter().map(|(_, failed)| failed).collect()
}

#[test]
fn the_silent_fail_first_and_those_who_disagree_a_round_later() {
    let mut ring = gathering();
    ring.on_join(NOW, member(3), address(3), join(&[member(3)], &[]));
    assert_eq!(failed_after(&mut ring, 1), [[1]], "3 was heard");
    assert_eq!(failed_after(&mut ring, 2), [[1, 3]]);
    let mut ring = gathering();
    for id in [1, 3] {
        ring.on_join(NOW, member(id), address(id), join(&[member(id)], &[]));
    }
    assert_eq!(failed_after(&mut ring, 1), [[0; 0]; 0], "both were heard");
    assert_eq!(failed_after(&mut ring, 2), [[1, 3]]);
}

#[test]
fn a_leader_that_does_not_propose_fails_in_the_third_round() {
    let all = [member(1), member(2), member(3)];
    let mut ring = gathering();
    for id in [1, 3] {
        ring.on_join(NOW, member(id), address(id), join(&all, &[]));
    }
    assert_eq!(failed_after(&mut ring, 1), [[0; 0]; 0]);
    assert_eq!(failed_after(&mut ring, 2), [[0; 0]; 0]);
    assert_eq!(failed_after(&mut ring, 3), [[1]]);
}

#[test]
fn who_tries_again_waits_up_to_half_as_long_more() {
    let mut ring = gathering();
    let consensus = |ring: &Ring| ring.deadlines.consensus.unwrap().since_us(NOW);
    assert_eq!(consensus(&ring), 100_000, "the first time nothing is added");
    failed_after(&mut ring, 1);
    let mut waits = BTreeSet::new();
    for _ in 0..50 {
        ring.enter_gather(NOW, "a test".into(), &[]);
        waits.insert(consensus(&ring));
    }
    assert!(
        waits.len() > 10 && waits.iter().all(|wait| (100_000..=150_000).contains(wait)),
        "{waits:?}"
    );
}

#[test]
fn a_new_node_listens_longer_when_somebody_asks_whether_it_hears() {
    let mut new = Ring::new(settings(1), 1, NOW);
    assert_eq!(new.deadlines().consensus, Some(NOW.after_us(100_000)));
    new.take_outputs();
    new.on_probe(NOW.after_us(50_000), member(2), address(2), member(3), 7);
    assert_eq!(sent(&mut new).0, [], "another was asked");
    new.on_probe(NOW.after_us(50_000), member(2), address(2), member(1), 7);
    assert_eq!(sent(&mut new).0, [(2, Body::ProbeAnswer { nonce: 7 })]);
    assert_eq!(new.deadlines().consensus, Some(NOW.after_us(150_000)));
    new.tick_gather(NOW.after_us(149_999));
    assert_eq!(new.phase_name(), "gather");
    new.tick_gather(NOW.after_us(150_000));
    assert_eq!(new.phase_name(), "commit");
}

#[test]
fn what_waits_can_be_seen_and_withdrawn() {
    let mut ring = holder(2, 3);
    let id = |counter| MessageId {
        sender: member(1),
        counter,
    };
    assert_eq!((ring.epoch(), ring.high(), ring.queued()), (Epoch(5), Seq(10), 2));
    assert!(ring.is_queued(id(2)) && !ring.is_queued(id(3)));
    ring.withdraw(id(1));
    assert!(!ring.is_queued(id(1)) && ring.is_queued(id(2)));
    assert_eq!(ring.queued(), 1);
    let of_2 = |counter| MessageId {
        sender: member(2),
        counter,
    };
    ring.on_data(NOW, member(2), data(1, [FIRST, FIRST + 2]));
    assert!(ring.buffers(of_2(FIRST + 2)), "a gap is before it");
    assert!(!ring.buffers(of_2(FIRST)) && !ring.buffers(of_2(FIRST + 1)));
}

/// The ring that was entered, the ring of the log, its numbers, and the numbers that are delivered again.
type Restored = (Option<RingId>, RingId, Vec<(Seq, Seq)>, Vec<u64>);

/// What a node with a quorum of 2 makes of what it accepted. Of ring 4, entered at 10, it has 11 to 14.
fn restored(more: Vec<(RingId, Chunk)>) -> Restored {
    let mut settings = settings(2);
    settings.quorum = 2;
    let mut ring = Ring::new(settings, 1, NOW);
    let mut accepted = vec![marker(4, 10, "")];
    accepted.extend(chunks(11..=14).into_iter().map(|chunk| (ring_id(4), chunk)));
    accepted.extend(more);
    let again = ring.restore(NOW, accepted);
    let again = again.iter().map(|delivery| delivery.position.seq.0).collect();
    let log = ring.lineage.log.as_ref().unwrap();
    let here = log.buffer.present(Seq(1), Seq(99));
    (ring.lineage.entered, log.id, here, again)
}

fn marker(epoch: u64, seq: u64, mark: &str) -> (RingId, Chunk) {
    let id = MessageId {
        sender: member(2),
        counter: 0,
    };
    let bytes = Bytes::copy_from_slice(mark.as_bytes());
    let chunk = Chunk {
        id,
        bytes,
        ..chunk(seq)
    };
    (ring_id(epoch), chunk)
}

#[test]
fn what_was_accepted_counts_as_the_newest_marker_says() {
    let (old, new) = (ring_id(4), ring_id(5));
    let (all, named) = (
        vec![(Seq(11), Seq(14))],
        vec![(Seq(11), Seq(12)), (Seq(14), Seq(14))],
    );
    let ranges = format!("{old} 11-12 14-14");
    let (undecided, decided) = (format!("undecided {ranges}"), format!("decided {ranges}"));
    let own = || (new, chunk(15));
    assert_eq!(
        restored(vec![own()]),
        (Some(old), old, all, vec![]),
        "a ring that was not entered"
    );
    assert_eq!(
        restored(vec![marker(5, 14, &undecided)]),
        (Some(new), old, named, vec![])
    );
    let again = vec![11, 12, 14];
    let log = vec![(Seq(15), Seq(15))];
    assert_eq!(
        restored(vec![marker(5, 14, &undecided), own()]),
        (Some(new), new, log.clone(), again.clone()),
        "who has something of the new ring knows that the rest is decided"
    );
    assert_eq!(
        restored(vec![marker(5, 14, &decided)]),
        (Some(new), new, vec![], again)
    );
    assert_eq!(
        restored(vec![marker(5, 14, ""), own()]),
        (Some(new), new, log, vec![])
    );
}

#[test]
fn a_marker_from_the_network_is_no_message() {
    let mut ring = ring(2, 2);
    ring.settings.quorum = 2;
    let mut forged = data(1, [FIRST, FIRST + 1]);
    forged.chunks[1].id.counter = 0;
    ring.on_data(NOW, member(1), forged);
    let accepts = |output: &Output| matches!(output, Output::Accept(_, chunk) if chunk.id.counter == 0);
    assert!(!ring.take_outputs().iter().any(accepts));
    assert_eq!(state(&mut ring).buffer.received_up_to(), Seq(FIRST));
    assert_eq!(ring.counters.senseless, 1);
}
