//! All that a ring waits for, in one place beside its state, so that a checker can fire any of it.

use super::timing::Repeat;
use crate::words::Time;

/// What is due when. `None`: not waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// The token, or progress in forming a ring, counts as lost.
    pub loss: Option<Time>,
    /// The token that was passed is sent again.
    pub token_again: Option<Repeat>,
    /// The token that rests here goes on.
    pub rest: Option<Time>,
    /// The request for the token is sent again.
    pub request_again: Option<Repeat>,
    /// Missing chunks are asked for again.
    pub nack_again: Option<Repeat>,
    /// The join is sent again.
    pub join_again: Option<Time>,
    /// The silent and those who disagree count as failed.
    pub consensus: Option<Time>,
    /// The commit token is sent again.
    pub commit_again: Option<Repeat>,
    /// The leader announces the ring.
    pub beacon: Option<Time>,
    /// The oldest probe without answer runs out.
    pub probe: Option<Time>,
    /// A suspect is probed again, or has not answered.
    pub suspicion: Option<Time>,
    /// The epoch of the next ring is stored, so that forming it need not wait for the disk.
    pub reserve: Option<Time>,
}

impl Deadlines {
    /// The next of them.
    pub fn next(&self) -> Option<Time> {
        let repeats = [
            self.token_again,
            self.request_again,
            self.nack_again,
            self.commit_again,
        ];
        let times = [
            self.loss,
            self.rest,
            self.join_again,
            self.consensus,
            self.beacon,
            self.probe,
            self.suspicion,
            self.reserve,
        ];
        let repeats = repeats.into_iter().flatten().map(|repeat| repeat.at);
        repeats.chain(times.into_iter().flatten()).min()
    }
}

/// Takes a deadline that has passed.
pub fn due(deadline: &mut Option<Time>, now: Time) -> bool {
    let passed = deadline.is_some_and(|at| at <= now);
    if passed {
        *deadline = None;
    }
    passed
}

/// Takes a repetition that has come due.
pub fn due_again(repeat: &mut Option<Repeat>, now: Time) -> Option<Repeat> {
    if repeat.is_some_and(|repeat| repeat.at <= now) {
        repeat.take()
    } else {
        None
    }
}
