//! Clocks that are wrong: every node has one of its own, which drifts and jumps, and a wall clock set by hand.

use super::{Coming, World};
use crate::words::{NodeId, Time};

/// The wall clock when the world begins, µs since 1970.
pub const BEGINNING_US: u64 = 1_763_680_000_000_000;
/// How many of its µs a clock that neither drifts nor jumps counts in a second, 10⁶ of them.
const MILLION: i128 = 1_000_000;

/// The clock by which a node measures time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Since when it runs as it does, by the world's time.
    since: Time,
    /// What it showed then.
    shown: Time,
    /// By how many millionths it is too fast.
    drift: i64,
}

impl Clock {
    /// A clock that is right.
    pub(super) fn right(now: Time) -> Clock {
        Clock {
            since: now,
            shown: now,
            drift: 0,
        }
    }

    /// What it shows.
    pub(super) fn local(&self, now: Time) -> Time {
        if self.drift == 0 {
            return self.shown.after_us(now.since_us(self.since));
        }
        let passed = i128::from(now.since_us(self.since));
        let counted = passed * (MILLION + i128::from(self.drift)) / MILLION;
        self.shown.after_us(counted as u64)
    }

    /// When it will show this time, or a little more.
    fn when(&self, local: Time) -> Time {
        let counted = local.since_us(self.shown);
        if self.drift == 0 {
            return self.since.after_us(counted);
        }
        let passed = i128::from(counted) * MILLION / (MILLION + i128::from(self.drift));
        let mut at = self.since.after_us(passed as u64);
        while self.local(at) < local {
            at = at.after_us(1);
        }
        at
    }
}

impl World {
    /// The wall clock of a node, µs since 1970.
    pub(super) fn wall_us(&self, id: NodeId) -> u64 {
        let behind_us = self.hooks.clocks_behind_us.get(&id).copied().unwrap_or(0);
        let wrong_us = self.walls.get(&id).copied().unwrap_or(0);
        (BEGINNING_US + self.now.0 - behind_us).saturating_add_signed(wrong_us)
    }

    /// A node's clock jumps ahead.
    pub fn jump_clock(&mut self, id: NodeId, by_us: u64) {
        self.change_clock(id, |clock| clock.shown = clock.shown.after_us(by_us));
    }

    /// A node's clock drifts by millionths from now on.
    pub fn drift_clock(&mut self, id: NodeId, millionths: i64) {
        self.change_clock(id, |clock| clock.drift = millionths);
    }

    fn change_clock(&mut self, id: NodeId, change: impl FnOnce(&mut Clock)) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        process.clock.shown = process.clock.local(now);
        process.clock.since = now;
        change(&mut process.clock);
        self.set_timer(id);
    }

    /// Sees to it that a node is woken when it wants to be.
    pub(super) fn set_timer(&mut self, id: NodeId) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let deadline = process.node.deadline().map(|at| process.clock.when(at));
        let at = deadline.map(|at| at.max(self.now));
        if at == process.timer {
            return;
        }
        process.timer = at;
        let life = process.life;
        if let Some(at) = at {
            self.schedule(at, Coming::Timer { node: id, life, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_drifts_and_jumped_shows_what_it_was_asked_for() {
        for drift in [-20_000, -1, 0, 1, 20_000] {
            let clock = Clock {
                since: Time(1_000),
                shown: Time(77_000),
                drift,
            };
            for ahead in [0, 1, 999, 1_000_000, 123_456_789] {
                let wanted = Time(77_000 + ahead);
                let at = clock.when(wanted);
                let shown = clock.local(at);
                assert!(
                    shown >= wanted && shown.since_us(wanted) <= 2,
                    "{drift} {ahead}: {shown:?}"
                );
            }
        }
    }
}
