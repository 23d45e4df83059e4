//! A file of the tree as the rules look at it.

/// A text file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the top of the tree.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether all of it is test code.
    pub is_test: bool,
}

impl Source {
    /// A file with this text.
    pub fn new(path: &str, text: &str) -> Source {
        let is_test = path.starts_with("tests/") || path.ends_with("/tests.rs");
        let (path, text) = (path.to_string(), text.to_string());
        Source { path, text, is_test }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The first module below `src/` that it belongs to: `ring` for `src/ring/mod.rs`.
    pub fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        Some(rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs"))
    }

    /// The lines before the tests at its end.
    pub fn code_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let end = lines.windows(2).position(begins_tests);
        lines[..end.unwrap_or(lines.len())].to_vec()
    }

    /// The lines of tests, numbered from 1 as in the file.
    pub fn test_lines(&self) -> Vec<(usize, &str)> {
        let before = if self.is_test { 0 } else { self.code_lines().len() };
        let lines = self.text.lines().enumerate().skip(before);
        lines.map(|(index, line)| (index + 1, line)).collect()
    }
}

/// Whether a module of tests begins here, in this file.
fn begins_tests(pair: &[&str]) -> bool {
    pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
}

/// Marks the files that another file includes only for tests (`#[cfg(test)]` before `mod samples;`).
pub fn mark_tests(sources: &mut [Source]) {
    let mut only_tests = Vec::new();
    for source in sources.iter() {
        let folder = source.path.trim_end_matches("mod.rs").trim_end_matches(".rs");
        let folder = folder.trim_end_matches('/');
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            if let Some(name) = pair[1]
                .strip_suffix(';')
                .and_then(|line| line.rsplit("mod ").next())
            {
                only_tests.push(format!("{folder}/{name}.rs"));
            }
        }
    }
    for source in sources {
        source.is_test |= only_tests.contains(&source.path);
    }
}

/// A line of Rust without its comment. A `//` in a string is taken for one, which no rule here minds.
pub fn without_comment(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

#[test]
fn code_ends_where_its_tests_begin() {
    let source = Source::new("src/ring/a.rs", "one\n#[cfg(test)]\nmod tests {\n}\n");
    assert_eq!(source.code_lines(), ["one"]);
    assert_eq!(source.test_lines()[0], (2, "#[cfg(test)]"));
    assert_eq!(source.module(), Some("ring"));
    assert_eq!(Source::new("src/words.rs", "").module(), Some("words"));
    let elsewhere = Source::new("src/a.rs", "#[cfg(test)]\nmod tests;\nmore\n");
    assert_eq!(elsewhere.code_lines().len(), 3);
}

#[test]
fn a_file_included_only_for_tests_is_one() {
    let parent = Source::new(
        "src/a/mod.rs",
        "#[cfg(test)]\npub(crate) mod samples;\nmod real;\n",
    );
    let mut sources = [
        parent,
        Source::new("src/a/samples.rs", ""),
        Source::new("src/a/real.rs", ""),
    ];
    mark_tests(&mut sources);
    assert_eq!(sources.map(|source| source.is_test), [false, true, false]);
}
