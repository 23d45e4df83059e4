//! The host: everything that touches the machine.

pub mod disk;
pub mod files;
