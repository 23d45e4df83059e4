//! An event on its way to those who follow the stream: its line, and what becomes of it when there are many.

use std::sync::Arc;

use super::{Mark, begin};
use crate::node::face::{Detail, Notice};
use crate::words::{MessageId, NodeId, Time, WallTime};

/// Numbers the events of one process.
#[derive(Clone, Copy, Debug)]
pub struct Teller {
    node: NodeId,
    last: u64,
}

impl Teller {
    /// Numbers the events that this node tells, from 1 on.
    pub fn new(node: NodeId) -> Teller {
        Teller { node, last: 0 }
    }

    /// What the next event begins with.
    pub fn next(&mut self, us: Time, at: WallTime) -> Mark {
        self.last += 1;
        Mark {
            at,
            n: self.last,
            node: self.node,
            us,
        }
    }
}

/// An event as it goes to the feed and into a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it begins with.
    pub mark: Mark,
    /// The JSON object, without the end of the line.
    pub line: Arc<str>,
    /// What becomes of it when there are many.
    pub kind: Kind,
}

impl Told {
    /// Its number in the stream.
    pub fn n(&self) -> u64 {
        self.mark.n
    }

    /// Says that this many events are not there, behind that with this mark: an event of the keeper's own. It has the
    /// number of the event before the gap, so that what follows shows the gap as well.
    pub fn lost(count: u64, behind: Mark) -> Told {
        let line = begin("lost", behind).number("count", count).end();
        Told::passing(behind, line)
    }

    /// Says that what somebody knew is of no use any more, and why: what stands is told anew. `before` has the number
    /// that the first event behind it is told with, less one.
    pub fn reset(reason: &str, before: Mark) -> Told {
        let line = begin("reset", before).text("reason", reason).end();
        Told::passing(before, line)
    }

    fn passing(mark: Mark, line: String) -> Told {
        Told {
            mark,
            line: Arc::from(line),
            kind: Kind::Passing,
        }
    }
}

/// What an event is to those who come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of the moment: many of them push out the oldest, and nothing else.
    Passing,
    /// Of the moment, but the last one says how the token is.
    Token,
    /// Waits for who comes back.
    Kept,
    /// The first event of a process: who comes new is told the last one.
    Start,
    /// What was found on the disk: the same.
    Story,
    /// The installed ring: the same.
    Ring,
    /// How things stand: the same.
    Status,
    /// An own line without a number: who comes new is told those that still have none.
    Pending(MessageId),
    /// An own line has its number.
    Ordered(MessageId),
}

impl Kind {
    /// Whether it is of the moment only.
    pub fn is_passing(self) -> bool {
        match self {
            Kind::Passing | Kind::Token | Kind::Status => true,
            Kind::Kept | Kind::Start | Kind::Story | Kind::Ring => false,
            Kind::Pending(_) | Kind::Ordered(_) => false,
        }
    }
}

/// What a notice is to those who come later.
pub fn kind(notice: &Notice) -> Kind {
    match notice {
        Notice::Pending { id, .. } => Kind::Pending(*id),
        Notice::Message {
            record, own: true, ..
        } => Kind::Ordered(record.id),
        Notice::FoundOrdered { id } => Kind::Ordered(*id),
        Notice::Message { own: false, .. } | Notice::Refused { .. } | Notice::Held { .. } => Kind::Kept,
        Notice::Moved(_) | Notice::Gathering(_) | Notice::Fenced { .. } | Notice::Woke { .. } => Kind::Kept,
        Notice::CaughtUp { .. } | Notice::Conflict { .. } | Notice::OfferedAgain { .. } => Kind::Kept,
        Notice::Checkpointed { .. } | Notice::Reconciled { .. } | Notice::DiskFull(_) => Kind::Kept,
        Notice::DiskRoom | Notice::Trace { .. } | Notice::Rekeyed(_) => Kind::Kept,
        Notice::Stranger(_) | Notice::Lab(_) | Notice::Warning(_) => Kind::Kept,
        Notice::Ring { .. } => Kind::Ring,
        Notice::Status(_) | Notice::Standing(_) => Kind::Status,
        Notice::Detail(Detail::Token(_)) => Kind::Token,
        Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } => Kind::Passing,
        Notice::Request(_) | Notice::Grant(..) | Notice::Pass(..) => Kind::Passing,
        Notice::CatchingUp { .. } => Kind::Passing,
    }
}

/// Who is told a notice as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever reads events.
    All,
    /// On stdout only who asked for all that the protocol does.
    Details,
    /// Only who follows or records: on stdout it comes when it is asked for.
    Followers,
}

/// Who is told this notice as an event.
pub fn audience(notice: &Notice) -> Audience {
    match notice {
        Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } => Audience::Details,
        Notice::Standing(_) => Audience::Followers,
        Notice::Pending { .. } | Notice::Refused { .. } | Notice::Message { .. } => Audience::All,
        Notice::Held { .. } | Notice::Moved(_) | Notice::Request(_) | Notice::Grant(..) => Audience::All,
        Notice::Pass(..) | Notice::Gathering(_) | Notice::Ring { .. } | Notice::Fenced { .. } => {
            Audience::All
        }
        Notice::Woke { .. } | Notice::CatchingUp { .. } | Notice::CaughtUp { .. } => Audience::All,
        Notice::Conflict { .. } | Notice::FoundOrdered { .. } | Notice::OfferedAgain { .. } => Audience::All,
        Notice::Checkpointed { .. } | Notice::Reconciled { .. } | Notice::DiskFull(_) => Audience::All,
        Notice::DiskRoom | Notice::Status(_) | Notice::Trace { .. } | Notice::Rekeyed(_) => Audience::All,
        Notice::Stranger(_) | Notice::Lab(_) | Notice::Warning(_) => Audience::All,
    }
}
