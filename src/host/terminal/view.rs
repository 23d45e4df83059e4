//! What is shown of what happens: notices of the core become calm lines.
//!
//! Messages are data (`#42 14:03 ana·3 oi`), all else is talk and dim. Scrollback cannot be rewritten, so the
//! ticks of an own line are three lines of its life: `· pending: oi` at once, the message itself when it comes
//! back with its number, and `✓✓ #42 held by all 3` at the end. What comes together is folded: [`View::take`]
//! is called once for each batch, and then several ticks are one line, and a grant with its pass is one too.

mod late;
mod message;
mod protocol;
mod ticks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::civil::Date;

use super::Level;
use super::clock::Zone;
use super::complete::Words;
use super::editor::Prompt;
use super::lang::{Voice, say};
use super::numbers::Numbers;
use super::people::People;
use super::report::{self, Question};
use super::style::Style;
use super::visible;
use crate::node::face::{Moved, Notice, Status};
use crate::replica::Record;
use crate::words::{MessageId, NodeId, Position};
use late::Late;
use protocol::Token;
use ticks::Ticks;

/// How many rooms are remembered for `/rooms` and completion.
const ROOMS_MAX: usize = 1_000;

/// Where a line belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A message: to stdout.
    Data(String),
    /// Anything else: to stderr.
    Talk(String),
}

/// How things are to be shown.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Colours of messages.
    pub style: Style,
    /// Colours of talk.
    pub talk_style: Style,
    /// The zone of the times.
    pub zone: Zone,
    /// How much is told.
    pub level: Level,
    /// Whether a person reads at a terminal; if not, a message is one line, and the ticks of own lines are shown
    /// with `-v` only.
    pub for_people: bool,
    /// The language, and whether signs are words.
    pub voice: Voice,
    /// Whether the bell rings for who is mentioned.
    pub bell: bool,
    /// How many of the messages that come late together are shown to people.
    pub late_max: usize,
}

/// What is shown, and what must be remembered for it.
#[derive(Debug)]
pub struct View {
    manner: Manner,
    me: NodeId,
    /// What others call this node's user.
    called: String,
    room: String,
    rooms: BTreeSet<String>,
    /// The last topic that came for each of these rooms.
    topics: BTreeMap<String, Record>,
    people: People,
    numbers: Numbers,
    day: Option<Date>,
    /// Own lines that have no number yet.
    pending: BTreeSet<MessageId>,
    token: Token,
    ticks: Ticks,
    questions: VecDeque<Question>,
    checkpoint_asked: bool,
    /// The share of a catching-up last told, in tenths.
    caught_up_tenths: u64,
    late: Late,
    out: Vec<Shown>,
}

impl View {
    /// A view for this node, in this room.
    pub fn new(manner: Manner, me: NodeId, room: &str) -> View {
        View {
            people: People::new(manner.voice),
            manner,
            me,
            called: String::new(),
            room: room.to_string(),
            rooms: BTreeSet::from([room.to_string()]),
            topics: BTreeMap::new(),
            numbers: Numbers::default(),
            day: None,
            pending: BTreeSet::new(),
            token: Token::default(),
            ticks: Ticks::default(),
            questions: VecDeque::new(),
            checkpoint_asked: false,
            caught_up_tenths: 0,
            late: Late::default(),
            out: Vec::new(),
        }
    }

    /// The current room.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The language, and whether signs are words.
    pub fn voice(&self) -> Voice {
        self.manner.voice
    }

    /// The user is called this from now on: what mentions the name is for them.
    pub fn call(&mut self, name: &str) {
        self.called = name.to_string();
    }

    /// Goes to a room; its messages are then shown without its name.
    pub fn go_to(&mut self, room: &str) {
        self.room = room.to_string();
        self.know_room(room);
    }

    /// The rooms seen, in order, safe to show.
    pub fn rooms(&self) -> Vec<String> {
        self.rooms.iter().map(|room| visible::name(room)).collect()
    }

    /// What the editor needs for the next line.
    pub fn prompt(&self) -> Prompt {
        Prompt {
            room: visible::name(&self.room),
            words: Words {
                rooms: self.rooms(),
                people: self.people.names(),
            },
        }
    }

    /// Who is who.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Remembers a question that the next status answers.
    pub fn ask(&mut self, question: Question) {
        self.questions.push_back(question);
    }

    /// The next checkpoint was asked for, and is told.
    pub fn expect_checkpoint(&mut self) {
        self.checkpoint_asked = true;
    }

    /// Takes in what happened.
    pub fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Pending { id, tag, content } => self.pending(*id, *tag, content),
            Notice::Refused { tag, reason } => {
                let why = visible::line(&self.voice().reason(reason));
                self.alarm(&say!(self.voice(), "not-said", number = *tag, why = why));
            }
            Notice::Message { record, late, own } => self.message(record, *late, *own),
            Notice::Held { position, k, n, .. } => self.held(*position, *k, *n),
            Notice::Moved(moved) => self.moved(moved),
            Notice::Request(_) => self.request(),
            Notice::Grant(_, hop) => self.grant(*hop),
            Notice::Pass(_, hop, to) => self.pass(*hop, *to),
            Notice::Gathering(evidence) => {
                let why = visible::line(&self.voice().reason(&evidence.reason));
                self.talk(Level::Normal, &say!(self.voice(), "gathering", why = why));
            }
            Notice::Ring {
                ring,
                members,
                names,
                joined,
                left,
                left_how: _,
                came_from: _,
                first: _,
            } => {
                for (member, name) in members.iter().zip(names) {
                    self.people.learn(member.id, name);
                }
                self.ring(ring, members, joined, left);
            }
            Notice::Fenced { from, ring } => self.fenced(*from, ring),
            Notice::Woke { away_us } => self.woke(*away_us),
            Notice::CatchingUp { peer, done, total } => self.catching_up(*peer, *done, *total),
            Notice::CaughtUp { peer, received } => self.caught_up(*peer, *received),
            Notice::Conflict { id, position } => self.conflict(*id, *position),
            Notice::FoundOrdered { id } => {
                let line = say!(self.voice(), "found-ordered", id = id.to_string());
                self.talk(Level::Normal, &line);
            }
            Notice::OfferedAgain { id } => {
                let line = say!(self.voice(), "offered-again", id = id.to_string());
                self.talk(Level::Normal, &line);
            }
            // For who watches on a page or in a recording.
            Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } | Notice::Standing(_) => {}
            Notice::Checkpointed { .. } => self.checkpointed(),
            Notice::Reconciled { records } => {
                self.answer(&[say!(self.voice(), "reconciled", count = *records)]);
            }
            Notice::DiskFull(reason) => self.disk_full(reason),
            Notice::DiskRoom => self.alarm(&say!(self.voice(), "disk-room")),
            Notice::Status(status) => self.status(status),
            Notice::Trace { position, steps } => {
                let name = position.map(|position| self.numbers.name(position));
                self.answer(&report::trace(name.as_deref(), steps, &self.people));
            }
            Notice::Rekeyed(names) => self.answer(&[report::rekeyed(names, self.voice())]),
            Notice::Stranger(stranger) => self.alarm(&report::stranger(stranger, self.voice())),
            Notice::Lab(lab) => self.talk(Level::Normal, &report::lab(lab, self.voice())),
            Notice::Warning(text) => self.alarm(&visible::line(&self.voice().reason(text))),
        }
    }

    fn disk_full(&mut self, reason: &str) {
        let what = report::shortage(reason, self.voice());
        let why = visible::line(reason);
        let line = say!(self.voice(), "disk-short", what = what, why = why);
        self.alarm(&line);
    }

    /// The lines for all that was taken in since the last call, folded.
    pub fn take(&mut self) -> Vec<Shown> {
        self.flush_token();
        for line in self.ticks.take(&self.numbers, self.voice()) {
            self.talk(Level::Normal, &line);
        }
        std::mem::take(&mut self.out)
    }

    /// Lines that the user asked for, at any level.
    pub fn answer(&mut self, lines: &[String]) {
        self.out.extend(lines.iter().cloned().map(Shown::Talk));
    }

    /// A line that needs attention, at any level.
    pub fn alarm(&mut self, line: &str) {
        let text = say!(self.voice(), "alarm", text = line);
        let text = self.manner.talk_style.alarm(&text);
        self.out.push(Shown::Talk(text));
    }

    /// A dim line, told from this level on.
    pub fn talk(&mut self, from: Level, line: &str) {
        if self.manner.level >= from {
            let text = self.manner.talk_style.dim(line);
            self.out.push(Shown::Talk(text));
        }
    }

    /// The level from which the ticks of own lines are told.
    fn tick_level(&self) -> Level {
        if self.manner.for_people {
            Level::Normal
        } else {
            Level::Verbose
        }
    }

    /// Remembers a room, for `/rooms` and completion.
    pub fn know_room(&mut self, room: &str) {
        if self.rooms.len() < ROOMS_MAX {
            self.rooms.insert(room.to_string());
        }
    }

    fn held(&mut self, position: Position, k: u16, n: u16) {
        if self.manner.level < self.tick_level() {
            return;
        }
        if k >= n {
            self.ticks.all(position, n);
        } else {
            let name = self.numbers.name(position);
            let line = say!(self.voice(), "held-by-some", which = name, k = k, n = n);
            self.talk(Level::Verbose, &line);
        }
    }

    fn moved(&mut self, moved: &Moved) {
        self.numbers.saw(moved.to);
        let (from, to) = (moved.from.to_string(), moved.to.to_string());
        let line = say!(self.voice(), "moved", from = from, to = to);
        self.talk(Level::Normal, &line);
    }

    fn conflict(&mut self, id: MessageId, position: Position) {
        let name = self.numbers.name(position);
        self.alarm(&say!(self.voice(), "conflict", id = id.to_string(), name = name));
    }

    /// A status answers the oldest question; without one it only tells names.
    fn status(&mut self, status: &Status) {
        for member in &status.members {
            self.people.learn(member.member.id, &member.name);
        }
        if let Some(question) = self.questions.pop_front() {
            let lines = report::answer(&question, status, &self.people);
            self.answer(&lines);
        }
    }

    fn checkpointed(&mut self) {
        let line = say!(self.voice(), "checkpoint-written");
        if std::mem::take(&mut self.checkpoint_asked) {
            self.answer(&[line]);
        } else {
            self.talk(Level::Verbose, &line);
        }
    }
}

#[cfg(test)]
mod tests;
