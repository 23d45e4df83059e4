//! SIGKILL at the k-th write, sync, rename or cut, for every k, of each thread that touches files.
//!
//! strace counts calls by thread and kind. So a run traces one thread only: the main thread, which makes the start
//! (the disk's thread is not there yet), or the disk's own thread, which is caught before its first call by stopping
//! the whole process until the tracer is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use crate::support::table::{may_all, row, thorough};
use crate::support::{Group, Node, PATIENCE, piped, run, wait_until};
use crate::{all_at_once, check_once};

/// What changes files.
const CALLS: [&str; 8] = [
    "openat",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "ftruncate",
    "unlink",
    "mkdir",
];
/// So fast that a node alone speaks at once.
const FAST: [&str; 7] = [
    "--json",
    "--delay",
    "0..5ms",
    "--token-timeout",
    "100ms",
    "--checkpoint-every",
    "200ms",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Thread {
    Main,
    Disk,
}

/// Where the kill comes.
#[derive(Clone, Copy, Debug)]
struct Place {
    thread: Thread,
    call: &'static str,
    k: usize,
}

/// The disk's thread of a process, stopped before it did anything.
fn stopped_disk_thread(node: &Node) -> Option<u32> {
    let tasks = PathBuf::from(format!("/proc/{}/task", node.child.id()));
    let mut found = None;
    let deadline = Instant::now() + PATIENCE;
    // Nothing tells when a thread begins, and it must be caught before its first call.
    while found.is_none() && Instant::now() < deadline {
        let threads = std::fs::read_dir(&tasks).ok()?;
        for thread in threads.map_while(Result::ok) {
            let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
            if name.trim() == "disk" {
                node.signal(Signal::STOP);
                found = thread.file_name().to_str().unwrap().parse().ok();
            }
        }
    }
    found
}

/// The start-chat-checkpoint-stop run, with one thread traced and these words for strace. Returns what was
/// acknowledged, and whether it ended by itself.
fn live(group: &Group, thread: Thread, words: &[String], log: &Path) -> (Vec<String>, bool) {
    let plain = group.command(1, &FAST);
    let mut tracer = None;
    let mut node = match thread {
        Thread::Main => {
            let mut command = Command::new("strace");
            command.args(["-D", "-qq", "-o"]).arg(log).args(words);
            command.arg(plain.get_program()).args(plain.get_args());
            Node::spawn(1, piped(command))
        }
        Thread::Disk => {
            let node = Node::spawn(1, plain);
            let thread = stopped_disk_thread(&node).expect("it starts");
            let mut command = Command::new("strace");
            command
                .args(["-qq", "-o"])
                .arg(log)
                .args(words)
                .args(["-p", &thread.to_string()]);
            tracer = Some(command.stderr(Stdio::null()).spawn().unwrap());
            let status = format!("/proc/{}/task/{thread}/status", node.child.id());
            wait_until("the tracer is there", || {
                let status = std::fs::read_to_string(&status).unwrap();
                status
                    .lines()
                    .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
            });
            node.signal(Signal::CONT);
            node
        }
    };
    let goes_on = (0..4).all(|number| node.say_if_alive(&format!("line {number}")));
    if goes_on {
        // The checkpoint of the middle is awaited, so that there are two: it and the last one.
        node.wait_checkpoint_or_end();
        node.say_if_alive("after a checkpoint");
    }
    node.end_input();
    let status = node.wait_exit();
    if let Some(mut tracer) = tracer {
        tracer.wait().unwrap();
    }
    (node.pending(), status.code() == Some(0))
}

/// How often each call is made in a run that is left alone.
fn count(thread: Thread) -> Vec<Place> {
    let group = Group::new();
    let log = group.folder.path().join("calls");
    let words = ["-e".to_string(), format!("trace={}", CALLS.join(","))];
    let (_, ended) = live(&group, thread, &words, &log);
    assert!(ended, "it is left alone");
    let log = std::fs::read_to_string(&log).unwrap();
    let mut places = Vec::new();
    for call in CALLS {
        let calls = log.lines().filter(|line| line.starts_with(&format!("{call}(")));
        // Of files opened, only those that may be made or emptied thereby count.
        let made = |line: &&str| call != "openat" || line.contains("O_CREAT");
        let numbers = calls.enumerate().filter(|(_, line)| made(line));
        places.extend(numbers.map(|(index, _)| Place {
            thread,
            call,
            k: index + 1,
        }));
    }
    places
}

fn killed_at(place: Place) {
    let group = Group::new();
    let log = group.folder.path().join("calls");
    let Place { thread, call, k } = place;
    let inject = format!("inject={call}:signal=KILL:when={k}");
    let words = ["-e", &format!("trace={call}"), "-e", &inject].map(str::to_string);
    let (acknowledged, _) = live(&group, thread, &words, &log);
    let what = format!("killed at {call} {k} of {thread:?}");
    let again = run(group.command(1, &FAST), b"again\n");
    assert_eq!(again.code, Some(0), "{what}: {}", again.stderr);
    check_once(&group, 1, &acknowledged, &what);
    let lines = group.sorted_replica(1);
    assert_eq!(
        lines.iter().filter(|line| line.contains("\"again\"")).count(),
        1,
        "{what}"
    );
    let third = run(group.command(1, &FAST), b"");
    assert_eq!(third.code, Some(0), "{what}: {}", third.stderr);
    assert!(!third.stdout.contains("damaged"), "{what}: {}", third.stdout);
}

#[test]
fn killed_at_any_write_sync_or_rename_it_starts_again_and_has_all() {
    if !may_all(&["strace"]) {
        return;
    }
    let mut places = count(Thread::Main);
    places.extend(count(Thread::Disk));
    let all = places.len();
    assert!(all > 40, "{places:?}");
    if !thorough() {
        // Every seventh; the calls of a kind are beside each other, so all kinds are among them.
        places = places.into_iter().step_by(7).collect();
    }
    all_at_once(&places, |place| killed_at(*place));
    let tried = places.len();
    row(
        "SIGKILL at the k-th openat, write, sync, rename, cut, unlink or mkdir of start, chat, checkpoint, stop",
        tried,
        &format!(
            "all {tried} of the {all} k that there are; the next start works, each acknowledged line is there once"
        ),
    );
}
