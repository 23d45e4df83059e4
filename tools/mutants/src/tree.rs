//! The copy of the tree that holds all mutants at once, and building it.
//!
//! A changed expression `a < b` becomes `(if active(7) { a <= b } else { a < b })`, and so on; `active` compares with a number
//! from the environment. Nested changes nest: the branch of an outer mutant holds the inner text as it was, since only one
//! mutant is at work at a time. What rustc refuses is found by where its errors point, left out, and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::find::{Change, Mutant, read};

/// Rounds of leaving out what does not compile: types first, then borrows, each a few times.
const ROUNDS_MAX: usize = 25;
/// Where the copy lies.
const COPY: &str = "target/mutants/tree";
/// Which mutants do not compile, by name, with the hash of their file's code.
const LEFT_OUT: &str = "target/mutants/left_out.json";

/// What was built.
pub struct Built {
    /// The test binary of the library.
    pub unit_tests: PathBuf,
    /// Plays scripts and seeds.
    pub runner: PathBuf,
    /// Mutants that are in it: their places in the list, which are their numbers.
    pub numbers: BTreeSet<usize>,
    /// A hash of everything the outcomes depend on.
    pub tree: String,
}

/// The code that tells which mutant is at work; also notes which ones are reached.
pub const ACTIVE: &str = r#"//! Which mutant is at work.
use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

static SELECTED: LazyLock<u32> = LazyLock::new(|| {
    let text = std::env::var("RODA_MUTANT").unwrap_or_default();
    text.parse().unwrap_or(0)
});
static REACHED: [AtomicBool; COUNT + 1] = [const { AtomicBool::new(false) }; COUNT + 1];
static NOTES: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os("RODA_MUTANTS_REACHED")?;
    File::options().create(true).append(true).open(path).ok()
});

/// Whether a mutant is at work.
#[inline]
pub fn active(mutant: u32) -> bool {
    let selected = *SELECTED;
    if selected == u32::MAX && !REACHED[mutant as usize].swap(true, Ordering::Relaxed)
        && let Some(mut notes) = NOTES.as_ref()
    {
        let _ = notes.write_all(format!("{mutant}\n").as_bytes());
    }
    selected == mutant
}
"#;

/// The program that plays scripts and seeds against the copy, on one thread, until one fails.
const RUNNER: &str = r#"//! Plays scripts and seeds: `runner script NAME...`, `runner seeds FROM TO`.
#![allow(warnings)]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words[0].as_str() {
        "script" => {
            for name in &words[1..] {
                println!("{name}");
                let text = std::fs::read_to_string(name).expect("the script is there");
                let played = roda::sim::script::play(&text);
                if played.as_deref() != Ok(text.as_str()) {
                    std::process::exit(1);
                }
            }
        }
        _ => {
            let (from, to): (u64, u64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            for seed in from..to {
                println!("{seed}");
                if let Some(broken) = roda::sim::run::run(seed, false).broken {
                    println!("{broken}");
                    std::process::exit(1);
                }
            }
        }
    }
}
"#;

/// Hash of a text, as it is written into files.
fn hash(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A file without the tests at its end.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// Where a mutant's own text stands in the changed file, and all that it encloses.
struct Place {
    number: usize,
    own: Vec<Range<usize>>,
    whole: Range<usize>,
}

/// What is put in before and behind the bytes of a mutant.
fn texts(mutant: &Mutant, number: usize) -> (usize, String, Option<(usize, String)>) {
    let Range { start, end } = mutant.span;
    let active = format!("crate::mutant_schema::active({number})");
    match &mutant.change {
        Change::Replace(with) => (
            start,
            format!("(if {active} {{ {with} }} else {{ "),
            Some((end, " })".into())),
        ),
        Change::Return(value) => (start + 1, format!(" if {active} {{ return {value}; }}"), None),
        Change::NoItems => {
            let behind = format!("}}; Iterator::take(every, if {active} {{ 0 }} else {{ usize::MAX }}) ");
            (start + 1, " let every = {".into(), Some((end - 1, behind)))
        }
        Change::DeleteArm { guarded: false } => (end, format!(" if !{active}"), None),
        Change::DeleteArm { guarded: true } | Change::Guard(false) => {
            (start, format!("!{active} && ("), Some((end, ")".into())))
        }
        Change::Guard(true) => (start, format!("{active} || ("), Some((end, ")".into()))),
    }
}

/// The file with its mutants in it. Mutants come outer ones first, as they were found.
fn render(text: &str, mutants: &[(usize, &Mutant)]) -> (String, Vec<Place>) {
    // (where, whether it stands behind, order, the place it belongs to, text)
    let mut pieces: Vec<(usize, bool, isize, usize, String)> = Vec::new();
    for (order, (number, mutant)) in mutants.iter().enumerate() {
        let (at, before, behind) = texts(mutant, *number);
        pieces.push((at, true, order as isize, order, before));
        if let Some((at, behind)) = behind {
            // Inner ones end first; and an end comes before a beginning at the same place.
            pieces.push((at, false, -(order as isize), order, behind));
        }
    }
    pieces.sort_by_key(|piece| (piece.0, piece.1, piece.2));
    let mut places: Vec<Place> = mutants
        .iter()
        .map(|(number, _)| Place {
            number: *number,
            own: Vec::new(),
            whole: 0..0,
        })
        .collect();
    let (mut changed, mut done) = (String::new(), 0);
    for (at, _, _, of, piece) in pieces {
        changed += &text[done..at];
        done = at;
        let own = changed.len()..changed.len() + piece.len();
        changed += &piece;
        let place = &mut places[of];
        place.whole = if place.own.is_empty() {
            own.clone()
        } else {
            place.whole.start..own.end
        };
        place.own.push(own);
    }
    changed += &text[done..];
    (changed, places)
}

/// Writes a file if it is not so already, so that nothing is built in vain.
pub fn put(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    fs::write(path, text).map_err(told)
}

/// Every file below a folder.
pub fn files(root: &Path, folder: &str, into: &mut Vec<String>) -> Result<(), String> {
    let entries = fs::read_dir(root.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let below = format!("{folder}/{name}");
        if path.is_dir() {
            files(root, &below, into)?;
        } else {
            into.push(below);
        }
    }
    Ok(())
}

/// The library alone: without the programs.
fn manifest(text: &str) -> String {
    let mut kept = String::new();
    let mut in_bin = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_bin = line.starts_with("[[bin]]");
        }
        if !in_bin && !line.starts_with("default-run") {
            kept += line;
            kept.push('\n');
        }
    }
    kept.replacen("[lib]", "[workspace]\n\n[lib]", 1)
}

/// Writes the copy; per mutated file where its mutants stand; and the hash of the whole.
fn write(
    root: &Path,
    mutants: &[Mutant],
    left_out: &BTreeSet<usize>,
) -> Result<(BTreeMap<String, Vec<Place>>, String), String> {
    let copy = root.join(COPY);
    let mut places = BTreeMap::new();
    let mut names = Vec::new();
    files(root, "src", &mut names)?;
    files(root, "tests/scenarios", &mut names)?;
    files(root, "docs", &mut names)?;
    names.retain(|name| !name.starts_with("src/bin/"));
    let mut hasher = DefaultHasher::new();
    for name in &names {
        let text = read(root, name)?;
        (name, &text).hash(&mut hasher);
        let numbered = mutants.iter().enumerate().map(|(at, mutant)| (at + 1, mutant));
        let own: Vec<_> = numbered
            .filter(|(number, mutant)| mutant.file == *name && !left_out.contains(number))
            .collect();
        let (mut changed, found) = render(&text, &own);
        if name == "src/lib.rs" {
            changed = format!(
                "#![allow(warnings, arithmetic_overflow, unconditional_panic, unused_must_use)]\n{changed}\npub mod mutant_schema;\n"
            );
        }
        put(&copy.join(name), &changed)?;
        if !found.is_empty() {
            places.insert(name.clone(), found);
        }
    }
    // What is no more in the tree is no more in the copy.
    let mut old = Vec::new();
    files(&copy, "src", &mut old)?;
    for name in old.iter().filter(|name| !names.contains(name)) {
        fs::remove_file(copy.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    put(
        &copy.join("src/mutant_schema.rs"),
        &ACTIVE.replace("COUNT", &mutants.len().to_string()),
    )?;
    put(&copy.join("examples/runner.rs"), RUNNER)?;
    put(&copy.join("Cargo.toml"), &manifest(&read(root, "Cargo.toml")?))?;
    put(&copy.join("Cargo.lock"), &read(root, "Cargo.lock")?)?;
    Ok((places, format!("{:016x}", hasher.finish())))
}

/// Calls cargo in the copy; its messages.
fn cargo(root: &Path, words: &[&str]) -> Result<Vec<Value>, String> {
    let program = std::env::var("MUTANTS_CARGO").unwrap_or("cargo".into());
    let target = fs::canonicalize(root)
        .map_err(|error| error.to_string())?
        .join("target/mutants/build");
    let output = Command::new(&program)
        .args(words)
        .args(["--locked", "--quiet", "--message-format=json"])
        .current_dir(root.join(COPY))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// The spans of an error, through the macros it came from; primary ones first.
fn spans(error: &Value) -> Vec<(String, Range<usize>)> {
    let mut all = Vec::new();
    let listed = error["spans"].as_array().cloned().unwrap_or_default();
    for primary in [true, false] {
        for span in listed
            .iter()
            .filter(|span| span["is_primary"].as_bool() == Some(primary))
        {
            let mut span = span.clone();
            while span.is_object() {
                let number = |key: &str| span[key].as_u64().unwrap_or(0) as usize;
                let file = span["file_name"].as_str().unwrap_or_default().to_string();
                all.push((file, number("byte_start")..number("byte_end")));
                span = span["expansion"]["span"].clone();
            }
        }
    }
    all
}

/// The mutants that an error is about.
fn guilty(error: &Value, places: &BTreeMap<String, Vec<Place>>) -> BTreeSet<usize> {
    let spans = spans(error);
    for (file, span) in &spans {
        let here = places.get(file).map(Vec::as_slice).unwrap_or_default();
        let inside = |own: &Range<usize>| own.start <= span.start && span.end <= own.end;
        let found: BTreeSet<usize> = here
            .iter()
            .filter(|place| place.own.iter().any(inside))
            .map(|place| place.number)
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    // It points at text that is not of a mutant's own: at what the smallest one around it makes of it.
    for (file, span) in &spans {
        let here = places.get(file).map(Vec::as_slice).unwrap_or_default();
        let around = here.iter().filter(|place| {
            (place.whole.start <= span.start && span.end <= place.whole.end)
                || (span.start <= place.whole.start && place.whole.end <= span.end)
        });
        if let Some(least) = around.min_by_key(|place| place.whole.len()) {
            return BTreeSet::from([least.number]);
        }
    }
    BTreeSet::new()
}

fn errors(messages: &[Value]) -> Vec<&Value> {
    let own = messages
        .iter()
        .filter(|message| message["reason"] == "compiler-message");
    own.map(|message| &message["message"])
        .filter(|message| {
            message["level"] == "error" && message["spans"].as_array().is_some_and(|s| !s.is_empty())
        })
        .collect()
}

/// The names that are known not to compile, if their file is as it was.
fn known(root: &Path, mutants: &[Mutant]) -> Result<BTreeSet<usize>, String> {
    let text = fs::read_to_string(root.join(LEFT_OUT)).unwrap_or_default();
    let noted: BTreeMap<String, String> = serde_json::from_str(&text).unwrap_or_default();
    let mut hashes: BTreeMap<&str, String> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (at, mutant) in mutants.iter().enumerate() {
        if !hashes.contains_key(mutant.file.as_str()) {
            hashes.insert(&mutant.file, hash(&[code(&read(root, &mutant.file)?)]));
        }
        if noted.get(&mutant.name) == hashes.get(mutant.file.as_str()) {
            known.insert(at + 1);
        }
    }
    Ok(known)
}

/// The mutants, by number, that the last build left out.
pub fn left_out(root: &Path, mutants: &[Mutant]) -> Result<BTreeSet<usize>, String> {
    known(root, mutants)
}

fn remember(root: &Path, mutants: &[Mutant], left_out: &BTreeSet<usize>) -> Result<(), String> {
    let mut noted = BTreeMap::new();
    for number in left_out {
        let mutant = &mutants[number - 1];
        noted.insert(mutant.name.clone(), hash(&[code(&read(root, &mutant.file)?)]));
    }
    put(&root.join(LEFT_OUT), &json!(noted).to_string())
}

/// The program that a build made.
fn artifact(messages: &[Value], kind: &str) -> Option<PathBuf> {
    let made = messages
        .iter()
        .filter(|message| message["reason"] == "compiler-artifact");
    let made = made.filter(|message| message["target"]["kind"][0] == kind);
    made.filter_map(|message| message["executable"].as_str())
        .next_back()
        .map(PathBuf::from)
}

/// Writes the copy and builds it, leaving out what does not compile.
pub fn build(root: &Path, mutants: &[Mutant]) -> Result<Built, String> {
    let mut left_out = known(root, mutants)?;
    for round in 1..=ROUNDS_MAX {
        let (places, tree) = write(root, mutants, &left_out)?;
        let messages = cargo(root, &["check", "--lib"])?;
        let errors = errors(&messages);
        if errors.is_empty() {
            let tests = cargo(root, &["test", "--no-run", "--lib"])?;
            let runner = cargo(root, &["build", "--example", "runner"])?;
            let missing = "the copy in target/mutants/tree does not build";
            return Ok(Built {
                unit_tests: artifact(&tests, "lib").ok_or(missing)?,
                runner: artifact(&runner, "example").ok_or(missing)?,
                numbers: (1..=mutants.len())
                    .filter(|number| !left_out.contains(number))
                    .collect(),
                tree,
            });
        }
        let before = left_out.len();
        for error in &errors {
            left_out.extend(guilty(error, &places));
        }
        if left_out.len() == before {
            let first = errors[0]["rendered"].as_str().unwrap_or_default();
            return Err(format!("no mutant is to blame for this:\n{first}"));
        }
        remember(root, mutants, &left_out)?;
        eprintln!(
            "round {round}: {} errors, {} mutants left out",
            errors.len(),
            left_out.len()
        );
    }
    Err(format!("it does not build after {ROUNDS_MAX} rounds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::in_text;

    fn changed(text: &str) -> (String, Vec<Place>) {
        let mutants = in_text("a.rs", text).expect("it parses");
        let numbered: Vec<_> = mutants
            .iter()
            .enumerate()
            .map(|(at, mutant)| (at + 1, mutant))
            .collect();
        render(text, &numbered)
    }

    #[test]
    fn nested_changes_nest_and_the_text_beside_them_stays() {
        let (text, _) = changed("fn f() { g(a && b == c) }");
        let text = text.replace("crate::mutant_schema::active", "on");
        let equal = "(if on(3) { (b) != (c) } else { b == c })";
        let both = format!("(if on(2) {{ (a) || (b == c) }} else {{ a && {equal} }})");
        assert_eq!(text, format!("fn f() {{ if on(1) {{ return (); }} g({both}) }}"));
    }

    #[test]
    fn the_copy_with_its_mutants_still_parses() {
        let text = "fn f(n: u8) -> u8 { match n { 1 => -n, 2 if n > 1 => 2, _ => 3 } } \
            fn g() -> impl Iterator<Item = u8> { [1].into_iter() }";
        let (text, places) = changed(text);
        syn::parse_file(&text).expect("it parses");
        for place in &places {
            assert!(
                place
                    .own
                    .iter()
                    .any(|own| text[own.clone()].contains(&format!("active({})", place.number)))
            );
        }
    }

    #[test]
    fn an_error_is_blamed_on_the_text_it_points_at() {
        let (text, places) = changed("fn f() { a + b; c + d }");
        let places = BTreeMap::from([("a.rs".to_string(), places)]);
        let blame = |at: usize| {
            let span = json!({"is_primary": true, "file_name": "a.rs", "byte_start": at, "byte_end": at + 1});
            guilty(&json!({"spans": [span]}), &places)
        };
        assert_eq!(
            blame(text.find("(a) - (b)").expect("it is there")),
            BTreeSet::from([2])
        );
        assert_eq!(
            blame(text.find("(c) * (d)").expect("it is there")),
            BTreeSet::from([5])
        );
        // The operands as they were: the innermost change around them.
        assert_eq!(
            blame(text.find("c + d").expect("it is there")),
            BTreeSet::from([5])
        );
        assert_eq!(blame(0), BTreeSet::new());
    }
}
