//! Who is not in the ring, or perhaps not any more: foreigners and later ones of an id are probed, and members whose port
//! is closed.

use super::*;

fn beacon(ring: &mut Ring, now: Time, sender: Member, epoch: u64) -> Vec<Member> {
    let foreign = RingId {
        epoch: Epoch(epoch),
        leader: sender,
    };
    ring.on_beacon(now, sender, address(9), foreign);
    probes(ring)
}

#[test]
fn a_foreign_ring_is_probed_by_the_leader_and_not_believed_any_epoch() {
    let mut leader = ring(1, 2);
    assert_eq!(beacon(&mut leader, NOW, member(9), 5 + JUMP_MAX + 1), []);
    assert_eq!((leader.counters.senseless, leader.counters.foreign), (1, 0));
    assert_eq!(beacon(&mut leader, NOW, member(9), 5 + JUMP_MAX), [member(9)]);
    assert_eq!((leader.counters.senseless, leader.counters.foreign), (1, 1));
    assert_eq!(leader.deadlines.probe, Some(NOW.after_us(50_000)));
    assert_eq!(
        beacon(&mut leader, NOW, member(2), 9),
        [],
        "a member is no foreigner"
    );
    assert_eq!(
        beacon(&mut ring(2, 2), NOW, member(9), 6),
        [],
        "that is up to the leader"
    );
    let namesake = Member {
        id: NodeId(1),
        incarnation: Incarnation(200),
    };
    assert_eq!(
        beacon(&mut ring(2, 3), NOW, namesake, 6),
        [namesake],
        "up to the next, if it is the leader's id"
    );
}

#[test]
fn the_same_foreigner_is_probed_again_after_pauses_that_double() {
    let mut ring = ring(1, 2);
    let mut now = NOW;
    let mut at = Vec::new();
    while now.0 < NOW.0 + 140_000_000 {
        if !beacon(&mut ring, now, member(9), 6).is_empty() {
            at.push((now.0 - NOW.0) / 1_000);
        }
        now = now.after_us(25_000);
    }
    // At once, a second chance after 75 ms, then after 2, 4, 8, 16 and 32 s, and no longer.
    assert_eq!(at, [0, 75, 2_075, 6_075, 14_075, 30_075, 62_075, 94_075, 126_075]);
}

#[test]
fn no_more_foreigners_are_kept_in_mind_than_256_at_a_time() {
    let mut ring = ring(1, 2);
    let foreigner = |id: u16| member(1_000 + id);
    for id in 1..=256 {
        assert_eq!(beacon(&mut ring, NOW, foreigner(id), 6), [foreigner(id)]);
    }
    assert_eq!(beacon(&mut ring, NOW.after_us(74_999), foreigner(257), 6), []);
    assert_eq!(ring.counters.foreigners_ignored, 1);
    assert_eq!(
        beacon(&mut ring, NOW.after_us(75_000), foreigner(257), 6),
        [foreigner(257)]
    );
}

#[test]
fn who_was_in_a_ring_is_a_foreigner_like_any_other_afterwards() {
    let mut ring = ring(1, 2);
    assert_eq!(beacon(&mut ring, NOW, member(9), 6), [member(9)]);
    assert_eq!(beacon(&mut ring, NOW, member(9), 6), []);
    ring.newcomers.new_ring(&[member(8)]);
    assert_eq!(beacon(&mut ring, NOW, member(9), 6), [], "it was another ring");
    ring.newcomers.new_ring(&[member(9)]);
    assert_eq!(
        beacon(&mut ring, NOW, member(9), 6),
        [member(9)],
        "without a pause"
    );
}

/// The id of node `id`, started once more on another machine.
fn later(id: u16) -> Member {
    Member {
        incarnation: Incarnation(500),
        ..member(id)
    }
}

#[test]
fn the_later_one_of_an_id_is_told_by_its_beacon_that_the_id_is_taken() {
    let told = |ring: &mut Ring, sender: Member| {
        ring.on_beacon(NOW, sender, address(9), ring_id(6));
        sent(ring).0
    };
    let taken = || {
        let refuse = Refuse::IdTaken { name: "ana".into() };
        vec![(9, Body::Refuse(refuse))]
    };
    let earlier = Member {
        incarnation: Incarnation(100),
        ..member(1)
    };
    assert_eq!(told(&mut ring(1, 2), later(1)), taken());
    assert_eq!(told(&mut ring(1, 2), earlier), [], "the later one exits");
    let mut gathering = ring(1, 2);
    gathering.enter_gather(NOW, "a test".into(), &[]);
    assert_eq!(told(&mut gathering, later(1)), []);
    for (away_until, answer) in [(NOW, vec![]), (Time(NOW.0 - 1), taken())] {
        let mut woken = ring(1, 2);
        woken.away_until = away_until;
        assert_eq!(told(&mut woken, later(1)), answer);
    }
}

#[test]
fn a_foreigner_has_the_time_of_a_probe_to_answer() {
    for (after_us, phase) in [(50_000, "gather"), (50_001, "operational")] {
        let mut ring = ring(1, 2);
        ring.on_beacon(NOW, member(9), address(9), ring_id(6));
        let [Body::Probe { nonce, .. }] = sent(&mut ring).1[..] else {
            panic!("the foreigner is probed")
        };
        ring.on_probe_answer(NOW.after_us(after_us), member(9), nonce);
        assert_eq!(ring.phase_name(), phase, "after {after_us} us");
    }
}

/// Node 1 of three, to which a later 3 shows itself; and what that one has to answer, and what the member 3.
fn rivalry() -> (Ring, u64, u64) {
    let mut ring = ring(1, 3);
    ring.on_beacon(NOW, later(3), address(9), ring_id(6));
    let (unicast, multicast) = sent(&mut ring);
    let [Body::Probe { target, nonce }] = multicast[..] else {
        panic!("the foreigner is probed, not {multicast:?}")
    };
    let [
        (
            3,
            Body::Probe {
                target: rival,
                nonce: rival_nonce,
            },
        ),
    ] = unicast[..]
    else {
        panic!("the member is probed at its port, not {unicast:?}")
    };
    assert_eq!((target, rival), (later(3), member(3)));
    (ring, nonce, rival_nonce)
}

#[test]
fn a_later_one_takes_the_place_of_a_member_that_does_not_answer_in_time() {
    let is_replaced = |mut ring: Ring| {
        ring.tick_newcomers(NOW.after_us(49_999));
        assert_eq!(ring.phase_name(), "operational", "there is time to answer");
        ring.tick_newcomers(NOW.after_us(50_000));
        !ring.is_operational()
    };
    let (mut ring, nonce, _) = rivalry();
    ring.on_probe_answer(NOW, later(3), nonce);
    assert!(is_replaced(ring));
    let (ring, ..) = rivalry();
    assert!(!is_replaced(ring), "neither answered");
    let (mut ring, nonce, rival_nonce) = rivalry();
    ring.on_probe_answer(NOW, later(3), nonce);
    ring.on_probe_answer(NOW, member(3), rival_nonce);
    assert!(!is_replaced(ring), "the member lives");
    let (mut ring, nonce, rival_nonce) = rivalry();
    ring.on_probe_answer(NOW, later(3), nonce);
    ring.on_probe_answer(NOW, member(3), nonce);
    ring.on_probe_answer(NOW, member(2), rival_nonce);
    assert!(is_replaced(ring), "neither is the answer of the member");
    // For a checker, without letting time pass.
    let (mut ring, nonce, _) = rivalry();
    ring.on_probe_answer(NOW, later(3), nonce);
    ring.newcomers.run_out(NOW);
    ring.deadlines.probe = Some(NOW);
    ring.tick_newcomers(NOW);
    assert_eq!(ring.phase_name(), "gather");
}

/// Node 1 of three, to which the network says that the port of this one is closed: who is probed.
fn closed(ring: &mut Ring, now: Time, id: u16) -> Vec<Member> {
    ring.port_closed(now, address(id));
    probes(ring)
}

/// Who is probed by the clock.
fn suspects_probed(ring: &mut Ring, after_us: u64) -> Vec<Member> {
    ring.tick_suspects(NOW.after_us(after_us));
    probes(ring)
}

#[test]
fn a_suspect_is_probed_twice_and_left_out_if_it_does_not_answer_in_time() {
    let mut ring = ring(1, 3);
    assert_eq!(closed(&mut ring, NOW, 9), [], "nobody is there");
    assert_eq!(closed(&mut ring, NOW, 2), [member(2)]);
    assert_eq!(closed(&mut ring, NOW, 2), [], "it is suspected already");
    assert_eq!(closed(&mut ring, NOW.after_us(5_000), 3), [member(3)]);
    assert_eq!(ring.counters.suspected, 2);
    assert_eq!(suspects_probed(&mut ring, 12_499), []);
    assert_eq!(suspects_probed(&mut ring, 12_500), [member(2)]);
    assert_eq!(suspects_probed(&mut ring, 17_500), [member(3)]);
    assert_eq!(suspects_probed(&mut ring, 24_999), []);
    assert_eq!(ring.phase_name(), "operational");
    ring.tick_suspects(NOW.after_us(25_000));
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![2])]);
    ring.tick_suspects(NOW.after_us(30_000));
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![2, 3])]);
    let mut ring = self::ring(1, 3);
    closed(&mut ring, NOW, 2);
    assert_eq!(
        suspects_probed(&mut ring, 25_000),
        [],
        "it is too late for the second probe"
    );
    assert_eq!(ring.phase_name(), "gather");
}

#[test]
fn who_looks_after_a_suspect_late_gives_it_three_chances() {
    let mut punctual = ring(1, 3);
    closed(&mut punctual, NOW, 3);
    assert_eq!(suspects_probed(&mut punctual, 37_500), []);
    assert_eq!(punctual.phase_name(), "gather");
    let mut late = ring(1, 3);
    closed(&mut late, NOW, 3);
    for after_us in [37_501, 100_001, 162_502] {
        assert_eq!(suspects_probed(&mut late, after_us), [member(3)]);
        assert_eq!(late.phase_name(), "operational");
    }
    late.tick_suspects(NOW.after_us(225_003));
    assert_eq!(joins(&mut late), [(vec![1, 2, 3], vec![3])]);
}

/// Answers the probe that a suspect got, and says whether there was one.
fn lives(ring: &mut Ring, now: Time, id: u16) -> bool {
    ring.port_closed(now, address(id));
    let probe = sent(ring).1.pop();
    let Some(Body::Probe { nonce, .. }) = probe else {
        return false;
    };
    ring.suspect_answered(member(id), nonce)
}

#[test]
fn a_suspect_that_lives_is_probed_again_after_pauses_that_double_unless_it_was_left_alone() {
    let mut ring = ring(1, 3);
    let at = |ms: u64| NOW.after_us(ms * 1_000);
    let probed: Vec<u64> = (0..140_000)
        .step_by(500)
        .filter(|ms| lives(&mut ring, at(*ms), 3))
        .collect();
    assert_eq!(
        probed,
        [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 95_000, 127_000]
    );
    // A pause as long as the last one, in which nothing was heard, makes it begin anew.
    for (second_us, third_us) in [(1_999_999, 3_999_999), (2_000_000, 3_000_000)] {
        let mut ring = self::ring(1, 3);
        assert!(lives(&mut ring, NOW, 3));
        assert!(lives(&mut ring, NOW.after_us(second_us), 3));
        assert!(!lives(&mut ring, NOW.after_us(third_us - 1), 3));
        assert!(lives(&mut ring, NOW.after_us(third_us), 3));
    }
}

#[test]
fn a_checker_need_not_wait_for_the_answer_of_a_suspect() {
    let mut ring = ring(1, 3);
    closed(&mut ring, NOW, 3);
    ring.suspicion_runs_out(NOW);
    ring.deadlines.suspicion = Some(NOW);
    ring.tick_suspects(NOW);
    assert_eq!(joins(&mut ring), [(vec![1, 2, 3], vec![3])]);
}
