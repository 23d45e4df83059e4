//! What people see and type, and what programs pipe in and read.
//!
//! Pure parts first: `visible` makes others' text safe, `view` turns notices into lines, `report` answers
//! questions, `start` tells the first lines, `command` reads what is typed, `complete` is Tab, `lang` says it all in the user's language, `mention` finds one's name, `marked` are texts that mean more than
//! they say, `piped` reads
//! lines, `finish` knows when a piped program is done. Then the pumps: `editor` and `screen`, and `console`, the
//! node's one end of both. The way of a line: `console` → `command` → the node → notice → `view` → `console`.

pub mod clock;
pub mod command;
pub mod complete;
pub mod console;
pub mod editor;
pub mod finish;
pub mod lang;
pub mod marked;
pub mod mention;
pub mod mode;
pub mod numbers;
pub mod people;
pub mod piped;
pub mod report;
#[cfg(test)]
pub(crate) mod samples;
pub mod screen;
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
