//! Why a recording cannot be replayed. Nothing was changed on the disk by any of these.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::host::events::VERSION;
use crate::host::exit::Code;
use crate::host::web::WebError;
use crate::words::NodeId;

/// Why it cannot be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// It is not a recording at all; what is wrong with its first line.
    NoRecording(PathBuf, String),
    /// It is of a version that this program does not know.
    Newer {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Its version.
        version: u64,
    },
    /// One life of a node is in two recordings.
    Twice(NodeId, PathBuf, PathBuf),
    /// There are more events than this program keeps in mind.
    TooMany(usize),
    /// What is to be written would replace a recording that is read.
    WouldReplace(PathBuf),
    /// Nothing happened in the stretch that was asked for.
    Nothing,
    /// The page cannot be served.
    Page(WebError),
}

impl ReplayError {
    /// The exit code that says so.
    pub fn code(&self) -> Code {
        match self {
            ReplayError::WouldReplace(_) => Code::Usage,
            ReplayError::File(..)
            | ReplayError::NoRecording(..)
            | ReplayError::Newer { .. }
            | ReplayError::Twice(..)
            | ReplayError::TooMany(_)
            | ReplayError::Nothing => Code::Other,
            ReplayError::Page(error) => error.code(),
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::File(path, error) => write!(f, "{}: {error}", path.display()),
            ReplayError::NoRecording(path, why) => write!(
                f,
                "{} is no recording ({why}); name a file that was written with --record",
                path.display()
            ),
            ReplayError::Newer { path, line, version } => write!(
                f,
                "{}, line {line}: this is an event of version {version}, and this program reads version {VERSION}; \
                 replay it with the roda that recorded it, or a newer one",
                path.display()
            ),
            ReplayError::Twice(node, one, other) => write!(
                f,
                "the same life of node {node} is in {} and in {}; name one of them",
                one.display(),
                other.display()
            ),
            ReplayError::TooMany(most) => write!(
                f,
                "there are more than {most} events; name fewer or shorter recordings"
            ),
            ReplayError::WouldReplace(path) => write!(
                f,
                "{} is one of the recordings and would be replaced; write to another file",
                path.display()
            ),
            ReplayError::Nothing => {
                write!(f, "nothing happened in this stretch; see --from and --to")
            }
            ReplayError::Page(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}
