//! Watching: what the token does in detail, for a page or a recording. A ring that is not watched makes none of it.
//!
//! It is thinned, because a busy ring does more in a second than anybody can look at: the token is told at most
//! [`TOKENS_MAX`] times a second, and of all else at most [`DETAILS_MAX`] in each tenth of a second. What is left out is not counted;
//! the counters of the ring count all of it.

use super::{Ring, RingState};
use crate::wire::Pace;
use crate::words::{Hop, Member, NodeId, RingId, Seq, Time};

/// How often the token is told, a second: more than an eye follows.
const TOKENS_MAX: u64 = 20;
/// How many other details are told in each tenth of a second.
const DETAILS_MAX: u32 = 50;
/// That tenth, in microseconds.
const SPAN_US: u64 = 100_000;

/// What only those are told who watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The token is here, and carries this.
    Token(Box<TokenSeen>),
    /// It rests here, because nobody waits for it.
    Rest(RingId, Hop),
    /// It rests no longer.
    Wake {
        /// Its ring.
        ring: RingId,
        /// Where it was.
        hop: Hop,
        /// Who asked for it.
        by: Option<NodeId>,
    },
    /// Somebody asks for what it lacks.
    Asked {
        /// The ring of the numbers.
        ring: RingId,
        /// The first number.
        from: Seq,
        /// The last one.
        to: Seq,
        /// Who asks: this node, or another that this node heard.
        by: NodeId,
    },
    /// This node sent a chunk again.
    Resent {
        /// The ring of the number.
        ring: RingId,
        /// The number.
        seq: Seq,
        /// To whom; nobody in particular if several lack it.
        to: Option<NodeId>,
    },
    /// A chunk that was lacking came by a repair.
    Repaired {
        /// The ring of the number.
        ring: RingId,
        /// The number.
        seq: Seq,
        /// Who sent it.
        from: NodeId,
    },
}

/// What the token carried when it was here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSeen {
    /// Its ring.
    pub ring: RingId,
    /// Its hop.
    pub hop: Hop,
    /// The highest number assigned.
    pub high: Seq,
    /// Everybody has written everything up to here.
    pub stable_up_to: Seq,
    /// The last rotation in microseconds.
    pub rotation_us: u64,
    /// What each member said of itself, in ring order.
    pub members: Vec<MemberSeen>,
    /// What is asked for through it, and by whom.
    pub lacking: Vec<(NodeId, Seq, Seq)>,
}

/// What a member said of itself on the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSeen {
    /// Who.
    pub id: NodeId,
    /// Received without a gap up to here.
    pub received_up_to: Seq,
    /// Written, synced, up to here.
    pub held_up_to: Seq,
    /// Since which hop it is known to wait for the token.
    pub waiting_since: Option<Hop>,
}

/// What a watched ring remembers, so as not to tell too much.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// When something happened last.
    now: Time,
    /// The token is not told before.
    token_at: Time,
    /// When the tenth of a second ends that is being counted, and what is left to be told in it.
    span_ends: Time,
    left: u32,
    /// Where the token was told to rest.
    resting: Option<(RingId, Hop)>,
}

impl Watched {
    /// Whether there is room for one more detail.
    fn has_room(&mut self) -> bool {
        if self.now >= self.span_ends {
            self.span_ends = self.now.after_us(SPAN_US);
            self.left = DETAILS_MAX;
        }
        let has_room = self.left > 0;
        self.left -= u32::from(has_room);
        has_room
    }
}

impl Ring {
    /// Tells in detail from now on what the token does, or no longer.
    pub fn watch(&mut self, on: bool) {
        if on != self.watched.is_some() {
            self.watched = on.then(Watched::default);
        }
    }

    /// Time goes on.
    pub(super) fn watched_at(&mut self, now: Time) {
        if let Some(watched) = &mut self.watched {
            watched.now = now;
        }
    }

    /// The token has come, and what it says is known by now.
    pub(super) fn watch_token(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let due = watched.now >= watched.token_at;
        if !due {
            return;
        }
        watched.token_at = watched.now.after_us(1_000_000 / TOKENS_MAX);
        if let Some(state) = self.installed.as_ref().filter(|_| self.is_operational()) {
            let seen = token_seen(state, self.timing.rotation_us);
            self.out
                .push(super::Output::Detail(Detail::Token(Box::new(seen))));
        }
    }

    /// The token stays here, at this pace.
    pub(super) fn watch_rest(&mut self, pace: Pace) {
        let lazy = match pace {
            Pace::Fast => false,
            Pace::Settling | Pace::Idle => true,
        };
        let (Some(watched), Some(state)) = (&mut self.watched, &self.installed) else {
            return;
        };
        let place = (state.id, state.hop);
        if lazy && watched.resting != Some(place) && watched.has_room() {
            watched.resting = Some(place);
            self.out
                .push(super::Output::Detail(Detail::Rest(place.0, place.1)));
        }
    }

    /// The token has something to do, because of `by` if it is because of anybody.
    pub(super) fn watch_wake(&mut self, by: Option<NodeId>) {
        let resting = self.watched.as_mut().and_then(|watched| watched.resting.take());
        let current = self.installed.as_ref().map(|state| state.id);
        if let Some((ring, hop)) = resting.filter(|(ring, _)| Some(*ring) == current) {
            self.out
                .push(super::Output::Detail(Detail::Wake { ring, hop, by }));
        }
    }

    /// The token is passed.
    pub(super) fn watch_pass(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.resting = None;
        }
    }

    /// Somebody asks for these numbers.
    pub(super) fn watch_asked(&mut self, ring: RingId, ranges: &[(Seq, Seq)], by: Member) {
        let by = by.id;
        let details = ranges
            .iter()
            .map(|(from, to)| (*from, *to))
            .map(|(from, to)| Detail::Asked { ring, from, to, by });
        self.watch_all(details);
    }

    /// These numbers are sent again.
    pub(super) fn watch_resent(&mut self, ring: RingId, seqs: impl Iterator<Item = Seq>, to: Option<Member>) {
        let to = to.map(|member| member.id);
        self.watch_all(seqs.map(|seq| Detail::Resent { ring, seq, to }));
    }

    /// These numbers came by a repair.
    pub(super) fn watch_repaired(&mut self, ring: RingId, seqs: impl Iterator<Item = Seq>, from: Member) {
        let from = from.id;
        self.watch_all(seqs.map(|seq| Detail::Repaired { ring, seq, from }));
    }

    /// Tells these, as far as there is room; of a ring that is not watched none is even made.
    fn watch_all(&mut self, details: impl Iterator<Item = Detail>) {
        let Some(watched) = &mut self.watched else { return };
        let details = details.take_while(|_| watched.has_room());
        self.out.extend(details.map(super::Output::Detail));
    }
}

fn token_seen(state: &RingState, rotation_us: u64) -> TokenSeen {
    let rows = state.members.iter().zip(&state.rows);
    let members = rows.map(|(member, row)| MemberSeen {
        id: member.id,
        received_up_to: row.received_up_to,
        held_up_to: row.held_up_to,
        waiting_since: (row.waiting_since > Hop(0)).then_some(row.waiting_since),
    });
    let lacking = state.lacking.iter().filter_map(|(index, first, last)| {
        let member = state.members.get(usize::from(*index))?;
        Some((member.id, *first, *last))
    });
    TokenSeen {
        ring: state.id,
        hop: state.hop,
        high: state.high,
        stable_up_to: state.held_by_all(),
        rotation_us,
        members: members.collect(),
        lacking: lacking.collect(),
    }
}
