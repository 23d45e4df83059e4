//! A circle of nodes on a network that can be broken, and what must hold once it is whole again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use serde_json::Value;

use crate::network::{Link, Network};
use crate::support::{Group, Node, PATIENCE, run};

/// Nodes 1, 2 ..., each on a host of its own.
pub struct Circle {
    pub network: Network,
    pub group: Group,
    pub nodes: Vec<Node>,
    /// What was said, each text once.
    said: Vec<String>,
    /// Ids that some life acknowledged.
    acknowledged: BTreeSet<String>,
    /// What lives told that were killed.
    dead: Vec<Value>,
    /// What those told that live at the end.
    living: Vec<Value>,
}

/// Programs for a circle: how they are started.
type Dress = fn(u16, &mut std::process::Command);

impl Circle {
    pub fn of(count: u16) -> Circle {
        Circle::dressed(count, |_, _| ())
    }

    /// A circle whose programs are started with something changed.
    pub fn dressed(count: u16, dress: Dress) -> Circle {
        let mut circle = Circle {
            network: Network::new(usize::from(count)),
            group: Group::new(),
            nodes: Vec::new(),
            said: Vec::new(),
            acknowledged: BTreeSet::new(),
            dead: Vec::new(),
            living: Vec::new(),
        };
        circle.nodes = (1..=count).map(|id| circle.start(id, dress)).collect();
        let all = circle.network.hosts();
        circle.nodes.iter_mut().for_each(|node| node.wait_ring(&all));
        circle
    }

    fn start(&self, id: u16, dress: Dress) -> Node {
        let number = id.to_string();
        let words = ["--id", number.as_str()];
        let mut command = self
            .network
            .command(id, env!("CARGO_BIN_EXE_node"), &self.group, &words);
        dress(id, &mut command);
        Node::spawn(id, command)
    }

    /// The node of an id.
    pub fn node(&mut self, id: u16) -> &mut Node {
        &mut self.nodes[usize::from(id) - 1]
    }

    /// Somebody says something new.
    pub fn say(&mut self, id: u16, what: &str) -> String {
        let text = format!("{id} says {what} ({})", self.said.len());
        self.node(id).say(&text);
        self.said.push(text.clone());
        text
    }

    /// Each of these says some lines.
    pub fn chat(&mut self, ids: &[u16], what: &str, lines: usize) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..lines {
            said.extend(ids.iter().map(|id| self.say(*id, what)));
        }
        said
    }

    /// Waits until these have seen all of this.
    pub fn see(&mut self, ids: &[u16], texts: &[String]) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        ids.iter().for_each(|id| self.node(*id).wait_texts(&texts));
    }

    /// Makes a node the holder, with a line that is just being said, and leaves it there.
    pub fn hand_token_to(&mut self, id: u16) {
        self.node(id).forget_past();
        self.say(id, "with the token");
        self.node(id).wait_for("grant", |event| event["type"] == "grant");
    }

    /// SIGKILL; what it had told is kept.
    pub fn kill(&mut self, id: u16) {
        self.node(id).kill();
        self.node(id).drain();
        let events = std::mem::take(&mut self.node(id).events);
        self.remember(&events);
        self.dead.extend(events);
    }

    /// Starts a killed node again.
    pub fn restart(&mut self, id: u16) {
        self.nodes[usize::from(id) - 1] = self.start(id, |_, _| ());
    }

    fn remember(&mut self, events: &[Value]) {
        let pending = events.iter().filter(|event| event["type"] == "pending");
        self.acknowledged.extend(pending.map(id_of));
    }

    /// Ticks told so far are facts now: that many files have the message.
    pub fn check_ticks(&mut self) {
        self.nodes.iter_mut().for_each(Node::drain);
        let files: Vec<BTreeMap<String, Value>> = (1..=self.nodes.len() as u16)
            .map(|id| records(&self.group.replica(id)))
            .map(|records| {
                records
                    .into_iter()
                    .map(|record| (id_of(&record), record))
                    .collect()
            })
            .collect();
        let events = self
            .dead
            .iter()
            .chain(self.nodes.iter().flat_map(|node| &node.events));
        for held in events.filter(|event| event["type"] == "held") {
            let id = held["id"].as_str().unwrap();
            let holders = files.iter().filter(|file| file.contains_key(id)).count() as u64;
            assert!(
                held["k"].as_u64().unwrap() <= holders,
                "{holders} files have what {held} tells"
            );
        }
    }

    /// The network is whole again: everybody finds everybody, and after a last word of each the promises are
    /// checked. Returns how many lines had been acknowledged.
    pub fn quiet(mut self) -> usize {
        self.check_ticks();
        self.network.everywhere(Link::default());
        let all = self.network.hosts();
        for node in &mut self.nodes {
            node.wait_ring_of(all.len());
        }
        let last = self.chat(&all, "a last word", 1);
        self.see(&all, &last);
        for index in 0..self.nodes.len() {
            self.nodes[index].drain();
            let events = self.nodes[index].events.clone();
            self.remember(&events);
        }
        self.check_ticks();
        self.wait_for_replicas();
        self.reconcile();
        // Only now has everybody told what moved while the replicas became equal.
        self.nodes.iter_mut().for_each(Node::drain);
        self.living = self.nodes.iter().flat_map(|node| node.events.clone()).collect();
        self.check_texts();
        self.check_order();
        self.acknowledged.len()
    }

    /// By themselves replicas become equal in content, with all that was acknowledged.
    fn wait_for_replicas(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lacks = self.lacks();
            if lacks.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                for node in &mut self.nodes {
                    node.drain();
                    println!("{}", node.dump());
                }
                panic!("the replicas do not become equal with all that was acknowledged: {lacks:#?}");
            }
            // Files tell nobody when they change, so they are looked at now and then.
            last_for(Duration::from_millis(20));
        }
    }

    /// What is missing in which replica: of what was acknowledged, and of what another one has.
    fn lacks(&self) -> Vec<String> {
        let all = self.network.hosts();
        let lines = |id: &u16| self.group.sorted_replica(*id).into_iter().collect();
        let files: Vec<BTreeSet<String>> = all.iter().map(lines).collect();
        let has = |id: &u16| records(&self.group.replica(*id)).iter().map(id_of).collect();
        let ids: Vec<BTreeSet<String>> = all.iter().map(has).collect();
        let every: BTreeSet<&String> = files.iter().flatten().collect();
        let mut lacks = Vec::new();
        for ((id, file), ids) in all.iter().zip(&files).zip(&ids) {
            let line = every.iter().filter(|line| !file.contains(**line));
            lacks.extend(line.map(|line| format!("node {id} lacks {line}")));
            let acknowledged = self.acknowledged.difference(ids);
            lacks.extend(acknowledged.map(|lost| format!("node {id} lacks {lost}, which was acknowledged")));
        }
        lacks
    }

    /// The reconciler makes the files equal, byte for byte.
    fn reconcile(&self) {
        let command = |words: &[&str]| {
            let program = env!("CARGO_BIN_EXE_reconciler");
            let words = [&["--wait", "2s"], words].concat();
            self.network.command(1, program, &self.group, &words)
        };
        let mut done = run(command(&[]), b"");
        // A line that is still being written somewhere is beyond the cut, and left to the next run.
        for _ in 0..5 {
            if done.code == Some(0) && run(command(&["--check"]), b"").code == Some(0) {
                break;
            }
            done = run(command(&[]), b"");
        }
        assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
        let bytes: Vec<Vec<u8>> = self
            .network
            .hosts()
            .iter()
            .map(|id| std::fs::read(self.group.replica(*id)).unwrap())
            .collect();
        assert!(
            bytes.iter().all(|file| *file == bytes[0]),
            "files differ after {}",
            done.stdout
        );
    }

    /// Each acknowledged line is there once; nothing is there twice; nothing is there that nobody said.
    fn check_texts(&self) {
        let records = records(&self.group.replica(1));
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        for record in &records {
            *ids.entry(id_of(record)).or_default() += 1;
            *texts
                .entry(record["text"].as_str().unwrap().to_string())
                .or_default() += 1;
        }
        for id in &self.acknowledged {
            assert_eq!(ids.get(id), Some(&1), "{id} was acknowledged");
        }
        for (text, times) in &texts {
            assert_eq!(*times, 1, "{text:?}");
            assert!(self.said.contains(text), "nobody said {text:?}");
        }
    }

    /// One message has one position and one position one message, whoever tells; a node tells in order what it
    /// does not mark as late.
    fn check_order(&self) {
        let place = |ring: &Value, seq: &Value| format!("{}:{seq}", ring.as_str().unwrap());
        // A message that was found at two places is at the lower one; who moved it said so.
        let moved = self.living.iter().filter(|event| event["type"] == "moved");
        let given_up: BTreeSet<(String, String)> = moved
            .map(|event| (id_of(event), place(&event["from_ring"], &event["from_seq"])))
            .collect();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        let messages = self.living.iter().filter(|event| event["type"] == "message");
        for message in messages.chain(&records(&self.group.replica(1))) {
            let (id, place) = (id_of(message), place(&message["ring"], &message["seq"]));
            if !given_up.contains(&(id.clone(), place.clone())) {
                let before = places.insert(place.clone(), id.clone());
                assert!(
                    before.is_none_or(|before| before == id),
                    "two messages at {place}"
                );
            }
        }
        let ids: BTreeSet<&String> = places.values().collect();
        assert_eq!(ids.len(), places.len(), "a message was told at two places");
        // What a killed node told is so, or nobody else ever heard of it: then the line was offered again.
        for message in self.dead.iter().filter(|event| event["type"] == "message") {
            let place = place(&message["ring"], &message["seq"]);
            assert!(
                places.get(&place).is_none_or(|id| *id == id_of(message)),
                "two messages at {place}"
            );
        }
        for node in &self.nodes {
            let on_time = node
                .events
                .iter()
                .filter(|event| event["type"] == "message" && event["late"] == false);
            let places: Vec<_> = on_time.map(place_of).collect();
            assert!(
                places.is_sorted(),
                "node {} told out of order: {places:?}",
                node.id
            );
        }
    }
}

fn id_of(record: &Value) -> String {
    record["id"].as_str().unwrap().to_string()
}

/// What sorts as the canonical order does.
fn place_of(message: &Value) -> Vec<u64> {
    let ring = message["ring"].as_str().unwrap();
    let ring = ring.split('.').map(|part| part.parse().unwrap());
    ring.chain([message["seq"].as_u64().unwrap()]).collect()
}

/// The records of a file. Its last line may be in the middle of being written.
fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lets some time pass, because a fault is to last that long.
pub fn last_for(time: Duration) {
    let (_keep, nothing) = unbounded::<()>();
    nothing.recv_deadline(Instant::now() + time).unwrap_or_default();
}
