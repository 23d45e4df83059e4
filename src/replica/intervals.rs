//! A set of numbers as sorted, disjoint ranges: small as long as the numbers are mostly contiguous.
use std::collections::BTreeMap;
/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    ranges: BTreeMap<u64, u64>,
}
