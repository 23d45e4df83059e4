//! One node's process: its pipes, and all that it has told in this life.

use std::io::{self, Write};
use std::process::{Child, ChildStdin};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

use crate::words::Time;

/// A line of a node's JSON, and when it was read.
#[derive(Clone, Debug)]
pub struct Told {
    /// When it was read, on the demo's clock.
    pub at: Time,
    /// The object.
    pub fields: Value,
}

impl Told {
    /// The event's type.
    pub fn kind(&self) -> &str {
        self.text("type")
    }

    /// A string; empty if there is none.
    pub fn text(&self, key: &str) -> &str {
        self.fields[key].as_str().unwrap_or_default()
    }

    /// A number, if it is one.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.fields[key].as_u64()
    }

    /// The ids of the members that a `ring` event names.
    pub fn members(&self) -> Vec<u16> {
        let members = self.fields["members"].as_array();
        let ids = members.into_iter().flatten().map(|member| &member["id"]);
        ids.filter_map(Value::as_u64).map(|id| id as u16).collect()
    }
}

/// A message as a node told it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Who said it.
    pub name: String,
    /// What was said.
    pub text: String,
}

/// A node's process. Dropping it kills the process and waits for its end.
#[derive(Debug)]
pub struct Player {
    /// The process.
    pub child: Child,
    /// Its input; while it is open the node stays.
    pub input: Option<ChildStdin>,
    /// What it told, in order.
    pub told: Vec<Told>,
    /// Its output has ended: it tells no more.
    pub silent: bool,
    /// It may end now: it was asked to, or killed.
    pub may_end: bool,
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Player {
    /// Types lines, in one write.
    pub fn say(&mut self, lines: &[&str]) -> io::Result<()> {
        let Some(input) = &mut self.input else {
            return Err(io::Error::other("its input was closed"));
        };
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        input.write_all(text.as_bytes())
    }

    /// SIGSTOP, and waits until all of its threads have stopped: on a busy machine they run on for a while.
    pub fn stop(&self) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP)?;
        // It is only looked at: should it have ended, that is for whoever waits for its end.
        let looked = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), looked)?;
        Ok(())
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.may_end = true;
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Ends its input: it leaves the ring and ends.
    pub fn leave(&mut self) {
        self.may_end = true;
        self.input = None;
    }

    /// SIGTERM: it leaves the ring and ends, also if it does not heed its input.
    pub fn ask_to_end(&mut self) -> io::Result<()> {
        self.may_end = true;
        if self.silent {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        Ok(())
    }

    /// The last event of a type.
    pub fn last(&self, kind: &str) -> Option<&Told> {
        self.told.iter().rev().find(|told| told.kind() == kind)
    }

    /// The first event of a type at or after a time.
    pub fn first_since(&self, kind: &str, since: Time) -> Option<&Told> {
        self.told
            .iter()
            .find(|told| told.at >= since && told.kind() == kind)
    }

    /// How many events of a type there were.
    pub fn count(&self, kind: &str) -> usize {
        self.told.iter().filter(|told| told.kind() == kind).count()
    }

    /// The members of the ring it is in; none before the first.
    pub fn ring(&self) -> Vec<u16> {
        self.last("ring").map(Told::members).unwrap_or_default()
    }

    /// The messages it told, in the order in which it told them.
    pub fn messages(&self) -> Vec<Heard> {
        let messages = self.told.iter().filter(|told| told.kind() == "message");
        messages.map(heard).collect()
    }
}

fn heard(told: &Told) -> Heard {
    Heard {
        seq: told.number("seq").unwrap_or_default(),
        id: told.text("id").to_string(),
        name: told.text("name").to_string(),
        text: told.text("text").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_gives_what_it_has_and_nothing_for_what_it_has_not() {
        let told = Told {
            at: Time(1),
            fields: serde_json::json!({"type": "ring", "epoch": 4, "members": [{"id": 1}, {"id": 3}]}),
        };
        assert_eq!((told.kind(), told.number("epoch")), ("ring", Some(4)));
        assert_eq!(told.members(), [1, 3]);
        assert_eq!((told.text("nothing"), told.number("type")), ("", None));
    }
}
