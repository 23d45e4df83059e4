//! A whole datagram: header and body, checked.

use bytes::Bytes;

use super::codec::{Reader, Writer};
use super::{Body, Refused, VERSION};
use crate::words::{Incarnation, Member, NodeId};

/// The length of the header.
pub const HEADER_BYTES: usize = 24;
/// The largest datagram UDP over IPv4 carries.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;
const MAGIC: &[u8; 2] = b"ro";
/// Where the checksum stands.
const CHECKSUM_AT: usize = 20;

/// Makes the datagram that says `body` from `sender` to `group`.
pub fn encode(group: u32, sender: Member, body: &Body) -> Bytes {
    let mut out = Writer {
        bytes: Vec::with_capacity(HEADER_BYTES + body.room()),
    };
    write_header(&mut out, body.kind(), group, sender);
    body.write(&mut out);
    let checksum = crc32fast::hash(&out.bytes);
    out.bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    assert!(
        out.bytes.len() <= DATAGRAM_BYTES_MAX,
        "a body of {} bytes is never built",
        out.bytes.len()
    );
    Bytes::from(out.bytes)
}

/// Writes the header, with tag and checksum still to come.
pub(super) fn write_header(out: &mut Writer, kind: u8, group: u32, sender: Member) {
    out.bytes.extend_from_slice(MAGIC);
    out.u8(VERSION);
    out.u8(kind);
    out.u32(group);
    out.member(sender);
    out.u8(0);
    out.u8(0);
    out.u32(0);
    assert_eq!(out.bytes.len(), HEADER_BYTES, "the header has a fixed length");
}

/// Reads a datagram of `group`, or says why it is refused.
pub fn decode(group: u32, bytes: Bytes) -> Result<(Member, Body), Refused> {
    begin(group, &bytes)?;
    let checksum = checksum_of(&bytes);
    let mut from = Reader::new(bytes.slice(3..));
    let kind = from.u8()?;
    from.u32()?;
    // Only judged behind the checksum: a damaged id is damage, and no strange sender.
    let (id, incarnation) = (NodeId(from.u16()?), Incarnation(from.u64()?));
    if from.u8()? != 0 {
        return Err(Refused::Sealed);
    }
    let reserved = from.u8()?;
    if from.u32()? != checksum {
        return Err(Refused::WrongChecksum);
    }
    if reserved != 0 {
        return Err(Refused::BadField("reserved byte"));
    }
    if id == NodeId(0) {
        return Err(Refused::BadField("node id"));
    }
    let body = Body::read(kind, &mut from)?;
    from.end()?;
    Ok((Member { id, incarnation }, body))
}

/// The checks that come first, sealed or not: a datagram of this version and group, with a whole header.
pub(super) fn begin(group: u32, bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() > DATAGRAM_BYTES_MAX {
        return Err(Refused::Oversized);
    }
    let ours = bytes.len() >= 2 && &bytes[..2] == MAGIC;
    match (ours, bytes.len() < HEADER_BYTES) {
        (false, _) => return Err(Refused::NotRoda),
        (true, true) => return Err(Refused::Truncated),
        (true, false) => {}
    }
    if bytes[2] != VERSION {
        return Err(Refused::ForeignVersion(bytes[2]));
    }
    if bytes[4..8] != group.to_le_bytes() {
        return Err(Refused::ForeignGroup);
    }
    Ok(())
}

/// Why a datagram without a seal is refused where there is a key: for that, or because it is damaged.
pub(super) fn unsealed(bytes: &[u8]) -> Refused {
    let checksum = checksum_of(bytes).to_le_bytes();
    if bytes[CHECKSUM_AT..HEADER_BYTES] == checksum {
        Refused::NoKey
    } else {
        Refused::WrongChecksum
    }
}

/// The checksum that the header should carry.
fn checksum_of(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CHECKSUM_AT]);
    hasher.update(&[0; 4]);
    hasher.update(&bytes[HEADER_BYTES..]);
    hasher.finalize()
}
