//! The host: everything that touches the machine.

pub mod clock;
pub mod net;
