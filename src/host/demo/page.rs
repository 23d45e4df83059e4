//! What the reader sees: numbered acts, facts with a mark, tables with aligned columns.

use std::io::{self, Write};

use crate::host::terminal::style::Style;
use crate::host::terminal::visible;

use super::failure::Failure;

/// Space before everything that belongs to an act.
const INDENT: &str = "   ";
/// Space between two columns.
const GAP: &str = "  ";

/// The printed story.
#[derive(Debug)]
pub struct Page {
    style: Style,
    acts: u32,
    facts: u32,
}

impl Page {
    /// An empty page.
    pub fn new(style: Style) -> Page {
        Page {
            style,
            acts: 0,
            facts: 0,
        }
    }

    /// Prints one line as it is.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        // Flushed line by line: a reader follows while it happens, also through a pipe.
        let printed = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        printed.map_err(Failure::Output)
    }

    /// Begins an act.
    pub fn act(&mut self, sentence: &str) -> Result<(), Failure> {
        self.acts += 1;
        let heading = format!("{}. {sentence}", self.acts);
        let heading = self.style.bold(&heading);
        self.line(&format!("\n{heading}"))
    }

    /// A line of an act.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.line(&format!("{INDENT}{text}"))
    }

    /// A claim, told only if it holds; `found` is what was found if it does not.
    pub fn fact(&mut self, holds: bool, claim: &str, found: impl FnOnce() -> String) -> Result<(), Failure> {
        if !holds {
            return Err(Failure::Claim(claim.to_string(), found()));
        }
        self.seen(claim)
    }

    /// A claim that was waited for: if it did not hold, this line would not be reached.
    pub fn seen(&mut self, claim: &str) -> Result<(), Failure> {
        self.facts += 1;
        let mark = self.style.bold("✓");
        self.say(&format!("{mark} {claim}"))
    }

    /// How many claims held so far.
    pub fn facts(&self) -> u32 {
        self.facts
    }

    /// The last words.
    pub fn verdict(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.style.bold(text);
        self.line(&format!("\n{text}"))
    }

    /// A table with a header; the last column may be as long as it likes.
    pub fn table(&mut self, rows: &[Vec<String>]) -> Result<(), Failure> {
        for (index, line) in aligned(rows).into_iter().enumerate() {
            let line = if index == 0 { self.style.dim(&line) } else { line };
            self.say(&line)?;
        }
        Ok(())
    }
}

/// Rows as lines, each column as wide as its widest cell.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| visible::width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let padded = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| {
            let space = width.saturating_sub(visible::width(cell));
            format!("{cell}{}", " ".repeat(space))
        });
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_string()
    };
    rows.iter().map(padded).collect()
}

/// A row of a table.
pub fn row<const N: usize>(cells: [&dyn std::fmt::Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [row([&"who", &"said"]), row([&"é", &12]), row([&"caio", &""])];
        assert_eq!(aligned(&rows), ["who   said", "é     12", "caio"]);
        assert!(aligned(&[]).is_empty());
    }

    #[test]
    fn a_claim_that_does_not_hold_is_not_told_but_fails_with_the_value() {
        let mut page = Page::new(Style::PLAIN);
        page.fact(true, "one is one", || unreachable!("it holds"))
            .unwrap();
        assert_eq!(page.facts(), 1);
        let failure = page
            .fact(false, "one is two", || "1".into())
            .expect_err("must fail");
        assert_eq!(failure.to_string(), "this does not hold: one is two; found: 1");
        assert_eq!(page.facts(), 1);
    }
}
