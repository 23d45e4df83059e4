//! A replay window: which counters of a sender were seen.

use crate::bugs::{self, Bug};

/// How many counters below the highest one are told apart; what is older counts as seen.
pub const WINDOW: u64 = 32_768;
/// No start sends so many datagrams; so arithmetic on counters cannot overflow.
const COUNTER_MAX: u64 = 1 << 62;
const WORDS: usize = (WINDOW / 64) as usize;

/// The counters seen of one sender, in 4 KiB.
#[derive(Clone, Debug)]
pub struct Window {
    /// The highest counter seen.
    highest: u64,
    /// Nothing at or below this one is taken, though it was never seen.
    floor: u64,
    /// One bit a counter, at its place modulo [`WINDOW`].
    seen: Box<[u64; WORDS]>,
}

impl Window {
    /// A window that takes only what comes after this counter.
    pub fn after(counter: u64) -> Window {
        let mut window = Window {
            highest: counter,
            floor: counter,
            seen: Box::new([0; WORDS]),
        };
        window.mark(counter);
        window
    }

    /// Whether a counter was seen, or is too old to tell.
    pub fn has_seen(&self, counter: u64) -> bool {
        if bugs::on(Bug::ReplayTaken) {
            return false;
        }
        if counter > self.highest {
            return counter > COUNTER_MAX;
        }
        let old = self.highest - counter >= WINDOW || counter <= self.floor;
        old || self.seen[word(counter)] & bit(counter) != 0
    }

    /// Takes a counter once; whether this was the first time.
    pub fn take(&mut self, counter: u64) -> bool {
        if self.has_seen(counter) {
            return false;
        }
        if counter > self.highest {
            self.advance(counter);
        }
        self.mark(counter);
        true
    }

    /// Forgets the counters whose places are needed by those up to `counter`.
    fn advance(&mut self, counter: u64) {
        if counter - self.highest >= WINDOW {
            self.seen.fill(0);
        } else {
            let mut next = self.highest + 1;
            while next <= counter {
                // Whole words where whole words are due.
                if next.is_multiple_of(64) && counter - next >= 63 {
                    self.seen[word(next)] = 0;
                    next += 64;
                } else {
                    self.seen[word(next)] &= !bit(next);
                    next += 1;
                }
            }
        }
        self.highest = counter;
    }

    fn mark(&mut self, counter: u64) {
        self.seen[word(counter)] |= bit(counter);
    }
}

fn word(counter: u64) -> usize {
    ((counter % WINDOW) / 64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_edges_of_the_window_are_exact() {
        let mut window = Window::after(10);
        assert!(!window.take(10) && !window.take(9) && !window.take(0));
        assert!(window.take(11) && !window.take(11));
        let high = 11 + 2 * WINDOW;
        assert!(window.take(high));
        assert!(window.take(high - WINDOW + 1), "the oldest that is told apart");
        assert!(!window.take(high - WINDOW + 1));
        assert!(!window.take(high - WINDOW), "too old to tell");
        assert!(window.take(COUNTER_MAX) && !window.take(COUNTER_MAX));
        assert!(!window.take(high + 1));
        assert!(window.take(COUNTER_MAX - 1));
        assert!(!window.take(COUNTER_MAX + 1) && !window.take(u64::MAX));
    }

    #[test]
    fn it_takes_each_counter_once_whatever_the_order() {
        let mut dice = SmallRng::seed_from_u64(7);
        for round in 0..20 {
            let first = dice.random_range(0..1 << 40);
            let mut window = Window::after(first);
            let (mut seen, mut highest) = (BTreeSet::from([first]), first);
            for _ in 0..20_000 {
                let span = [64, 1_000, WINDOW, 3 * WINDOW][dice.random_range(0..4)];
                let counter =
                    (highest + dice.random_range(0..200)).saturating_sub(dice.random_range(0..span));
                let old = counter <= first || highest.saturating_sub(counter) >= WINDOW;
                let fresh = !old && seen.insert(counter);
                assert_eq!(window.take(counter), fresh, "round {round}, counter {counter}");
                highest = highest.max(counter);
            }
        }
    }
}
