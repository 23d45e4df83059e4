//! `node replay`: what was recorded, once more: in words, as a space-time diagram, as a log for ShiViz, on the page.
//!
//! `reading` finds the events of one or several recordings, `causes` says which of them must have been before which, and
//! `order` puts them in one order in which no effect stands before its cause. All that is shown goes along that order:
//! `terminal` in words, `shiviz` with the vector clocks of `clocks`, `svg` as a picture, `page` for a browser. `told` has the types of the
//! format, apart from the core's, and `facts` what of an event others can depend on.

pub mod causes;
pub mod clocks;
pub mod error;
pub mod facts;
pub mod order;
mod page;
pub mod reading;
pub mod shiviz;
pub mod svg;
mod terminal;
pub mod told;
pub mod words;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::host::exit::Code;
use crate::host::files::{self, Os, Replacement};
use crate::host::terminal::lang::{Lang, Voice, say};
use crate::host::terminal::visible;
use crate::host::web::WebOptions;
use error::ReplayError;
use order::Merged;
use reading::Recording;
use shiviz::ShivizError;

/// What is to be replayed, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayOptions {
    /// The recordings.
    pub files: Vec<PathBuf>,
    /// Write a log for ShiViz to this file.
    pub shiviz: Option<PathBuf>,
    /// Write a space-time diagram to this file.
    pub svg: Option<PathBuf>,
    /// From when on, in microseconds since the first event.
    pub from_us: u64,
    /// Up to when.
    pub to_us: Option<u64>,
    /// How wide the diagram is.
    pub width: u32,
    /// How fast it is played.
    pub speed: Speed,
    /// Only events of these types; all if there are none.
    pub only: Vec<String>,
    /// Show it on a page.
    pub web: Option<WebOptions>,
    /// The language of what is told.
    pub lang: Lang,
    /// The language of what is written to files.
    pub lang_of_files: Lang,
}

impl ReplayOptions {
    /// How events are told.
    pub fn voice(&self) -> Voice {
        spoken(self.lang)
    }

    /// How they are told in a log or a picture.
    pub fn voice_of_files(&self) -> Voice {
        spoken(self.lang_of_files)
    }
}

fn spoken(lang: Lang) -> Voice {
    Voice { lang, plain: false }
}

/// How fast a recording is played on a terminal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it happened.
    Times(f64),
    /// An event each time Enter is pressed.
    Step,
}

/// A recording in order.
#[derive(Debug)]
pub struct Play {
    /// What was recorded.
    pub recording: Recording,
    /// Its order.
    pub merged: Merged,
}

impl Play {
    /// Reads recordings and puts them in order.
    pub fn open(files: &[PathBuf]) -> Result<Play, ReplayError> {
        let mut recording = Recording::read(files)?;
        let causes = causes::find(&mut recording);
        let merged = order::merge(&recording, causes);
        Ok(Play { recording, merged })
    }

    /// What is wrong with the recordings, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.recording.notes.clone();
        if self.recording.notes_left_out > 0 {
            notes.push(format!("{} more of this kind", self.recording.notes_left_out));
        }
        if self.merged.contradictions > 0 {
            notes.push(format!(
                "{} events are told to be before their causes; their place in the order is a guess",
                self.merged.contradictions
            ));
        }
        notes
    }

    /// The events of a stretch of time, in order.
    pub fn between(&self, from_us: u64, to_us: Option<u64>) -> impl Iterator<Item = u32> + use<'_> {
        let time = |event: u32| self.merged.times_us[event as usize];
        let order = self.merged.order.iter().copied();
        order.filter(move |event| time(*event) >= from_us && to_us.is_none_or(|to_us| time(*event) <= to_us))
    }
}

/// Replays, and tells on stderr what went wrong.
pub fn run(options: &ReplayOptions) -> Code {
    match replay(options) {
        Ok(()) => Code::Done,
        Err(error) => {
            eprintln!("node: {}", visible::line(&error.to_string()));
            error.code()
        }
    }
}

fn replay(options: &ReplayOptions) -> Result<(), ReplayError> {
    let play = Play::open(&options.files)?;
    for note in play.notes() {
        eprintln!("! {}", visible::line(&note));
    }
    for path in options.shiviz.iter().chain(&options.svg) {
        if play.recording.reads(path) {
            return Err(ReplayError::WouldReplace(path.clone()));
        }
    }
    if let Some(path) = &options.shiviz {
        write_log(&play, path, options)?;
    }
    if let Some(path) = &options.svg {
        let picture = svg::draw(
            &play,
            options.from_us,
            options.to_us,
            options.width,
            options.voice_of_files(),
        )?;
        write_picture(&picture, path, options)?;
    }
    if let Some(web) = &options.web {
        return page::serve(play, options, web);
    }
    if options.shiviz.is_none() && options.svg.is_none() {
        terminal::play(&play, options)?;
    }
    Ok(())
}

/// Writes the log for ShiViz, beside its file until it is whole.
fn write_log(play: &Play, path: &Path, options: &ReplayOptions) -> Result<(), ReplayError> {
    let failed = |error| ReplayError::File(path.to_path_buf(), error);
    let voice = options.voice_of_files();
    if is_stdout(path) {
        let mut out = std::io::stdout().lock();
        return ended(
            shiviz::write(&play.recording, &play.merged, voice, &mut out),
            path,
        );
    }
    let begun = Replacement::begin(&Os, path).map_err(|error| failed(io::Error::other(error)))?;
    let mut out = Growing(begun);
    ended(
        shiviz::write(&play.recording, &play.merged, voice, &mut out),
        path,
    )?;
    let finished = out.0.finish();
    finished.map_err(|error| failed(io::Error::other(error)))?;
    let told = say!(
        options.voice(),
        "replay-log-is-in",
        path = shown(path),
        expression = shiviz::EXPRESSION
    );
    eprintln!("{told}");
    Ok(())
}

/// What came of writing a log; who reads a pipe may have read enough.
fn ended(written: Result<(), ShivizError>, path: &Path) -> Result<(), ReplayError> {
    match written {
        Ok(()) => Ok(()),
        Err(ShivizError::Reading(error)) => Err(error),
        Err(ShivizError::Writing(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(ShivizError::Writing(error)) => Err(ReplayError::File(path.to_path_buf(), error)),
    }
}

/// A new version of a file, as something to write to.
struct Growing(Replacement);

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a picture.
fn write_picture(picture: &str, path: &Path, options: &ReplayOptions) -> Result<(), ReplayError> {
    let failed = |error| ReplayError::File(path.to_path_buf(), error);
    if is_stdout(path) {
        return std::io::stdout()
            .lock()
            .write_all(picture.as_bytes())
            .map_err(failed);
    }
    let replaced = files::replace(path, picture.as_bytes());
    replaced.map_err(|error| failed(io::Error::other(error)))?;
    eprintln!(
        "{}",
        say!(options.voice(), "replay-picture-is-in", path = shown(path))
    );
    Ok(())
}

/// Whether a file is named that stands for stdout.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn shown(path: &Path) -> String {
    visible::line(&path.to_string_lossy())
}
