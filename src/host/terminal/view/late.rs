//! Late messages: those that come after later ones, from before a split or a crash, or because one is new here.
//!
//! A few of them are shown each at its time; hundreds, while this node catches up, would bury the talk. So for
//! people they are held back for a moment, and of many only the last ones are shown, after one line that says
//! how many there are.

use std::collections::BTreeMap;

use super::message::Came;
use super::{Level, View};
use crate::host::terminal::lang::say;
use crate::replica::record::Record;
use crate::words::Position;

/// Late messages that are held back.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// The last ones in canonical order, with whether each is an own one.
    last: BTreeMap<Position, (Record, bool)>,
    /// How many stand before those.
    folded: u64,
    /// Whether a peer is still sending some.
    pub(super) catching_up: bool,
}

impl View {
    /// Holds a late message back. Says no if it is to be shown at once.
    pub(super) fn hold_back(&mut self, record: &Record, own: bool) -> bool {
        if !self.manner.for_people || self.manner.level == Level::Verbose {
            return false;
        }
        self.late.last.insert(record.position, (record.clone(), own));
        if self.late.last.len() > self.manner.late_max {
            self.late.last.pop_first();
            self.late.folded += 1;
        }
        true
    }

    /// Whether late messages are held back.
    pub fn has_late(&self) -> bool {
        !self.late.last.is_empty() || self.late.folded > 0
    }

    /// Shows the late messages that are held back, unless more of them are on their way. Says whether it did.
    pub fn end_late_unless_catching_up(&mut self) -> bool {
        if self.late.catching_up {
            return false;
        }
        self.end_late();
        true
    }

    /// Shows the late messages that are held back.
    pub fn end_late(&mut self) {
        let folded = std::mem::take(&mut self.late.folded);
        if folded > 0 {
            self.talk(Level::Normal, &say!(self.voice(), "late-many", count = folded));
        }
        for (record, own) in std::mem::take(&mut self.late.last).into_values() {
            self.show_message(&record, Came::Late, own);
        }
    }
}
