//! What a table's nodes receive that nobody of them said, or not so: spoiled, played again, forged.

use std::net::SocketAddrV4;

use bytes::Bytes;
use roda::node::Node;
use roda::node::face::{Event, StreamEvent, StreamId};
use roda::wire::{Body, Chunk, Data, HEADER_BYTES, Pace, Repair, Request, Token, encode};
use roda::words::{Hop, Incarnation, Member, MessageId, NodeId, RingId, Seq};

use super::{Flying, SEATS, Table, address};
use crate::{GROUP, Script, datagram, mend};

impl Table {
    /// A datagram under way is changed, under a right checksum.
    pub(super) fn spoil(&mut self, script: &mut Script<'_>) {
        if let Some(mut flying) = self.take(usize::from(script.byte())) {
            flying.bytes = spoiled(&flying.bytes, script);
            self.receive(flying);
        }
    }

    /// Something that was sent before arrives, perhaps changed, perhaps elsewhere.
    pub(super) fn replay(&mut self, to: usize, script: &mut Script<'_>) {
        let count = self.heard.len().max(1);
        let Some((from, bytes)) = self.heard.get(usize::from(script.byte()) % count).cloned() else {
            return;
        };
        let bytes = if script.byte() % 2 == 0 {
            bytes
        } else {
            spoiled(&bytes, script)
        };
        let multicast = script.byte() % 2 == 0;
        self.receive(Flying {
            to,
            from,
            multicast,
            bytes,
        });
    }

    /// Any body, from a member or a stranger.
    pub(super) fn forge(&mut self, to: usize, script: &mut Script<'_>) {
        let (sender, from) = self.sender(script);
        let kind = script.byte() % 18;
        let multicast = script.byte() % 2 == 0;
        let body = script.bytes();
        let bytes = Bytes::from(datagram(kind, sender, &body));
        self.receive(Flying {
            to,
            from,
            multicast,
            bytes,
        });
    }

    /// A body that names the ring as it is, with numbers near those in use.
    pub(super) fn alter(&mut self, to: usize, script: &mut Script<'_>) {
        let (sender, from) = self.sender(script);
        let Some((ring, hop, high)) = self.ring_of(to, script) else {
            return;
        };
        let number = |script: &mut Script<'_>, near: u64| script.number(near) & ((1 << 62) - 1);
        let chunks = |script: &mut Script<'_>| {
            let first = number(script, high.0).max(1).min((1 << 62) - 9);
            let count = 1 + u64::from(script.byte() % 4);
            let chunk = |at| {
                Chunk {
                seq: Seq(first + at),
                id: MessageId { sender, counter: first + at },
                fragment: 0,
                fragments: 1,
                bytes: Bytes::from_static(b"{\"from\":2,\"name\":\"b\",\"room\":\"geral\",\"sent\":\"2026-01-01T00:00:00.000Z\",\"text\":\"x\"}"),
            }
            };
            (0..count).map(chunk).collect::<Vec<_>>()
        };
        let body = match script.byte() % 7 {
            0 => Body::Data(Data {
                ring,
                hop: Hop(script.number(hop.0)),
                chunks: chunks(script),
            }),
            1 => Body::Repair(Repair {
                ring,
                chunks: chunks(script),
            }),
            2 => Body::Request(Request {
                ring,
                hop: Hop(script.number(hop.0)),
            }),
            3 => Body::Beacon { ring },
            4 => Body::Leave { ring },
            5 => {
                let first = number(script, high.0);
                let last = number(script, high.0).max(first);
                Body::Nack {
                    ring,
                    ranges: vec![(Seq(first), Seq(last))],
                }
            }
            _ => {
                let Some(token) = self.token_of(to, ring, Hop(script.number(hop.0)), script) else {
                    return;
                };
                Body::Token(token)
            }
        };
        let bytes = encode(GROUP, sender, &body);
        let multicast = script.byte() % 2 == 0;
        self.receive(Flying {
            to,
            from,
            multicast,
            bytes,
        });
    }

    /// A token as the node would expect it, but for a few fields.
    fn token_of(&self, seat: usize, ring: RingId, hop: Hop, script: &mut Script<'_>) -> Option<Token> {
        let node = self.seats[seat].node.as_ref()?;
        let state = node.ring().installed()?;
        let mask = (1 << 62) - 1;
        let high = Seq(script.number(state.high.0) & mask);
        let mut rows = state.rows.clone();
        let at = usize::from(script.byte()) % rows.len().max(1);
        let row = rows.get_mut(at)?;
        match script.byte() % 6 {
            0 => row.received_up_to = Seq(script.number(state.high.0) & mask),
            1 => row.held_up_to = Seq(script.number(state.high.0) & mask),
            2 => row.sent = script.short(),
            3 => row.recovered = !row.recovered,
            4 => row.waiting_since = Hop(script.number(hop.0)),
            _ => row.visited = Hop(script.number(hop.0)),
        }
        let lacking = match script.byte() % 3 {
            0 => {
                let first = Seq(script.number(state.high.0) & mask);
                vec![(u16::from(script.byte()), first, first)]
            }
            _ => Vec::new(),
        };
        Some(Token {
            ring,
            hop,
            high,
            pace: Pace::Fast,
            rows,
            lacking,
        })
    }

    /// The ring a node is in, or one near it.
    fn ring_of(&self, seat: usize, script: &mut Script<'_>) -> Option<(RingId, Hop, Seq)> {
        let node = self.seats[seat].node.as_ref()?;
        let forming = script.byte() % 4 == 0;
        let state = if forming {
            node.ring().forming()
        } else {
            node.ring().installed()
        };
        let state = state?;
        let mut id = state.id;
        if script.byte() % 4 == 0 {
            id.epoch.0 = script.number(id.epoch.0) & ((1 << 62) - 1);
        }
        Some((id, state.seen_hop, state.high))
    }

    /// Who sends a forged datagram, and from where.
    fn sender(&self, script: &mut Script<'_>) -> (Member, SocketAddrV4) {
        let who = script.byte();
        let member = self.seats[usize::from(who) % SEATS].node.as_ref().map(Node::me);
        let invented = Member {
            id: NodeId(u16::from(who).max(1)),
            incarnation: Incarnation(script.number(1_763_680_000_000_000)),
        };
        match who % 2 {
            0 => (
                member.unwrap_or(invented),
                address(usize::from(who) % SEATS, 5_000),
            ),
            _ => (invented, address(usize::from(who), 5_000)),
        }
    }

    /// A peer of ours that is none: opens a stream and sends what it likes.
    pub(super) fn spoiled_frame(&mut self, seat: usize, script: &mut Script<'_>) {
        self.next_stream += 2;
        let stream = StreamId(self.next_stream | 1);
        let from = address(usize::from(script.byte()), 9_000);
        self.event(seat, Event::Stream(stream, StreamEvent::Accepted { from }));
        for _ in 0..1 + script.byte() % 3 {
            self.event(seat, Event::Stream(stream, StreamEvent::Frame(script.bytes())));
        }
        if script.byte() % 2 == 0 {
            self.event(seat, Event::Stream(stream, StreamEvent::Closed));
        }
    }
}

/// A datagram with some bytes changed, and the checksum that fits.
fn spoiled(bytes: &Bytes, script: &mut Script<'_>) -> Bytes {
    let mut changed = altered(bytes, HEADER_BYTES, script).to_vec();
    if changed.len() >= HEADER_BYTES {
        mend(&mut changed);
    }
    Bytes::from(changed)
}

/// Bytes with a few of them changed, behind the first `kept`.
pub(super) fn altered(bytes: &Bytes, kept: usize, script: &mut Script<'_>) -> Bytes {
    let mut changed = bytes.to_vec();
    for _ in 0..1 + script.byte() % 3 {
        let span = changed.len().saturating_sub(kept).max(1);
        let at = kept + usize::from(script.short()) % span;
        if at >= changed.len() {
            break;
        }
        match script.byte() % 6 {
            0 => changed[at] ^= 1 << (script.byte() % 8),
            1 => changed[at] = script.byte(),
            2 => changed.truncate(at),
            3 => changed.push(script.byte()),
            _ if at + 8 <= changed.len() => {
                let near = u64::from_le_bytes(changed[at..at + 8].try_into().unwrap_or_default());
                let number = script.number(near);
                changed[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            _ => changed[at] = 0xff,
        }
    }
    Bytes::from(changed)
}
