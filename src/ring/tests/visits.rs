//! Visits of the token: how long it rests, where it goes next, what is said meanwhile, and how it is missed.

use super::*;

/// The last number that was assigned before the ring.
const LAST: u64 = FIRST - 1;

fn id(counter: u64) -> MessageId {
    MessageId {
        sender: member(1),
        counter,
    }
}

fn offer(counter: u64, bytes: usize) -> Offer {
    let content = Bytes::from(vec![b'x'; bytes]);
    Offer {
        id: id(counter),
        content,
    }
}

fn request(hop: u64) -> Request {
    Request {
        ring: ring_id(5),
        hop: Hop(hop),
    }
}

/// Node 1 of so many, to whom the last member passed a token that all hold everything, twice: it rests here.
fn idle(count: u16) -> Ring {
    let mut ring = ring(1, count);
    for visit in 1..=2 {
        let mut token = token(visit * u64::from(count), usize::from(count));
        for row in &mut token.rows {
            (row.held_up_to, row.visited) = (Seq(LAST), Hop(1));
        }
        ring.on_token(NOW, member(count), token);
    }
    ring.take_outputs();
    ring
}

/// The token that was passed, and to whom.
fn passed(ring: &mut Ring) -> Option<(u16, Token)> {
    let mut passed = None;
    for (to, body) in sent(ring).0 {
        if let Body::Token(token) = body {
            assert!(passed.is_none(), "a token is passed once");
            passed = Some((to, token));
        }
    }
    passed
}

#[test]
fn the_token_goes_straight_to_the_only_one_that_waits_if_nobody_lacks_anything() {
    let next = |high: u64, waiting: &[usize]| {
        let mut ring = ring(1, 4);
        ring.on_data(NOW, member(2), data(1, [FIRST]));
        let mut token = token(4, 4);
        token.high = Seq(FIRST);
        token
            .rows
            .iter_mut()
            .for_each(|row| row.received_up_to = Seq(high));
        waiting
            .iter()
            .for_each(|at| token.rows[*at].waiting_since = Hop(3));
        ring.on_token(NOW, member(4), token);
        passed(&mut ring).map(|(to, _)| to)
    };
    assert_eq!(next(FIRST, &[2]), Some(3));
    assert_eq!(next(FIRST, &[2, 3]), Some(2), "of several each is on the way");
    assert_eq!(next(LAST, &[2]), Some(2), "all are to tell what they lack");
}

#[test]
fn a_rest_ends_when_it_would_however_often_it_is_looked_at() {
    let mut ring = idle(3);
    assert_eq!(ring.deadlines.rest, Some(NOW.after_us(750_000)));
    ring.expect_offer(NOW.after_us(10_000));
    assert_eq!(
        ring.deadlines.rest,
        Some(NOW.after_us(35_000)),
        "a line will come: it rests shortly"
    );
    ring.expect_offer(NOW.after_us(20_000));
    assert_eq!(ring.deadlines.rest, Some(NOW.after_us(35_000)));
}

#[test]
fn a_beacon_waits_for_the_end_of_a_rest_but_no_longer_than_a_second() {
    let beacon = |due_us: u64| {
        let mut ring = idle(8);
        ring.deadlines.beacon = Some(NOW.after_us(due_us));
        let token = state(&mut ring).holding.take().unwrap().token;
        let again = Token {
            hop: Hop(17),
            ..token
        };
        ring.on_token(NOW, member(8), again);
        assert_eq!(ring.deadlines.rest, Some(NOW.after_us(2_000_000)));
        ring.deadlines.beacon.unwrap().since_us(NOW)
    };
    assert_eq!(beacon(999_999), 999_999);
    assert_eq!(beacon(1_000_000), 2_000_000);
    assert_eq!(beacon(2_000_001), 2_000_001);
}

#[test]
fn alone_each_grant_has_a_hop_of_its_own() {
    let mut ring = ring(1, 1);
    let token = token(7, 1);
    state(&mut ring).hop = Hop(7);
    state(&mut ring).holding = Some(state::Holding {
        token,
        stale_after: Time(u64::MAX),
        resting: true,
    });
    let mut hops = Vec::new();
    for counter in 1..=2 {
        ring.offer(NOW, offer(counter, 1));
        for output in ring.take_outputs() {
            if let Output::Granted(_, hop) = output {
                hops.push((hop.0, None));
            } else if let Output::PassedOn(_, hop, to) = output {
                hops.push((hop.0, Some(to.0)));
            }
        }
    }
    assert_eq!(hops, [(7, None), (8, Some(1)), (8, None), (9, Some(1))]);
}

#[test]
fn the_list_of_what_is_lacking_is_replaced_for_oneself_and_kept_for_others() {
    let mut ring = ring(1, 3);
    ring.on_data(NOW, member(2), data(1, [11]));
    let mut token = token(3, 3);
    token.high = Seq(12);
    token.lacking = vec![(0, Seq(11), Seq(12)), (1, Seq(11), Seq(12))];
    ring.on_token(NOW, member(3), token);
    let (_, token) = passed(&mut ring).expect("somebody lacks something");
    assert_eq!(token.lacking, [(1, Seq(11), Seq(12)), (0, Seq(12), Seq(12))]);
}

/// Node 2 of three, whose ring 5 has 11 and 12, on the way to ring 6; the token rests here. It has these of them, and has
/// not stored those yet.
fn recovering(here: &[u64], not_stored: &[u64]) -> Ring {
    let mut ring = ring(2, 3);
    ring.settings.quorum = 2;
    ring.lineage.entered = Some(ring_id(5));
    ring.on_data(NOW, member(1), data(1, here.iter().copied()));
    state(&mut ring).high = Seq(12);
    let position = |seq: &u64| Position {
        ring: ring_id(5),
        seq: Seq(*seq),
    };
    ring.unaccepted = not_stored.iter().map(position).collect();
    let mut commit = commit(4, 3);
    for row in &mut commit.rows {
        let old = row.old.as_mut().unwrap();
        (old.entered, old.high, old.above) = (Some(ring_id(5)), Seq(12), vec![]);
    }
    commit.rows[1].old.as_mut().unwrap().received_up_to = state(&mut ring).buffer.received_up_to();
    ring.begin_recovery(NOW, commit);
    let mut token = token(7, 3);
    (token.ring, token.high) = (ring_id(6), Seq(12));
    token.rows.iter_mut().for_each(|row| row.received_up_to = Seq(12));
    ring.on_token(NOW, member(1), token);
    assert_eq!(ring.phase_name(), "recover");
    ring
}

#[test]
fn the_token_of_a_recovering_ring_tells_nothing_of_what_its_old_one_lacks() {
    let mut ring = recovering(&[11], &[]);
    ring.tick(NOW.after_us(999));
    assert_eq!(passed(&mut ring), None, "it rests for a millisecond");
    ring.tick(NOW.after_us(1_000));
    let (to, token) = passed(&mut ring).expect("it rested long enough");
    assert_eq!((to, token.pace, token.lacking), (3, Pace::Fast, vec![]));
}

#[test]
fn who_stored_the_last_chunk_while_the_token_rests_tells_it_at_once() {
    let mut ring = recovering(&[11, 12], &[11, 12]);
    ring.accepted(NOW, ring_id(5), Seq(11));
    assert_eq!(passed(&mut ring), None, "it is not done yet");
    ring.accepted(NOW, ring_id(5), Seq(12));
    let (to, token) = passed(&mut ring).expect("that is news");
    assert_eq!((to, token.rows[1].recovered, token.rows[1].sent), (3, true, 1));
}

#[test]
fn only_data_of_the_new_ring_shows_that_all_have_recovered() {
    let of = |epoch: u64, here: &[u64], not_stored: &[u64]| {
        let mut ring = recovering(here, not_stored);
        let ring_id = ring_id(epoch);
        ring.on_data(
            NOW,
            member(1),
            Data {
                ring: ring_id,
                ..data(8, [13])
            },
        );
        ring.phase_name()
    };
    assert_eq!(of(5, &[11, 12], &[]), "recover");
    assert_eq!(of(6, &[11, 12], &[12]), "recover", "this node has not");
    assert_eq!(of(6, &[11, 12], &[]), "operational");
}

#[test]
fn who_stamps_in_a_quorum_shows_that_it_is_established() {
    let mut ring = ring(2, 3);
    ring.settings.quorum = 2;
    let empty = Data {
        chunks: vec![],
        ..data(1, [])
    };
    ring.on_data(NOW, member(1), empty);
    assert!(!ring.may_grant());
    ring.on_data(NOW, member(1), data(1, [FIRST]));
    assert!(ring.may_grant());
}

#[test]
fn whoever_stops_hands_on_a_token_that_rests() {
    let mut resting = idle(3);
    resting.yield_token(NOW);
    assert_eq!(passed(&mut resting).map(|(to, _)| to), Some(2));
    resting.yield_token(NOW);
    assert_eq!(passed(&mut resting), None, "it is here no more");
    let mut alone = ring(1, 1);
    alone.on_token(NOW, member(1), token(1, 1));
    alone.yield_token(NOW);
    assert!(state(&mut alone).holding.is_some());
}

#[test]
fn a_token_that_is_not_seen_again_is_sent_again_as_it_was() {
    let mut ring = idle(3);
    ring.offer(NOW, offer(1, 1));
    let first = passed(&mut ring).expect("the others are to have the line");
    ring.tick(NOW.after_us(19_999));
    assert_eq!((passed(&mut ring), ring.counters.tokens_resent), (None, 0));
    ring.tick(NOW.after_us(20_000));
    assert_eq!((passed(&mut ring), ring.counters.tokens_resent), (Some(first), 1));
}

#[test]
fn a_request_is_sent_again_while_something_is_wanted_first_to_the_port_where_the_token_was_seen() {
    let mut ring = ring(1, 5);
    state(&mut ring).seen_at = 2;
    ring.expect_offer(NOW);
    let asked = |ring: &mut Ring, us: u64| {
        ring.tick(NOW.after_us(us));
        let (unicast, multicast) = sent(ring);
        let to: Vec<u16> = unicast.iter().map(|(to, _)| *to).collect();
        (multicast.len(), to)
    };
    assert_eq!(asked(&mut ring, 0), (1, vec![]));
    assert_eq!(asked(&mut ring, 4_999), (0, vec![]));
    assert_eq!(asked(&mut ring, 5_000), (1, vec![3]));
    assert_eq!(asked(&mut ring, 14_999), (0, vec![]));
    assert_eq!(asked(&mut ring, 15_000), (1, vec![3, 4, 5, 2]));
    let mut below_quorum = ring.clone();
    below_quorum.settings.quorum = 2;
    assert_eq!(
        asked(&mut below_quorum, 35_000),
        (0, vec![]),
        "nothing is granted there"
    );
    ring.expected_offers = 0;
    assert_eq!(
        asked(&mut ring, 35_000),
        (0, vec![]),
        "nothing is wanted any more"
    );
}

#[test]
fn a_lost_token_is_told_with_its_times() {
    let mut ring = ring(1, 3);
    state(&mut ring).progress = Time(NOW.0 - 300_000);
    state(&mut ring).passed = Some(Passed {
        to: member(2),
        token: token(7, 3),
    });
    ring.deadlines.loss = Some(NOW);
    ring.tick_token(NOW);
    let reason = "no word from 2 for 300 ms, limit 200";
    let told = |output: &Output| matches!(output, Output::Gathering(why) if why.reason == reason);
    assert!(ring.take_outputs().iter().any(told));
}

#[test]
fn who_has_the_token_does_not_wait_for_it() {
    let mut ring = idle(3);
    ring.expect_token(NOW);
    assert_eq!(ring.deadlines.loss, None);
    ring.yield_token(NOW);
    ring.expect_token(NOW);
    assert_eq!(ring.deadlines.loss, Some(NOW.after_us(950_000)));
}

#[test]
fn a_token_that_is_too_old_is_neither_used_nor_kept() {
    let holding = || {
        let mut ring = idle(3);
        ring.deadlines = Deadlines::default();
        state(&mut ring).holding.as_mut().unwrap().stale_after = NOW;
        ring.queue.push_back(offer(1, 1));
        ring
    };
    let stamped = |at: Time| {
        let mut ring = holding();
        ring.stamp(at);
        data_datagrams(&mut ring)
    };
    assert_eq!((stamped(NOW), stamped(NOW.after_us(1))), (1, 0));
    let woke = |us: u64| {
        let mut ring = holding();
        ring.notice_suspension(NOW.after_us(us));
        let mut told = None;
        for output in ring.take_outputs() {
            if let Output::Woke(away_us) = output {
                told = Some(away_us);
            }
        }
        (told, ring.phase_name())
    };
    assert_eq!(woke(0), (None, "operational"));
    assert_eq!(woke(300_000), (Some(500_000), "gather"));
}

#[test]
fn who_is_a_token_timeout_late_was_suspended() {
    let away = |late_us: u64| {
        let mut ring = ring(1, 3);
        ring.deadlines.beacon = Some(NOW);
        ring.notice_suspension(NOW.after_us(late_us));
        ring.away_until
    };
    assert_eq!(away(200_000), Time(0));
    assert_eq!(away(200_001), NOW.after_us(400_001));
}

#[test]
fn who_keeps_the_token_says_no_more_than_one_visit_allows() {
    let mut ring = ring(1, 3);
    ring.hold_token(NOW, 100_000);
    ring.on_token(NOW, member(3), token(3, 3));
    let most = 1_400 - HEADER_BYTES - Data::OVERHEAD_BYTES - Chunk::OVERHEAD_BYTES_MAX;
    for counter in 1..=200 {
        ring.offer(NOW, offer(counter, most));
    }
    assert_eq!((data_datagrams(&mut ring), ring.queued()), (128, 72));
}

#[test]
fn who_keeps_the_token_lets_a_known_waiter_speak_before_it_speaks_again() {
    let mut ring = ring(1, 3);
    ring.hold_token(NOW, 100_000);
    ring.on_token(NOW, member(3), token(3, 3));
    ring.on_request(NOW, member(3), request(3));
    sent(&mut ring);
    ring.offer(NOW.after_us(1), offer(1, 1));
    assert_eq!(data_datagrams(&mut ring), 0);
    ring.tick(NOW.after_us(100_000));
    assert_eq!(passed(&mut ring).map(|(to, _)| to), Some(3));
}

#[test]
fn a_visit_that_finds_any_row_raised_found_a_change() {
    let visits = |rows: &[(u64, u64)]| {
        let mut ring = ring(1, 3);
        ring.on_data(NOW, member(2), data(1, [11, 12]));
        let mut unchanged = Vec::new();
        for (hop, (received, held)) in (3..).zip(rows) {
            let mut token = token(hop * 3, 3);
            token.high = Seq(12);
            token.rows[1].received_up_to = Seq(*received);
            token.rows[1].held_up_to = Seq(*held);
            ring.on_token(NOW, member(3), token);
            unchanged.push(state(&mut ring).unchanged);
        }
        unchanged
    };
    let (same, received, held) = ((11, 11), (12, 11), (12, 12));
    assert_eq!(visits(&[same, same, received, held]), [false, true, false, false]);
    assert_eq!(visits(&[same, held, held]), [false, false, true]);
    assert_eq!(visits(&[(11, 0), (12, 0), (12, 0)]), [false, false, true]);
}

#[test]
fn datagrams_are_filled_up_to_the_last_byte_and_no_further() {
    let room = 1_400 - HEADER_BYTES - Data::OVERHEAD_BYTES;
    // Flags, the counter, and two bytes for the length.
    let head = 4;
    let data = |second: usize| {
        let mut ring = holder(1, 600);
        ring.queue.push_back(offer(2, second));
        ring.on_token(NOW, member(3), token(3, 3));
        data_datagrams(&mut ring)
    };
    let fits = room - (head + 600) - head;
    assert_eq!((data(fits), data(fits + 1)), (1, 2));
    // A repaired chunk carries its number too.
    let repairs = |second: usize| {
        let mut ring = ring(1, 2);
        for (seq, bytes) in [(11, 600), (12, second)] {
            let bytes = Bytes::from(vec![b'x'; bytes]);
            state(&mut ring).buffer.insert(Chunk { bytes, ..chunk(seq) });
        }
        ring.on_nack(member(2), ring_id(5), &[(Seq(11), Seq(12))]);
        sent(&mut ring).0.len()
    };
    let fits = fits - 8 - 8;
    assert_eq!((repairs(fits), repairs(fits + 1)), (1, 2));
}

#[test]
fn when_the_last_gap_is_closed_where_the_token_rests_the_rest_begins_anew() {
    let mut ring = ring(1, 3);
    ring.on_data(NOW, member(2), data(1, [12]));
    let all_but_me = |hop: u64| {
        let mut token = token(hop, 3);
        token.high = Seq(12);
        token.rows.iter_mut().for_each(|row| row.visited = Hop(1));
        (token.rows[1].received_up_to, token.rows[2].received_up_to) = (Seq(12), Seq(12));
        token
    };
    ring.on_token(NOW, member(3), all_but_me(3));
    ring.on_token(NOW, member(3), all_but_me(6));
    assert_eq!(
        ring.deadlines.rest,
        Some(NOW.after_us(1_000)),
        "nothing changed in this round"
    );
    ring.on_repair(NOW, member(2), repair([11]));
    assert_eq!(ring.deadlines.rest, Some(NOW.after_us(25_000)));
}

#[test]
fn what_is_written_while_the_token_rests_makes_the_token_no_younger() {
    let mut ring = ring(1, 3);
    ring.on_data(NOW, member(2), data(1, [11]));
    let mut token = token(3, 3);
    token.high = Seq(11);
    for row in &mut token.rows {
        (row.received_up_to, row.visited) = (Seq(11), Hop(1));
    }
    ring.on_token(NOW, member(3), token);
    let stale_after = |ring: &mut Ring| state(ring).holding.as_ref().map(|holding| holding.stale_after);
    assert_eq!(stale_after(&mut ring), Some(NOW.after_us(225_000)));
    ring.written(NOW.after_us(10_000), Seq(11));
    assert_eq!(state(&mut ring).rows[0].held_up_to, Seq(11));
    assert_eq!(stale_after(&mut ring), Some(NOW.after_us(225_000)));
}

#[test]
fn while_a_ring_is_formed_what_names_it_is_fenced_and_what_names_a_later_one_foreign() {
    let counted = |ring: &mut Ring, epoch: u64| {
        assert!(!ring.is_current(member(1), ring_id(epoch)));
        (ring.counters.fenced, ring.counters.foreign)
    };
    let mut ring = ring(2, 3);
    ring.epoch = Epoch(8);
    assert_eq!(counted(&mut ring, 6), (0, 1));
    ring.epoch = Epoch(5);
    ring.enter_gather(NOW, "a test".into(), &[]);
    ring.on_commit(NOW, member(1), commit(1, 1));
    ring.take_outputs();
    assert_eq!(counted(&mut ring, 5), (1, 1));
    assert_eq!(fenced(&mut ring), [], "it is not over yet");
    assert_eq!(counted(&mut ring, 6), (2, 1));
    assert_eq!(counted(&mut ring, 7), (2, 2));
}
