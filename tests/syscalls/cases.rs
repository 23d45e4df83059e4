//! System calls that fail, one kind at a time.

use std::process::Command;

use crate::support::table::{may_all, row};
use crate::support::{Group, Node, run, wait_until};
use crate::{all_at_once, check_once, traced};

/// How a node takes it.
#[derive(Clone, Copy)]
enum Ends {
    /// It ends with this code, and says this on stderr.
    With(i32, &'static str),
    /// It goes on, and tells an event of this type meanwhile (or nothing of note).
    GoesOn(&'static str),
}
use Ends::{GoesOn, With};

/// A call that fails: which, how and when, for which file (any, if empty), and how the node takes it.
type Case = (&'static str, &'static str, &'static str, &'static str, Ends);

/// The files of node 1, short.
fn path(group: &Group, name: &str) -> String {
    let folder = group.folder.path().display();
    match name {
        "replica" => format!("{folder}/replicas/node-1.jsonl"),
        "replicas" => format!("{folder}/replicas"),
        name => format!("{folder}/checkpoints/node-1/{name}"),
    }
}

fn injected(
    group: &Group,
    (call, error, when, file, _): Case,
    command: &Command,
) -> (Command, std::path::PathBuf) {
    let log = group.folder.path().join("calls");
    let mut words = vec![
        "-e".to_string(),
        format!("trace={call}"),
        "-e".to_string(),
        format!("inject={call}:error={error}:when={when}"),
    ];
    if !file.is_empty() {
        words.extend(["-P".to_string(), path(group, file)]);
    }
    (traced(command, &log, &words), log)
}

/// Whether the fault happened.
fn is_injected(log: &std::path::Path) -> bool {
    std::fs::read_to_string(log).unwrap().contains("(INJECTED)")
}

/// The fault did happen.
fn check_injected(log: &std::path::Path, what: &str) {
    assert!(is_injected(log), "{what}: no call failed");
}

/// What fails before a node has said anything.
const AT_THE_START: [Case; 17] = [
    ("mkdir", "ENOSPC", "1", "", With(1, "make room on that disk")),
    (
        "mkdir",
        "EROFS",
        "1",
        "",
        With(1, "use a --data-dir that can be written"),
    ),
    ("mkdir", "EACCES", "1", "", With(1, "check its owner and mode")),
    (
        "openat",
        "EMFILE",
        "1",
        "lock",
        With(1, "lock: Too many open files"),
    ),
    ("flock", "ENOLCK", "1", "", With(1, "cannot lock")),
    (
        "write",
        "ENOSPC",
        "1",
        "identity.json.new",
        With(1, "make room on that disk"),
    ),
    (
        "write",
        "EIO",
        "1",
        "identity.json.new",
        With(1, "cannot write to"),
    ),
    ("fsync", "EIO", "1", "identity.json.new", With(1, "cannot sync")),
    (
        "rename",
        "EIO",
        "1",
        "identity.json.new",
        With(1, "cannot replace"),
    ),
    ("fsync", "EIO", "1", "", With(1, "cannot sync")),
    ("fsync", "EINTR", "1+2", "", GoesOn("")),
    ("openat", "EINTR", "1", "identity.json.new", GoesOn("")),
    ("bind", "EADDRINUSE", "2", "", With(5, "is taken")),
    ("setsockopt", "ENODEV", "1+", "", With(1, "cannot")),
    (
        "epoll_create1",
        "EMFILE",
        "1+",
        "",
        With(1, "Too many open files"),
    ),
    ("eventfd2", "EMFILE", "1+", "", With(1, "Too many open files")),
    ("clone3", "EAGAIN", "1+", "", With(1, "temporarily unavailable")),
];

#[test]
fn a_call_that_fails_at_the_start_is_named_and_nothing_is_lost() {
    if !may_all(&["strace"]) {
        return;
    }
    all_at_once(&AT_THE_START, |case| {
        let group = Group::new();
        let (call, error, when, file, ends) = *case;
        let what = format!("{call} {error} {when} {file}");
        let command = group.command(1, &["--json", "--delay", "0", "--token-timeout", "100ms"]);
        let (command, log) = injected(&group, *case, &command);
        let ended = run(command, b"first\n");
        check_injected(&log, &what);
        let code = if let With(code, part) = ends {
            assert!(ended.stderr.contains(part), "{what}: {:?}", ended.stderr);
            code
        } else {
            0
        };
        assert_eq!(ended.code, Some(code), "{what}: {}", ended.stderr);
        let again = run(
            group.command(1, &["--delay", "0", "--token-timeout", "100ms"]),
            b"second\n",
        );
        assert_eq!(again.code, Some(0), "{what}: {}", again.stderr);
        let lines = usize::from(code == 0) + 1;
        assert_eq!(group.sorted_replica(1).len(), lines, "{what}");
    });
    let calls = AT_THE_START.map(|(call, error, ..)| format!("{call} {error}"));
    row(
        &format!("a call fails at the start: {}", calls.join(", ")),
        AT_THE_START.len(),
        "all; a message that names it and the right exit code, or it goes on; the next start works",
    );
}

/// What fails while people talk.
const WHILE_CHATTING: [Case; 25] = [
    ("fdatasync", "EIO", "2", "", With(1, "cannot sync")),
    ("fdatasync", "ENOSPC", "2", "", With(1, "cannot sync")),
    ("fdatasync", "EIO", "1", "replica", With(1, "cannot sync")),
    ("fdatasync", "EINTR", "1+2", "", GoesOn("")),
    ("write", "EIO", "2", "outbox.jsonl", With(1, "cannot write to")),
    ("write", "EIO", "3", "replica", With(1, "cannot write to")),
    ("write", "ENOSPC", "2..3", "outbox.jsonl", GoesOn("disk_room")),
    ("write", "EDQUOT", "2", "replica", GoesOn("disk_room")),
    ("write", "EINTR", "1+2", "replica", GoesOn("")),
    ("write", "EINTR", "1+2", "outbox.jsonl", GoesOn("")),
    ("ftruncate", "EIO", "1", "outbox.jsonl", With(1, "cannot shorten")),
    ("ftruncate", "EINTR", "1+2", "outbox.jsonl", GoesOn("")),
    ("openat", "EMFILE", "1", "2.json.new", GoesOn("disk_room")),
    ("rename", "EIO", "1", "2.json.new", With(1, "cannot replace")),
    ("write", "ENOSPC", "1", "2.json.new", GoesOn("disk_room")),
    ("epoll_wait", "EINTR", "1+2", "", GoesOn("")),
    ("recvfrom", "EINTR", "1+3", "", GoesOn("")),
    ("recvfrom", "ENOMEM", "5+5", "", GoesOn("")),
    ("sendto", "ENOBUFS", "3+3", "", GoesOn("")),
    ("sendto", "ENETUNREACH", "20..40", "", GoesOn("warning")),
    ("sendto", "EPERM", "5+4", "", GoesOn("")),
    ("sendto", "EINTR", "3+3", "", GoesOn("")),
    ("recvfrom", "ECONNREFUSED", "3+4", "", GoesOn("")),
    ("accept4", "EMFILE", "1..3", "", GoesOn("")),
    ("accept4", "ECONNABORTED", "1", "", GoesOn("")),
];

#[test]
fn a_call_that_fails_while_chatting_loses_nothing() {
    if !may_all(&["strace"]) {
        return;
    }
    all_at_once(&WHILE_CHATTING, |case| {
        let group = Group::new();
        let (call, error, when, file, ends) = *case;
        let what = format!("{call} {error} {when} {file}");
        // It has had a life before, so that it has something to lose.
        let before = run(group.command(1, &["--token-timeout", "100ms"]), b"long ago\n");
        assert_eq!(before.code, Some(0), "{what}: {}", before.stderr);
        let mut other = group.start(2, &["--delay", "0..20ms"]);
        let command = group.command(
            1,
            &["--json", "--delay", "0..20ms", "--checkpoint-every", "300ms"],
        );
        let (command, log) = injected(&group, *case, &command);
        let mut node = Node::spawn(1, command);
        let mut last = String::new();
        for number in 0..12 {
            last = format!("other {number}");
            other.say(&last);
            if !node.say_if_alive(&format!("own {number}")) {
                break;
            }
        }
        match ends {
            GoesOn(event) => {
                if !event.is_empty() {
                    node.wait_for(event, |told| told["type"] == event);
                }
                node.wait_texts(&[&last, "own 11"]);
                // Somebody catches up here sooner or later, and the timer and the ring go on anyway.
                wait_until(&format!("{what}: a call failed"), || is_injected(&log));
                node.end_input();
                let code = node.wait_exit().code();
                // A line that was refused meanwhile, and said again, is remembered at the end.
                let refused = node.events.iter().any(|told| told["type"] == "refused");
                assert_eq!(code, Some(i32::from(refused)), "{what}: {}", node.talk());
            }
            With(code, part) => {
                node.end_input();
                assert_eq!(node.wait_exit().code(), Some(code), "{what}");
                let reason = node.events.last().unwrap()["reason"].to_string();
                assert!(reason.contains(part), "{what}: {reason}");
            }
        }
        check_injected(&log, &what);
        let mut pending = node.pending();
        drop(node);
        let mut node = group.start(1, &[]);
        node.say("again");
        other.wait_texts(&["again"]);
        pending.extend(node.pending());
        wait_until(&format!("{what}: the replicas are equal"), || {
            let one = group.sorted_replica(1);
            let has = |id: &String| one.iter().any(|line| line.contains(&format!("\"id\":\"{id}\"")));
            one == group.sorted_replica(2) && pending.iter().all(has)
        });
        check_once(&group, 1, &pending, &what);
        check_once(&group, 2, &pending, &what);
    });
    let calls = WHILE_CHATTING.map(|(call, error, ..)| format!("{call} {error}"));
    row(
        &format!("a call fails while chatting: {}", calls.join(", ")),
        WHILE_CHATTING.len(),
        "all; it goes on, or ends with a message and exit code 1; each acknowledged line is there once",
    );
}
