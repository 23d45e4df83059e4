//! The user's side of a node: one loop over what the core tells, what is typed or piped, signals and answers of
//! the disk.
//!
//! It never makes the core wait: notices that it does not fetch pile up by the rules of
//! [`crate::host::notices`], and lines that nobody reads by those of [`crate::host::terminal::screen`].

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::disk::Preview;
use crate::host::exit::Code;
use crate::host::signals::HostSignal;
use crate::host::terminal::clock::Zone;
use crate::host::terminal::console::{Console, Surface};
use crate::host::terminal::finish::{Finish, Verdict};
use crate::host::terminal::lang::say;
use crate::host::terminal::view::{Manner, Shown, View};
use crate::host::terminal::visible;
use crate::host::web::asks::Asked;
use crate::node::face::{Command, Notice, Watch};
use crate::replica::Record;
use crate::wire::{Lab, LabState};
use crate::words::{Incarnation, Time};

use super::Ending;
use super::alone::Alone;
use super::failure::Failure;
use super::life::Life;
use super::opening::Opening;
use super::page::Waiting;
use super::restoring;
use super::said::Said;
use super::tally::Tally;
use super::telling::Telling;
use super::typing;

/// Notices taken in before lines are shown, so that they are folded and yet do not wait for each other.
const BATCH_MAX: usize = 256;
/// From the wish to leave to the end at the latest, in microseconds: the user is promised two seconds.
const LEAVE_US: u64 = 1_700_000;
/// How long threads may take to end once the core has.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long late messages are gathered before they are shown, in microseconds: those of one catching-up
/// come together, and nobody notices the wait for a single one.
const LATE_US: u64 = 300_000;
/// The longest time without a look at the clock; it is only a bound for the arithmetic.
const WAIT_US_MAX: u64 = 3_600_000_000;
/// Answers of the disk that may wait; each is to one question of the user.
const ANSWERS_MAX: usize = 16;

/// What follows a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    End,
    /// Another life, from this checkpoint.
    Rollback(u64),
}

/// What the disk answered to a question of the user.
pub(super) enum Answer {
    /// The last messages.
    History(Vec<Record>),
    /// The last messages that have these words.
    Found(String, Vec<Record>),
    /// The message that gave a room its topic.
    Topic(String, Option<Record>),
    /// The checkpoint to go back to is there and will be kept, and this is what it discards; for a lesson, perhaps.
    Rollback(Preview, Option<Lab>),
    /// What became of a lesson's deed.
    Lesson(Lab, LabState),
    /// It cannot be answered: why.
    Failed(String),
}

/// Where what reaches the user's side comes in, beside the core and the terminal.
pub(super) struct Inlets {
    /// Something is to be looked after.
    pub wakes: Receiver<()>,
    /// Signals to the process.
    pub signals: Receiver<HostSignal>,
    /// What the page asks; never anything where there is none.
    pub asks: Receiver<Asked>,
}

/// The user's side.
pub struct Front {
    pub(super) options: NodeOptions,
    surface: Surface,
    pub(super) console: Console,
    pub(super) view: View,
    pub(super) tally: Tally,
    /// Only for piped programs.
    pub(super) finish: Option<Finish>,
    wakes: Receiver<()>,
    signals: Receiver<HostSignal>,
    pub(super) answer: Sender<Answer>,
    answers: Receiver<Answer>,
    /// What the page asks.
    asks: Receiver<Asked>,
    /// What was said under which keys.
    pub(super) said: Said,
    /// Who of the page waits for an answer of the core.
    pub(super) waiting: Waiting,
    /// The life in which this process began.
    pub(super) first_life: Incarnation,
    /// Lines to be shown with the next batch, beside those of the view.
    pub(super) out: Vec<Shown>,
    /// Who is told events.
    pub(super) telling: Telling,
    /// How closely the core was told that it is watched.
    pub(super) watched: Watch,
    /// The number of the last typed line.
    pub(super) last_tag: u64,
    /// A piped program is alone in a ring, and waits for others until then.
    pub(super) alone_until: Option<Time>,
    /// It has asked the core whether it is alone for want of the right key.
    looking_around: bool,
    /// Nobody else is here, and it is wondered why.
    pub(super) alone: Alone,
    /// Late messages are held back until then.
    late_until: Option<Time>,
    /// The node was asked to leave, and ends by then.
    leave_by: Option<Time>,
    /// The process ends then without a word, for a lesson.
    pub(super) crash_at: Option<Time>,
    /// This is done as soon as the token is here, for a lesson.
    pub(super) when_holding: Option<Lab>,
    next: Next,
    ending: Ending,
    /// The process stops when the core has obeyed: see [`Front::suspend`].
    suspending: Option<Sender<()>>,
    /// Ctrl-C was typed in the editor, which has then put the terminal in order.
    pub(super) interrupted: bool,
    /// The editor waits for a prompt until the process goes on.
    pub(super) prompt_on_waking: bool,
}

impl Front {
    /// The user's side of a node with these options.
    pub(super) fn new(
        options: NodeOptions,
        surface: Surface,
        console: Console,
        inlets: Inlets,
        telling: Telling,
        first_life: Incarnation,
    ) -> Front {
        let (style, talk_style) = Surface::styles(options.plain);
        let for_people = surface != Surface::Pipe;
        let manner = Manner {
            style,
            talk_style,
            zone: Zone::system(),
            level: options.level,
            for_people,
            voice: options.voice(),
            // A program that reads lines has no ears.
            bell: options.bell && for_people,
            late_max: options.history.unwrap_or(0),
        };
        let Inlets { wakes, signals, asks } = inlets;
        let finish = (!for_people).then(|| Finish::new(options.wait, options.wait_limit_us, clock::now()));
        let (answer, answers) = bounded(ANSWERS_MAX);
        Front {
            view: View::new(manner, options.id, &options.room),
            options,
            surface,
            console,
            tally: Tally::default(),
            finish,
            wakes,
            signals,
            answer,
            answers,
            asks,
            said: Said::default(),
            waiting: Waiting::default(),
            first_life,
            out: Vec::new(),
            telling,
            watched: Watch::Off,
            last_tag: 0,
            alone_until: None,
            looking_around: false,
            alone: Alone::new(clock::now()),
            late_until: None,
            leave_by: None,
            crash_at: None,
            when_holding: None,
            next: Next::End,
            ending: (Code::Done, None),
            suspending: None,
            interrupted: false,
            prompt_on_waking: false,
        }
    }

    /// People may type at once; a program's lines are read when a ring is there.
    pub(super) fn begin_to_read(&mut self) -> std::io::Result<()> {
        if self.surface == Surface::Pipe {
            return Ok(());
        }
        self.console.read_from_now(self.view.prompt())
    }

    /// Serves the user until the core ends.
    pub(super) fn live(&mut self, life: &Life) -> Next {
        // Each life begins unwatched.
        self.watched = Watch::Off;
        self.watch(life);
        let signals = self.signals.clone();
        let (wakes, answers) = (self.wakes.clone(), self.answers.clone());
        let wondered = self.alone.found.clone();
        let mut asks = self.asks.clone();
        loop {
            let wait = Duration::from_micros(self.wait_us(clock::now()));
            select! {
                recv(life.notices) -> notice => match notice {
                    Ok(notice) => self.take_notices(notice, life),
                    Err(_) => break,
                },
                recv(wakes) -> _ => self.take_inputs(life),
                recv(signals) -> signal => signal.into_iter().for_each(|signal| self.signal(signal, life)),
                recv(answers) -> answer => answer.into_iter().for_each(|answer| self.answered(answer, life)),
                recv(wondered) -> found => found.into_iter().for_each(|found| self.wondered(found)),
                recv(asks) -> asked => match asked {
                    Ok(asked) => self.asked(asked, life),
                    Err(_) => asks = never(),
                },
                default(wait) => {}
            }
            if !self.go_on(clock::now(), life) {
                break;
            }
        }
        // The core has ended: nothing more will come to be folded with what is held back.
        self.view.end_late();
        self.show();
        self.end_asks();
        std::mem::replace(&mut self.next, Next::End)
    }

    /// How long there is nothing to do, in microseconds.
    fn wait_us(&self, now: Time) -> u64 {
        // Once it leaves, only the time until the end counts: a verdict that stands would make it spin.
        let verdict = self.finish.as_ref();
        let verdict = verdict.filter(|_| self.leave_by.is_none() && !self.stays());
        let verdict = verdict.map(|finish| match finish.verdict(now) {
            Verdict::Wait(until) => until,
            Verdict::Done(..) => now,
        });
        let wonder = self.alone.due().filter(|_| self.leave_by.is_none());
        let times = [verdict, wonder, self.alone_until, self.late_until, self.leave_by];
        let times = times.into_iter().chain([self.crash_at]);
        let next = times.flatten().min();
        next.map_or(WAIT_US_MAX, |next| next.since_us(now).min(WAIT_US_MAX))
    }

    /// Does what is due and shows what there is. Says whether the life is to be waited for any longer.
    fn go_on(&mut self, now: Time, life: &Life) -> bool {
        if self.alone_until.is_some_and(|until| until <= now) {
            self.alone_until = None;
            self.looking_around = true;
            life.command(Command::Status);
        }
        if self.leave_by.is_none() {
            self.wonder(now);
        }
        if self.late_until.is_some_and(|until| until <= now) {
            self.late_until = None;
            // A catching-up that takes longer is waited for; its end shows them anyway.
            if !self.view.end_late_unless_catching_up() {
                self.late_until = Some(now.after_us(LATE_US));
            }
        }
        if self.view.has_late() && self.late_until.is_none() {
            self.late_until = Some(now.after_us(LATE_US));
        }
        if let Some(finish) = &mut self.finish {
            finish.counts(self.tally.counts(), now);
            let ends = self.leave_by.is_none() && self.options.web.is_none();
            if let (true, Verdict::Done(code, reason)) = (ends, finish.verdict(now)) {
                self.ending = (code, reason);
                self.leave(life);
            }
        }
        self.look_after_recording();
        self.watch(life);
        self.show();
        self.crash_if_due(now);
        self.leave_by.is_none_or(|by| now < by)
    }

    /// Takes in what the core tells, as much as is there.
    fn take_notices(&mut self, first: Notice, life: &Life) {
        let rest = life.notices.try_iter().take(BATCH_MAX - 1);
        for mut notice in std::iter::once(first).chain(rest) {
            if let Notice::Status(status) | Notice::Standing(status) = &mut notice {
                // The core does not know under which address it goes out.
                let me = status.me;
                let own = status.members.iter_mut().filter(|member| member.member == me);
                own.for_each(|member| member.address = life.address);
            }
            self.take_notice(&notice, life);
        }
    }

    fn take_notice(&mut self, notice: &Notice, life: &Life) {
        if self.answer_page(notice) {
            return;
        }
        // Each settled line makes room for another one to be read.
        if self.tally.notice(notice) && self.finish.is_some() {
            self.console.settled();
        }
        if let Notice::Ring { members, .. } = notice {
            self.in_ring(members.len());
        }
        if let Notice::Status(status) = notice
            && std::mem::take(&mut self.looking_around)
        {
            return self.looked_around(&status.counters.strangers);
        }
        if matches!(notice, Notice::Status(_)) && self.suspending.is_some() {
            // The core has obeyed all before: the process may stop.
            self.suspending = None;
            return;
        }
        self.out.extend(self.telling.notice(notice));
        if !self.options.json {
            self.view.notice(notice);
        }
        self.lesson(notice, life);
    }

    fn signal(&mut self, signal: HostSignal, life: &Life) {
        match signal {
            // The first Ctrl-C was a key of the editor.
            HostSignal::Leave if self.interrupted => std::process::exit(Code::Forced as i32),
            HostSignal::Leave => self.leave(life),
            HostSignal::Suspend(stop) => self.suspend(stop, life),
            HostSignal::Resumed => {
                self.suspending = None;
                if std::mem::take(&mut self.prompt_on_waking) {
                    self.console.prompt(self.view.prompt());
                }
            }
            HostSignal::Force => unreachable!("the signals' own thread forces"),
        }
    }

    /// Lets the token go and then the process stop: the answer to the question behind the command shows that
    /// the core has obeyed.
    fn suspend(&mut self, stop: Sender<()>, life: &Life) {
        self.suspending = Some(stop);
        life.urge(Command::Suspend);
        life.urge(Command::Status);
    }

    /// Asks the core to leave. Only the first time counts.
    pub(super) fn leave(&mut self, life: &Life) {
        if self.leave_by.is_none() {
            self.leave_by = Some(clock::now().after_us(LEAVE_US));
            life.urge(Command::Leave);
        }
    }

    /// Leaves with an exit code of its own.
    pub(super) fn leave_with(&mut self, code: Code, reason: String, life: &Life) {
        if self.leave_by.is_none() {
            self.ending = (code, Some(reason));
        }
        self.leave(life);
    }

    /// Whether the node is leaving, for good or for a rollback.
    pub(super) fn is_leaving(&self) -> bool {
        self.leave_by.is_some()
    }

    /// The disk answered.
    fn answered(&mut self, answer: Answer, life: &Life) {
        match answer {
            Answer::History(records) => self.tell_history(&records),
            Answer::Found(words, records) => {
                let line = typing::found(&words, records.len(), self.view.voice());
                self.view.answer(&[line]);
                self.tell_history(&records);
            }
            Answer::Topic(room, written) => match self.view.topic(&room, written) {
                Some(record) => self.tell_history(&[record]),
                None => {
                    let room = visible::name(&room);
                    let line = say!(self.view.voice(), "topic-none", room = room);
                    self.view.answer(&[line]);
                }
            },
            Answer::Failed(reason) => self.view.alarm(&visible::line(&reason)),
            Answer::Rollback(preview, lesson) if !self.is_leaving() => {
                if let Some(lab) = lesson {
                    super::lab::told_before_leaving(&lab, LabState::Begins, life);
                }
                let text = restoring::sentence(&preview, self.options.recover, self.view.voice());
                self.view.answer(&[text]);
                self.next = Next::Rollback(preview.number);
                self.leave(life);
            }
            Answer::Rollback(..) => {}
            Answer::Lesson(lab, state) => super::lab::told(&lab, state, life),
        }
    }

    /// Opens everything again at a checkpoint, and begins another life.
    pub(super) fn reopen(&mut self, number: u64) -> Result<Life, Failure> {
        let (opening, found) = Opening::new(&self.options, Some(number))?;
        self.leave_by = None;
        self.tell_story(&found);
        opening.start()
    }

    /// Shows what there is to show.
    pub(super) fn show(&mut self) {
        self.out.extend(self.view.take());
        if !self.out.is_empty() {
            self.console.show(std::mem::take(&mut self.out));
        }
    }

    /// How long the threads of a life may take to end from now on.
    pub(super) fn patience(&self) -> Duration {
        match self.leave_by {
            Some(by) => Duration::from_micros(by.since_us(clock::now())).max(PATIENCE / 10),
            None => PATIENCE,
        }
    }

    /// How it ends, if nothing went wrong.
    pub(super) fn ending(&mut self) -> Ending {
        std::mem::replace(&mut self.ending, (Code::Done, None))
    }
}
