//! The words of `node replay`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::args::{page_at, web};
use super::duration::{self, DurationUs};
use crate::host::replay::{ReplayOptions, Speed};
use crate::host::terminal::lang::Lang;

/// The slowest and the fastest speed.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=100.0;
/// The narrowest and the widest picture, in pixels.
const WIDTHS: std::ops::RangeInclusive<i64> = 400..=20_000;

/// What `node replay` accepts.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recordings, made with --record: one of a node, or those of several nodes of one ring
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write a log with vector clocks for ShiViz; - for stdout
    #[arg(long, value_name = "OUT.log")]
    shiviz: Option<PathBuf>,
    /// Write a space-time diagram; - for stdout
    #[arg(long, value_name = "OUT.svg")]
    svg: Option<PathBuf>,
    /// Begin so long after the first event
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "0")]
    from: DurationUs,
    /// End so long after the first event [default: with the last one]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    to: Option<DurationUs>,
    /// How wide the diagram is, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(WIDTHS), default_value = "1400")]
    width: u32,
    /// On a terminal: how many times as fast as it happened, 0.1 to 100, or step for one event at a time
    #[arg(long, value_name = "TIMES|step", value_parser = speed, default_value = "1")]
    speed: Speed,
    /// Tell only events of these types, as in docs/EVENTS.md
    #[arg(long, value_name = "TYPE,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Show it on a page for this machine's browsers: slider, speed, step by step [default: 127.0.0.1, a free port
    /// from 8080 on]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = web, num_args = 0..=1, require_equals = true,
          default_missing_value = "127.0.0.1", conflicts_with_all = ["only", "to"])]
    web: Option<(IpAddr, Option<u16>)>,
    /// Open the page in a browser
    #[arg(long, requires = "web")]
    open: bool,
    /// The language of what is told [default: that of LC_ALL, LC_MESSAGES or LANG, else English]; logs and pictures are
    /// English unless it is given
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

impl ReplayArgs {
    /// The typed options.
    pub fn into_options(self) -> Result<ReplayOptions, String> {
        let (from_us, to_us) = (self.from.0, self.to.map(|to| to.0));
        if let Some(to_us) = to_us.filter(|to_us| *to_us < from_us) {
            let (from, to) = (duration::show(from_us), duration::show(to_us));
            return Err(format!("--from {from} is after --to {to}; turn them round"));
        }
        Ok(ReplayOptions {
            files: self.files,
            shiviz: self.shiviz,
            svg: self.svg,
            from_us,
            to_us,
            width: self.width,
            speed: self.speed,
            only: self.only,
            web: self.web.map(|at| page_at(at, self.open)),
            lang: Lang::choose(self.lang, |name| std::env::var(name).ok()),
            lang_of_files: self.lang.unwrap_or_default(),
        })
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "step" {
        return Ok(Speed::Step);
    }
    match text.parse::<f64>() {
        Ok(times) if SPEEDS.contains(&times) => Ok(Speed::Times(times)),
        _ => Err(format!("{text:?} is no speed; write 0.1 to 100, or step")),
    }
}
