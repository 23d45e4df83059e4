//! Builds one JSON object on one line, its keys in the order in which they are added.

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

    /// A key whose value is JSON already.
    pub fn raw(mut self, key: &str, json: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// A string.
    pub fn text(self, key: &str, value: impl AsRef<str>) -> Object {
        let json = quoted(value.as_ref());
        self.raw(key, &json)
    }

    /// A number.
    pub fn number(self, key: &str, value: impl Into<u64>) -> Object {
        let json = value.into().to_string();
        self.raw(key, &json)
    }

    /// A number, or null.
    pub fn maybe(self, key: &str, value: Option<u64>) -> Object {
        let json = value.map_or_else(|| "null".to_string(), |number| number.to_string());
        self.raw(key, &json)
    }

    /// A string, or null.
    pub fn maybe_text(self, key: &str, value: Option<impl AsRef<str>>) -> Object {
        let json = value.map_or_else(|| "null".to_string(), |text| quoted(text.as_ref()));
        self.raw(key, &json)
    }

    /// True or false.
    pub fn flag(self, key: &str, value: bool) -> Object {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// `ring` and `seq` of a position.
    pub fn position(self, position: &Position) -> Object {
        self.text("ring", position.ring.to_string())
            .number("seq", position.seq.0)
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
