//! What stands in the replica file where it does not belong, counted as it is written.
//!
//! A record is out of order if one that belongs behind it stands before it. With the count, a node whose file is
//! in canonical order already can say so without reading it, and is not made to write it anew.

use std::collections::BTreeSet;

use crate::words::Position;

/// How many positions out of order are remembered: the highest. Only those above a cut matter after a rewrite.
const REMEMBERED_MAX: usize = 4_096;

/// The books about the order of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Disorder {
    /// The highest position in the file.
    highest: Option<Position>,
    /// Out of order when this life began, and the highest position then.
    before: (u64, Option<Position>),
    /// Out of order since.
    count: u64,
    remembered: BTreeSet<Position>,
}

impl Disorder {
    /// A file as it was found.
    pub(super) fn found(out_of_order: u64, highest: Option<Position>) -> Disorder {
        Disorder {
            highest,
            before: (out_of_order, highest),
            ..Disorder::default()
        }
    }

    /// A record was appended.
    pub(super) fn appended(&mut self, position: Position) {
        if Some(position) >= self.highest {
            self.highest = Some(position);
            return;
        }
        self.count += 1;
        self.remembered.insert(position);
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.pop_first();
        }
    }

    /// The file was written anew, in order up to the cut.
    pub(super) fn sorted(&mut self, cut: Position) {
        self.remembered = self.remembered.split_off(&cut);
        self.remembered.remove(&cut);
        self.count = self.remembered.len() as u64;
        if self.before.1 <= Some(cut) {
            self.before = (0, None);
        }
    }

    /// How many lines do not stand where they belong.
    pub(super) fn count(&self) -> u64 {
        self.before.0 + self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples;

    fn at(seq: u64) -> Position {
        samples::at(1, seq)
    }

    #[test]
    fn what_stands_behind_a_higher_one_counts_until_it_is_sorted() {
        let mut disorder = Disorder::found(3, Some(at(10)));
        [11, 14, 12, 13, 16, 15]
            .into_iter()
            .for_each(|seq| disorder.appended(at(seq)));
        assert_eq!(disorder.count(), 3 + 3);
        disorder.sorted(at(9));
        assert_eq!(disorder.count(), 3 + 3, "all of it is above the cut");
        disorder.sorted(at(13));
        assert_eq!(disorder.count(), 1, "15 stands behind 16 still");
        disorder.sorted(at(16));
        assert_eq!(disorder.count(), 0);
        disorder.appended(at(17));
        assert_eq!(disorder.count(), 0);
    }
}
