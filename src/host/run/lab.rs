//! Lessons: the deeds that only the host can do to its own node, when a member has asked for them.
//!
//! Whoever started a node that can crash starts it again, and learns when from the event that tells the deed.

use std::process::{Command as Process, Stdio};
use std::time::Duration;

use crossbeam_channel::Sender;
use rustix::process::{Signal, getpid, kill_process};

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::exit::Code;
use crate::host::folder::Folder;
use crate::node::face::{Command, Notice};
use crate::replica::content::DEFAULT_ROOM;
use crate::wire::{Deed, Lab, LabState};
use crate::words::Time;

use super::front::{Answer, Front};
use super::life::Life;
use super::page::Wisher;

/// From the news that a node crashes to its crash, in microseconds: what was told is printed meanwhile.
const LAST_WORDS_US: u64 = 100_000;
/// How long a second node under the same id may take to be refused, in microseconds.
const TWIN_US: u64 = 10_000_000;
/// How often it is looked at.
const TWIN_LOOK: Duration = Duration::from_millis(20);

impl Front {
    /// What the core tells, as far as it matters to a lesson: does what is asked of this node.
    pub(super) fn lesson(&mut self, notice: &Notice, life: &Life) {
        if let Notice::Lab(lab) = notice
            && lab.on == self.options.id
            && lab.state == LabState::Asked
        {
            self.own_deed(lab, life);
        }
        // The token is here, and somebody waits for that: what is done at once finds it still here.
        if matches!(notice, Notice::Grant(..))
            && let Some(lab) = self.when_holding.take()
        {
            self.deed_now(&lab, life);
        }
    }

    fn own_deed(&mut self, lab: &Lab, life: &Life) {
        match &lab.deed {
            Deed::Crash { .. } if !self.options.supervised => told(lab, LabState::NobodyRestarts, life),
            Deed::Pause { holding, .. } | Deed::Crash { holding, .. } => {
                told(lab, LabState::Begins, life);
                if *holding {
                    self.when_holding = Some(lab.clone());
                    life.command(Command::HoldToken { hold_us: u64::MAX });
                } else {
                    self.deed_now(lab, life);
                }
            }
            Deed::Rollback { number } => {
                let number = (*number > 0).then_some(*number);
                self.rollback(number, Wisher::Lesson(lab.clone()), life);
            }
            Deed::Say { text } => {
                self.say(DEFAULT_ROOM.to_string(), text.clone(), life);
                told(lab, LabState::Ends, life);
            }
            Deed::Twin => {
                told(lab, LabState::Begins, life);
                self.start_twin(lab, life);
            }
            // These the core does itself.
            Deed::Cut { .. } | Deed::Heal | Deed::LoseToken | Deed::Checkpoint | Deed::Delay { .. } => {}
        }
    }

    /// Stops the core for a while, or for good.
    fn deed_now(&mut self, lab: &Lab, life: &Life) {
        if let Deed::Pause { for_ms, .. } = lab.deed {
            life.pause(Duration::from_millis(u64::from(for_ms)));
            told(lab, LabState::Ends, life);
        } else {
            // The core stands still meanwhile, and with it the token.
            life.pause(Duration::from_micros(2 * LAST_WORDS_US));
            self.crash_at = Some(clock::now().after_us(LAST_WORDS_US));
        }
    }

    /// Ends the process without a word, if it is time.
    pub(super) fn crash_if_due(&mut self, now: Time) {
        if self.crash_at.take_if(|at| *at <= now).is_some()
            && let Err(error) = kill_process(getpid(), Signal::KILL)
        {
            log::warn!("cannot end this process: {error}");
        }
    }

    /// Has a second node started under this id, in a folder of its own, on a thread of its own.
    fn start_twin(&mut self, lab: &Lab, life: &Life) {
        let (answer, options, watched) = (self.answer.clone(), self.options.clone(), lab.clone());
        let thread = std::thread::Builder::new().name("twin".to_string());
        let started = thread.spawn(move || watch_twin(&options, watched, &answer));
        if let Err(error) = started {
            log::warn!("cannot start a thread: {error}");
            told(lab, LabState::WentWrong, life);
        }
    }
}

/// Starts the second node, waits for its end, and says whether it was refused as it should be.
fn watch_twin(options: &NodeOptions, lab: Lab, answer: &Sender<Answer>) {
    let refused = is_twin_refused(options).unwrap_or_else(|error| {
        log::warn!("cannot start a second node: {error}");
        false
    });
    let state = if refused {
        LabState::Ends
    } else {
        LabState::WentWrong
    };
    // When full, the user has asked for so much that this one is not missed.
    answer.try_send(Answer::Lesson(lab, state)).unwrap_or_default();
}

fn is_twin_refused(options: &NodeOptions) -> std::io::Result<bool> {
    let folder = Folder::create("roda-twin")?;
    let mut process = Process::new(std::env::current_exe()?);
    process
        .args(["--id", &options.id.to_string(), "--name", "twin", "--quiet"])
        .args(["--group", &options.group.to_string()])
        .arg("--data-dir")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(interface) = &options.interface {
        process.args(["--interface", interface]);
    }
    if let Some(key_file) = &options.key_file {
        process.arg("--key-file").arg(key_file);
    }
    let mut child = process.spawn()?;
    let until = clock::now().after_us(TWIN_US);
    let mut ended = child.try_wait()?;
    while ended.is_none() && clock::now() < until {
        std::thread::park_timeout(TWIN_LOOK);
        ended = child.try_wait()?;
    }
    if ended.is_none() {
        child.kill()?;
        child.wait()?;
    }
    folder.remove()?;
    Ok(ended.and_then(|status| status.code()) == Some(Code::Taken as i32))
}

/// Tells everybody how far a deed is.
pub(super) fn told(lab: &Lab, state: LabState, life: &Life) {
    life.command(news(lab, state));
}

/// The same, ahead of the wish to leave that follows.
pub(super) fn told_before_leaving(lab: &Lab, state: LabState, life: &Life) {
    life.urge(news(lab, state));
}

fn news(lab: &Lab, state: LabState) -> Command {
    let (by, deed) = (lab.by, lab.deed.clone());
    Command::LabTold { by, state, deed }
}
