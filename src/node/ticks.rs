//! Ticks: who has written an own message. They are shown only as facts, and never fall.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Node;
use super::face::{Notice, Step};
use crate::bugs::{self, Bug};
use crate::ring::Installed;
use crate::words::{Member, MessageId, Position, RingId, Time};

/// How many own messages are followed at once.
const FOLLOWED_MAX: usize = 4_096;

#[derive(Clone, Debug)]
struct Tick {
    id: MessageId,
    /// The size of the message's own ring.
    n: usize,
    /// Its members that came along to the present ring: what they say of their numbers speaks of this message.
    eligible: Arc<BTreeSet<Member>>,
    confirmed: BTreeSet<Member>,
}

/// The own messages that are not held by all of their ring.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks {
    followed: BTreeMap<Position, Tick>,
    /// The ring whose members the ticks were last matched with.
    ring: Option<RingId>,
    /// The members of the ring of which a message was followed last: most share them.
    members: Option<(RingId, Arc<BTreeSet<Member>>)>,
}

impl Ticks {
    /// A new ring: only those who came along with me speak of the old ring's messages.
    pub(super) fn new_ring(&mut self, installed: &Installed) {
        self.ring = Some(installed.ring);
        for tick in self
            .followed
            .values_mut()
            .filter(|_| !bugs::on(Bug::TicksOfStrangers))
        {
            let mut eligible = BTreeSet::clone(&tick.eligible);
            eligible.retain(|member| installed.together.contains(member));
            tick.eligible = Arc::new(eligible);
        }
        self.followed
            .retain(|_, tick| !tick.eligible.is_subset(&tick.confirmed));
    }

    /// Messages of rings before this one may be void: nobody's numbers speak of them any more.
    pub(super) fn forget_before(&mut self, ring: RingId) {
        self.followed.retain(|position, _| position.ring >= ring);
    }

    /// The first own message that is not held by all, with the members that are missing.
    pub(super) fn unconfirmed(&self) -> Option<(Position, Vec<Member>)> {
        let (position, tick) = self.followed.first_key_value()?;
        Some((
            *position,
            tick.eligible.difference(&tick.confirmed).copied().collect(),
        ))
    }
}

impl Node {
    /// An own message was stamped: its ticks are followed from now on.
    pub(super) fn follow(&mut self, id: MessageId, position: Position) {
        let Some(state) = self.ring.installed() else {
            return;
        };
        let known = self.ticks.members.take().filter(|(ring, _)| *ring == state.id);
        let (ring, eligible) =
            known.unwrap_or_else(|| (state.id, Arc::new(state.members.iter().copied().collect())));
        self.ticks.members = Some((ring, eligible.clone()));
        let tick = Tick {
            id,
            n: eligible.len(),
            eligible,
            confirmed: BTreeSet::new(),
        };
        self.ticks.followed.insert(position, tick);
        if self.ticks.followed.len() > FOLLOWED_MAX {
            self.ticks.followed.pop_first();
            self.at_limit("ticks not followed");
        }
    }

    /// The token said something new of what members have written.
    pub(super) fn update_ticks(&mut self, now: Time) {
        let Some(state) = self.ring.installed().filter(|_| !self.ticks.followed.is_empty()) else {
            return;
        };
        if self.ticks.ring != Some(state.id) || !self.ring.may_grant() {
            // The news of a ring change is still on its way, or the ring is below the quorum and delivers nothing.
            return;
        }
        let held: Vec<(Member, _)> = state
            .members
            .iter()
            .copied()
            .zip(state.rows.iter().map(|row| {
                if bugs::on(Bug::TicksEarly) {
                    row.received_up_to
                } else {
                    row.held_up_to
                }
            }))
            .collect();
        let ring = state.id;
        let Some(seq) = held.iter().map(|(_, seq)| *seq).max() else {
            return;
        };
        let (mut news, mut complete) = (Vec::new(), Vec::new());
        // Nobody says anything of higher ones.
        for (position, tick) in self.ticks.followed.range_mut(..=Position { ring, seq }) {
            let before = tick.confirmed.len();
            for (member, held_up_to) in &held {
                let confirms = *held_up_to >= position.seq
                    && (tick.eligible.contains(member) || bugs::on(Bug::TicksOfStrangers));
                if confirms && tick.confirmed.insert(*member) {
                    self.traces.step(now, tick.id, Step::HeldBy(member.id));
                }
            }
            if tick.confirmed.len() > before {
                let (k, n) = (tick.confirmed.len() as u16, tick.n as u16);
                news.push(Notice::Held {
                    id: tick.id,
                    position: *position,
                    k,
                    n,
                });
                if tick.confirmed.len() >= tick.n {
                    complete.push(*position);
                }
            }
        }
        for position in complete {
            self.ticks.followed.remove(&position);
        }
        news.into_iter().for_each(|notice| self.notice(notice));
    }
}
