//! Rules, tried with made-up facts: what a network namespace cannot make, and that each piece of evidence counts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::super::facts::{Asking, Facts, Folder, Passed, Patient, Peer, Place, Word};
use super::super::finding::{CAUSES, Cause, Diagnosis, State};
use super::super::judge::judge;
use crate::host::hail::Way;
use crate::host::net::{Interface, Network};
use crate::wire::VERSION;
use crate::wire::seal::key::KeyName;
use crate::words::{Incarnation, Member, NodeId};

fn place(name: &str, address: [u8; 4]) -> Place {
    let address = Ipv4Addr::from(address);
    Place {
        interface: Interface {
            name: name.to_string(),
            address,
            is_loopback: address.is_loopback(),
        },
        network: Network { address, prefix: 24 },
        is_up: true,
        is_running: true,
        takes_multicast: true,
        payload: 1_400,
    }
}

/// All is well, and nobody is there.
fn facts() -> Facts {
    let asking = Asking {
        asked_group: 3,
        asked_broadcast: 3,
        echo_group: true,
        echo_broadcast: true,
        ..Asking::default()
    };
    Facts {
        patient: Patient {
            id: Some(NodeId(1)),
            life: None,
            group: SocketAddrV4::new(Ipv4Addr::new(224, 1, 1, 1), 5007),
            interface: None,
            keys: Vec::new(),
            data_dir: PathBuf::from("."),
            peers: Vec::new(),
        },
        places: vec![
            place("lo", [127, 0, 0, 1]),
            place("roda1", [10, 77, 0, 1]),
            place("roda2", [10, 78, 0, 1]),
        ],
        bare: Vec::new(),
        chosen: Ok(1),
        asking: vec![Asking::default(), asking, Asking::default()],
        peers: Vec::new(),
        named: Vec::new(),
        folder: (PathBuf::from("."), Folder::Good { free: 1 << 30 }),
        container: None,
        port_owner: None,
        listened_ms: 3_300,
    }
}

/// Somebody with whom all is well.
fn peer() -> Peer {
    let both = Passed {
        out: true,
        back: true,
    };
    Peer {
        at: SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 2), 40_000),
        place: 1,
        is_here: false,
        member: Some(Member {
            id: NodeId(2),
            incarnation: Incarnation(7),
        }),
        version: VERSION,
        key: None,
        heard: 2,
        answers: [(Way::Group, 3), (Way::Broadcast, 3), (Way::Port, 2)].into(),
        unasked: true,
        clock_ahead_ms: Some(-700),
        payload: Some(1_400),
        sizes: [(64, both), (1_400, both)].into(),
        was_probed: true,
    }
}

fn with(change: impl FnOnce(&mut Peer)) -> Diagnosis {
    let mut facts = facts();
    let mut peer = peer();
    change(&mut peer);
    facts.peers = vec![peer];
    judge(&facts)
}

fn cause(change: impl FnOnce(&mut Facts)) -> Cause {
    let mut facts = facts();
    change(&mut facts);
    judge(&facts).verdict.cause
}

#[test]
fn who_is_well_is_told_so() {
    let diagnosis = with(|_| {});
    assert_eq!(diagnosis.verdict.cause, Cause::Well);
    assert!(
        diagnosis.checks.iter().all(|check| check.state == State::Ok),
        "{diagnosis:?}"
    );
    assert!(diagnosis.also.is_empty());
    assert_eq!(cause(|_| {}), Cause::Alone);
}

#[test]
fn causes_that_look_alike_are_told_apart() {
    // Nothing comes back; only multicast does not; all does, but nothing unasked.
    assert_eq!(
        cause(|facts| (facts.asking[1].echo_group, facts.asking[1].echo_broadcast) = (false, false)),
        Cause::FirewallIn
    );
    assert_eq!(
        cause(|facts| facts.asking[1].echo_group = false),
        Cause::MulticastFiltered
    );
    assert_eq!(
        cause(|facts| facts.asking[1].deaf_unicast = true),
        Cause::FirewallIn
    );
    assert_eq!(cause(|facts| facts.asking[1].forbidden = 1), Cause::FirewallOut);
    let only_when_asked = with(|peer| (peer.unasked, peer.answers) = (false, [(Way::Port, 2)].into()));
    assert_eq!(only_when_asked.verdict.cause, Cause::FirewallIn);
    // Answers by all ways but multicast; heard, and no answer at all; heard, and no unicast arrives there.
    let filtered = with(|peer| {
        peer.heard = 0;
        peer.answers.remove(&Way::Group);
    });
    assert_eq!(filtered.verdict.cause, Cause::MulticastFiltered);
    let one_way = with(|peer| peer.heard = 0);
    assert_eq!(one_way.verdict.cause, Cause::MulticastFiltered);
    for answers in [BTreeMap::new(), [(Way::Group, 3)].into()] {
        let silent = with(|peer| (peer.answers, peer.unasked) = (answers, false));
        assert_eq!(silent.verdict.cause, Cause::FirewallThere);
    }
}

#[test]
fn keys_versions_ids_and_clocks_are_compared() {
    let key = Some(KeyName(7));
    assert_eq!(with(|peer| peer.key = key).verdict.cause, Cause::KeyMissingHere);
    let mut facts = facts();
    (facts.patient.keys, facts.peers) = (vec![KeyName(8), KeyName(9)], vec![peer()]);
    assert_eq!(judge(&facts).verdict.cause, Cause::KeyMissingThere);
    facts.peers[0].key = key;
    assert_eq!(judge(&facts).verdict.cause, Cause::KeyDiffers);
    facts.peers[0].key = Some(KeyName(9));
    assert_eq!(
        judge(&facts).verdict.cause,
        Cause::Well,
        "accepted, though not the first"
    );
    assert_eq!(with(|peer| peer.version = 9).verdict.cause, Cause::VersionDiffers);
    let id = |peer: &mut Peer| peer.member.iter_mut().for_each(|member| member.id = NodeId(1));
    assert_eq!(with(id).verdict.cause, Cause::IdTaken);
    let late = with(|peer| peer.clock_ahead_ms = Some(-3_600_000));
    assert_eq!(late.verdict.cause, Cause::ClockOff);
    assert!(late.verdict.evidence[0].contains("3600 s behind"), "{late:?}");
}

#[test]
fn what_hides_everybody_is_told_before_what_only_troubles() {
    let mut facts = facts();
    let (error, free) = ("no space".to_string(), 0);
    facts.folder.1 = Folder::Full { free, error };
    facts.asking[1].forbidden = 1;
    let diagnosis = judge(&facts);
    assert_eq!(diagnosis.verdict.cause, Cause::FirewallOut);
    let also: Vec<Cause> = diagnosis.also.iter().map(|finding| finding.cause).collect();
    assert_eq!(also, [Cause::DiskFull]);
}

#[test]
fn the_longest_length_that_passes_is_named() {
    let short = with(|peer| {
        peer.sizes.insert(
            1_400,
            Passed {
                out: true,
                back: false,
            },
        );
        peer.sizes.insert(
            972,
            Passed {
                out: true,
                back: true,
            },
        );
    });
    assert_eq!(short.verdict.cause, Cause::MtuTooSmall);
    let evidence = &short.verdict.evidence[0];
    assert!(
        evidence.contains("1400 bytes do not pass from there to here") && evidence.contains("of 972"),
        "{evidence}"
    );
    assert!(short.verdict.remedy.contains("1000 on every machine"));
}

#[test]
fn the_place_and_the_machine_are_looked_at_before_others() {
    assert_eq!(cause(|facts| facts.places[1].is_up = false), Cause::InterfaceDown);
    assert_eq!(
        cause(|facts| facts.places[1].is_running = false),
        Cause::InterfaceDown
    );
    assert_eq!(
        cause(|facts| facts.chosen = Err("no address".into())),
        Cause::InterfaceDown
    );
    assert_eq!(
        cause(|facts| facts.places[1].takes_multicast = false),
        Cause::NoMulticastRoute
    );
    let error = "Network is unreachable".to_string();
    assert_eq!(
        cause(|facts| facts.asking[1].unreachable = Some(error)),
        Cause::NoMulticastRoute
    );
    // Nothing but loopback: is there more that is down?
    let only_loopback =
        |facts: &mut Facts| (facts.chosen, facts.places) = (Ok(0), vec![place("lo", [127, 0, 0, 1])]);
    assert_eq!(cause(only_loopback), Cause::NoMulticastRoute);
    let down = |facts: &mut Facts| {
        only_loopback(facts);
        facts.bare = vec!["roda1".into()];
    };
    assert_eq!(cause(down), Cause::InterfaceDown);
    let named = |facts: &mut Facts| {
        only_loopback(facts);
        facts.patient.interface = Some("lo".into());
    };
    assert_eq!(cause(named), Cause::Alone);
    assert_eq!(cause(|facts| facts.asking[1].port_taken = true), Cause::PortTaken);
    let (error, free) = ("no space".to_string(), 0);
    assert_eq!(
        cause(|facts| facts.folder.1 = Folder::Full { free, error }),
        Cause::DiskFull
    );
    let error = "read-only".to_string();
    assert_eq!(
        cause(|facts| facts.folder.1 = Folder::ReadOnly { error }),
        Cause::DiskReadOnly
    );
}

#[test]
fn who_is_elsewhere_is_found_and_containers_are_known() {
    let elsewhere = |facts: &mut Facts| facts.peers = vec![Peer { place: 2, ..peer() }];
    assert_eq!(cause(elsewhere), Cause::WrongInterface);
    let here_too = |facts: &mut Facts| {
        let near = Peer {
            is_here: true,
            ..peer()
        };
        facts.peers = vec![near, Peer { place: 2, ..peer() }];
    };
    assert_eq!(cause(here_too), Cause::WrongInterface);
    assert_eq!(
        cause(|facts| facts.places[1] = place("docker0", [172, 17, 0, 1])),
        Cause::ContainerBridge
    );
    let podman = |facts: &mut Facts| facts.places[1] = place("roda1", [10, 88, 0, 5]);
    assert_eq!(cause(podman), Cause::ContainerBridge);
    // Docker makes more networks than one; only inside of a container is such an address a sign.
    let other = |facts: &mut Facts| facts.places[1] = place("roda1", [172, 20, 0, 5]);
    assert_eq!(cause(other), Cause::Alone);
    let inside = |facts: &mut Facts| {
        other(facts);
        facts.container = Some("/.dockerenv is there".into());
    };
    assert_eq!(cause(inside), Cause::ContainerBridge);
}

#[test]
fn what_named_machines_said_is_told() {
    let mut facts = facts();
    facts.named = vec![
        (Ipv4Addr::new(10, 77, 0, 9), Word::Closed),
        (Ipv4Addr::new(10, 77, 0, 8), Word::NoMachine),
    ];
    let verdict = judge(&facts).verdict;
    assert_eq!(verdict.cause, Cause::Alone);
    let evidence = verdict.evidence.join("\n");
    assert!(
        evidence.contains("10.77.0.9 (--peer) is there, and no node"),
        "{evidence}"
    );
    assert!(evidence.contains("no machine has this address"), "{evidence}");
}

#[test]
fn all_causes_have_a_code_of_their_own_and_stand_in_order() {
    assert!(CAUSES.windows(2).all(|pair| pair[0] < pair[1]));
    let codes: std::collections::BTreeSet<&str> = CAUSES.iter().map(|cause| cause.code()).collect();
    assert_eq!(codes.len(), CAUSES.len());
}
