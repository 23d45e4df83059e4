//! The accelerated token: data behind the token, and no hurry to ask for it.

use super::*;

fn accelerated(messages: u64, bytes: usize) -> Ring {
    let mut ring = holder(messages, bytes);
    ring.settings.accelerated = true;
    ring
}

/// What leaves in a visit, in order.
fn sorts(ring: &mut Ring) -> Vec<&'static str> {
    ring.on_token(NOW, member(3), token(1, 3));
    let sort = |output: &Output| {
        let token = matches!(output, Output::Unicast(_, Body::Token(_))).then_some("token");
        token.or(matches!(output, Output::Multicast(Body::Data(_))).then_some("data"))
    };
    ring.take_outputs().iter().filter_map(sort).collect()
}

/// What is asked for, of whom.
fn asked(ring: &mut Ring) -> Vec<(u16, Vec<(Seq, Seq)>)> {
    let mut asked = Vec::new();
    for (to, body) in sent(ring).0 {
        if let Body::Nack { ranges, .. } = body {
            asked.push((to, ranges));
        }
    }
    asked
}

/// Node 1 gets a token that names so many numbers: what the token it passes says is lacking here.
fn visited(ring: &mut Ring, hop: u64, high: u64) -> Vec<(u16, Seq, Seq)> {
    let mut token = token(hop, 3);
    token.high = Seq(high);
    ring.on_token(NOW, member(3), token);
    let mut lacking = None;
    for output in &ring.out {
        if let Output::Unicast(_, Body::Token(token)) = output {
            lacking = Some(token.lacking.clone());
        }
    }
    lacking.expect("the token is passed on")
}

#[test]
fn the_token_leaves_before_the_data_of_a_visit_that_has_many() {
    assert_eq!(
        sorts(&mut accelerated(3, 1_300)),
        ["token", "data", "data", "data"]
    );
    assert_eq!(sorts(&mut holder(3, 1_300)), ["data", "data", "data", "token"]);
    assert_eq!(
        sorts(&mut accelerated(3, 100)),
        ["data", "token"],
        "one datagram makes nobody wait"
    );
}

#[test]
fn a_token_that_stays_keeps_no_data_back() {
    let mut ring = accelerated(3, 1_300);
    ring.hold_us = Some(10_000);
    assert_eq!(sorts(&mut ring), ["data", "data", "data"]);
}

#[test]
fn only_what_the_token_named_the_round_before_is_asked_for() {
    let mut ring = accelerated(0, 0);
    assert_eq!(visited(&mut ring, 1, FIRST + 4), []);
    assert_eq!(asked(&mut ring), [], "it may be on its way");
    // Some of it comes, and some of what the next member stamped.
    ring.on_data(NOW, member(3), data(0, [FIRST]));
    ring.on_data(NOW, member(2), data(3, [FIRST + 5]));
    assert_eq!(asked(&mut ring), []);
    // A round later the rest of it is late, and what the token names new is not.
    let (first, last) = (Seq(FIRST + 1), Seq(FIRST + 4));
    assert_eq!(visited(&mut ring, 4, FIRST + 9), [(0, first, last)]);
    assert_eq!(asked(&mut ring), [(3, vec![(first, last)])]);
}

#[test]
fn where_no_token_comes_the_clock_asks_for_all_that_is_missing() {
    let mut ring = accelerated(0, 0);
    ring.timing.visited(NOW, None);
    ring.timing.visited(NOW.after_us(10_000), Some(NOW));
    assert_eq!(ring.timing.token_again(), 40_000);
    visited(&mut ring, 1, FIRST + 4);
    asked(&mut ring);
    ring.tick_repair(NOW.after_us(ring.timing.token_again() - 1));
    assert_eq!(asked(&mut ring), []);
    ring.tick_repair(NOW.after_us(ring.timing.token_again()));
    let ranges: Vec<_> = asked(&mut ring).into_iter().map(|(_, ranges)| ranges).collect();
    assert_eq!(ranges, [[(Seq(FIRST), Seq(FIRST + 4))]]);
}

#[test]
fn without_it_all_that_the_token_names_is_asked_for_at_once() {
    let mut ring = ring(1, 3);
    let (first, last) = (Seq(FIRST), Seq(FIRST + 4));
    assert_eq!(visited(&mut ring, 1, FIRST + 4), [(0, first, last)]);
    assert_eq!(asked(&mut ring), [(3, vec![(first, last)])]);
}
