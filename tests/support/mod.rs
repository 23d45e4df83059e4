//! Real nodes on loopback, for tests: each in a process of its own, told what to do through its pipes.
//!
//! Every test has a group (an own port, an own folder), so that tests run beside each other. Nothing sleeps:
//! each wait is for a condition, with a deadline. A process that a test forgot is killed when it is dropped.
#![allow(dead_code)] // Not every test file needs every helper.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

pub mod page;
pub mod pty;
pub mod replayed;
pub mod table;
pub mod tmux;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// How long anything may take before a test fails. Much longer than it does take: machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder and a multicast group of a test's own.
pub struct Group {
    pub folder: tempfile::TempDir,
    pub address: String,
}

impl Group {
    pub fn new() -> Group {
        // A port that is free now; nobody else asks for just this one.
        let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        Group {
            folder: tempfile::tempdir().unwrap(),
            address: format!("239.77.0.1:{port}"),
        }
    }

    /// The same group, with a folder of its own: another machine.
    pub fn elsewhere(&self) -> Group {
        Group {
            folder: tempfile::tempdir().unwrap(),
            address: self.address.clone(),
        }
    }

    pub fn port(&self) -> u16 {
        self.address.split_once(':').unwrap().1.parse().unwrap()
    }

    pub fn replica(&self, id: u16) -> PathBuf {
        self.folder.path().join(format!("replicas/node-{id}.jsonl"))
    }

    pub fn checkpoints(&self, id: u16) -> PathBuf {
        self.folder.path().join(format!("checkpoints/node-{id}"))
    }

    /// The lines of a replica in canonical order.
    pub fn sorted_replica(&self, id: u16) -> Vec<String> {
        let text = std::fs::read_to_string(self.replica(id)).unwrap_or_default();
        // Its last line may be in the middle of being written.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines: Vec<(u64, u64, u64, u64, String)> = whole
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).unwrap();
                let ring: Vec<u64> = value["ring"]
                    .as_str()
                    .unwrap()
                    .split('.')
                    .map(|part| part.parse().unwrap())
                    .collect();
                let seq = value["seq"].as_u64().unwrap();
                (ring[0], ring[1], ring[2], seq, line.to_string())
            })
            .collect();
        lines.sort();
        lines.into_iter().map(|line| line.4).collect()
    }

    /// A socket that hears what the nodes of this group send to all.
    pub fn listener(&self) -> UdpSocket {
        let socket = udp();
        socket.set_reuse_address(true).unwrap();
        let address: SocketAddrV4 = self.address.parse().unwrap();
        socket.bind(&address.into()).unwrap();
        socket
            .join_multicast_v4(address.ip(), &Ipv4Addr::LOCALHOST)
            .unwrap();
        socket.into()
    }

    /// A socket that sends to them, on loopback only.
    pub fn sender(&self) -> UdpSocket {
        let socket = udp();
        socket
            .bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())
            .unwrap();
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        socket.into()
    }

    /// The command for a node of this group.
    pub fn command(&self, id: u16, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command
            .args(["--id", &id.to_string(), "--group", &self.address])
            .args(["--interface", "127.0.0.1", "--data-dir"])
            .arg(self.folder.path())
            .args(words);
        piped(command)
    }

    /// The command for the reconciler over this group's folder and its live nodes.
    pub fn reconciler(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler"));
        command
            .args(["--group", &self.address])
            .args(["--interface", "127.0.0.1", "--data-dir"])
            .arg(self.folder.path())
            .args(words);
        piped(command)
    }

    /// Starts a node that tells events as JSON.
    pub fn start(&self, id: u16, words: &[&str]) -> Node {
        let mut command = self.command(id, words);
        command.arg("--json");
        Node::spawn(id, command)
    }

    /// Starts nodes 1, 2 ... and waits until they are one ring.
    pub fn ring(&self, count: u16) -> Vec<Node> {
        let mut nodes: Vec<Node> = (1..=count).map(|id| self.start(id, &[])).collect();
        let all: Vec<u16> = (1..=count).collect();
        nodes.iter_mut().for_each(|node| node.wait_ring(&all));
        nodes
    }
}

/// A socket that waits for nothing longer than a test does.
fn udp() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A node's process.
pub struct Node {
    pub id: u16,
    pub child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    talk: Receiver<String>,
    has_ended: bool,
    /// All events so far.
    pub events: Vec<Value>,
    /// How many of them have been waited for.
    looked_at: usize,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Node {
    pub fn spawn(id: u16, mut command: Command) -> Node {
        let mut child = command.spawn().unwrap();
        let output = lines_of(child.stdout.take().unwrap());
        let talk = lines_of(child.stderr.take().unwrap());
        Node {
            id,
            input: child.stdin.take(),
            child,
            output,
            talk,
            has_ended: false,
            events: Vec::new(),
            looked_at: 0,
        }
    }

    /// Says a line.
    pub fn say(&mut self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Writes bytes into its input.
    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// Its input, to be written to by somebody else.
    pub fn take_input(&mut self) -> ChildStdin {
        self.input.take().expect("the input is open")
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Takes in the next event; `None` at the deadline, or if the output has ended.
    fn next_event(&mut self, deadline: Instant) -> Option<Value> {
        let line = self.output.recv_deadline(deadline).ok()?;
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.events.push(event.clone());
        Some(event)
    }

    /// Waits for an event after the last one that was waited for.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(PATIENCE, what, fits)
    }

    pub fn wait_within(&mut self, limit: Duration, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(event) = self.events.get(self.looked_at) {
                self.looked_at += 1;
                if fits(event) {
                    return event.clone();
                }
            }
            if self.next_event(deadline).is_none() {
                panic!("node {}: no {what} in time\n{}", self.id, self.dump());
            }
        }
    }

    /// Waits until the last ring told is of these members.
    pub fn wait_ring(&mut self, ids: &[u16]) {
        self.wait_for(&format!("ring of {ids:?}"), |event| {
            event["type"] == "ring" && members(event) == ids
        });
    }

    /// Waits until the last ring told so far or to come has this many members.
    pub fn wait_ring_of(&mut self, count: usize) {
        self.drain();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = self.events.iter().rev().find(|event| event["type"] == "ring");
            if last.is_some_and(|ring| members(ring).len() == count) {
                return;
            }
            if self.next_event(deadline).is_none() {
                panic!("node {}: no ring of {count} in time\n{}", self.id, self.dump());
            }
        }
    }

    /// Waits for the end of a process that tells no JSON: all that it printed.
    pub fn wait_plain(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut text = String::new();
        while let Ok(line) = self.output.recv_deadline(deadline) {
            text.push_str(&line);
            text.push('\n');
        }
        self.child.wait().unwrap();
        text
    }

    /// Says a line if its input is still read, again if it is refused for lack of room, and waits until it has its
    /// number or the process has ended; whether it has its number.
    pub fn say_if_alive(&mut self, text: &str) -> bool {
        let line = format!("{text}\n");
        let deadline = Instant::now() + PATIENCE;
        let (mut say, mut refused) = (true, false);
        loop {
            let input = self.input.as_mut().expect("the input is open");
            if std::mem::take(&mut say) && input.write_all(line.as_bytes()).is_err() {
                return false;
            }
            let Some(event) = self.next_event(deadline) else {
                assert!(
                    Instant::now() < deadline,
                    "node {} hangs\n{}",
                    self.id,
                    self.dump()
                );
                return false;
            };
            if event["type"] == "message" && event["text"] == text {
                return true;
            }
            refused |= event["type"] == "refused";
            say = refused && event["type"] == "disk_room";
            refused &= !say;
        }
    }

    /// Waits for a checkpoint after the last event told, or for the end.
    pub fn wait_checkpoint_or_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = self.next_event(deadline) {
            if event["type"] == "checkpointed" {
                return;
            }
        }
        assert!(
            Instant::now() < deadline,
            "node {} hangs\n{}",
            self.id,
            self.dump()
        );
    }

    /// Waits for messages with these texts, in any order, also among those that came before.
    pub fn wait_texts(&mut self, texts: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        let mut missing: Vec<&str> = texts.to_vec();
        let mut at = 0;
        while !missing.is_empty() {
            if let Some(event) = self.events.get(at) {
                at += 1;
                if event["type"] == "message" {
                    missing.retain(|text| event["text"] != *text);
                }
            } else if self.next_event(deadline).is_none() {
                panic!("node {}: never saw {missing:?}\n{}", self.id, self.dump());
            }
        }
    }

    /// The messages so far: number and text, in the order they were told.
    pub fn messages(&self) -> Vec<(u64, String)> {
        let messages = self.events.iter().filter(|event| event["type"] == "message");
        messages
            .map(|event| {
                (
                    event["seq"].as_u64().unwrap(),
                    event["text"].as_str().unwrap().into(),
                )
            })
            .collect()
    }

    /// The ids of the lines that were told to be pending, the last of a killed node's output included.
    pub fn pending(&mut self) -> Vec<String> {
        self.drain();
        let pending = self.events.iter().filter(|event| event["type"] == "pending");
        pending
            .map(|event| event["id"].as_str().unwrap().to_string())
            .collect()
    }

    /// How often a text was told as a message.
    pub fn times(&self, text: &str) -> usize {
        self.messages().iter().filter(|(_, said)| said == text).count()
    }

    /// From now on only what is told later is waited for.
    pub fn forget_past(&mut self) {
        self.drain();
        self.looked_at = self.events.len();
    }

    /// Takes in what is there without waiting.
    pub fn drain(&mut self) {
        while self.next_event(Instant::now()).is_some() {}
    }

    /// Waits for the end of the process, and takes in the rest of its events.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while self.next_event(deadline).is_some() {}
        assert!(
            Instant::now() < deadline,
            "node {} did not end in time\n{}",
            self.id,
            self.dump()
        );
        self.has_ended = true;
        self.child.wait().unwrap()
    }

    /// What it said on stderr so far; all of it, if it was waited for to end.
    pub fn talk(&self) -> String {
        let deadline = match self.has_ended {
            true => Instant::now() + PATIENCE,
            false => Instant::now(),
        };
        let lines = std::iter::from_fn(|| self.talk.recv_deadline(deadline).ok());
        lines.map(|line| line + "\n").collect()
    }

    /// What it says on stderr up to a line that begins so, or up to where it is silent for a while.
    pub fn talk_until(&self, begins: &str) -> String {
        let mut talk = String::new();
        while let Ok(line) = self.talk.recv_timeout(Duration::from_secs(1)) {
            talk.push_str(&line);
            talk.push('\n');
            if line.starts_with(begins) {
                break;
            }
        }
        talk
    }

    pub fn dump(&self) -> String {
        let events: String = self.events.iter().map(|event| format!("{event}\n")).collect();
        format!("{events}--- stderr:\n{}", self.talk())
    }
}

/// The ids of a ring event.
pub fn members(ring: &Value) -> Vec<u16> {
    let members = ring["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| member["id"].as_u64().unwrap() as u16)
        .collect()
}

/// A command with pipes to it, and without the log level, the language and the settings of whoever runs the tests.
pub fn piped(mut command: Command) -> Command {
    roda::host::cli::without_settings(&mut command);
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// How a process ended that says nothing more to be followed.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end with this input.
pub fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.spawn().unwrap();
    // A process that refuses to start reads nothing.
    child.stdin.take().unwrap().write_all(input).unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The events of a finished process.
pub fn events(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_telling(|| what.to_string(), is_so);
}

/// The same; what is said of it if it never comes is found out then.
pub fn wait_telling(what: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let (_keep, tick) = unbounded::<()>();
    while !is_so() {
        assert!(Instant::now() < deadline, "never so: {}", what());
        // Files tell nobody when they change, so they are looked at now and then.
        tick.recv_timeout(Duration::from_millis(20)).unwrap_or_default();
    }
}

/// Reads lines on a thread of their own.
fn lines_of(input: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = unbounded();
    std::thread::Builder::new()
        .spawn(move || {
            for line in BufReader::new(input).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
        .unwrap();
    lines
}
