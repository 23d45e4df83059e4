//! The host: everything that touches the machine: sockets, files, clocks, threads, terminal.
//!
//! Nothing below it does. The core sees only what `driver` hands it.

pub mod cli;
pub mod disk;
pub mod events;
pub mod exit;
pub mod files;
pub mod terminal;
