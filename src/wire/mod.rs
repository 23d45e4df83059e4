//! The wire format: what travels in datagrams and on streams between nodes.

use bytes::Bytes;

use crate::words::{MessageId, Seq};

/// A message, or a fragment of a long one, under its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the ring.
    pub seq: Seq,
    /// The message it belongs to.
    pub id: MessageId,
    /// Which fragment this is, from 0.
    pub fragment: u16,
    /// How many fragments the message has.
    pub fragments: u16,
    /// The content, or the fragment's part of it.
    pub bytes: Bytes,
}
