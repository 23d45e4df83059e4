//! docs/LIMITS.md against the code: every bound is listed, with the value it has.
//!
//! A bound is a constant whose name ends in `_MAX`. Its value is read from the source, so that private ones count too.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The source is read as it is, and a test ends where it fails.

use std::collections::BTreeMap;
use std::path::Path;

/// The modules whose bounds are listed. The others hold what runs in a test (`sim`) or on a stage (`host/demo`).
const MODULES: [&str; 9] = [
    "ring",
    "node",
    "order",
    "wire",
    "replica",
    "reconcile",
    "checkpoint",
    "disk",
    "host",
];
const LEFT_OUT: &str = "host/demo/";

/// The constants of the source: by file below `src` and name, how each is written.
fn constants() -> BTreeMap<(String, String), String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    MODULES
        .iter()
        .for_each(|module| below(&source.join(module), &mut files));
    let mut found = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&source).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        if name.starts_with(LEFT_OUT) || name.ends_with("tests.rs") {
            continue;
        }
        for line in code.lines() {
            let Some((_, rest)) = line
                .split_once("const ")
                .filter(|(before, _)| is_public_or_bare(before))
            else {
                continue;
            };
            let constant = rest.split_once(':').zip(rest.split_once(" = "));
            if let Some(((constant, _), (_, value))) = constant {
                let value = value.split(';').next().unwrap_or_default().to_string();
                found.insert((name.clone(), constant.to_string()), value);
            }
        }
    }
    found
}

fn is_public_or_bare(before: &str) -> bool {
    before.trim().is_empty() || before.trim().starts_with("pub")
}

fn below(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The value of an expression of numbers, other constants, `+`, `*`, `<<` and parentheses.
struct Sum<'a> {
    words: Vec<String>,
    at: usize,
    file: &'a str,
    all: &'a BTreeMap<(String, String), String>,
}

fn value_of(file: &str, text: &str, all: &BTreeMap<(String, String), String>) -> u64 {
    let mut spaced = text.replace("<<", " < ");
    for sign in ["(", ")", "+", "*"] {
        spaced = spaced.replace(sign, &format!(" {sign} "));
    }
    let words = spaced.split_whitespace().map(str::to_string).collect();
    let mut sum = Sum {
        words,
        at: 0,
        file,
        all,
    };
    let value = sum.shifted();
    assert_eq!(
        sum.at,
        sum.words.len(),
        "{file}: {text:?} is more than this test can read"
    );
    value
}

impl Sum<'_> {
    fn skip(&mut self, sign: &str) -> bool {
        let there = self.words.get(self.at).is_some_and(|word| word == sign);
        self.at += usize::from(there);
        there
    }

    fn shifted(&mut self) -> u64 {
        let mut value = self.added();
        while self.skip("<") {
            value <<= self.added();
        }
        value
    }

    fn added(&mut self) -> u64 {
        let mut value = self.multiplied();
        while self.skip("+") {
            value += self.multiplied();
        }
        value
    }

    fn multiplied(&mut self) -> u64 {
        let mut value = self.single();
        while self.skip("*") {
            value *= self.single();
        }
        value
    }

    fn single(&mut self) -> u64 {
        if self.skip("(") {
            let value = self.shifted();
            assert!(self.skip(")"), "a parenthesis is closed");
            return value;
        }
        let word = self.words[self.at].clone();
        self.at += 1;
        if let Ok(number) = word.replace('_', "").parse() {
            return number;
        }
        let name = word.rsplit("::").next().unwrap().to_string();
        let own = self.all.get_key_value(&(self.file.to_string(), name.clone()));
        let named = own.or_else(|| {
            let path: Vec<&str> = word.split("::").collect();
            let module = path.iter().rev().nth(1).copied().unwrap_or("content");
            let fits = |file: &str| file.contains(module);
            self.all
                .iter()
                .find(|((file, constant), _)| *constant == name && fits(file))
        });
        let ((file, _), text) = named.unwrap_or_else(|| panic!("{}: what is {word}?", self.file));
        value_of(file, text, self.all)
    }
}

/// The bounds as they are listed: by file and name, the value.
fn listed() -> BTreeMap<(String, String), u64> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/LIMITS.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (file, name) = cells[0].trim_matches('`').split_once(' ').unwrap();
        assert_eq!(
            cells.len(),
            5,
            "a bound has its value, what it bounds, what happens, and how it is counted: {line}"
        );
        assert!(
            cells.iter().all(|cell| !cell.is_empty()),
            "a cell is empty: {line}"
        );
        let before = listed.insert((file.to_string(), name.to_string()), cells[1].parse().unwrap());
        assert_eq!(before, None, "{file} {name} is listed twice");
    }
    listed
}

#[test]
fn every_bound_is_listed_with_its_value() {
    let all = constants();
    let listed = listed();
    let bounds = all.iter().filter(|((_, name), _)| name.ends_with("_MAX"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for ((file, name), text) in bounds {
        count += 1;
        let value = value_of(file, text, &all);
        match listed.get(&(file.clone(), name.clone())) {
            None => wrong.push(format!("{file} {name} ({value}) is not on the page")),
            Some(told) if *told != value => {
                wrong.push(format!("{file} {name} is {value}, not {told}"));
            }
            Some(_) => {}
        }
    }
    let gone = listed.keys().filter(|key| !all.contains_key(*key));
    wrong.extend(gone.map(|(file, name)| format!("{file} {name} is on the page and not in the code")));
    assert!(wrong.is_empty(), "docs/LIMITS.md:\n{}", wrong.join("\n"));
    assert!(count > 50, "the bounds were found: {count}");
}

#[test]
fn what_is_counted_as_is_what_the_code_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/LIMITS.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut files = Vec::new();
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let source: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let counted = line.trim_matches('|').split('|').nth(4).unwrap();
        for name in counted.split('*').skip(1).step_by(2) {
            assert!(
                source.contains(&format!("\"{name}\"")),
                "nothing is counted as {name:?}: {line}"
            );
        }
    }
}
