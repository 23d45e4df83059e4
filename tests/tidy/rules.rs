//! The rules, each a function from a file to what is wrong with it.

use std::path::Path;

use crate::source::{Source, without_comment};

/// Lines of a file, without the tests at its end: what one can keep in mind.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function: what fits a screen.
const FUNCTION_LINES_MAX: usize = 70;
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "common", "types", "manager", "handler", "service", "helpers",
];
/// Interfaces that tests may name: loopback, and what cannot be there.
const INTERFACES: [&str; 5] = ["127.0.0.1", "lo", "lo0", "nosuch0", "nope0"];
/// What all rules find in a file.
pub fn all(source: &Source, root: &Path) -> Vec<String> {
    let mut complaints = space(source);
    complaints.extend(marks(source));
    complaints.extend(machine_paths(source));
    if source.is_rust() {
        complaints.extend(empty_name(source));
        complaints.extend(module_doc(source));
        complaints.extend(file_length(source));
        complaints.extend(function_lengths(source));
        complaints.extend(allowances(source));
        complaints.extend(interfaces(source));
    }
    if source.path.ends_with(".md") {
        complaints.extend(links(source, root));
    }
    complaints
}

/// No white space at the end of a line, no tabs, and the file ends with one newline.
fn space(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            complaints.push(format!("line {}: white space at its end", index + 1));
        }
    }
    if !source.text.is_empty() && (!source.text.ends_with('\n') || source.text.ends_with("\n\n")) {
        complaints.push("it does not end with one newline".into());
    }
    complaints
}

/// Work is done or in the list of limits; no notes to somebody else are left in the text.
fn marks(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not contain them.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    let lines = source.text.lines().enumerate();
    let marked = lines.filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    marked
        .map(|(index, line)| format!("line {}: a note is left: {}", index + 1, line.trim()))
        .collect()
}

/// No path of anybody's machine.
fn machine_paths(source: &Source) -> Vec<String> {
    let folders = ["work", "home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let mut complaints = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for folder in &folders {
            // Behind a letter or a point it is a part of a longer path, and that one is not absolute.
            let absolute = line.match_indices(folder.as_str()).any(|(at, _)| {
                line[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|before| !before.is_alphanumeric() && before != '.')
            });
            if absolute {
                complaints.push(format!("line {}: a path of one machine: {folder}", index + 1));
            }
        }
    }
    complaints
}

/// A file is named after what it holds.
fn empty_name(source: &Source) -> Vec<String> {
    let parts = source.path.trim_end_matches(".rs").split('/');
    let empty = parts.filter(|part| EMPTY_NAMES.contains(part));
    empty
        .map(|name| format!("{name:?} names nothing; name it after what it holds"))
        .collect()
}

/// A file begins with what it is for.
fn module_doc(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec!["it does not begin with a module doc (//!)".into()]
}

/// A file that grows beyond the bound is several.
fn file_length(source: &Source) -> Vec<String> {
    let lines = source.code_lines().len();
    if source.is_test || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{lines} lines without tests; {FILE_LINES_MAX} are the most, make it two files"
    )]
}

/// Whether a line begins a function.
fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_qualifier = |word: &&str| {
        ["const", "async", "extern", "\"C\"", "in"].contains(word)
            || word.starts_with("pub")
            || word.ends_with(')')
    };
    words.find(|word| !is_qualifier(word)) == Some("fn")
}

/// A function fits a screen. Relies on rustfmt: a function ends at the brace below its first letter.
fn function_lengths(source: &Source) -> Vec<String> {
    if source.is_test {
        return Vec::new();
    }
    let lines = source.code_lines();
    let mut complaints = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = [format!("{indent}}}"), format!("{indent}}},")];
        let one_line = line.ends_with('}') || line.ends_with(';');
        let rest = lines[start..]
            .iter()
            .position(|line| end.iter().any(|end| line == end));
        let length = if one_line {
            1
        } else {
            rest.map_or(1, |rest| rest + 1)
        };
        if length > FUNCTION_LINES_MAX {
            let (at, name) = (start + 1, line.trim());
            complaints.push(format!(
                "line {at}: {length} lines; {FUNCTION_LINES_MAX} are the most: {name}"
            ));
        }
    }
    complaints
}

/// A lint is switched off with a reason, and the machine is reached for only where it may be.
fn allowances(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut start = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        let here = &source.text[start..];
        start += line.len();
        let line = line.trim();
        if !line.starts_with("#[allow(") && !line.starts_with("#![allow(") {
            continue;
        }
        let attribute = &here[..here.find(")]").unwrap_or(here.len())];
        if !line.contains("] // ") && !attribute.contains("reason = ") {
            complaints.push(format!(
                "line {}: a lint is switched off without a reason beside it",
                index + 1
            ));
        }
        let host = ["src/host/", "src/bin/", "tests/", "benches/", "examples/"];
        let may = host.iter().any(|place| source.path.starts_with(place)) || source.is_test;
        if attribute.contains("clippy::disallowed") && !may {
            complaints.push(format!(
                "line {}: only the host reaches for the machine",
                index + 1
            ));
        }
    }
    complaints
}

/// What a string says behind a word, such as the interface behind `--interface`, in the same string or the next.
fn string_after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = &line[line.find(word)? + word.len()..];
    let next = rest
        .strip_prefix("\", \"")
        .or(rest.strip_prefix("="))
        .unwrap_or(rest.trim_start());
    let end = next.find([' ', '"', ',', ')']).unwrap_or(next.len());
    let name = &next[..end];
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        .then_some(name)
}

/// Tests send on loopback, or on interfaces they made themselves (named `roda…`), never on a real one. Names of
/// interfaces that are only compared are nobody's business.
fn interfaces(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line_number, line) in source.test_lines() {
        let code = without_comment(line);
        let may = |name: &str| INTERFACES.contains(&name) || name.starts_with("roda");
        let open = ["Interface::resolve", "(Some(\""].concat();
        for word in ["--interface", open.as_str()] {
            if let Some(name) = string_after(code, word).filter(|name| !may(name)) {
                complaints.push(format!("line {line_number}: a test names the interface {name:?}"));
            }
        }
    }
    complaints
}

/// A link to a file of the tree leads somewhere.
fn links(source: &Source, root: &Path) -> Vec<String> {
    let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
    let mut complaints = Vec::new();
    for rest in source.text.split("](").skip(1) {
        let target = rest.split([')', '#']).next().unwrap_or("");
        let elsewhere = target.is_empty() || target.contains("://");
        if !elsewhere && !root.join(folder).join(target).exists() {
            complaints.push(format!("the link to {target:?} leads nowhere"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> Source {
        Source::new("src/ring/x.rs", text)
    }

    fn lines(count: usize) -> String {
        "    x();\n".repeat(count)
    }

    #[test]
    fn white_space_at_the_end_is_found() {
        assert_eq!(space(&rust("a\nb\n")).len(), 0);
        assert_eq!(space(&rust("a \nb\t\n")).len(), 2);
        assert_eq!(space(&rust("a")).len(), 1);
        assert_eq!(space(&rust("a\n\n")).len(), 1);
    }

    #[test]
    fn notes_left_in_the_text_are_found() {
        let note = ["// TO", "DO: later\n"].concat();
        assert_eq!(marks(&rust(&note)).len(), 1);
        assert_eq!(marks(&rust("// to do it later is fine\n")).len(), 0);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let path = |folder: &str| format!("let x = \"/{folder}/ana\";\n");
        for folder in ["home", "root", "work", "Users"] {
            assert_eq!(machine_paths(&rust(&path(folder))).len(), 1, "{folder}");
        }
        assert_eq!(machine_paths(&rust(&path("tmp"))).len(), 0);
        assert_eq!(machine_paths(&rust("see docs/home/page\n")).len(), 0);
    }

    #[test]
    fn names_that_name_nothing_are_found() {
        assert_eq!(empty_name(&Source::new("src/host/utils.rs", "")).len(), 1);
        assert_eq!(empty_name(&Source::new("src/common/mod.rs", "")).len(), 1);
        assert_eq!(empty_name(&Source::new("src/host/files.rs", "")).len(), 0);
    }

    #[test]
    fn a_missing_module_doc_is_found() {
        assert_eq!(module_doc(&rust("//! What it is.\n")).len(), 0);
        assert_eq!(module_doc(&rust("use std::fmt;\n")).len(), 1);
        assert_eq!(module_doc(&rust("")).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let most = lines(FILE_LINES_MAX);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(300));
        assert_eq!(file_length(&rust(&(most.clone() + &tests))).len(), 0);
        assert_eq!(file_length(&rust(&(most + "x\n"))).len(), 1);
    }

    #[test]
    fn a_long_function_is_found() {
        let of = |count| format!("    pub(super) fn f() {{\n{}    }}\n", lines(count));
        assert_eq!(function_lengths(&rust(&of(FUNCTION_LINES_MAX - 2))).len(), 0);
        assert_eq!(function_lengths(&rust(&of(FUNCTION_LINES_MAX - 1))).len(), 1);
        let brief = "fn f() -> u8;\n".to_string() + &lines(100);
        assert_eq!(function_lengths(&rust(&brief)).len(), 0);
        let spread = format!("const fn f(\n    x: u8,\n) -> u8 {{\n{}}}\n", lines(70));
        assert_eq!(function_lengths(&rust(&spread)).len(), 1);
    }

    #[test]
    fn a_lint_switched_off_without_a_reason_is_found() {
        let wildcard = "#[allow(clippy::wildcard_enum_match_arm)]";
        assert_eq!(allowances(&rust(&format!("{wildcard}\n"))).len(), 1);
        assert_eq!(allowances(&rust(&format!("{wildcard} // A test.\n"))).len(), 0);
        let several = "#![allow(\n    clippy::x,\n    reason = \"a test\"\n)]\n";
        assert_eq!(allowances(&rust(several)).len(), 0);
        let machine = "#![allow(clippy::disallowed_methods)] // It reads a file.\n";
        assert_eq!(allowances(&rust(machine)).len(), 1);
        assert_eq!(allowances(&Source::new("src/host/x.rs", machine)).len(), 0);
    }

    #[test]
    fn an_interface_that_is_not_loopback_is_found() {
        let in_test = |text: String| interfaces(&Source::new("tests/x.rs", &text)).len();
        // Names are put in here, so that this file names none itself.
        let apart = |name: &str| in_test(format!("run(&[\"--interface\", {name:?}]);\n"));
        let together = |name: &str| in_test(format!("run(\"--interface {name} --room x\");\n"));
        let resolved = |name: &str| in_test(format!("Interface::resolve(Some({name:?}));\n"));
        for name in ["127.0.0.1", "lo", "nosuch0", "roda-a"] {
            assert_eq!([apart(name), together(name), resolved(name)], [0; 3], "{name}");
        }
        for name in ["192.168.1.7", "br0", "eth0"] {
            assert_eq!([apart(name), together(name), resolved(name)], [1; 3], "{name}");
        }
        assert_eq!(in_test("run(&[\"--interface\", &namespace.name]);\n".into()), 0);
        assert_eq!(in_test("assert_eq!(chosen, Some(\"br0\"));\n".into()), 0);
        let code = format!("let example = \"--interface {}\";\n", "br0");
        assert_eq!(interfaces(&rust(&code)).len(), 0);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = |text: &str| links(&Source::new("docs/X.md", text), root).len();
        assert_eq!(
            page("[a](../Cargo.toml) [b](https://x.org) [c](#part) [d](EVENTS.md#start)\n"),
            0
        );
        assert_eq!(page("[a](nothing-here.md)\n"), 1);
    }
}
