//! The content of a message: what its sender wrote, as it travels.
//!
//! A content is the body of a JSON object with `from`, `name`, `room`, `sent` and `text` in this order, built
//! once by the sender and carried opaque, unknown keys included, so that the line is byte-equal in every replica.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::words::{NodeId, WallTime};

/// The largest text of a message, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The largest name or room, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The largest content: every byte of a text may need six as JSON (`\u0000`), and so may name and room.
pub const CONTENT_BYTES_MAX: usize = 6 * (TEXT_BYTES_MAX + 2 * NAME_BYTES_MAX) + 512;
/// The room of a message that names none.
pub const DEFAULT_ROOM: &str = "geral";

/// A content in its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The sender's id.
    pub from: u16,
    /// The sender's name when it was said.
    pub name: String,
    /// The room it was said in.
    pub room: String,
    /// When it was said, RFC 3339 in UTC with milliseconds.
    pub sent: String,
    /// What was said.
    pub text: String,
}

/// Why bytes are not a content, or a text cannot become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// The text has this many bytes, more than [`TEXT_BYTES_MAX`].
    TextTooLong(usize),
    /// A name or room is empty or longer than [`NAME_BYTES_MAX`].
    BadName(String),
    /// The bytes are no JSON object with the keys of a content.
    NotAContent(String),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentError::TextTooLong(bytes) => write!(
                f,
                "the line has {bytes} bytes, more than the {TEXT_BYTES_MAX} of one message; send it in parts"
            ),
            ContentError::BadName(name) => {
                write!(f, "{:?} is no name: 1 to {NAME_BYTES_MAX} bytes", name)
            }
            ContentError::NotAContent(why) => write!(f, "not a message content: {why}"),
        }
    }
}

impl std::error::Error for ContentError {}

impl Content {
    /// Builds the content of a new message.
    pub fn new(
        from: NodeId,
        name: &str,
        room: &str,
        sent: WallTime,
        text: &str,
    ) -> Result<Content, ContentError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ContentError::TextTooLong(text.len()));
        }
        for word in [name, room] {
            if word.is_empty() || word.len() > NAME_BYTES_MAX {
                return Err(ContentError::BadName(word.to_string()));
            }
        }
        let (name, room, text) = (name.to_string(), room.to_string(), text.to_string());
        Ok(Content {
            from: from.0,
            name,
            room,
            sent: rfc3339(sent),
            text,
        })
    }

    /// The bytes that travel: a JSON object on one line.
    pub fn to_bytes(&self) -> Bytes {
        let bytes = serde_json::to_vec(self).expect("strings and a number always become JSON");
        assert!(
            bytes.len() <= CONTENT_BYTES_MAX,
            "a checked content fits its bound"
        );
        Bytes::from(bytes)
    }

    /// Reads a content; unknown keys are allowed and ignored here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Content, ContentError> {
        if bytes.len() > CONTENT_BYTES_MAX {
            return Err(ContentError::NotAContent(format!("{} bytes", bytes.len())));
        }
        if !bytes.starts_with(b"{\"from\":") || bytes.contains(&b'\n') {
            return Err(ContentError::NotAContent(
                "does not begin with \"from\" on one line".into(),
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| ContentError::NotAContent(error.to_string()))
    }
}

/// A wall-clock time as text: RFC 3339, UTC, milliseconds.
pub fn rfc3339(time: WallTime) -> String {
    let ms = i64::try_from(time.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => format!("{:.3}", jiff::Timestamp::MAX),
    }
}
