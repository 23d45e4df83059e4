//! `web.json`: the token and the port, so that an open page finds its node again after a restart.
//!
//! `{"v":1,"token":"…","port":8081,"sum":"…"}` in the node's own folder, for its owner only. Nothing hangs on it but pages
//! that are open: a damaged file is replaced, and the user told so.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::{seal, unseal};
use crate::host::files::{self, FileError};
use crate::host::keys::{self, KeyError};

/// The version of the format.
const VERSION: u64 = 1;
/// Random bytes in a token: as many as in a key of AES.
const TOKEN_BYTES: usize = 16;

/// The file as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub(super) v: u64,
    /// Who has it may read and say.
    pub token: String,
    /// Where the server was last.
    pub port: u16,
}

/// Where it is.
pub fn path(own: &Path) -> PathBuf {
    own.join("web.json")
}

/// What is stored; what the user should know if that cannot be used.
pub fn read(own: &Path) -> Result<(Option<Stored>, Option<String>), FileError> {
    let path = path(own);
    let Some(bytes) = files::read(&path)? else {
        return Ok((None, None));
    };
    match unseal::<Stored>(&bytes, VERSION) {
        Ok(stored) if is_token(&stored.token) => Ok((Some(stored), None)),
        Ok(_) => Ok((None, Some(damaged(&path, "its token is none")))),
        Err(error) => Ok((None, Some(damaged(&path, &error.to_string())))),
    }
}

fn damaged(path: &Path, why: &str) -> String {
    let path = path.display();
    format!("{path} cannot be used ({why}) and is replaced; open the page anew, by the address above")
}

/// Something new, with a token that nobody can guess.
pub fn fresh(port: u16) -> Result<Stored, KeyError> {
    let bytes = keys::random::<TOKEN_BYTES>()?;
    let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Stored {
        v: VERSION,
        token,
        port,
    })
}

/// Stores it.
pub fn write(own: &Path, stored: &Stored) -> Result<(), FileError> {
    files::replace(&path(own), &seal(stored))
}

/// Whether a token is as long as it should be, and can stand in an address.
fn is_token(text: &str) -> bool {
    text.len() == 2 * TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // Looks at what was written, and spoils it.
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_stored_comes_back_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), (None, None));
        let stored = fresh(8081).unwrap();
        assert_ne!(stored, fresh(8081).unwrap());
        write(folder.path(), &stored).unwrap();
        assert_eq!(read(folder.path()).unwrap(), (Some(stored), None));
        let mode = std::fs::metadata(path(folder.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_not_used_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &fresh(8081).unwrap()).unwrap();
        let good = std::fs::read(path(folder.path())).unwrap();
        for at in 0..good.len() - 1 {
            let mut changed = good.clone();
            changed[at] ^= 1;
            for bad in [&good[..at], &changed[..]] {
                std::fs::write(path(folder.path()), bad).unwrap();
                let (stored, warning) = read(folder.path()).unwrap();
                assert_eq!(stored, None, "{at}");
                assert!(warning.unwrap().contains("web.json"), "{at}");
            }
        }
    }
}
