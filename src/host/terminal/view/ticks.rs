//! The last tick of own lines, folded: what is held by all at the same time is one line.

use std::collections::BTreeSet;

use crate::host::terminal::lang::{Voice, say};
use crate::host::terminal::numbers::Numbers;
use crate::words::Position;

/// How many ranges of numbers one line names.
const RANGES_MAX: usize = 4;

/// Own messages that are held by all, not told yet.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    /// With the size of their ring.
    all: BTreeSet<(u16, Position)>,
}

impl Ticks {
    /// This message is held by all members of its ring.
    pub(super) fn all(&mut self, position: Position, members: u16) {
        self.all.insert((members, position));
    }

    /// The lines for all that was taken in, one for each size of ring.
    pub(super) fn take(&mut self, numbers: &Numbers, voice: Voice) -> Vec<String> {
        let all = std::mem::take(&mut self.all);
        let sizes: BTreeSet<u16> = all.iter().map(|(members, _)| *members).collect();
        let of_size = |size: u16| {
            let positions = all.iter().filter(move |(members, _)| *members == size);
            positions.map(|(_, position)| *position).collect::<Vec<_>>()
        };
        let line = |size| {
            let which = ranges(&of_size(size), numbers, voice);
            say!(voice, "held-by-all", which = which, count = size)
        };
        sizes.into_iter().map(line).collect()
    }
}

/// Positions, in order, as ranges: `#40–#42, #44`.
fn ranges(positions: &[Position], numbers: &Numbers, voice: Voice) -> String {
    let chunks: Vec<&[Position]> = positions
        .chunk_by(|one, next| one.ring == next.ring && one.seq.next() == next.seq)
        .collect();
    let mut names: Vec<String> = chunks
        .iter()
        .take(RANGES_MAX)
        .map(|chunk| range(chunk, numbers))
        .collect();
    let more: usize = chunks.iter().skip(RANGES_MAX).map(|chunk| chunk.len()).sum();
    if more > 0 {
        names.push(say!(voice, "more", count = more));
    }
    names.join(", ")
}

fn range(chunk: &[Position], numbers: &Numbers) -> String {
    match chunk {
        [] => String::new(),
        [one] => numbers.name(*one),
        [first, .., last] => format!("{}–{}", numbers.name(*first), numbers.name(*last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::samples::position;

    #[test]
    fn ticks_are_folded_into_ranges() {
        let mut ticks = Ticks::default();
        for seq in [44, 40, 41, 42] {
            ticks.all(position(4, seq), 3);
        }
        ticks.all(position(5, 45), 2);
        let numbers = Numbers::default();
        assert_eq!(
            ticks.take(&numbers, Voice::default()),
            ["✓✓ #45 held by all 2", "✓✓ #40–#42, #44 held by all 3"]
        );
        assert!(ticks.take(&numbers, Voice::default()).is_empty());
    }

    #[test]
    fn a_long_list_is_cut() {
        let mut ticks = Ticks::default();
        for seq in (0..20).step_by(2) {
            ticks.all(position(4, seq), 3);
        }
        assert_eq!(
            ticks.take(&Numbers::default(), Voice::default()),
            ["✓✓ #0, #2, #4, #6, 6 more held by all 3"]
        );
    }
}
