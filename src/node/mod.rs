//! The node's core: ring, outbox, delay, replica bookkeeping, checkpoints and catching up, without I/O.
//!
//! A [`Node`] takes `(now, event)` and returns actions and one next deadline. The same core runs under real
//! sockets, in the simulator and under a checker.

pub mod face;
