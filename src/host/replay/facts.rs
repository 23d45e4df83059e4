//! What of an event others can depend on: small, so that long recordings fit in memory without their texts.

use super::told::{Told, position};
use crate::words::{Hop, MessageId, NodeId, Position, RingId, Seq};

/// What others can depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Nothing.
    Plain,
    /// A life begins.
    Start,
    /// A life ends in order.
    Exit,
    /// A line is in its sender's outbox.
    Pending(MessageId),
    /// A message gets its number.
    Stamped(MessageId, Position),
    /// It is delivered.
    Delivered(MessageId, Position),
    /// It is in a replica.
    Written(MessageId),
    /// All members of its ring have it; how many those are.
    HeldByAll(MessageId, u16),
    /// The token with this hop was sent.
    Sent(RingId, Hop),
    /// The token with this hop is here, and has not left yet.
    Here(RingId, Hop),
    /// The token with this hop was here; it may have left by now.
    Seen(RingId, Hop),
    /// Others are looked for.
    Gathers,
    /// A ring is installed.
    Installs(RingId),
    /// Numbers are asked for again.
    Asked {
        /// Of which ring.
        ring: RingId,
        /// The first one.
        from: Seq,
        /// The last one.
        to: Seq,
        /// Who asks.
        by: NodeId,
    },
    /// A number was sent again.
    Resent(Position),
    /// A number came by a repair, from this node.
    Repaired(Position, NodeId),
}

impl Fact {
    /// The fact of an event; `ring` is the one its teller is in.
    pub fn of(told: &Told, ring: Option<RingId>) -> Fact {
        let in_ring = |told: &Option<RingId>| told.or(ring);
        match told {
            Told::Start { .. } => Fact::Start,
            Told::Exit { .. } => Fact::Exit,
            Told::Pending { id, .. } => Fact::Pending(*id),
            Told::Stamped { id, ring, seq, .. } => Fact::Stamped(*id, position(*ring, *seq)),
            Told::Message(message) => Fact::Delivered(message.id, position(message.ring, message.seq)),
            Told::Written { id, .. } => Fact::Written(*id),
            Told::Held { id, k, n, .. } if k == n => Fact::HeldByAll(*id, *n as u16),
            Told::Grant { hop, ring } => {
                in_ring(ring).map_or(Fact::Plain, |ring| Fact::Here(ring, Hop(*hop)))
            }
            Told::Pass { hop, ring, .. } => {
                in_ring(ring).map_or(Fact::Plain, |ring| Fact::Sent(ring, Hop(*hop)))
            }
            Told::Rest { hop, ring } | Told::Wake { hop, ring, .. } => Fact::Here(*ring, Hop(*hop)),
            Told::Token { hop, ring, .. } => Fact::Seen(*ring, Hop(*hop)),
            Told::Gathering { .. } => Fact::Gathers,
            Told::Ring(installed) => Fact::Installs(installed.ring),
            Told::Asked {
                ring,
                from_seq,
                to_seq,
                by,
            } => Fact::Asked {
                ring: *ring,
                from: Seq(*from_seq),
                to: Seq(*to_seq),
                by: NodeId(*by),
            },
            Told::Resent { ring, seq, .. } => Fact::Resent(position(*ring, *seq)),
            Told::Repaired { ring, seq, from } => Fact::Repaired(position(*ring, *seq), NodeId(*from)),
            Told::Held { .. }
            | Told::Story(_)
            | Told::Request {}
            | Told::Fenced { .. }
            | Told::Woke { .. }
            | Told::Checkpointed { .. }
            | Told::CaughtUp { .. }
            | Told::Reconciled { .. }
            | Told::DiskFull { .. }
            | Told::DiskRoom {}
            | Told::Lab(_)
            | Told::Lost { .. }
            | Told::Warning { .. }
            | Told::Other => Fact::Plain,
        }
    }
}
