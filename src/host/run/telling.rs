//! Who is told events: whoever reads stdout with `--json`, who follows the feed, and a recording. Each event is made
//! once, and only if somebody wants it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::events::{self, Audience, Kind, Mark, Teller, Told};
use crate::host::feed::Feed;
use crate::host::record::Recorder;
use crate::host::terminal::clock::Zone;
use crate::host::terminal::lang::say;
use crate::host::terminal::start::{start_lines, story_lines};
use crate::host::terminal::view::Shown;
use crate::host::terminal::{Level, visible};
use crate::node::face::{Command, Notice, Watch};
use crate::replica::Record;

use super::Ending;
use super::front::Front;
use super::life::Life;
use super::opening::Found;

/// The places that events go to.
pub struct Telling {
    teller: Teller,
    /// Stdout is events.
    json: bool,
    /// Stdout has the details as well.
    details: bool,
    feed: Option<Feed>,
    recorder: Option<Recorder>,
}

impl Telling {
    /// Tells events as these options want it, to those who follow, and to a recording.
    pub fn new(options: &NodeOptions, feed: Option<Feed>, recorder: Option<Recorder>) -> Telling {
        Telling {
            teller: Teller::new(options.id),
            json: options.json,
            details: options.json && options.level == Level::Verbose,
            feed,
            recorder,
        }
    }

    /// How closely the core is to be watched for all of them.
    pub fn watch(&self) -> Watch {
        let is_followed = self.feed.as_ref().is_some_and(|feed| feed.followers() > 0);
        match (is_followed || self.recorder.is_some(), self.details) {
            (true, _) => Watch::DetailsAndStatus,
            (false, true) => Watch::Details,
            (false, false) => Watch::Off,
        }
    }

    /// Tells a notice of the core. Returns what stdout is to show of it.
    pub fn notice(&mut self, notice: &Notice) -> Option<Shown> {
        let shown = match events::audience(notice) {
            Audience::All => self.json,
            Audience::Details => self.details,
            Audience::Followers => false,
        };
        self.tell_if(shown, events::kind(notice), |mark| events::notice(notice, mark))
    }

    /// Tells an event, if anybody wants it. Returns what stdout is to show of it.
    pub fn tell(&mut self, kind: Kind, make: impl FnOnce(Mark) -> String) -> Option<Shown> {
        self.tell_if(self.json, kind, make)
    }

    /// The same, on stdout only if it is `shown` there.
    fn tell_if(&mut self, shown: bool, kind: Kind, make: impl FnOnce(Mark) -> String) -> Option<Shown> {
        if !shown && self.feed.is_none() && self.recorder.is_none() {
            return None;
        }
        let mark = self.teller.next(clock::now(), clock::wall());
        let line = make(mark);
        if self.feed.is_some() || self.recorder.is_some() {
            self.hand_on(Told {
                mark,
                line: Arc::from(line.as_str()),
                kind,
            });
        }
        shown.then_some(Shown::Data(line))
    }

    fn hand_on(&mut self, told: Told) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record(&told);
        }
        if let Some(feed) = &self.feed {
            feed.publish(told);
        }
    }

    /// Why the recording has ended before its time, if it has; told once.
    pub fn recording_failed(&mut self) -> Option<io::Error> {
        let error = self.recorder.as_ref()?.failure()?;
        self.recorder = None;
        Some(error)
    }

    /// No more is told: the recording is finished, as far as that takes no longer than this.
    pub fn end(self, at_most: Duration) {
        let written = self.recorder.is_none_or(|recorder| recorder.finish(at_most));
        if !written {
            log::warn!("the end of the recording is not written");
        }
    }
}

impl Front {
    /// Tells who, where and how, and what was found.
    pub(super) fn tell_start(&mut self, found: &Found) {
        self.tell(Kind::Start, |mark| events::start(&found.start, mark));
        if !self.options.json {
            for line in start_lines(&found.start, self.view.voice()) {
                self.view.talk(Level::Normal, &line);
            }
        }
        self.tell_story(found);
    }

    /// Tells what was found on the disk, and the last messages.
    pub(super) fn tell_story(&mut self, found: &Found) {
        self.said.learn(&found.said);
        self.tell(Kind::Story, |mark| events::story(&found.story, mark));
        if !self.options.json {
            let lines = story_lines(&found.story, &Zone::system(), self.view.voice());
            self.view.talk(Level::Normal, &lines[0]);
            lines[1..].iter().for_each(|warning| self.view.alarm(warning));
        }
        self.options.name = Some(found.start.name.clone());
        self.alone.begins(&found.start);
        self.view.call(&found.start.name);
        found.rooms.iter().for_each(|room| self.view.know_room(room));
        self.tell_history(&found.history);
        self.show();
    }

    /// Messages of before.
    pub(super) fn tell_history(&mut self, records: &[Record]) {
        for record in records {
            let own = record.id.sender.id == self.options.id;
            self.tell(Kind::Passing, |mark| events::history(record, own, mark));
            if !self.options.json {
                self.view.earlier(record, own);
            }
        }
    }

    /// Tells an event to all who want events.
    pub(super) fn tell(&mut self, kind: Kind, make: impl FnOnce(Mark) -> String) {
        self.out.extend(self.telling.tell(kind, make));
    }

    /// Has the core tell as much as is wanted: somebody has come to look, or is gone.
    pub(super) fn watch(&mut self, life: &Life) {
        let watch = self.telling.watch();
        if watch != self.watched {
            self.watched = watch;
            life.command(Command::Watch(watch));
        }
    }

    /// Tells that the recording has ended before its time. The node goes on.
    pub(super) fn look_after_recording(&mut self) {
        let Some(error) = self.telling.recording_failed() else {
            return;
        };
        let text = format!("the recording has ended, it is complete up to here: {error}");
        self.view.alarm(&visible::line(&text));
        let warning = Notice::Warning(text);
        self.out.extend(self.telling.notice(&warning));
    }

    /// Tells the end and puts the terminal in order.
    pub(super) fn close(mut self, (code, reason): Ending, at_most: Duration) {
        match &reason {
            Some(reason) => self.view.alarm(&visible::line(reason)),
            None if self.options.json => {}
            None => {
                let line = say!(self.view.voice(), "left");
                self.view.talk(Level::Normal, &line);
            }
        }
        self.tell(Kind::Kept, |mark| events::exit(code, reason.as_deref(), mark));
        self.show();
        self.telling.end(at_most);
        self.console.close(at_most);
    }
}
