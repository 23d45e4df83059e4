//! Hails: a plain question that any program on the network may ask, and that every running node answers.
//!
//! `node doctor` asks, to learn of nodes that multicast does not reach. A hail is no part of the protocol: it never comes to
//! the core, it makes nobody a member, and it works between versions and between keys, because that these differ is what
//! it is to find out. So it has a form of its own, which begins with `hail` where the protocol's begins with `ro`.
//!
//! An answer says what stands in the clear header of each datagram anyway, and the clock and the payload size. It is never
//! longer than its question, and goes back to the address that asked. The form is in docs/PROTOCOL.md.
//!
//! It is answered in the host, not in the core: it needs the wall clock, which the core has not, and nothing of what the
//! core knows but the names of its keys; and so nothing that is asked here can touch the ring's state.

pub mod answerer;

use crate::wire::seal::key::KeyName;
use crate::words::{Incarnation, Member, NodeId, WallTime};

/// What each hail begins with.
const MAGIC: &[u8; 4] = b"hail";
/// The version of the form. Later ones only add behind the fields of this one, so a higher version is read as this one.
const VERSION: u8 = 1;
/// The length of a hail without padding: a shorter one is none.
pub const HAIL_BYTES: usize = 64;
/// The longest hail: what one UDP datagram carries.
const PADDED_BYTES_MAX: usize = 65_507;
/// Where the checksum stands.
const CHECKSUM_AT: usize = 60;

/// How an answer is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// As short as it is.
    Short,
    /// As long as the question: does this length pass on the way back?
    Full,
    /// To the group, by multicast: do multicasts of this node arrive? Only for a question by unicast.
    Aloud,
}

/// On which way a question came to the node that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By multicast, to the group.
    Group,
    /// By broadcast, to the group's port.
    Broadcast,
    /// By unicast, to the group's port.
    Host,
    /// By unicast, to the node's own port.
    Port,
}

/// All ways, in the order of their numbers.
const WAYS: [Way; 4] = [Way::Group, Way::Broadcast, Way::Host, Way::Port];
/// All wishes, in the order of their numbers.
const WISHES: [Wish; 3] = [Wish::Short, Wish::Full, Wish::Aloud];

/// Who is there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Bytes of the whole datagram, at least [`HAIL_BYTES`]: the rest is padding.
    pub length: usize,
    /// To be echoed.
    pub nonce: u64,
    /// The group that is meant.
    pub group: u32,
    /// How the answer is to be given.
    pub wish: Wish,
    /// To which port of the asker's address the answer goes; 0: to the one that asked.
    pub answer_port: u16,
}

/// A node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Bytes of the whole datagram.
    pub length: usize,
    /// The question's.
    pub nonce: u64,
    /// The node's group.
    pub group: u32,
    /// Who it is.
    pub member: Member,
    /// The version of the protocol it speaks.
    pub protocol: u8,
    /// The name of the key it seals with, if it has one.
    pub key: Option<KeyName>,
    /// Its wall clock, in whole seconds: finer would tell machines apart.
    pub wall: WallTime,
    /// The longest payload it sends in one datagram.
    pub payload: u16,
    /// How the question came.
    pub way: Way,
}

/// What a hail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hail {
    /// A question.
    Question(Question),
    /// An answer.
    Answer(Answer),
}

/// Whether this is a hail, or would be one.
pub fn is_hail(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads a hail; `None` if it is none, or damaged.
pub fn decode(bytes: &[u8]) -> Option<Hail> {
    let whole = is_hail(bytes) && (HAIL_BYTES..=PADDED_BYTES_MAX).contains(&bytes.len());
    if !whole || bytes[4] == 0 || u32_at(bytes, CHECKSUM_AT) != checksum(bytes) {
        return None;
    }
    let length = usize::from(u16_at(bytes, 6));
    if length != bytes.len() {
        return None;
    }
    let (nonce, group) = (u64_at(bytes, 8), u32_at(bytes, 16));
    match bytes[5] {
        0 => Some(Hail::Question(Question {
            length,
            nonce,
            group,
            wish: *WISHES.get(usize::from(bytes[47]))?,
            answer_port: u16_at(bytes, 48),
        })),
        1 => Some(Hail::Answer(Answer {
            length,
            nonce,
            group,
            member: Member {
                id: NodeId(u16_at(bytes, 20)),
                incarnation: Incarnation(u64_at(bytes, 22)),
            },
            protocol: bytes[30],
            key: (bytes[31] == 1).then(|| KeyName(u32_at(bytes, 32))),
            wall: WallTime(u64_at(bytes, 36)),
            payload: u16_at(bytes, 44),
            way: *WAYS.get(usize::from(bytes[46]))?,
        })),
        _unknown => None,
    }
}

impl Question {
    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = begin(0, self.length, self.nonce, self.group);
        let wish = WISHES.iter().position(|wish| *wish == self.wish);
        bytes[47] = wish.map_or(0, |at| at as u8);
        bytes[48..50].copy_from_slice(&self.answer_port.to_le_bytes());
        end(bytes)
    }
}

impl Answer {
    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = begin(1, self.length, self.nonce, self.group);
        bytes[20..22].copy_from_slice(&self.member.id.0.to_le_bytes());
        bytes[22..30].copy_from_slice(&self.member.incarnation.0.to_le_bytes());
        bytes[30] = self.protocol;
        if let Some(key) = self.key {
            bytes[31] = 1;
            bytes[32..36].copy_from_slice(&key.0.to_le_bytes());
        }
        bytes[36..44].copy_from_slice(&self.wall.0.to_le_bytes());
        bytes[44..46].copy_from_slice(&self.payload.to_le_bytes());
        let way = WAYS.iter().position(|way| *way == self.way);
        bytes[46] = way.map_or(0, |at| at as u8);
        end(bytes)
    }
}

/// A hail of this length, with what both kinds have.
fn begin(kind: u8, length: usize, nonce: u64, group: u32) -> Vec<u8> {
    assert!(
        (HAIL_BYTES..=PADDED_BYTES_MAX).contains(&length),
        "a hail of {length} bytes is never built"
    );
    let mut bytes = vec![0; length];
    bytes[..4].copy_from_slice(MAGIC);
    (bytes[4], bytes[5]) = (VERSION, kind);
    bytes[6..8].copy_from_slice(&(length as u16).to_le_bytes());
    bytes[8..16].copy_from_slice(&nonce.to_le_bytes());
    bytes[16..20].copy_from_slice(&group.to_le_bytes());
    bytes
}

/// Puts the checksum in.
fn end(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes[CHECKSUM_AT..HAIL_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// CRC-32 of the whole, the checksum's own field as 0.
fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CHECKSUM_AT]);
    hasher.update(&[0; 4]);
    hasher.update(&bytes[HAIL_BYTES..]);
    hasher.finalize()
}

/// The bytes of a number that stands here; the length was checked.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("so many bytes are so many")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn question() -> Question {
        Question {
            length: 100,
            nonce: 0x0102_0304_0506_0708,
            group: 9,
            wish: Wish::Full,
            answer_port: 4_000,
        }
    }

    fn answer() -> Answer {
        Answer {
            length: 64,
            nonce: 7,
            group: 9,
            member: Member {
                id: NodeId(3),
                incarnation: Incarnation(1_763_680_000_000_000),
            },
            protocol: 1,
            key: Some(KeyName(0xdead_beef)),
            wall: WallTime(1_763_680_000_000),
            payload: 1_400,
            way: Way::Broadcast,
        }
    }

    #[test]
    fn both_kinds_come_back_as_they_were() {
        assert_eq!(decode(&question().encode()), Some(Hail::Question(question())));
        let plain = Answer {
            key: None,
            way: Way::Port,
            ..answer()
        };
        for answer in [answer(), plain] {
            assert_eq!(decode(&answer.encode()), Some(Hail::Answer(answer)));
        }
        // A later version adds behind these fields; its checksum covers all.
        let mut later = question().encode();
        later[4] = 2;
        let later = end(later);
        assert_eq!(decode(&later), Some(Hail::Question(question())));
    }

    #[test]
    fn damage_at_any_bit_and_any_cut_is_found() {
        let whole = question().encode();
        for at in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(decode(&damaged), None, "bit {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&vec![0; 70_000]), None);
    }

    #[test]
    fn the_protocol_is_no_hail_and_a_hail_is_no_protocol() {
        let member = answer().member;
        let ring = crate::words::RingId {
            epoch: crate::words::Epoch(4),
            leader: member,
        };
        let beacon = crate::wire::encode(9, member, &crate::wire::Body::Beacon { ring });
        assert!(!is_hail(&beacon) && decode(&beacon).is_none());
        let refused = crate::wire::decode(9, question().encode().into()).unwrap_err();
        assert_eq!(refused, crate::wire::Refused::NotRoda);
    }
}
