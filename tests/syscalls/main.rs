//! A node whose system calls fail, or that is killed at one of them, by strace's injection.
//!
//! A node with a failing call goes on, or ends with a message that names what failed and the right exit code. A node
//! that is killed at a write, a sync or a rename starts again. In neither case is anything lost that was
//! acknowledged, and nothing is there twice. `RODA_FAULTS=all` kills at every such call, not at a sample.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod cases;
mod killed;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Group, piped};

/// The command, under strace: the process is the program's own, and the tracer ends with it. `log` gets the calls.
fn traced(command: &Command, log: &Path, words: &[String]) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-D", "-f", "-qq", "-o"]).arg(log).args(words);
    traced.arg(command.get_program()).args(command.get_args());
    piped(traced)
}

/// How often each message id is in a replica.
fn times(group: &Group, id: u16) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in std::fs::read_to_string(group.replica(id))
        .unwrap_or_default()
        .lines()
    {
        let record: Value = serde_json::from_str(line).unwrap();
        *times
            .entry(record["id"].as_str().unwrap().to_string())
            .or_default() += 1;
    }
    times
}

/// Each acknowledged message is in a node's replica exactly once, and so is every other.
fn check_once(group: &Group, id: u16, acknowledged: &[String], what: &str) {
    let times = times(group, id);
    for id in acknowledged {
        assert_eq!(times.get(id), Some(&1), "{what}: {id} was acknowledged");
    }
    assert!(times.values().all(|times| *times == 1), "{what}: {times:?}");
}

/// Does all of this, a few at a time: each waits most of its time.
fn all_at_once<T: Sync>(work: &[T], run: impl Fn(&T) + Sync) {
    const AT_A_TIME: usize = 4;
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(item) = work.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    run(item);
                }
            });
        }
    });
}
