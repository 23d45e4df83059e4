//! `node demo --web`: three nodes with a page each, for lessons: any of them can be made to pause, to lose the token, to crash.
//!
//! Whoever crashes is started again here, after the time that its last event names; whoever leaves stays away.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::clock;
use crate::host::disk::Paths;
use crate::host::web::stored;
use crate::words::{NodeId, Time};

use super::Story;
use super::acts::ALL;
use super::failure::Failure;
use super::player::Told;
use super::stage::{Stage, name};

/// How often it is looked at who has crashed.
const LOOK: Duration = Duration::from_millis(100);
/// What a node of a lesson is started with. Checkpoints come often, so that there is something to go back to.
const WORDS: [&str; 5] = ["--web", "--lab", "--supervised", "--checkpoint-every", "5s"];
/// What is said at the beginning, so that the page is not empty.
const GREETINGS: [&str; 3] = ["hello, all", "here I am", "let us begin"];

impl Story {
    /// Starts the three, says where their pages are, and keeps them going until the user ends it.
    pub(super) fn teach(&mut self, open: bool) -> Result<(), Failure> {
        self.page
            .line("roda: three nodes for a lesson, on this machine alone. Each has a page of its own:")?;
        for id in ALL {
            self.start_for_lesson(id, open && id == ALL[0])?;
        }
        self.stage.wait("one ring of all three", |stage| {
            let together = ALL.iter().all(|id| stage.player(*id).ring() == ALL);
            together.then_some(())
        })?;
        for id in ALL {
            let link = link(&self.stage, id)?;
            self.page.say(&format!("node {id} ({}): {link}", name(id)))?;
        }
        for (id, line) in ALL.into_iter().zip(GREETINGS) {
            self.stage.say(id, &[line])?;
        }
        self.page
            .line("The lessons are on the left of the page. Ctrl-C here ends all three.")?;
        match self.look_after() {
            Err(Failure::Interrupted) => {}
            Err(failure) => return Err(failure),
            Ok(()) => self.page.line("All three nodes have ended.")?,
        }
        self.stage.ask_to_end(&ALL)?;
        match self.stage.leave(&ALL) {
            // Asked to end a second time: what still runs is killed.
            Ok(_) | Err(Failure::Interrupted) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn start_for_lesson(&mut self, id: u16, open: bool) -> Result<(), Failure> {
        let words = WORDS.into_iter().chain(open.then_some("--open"));
        self.stage.start(id, &words.collect::<Vec<_>>())?;
        // Whoever teaches may also end a node.
        self.stage.may_end(&[id]);
        Ok(())
    }

    /// Starts again who has crashed, as long as somebody lives or is to come back.
    fn look_after(&mut self) -> Result<(), Failure> {
        let mut coming: BTreeMap<u16, Time> = BTreeMap::new();
        loop {
            self.stage.pause(LOOK)?;
            let now = clock::now();
            for id in ALL {
                let player = self.stage.player(id);
                if !player.silent {
                    continue;
                }
                let back = player.last("lab").and_then(|told| back(told, id));
                let back = back.filter(|_| player.last("exit").is_none());
                if let Some(after_us) = back {
                    coming.entry(id).or_insert_with(|| now.after_us(after_us));
                }
            }
            let due: Vec<u16> = coming
                .iter()
                .filter(|(_, at)| **at <= now)
                .map(|(id, _)| *id)
                .collect();
            for id in due {
                coming.remove(&id);
                self.start_for_lesson(id, false)?;
            }
            if coming.is_empty() && ALL.iter().all(|id| self.stage.player(*id).silent) {
                return Ok(());
            }
        }
    }
}

/// When a node that has ended comes back, in microseconds, if its last lesson was to crash.
fn back(told: &Told, id: u16) -> Option<u64> {
    let crashes = told.text("what") == "crash" && told.text("state") == "begins";
    let own = told.number("on") == Some(u64::from(id));
    let for_ms = told.number("for_ms")?;
    (crashes && own).then_some(for_ms * 1_000)
}

/// The address of a node's page, with what opens it.
fn link(stage: &Stage, id: u16) -> Result<String, Failure> {
    let own = Paths::new(stage.folder(), NodeId(id)).own;
    let missing =
        |error: String| Failure::Machine(format!("find node {id}'s page"), std::io::Error::other(error));
    let (stored, _) = stored::read(&own).map_err(|error| missing(error.to_string()))?;
    let stored = stored.ok_or_else(|| missing(format!("{} has no web.json", own.display())))?;
    Ok(format!(
        "http://127.0.0.1:{}/#token={}",
        stored.port, stored.token
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_crash_that_began_brings_a_node_back() {
        let told = |what: &str, state: &str, on: u16| Told {
            at: Time(0),
            fields: serde_json::json!({"type": "lab", "what": what, "state": state, "on": on, "for_ms": 300}),
        };
        assert_eq!(back(&told("crash", "begins", 2), 2), Some(300_000));
        assert_eq!(back(&told("crash", "begins", 3), 2), None);
        assert_eq!(back(&told("crash", "refused", 2), 2), None);
        assert_eq!(back(&told("pause", "begins", 2), 2), None);
    }
}
