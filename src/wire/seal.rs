//! Sealing: with a group key, every datagram and every frame of a stream is encrypted and authenticated.
//!
//! A sealed datagram is the clear header, the sealed body, and the tag (ChaCha20-Poly1305, RFC 8439). The header
//! is that of [`super`], with the key's name where the checksum stands else, and goes on:
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 18 | 1 | 16, the length of the tag |
//! | 20 | 4 | name of the group key |
//! | 24 | 16 | salt, drawn anew at each start of the sender |
//! | 40 | 8 | counter: rises by one with each datagram of this start |
//!
//! Each start of a node has a key of its own: HKDF-SHA256 (RFC 5869) of the group key, the salt, the id and the
//! incarnation. The counter is the nonce. It begins at 0 and is never stored: another start has another salt,
//! so no wiped disk and no copied machine uses a nonce twice under one key. Header, source and destination are
//! associated data: what was meant for somebody else, or comes from elsewhere, does not verify.
//!
//! The tag tells that a member made the datagram, not when. See [`sessions`] for that.

pub mod key;
pub mod sessions;
pub mod stream;
mod window;

use std::fmt;
use std::net::SocketAddrV4;

use bytes::{Bytes, BytesMut};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

use super::codec::Writer;
use super::datagram::{DATAGRAM_BYTES_MAX, HEADER_BYTES, begin, write_header};
use super::{Body, Refused, VERSION};
use crate::bugs::{self, Bug};
use crate::words::{Incarnation, Member, NodeId};
use key::{GroupKey, KeyName, Keys};

/// The length of a sealed datagram's clear header.
pub const SEALED_HEADER_BYTES: usize = HEADER_BYTES + SALT_BYTES + 8;
/// The length of a tag.
pub const TAG_BYTES: usize = 16;
/// The length of a salt.
pub const SALT_BYTES: usize = 16;
/// How much longer a datagram is sealed than with a checksum.
pub const OVERHEAD_BYTES: usize = SEALED_HEADER_BYTES - HEADER_BYTES + TAG_BYTES;
/// Where the length of the tag stands in the header.
pub(super) const TAG_LENGTH_AT: usize = 18;
/// Where the key's name stands.
const NAME_AT: usize = 20;
/// Associated data: the header, source, and destination with its sort.
const ASSOCIATED_BYTES: usize = SEALED_HEADER_BYTES + 6 + 1 + 6;

/// What each start of a node draws, and sends along in the clear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Salt(pub [u8; SALT_BYTES]);

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To the group.
    Group,
    /// To one node.
    Node(SocketAddrV4),
}

/// The way of a datagram, as the network tells it: it must be the one that its sender meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// From where.
    pub from: SocketAddrV4,
    /// To where.
    pub to: To,
}

/// A key for one purpose, ready for use; overwritten when it is dropped. Boxed, so that it leaves no copies of itself where it
/// has been.
#[derive(Clone)]
pub struct Cipher(Box<LessSafeKey>);

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cipher(..)")
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        // The crate does not clear its keys. That somebody looks at it keeps the overwriting from being optimized away.
        *self.0 = ready(&[0; 32]);
        std::hint::black_box(&self.0);
    }
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Cipher {
        Cipher(Box::new(ready(key)))
    }

    /// Encrypts in place; the tag. A nonce must not be used twice.
    fn seal(&self, nonce: [u8; 12], associated: &[u8], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(associated), buffer);
        let tag = sealed.expect("what fits a datagram or a frame is not too long to be sealed");
        tag.as_ref().try_into().expect("a tag has its length")
    }

    /// Decrypts in place, if the tag verifies; else nothing of use is left in the buffer.
    fn open(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        buffer: &mut [u8],
        tag: [u8; TAG_BYTES],
    ) -> Result<(), Refused> {
        if bugs::on(Bug::TagIgnored) {
            // What encrypts decrypts, too.
            self.seal(nonce, associated, buffer);
            return Ok(());
        }
        let (nonce, associated) = (Nonce::assume_unique_for_key(nonce), Aad::from(associated));
        let opened = self
            .0
            .open_in_place_separate_tag(nonce, associated, Tag::from(tag), buffer, 0..);
        opened.map(|_| ()).map_err(|_| Refused::Forged)
    }
}

/// A key as the crate wants it.
fn ready(key: &[u8; 32]) -> LessSafeKey {
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, key);
    LessSafeKey::new(unbound.expect("a key of 32 bytes is one of ChaCha20-Poly1305"))
}

/// The key of one start of a node.
fn start_key(key: &GroupKey, member: Member, salt: Salt) -> Cipher {
    let mut info = Writer::default();
    info.bytes.extend_from_slice(b"roda 1 datagram");
    info.member(member);
    key.derive(&salt.0, &info.bytes)
}

/// The clear header of a sealed datagram. Nothing in it is believed before the tag is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: u8,
    group: u32,
    sender: Member,
    key: KeyName,
    salt: Salt,
    counter: u64,
}

impl Head {
    /// Seals what `write` writes, about `room` bytes.
    fn seal(&self, cipher: &Cipher, way: Way, room: usize, write: impl FnOnce(&mut Writer)) -> Bytes {
        let mut out = Writer {
            bytes: Vec::with_capacity(HEADER_BYTES + OVERHEAD_BYTES + room),
        };
        write_header(&mut out, self.kind, self.group, self.sender);
        out.bytes[TAG_LENGTH_AT] = TAG_BYTES as u8;
        out.bytes[NAME_AT..HEADER_BYTES].copy_from_slice(&self.key.0.to_le_bytes());
        out.bytes.extend_from_slice(&self.salt.0);
        out.u64(self.counter);
        assert_eq!(
            out.bytes.len(),
            SEALED_HEADER_BYTES,
            "the header has a fixed length"
        );
        write(&mut out);
        let (header, body) = out.bytes.split_at_mut(SEALED_HEADER_BYTES);
        let tag = cipher.seal(self.nonce(), &associated(header, way), body);
        out.bytes.extend_from_slice(&tag);
        assert!(
            out.bytes.len() <= DATAGRAM_BYTES_MAX,
            "a body of {} bytes is never built",
            out.bytes.len()
        );
        Bytes::from(out.bytes)
    }

    /// Reads a header. What is not sealed is refused as such.
    fn read(group: u32, bytes: &[u8]) -> Result<Head, Refused> {
        begin(group, bytes)?;
        match bytes[TAG_LENGTH_AT] {
            0 => return Err(super::datagram::unsealed(bytes)),
            length if usize::from(length) != TAG_BYTES => return Err(Refused::BadField("tag length")),
            _ if bytes.len() < SEALED_HEADER_BYTES + TAG_BYTES => return Err(Refused::Truncated),
            _ => {}
        }
        let array = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).expect("eight bytes are eight");
        let name = <[u8; 4]>::try_from(&bytes[NAME_AT..HEADER_BYTES]).expect("four bytes are four");
        let salt = &bytes[HEADER_BYTES..HEADER_BYTES + SALT_BYTES];
        Ok(Head {
            kind: bytes[3],
            group,
            sender: Member {
                id: NodeId(u16::from_le_bytes([bytes[8], bytes[9]])),
                incarnation: Incarnation(u64::from_le_bytes(array(10))),
            },
            key: KeyName(u32::from_le_bytes(name)),
            salt: Salt(salt.try_into().expect("a salt has its length")),
            counter: u64::from_le_bytes(array(HEADER_BYTES + SALT_BYTES)),
        })
    }

    /// Verifies and decrypts, in the datagram's own memory where nobody else has it: the body.
    fn open(&self, cipher: &Cipher, way: Way, bytes: Bytes) -> Result<Bytes, Refused> {
        let mut bytes = bytes
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let end = bytes.len() - TAG_BYTES;
        let tag = bytes[end..].try_into().expect("a tag has its length");
        let (header, body) = bytes[..end].split_at_mut(SEALED_HEADER_BYTES);
        cipher.open(self.nonce(), &associated(header, way), body, tag)?;
        // Authentic, and yet checked: a member of another make may say anything.
        if header[TAG_LENGTH_AT + 1] != 0 {
            return Err(Refused::BadField("reserved byte"));
        }
        if self.sender.id == NodeId(0) {
            return Err(Refused::BadField("node id"));
        }
        Ok(bytes.freeze().slice(SEALED_HEADER_BYTES..end))
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_le_bytes());
        nonce
    }
}

/// What the tag covers beside the body.
fn associated(header: &[u8], way: Way) -> [u8; ASSOCIATED_BYTES] {
    let mut all = [0; ASSOCIATED_BYTES];
    let (head, ways) = all.split_at_mut(SEALED_HEADER_BYTES);
    head.copy_from_slice(header);
    if bugs::on(Bug::WayNotBound) {
        return all;
    }
    let (from, to) = ways.split_at_mut(6);
    let write = |at: &mut [u8], address: SocketAddrV4| {
        at[..4].copy_from_slice(&address.ip().octets());
        at[4..].copy_from_slice(&address.port().to_le_bytes());
    };
    write(from, way.from);
    // The group's own address is told by its number in the header.
    if let To::Node(address) = way.to {
        to[0] = 1;
        write(&mut to[1..], address);
    }
    all
}

/// Reads a sealed datagram without a memory of what came before: for those who look on, such as a checker. A
/// node must not do this, because it would believe replays.
pub fn look(group: u32, keys: &Keys, way: Way, bytes: Bytes) -> Result<(Member, Body), Refused> {
    let head = Head::read(group, &bytes)?;
    let key = keys.by_name(head.key).ok_or(Refused::OtherKey)?;
    let body = head.open(&start_key(key, head.sender, head.salt), way, bytes)?;
    let (body, _) = sessions::split_binding(head.kind, body)?;
    Ok((head.sender, sessions::read_body(head.kind, body)?))
}

const _: () = assert!(VERSION == 1, "the purposes of derived keys name the version");
