//! The host: everything that touches the machine.

pub mod chaos;
pub mod clock;
pub mod driver;
pub mod inbox;
pub mod net;
pub mod notices;
pub mod signals;
pub mod streams;
