//! Events in words: one short line each, safe to show, the same for a terminal, a ShiViz log and a picture.

use std::collections::BTreeMap;

use super::facts::Fact;
use super::told::{self, CameFrom, Head, Told};
use crate::host::terminal::visible;
use crate::words::{NodeId, RingId, Seq};

/// The widest text of a message that is shown, in columns.
const TEXT_COLUMNS: usize = 60;

/// Tells events in words, and remembers which numbers were given in more than one ring.
#[derive(Debug, Default)]
pub struct Words {
    /// For each number the ring that it was seen in first.
    numbers: BTreeMap<Seq, RingId>,
}

impl Words {
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
            Err(_) => "an event that cannot be read any more".to_string(),
        }
    }

    /// What is only known from others.
    pub fn inferred(&mut self, fact: &Fact) -> String {
        if let Fact::Stamped(_, position) = fact {
            let number = self.number(position.ring, position.seq.0);
            return format!("stamped {number} (known from others)");
        }
        "did something (known from others)".to_string()
    }

    /// An event in words.
    pub fn event(&mut self, head: &Head, told: &Told) -> String {
        if let Some(said) = self.of_messages(told) {
            return said;
        }
        if let Some(said) = of_the_ring(told) {
            return said;
        }
        if let Some(said) = of_the_disk(told) {
            return said;
        }
        match told {
            Told::Lab {
                what,
                on,
                state,
                from,
                ..
            } => lab((what, state), *on, from, head.node.is_none_or(|node| node == *on)),
            Told::Lost { count } => format!("{count} events could not be recorded"),
            Told::Warning { text } => format!("warning: {}", visible::line(text)),
            Told::Exit { code, reason } => match reason {
                Some(reason) => format!("ends with code {code}: {}", visible::line(reason)),
                None => format!("ends with code {code}"),
            },
            Told::Other => visible::cut(&visible::line(&head.kind), TEXT_COLUMNS).replace('_', " "),
            Told::Pending { .. }
            | Told::Stamped { .. }
            | Told::Message { .. }
            | Told::Written { .. }
            | Told::Held { .. }
            | Told::Asked { .. }
            | Told::Resent { .. }
            | Told::Repaired { .. } => String::new(),
            Told::Request {}
            | Told::Grant { .. }
            | Told::Pass { .. }
            | Told::Rest { .. }
            | Told::Wake { .. }
            | Told::Token { .. }
            | Told::Gathering { .. }
            | Told::Ring { .. }
            | Told::Fenced { .. }
            | Told::Woke { .. }
            | Told::Start { .. }
            | Told::Story { .. }
            | Told::Checkpointed { .. }
            | Told::CaughtUp { .. }
            | Told::Reconciled { .. }
            | Told::DiskFull { .. }
            | Told::DiskRoom {} => String::new(),
        }
    }

    fn of_messages(&mut self, told: &Told) -> Option<String> {
        Some(match told {
            Told::Pending { text, .. } => format!("says, not yet ordered: {}", said(text)),
            Told::Stamped { ring, seq, hop, .. } => {
                format!("stamps {} at hop {hop}", self.number(*ring, *seq))
            }
            Told::Message {
                id,
                ring,
                seq,
                name,
                text,
                late,
            } => {
                let number = self.number(*ring, *seq);
                let late = if *late { ", late" } else { "" };
                let who = visible::name(name);
                format!("{number} {who}·{}{late}: {}", id.sender.id, said(text))
            }
            Told::Written { ring, seq, .. } => {
                format!("{} is in the replica", self.number(*ring, *seq))
            }
            Told::Held { seq, k, n, .. } if k == n => format!("#{seq} is held by all {n}"),
            Told::Held { seq, k, n, .. } => format!("#{seq} is held by {k} of {n}"),
            Told::Asked {
                from_seq, to_seq, by, ..
            } => match from_seq == to_seq {
                true => format!("{by} asks for #{from_seq} again"),
                false => format!("{by} asks for #{from_seq} to #{to_seq} again"),
            },
            Told::Resent { ring, seq, to } => {
                let number = self.number(*ring, *seq);
                match to {
                    Some(to) => format!("sends {number} again, to {to}"),
                    None => format!("sends {number} again"),
                }
            }
            Told::Repaired { ring, seq, from } => {
                format!("{} comes by a repair from {from}", self.number(*ring, *seq))
            }
            Told::Request {}
            | Told::Grant { .. }
            | Told::Pass { .. }
            | Told::Rest { .. }
            | Told::Wake { .. }
            | Told::Token { .. }
            | Told::Gathering { .. }
            | Told::Ring { .. }
            | Told::Fenced { .. }
            | Told::Woke { .. } => return None,
            Told::Start { .. }
            | Told::Story { .. }
            | Told::Checkpointed { .. }
            | Told::CaughtUp { .. }
            | Told::Reconciled { .. }
            | Told::DiskFull { .. }
            | Told::DiskRoom {}
            | Told::Lab { .. }
            | Told::Lost { .. }
            | Told::Warning { .. }
            | Told::Exit { .. }
            | Told::Other => return None,
        })
    }
}

fn of_the_ring(told: &Told) -> Option<String> {
    Some(match told {
        Told::Request {} => "asks for the token".to_string(),
        Told::Grant { hop, .. } => format!("has the token, hop {hop}"),
        Told::Pass { hop, to, .. } => format!("passes the token to {to}, hop {hop}"),
        Told::Rest { hop, .. } => format!("the token rests here, hop {hop}"),
        Told::Wake { hop, by, .. } => match by {
            Some(by) => format!("the token is hastened by {by}, hop {hop}"),
            None => format!("the token is hastened, hop {hop}"),
        },
        Told::Token { hop, high, .. } => format!("the token was here, hop {hop}, up to #{high}"),
        Told::Gathering { reason } => format!("looks for others: {}", visible::line(reason)),
        Told::Ring {
            ring,
            members,
            joined,
            left,
            came_from,
            ..
        } => {
            let members: Vec<u16> = members.iter().map(|member| member.id).collect();
            let merged = merged(came_from);
            let change = |what: &str, who: &[u16]| match who {
                [] => String::new(),
                who => format!(", {what} {}", list(who)),
            };
            let (joined, left) = (change("joined", joined), change("left", left));
            format!(
                "ring {} of {}{joined}{left}{merged}",
                short(*ring),
                list(&members)
            )
        }
        Told::Fenced { from } => format!("fences {from}: its ring is over"),
        Told::Woke { away_us } => format!("was suspended for {} ms", away_us / 1_000),
        Told::Pending { .. }
        | Told::Stamped { .. }
        | Told::Message { .. }
        | Told::Written { .. }
        | Told::Held { .. }
        | Told::Asked { .. }
        | Told::Resent { .. }
        | Told::Repaired { .. } => return None,
        Told::Start { .. }
        | Told::Story { .. }
        | Told::Checkpointed { .. }
        | Told::CaughtUp { .. }
        | Told::Reconciled { .. }
        | Told::DiskFull { .. }
        | Told::DiskRoom {}
        | Told::Lab { .. }
        | Told::Lost { .. }
        | Told::Warning { .. }
        | Told::Exit { .. }
        | Told::Other => return None,
    })
}

fn of_the_disk(told: &Told) -> Option<String> {
    Some(match told {
        Told::Start {
            id,
            name,
            incarnation,
        } => {
            let name = visible::name(name);
            format!("{name}·{id} starts, incarnation {incarnation}")
        }
        Told::Story { fresh: true, .. } => "nothing was on its disk".to_string(),
        Told::Story {
            checkpoint,
            held,
            rolled_back,
            recovered_own,
            ..
        } => {
            let from = match checkpoint {
                Some(number) => format!("from checkpoint {number}"),
                None => "without a checkpoint".to_string(),
            };
            format!(
                "{from}: {rolled_back} rolled back, {recovered_own} recovered from its replica, {held} held"
            )
        }
        Told::Checkpointed { number } => match number {
            Some(number) => format!("checkpoint {number}"),
            None => "checkpoint".to_string(),
        },
        Told::CaughtUp { peer, received } => format!("caught up with {peer}: {received} messages"),
        Told::Reconciled { records } => format!("reconciled {records} messages"),
        Told::DiskFull { reason } => format!("disk full: {}", visible::line(reason)),
        Told::DiskRoom {} => "there is room on the disk again".to_string(),
        Told::Pending { .. }
        | Told::Stamped { .. }
        | Told::Message { .. }
        | Told::Written { .. }
        | Told::Held { .. }
        | Told::Asked { .. }
        | Told::Resent { .. }
        | Told::Repaired { .. } => return None,
        Told::Request {}
        | Told::Grant { .. }
        | Told::Pass { .. }
        | Told::Rest { .. }
        | Told::Wake { .. }
        | Told::Token { .. }
        | Told::Gathering { .. }
        | Told::Ring { .. }
        | Told::Fenced { .. }
        | Told::Woke { .. }
        | Told::Lab { .. }
        | Told::Lost { .. }
        | Told::Warning { .. }
        | Told::Exit { .. }
        | Told::Other => return None,
    })
}

/// What is done to a node, for a lesson.
fn lab((what, state): (&str, &str), on: u16, from: &[u16], own: bool) -> String {
    let what = visible::line(what).replace('_', " ");
    let state = visible::line(state);
    if !own {
        return format!("hears of a lesson: {what} on {on} {state}");
    }
    match (what.as_str(), state.as_str(), from) {
        ("crash", "begins", _) => "is killed".to_string(),
        ("pause", "begins", _) => "is stopped in its tracks".to_string(),
        ("pause", "ends", _) => "goes on".to_string(),
        ("cut", "begins", from) => format!("is cut off from {}", list(from)),
        ("heal", "begins", _) => "hears all again".to_string(),
        _ => format!("lesson: {what} {state}"),
    }
}

/// Which rings became one, if several did.
fn merged(came_from: &[CameFrom]) -> String {
    let rings: Vec<String> = came_from.iter().filter_map(|from| from.ring.map(short)).collect();
    if rings.len() < 2 {
        return String::new();
    }
    format!(", merged from {}", rings.join(" and "))
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
pub fn who(node: NodeId, names: &BTreeMap<NodeId, String>) -> String {
    match names.get(&node) {
        Some(name) => format!("{}·{node}", visible::name(name)),
        None => format!("node {node}"),
    }
}

/// A time since the beginning: `+1.034042`.
pub fn since(us: u64) -> String {
    format!("+{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_made_visible_and_stays_one_line() {
        let text = "{\"v\":1,\"type\":\"message\",\"id\":\"1-5-1\",\"ring\":\"1.1.5\",\"seq\":1,\
             \"name\":\"a\\nb\",\"text\":\"x\\u001b[2J\\ny\"}";
        let line = Words::default().line(text);
        assert_eq!(line, "#1 a␊b·1: x␛[2J␊y");
        let unknown = "{\"v\":1,\"type\":\"some_thing\\n\"}";
        assert_eq!(Words::default().line(unknown), "some thing␊");
    }

    #[test]
    fn a_number_of_two_rings_is_told_with_its_ring() {
        let (one, other): (RingId, RingId) = ("2.1.5".parse().unwrap(), "2.3.7".parse().unwrap());
        let mut words = Words::default();
        assert_eq!(words.number(one, 3), "#3");
        assert_eq!(words.number(other, 3), "#3@2.3");
        assert_eq!(words.number(one, 3), "#3");
    }
}
