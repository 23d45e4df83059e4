//! What happened before what: the facts of a recording from which follows that one event was before another.
//!
//! Lamport's relation (1978): within a node the order in which it told; between nodes only what a datagram must have
//! carried. A cause is claimed only where the protocol leaves no other way:
//!
//! - A token's way is one chain of hops in its ring. `pass` with hop *h* tells that the token with *h* left;
//!   `grant`, `rest` and `wake` with *h* that it is here and has not left; `token` with *h* that it was here. So each of
//!   them is after all of the others with a lower hop in the same ring, and after the `pass` with its own. `token` is
//!   told when the token may have left already: it is after others, and no cause itself.
//! - A message is delivered after it was stamped, or, where that is not told, after it was in its sender's outbox.
//! - A ring is installed after its commit token went through all members, so after each of them gathered for it.
//! - A number is repaired after its repairer sent it again (for the first time), and heard to be asked for after it
//!   was asked for.
//! - A message is held by all of *n* after all *n* members of the ring have written it, unless there is a quorum: then what is held is
//!   stored before it is delivered, and written later.
//!
//! Where a node's recording is missing, what others deliver of its messages still tells when it stamped them: such
//! events are added to its line, in the order of their positions.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Fact;
use super::reading::{Entry, Recording};
use crate::words::{MessageId, NodeId, Position, RingId};

/// Pairs of events, by number: the first is a cause of the second, and another node's.
pub type Causes = Vec<(u32, u32)>;

/// An event of a token's way.
#[derive(Clone, Copy)]
struct Station {
    /// Orders them along the way: sent with hop h, then there with hop h.
    place: u64,
    rank: u32,
    event: u32,
    is_cause: bool,
}

/// Finds the causes, and adds to the recording what follows from it about nodes that recorded nothing.
pub fn find(recording: &mut Recording) -> Causes {
    let added = add_inferred(recording);
    let mut finder = Finder {
        recording,
        ranks: ranks(recording),
        causes: Vec::new(),
    };
    finder.tokens();
    finder.messages(&added);
    finder.rings();
    finder.repairs();
    finder.held();
    let mut causes = finder.causes;
    causes.sort_unstable();
    causes.dedup();
    causes
}

/// Where each event stands among those of its node.
fn ranks(recording: &Recording) -> Vec<u32> {
    let mut ranks = vec![0; recording.entries.len()];
    for stream in recording.streams.values() {
        for (rank, event) in (0..).zip(stream) {
            ranks[*event as usize] = rank;
        }
    }
    ranks
}

/// Adds an event for each message of a node that recorded nothing: it was stamped there. Returns them by position.
fn add_inferred(recording: &mut Recording) -> BTreeMap<Position, u32> {
    let told: BTreeSet<NodeId> = recording.streams.keys().copied().collect();
    let mut stamped: BTreeMap<Position, (MessageId, Entry)> = BTreeMap::new();
    for entry in &recording.entries {
        if let Fact::Delivered(id, position) = entry.fact
            && !told.contains(&id.sender.id)
        {
            let first = stamped.entry(position).or_insert((id, *entry));
            if entry.us < first.1.us && entry.clock == first.1.clock {
                first.1 = *entry;
            }
        }
    }
    let mut added = BTreeMap::new();
    for (position, (id, seen)) in stamped {
        let event = recording.entries.len() as u32;
        let node = id.sender.id;
        recording.entries.push(Entry {
            node,
            place: None,
            fact: Fact::Stamped(id, position),
            ..seen
        });
        recording.streams.entry(node).or_default().push(event);
        added.insert(position, event);
    }
    added
}

struct Finder<'a> {
    recording: &'a Recording,
    ranks: Vec<u32>,
    causes: Causes,
}

impl Finder<'_> {
    fn cause(&mut self, from: u32, to: u32) {
        let node = |event: u32| self.recording.entries[event as usize].node;
        if node(from) != node(to) {
            self.causes.push((from, to));
        }
    }

    /// All events with their facts.
    fn facts(&self) -> impl Iterator<Item = (u32, NodeId, Fact)> + use<'_> {
        let numbered = (0..).zip(&self.recording.entries);
        numbered.map(|(event, entry)| (event, entry.node, entry.fact))
    }

    /// Each event of a token's way is after the last one before it.
    fn tokens(&mut self) {
        let mut ways: BTreeMap<RingId, Vec<Station>> = BTreeMap::new();
        for (event, _, fact) in self.facts() {
            let (ring, place, is_cause) = if let Fact::Sent(ring, hop) = fact {
                (ring, hop.0.saturating_mul(2), true)
            } else if let Fact::Here(ring, hop) = fact {
                (ring, hop.0.saturating_mul(2).saturating_add(1), true)
            } else if let Fact::Seen(ring, hop) = fact {
                (ring, hop.0.saturating_mul(2).saturating_add(1), false)
            } else {
                continue;
            };
            let rank = self.ranks[event as usize];
            ways.entry(ring).or_default().push(Station {
                place,
                rank,
                event,
                is_cause,
            });
        }
        for mut way in ways.into_values() {
            way.sort_by_key(|station| (station.place, station.rank));
            let mut before: Option<u32> = None;
            for same in way.chunk_by(|one, next| one.place == next.place) {
                for station in same {
                    if let Some(before) = before {
                        self.cause(before, station.event);
                    }
                }
                let last = same.iter().rfind(|station| station.is_cause);
                before = last.map(|station| station.event).or(before);
            }
        }
    }

    /// Keeps the first of a node's events.
    fn first<K: Ord>(&self, kept: &mut BTreeMap<K, u32>, key: K, event: u32) {
        let rank = |event: u32| self.ranks[event as usize];
        let first = kept.entry(key).or_insert(event);
        if rank(event) < rank(*first) {
            *first = event;
        }
    }

    fn messages(&mut self, added: &BTreeMap<Position, u32>) {
        let mut stamped = added.clone();
        let mut pending: BTreeMap<MessageId, u32> = BTreeMap::new();
        let mut delivered = Vec::new();
        for (event, _, fact) in self.facts() {
            if let Fact::Stamped(_, position) = fact {
                self.first(&mut stamped, position, event);
            } else if let Fact::Pending(id) = fact {
                self.first(&mut pending, id, event);
            } else if let Fact::Delivered(id, position) = fact {
                delivered.push((event, id, position));
            }
        }
        for (event, id, position) in delivered {
            let before = stamped.get(&position).or_else(|| pending.get(&id));
            if let Some(before) = before {
                self.cause(*before, event);
            }
        }
    }

    /// Every member gathered before any of them installed.
    fn rings(&mut self) {
        let mut rings: BTreeMap<RingId, Vec<(Option<u32>, u32)>> = BTreeMap::new();
        for stream in self.recording.streams.values() {
            let mut gathered = None;
            for event in stream {
                let fact = self.recording.entries[*event as usize].fact;
                if fact == Fact::Gathers {
                    gathered = Some(*event);
                } else if fact == Fact::Start {
                    gathered = None;
                } else if let Fact::Installs(ring) = fact {
                    rings.entry(ring).or_default().push((gathered.take(), *event));
                }
            }
        }
        for members in rings.values() {
            for gathered in members.iter().filter_map(|(gathered, _)| *gathered) {
                for (_, installed) in members {
                    self.cause(gathered, *installed);
                }
            }
        }
    }

    fn repairs(&mut self) {
        let mut asked = BTreeMap::new();
        let mut resent = BTreeMap::new();
        for (event, node, fact) in self.facts() {
            if let Fact::Asked { ring, from, to, by } = fact
                && by == node
            {
                self.first(&mut asked, (by, ring, from, to), event);
            } else if let Fact::Resent(position) = fact {
                self.first(&mut resent, (node, position), event);
            }
        }
        let mut found = Vec::new();
        for (event, node, fact) in self.facts() {
            let before = if let Fact::Asked { ring, from, to, by } = fact {
                asked.get(&(by, ring, from, to)).filter(|_| by != node)
            } else if let Fact::Repaired(position, from) = fact {
                resent.get(&(from, position))
            } else {
                None
            };
            found.extend(before.map(|before| (*before, event)));
        }
        // Details are thinned where there are many: what was told first need not have been the first.
        found.retain(|(before, event)| !self.is_later(*before, *event));
        found
            .into_iter()
            .for_each(|(before, event)| self.cause(before, event));
    }

    /// Whether the first is later than the second by a clock that both go by.
    fn is_later(&self, one: u32, other: u32) -> bool {
        let entries = &self.recording.entries;
        let (one, other) = (&entries[one as usize], &entries[other as usize]);
        self.recording.is_one_machine(one.clock, other.clock) && one.us > other.us
    }

    /// Held by all is after all have written, if all of them tell. With a quorum it is stored elsewhere that counts.
    fn held(&mut self) {
        if self.recording.has_quorum {
            return;
        }
        let mut written: BTreeMap<MessageId, BTreeMap<NodeId, u32>> = BTreeMap::new();
        let mut members: BTreeMap<RingId, BTreeSet<NodeId>> = BTreeMap::new();
        for (event, node, fact) in self.facts() {
            if let Fact::Written(id) = fact {
                let nodes = written.entry(id).or_default();
                self.first(nodes, node, event);
            } else if let Fact::Installs(ring) = fact {
                members.entry(ring).or_default().insert(node);
            }
        }
        for (event, id, n, ring) in self.held_by_all() {
            // Others may have written it as well; those that were counted are the members.
            let members = members.get(&ring).filter(|nodes| nodes.len() == usize::from(n));
            let (Some(members), Some(written)) = (members, written.get(&id)) else {
                continue;
            };
            let all: Option<Vec<u32>> = members.iter().map(|node| written.get(node).copied()).collect();
            let all = all.unwrap_or_default();
            all.into_iter().for_each(|before| self.cause(before, event));
        }
    }

    /// What all members of a ring have: the event that tells so, the message, how many they are, and their ring.
    fn held_by_all(&self) -> Vec<(u32, MessageId, u16, RingId)> {
        let mut held = Vec::new();
        for stream in self.recording.streams.values() {
            let mut installed = None;
            for event in stream {
                let fact = self.recording.entries[*event as usize].fact;
                if let Fact::Installs(ring) = fact {
                    installed = Some(ring);
                } else if let (Fact::HeldByAll(id, n), Some(ring)) = (fact, installed) {
                    held.push((*event, id, n, ring));
                }
            }
        }
        held
    }
}
