//! What people see and type.

pub mod clock;
pub mod style;
pub mod visible;
