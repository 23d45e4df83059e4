//! The host: everything that touches the machine.

pub mod cli;
pub mod events;
pub mod exit;
pub mod files;
pub mod terminal;
