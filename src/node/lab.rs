//! Lessons: what a node does to itself on purpose, because a member asked for it and both were started for that.
//!
//! A deed is a fault that the protocol has to live with anyway: a pause, deafness, a lost token. None of it can break a promise,
//! so none of it is checked against one. What only the host can do (stop for a while, end, go back) is told to it as asked for, and
//! it answers with [`Command::LabTold`](super::face::Command::LabTold).

use std::collections::{BTreeMap, VecDeque};

use super::Node;
use super::face::Notice;
use crate::wire::{Body, Deed, Lab, LabState, Token};
use crate::words::{Member, NodeId, RingId, Time};

/// How often each datagram is sent: who is asked may be deaf for a while, and nothing repeats it.
const COPIES: usize = 3;
/// Members whose counters are remembered; who comes on top is not heeded.
const ASKERS_MAX: usize = 64;
/// Counters of one member that are remembered: copies come within a moment of each other.
const HEEDED_MAX: usize = 64;
/// The longest pause, cut or absence, in milliseconds: a lesson that is forgotten ends by itself.
const FOR_MS_MAX: u32 = 60_000;
/// The longest delay that can be set, in microseconds.
const DELAY_US_MAX: u64 = 60_000_000;

/// What lessons have done here.
#[derive(Clone, Debug, Default)]
pub(super) struct Lessons {
    counter: u64,
    /// The counters heeded last of each member: of wishes, which may overtake each other, and of news.
    heeded: BTreeMap<(Member, bool), VecDeque<u64>>,
    /// Whom this node does not hear.
    cut: Option<Cut>,
    /// The ring whose token is dropped, and who wished for that.
    losing: Option<(RingId, NodeId)>,
}

#[derive(Clone, Debug)]
struct Cut {
    by: NodeId,
    from: Vec<NodeId>,
    for_ms: u32,
    until: Time,
}

impl Lessons {
    /// When the cut heals by itself.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.cut.as_ref().map(|cut| cut.until)
    }

    /// Whether what this member sends is to be dropped.
    pub(super) fn drops(&self, sender: Member, body: &Body) -> bool {
        let cut = self.cut.as_ref().is_some_and(|cut| cut.from.contains(&sender.id));
        match body {
            Body::Lab(_) => false,
            Body::Token(Token { ring, .. }) => cut || self.losing.is_some_and(|(losing, _)| losing == *ring),
            Body::Data(_)
            | Body::Repair(_)
            | Body::Request(_)
            | Body::Join(_)
            | Body::Commit(_)
            | Body::Beacon { .. }
            | Body::Probe { .. }
            | Body::ProbeAnswer { .. }
            | Body::Nack { .. }
            | Body::Leave { .. }
            | Body::Refuse(_)
            | Body::Inquiry { .. }
            | Body::InquiryAnswer { .. }
            | Body::Reconcile(_)
            | Body::Reconciled(_) => cut,
        }
    }

    /// Whether this is no copy of something heeded before.
    fn is_new(&mut self, sender: Member, lab: &Lab) -> bool {
        let key = (sender, lab.state == LabState::Asked);
        if !self.heeded.contains_key(&key) && self.heeded.len() >= 2 * ASKERS_MAX {
            return false;
        }
        let last = self.heeded.entry(key).or_default();
        let oldest = if last.len() < HEEDED_MAX { 0 } else { last[0] };
        let new = lab.counter > oldest && !last.contains(&lab.counter);
        if new {
            last.push_back(lab.counter);
            last.drain(..last.len().saturating_sub(HEEDED_MAX));
        }
        new
    }
}

impl Node {
    /// The user wishes that a member does something to itself.
    pub(super) fn ask_for_deed(&mut self, now: Time, on: NodeId, deed: Deed) {
        let me = self.me().id;
        let told = |text: &str| Notice::Warning(format!("node {on} is not asked: {text}"));
        if !self.config.lab {
            return self.notice(told("this node was not started with --lab"));
        }
        if on == me {
            return self.do_deed(now, me, deed);
        }
        let Some(address) = self.ring.newest_address(on) else {
            return self.notice(told("it was never heard of"));
        };
        self.lessons.counter += 1;
        let lab = Lab {
            counter: self.lessons.counter,
            by: me,
            on,
            state: LabState::Asked,
            deed,
        };
        for _ in 0..COPIES {
            self.unicast(address, &Body::Lab(lab.clone()));
        }
        self.tell_lab(&lab);
    }

    /// A wish or news of one arrived.
    pub(super) fn on_lab(&mut self, now: Time, sender: Member, lab: Lab) {
        if !self.config.lab {
            *self.limited.entry("lab without --lab").or_default() += 1;
        } else if sender != self.me() && self.lessons.is_new(sender, &lab) {
            let mine = lab.on == self.me().id && lab.by == sender.id;
            match lab.state {
                LabState::Asked if mine => self.do_deed(now, lab.by, lab.deed),
                LabState::Asked => {}
                LabState::Begins | LabState::Ends | LabState::NobodyRestarts => self.tell_lab(&lab),
                LabState::Alone | LabState::NoCheckpoint => self.tell_lab(&lab),
                LabState::CutFromItself | LabState::WentWrong => self.tell_lab(&lab),
            }
        }
    }

    fn do_deed(&mut self, now: Time, by: NodeId, deed: Deed) {
        let deed = bounded(deed);
        match deed {
            Deed::Pause { .. }
            | Deed::Crash { .. }
            | Deed::Rollback { .. }
            | Deed::Say { .. }
            | Deed::Twin => {
                let lab = self.lab(by, LabState::Asked, deed);
                self.tell_lab(&lab);
            }
            Deed::Cut { ref from, for_ms } => {
                if from.contains(&self.me().id) {
                    return self.lab_told(by, LabState::CutFromItself, deed);
                }
                self.heal();
                self.lessons.cut = Some(Cut {
                    by,
                    from: from.clone(),
                    for_ms,
                    until: now.after_us(u64::from(for_ms) * 1_000),
                });
                self.lab_told(by, LabState::Begins, deed);
            }
            Deed::Heal => {
                self.heal();
                self.lab_told(by, LabState::Ends, deed);
            }
            Deed::LoseToken => match self.ring.installed().filter(|state| !state.alone()) {
                Some(state) => {
                    self.lessons.losing = Some((state.id, by));
                    self.lab_told(by, LabState::Begins, deed);
                }
                None => self.lab_told(by, LabState::Alone, deed),
            },
            Deed::Checkpoint => {
                self.checkpoint(false);
                self.lab_told(by, LabState::Ends, deed);
            }
            Deed::Delay { min_us, max_us } => {
                (self.config.delay_min_us, self.config.delay_max_us) = (min_us, max_us);
                self.lab_told(by, LabState::Ends, deed);
            }
        }
    }

    /// Tells everybody how far a deed of this node is.
    pub(super) fn lab_told(&mut self, by: NodeId, state: LabState, deed: Deed) {
        let lab = self.lab(by, state, deed);
        for _ in 0..COPIES {
            self.multicast(&Body::Lab(lab.clone()));
        }
        self.tell_lab(&lab);
    }

    /// A new ring: the token of the one before cannot come any more.
    pub(super) fn token_is_lost(&mut self, ring: RingId) {
        let losing = self.lessons.losing.take_if(|(losing, _)| *losing != ring);
        if let Some((_, by)) = losing {
            self.lab_told(by, LabState::Ends, Deed::LoseToken);
        }
    }

    /// What is due of lessons.
    pub(super) fn tick_lessons(&mut self, now: Time) {
        if self.lessons.deadline().is_some_and(|until| until <= now) {
            self.heal();
        }
    }

    /// Hears everybody again, and tells it if that was not so.
    fn heal(&mut self) {
        if let Some(Cut { by, from, for_ms, .. }) = self.lessons.cut.take() {
            self.lab_told(by, LabState::Ends, Deed::Cut { from, for_ms });
        }
    }

    fn lab(&mut self, by: NodeId, state: LabState, deed: Deed) -> Lab {
        self.lessons.counter += 1;
        Lab {
            counter: self.lessons.counter,
            by,
            on: self.me().id,
            state,
            deed,
        }
    }

    fn tell_lab(&mut self, lab: &Lab) {
        self.notice(Notice::Lab(Box::new(lab.clone())));
    }
}

/// The deed within what makes sense in a lesson.
fn bounded(deed: Deed) -> Deed {
    let for_ms = |for_ms: u32| for_ms.clamp(1, FOR_MS_MAX);
    match deed {
        Deed::Pause { for_ms: ms, holding } => Deed::Pause {
            for_ms: for_ms(ms),
            holding,
        },
        Deed::Cut { from, for_ms: ms } => Deed::Cut {
            from,
            for_ms: for_ms(ms),
        },
        Deed::Crash { for_ms: ms, holding } => Deed::Crash {
            for_ms: for_ms(ms),
            holding,
        },
        Deed::Delay { min_us, max_us } => {
            let max_us = max_us.min(DELAY_US_MAX);
            let min_us = min_us.min(max_us);
            Deed::Delay { min_us, max_us }
        }
        Deed::Heal | Deed::LoseToken | Deed::Checkpoint | Deed::Rollback { .. } => deed,
        Deed::Say { .. } | Deed::Twin => deed,
    }
}
