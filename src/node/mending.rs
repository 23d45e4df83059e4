//! Mending: bits rotted in the replica, and were found while the node lives. What is lost is got again from others.

use super::Node;
use super::face::Notice;
use crate::replica::{Digest, PositionSet};
use crate::words::Time;

impl Node {
    /// The replica lacks what it had. That it was written once stays true, and its ids stay known: nobody is told of these
    /// messages again.
    pub(super) fn on_mended(&mut self, now: Time, lost: &PositionSet, digest: Digest, warnings: Vec<String>) {
        self.held = self.held.difference(lost);
        self.digest = digest;
        warnings
            .into_iter()
            .for_each(|text| self.notice(Notice::Warning(text)));
        self.change();
        self.catch_up_soon(now);
    }
}
