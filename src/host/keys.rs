//! The key file: made by `node keygen`, read at the start, and read again when it changes.
//!
//! It is for its owner only: one that others may read or write is refused, because then it is no secret. The key
//! itself never stands on a command line, in an environment variable or in a log.
#![allow(clippy::disallowed_methods)] // Key files are read and written here, with care for their modes.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::host::exit::Code;
use crate::host::files;
use crate::host::inbox::Inbox;
use crate::node::face::{Command, Event};
use crate::wire::seal::key::{GroupKey, KEY_BYTES, KeyFault, KeyName, Keys};

/// A key file is never longer: eight lines of keys and some words about them.
const FILE_BYTES_MAX: u64 = 16 << 10;
/// For the owner only.
const MODE: u32 = 0o600;
/// What others may do with a file of a wider mode.
const WIDER: u32 = 0o077;
/// How often the file is looked at: a change is in force after this time at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a new key file begins with.
const PREAMBLE: &str = "\
# A group key of roda. Who has it reads and writes in the group: copy it to all members, and keep it secret.
# To change it without stopping the ring: give every member a file with the new key behind the old one, then one
# with the new key in front, then one without the old key.
";

/// Why there is no key to use.
#[derive(Debug)]
pub enum KeyError {
    /// There is no such file.
    Missing(PathBuf),
    /// The file is there already. It was not touched.
    Exists(PathBuf),
    /// It is no file, or far too long for a key file.
    NotAKeyFile(PathBuf),
    /// Others than its owner can reach it: its mode.
    Wide(PathBuf, u32),
    /// It does not hold what a key file holds.
    Fault(PathBuf, KeyFault),
    /// The machine failed with it.
    File(PathBuf, io::Error),
    /// The machine has no random numbers to give.
    Dice(io::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Missing(path) => write!(
                f,
                "there is no key file {0}; copy it from another member, or make one for a new group: node keygen {0}",
                path.display()
            ),
            KeyError::Exists(path) => write!(
                f,
                "{} is there already and was not touched; name another file, or remove it first",
                path.display()
            ),
            KeyError::NotAKeyFile(path) => {
                write!(f, "{} is no key file; node keygen makes one", path.display())
            }
            KeyError::Wide(path, mode) => write!(
                f,
                "the key file {0} has mode {mode:04o}: others can reach it; chmod 600 {0}, and if they may have read it, \
                 make a new key",
                path.display()
            ),
            KeyError::Fault(path, fault) => write!(f, "cannot use the key file {}: {fault}", path.display()),
            KeyError::File(path, error) => write!(f, "cannot use the key file {}: {error}", path.display()),
            KeyError::Dice(error) => write!(f, "this machine has no random numbers to give: {error}"),
        }
    }
}

impl std::error::Error for KeyError {}

impl KeyError {
    /// The exit code for it.
    pub fn code(&self) -> Code {
        match self {
            KeyError::Missing(_)
            | KeyError::NotAKeyFile(_)
            | KeyError::Wide(..)
            | KeyError::Fault(..)
            | KeyError::File(..) => Code::WrongKey,
            KeyError::Exists(_) | KeyError::Dice(_) => Code::Other,
        }
    }
}

/// Random bytes of the system.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    let filled = SysRng.try_fill_bytes(&mut bytes);
    filled.map_err(|error| KeyError::Dice(io::Error::other(error)))?;
    Ok(bytes)
}

/// Makes a key file that was not there. Returns the key's name.
pub fn generate(path: &Path) -> Result<KeyName, KeyError> {
    let key = GroupKey::new(Zeroizing::new(random::<KEY_BYTES>()?));
    let failed = |error: io::Error| {
        if error.kind() == ErrorKind::AlreadyExists {
            KeyError::Exists(path.to_path_buf())
        } else {
            KeyError::File(path.to_path_buf(), error)
        }
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(PREAMBLE.as_bytes())
        .and_then(|()| file.write_all(key.to_line().as_bytes()))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // A key that is only half there is none.
        std::fs::remove_file(path).unwrap_or_default();
        return Err(KeyError::File(path.to_path_buf(), error));
    }
    let folder = files::folder_of(path);
    files::sync_folder(folder).map_err(|error| KeyError::File(folder.to_path_buf(), error.reason))?;
    Ok(key.name())
}

/// Reads a key file.
pub fn read(path: &Path) -> Result<Keys, KeyError> {
    let failed = |error: io::Error| {
        if error.kind() == ErrorKind::NotFound {
            KeyError::Missing(path.to_path_buf())
        } else {
            KeyError::File(path.to_path_buf(), error)
        }
    };
    let mut file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(KeyError::NotAKeyFile(path.to_path_buf()));
    }
    let mode = about.permissions().mode() & 0o7777;
    if mode & WIDER != 0 {
        return Err(KeyError::Wide(path.to_path_buf(), mode));
    }
    // At its full length from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; about.len() as usize]);
    file.read_exact(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotAKeyFile(path.to_path_buf()))?;
    Keys::from_text(text).map_err(|fault| KeyError::Fault(path.to_path_buf(), fault))
}

/// Makes a folder one that only its owner can enter.
pub fn close_folder(path: &Path) -> Result<(), KeyError> {
    let failed = |error| KeyError::File(path.to_path_buf(), error);
    let about = std::fs::metadata(path).map_err(failed)?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & WIDER == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode & !WIDER)).map_err(failed)
}

/// Tells one state of a file from another.
type Mark = (u64, u64, i64, i64, u32);

fn mark(about: &Metadata) -> Mark {
    (
        about.ino(),
        about.len(),
        about.mtime(),
        about.mtime_nsec(),
        about.mode(),
    )
}

/// Ends the watch of a key file when it is dropped.
#[derive(Debug)]
pub struct KeyWatch {
    _stop: Sender<()>,
}

/// Looks at the key file now and then, and gives the core its keys when they have changed. A file that cannot be
/// used is told of, and the keys stay as they are.
pub fn watch(path: PathBuf, mut keys: Keys, inbox: Inbox) -> io::Result<KeyWatch> {
    let (stop, stopped) = bounded::<()>(0);
    let look = |path: &Path| std::fs::metadata(path).map(|about| mark(&about)).ok();
    let mut last = look(&path);
    Builder::new().name("key watch".to_string()).spawn(move || {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let now = look(&path);
            if now == last {
                continue;
            }
            last = now;
            match read(&path) {
                Ok(new) if new == keys => {}
                Ok(new) => {
                    keys = new.clone();
                    if inbox.send(Event::Command(Command::Rekey(new))).is_err() {
                        return;
                    }
                }
                Err(error) => log::warn!("{error}; the keys stay as they were"),
            }
        }
    })?;
    Ok(KeyWatch { _stop: stop })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_key_file_is_for_its_owner_and_is_not_made_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let name = generate(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        let before = std::fs::read(&path).unwrap();
        let error = generate(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exists(_)), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(read(&path).unwrap().first().name(), name);
        let other = folder.path().join("other");
        assert_ne!(generate(&other).unwrap(), name);
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        generate(&path).unwrap();
        for wide in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(wide)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.to_string().contains(&format!("{wide:04o}")), "{error}");
            assert_eq!(error.code(), Code::WrongKey);
        }
        for narrow in [0o400, 0o600] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(narrow)).unwrap();
            read(&path).unwrap();
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(read(&path).unwrap_err(), KeyError::Missing(_)));
        assert!(matches!(
            read(folder.path()).unwrap_err(),
            KeyError::NotAKeyFile(_)
        ));
        generate(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("key-1 ", "key-1  x")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 4"), "{error}");
        let secret = text.lines().last().unwrap().split(' ').next_back().unwrap();
        assert!(!error.contains(secret));
    }

    #[test]
    fn a_folder_is_closed_for_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        close_folder(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }
}
