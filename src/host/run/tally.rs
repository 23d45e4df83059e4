//! How far the lines of a piped program have come, counted from what the core tells.
//!
//! Each own line is followed by its tag until it is pending, and by its id from then on, so that a line of an
//! earlier life that is offered again in this one is not taken for one of this input. A count rises once for each
//! line, whatever is told twice: delivery may be told late or again, and holders are told one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::terminal::finish::Counts;
use crate::node::face::Notice;
use crate::words::MessageId;

/// The own lines of this process.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Counts,
    /// Given to the core, neither pending nor refused yet: by their tags.
    unsettled: BTreeSet<u64>,
    /// Pending, and not held by all yet; whether each is ordered.
    under_way: BTreeMap<MessageId, bool>,
}

impl Tally {
    /// How far the lines are.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A line is given to the core.
    pub fn said(&mut self, tag: u64) {
        self.counts.said += 1;
        self.unsettled.insert(tag);
    }

    /// A line of the input cannot be a message.
    pub fn unreadable(&mut self) {
        self.counts.unreadable += 1;
    }

    /// Takes in what the core tells. Says whether a line was settled by it: pending, or refused.
    pub fn notice(&mut self, notice: &Notice) -> bool {
        if let Notice::Pending {
            id, tag: Some(tag), ..
        } = notice
            && self.unsettled.remove(tag)
        {
            self.counts.pending += 1;
            self.under_way.insert(*id, false);
            return true;
        }
        if let Notice::Refused { tag, .. } = notice
            && self.unsettled.remove(tag)
        {
            self.counts.refused += 1;
            return true;
        }
        // Whether it came in order or late makes no difference: it has its number.
        if let Notice::Message { record, .. } = notice {
            self.ordered(record.id);
        }
        if let Notice::Held { id, k, n, .. } = notice
            && k >= n
        {
            // What all hold was ordered, even if its delivery was not told for want of room.
            self.ordered(*id);
            self.counts.held += u64::from(self.under_way.remove(id).is_some());
        }
        false
    }

    fn ordered(&mut self, id: MessageId) {
        if let Some(ordered) = self.under_way.get_mut(&id)
            && !std::mem::replace(ordered, true)
        {
            self.counts.ordered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::samples;
    use crate::words::Position;

    fn pending(id: MessageId, tag: Option<u64>) -> Notice {
        let content = bytes::Bytes::new();
        Notice::Pending { id, tag, content }
    }

    fn held(id: MessageId, position: Position, k: u16) -> Notice {
        let n = 3;
        Notice::Held { id, position, k, n }
    }

    #[test]
    fn a_line_is_counted_once_at_each_step() {
        let mut tally = Tally::default();
        let record = samples::record(7, "oi");
        let message = Notice::Message {
            record: record.clone(),
            late: false,
            own: true,
        };
        tally.said(1);
        assert!(tally.notice(&pending(record.id, Some(1))));
        assert!(!tally.notice(&pending(record.id, Some(1))), "once");
        for _ in 0..2 {
            tally.notice(&message);
            tally.notice(&held(record.id, record.position, 2));
        }
        assert_eq!((tally.counts().ordered, tally.counts().held), (1, 0));
        for _ in 0..2 {
            tally.notice(&held(record.id, record.position, 3));
        }
        let counts = tally.counts();
        assert_eq!(
            (counts.said, counts.pending, counts.ordered, counts.held),
            (1, 1, 1, 1)
        );
    }

    #[test]
    fn lines_of_an_earlier_life_and_of_others_do_not_count() {
        let mut tally = Tally::default();
        let record = samples::record(7, "oi");
        assert!(!tally.notice(&pending(record.id, None)));
        let (late, own) = (true, true);
        tally.notice(&Notice::Message { record, late, own });
        assert_eq!(tally.counts(), Counts::default());
    }

    #[test]
    fn a_refused_line_is_settled_and_counted() {
        let mut tally = Tally::default();
        tally.said(4);
        let reason = String::from("the disk is full");
        assert!(tally.notice(&Notice::Refused { tag: 4, reason }));
        assert_eq!((tally.counts().said, tally.counts().refused), (1, 1));
    }
}
