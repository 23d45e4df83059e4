//! The outbox: own lines from the moment they are said until the own replica holds them.

use bytes::Bytes;

use super::face::{Notice, Step, Store};
use super::{AfterStore, Node};
use crate::bugs::{self, Bug};
use crate::replica::Content;
use crate::ring::Offer;
use crate::words::{MessageId, NodeId, Time, WallTime};

/// The most bytes of own lines that wait: what is said on top is refused, and can be said again.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// What a line counts beside its content.
const LINE_BYTES: usize = 256;

/// A line that the own replica does not hold yet.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) content: Bytes,
    tag: Option<u64>,
    /// It may have been stamped before: offered anew only after asking.
    again: bool,
    pub(super) state: LineState,
}

/// How far a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineState {
    /// It is being synced.
    Syncing,
    /// It is of an earlier life, and it is not known yet whether it was ordered.
    Undecided,
    /// Somebody has it, so it was ordered, and will come.
    Ordered,
    /// It was offered to the ring in this life.
    Offered,
}

impl Line {
    /// What it counts in the bound of all that wait.
    pub(super) fn bytes(&self) -> usize {
        self.content.len() + LINE_BYTES
    }

    /// The node begins another life: whatever was offered has to be asked about again.
    pub(super) fn undecide(&mut self) {
        if self.state != LineState::Syncing {
            self.state = LineState::Undecided;
        }
    }
}

impl Node {
    /// The user said a line.
    pub(super) fn say(
        &mut self,
        now: Time,
        room: &str,
        text: &str,
        key: Option<&str>,
        tag: u64,
        sent: WallTime,
    ) {
        let refused = if self.leaving.is_some() {
            Some("this node is leaving".to_string())
        } else if self.outbox_bytes >= WAITING_BYTES_MAX {
            self.at_limit("line not taken");
            let waiting = self.outbox.len();
            Some(format!(
                "{waiting} lines wait already; say it again when some have their numbers"
            ))
        } else {
            self.disk_full
                .as_ref()
                .map(|reason| format!("nothing can be stored now ({reason}); make room and say it again"))
        };
        if let Some(reason) = refused {
            return self.notice(Notice::Refused { tag, reason });
        }
        let from: NodeId = self.config.id;
        let content = Content::new(from, &self.name, room, sent, text);
        let content = content.and_then(|content| match key {
            Some(key) => content.with_key(key),
            None => Ok(content),
        });
        match content {
            Err(error) => self.notice(Notice::Refused {
                tag,
                reason: error.to_string(),
            }),
            Ok(content) => {
                let syncing = || self.outbox.values().any(|line| line.state == LineState::Syncing);
                let reused = bugs::on(Bug::CounterReused) && syncing();
                self.counter += u64::from(!reused);
                let id = MessageId {
                    sender: self.me(),
                    counter: self.counter,
                };
                let content = content.to_bytes();
                self.traces.step(now, id, Step::Said);
                let line = Line {
                    content: content.clone(),
                    tag: Some(tag),
                    again: false,
                    state: LineState::Syncing,
                };
                self.outbox_bytes += line.bytes();
                self.outbox.insert(id, line);
                self.store(Store::Outbox { id, content }, Some(AfterStore::Outbox(id)));
                self.ring.expect_offer(now);
                if bugs::on(Bug::OutboxNotSynced) {
                    self.line_is_pending(now, id);
                }
            }
        }
    }

    /// The disk takes nothing for now, and the host tries again: nothing new is said meanwhile.
    pub(super) fn on_disk_full(&mut self, reason: String) {
        if self.disk_full.is_none() {
            self.notice(Notice::DiskFull(reason.clone()));
        }
        self.disk_full = Some(reason);
    }

    /// A line is in the synced outbox: it cannot be lost any more, and is offered to the ring.
    pub(super) fn line_is_pending(&mut self, now: Time, id: MessageId) {
        let Some(line) = self
            .outbox
            .get_mut(id)
            .filter(|line| line.state == LineState::Syncing)
        else {
            return;
        };
        line.state = LineState::Offered;
        let (content, tag) = (line.content.clone(), line.tag);
        self.traces.step(now, id, Step::InOutbox);
        self.notice(Notice::Pending {
            id,
            tag,
            content: content.clone(),
        });
        self.ring.offer(now, Offer { id, content });
    }

    /// A line of an earlier life was found in the outbox.
    pub(super) fn take_old_line(&mut self, id: MessageId, content: Bytes) {
        if bugs::on(Bug::OutboxNotRead) {
            return;
        }
        self.notice(Notice::Pending {
            id,
            tag: None,
            content: content.clone(),
        });
        if id.sender == self.me() {
            self.counter = self.counter.max(id.counter);
        }
        let line = Line {
            content,
            tag: None,
            again: false,
            state: LineState::Undecided,
        };
        self.outbox_bytes += line.bytes();
        self.outbox.insert(id, line);
    }

    /// Offers a line of an earlier life again, under its old id.
    pub(super) fn offer_again(&mut self, now: Time, id: MessageId) {
        let Some(line) = self
            .outbox
            .get_mut(id)
            .filter(|line| line.state == LineState::Undecided)
        else {
            return;
        };
        line.state = LineState::Offered;
        line.again = true;
        let content = line.content.clone();
        self.notice(Notice::OfferedAgain { id });
        self.ring.offer(now, Offer { id, content });
    }

    /// A new ring: lines that nobody here has are asked about again: those that a peer had, those that wait to be
    /// stamped for the second time, and with a quorum those that were stamped in a ring whose order did not count.
    pub(super) fn undecide_void_lines(&mut self) {
        let void: Vec<MessageId> = self
            .outbox
            .iter()
            .filter(|(id, line)| self.is_void(*id, line.state, line.again))
            .map(|(id, _)| id)
            .collect();
        for id in void.into_iter().filter(|_| !bugs::on(Bug::VoidNotOffered)) {
            self.ring.withdraw(id);
            if let Some(line) = self.outbox.get_mut(id) {
                line.undecide();
            }
        }
    }

    fn is_void(&self, id: MessageId, state: LineState, again: bool) -> bool {
        let gone = match state {
            LineState::Syncing | LineState::Undecided => false,
            LineState::Ordered => true,
            LineState::Offered if self.ring.is_queued(id) => again,
            LineState::Offered => self.config.quorum > 0,
        };
        gone && !self.knows(id)
    }

    /// Lines of earlier lives of which it is not known whether they were ordered, oldest first.
    pub(super) fn undecided(&self) -> Vec<MessageId> {
        let undecided = self
            .outbox
            .iter()
            .filter(|(_, line)| line.state == LineState::Undecided);
        undecided.map(|(id, _)| id).collect()
    }
}
