//! What the fuzz targets share: mended datagrams and lines, and a table of real nodes that a byte string drives.

pub mod table;

use bytes::Bytes;
use roda::checkpoint::seal_open;
use roda::wire::{HEADER_BYTES, VERSION};
use roda::words::Member;

/// The group of all datagrams here.
pub const GROUP: u32 = 0x0107_2005;
/// Where the header says the version, the kind, the group, the tag's length and the checksum.
const VERSION_AT: usize = 2;
const KIND_AT: usize = 3;
const GROUP_AT: usize = 4;
const SENDER_AT: usize = 8;
const TAG_AT: usize = 18;
const SUM_AT: usize = 20;

/// Gives a datagram the checksum it needs to get past the header.
pub fn mend(bytes: &mut [u8]) {
    if bytes.len() < HEADER_BYTES {
        return;
    }
    bytes[SUM_AT..HEADER_BYTES].fill(0);
    let sum = crc32fast::hash(bytes);
    bytes[SUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// A datagram with a right header around any body.
pub fn datagram(kind: u8, sender: Member, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..VERSION_AT].copy_from_slice(b"ro");
    bytes[VERSION_AT] = VERSION;
    bytes[KIND_AT] = kind;
    bytes[GROUP_AT..SENDER_AT].copy_from_slice(&GROUP.to_le_bytes());
    bytes[SENDER_AT..SENDER_AT + 2].copy_from_slice(&sender.id.0.to_le_bytes());
    bytes[SENDER_AT + 2..TAG_AT].copy_from_slice(&sender.incarnation.0.to_le_bytes());
    bytes.extend_from_slice(body);
    mend(&mut bytes);
    bytes
}

/// Gives every line that ends in something like a sum the sum that it needs to be believed.
pub fn resealed(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        match body(line) {
            Some(body) => out.extend_from_slice(&seal_open(body.to_vec())),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// What a sum would cover, if the line is one that has a sum at all.
fn body(line: &[u8]) -> Option<&[u8]> {
    const SUM: &[u8] = b",\"sum\":\"";
    let at = line.windows(SUM.len()).rposition(|window| window == SUM)?;
    let body = &line[..at];
    body.starts_with(b"{\"v\":").then_some(body)
}

/// Takes bytes off a fuzzer's input; zeros when it has run out.
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    /// Whether anything is left.
    pub fn goes_on(&self) -> bool {
        !self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (byte, rest) = self
            .0
            .split_first()
            .map_or((0, self.0), |(byte, rest)| (*byte, rest));
        self.0 = rest;
        byte
    }

    /// The next two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next eight bytes.
    pub fn long(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.iter_mut().for_each(|byte| *byte = self.byte());
        u64::from_le_bytes(bytes)
    }

    /// The next bytes, as many as a length byte says, at most what is left.
    pub fn bytes(&mut self) -> Bytes {
        let count = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        Bytes::copy_from_slice(bytes)
    }

    /// A number that often is one where something ends: 0, 1, the largest, or near a number that is in use.
    pub fn number(&mut self, near: u64) -> u64 {
        match self.byte() % 12 {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => (1 << 62) - 1,
            4 => 1 << 62,
            5 => near.wrapping_add(1 << 32),
            6 => near.wrapping_add((1 << 32) + 1),
            7 => near.wrapping_sub(1),
            8 => near.wrapping_add(1),
            9 => near.wrapping_add(16_384),
            10 => near.wrapping_add(u64::from(self.byte())),
            _ => self.long(),
        }
    }
}
