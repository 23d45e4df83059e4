//! The processes of the demo, and the one place where it waits: for events, with a deadline, never blindly.
//!
//! Each node's stdout is read by a thread of its own into one channel; signals come through the same channel, so
//! that Ctrl-C ends any wait. The channel is bounded: when it is full the reader waits, and the node then keeps
//! to its own rules about outputs that nobody reads. Nodes stand in process groups of their own, so that Ctrl-C
//! in the terminal reaches the demo alone and it is the demo that ends them. If the demo itself is killed, their
//! inputs end, and they leave by themselves.
#![allow(clippy::disallowed_methods)] // Opens the nodes' logs.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::host::cli;
use crate::host::clock;
use crate::host::folder::Folder;
use crate::host::terminal::visible;
use crate::words::Time;

use super::failure::Failure;
use super::player::{Player, Told};

/// The multicast address of the demo: the group's usual one. The port is its own.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 1, 1, 1);
/// Who plays: ids and names.
pub const CAST: [(u16, &str); 3] = [(1, "ana"), (2, "bia"), (3, "caio")];
/// How long anything may take, in microseconds. It takes a fraction of this, but machines can be busy.
const PATIENCE_US: u64 = 15_000_000;
/// The longest time without a look, in microseconds: files tell nobody when they change.
const LOOK_US: u64 = 20_000;
/// Events on their way from the readers. More than an act makes.
const HEARD_MAX: usize = 4_096;

/// What reaches the demo from outside.
enum News {
    /// A node told something.
    Told(u16, Told),
    /// A node's output has ended.
    Silent(u16),
    /// The user, or the system, wants the demo to end.
    Signal,
}

/// The processes, and all that was said.
pub struct Stage {
    program: PathBuf,
    folder: PathBuf,
    group: SocketAddrV4,
    players: BTreeMap<u16, Player>,
    /// Lines that a node has acknowledged as pending: text by message id.
    pub said: BTreeMap<String, String>,
    /// Lines typed.
    pub typed: usize,
    news: Receiver<News>,
    teller: Sender<News>,
}

/// The name that an id plays under.
pub fn name(id: u16) -> &'static str {
    let found = CAST.iter().find(|(player, _)| *player == id);
    found.map_or("somebody", |(_, name)| name)
}

impl Stage {
    /// An empty stage with a group of its own, and signals taken from now on.
    pub fn open(folder: &Folder) -> Result<Stage, Failure> {
        let machine = |what: &str| {
            let what = what.to_string();
            |error| Failure::Machine(what, error)
        };
        let program = std::env::current_exe().map_err(machine("find this program's own file"))?;
        // A port that is free now; the nodes share it, and nobody else asks for just this one.
        let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(machine("find a free port"))?;
        let port = probe.local_addr().map_err(machine("find a free port"))?.port();
        let (teller, news) = bounded(HEARD_MAX);
        take_signals(teller.clone()).map_err(machine("take signals"))?;
        Ok(Stage {
            program,
            folder: folder.path().to_path_buf(),
            group: SocketAddrV4::new(GROUP, port),
            players: BTreeMap::new(),
            said: BTreeMap::new(),
            typed: 0,
            news,
            teller,
        })
    }

    /// The group of this demo.
    pub fn group(&self) -> SocketAddrV4 {
        self.group
    }

    /// The folder of this demo.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// This program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A node that was started.
    pub fn player(&self, id: u16) -> &Player {
        self.players
            .get(&id)
            .expect("only nodes that were started are asked for")
    }

    fn player_mut(&mut self, id: u16) -> &mut Player {
        self.players
            .get_mut(&id)
            .expect("only nodes that were started are asked for")
    }

    /// Starts a node; its life before, if there was one, has ended.
    pub fn start(&mut self, id: u16, words: &[&str]) -> Result<(), Failure> {
        // Dropping the life before is harmless: it has ended, and its reader has told all.
        self.players.remove(&id);
        let mut child = self
            .command(id, words)?
            .spawn()
            .map_err(Failure::at("run", &self.program))?;
        let input = child.stdin.take();
        let output = child.stdout.take().expect("its output is a pipe");
        let player = Player {
            child,
            input,
            told: Vec::new(),
            silent: false,
            may_end: false,
        };
        // On the stage first, so that it is ended even if no thread can be had.
        self.players.insert(id, player);
        let teller = self.teller.clone();
        let reading = thread::Builder::new()
            .name(format!("events of node {id}"))
            .spawn(move || read_events(id, BufReader::new(output), &teller));
        reading
            .map(drop)
            .map_err(|error| Failure::Machine("start a thread".into(), error))
    }

    fn command(&self, id: u16, words: &[&str]) -> Result<Command, Failure> {
        let path = self.log(id);
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(Failure::at("open", &path))?;
        let mut command = Command::new(&self.program);
        command
            .args(["--id", &id.to_string(), "--name", name(id), "--json"])
            .args(["--group", &self.group.to_string(), "--interface", "127.0.0.1"])
            .arg("--data-dir")
            .arg(&self.folder)
            .args(words)
            // The log is for finding out what went wrong, not for what the user's shell is set to.
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        cli::without_settings(&mut command);
        Ok(command)
    }

    /// Where a node's stderr goes.
    fn log(&self, id: u16) -> PathBuf {
        self.folder.join(format!("node-{id}.log"))
    }

    /// Types lines at a node.
    pub fn say(&mut self, id: u16, lines: &[&str]) -> Result<(), Failure> {
        self.typed += lines.len();
        let said = self.player_mut(id).say(lines);
        said.map_err(|error| Failure::Machine(format!("type at node {id}"), error))
    }

    /// SIGSTOP; returns when nothing of the process runs any more.
    pub fn stop(&self, id: u16) -> Result<(), Failure> {
        let stopped = self.player(id).stop();
        stopped.map_err(|error| Failure::Machine(format!("stop node {id}"), error))
    }

    /// SIGKILL; returns when the process is gone. The time is that of the kill.
    pub fn kill(&mut self, id: u16) -> Result<Time, Failure> {
        let at = clock::now();
        let killed = self.player_mut(id).kill();
        killed.map_err(|error| Failure::Machine(format!("kill node {id}"), error))?;
        self.wait(&format!("the end of node {id}'s output"), |stage| {
            stage.player(id).silent.then_some(())
        })?;
        Ok(at)
    }

    /// From now on these nodes may end by themselves.
    pub fn may_end(&mut self, ids: &[u16]) {
        ids.iter().for_each(|id| self.player_mut(*id).may_end = true);
    }

    /// Has nodes leave politely, all at once, and gives their exit codes (`None`: killed by a signal).
    pub fn leave(&mut self, ids: &[u16]) -> Result<Vec<Option<i32>>, Failure> {
        ids.iter().for_each(|id| self.player_mut(*id).leave());
        self.wait("the nodes leave", |stage| {
            ids.iter().all(|id| stage.player(*id).silent).then_some(())
        })?;
        let mut codes = Vec::new();
        for id in ids {
            let ended = self.player_mut(*id).child.wait();
            let status = ended.map_err(|error| Failure::Machine(format!("wait for node {id}"), error))?;
            codes.push(status.code());
        }
        Ok(codes)
    }

    /// Asks nodes to leave that do not heed their inputs.
    pub fn ask_to_end(&mut self, ids: &[u16]) -> Result<(), Failure> {
        ids.iter().try_for_each(|id| {
            let asked = self.player_mut(*id).ask_to_end();
            asked.map_err(|error| Failure::Machine(format!("end node {id}"), error))
        })
    }

    /// Waits until there is what is looked for.
    pub fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&Stage) -> Option<T>) -> Result<T, Failure> {
        let deadline = clock::now().after_us(PATIENCE_US);
        loop {
            // What is there already comes first: a look is at the present.
            while let Ok(news) = self.news.try_recv() {
                self.take(news)?;
            }
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if clock::now() >= deadline {
                return Err(Failure::Late(what.to_string(), self.last_words()));
            }
            self.listen(LOOK_US)?;
        }
    }

    /// Lets time pass, taking in what is told meanwhile.
    pub fn pause(&mut self, pause: Duration) -> Result<(), Failure> {
        let until = clock::now().after_us(pause.as_micros() as u64);
        loop {
            let left_us = until.since_us(clock::now());
            if left_us == 0 {
                return Ok(());
            }
            self.listen(left_us)?;
        }
    }

    /// Takes in one piece of news, if one comes in time.
    fn listen(&mut self, at_most_us: u64) -> Result<(), Failure> {
        match self.news.recv_timeout(Duration::from_micros(at_most_us)) {
            Ok(news) => self.take(news),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the stage holds a sender itself"),
        }
    }

    fn take(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Signal => return Err(Failure::Interrupted),
            News::Told(id, told) => {
                if told.kind() == "pending" {
                    let (id, text) = (told.text("id").to_string(), told.text("text").to_string());
                    self.said.insert(id, text);
                }
                self.player_mut(id).told.push(told);
            }
            News::Silent(id) => {
                let player = self.player_mut(id);
                player.silent = true;
                if !player.may_end {
                    return Err(Failure::Ended(id, self.words_of(id)));
                }
            }
        }
        Ok(())
    }

    /// The last event of each node, for whoever has to find out what went wrong.
    fn last_words(&self) -> String {
        let words = self
            .players
            .keys()
            .map(|id| format!("node {id}: {}", self.words_of(*id)));
        words.collect::<Vec<_>>().join("; ")
    }

    fn words_of(&self, id: u16) -> String {
        let last = self.player(id).told.last();
        let event = last.map_or_else(|| "nothing told".to_string(), |told| told.fields.to_string());
        let log = std::fs::read_to_string(self.log(id)).unwrap_or_default();
        match log.lines().last() {
            Some(line) => format!("{event}, {}", visible::line(line)),
            None => event,
        }
    }
}

/// Reads a node's events until its output ends. What is no JSON is passed over: the demo looks for what it
/// needs, and says what it lacks.
fn read_events(id: u16, output: impl BufRead, teller: &Sender<News>) {
    for line in output.lines().map_while(Result::ok) {
        let Ok(fields) = serde_json::from_str(&line) else {
            continue;
        };
        let at = clock::now();
        if teller.send(News::Told(id, Told { at, fields })).is_err() {
            return;
        }
    }
    // Nobody listens any more once the demo has ended.
    teller.send(News::Silent(id)).unwrap_or_default();
}

/// Takes the signals that end a process, on a thread of their own, as long as the process lives.
fn take_signals(teller: Sender<News>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let taking = move || {
        for _ in &mut signals {
            // When full, the demo is about to look; asking again is as good.
            teller.try_send(News::Signal).unwrap_or_default();
        }
    };
    thread::Builder::new()
        .name("signals".to_string())
        .spawn(taking)
        .map(drop)
}
