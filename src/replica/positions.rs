//! A set of positions: per ring, intervals of numbers.
use super::Intervals;
use crate::words::RingId;
use std::collections::BTreeMap;
/// A set of positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionSet {
    rings: BTreeMap<RingId, Intervals>,
}
