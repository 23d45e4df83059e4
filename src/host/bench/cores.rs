//! The cores under load: the ring alone, or a whole node, each with the load in the core's own thread.
//!
//! The load takes the place of the user's side: what is delivered goes to it and no further, so nothing of the user
//! interface is measured.

use std::collections::VecDeque;

use memchr::memmem;

use super::Mode;
use super::load::{Costs, Load};
use crate::host::clock;
use crate::host::driver::Core;
use crate::host::machine;
use crate::node::Node;
use crate::node::face::{Action, Command, Event, Notice};
use crate::order::{OrderOnly, Traffic, User};
use crate::ring::{Delivery, Installed, Ring, RingState};
use crate::words::{Seq, Time};

/// The room of a benchmark's lines.
const ROOM: &str = "bench";

impl User for Load {
    fn installed(&mut self, now: Time, installed: &Installed) {
        Load::installed(self, now, installed.members.iter().map(|member| member.id));
    }

    fn delivered(&mut self, now: Time, delivery: &Delivery) {
        Load::delivered(self, now, &delivery.content);
    }

    fn next(&mut self, now: Time, waiting: usize) -> Option<bytes::Bytes> {
        Load::next(self, now, waiting)
    }

    fn deadline(&self) -> Option<Time> {
        Load::deadline(self)
    }

    fn is_done(&self) -> bool {
        Load::is_done(self)
    }
}

impl Core for OrderOnly<Load> {
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        if self.user().is_due(now) {
            let costs = costs(self.ring(), self.traffic(), None);
            self.user_mut().advance(now, costs);
        }
        OrderOnly::handle(self, now, event)
    }

    fn deadline(&self) -> Option<Time> {
        OrderOnly::deadline(self)
    }
}

/// A node under load.
#[derive(Debug)]
pub struct Loaded {
    node: Node,
    load: Load,
    mode: Mode,
    traffic: Traffic,
    /// The numbers of messages, in the order of their delivery, that not all members were known to hold when this was looked
    /// at last; and how many have been.
    not_held_by_all: VecDeque<Seq>,
    held_by_all: u64,
    leaving: bool,
}

impl Loaded {
    /// Puts a load on a node.
    pub fn new(node: Node, load: Load, mode: Mode) -> Loaded {
        Loaded {
            node,
            load,
            mode,
            traffic: Traffic::default(),
            not_held_by_all: VecDeque::new(),
            held_by_all: 0,
            leaving: false,
        }
    }

    /// The load.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Messages that count by now.
    fn counted(&self) -> Option<u64> {
        match self.mode {
            Mode::Order => None,
            Mode::Written => Some(self.node.held().len()),
            Mode::Synced => Some(self.held_by_all),
        }
    }

    /// Looks what all members hold. A long message has several numbers, of which it is delivered under the last.
    fn note_held(&mut self) {
        let held = self.node.ring().installed().map(RingState::held_by_all);
        while self.not_held_by_all.front().is_some_and(|seq| Some(*seq) <= held) {
            self.not_held_by_all.pop_front();
            self.held_by_all += 1;
        }
    }

    /// Takes what the node tells out of what it wants done.
    fn take_notices(&mut self, now: Time, actions: Vec<Action>) -> Vec<Action> {
        let mut rest = Vec::with_capacity(actions.len());
        for action in actions {
            self.traffic.count(&action);
            match action {
                Action::Notice(Notice::Message { record, .. }) => {
                    self.not_held_by_all.push_back(record.position.seq);
                    text_of(&record.content)
                        .into_iter()
                        .for_each(|text| self.load.delivered(now, text));
                }
                Action::Notice(Notice::Ring { members, .. }) => {
                    self.load.installed(now, members.iter().map(|member| member.id));
                }
                Action::Notice(_) => {}
                Action::Multicast(_) | Action::Unicast(..) | Action::Store(..) => rest.push(action),
                Action::Load(..) | Action::Stream(..) | Action::Exit(_) => rest.push(action),
            }
        }
        rest
    }

    fn say(&mut self, now: Time, payload: &[u8]) -> Vec<Action> {
        let text = String::from_utf8_lossy(payload).into_owned();
        let say = Command::Say {
            room: ROOM.to_string(),
            text,
            tag: 0,
            key: None,
            sent: clock::wall(),
        };
        self.node.handle(now, Event::Command(say))
    }
}

impl Core for Loaded {
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        if self.load.is_due(now) {
            let counted = self.counted();
            let costs = costs(self.node.ring(), self.traffic, counted);
            self.load.advance(now, costs);
        }
        let actions = self.node.handle(now, event);
        let mut all = self.take_notices(now, actions);
        // What is said may be delivered at once, and make room for more; `under_way_max` bounds it.
        while let Some(payload) = self.load.next(now, 0) {
            let actions = self.say(now, &payload);
            all.extend(self.take_notices(now, actions));
        }
        self.note_held();
        if self.load.is_done() && !self.leaving {
            self.leaving = true;
            let actions = self.node.handle(now, Event::Command(Command::Leave));
            all.extend(self.take_notices(now, actions));
        }
        all
    }

    fn deadline(&self) -> Option<Time> {
        [self.node.deadline(), self.load.deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// What the run cost so far.
fn costs(ring: &Ring, traffic: Traffic, counted: Option<u64>) -> Costs {
    let counters = ring.counters();
    Costs {
        counted,
        datagrams: traffic.datagrams,
        bytes: traffic.bytes,
        cpu_us: machine::processor_us(),
        resent: counters.repaired_for_others + counters.tokens_resent,
        rotation_us: ring.timing().rotation_us,
        peak_kib: machine::peak_kib(),
    }
}

/// The text in a content; a benchmark's has only letters, so nothing in it is escaped.
fn text_of(content: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"text\":\"";
    let start = memmem::find(content, KEY)? + KEY.len();
    let length = memchr::memchr(b'"', &content[start..])?;
    Some(&content[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Content;
    use crate::words::{NodeId, WallTime};

    #[test]
    fn the_text_of_a_line_is_found_in_its_content() {
        let content = Content::new(NodeId(3), "ana", "bench", WallTime(0), "Mabc").unwrap();
        assert_eq!(text_of(&content.to_bytes()), Some(&b"Mabc"[..]));
        assert_eq!(text_of(b"{\"from\":3}"), None);
    }
}
