//! What is left out of a plan, and how that is written on a command line.

use std::collections::BTreeSet;
use std::fmt;

use super::{Deed, Plan};
use crate::sim::world::Weather;
use crate::words::NodeId;

/// What is left out of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Decisions, by their place in the plan. The time before them still passes.
    pub without: BTreeSet<usize>,
    /// Nodes that never live.
    pub absent: BTreeSet<NodeId>,
    /// The network loses, doubles and garbles nothing at the beginning.
    pub calm: bool,
    /// Users say one short line at a time, and there is no reconciliation at the end.
    pub terse: bool,
}

impl Mask {
    /// Takes out of a plan what is to be left out.
    pub(super) fn apply(&self, plan: &mut Plan) {
        let mut index = 0;
        plan.decisions.iter_mut().for_each(|decision| {
            let of_absent = decision
                .deed
                .nodes()
                .iter()
                .any(|node| self.absent.contains(node));
            if self.without.contains(&index) || of_absent {
                decision.deed = Deed::Nothing;
            }
            if let Deed::Say { lines, long, .. } = &mut decision.deed
                && self.terse
            {
                (*lines, *long) = (1, 1);
            }
            index += 1;
        });
        plan.nodes.retain(|node| !self.absent.contains(node));
        plan.reconciled &= !self.terse;
        if self.calm {
            plan.weather = Weather {
                delay_min_us: 30,
                delay_max_us: 200,
                ..Weather::default()
            };
        }
    }

    /// Reads the decisions to leave out, as `1,4..9` (both ends included).
    pub fn parse_without(text: &str) -> Result<BTreeSet<usize>, String> {
        let mut without = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once("..").unwrap_or((part, part));
            match (first.parse::<usize>(), last.parse::<usize>()) {
                (Ok(first), Ok(last)) if last < 100_000 => without.extend(first..=last),
                _ => return Err(format!("{part:?} names no decisions; write 1,4..9")),
            }
        }
        Ok(without)
    }
}

/// As options of the command that replays the run; empty if nothing is left out.
impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.without.is_empty() {
            write!(f, " --without {}", ranges(&self.without).join(","))?;
        }
        if !self.absent.is_empty() {
            let absent: Vec<String> = self.absent.iter().map(NodeId::to_string).collect();
            write!(f, " --absent {}", absent.join(","))?;
        }
        if self.calm {
            write!(f, " --calm")?;
        }
        if self.terse {
            write!(f, " --terse")?;
        }
        Ok(())
    }
}

fn ranges(numbers: &BTreeSet<usize>) -> Vec<String> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            Some(_) | None => runs.push((*number, *number)),
        }
    }
    let text = |(first, last)| {
        if first == last {
            format!("{first}")
        } else {
            format!("{first}..{last}")
        }
    };
    runs.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_read_as_it_is_written() {
        let mask = Mask {
            without: [0, 1, 2, 5, 7, 8].into_iter().collect(),
            absent: [NodeId(2), NodeId(4)].into_iter().collect(),
            calm: true,
            terse: false,
        };
        assert_eq!(mask.to_string(), " --without 0..2,5,7..8 --absent 2,4 --calm");
        assert_eq!(Mask::parse_without("0..2,5,7..8"), Ok(mask.without));
        assert!(Mask::parse_without("3..x").is_err());
        assert_eq!(Mask::default().to_string(), "");
    }

    #[test]
    fn the_rest_of_a_plan_stays_as_it_is() {
        let whole = Plan::new(5);
        let mask = Mask {
            without: [3].into_iter().collect(),
            ..Mask::default()
        };
        let less = Plan::masked(5, &mask);
        assert_eq!(whole.decisions.len(), less.decisions.len());
        for (index, (a, b)) in whole.decisions.iter().zip(&less.decisions).enumerate() {
            assert_eq!(a.wait_us, b.wait_us);
            assert_eq!(a.deed == b.deed, index != 3);
        }
    }
}
