//! The reconciler among real nodes on loopback: those that live are asked, files at rest are merged with them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::net::{Ipv4Addr, UdpSocket};

use serde_json::Value;
use support::{Group, Node, events, run, wait_until};

/// A delay long enough that files are out of order, and that what is said last is not written yet.
const DELAY: [&str; 2] = ["--delay", "0..400ms"];

/// Runs the reconciler over a group's folder and its live nodes, with this exit code; what it reports.
fn reports(group: &Group, words: &[&str], code: i32) -> Vec<Value> {
    let words = [&["--json", "--wait", "800ms"], words].concat();
    let ended = run(group.reconciler(&words), b"");
    assert_eq!(
        ended.code,
        Some(code),
        "{words:?}\n{}\n{}",
        ended.stdout,
        ended.stderr
    );
    events(&ended.stdout)
}

fn row(reports: &[Value], node: u16) -> &Value {
    let of_node = |report: &&Value| report["type"] == "replica" && report["node"] == node;
    reports.iter().find(of_node).expect("each replica is reported")
}

/// Three nodes that write late, the last of which gets nothing from its peers by itself.
fn three(group: &Group) -> Vec<Node> {
    let lazy = [&DELAY[..], &["--no-catch-up"]].concat();
    let mut nodes = vec![
        group.start(1, &DELAY),
        group.start(2, &DELAY),
        group.start(3, &lazy),
    ];
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    nodes
}

/// Everybody says lines, and all see them.
fn chat(nodes: &mut [Node], what: &str) {
    let mut said = Vec::new();
    for round in 0..8 {
        for node in nodes.iter_mut() {
            let text = format!("{} says {what} {round}", node.id);
            node.say(&text);
            said.push(text);
        }
    }
    let texts: Vec<&str> = said.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&texts));
}

fn bytes(group: &Group, id: u16) -> Vec<u8> {
    std::fs::read(group.replica(id)).unwrap()
}

/// That three files have so many lines, are equal byte for byte, and in canonical order.
fn assert_equal_files(group: &Group, count: usize) {
    let first = bytes(group, 1);
    let sorted = group.sorted_replica(1).join("\n") + "\n";
    assert_eq!(String::from_utf8(first.clone()).unwrap(), sorted, "in order");
    assert_eq!(sorted.lines().count(), count);
    for id in [2, 3] {
        assert!(bytes(group, id) == first, "node {id} has other bytes than node 1");
    }
}

#[test]
fn live_nodes_sort_their_own_files_and_a_second_run_changes_nothing() {
    let group = Group::new();
    let mut nodes = three(&group);
    chat(&mut nodes, "one");
    let check = reports(&group, &["--check"], 8);
    assert_eq!(
        (row(&check, 3)["live"].clone(), row(&check, 3)["result"].clone()),
        (true.into(), "differs".into())
    );
    let done = reports(&group, &[], 0);
    assert_eq!(done.last().unwrap()["rewritten"], 3);
    assert_equal_files(&group, 24);
    let generation = std::fs::read(group.checkpoints(1).join("generation.json")).unwrap();

    let again = reports(&group, &[], 0);
    assert_eq!(again.last().unwrap()["rewritten"], 0, "{again:?}");
    let after = std::fs::read(group.checkpoints(1).join("generation.json")).unwrap();
    assert!(after == generation, "no file was written again");
    reports(&group, &["--check"], 0);
    for node in &mut nodes {
        assert!(
            node.child.try_wait().unwrap().is_none(),
            "node {} lives on",
            node.id
        );
    }
    nodes[0].say("still here");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["still here"]));
}

#[test]
fn a_file_at_rest_and_live_nodes_fill_each_other() {
    let group = Group::new();
    let mut nodes = three(&group);
    chat(&mut nodes, "one");
    nodes[1].end_input();
    assert_eq!(nodes[1].wait_exit().code(), Some(0));
    let mut rest = nodes.remove(1);
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 3]));
    chat(&mut nodes, "two");
    // What only the file at rest has: node 3 starts again on nothing, and asks nobody.
    nodes[1].kill();
    std::fs::remove_dir_all(group.checkpoints(3)).unwrap();
    std::fs::remove_file(group.replica(3)).unwrap();
    nodes[0].wait_ring(&[1]);
    let lazy = [&DELAY[..], &["--no-catch-up"]].concat();
    nodes[1] = group.start(3, &lazy);
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 3]));

    let check = reports(&group, &["--check"], 8);
    assert_eq!(row(&check, 2)["live"], false);
    let done = reports(&group, &[], 0);
    assert_eq!(row(&done, 3)["received"], 40, "{done:?}");
    assert_eq!(row(&done, 2)["missing"], 16, "{done:?}");
    assert_equal_files(&group, 40);
    reports(&group, &["--check"], 0);
    // The file is a good one to start on.
    rest = group.start(rest.id, &[]);
    rest.wait_ring(&[1, 2, 3]);
    chat(&mut nodes, "three");
    rest.wait_texts(&["1 says three 7"]);
}

#[test]
fn what_only_a_file_at_rest_has_reaches_the_live_nodes() {
    let group = Group::new();
    let mut alone = group.start(2, &[]);
    alone.wait_ring(&[2]);
    chat(std::slice::from_mut(&mut alone), "alone");
    alone.end_input();
    assert_eq!(alone.wait_exit().code(), Some(0));
    let mut nodes = vec![group.start(1, &DELAY), group.start(3, &DELAY)];
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 3]));
    chat(&mut nodes, "later");
    let done = reports(&group, &[], 0);
    assert_eq!(row(&done, 1)["received"], 8, "{done:?}");
    assert_equal_files(&group, 24);
}

#[test]
fn after_kill_and_restart_all_are_equal_again() {
    let group = Group::new();
    let mut nodes = three(&group);
    chat(&mut nodes, "one");
    nodes[2].kill();
    nodes[0].wait_ring(&[1, 2]);
    chat(&mut nodes[..2], "two");
    let lazy = [&DELAY[..], &["--no-catch-up"]].concat();
    nodes[2] = group.start(3, &lazy);
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    reports(&group, &["--check"], 8);
    reports(&group, &[], 0);
    assert_equal_files(&group, 40);
    reports(&group, &["--check"], 0);
}

#[test]
fn a_running_node_that_does_not_answer_on_the_group_is_named_with_its_process() {
    let (mut group, elsewhere) = (Group::new(), Group::new());
    let mut nodes = group.ring(2);
    chat(&mut nodes, "one");
    wait_until("all is written", || {
        [1, 2].iter().all(|id| group.sorted_replica(*id).len() == 16)
    });
    let before = (bytes(&group, 1), bytes(&group, 2));
    group.address = elsewhere.address;
    let ended = run(group.reconciler(&["--wait", "300ms"]), b"");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let process = format!("process {}", nodes[0].child.id());
    assert!(
        ended.stderr.contains(&process) && ended.stderr.contains("--group"),
        "{}",
        ended.stderr
    );
    let after = (bytes(&group, 1), bytes(&group, 2));
    assert!(after == before, "nothing was changed");
}

#[test]
fn a_node_that_stops_answering_is_reported_and_the_others_go_on() {
    let group = Group::new();
    let mut nodes = three(&group);
    chat(&mut nodes, "one");
    // A node in the reconciler's eyes, which answers once and falls silent.
    let ghost = Ghost::haunt(&group);
    let done = reports(&group, &[], 1);
    drop(ghost);
    assert_eq!(row(&done, 77)["result"], "lost");
    assert_eq!(done.last().unwrap()["lost"], 1);
    assert_equal_files(&group, 24);
}

/// Answers the first question of a reconciler, and throws rubbish at it.
struct Ghost {
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ghost {
    fn haunt(group: &Group) -> Ghost {
        use roda::wire::{Body, HEADER_BYTES, Progress, Reconciled, decode, encode};
        use roda::words::{Incarnation, Member, NodeId};

        let address: std::net::SocketAddrV4 = group.address.parse().unwrap();
        let number = group.address.parse::<roda::host::net::Group>().unwrap().number();
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&std::net::SocketAddr::V4(address).into()).unwrap();
        socket
            .join_multicast_v4(address.ip(), &Ipv4Addr::LOCALHOST)
            .unwrap();
        let socket: UdpSocket = socket.into();
        socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let member = Member {
            id: NodeId(77),
            incarnation: Incarnation(5),
        };
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let datagram = bytes::Bytes::copy_from_slice(&buffer[..length]);
                let Ok((_, Body::Reconcile(ask))) = decode(number, datagram) else {
                    continue;
                };
                let answer = Body::Reconciled(Reconciled {
                    nonce: ask.nonce,
                    progress: Progress::Here,
                    records: 3,
                    hash: 3,
                    received: 0,
                    out_of_order: 0,
                    high: None,
                    stream_port: 9,
                });
                let answer = encode(number, member, &answer);
                own.send_to(&answer, from).unwrap();
                for cut in 0..answer.len() {
                    own.send_to(&answer[..cut], from).unwrap();
                    own.send_to(&answer[cut.min(HEADER_BYTES)..], from).unwrap();
                }
                return;
            }
        });
        Ghost { thread: Some(thread) }
    }
}

impl Drop for Ghost {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
