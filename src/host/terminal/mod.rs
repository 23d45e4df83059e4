//! What people see and type.

pub mod clock;
pub mod command;
pub mod finish;
pub mod numbers;
pub mod people;
pub mod piped;
pub mod report;
#[cfg(test)]
pub(crate) mod samples;
pub mod start;
pub mod style;
pub mod view;
pub mod visible;

/// How much is told of what the protocol does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing but what needs attention.
    Quiet,
    /// Ring changes, and the token when this node speaks.
    Normal,
    /// Everything.
    Verbose,
}
