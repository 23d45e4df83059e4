//! A doctor beside others: it disturbs no ring, a flood of hails neither, and a node that is alone asks it by itself.

use std::net::{SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use roda::host::hail::{HAIL_BYTES, Question, Wish, answerer};
use roda::host::net;

use crossbeam_channel::{Receiver, bounded};

use crate::lab::{Lab, named};
use crate::support::pty::Person;
use crate::support::table::{may_all, row};
use crate::support::{Group, Node};

/// Between two lines of a speaker: some hundred messages a second in all.
const PAUSE: Duration = Duration::from_millis(5);

/// A ring of two, in which both talk all the time while something is done beside it: nobody may notice. Returns how many
/// lines were said, each of which arrived.
fn undisturbed(lab: &Lab, meanwhile: impl FnOnce(&Lab)) -> usize {
    let mut nodes: Vec<Node> = [2, 3]
        .iter()
        .map(|id| Node::spawn(*id, lab.node_command(*id, &["--delay", "0"])))
        .collect();
    nodes.iter_mut().for_each(|node| node.wait_ring(&[2, 3]));
    nodes.iter_mut().for_each(Node::forget_past);
    let past: Vec<usize> = nodes.iter().map(|node| node.events.len()).collect();
    let (end, ended) = bounded::<()>(0);
    let talk = |node: &mut Node, ended: &Receiver<()>| {
        let mut line = 0;
        let is_open = |ended: &Receiver<()>| ended.recv_timeout(PAUSE).is_err_and(|error| error.is_timeout());
        while is_open(ended) {
            node.say(&format!("line {line} of {}", node.id));
            line += 1;
        }
        line
    };
    let said: Vec<usize> = std::thread::scope(|scope| {
        let speakers: Vec<_> = nodes
            .iter_mut()
            .map(|node| {
                let ended = ended.clone();
                scope.spawn(move || talk(node, &ended))
            })
            .collect();
        meanwhile(lab);
        drop(end);
        speakers
            .into_iter()
            .map(|speaker| speaker.join().unwrap())
            .collect()
    });
    let wanted: Vec<String> = [2, 3]
        .iter()
        .zip(&said)
        .flat_map(|(id, said)| (0..*said).map(move |line| format!("line {line} of {id}")))
        .collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&wanted));
    for (node, past) in nodes.iter().zip(past) {
        for event in &node.events[past..] {
            let kind = event["type"].as_str().unwrap();
            assert!(
                !["gathering", "ring", "stranger", "fenced", "warning"].contains(&kind),
                "node {} was disturbed: {event}",
                node.id
            );
        }
    }
    wanted.len()
}

#[test]
fn a_busy_ring_notices_nothing_of_a_doctor() {
    if !may_all(&["ip"]) {
        return;
    }
    let lab = Lab::new(3);
    let lines = undisturbed(&lab, |lab| {
        for _ in 0..3 {
            named("nothing, beside a busy ring", &lab.doctor(&["--id", "1"]), "well");
        }
    });
    row(
        "three doctors beside a busy ring",
        3,
        &format!("no new ring, no gathering, {lines} lines arrived"),
    );
}

#[test]
fn a_flood_of_hails_is_answered_at_the_rate_and_disturbs_no_ring() {
    if !may_all(&["ip"]) {
        return;
    }
    let lab = Lab::new(3);
    let address: SocketAddrV4 = lab.group.address.parse().unwrap();
    let group: net::Group = lab.group.address.parse().unwrap();
    let mut counted = (0u64, 0u64, Duration::ZERO);
    undisturbed(&lab, |lab| {
        counted = lab.inside(1, move || flood(address, group.number()));
    });
    let (sent, answers, time) = counted;
    // Two nodes answer; each has its room for a burst once, and then its rate.
    let most = 2 * (answerer::BURST_MAX + (time.as_secs() + 2) * answerer::PER_SECOND_MAX);
    assert!(
        answers > 0 && answers <= most,
        "{answers} answers, {most} are the most"
    );
    row(
        "hails as fast as they can be sent",
        1,
        &format!("{sent} in {time:.1?}, {answers} answers from two nodes, no new ring"),
    );
}

/// Hails of all kinds, damaged ones too, by multicast and broadcast for two seconds: how many, how many answers, how long.
fn flood(address: SocketAddrV4, group: u32) -> (u64, u64, Duration) {
    let socket = UdpSocket::bind("10.77.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    let broadcast = SocketAddrV4::new([10, 77, 0, 255].into(), address.port());
    let began = Instant::now();
    let (mut sent, mut answers) = (0, 0);
    let mut buffer = [0; 2_048];
    while began.elapsed() < Duration::from_secs(2) {
        let length = HAIL_BYTES + (sent % 1_300) as usize;
        let mut bytes = Question {
            length,
            nonce: sent,
            group,
            wish: [Wish::Short, Wish::Full, Wish::Aloud][(sent % 3) as usize],
            answer_port: 0,
        }
        .encode();
        if sent % 5 == 0 {
            bytes[(sent / 5) as usize % length] ^= 1;
        }
        let to = if sent % 2 == 0 { address } else { broadcast };
        sent += u64::from(socket.send_to(&bytes, to).is_ok());
        answers += u64::from(socket.recv(&mut buffer).is_ok());
    }
    // Those on their way.
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    while socket.recv(&mut buffer).is_ok() {
        answers += 1;
    }
    (sent, answers, began.elapsed())
}

#[test]
fn a_node_that_is_alone_finds_out_why_by_itself() {
    if !may_all(&["ip"]) {
        return;
    }
    let lab = Lab::new(2);
    lab.filter_multicast(&[1, 2]);
    let _other = lab.node(2, &[]);
    let mut node = lab.node(1, &[]);
    let said = node.wait_for("diagnosis", |event| event["type"] == "doctor");
    assert_eq!(said["cause"], "multicast_filtered", "{said:#}");
    assert!(!said["evidence"].as_array().unwrap().is_empty() && !said["remedy"].as_str().unwrap().is_empty());
    let own = node
        .events
        .iter()
        .filter(|event| event["type"] == "doctor")
        .count();
    assert_eq!(own, 1, "once a spell");
    row(
        "a node alone for 10 s where multicast is filtered",
        1,
        "it says **multicast_filtered** by itself",
    );
}

#[test]
fn a_person_who_is_alone_is_told_and_may_ask_why() {
    let group = Group::new();
    let mut person = Person::at_terminal(group.command(1, &[]));
    person.sees("alone for 10 s: nothing is wrong here, and nobody else answers; /why for more");
    person.types("/why");
    person.sees("verdict: nothing is wrong here");
    person.sees("what to do: start a node on another machine");
    // Hails are counted where the rest is.
    let asked = group.sender();
    let address: SocketAddrV4 = group.address.parse().unwrap();
    asked.send_to(b"hail, fellow well met", address).unwrap();
    let number = group.address.parse::<net::Group>().unwrap().number();
    let question = Question {
        length: HAIL_BYTES,
        nonce: 1,
        group: number,
        wish: Wish::Short,
        answer_port: 0,
    };
    for _ in 0..200 {
        asked.send_to(&question.encode(), address).unwrap();
    }
    let mut buffer = [0; 100];
    asked.recv(&mut buffer).unwrap();
    person.types("/ring -v");
    person.sees("hail answered");
    person.sees("hail beyond the rate");
    person.sees("hail not understood 1");
    person.types("/quit");
    assert_eq!(person.ends(), Some(0));
}
