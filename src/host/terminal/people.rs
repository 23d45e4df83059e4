//! Who is who: the names that go with the ids, as far as messages and the ring have told.

use std::collections::BTreeMap;

use super::lang::{Voice, say};
use super::marked::Marked;
use super::visible;
use crate::words::NodeId;

/// The widest reason of being away that is shown, in columns.
const AWAY_COLUMNS: usize = 40;

/// Names by id, and who is away. Bounded by the number of ids.
#[derive(Clone, Debug, Default)]
pub struct People {
    voice: Voice,
    names: BTreeMap<NodeId, String>,
    away: BTreeMap<NodeId, String>,
}

impl People {
    /// Nobody yet, to be spoken of like this.
    pub fn new(voice: Voice) -> People {
        People {
            voice,
            ..People::default()
        }
    }

    /// How they are spoken of.
    pub fn voice(&self) -> Voice {
        self.voice
    }

    /// Remembers the name last used by a node, made safe to show.
    pub fn learn(&mut self, id: NodeId, name: &str) {
        if !name.trim().is_empty() {
            self.names.insert(id, visible::name(name));
        }
    }

    /// Somebody spoke: whoever does is no longer away, but for saying so.
    pub fn spoke(&mut self, id: NodeId, text: &str) {
        match Marked::read(text) {
            Marked::Away(reason) => {
                let reason = visible::cut(&visible::line(reason), AWAY_COLUMNS);
                self.away.insert(id, reason);
            }
            Marked::Plain(_) | Marked::Action(_) | Marked::Topic(_) | Marked::Back => {
                self.away.remove(&id);
            }
        }
    }

    /// Why somebody is away, if that was said.
    pub fn away(&self, id: NodeId) -> Option<&str> {
        self.away.get(&id).map(String::as_str)
    }

    /// Remembers a name from an old message, which tells less than what is known.
    pub fn learn_if_unknown(&mut self, id: NodeId, name: &str) {
        if !self.names.contains_key(&id) {
            self.learn(id, name);
        }
    }

    /// A node as shown: `ana·3`, or `node 3` if its name is not known.
    pub fn who(&self, id: NodeId) -> String {
        match self.names.get(&id) {
            Some(name) => self.named(name, id),
            None => say!(self.voice, "node", id = id.to_string()),
        }
    }

    /// A node of this name: `ana·3`, or `ana (3)` where it is listened to.
    pub fn named(&self, name: &str, id: NodeId) -> String {
        if self.voice.plain {
            format!("{name} ({id})")
        } else {
            format!("{name}·{id}")
        }
    }

    /// Several nodes as shown: `ana·3, bob·1 and node 2`.
    pub fn all(&self, ids: &[NodeId]) -> String {
        match ids {
            [] => say!(self.voice, "nobody"),
            [one] => self.who(*one),
            [first @ .., last] => {
                let first: Vec<String> = first.iter().map(|id| self.who(*id)).collect();
                say!(
                    self.voice,
                    "who-and-who",
                    most = first.join(", "),
                    last = self.who(*last)
                )
            }
        }
    }

    /// The node meant by an id, a name, or both: `3`, `ana`, `ana·3`. A name that several use means the lowest.
    pub fn find(&self, text: &str) -> Option<NodeId> {
        let text = text.trim();
        if let Some(id) = text.rsplit('·').next().and_then(|id| id.parse().ok()) {
            return Some(NodeId(id));
        }
        let wanted = text.to_lowercase();
        self.names
            .iter()
            .find_map(|(id, name)| (name.to_lowercase() == wanted).then_some(*id))
    }

    /// All names, for completion.
    pub fn names(&self) -> Vec<String> {
        self.names.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_shown_by_name_and_id() {
        let mut people = People::default();
        people.learn(NodeId(3), "ana\u{1b}");
        people.learn(NodeId(1), "Bob");
        people.learn(NodeId(2), "  ");
        assert_eq!(people.who(NodeId(3)), "ana␛·3");
        assert_eq!(people.who(NodeId(2)), "node 2");
        let ids = [NodeId(1), NodeId(2), NodeId(3)];
        assert_eq!(people.all(&ids), "Bob·1, node 2 and ana␛·3");
        assert_eq!(people.all(&ids[..1]), "Bob·1");
        assert_eq!(people.all(&[]), "nobody");
    }

    #[test]
    fn who_says_so_is_away_until_the_next_word() {
        let mut people = People::default();
        people.spoke(NodeId(3), "/away lunch\u{7}");
        assert_eq!(people.away(NodeId(3)), Some("lunch␇"));
        people.spoke(NodeId(3), "back");
        assert_eq!(people.away(NodeId(3)), None);
        people.spoke(NodeId(3), "/away tea");
        people.spoke(NodeId(3), "/away");
        assert_eq!(people.away(NodeId(3)), None);
    }

    #[test]
    fn people_are_found_by_name_or_id() {
        let mut people = People::default();
        people.learn(NodeId(7), "ana");
        people.learn(NodeId(3), "Ana");
        assert_eq!(people.find("ana"), Some(NodeId(3)));
        assert_eq!(people.find("ana·7"), Some(NodeId(7)));
        assert_eq!(people.find("9"), Some(NodeId(9)));
        assert_eq!(people.find("eva"), None);
    }
}
