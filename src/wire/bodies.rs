//! The bodies of datagrams, field by field, in the order written. Field meanings stand at the types.

use bytes::Bytes;

use super::codec::{Reader, Writer};
use super::{
    Body, Chunk, Commit, CommitRow, Data, FRAGMENTS_MAX, INQUIRY_MAX, Join, Lab, MEMBERS_MAX, OldRing, Pace,
    RANGES_MAX, Reconcile, Reconciled, Refuse, Refused, Repair, Request, Token, TokenRow,
};
use crate::words::{Hop, Incarnation, Member, MessageId, Seq};

/// The largest part of a message in one chunk: less than a datagram.
const CHUNK_BYTES_MAX: usize = 65_000;
/// The largest name.
const NAME_BYTES_MAX: usize = 64;
/// What a body takes that carries no messages, in a ring of usual size.
const USUAL_BYTES: usize = 232;
/// Room made for chunks before they are read: so many fill a datagram of usual size. More make more room as they come.
const CHUNKS_USUAL: usize = 128;
/// The least a chunk takes: flags, counter and length.
const CHUNK_BYTES_MIN: usize = 3;
/// A chunk's flag: the message is of another life than the datagram's sender.
const FOREIGN: u8 = 1;
/// A chunk's flag: fragment number and count follow.
const FRAGMENTED: u8 = 2;

impl Body {
    /// The kind, as the header carries it.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Body::Data(_) => 1,
            Body::Repair(_) => 2,
            Body::Token(_) => 3,
            Body::Request(_) => 4,
            Body::Join(_) => 5,
            Body::Commit(_) => 6,
            Body::Beacon { .. } => 7,
            Body::Probe { .. } => 8,
            Body::ProbeAnswer { .. } => 9,
            Body::Nack { .. } => 10,
            Body::Leave { .. } => 11,
            Body::Refuse(_) => 12,
            Body::Inquiry { .. } => 13,
            Body::InquiryAnswer { .. } => 14,
            Body::Reconcile(_) => 15,
            Body::Reconciled(_) => 16,
            Body::Lab(_) => 17,
        }
    }

    /// Memory that the body will not need more of, or not much: it is reserved in one piece.
    pub(super) fn room(&self) -> usize {
        let chunks = match self {
            Body::Data(data) => &data.chunks,
            Body::Repair(repair) => &repair.chunks,
            Body::Token(_) | Body::Request(_) | Body::Join(_) | Body::Commit(_) | Body::Beacon { .. } => {
                return USUAL_BYTES;
            }
            Body::Probe { .. } | Body::ProbeAnswer { .. } | Body::Nack { .. } | Body::Leave { .. } => {
                return USUAL_BYTES;
            }
            Body::Refuse(_) | Body::Inquiry { .. } | Body::InquiryAnswer { .. } => return USUAL_BYTES,
            Body::Reconcile(_) | Body::Reconciled(_) | Body::Lab(_) => return USUAL_BYTES,
        };
        let chunk = |chunk: &Chunk| 8 + Chunk::OVERHEAD_BYTES_MAX + chunk.bytes.len();
        Data::OVERHEAD_BYTES + chunks.iter().map(chunk).sum::<usize>()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Body::Data(data) => data.write(out),
            Body::Repair(repair) => repair.write(out),
            Body::Token(token) => token.write(out),
            Body::Request(request) => {
                out.ring(request.ring);
                out.u64(request.hop.0);
            }
            Body::Join(join) => join.write(out),
            Body::Commit(commit) => commit.write(out),
            Body::Beacon { ring } | Body::Leave { ring } => out.ring(*ring),
            Body::Probe { target, nonce } => {
                out.member(*target);
                out.u64(*nonce);
            }
            Body::ProbeAnswer { nonce } => out.u64(*nonce),
            Body::Reconcile(ask) => ask.write(out),
            Body::Reconciled(answer) => answer.write(out),
            Body::Lab(lab) => lab.write(out),
            Body::Nack { ring, ranges } => {
                out.ring(*ring);
                out.ranges(ranges);
            }
            Body::Refuse(refuse) => refuse.write(out),
            Body::Inquiry { nonce, ids } | Body::InquiryAnswer { nonce, known: ids } => {
                out.u64(*nonce);
                out.count(ids.len());
                ids.iter().for_each(|id| out.message_id(*id));
            }
        }
    }

    pub(super) fn read(kind: u8, from: &mut Reader) -> Result<Body, Refused> {
        Ok(match kind {
            1 => Body::Data(Data::read(from)?),
            2 => Body::Repair(Repair::read(from)?),
            3 => Body::Token(Token::read(from)?),
            4 => Body::Request(Request {
                ring: from.ring()?,
                hop: Hop(from.u64()?),
            }),
            5 => Body::Join(Join::read(from)?),
            6 => Body::Commit(Commit::read(from)?),
            7 => Body::Beacon { ring: from.ring()? },
            8 => Body::Probe {
                target: from.member()?,
                nonce: from.u64()?,
            },
            9 => Body::ProbeAnswer { nonce: from.u64()? },
            10 => Body::Nack {
                ring: from.ring()?,
                ranges: from.ranges(RANGES_MAX)?,
            },
            11 => Body::Leave { ring: from.ring()? },
            12 => Body::Refuse(Refuse::read(from)?),
            13 => Body::Inquiry {
                nonce: from.u64()?,
                ids: message_ids(from)?,
            },
            14 => Body::InquiryAnswer {
                nonce: from.u64()?,
                known: message_ids(from)?,
            },
            15 => Body::Reconcile(Reconcile::read(from)?),
            16 => Body::Reconciled(Reconciled::read(from)?),
            17 => Body::Lab(Lab::read(from)?),
            _ => return Err(Refused::UnknownKind),
        })
    }
}

/// How many bytes a number takes in groups of seven bits.
fn varint_bytes(value: u64) -> usize {
    (64 - value.max(1).leading_zeros() as usize).div_ceil(7)
}

fn message_ids(from: &mut Reader) -> Result<Vec<MessageId>, Refused> {
    let count = from.count(18, INQUIRY_MAX)?;
    (0..count).map(|_| from.message_id()).collect()
}

impl Chunk {
    /// An upper bound of what this chunk takes in a datagram beside its bytes.
    pub const OVERHEAD_BYTES_MAX: usize = 1 + 10 + 9 + 4 + 3;

    /// How many bytes this chunk takes behind one of `sender`, without its number.
    pub fn encoded_bytes(&self, sender: Member) -> usize {
        let foreign = if self.id.sender == sender { 0 } else { 10 };
        let fragment = if self.fragments > 1 { 4 } else { 0 };
        let length = self.bytes.len();
        1 + foreign + varint_bytes(self.id.counter) + fragment + varint_bytes(length as u64) + length
    }

    /// How many bytes of a message a fragment of it can have that takes up to `room` bytes behind a chunk of `sender`, without
    /// its number.
    pub fn fragment_bytes(id: MessageId, sender: Member, room: usize) -> usize {
        let foreign = if id.sender == sender { 0 } else { 10 };
        let left = room.saturating_sub(1 + foreign + varint_bytes(id.counter) + 4);
        left.saturating_sub(varint_bytes(left as u64))
    }

    /// Writes all but the number. `sender` is whose life goes without saying.
    fn write(&self, sender: Member, out: &mut Writer) {
        let foreign = self.id.sender != sender;
        let fragmented = self.fragments > 1;
        out.u8((u8::from(foreign) * FOREIGN) | (u8::from(fragmented) * FRAGMENTED));
        if foreign {
            out.member(self.id.sender);
        }
        out.varint(self.id.counter);
        if fragmented {
            out.u16(self.fragment);
            out.u16(self.fragments);
        }
        out.slice(&self.bytes);
    }

    fn read(seq: Seq, sender: Member, from: &mut Reader) -> Result<Chunk, Refused> {
        let flags = from.u8()?;
        if flags > FOREIGN | FRAGMENTED {
            return Err(Refused::BadField("chunk flags"));
        }
        let sender = if flags & FOREIGN != 0 {
            from.member()?
        } else {
            sender
        };
        let id = MessageId {
            sender,
            counter: from.varint()?,
        };
        let (fragment, fragments) = if flags & FRAGMENTED != 0 {
            (from.u16()?, from.u16()?)
        } else {
            (0, 1)
        };
        let sound = fragment < fragments && usize::from(fragments) <= FRAGMENTS_MAX;
        if !sound || (flags & FRAGMENTED != 0 && fragments < 2) {
            return Err(Refused::BadField("fragment"));
        }
        let bytes: Bytes = from.slice(CHUNK_BYTES_MAX)?;
        Ok(Chunk {
            seq,
            id,
            fragment,
            fragments,
            bytes,
        })
    }

    /// Writes the chunk on its own, number and life included, as for a file or a stream.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.seq(self.seq);
        out.member(self.id.sender);
        self.write(self.id.sender, &mut out);
        out.bytes
    }

    /// Reads what [`Chunk::to_bytes`] wrote.
    pub fn from_bytes(bytes: Bytes) -> Result<Chunk, Refused> {
        let mut from = Reader::new(bytes);
        let (seq, sender) = (from.seq()?, from.member()?);
        let chunk = Chunk::read(seq, sender, &mut from)?;
        from.end()?;
        Ok(chunk)
    }
}

impl Data {
    /// What a data datagram takes before its first chunk, beside the header.
    pub const OVERHEAD_BYTES: usize = 18 + 8 + 8 + 10 + 2;

    fn write(&self, out: &mut Writer) {
        let first = self.chunks.first().expect("data without chunks is never sent");
        out.ring(self.ring);
        out.u64(self.hop.0);
        out.seq(first.seq);
        out.member(first.id.sender);
        out.count(self.chunks.len());
        for chunk in &self.chunks {
            chunk.write(first.id.sender, out);
        }
    }

    fn read(from: &mut Reader) -> Result<Data, Refused> {
        let (ring, hop, first) = (from.ring()?, Hop(from.u64()?), from.seq()?);
        let sender = from.member()?;
        let count = from.count(CHUNK_BYTES_MIN, usize::from(u16::MAX))?;
        if count == 0 {
            return Err(Refused::BadField("count"));
        }
        let mut chunks = Vec::with_capacity(count.min(CHUNKS_USUAL));
        for index in 0..count as u64 {
            chunks.push(Chunk::read(Seq(first.0 + index), sender, from)?);
        }
        Ok(Data { ring, hop, chunks })
    }
}

impl Repair {
    fn write(&self, out: &mut Writer) {
        let first = self
            .chunks
            .first()
            .expect("a repair without chunks is never sent");
        out.ring(self.ring);
        out.member(first.id.sender);
        out.count(self.chunks.len());
        for chunk in &self.chunks {
            out.seq(chunk.seq);
            chunk.write(first.id.sender, out);
        }
    }

    fn read(from: &mut Reader) -> Result<Repair, Refused> {
        let (ring, sender) = (from.ring()?, from.member()?);
        let count = from.count(8 + CHUNK_BYTES_MIN, usize::from(u16::MAX))?;
        if count == 0 {
            return Err(Refused::BadField("count"));
        }
        let mut chunks = Vec::with_capacity(count.min(CHUNKS_USUAL));
        for _ in 0..count {
            let seq = from.seq()?;
            chunks.push(Chunk::read(seq, sender, from)?);
        }
        Ok(Repair { ring, chunks })
    }
}

impl Token {
    fn write(&self, out: &mut Writer) {
        out.ring(self.ring);
        out.u64(self.hop.0);
        out.seq(self.high);
        out.u8(match self.pace {
            Pace::Fast => 0,
            Pace::Settling => 1,
            Pace::Idle => 2,
        });
        out.count(self.rows.len());
        for row in &self.rows {
            out.seq(row.received_up_to);
            out.seq(row.held_up_to);
            out.u16(row.sent);
            out.u8(u8::from(row.recovered));
            out.u64(row.waiting_since.0);
            out.u64(row.visited.0);
        }
        out.count(self.lacking.len());
        for (member, first, last) in &self.lacking {
            out.u16(*member);
            out.seq(*first);
            out.seq(*last);
        }
    }

    fn read(from: &mut Reader) -> Result<Token, Refused> {
        let (ring, hop, high) = (from.ring()?, Hop(from.u64()?), from.seq()?);
        let pace = match from.u8()? {
            0 => Pace::Fast,
            1 => Pace::Settling,
            2 => Pace::Idle,
            _ => return Err(Refused::BadField("pace")),
        };
        let count = from.count(35, MEMBERS_MAX)?;
        let rows = (0..count)
            .map(|_| TokenRow::read(from))
            .collect::<Result<Vec<_>, _>>()?;
        let lacking_count = from.count(18, RANGES_MAX)?;
        let mut lacking = Vec::with_capacity(lacking_count);
        for _ in 0..lacking_count {
            let member = from.u16()?;
            let (first, last) = from.range()?;
            if usize::from(member) >= rows.len() {
                return Err(Refused::BadField("member index"));
            }
            lacking.push((member, first, last));
        }
        Ok(Token {
            ring,
            hop,
            high,
            pace,
            rows,
            lacking,
        })
    }
}

impl TokenRow {
    fn read(from: &mut Reader) -> Result<TokenRow, Refused> {
        Ok(TokenRow {
            received_up_to: from.seq()?,
            held_up_to: from.seq()?,
            sent: from.u16()?,
            recovered: from.bool()?,
            waiting_since: Hop(from.u64()?),
            visited: Hop(from.u64()?),
        })
    }
}

impl Join {
    fn write(&self, out: &mut Writer) {
        out.u64(self.epoch.0);
        out.ring_option(self.ring);
        out.u16(self.stream_port);
        out.u16(self.quorum);
        out.slice(self.name.as_bytes());
        out.members(self.present.iter());
        out.members(self.failed.iter());
    }

    fn read(from: &mut Reader) -> Result<Join, Refused> {
        Ok(Join {
            epoch: from.epoch()?,
            ring: from.ring_option()?,
            stream_port: from.u16()?,
            quorum: from.u16()?,
            name: from.text(NAME_BYTES_MAX)?,
            present: from.members(MEMBERS_MAX)?,
            failed: from.members(MEMBERS_MAX)?,
        })
    }
}

impl Commit {
    fn write(&self, out: &mut Writer) {
        out.ring(self.ring);
        out.u64(self.hop.0);
        out.count(self.rows.len());
        for row in &self.rows {
            out.member(row.member);
            out.u8(u8::from(row.old.is_some()));
            if let Some(old) = &row.old {
                out.ring_option(old.ring);
                out.ring_option(old.entered);
                out.seq(old.high);
                out.seq(old.kept_from);
                out.seq(old.received_up_to);
                out.seq(old.delivered_up_to);
                out.ranges(&old.above);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Commit, Refused> {
        let (ring, hop) = (from.ring()?, Hop(from.u64()?));
        let count = from.count(11, MEMBERS_MAX)?;
        let rows = (0..count)
            .map(|_| CommitRow::read(from))
            .collect::<Result<Vec<_>, _>>()?;
        let rising = rows.windows(2).all(|pair| pair[0].member.id < pair[1].member.id);
        if rows.is_empty() || !rising {
            return Err(Refused::BadField("members"));
        }
        Ok(Commit { ring, hop, rows })
    }
}

impl CommitRow {
    fn read(from: &mut Reader) -> Result<CommitRow, Refused> {
        let member = from.member()?;
        if !from.bool()? {
            return Ok(CommitRow { member, old: None });
        }
        let old = OldRing {
            ring: from.ring_option()?,
            entered: from.ring_option()?,
            high: from.seq()?,
            kept_from: from.seq()?,
            received_up_to: from.seq()?,
            delivered_up_to: from.seq()?,
            above: from.ranges(RANGES_MAX)?,
        };
        Ok(CommitRow {
            member,
            old: Some(old),
        })
    }
}

impl Refuse {
    fn write(&self, out: &mut Writer) {
        match self {
            Refuse::IdTaken { name } => {
                out.u8(0);
                out.slice(name.as_bytes());
            }
            Refuse::Superseded { by } => {
                out.u8(1);
                out.member(*by);
            }
            Refuse::IncarnationSeen { incarnation } => {
                out.u8(2);
                out.u64(incarnation.0);
            }
            Refuse::QuorumDiffers { quorum } => {
                out.u8(3);
                out.u16(*quorum);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Refuse, Refused> {
        Ok(match from.u8()? {
            0 => Refuse::IdTaken {
                name: from.text(NAME_BYTES_MAX)?,
            },
            1 => Refuse::Superseded { by: from.member()? },
            2 => Refuse::IncarnationSeen {
                incarnation: Incarnation(from.u64()?),
            },
            3 => Refuse::QuorumDiffers { quorum: from.u16()? },
            _ => return Err(Refused::BadField("reason")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HEADER_BYTES, encode};
    use crate::words::{Epoch, NodeId, RingId};

    fn member(id: u16) -> Member {
        Member {
            id: NodeId(id),
            incarnation: Incarnation(u64::MAX),
        }
    }

    fn chunk(of: u16, counter: u64, fragments: u16, length: usize) -> Chunk {
        Chunk {
            seq: Seq(9),
            id: MessageId {
                sender: member(of),
                counter,
            },
            fragment: fragments - 1,
            fragments,
            bytes: Bytes::from(vec![b'x'; length]),
        }
    }

    fn length(chunks: Vec<Chunk>) -> usize {
        let ring = RingId {
            epoch: Epoch(1),
            leader: member(1),
        };
        let hop = Hop(1);
        encode(7, member(1), &Body::Data(Data { ring, hop, chunks })).len()
    }

    #[test]
    fn a_chunk_takes_as_many_bytes_as_it_says_and_no_more_than_the_bound() {
        let first = chunk(1, 1, 1, 5);
        let before = length(vec![first.clone()]);
        assert_eq!(
            before,
            HEADER_BYTES + Data::OVERHEAD_BYTES + first.encoded_bytes(member(1))
        );
        let counters = [0, 1, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 56) - 1, 1 << 62];
        for (of, fragments) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            for counter in counters {
                for bytes in [0, 1, 127, 128, 16_383, 16_384] {
                    let chunk = chunk(of, counter, fragments, bytes);
                    let encoded = chunk.encoded_bytes(member(1));
                    assert_eq!(length(vec![first.clone(), chunk]) - before, encoded);
                    assert!(
                        encoded <= bytes + Chunk::OVERHEAD_BYTES_MAX,
                        "{counter}: {encoded}"
                    );
                }
            }
        }
    }
}
