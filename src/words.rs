//! The words of the protocol: ids, sequence numbers, positions and times, each its own type.
//!
//! Everything here is plain data without behaviour that could fail, shared by all other modules.

use std::fmt;
use std::str::FromStr;

/// A time in microseconds on a clock that only the host reads; it never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// The time `us` microseconds later.
    pub fn after_us(self, us: u64) -> Time {
        Time(self.0.saturating_add(us))
    }

    /// Microseconds from `earlier` to this time; 0 if `earlier` is later.
    pub fn since_us(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Wall-clock time: milliseconds since 1970-01-01 UTC. Shown to people, never used to order anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub u64);

/// A member process, unique in its group: 1..=65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One life of a node; larger than every earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// How many low bits of an incarnation are random.
const INCARNATION_RANDOM_BITS: u32 = 20;

impl Incarnation {
    /// The next incarnation: above `stored` (the largest known to this node or its peers), from the clock in
    /// microseconds since 1970, with 20 random low bits taken from `dice`.
    pub fn next(stored: Incarnation, clock_us: u64, dice: u64) -> Incarnation {
        let random = dice & ((1 << INCARNATION_RANDOM_BITS) - 1);
        let stored_high = stored.0 >> INCARNATION_RANDOM_BITS;
        let clock_high = clock_us >> INCARNATION_RANDOM_BITS;
        let high = clock_high.max(stored_high + 1);
        Incarnation((high << INCARNATION_RANDOM_BITS) | random)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A live incarnation of a node: what a ring is made of. Ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The node's id.
    pub id: NodeId,
    /// The life it is in.
    pub incarnation: Incarnation,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.incarnation)
    }
}

/// Counts rings: a later ring has a larger epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The name of a ring. The order of the fields makes the derived order the canonical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingId {
    /// Larger than every epoch any member had seen.
    pub epoch: Epoch,
    /// The member that proposed the ring: the lowest id.
    pub leader: Member,
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.leader)
    }
}

/// A place in the total order within a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The sequence number after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Counts the passes of a token in its ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop(pub u64);

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Names a message for ever: the sender's life and a counter within it. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who said it, in which life.
    pub sender: Member,
    /// 1 for the first message of that life.
    pub counter: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{}",
            self.sender.id, self.sender.incarnation, self.counter
        )
    }
}

/// Where a message stands. Sorting by position is the canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The ring that gave the number.
    pub ring: RingId,
    /// The number in that ring.
    pub seq: Seq,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}@{}.{}", self.seq, self.ring.epoch, self.ring.leader.id)
    }
}

/// A text that does not name what it should: what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAWord(pub &'static str);

impl fmt::Display for NotAWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for NotAWord {}

/// A canonical decimal number: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}

impl FromStr for MessageId {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<MessageId, NotAWord> {
        let mut parts = text.splitn(3, '-').map(decimal);
        let mut next = || parts.next().flatten();
        match (next(), next(), next()) {
            (Some(id @ 1..=0xffff), Some(incarnation), Some(counter)) => Ok(MessageId {
                sender: Member {
                    id: NodeId(id as u16),
                    incarnation: Incarnation(incarnation),
                },
                counter,
            }),
            _ => Err(NotAWord("a message id: node-incarnation-counter")),
        }
    }
}

impl FromStr for RingId {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<RingId, NotAWord> {
        let mut parts = text.splitn(3, '.').map(decimal);
        let mut next = || parts.next().flatten();
        match (next(), next(), next()) {
            (Some(epoch), Some(id @ 1..=0xffff), Some(incarnation)) => Ok(RingId {
                epoch: Epoch(epoch),
                leader: Member {
                    id: NodeId(id as u16),
                    incarnation: Incarnation(incarnation),
                },
            }),
            _ => Err(NotAWord("a ring id: epoch.leader.incarnation")),
        }
    }
}

/// Places for tests.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A ring of this epoch, led by node 1.
    pub fn ring(epoch: u64) -> RingId {
        let leader = Member {
            id: NodeId(1),
            incarnation: Incarnation(9),
        };
        let epoch = Epoch(epoch);
        RingId { epoch, leader }
    }

    /// A message of this node's first life.
    pub fn id(node: u16, counter: u64) -> MessageId {
        let sender = Member {
            id: NodeId(node),
            incarnation: Incarnation(9),
        };
        MessageId { sender, counter }
    }

    /// A number in that ring.
    pub fn at(epoch: u64, seq: u64) -> Position {
        let (ring, seq) = (ring(epoch), Seq(seq));
        Position { ring, seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u16, incarnation: u64) -> Member {
        Member {
            id: NodeId(id),
            incarnation: Incarnation(incarnation),
        }
    }

    #[test]
    fn an_incarnation_grows_even_when_the_clock_goes_back() {
        let first = Incarnation::next(Incarnation(0), 1_763_680_000_000_000, 7);
        let second = Incarnation::next(first, 1_000, 3);
        assert!(second > first);
        assert_eq!(second.0 & 0xf_ffff, 3);
    }

    #[test]
    fn names_survive_the_way_to_text_and_back() {
        let id = MessageId {
            sender: member(3, 1_763_680_000_000_000),
            counter: 17,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        let ring = RingId {
            epoch: Epoch(4),
            leader: member(1, 99),
        };
        assert_eq!(ring.to_string().parse(), Ok(ring));
    }

    #[test]
    fn names_have_one_spelling() {
        assert!("03-1-1".parse::<MessageId>().is_err());
        assert!("0-1-1".parse::<MessageId>().is_err());
        assert!("65536-1-1".parse::<MessageId>().is_err());
        assert!("3-1".parse::<MessageId>().is_err());
        assert!("3-1-1-1".parse::<MessageId>().is_err());
        assert!("+1.1.1".parse::<RingId>().is_err());
    }

    #[test]
    fn the_order_of_positions_extends_causality() {
        let low = Position {
            ring: RingId {
                epoch: Epoch(1),
                leader: member(9, 9),
            },
            seq: Seq(100),
        };
        let high = Position {
            ring: RingId {
                epoch: Epoch(2),
                leader: member(1, 1),
            },
            seq: Seq(1),
        };
        assert!(low < high);
    }
}
