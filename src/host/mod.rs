//! The host: everything that touches the machine.

pub mod cli;
pub mod disk;
pub mod events;
pub mod exit;
pub mod files;
pub mod reconcile;
pub mod terminal;
