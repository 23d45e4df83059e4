//! A snapshot: what a node knew at one moment, one sealed JSON object.
//!
//! ```json
//! {"v":1,"node":3,"number":12,"time":"2026-11-21T14:03:11.482Z","ring":"4.1.1763680000000000",
//!  "delivered":{"ring":"4.1.1763680000000000","seq":42},
//!  "written":[{"ring":"4.1.1763680000000000","ranges":[[1,40],[42,42]]}],
//!  "generation":0,"length":9120,"digest":"9f3a61c2","name":"ana","rooms":["geral"],"leaving":false,
//!  "sum":"…"}
//! ```
//! on one line. `written` is what counts: the positions that the replica held, which the artificial delay
//! leaves holes in. `length` and `digest` (the CRC-32 of the replica's first `length` bytes) tell, as long as
//! the replica is of this `generation`, whether the file is still what it was then.

use serde::{Deserialize, Serialize};

use super::seal::{SealError, seal, unseal};
use crate::node::face::CheckpointState;
use crate::replica::PositionSet;
use crate::replica::content::rfc3339;
use crate::words::{NodeId, Position, RingId, Seq, WallTime};

/// The version of the format.
const VERSION: u64 = 1;

/// A checkpoint with what the host adds to the core's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose it is.
    pub node: NodeId,
    /// Rises by one with each checkpoint of a node.
    pub number: u64,
    /// When it was written.
    pub time: WallTime,
    /// How often the replica had been written anew.
    pub generation: u64,
    /// The replica's length in bytes.
    pub length: u64,
    /// CRC-32 of these bytes.
    pub digest: u32,
    /// What the core knew.
    pub state: CheckpointState,
}

/// The snapshot in its file.
#[derive(Serialize, Deserialize)]
struct Line {
    v: u64,
    node: u16,
    number: u64,
    time: String,
    ring: Option<String>,
    delivered: Option<Place>,
    written: Vec<Written>,
    generation: u64,
    length: u64,
    digest: String,
    name: String,
    rooms: Vec<String>,
    leaving: bool,
}

/// A position.
#[derive(Serialize, Deserialize)]
struct Place {
    ring: String,
    seq: u64,
}

/// What is written of one ring: first and last number of each range.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) ring: String,
    pub(super) ranges: Vec<(u64, u64)>,
}

impl Snapshot {
    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let state = &self.state;
        seal(&Line {
            v: VERSION,
            node: self.node.0,
            number: self.number,
            time: rfc3339(self.time),
            ring: state.ring.map(|ring| ring.to_string()),
            delivered: state.delivered.map(|position| Place {
                ring: position.ring.to_string(),
                seq: position.seq.0,
            }),
            written: by_ring(&state.written),
            generation: self.generation,
            length: self.length,
            digest: format!("{:08x}", self.digest),
            name: state.name.clone(),
            rooms: state.rooms.clone(),
            leaving: state.leaving,
        })
    }

    /// Reads a file that should be checkpoint `number` of `node`.
    pub fn from_bytes(bytes: &[u8], node: NodeId, number: u64) -> Result<Snapshot, SealError> {
        let line: Line = unseal(bytes, VERSION)?;
        if (line.node, line.number) != (node.0, number) {
            return Err(SealError::Foreign(format!(
                "it is checkpoint {} of node {}",
                line.number, line.node
            )));
        }
        let delivered = match line.delivered {
            Some(place) => Some(Position {
                ring: ring(&place.ring)?,
                seq: Seq(place.seq),
            }),
            None => None,
        };
        Ok(Snapshot {
            node,
            number,
            time: time(&line.time)?,
            generation: line.generation,
            length: line.length,
            digest: u32::from_str_radix(&line.digest, 16).map_err(|_| foreign("digest", &line.digest))?,
            state: CheckpointState {
                ring: line.ring.as_deref().map(ring).transpose()?,
                delivered,
                written: positions(&line.written)?,
                name: line.name,
                rooms: line.rooms,
                leaving: line.leaving,
            },
        })
    }
}

pub(super) fn foreign(what: &str, found: &str) -> SealError {
    SealError::Foreign(format!("its {what} is {found:?}"))
}

fn ring(text: &str) -> Result<RingId, SealError> {
    text.parse().map_err(|_| foreign("ring", text))
}

fn time(text: &str) -> Result<WallTime, SealError> {
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| foreign("time", text))?;
    let ms = timestamp.as_millisecond();
    u64::try_from(ms).map(WallTime).map_err(|_| foreign("time", text))
}

/// A set of positions, ring by ring.
pub(super) fn by_ring(positions: &PositionSet) -> Vec<Written> {
    let mut rings: Vec<Written> = Vec::new();
    let mut last = None;
    for (ring, Seq(first), Seq(end)) in positions.ranges() {
        if last.replace(ring) != Some(ring) {
            let ring = ring.to_string();
            rings.push(Written { ring, ranges: vec![] });
        }
        if let Some(written) = rings.last_mut() {
            written.ranges.push((first, end));
        }
    }
    rings
}

/// The set of positions again.
pub(super) fn positions(rings: &[Written]) -> Result<PositionSet, SealError> {
    let mut positions = PositionSet::new();
    for written in rings {
        let ring = ring(&written.ring)?;
        for (first, last) in &written.ranges {
            if first > last || *last == u64::MAX {
                return Err(foreign("range", &format!("{first}..{last}")));
            }
            positions.insert_range(ring, Seq(*first), Seq(*last));
        }
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Epoch, Incarnation, Member};

    fn ring_of_epoch(epoch: u64) -> RingId {
        let leader = Member {
            id: NodeId(1),
            incarnation: Incarnation(9),
        };
        let epoch = Epoch(epoch);
        RingId { epoch, leader }
    }

    fn example() -> Snapshot {
        let ring = ring_of_epoch(4);
        let mut written = PositionSet::new();
        written.insert_range(ring_of_epoch(2), Seq(1), Seq(40));
        written.insert_range(ring, Seq(41), Seq(50));
        written.insert_range(ring, Seq(52), Seq(52));
        Snapshot {
            node: NodeId(3),
            number: 12,
            time: WallTime(1_763_733_791_482),
            generation: 2,
            length: 9120,
            digest: 0x00ab_cdef,
            state: CheckpointState {
                ring: Some(ring),
                delivered: Some(Position { ring, seq: Seq(53) }),
                written,
                name: "ana \u{1f600} \"x\"".into(),
                rooms: vec!["geral".into(), "caf\u{e9}".into()],
                leaving: true,
            },
        }
    }

    fn read(bytes: &[u8]) -> Result<Snapshot, SealError> {
        Snapshot::from_bytes(bytes, NodeId(3), 12)
    }

    #[test]
    fn a_snapshot_comes_back_and_its_format_stands() {
        let bytes = example().to_bytes();
        assert_eq!(read(&bytes), Ok(example()));
        let text = String::from_utf8(bytes).unwrap();
        let expected = "{\"v\":1,\"node\":3,\"number\":12,\"time\":\"2025-11-21T14:03:11.482Z\",\"ring\":\"4.1.9\",\
            \"delivered\":{\"ring\":\"4.1.9\",\"seq\":53},\"written\":[{\"ring\":\"2.1.9\",\"ranges\":[[1,40]]},\
            {\"ring\":\"4.1.9\",\"ranges\":[[41,50],[52,52]]}],\"generation\":2,\"length\":9120,\
            \"digest\":\"00abcdef\",";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn a_first_snapshot_knows_no_ring() {
        let mut first = example();
        first.state.ring = None;
        first.state.delivered = None;
        first.state.written = PositionSet::new();
        assert_eq!(read(&first.to_bytes()), Ok(first));
    }

    #[test]
    fn empty_and_cut_files_are_told_apart() {
        let bytes = example().to_bytes();
        assert_eq!(read(b""), Err(SealError::Empty));
        for end in 1..bytes.len() - 1 {
            assert_eq!(read(&bytes[..end]), Err(SealError::Cut), "cut at {end}");
        }
    }

    #[test]
    fn a_flipped_bit_is_a_wrong_sum() {
        let mut bytes = example().to_bytes();
        bytes[40] ^= 4;
        assert_eq!(read(&bytes), Err(SealError::WrongSum));
    }

    #[test]
    fn a_newer_version_is_from_the_future() {
        let newer = crate::checkpoint::seal_open(b"{\"v\":2,\"state\":[]".to_vec());
        assert_eq!(read(&newer), Err(SealError::Future(2)));
    }

    #[test]
    fn what_is_no_checkpoint_says_so() {
        assert!(matches!(read(b"hello\n"), Err(SealError::Foreign(_))));
        let other = Snapshot::from_bytes(&example().to_bytes(), NodeId(3), 13);
        assert_eq!(
            other,
            Err(SealError::Foreign("it is checkpoint 12 of node 3".into()))
        );
        let mut backwards = example().to_bytes();
        let at = backwards
            .windows(7)
            .position(|window| window == b"[52,52]")
            .unwrap();
        backwards.truncate(backwards.len() - 19);
        backwards[at..at + 7].copy_from_slice(b"[52,51]");
        let backwards = crate::checkpoint::seal_open(backwards);
        assert_eq!(read(&backwards), Err(foreign("range", "52..51")));
    }

    /// The example with this instead of its last range, sealed again.
    fn with_range(range: &str) -> Result<Snapshot, SealError> {
        let text = String::from_utf8(example().to_bytes()).unwrap();
        let body = &text[..text.rfind(",\"sum\"").unwrap()];
        read(&crate::checkpoint::seal_open(
            body.replace("[52,52]", range).into_bytes(),
        ))
    }

    #[test]
    fn a_range_may_be_one_number_but_not_backwards_nor_without_end() {
        let last = |seq| {
            Some(Position {
                ring: ring_of_epoch(4),
                seq: Seq(seq),
            })
        };
        assert_eq!(with_range("[52,52]").unwrap().state.written.last(), last(52));
        assert_eq!(with_range("[52,53]").unwrap().state.written.last(), last(53));
        assert_eq!(with_range("[52,51]"), Err(foreign("range", "52..51")));
        let (before_last, end) = (u64::MAX - 1, u64::MAX);
        let longest = with_range(&format!("[52,{before_last}]")).unwrap();
        assert_eq!(longest.state.written.last(), last(before_last));
        assert_eq!(
            with_range(&format!("[52,{end}]")),
            Err(foreign("range", &format!("52..{end}")))
        );
    }

    #[test]
    fn words_that_mean_nothing_are_named() {
        assert_eq!(ring("4.1"), Err(foreign("ring", "4.1")));
        assert_eq!(time("noon"), Err(foreign("time", "noon")));
        assert_eq!(
            time("1969-12-31T23:59:59Z"),
            Err(foreign("time", "1969-12-31T23:59:59Z"))
        );
        assert_eq!(foreign("ring", "4.1").to_string(), "its ring is \"4.1\"");
    }
}
