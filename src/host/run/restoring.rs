//! `--restore`: what going back would discard is said first, and at a terminal asked about.
//!
//! The question is asked before the editor takes the terminal, and read as a plain line. Going back deletes
//! nothing, so for a program the option itself is consent enough; for a person it may be a slip.

use std::io::{self, BufRead, Write};

use crate::host::cli::NodeOptions;
use crate::host::disk::{Preview, preview_restore};
use crate::host::terminal::console::Surface;
use crate::host::terminal::lang::{Voice, say};
use crate::node::face::RecoverLevel;
use crate::replica::content::rfc3339;

use super::failure::Failure;

/// The checkpoint to go back to, if the user asked for one and, having seen what it discards, still wants it.
pub fn agreed(options: &NodeOptions, surface: Surface) -> Result<Option<u64>, Failure> {
    let Some(number) = options.restore else {
        return Ok(None);
    };
    let preview = preview_restore(&options.data_dir, options.id, number)?;
    let voice = options.voice();
    let text = sentence(&preview, options.recover, voice);
    let mut stderr = io::stderr();
    if surface == Surface::Pipe {
        // A program that asks for it means it.
        writeln!(stderr, "{text}").unwrap_or_default();
        return Ok(Some(number));
    }
    let question = say!(voice, "restore-question");
    write!(stderr, "{text}\n{question} ").map_err(Failure::Terminal)?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(Failure::Terminal)?;
    if is_yes(&answer) {
        Ok(Some(number))
    } else {
        Err(Failure::NotRestored(number))
    }
}

/// What going back discards, and what becomes of it.
pub fn sentence(preview: &Preview, recover: RecoverLevel, voice: Voice) -> String {
    let then = match recover {
        RecoverLevel::None => say!(voice, "restore-none"),
        RecoverLevel::Own => say!(voice, "restore-own"),
        RecoverLevel::Peers => say!(voice, "restore-peers"),
    };
    say!(
        voice,
        "restore",
        number = preview.number,
        time = rfc3339(preview.time),
        held = preview.held,
        discards = preview.discards,
        then = then,
    )
}

/// Only a clear yes is one, in three languages.
fn is_yes(answer: &str) -> bool {
    let answer = answer.trim().to_lowercase();
    ["y", "yes", "s", "sim", "si", "sí"].contains(&answer.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::WallTime;

    #[test]
    fn only_a_clear_yes_goes_back() {
        assert!(is_yes("Y\n") && is_yes(" sim"));
        assert!(!is_yes("\n") && !is_yes("no") && !is_yes(""));
    }

    #[test]
    fn the_sentence_says_what_is_discarded_and_how_far_recovery_goes() {
        let preview = Preview {
            number: 4,
            time: WallTime(1_763_680_000_482),
            held: 40,
            discards: 1,
        };
        let text = sentence(&preview, RecoverLevel::None, Voice::default());
        assert!(text.starts_with("checkpoint 4 of 2025-11-20T23:06:40.482Z holds 40 messages; "));
        assert!(text.contains("discards 1 message from the state: they stay in the file"));
        assert!(sentence(&preview, RecoverLevel::Peers, Voice::default()).ends_with("from peers"));
    }
}
