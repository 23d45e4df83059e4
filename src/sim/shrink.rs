//! Making a failing run smaller: what can be left out of its plan while some promise is still broken.
//!
//! Nodes, weather and long talk go first, because each takes much with it; then runs of decisions, from half of
//! them down to single ones (Zeller, "Simplifying and Isolating Failure-Inducing Input"). Which promise is
//! broken may change on the way: a smaller run that breaks another one is as good a find.

use super::check::Broken;
use super::plan::{Mask, Plan};
use super::run::run_plan;

/// A failing run made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left out.
    pub mask: Mask,
    /// What is broken in the end.
    pub broken: Broken,
    /// How many runs it took.
    pub runs: u32,
    /// How many decisions are left.
    pub decisions: usize,
}

/// The search.
struct Shrinking {
    seed: u64,
    found: Shrunk,
    runs_max: u32,
}

/// Makes the run of a seed smaller, in at most so many runs. `None` if it breaks nothing.
pub fn shrink(seed: u64, mask: Mask, runs_max: u32) -> Option<Shrunk> {
    let broken = run_plan(&Plan::masked(seed, &mask), false).broken?;
    let decisions = Plan::new(seed).decisions.len();
    let found = Shrunk {
        mask,
        broken,
        runs: 1,
        decisions,
    };
    let mut shrinking = Shrinking {
        seed,
        found,
        runs_max,
    };
    shrinking.try_with(|mask| mask.calm = true);
    shrinking.try_with(|mask| mask.terse = true);
    for node in Plan::new(seed).nodes {
        shrinking.try_with(|mask| {
            mask.absent.insert(node);
        });
    }
    while shrinking.leave_decisions_out(decisions) {}
    let mut found = shrinking.found;
    found.decisions = decisions - found.mask.without.len();
    Some(found)
}

impl Shrinking {
    /// Keeps a change if something is still broken with it.
    fn try_with(&mut self, change: impl FnOnce(&mut Mask)) -> bool {
        let mut mask = self.found.mask.clone();
        change(&mut mask);
        if mask == self.found.mask || self.found.runs >= self.runs_max {
            return false;
        }
        self.found.runs += 1;
        match run_plan(&Plan::masked(self.seed, &mask), false).broken {
            Some(broken) => {
                (self.found.mask, self.found.broken) = (mask, broken);
                true
            }
            None => false,
        }
    }

    /// One pass over all decisions, in ever smaller runs of them. Whether any could go.
    fn leave_decisions_out(&mut self, decisions: usize) -> bool {
        let mut any = false;
        let mut length = decisions.div_ceil(2);
        loop {
            for start in (0..decisions).step_by(length).rev() {
                let end = (start + length).min(decisions);
                any |= self.try_with(|mask| mask.without.extend(start..end));
            }
            if length == 1 {
                return any;
            }
            length = length.div_ceil(2);
        }
    }
}
