//! Changes made by hand, from `mutants/by_hand.txt`: where a check is left out, a bound widened, two verdicts swapped. Each
//! names the tests that must notice it, real processes among them.
//!
//! As with the others, all of them are in one copy of the tree, below `target/mutants/hand`, and which one is at work is said at
//! run time; the programs that a test starts are told as well. The tests named are first run without any change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Options;
use crate::find::read;
use crate::tree::{ACTIVE, put};

/// The list.
const LIST: &str = "mutants/by_hand.txt";
/// Where the copy lies.
const COPY: &str = "target/mutants/hand";
/// What is built from it.
const BUILD: &str = "target/mutants/hand-build";
/// What the copy is made of, beside the files of the folder itself.
const FOLDERS: [&str; 5] = ["src", "tests", "docs", "benches", "examples"];
/// The variable that says which change is at work. What begins with RODA is kept from the programs that tests start.
const AT_WORK: &str = "MUTANT_AT_WORK";
/// How long a test may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A change.
struct ByHand {
    name: String,
    file: String,
    tests: Vec<Test>,
    old: String,
    new: String,
}

/// A test: the program of tests that has it, and its name; of the library's own (`lib`) a part of the names of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    program: String,
    name: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.name)
    }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Hung,
}

/// Builds the copy, runs the tests, and prints the table; whether each change is noticed.
pub fn run(root: &Path, options: &Options) -> Result<bool, String> {
    let changes = listed(&read(root, LIST)?)?;
    write(root, &changes)?;
    let programs = build(root, &changes)?;
    let asked: Vec<(usize, &ByHand)> = changes
        .iter()
        .enumerate()
        .map(|(at, change)| (at + 1, change))
        .filter(|(_, change)| options.wants(&change.name))
        .collect();
    let mut calm: Vec<&Test> = asked.iter().flat_map(|(_, change)| &change.tests).collect();
    calm.sort();
    calm.dedup();
    let mut failing = BTreeSet::new();
    for test in calm {
        if try_test(root, &programs, test, 0)? != End::Passed {
            println!("{test} does not pass without any change, and is left out");
            failing.insert(test.clone());
        }
    }
    println!("| file | change | noticed by |\n|---|---|---|");
    let mut missed = 0;
    for (number, change) in asked {
        let mut by = None;
        for test in change.tests.iter().filter(|test| !failing.contains(test)) {
            let end = try_test(root, &programs, test, number)?;
            if end != End::Passed {
                by = Some((test, end));
                break;
            }
        }
        let told = match by {
            Some((test, End::Hung)) => format!("`{test}`, which hangs"),
            Some((test, _)) => format!("`{test}`"),
            None => "**nobody**".to_string(),
        };
        missed += usize::from(by.is_none());
        println!("| `{}` | {} | {told} |", change.file, change.name);
    }
    println!("\n{missed} not noticed");
    Ok(missed == 0 && failing.is_empty())
}

/// Builds the copy and no more.
pub fn build_only(root: &Path) -> Result<bool, String> {
    let changes = listed(&read(root, LIST)?)?;
    write(root, &changes)?;
    build(root, &changes).map(|_| true)
}

/// Reads the list: a name at the beginning of a line; below it, indented, `file`, `test`, and the lines with `-` and `+`.
fn listed(text: &str) -> Result<Vec<ByHand>, String> {
    let mut changes: Vec<ByHand> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let bad = |why: &str| format!("{LIST}:{}: {why}", at + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(part) = line.strip_prefix("    ") else {
            changes.push(ByHand {
                name: line.to_string(),
                file: String::new(),
                tests: Vec::new(),
                old: String::new(),
                new: String::new(),
            });
            continue;
        };
        let change = changes.last_mut().ok_or(bad("a change begins with its name"))?;
        let (what, value) = part.split_once(' ').unwrap_or((part, ""));
        match what {
            "file" => change.file = value.to_string(),
            "test" => {
                let (program, name) = value
                    .split_once(' ')
                    .ok_or(bad("a test is a program and a name"))?;
                change.tests.push(Test {
                    program: program.to_string(),
                    name: name.to_string(),
                });
            }
            "-" => append(&mut change.old, value),
            "+" => append(&mut change.new, value),
            _ => return Err(bad("a line is file, test, - or +")),
        }
    }
    let lacking = changes
        .iter()
        .find(|change| change.file.is_empty() || change.tests.is_empty() || change.old.is_empty());
    match lacking {
        Some(change) => Err(format!(
            "{LIST}: {:?} lacks its file, its test or its -",
            change.name
        )),
        None => Ok(changes),
    }
}

fn append(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// Where an old text stands, however it is broken into lines; it has to stand there once.
fn place(text: &str, old: &str) -> Result<std::ops::Range<usize>, String> {
    let words: Vec<&str> = old.split_whitespace().collect();
    let first = words.first().ok_or("it is empty")?;
    let mut found = Vec::new();
    for (start, _) in text.match_indices(first) {
        let mut end = start + first.len();
        let fits = words[1..].iter().all(|word| {
            let rest = &text[end..];
            let trimmed = rest.trim_start();
            let fits = trimmed.len() < rest.len() && trimmed.starts_with(word);
            end += rest.len() - trimmed.len() + word.len();
            fits
        });
        if fits {
            found.push(start..end);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        many => Err(format!("it stands there {} times", many.len())),
    }
}

/// A file with its changes, each behind the question whether it is at work.
fn changed(text: &str, changes: &[(usize, &ByHand)]) -> Result<String, String> {
    let mut places = Vec::new();
    for (number, change) in changes {
        let at =
            place(text, &change.old).map_err(|why| format!("{}: {:?}: {why}", change.file, change.name))?;
        places.push((at, *number, &change.new));
    }
    places.sort_by_key(|(at, ..)| at.start);
    let (mut out, mut done) = (String::new(), 0);
    for same in places.chunk_by(|(one, ..), (other, ..)| one == other) {
        let (at, number, _) = &same[0];
        if at.start < done {
            return Err(format!("change {number} overlaps another one"));
        }
        let old = &text[at.clone()];
        let instead = same
            .iter()
            .map(|(_, number, new)| format!("if crate::mutant_schema::active({number}) {{ {new} }} else "));
        let either = format!("{}{{ {old} }}", instead.collect::<String>());
        out += &text[done..at.start];
        // A statement stays one; an expression may stand anywhere.
        out += &if old.ends_with([';', '}']) {
            either
        } else {
            format!("({either})")
        };
        done = at.end;
    }
    Ok(out + &text[done..])
}

/// Writes the copy.
fn write(root: &Path, changes: &[ByHand]) -> Result<(), String> {
    let copy = root.join(COPY);
    let mut names = Vec::new();
    for folder in FOLDERS {
        crate::tree::files(root, folder, &mut names)?;
    }
    names.extend(["Cargo.lock", "build.rs", "README.md"].map(String::from));
    for name in &names {
        let numbered = changes.iter().enumerate().map(|(at, change)| (at + 1, change));
        let own: Vec<_> = numbered.filter(|(_, change)| change.file == *name).collect();
        let Ok(text) = read(root, name) else {
            // Pictures and the like.
            copy_bytes(&root.join(name), &copy.join(name))?;
            continue;
        };
        let mut text = changed(&text, &own)?;
        if name == "src/lib.rs" {
            text = format!("#![allow(warnings)]\n{text}\n#[doc(hidden)]\npub mod mutant_schema;\n");
        }
        put(&copy.join(name), &text)?;
    }
    let unknown = changes.iter().find(|change| !names.contains(&change.file));
    if let Some(change) = unknown {
        return Err(format!("{LIST}: there is no {}", change.file));
    }
    put(
        &copy.join("src/mutant_schema.rs"),
        &ACTIVE
            .replace("COUNT", &changes.len().to_string())
            .replace("RODA_MUTANT", AT_WORK),
    )?;
    let manifest = read(root, "Cargo.toml")?.replacen("[lib]", "[workspace]\n\n[lib]", 1);
    put(&copy.join("Cargo.toml"), &manifest)
}

fn copy_bytes(from: &Path, to: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    fs::copy(from, to).map(drop).map_err(told)
}

/// Builds the programs of tests that are named, and finds them.
fn build(root: &Path, changes: &[ByHand]) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut wanted: Vec<String> = changes
        .iter()
        .flat_map(|change| &change.tests)
        .map(|test| test.program.clone())
        .collect();
    wanted.sort();
    wanted.dedup();
    let words = wanted.iter().flat_map(|name| match name.as_str() {
        "lib" => vec!["--lib"],
        name => vec!["--test", name],
    });
    let target = fs::canonicalize(root)
        .map_err(|error| error.to_string())?
        .join(BUILD);
    let cargo = std::env::var("MUTANTS_CARGO").unwrap_or("cargo".into());
    let output = Command::new(&cargo)
        .args(["test", "--locked", "--no-run", "--message-format=json"])
        .args(words)
        .current_dir(root.join(COPY))
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{cargo}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for message in messages
        .iter()
        .filter(|message| message["message"]["level"] == "error")
    {
        eprintln!("{}", message["message"]["rendered"].as_str().unwrap_or_default());
    }
    if !output.status.success() {
        return Err("the copy cannot be built".into());
    }
    let programs = messages.iter().filter_map(|message| {
        let program = message["executable"]
            .as_str()
            .filter(|_| message["profile"]["test"] == true)?;
        let target = &message["target"];
        let name = match target["kind"][0].as_str()? {
            "lib" => "lib",
            "test" => target["name"].as_str()?,
            _ => return None,
        };
        Some((name.to_string(), PathBuf::from(program)))
    });
    Ok(programs.collect())
}

/// Runs a test with a change at work; 0 is none.
fn try_test(
    root: &Path,
    programs: &BTreeMap<String, PathBuf>,
    test: &Test,
    number: usize,
) -> Result<End, String> {
    let program = programs
        .get(&test.program)
        .ok_or(format!("there are no tests {}", test.program))?;
    let told = |error: std::io::Error| format!("{}: {error}", program.display());
    let log = root.join(COPY).with_extension("log");
    let out = fs::File::create(&log).map_err(told)?;
    let exact: &[&str] = if test.program == "lib" { &[] } else { &["--exact"] };
    let mut child = Command::new(program)
        .args(["--test-threads", "1", &test.name])
        .args(exact)
        .current_dir(root.join(COPY))
        .env(AT_WORK, number.to_string())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .map_err(told)?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break status;
        }
        if Instant::now() > until {
            // With the programs that it started.
            let group = format!("-{}", child.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()
                .map_err(told)?;
            child.wait().map_err(told)?;
            return Ok(End::Hung);
        }
        std::thread::sleep(LOOK);
    };
    let text = fs::read_to_string(&log).map_err(told)?;
    if text.contains("\nrunning 0 tests") {
        return Err(format!("there is no test {test}"));
    }
    Ok(if status.success() {
        End::Passed
    } else {
        End::Failed
    })
}
