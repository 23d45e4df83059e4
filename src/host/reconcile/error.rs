//! Why a reconciliation did not happen: what failed, with the value, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::host::disk::DiskError;
use crate::host::exit::Code;
use crate::host::files::FileError;
use crate::host::keys::KeyError;
use crate::host::net::NetError;
use crate::replica::scan::ScanError;

/// Why a reconciliation did not happen. Each replica is as it was, or complete.
#[derive(Debug)]
pub enum ReconcileError {
    /// There is no such folder.
    NoFolder(PathBuf),
    /// The folder has no replica.
    NoReplicas(PathBuf),
    /// There is no such replica.
    NoFile(PathBuf),
    /// This is no file.
    NotAFile(PathBuf),
    /// A node is running on this replica.
    Live {
        /// The replica.
        path: PathBuf,
        /// The node's lock.
        lock: PathBuf,
        /// The node's process id.
        process: String,
        /// Whether only files at rest were to be reached.
        offline: bool,
    },
    /// A replica cannot be read, or is of a foreign version.
    Unreadable(PathBuf, ScanError),
    /// The machine failed with a file.
    File(FileError),
    /// A node's own files stand in the way.
    Node(DiskError),
    /// The network cannot be opened.
    Net(NetError),
    /// There is no key to use.
    Key(KeyError),
    /// Nodes answered, and cannot be understood: this many datagrams of another key, or without one.
    Strangers(u64),
    /// The network failed while live nodes were reconciled.
    Network(String),
    /// Reading or writing failed while all replicas were merged.
    Merging(io::Error),
    /// A replica changed while it was read.
    Changed,
}

impl From<FileError> for ReconcileError {
    fn from(error: FileError) -> ReconcileError {
        ReconcileError::File(error)
    }
}

impl From<NetError> for ReconcileError {
    fn from(error: NetError) -> ReconcileError {
        ReconcileError::Net(error)
    }
}

impl From<KeyError> for ReconcileError {
    fn from(error: KeyError) -> ReconcileError {
        ReconcileError::Key(error)
    }
}

impl From<DiskError> for ReconcileError {
    fn from(error: DiskError) -> ReconcileError {
        ReconcileError::Node(error)
    }
}

impl fmt::Display for ReconcileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconcileError::NoFolder(path) => {
                write!(
                    f,
                    "there is no folder {}; name the folder that holds replicas/ with --data-dir",
                    path.display()
                )
            }
            ReconcileError::NoReplicas(path) => {
                write!(
                    f,
                    "{} holds no replica (node-<id>.jsonl); name another --data-dir, or the files",
                    path.display()
                )
            }
            ReconcileError::NoFile(path) => {
                write!(f, "there is no replica {}; check the path", path.display())
            }
            ReconcileError::NotAFile(path) => {
                write!(
                    f,
                    "{} is no file; name replica files, or a folder with --data-dir",
                    path.display()
                )
            }
            ReconcileError::Live {
                path,
                lock,
                process,
                offline,
            } => {
                let (path, lock) = (path.display(), lock.display());
                write!(f, "a node is running on {path}: process {process} holds {lock}; ")?;
                match offline {
                    true => write!(
                        f,
                        "leave it with /quit, or leave this replica out by naming the others"
                    ),
                    false => write!(
                        f,
                        "it does not answer on the group, and a live node's file is never written from outside: \
                         name its --group and --interface, or leave it with /quit first"
                    ),
                }
            }
            ReconcileError::Unreadable(path, error @ ScanError::UnknownVersion { .. }) => write!(
                f,
                "cannot read {}: {error}; nothing was changed: use the program that wrote it, or leave it out by naming the others",
                path.display()
            ),
            ReconcileError::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            ReconcileError::File(error) => write!(f, "{error}"),
            ReconcileError::Node(error) => write!(f, "{error}"),
            ReconcileError::Net(error) => write!(f, "{error}; --offline reaches only files at rest"),
            ReconcileError::Key(error) => write!(f, "{error}"),
            ReconcileError::Strangers(datagrams) => write!(f, "{}", strangers(*datagrams)),
            ReconcileError::Network(words) => write!(f, "{words}; each replica is as it was, or complete"),
            ReconcileError::Merging(error) => write!(f, "cannot merge the replicas: {error}"),
            ReconcileError::Changed => {
                write!(
                    f,
                    "a replica changed while it was read; nothing was changed: run again when nobody writes to it"
                )
            }
        }
    }
}

/// What is said where nobody is understood.
fn strangers(datagrams: u64) -> String {
    format!(
        "no live node answers, and {datagrams} datagrams on the group are sealed with another key, or not at all; \
         name the group's key with --key-file, or use --offline"
    )
}

impl std::error::Error for ReconcileError {}

impl ReconcileError {
    /// The exit code of this error.
    pub fn code(&self) -> Code {
        match self {
            ReconcileError::Live { .. } | ReconcileError::Node(DiskError::Taken { .. }) => Code::Taken,
            ReconcileError::Node(DiskError::Foreign { .. }) => Code::Damaged,
            ReconcileError::Unreadable(_, ScanError::UnknownVersion { .. }) => Code::Damaged,
            ReconcileError::Net(error) => Code::of_number(error.exit_code()),
            ReconcileError::Key(error) => error.code(),
            ReconcileError::Strangers(_) => Code::WrongKey,
            ReconcileError::Network(_)
            | ReconcileError::NoFolder(_)
            | ReconcileError::NoReplicas(_)
            | ReconcileError::NoFile(_)
            | ReconcileError::NotAFile(_)
            | ReconcileError::Unreadable(..)
            | ReconcileError::File(_)
            | ReconcileError::Node(_)
            | ReconcileError::Merging(_)
            | ReconcileError::Changed => Code::Other,
        }
    }
}
