//! What happened before what, found by brute force: each rule of docs/RECORDINGS.md as a question about two events,
//! then everything that can be reached. Nothing of this is the program's.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use roda::host::replay::shiviz::EXPRESSION;
use serde_json::Value;

/// An event of a log.
#[derive(Clone, Debug)]
pub struct Logged {
    pub words: String,
    pub host: String,
    pub clock: BTreeMap<String, u64>,
}

/// Reads a log as ShiViz does: with its expression, and its demand that a host's own entry rises by one.
pub fn log_of(text: &str) -> Result<Vec<Logged>, String> {
    // What JavaScript takes for a brace, this one has to be told is one.
    let expression = Regex::new(&EXPRESSION.replace("{.*}", r"\{.*\}")).unwrap();
    let mut events = Vec::new();
    let mut up_to = 0;
    for found in expression.captures_iter(text) {
        let whole = found.get(0).unwrap();
        if !text[up_to..whole.start()].trim().is_empty() {
            return Err(format!("not read: {}", &text[up_to..whole.start()]));
        }
        up_to = whole.end();
        let clock = serde_json::from_str(&found["clock"]).map_err(|error| error.to_string())?;
        events.push(Logged {
            words: found["event"].to_string(),
            host: found["host"].to_string(),
            clock,
        });
    }
    if !text[up_to..].trim().is_empty() {
        return Err(format!("not read: {}", &text[up_to..]));
    }
    Ok(events)
}

/// Whether the clocks of a log agree with its recording: every pair of events is in the same order by both.
pub fn agrees(log: &[Logged], recording: &str) -> Result<(), String> {
    let events: Vec<Value> = recording
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reached = reach(&events)?;
    // The k-th event of a node is the one whose own entry is k.
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut of_event = Vec::new();
    for event in &events {
        let node = event["node"].as_u64().unwrap();
        let count = counts.entry(node).or_default();
        *count += 1;
        of_event.push((format!("node{node}"), *count));
    }
    let mut rises: BTreeMap<&str, u64> = BTreeMap::new();
    let mut clocks: BTreeMap<(String, u64), &BTreeMap<String, u64>> = BTreeMap::new();
    for logged in log {
        let own = logged.clock.get(&logged.host).copied().unwrap_or(0);
        let last = rises.entry(&logged.host).or_default();
        if own != *last + 1 {
            return Err(format!("{} goes from {last} to {own}", logged.host));
        }
        *last = own;
        clocks.insert((logged.host.clone(), own), &logged.clock);
    }
    if clocks.len() != events.len() {
        return Err(format!("{} of {} events are there", clocks.len(), events.len()));
    }
    let below = |one: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>| {
        one.iter()
            .all(|(host, count)| other.get(host).is_some_and(|known| known >= count))
    };
    for (a, one) in of_event.iter().enumerate() {
        for (b, other) in of_event.iter().enumerate() {
            let by_clock = a != b && below(clocks[one], clocks[other]);
            let by_facts = reached[a][b];
            if by_clock != by_facts {
                return Err(format!(
                    "before by its clock: {by_clock}, by the facts: {by_facts}:\n{}\n{}",
                    events[a], events[b]
                ));
            }
        }
    }
    Ok(())
}

/// For each event those that are after it.
fn reach(events: &[Value]) -> Result<Vec<Vec<bool>>, String> {
    let count = events.len();
    let mut direct: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (a, after) in direct.iter_mut().enumerate() {
        for b in 0..count {
            if a != b && before(events, a, b) {
                after.push(b);
            }
        }
    }
    let places = places(&direct)?;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by_key(|event| places[*event]);
    let mut reached = vec![vec![false; count]; count];
    // The last ones first, and for each the nearest first: what is reached through a nearer one is known already.
    for a in order.into_iter().rev() {
        let mut row = std::mem::take(&mut reached[a]);
        direct[a].sort_unstable_by_key(|event| places[*event]);
        for b in &direct[a] {
            if !std::mem::replace(&mut row[*b], true) {
                row.iter_mut()
                    .zip(&reached[*b])
                    .for_each(|(mine, its)| *mine |= its);
            }
        }
        reached[a] = row;
    }
    Ok(reached)
}

/// Places for all events, so that each is before those that are after it; an error if they run in a circle.
fn places(direct: &[Vec<usize>]) -> Result<Vec<usize>, String> {
    let mut waits_for = vec![0; direct.len()];
    direct.iter().flatten().for_each(|after| waits_for[*after] += 1);
    let mut free: Vec<usize> = (0..direct.len()).filter(|event| waits_for[*event] == 0).collect();
    let mut places = vec![0; direct.len()];
    let mut placed = 0;
    while let Some(event) = free.pop() {
        places[event] = placed;
        placed += 1;
        for after in &direct[event] {
            waits_for[*after] -= 1;
            if waits_for[*after] == 0 {
                free.push(*after);
            }
        }
    }
    if placed < direct.len() {
        return Err(format!("{} events are before themselves", direct.len() - placed));
    }
    Ok(places)
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}

/// Whether this is before that by a rule of its own.
fn before(events: &[Value], a: usize, b: usize) -> bool {
    let (one, other) = (&events[a], &events[b]);
    if one["node"] == other["node"] {
        return a < b;
    }
    let same = |key: &str| !one[key].is_null() && one[key] == other[key];
    match (kind(one), kind(other)) {
        ("grant" | "pass" | "rest" | "wake", "grant" | "pass" | "rest" | "wake" | "token") => {
            let way = |at: usize| {
                (
                    events[at]["hop"].as_u64().unwrap() * 2 + u64::from(kind(&events[at]) != "pass"),
                    ring_of(events, at),
                )
            };
            let ((from, from_ring), (to, to_ring)) = (way(a), way(b));
            from_ring.is_some() && from_ring == to_ring && from < to
        }
        ("stamped", "message") => same("ring") && same("seq"),
        ("pending", "message") => {
            let told = |event: &Value| {
                kind(event) == "stamped" && event["ring"] == other["ring"] && event["seq"] == other["seq"]
            };
            // A later life tells it again, when it may have been stamped already.
            same("id") && is_first(events, a, &["id"]) && !events.iter().any(told)
        }
        ("gathering", "ring") => {
            // The last search of this node before it installed the same ring.
            let later = events[a + 1..]
                .iter()
                .filter(|event| event["node"] == one["node"]);
            let next = later
                .clone()
                .find(|event| ["gathering", "ring", "start"].contains(&kind(event)));
            next.is_some_and(|event| kind(event) == "ring" && event["ring"] == other["ring"])
        }
        ("asked", "asked") => {
            one["by"] == one["node"]
                && other["by"] == one["node"]
                && same("ring")
                && same("from_seq")
                && same("to_seq")
                && is_first(events, a, &["ring", "from_seq", "to_seq", "by"])
                && one["us"].as_u64() <= other["us"].as_u64()
        }
        ("resent", "repaired") => {
            other["from"] == one["node"]
                && same("ring")
                && same("seq")
                && is_first(events, a, &["ring", "seq"])
                && one["us"].as_u64() <= other["us"].as_u64()
        }
        ("written", "held") if same("id") => {
            // Of the members of the teller's ring, all tell that they wrote it.
            let mine = |event: &&Value| kind(event) == "ring" && event["node"] == other["node"];
            let installed = events[..b].iter().rfind(mine);
            let is_member = |event: &&Value| {
                let same = |installed: &Value| installed["ring"] == event["ring"];
                kind(event) == "ring" && installed.is_some_and(same)
            };
            let members = nodes_of(events.iter().filter(is_member));
            let wrote = |event: &&Value| kind(event) == "written" && event["id"] == one["id"];
            let writers = nodes_of(events.iter().filter(wrote));
            let quorum = |event: &Value| event["quorum"].as_u64().unwrap_or(0) > 0;
            !events.iter().any(quorum)
                && other["k"] == other["n"]
                && other["n"] == members.len()
                && members.is_subset(&writers)
                && members.contains(&one["node"].as_u64().unwrap())
                && is_first(events, a, &["id"])
        }
        _ => false,
    }
}

fn nodes_of<'a>(events: impl Iterator<Item = &'a Value>) -> BTreeSet<u64> {
    events.map(|event| event["node"].as_u64().unwrap()).collect()
}

/// Whether it is the first of its node that tells this.
fn is_first(events: &[Value], a: usize, keys: &[&str]) -> bool {
    let one = &events[a];
    let like = |event: &Value| {
        kind(event) == kind(one)
            && event["node"] == one["node"]
            && keys.iter().all(|key| event[*key] == one[*key])
    };
    !events[..a].iter().any(like)
}

/// The ring of an event: the one it names, or the one its node is in.
fn ring_of(events: &[Value], at: usize) -> Option<&str> {
    let event = &events[at];
    if let Some(ring) = event["ring"].as_str() {
        return Some(ring);
    }
    let mut mine = events[..at]
        .iter()
        .rev()
        .filter(|other| other["node"] == event["node"]);
    mine.find(|other| kind(other) == "ring")
        .and_then(|other| other["ring"].as_str())
}
