//! What a watched ring tells besides, and that it does nothing else: the same happens to two rings, of which one is watched.
#![allow(clippy::wildcard_enum_match_arm)] // Tests name the outputs they are about.

use super::*;

/// What a ring did, in words, and what it told those who watch.
#[derive(Default)]
struct Seen {
    done: Vec<String>,
    told: Vec<Detail>,
}

impl Seen {
    fn take(&mut self, ring: &mut Ring) {
        for output in ring.take_outputs() {
            match output {
                Output::Detail(detail) => self.told.push(detail),
                other => self.done.push(format!("{other:?}")),
            }
        }
    }
}

/// The same happens to a watched ring and to one that is not: `happen` gets the ring and the step, until it says that
/// there are no more steps.
fn watched(me: u16, count: u16, happen: impl Fn(&mut Ring, usize) -> bool) -> Vec<Detail> {
    let (mut plain, mut watched) = (ring(me, count), ring(me, count));
    watched.watch(true);
    let (mut calm, mut seen) = (Seen::default(), Seen::default());
    for step in 0.. {
        let goes_on = happen(&mut plain, step);
        assert_eq!(happen(&mut watched, step), goes_on);
        calm.take(&mut plain);
        seen.take(&mut watched);
        assert_eq!(calm.done, seen.done, "to be watched changes nothing, step {step}");
        assert_eq!(calm.told, [], "who is not watched tells nothing, step {step}");
        if !goes_on {
            break;
        }
    }
    seen.told
}

/// A token that all hold everything with.
fn settled(hop: u64, count: usize) -> Token {
    let mut token = token(hop, count);
    for row in &mut token.rows {
        (row.held_up_to, row.visited) = (Seq(FIRST - 1), Hop(1));
    }
    token
}

/// Microseconds later than [`NOW`].
fn later(us: u64) -> Time {
    NOW.after_us(us)
}

fn tokens(told: &[Detail]) -> Vec<u64> {
    let hop = |detail: &Detail| match detail {
        Detail::Token(seen) => Some(seen.hop.0),
        Detail::Rest(..) | Detail::Wake { .. } | Detail::Asked { .. } => None,
        Detail::Resent { .. } | Detail::Repaired { .. } => None,
    };
    told.iter().filter_map(hop).collect()
}

#[test]
fn the_token_is_told_with_what_it_carries() {
    let told = watched(1, 3, |ring, _| {
        let mut token = settled(7, 3);
        token.high = Seq(14);
        token.rows[1].received_up_to = Seq(12);
        token.rows[2].waiting_since = Hop(5);
        token.lacking = vec![(1, Seq(13), Seq(14)), (9, Seq(1), Seq(2))];
        ring.on_token(NOW, member(3), token);
        false
    });
    let seen = |id, received, waiting_since| MemberSeen {
        id: NodeId(id),
        received_up_to: Seq(received),
        held_up_to: Seq(FIRST - 1),
        waiting_since,
    };
    let token = TokenSeen {
        ring: ring_id(5),
        hop: Hop(7),
        high: Seq(14),
        stable_up_to: Seq(FIRST - 1),
        rotation_us: 0,
        members: vec![seen(1, 10, None), seen(2, 12, None), seen(3, 10, Some(Hop(5)))],
        // Nobody is the ninth member, whatever the token says.
        lacking: vec![(NodeId(2), Seq(13), Seq(14))],
    };
    assert_eq!(told[0], Detail::Token(Box::new(token)));
}

#[test]
fn the_token_is_told_at_most_twenty_times_a_second() {
    let told = watched(1, 3, |ring, step| {
        let step = step as u64;
        let now = later(step * 1_000);
        ring.watched_at(now);
        ring.on_token(now, member(3), token(1 + step * 3, 3));
        step < 1_000
    });
    assert_eq!(tokens(&told).len(), 21);
}

#[test]
fn its_rest_is_told_once_and_who_woke_it() {
    let asks = |ring: &mut Ring| {
        let request = Request {
            ring: ring_id(5),
            hop: ring.installed.as_ref().map_or(Hop(0), |state| state.hop),
        };
        ring.on_request(NOW, member(2), request);
    };
    let told = watched(1, 3, |ring, step| {
        match step {
            0 => ring.on_token(NOW, member(3), settled(3, 3)),
            1 => ring.on_token(NOW, member(3), settled(6, 3)),
            2 => ring.settle(NOW),
            _ => asks(ring),
        }
        step < 4
    });
    let resting: Vec<&Detail> = told
        .iter()
        .filter(|detail| !matches!(detail, Detail::Token(_)))
        .collect();
    let (ring, hop) = (ring_id(5), Hop(6));
    let by = Some(NodeId(2));
    assert_eq!(
        resting[resting.len() - 2..],
        [&Detail::Rest(ring, hop), &Detail::Wake { ring, hop, by }]
    );
    // The second request finds the token gone, and the first visit may have rested too.
    let rests = resting
        .iter()
        .filter(|detail| matches!(detail, Detail::Rest(_, at) if *at == hop));
    assert_eq!(rests.count(), 1);
}

#[test]
fn a_rest_whose_time_is_over_is_no_waking() {
    let told = watched(2, 3, |ring, step| {
        match step {
            0 => ring.on_token(NOW, member(1), settled(3, 3)),
            _ => {
                let due = ring.deadlines.rest.expect("it rests until it is settled");
                ring.tick_token(due);
            }
        }
        step < 1
    });
    assert!(
        told.iter().any(|detail| matches!(detail, Detail::Rest(..))),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|detail| matches!(detail, Detail::Wake { .. })),
        "{told:?}"
    );
}

#[test]
fn what_is_asked_for_sent_again_and_repaired_is_told_by_number() {
    let told = watched(1, 3, |ring, step| {
        match step {
            // A gap: 12 is missing.
            0 => ring.on_data(NOW, member(2), data(1, [11, 13])),
            1 => ring.on_repair(NOW, member(3), repair([12, 13])),
            2 => ring.on_nack(member(3), ring_id(5), &[(Seq(11), Seq(12)), (Seq(40), Seq(41))]),
            _ => ring.answer_lacking(&mut vec![(1, Seq(11), Seq(11)), (2, Seq(11), Seq(11))]),
        }
        step < 3
    });
    let ring = ring_id(5);
    let asked = |from, to, by| Detail::Asked {
        ring,
        from: Seq(from),
        to: Seq(to),
        by: NodeId(by),
    };
    let resent = |seq, to: Option<u16>| Detail::Resent {
        ring,
        seq: Seq(seq),
        to: to.map(NodeId),
    };
    let repaired = Detail::Repaired {
        ring,
        seq: Seq(12),
        from: NodeId(3),
    };
    assert_eq!(
        told,
        [
            asked(12, 12, 1),
            repaired,
            asked(11, 12, 3),
            asked(40, 41, 3),
            resent(11, Some(3)),
            resent(12, Some(3)),
            resent(11, None)
        ]
    );
}

#[test]
fn of_very_many_repairs_some_are_told() {
    let told = watched(1, 2, |ring, step| {
        if step == 0 {
            chunks(FIRST..FIRST + 600).into_iter().for_each(|chunk| {
                state(ring).buffer.insert(chunk);
            });
        } else {
            ring.watched_at(later(step as u64 * 100_000));
            ring.on_nack(member(2), ring_id(5), &[(Seq(0), Seq(u64::MAX))]);
        }
        step < 2
    });
    // In each tenth of a second fifty, of which one is the asking.
    assert_eq!(told.len(), 2 * 50);
}

#[test]
fn a_ring_that_is_no_longer_watched_tells_no_more() {
    let mut ring = ring(1, 3);
    ring.watch(true);
    ring.watch(true);
    ring.on_token(NOW, member(3), settled(3, 3));
    assert!(
        ring.take_outputs()
            .iter()
            .any(|output| matches!(output, Output::Detail(_)))
    );
    ring.watch(false);
    assert!(ring.watched.is_none());
    ring.on_token(NOW, member(3), settled(6, 3));
    assert!(
        !ring
            .take_outputs()
            .iter()
            .any(|output| matches!(output, Output::Detail(_)))
    );
}

#[test]
fn the_pass_and_the_next_grant_have_the_same_hop() {
    let offer = Offer {
        id: MessageId {
            sender: member(2),
            counter: 1,
        },
        content: Bytes::from_static(b"oi"),
    };
    let (mut one, mut two) = (ring(1, 2), ring(2, 2));
    one.queue.push_back(Offer {
        id: MessageId {
            sender: member(1),
            counter: 1,
        },
        ..offer.clone()
    });
    two.queue.push_back(offer);
    one.on_token(NOW, member(2), token(7, 2));
    let (mut passed, mut travelling) = (None, None);
    for output in one.take_outputs() {
        match output {
            Output::PassedOn(ring, hop, to) => passed = Some((ring, hop, to)),
            Output::Unicast(_, Body::Token(token)) => travelling = Some(token),
            _ => {}
        }
    }
    assert_eq!(passed, Some((ring_id(5), Hop(8), NodeId(2))));
    two.on_token(NOW, member(1), travelling.expect("it is passed"));
    let granted = two.take_outputs().into_iter().find_map(|output| match output {
        Output::Granted(ring, hop) => Some((ring, hop)),
        _ => None,
    });
    assert_eq!(granted, Some((ring_id(5), Hop(8))));
}
