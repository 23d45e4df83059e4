//! `--keep`: the ring goes on, for whoever wants to join it.

use super::Story;
use super::acts::ALL;
use super::failure::Failure;

/// How often what was said is shown.
const SHOW: std::time::Duration = std::time::Duration::from_millis(100);

impl Story {
    /// Starts the three again, says how to join, and shows what is said until the user ends it.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        for id in ALL {
            self.stage.start(id, &[])?;
        }
        self.stage.wait("one ring of all three", |stage| {
            ALL.iter().all(|id| stage.player(*id).ring() == ALL).then_some(())
        })?;
        let (group, folder) = (self.stage.group(), self.stage.folder().display().to_string());
        let program = self.stage.program().display().to_string();
        self.page
            .line("\nThe ring goes on. Join it from another terminal:")?;
        self.page.line(&format!(
            "  {program} --id 4 --group {group} --interface 127.0.0.1 --data-dir {folder}"
        ))?;
        self.page
            .line("Ctrl-C ends all three nodes; the folder stays. What is said from now on:")?;
        match self.follow() {
            Err(Failure::Interrupted) => {}
            Err(failure) => return Err(failure),
            Ok(()) => unreachable!("only a failure ends it"),
        }
        self.page.line("\nThe nodes leave.")?;
        self.stage.leave(&ALL)?;
        self.page
            .line(&format!("All have left. Their files are in {folder}."))
    }

    /// Shows what is said, and who comes and goes, until something fails; a signal is a failure here.
    fn follow(&mut self) -> Result<(), Failure> {
        let mut shown = self.stage.player(1).told.len();
        loop {
            self.stage.pause(SHOW)?;
            let told = &self.stage.player(1).told;
            let lines: Vec<String> = told[shown..].iter().filter_map(shown_line).collect();
            shown = told.len();
            for line in lines {
                self.page.say(&line)?;
            }
        }
    }
}

/// An event as a line, if it is worth one.
fn shown_line(told: &super::player::Told) -> Option<String> {
    use crate::host::terminal::visible;
    match told.kind() {
        "message" => Some(format!(
            "#{} {}: {}",
            told.number("seq")?,
            visible::name(told.text("name")),
            visible::line(told.text("text"))
        )),
        "ring" => Some(format!("(a ring of nodes {:?})", told.members())),
        _ => None,
    }
}
