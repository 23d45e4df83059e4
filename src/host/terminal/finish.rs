//! When a program that is piped in is done, and with which exit code: a small machine fed with counts.
//!
//! It joins first, then reads, then waits for its lines. The limit runs from the last progress, so that long
//! input over a slow network is not cut off, and a ring that stands still is.

use super::start::count;
use crate::host::cli::Wait;
use crate::host::exit::Code;
use crate::words::Time;

/// How far the own lines have come. Each number only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read and given to the core.
    pub said: u64,
    /// Of them refused by the core.
    pub refused: u64,
    /// Of them in the synced outbox at least.
    pub pending: u64,
    /// Of them delivered, with a number.
    pub ordered: u64,
    /// Of them held by all members of their ring.
    pub held: u64,
    /// Lines of the input that could not be read as a message.
    pub unreadable: u64,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; look again at this time if nothing happens before.
    Wait(Time),
    /// Leave with this code; the reason if it is not 0.
    Done(Code, Option<String>),
}

/// The end of a piped program, as it comes nearer.
#[derive(Clone, Debug)]
pub struct Finish {
    wait: Wait,
    limit_us: u64,
    counts: Counts,
    in_ring: bool,
    /// Others are there and not understood: who, in words.
    locked_out: Option<String>,
    input_ended: bool,
    progress_at: Time,
}

impl Finish {
    /// Begins to wait for a ring.
    pub fn new(wait: Wait, limit_us: u64, now: Time) -> Finish {
        Finish {
            wait,
            limit_us,
            counts: Counts::default(),
            in_ring: false,
            locked_out: None,
            input_ended: false,
            progress_at: now,
        }
    }

    /// A first ring is installed: lines may be read.
    pub fn ring(&mut self, now: Time) {
        if !self.in_ring {
            self.in_ring = true;
            self.progress_at = now;
        }
    }

    /// Whether a ring was found.
    pub fn is_in_ring(&self) -> bool {
        self.in_ring
    }

    /// Nobody is there but some who are not understood; who, in words.
    pub fn locked_out(&mut self, by: String) {
        self.locked_out = Some(by);
    }

    /// The input has ended.
    pub fn input_ended(&mut self, now: Time) {
        if !self.input_ended {
            self.input_ended = true;
            self.progress_at = now;
        }
    }

    /// How far the lines are now.
    pub fn counts(&mut self, counts: Counts, now: Time) {
        if counts != self.counts {
            self.counts = counts;
            self.progress_at = now;
        }
    }

    /// Whether it is time to leave.
    pub fn verdict(&self, now: Time) -> Verdict {
        if self.input_ended && self.settled() {
            return self.done();
        }
        let deadline = self.progress_at.after_us(self.limit_us);
        if !self.can_run_out() {
            // Whatever ends the silence is told to this machine; it need not look by itself.
            return Verdict::Wait(Time(u64::MAX));
        }
        if now < deadline {
            return Verdict::Wait(deadline);
        }
        self.ran_out()
    }

    /// Lines that have not come as far as asked.
    fn missing(&self) -> u64 {
        let reached = match self.wait {
            Wait::None => self.counts.pending,
            Wait::Ordered => self.counts.ordered,
            Wait::Held => self.counts.held,
        };
        self.counts.said.saturating_sub(self.counts.refused + reached)
    }

    fn settled(&self) -> bool {
        self.missing() == 0
    }

    /// A program that reads in a ring, and owes nothing, may be silent for as long as it likes.
    fn can_run_out(&self) -> bool {
        !self.in_ring || self.input_ended || !self.settled()
    }

    fn done(&self) -> Verdict {
        match self.counts.refused + self.counts.unreadable {
            0 => Verdict::Done(Code::Done, None),
            lost => {
                let reason = format!("{} of the input not said; see above", count(lost, "line"));
                Verdict::Done(Code::Other, Some(reason))
            }
        }
    }

    fn ran_out(&self) -> Verdict {
        if let (false, Some(by)) = (self.in_ring, &self.locked_out) {
            let reason = format!("no ring formed in time, and there are {by}; is the --key-file right?");
            return Verdict::Done(Code::WrongKey, Some(reason));
        }
        if !self.in_ring {
            return Verdict::Done(
                Code::NoRing,
                Some("no ring formed in time; is the --interface right, or --wait-limit too short?".into()),
            );
        }
        let what = match self.wait {
            Wait::None => "in the outbox",
            Wait::Ordered => "ordered",
            Wait::Held => "held by all",
        };
        let reason = format!(
            "{} of {} not {what} in time; what is in the outbox is offered again at the next start",
            self.missing(),
            count(self.counts.said, "line"),
        );
        Verdict::Done(Code::NotHeld, Some(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1_000;

    /// A program in a ring that has said three lines and read all its input, at time 0.
    fn said_three(wait: Wait) -> Finish {
        let mut finish = Finish::new(wait, LIMIT, Time(0));
        finish.ring(Time(0));
        finish.counts(
            Counts {
                said: 3,
                ..Counts::default()
            },
            Time(0),
        );
        finish.input_ended(Time(0));
        finish
    }

    fn code(finish: &Finish, now: u64) -> Option<Code> {
        match finish.verdict(Time(now)) {
            Verdict::Done(code, _) => Some(code),
            Verdict::Wait(_) => None,
        }
    }

    #[test]
    fn each_wait_ends_at_its_own_count() {
        let steps = [(3, 0, 0), (3, 3, 0), (3, 3, 3)];
        for (wait, ends_at) in [(Wait::None, 0), (Wait::Ordered, 1), (Wait::Held, 2)] {
            let mut finish = said_three(wait);
            assert_eq!(code(&finish, 1), None);
            for (step, (pending, ordered, held)) in steps.into_iter().enumerate() {
                let counts = Counts {
                    said: 3,
                    pending,
                    ordered,
                    held,
                    ..Counts::default()
                };
                finish.counts(counts, Time(2));
                let expected = (step >= ends_at).then_some(Code::Done);
                assert_eq!(code(&finish, 3), expected, "{wait:?} at {step}");
            }
        }
    }

    #[test]
    fn nothing_to_say_ends_at_the_end_of_the_input() {
        let mut finish = Finish::new(Wait::Held, LIMIT, Time(0));
        finish.ring(Time(1));
        assert_eq!(code(&finish, 1), None);
        finish.input_ended(Time(2));
        assert_eq!(code(&finish, 2), Some(Code::Done));
    }

    #[test]
    fn without_a_ring_the_limit_ends_with_its_own_code() {
        let finish = Finish::new(Wait::Ordered, LIMIT, Time(5));
        assert_eq!(finish.verdict(Time(6)), Verdict::Wait(Time(1_005)));
        assert_eq!(code(&finish, 1_004), None);
        assert_eq!(code(&finish, 1_005), Some(Code::NoRing));
        let mut locked_out = finish.clone();
        locked_out.locked_out("2 datagrams/s with another key from 10.0.0.7".into());
        assert_eq!(code(&locked_out, 1_005), Some(Code::WrongKey));
        locked_out.ring(Time(6));
        assert_eq!(code(&locked_out, 1_006), None);
    }

    #[test]
    fn the_limit_runs_from_the_last_progress() {
        let mut finish = said_three(Wait::Ordered);
        let counts = Counts {
            said: 3,
            ordered: 2,
            ..Counts::default()
        };
        finish.counts(counts, Time(900));
        finish.counts(counts, Time(1_800));
        assert_eq!(code(&finish, 1_899), None);
        let Verdict::Done(code, Some(reason)) = finish.verdict(Time(1_900)) else {
            panic!("the limit is over");
        };
        assert_eq!(code, Code::NotHeld);
        assert!(reason.starts_with("1 of 3 lines not ordered in time"), "{reason}");
    }

    #[test]
    fn a_silent_program_that_owes_nothing_is_not_hurried() {
        let mut finish = Finish::new(Wait::Ordered, LIMIT, Time(0));
        finish.ring(Time(0));
        assert_eq!(code(&finish, 1_000_000), None);
        let Verdict::Wait(again) = finish.verdict(Time(1_000_000)) else {
            panic!("nothing is owed");
        };
        assert_eq!(again, Time(u64::MAX), "a deadline near by would spin");
    }

    #[test]
    fn lines_that_were_not_said_end_with_another_code() {
        let mut finish = said_three(Wait::Ordered);
        let counts = Counts {
            said: 3,
            refused: 1,
            ordered: 2,
            unreadable: 1,
            ..Counts::default()
        };
        finish.counts(counts, Time(1));
        let Verdict::Done(code, Some(reason)) = finish.verdict(Time(2)) else {
            panic!("all is settled");
        };
        assert_eq!(code, Code::Other);
        assert!(reason.starts_with("2 lines of the input not said"), "{reason}");
    }
}
