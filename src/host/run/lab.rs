//! Lessons: the deeds that only the host can do to its own node, when a member has asked for them.
//!
//! Whoever started a node that can crash starts it again, and learns when from the event that tells the deed.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::host::clock;
use crate::node::face::Command;
use crate::wire::{Deed, Lab, LabState};
use crate::words::Time;

use super::front::Front;
use super::life::Life;

/// From the news that a node crashes to its crash, in microseconds: what was told is printed meanwhile.
const LAST_WORDS_US: u64 = 100_000;

impl Front {
    /// A lesson's news: does what is asked of this node.
    pub(super) fn lesson(&mut self, lab: &Lab, life: &Life) {
        if lab.on != self.options.id {
            return;
        }
        match (lab.state, &lab.deed) {
            (LabState::Asked, Deed::Pause { for_ms }) => {
                told(lab, LabState::Begins, life);
                life.pause(Duration::from_millis(u64::from(*for_ms)));
                told(lab, LabState::Ends, life);
            }
            (LabState::Asked, Deed::Crash { .. }) if !self.options.supervised => {
                told(lab, LabState::NobodyRestarts, life);
            }
            (LabState::Asked, Deed::Crash { .. }) => told(lab, LabState::Begins, life),
            // The others know: now it can be done.
            (LabState::Begins, Deed::Crash { .. }) => {
                self.crash_at = Some(clock::now().after_us(LAST_WORDS_US));
            }
            (LabState::Asked, Deed::Rollback { number }) => {
                told(lab, LabState::Begins, life);
                self.rollback((*number > 0).then_some(*number), None, life);
            }
            // All else the core has done, or is told as news.
            (_, _) => {}
        }
    }

    /// Ends the process without a word, if it is time.
    pub(super) fn crash_if_due(&mut self, now: Time) {
        if self.crash_at.take_if(|at| *at <= now).is_some() {
            if let Err(error) = kill_process(getpid(), Signal::KILL) {
                log::warn!("cannot end this process: {error}");
            }
        }
    }
}

/// Tells everybody how far a deed is.
fn told(lab: &Lab, state: LabState, life: &Life) {
    let (by, deed) = (lab.by, lab.deed.clone());
    life.command(Command::LabTold { by, state, deed });
}
