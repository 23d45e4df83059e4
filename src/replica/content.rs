//! The content of a message: what its sender wrote, as it travels.
//!
//! A content is the body of a JSON object with `from`, `name`, `room`, `sent` and `text` in this order, and `key` last
//! where there is one, built once by the sender and carried opaque, unknown keys included, so that the line is
//! byte-equal in every replica.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::words::{NodeId, WallTime};

/// The largest text of a message, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The largest name or room, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest key, in bytes: room for any usual random id.
pub const KEY_BYTES_MAX: usize = 64;
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
    /// The mark of whoever had it said, by which a second try is known: it says nothing to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Why bytes are not a content, or a text cannot become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// The text has this many bytes, more than [`TEXT_BYTES_MAX`].
    TextTooLong(usize),
    /// A name or room is empty or longer than [`NAME_BYTES_MAX`].
    BadName(String),
    /// A key is empty, longer than [`KEY_BYTES_MAX`], or has other characters than letters, digits, `_` and `-`.
    BadKey(String),
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
            ContentError::BadKey(key) => write!(
                f,
                "{key:?} is no key: 1 to {KEY_BYTES_MAX} letters of A-Z and a-z, digits, _ and -"
            ),
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
            key: None,
        })
    }

    /// The same content under a key.
    pub fn with_key(self, key: &str) -> Result<Content, ContentError> {
        if !is_key(key) {
            return Err(ContentError::BadKey(key.to_string()));
        }
        let key = Some(key.to_string());
        Ok(Content { key, ..self })
    }

    /// The bytes that travel: a JSON object on one line.
    pub fn to_bytes(&self) -> Bytes {
        let texts = self.name.len() + self.room.len() + self.sent.len() + self.text.len();
        let mut bytes = Vec::with_capacity(texts + 64);
        serde_json::to_writer(&mut bytes, self).expect("strings and a number always become JSON");
        assert!(
            bytes.len() <= CONTENT_BYTES_MAX,
            "a checked content fits its bound"
        );
        Bytes::from(bytes)
    }

    /// Reads a content; unknown keys are allowed and ignored here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Content, ContentError> {
        let view = ContentView::from_bytes(bytes)?;
        Ok(Content {
            from: view.from,
            name: view.name.into_owned(),
            room: view.room.into_owned(),
            sent: view.sent.into_owned(),
            text: view.text.into_owned(),
            key: view.key.map(Cow::into_owned),
        })
    }
}

/// A content in its parts, where they stand as far as nothing in them is escaped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ContentView<'a> {
    /// The sender's id.
    pub from: u16,
    /// The sender's name when it was said.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The room it was said in.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    /// When it was said.
    #[serde(borrow)]
    pub sent: Cow<'a, str>,
    /// What was said.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// The mark of whoever had it said. What others put there may be anything: what is no key counts as none.
    #[serde(borrow, default, deserialize_with = "key")]
    pub key: Option<Cow<'a, str>>,
}

impl<'a> ContentView<'a> {
    /// Reads a content; see [`Content::from_bytes`].
    pub fn from_bytes(bytes: &'a [u8]) -> Result<ContentView<'a>, ContentError> {
        if bytes.len() > CONTENT_BYTES_MAX {
            return Err(ContentError::NotAContent(format!("{} bytes", bytes.len())));
        }
        if !bytes.starts_with(b"{\"from\":") || memchr::memchr(b'\n', bytes).is_some() {
            return Err(ContentError::NotAContent(
                "does not begin with \"from\" on one line".into(),
            ));
        }
        match ContentView::plain(bytes) {
            Some(view) => Ok(view),
            None => {
                serde_json::from_slice(bytes).map_err(|error| ContentError::NotAContent(error.to_string()))
            }
        }
    }

    /// Reads what [`Content::to_bytes`] makes of texts in which nothing is escaped, as most are; of other bytes, nothing.
    fn plain(bytes: &'a [u8]) -> Option<ContentView<'a>> {
        let special = |byte: &u8| *byte < b' ' || *byte == b'\\';
        if bytes.iter().fold(false, |found, byte| found | special(byte)) {
            return None;
        }
        let rest = std::str::from_utf8(bytes).ok()?.strip_prefix("{\"from\":")?;
        let (from, mut rest) = rest.split_once(',')?;
        let mut value = |key: &str| {
            // Nothing is escaped, so a string ends with the next quote.
            let (value, behind) = rest.strip_prefix(key)?.split_once('"')?;
            rest = behind;
            Some(Cow::Borrowed(value))
        };
        let view = ContentView {
            from: from.parse().ok()?,
            name: value("\"name\":\"")?,
            room: value(",\"room\":\"")?,
            sent: value(",\"sent\":\"")?,
            text: value(",\"text\":\"")?,
            key: None,
        };
        let key = match rest {
            "}" => None,
            rest => {
                let key = rest.strip_prefix(",\"key\":\"")?.strip_suffix("\"}")?;
                is_key(key).then_some(Some(Cow::Borrowed(key)))?
            }
        };
        let is_json =
            from.bytes().all(|byte| byte.is_ascii_digit()) && !(from.starts_with('0') && from.len() > 1);
        is_json.then_some(ContentView { key, ..view })
    }
}

/// Whether this can be a key.
pub fn is_key(text: &str) -> bool {
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(sane)
}

/// Reads a key, and nothing from any other value: it was an unknown key to those who read it before.
fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?.get();
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(inside.filter(|inside| is_key(inside)).map(Cow::Borrowed))
}

/// A wall-clock time as text: RFC 3339, UTC, milliseconds.
pub fn rfc3339(time: WallTime) -> String {
    let ms = i64::try_from(time.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => format!("{:.3}", jiff::Timestamp::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(name: &str, room: &str, text: &str) -> Result<Content, ContentError> {
        Content::new(NodeId(3), name, room, WallTime(1_763_733_791_482), text)
    }

    #[test]
    fn a_content_has_its_keys_in_order_and_comes_back() {
        let said = content("ana", "geral", "oi\n\"olá\"").unwrap();
        let expected = "{\"from\":3,\"name\":\"ana\",\"room\":\"geral\",\
            \"sent\":\"2025-11-21T14:03:11.482Z\",\"text\":\"oi\\n\\\"olá\\\"\"}";
        assert_eq!(said.to_bytes(), expected.as_bytes());
        assert_eq!(Content::from_bytes(expected.as_bytes()), Ok(said));
    }

    #[test]
    fn a_text_may_be_as_long_as_a_message_and_no_longer() {
        let longest = "\u{0}".repeat(TEXT_BYTES_MAX);
        let bytes = content("a", "b", &longest).unwrap().to_bytes();
        assert_eq!(Content::from_bytes(&bytes).unwrap().text, longest);
        let refused = content("a", "b", &(longest + "x"));
        assert_eq!(refused, Err(ContentError::TextTooLong(65_537)));
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("65537 bytes, more than the 65536"), "{told}");
    }

    #[test]
    fn a_name_and_a_room_have_1_to_64_bytes() {
        let (longest, longer) = ("x".repeat(64), "x".repeat(65));
        let longer = longer.as_str();
        assert!(content(&longest, &longest, "").is_ok());
        for (name, room, bad) in [
            ("", "b", ""),
            ("a", "", ""),
            (longer, "b", longer),
            ("a", longer, longer),
        ] {
            let refused = content(name, room, "oi").unwrap_err();
            assert_eq!(refused, ContentError::BadName(bad.to_string()));
            assert_eq!(refused.to_string(), format!("{bad:?} is no name: 1 to 64 bytes"));
        }
    }

    #[test]
    fn other_bytes_are_no_content_and_the_reason_is_told() {
        let why = |bytes: &[u8]| Content::from_bytes(bytes).unwrap_err().to_string();
        let form = "not a message content: does not begin with \"from\" on one line";
        assert_eq!(why(b"{\"name\":\"a\",\"from\":3}"), form);
        let good = content("a", "b", "oi").unwrap().to_bytes();
        assert_eq!(why(&[&good[..], b"\n"].concat()), form);
        assert!(why(b"{\"from\":3}").contains("missing field"));
        // Blanks may follow a JSON object, up to the longest content.
        let blanks = |length: usize| [&good[..], &b" ".repeat(length - good.len())[..]].concat();
        assert!(Content::from_bytes(&blanks(CONTENT_BYTES_MAX)).is_ok());
        let longer = CONTENT_BYTES_MAX + 1;
        assert_eq!(
            why(&blanks(longer)),
            format!("not a message content: {longer} bytes")
        );
    }

    #[test]
    fn a_key_comes_last_and_is_left_out_where_there_is_none() {
        let keyed = content("a", "b", "oi").unwrap().with_key("k-1_Z").unwrap();
        let bytes = keyed.to_bytes();
        assert!(
            bytes.ends_with(b",\"text\":\"oi\",\"key\":\"k-1_Z\"}"),
            "{bytes:?}"
        );
        assert_eq!(Content::from_bytes(&bytes), Ok(keyed));
        for bad in ["", "a b", "\u{e9}", "a\"", &"k".repeat(65)] {
            let refused = content("a", "b", "oi").unwrap().with_key(bad).unwrap_err();
            assert_eq!(refused, ContentError::BadKey(bad.to_string()));
        }
        assert!(content("a", "b", "oi").unwrap().with_key(&"k".repeat(64)).is_ok());
    }

    #[test]
    fn what_others_call_a_key_and_is_none_is_let_pass() {
        let good = content("a", "b", "oi").unwrap().to_bytes();
        for value in ["7", "null", "{\"a\":[1]}", "\"\"", "\"a b\"", "\"\\u0061\""] {
            let mut bytes = good[..good.len() - 1].to_vec();
            bytes.extend_from_slice(format!(",\"key\":{value}}}").as_bytes());
            let read = Content::from_bytes(&bytes).unwrap();
            assert_eq!((read.text.as_str(), read.key), ("oi", None), "{value}");
        }
    }

    #[test]
    fn what_is_read_quickly_is_read_alike() {
        let said = content("ana", "geral", "ol\u{e1}, \u{7f}").unwrap();
        quickly_as_slowly(&said.to_bytes());
        quickly_as_slowly(&said.with_key("aZ09_-k").unwrap().to_bytes());
    }

    /// Compares both ways of reading over all changes of one byte.
    fn quickly_as_slowly(plain: &[u8]) {
        assert!(ContentView::plain(plain).is_some());
        let slowly = |bytes: &[u8]| {
            serde_json::from_slice::<ContentView<'_>>(bytes)
                .ok()
                .map(|view| format!("{view:?}"))
        };
        let mut quick = 0;
        for at in 0..plain.len() {
            for byte in 0..=u8::MAX {
                let (mut other, mut longer) = (plain.to_vec(), plain.to_vec());
                other[at] = byte;
                longer.insert(at, byte);
                for bytes in [other, longer, plain[at..].to_vec(), plain[..at].to_vec()] {
                    if let Some(view) = ContentView::plain(&bytes) {
                        quick += 1;
                        assert_eq!(
                            Some(format!("{view:?}")),
                            slowly(&bytes),
                            "{:?}",
                            String::from_utf8_lossy(&bytes)
                        );
                    }
                }
            }
        }
        assert!(quick > 5_000, "{quick}");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        assert_eq!(rfc3339(WallTime(0)), "1970-01-01T00:00:00.000Z");
        assert!(rfc3339(WallTime(u64::MAX)).starts_with("9999-12-"));
    }
}
