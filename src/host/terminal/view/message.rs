//! Messages as lines, and the lines of one's own that are to become messages.

use bytes::Bytes;

use super::{Level, Shown, View};
use crate::host::terminal::marked::Marked;
use crate::host::terminal::visible;
use crate::replica::content::Content;
use crate::replica::record::Record;
use crate::words::{MessageId, NodeId};

/// How wide the echo of a pending line may be; it only says which line is meant.
const ECHO_COLUMNS: usize = 60;

/// Where the further lines of a message begin: nothing that starts there can look like a message of its own.
const CONTINUED: &str = "    │ ";

/// How a message comes to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It was delivered in order.
    InOrder,
    /// It was delivered after later ones.
    Late,
    /// It is one of before, asked for.
    Before,
}

impl View {
    /// A message of before, because it was asked for.
    pub fn earlier(&mut self, record: &Record, own: bool) {
        self.numbers.saw(record.position);
        self.show_message(record, Came::Before, own);
    }

    /// A message was delivered.
    pub(super) fn message(&mut self, record: &Record, late: bool, own: bool) {
        self.pending.remove(&record.id);
        self.numbers.saw(record.position);
        if !late || !self.hold_back(record, own) {
            let came = if late { Came::Late } else { Came::InOrder };
            self.show_message(record, came, own);
        }
    }

    /// Shows a message.
    pub(super) fn show_message(&mut self, record: &Record, came: Came, own: bool) {
        match Content::from_bytes(&record.content) {
            Ok(content) => self.readable(record, &content, came, own),
            Err(why) => {
                let name = self.numbers.name(record.position);
                let from = self.people.who(record.id.sender.id);
                self.alarm(&format!(
                    "{name} of {from} cannot be read: {}",
                    visible::line(&why.to_string())
                ));
            }
        }
    }

    fn readable(&mut self, record: &Record, content: &Content, came: Came, own: bool) {
        let late = came == Came::Late;
        let from = record.id.sender.id;
        match came {
            Came::InOrder => {
                self.people.learn(from, &content.name);
                self.people.spoke(from, &content.text);
            }
            // The name of now is another one, perhaps.
            Came::Late | Came::Before => self.people.learn_if_unknown(from, &content.name),
        }
        self.know_room(&content.room);
        self.learn_topic(record, content);
        let clock = self.clock(&content.sent, late);
        let room = self.room_mark(&content.room);
        let body = self.body(from, &visible::name(&content.name), &content.text, own);
        let number = self.manner.style.dim(&self.numbers.name(record.position));
        let clock = self.manner.style.dim(&clock);
        let mark = if late {
            self.manner.style.dim(" (came late)")
        } else {
            String::new()
        };
        self.out
            .push(Shown::Data(format!("{number} {clock} {room}{body}{mark}")));
    }

    /// Remembers the last topic of each room that is known: its record may not be written yet when it is asked for.
    fn learn_topic(&mut self, record: &Record, content: &Content) {
        let is_topic = matches!(Marked::read(&content.text), Marked::Topic(_));
        let known = self.topics.get(&content.room);
        let newer = known.is_none_or(|known| known.position < record.position);
        if is_topic && newer && self.rooms.contains(&content.room) {
            self.topics.insert(content.room.clone(), record.clone());
        }
    }

    /// The topic of a room: what the replica has, or a later one that came and is still to be written.
    pub fn topic(&self, room: &str, written: Option<Record>) -> Option<Record> {
        let came = self.topics.get(room).cloned();
        written
            .into_iter()
            .chain(came)
            .max_by_key(|record| record.position)
    }

    /// The minute it was said; the day too where it is another one than that of the message before.
    fn clock(&mut self, sent: &str, late: bool) -> String {
        let Some(moment) = self.manner.zone.moment(sent) else {
            return "--:--".to_string();
        };
        if self.day == Some(moment.day) {
            return moment.clock();
        }
        if late {
            return format!("{} {}", moment.date(), moment.clock());
        }
        self.day = Some(moment.day);
        self.talk(Level::Normal, &format!("— {} —", moment.date()));
        moment.clock()
    }

    /// The room, where it is not the current one.
    fn room_mark(&self, room: &str) -> String {
        if room == self.room {
            return String::new();
        }
        format!("[{}] ", visible::name(room))
    }

    /// Who and what.
    fn body(&self, from: NodeId, name: &str, text: &str, own: bool) -> String {
        let who = format!("{name}·{from}");
        let who = if own {
            self.manner.style.bold(&who)
        } else {
            self.manner.style.name(from.0, &who)
        };
        match Marked::read(text) {
            Marked::Plain(text) => format!("{who} {}", self.text(text)),
            Marked::Action(action) => format!("* {who} {}", self.text(action)),
            Marked::Topic(topic) => format!("* {who} sets the topic: {}", self.text(topic)),
            Marked::Away(reason) => format!("* {who} is away: {}", self.text(reason)),
            Marked::Back => format!("* {who} is back"),
        }
    }

    /// The text: for people over several lines if it has them, for programs on one.
    fn text(&self, text: &str) -> String {
        if self.manner.for_people {
            visible::lines(text).join(&format!("\n{CONTINUED}"))
        } else {
            visible::line(text)
        }
    }

    /// An own line is safe in the outbox.
    pub(super) fn pending(&mut self, id: MessageId, tag: Option<u64>, content: &Bytes) {
        self.pending.insert(id);
        let text = Content::from_bytes(content).map_or_else(|_| String::new(), |content| content.text);
        let echo = visible::cut(&visible::line(&text), ECHO_COLUMNS);
        let line = match tag {
            Some(_) => format!("· pending: {echo}"),
            None => format!("· pending, from an earlier life: {echo}"),
        };
        self.talk(self.tick_level(), &line);
    }
}
