//! Messages as lines, and the lines of one's own that are to become messages.

use bytes::Bytes;

use super::{Level, Shown, View};
use crate::host::terminal::lang::say;
use crate::host::terminal::marked::Marked;
use crate::host::terminal::mention::mentions;
use crate::host::terminal::visible;
use crate::replica::content::Content;
use crate::replica::record::Record;
use crate::words::{MessageId, NodeId};

/// How wide the echo of a pending line may be; it only says which line is meant.
const ECHO_COLUMNS: usize = 60;

/// Where the further lines of a message begin: nothing that starts there can look like a message of its own.
const CONTINUED: &str = "    │ ";
/// What stands between the lines of a message that is listened to.
const LISTENED: &str = " / ";
/// What makes a terminal ring.
const BELL: &str = "\u{7}";

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
                let why = visible::line(&why.to_string());
                self.alarm(&say!(
                    self.voice(),
                    "message-unreadable",
                    name = name,
                    who = from,
                    why = why
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
        let for_others = came != Came::InOrder || own || !self.manner.for_people;
        let called = !for_others && mentions(&content.text, &self.called);
        let body = self.body(from, content, own, called);
        let mut marks = Vec::new();
        if late {
            marks.push(say!(self.voice(), "message-late"));
        }
        if self.voice().plain && own {
            marks.push(say!(self.voice(), "message-yours"));
        }
        if self.voice().plain && called {
            marks.push(say!(self.voice(), "message-mentions-you"));
        }
        let marks: String = marks.iter().map(|mark| format!(" {mark}")).collect();
        let marks = self.manner.style.dim(&marks);
        let number = self.manner.style.dim(&self.numbers.name(record.position));
        let clock = self.manner.style.dim(&clock);
        let bell = if called && self.manner.bell { BELL } else { "" };
        let line = if self.voice().plain {
            format!("{number}, {clock}, {room}{body}{marks}{bell}")
        } else {
            format!("{number} {clock} {room}{body}{marks}{bell}")
        };
        self.out.push(Shown::Data(line));
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
        self.talk(Level::Normal, &say!(self.voice(), "day", date = moment.date()));
        moment.clock()
    }

    /// The room, where it is not the current one.
    fn room_mark(&self, room: &str) -> String {
        if room == self.room {
            return String::new();
        }
        let room = visible::name(room);
        match self.voice().plain {
            true => format!("{}, ", say!(self.voice(), "message-room", room = room)),
            false => format!("[{room}] "),
        }
    }

    /// Who and what; a text that calls the user is made to stand out.
    fn body(&self, from: NodeId, content: &Content, own: bool, called: bool) -> String {
        let (style, voice) = (self.manner.style, self.voice());
        let who = self.people.named(&visible::name(&content.name), from);
        let who = if own {
            style.bold(&who)
        } else {
            style.name(from.0, &who)
        };
        let shown = |text: &str| match called {
            true => style.call(&self.text(text)),
            false => self.text(text),
        };
        match Marked::read(&content.text) {
            Marked::Plain(text) if voice.plain => format!("{who}: {}", shown(text)),
            Marked::Plain(text) => format!("{who} {}", shown(text)),
            Marked::Action(action) => say!(voice, "message-action", who = who, text = shown(action)),
            Marked::Topic(topic) => say!(voice, "message-topic", who = who, text = shown(topic)),
            Marked::Away(reason) => say!(voice, "message-away", who = who, text = shown(reason)),
            Marked::Back => say!(voice, "message-back", who = who),
        }
    }

    /// The text: for people who look over several lines if it has them, else on one.
    fn text(&self, text: &str) -> String {
        match (self.manner.for_people, self.voice().plain) {
            (true, false) => visible::lines(text).join(&format!("\n{CONTINUED}")),
            (true, true) => visible::lines(text).join(LISTENED),
            (false, _) => visible::line(text),
        }
    }

    /// An own line is safe in the outbox.
    pub(super) fn pending(&mut self, id: MessageId, tag: Option<u64>, content: &Bytes) {
        self.pending.insert(id);
        let text = Content::from_bytes(content).map_or_else(|_| String::new(), |content| content.text);
        let echo = visible::cut(&visible::line(&text), ECHO_COLUMNS);
        let line = match tag {
            Some(_) => say!(self.voice(), "pending", text = echo),
            None => say!(self.voice(), "pending-earlier", text = echo),
        };
        self.talk(self.tick_level(), &line);
    }
}
