//! A record: one message at its position, and its line in a replica file.

use bytes::Bytes;

use crate::words::{MessageId, Position};

/// One message at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The message's name.
    pub id: MessageId,
    /// Where it stands.
    pub position: Position,
    /// Its content as it travelled: a JSON object.
    pub content: Bytes,
}
