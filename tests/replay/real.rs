//! Recordings of real processes: three nodes talk over a network that loses some of what is sent, one of them is killed
//! and comes back, and all that they recorded is replayed together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use roda::host::replay::{Play, svg};
use roda::host::terminal::lang::Voice;
use serde_json::Value;

use super::before::{agrees, log_of};
use super::support::{Group, Node, piped, wait_until};
use super::{export, xml};

/// So many rounds of talk at the most: that nothing of all of them is lost happens in one of a million runs.
const ROUNDS: usize = 150;

/// What three processes recorded; the third in two lives.
struct Recorded {
    group: Group,
    names: Vec<String>,
}

impl Recorded {
    fn new() -> Recorded {
        Recorded {
            group: Group::new(),
            names: Vec::new(),
        }
    }

    /// Starts a node that records, and loses one datagram in twenty.
    fn start(&mut self, id: u16) -> Node {
        let name = format!("{}-of-{id}.jsonl", self.names.len());
        self.names.push(name);
        let path = self.paths().pop().unwrap();
        let words = ["-v", "--delay", "0", "--chaos", "drop=5%"];
        let seed = ["--seed", &id.to_string(), "--record", path.to_str().unwrap()].map(str::to_string);
        let words: Vec<&str> = words.into_iter().chain(seed.iter().map(String::as_str)).collect();
        self.group.start(id, &words)
    }

    fn paths(&self) -> Vec<PathBuf> {
        let folder = self.group.folder.path();
        self.names.iter().map(|name| folder.join(name)).collect()
    }

    /// What stands in all files, one behind the other, without a last line that was cut.
    fn text(&self) -> String {
        let texts = self.paths().into_iter().map(|path| whole_lines(&path));
        texts.collect()
    }

    fn replay(&self, words: &[&str]) -> Output {
        let mut command = piped(Command::new(env!("CARGO_BIN_EXE_node")));
        command.arg("replay").args(self.paths()).args(words);
        command.output().unwrap()
    }
}

fn whole_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text[..text.rfind('\n').map_or(0, |end| end + 1)].to_string()
}

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Each node says a line, and all wait for all of them.
fn talk(nodes: &mut [Node], what: &str) -> Vec<String> {
    let texts: Vec<String> = nodes
        .iter()
        .map(|node| format!("{what} of {}", node.id))
        .collect();
    for (node, text) in nodes.iter_mut().zip(&texts) {
        node.say(text);
    }
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&all));
    texts
}

/// The story: a ring, talk until something was repaired, a kill, talk of two, a return, talk of all, a good end.
fn story() -> (Recorded, Vec<String>) {
    let mut recorded = Recorded::new();
    let mut nodes: Vec<Node> = (1..=3).map(|id| recorded.start(id)).collect();
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    let repaired = |node: &Node| node.events.iter().any(|event| event["type"] == "repaired");
    let mut said = Vec::new();
    for round in 0..ROUNDS {
        said.extend(talk(&mut nodes, &format!("round {round}")));
        if round >= 3 && nodes.iter().any(repaired) {
            break;
        }
    }
    assert!(nodes.iter().any(repaired), "nothing was lost in {ROUNDS} rounds");
    // What was told a moment before a kill is not written: so wait until the last round is.
    let file = recorded.paths().pop().unwrap();
    let last_round: BTreeSet<&str> = said.iter().rev().take(3).map(String::as_str).collect();
    wait_until("3 has written what it delivered", || {
        let written = events(&whole_lines(&file));
        let delivered = written.iter().filter(|event| event["type"] == "message");
        let texts: BTreeSet<&str> = delivered.filter_map(|event| event["text"].as_str()).collect();
        last_round.is_subset(&texts)
    });
    nodes.pop().unwrap().kill();
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2]));
    said.extend(talk(&mut nodes, "without 3"));
    nodes.push(recorded.start(3));
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    let without: Vec<&str> = said[said.len() - 2..].iter().map(String::as_str).collect();
    nodes[2].wait_texts(&without);
    said.extend(talk(&mut nodes, "together again"));
    nodes.iter_mut().for_each(Node::end_input);
    for node in &mut nodes {
        assert!(node.wait_exit().success(), "{}", node.dump());
    }
    (recorded, said)
}

/// The canonical place of a message: its ring by its three numbers, then its own.
fn place(message: &Value) -> (Vec<u64>, u64) {
    let ring = message["ring"].as_str().unwrap().split('.');
    let ring = ring.map(|part| part.parse().unwrap()).collect();
    (ring, message["seq"].as_u64().unwrap())
}

/// All nodes have the same messages at the same places, and no node goes back but for what came late.
fn same_order_at_all(events: &[Value], said: &[String]) {
    let mut at_node: BTreeMap<u64, BTreeMap<(Vec<u64>, u64), String>> = BTreeMap::new();
    let mut last: BTreeMap<u64, (Vec<u64>, u64)> = BTreeMap::new();
    for event in events {
        let node = event["node"].as_u64().unwrap();
        if event["type"] == "start" {
            last.remove(&node);
        }
        if event["type"] != "message" {
            continue;
        }
        let (place, text) = (place(event), event["text"].as_str().unwrap().to_string());
        let before = at_node
            .entry(node)
            .or_default()
            .insert(place.clone(), text.clone());
        assert!(
            before.is_none_or(|before| before == text),
            "two messages at {place:?}"
        );
        if event["late"] != true {
            let before = last.insert(node, place.clone());
            assert!(before.is_none_or(|before| before < place), "{event} goes back");
        }
    }
    let texts: Vec<Vec<&String>> = at_node.values().map(|told| told.values().collect()).collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(at_node[&1], at_node[&2]);
    assert_eq!(at_node[&1], at_node[&3]);
    let (told, said): (BTreeSet<&String>, BTreeSet<&String>) =
        (texts[0].iter().copied().collect(), said.iter().collect());
    assert_eq!(told, said);
}

#[test]
fn what_real_processes_recorded_is_one_story() {
    let (recorded, said) = story();
    let text = recorded.text();
    let events = events(&text);
    same_order_at_all(&events, &said);
    let told = recorded.replay(&[]);
    let (out, notes) = (
        String::from_utf8(told.stdout).unwrap(),
        String::from_utf8(told.stderr).unwrap(),
    );
    assert_eq!(told.status.code(), Some(0), "{notes}");
    // Who is killed may leave its last line cut; nothing else is wrong.
    let killed = &recorded.names[2];
    let is_cut = |note: &str| note.contains(killed) && note.contains("is cut after");
    assert!(notes.lines().all(is_cut), "{notes}");
    assert_eq!(out.lines().count(), events.len());
    for part in [
        "starts, incarnation",
        "comes by a repair from",
        "together again of 3",
        "ends with code 0",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let play = Play::open(&recorded.paths()).unwrap();
    assert_eq!(play.merged.contradictions, 0);
    agrees(&log_of(&export(&recorded.paths())).unwrap(), &text).unwrap();
    repairs_are_drawn(&play, &events);
}

/// Each repair that was told is a dashed arrow from who sent it again to whom it came.
fn repairs_are_drawn(play: &Play, events: &[Value]) {
    let picture = svg::draw(play, 0, None, 20_000, Voice::default()).unwrap();
    let elements = xml::well_formed(&picture).unwrap();
    let is_again = |element: &&xml::Element| {
        let head = element.attributes.get("marker-end").map(String::as_str);
        head == Some("url(#roda-again)") && !element.title.is_empty()
    };
    let mut drawn: Vec<&str> = elements
        .iter()
        .filter(is_again)
        .map(|again| again.title.as_str())
        .collect();
    drawn.sort_unstable();
    let repaired = events.iter().filter(|event| event["type"] == "repaired");
    let to = repaired.map(|event| {
        let node = event["node"].as_u64().unwrap();
        (
            event["seq"].as_u64().unwrap(),
            format!("sent again to node {node}"),
        )
    });
    let to: Vec<(u64, String)> = to.collect();
    assert!(!to.is_empty() && drawn.len() == to.len(), "{to:?}: {drawn:?}");
    for (seq, to) in &to {
        let fits = |title: &&&str| title.starts_with(&format!("#{seq}")) && title.ends_with(to);
        assert!(drawn.iter().any(|title| fits(&title)), "#{seq} {to}: {drawn:?}");
    }
    assert!(picture.contains(".again{stroke:var(--again);stroke-width:1.7;stroke-dasharray:5 3}"));
}
