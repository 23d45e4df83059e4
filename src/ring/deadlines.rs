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

/// A deadline by name, for a checker that fires them as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// [`Deadlines::loss`].
    Loss,
    /// [`Deadlines::token_again`].
    TokenAgain,
    /// [`Deadlines::rest`].
    Rest,
    /// [`Deadlines::request_again`].
    RequestAgain,
    /// [`Deadlines::nack_again`].
    NackAgain,
    /// [`Deadlines::join_again`].
    JoinAgain,
    /// [`Deadlines::consensus`].
    Consensus,
    /// [`Deadlines::commit_again`].
    CommitAgain,
    /// [`Deadlines::beacon`].
    Beacon,
    /// [`Deadlines::probe`].
    Probe,
    /// [`Deadlines::suspicion`].
    Suspicion,
    /// [`Deadlines::reserve`].
    Reserve,
}

impl Deadlines {
    /// What is waited for.
    pub fn pending(&self) -> Vec<Due> {
        let all = [
            (Due::Loss, self.loss.is_some()),
            (Due::TokenAgain, self.token_again.is_some()),
            (Due::Rest, self.rest.is_some()),
            (Due::RequestAgain, self.request_again.is_some()),
            (Due::NackAgain, self.nack_again.is_some()),
            (Due::JoinAgain, self.join_again.is_some()),
            (Due::Consensus, self.consensus.is_some()),
            (Due::CommitAgain, self.commit_again.is_some()),
            (Due::Beacon, self.beacon.is_some()),
            (Due::Probe, self.probe.is_some()),
            (Due::Suspicion, self.suspicion.is_some()),
            (Due::Reserve, self.reserve.is_some()),
        ];
        all.into_iter()
            .filter(|(_, waits)| *waits)
            .map(|(due, _)| due)
            .collect()
    }

    /// Makes a deadline due now, if it is waited for.
    pub fn bring_forward(&mut self, due: Due, now: Time) {
        let at_once = |at: &mut Option<Time>| *at = at.map(|_| now);
        let again_at_once = |repeat: &mut Option<Repeat>| *repeat = repeat.map(|r| Repeat { at: now, ..r });
        match due {
            Due::Loss => at_once(&mut self.loss),
            Due::Rest => at_once(&mut self.rest),
            Due::JoinAgain => at_once(&mut self.join_again),
            Due::Consensus => at_once(&mut self.consensus),
            Due::Beacon => at_once(&mut self.beacon),
            Due::Probe => at_once(&mut self.probe),
            Due::Suspicion => at_once(&mut self.suspicion),
            Due::Reserve => at_once(&mut self.reserve),
            Due::TokenAgain => again_at_once(&mut self.token_again),
            Due::RequestAgain => again_at_once(&mut self.request_again),
            Due::NackAgain => again_at_once(&mut self.nack_again),
            Due::CommitAgain => again_at_once(&mut self.commit_again),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_deadline_is_the_earliest_of_all() {
        let (at, repeat) = (|us| Some(Time(us)), |us| Some(Repeat::first(Time(us), 0)));
        let mut deadlines = Deadlines {
            loss: at(100),
            token_again: repeat(90),
            rest: at(80),
            request_again: repeat(70),
            nack_again: repeat(60),
            join_again: at(50),
            consensus: at(40),
            commit_again: repeat(30),
            beacon: at(20),
            probe: at(10),
            suspicion: at(8),
            reserve: at(6),
        };
        let mut order = Vec::new();
        while let Some(next) = deadlines.next() {
            order.push(next.0);
            let Deadlines {
                loss,
                rest,
                join_again,
                consensus,
                beacon,
                probe,
                suspicion,
                reserve,
                ..
            } = &mut deadlines;
            let _ = [
                loss, rest, join_again, consensus, beacon, probe, suspicion, reserve,
            ]
            .map(|time| due(time, next));
            let Deadlines {
                token_again,
                request_again,
                nack_again,
                commit_again,
                ..
            } = &mut deadlines;
            let _ =
                [token_again, request_again, nack_again, commit_again].map(|repeat| due_again(repeat, next));
        }
        assert_eq!(order, [6, 8, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    }

    #[test]
    fn a_deadline_is_taken_once_and_not_before_its_time() {
        let mut deadline = Some(Time(5));
        assert!(!due(&mut deadline, Time(4)) && deadline == Some(Time(5)));
        assert!(due(&mut deadline, Time(5)) && deadline.is_none());
        assert!(!due(&mut deadline, Time(6)));
        let repeat = Repeat::first(Time(2), 3);
        let mut again = Some(repeat);
        assert_eq!((due_again(&mut again, Time(4)), again), (None, Some(repeat)));
        assert_eq!((due_again(&mut again, Time(5)), again), (Some(repeat), None));
    }
}
