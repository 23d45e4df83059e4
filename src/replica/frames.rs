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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::digest::Digest;
    use crate::words::{Epoch, Incarnation, Member, NodeId, RingId, Seq};

    fn positions(ranges: &[(u64, u64)]) -> PositionSet {
        let leader = Member {
            id: NodeId(1),
            incarnation: Incarnation(5),
        };
        let ring = RingId {
            epoch: Epoch(4),
            leader,
        };
        let mut positions = PositionSet::new();
        for &(first, last) in ranges {
            positions.insert_range(ring, Seq(first), Seq(last));
        }
        positions
    }

    fn part(count: u64) -> (Range, Summary) {
        (
            Digest::whole(),
            Summary {
                count,
                hash: 0x0102_0304_0506_0708,
            },
        )
    }

    fn there_and_back(frame: &Frame) -> Result<Frame, Refused> {
        Frame::from_bytes(frame.to_bytes())
    }

    #[test]
    fn every_frame_comes_back() {
        let (range, summary) = part(7);
        let frames = [
            Frame::Compare(range, summary),
            Frame::Same,
            Frame::Has(positions(&[(1, 4), (9, 9)])),
            Frame::Has(positions(&[])),
            Frame::Parts(vec![part(1), part(2)]),
            Frame::Fetch(positions(&[(3, 8)])),
            Frame::Records(vec![Bytes::from_static(b"a line"), Bytes::from_static(b"b")]),
            Frame::Records(Vec::new()),
        ];
        for frame in frames {
            assert_eq!(there_and_back(&frame).as_ref(), Ok(&frame));
            let longer = [&frame.to_bytes()[..], b"x"].concat();
            assert_eq!(
                Frame::from_bytes(Bytes::from(longer)),
                Err(Refused::TrailingBytes),
                "{frame:?}"
            );
        }
        assert_eq!(
            Frame::from_bytes(Bytes::from_static(b"\x07")),
            Err(Refused::UnknownKind)
        );
        assert_eq!(
            Frame::from_bytes(Bytes::from_static(b"\x00")),
            Err(Refused::UnknownKind)
        );
        assert_eq!(Frame::from_bytes(Bytes::new()), Err(Refused::Truncated));
    }

    #[test]
    fn no_more_parts_are_read_than_four_splits_give() {
        let parts = |count: usize| Frame::Parts(vec![part(1); count]);
        assert!(there_and_back(&parts(4 * PARTS_MAX)).is_ok());
        assert!(there_and_back(&parts(4 * PARTS_MAX + 1)).is_err());
    }

    #[test]
    fn as_many_intervals_are_taken_as_fit_a_frame() {
        let ranges: Vec<(u64, u64)> = (0..=INTERVALS_MAX as u64)
            .map(|at| (3 * at + 1, 3 * at + 2))
            .collect();
        let fitting = positions(&ranges[..INTERVALS_MAX]);
        assert_eq!(first_intervals(&positions(&ranges)), fitting);
        assert_eq!(first_intervals(&fitting), fitting);
        let frame = Frame::Fetch(fitting);
        assert_eq!(there_and_back(&frame), Ok(frame));
    }

    #[test]
    #[should_panic(expected = "at most 1024 intervals")]
    fn more_intervals_than_fit_are_a_bug() {
        let ranges: Vec<(u64, u64)> = (0..=INTERVALS_MAX as u64)
            .map(|at| (3 * at + 1, 3 * at + 1))
            .collect();
        Frame::Has(positions(&ranges)).to_bytes();
    }
}
