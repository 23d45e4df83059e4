//! What the page asks: answered from here, by the core, or by the disk's thread, as for whoever types.
//!
//! The answers of the core have no names, but they come in the order of the questions: so who asked for the life of a message is
//! known by their order, and any status answers all who asked for one.

use std::collections::VecDeque;

use crate::host::cli::is_sane_name;
use crate::host::clock;
use crate::host::disk::{Disk, DiskError, Preview, preview_restore};
use crate::host::events::object::{Object, list};
use crate::host::events::{self, Mark};
use crate::host::files::FileError;
use crate::host::terminal::lang::say;
use crate::host::terminal::visible;
use crate::host::web::answer::Denied;
use crate::host::web::asks::{Ask, Asked, Deed, Replier, Reply, Say, Wanted};
use crate::node::face::{Command, Notice};
use crate::replica::Record;
use crate::replica::content::{Content, NAME_BYTES_MAX};
use crate::wire::{Lab, LabState};
use crate::words::{MessageId, NodeId};

use super::front::{Answer, Front};
use super::life::Life;
use super::said::Known;

/// The first tag of the page's lines: far above the numbers of typed and piped ones.
const FIRST_TAG: u64 = 1 << 32;
/// Questions of the page that wait for an answer of the core.
const WAITING_MAX: usize = 256;
/// The most bytes of messages in one answer; the oldest are left for the next one.
const BYTES_MAX: usize = 8 << 20;
/// The languages of the page.
const LANGUAGES: [&str; 3] = ["pt", "es", "en"];

/// Who waits for an answer of the core.
#[derive(Default)]
pub struct Waiting {
    /// For a status.
    status: Vec<Replier>,
    /// For the life of a message, in the order asked; whoever types is none of the page's.
    traces: VecDeque<Option<Replier>>,
    /// Lines of the page so far.
    lines: u64,
}

/// Who wishes to go back to a checkpoint.
pub(super) enum Wisher {
    /// Whoever types.
    User,
    /// The page, which is answered.
    Page(Replier),
    /// A member, for a lesson: everybody is told.
    Lesson(Lab),
}

impl Waiting {
    /// Whoever types asked for the life of a message.
    pub fn typed_trace(&mut self) {
        self.traces.push_back(None);
    }

    /// A life is over, and answers no more.
    fn end_life(&mut self) {
        self.status.clear();
        self.traces.clear();
    }

    fn is_full(&self) -> bool {
        self.status.len() + self.traces.len() >= WAITING_MAX
    }
}

impl Front {
    /// The page asks for something.
    pub(super) fn asked(&mut self, Asked { ask, reply }: Asked, life: &Life) {
        if self.is_leaving() {
            return reply.reply(Err(Denied::new(503, "this node is leaving")));
        }
        if self.waiting.is_full() {
            return reply.reply(Err(Denied::new(503, "too much is asked at once; try again")));
        }
        match ask {
            Ask::About => reply.reply(Ok(self.about())),
            Ask::Status => {
                self.waiting.status.push(reply);
                life.command(Command::Status);
            }
            Ask::Trace { seq, ring } => {
                self.waiting.traces.push_back(Some(reply));
                life.command(Command::Trace { seq, ring });
            }
            Ask::Message { seq, ring } => {
                let me = self.options.id;
                look(life, reply, move |disk| {
                    Ok(messages(me, &disk.find(seq, ring)?, false))
                });
            }
            Ask::History(wanted) => {
                let me = self.options.id;
                look(life, reply, move |disk| history(disk, me, &wanted));
            }
            Ask::Say(line) => self.say_for_page(line, reply, life),
            Ask::Do(deed) => self.do_for_page(deed, reply, life),
        }
    }

    /// Tells where the page is, at any level: nobody finds it otherwise.
    pub(super) fn tell_page(&mut self, link: &str, warnings: &[String]) {
        let line = say!(self.view.voice(), "page", link = link);
        self.view.answer(&[line]);
        warnings.iter().for_each(|warning| self.tell_warning(warning));
        self.show();
    }

    /// Tells something that needs attention.
    pub(super) fn tell_warning(&mut self, text: &str) {
        self.view.alarm(&visible::line(text));
        self.show();
    }

    fn about(&self) -> String {
        let languages = list(LANGUAGES.iter().map(|name| events::object::quoted(name)));
        Object::new()
            .number("id", self.options.id.0)
            .text("name", self.options.name.as_deref().unwrap_or_default())
            .text("room", self.view.room())
            .text("version", env!("CARGO_PKG_VERSION"))
            .plain("life", self.first_life)
            .plain("group", self.options.group)
            .flag("encrypted", self.options.key_file.is_some())
            .flag("lab", self.options.lab)
            .raw("languages", &languages)
            .end()
    }

    /// A life is over: what was asked of it has no answer.
    pub(super) fn end_asks(&mut self) {
        self.said.end_life();
        self.waiting.end_life();
    }

    /// Whether the end of what is piped in is not the end of this node: it serves a page.
    pub(super) fn stays(&self) -> bool {
        // Only what is piped in finishes by itself; a person who ends the input wants to leave.
        self.options.web.is_some() && self.finish.is_some()
    }

    /// Says a line, unless its key shows that it was said already.
    fn say_for_page(&mut self, line: Say, reply: Replier, life: &Life) {
        match self.said.look(&line.key, &reply) {
            Known::Said(id) => reply.reply(Ok(said(id, &line.key))),
            Known::UnderWay => {}
            Known::New => {
                self.waiting.lines += 1;
                let tag = FIRST_TAG + self.waiting.lines;
                self.said.given(tag, line.key.clone(), reply);
                life.command(Command::Say {
                    room: line.room,
                    text: line.text,
                    tag,
                    key: Some(line.key),
                    sent: clock::wall(),
                });
            }
        }
    }

    fn do_for_page(&mut self, deed: Deed, reply: Replier, life: &Life) {
        let command = match deed {
            Deed::Rollback(number) => return self.rollback(number, Wisher::Page(reply), life),
            Deed::Quit => {
                reply.reply(done());
                return self.leave(life);
            }
            Deed::Name(name) if !is_sane_name(&name) => {
                let why =
                    format!("{name:?} is no name: 1 to {NAME_BYTES_MAX} bytes and no control characters");
                return reply.reply(Err(Denied::refused(why)));
            }
            Deed::Name(name) => {
                self.rename(name, life);
                return reply.reply(done());
            }
            Deed::Lab(..) if !self.options.lab => {
                let why = "this node takes no part in lessons; start it with --lab";
                return reply.reply(Err(Denied::new(403, why)));
            }
            Deed::Lab(on, deed) => Command::Lab { on, deed },
            Deed::Checkpoint => Command::Checkpoint,
            Deed::Reconcile => Command::Reconcile,
            // The core grants half a token timeout at most.
            Deed::Token(hold_us) => Command::HoldToken {
                hold_us: hold_us.unwrap_or(u64::MAX),
            },
        };
        life.command(command);
        reply.reply(done());
    }

    /// Takes in what the core tells, for the page's questions. Says whether it was an answer to the page alone.
    pub(super) fn answer_page(&mut self, notice: &Notice) -> bool {
        let settled = self.said.notice(notice);
        if let Notice::Pending { id, content, .. } = notice
            && !settled.is_empty()
        {
            let content = Content::from_bytes(content).ok();
            let key = content.and_then(|content| content.key).unwrap_or_default();
            settled.iter().for_each(|reply| reply.reply(Ok(said(*id, &key))));
        }
        if let Notice::Refused { reason, .. } = notice {
            let denied = Denied::refused(reason.as_str());
            settled.iter().for_each(|reply| reply.reply(Err(denied.clone())));
        }
        if matches!(notice, Notice::Status(_)) && !self.waiting.status.is_empty() {
            let object = self.object(notice);
            let asked = std::mem::take(&mut self.waiting.status);
            asked.iter().for_each(|reply| reply.reply(Ok(object.clone())));
        }
        let trace = matches!(notice, Notice::Trace { .. });
        let asked = trace.then(|| self.waiting.traces.pop_front().flatten());
        let Some(reply) = asked.flatten() else {
            return false;
        };
        reply.reply(Ok(self.object(notice)));
        true
    }

    /// A notice as an answer: like an event, but none of the stream, so its number is 0.
    fn object(&self, notice: &Notice) -> String {
        let mark = Mark {
            at: clock::wall(),
            n: 0,
            node: self.options.id,
            us: clock::now(),
        };
        events::notice(notice, mark)
    }

    /// Finds out what going back would discard, and sees to it that the checkpoint is still there after this
    /// life's last one was written. The answer makes the node leave, or tells who wished for it why not.
    pub(super) fn rollback(&mut self, number: Option<u64>, wisher: Wisher, life: &Life) {
        let answer = self.answer.clone();
        let (data_dir, id) = (self.options.data_dir.clone(), self.options.id);
        life.ask(Box::new(move |disk| {
            let kept = disk.keep_checkpoint(number);
            let preview = kept.and_then(|number| preview_restore(&data_dir, id, number));
            let lesson = match wisher {
                Wisher::User => None,
                Wisher::Page(page) => {
                    page.reply(previewed(&preview));
                    None
                }
                Wisher::Lesson(lab) => Some(lab),
            };
            let tell = |told| answer.try_send(told).unwrap_or_default();
            match preview {
                Ok(preview) => tell(Answer::Rollback(preview, lesson)),
                Err(error) => {
                    // Everybody is told that it is not done; which checkpoints there are is for who sits here.
                    if let Some(lab) = lesson {
                        tell(Answer::Lesson(lab, no_rollback(&error)));
                    }
                    tell(Answer::Failed(error.to_string()));
                }
            }
        }));
    }
}

/// What going back would discard, or why it cannot be, for the page.
fn previewed(preview: &Result<Preview, DiskError>) -> Reply {
    match preview {
        Ok(preview) => Ok(Object::new()
            .number("number", preview.number)
            .number("held", preview.held)
            .number("discards", preview.discards)
            .end()),
        Err(error) => Err(Denied::refused(error.to_string())),
    }
}

/// Why there is no going back, for a lesson.
fn no_rollback(error: &DiskError) -> LabState {
    match error {
        DiskError::NoSuchCheckpoint { .. } => LabState::NoCheckpoint,
        DiskError::Taken { .. } | DiskError::File(_) => LabState::WentWrong,
        DiskError::Foreign { .. } | DiskError::BadCheckpoint { .. } => LabState::WentWrong,
    }
}

fn done() -> Reply {
    Ok("{}".to_string())
}

/// The answer to a line that is in the synced outbox.
fn said(id: MessageId, key: &str) -> String {
    Object::new().plain("id", id).text("key", key).end()
}

/// Asks the disk, on its own thread, for the page.
fn look(
    life: &Life,
    reply: Replier,
    question: impl FnOnce(&mut Disk) -> Result<String, FileError> + Send + 'static,
) {
    life.ask(Box::new(move |disk| {
        let denied = |error: FileError| Denied::new(503, error.to_string());
        reply.reply(question(disk).map_err(denied));
    }));
}

/// The newest messages that are wanted.
fn history(disk: &Disk, me: NodeId, wanted: &Wanted) -> Result<String, FileError> {
    let fits = |record: &Record| {
        if wanted.room.is_none() && wanted.words.is_empty() {
            return true;
        }
        Content::from_bytes(&record.content).is_ok_and(|content| {
            let text = content.text.to_lowercase();
            let in_room = wanted.room.as_ref().is_none_or(|room| content.room == *room);
            in_room && wanted.words.iter().all(|word| text.contains(word))
        })
    };
    // One more shows whether there are more.
    let mut records = disk.last_records_before(wanted.count + 1, wanted.before, fits)?;
    let mut bytes = 0;
    let fitting = records.iter().rev().take(wanted.count).take_while(|record| {
        bytes += record.content.len();
        bytes <= BYTES_MAX
    });
    let first = records.len() - fitting.count().max(1).min(records.len());
    let rest = records.split_off(first);
    Ok(messages(me, &rest, first > 0))
}

/// Messages as an answer.
fn messages(me: NodeId, records: &[Record], more: bool) -> String {
    let found = records.iter().map(|record| {
        let own = record.id.sender.id == me;
        events::found(record, own)
    });
    let found = list(found);
    Object::new().raw("messages", &found).flag("more", more).end()
}
