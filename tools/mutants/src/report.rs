//! The table of outcomes, and whether every survivor is explained.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Options;
use crate::find::Mutant;
use crate::tests::outcomes;
use crate::tree::left_out;

/// Why survivors may survive: a mutant's name, or "all of" and the beginning of several, and below it, indented, the
/// reason.
const EXPLAINED: &str = "mutants/explained.txt";

/// What became of the mutants of a file.
#[derive(Clone, Copy, Default)]
struct Row {
    all: usize,
    not_built: usize,
    noticed: usize,
    hang: usize,
    survived: usize,
    explained: usize,
    not_tested: usize,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.all += other.all;
        self.not_built += other.not_built;
        self.noticed += other.noticed;
        self.hang += other.hang;
        self.survived += other.survived;
        self.explained += other.explained;
        self.not_tested += other.not_tested;
    }

    fn print(&self, name: &str) {
        let found = self.noticed + self.hang;
        let tested = found + self.survived;
        let score = if tested == 0 {
            100.0
        } else {
            found as f64 * 100.0 / tested as f64
        };
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {score:.1} % |",
            self.all, self.not_built, self.noticed, self.hang, self.survived, self.explained
        );
    }
}

/// The explanations, by name.
fn explanations(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut name: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (line.strip_prefix("    "), &name) {
            (Some(reason), Some(name)) => all.entry(name.clone()).or_default().push_str(reason.trim()),
            (Some(_), None) => return Err(format!("{EXPLAINED}:{}: a reason without a mutant", at + 1)),
            (None, _) => {
                if all.insert(line.into(), String::new()).is_some() {
                    return Err(format!(
                        "{EXPLAINED}:{}: this mutant is explained already",
                        at + 1
                    ));
                }
                name = Some(line.into());
            }
        }
    }
    match all.iter().find(|(_, reason)| reason.is_empty()) {
        Some((name, _)) => Err(format!("{EXPLAINED}: no reason is given for {name}")),
        None => Ok(all),
    }
}

/// The explanation that is about a mutant: its own, or one for all whose names begin so.
fn explanation<'a>(explained: &'a BTreeMap<String, String>, name: &str) -> Option<&'a String> {
    let is_about = |of: &&String| match of.strip_prefix("all of ") {
        Some(beginning) => name.starts_with(beginning),
        None => *of == name,
    };
    explained.keys().find(is_about)
}

/// Prints the table; whether every survivor is explained and every explanation is of a survivor.
pub fn print(root: &Path, mutants: &[Mutant], options: &Options) -> Result<bool, String> {
    let explained = explanations(&fs::read_to_string(root.join(EXPLAINED)).unwrap_or_default())?;
    let (outcomes, left_out) = (outcomes(root), left_out(root, mutants)?);
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut stale: BTreeSet<&String> = explained.keys().filter(|name| options.wants(name)).collect();
    for (at, mutant) in mutants
        .iter()
        .enumerate()
        .filter(|(_, mutant)| options.wants(&mutant.name))
    {
        let row = rows.entry(&mutant.file).or_default();
        row.all += 1;
        if left_out.contains(&(at + 1)) {
            row.not_built += 1;
            continue;
        }
        match outcomes.get(&mutant.name).map(|outcome| outcome.what.as_str()) {
            Some("noticed") => row.noticed += 1,
            Some("hang") => row.hang += 1,
            Some(what) => {
                row.survived += 1;
                let explanation = explanation(&explained, &mutant.name);
                row.explained += usize::from(explanation.is_some());
                if let Some(explanation) = explanation {
                    stale.remove(explanation);
                } else {
                    unexplained.push(format!(
                        "{what}: {}:{}\t{}",
                        mutant.file, mutant.line, mutant.name
                    ));
                }
            }
            None => {
                row.not_tested += 1;
                stale.retain(|of| explanation(&explained, &mutant.name) != Some(*of));
            }
        }
    }
    println!(
        "| file | mutants | cannot be built | noticed | by a hang | survive | of them explained | score |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut total = Row::default();
    for (file, row) in &rows {
        row.print(file);
        total.add(*row);
    }
    total.print("all");
    println!();
    unexplained.iter().for_each(|line| println!("{line}"));
    stale
        .iter()
        .for_each(|name| println!("explained, but it does not survive: {name}"));
    if total.not_tested > 0 {
        println!("{} mutants are not tested yet", total.not_tested);
    }
    println!(
        "{} survivors without a reason, {} reasons without a survivor",
        unexplained.len(),
        stale.len()
    );
    Ok(unexplained.is_empty() && stale.is_empty() && total.not_tested == 0)
}
