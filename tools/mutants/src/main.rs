//! Mutation testing over roda's core: every small change to the code should make a test fail.
//!
//! All mutants are compiled into one copy of the tree, and which one is at work is said at run time (a *mutant schema*):
//! thousands of mutants cost one build instead of thousands. `cargo run --release --manifest-path
//! tools/mutants/Cargo.toml -- run` does it all, from the folder of roda:
//!
//! 1. `find` reads the sources and lists the mutants;
//! 2. `tree` writes the copy below `target/mutants`, builds it, and leaves out the mutants that do not compile;
//! 3. `tests` runs every test once without a mutant and notes which mutants it reaches; then, for each mutant, the tests that
//!    reach it, cheap ones first, until one fails. Each outcome is appended to `target/mutants/results.jsonl`; a run that is
//!    stopped goes on where it was;
//! 4. `report` prints the table, and holds the survivors against `mutants/explained.txt`: each has its reason there, and
//!    nothing else stands there. The exit code is 0 only then.
//!
//! `hand` does the same with changes that were thought of, of the parts that touch the machine: see `hand`.
#![allow(
    clippy::disallowed_methods,
    reason = "a program that changes files, starts others, and waits for them"
)]

mod find;
mod hand;
mod report;
mod tests;
mod tree;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: mutants [run | build | report | list | hand | hand-build] [options], in roda's folder

  run     builds the copy, tests every mutant that has no outcome yet, and reports
  build   builds the copy only
  report  the table of the outcomes so far
  list    every mutant by its name
  hand    the changes of mutants/by_hand.txt, each with the tests that must notice it; --only chooses by name
  hand-build  builds these only

  --only TEXT     mutants whose name contains the text; may be given again
  --shard K/N     only the Kth of N parts, from 1
  --again         tests mutants that survived before once more, after tests were added
  --keep          outcomes of an older tree count where a mutant was noticed
  --seeds N       seeds of the simulator for each mutant that nothing else noticed [default: 400]
  --minutes N     stops after so many minutes; the next run goes on
";

/// What the command line asks for.
pub struct Options {
    /// Mutants whose name contains one of these; all if empty.
    pub only: Vec<String>,
    /// Part k of n.
    pub shard: (usize, usize),
    /// Survivors are tested again.
    pub again: bool,
    /// Outcomes of another tree count if the mutant was noticed.
    pub keep: bool,
    /// How many seeds the simulator runs.
    pub seeds: u64,
    /// How long to go on.
    pub minutes: u64,
}

impl Options {
    /// Whether a mutant is asked for by name.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<(String, Options), String> {
    let mut options = Options {
        only: Vec::new(),
        shard: (1, 1),
        again: false,
        keep: false,
        seeds: 400,
        minutes: u64::MAX,
    };
    let mut command = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
        match word.as_str() {
            "--only" => options.only.push(value()?),
            "--again" => options.again = true,
            "--keep" => options.keep = true,
            "--seeds" => options.seeds = number(value()?)?,
            "--minutes" => options.minutes = number(value()?)?,
            "--shard" => {
                let text = value()?;
                let parts = text
                    .split_once('/')
                    .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
                options.shard = parts
                    .filter(|(k, n)| (1..=*n).contains(k))
                    .ok_or(format!("{text:?} is no shard; write 1/4"))?;
            }
            "run" | "build" | "report" | "list" | "hand" | "hand-build" if command.is_none() => {
                command = Some(word)
            }
            _ => return Err(format!("{word:?} is not understood\n\n{USAGE}")),
        }
    }
    Ok((command.unwrap_or("run".into()), options))
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|(command, options)| act(&command, &options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

/// Does what is asked for; whether all is well.
fn act(command: &str, options: &Options) -> Result<bool, String> {
    let root = PathBuf::from(".");
    match command {
        "hand" => return hand::run(&root, options),
        "hand-build" => return hand::build_only(&root),
        _ => {}
    }
    let mutants = find::all(&root)?;
    match command {
        "list" => {
            for mutant in mutants.iter().filter(|mutant| options.wants(&mutant.name)) {
                println!("{}:{}\t{}", mutant.file, mutant.line, mutant.name);
            }
            Ok(true)
        }
        "build" => tree::build(&root, &mutants).map(|_| true),
        "report" => report::print(&root, &mutants, options),
        _ => {
            let built = tree::build(&root, &mutants)?;
            tests::run(&root, &mutants, &built, options)?;
            report::print(&root, &mutants, options)
        }
    }
}
