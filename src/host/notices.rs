//! What the core tells, on its way to the user: never in the core's way.
//!
//! When full: the ring goes before the screen. A user interface that does not read (a paused pager, a stuck
//! terminal) makes
//! - protocol notices (request, grant, pass, ...) lost, as they are of the moment only;
//! - all else wait in a backlog of 16 MiB; beyond that messages are counted and not shown (they are in the replica, and
//!   the user is told how many once there is room);
//! - what happens seldom and is waited for (a ring, the end of a catching-up, a full disk) waits in another 4 MiB behind
//!   that: many messages never push it out;
//! - answers to the own user and the life of the own lines wait without that bound, but then no more commands
//!   are taken, and so no more of them arise.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::node::face::Notice;

/// Notices in the channel itself.
const CHANNEL_MAX: usize = 256;
/// How much may wait for a user interface that does not read.
const BACKLOG_BYTES_MAX: usize = 16 << 20;
/// How much of it may be more than that for the sake of what happens seldom: thousands of events.
const SELDOM_BYTES_MAX: usize = 4 << 20;
/// What a notice counts beside the content it carries.
const NOTICE_BYTES: usize = 256;

/// How much a notice matters when the user interface does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Of the moment: lost when it cannot be shown at once.
    Passing,
    /// Waits, within the bound: there may be any number.
    Kept,
    /// Happens seldom and is waited for: waits also beyond that bound, within one of its own.
    Seldom,
    /// Waits; there is a bounded number as long as no commands are taken.
    Owed,
}

/// The core's side of the channel to the user interface.
#[derive(Debug)]
pub struct Notices {
    channel: Sender<Notice>,
    backlog: VecDeque<Notice>,
    backlog_bytes: usize,
    passing_lost: u64,
    untold: u64,
    nobody: bool,
}

impl Notices {
    /// Makes the channel, and returns both sides.
    pub fn open() -> (Notices, Receiver<Notice>) {
        let (channel, receiver) = bounded(CHANNEL_MAX);
        let notices = Notices {
            channel,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            passing_lost: 0,
            untold: 0,
            nobody: false,
        };
        (notices, receiver)
    }

    /// Tells the user, or keeps it for later, or drops it by the rule above. Never waits.
    pub fn tell(&mut self, notice: Notice) {
        self.flush();
        let weight = weight(&notice);
        if self.nobody {
            return;
        }
        if self.backlog.is_empty() && !self.channel.is_full() {
            self.backlog.push_back(notice);
            self.backlog_bytes += bytes(self.backlog.back());
            self.flush();
        } else if weight == Weight::Passing {
            self.passing_lost += 1;
        } else if self.is_too_much(weight) {
            self.untold += 1;
        } else {
            self.backlog_bytes += bytes(Some(&notice));
            self.backlog.push_back(notice);
        }
    }

    /// Hands on what waits, as far as there is room.
    pub fn flush(&mut self) {
        while let Some(notice) = self.backlog.pop_front() {
            let size = bytes(Some(&notice));
            match self.channel.try_send(notice) {
                Ok(()) => self.backlog_bytes -= size,
                Err(TrySendError::Full(notice)) => {
                    self.backlog.push_front(notice);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return self.give_up(),
            }
        }
        if self.untold > 0 {
            let untold = std::mem::take(&mut self.untold);
            let text = format!(
                "{untold} messages and events were not shown, because the output did not keep up; \
                 the messages are in the replica"
            );
            self.tell(Notice::Warning(text));
        }
    }

    /// Whether so much waits that commands are not to be taken.
    pub fn is_behind(&self) -> bool {
        self.backlog_bytes >= BACKLOG_BYTES_MAX
    }

    /// Whether so much waits that a notice of this weight is not to wait as well.
    fn is_too_much(&self, weight: Weight) -> bool {
        match weight {
            Weight::Passing | Weight::Kept => self.is_behind(),
            Weight::Seldom => self.backlog_bytes >= BACKLOG_BYTES_MAX + SELDOM_BYTES_MAX,
            Weight::Owed => false,
        }
    }

    /// Whether something waits, so that [`Notices::flush`] is to be tried again soon.
    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// How many protocol notices were lost.
    pub fn passing_lost(&self) -> u64 {
        self.passing_lost
    }

    /// Hands on all that waits at the end, at most `limit` for each notice that finds no room; what is still
    /// left then is dropped.
    pub fn finish(mut self, limit: Duration) {
        self.flush();
        for notice in self.backlog.drain(..) {
            if self.channel.send_timeout(notice, limit).is_err() {
                return;
            }
        }
    }

    /// The user interface is gone: there is nobody to tell.
    fn give_up(&mut self) {
        self.nobody = true;
        self.backlog.clear();
        self.backlog_bytes = 0;
        self.untold = 0;
    }
}

/// What a notice counts against the bound.
fn bytes(notice: Option<&Notice>) -> usize {
    let content = match notice {
        Some(Notice::Message { record, .. }) => record.content.len(),
        Some(Notice::Pending { content, .. }) => content.len(),
        Some(_) | None => 0,
    };
    content + NOTICE_BYTES
}

fn weight(notice: &Notice) -> Weight {
    match notice {
        Notice::Request(_) | Notice::Grant(..) | Notice::Pass(..) => Weight::Passing,
        Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } => Weight::Passing,
        Notice::Standing(_) => Weight::Passing,
        Notice::Fenced { .. } | Notice::CatchingUp { .. } => Weight::Passing,
        Notice::Message { own: false, .. } | Notice::Moved(_) | Notice::Conflict { .. } => Weight::Kept,
        Notice::Gathering(_) | Notice::Ring { .. } | Notice::CaughtUp { .. } => Weight::Seldom,
        Notice::Woke { .. } | Notice::Checkpointed { .. } | Notice::Warning(_) => Weight::Seldom,
        Notice::DiskFull(_) | Notice::DiskRoom | Notice::Stranger(_) => Weight::Seldom,
        Notice::Message { own: true, .. } | Notice::Pending { .. } | Notice::Refused { .. } => Weight::Owed,
        Notice::Held { .. } | Notice::FoundOrdered { .. } | Notice::OfferedAgain { .. } => Weight::Owed,
        Notice::Reconciled { .. } | Notice::Status(_) | Notice::Trace { .. } => Weight::Owed,
        Notice::Rekeyed(_) => Weight::Owed,
        Notice::Lab(_) => Weight::Seldom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;

    use crate::host::terminal::samples;
    use crate::replica::Record;
    use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

    fn message(seq: u64, own: bool, bytes: usize) -> Notice {
        let sender = Member {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        let ring = RingId {
            epoch: Epoch(1),
            leader: sender,
        };
        let record = Record {
            id: MessageId { sender, counter: seq },
            position: Position { ring, seq: Seq(seq) },
            content: Bytes::from(vec![b'x'; bytes]),
        };
        Notice::Message {
            record,
            late: false,
            own,
        }
    }

    /// Fills the channel, so that what follows finds no room.
    fn full() -> (Notices, Receiver<Notice>) {
        let (mut notices, receiver) = Notices::open();
        for _ in 0..CHANNEL_MAX {
            notices.tell(samples::request());
        }
        assert_eq!(notices.passing_lost(), 0);
        (notices, receiver)
    }

    /// Reads everything that comes, with the notices being flushed in between.
    fn read_all(notices: &mut Notices, receiver: &Receiver<Notice>) -> Vec<Notice> {
        let mut all = Vec::new();
        while let Ok(notice) = receiver.try_recv() {
            all.push(notice);
            notices.flush();
        }
        all.retain(|notice| *notice != samples::request());
        all
    }

    #[test]
    fn a_reader_that_keeps_up_gets_everything_in_order() {
        let (mut notices, receiver) = Notices::open();
        for seq in 0..1_000 {
            notices.tell(message(seq, false, 10));
            assert_eq!(receiver.try_recv(), Ok(message(seq, false, 10)));
        }
    }

    #[test]
    fn a_slow_reader_loses_protocol_notices_only() {
        let (mut notices, receiver) = full();
        notices.tell(message(1, false, 10));
        notices.tell(samples::grant(3));
        notices.tell(message(2, false, 10));
        assert_eq!(notices.passing_lost(), 1);
        assert!(notices.is_waiting());
        let all = read_all(&mut notices, &receiver);
        assert_eq!(all, [message(1, false, 10), message(2, false, 10)]);
        assert!(!notices.is_waiting());
    }

    #[test]
    fn beyond_the_bound_own_lines_still_wait_and_the_rest_is_counted() {
        let (mut notices, receiver) = full();
        for seq in 0..20 {
            notices.tell(message(seq, false, 1 << 20));
        }
        assert!(notices.is_behind());
        notices.tell(message(20, true, 10));
        let all = read_all(&mut notices, &receiver);
        assert_eq!(all.len(), 18);
        assert_eq!(all[16], message(20, true, 10));
        assert!(matches!(&all[17], Notice::Warning(text) if text.starts_with("4 messages")));
        assert!(!notices.is_behind());
    }

    #[test]
    fn what_is_waited_for_is_not_pushed_out_by_messages_and_is_bounded_too() {
        let (mut notices, receiver) = full();
        let caught_up = |received| Notice::CaughtUp {
            peer: NodeId(2),
            received,
        };
        for seq in 0..20 {
            notices.tell(message(seq, false, 1 << 20));
        }
        notices.tell(caught_up(20));
        notices.tell(samples::checkpointed());
        notices.tell(message(20, false, 10));
        let all = read_all(&mut notices, &receiver);
        assert_eq!(all[16..18], [caught_up(20), samples::checkpointed()]);
        assert!(matches!(&all[18], Notice::Warning(text) if text.starts_with("5 messages")));
        assert_eq!(all.len(), 19);

        let (mut notices, _receiver) = full();
        let most = (BACKLOG_BYTES_MAX + SELDOM_BYTES_MAX) / NOTICE_BYTES;
        for received in 0..most as u64 + 3 {
            notices.tell(caught_up(received));
        }
        assert_eq!((notices.backlog.len(), notices.untold), (most, 3));
    }

    #[test]
    fn a_reader_that_is_gone_costs_nothing() {
        let (mut notices, receiver) = full();
        drop(receiver);
        notices.tell(message(1, true, 10));
        notices.tell(message(2, true, 10));
        assert!(!notices.is_waiting());
        notices.finish(Duration::from_secs(60));
    }

    #[test]
    fn at_the_end_what_waits_is_handed_on_while_somebody_reads() {
        let (mut notices, receiver) = full();
        notices.tell(message(1, true, 10));
        let reader = std::thread::Builder::new()
            .spawn(move || receiver.iter().last())
            .unwrap();
        notices.finish(Duration::from_secs(60));
        assert_eq!(reader.join().unwrap(), Some(message(1, true, 10)));
    }
}
