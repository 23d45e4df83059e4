//! `identity.json` and `generation.json`: two numbers that never go back, each in a sealed line.
//!
//! `{"v":1,"incarnation":1763680000000000,"epoch":4,"sum":"…"}`: this life, and an epoch that none it saw exceeds. It is
//! no part of any checkpoint. If it is lost it can be built again: a life above all that the replica, the
//! outbox and the checkpoints name, and the largest epoch in them. An epoch that was proposed and then lost
//! can be proposed again without harm, because the leader's life is part of the ring's name.
//!
//! `{"v":1,"generation":2,"sum":"…"}`: how often the replica was written anew. It is raised *before* the new
//! file is put in place: a crash between the two only means that a checkpoint's length is not compared.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{self, FileError, FileSystem};
use super::{DiskError, Paths};
use crate::checkpoint::{SealError, seal, unseal};
use crate::words::{Epoch, Incarnation};

/// The version of both formats.
const VERSION: u64 = 1;

/// Who this node is in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its life.
    pub incarnation: Incarnation,
    /// None that it saw, proposed or agreed to is larger.
    pub epoch: Epoch,
}

#[derive(Serialize, Deserialize)]
struct IdentityLine {
    v: u64,
    incarnation: u64,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct GenerationLine {
    v: u64,
    generation: u64,
}

/// A small file as it was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// There is none.
    Missing,
    /// It is there and good.
    Good(T),
    /// It cannot be used; the damaged file is kept under another name, as the words say.
    Damaged(String),
}

/// Reads `identity.json`, moving it aside if it is damaged.
pub fn read_identity(system: &impl FileSystem, paths: &Paths) -> Result<Found<Identity>, DiskError> {
    let found = read::<IdentityLine>(system, &paths.identity())?;
    Ok(found.map(|line| Identity {
        incarnation: Incarnation(line.incarnation),
        epoch: Epoch(line.epoch),
    }))
}

/// Replaces `identity.json`.
pub fn write_identity(system: &impl FileSystem, paths: &Paths, identity: Identity) -> Result<(), FileError> {
    let line = IdentityLine {
        v: VERSION,
        incarnation: identity.incarnation.0,
        epoch: identity.epoch.0,
    };
    files::replace(system, &paths.identity(), &seal(&line))
}

/// Reads `generation.json`; a replica that was never written anew has none.
pub fn read_generation(system: &impl FileSystem, paths: &Paths) -> Result<Found<u64>, DiskError> {
    Ok(read::<GenerationLine>(system, &paths.generation())?.map(|line| line.generation))
}

/// Replaces `generation.json`.
pub fn write_generation(system: &impl FileSystem, paths: &Paths, generation: u64) -> Result<(), FileError> {
    let v = VERSION;
    files::replace(
        system,
        &paths.generation(),
        &seal(&GenerationLine { v, generation }),
    )
}

/// Raises the generation of a replica that is about to be written anew by someone else, who holds the node's
/// lock. A lost generation is left to the node's next start, which goes above all that checkpoints name.
pub fn raise_generation(system: &impl FileSystem, paths: &Paths) -> Result<(), DiskError> {
    match read_generation(system, paths)? {
        Found::Good(generation) => write_generation(system, paths, generation + 1)?,
        Found::Missing => write_generation(system, paths, 1)?,
        Found::Damaged(_) => files::replace(system, &paths.generation(), b"")?,
    }
    Ok(())
}

impl<T> Found<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Missing => Found::Missing,
            Found::Good(value) => Found::Good(f(value)),
            Found::Damaged(words) => Found::Damaged(words),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(
    system: &impl FileSystem,
    path: &Path,
) -> Result<Found<T>, DiskError> {
    let Some(bytes) = files::read(system, path)? else {
        return Ok(Found::Missing);
    };
    match unseal(&bytes, VERSION) {
        Ok(line) => Ok(Found::Good(line)),
        Err(SealError::Future(version)) => {
            let path = path.to_path_buf();
            Err(DiskError::Foreign { path, version })
        }
        Err(error) => {
            let aside = path.with_extension("damaged.json");
            files::rename(system, path, &aside)?;
            let (path, aside) = (path.display(), aside.display());
            Ok(Found::Damaged(format!(
                "{path} is damaged: {error}; it was moved to {aside} and built again"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::Os;
    use crate::words::NodeId;

    fn paths(folder: &Path) -> Paths {
        let paths = Paths::new(folder, NodeId(3));
        files::make_folder(&Os, &paths.own).unwrap();
        paths
    }

    #[test]
    fn an_identity_cut_at_any_byte_is_kept_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        assert_eq!(read_identity(&Os, &paths).unwrap(), Found::Missing);
        let identity = Identity {
            incarnation: Incarnation(77),
            epoch: Epoch(4),
        };
        write_identity(&Os, &paths, identity).unwrap();
        let bytes = files::read(&Os, &paths.identity()).unwrap().unwrap();
        for end in 0..bytes.len() - 1 {
            files::replace(&Os, &paths.identity(), &bytes[..end]).unwrap();
            let found = read_identity(&Os, &paths).unwrap();
            assert!(matches!(found, Found::Damaged(_)), "cut at {end}: {found:?}");
            let aside = files::read(&Os, &paths.own.join("identity.damaged.json"))
                .unwrap()
                .unwrap();
            assert_eq!(aside, &bytes[..end]);
        }
        write_identity(&Os, &paths, identity).unwrap();
        assert_eq!(read_identity(&Os, &paths).unwrap(), Found::Good(identity));
    }

    #[test]
    fn a_crash_while_replacing_it_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        write_generation(&Os, &paths, 1).unwrap();
        files::replace(&Os, &paths.own.join("generation.json.new"), b"{\"v\":1,\"gen").unwrap();
        assert_eq!(read_generation(&Os, &paths).unwrap(), Found::Good(1));
        write_generation(&Os, &paths, 2).unwrap();
        assert_eq!(read_generation(&Os, &paths).unwrap(), Found::Good(2));
    }

    #[test]
    fn a_newer_version_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let newer = crate::checkpoint::seal_open(b"{\"v\":2,\"who\":1".to_vec());
        files::replace(&Os, &paths.identity(), &newer).unwrap();
        assert_eq!(read_identity(&Os, &paths).unwrap_err().exit_code(), 7);
        assert_eq!(files::read(&Os, &paths.identity()).unwrap().unwrap(), newer);
    }
}
