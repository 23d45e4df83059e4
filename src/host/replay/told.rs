//! An event as a recording has it: types of their own, apart from what the core tells today.
//!
//! A recording outlives the program that wrote it. What is optional here is what older or quieter recordings lack; what
//! is not known is kept as [`Told::Other`] and skipped by all who do not care.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::host::events::VERSION;
use crate::words::{MessageId, Position, RingId, Seq};

/// What every event begins with.
#[derive(Clone, Debug)]
pub struct Head {
    /// The version of the format.
    pub v: u64,
    /// The event's type.
    pub kind: String,
    /// When it was told, by the wall clock.
    pub at: Option<String>,
    /// The stream's counter.
    pub n: Option<u64>,
    /// Who told it.
    pub node: Option<u16>,
    /// On the teller's own clock.
    pub us: Option<u64>,
}

impl Head {
    /// A head for words that do not need one.
    pub fn plain() -> Head {
        Head {
            v: VERSION,
            kind: String::new(),
            at: None,
            n: None,
            node: None,
            us: None,
        }
    }
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoEvent {
    /// It is not what an event looks like; how.
    Damaged(String),
    /// It is of a version that this program does not know.
    Newer(u64),
}

/// A member as the event of its ring names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct MemberTold {
    /// The node.
    pub id: u16,
    /// What it calls itself.
    #[serde(default)]
    pub name: String,
}

/// A ring that members of a new one come from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct CameFrom {
    /// That ring; null for those that were in none.
    #[serde(default, deserialize_with = "maybe_spelled")]
    pub ring: Option<RingId>,
    /// Who comes from it.
    #[serde(default)]
    pub members: Vec<u16>,
}

/// A message is delivered.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct MessageTold {
    /// Which one.
    #[serde(deserialize_with = "spelled")]
    pub id: MessageId,
    /// The ring that it was stamped in.
    #[serde(deserialize_with = "spelled")]
    pub ring: RingId,
    /// Its number there.
    pub seq: u64,
    /// Who said it.
    #[serde(default)]
    pub name: String,
    /// What was said.
    #[serde(default)]
    pub text: String,
    /// Whether later ones were delivered before it.
    #[serde(default)]
    pub late: bool,
}

/// A ring is installed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RingTold {
    /// Which one.
    #[serde(deserialize_with = "spelled")]
    pub ring: RingId,
    /// Who is in it, in its order.
    pub members: Vec<MemberTold>,
    /// Who was not in the ring before.
    #[serde(default)]
    pub joined: Vec<u16>,
    /// Who was, and is not in this one.
    #[serde(default)]
    pub left: Vec<u16>,
    /// Its first number.
    #[serde(default)]
    pub first: u64,
    /// Which rings its members come from.
    #[serde(default)]
    pub came_from: Vec<CameFrom>,
}

/// What a node found on its disk.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct StoryTold {
    /// Whether there was nothing.
    #[serde(default)]
    pub fresh: bool,
    /// The checkpoint that it goes on from.
    #[serde(default)]
    pub checkpoint: Option<u64>,
    /// How many messages are in its state.
    #[serde(default)]
    pub held: u64,
    /// How many came after the checkpoint.
    #[serde(default)]
    pub rolled_back: u64,
    /// How many of these came back from its own replica.
    #[serde(default)]
    pub recovered_own: u64,
}

/// Something is done to a node, for a lesson.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct LabTold {
    /// What.
    pub what: String,
    /// Who asked for it.
    #[serde(default)]
    pub by: Option<u16>,
    /// To whom.
    pub on: u16,
    /// How far it is.
    pub state: String,
    /// From whom it is cut off.
    #[serde(default)]
    pub from: Vec<u16>,
}

/// What an event tells, beyond its head.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "docs/EVENTS.md describes every field under the same name"
)]
pub enum Told {
    Start {
        id: u16,
        #[serde(default, deserialize_with = "spelled")]
        incarnation: u64,
        #[serde(default)]
        name: String,
        #[serde(default)]
        quorum: u16,
    },
    Story(StoryTold),
    Pending {
        #[serde(deserialize_with = "spelled")]
        id: MessageId,
        #[serde(default)]
        text: String,
    },
    Stamped {
        #[serde(deserialize_with = "spelled")]
        id: MessageId,
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        seq: u64,
        #[serde(default)]
        hop: u64,
    },
    Message(MessageTold),
    Written {
        #[serde(deserialize_with = "spelled")]
        id: MessageId,
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        seq: u64,
    },
    Held {
        #[serde(deserialize_with = "spelled")]
        id: MessageId,
        seq: u64,
        k: u64,
        n: u64,
    },
    Request {},
    Grant {
        hop: u64,
        #[serde(default, deserialize_with = "maybe_spelled")]
        ring: Option<RingId>,
    },
    Pass {
        hop: u64,
        to: u16,
        #[serde(default, deserialize_with = "maybe_spelled")]
        ring: Option<RingId>,
    },
    Rest {
        hop: u64,
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
    },
    Wake {
        hop: u64,
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        #[serde(default)]
        by: Option<u16>,
    },
    Token {
        hop: u64,
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        #[serde(default)]
        high: u64,
    },
    Gathering {
        #[serde(default)]
        reason: String,
    },
    Ring(RingTold),
    Fenced {
        from: u16,
    },
    Woke {
        away_us: u64,
    },
    Asked {
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        from_seq: u64,
        to_seq: u64,
        by: u16,
    },
    Resent {
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        seq: u64,
        #[serde(default)]
        to: Option<u16>,
    },
    Repaired {
        #[serde(deserialize_with = "spelled")]
        ring: RingId,
        seq: u64,
        from: u16,
    },
    Checkpointed {
        #[serde(default)]
        number: Option<u64>,
    },
    CaughtUp {
        peer: u16,
        received: u64,
    },
    Reconciled {
        records: u64,
    },
    DiskFull {
        #[serde(default)]
        reason: String,
    },
    DiskRoom {},
    Lab(LabTold),
    Lost {
        count: u64,
    },
    Warning {
        #[serde(default)]
        text: String,
    },
    Exit {
        code: u64,
        #[serde(default)]
        reason: Option<String>,
    },
    /// What has no words of its own here.
    #[serde(other)]
    Other,
}

/// Reads a line.
pub fn read(line: &[u8]) -> Result<(Head, Told), NoEvent> {
    let damaged = |error: serde_json::Error| NoEvent::Damaged(error.to_string());
    let value: Value = serde_json::from_slice(line).map_err(damaged)?;
    let head = head(&value)?;
    match head.v {
        VERSION => {}
        newer if newer > VERSION => return Err(NoEvent::Newer(newer)),
        never => return Err(NoEvent::Damaged(format!("there was never a version {never}"))),
    }
    let told = serde_json::from_value(value).map_err(damaged)?;
    Ok((head, told))
}

fn head(value: &Value) -> Result<Head, NoEvent> {
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_string);
    let lacks = |key: &str| NoEvent::Damaged(format!("it has no `{key}`"));
    let kind = text("type").ok_or_else(|| lacks("type"))?;
    Ok(Head {
        v: number("v").ok_or_else(|| lacks("v"))?,
        kind,
        at: text("at"),
        n: number("event"),
        node: number("node").and_then(|node| u16::try_from(node).ok()),
        us: number("us"),
    })
}

/// Where a message stands.
pub fn position(ring: RingId, seq: u64) -> Position {
    let seq = Seq(seq);
    Position { ring, seq }
}

/// A word that is written as a string.
fn spelled<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// The same, or null.
fn maybe_spelled<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text: Option<String> = Option::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}
