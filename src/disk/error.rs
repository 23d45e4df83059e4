//! Why the disk side of a node cannot start or go on.

use std::fmt;
use std::path::PathBuf;

use super::files::FileError;
use crate::checkpoint::SealError;
use crate::words::NodeId;

/// What keeps a node from starting. Nothing was lost in any of these cases; what had been repaired before
/// stays repaired.
#[derive(Debug)]
pub enum DiskError {
    /// Another process has this node's lock. Nothing was changed.
    Taken {
        /// The node.
        id: NodeId,
        /// What the lock file says of who has it; empty if it says nothing.
        by: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The machine refused a file operation.
    File(FileError),
    /// A file is of a version that this program does not know. Nothing was changed.
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// There is no checkpoint of this number. Nothing was changed.
    NoSuchCheckpoint {
        /// The number asked for.
        number: u64,
        /// The numbers there are.
        have: Vec<u64>,
    },
    /// The checkpoint asked for cannot be used. Nothing was changed.
    BadCheckpoint {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: SealError,
        /// The numbers there are, this one included.
        have: Vec<u64>,
    },
}

impl DiskError {
    /// The exit code of a program that ends with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            DiskError::File(_) => 1,
            DiskError::NoSuchCheckpoint { .. } => 2,
            DiskError::Taken { .. } => 5,
            DiskError::Foreign { .. } | DiskError::BadCheckpoint { .. } => 7,
        }
    }
}

impl From<FileError> for DiskError {
    fn from(error: FileError) -> DiskError {
        DiskError::File(error)
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskError::Taken { id, by, path } => {
                let by = if by.is_empty() {
                    "another process".into()
                } else {
                    format!("process {by}")
                };
                write!(
                    f,
                    "node {id} runs already on this machine, as {by} (it holds {}); use another --id, another \
                     --data-dir, or end that process",
                    path.display()
                )
            }
            DiskError::File(error) => write!(f, "{error}"),
            DiskError::Foreign { path, version } => write!(
                f,
                "{} has version {version}, which this program does not know; use the newer roda that wrote it, \
                 or another --data-dir",
                path.display()
            ),
            DiskError::NoSuchCheckpoint { number, have } => {
                write!(f, "there is no checkpoint {number}; {}", Have(have))
            }
            DiskError::BadCheckpoint { path, reason, have } => write!(
                f,
                "cannot go back to {}: {reason}; choose another, {}",
                path.display(),
                Have(have)
            ),
        }
    }
}

impl std::error::Error for DiskError {}

/// The checkpoints there are, in words.
struct Have<'a>(&'a [u64]);

impl fmt::Display for Have<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "there are none yet");
        }
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        write!(f, "there are: {}", numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_checkpoint_is_answered_with_those_that_exist() {
        let error = DiskError::NoSuchCheckpoint {
            number: 9,
            have: vec![3, 4],
        };
        assert_eq!(error.to_string(), "there is no checkpoint 9; there are: 3, 4");
        assert_eq!(error.exit_code(), 2);
    }
}
