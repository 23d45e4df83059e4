//! What no single node can tell: whether answers about old lines were true, and heeded, and whether a token that was
//! slept over is used.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Broken;
use super::disk::Disk;
use crate::node::Node;
use crate::node::face::{Action, Notice};
use crate::wire::Body;
use crate::wire::seal::To;
use crate::words::{Hop, Member, MessageId, NodeId, RingId};

/// The kinds of a question about old lines and of its answer, as they stand in a header.
const KINDS: [u8; 2] = [13, 14];
/// How much longer than it may a token must have been slept over to be watched, in microseconds.
const SURELY_US: u64 = 1_000_000;

/// What was seen of questions and of sleepers.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// The question that each life asked last in its ring.
    asked: BTreeMap<Member, (u64, Vec<MessageId>)>,
    /// Who answered which question.
    answered: BTreeSet<(u64, Member)>,
    /// What somebody who answered a question first held.
    known: BTreeSet<(u64, MessageId)>,
    /// The tokens that were slept over.
    slept_over: BTreeMap<Member, (RingId, Hop)>,
}

impl Witness {
    /// One step of one node.
    pub fn step(
        &mut self,
        node: &Node,
        actions: &[Action],
        disks: &BTreeMap<NodeId, Disk>,
    ) -> Result<(), Broken> {
        let me = node.me();
        for action in actions {
            match action {
                Action::Unicast(to, bytes) if bytes.get(3).is_some_and(|kind| KINDS.contains(kind)) => {
                    if let Ok((_, body)) = node.sealing().look_sent(To::Node(*to), bytes.clone()) {
                        self.talk_of_old_lines(me, body, disks)?;
                    }
                }
                Action::Multicast(bytes) if !self.slept_over.is_empty() => {
                    let seen = node.sealing().look_sent(To::Group, bytes.clone());
                    if let Ok((_, Body::Data(data))) = seen {
                        self.stamped(me, data.ring, data.hop)?;
                    }
                }
                Action::Notice(Notice::Ring { .. }) => drop(self.asked.remove(&me)),
                Action::Notice(Notice::OfferedAgain { id }) => self.offered_again(me, *id)?,
                Action::Multicast(_)
                | Action::Unicast(..)
                | Action::Store(..)
                | Action::Load(..)
                | Action::Stream(..)
                | Action::Notice(_)
                | Action::Exit(_) => {}
            }
        }
        Ok(())
    }

    /// A node wakes: a token that it holds may be too old to be used.
    pub fn woke(&mut self, node: &Node, slept_us: u64) {
        let timing = node.ring().timing();
        let fresh_us = timing.token_timeout() + timing.idle_rest() + SURELY_US;
        let state = node.ring().installed().filter(|state| !state.alone());
        if let Some(state) = state.filter(|state| state.holding.is_some() && slept_us > fresh_us) {
            self.slept_over.insert(node.me(), (state.id, state.hop));
        }
    }

    fn stamped(&self, me: Member, ring: RingId, hop: Hop) -> Result<(), Broken> {
        match self.slept_over.get(&me) {
            Some(slept_over) if *slept_over == (ring, hop) => Err(format!(
                "mutual exclusion: {me} slept over its token of ring {ring}, hop {hop}, and stamps with it"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Who is asked about a line that is on its disk says so.
    fn talk_of_old_lines(
        &mut self,
        me: Member,
        body: Body,
        disks: &BTreeMap<NodeId, Disk>,
    ) -> Result<(), Broken> {
        if let Body::Inquiry { nonce, ids } = body {
            self.asked.insert(me, (nonce, ids));
            return Ok(());
        }
        let Body::InquiryAnswer { nonce, known } = body else {
            return Ok(());
        };
        let question = self.asked.values().find(|(asked, _)| *asked == nonce);
        let (Some((_, ids)), true) = (question, self.answered.insert((nonce, me))) else {
            return Ok(());
        };
        for id in ids {
            let here = disks.get(&me.id).is_some_and(|disk| disk.places.contains_key(id));
            if here && !known.contains(id) {
                return Err(format!("nothing twice: {me} holds {id} and denies it"));
            }
            if here {
                self.known.insert((nonce, *id));
            }
        }
        Ok(())
    }

    /// A line is offered again only if nobody who was asked said that it holds it.
    fn offered_again(&self, me: Member, id: MessageId) -> Result<(), Broken> {
        let nonce = self.asked.get(&me).map(|(nonce, _)| *nonce);
        match nonce.filter(|nonce| self.known.contains(&(*nonce, id))) {
            Some(_) => Err(format!(
                "nothing twice: {me} offers {id} again, and was told who holds it"
            )),
            None => Ok(()),
        }
    }
}
