//! The datagram of lessons: what a node is asked to do to itself on purpose, and what became of it.
//!
//! Only nodes that were started for a lesson (`--lab`) send it or listen to it.

use super::Refused;
use super::codec::{Reader, Writer};
use crate::words::NodeId;

/// The most members that a node can be told not to hear.
pub const CUT_MAX: usize = 64;

/// The longest line that a node can be asked to say, in bytes.
pub const LINE_BYTES_MAX: usize = 200;

/// What a node can be asked to do to itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// (0) Do nothing at all for so many milliseconds, as a machine does that is suspended.
    Pause {
        /// For how long.
        for_ms: u32,
        /// Not before it holds the token, which it asks for.
        holding: bool,
    },
    /// (1) Drop what comes from these nodes, as a network does that is split.
    Cut {
        /// The nodes, in rising order.
        from: Vec<NodeId>,
        /// For how long.
        for_ms: u32,
    },
    /// (2) Hear everybody again.
    Heal,
    /// (3) Drop the token of this ring when it comes next, and every copy of it.
    LoseToken,
    /// (4) Stop without a word, as in a power cut; whoever started the process starts it again after so many milliseconds.
    Crash {
        /// How long it stays away.
        for_ms: u32,
        /// Not before it holds the token, which it asks for.
        holding: bool,
    },
    /// (5) Write a checkpoint.
    Checkpoint,
    /// (6) Roll back to a checkpoint; 0 stands for the newest.
    Rollback {
        /// Its number.
        number: u64,
    },
    /// (7) Delay what is written from now on by so many microseconds.
    Delay {
        /// The shortest delay.
        min_us: u64,
        /// The longest.
        max_us: u64,
    },
    /// (8) Say a line, in the room that nodes begin in.
    Say {
        /// The line.
        text: String,
    },
    /// (9) Have a second node started under its own id, to see it refused.
    Twin,
}

/// What becomes of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabState {
    /// (0) It is asked for.
    Asked,
    /// (1) It begins.
    Begins,
    /// (2) It is over, or done if it takes no time.
    Ends,
    /// (3) The node does not do it: nobody would start it again.
    NobodyRestarts,
    /// (4) The node does not do it: it is alone, and no token comes.
    Alone,
    /// (5) The node does not do it: there is no such checkpoint.
    NoCheckpoint,
    /// (6) The node does not do it: it cannot do without hearing itself.
    CutFromItself,
    /// (7) It went wrong: a second process could not be started, or was not refused; or the checkpoint cannot be read.
    WentWrong,
}

/// A wish, to the node it is for, or news of it, by multicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lab {
    /// Rises with each one of the sender: a copy is not heeded again.
    pub counter: u64,
    /// Who asked for it.
    pub by: NodeId,
    /// Who does it.
    pub on: NodeId,
    /// How far it is.
    pub state: LabState,
    /// What it is.
    pub deed: Deed,
}

impl LabState {
    /// Why the deed is not done, if it is not.
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            LabState::Asked | LabState::Begins | LabState::Ends => None,
            LabState::NobodyRestarts => Some("nobody would start this node again"),
            LabState::Alone => Some("it is alone in its ring, and no token comes"),
            LabState::NoCheckpoint => Some("there is no such checkpoint"),
            LabState::CutFromItself => Some("it always hears itself"),
            LabState::WentWrong => Some("it went wrong"),
        }
    }

    /// The same as programs read it.
    pub fn why(self) -> Option<&'static str> {
        match self {
            LabState::Asked | LabState::Begins | LabState::Ends => None,
            LabState::NobodyRestarts => Some("nobody_restarts"),
            LabState::Alone => Some("alone"),
            LabState::NoCheckpoint => Some("no_checkpoint"),
            LabState::CutFromItself => Some("cut_from_itself"),
            LabState::WentWrong => Some("went_wrong"),
        }
    }

    fn number(self) -> u8 {
        match self {
            LabState::Asked => 0,
            LabState::Begins => 1,
            LabState::Ends => 2,
            LabState::NobodyRestarts => 3,
            LabState::Alone => 4,
            LabState::NoCheckpoint => 5,
            LabState::CutFromItself => 6,
            LabState::WentWrong => 7,
        }
    }

    fn of_number(number: u8) -> Result<LabState, Refused> {
        Ok(match number {
            0 => LabState::Asked,
            1 => LabState::Begins,
            2 => LabState::Ends,
            3 => LabState::NobodyRestarts,
            4 => LabState::Alone,
            5 => LabState::NoCheckpoint,
            6 => LabState::CutFromItself,
            7 => LabState::WentWrong,
            _ => return Err(Refused::BadField("lab state")),
        })
    }
}

impl Lab {
    pub(super) fn write(&self, out: &mut Writer) {
        out.u64(self.counter);
        out.u16(self.by.0);
        out.u16(self.on.0);
        out.u8(self.state.number());
        self.deed.write(out);
    }

    pub(super) fn read(from: &mut Reader) -> Result<Lab, Refused> {
        Ok(Lab {
            counter: from.u64()?,
            by: from.node_id()?,
            on: from.node_id()?,
            state: LabState::of_number(from.u8()?)?,
            deed: Deed::read(from)?,
        })
    }
}

impl Deed {
    fn write(&self, out: &mut Writer) {
        match self {
            Deed::Pause { for_ms, holding } => {
                out.u8(0);
                out.u32(*for_ms);
                out.u8(u8::from(*holding));
            }
            Deed::Cut { from, for_ms } => {
                out.u8(1);
                out.u32(*for_ms);
                out.count(from.len());
                from.iter().for_each(|node| out.u16(node.0));
            }
            Deed::Heal => out.u8(2),
            Deed::LoseToken => out.u8(3),
            Deed::Crash { for_ms, holding } => {
                out.u8(4);
                out.u32(*for_ms);
                out.u8(u8::from(*holding));
            }
            Deed::Checkpoint => out.u8(5),
            Deed::Rollback { number } => {
                out.u8(6);
                out.u64(*number);
            }
            Deed::Delay { min_us, max_us } => {
                out.u8(7);
                out.u64(*min_us);
                out.u64(*max_us);
            }
            Deed::Say { text } => {
                out.u8(8);
                out.slice(text.as_bytes());
            }
            Deed::Twin => out.u8(9),
        }
    }

    fn read(from: &mut Reader) -> Result<Deed, Refused> {
        Ok(match from.u8()? {
            0 => Deed::Pause {
                for_ms: from.u32()?,
                holding: from.bool()?,
            },
            1 => {
                let for_ms = from.u32()?;
                let count = from.count(2, CUT_MAX)?;
                let cut = (0..count)
                    .map(|_| from.node_id())
                    .collect::<Result<Vec<_>, _>>()?;
                if !cut.is_sorted_by(|a, b| a < b) {
                    return Err(Refused::BadField("cut"));
                }
                Deed::Cut { from: cut, for_ms }
            }
            2 => Deed::Heal,
            3 => Deed::LoseToken,
            4 => Deed::Crash {
                for_ms: from.u32()?,
                holding: from.bool()?,
            },
            5 => Deed::Checkpoint,
            6 => Deed::Rollback { number: from.u64()? },
            7 => Deed::Delay {
                min_us: from.u64()?,
                max_us: from.u64()?,
            },
            8 => Deed::Say {
                text: from.text(LINE_BYTES_MAX)?,
            },
            9 => Deed::Twin,
            _ => return Err(Refused::BadField("deed")),
        })
    }
}
