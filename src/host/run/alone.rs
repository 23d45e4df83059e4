//! What a node does when it is alone: a piped program waits for others for a moment before it speaks, and a node that has
//! been alone for a while examines itself. That is the same diagnosis as `node doctor`, in a thread of its own, told in one
//! line; `/why` then has the rest.
//!
//! Once a spell: a spell begins with the life and with each ring of one, and ends when others are there.

use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::front::Front;
use crate::host::clock;
use crate::host::doctor::{self, Cause, Diagnosis, Patient, tell};
use crate::host::events::{self, Kind};
use crate::host::terminal::lang::{Voice, say};
use crate::host::terminal::start::Start;
use crate::host::terminal::{Level, report};
use crate::node::face::Stranger;
use crate::words::{Incarnation, Time};

/// How long a node is alone before it wonders, in microseconds: others that start with it have long been found.
const PATIENCE_US: u64 = 10_000_000;

/// A piped program that finds itself alone waits this many token timeouts for others before it speaks: time for
/// two beacons of a ring that is there, and for the merge.
const ALONE_TIMEOUTS: u64 = 7;
/// How soon it looks again whether those it does not understand are still all there is, in microseconds.
const LOOK_AGAIN_US: u64 = 1_000_000;

/// A spell of being alone.
pub(super) struct Alone {
    /// When it began; none: others are here.
    since: Option<Time>,
    /// It was wondered about.
    examined: bool,
    /// What was found.
    diagnosis: Option<Diagnosis>,
    /// This life, once it is known.
    life: Option<Incarnation>,
    /// The interface that it uses, if that is not loopback for want of another one.
    interface: Option<String>,
    said: Sender<Diagnosis>,
    /// What the examining thread found.
    pub found: Receiver<Diagnosis>,
}

impl Alone {
    /// A life begins, and with it a spell.
    pub fn new(now: Time) -> Alone {
        let (said, found) = bounded(1);
        Alone {
            since: Some(now),
            examined: false,
            diagnosis: None,
            life: None,
            interface: None,
            said,
            found,
        }
    }

    /// A life begins, as this is told of it.
    pub fn begins(&mut self, start: &Start) {
        self.life = Some(start.incarnation);
        self.interface = (!start.address.is_loopback()).then(|| start.address.to_string());
    }

    /// There is a ring of so many.
    pub fn ring(&mut self, members: usize, now: Time) {
        if members > 1 {
            (self.since, self.examined, self.diagnosis) = (None, false, None);
        } else {
            self.since.get_or_insert(now);
        }
    }

    /// When it is to be wondered about.
    pub fn due(&self) -> Option<Time> {
        let since = self.since.filter(|_| !self.examined);
        since.map(|since| since.after_us(PATIENCE_US))
    }
}

impl Front {
    /// A piped program is in a ring: it reads at once if others are there, or else after a while.
    pub(super) fn in_ring(&mut self, members: usize) {
        let now = clock::now();
        self.alone.ring(members, now);
        if members > 1 {
            self.join(now);
        } else if self.alone_until.is_none() {
            let wait_us = ALONE_TIMEOUTS * self.options.token_timeout_us;
            self.alone_until = Some(now.after_us(wait_us));
        }
    }

    /// A piped program is alone. It speaks all the same, unless others are there whom it does not understand: what
    /// it has to say is for them, and they would not hear it.
    pub(super) fn looked_around(&mut self, strangers: &[Stranger]) {
        let now = clock::now();
        let Some(finish) = self.finish.as_mut().filter(|finish| !finish.is_in_ring()) else {
            return;
        };
        if let Some(stranger) = strangers.first() {
            // The reason of an exit is for programs.
            finish.locked_out(report::stranger(stranger, Voice::default()));
            self.alone_until = Some(now.after_us(LOOK_AGAIN_US));
        } else {
            self.join(now);
        }
    }

    /// A piped program's lines are read from now on.
    fn join(&mut self, now: Time) {
        self.alone_until = None;
        let Some(finish) = &mut self.finish else { return };
        finish.ring(now);
        if let Err(error) = self.console.read_from_now(self.view.prompt()) {
            // Without a thread to read it, the input is as good as unreadable.
            finish.input_ended(now);
            self.tally.unreadable();
            let line = say!(self.view.voice(), "input-unreadable", why = error.to_string());
            self.view.alarm(&line);
        }
    }

    /// Examines, if this node has been alone for long enough. Who wants to be told nothing is spared it.
    pub(super) fn wonder(&mut self, now: Time) {
        if self.alone.due().is_none_or(|due| now < due) {
            return;
        }
        self.alone.examined = true;
        if self.options.level == Level::Quiet {
            return;
        }
        let options = &self.options;
        let Ok(keys) = doctor::key_names(options.key_file.as_deref()) else {
            // A key file that cannot be read just now would be taken for none.
            return;
        };
        let patient = Patient {
            id: Some(options.id),
            life: self.alone.life,
            group: options.group,
            interface: options.interface.clone().or(self.alone.interface.clone()),
            keys,
            data_dir: options.data_dir.clone(),
            peers: Vec::new(),
        };
        let said = self.alone.said.clone();
        let thread = Builder::new().name("doctor".to_string()).spawn(move || {
            match doctor::examine(&patient) {
                // When full, the one before has not been taken yet, and is as good.
                Ok(diagnosis) => said.try_send(diagnosis).unwrap_or_default(),
                Err(error) => log::debug!("alone, and cannot find out why: {error}"),
            }
        });
        if let Err(error) = thread {
            log::debug!("alone, and no thread to find out why: {error}");
        }
    }

    /// Tells what was found, if the node is still alone.
    pub(super) fn wondered(&mut self, diagnosis: Diagnosis) {
        if self.alone.since.is_none() || self.is_leaving() || diagnosis.verdict.cause == Cause::Well {
            return;
        }
        self.tell(Kind::Kept, |mark| events::doctor(&diagnosis, mark));
        if !self.options.json {
            let line = tell::alone_line(&diagnosis, PATIENCE_US / 1_000_000);
            self.view.talk(Level::Normal, &line);
        }
        self.alone.diagnosis = Some(diagnosis);
    }

    /// Answers `/why` with what was found, as long as the node is alone.
    pub(super) fn why_alone(&mut self) {
        if let Some(diagnosis) = &self.alone.diagnosis {
            self.view.answer(&tell::verdict_lines(diagnosis));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_wondered_about_once_a_spell() {
        let mut alone = Alone::new(Time(5));
        let due = Time(5).after_us(PATIENCE_US);
        assert_eq!(alone.due(), Some(due));
        alone.ring(1, Time(9));
        assert_eq!(alone.due(), Some(due), "the spell goes on");
        alone.examined = true;
        assert_eq!(alone.due(), None);
        alone.ring(2, Time(20));
        assert_eq!(alone.due(), None);
        alone.ring(1, Time(30));
        assert_eq!(alone.due(), Some(Time(30).after_us(PATIENCE_US)), "another spell");
    }
}
