//! Why a node could not start, or ended without having been asked to.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::host::chaos::ChaosError;
use crate::host::disk::DiskError;
use crate::host::driver::DriverError;
use crate::host::exit::Code;
use crate::host::keys::KeyError;
use crate::host::net::NetError;
use crate::host::web::WebError;

/// What went wrong. None of it has lost a line that was shown as pending.
#[derive(Debug)]
pub enum Failure {
    /// `--chaos` makes no sense. Nothing was touched.
    Chaos(ChaosError),
    /// The network cannot be opened. Nothing was touched.
    Net(NetError),
    /// There is no key to use. Nothing was touched.
    Key(KeyError),
    /// The page cannot be served.
    Web(WebError),
    /// The files cannot be opened.
    Disk(DiskError),
    /// The user does not want to go back to this checkpoint after all. Nothing was touched.
    NotRestored(u64),
    /// No recording can be made in this file.
    Record(PathBuf, io::Error),
    /// The terminal cannot be used.
    Terminal(io::Error),
    /// Signals cannot be taken.
    Signals(io::Error),
    /// The machine gives no threads, random numbers or the like.
    Machine(&'static str, io::Error),
    /// The core's thread could not go on.
    Driver(DriverError),
    /// A thread ended by a bug; it has said so itself.
    Bug(&'static str),
    /// The node did not end in time. What is in the outbox is safe.
    Stuck(&'static str),
}

impl Failure {
    /// The exit code for it.
    pub fn code(&self) -> Code {
        match self {
            Failure::Chaos(_) => Code::Usage,
            Failure::Net(error) => Code::of_number(error.exit_code()),
            Failure::Key(error) => error.code(),
            Failure::Web(error) => error.code(),
            Failure::Disk(error) => Code::of_number(error.exit_code()),
            Failure::Record(_, error) if error.kind() == io::ErrorKind::AlreadyExists => Code::Usage,
            Failure::Record(..) => Code::Other,
            Failure::NotRestored(_) | Failure::Terminal(_) | Failure::Signals(_) => Code::Other,
            Failure::Machine(..) | Failure::Driver(_) | Failure::Bug(_) | Failure::Stuck(_) => Code::Other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Chaos(error) => write!(f, "{error}"),
            Failure::Net(error) => write!(f, "{error}"),
            Failure::Key(error) => write!(f, "{error}"),
            Failure::Web(error) => write!(f, "{error}"),
            Failure::Disk(error) => write!(f, "{error}"),
            Failure::NotRestored(number) => {
                write!(f, "checkpoint {number} was not gone back to; nothing was changed")
            }
            Failure::Record(path, error) if error.kind() == io::ErrorKind::AlreadyExists => write!(
                f,
                "cannot record to {}: it is there already, and nothing is added to it; name a new file",
                path.display()
            ),
            Failure::Record(path, error) => write!(f, "cannot record to {}: {error}", path.display()),
            Failure::Terminal(error) => write!(f, "cannot use the terminal: {error}"),
            Failure::Signals(error) => write!(f, "cannot take signals: {error}"),
            Failure::Machine(what, error) => write!(f, "cannot get {what} from the system: {error}"),
            Failure::Driver(error) => write!(f, "{error}"),
            Failure::Bug(thread) => write!(
                f,
                "the {thread} thread has failed, see above; what is in the outbox is offered again at the next start"
            ),
            Failure::Stuck(what) => write!(
                f,
                "{what} did not finish in time; what is in the outbox is offered again at the next start"
            ),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Chaos(error) => Some(error),
            Failure::Net(error) => Some(error),
            Failure::Key(error) => Some(error),
            Failure::Web(error) => Some(error),
            Failure::Disk(error) => Some(error),
            Failure::Terminal(error) | Failure::Signals(error) | Failure::Machine(_, error) => Some(error),
            Failure::Record(_, error) => Some(error),
            Failure::Driver(error) => Some(error),
            Failure::NotRestored(_) | Failure::Bug(_) | Failure::Stuck(_) => None,
        }
    }
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Failure {
        Failure::Net(error)
    }
}

impl From<WebError> for Failure {
    fn from(error: WebError) -> Failure {
        Failure::Web(error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        Failure::Key(error)
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Failure {
        Failure::Disk(error)
    }
}

impl From<ChaosError> for Failure {
    fn from(error: ChaosError) -> Failure {
        Failure::Chaos(error)
    }
}
