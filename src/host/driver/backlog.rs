//! The way to the disk's thread: what finds no room in its channel waits here, in order.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{DiskWork, DriverError, Last};

/// Work for the disk that may wait in its channel.
pub(super) const DISK_MAX: usize = 1_024;

/// The way to the disk's thread.
#[derive(Debug)]
pub(super) struct Disk {
    channel: Sender<DiskWork>,
    backlog: VecDeque<DiskWork>,
}

impl Disk {
    /// The way, and its other end.
    pub(super) fn open() -> (Disk, Receiver<DiskWork>) {
        let (channel, end) = bounded(DISK_MAX);
        let backlog = VecDeque::new();
        (Disk { channel, backlog }, end)
    }

    /// Queues work, behind what waits already.
    pub(super) fn put(&mut self, work: DiskWork) -> Result<(), Last> {
        self.backlog.push_back(work);
        self.flush()
    }

    /// Hands on what waits, as far as there is room.
    pub(super) fn flush(&mut self) -> Result<(), Last> {
        while let Some(work) = self.backlog.pop_front() {
            match self.channel.try_send(work) {
                Ok(()) => {}
                Err(TrySendError::Full(work)) => {
                    self.backlog.push_front(work);
                    return Ok(());
                }
                Err(TrySendError::Disconnected(_)) => return Err(Last::Failed(DriverError::DiskGone)),
            }
        }
        Ok(())
    }

    /// Whether something waits for room.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Hands on what waits at the end, at most `limit` for each piece that finds no room.
    pub(super) fn finish(self, limit: Duration) {
        for work in self.backlog {
            if self.channel.send_timeout(work, limit).is_err() {
                return;
            }
        }
    }
}
