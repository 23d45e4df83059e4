//! Reconciling: merging replicas until they are equal in canonical order.
//!
//! The rule. Of every message id, the record at the lowest position is kept; of several at that position, the
//! one whose line is lowest, byte by byte. What is kept is sorted by position, then id. This is a minimum per
//! id, so that reconciling is idempotent, commutative and associative whatever the replicas hold.
//!
//! What the rule gives up is never given up silently. One id at two positions is counted as *moved*. Two
//! contents under one id are a *conflict*: it is reported, and the lines not kept are set aside in a file that
//! the report names. Two ids under one position should not happen either; both are kept, since each is
//! something that somebody said, and it is reported.
//!
//! The way. [`mod@survey`] reads a replica once, checks every line and counts. As far as the file is in order, or its
//! lines stand [`near`] their places, it is merged where it stands; the rest goes through the sorter of `runs` into
//! scratch space. [`fn@merge`] then reads all sections and runs of all replicas side by side. Positions come upwards, so the first record of an id is the one
//! to keep, and a compact set of the ids seen tells the others. Memory holds one line per run or a window of them, the
//! sorter's buffer and that set: it grows with lives and holes, not with messages. Where the bytes come from and go to
//! is the host's business.

pub mod merge;
pub mod near;
pub mod report;
pub mod runs;
pub mod streams;
pub mod survey;

pub use merge::{Outcome, Sink, Tally, Watched, merge};
pub use report::{ReplicaReport, Report};
pub use runs::{Scratch, Sorted, Sorter};
pub use streams::{Batch, Batches, Key, Lines, Stream, Streams};
pub use survey::{Damage, Survey, survey};
