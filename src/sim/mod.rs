//! The simulator: many nodes, one clock, a network and disks that break by a seed, and the promises checked.
//!
//! The nodes are the core as it runs in production; real bytes travel between them. A run has two phases. In
//! the first one things break: datagrams are lost, doubled, late and garbled, links are cut, nodes crash,
//! restart, sleep, leave and lose their disks; what must never happen is checked after every step. In the
//! second one everything heals, and all replicas must become equal within a bound. The same seed gives the
//! same run, byte for byte.

pub mod check;
pub mod disk;
mod fairness;
pub mod merging;
pub mod perform;
pub mod plan;
pub mod run;
pub mod scale;
pub mod script;
pub mod shrink;
pub mod tell;
pub mod throughput;
pub mod witness;
pub mod world;
