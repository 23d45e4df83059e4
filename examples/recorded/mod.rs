//! What a simulated run tells, as a recording: the events of all nodes in one file, in simulated time.
//!
//! The simulator and the host do not know each other; here what the one keeps becomes what the other tells. What is
//! done to a node (killed, stopped, cut off) is told by that node as the same thing is told in a lesson.

use std::collections::BTreeMap;

use roda::host::events::object::Object;
use roda::host::events::{self, Mark};
use roda::host::exit::{self, Code};
use roda::host::terminal::start::Story;
use roda::replica::content::{DEFAULT_ROOM, rfc3339};
use roda::sim::world::{BEGINNING_US, Happened, Told, What};
use roda::words::{Incarnation, NodeId, WallTime};

/// The whole recording, a line an event.
pub fn recording(happened: &[Happened]) -> String {
    let mut counters: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut text = String::new();
    for one in happened {
        let counter = counters.entry(one.node).or_default();
        let mut next = || {
            *counter += 1;
            Mark {
                at: WallTime((BEGINNING_US + one.at.0) / 1_000),
                n: *counter,
                node: one.node,
                us: one.at,
            }
        };
        for line in lines(one, &mut next) {
            text += &line;
            text.push('\n');
        }
    }
    text
}

/// The events of one thing that happened: one, or two at a start.
fn lines(one: &Happened, next: &mut impl FnMut() -> Mark) -> Vec<String> {
    match &one.what {
        What::Start {
            incarnation,
            name,
            quorum,
            again,
        } => {
            let start = start(next(), *incarnation, name, *quorum);
            if *again {
                // What a later life found is the simulator's own business.
                return vec![start];
            }
            let fresh = Story {
                fresh: true,
                clean: true,
                ..Story::default()
            };
            vec![start, events::story(&fresh, next())]
        }
        What::Told(Told::Notice(notice)) => vec![events::notice(notice, next())],
        What::Told(Told::Exit(exit)) => {
            let reason = exit::sentence(exit);
            vec![events::exit(Code::of(exit), reason.as_deref(), next())]
        }
        What::Crash => vec![lab(next(), "crash", "begins").end()],
        What::Pause => vec![lab(next(), "pause", "begins").end()],
        What::Resume => vec![lab(next(), "pause", "ends").end()],
        What::Cut(from) => vec![lab(next(), "cut", "begins").nodes("from", from).end()],
        What::Heal => vec![lab(next(), "heal", "begins").end()],
    }
}

fn begin(name: &str, mark: Mark) -> Object {
    Object::new()
        .number("v", events::VERSION)
        .text("type", name)
        .text("at", rfc3339(mark.at))
        .number("event", mark.n)
        .number("node", mark.node.0)
        .number("us", mark.us.0)
}

/// Something is done to this node.
fn lab(mark: Mark, what: &str, state: &str) -> Object {
    begin("lab", mark)
        .text("what", what)
        .maybe("by", None)
        .number("on", mark.node.0)
        .text("state", state)
}

/// A life begins. What of a start is of the machine, a simulated one does not have.
fn start(mark: Mark, incarnation: Incarnation, name: &str, quorum: u16) -> String {
    begin("start", mark)
        .number("id", mark.node.0)
        .plain("incarnation", incarnation)
        .text("name", name)
        .text("room", DEFAULT_ROOM)
        .text("interface", "simulated")
        .number("delay_min_us", 0u64)
        .number("delay_max_us", 0u64)
        .number("quorum", quorum)
        .flag("encrypted", false)
        .maybe_text("key", None::<&str>)
        .end()
}
