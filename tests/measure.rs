//! Times and costs as users feel them, measured on real processes; `docs/MEASUREMENTS.md` says how to run them and
//! what came out. They take minutes and want a machine that is calm, so none runs unless it is asked for.
//!
//! `RODA_KILLS`, `RODA_LEAVES`, `RODA_IDLE_SECS`, `RODA_BUSY_SECS` change how long they take.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // They read clocks and files, and end where they fail.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, tick, unbounded};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Group, PATIENCE, members};

/// So long nothing must have been told for a ring to count as resting.
const QUIET: Duration = Duration::from_millis(400);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Sorted times, and what is told of them.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        assert!(!times.is_empty(), "nothing was measured");
        Times(times)
    }

    /// The value that this share of them, in thousandths, does not exceed.
    fn up_to(&self, thousandths: usize) -> Duration {
        let rank = (self.0.len() * thousandths).div_ceil(1_000);
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    fn tell(&self, what: &str) {
        let (p50, p99, max) = (self.up_to(500), self.up_to(990), self.up_to(1_000));
        let count = self.0.len();
        println!(
            "{what}: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms ({count})",
            ms(p50),
            ms(p99),
            ms(max)
        );
    }
}

/// A node whose events are stamped as they are read.
struct Watched {
    id: u16,
    child: Child,
    input: ChildStdin,
    events: Receiver<(Instant, Value)>,
    /// How often it gathered, and how many rings it entered.
    gatherings: u64,
    rings: u64,
    /// How many members its ring has.
    ring_size: usize,
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn read_events(output: impl std::io::Read, events: &Sender<(Instant, Value)>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let now = Instant::now();
        let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        if events.send((now, event)).is_err() {
            return;
        }
    }
}

impl Watched {
    fn spawn(id: u16, mut command: Command) -> Watched {
        command.arg("--json").stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, events) = unbounded();
        std::thread::Builder::new()
            .spawn(move || read_events(output, &sender))
            .unwrap();
        Watched {
            id,
            input: child.stdin.take().unwrap(),
            child,
            events,
            gatherings: 0,
            rings: 0,
            ring_size: 0,
        }
    }

    fn say(&mut self, text: &str) {
        self.input.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn next(&mut self, deadline: Instant) -> Option<(Instant, Value)> {
        let (at, event) = self.events.recv_deadline(deadline).ok()?;
        self.gatherings += u64::from(event["type"] == "gathering");
        if event["type"] == "ring" {
            self.rings += 1;
            self.ring_size = members(&event).len();
        }
        Some((at, event))
    }

    /// The next event that fits, and when it was told.
    fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let deadline = Instant::now() + PATIENCE;
        while let Some((at, event)) = self.next(deadline) {
            if fits(&event) {
                return (at, event);
            }
        }
        panic!("node {}: no {what} in time", self.id);
    }

    fn wait_text(&mut self, text: &str) -> Instant {
        self.wait(text, |event| event["type"] == "message" && event["text"] == text)
            .0
    }

    /// Waits until its ring has so many members.
    fn wait_ring(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.ring_size != count {
            let event = self.next(deadline);
            assert!(event.is_some(), "node {}: no ring of {count} in time", self.id);
        }
    }

    /// Waits until nothing has been told for a while.
    fn wait_quiet(&mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.next(Instant::now() + QUIET).is_some() {}
    }
}

/// Where a ring lives, and how a node of it falls and gets up again.
trait Stage {
    fn start(&self, id: u16) -> Watched;
    fn fell(&self, node: &mut Watched);
    fn mend(&self, node: &mut Watched);
}

fn ring_on(stage: &dyn Stage, count: u16) -> Vec<Watched> {
    let mut nodes: Vec<Watched> = (1..=count).map(|id| stage.start(id)).collect();
    nodes
        .iter_mut()
        .for_each(|node| node.wait_ring(usize::from(count)));
    nodes.iter_mut().for_each(Watched::wait_quiet);
    nodes
}

/// Processes that are killed; the host stays.
struct Killed(Group);

impl Stage for Killed {
    fn start(&self, id: u16) -> Watched {
        Watched::spawn(id, self.0.command(id, &[]))
    }

    fn fell(&self, node: &mut Watched) {
        node.child.kill().unwrap();
    }

    fn mend(&self, node: &mut Watched) {
        node.child.wait().unwrap();
        *node = self.start(node.id);
    }
}

/// Hosts in network namespaces of their own, on a bridge, whose links are cut.
struct Cut {
    group: Group,
    prefix: String,
}

fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {error}");
}

impl Cut {
    /// Needs the right to make namespaces.
    fn new(count: u16) -> Cut {
        let prefix = format!("roda-{}", std::process::id());
        let cut = Cut {
            group: Group::new(),
            prefix,
        };
        let hub = cut.place(0);
        ip(&format!("netns add {hub}"));
        ip(&format!("-n {hub} link add roda0 type bridge mcast_snooping 0"));
        ip(&format!("-n {hub} link set roda0 up"));
        for id in 1..=count {
            let place = cut.place(id);
            ip(&format!("netns add {place}"));
            ip(&format!(
                "link add roda{id} netns {hub} type veth peer name eth0 netns {place}"
            ));
            ip(&format!("-n {hub} link set roda{id} master roda0 up"));
            ip(&format!("-n {place} addr add 10.77.0.{id}/24 dev eth0"));
            ip(&format!("-n {place} link set lo up"));
            ip(&format!("-n {place} link set eth0 up"));
        }
        cut
    }

    fn place(&self, id: u16) -> String {
        format!("{}-{id}", self.prefix)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        for id in 0..=9 {
            let place = self.place(id);
            // Those that were never made cannot be removed.
            Command::new("ip")
                .args(["netns", "del", &place])
                .stderr(Stdio::null())
                .status()
                .map(drop)
                .unwrap_or_default();
        }
    }
}

impl Stage for Cut {
    fn start(&self, id: u16) -> Watched {
        let mut command = Command::new("ip");
        let address = format!("10.77.0.{id}");
        command
            .args(["netns", "exec", &self.place(id), env!("CARGO_BIN_EXE_node")])
            .args(["--id", &id.to_string(), "--group", &self.group.address])
            .args(["--interface", &address, "--data-dir"])
            .arg(self.group.folder.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Watched::spawn(id, command)
    }

    fn fell(&self, node: &mut Watched) {
        ip(&format!("-n {} link set roda{} down", self.place(0), node.id));
    }

    fn mend(&self, node: &mut Watched) {
        ip(&format!("-n {} link set roda{} up", self.place(0), node.id));
    }
}

/// One fall of the holder: from there to the next ordered message at all that are left.
fn one_fall(stage: &dyn Stage, nodes: &mut [Watched], round: usize) -> Duration {
    // It rests at the first when nobody speaks; else who speaks holds it, before or after its line is out.
    let holder = if round.is_multiple_of(3) {
        0
    } else {
        round / 3 % nodes.len()
    };
    match round % 3 {
        0 => {}
        1 => {
            nodes[holder].say(&format!("words {round}"));
            nodes[holder].wait("grant", |event| event["type"] == "grant");
        }
        _ => {
            nodes[holder].say(&format!("words {round}"));
            nodes[holder].wait_text(&format!("words {round}"));
        }
    }
    let began = Instant::now();
    stage.fell(&mut nodes[holder]);
    let text = format!("after the fall {round}");
    let speaker = (holder + 1 + round / 2 % (nodes.len() - 1)) % nodes.len();
    nodes[speaker].say(&text);
    let left = nodes.iter_mut().enumerate().filter(|(at, _)| *at != holder);
    let heard = left.map(|(_, node)| node.wait_text(&text)).max().unwrap();
    mend(stage, nodes, holder);
    heard - began
}

/// One that is missed by the others gets up again, and all are one ring.
fn mend(stage: &dyn Stage, nodes: &mut [Watched], fallen: usize) {
    let count = nodes.len();
    for (at, node) in nodes.iter_mut().enumerate() {
        if at != fallen {
            node.wait_ring(count - 1);
        }
    }
    stage.mend(&mut nodes[fallen]);
    nodes.iter_mut().for_each(|node| node.wait_ring(count));
    nodes.iter_mut().for_each(Watched::wait_quiet);
}

fn falls(stage: &dyn Stage, what: &str, count: u64) -> Times {
    let mut nodes = ring_on(stage, 3);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..count as usize {
        times[round % 3].push(one_fall(stage, &mut nodes, round));
    }
    for (kind, times) in ["resting", "speaking", "has spoken"].iter().zip(&times) {
        if !times.is_empty() {
            Times::of(times.clone()).tell(&format!("{what}, the holder {kind}"));
        }
    }
    let all = Times::of(times.concat());
    all.tell(&format!("{what}, next ordered message at all others"));
    all
}

#[test]
#[ignore = "takes minutes, and measures"]
fn holder_killed() {
    let times = falls(&Killed(Group::new()), "holder killed", setting("RODA_KILLS", 200));
    assert!(times.up_to(990) <= Duration::from_millis(150));
}

#[test]
#[ignore = "takes minutes, makes network namespaces, and measures"]
fn holder_cut_off() {
    let times = falls(&Cut::new(3), "holder's link cut", setting("RODA_KILLS", 200));
    assert!(times.up_to(990) <= Duration::from_millis(500));
}

/// The longest time without a message between two moments, at one node.
fn longest_gap(messages: &[Instant], from: Instant, to: Instant) -> Duration {
    let inside = messages.iter().copied().filter(|at| *at > from && *at < to);
    let ends: Vec<Instant> = std::iter::once(from).chain(inside).chain([to]).collect();
    ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[test]
#[ignore = "takes minutes, and measures"]
fn polite_leave() {
    let stage = Killed(Group::new());
    let mut nodes = ring_on(&stage, 3);
    let (mut before, mut around) = (Vec::new(), Vec::new());
    for round in 0..setting("RODA_LEAVES", 30) as usize {
        let leaver = round % 3;
        let others: Vec<usize> = (0..3).filter(|at| *at != leaver).collect();
        let ticks = tick(Duration::from_millis(2));
        let began = Instant::now();
        let mut left = None;
        for line in 0..750 {
            ticks.recv().unwrap();
            nodes[others[line % 2]].say(&format!("{round}.{line}"));
            if line == 400 {
                left = Some(Instant::now());
                nodes[leaver].signal(Signal::TERM);
            }
        }
        let (left, ended) = (left.unwrap(), Instant::now());
        let last = format!("{round}.749");
        for at in others {
            let mut messages = Vec::new();
            loop {
                let (at, event) = nodes[at].wait("message", |event| event["type"] == "message");
                messages.push(at);
                if event["text"] == last {
                    break;
                }
            }
            let warm = began + Duration::from_millis(200);
            before.push(longest_gap(&messages, warm, left));
            around.push(longest_gap(&messages, left, ended));
        }
        mend(&stage, &mut nodes, leaver);
    }
    let (before, around) = (Times::of(before), Times::of(around));
    before.tell("longest gap in 0.6 s in which nobody leaves");
    around.tell("longest gap in the 0.7 s in which one leaves");
    // Half of the rounds are calm enough to see what leaving costs.
    assert!(around.up_to(500) <= Duration::from_millis(10).max(before.up_to(500)));
}

#[test]
#[ignore = "takes a minute, and measures"]
fn all_leave_together() {
    let stage = Killed(Group::new());
    let mut times = Vec::new();
    for _ in 0..setting("RODA_LEAVES", 30) {
        let mut nodes = ring_on(&stage, 3);
        let began = Instant::now();
        nodes.iter().for_each(|node| node.signal(Signal::TERM));
        for node in &mut nodes {
            assert!(node.child.wait().unwrap().success());
        }
        times.push(began.elapsed());
    }
    Times::of(times).tell("all three asked to end at once, until the last has");
}

/// What a process has cost so far: time on a core, and how often it slept and was woken.
fn cost(pid: u32) -> (Duration, u64) {
    let (mut nanoseconds, mut sleeps) = (0, 0);
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let thread = thread.unwrap().path();
        let times = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        nanoseconds += times.split(' ').next().unwrap().parse::<u64>().unwrap();
        let status = std::fs::read_to_string(thread.join("status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"));
        sleeps += line
            .unwrap()
            .rsplit(['\t', ' '])
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap();
    }
    (Duration::from_nanos(nanoseconds), sleeps)
}

/// How many datagrams this network namespace has sent. Nothing else may send meanwhile.
fn datagrams_sent() -> u64 {
    let counters = std::fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, sent) = pairs.find(|(name, _)| *name == "OutDatagrams").unwrap();
    sent.parse().unwrap()
}

#[test]
#[ignore = "takes a minute, and measures"]
fn idle_ring() {
    // It owns the folder of the nodes, so it must outlive them.
    let stage = Killed(Group::new());
    let mut nodes = ring_on(&stage, 3);
    let seconds = setting("RODA_IDLE_SECS", 30);
    nodes.iter_mut().for_each(Watched::wait_quiet);
    let costs = |nodes: &[Watched]| -> Vec<(Duration, u64)> {
        nodes.iter().map(|node| cost(node.child.id())).collect()
    };
    let (began, first, before) = (Instant::now(), costs(&nodes), datagrams_sent());
    tick(Duration::from_secs(seconds)).recv().unwrap();
    let (elapsed, last, after) = (began.elapsed().as_secs_f64(), costs(&nodes), datagrams_sent());
    let mut share = 0.0;
    for (node, ((first, slept), (last, sleeps))) in nodes.iter().zip(first.iter().zip(&last)) {
        let part = (*last - *first).as_secs_f64() / elapsed * 100.0;
        let wakes = (sleeps - slept) as f64 / elapsed;
        println!(
            "idle, node {}: {part:.3} % of a core, {wakes:.1} wake-ups/s",
            node.id
        );
        share += part;
    }
    let datagrams = (after - before) as f64 / elapsed;
    println!("idle ring of three over {seconds} s: {share:.3} % of a core, {datagrams:.2} datagrams/s");
    assert!(datagrams <= 6.0, "at most 6 datagrams a second");
}

#[test]
#[ignore = "takes ten minutes, keeps all cores busy, and measures"]
fn busy_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    // It owns the folder of the nodes, so it must outlive them.
    let stage = Killed(Group::new());
    let mut nodes = ring_on(&stage, 3);
    let (gatherings, rings) = totals(&nodes);
    let loops = (0..cores).map(|_| {
        Busy(
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .unwrap(),
        )
    });
    let _loops: Vec<Busy> = loops.collect();
    let seconds = setting("RODA_BUSY_SECS", 600);
    let ticks = tick(Duration::from_millis(50));
    let mut said: BTreeMap<String, Instant> = BTreeMap::new();
    for number in 0..seconds * 20 {
        ticks.recv().unwrap();
        let text = format!("line {number}");
        said.insert(text.clone(), Instant::now());
        nodes[number as usize % 3].say(&text);
    }
    let mut times = Vec::new();
    for node in &mut nodes {
        for _ in 0..said.len() {
            let (at, event) = node.wait("message", |event| event["type"] == "message");
            times.push(at.duration_since(said[event["text"].as_str().unwrap()]));
        }
    }
    Times::of(times).tell(&format!(
        "{cores} busy cores for {seconds} s, a line every 50 ms, until it is told at each node"
    ));
    let (gathered, entered) = totals(&nodes);
    let (gathered, entered) = (gathered - gatherings, entered - rings);
    println!("false failures: {gathered} gatherings, {entered} rings");
    assert_eq!((gathered, entered), (0, 0), "nobody failed");
}

fn totals(nodes: &[Watched]) -> (u64, u64) {
    let sum = |count: fn(&Watched) -> u64| nodes.iter().map(count).sum();
    (sum(|node| node.gatherings), sum(|node| node.rings))
}

/// An endless loop that ends with the measurement.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}
