//! `node demo`, as a user runs it: it ends with its verdict, and leaves neither processes nor files behind.
//!
//! That the verdict fails where it should is tested beside it, in `src/host/demo/evidence.rs`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // Tests read clocks and files.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{piped, run, wait_until};

/// The demo with a place of its own for its folder.
struct Demo {
    child: Child,
    stdout: BufReader<ChildStdout>,
    place: tempfile::TempDir,
    told: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn command(place: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
    command.arg("demo").args(words).env("TMPDIR", place);
    piped(command)
}

impl Demo {
    fn start(words: &[&str]) -> Demo {
        let place = tempfile::tempdir().unwrap();
        let mut child = command(place.path(), words).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Demo {
            child,
            stdout,
            place,
            told: String::new(),
        }
    }

    /// Reads on until a line has this in it; the test's own limit of time is the demo's.
    fn wait_line(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            if read == 0 {
                panic!(
                    "it ended before {part:?}\n{}\n{}",
                    std::mem::take(&mut self.told),
                    self.complaint()
                );
            }
            self.told.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// The exit code, once it has ended.
    fn code(&mut self) -> Option<i32> {
        self.stdout.read_to_string(&mut self.told).unwrap();
        self.child.wait().unwrap().code()
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut text).unwrap();
        text
    }

    /// The folder it made; none once it is gone.
    fn folder(&self) -> Option<PathBuf> {
        let mut entries = std::fs::read_dir(self.place.path()).unwrap();
        entries.next().map(|entry| entry.unwrap().path())
    }
}

/// The processes whose command line names a folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let name = folder.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").unwrap();
    let lines = entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&name)).collect()
}

#[test]
fn it_tells_the_whole_story_and_ends_with_the_verdict() {
    let place = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let ended = run(command(place.path(), &["--fast"]), b"");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(
        started.elapsed() < Duration::from_secs(45),
        "{:?}",
        started.elapsed()
    );
    let parts = [
        "✓ one ring of nodes 1, 2 and 3",
        "✓ all three nodes told the same 9 lines",
        "different orders",
        "SIGKILL",
        "✓ a new ring of nodes 1 and 3",
        "✓ the next line had its number",
        "✓ with --recover none: checkpoint",
        "recovered from its own file",
        "recovered from its peers",
        "3 of 3 replicas differ",
        "3 of 3 replicas rewritten; all are equal now",
        "✓ three equal files, byte for byte",
        "is in each file exactly once",
        "\nVerdict: three equal files, every line said is present exactly once.",
    ];
    for part in parts {
        assert!(
            ended.stdout.contains(part),
            "{part:?} is missing:\n{}",
            ended.stdout
        );
    }
    let acts = ended
        .stdout
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(acts.count(), 9, "{}", ended.stdout);
    assert!(
        !ended.stdout.contains('\u{1b}'),
        "no colours into a pipe:\n{}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "");
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        0,
        "its folder is gone"
    );
}

#[test]
fn interrupted_it_ends_its_processes_and_removes_its_folder() {
    let mut demo = Demo::start(&[]);
    demo.wait_line("✓ one ring of nodes 1, 2 and 3");
    let folder = demo.folder().expect("it has a folder");
    assert_eq!(processes_in(&folder).len(), 3, "three nodes run");
    demo.interrupt();
    assert_eq!(demo.code(), Some(130), "{}", demo.told);
    assert!(demo.complaint().contains("interrupted"));
    assert_eq!(processes_in(&folder), [""; 0]);
    assert_eq!(demo.folder(), None);
}

#[test]
fn killed_itself_it_leaves_no_process_behind() {
    let mut demo = Demo::start(&[]);
    demo.wait_line("✓ one ring of nodes 1, 2 and 3");
    let folder = demo.folder().expect("it has a folder");
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    // Their inputs have ended with it, so they leave by themselves.
    wait_until("all nodes have left", || processes_in(&folder).is_empty());
}

#[test]
fn kept_the_ring_can_be_joined_and_ends_with_an_interrupt() {
    let mut demo = Demo::start(&["--keep", "--fast"]);
    demo.wait_line("Verdict: ");
    let join = demo.wait_line("--id 4 ");
    demo.wait_line("What is said from now on");
    let folder = demo.folder().expect("it keeps its folder");
    let mut words = join.split_whitespace();
    let mut joining = Command::new(words.next().unwrap());
    joining.args(words).args(["--name", "eva"]);
    let joined = run(piped(joining), b"may I join?\n");
    assert_eq!(joined.code, Some(0), "{}", joined.stderr);
    demo.wait_line("eva: may I join?");
    demo.interrupt();
    assert_eq!(demo.code(), Some(0), "{}", demo.told);
    assert_eq!(processes_in(&folder), [""; 0]);
    let file = folder.join("replicas/node-1.jsonl");
    let replica = std::fs::read_to_string(file).expect("the files stay");
    assert_eq!(replica.matches("may I join?").count(), 1);
}
