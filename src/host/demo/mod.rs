//! `node demo`: the whole story, told by real processes on loopback, in a folder of their own.
//!
//! The demo is a spectator with a hand on the power switch. It starts nodes as anybody would, types lines into
//! them, listens to the events they print, reads their files, kills one, damages a file. Nothing that it says is
//! assumed: each claim is computed from events and files, and the first one that does not hold ends the demo with
//! the value that was found.
//!
//! `stage` owns the processes, `acts`, `fall` and `mending` tell the story in this order, `evidence` reads the
//! files and judges them, `page` prints, `keep` is what `--keep` adds, `lessons` is what `--web` does instead.

mod acts;
mod evidence;
mod failure;
mod fall;
mod keep;
mod lessons;
mod mending;
mod page;
mod player;
mod stage;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::host::cli::DemoOptions;
use crate::host::clock;
use crate::host::exit::Code;
use crate::host::folder::Folder;
use crate::host::terminal::style::Style;
use crate::words::Time;

use failure::Failure;
use page::Page;
use stage::Stage;

/// How long a reader is given after each act: its few lines take about that long to read.
const READING: Duration = Duration::from_millis(2_300);

/// The demo on its way: who plays, where it is told, and how fast.
struct Story {
    stage: Stage,
    page: Page,
    reading: Duration,
    started: Time,
}

/// Tells the whole story. All that is to be said about its end has been said when this returns, all processes
/// have ended, and the folder is gone unless it is wanted or needed to see what went wrong.
pub fn run(options: DemoOptions) -> Code {
    let style = style();
    let (folder, stage) = match open() {
        Ok(opened) => opened,
        Err(failure) => return tell_failure(&failure, None),
    };
    let reading = if options.fast { Duration::ZERO } else { READING };
    let page = Page::new(style);
    let started = clock::now();
    let mut story = Story {
        stage,
        page,
        reading,
        started,
    };
    let told = if options.web {
        story.teach(options.open)
    } else {
        story.tell(options.keep)
    };
    // Ends every process, however the story ended.
    drop(story);
    match told {
        Ok(()) if options.keep && !options.web => Code::Done,
        Ok(()) => remove(&folder),
        Err(failure @ (Failure::Interrupted | Failure::Output(_))) => {
            remove(&folder);
            tell_failure(&failure, None)
        }
        Err(failure) => tell_failure(&failure, Some(&folder)),
    }
}

/// Makes the folder and the empty stage.
fn open() -> Result<(Folder, Stage), Failure> {
    let folder = Folder::create("roda-demo");
    let folder = folder.map_err(|error| Failure::Machine("make a folder".into(), error))?;
    match Stage::open(&folder) {
        Ok(stage) => Ok((folder, stage)),
        Err(failure) => {
            remove(&folder);
            Err(failure)
        }
    }
}

/// Colours on a terminal, unless they are refused.
fn style() -> Style {
    Style::choose(io::stdout().is_terminal(), |name| std::env::var(name).ok())
}

/// Takes the folder away.
fn remove(folder: &Folder) -> Code {
    match folder.remove() {
        Ok(()) => Code::Done,
        Err(error) => tell_failure(&Failure::Machine("remove a folder".into(), error), None),
    }
}

/// Says what went wrong, and where to look.
fn tell_failure(failure: &Failure, folder: Option<&Folder>) -> Code {
    let mut text = format!("\nnode demo: {failure}\n");
    if let Some(folder) = folder {
        let path = folder.path().display();
        text += &format!("node demo: files and logs are kept in {path}; remove it when you have looked\n");
    }
    // Nobody may be reading any more; the exit code says it as well.
    io::stderr().write_all(text.as_bytes()).unwrap_or_default();
    failure.code()
}

impl Story {
    /// All acts, in order.
    fn tell(&mut self, keep: bool) -> Result<(), Failure> {
        self.opening()?;
        self.gather()?;
        self.talk()?;
        self.differ()?;
        let fallen = self.kill_the_holder()?;
        self.go_on_without(&fallen)?;
        self.come_back(&fallen)?;
        self.damage()?;
        self.reconcile()?;
        self.verdict()?;
        if keep {
            self.keep()?;
        }
        Ok(())
    }

    /// Begins an act: the next number, and one sentence.
    fn act(&mut self, sentence: &str) -> Result<(), Failure> {
        self.page.act(sentence)
    }

    /// Ends an act: time to read.
    fn end_act(&mut self) -> Result<(), Failure> {
        self.stage.pause(self.reading)
    }
}
