//! Reading and writing the primitive fields of the wire format: little-endian, every read checked.

use bytes::{Buf, Bytes};

use super::Refused;
use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, RingId, Seq};

/// Takes fields off the front of a datagram or frame. Every read fails, and none panics, when bytes are missing.
pub struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// A reader over these bytes.
    pub fn new(bytes: Bytes) -> Reader {
        Reader { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Fails unless all was read: a datagram says nothing after its last field.
    pub fn end(&self) -> Result<(), Refused> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Refused::TrailingBytes)
        }
    }

    fn need(&self, count: usize) -> Result<(), Refused> {
        if self.bytes.len() < count {
            Err(Refused::Truncated)
        } else {
            Ok(())
        }
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Refused> {
        self.need(1)?;
        Ok(self.bytes.get_u8())
    }

    /// A byte that is 0 or 1.
    pub fn bool(&mut self) -> Result<bool, Refused> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Refused::BadField("flag")),
        }
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Refused> {
        self.need(2)?;
        Ok(self.bytes.get_u16_le())
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Refused> {
        self.need(4)?;
        Ok(self.bytes.get_u32_le())
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Refused> {
        self.need(8)?;
        Ok(self.bytes.get_u64_le())
    }

    /// A number of at most 63 bits in groups of seven, lowest first, in its shortest spelling.
    pub fn varint(&mut self) -> Result<u64, Refused> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(value)
                } else {
                    Err(Refused::BadField("varint"))
                };
            }
        }
        Err(Refused::BadField("varint"))
    }

    /// A count that announces items of at least `item_bytes` each: refused when that many cannot follow, so that
    /// no length from the network decides how much memory is reserved.
    pub fn count(&mut self, item_bytes: usize, most: usize) -> Result<usize, Refused> {
        let count = usize::from(self.u16()?);
        if count > most {
            return Err(Refused::BadField("count"));
        }
        self.need(count * item_bytes)?;
        Ok(count)
    }

    /// Bytes of a varint length, at most `most`, sharing the datagram's memory.
    pub fn slice(&mut self, most: usize) -> Result<Bytes, Refused> {
        let length = usize::try_from(self.varint()?).map_err(|_| Refused::BadField("length"))?;
        if length > most {
            return Err(Refused::BadField("length"));
        }
        self.need(length)?;
        Ok(self.bytes.split_to(length))
    }

    /// A text of at most `most` bytes.
    pub fn text(&mut self, most: usize) -> Result<String, Refused> {
        let bytes = self.slice(most)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(Refused::BadField("text")),
        }
    }

    /// A node id; 0 is none.
    pub fn node_id(&mut self) -> Result<NodeId, Refused> {
        match self.u16()? {
            0 => Err(Refused::BadField("node id")),
            id => Ok(NodeId(id)),
        }
    }

    /// A member: 10 bytes.
    pub fn member(&mut self) -> Result<Member, Refused> {
        Ok(Member {
            id: self.node_id()?,
            incarnation: Incarnation(self.u64()?),
        })
    }

    /// Members in strictly rising order, at most `most`.
    pub fn members(&mut self, most: usize) -> Result<Vec<Member>, Refused> {
        let count = self.count(10, most)?;
        let members = (0..count).map(|_| self.member()).collect::<Result<Vec<_>, _>>()?;
        let rising = members.windows(2).all(|pair| pair[0] < pair[1]);
        if rising {
            Ok(members)
        } else {
            Err(Refused::BadField("members"))
        }
    }

    /// A ring id: 18 bytes.
    pub fn ring(&mut self) -> Result<RingId, Refused> {
        Ok(RingId {
            epoch: self.epoch()?,
            leader: self.member()?,
        })
    }

    /// An epoch. The top bits stay free, so that arithmetic on it cannot overflow.
    pub fn epoch(&mut self) -> Result<Epoch, Refused> {
        match self.u64()? {
            epoch if epoch >> 62 == 0 => Ok(Epoch(epoch)),
            _ => Err(Refused::BadField("epoch")),
        }
    }

    /// A ring id that may be absent.
    pub fn ring_option(&mut self) -> Result<Option<RingId>, Refused> {
        if self.bool()? {
            Ok(Some(self.ring()?))
        } else {
            Ok(None)
        }
    }

    /// A sequence number. The top bits stay free, so that arithmetic on it cannot overflow.
    pub fn seq(&mut self) -> Result<Seq, Refused> {
        match self.u64()? {
            number if number >> 62 == 0 => Ok(Seq(number)),
            _ => Err(Refused::BadField("sequence number")),
        }
    }

    /// A message id: 18 bytes.
    pub fn message_id(&mut self) -> Result<MessageId, Refused> {
        Ok(MessageId {
            sender: self.member()?,
            counter: self.u64()?,
        })
    }

    /// Ranges of sequence numbers, first to last inclusive, at most `most` of them.
    pub fn ranges(&mut self, most: usize) -> Result<Vec<(Seq, Seq)>, Refused> {
        let count = self.count(16, most)?;
        (0..count).map(|_| self.range()).collect()
    }

    /// One range of sequence numbers.
    pub fn range(&mut self) -> Result<(Seq, Seq), Refused> {
        let (first, last) = (self.seq()?, self.seq()?);
        if first <= last {
            Ok((first, last))
        } else {
            Err(Refused::BadField("range"))
        }
    }
}

/// Puts fields at the end of a datagram or frame.
#[derive(Default)]
pub struct Writer {
    /// What was written so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A number below 2⁶³ in groups of seven bits, lowest first.
    pub fn varint(&mut self, mut value: u64) {
        assert!(value >> 63 == 0, "a varint holds 63 bits, not {value:#x}");
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// A count of items that follow.
    pub fn count(&mut self, count: usize) {
        self.u16(u16::try_from(count).expect("lists on the wire are bounded below 65,536"));
    }

    /// Bytes with their length.
    pub fn slice(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A member.
    pub fn member(&mut self, member: Member) {
        self.u16(member.id.0);
        self.u64(member.incarnation.0);
    }

    /// Members with their count.
    pub fn members<'a>(&mut self, members: impl ExactSizeIterator<Item = &'a Member>) {
        self.count(members.len());
        members.for_each(|member| self.member(*member));
    }

    /// A ring id.
    pub fn ring(&mut self, ring: RingId) {
        self.u64(ring.epoch.0);
        self.member(ring.leader);
    }

    /// A ring id that may be absent.
    pub fn ring_option(&mut self, ring: Option<RingId>) {
        self.u8(u8::from(ring.is_some()));
        if let Some(ring) = ring {
            self.ring(ring);
        }
    }

    /// A sequence number.
    pub fn seq(&mut self, seq: Seq) {
        self.u64(seq.0);
    }

    /// A message id.
    pub fn message_id(&mut self, id: MessageId) {
        self.member(id.sender);
        self.u64(id.counter);
    }

    /// Ranges with their count.
    pub fn ranges(&mut self, ranges: &[(Seq, Seq)]) {
        self.count(ranges.len());
        for (first, last) in ranges {
            self.seq(*first);
            self.seq(*last);
        }
    }
}
