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
    /// How many of the messages that come late together are shown to people.
    pub late_max: usize,
}

/// What is shown, and what must be remembered for it.
#[derive(Debug)]
pub struct View {
    manner: Manner,
    me: NodeId,
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
            manner,
            me,
            room: room.to_string(),
            rooms: BTreeSet::from([room.to_string()]),
            topics: BTreeMap::new(),
            people: People::default(),
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
                let reason = visible::line(reason);
                self.alarm(&format!("line {tag} not said: {reason}"));
            }
            Notice::Message { record, late, own } => self.message(record, *late, *own),
            Notice::Held { position, k, n, .. } => self.held(*position, *k, *n),
            Notice::Moved(moved) => self.moved(moved),
            Notice::Request => self.request(),
            Notice::Grant(hop) => self.grant(*hop),
            Notice::Pass(hop, to) => self.pass(*hop, *to),
            Notice::Gathering(reason) => {
                let reason = visible::line(reason);
                self.talk(Level::Normal, &format!("looking for a ring: {reason}"));
            }
            Notice::Ring {
                ring,
                members,
                names,
                joined,
                left,
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
                self.talk(
                    Level::Normal,
                    &format!("{id}, of an earlier life, has its number"),
                );
            }
            Notice::OfferedAgain { id } => {
                self.talk(
                    Level::Normal,
                    &format!("{id}, of an earlier life, is offered again"),
                );
            }
            Notice::Checkpointed => self.checkpointed(),
            Notice::Reconciled { records } => {
                let line = format!("reconciled: {records} messages in canonical order");
                self.answer(&[line]);
            }
            Notice::DiskFull(reason) => self.alarm(&format!(
                "{} ({}): nothing new is sent until there is room, and nothing is lost",
                report::shortage(reason),
                visible::line(reason)
            )),
            Notice::DiskRoom => self.alarm("there is room on the disk again"),
            Notice::Status(status) => self.status(status),
            Notice::Trace { position, steps } => {
                let name = position.map(|position| self.numbers.name(position));
                self.answer(&report::trace(name.as_deref(), steps, &self.people));
            }
            Notice::Rekeyed(names) => self.answer(&[report::rekeyed(names)]),
            Notice::Stranger(stranger) => self.alarm(&report::stranger(stranger)),
            Notice::Lab(lab) => self.talk(Level::Normal, &report::lab(lab)),
            Notice::Warning(text) => self.alarm(&visible::line(text)),
        }
    }

    /// The lines for all that was taken in since the last call, folded.
    pub fn take(&mut self) -> Vec<Shown> {
        self.flush_token();
        for line in self.ticks.take(&self.numbers) {
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
        let text = self.manner.talk_style.alarm(&format!("! {line}"));
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
            self.talk(Level::Verbose, &format!("✓ {name} held by {k} of {n}"));
        }
    }

    fn moved(&mut self, moved: &Moved) {
        self.numbers.saw(moved.to);
        let line = format!("{} moved to {}", moved.from, moved.to);
        self.talk(Level::Normal, &line);
    }

    fn conflict(&mut self, id: MessageId, position: Position) {
        let name = self.numbers.name(position);
        self.alarm(&format!(
            "conflict: two contents under id {id} at {name}; the one already held stays"
        ));
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
        if std::mem::take(&mut self.checkpoint_asked) {
            self.answer(&["checkpoint written".to_string()]);
        } else {
            self.talk(Level::Verbose, "checkpoint written");
        }
    }
}

#[cfg(test)]
mod tests;
