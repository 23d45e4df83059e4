//! With a quorum: what a node forgets when it enters a ring and when all is written, and what its next life inherits.

use super::*;

/// Node 2 of three, with a quorum of two, in a ring that begins at `first` and was not entered yet.
fn new_ring(first: u64) -> Ring {
    let mut ring = ring(2, 3);
    let members = (1..=3).map(member).collect();
    ring.installed = Some(RingState::new(ring_id(5), members, member(2), Seq(first), NOW));
    ring.settings.quorum = 2;
    ring.lineage.complete = true;
    ring
}

/// The log of ring 4 that node 2 has stored: one message.
fn log_of_4() -> RingState {
    let mut log = RingState::new(ring_id(4), vec![member(2)], member(2), Seq(1), NOW);
    log.buffer.insert(chunk(1));
    log
}

/// The end of what was accepted in a ring.
fn end(epoch: u64, seq: u64) -> Option<Position> {
    Some(Position {
        ring: ring_id(epoch),
        seq: Seq(seq),
    })
}

#[test]
fn who_enters_forgets_the_rings_before_the_one_that_is_adopted() {
    for (rest, first, forgotten) in [
        (None, 1, None),
        (None, FIRST, end(5, 0)),
        (Some(log_of_4()), 1, end(4, 0)),
        (Some(log_of_4()), FIRST, end(4, 0)),
    ] {
        let mut ring = new_ring(first);
        ring.lineage.rest = rest;
        ring.enter(NOW);
        let entered = ring.take_outputs();
        assert!(
            entered
                .iter()
                .any(|output| matches!(output, Output::Entered(up_to) if *up_to == forgotten)),
            "{entered:?}"
        );
    }
}

/// The same node when it and enough others have entered, and two messages were stored, delivered and written.
fn settled() -> Ring {
    let mut ring = new_ring(FIRST);
    ring.enter(NOW);
    ring.unaccepted.clear();
    ring.lineage.established = true;
    for chunk in chunks([FIRST, FIRST + 1]) {
        state(&mut ring).buffer.insert(chunk);
    }
    state(&mut ring).delivered_up_to = Seq(FIRST + 1);
    ring.take_outputs();
    ring
}

#[test]
fn what_is_delivered_and_written_is_forgotten_once_but_for_a_marker() {
    let mut ring = settled();
    assert_eq!(ring.accepted_and_written(), end(5, FIRST));
    let stored = ring.take_outputs();
    assert!(
        matches!(&stored[..], [Output::Accept(of, marker)]
            if *of == ring_id(5) && marker.seq == Seq(FIRST + 1) && marker.id.counter == 0),
        "{stored:?}"
    );
    assert_eq!(ring.accepted_and_written(), None, "that is no news");
    state(&mut ring).delivered_up_to = Seq(FIRST + 2);
    assert_eq!(ring.accepted_and_written(), end(5, FIRST + 1));
}

#[test]
fn nothing_is_forgotten_of_what_may_still_be_asked_for() {
    type Change = fn(&mut Ring);
    let too_early: [Change; 6] = [
        |ring| ring.settings.quorum = 0,
        |ring| ring.lineage.entered = Some(ring_id(4)),
        |ring| ring.lineage.established = false,
        |ring| ring.unwritten.extend([Seq(FIRST + 1)]),
        |ring| ring.unaccepted.extend(end(5, FIRST + 1)),
        |ring| state(ring).delivered_up_to = Seq(0),
    ];
    for (at, change) in too_early.iter().enumerate() {
        let mut ring = settled();
        change(&mut ring);
        assert_eq!(ring.accepted_and_written(), None, "case {at}");
        assert!(ring.take_outputs().is_empty(), "case {at}");
    }
}

#[test]
fn the_next_life_of_a_node_accounts_for_what_the_one_before_stored() {
    let next = |before: Ring, quorum| {
        let mut settings = settings(2);
        settings.me.incarnation = Incarnation(500);
        settings.quorum = quorum;
        let mut ring = Ring::new(settings, 1, NOW);
        ring.inherit(before);
        let log = ring.old_ring();
        let log = log.map(|log| (log.id, log.buffer.present(Seq(1), Seq(99))));
        (ring.lineage.entered, log)
    };
    let mut lagging = new_ring(FIRST);
    lagging.lineage.entered = Some(ring_id(4));
    lagging.lineage.log = Some(log_of_4());
    let of_4 = (ring_id(4), vec![(Seq(1), Seq(1))]);
    assert_eq!(next(lagging.clone(), 2), (Some(ring_id(4)), Some(of_4)));
    assert_eq!(next(lagging, 0), (None, None));
    let of_5 = (ring_id(5), vec![(Seq(FIRST), Seq(FIRST + 1))]);
    assert_eq!(next(settled(), 2), (Some(ring_id(5)), Some(of_5)));
}
