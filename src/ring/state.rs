//! One ring as a member sees it: its buffer, what the others said on the token, and the token itself.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::buffer::Buffer;
use crate::bugs::{self, Bug};
use crate::wire::{Chunk, Token, TokenRow};
use crate::words::{Hop, Member, MessageId, NodeId, Position, RingId, Seq, Time};

/// A message in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it stands.
    pub position: Position,
    /// Which it is.
    pub id: MessageId,
    /// What it says.
    pub content: Bytes,
}

/// The token, while it is here.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The token as it will be passed.
    pub token: Token,
    /// After this the holder must take it that the others have given it up.
    pub stale_after: Time,
    /// The visit is over as far as sending goes; the token only rests here.
    pub resting: bool,
}

/// The token as it was passed, until the others show that it arrived.
#[derive(Clone, Debug)]
pub struct Passed {
    /// To whom.
    pub to: Member,
    /// The token.
    pub token: Token,
}

/// A ring as one of its members sees it.
#[derive(Clone, Debug)]
pub struct RingState {
    /// Its name.
    pub id: RingId,
    /// Its members in ring order.
    pub members: Vec<Member>,
    /// This node's place among them.
    pub me: usize,
    /// Its first number.
    pub first: Seq,
    /// Its chunks.
    pub buffer: Buffer,
    /// The highest number known to be assigned.
    pub high: Seq,
    /// The highest number that the token named when it came last.
    pub token_high: Seq,
    /// The same, the time before that.
    pub due: Seq,
    /// Delivered in order up to here.
    pub delivered_up_to: Seq,
    /// What every member said of itself, as last seen.
    pub rows: Vec<TokenRow>,
    /// The hop of the newest token received.
    pub hop: Hop,
    /// The newest hop that anything showed.
    pub seen_hop: Hop,
    /// When anything of the ring was seen last.
    pub progress: Time,
    /// The member at which the token was seen last, or to which it went from here.
    pub seen_at: usize,
    /// The token, if it is here.
    pub holding: Option<Holding>,
    /// The token last passed, while it may have to be sent again.
    pub passed: Option<Passed>,
    /// Who asked for the token, at which hop.
    pub requests: BTreeMap<usize, Hop>,
    /// The datagrams of new messages sent in this visit.
    pub sent_in_visit: u16,
    /// Members that asked for chunks: member's index, first and last number.
    pub lacking: Vec<(u16, Seq, Seq)>,
    /// This visit's grant was told.
    pub granted: bool,
    /// How many visits in a row found everything held by all.
    pub settled_visits: u8,
    /// The last visit found nothing changed since the one before.
    pub unchanged: bool,
    /// The sum of all that can change, at the last visit.
    pub last_sum: u64,
    /// The fragments of a message of which the last is still to come.
    pub(super) partial: Vec<Bytes>,
}

impl RingState {
    /// A ring that begins at `first`.
    pub fn new(id: RingId, members: Vec<Member>, me: Member, first: Seq, now: Time) -> RingState {
        let at = members
            .iter()
            .position(|member| *member == me)
            .expect("a node forms only rings it is in");
        let before = Seq(first.0 - 1);
        let row = TokenRow {
            received_up_to: before,
            ..TokenRow::default()
        };
        RingState {
            id,
            rows: vec![row; members.len()],
            members,
            me: at,
            first,
            buffer: Buffer::new(first),
            high: before,
            token_high: before,
            due: before,
            delivered_up_to: before,
            hop: Hop(0),
            seen_hop: Hop(0),
            progress: now,
            seen_at: 0,
            holding: None,
            passed: None,
            requests: BTreeMap::new(),
            sent_in_visit: 0,
            lacking: Vec::new(),
            granted: false,
            settled_visits: 0,
            unchanged: false,
            last_sum: 0,
            partial: Vec::new(),
        }
    }

    /// A member's place in the ring.
    pub fn index_of(&self, member: Member) -> Option<usize> {
        self.members.iter().position(|other| *other == member)
    }

    /// Whether this node is alone in it.
    pub fn alone(&self) -> bool {
        self.members.len() == 1
    }

    /// The member after this node in ring order.
    pub fn next_in_order(&self) -> usize {
        (self.me + 1) % self.members.len()
    }

    /// How many members share the window, this node included: those that sent at their last visit, or wait to.
    pub fn busy_members(&self) -> usize {
        let others = self.rows.iter().enumerate().filter(|(at, _)| *at != self.me);
        let busy = others.filter(|(_, row)| row.sent > 0 || row.waiting_since > Hop(0));
        1 + busy.count()
    }

    /// All members have everything up to here.
    pub fn received_by_all(&self) -> Seq {
        self.rows
            .iter()
            .map(|row| row.received_up_to)
            .min()
            .expect("a ring has members")
    }

    /// All members have written everything up to here.
    pub fn held_by_all(&self) -> Seq {
        self.rows
            .iter()
            .map(|row| row.held_up_to)
            .min()
            .expect("a ring has members")
    }

    /// Held by at least `k` members up to here.
    pub fn held_by(&self, k: usize) -> Seq {
        let mut held: Vec<Seq> = self.rows.iter().map(|row| row.held_up_to).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        held.get(k.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Takes over what a token says of the members; nothing is ever lowered.
    pub fn learn(&mut self, rows: &[TokenRow]) {
        assert_eq!(
            rows.len(),
            self.rows.len(),
            "a checked token has a row for every member"
        );
        for (mine, theirs) in self.rows.iter_mut().zip(rows) {
            mine.received_up_to = mine.received_up_to.max(theirs.received_up_to);
            mine.held_up_to = mine.held_up_to.max(theirs.held_up_to);
            mine.recovered |= theirs.recovered;
            mine.visited = mine.visited.max(theirs.visited);
            mine.sent = theirs.sent;
            mine.waiting_since = theirs.waiting_since;
        }
    }

    /// The believed holder: this node, or whoever the token was last seen on its way to.
    pub fn believed_holder(&self) -> Option<NodeId> {
        if self.holding.is_some() {
            return Some(self.members[self.me].id);
        }
        self.passed.as_ref().map(|passed| passed.to.id)
    }

    /// Delivers what is complete and in order, up to `bound`.
    pub fn deliver_ready(&mut self, bound: Seq) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while self.delivered_up_to < bound {
            let seq = self.delivered_up_to.next();
            let Some(chunk) = self.buffer.get(seq).cloned() else {
                break;
            };
            self.delivered_up_to = seq;
            deliveries.extend(self.assemble(chunk));
        }
        deliveries
    }

    /// Delivers all the rest when the ring is over: a number that no survivor has is void, and so is a message
    /// of which a fragment is missing.
    pub fn deliver_rest(mut self) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for number in self.delivered_up_to.next().0..=self.buffer.highest().0 {
            let Some(chunk) = self.buffer.get(Seq(number)).cloned() else {
                if bugs::on(Bug::StopsAtVoid) {
                    break;
                }
                self.partial.clear();
                continue;
            };
            deliveries.extend(self.assemble(chunk));
        }
        deliveries
    }

    /// Adds the next chunk in order; a message, if it is whole now.
    fn assemble(&mut self, chunk: Chunk) -> Option<Delivery> {
        let position = Position {
            ring: self.id,
            seq: chunk.seq,
        };
        if chunk.fragments == 1 {
            self.partial.clear();
            return Some(Delivery {
                position,
                id: chunk.id,
                content: chunk.bytes,
            });
        }
        if usize::from(chunk.fragment) != self.partial.len() {
            self.partial.clear();
            if chunk.fragment != 0 {
                return None;
            }
        }
        self.partial.push(chunk.bytes);
        let missing = usize::from(bugs::on(Bug::FragmentMissing));
        if self.partial.len() + missing < usize::from(chunk.fragments) {
            return None;
        }
        let mut content = BytesMut::with_capacity(self.partial.iter().map(Bytes::len).sum());
        self.partial
            .drain(..)
            .for_each(|part| content.extend_from_slice(&part));
        Some(Delivery {
            position,
            id: chunk.id,
            content: content.freeze(),
        })
    }

    /// Delivered in whole messages up to here: the fragments of one that is not complete yet are still needed.
    pub fn settled_up_to(&self) -> Seq {
        Seq(self.delivered_up_to.0 - self.partial.len() as u64)
    }

    /// Forgets chunks that all members have and that were delivered here.
    pub fn forget_stable(&mut self) {
        let mut stable = self.received_by_all().min(self.settled_up_to());
        if bugs::on(Bug::ForgotTooEarly) {
            stable = self.delivered_up_to;
        }
        self.buffer.forget_up_to(stable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Epoch, Incarnation};

    /// The ring of one node, which begins at 5 and has these chunks: number, fragment, and how many there are.
    fn ring_with(chunks: &[(u64, u16, u16)]) -> RingState {
        let me = Member {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        let id = RingId {
            epoch: Epoch(1),
            leader: me,
        };
        let mut state = RingState::new(id, vec![me], me, Seq(5), Time(0));
        for (seq, fragment, fragments) in chunks.iter().copied() {
            let fresh = state.buffer.insert(Chunk {
                seq: Seq(seq),
                id: MessageId {
                    sender: me,
                    counter: 1 + seq - u64::from(fragment),
                },
                fragment,
                fragments,
                bytes: Bytes::from_static(b"x"),
            });
            assert!(fresh);
        }
        state
    }

    #[test]
    fn the_fragments_of_a_message_are_kept_until_it_is_whole() {
        let mut state = ring_with(&[(5, 0, 1), (6, 0, 3), (7, 1, 3), (8, 2, 3)]);
        state.rows[0].received_up_to = Seq(8);
        assert_eq!(state.deliver_ready(Seq(7)).len(), 1);
        assert_eq!((state.delivered_up_to, state.settled_up_to()), (Seq(7), Seq(5)));
        state.forget_stable();
        assert_eq!(state.buffer.kept_from(), Seq(6));
        let whole = state.deliver_ready(Seq(8));
        assert_eq!((whole.len(), state.settled_up_to()), (1, Seq(8)));
        state.forget_stable();
        assert_eq!(state.buffer.kept_from(), Seq(9));
    }

    #[test]
    fn a_message_that_lacks_a_fragment_is_void_and_spoils_no_other() {
        let delivered = |chunks: &[(u64, u16, u16)]| -> Vec<(u64, usize)> {
            let rest = ring_with(chunks).deliver_rest();
            rest.iter()
                .map(|delivery| (delivery.position.seq.0, delivery.content.len()))
                .collect()
        };
        // The end of one message is missing, and the beginning of the next.
        assert_eq!(delivered(&[(5, 0, 2), (8, 1, 2), (9, 0, 1)]), [(9, 1)]);
        assert_eq!(
            delivered(&[(5, 0, 3), (6, 1, 3), (9, 2, 3), (10, 0, 2), (11, 1, 2)]),
            [(11, 2)]
        );
        assert_eq!(delivered(&[(6, 1, 2), (7, 0, 2), (8, 1, 2), (9, 0, 2)]), [(8, 2)]);
    }
}
