//! Events in words: one short line each, safe to show, the same for a terminal, a ShiViz log and a picture, in the
//! language of who reads.

use std::collections::BTreeMap;

use super::facts::Fact;
use super::told::{self, CameFrom, Head, LabTold, MessageTold, RingTold, StoryTold, Told};
use crate::host::terminal::lang::{Voice, say};
use crate::host::terminal::visible;
use crate::words::{NodeId, RingId, Seq};

/// The widest text of a message that is shown, in columns.
const TEXT_COLUMNS: usize = 60;

/// Tells events in words, and remembers which numbers were given in more than one ring.
#[derive(Debug, Default)]
pub struct Words {
    voice: Voice,
    /// For each number the ring that it was seen in first.
    numbers: BTreeMap<Seq, RingId>,
}

impl Words {
    /// Words of a language, before any number was seen.
    pub fn new(voice: Voice) -> Words {
        Words {
            voice,
            numbers: BTreeMap::new(),
        }
    }

    /// A message's number: `#42`, and with its ring where another ring gave the same.
    pub fn number(&mut self, ring: RingId, seq: u64) -> String {
        let first = *self.numbers.entry(Seq(seq)).or_insert(ring);
        if first == ring {
            format!("#{seq}")
        } else {
            format!("#{seq}@{}", short(ring))
        }
    }

    /// An event's line in words; `text` is its line in the recording.
    pub fn line(&mut self, text: &str) -> String {
        match told::read(text.as_bytes()) {
            Ok((head, told)) => self.event(&head, &told),
            Err(_) => say!(self.voice, "replay-unreadable"),
        }
    }

    /// What is only known from others.
    pub fn inferred(&mut self, fact: &Fact) -> String {
        if let Fact::Stamped(_, position) = fact {
            let number = self.number(position.ring, position.seq.0);
            return say!(self.voice, "replay-stamped-inferred", number = number);
        }
        say!(self.voice, "replay-inferred")
    }

    /// An event in words.
    pub fn event(&mut self, head: &Head, told: &Told) -> String {
        let voice = self.voice;
        let own = |lab: &LabTold| head.node.is_none_or(|node| node == lab.on);
        match told {
            Told::Start {
                id,
                name,
                incarnation,
                ..
            } => starts(voice, (*id, name), *incarnation),
            Told::Story(story) => found(voice, story),
            Told::Pending { text, .. } => say!(voice, "replay-pending", text = said(text)),
            Told::Stamped { ring, seq, hop, .. } => {
                let number = self.number(*ring, *seq);
                say!(voice, "replay-stamped", number = number, hop = hop.to_string())
            }
            Told::Message(message) => self.message(message),
            Told::Written { ring, seq, .. } => {
                say!(voice, "replay-written", number = self.number(*ring, *seq))
            }
            Told::Held { seq, k, n, .. } => held(voice, *seq, *k, *n),
            Told::Request {} => say!(voice, "replay-request"),
            Told::Grant { hop, .. } => say!(voice, "replay-grant", hop = hop.to_string()),
            Told::Pass { hop, to, .. } => passes(voice, *hop, *to),
            Told::Rest { hop, .. } => say!(voice, "replay-rest", hop = hop.to_string()),
            Told::Wake { hop, by, .. } => hastened(voice, *hop, *by),
            Told::Token { hop, high, .. } => was_here(voice, *hop, *high),
            Told::Gathering { reason } => say!(voice, "replay-gathering", why = safe(voice, reason)),
            Told::Ring(ring) => installs(voice, ring),
            Told::Fenced { from } => say!(voice, "replay-fenced", who = from.to_string()),
            Told::Woke { away_us } => say!(voice, "replay-woke", ms = (away_us / 1_000).to_string()),
            Told::Asked {
                from_seq, to_seq, by, ..
            } => asks(voice, (*from_seq, *to_seq), *by),
            Told::Resent { ring, seq, to } => self.resent(*ring, *seq, *to),
            Told::Repaired { ring, seq, from } => self.repaired(*ring, *seq, *from),
            Told::Checkpointed { number } => checkpoint(voice, *number),
            Told::CaughtUp { peer, received } => {
                let peer = peer.to_string();
                say!(voice, "replay-caught-up", peer = peer, count = *received)
            }
            Told::Reconciled { records } => say!(voice, "replay-reconciled", count = *records),
            Told::DiskFull { reason } => say!(voice, "replay-disk-full", why = visible::line(reason)),
            Told::DiskRoom {} => say!(voice, "disk-room"),
            Told::Lab(done) => lab(voice, done, own(done)),
            Told::Lost { count } => say!(voice, "replay-lost", count = *count),
            Told::Warning { text } => say!(voice, "replay-warning", text = safe(voice, text)),
            Told::Exit { code, reason } => ends(voice, *code, reason.as_deref()),
            Told::Other => visible::cut(&visible::line(&head.kind), TEXT_COLUMNS).replace('_', " "),
        }
    }

    fn message(&mut self, message: &MessageTold) -> String {
        let number = self.number(message.ring, message.seq);
        let (name, id) = (visible::name(&message.name), message.id.sender.id);
        let late = match message.late {
            true => format!(", {}", say!(self.voice, "replay-late")),
            false => String::new(),
        };
        format!("{number} {name}·{id}{late}: {}", said(&message.text))
    }

    fn resent(&mut self, ring: RingId, seq: u64, to: Option<u16>) -> String {
        let number = self.number(ring, seq);
        match to {
            Some(to) => say!(
                self.voice,
                "replay-resent-to",
                number = number,
                to = to.to_string()
            ),
            None => say!(self.voice, "replay-resent", number = number),
        }
    }

    fn repaired(&mut self, ring: RingId, seq: u64, from: u16) -> String {
        let (number, from) = (self.number(ring, seq), from.to_string());
        say!(self.voice, "replay-repaired", number = number, from = from)
    }
}

fn starts(voice: Voice, (id, name): (u16, &str), incarnation: u64) -> String {
    let who = format!("{}·{id}", visible::name(name));
    say!(
        voice,
        "replay-start",
        who = who,
        incarnation = incarnation.to_string()
    )
}

fn found(voice: Voice, story: &StoryTold) -> String {
    if story.fresh {
        return say!(voice, "replay-story-fresh");
    }
    let from = match story.checkpoint {
        Some(number) => say!(voice, "replay-story-checkpoint", number = number.to_string()),
        None => say!(voice, "replay-story-none"),
    };
    say!(
        voice,
        "replay-story",
        from = from,
        discarded = story.rolled_back,
        own = story.recovered_own,
        held = story.held
    )
}

fn held(voice: Voice, seq: u64, k: u64, n: u64) -> String {
    let number = format!("#{seq}");
    if k == n {
        return say!(voice, "replay-held-by-all", number = number, n = n.to_string());
    }
    let (k, n) = (k.to_string(), n.to_string());
    say!(voice, "replay-held", number = number, k = k, n = n)
}

/// The token is passed on.
pub fn passes(voice: Voice, hop: u64, to: u16) -> String {
    say!(voice, "replay-pass", to = to.to_string(), hop = hop.to_string())
}

fn hastened(voice: Voice, hop: u64, by: Option<u16>) -> String {
    let hop = hop.to_string();
    match by {
        Some(by) => say!(voice, "replay-wake-by", by = by.to_string(), hop = hop),
        None => say!(voice, "replay-wake", hop = hop),
    }
}

fn was_here(voice: Voice, hop: u64, high: u64) -> String {
    let number = format!("#{high}");
    say!(voice, "replay-token", hop = hop.to_string(), number = number)
}

fn installs(voice: Voice, installed: &RingTold) -> String {
    let ids: Vec<u16> = installed.members.iter().map(|member| member.id).collect();
    let mut said = say!(
        voice,
        "replay-ring",
        ring = short(installed.ring),
        members = list(&ids)
    );
    let mut change = |words: String| said += &format!(", {words}");
    if !installed.joined.is_empty() {
        change(say!(voice, "replay-ring-joined", who = list(&installed.joined)));
    }
    if !installed.left.is_empty() {
        change(say!(voice, "replay-ring-left", who = list(&installed.left)));
    }
    if let Some(rings) = merged(voice, &installed.came_from) {
        change(say!(voice, "replay-ring-merged", rings = rings));
    }
    said
}

fn asks(voice: Voice, (from, to): (u64, u64), by: u16) -> String {
    let (who, first) = (by.to_string(), format!("#{from}"));
    if from == to {
        return say!(voice, "replay-asked", who = who, number = first);
    }
    let last = format!("#{to}");
    say!(
        voice,
        "replay-asked-several",
        who = who,
        first = first,
        last = last
    )
}

fn checkpoint(voice: Voice, number: Option<u64>) -> String {
    match number {
        Some(number) => say!(voice, "replay-checkpoint-number", number = number.to_string()),
        None => say!(voice, "replay-checkpoint"),
    }
}

fn ends(voice: Voice, code: u64, reason: Option<&str>) -> String {
    let code = code.to_string();
    match reason {
        // Reasons of an end are searched for and compared: they are the same in all languages.
        Some(reason) => say!(voice, "replay-exit-why", code = code, why = visible::line(reason)),
        None => say!(voice, "replay-exit", code = code),
    }
}

/// What is done to a node, for a lesson; `own` if that node tells it.
fn lab(voice: Voice, lab: &LabTold, own: bool) -> String {
    let (what, state) = (deed(voice, &lab.what), deed_state(voice, &lab.state));
    if !own {
        let on = lab.on.to_string();
        return say!(voice, "replay-lab-heard", what = what, on = on, state = state);
    }
    match (lab.what.as_str(), lab.state.as_str()) {
        ("crash", "begins") => say!(voice, "replay-lab-killed"),
        ("pause", "begins") => say!(voice, "replay-lab-stopped"),
        ("pause", "ends") => say!(voice, "replay-lab-goes-on"),
        ("cut", "begins") => say!(voice, "replay-lab-cut-off", from = list(&lab.from)),
        ("heal", "begins") => say!(voice, "replay-lab-hears"),
        _ => say!(voice, "replay-lab", what = what, state = state),
    }
}

/// A deed of a lesson, as recordings spell it, in words.
fn deed(voice: Voice, what: &str) -> String {
    match what {
        "pause" => say!(voice, "replay-deed-pause"),
        "crash" => say!(voice, "replay-deed-crash"),
        "cut" => say!(voice, "replay-deed-cut"),
        "heal" => say!(voice, "replay-deed-heal"),
        "lose_token" => say!(voice, "replay-deed-lose-token"),
        "checkpoint" => say!(voice, "replay-deed-checkpoint"),
        "rollback" => say!(voice, "replay-deed-rollback"),
        "delay" => say!(voice, "replay-deed-delay"),
        "say" => say!(voice, "replay-deed-say"),
        "twin" => say!(voice, "replay-deed-twin"),
        other => visible::line(other).replace('_', " "),
    }
}

/// How far a deed is, as recordings spell it, in words.
fn deed_state(voice: Voice, state: &str) -> String {
    match state {
        "asked" => say!(voice, "replay-deed-asked"),
        "begins" => say!(voice, "replay-deed-begins"),
        "ends" => say!(voice, "replay-deed-ends"),
        "refused" => say!(voice, "replay-deed-refused"),
        other => visible::line(other),
    }
}

/// What the core told in English, safe to show, and in this language if it is known there.
fn safe(voice: Voice, english: &str) -> String {
    voice.reason(&visible::line(english))
}

/// Which rings became one, if several did.
fn merged(voice: Voice, came_from: &[CameFrom]) -> Option<String> {
    let rings: Vec<String> = came_from.iter().filter_map(|from| from.ring.map(short)).collect();
    (rings.len() > 1).then(|| all_of(voice, rings))
}

/// Several things, with an "and" between them.
pub fn all_of(voice: Voice, things: Vec<String>) -> String {
    let several = things.into_iter();
    let joined = several.reduce(|most, last| say!(voice, "who-and-who", most = most, last = last));
    joined.unwrap_or_default()
}

/// A ring as people name it: its epoch and leader.
pub fn short(ring: RingId) -> String {
    format!("{}.{}", ring.epoch, ring.leader.id)
}

/// A text of somebody's, cut to what fits.
pub fn said(text: &str) -> String {
    visible::cut(&visible::line(text), TEXT_COLUMNS)
}

/// Nodes, as people list them.
pub fn list(nodes: &[u16]) -> String {
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    nodes.join(",")
}

/// A node with its name, if that is known: `ana·3`.
pub fn who(voice: Voice, node: NodeId, names: &BTreeMap<NodeId, String>) -> String {
    match names.get(&node) {
        Some(name) => format!("{}·{node}", visible::name(name)),
        None => say!(voice, "node", id = node.to_string()),
    }
}

/// A time since the beginning: `+1.034042`.
pub fn since(us: u64) -> String {
    format!("+{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests;
