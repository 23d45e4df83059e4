//! A recording told in words, an event a line: at once into a pipe, and on a terminal as fast as it happened.
#![allow(clippy::disallowed_methods)] // Playing at speed is waiting.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use super::error::ReplayError;
use super::reading::Entry;
use super::words::{Words, since, who};
use super::{Play, ReplayOptions, Speed, told};
use crate::host::terminal::lang::say;

/// The longest wait between two events on a terminal: longer ones are told, and cut short.
const PAUSE_US: u64 = 2_000_000;

/// Tells the events that were asked for.
pub fn play(play: &Play, options: &ReplayOptions) -> Result<(), ReplayError> {
    let stdout = io::stdout();
    let plays = stdout.is_terminal();
    let voice = options.voice();
    let mut telling = Telling {
        play,
        options,
        words: Words::new(voice),
        last_us: None,
    };
    let mut out = stdout.lock();
    for event in play.between(options.from_us, options.to_us) {
        let Some(line) = telling.line(event)? else {
            continue;
        };
        let told = telling.wait(event, plays, &mut out).and_then(|goes_on| {
            if goes_on {
                writeln!(out, "{line}").map(|()| true)
            } else {
                Ok(false)
            }
        });
        match told {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(ReplayError::File("stdout".into(), error)),
        }
    }
    match telling.last_us {
        Some(_) => Ok(()),
        None => Err(ReplayError::Nothing),
    }
}

struct Telling<'a> {
    play: &'a Play,
    options: &'a ReplayOptions,
    words: Words,
    /// When the last event that was told happened.
    last_us: Option<u64>,
}

impl Telling<'_> {
    /// The line of an event, unless others are wanted only.
    fn line(&mut self, event: u32) -> Result<Option<String>, ReplayError> {
        let entry = self.play.recording.entries[event as usize];
        let Some(said) = self.said(&entry)? else {
            return Ok(None);
        };
        let at = since(self.play.merged.times_us[event as usize]);
        let by = who(self.options.voice(), entry.node, &self.play.recording.names);
        Ok(Some(format!("{at}  {by}  {said}")))
    }

    fn said(&mut self, entry: &Entry) -> Result<Option<String>, ReplayError> {
        let wanted = |kind: &str| {
            let only = &self.options.only;
            only.is_empty() || only.iter().any(|wanted| wanted == kind)
        };
        let Some(text) = self.play.recording.text(entry)? else {
            let wanted = wanted("stamped");
            return Ok(wanted.then(|| self.words.inferred(&entry.fact)));
        };
        let Ok((head, told)) = told::read(text.as_bytes()) else {
            return Ok(Some(self.words.line(&text)));
        };
        let wanted = wanted(&head.kind);
        // Also one that is not shown may give a number its ring.
        let said = self.words.event(&head, &told);
        Ok(wanted.then_some(said))
    }

    /// Waits until the time of an event has come. Whether to go on.
    fn wait(&mut self, event: u32, plays: bool, out: &mut impl Write) -> io::Result<bool> {
        let now_us = self.play.merged.times_us[event as usize];
        let passed_us = self
            .last_us
            .replace(now_us)
            .map(|last| now_us.saturating_sub(last));
        let Some(passed_us) = passed_us.filter(|_| plays) else {
            return Ok(true);
        };
        match self.options.speed {
            Speed::Step => {
                write!(out, "{} ", say!(self.options.voice(), "replay-step"))?;
                out.flush()?;
                let mut answer = String::new();
                let read = io::stdin().lock().read_line(&mut answer)?;
                Ok(read > 0 && !answer.trim().eq_ignore_ascii_case("q"))
            }
            Speed::Times(times) => {
                let wait_us = passed_us as f64 / times;
                if wait_us > PAUSE_US as f64 {
                    let seconds = format!("{:.1}", passed_us as f64 / 1e6);
                    writeln!(
                        out,
                        "{}",
                        say!(self.options.voice(), "replay-later", seconds = seconds)
                    )?;
                }
                out.flush()?;
                std::thread::sleep(Duration::from_micros((wait_us as u64).min(PAUSE_US)));
                Ok(true)
            }
        }
    }
}
