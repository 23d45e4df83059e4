//! Asking about lines of an earlier life: were they ordered before the crash?
//!
//! Such a line is offered again, under its old id, only once the own replica and every member of the ring lack
//! it. A new ring begins the questions anew.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use rand::RngExt;

use super::Node;
use super::face::Notice;
use super::outbox::LineState;
use crate::bugs::{self, Bug};
use crate::wire::{Body, INQUIRY_MAX};
use crate::words::{Member, MessageId, NodeId, Time};

/// A question under way.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    nonce: u64,
    ids: Vec<MessageId>,
    /// Who has not answered.
    unanswered: BTreeSet<Member>,
    known: BTreeSet<MessageId>,
    again_at: Time,
}

impl Asking {
    pub(super) fn deadline(&self) -> Time {
        self.again_at
    }

    pub(super) fn unanswered(&self) -> Vec<NodeId> {
        self.unanswered.iter().map(|member| member.id).collect()
    }
}

impl Node {
    /// Asks all members of the ring about the lines that are undecided, as many as one datagram bears.
    pub(super) fn ask_about_old_lines(&mut self, now: Time) {
        self.asking = None;
        if !self.ring.may_grant() || !self.ring.has_entered() {
            // A ring that does not count yet, or a node that lags, may know less than was ordered.
            return;
        }
        let ids: Vec<MessageId> = self.undecided().into_iter().take(INQUIRY_MAX).collect();
        let Some(state) = self.ring.installed().filter(|_| !ids.is_empty()) else {
            return;
        };
        let me = self.me();
        let unanswered = state
            .members
            .iter()
            .copied()
            .filter(|member| *member != me && self.ring.is_known_to_have_entered(*member))
            .collect();
        let nonce = self.dice.random();
        self.asking = Some(Asking {
            nonce,
            ids,
            unanswered,
            known: BTreeSet::new(),
            again_at: now,
        });
        self.ask_again(now);
        self.decide(now);
    }

    /// Sends the question to those who have not answered.
    pub(super) fn ask_again(&mut self, now: Time) {
        let pause = self.ring.timing().again_max();
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.again_at <= now) else {
            return;
        };
        asking.again_at = now.after_us(pause);
        if bugs::on(Bug::InquiryNotRepeated) {
            asking.again_at = Time(u64::MAX);
        }
        let body = Body::Inquiry {
            nonce: asking.nonce,
            ids: asking.ids.clone(),
        };
        let to: Vec<Member> = asking.unanswered.iter().copied().collect();
        let addresses: Vec<SocketAddrV4> = to
            .into_iter()
            .filter_map(|member| self.ring.peer(member))
            .map(|peer| peer.address)
            .collect();
        addresses
            .into_iter()
            .for_each(|address| self.unicast(address, &body));
    }

    /// A member asks about lines of an earlier life of its own.
    pub(super) fn on_inquiry(&mut self, sender: Member, from: SocketAddrV4, nonce: u64, ids: &[MessageId]) {
        let in_ring = self
            .ring
            .installed()
            .is_some_and(|state| state.index_of(sender).is_some());
        if !self.ring.is_operational() || !in_ring {
            // What is in the buffer of a ring that is over may turn out void. It will be asked again.
            return;
        }
        let is_sure = match ids.is_empty() {
            true => self.has_all(),
            false => self.ring.may_grant() && self.ring.has_entered(),
        };
        if self.ring.has_quorum() && !is_sure {
            return;
        }
        let known = ids
            .iter()
            .copied()
            .filter(|id| id.sender.id == sender.id && self.knows(*id) && !bugs::on(Bug::ReplicaNotAsked))
            .collect();
        self.unicast(from, &Body::InquiryAnswer { nonce, known });
    }

    pub(super) fn on_inquiry_answer(&mut self, now: Time, sender: Member, nonce: u64, known: &[MessageId]) {
        self.on_has_all(now, sender, nonce);
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.nonce == nonce) else {
            return;
        };
        if asking.unanswered.remove(&sender) {
            asking
                .known
                .extend(known.iter().filter(|_| !bugs::on(Bug::OfferedThoughKnown)));
            self.decide(now);
        }
    }

    /// All have answered: what nobody knows is offered again.
    fn decide(&mut self, now: Time) {
        let answered = self.ring.is_operational()
            && self
                .asking
                .as_ref()
                .is_some_and(|asking| asking.unanswered.is_empty());
        if !answered {
            return;
        }
        let asking = self.asking.take().expect("it was just seen");
        for id in asking.ids {
            if asking.known.contains(&id) || self.knows(id) {
                if let Some(line) = self
                    .outbox
                    .get_mut(id)
                    .filter(|l| l.state == LineState::Undecided)
                {
                    line.state = LineState::Ordered;
                    self.notice(Notice::FoundOrdered { id });
                }
            } else {
                self.offer_again(now, id);
            }
        }
        self.ask_about_old_lines(now);
    }
}
