//! Recovery: when the new ring's token is made, and what is taken of the old ring.

use super::*;

/// Node `me` of three recovers into ring 6. All come from ring 5, of which it has nothing, and the others have 11, 12,
/// 14 and 15.
fn recovering(me: u16) -> Ring {
    let mut ring = ring(me, 3);
    ring.enter_gather(NOW, "a test".into(), &[]);
    ring.begin_recovery(NOW, commit(3, 3));
    ring.take_outputs();
    ring
}

/// The hop of the new ring's token, once it was made.
fn hop(ring: &Ring) -> Hop {
    ring.forming().expect("a ring is being formed").hop
}

#[test]
fn the_leader_makes_the_token_once_when_the_second_round_is_over() {
    let mut member_2 = recovering(2);
    member_2.on_commit(NOW, member(1), commit(6, 3));
    assert_eq!(hop(&member_2), Hop(0), "that is up to the leader");
    let mut leader = recovering(1);
    let other = Commit {
        ring: ring_id(7),
        ..commit(6, 3)
    };
    for early in [commit(3, 3), commit(5, 3), other] {
        leader.on_commit(NOW, member(3), early);
        assert_eq!(hop(&leader), Hop(0));
    }
    leader.on_commit(NOW, member(3), commit(6, 3));
    assert_eq!(hop(&leader), Hop(7), "the first after those of the two rounds");
    let state = leader.current_mut().expect("a ring is being formed");
    (state.hop, state.holding) = (Hop(9), None);
    leader.on_commit(NOW, member(3), commit(6, 3));
    assert_eq!(hop(&leader), Hop(9));
    assert!(leader.forming().is_some_and(|state| state.holding.is_none()));
}

#[test]
fn what_is_lacking_of_the_old_ring_is_taken_and_the_rest_asked_for_at_once() {
    let mut ring = recovering(1);
    let of_another = Repair {
        ring: ring_id(4),
        ..repair([11])
    };
    ring.on_repair(NOW, member(2), of_another);
    assert_eq!((ring.counters.fenced, ring.counters.repaired_for_me), (1, 0));
    assert!(ring.take_outputs().is_empty());
    ring.on_repair(NOW, member(2), repair([11, 12, 13]));
    assert_eq!(ring.counters.repaired_for_me, 2, "nobody named 13");
    let asked = ring.take_outputs();
    assert!(
        matches!(&asked[..], [Output::Unicast(_, Body::Nack { ring, ranges })]
            if *ring == ring_id(5) && ranges[..] == [(Seq(14), Seq(15))]),
        "without a quorum nothing is stored before it counts: {asked:?}"
    );
    assert!(ring.deadlines.nack_again.is_some());
    ring.on_repair(NOW, member(3), repair([11, 12]));
    assert!(ring.take_outputs().is_empty(), "it had that");
    ring.on_repair(NOW, member(3), repair([14, 15]));
    assert!(ring.has_recovered() && ring.deadlines.nack_again.is_none());
    assert!(matches!(&ring.phase, Phase::Recover(recovering) if recovering.moved_on));
}

#[test]
fn with_a_quorum_it_is_stored_before_it_counts_and_a_marker_is_not_taken() {
    let mut ring = recovering(1);
    ring.settings.quorum = 2;
    ring.lineage.entered = Some(ring_id(5));
    let mut forged = repair([11, 12, 14, 15]);
    forged.chunks[1].id.counter = 0;
    ring.on_repair(NOW, member(2), forged);
    let mut stored = Vec::new();
    for output in ring.take_outputs() {
        if let Output::Accept(ring, chunk) = output {
            assert_eq!(ring, ring_id(5));
            stored.push(chunk.seq.0);
        }
    }
    assert_eq!(stored, [11, 14, 15]);
    ring.on_repair(NOW, member(2), repair([12]));
    for seq in [11, 12, 14] {
        ring.accepted(NOW, ring_id(5), Seq(seq));
        assert!(!ring.has_recovered(), "15 is not stored yet");
    }
    ring.settings.quorum = 4;
    assert!(ring.has_recovered(), "a ring that is too small waits for no disk");
    ring.settings.quorum = 2;
    ring.accepted(NOW, ring_id(5), Seq(15));
    assert!(ring.has_recovered());
}
