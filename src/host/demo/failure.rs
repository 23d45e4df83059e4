//! How the demo can fail. Whatever it is, all processes are ended afterwards.

use std::fmt;
use std::io;
use std::path::Path;

use crate::host::exit::Code;
use crate::host::reconcile::ReconcileError;

/// Why the demo ended before its end.
#[derive(Debug)]
pub enum Failure {
    /// The user, or the system, asked for it.
    Interrupted,
    /// Nobody reads the story.
    Output(io::Error),
    /// The machine failed: at what, and how.
    Machine(String, io::Error),
    /// A claim does not hold: the claim, and what was found.
    Claim(String, String),
    /// Something did not happen in time: what, and what was seen in its place.
    Late(String, String),
    /// A node ended that should not have: its id, and what it said last.
    Ended(u16, String),
    /// The reconciler did not work.
    Reconcile(ReconcileError),
}

impl Failure {
    /// For `map_err`: the machine failed at doing something with a file.
    pub fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let what = format!("{doing} {}", path.display());
        |error| Failure::Machine(what, error)
    }

    /// The exit code.
    pub fn code(&self) -> Code {
        match self {
            Failure::Interrupted => Code::Forced,
            Failure::Output(_)
            | Failure::Machine(..)
            | Failure::Claim(..)
            | Failure::Late(..)
            | Failure::Ended(..)
            | Failure::Reconcile(_) => Code::Other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Interrupted => write!(f, "interrupted; all its processes have ended"),
            Failure::Output(error) => write!(f, "cannot print the story: {error}"),
            Failure::Machine(what, error) => write!(f, "cannot {what}: {error}"),
            Failure::Claim(claim, found) => write!(f, "this does not hold: {claim}; found: {found}"),
            Failure::Late(what, seen) => write!(f, "waited in vain: {what}; seen: {seen}"),
            Failure::Ended(id, last) => write!(f, "node {id} ended by itself; its last words: {last}"),
            Failure::Reconcile(error) => write!(f, "the reconciler failed: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Failure {
        Failure::Reconcile(error)
    }
}
