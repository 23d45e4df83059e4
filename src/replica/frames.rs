//! Frames of the stream over which one node gets from another what it lacks.
//!
//! The side that opened the stream asks, the other side answers; one question at a time. A frame is one byte of
//! kind and a body in the wire's encoding. Ranges that hold the same are settled by their summaries; a range
//! that differs is answered by its positions if they make few intervals, else by the summaries of its parts.
//! So two replicas of any length and any number of restarts are compared in a few bounded frames.

use bytes::Bytes;

use super::PositionSet;
use super::content::CONTENT_BYTES_MAX;
use super::digest::{BlockKey, Range, Summary};
use crate::wire::Refused;
use crate::wire::codec::{Reader, Writer};

/// The most intervals of positions in one frame.
pub const INTERVALS_MAX: usize = 1_024;
/// The most parts a range is split into.
pub const PARTS_MAX: usize = 16;
/// The most records in one frame.
const RECORDS_MAX: usize = 8_192;
/// The largest line.
const LINE_BYTES_MAX: usize = CONTENT_BYTES_MAX + 1_024;

/// A question or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// (1) Asked: my summary of this range.
    Compare(Range, Summary),
    /// (2) Answered: mine is the same.
    Same,
    /// (3) Answered: these are all the positions I have in it.
    Has(PositionSet),
    /// (4) Answered: the summaries of its parts.
    Parts(Vec<(Range, Summary)>),
    /// (5) Asked: send me these, as many as fit a frame.
    Fetch(PositionSet),
    /// (6) Answered: lines of records, in canonical order; none: I have none of them.
    Records(Vec<Bytes>),
}

impl Frame {
    /// The frame as bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Writer::default();
        match self {
            Frame::Compare(range, summary) => {
                out.u8(1);
                write_part(&mut out, *range, *summary);
            }
            Frame::Same => out.u8(2),
            Frame::Has(positions) => {
                out.u8(3);
                write_positions(&mut out, positions);
            }
            Frame::Parts(parts) => {
                out.u8(4);
                out.count(parts.len());
                parts
                    .iter()
                    .for_each(|(range, summary)| write_part(&mut out, *range, *summary));
            }
            Frame::Fetch(positions) => {
                out.u8(5);
                write_positions(&mut out, positions);
            }
            Frame::Records(lines) => {
                out.u8(6);
                out.count(lines.len());
                lines.iter().for_each(|line| out.slice(line));
            }
        }
        Bytes::from(out.bytes)
    }

    /// Reads a frame.
    pub fn from_bytes(bytes: Bytes) -> Result<Frame, Refused> {
        let mut from = Reader::new(bytes);
        let frame = match from.u8()? {
            1 => {
                let (range, summary) = read_part(&mut from)?;
                Frame::Compare(range, summary)
            }
            2 => Frame::Same,
            3 => Frame::Has(read_positions(&mut from)?),
            4 => {
                let count = from.count(PART_BYTES, 4 * PARTS_MAX)?;
                Frame::Parts(
                    (0..count)
                        .map(|_| read_part(&mut from))
                        .collect::<Result<_, _>>()?,
                )
            }
            5 => Frame::Fetch(read_positions(&mut from)?),
            6 => {
                let count = from.count(1, RECORDS_MAX)?;
                Frame::Records(
                    (0..count)
                        .map(|_| from.slice(LINE_BYTES_MAX))
                        .collect::<Result<_, _>>()?,
                )
            }
            _ => return Err(Refused::UnknownKind),
        };
        from.end()?;
        Ok(frame)
    }
}

const PART_BYTES: usize = 2 * BlockKey::BYTES + 16;

fn write_part(out: &mut Writer, range: Range, summary: Summary) {
    out.bytes.extend_from_slice(&range.from.to_bytes());
    out.bytes.extend_from_slice(&range.to.to_bytes());
    out.u64(summary.count);
    out.u64(summary.hash);
}

fn read_part(from: &mut Reader) -> Result<(Range, Summary), Refused> {
    let range = Range {
        from: read_block(from)?,
        to: read_block(from)?,
    };
    Ok((
        range,
        Summary {
            count: from.u64()?,
            hash: from.u64()?,
        },
    ))
}

fn read_block(from: &mut Reader) -> Result<BlockKey, Refused> {
    let mut bytes = [0; BlockKey::BYTES];
    for byte in &mut bytes {
        *byte = from.u8()?;
    }
    BlockKey::from_bytes(bytes).ok_or(Refused::BadField("block"))
}

fn write_positions(out: &mut Writer, positions: &PositionSet) {
    assert!(
        positions.range_count() <= INTERVALS_MAX,
        "a frame names at most {INTERVALS_MAX} intervals"
    );
    out.count(positions.range_count());
    for (ring, first, last) in positions.ranges() {
        out.ring(ring);
        out.seq(first);
        out.seq(last);
    }
}

fn read_positions(from: &mut Reader) -> Result<PositionSet, Refused> {
    let count = from.count(34, INTERVALS_MAX)?;
    let mut positions = PositionSet::new();
    for _ in 0..count {
        let ring = from.ring()?;
        let (first, last) = from.range()?;
        positions.insert_range(ring, first, last);
    }
    Ok(positions)
}

/// At most [`INTERVALS_MAX`] intervals of these positions, the first ones.
pub fn first_intervals(positions: &PositionSet) -> PositionSet {
    let mut first = PositionSet::new();
    for (ring, from, to) in positions.ranges().take(INTERVALS_MAX) {
        first.insert_range(ring, from, to);
    }
    first
}
