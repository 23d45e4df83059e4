//! `--keep`: the ring goes on, for whoever wants to join it.

use std::time::Duration;

use crate::host::terminal::visible;

use super::Story;
use super::acts::ALL;
use super::failure::Failure;
use super::player::Told;
use super::stage::name;

/// How often what was said is shown.
const SHOW: Duration = Duration::from_millis(100);

impl Story {
    /// Starts the three again, says how to join, and shows what is said until the user ends it.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        for id in ALL {
            self.stage.start(id, &[])?;
        }
        self.stage.wait("one ring of all three", |stage| {
            let together = ALL.iter().all(|id| stage.player(*id).ring() == ALL);
            together.then_some(())
        })?;
        // Whoever plays with the ring may also kill its nodes.
        self.stage.may_end(&ALL);
        let folder = self.stage.folder().display().to_string();
        self.say_how(&folder)?;
        match self.follow() {
            Err(Failure::Interrupted) => {}
            Err(failure) => return Err(failure),
            Ok(()) => self.page.line("\nAll three nodes have ended.")?,
        }
        match self.stage.leave(&ALL) {
            // Asked to end a second time: what still runs is killed, and the files stay all the same.
            Ok(_) | Err(Failure::Interrupted) => {}
            Err(failure) => return Err(failure),
        }
        self.page
            .line(&format!("\nThe ring has ended. The files are in {folder}."))
    }

    /// How to join the ring, and how to end it.
    fn say_how(&mut self, folder: &str) -> Result<(), Failure> {
        let (group, program) = (self.stage.group(), self.stage.program().display().to_string());
        self.page
            .line("\nThe ring goes on. Join it from another terminal:")?;
        let place = format!("--group {group} --interface 127.0.0.1 --data-dir {folder}");
        self.page.say(&format!("{program} --id 4 {place}"))?;
        let ids = ALL.map(|id| format!("{} (node {id}, {})", self.stage.player(id).child.id(), name(id)));
        self.page
            .line(&format!("Processes to kill, if you like: {}.", ids.join(", ")))?;
        self.page
            .line("Ctrl-C here ends all three; the folder stays. What is said from now on:")
    }

    /// Shows what is said, and who comes and goes, as long as a node lives; a signal ends it as a failure.
    fn follow(&mut self) -> Result<(), Failure> {
        // The first node that lives is listened to. What it told before it is listened to was shown already.
        let living = |story: &Story| ALL.into_iter().find(|id| !story.stage.player(*id).silent);
        while let Some(id) = living(self) {
            let mut shown = self.stage.player(id).told.len();
            while !self.stage.player(id).silent {
                self.stage.pause(SHOW)?;
                let told = &self.stage.player(id).told;
                let lines: Vec<String> = told[shown..].iter().filter_map(line).collect();
                shown = told.len();
                lines.iter().try_for_each(|line| self.page.say(line))?;
            }
        }
        Ok(())
    }
}

/// An event as a line, if it is worth one.
fn line(told: &Told) -> Option<String> {
    match told.kind() {
        "message" => {
            let (name, text) = (visible::name(told.text("name")), visible::line(told.text("text")));
            Some(format!("#{} {name}: {text}", told.number("seq")?))
        }
        "ring" => {
            let members: Vec<String> = told.members().iter().map(u16::to_string).collect();
            Some(format!("(a ring of nodes {})", members.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::words::Time;

    #[test]
    fn what_is_said_and_who_is_there_is_shown_and_cannot_steer_the_terminal() {
        let told = |fields| Told { at: Time(0), fields };
        let message =
            serde_json::json!({"type": "message", "seq": 7, "name": "a\u{1b}", "text": "x\u{1b}[2J"});
        assert_eq!(line(&told(message)).as_deref(), Some("#7 a␛: x␛[2J"));
        let ring = serde_json::json!({"type": "ring", "members": [{"id": 1}, {"id": 4}]});
        assert_eq!(line(&told(ring)).as_deref(), Some("(a ring of nodes 1, 4)"));
        assert_eq!(line(&told(serde_json::json!({"type": "request"}))), None);
    }
}
