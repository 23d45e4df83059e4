//! The log that ShiViz reads: for each event a line of words, then a line with the host and its vector clock as JSON.
//!
//! It is read with ShiViz's default expression, [`EXPRESSION`]. Entries that are zero are left out, as ShiViz expects.

use std::io::{self, Write};

use super::clocks::Clocks;
use super::error::ReplayError;
use super::order::Merged;
use super::reading::Recording;
use super::words::{Words, since};
use crate::host::terminal::lang::Voice;
use crate::words::NodeId;

/// The expression with which ShiViz reads such a log.
pub const EXPRESSION: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";

/// A node's name in the log.
fn host(node: NodeId) -> String {
    format!("node{node}")
}

/// Writes the log of these events, its words in this voice.
pub fn write(
    recording: &Recording,
    merged: &Merged,
    voice: Voice,
    out: &mut impl Write,
) -> Result<(), ShivizError> {
    let mut words = Words::new(voice);
    let mut clocks = Clocks::new(recording, merged);
    let hosts: Vec<String> = clocks.nodes.iter().map(|node| host(*node)).collect();
    while let Some((event, clock)) = clocks.advance() {
        let entry = &recording.entries[event as usize];
        let told = match recording.text(entry)? {
            Some(text) => words.line(&text),
            None => words.inferred(&entry.fact),
        };
        let at = since(merged.times_us[event as usize]);
        let own = host(entry.node);
        let known = hosts.iter().zip(clock).filter(|(_, count)| **count > 0);
        let known: Vec<String> = known.map(|(host, count)| format!("\"{host}\":{count}")).collect();
        writeln!(out, "{told} ({at})\n{own} {{{}}}", known.join(","))?;
    }
    Ok(())
}

/// Why the log was not written.
#[derive(Debug)]
pub enum ShivizError {
    /// A recording cannot be read any more.
    Reading(ReplayError),
    /// The log cannot be written.
    Writing(io::Error),
}

impl From<ReplayError> for ShivizError {
    fn from(error: ReplayError) -> Self {
        ShivizError::Reading(error)
    }
}

impl From<io::Error> for ShivizError {
    fn from(error: io::Error) -> Self {
        ShivizError::Writing(error)
    }
}
