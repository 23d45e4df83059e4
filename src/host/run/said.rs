//! Which keys were said already, and under which ids: what makes saying twice the same as saying once.
//!
//! A key is known from the moment its line is given to the core until a thousand own messages later. At a start the keys of
//! the outbox and of the last own messages of the replica are learnt, before anybody can ask.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::host::disk::Disk;
use crate::host::files::FileError;
use crate::host::web::asks::Replier;
use crate::node::face::Notice;
use crate::replica::Record;
use crate::replica::content::ContentView;
use crate::words::{MessageId, NodeId};

/// Keys of own messages with numbers that are remembered.
const KEYS_MAX: usize = 1_000;
/// Records that a start looks through for them: a node that seldom speaks in a long history must start soon all the same.
const LOOKED_THROUGH_MAX: usize = 100_000;
/// Tries of one line that wait for the same answer; older ones are answered as if the node had gone.
const TRIES_MAX: usize = 8;

/// Keys and ids.
#[derive(Debug, Default)]
pub struct Said {
    /// Lines that are with the core, and not pending or refused yet: by their tags.
    under_way: BTreeMap<u64, UnderWay>,
    /// Lines that are in the outbox, without a number. There are as many as the outbox takes.
    pending: BTreeMap<String, MessageId>,
    /// Lines that have a number.
    ordered: BTreeMap<String, MessageId>,
    /// Their keys, the oldest first.
    oldest: VecDeque<String>,
}

/// A line on its way to the outbox.
#[derive(Debug)]
struct UnderWay {
    key: String,
    waiting: VecDeque<Replier>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is to be said.
    New,
    /// It is on its way to the outbox; whoever asked is answered when it is there.
    UnderWay,
    /// It was said, under this id.
    Said(MessageId),
}

impl Said {
    /// What is known of a key. Where its line is under way, the reply waits with those before it.
    pub fn look(&mut self, key: &str, reply: &Replier) -> Known {
        if let Some(id) = self.pending.get(key).or_else(|| self.ordered.get(key)) {
            return Known::Said(*id);
        }
        let Some(line) = self.under_way.values_mut().find(|line| line.key == key) else {
            return Known::New;
        };
        if line.waiting.len() >= TRIES_MAX {
            line.waiting.pop_front();
        }
        line.waiting.push_back(reply.clone());
        Known::UnderWay
    }

    /// A line was given to the core under this tag.
    pub fn given(&mut self, tag: u64, key: String, reply: Replier) {
        let waiting = VecDeque::from([reply]);
        self.under_way.insert(tag, UnderWay { key, waiting });
    }

    /// Takes in what the core tells. Returns who waits for it.
    pub fn notice(&mut self, notice: &Notice) -> VecDeque<Replier> {
        let mut settled = None;
        if let Notice::Pending { id, tag, content } = notice {
            if let Some(key) = key(content) {
                self.pending.insert(key, *id);
            }
            settled = *tag;
        } else if let Notice::Refused { tag, .. } = notice {
            settled = Some(*tag);
        } else if let Notice::Message {
            record, own: true, ..
        } = notice
        {
            self.ordered(record);
        }
        let line = settled.and_then(|tag| self.under_way.remove(&tag));
        line.map(|line| line.waiting).unwrap_or_default()
    }

    /// An own message has its number.
    fn ordered(&mut self, record: &Record) {
        let Some(key) = key(&record.content) else {
            return;
        };
        self.pending.remove(&key);
        if self.ordered.insert(key.clone(), record.id).is_none() {
            self.oldest.push_back(key);
        }
        if self.oldest.len() > KEYS_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.ordered.remove(&oldest);
        }
    }

    /// Learns what was found on the disk.
    pub fn learn(&mut self, found: &Found) {
        found.ordered.iter().for_each(|record| self.ordered(record));
        for (id, content) in &found.pending {
            if let Some(key) = key(content) {
                self.pending.insert(key, *id);
            }
        }
    }

    /// A life is over: what it had not put into the outbox is not said.
    pub fn end_life(&mut self) {
        self.under_way.clear();
    }
}

/// What a start finds.
#[derive(Debug, Default)]
pub struct Found {
    /// Lines in the outbox.
    pending: Vec<(MessageId, Bytes)>,
    /// The last own messages, in their order.
    ordered: Vec<Record>,
}

impl Found {
    /// Looks for keys in the outbox and at the end of the replica.
    pub fn look(disk: &Disk, me: NodeId, outbox: &[(MessageId, Bytes)]) -> Result<Found, FileError> {
        let looked_through = std::cell::Cell::new(0);
        let is_own = |record: &Record| {
            looked_through.set(looked_through.get() + 1);
            // Behind the bound everything will do: it ends the search.
            looked_through.get() > LOOKED_THROUGH_MAX || record.id.sender.id == me
        };
        let mut ordered = disk.last_records_of(KEYS_MAX, is_own)?;
        ordered.retain(|record| record.id.sender.id == me);
        let pending = outbox.to_vec();
        Ok(Found { pending, ordered })
    }
}

/// The key of a content, if it has one.
fn key(content: &Bytes) -> Option<String> {
    let view = ContentView::from_bytes(content).ok()?;
    view.key.map(|key| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::samples;
    use crate::host::web::asks::{Ask, Asks};
    use crate::replica::Content;
    use crate::words::WallTime;

    fn replier() -> Replier {
        let (asks, asked) = Asks::open();
        std::thread::Builder::new()
            .spawn(move || asks.ask(Ask::About).is_ok())
            .unwrap();
        asked.recv().unwrap().reply
    }

    fn record(seq: u64, key: &str) -> Record {
        let content = Content::new(NodeId(3), "ana", "geral", WallTime(0), "oi").unwrap();
        Record {
            content: content.with_key(key).unwrap().to_bytes(),
            id: samples::id(3, seq),
            position: samples::position(4, seq),
        }
    }

    fn message(record: &Record) -> Notice {
        let record = record.clone();
        let (late, own) = (false, true);
        Notice::Message { record, late, own }
    }

    #[test]
    fn a_key_is_known_from_the_first_try_on() {
        let (mut said, line) = (Said::default(), record(1, "k"));
        assert_eq!(said.look("k", &replier()), Known::New);
        said.given(7, "k".into(), replier());
        assert_eq!(said.look("k", &replier()), Known::UnderWay);
        let content = line.content.clone();
        let tag = Some(7);
        let pending = Notice::Pending {
            id: line.id,
            tag,
            content,
        };
        assert_eq!(said.notice(&pending).len(), 2, "both tries are answered");
        assert_eq!(said.look("k", &replier()), Known::Said(line.id));
        assert!(said.notice(&message(&line)).is_empty());
        assert_eq!(said.look("k", &replier()), Known::Said(line.id));
        assert_eq!(said.look("other", &replier()), Known::New);
    }

    #[test]
    fn a_line_that_was_refused_may_be_said_again() {
        let mut said = Said::default();
        said.given(7, "k".into(), replier());
        let reason = String::from("the disk is full");
        assert_eq!(said.notice(&Notice::Refused { tag: 7, reason }).len(), 1);
        assert_eq!(said.look("k", &replier()), Known::New);
    }

    #[test]
    fn the_oldest_keys_are_forgotten_but_none_that_has_no_number() {
        let mut said = Said::default();
        let found = Found {
            pending: vec![(samples::id(3, 9_999), record(9_999, "waits").content)],
            ordered: vec![record(1, "first")],
        };
        said.learn(&found);
        for seq in 2..=KEYS_MAX as u64 + 1 {
            said.notice(&message(&record(seq, &format!("k{seq}"))));
        }
        assert_eq!(said.look("first", &replier()), Known::New);
        assert_eq!(said.look("k2", &replier()), Known::Said(samples::id(3, 2)));
        assert_eq!(said.look("waits", &replier()), Known::Said(samples::id(3, 9_999)));
        assert_eq!((said.ordered.len(), said.oldest.len()), (KEYS_MAX, KEYS_MAX));
    }

    #[test]
    fn tries_that_wait_are_bounded() {
        let mut said = Said::default();
        said.given(7, "k".into(), replier());
        let reply = replier();
        for _ in 0..100 {
            said.look("k", &reply);
        }
        let reason = String::new();
        assert_eq!(said.notice(&Notice::Refused { tag: 7, reason }).len(), TRIES_MAX);
    }
}
