//! Plays every script in `tests/scenarios`: what the nodes tell must be what the script says.
//!
//! `UPDATE=1 cargo test --test scenarios` rewrites the scripts to what is told now; the diff is then reviewed like any
//! other change. The language stands at the top of `src/sim/script.rs`.
#![allow(clippy::disallowed_methods)] // It reads and rewrites the scripts.

use std::fs;
use std::path::{Path, PathBuf};

use roda::sim::script::{difference, play};

/// All scripts with their texts, in the order of their names.
fn scripts() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(&folder).expect("the scripts are there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a script is text");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a script has a name")
        .to_string_lossy()
        .into_owned()
}

#[test]
fn every_script_comes_out_as_written() {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value != "0");
    let mut failures = Vec::new();
    for (path, text) in scripts() {
        let name = name(&path);
        match play(&text) {
            Err(failure) => {
                let (line, reason) = (failure.line, failure.reason);
                failures.push(format!(
                    "{name}:{line}: {reason}\n  {}",
                    failure.trace.join("\n  ")
                ));
            }
            Ok(played) if update && played != text => {
                fs::write(&path, played).expect("the scripts can be rewritten")
            }
            Ok(played) => {
                if let Some((line, expected, came)) = difference(&text, &played) {
                    failures.push(format!("{name}:{line}: not as written\n- {expected}\n+ {came}"));
                }
            }
        }
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} scripts fail:\n\n{}\n",
        failures.join("\n\n")
    );
}

#[test]
fn a_script_plays_the_same_every_time() {
    for (path, text) in scripts() {
        assert_eq!(play(&text), play(&text), "{}", name(&path));
    }
}

#[test]
fn every_script_says_first_what_it_shows() {
    let scripts = scripts();
    assert!(scripts.len() >= 32, "there are {} scripts", scripts.len());
    for (path, text) in &scripts {
        assert!(text.starts_with("# "), "{} begins without a comment", name(path));
        assert!(text.contains("\n> "), "{} does nothing", name(path));
    }
}
