//! A new version of a replica, written by a thread of its own: several are written and synced side by side, while the merge
//! goes on. All get the same blocks.
//!
//! When full: [`WAITING_MAX`] blocks wait for each thread; the merge waits for the slowest.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::host::files::{FileError, Replacement};

/// How many bytes are gathered for a block.
pub const BLOCK_BYTES: usize = 1 << 20;
/// Blocks that wait for a thread.
const WAITING_MAX: usize = 4;
/// After so many blocks what was written is made durable, so that the disk is at work from the beginning.
const SYNC_BLOCKS: usize = 32;

/// A piece of the new version.
pub type Block = Arc<Vec<u8>>;

/// The thread, and the way to it.
pub struct Writer {
    blocks: Option<Sender<Block>>,
    thread: Option<JoinHandle<Result<Replacement, FileError>>>,
}

impl Writer {
    /// Starts it.
    pub fn start(replacement: Replacement) -> std::io::Result<Writer> {
        let (blocks, waiting) = bounded(WAITING_MAX);
        let thread = thread::Builder::new().name("rewrite".into());
        let thread = thread.spawn(move || write(replacement, &waiting))?;
        Ok(Writer {
            blocks: Some(blocks),
            thread: Some(thread),
        })
    }

    /// Hands over a block. If the thread has failed, says why.
    pub fn write(&mut self, block: Block) -> Result<(), FileError> {
        let taken = self
            .blocks
            .as_ref()
            .is_some_and(|blocks| blocks.send(block).is_ok());
        match taken {
            true => Ok(()),
            false => self.end().map(drop),
        }
    }

    /// Waits until everything is written and durable, and gives the new version back. To be asked for once.
    pub fn end(&mut self) -> Result<Replacement, FileError> {
        self.blocks = None;
        let thread = self.thread.take().expect("a writer ends once");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Writer {
    /// What is not wanted any more is gone when this returns.
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write(mut replacement: Replacement, blocks: &Receiver<Block>) -> Result<Replacement, FileError> {
    for (count, block) in blocks.iter().enumerate() {
        replacement.write(&block)?;
        if (count + 1) % SYNC_BLOCKS == 0 {
            replacement.sync()?;
        }
    }
    replacement.sync()?;
    Ok(replacement)
}
