//! What a node did to its files and told meanwhile, read from strace's log.
//!
//! strace writes a file for each thread, with the time of each call; sorted by time they are one story. Only one
//! thread at a time touches files, and what a line on stdout promises was done before it was written.

use std::path::{Path, PathBuf};

/// A step of the story.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A file was opened for writing; if there was none, it was made.
    Open(PathBuf),
    /// Bytes were written at the end.
    Append(PathBuf, Vec<u8>),
    /// It was cut to a length.
    Cut(PathBuf, usize),
    /// A file or folder was synced.
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeFolder(PathBuf),
    /// A line was written to stdout.
    Told(String),
}

/// Words for strace, which then leaves the logs that [`read`] reads, named `prefix.THREAD`.
pub fn words(prefix: &Path) -> Vec<String> {
    let calls = "trace=openat,write,fsync,fdatasync,ftruncate,rename,unlink,mkdir";
    let mut words: Vec<String> = "-D -f -ff -ttt -qq -yy -xx -s 1000000 -e"
        .split(' ')
        .map(str::to_string)
        .collect();
    words.extend([calls.to_string(), "-o".to_string(), prefix.display().to_string()]);
    words
}

/// The story of one life, of what lies in this folder.
pub fn read(prefix: &Path, folder: &Path) -> Vec<Step> {
    let name = prefix.file_name().unwrap().to_str().unwrap();
    let logs = std::fs::read_dir(prefix.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap());
    let logs = logs.filter(|entry| {
        entry
            .file_name()
            .to_str()
            .unwrap()
            .starts_with(&format!("{name}."))
    });
    let mut lines: Vec<(f64, String)> = Vec::new();
    for log in logs {
        for line in std::fs::read_to_string(log.path()).unwrap().lines() {
            if let Some((time, call)) = line.split_once(' ') {
                lines.push((time.parse().unwrap(), call.to_string()));
            }
        }
    }
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut story = Vec::new();
    let mut told = String::new();
    for (_, line) in &lines {
        if line.starts_with("write(1<") {
            told.push_str(std::str::from_utf8(&quoted(line)[0]).unwrap());
            while let Some(end) = told.find('\n') {
                story.push(Step::Told(told.drain(..=end).collect()));
            }
        } else {
            story.extend(steps(line));
        }
    }
    story.retain(|step| match step {
        Step::Open(path) | Step::Append(path, _) | Step::Cut(path, _) => path.starts_with(folder),
        Step::Sync(path) | Step::Rename(path, _) | Step::Remove(path) => path.starts_with(folder),
        Step::MakeFolder(path) => path.starts_with(folder),
        Step::Told(_) => true,
    });
    story
}

/// What a call did; nothing, if it failed.
fn steps(line: &str) -> Vec<Step> {
    let Some((call, result)) = line.rsplit_once(" = ") else {
        return vec![];
    };
    if result.starts_with('-') {
        return vec![];
    }
    let strings = quoted(call);
    let named = |index: usize| PathBuf::from(String::from_utf8(strings[index].clone()).unwrap());
    let name = call.split('(').next().unwrap();
    match name {
        "openat" if call.contains("O_WRONLY") || call.contains("O_RDWR") => {
            let mut steps = vec![Step::Open(named(0))];
            steps.extend(call.contains("O_TRUNC").then(|| Step::Cut(named(0), 0)));
            steps
        }
        "write" => {
            let written: usize = result.trim().parse().unwrap();
            vec![Step::Append(of_descriptor(call), strings[0][..written].to_vec())]
        }
        "fsync" | "fdatasync" => vec![Step::Sync(of_descriptor(call))],
        "ftruncate" => {
            let length = call.trim_end_matches(')').rsplit(' ').next().unwrap();
            vec![Step::Cut(of_descriptor(call), length.parse().unwrap())]
        }
        "rename" => vec![Step::Rename(named(0), named(1))],
        "unlink" => vec![Step::Remove(named(0))],
        "mkdir" => vec![Step::MakeFolder(named(0))],
        _ => vec![],
    }
}

/// The file that the first descriptor of a call stands for.
fn of_descriptor(call: &str) -> PathBuf {
    let name = call
        .split('<')
        .nth(1)
        .and_then(|rest| rest.split('>').next())
        .unwrap();
    PathBuf::from(String::from_utf8(bytes(name)).unwrap())
}

/// All strings of a call.
fn quoted(call: &str) -> Vec<Vec<u8>> {
    call.split('"').skip(1).step_by(2).map(bytes).collect()
}

/// `\x6f\x69` is `oi`.
fn bytes(text: &str) -> Vec<u8> {
    let codes = text.split("\\x").skip(1);
    codes.map(|code| u8::from_str_radix(code, 16).unwrap()).collect()
}

#[test]
fn calls_are_read() {
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect::<String>()
    };
    let (a, b) = (hex("/t/a"), hex("/t/b"));
    let of = |line: String| steps(&line);
    let (path_a, path_b) = (PathBuf::from("/t/a"), PathBuf::from("/t/b"));
    assert_eq!(
        of(format!("write(7<{a}>, \"{}\", 2) = 2", hex("oi"))),
        [Step::Append(path_a.clone(), b"oi".to_vec())]
    );
    assert_eq!(
        of(format!("write(7<{a}>, \"{}\", 2) = 1", hex("oi"))),
        [Step::Append(path_a.clone(), b"o".to_vec())]
    );
    assert_eq!(of(format!("fdatasync(7<{a}>) = 0")), [Step::Sync(path_a.clone())]);
    assert_eq!(of(format!("fdatasync(7<{a}>) = -1 EIO (x)")), []);
    assert_eq!(
        of(format!("ftruncate(7<{a}>, 12) = 0")),
        [Step::Cut(path_a.clone(), 12)]
    );
    assert_eq!(
        of(format!("rename(\"{a}\", \"{b}\") = 0")),
        [Step::Rename(path_a.clone(), path_b)]
    );
    let open = format!("openat(AT_FDCWD<{b}>, \"{a}\", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600) = 9<{a}>");
    assert_eq!(of(open), [Step::Open(path_a.clone()), Step::Cut(path_a, 0)]);
}
