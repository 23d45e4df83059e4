//! What the user typed or piped: lines to say, slash commands, and the end of the input.
//!
//! Every input has one answer, or its reader waits for ever: a typed line is answered with a prompt, a piped one
//! with `settled`, once it is pending or refused. What can be answered from the view is answered at once; what
//! the core knows is asked for by a command whose answer is a notice; what only the disk knows is asked of the
//! disk's thread, so that neither the core nor the user's side waits for it.

use rustix::process::{Signal, getpid, kill_process};

use crate::host::clock;
use crate::host::disk::Disk;
use crate::host::events::{self, Kind};
use crate::host::exit::Code;
use crate::host::files::FileError;
use crate::host::keys;
use crate::host::terminal::command::{Slash, Typed, help_lines};
use crate::host::terminal::console::Input;
use crate::host::terminal::lang::{Voice, say};
use crate::host::terminal::marked::Marked;
use crate::host::terminal::piped::PipedLine;
use crate::host::terminal::report::Question;
use crate::host::terminal::{Level, visible};
use crate::node::face::Command;
use crate::replica::Record;
use crate::replica::content::{Content, DEFAULT_ROOM};

use super::front::{Answer, Front};
use super::life::Life;
use super::page::Wisher;

/// Messages that `/history` shows without a number: a screen.
const HISTORY: usize = 20;
/// The most that `/history` shows: they are held in memory.
const HISTORY_MAX: usize = 10_000;

/// The most messages that `/search` shows: the last ones.
const SEARCH_MAX: usize = 50;

/// What to say above messages that were looked for.
pub(super) fn found(words: &str, messages: usize, voice: Voice) -> String {
    let words = visible::line(words);
    match messages {
        0 => say!(voice, "found-none", words = words),
        SEARCH_MAX => say!(voice, "found-many", count = SEARCH_MAX, words = words),
        some => say!(voice, "found", count = some, words = words),
    }
}

impl Front {
    /// Takes in what was typed or piped, as much as is there.
    pub(super) fn take_inputs(&mut self, life: &Life) {
        while let Some(input) = self.console.input() {
            self.input(input, life);
        }
    }

    fn input(&mut self, input: Input, life: &Life) {
        match input {
            Input::Typed(typed) => {
                self.typed(typed, life);
                self.show();
                if !self.is_leaving() {
                    self.console.prompt(self.view.prompt());
                }
            }
            Input::Piped(line) => self.piped(line, life),
            // The page's user goes on.
            Input::End if self.stays() => {}
            // A person who ends the input wants to leave; a program first wants its lines to arrive.
            Input::End => match &mut self.finish {
                Some(finish) => finish.input_ended(clock::now()),
                None => self.leave(life),
            },
            Input::Interrupt => {
                self.interrupted = true;
                let line = say!(self.view.voice(), "leaving");
                self.view.talk(Level::Normal, &line);
                self.leave(life);
            }
            Input::Suspend => {
                // By way of the signal, so that both ways to suspend are one.
                self.prompt_on_waking = true;
                if let Err(error) = kill_process(getpid(), Signal::TSTP) {
                    log::warn!("cannot suspend this process: {error}");
                }
            }
            Input::OutputClosed(reason) => {
                self.leave_with(Code::Other, format!("nobody reads the output: {reason}"), life);
            }
        }
    }

    fn typed(&mut self, typed: Typed, life: &Life) {
        match typed {
            Typed::Nothing => {}
            Typed::Say(text) => self.say(self.view.room().to_string(), text, life),
            Typed::Wrong(wrong) => self.view.answer(&[wrong.text(self.view.voice())]),
            Typed::Slash(slash) => self.slash(slash, life),
        }
    }

    fn piped(&mut self, line: PipedLine, life: &Life) {
        match line {
            PipedLine::Say { number, text } => {
                self.tally.said(number);
                self.give(self.view.room().to_string(), text, number, life);
            }
            // It never reaches the core, so it is settled here.
            PipedLine::Refused { number, reason } => {
                self.tally.unreadable();
                self.console.settled();
                self.tell(Kind::Kept, |mark| events::line_refused(number, &reason, mark));
                let line = say!(self.view.voice(), "not-said", number = number, why = reason);
                self.view.alarm(&line);
            }
        }
    }

    /// Says a typed line, under the next tag: a person's lines are counted as they come.
    pub(super) fn say(&mut self, room: String, text: String, life: &Life) {
        self.last_tag += 1;
        self.give(room, text, self.last_tag, life);
    }

    /// Says something that means more than its words, in the current room.
    fn say_marked(&mut self, marked: Marked<'_>, life: &Life) {
        self.say(self.view.room().to_string(), marked.text(), life);
    }

    /// Gives the core a line. The time is that of the saying, not of the sending, which may be much later.
    fn give(&mut self, room: String, text: String, tag: u64, life: &Life) {
        let sent = clock::wall();
        life.command(Command::Say {
            room,
            text,
            tag,
            key: None,
            sent,
        });
    }

    /// The user is called this from now on, wherever that was said.
    pub(super) fn rename(&mut self, name: String, life: &Life) {
        // A later life of this process, after a rollback, keeps it.
        self.options.name = Some(name.clone());
        self.view.call(&name);
        let line = say!(self.view.voice(), "nick", name = visible::name(&name));
        self.view.answer(&[line]);
        life.command(Command::Name(name));
    }

    fn slash(&mut self, slash: Slash, life: &Life) {
        match slash {
            Slash::Help(which) => self.view.answer(&help_lines(which, self.view.voice())),
            Slash::Msg { room, text } => self.say(room, text, life),
            Slash::Join(room) => self.view.go_to(&room),
            Slash::Part(room) => self.part(room),
            Slash::Rooms => {
                let rooms = self.view.rooms().join(", ");
                let line = say!(self.view.voice(), "rooms", rooms = rooms);
                self.view.answer(&[line]);
            }
            Slash::Nick(name) => self.rename(name, life),
            Slash::Who => self.question(Question::Who, life),
            Slash::Whois(whom) => self.question(Question::Whois(whom), life),
            Slash::Me(text) => self.say_marked(Marked::Action(&text), life),
            Slash::Topic(Some(topic)) => self.say_marked(Marked::Topic(&topic), life),
            Slash::Topic(None) => self.topic(life),
            Slash::Away(Some(reason)) => self.say_marked(Marked::Away(&reason), life),
            Slash::Away(None) => self.say_marked(Marked::Back, life),
            Slash::Search(words) => self.search(words, life),
            Slash::History { count, room } => self.history(count.unwrap_or(HISTORY), room, life),
            Slash::Quit => self.leave(life),
            Slash::Ring { verbose } => self.question(Question::Ring { verbose }, life),
            // The core grants half a token timeout at most.
            Slash::Token { hold_us } => {
                self.view.expect_token();
                let hold_us = hold_us.unwrap_or(u64::MAX);
                life.command(Command::HoldToken { hold_us });
            }
            Slash::Why => {
                self.why_alone();
                self.question(Question::Why, life);
            }
            Slash::Trace { seq, ring } => {
                self.waiting.typed_trace();
                life.command(Command::Trace { seq, ring });
            }
            Slash::Checkpoint => {
                self.view.expect_checkpoint();
                life.command(Command::Checkpoint);
            }
            Slash::Rollback(number) => self.rollback(number, Wisher::User, life),
            Slash::Reconcile => life.command(Command::Reconcile),
            Slash::Rekey => self.rekey(life),
        }
    }

    /// Reads the key file again; a file that cannot be used changes nothing.
    fn rekey(&mut self, life: &Life) {
        let Some(file) = &self.options.key_file else {
            let line = say!(self.view.voice(), "no-key-here");
            return self.view.answer(&[line]);
        };
        match keys::read(file) {
            Ok(keys) => life.command(Command::Rekey(keys)),
            Err(error) => {
                let why = visible::line(&error.to_string());
                let line = say!(self.view.voice(), "keys-stay", why = why);
                self.view.alarm(&line);
            }
        }
    }

    /// Asks the core how things are, and remembers what for: the status that comes has all, and is told in part.
    fn question(&mut self, question: Question, life: &Life) {
        self.view.ask(question);
        life.command(Command::Status);
    }

    /// Leaves a room: what is left is the default room.
    fn part(&mut self, room: Option<String>) {
        let here = self.view.room().to_string();
        if room.is_none_or(|room| room == here) {
            self.view.go_to(DEFAULT_ROOM);
        } else {
            let line = say!(self.view.voice(), "part-elsewhere", room = visible::name(&here));
            self.view.answer(&[line]);
        }
    }

    /// Asks the disk, on its own thread: the view keeps no messages.
    fn ask(
        &mut self,
        life: &Life,
        question: impl FnOnce(&mut Disk) -> Result<Answer, FileError> + Send + 'static,
    ) {
        let answer = self.answer.clone();
        life.ask(Box::new(move |disk| {
            let told = question(disk).unwrap_or_else(|error| Answer::Failed(error.to_string()));
            // When full, the user has asked so often that one answer less is not missed.
            answer.try_send(told).unwrap_or_default();
        }));
    }

    fn history(&mut self, count: usize, room: Option<String>, life: &Life) {
        let count = count.min(HISTORY_MAX);
        let Some(room) = room else {
            return self.ask(life, move |disk| Ok(Answer::History(disk.last_records(count)?)));
        };
        let fits = move |record: &Record| {
            let content = Content::from_bytes(&record.content);
            content.is_ok_and(|content| content.room == room)
        };
        self.ask(life, move |disk| {
            Ok(Answer::History(disk.last_records_of(count, fits)?))
        });
    }

    /// Looks for the last messages that have all these words, in any case, in their texts.
    fn search(&mut self, words: String, life: &Life) {
        let wanted: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let fits = move |record: &Record| {
            let text = Content::from_bytes(&record.content).map(|content| content.text.to_lowercase());
            text.is_ok_and(|text| wanted.iter().all(|word| text.contains(word)))
        };
        self.ask(life, move |disk| {
            Ok(Answer::Found(words, disk.last_records_of(SEARCH_MAX, fits)?))
        });
    }

    /// Looks for the current room's topic: the last one in canonical order.
    fn topic(&mut self, life: &Life) {
        let room = self.view.room().to_string();
        let here = room.clone();
        let fits = move |record: &Record| {
            let content = Content::from_bytes(&record.content);
            content.is_ok_and(|c| c.room == here && matches!(Marked::read(&c.text), Marked::Topic(_)))
        };
        self.ask(life, move |disk| {
            Ok(Answer::Topic(room, disk.last_records_of(1, fits)?.pop()))
        });
    }
}
