//! The group key among real processes on loopback: made, refused, used, not understood, exchanged; and nobody
//! without it believed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use roda::sim::world::World;
use roda::wire::seal::key::{GroupKey, Keys};
use roda::words::NodeId;
use serde_json::Value;
use support::{Ended, Group, Node, piped, run, wait_until};

/// A command of `node` that needs no group.
fn node(words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
    command.args(words);
    run(piped(command), b"")
}

/// A new key file in a group's folder.
fn keygen(group: &Group, name: &str) -> PathBuf {
    let path = group.folder.path().join(name);
    let ended = node(&["keygen", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    path
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// The line of a key file that holds its key.
fn key_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .find(|line| line.starts_with("roda-key-1"))
        .unwrap()
        .to_string()
}

fn start(group: &Group, id: u16, key: &Path) -> Node {
    group.start(id, &["--key-file", key.to_str().unwrap(), "--delay", "0"])
}

/// A ring of nodes 1, 2 ... with this key.
fn ring(group: &Group, count: u16, key: &Path) -> Vec<Node> {
    let mut nodes: Vec<Node> = (1..=count).map(|id| start(group, id, key)).collect();
    let all: Vec<u16> = (1..=count).collect();
    nodes.iter_mut().for_each(|node| node.wait_ring(&all));
    nodes
}

fn reconciler(group: &Group, words: &[&str]) -> Ended {
    let mut command = group.reconciler(words);
    // Longer than from one beacon of a ring to the next: those without its key hear nothing else of it.
    command.args(["--wait", "2s"]);
    run(command, b"")
}

#[test]
fn a_key_is_made_once_and_refused_if_others_can_reach_it() {
    let group = Group::new();
    let key = keygen(&group, "key");
    assert_eq!(mode(&key), 0o600);
    let before = key_line(&key);
    let again = node(&["keygen", key.to_str().unwrap()]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("was not touched"), "{}", again.stderr);
    assert_eq!(key_line(&key), before);
    assert_ne!(key_line(&keygen(&group, "other")), before);
    for wide in [0o640, 0o604, 0o622] {
        chmod(&key, wide);
        let mut node = start(&group, 1, &key);
        assert_eq!(node.wait_exit().code(), Some(6));
        let talk = node.talk();
        assert!(
            talk.contains(&format!("{wide:04o}")) && talk.contains("chmod 600"),
            "{talk}"
        );
        let secret = before.split(' ').next_back().unwrap();
        assert!(!talk.contains(secret));
    }
    assert!(!group.replica(1).exists(), "nothing was touched");
    let ended = reconciler(&group, &["--key-file", key.to_str().unwrap()]);
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let missing = reconciler(&group, &["--key-file", "nowhere"]);
    assert_eq!(missing.code, Some(6), "{}", missing.stderr);
}

#[test]
fn a_keyed_ring_chats_and_what_is_on_the_wire_and_on_disk_is_for_members() {
    let group = Group::new();
    let key = keygen(&group, "key");
    std::fs::create_dir(group.folder.path().join("replicas")).unwrap();
    chmod(&group.folder.path().join("replicas"), 0o755);
    let capture = Capture::of(&group);
    let mut nodes = ring(&group, 3, &key);
    assert!(
        nodes[0]
            .events
            .iter()
            .any(|event| event["type"] == "start" && event["encrypted"] == true)
    );
    let texts: Vec<String> = (0..30)
        .map(|number| format!("plaintext number {number}"))
        .collect();
    for (number, text) in texts.iter().enumerate() {
        // One after the other, so that each has a datagram of its own.
        nodes[number % 3].say(text);
        nodes[number % 3].wait_texts(&[text]);
    }
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&all));
    let captured = capture.end();
    assert!(captured.len() > 30, "{} datagrams were captured", captured.len());
    for bytes in &captured {
        assert_eq!(bytes[18], 16, "each has a tag");
        for word in ["plaintext", "geral", "room"] {
            assert!(!contains(bytes, word), "{word:?} stands in a datagram");
        }
    }
    for folder in ["replicas", "checkpoints", "checkpoints/node-1"] {
        assert_eq!(mode(&group.folder.path().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&group.replica(1)), 0o600);
    // The same without a key, so that looking for it is known to find it.
    let open = Group::new();
    let capture = Capture::of(&open);
    let mut nodes = open.ring(2);
    nodes[0].say("plaintext number 0");
    nodes[1].wait_texts(&["plaintext number 0"]);
    assert!(capture.end().iter().any(|bytes| contains(bytes, "plaintext")));
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Everything the nodes of a group multicast, from now on.
struct Capture {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Vec<u8>>>,
}

impl Capture {
    fn of(group: &Group) -> Capture {
        let socket: UdpSocket = group.listener();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let listen = move || {
            let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut buffer) {
                    all.push(buffer[..length].to_vec());
                }
            }
            all
        };
        let thread = std::thread::Builder::new().spawn(listen).unwrap();
        Capture { stop, thread }
    }

    fn end(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Waits until a node tells of somebody on this machine whom it does not understand.
fn wait_stranger(node: &mut Node, foreign: &str) {
    wait_until(foreign, || {
        node.drain();
        node.events.iter().any(|event| {
            let named = event["type"] == "stranger" && event["foreign"] == foreign;
            named && event["from_address"] == "127.0.0.1" && event["per_second"].as_u64() > Some(0)
        })
    });
}

#[test]
fn another_key_is_a_named_fact_on_both_sides() {
    let group = Group::new();
    let (key, other) = (keygen(&group, "key"), keygen(&group, "other"));
    let mut nodes = ring(&group, 2, &key);
    let mut third = start(&group, 3, &other);
    let mut fourth = group.start(4, &[]);
    wait_stranger(&mut third, "other_key");
    wait_stranger(&mut fourth, "with_key");
    wait_stranger(&mut nodes[0], "other_key");
    wait_stranger(&mut nodes[0], "without_key");
    nodes[0].say("for us");
    nodes[1].wait_texts(&["for us"]);
    assert_eq!((third.times("for us"), fourth.times("for us")), (0, 0));
}

#[test]
fn a_piped_program_with_the_wrong_key_says_so_and_ends_with_6() {
    let group = Group::new();
    let (key, other) = (keygen(&group, "key"), keygen(&group, "other"));
    let nodes = ring(&group, 2, &key);
    for words in [vec!["--key-file", other.to_str().unwrap()], vec![]] {
        let command = group.command(3, &[&words[..], &["--wait-limit", "4s"]].concat());
        let ended = run(command, b"hello\n");
        assert_eq!(ended.code, Some(6), "{}", ended.stderr);
        assert!(ended.stderr.contains("--key-file"), "{}", ended.stderr);
    }
    // By the environment as well as by the flag, the right one is understood.
    let mut command = group.command(4, &["--wait", "held"]);
    command.env("RODA_KEY_FILE", &key);
    let ended = run(command, b"hello\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    drop(nodes);
}

#[test]
fn the_reconciler_needs_the_key_of_live_nodes() {
    let group = Group::new();
    let key = keygen(&group, "key");
    let mut nodes = ring(&group, 2, &key);
    nodes[0].say("one");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["one"]));
    let with = reconciler(&group, &["--key-file", key.to_str().unwrap(), "--json"]);
    assert_eq!(with.code, Some(0), "{}\n{}", with.stdout, with.stderr);
    assert_eq!(
        with.stdout.matches("\"type\":\"replica\"").count(),
        2,
        "{}",
        with.stdout
    );
    let other = keygen(&group, "other");
    for words in [vec![], vec!["--key-file", other.to_str().unwrap()]] {
        let without = reconciler(&group, &words);
        assert_eq!(without.code, Some(6), "{words:?}: {}", without.stderr);
        assert!(without.stderr.contains("--key-file"), "{}", without.stderr);
    }
}

#[test]
fn a_node_that_was_away_catches_up_over_sealed_streams() {
    let group = Group::new();
    let elsewhere = group.elsewhere();
    let key = keygen(&group, "key");
    let mut nodes = ring(&group, 2, &key);
    let texts: Vec<String> = (0..200).map(|number| format!("line {number}")).collect();
    texts.iter().for_each(|text| nodes[0].say(text));
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&all));
    let mut third = start(&elsewhere, 3, &key);
    third.wait_texts(&all);
    wait_until("the replica has all", || elsewhere.sorted_replica(3).len() == 200);
}

#[test]
fn keys_are_exchanged_without_stopping_the_ring() {
    let group = Group::new();
    let key = keygen(&group, "key");
    let old = key_line(&key);
    let new = key_line(&keygen(&group, "new"));
    let mut nodes = ring(&group, 2, &key);
    let rekeyed = |count: usize| {
        move |event: &Value| event["type"] == "rekeyed" && event["keys"].as_array().unwrap().len() == count
    };
    let steps = [(vec![&old, &new], 2), (vec![&new, &old], 2), (vec![&new], 1)];
    for (step, (lines, count)) in steps.into_iter().enumerate() {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&key, text).unwrap();
        for node in &mut nodes {
            node.wait_for("other keys", rekeyed(count));
        }
        let said = format!("after step {step}");
        nodes[step % 2].say(&said);
        nodes.iter_mut().for_each(|node| node.wait_texts(&[&said]));
    }
    for node in &nodes {
        let rings = node.events.iter().filter(|event| event["type"] == "ring");
        let last = rings
            .map(|event| event["members"].as_array().unwrap().len())
            .collect::<Vec<_>>();
        assert_eq!(
            last.iter().filter(|members| **members == 2).count(),
            1,
            "{last:?}"
        );
    }
    // A file that cannot be used changes nothing.
    std::fs::write(&key, "roda-key-1 nonsense\n").unwrap();
    nodes[0].say("still here");
    nodes[1].wait_texts(&["still here"]);
}

/// A network of this test's own, with nothing but loopback in it; gone when it is dropped.
struct Namespace(String);

impl Namespace {
    fn new() -> Namespace {
        let space = Namespace(format!("roda-key-{}", std::process::id()));
        space.ip(&["netns", "add", &space.0]);
        space.ip(&["-n", &space.0, "link", "set", "lo", "up"]);
        space
    }

    fn ip(&self, words: &[&str]) {
        assert!(
            Command::new("ip").args(words).status().unwrap().success(),
            "ip {words:?}"
        );
    }

    /// The same command, in here.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside
            .args(["netns", "exec", &self.0])
            .arg(command.get_program())
            .args(command.get_args());
        piped(inside)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left of it is told by `ip netns`.
        let gone = Command::new("ip").args(["netns", "del", &self.0]).status();
        assert!(std::thread::panicking() || gone.is_ok_and(|status| status.success()));
    }
}

/// Everything that goes over the wire, streams included, while two nodes chat and a third one catches up.
fn everything_on_the_wire(space: &Namespace, key: Option<&str>) -> Vec<u8> {
    let group = Group::new();
    let mut words = vec!["--delay", "0", "--json"];
    let key = key.map(|name| keygen(&group, name));
    if let Some(path) = &key {
        words.extend(["--key-file", path.to_str().unwrap()]);
    }
    let file = group.folder.path().join("capture");
    let mut tcpdump = Command::new("tcpdump");
    tcpdump
        .args(["-i", "lo", "-U", "-s", "0", "-Z", "root", "-w"])
        .arg(&file);
    let mut tcpdump = space.inside(&tcpdump).spawn().unwrap();
    wait_until("tcpdump listens", || {
        std::fs::metadata(&file).is_ok_and(|about| about.len() > 0)
    });
    let mut nodes: Vec<Node> = (1..=2)
        .map(|id| Node::spawn(id, space.inside(&group.command(id, &words))))
        .collect();
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2]));
    let texts: Vec<String> = (0..50)
        .map(|number| format!("plaintext number {number}"))
        .collect();
    texts.iter().for_each(|text| nodes[0].say(text));
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&all));
    let elsewhere = group.elsewhere();
    let mut third = Node::spawn(3, space.inside(&elsewhere.command(3, &words)));
    third.wait_texts(&all);
    drop((nodes, third));
    // A last datagram shows that the file has all before it.
    let marker = "roda: the end of the capture";
    let mark = |port: u16| format!("echo -n '{marker}' > /dev/udp/127.0.0.1/{port}");
    wait_until("the capture is written", || {
        let mut shell = Command::new("bash");
        shell.args(["-c", &mark(9)]);
        space.inside(&shell).output().unwrap();
        std::fs::read(&file).is_ok_and(|bytes| contains(&bytes, marker))
    });
    tcpdump.kill().unwrap();
    tcpdump.wait().unwrap();
    std::fs::read(&file).unwrap()
}

#[test]
fn a_capture_of_all_traffic_holds_no_plaintext() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: a network namespace takes root");
        return;
    }
    let space = Namespace::new();
    let sealed = everything_on_the_wire(&space, Some("key"));
    assert!(contains(&sealed, "ros\x01"), "a stream was captured");
    for word in ["plaintext", "geral", "\"text\"", "node1"] {
        assert!(!contains(&sealed, word), "{word:?} was captured");
    }
    let open = everything_on_the_wire(&space, None);
    assert!(
        contains(&open, "plaintext number 49"),
        "without a key it is found"
    );
}

/// A keyed ring in the simulator under attack: none of it is believed, memory stays, the ring lives.
fn under_attack(rounds: u32, each: u32) {
    let mut world = World::new(11);
    world.keys = Some(Keys::one(GroupKey::new([7; 32].into())));
    world.config.delay_max_us = 0;
    for id in 1..=3 {
        world.start(NodeId(id)).unwrap();
    }
    world.run_until(world.now.after_us(5_000_000)).unwrap();
    assert!(world.is_settled(), "the ring is formed");
    world.attack(each).unwrap();
    let before = resident_bytes();
    for round in 0..rounds {
        world.attack(each).unwrap();
        world.say(NodeId(1), &format!("in round {round}")).unwrap();
        world.run_until(world.now.after_us(50_000)).unwrap();
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "memory grew by {grown} bytes");
    world.run_until(world.now.after_us(5_000_000)).unwrap();
    assert!(world.is_settled(), "the ring lives");
    for kind in ["altered", "forged", "replayed"] {
        let count = world.checker.seen.get(kind).copied().unwrap_or(0);
        assert!(count > u64::from(rounds * each / 8), "{count} were {kind}");
    }
    println!(
        "{} datagrams, none believed; memory grew by {grown} bytes",
        rounds * each
    );
}

/// How much memory this process has.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[test]
fn fifty_thousand_forgeries_are_not_believed() {
    under_attack(50, 1_000);
}

#[test]
#[ignore = "it takes a minute: cargo test --release --test key -- --ignored --nocapture"]
fn a_million_forgeries_are_not_believed() {
    under_attack(1_000, 1_000);
}
