//! A set of message ids: per sender's life, intervals of counters.
use super::Intervals;
use crate::words::Member;
use std::collections::BTreeMap;
/// A set of message ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    senders: BTreeMap<Member, Intervals>,
}
