//! The files of a node on this machine: locked for this process, and worked on by a thread of their own.
//!
//! What is done with them is [`crate::disk`]'s business; here it is given the machine's file system.

mod lock;
mod pump;

use std::ops::{Deref, DerefMut};
use std::path::Path;

use crate::disk;
use crate::host::files::{self, Os};
use crate::node::face::Restart;
use crate::words::NodeId;

pub use crate::disk::{Clock, DiskError, End, Mended, Options, Outcome, Paths, Preview, Scrubbed, Story};
pub use lock::Lock;
pub use pump::{Answer, DiskPump, Work};

/// All files of one node, locked for this process.
pub struct Disk {
    disk: disk::Disk<Os>,
    _lock: Lock,
}

impl Disk {
    /// Takes the lock of node `id` below `data_dir` and opens its files; see [`disk::Disk::open`].
    pub fn open(data_dir: &Path, id: NodeId, options: Options) -> Result<(Disk, Restart, Story), DiskError> {
        files::make_folder(&Paths::new(data_dir, id).replicas)?;
        let lock = Lock::take(data_dir, id)?;
        let (disk, restart, story) = disk::Disk::open(&Os, data_dir, id, options)?;
        Ok((Disk { disk, _lock: lock }, restart, story))
    }
}

impl Deref for Disk {
    type Target = disk::Disk<Os>;

    fn deref(&self) -> &disk::Disk<Os> {
        &self.disk
    }
}

impl DerefMut for Disk {
    fn deref_mut(&mut self) -> &mut disk::Disk<Os> {
        &mut self.disk
    }
}

/// See [`disk::raise_generation`].
pub fn raise_generation(paths: &Paths) -> Result<(), DiskError> {
    disk::raise_generation(&Os, paths)
}

/// See [`disk::preview_restore`].
pub fn preview_restore(data_dir: &Path, id: NodeId, number: u64) -> Result<Preview, DiskError> {
    disk::preview_restore(&Os, data_dir, id, number)
}
