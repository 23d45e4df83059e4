//! Builds one JSON object on one line, its keys in the order in which they are added.

use std::fmt::{Display, Write};

use crate::host::terminal::visible;
use crate::words::{NodeId, Position};

/// A JSON object in the making.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// An object without keys.
    pub fn new() -> Object {
        Object(String::from("{"))
    }

    /// A key, and what comes before its value.
    fn key(&mut self, key: &str) -> &mut String {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        put_quoted(&mut self.0, key);
        self.0.push(':');
        &mut self.0
    }

    /// A key whose value is JSON already.
    pub fn raw(mut self, key: &str, json: &str) -> Object {
        self.key(key).push_str(json);
        self
    }

    /// A string.
    pub fn text(mut self, key: &str, value: impl AsRef<str>) -> Object {
        put_quoted(self.key(key), value.as_ref());
        self
    }

    /// A string that is digits and signs: an id, a ring, an address.
    pub fn plain(mut self, key: &str, value: impl Display) -> Object {
        write!(self.key(key), "\"{value}\"").expect("writing to a string succeeds");
        self
    }

    /// A number.
    pub fn number(mut self, key: &str, value: impl Into<u64>) -> Object {
        self.key(key).push_str(itoa::Buffer::new().format(value.into()));
        self
    }

    /// A number, or null.
    pub fn maybe(self, key: &str, value: Option<u64>) -> Object {
        match value {
            Some(number) => self.number(key, number),
            None => self.raw(key, "null"),
        }
    }

    /// A string, or null.
    pub fn maybe_text(self, key: &str, value: Option<impl AsRef<str>>) -> Object {
        match value {
            Some(text) => self.text(key, text),
            None => self.raw(key, "null"),
        }
    }

    /// True or false.
    pub fn flag(self, key: &str, value: bool) -> Object {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// `ring` and `seq` of a position.
    pub fn position(self, position: &Position) -> Object {
        self.plain("ring", position.ring).number("seq", position.seq.0)
    }

    /// A list of node ids.
    pub fn nodes(self, key: &str, nodes: &[NodeId]) -> Object {
        let json = list(nodes.iter().map(NodeId::to_string));
        self.raw(key, &json)
    }

    /// The finished object.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

impl Default for Object {
    fn default() -> Self {
        Object::new()
    }
}

/// A JSON list of what is JSON already.
pub fn list(items: impl Iterator<Item = String>) -> String {
    let joined = items.collect::<Vec<_>>().join(",");
    format!("[{joined}]")
}

/// Adds a JSON string in which nothing can steer a terminal. Most texts are printable ASCII with nothing to escape.
fn put_quoted(out: &mut String, text: &str) {
    let stands = |byte: u8| (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\');
    // All are looked at, without a stop: that goes many bytes at a time.
    if text.bytes().fold(true, |all, byte| all & stands(byte)) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&quoted(text));
    }
}

/// A JSON string in which nothing can steer a terminal.
pub fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a string always becomes JSON");
    visible::escape_json(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_values_their_kind() {
        let json = Object::new()
            .number("v", 1u8)
            .text("type", "x\"\u{202e}")
            .maybe("a", None)
            .maybe("b", Some(7))
            .maybe_text("c", None::<&str>)
            .flag("d", true)
            .nodes("e", &[NodeId(2), NodeId(5)])
            .end();
        assert_eq!(
            json,
            r#"{"v":1,"type":"x\"\u202e","a":null,"b":7,"c":null,"d":true,"e":[2,5]}"#
        );
        assert_eq!(Object::new().end(), "{}");
    }
}
