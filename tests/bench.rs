//! `node bench` as people run it: real processes on loopback. What it measures is not judged here, only that it is
//! measured, adds up, and leaves nothing behind.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read files, and end where they fail.

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Ended, Group, Node, piped, run, wait_until};

/// `node bench` with these words, its folder for temporary files being this one.
fn bench(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
    command
        .arg("bench")
        .args(words)
        .env("TMPDIR", folder)
        .env_remove("RODA_KEY_FILE");
    piped(command)
}

/// The report of a run that ended well.
fn report(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// What holds for every run in which nothing fails.
fn check(report: &Value, members: u64) {
    assert_eq!(report["nodes"], members, "{report}");
    assert_eq!(report["members"], members, "{report}");
    assert_eq!(report["same_order"], true, "{report}");
    assert_eq!(
        (report["lost"].as_u64(), report["fifo_err"].as_u64()),
        (Some(0), Some(0))
    );
    assert!(report["msgs_per_s"].as_f64().unwrap() > 0.0, "{report}");
    for figure in ["own_p50_us", "rem_p50_us", "peak_kib"] {
        assert!(report[figure].as_u64().unwrap() > 0, "{figure}: {report}");
    }
    for figure in ["pkts_per_msg", "bytes_per_msg", "cpu_us_per_msg"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
}

#[test]
fn three_members_on_this_machine_say_as_much_as_they_can_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--local", "3", "--secs", "1", "--json"];
    let report = report(&run(bench(folder.path(), &words), b""));
    check(&report, 3);
    assert_eq!(
        (&report["mode"], &report["size"]),
        (&"order only".into(), &100.into())
    );
    assert!(report["rate"].is_null(), "as many as it can: {report}");
    assert!(is_empty(folder.path()), "nothing is written");
}

#[test]
fn one_member_alone_is_a_ring_too() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(&run(
        bench(folder.path(), &["--local", "1", "--secs", "1", "--json"]),
        b"",
    ));
    assert_eq!(
        (&report["nodes"], &report["same_order"]),
        (&1.into(), &true.into())
    );
    assert!(report["msgs_per_s"].as_f64().unwrap() > 0.0, "{report}");
    assert!(
        report["rem_p50_us"].as_u64() == Some(0),
        "there are no others: {report}"
    );
}

#[test]
fn under_a_key_and_at_a_rate_as_many_arrive_as_were_said() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let key = key.to_str().unwrap();
    let mut keygen = Command::new(env!("CARGO_BIN_EXE_node"));
    keygen.args(["keygen", key]);
    assert_eq!(run(piped(keygen), b"").code, Some(0));
    let words = [
        "--local",
        "2",
        "--secs",
        "2",
        "--rate",
        "50",
        "--size",
        "2000",
        "--json",
        "--key-file",
        key,
    ];
    let report = report(&run(bench(folder.path(), &words), b""));
    check(&report, 2);
    // Two times 50 a second; on a machine that is busy some are said a little later.
    let rate = report["msgs_per_s"].as_f64().unwrap();
    assert!((50.0..=150.0).contains(&rate), "{report}");
}

#[test]
fn whole_nodes_write_every_message_and_leave_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["written", "synced"] {
        let words = [
            "--local", "3", "--secs", "1", "--rate", "100", "--mode", mode, "--json",
        ];
        let report = report(&run(bench(folder.path(), &words), b""));
        check(&report, 3);
        assert_eq!(report["mode"], format!("replica {mode}"));
        assert!(is_empty(folder.path()), "the folders are gone");
    }
}

#[test]
fn a_long_message_counts_once_however_many_numbers_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    // Three datagrams each, and so three numbers.
    let words = [
        "--local", "2", "--secs", "2", "--rate", "20", "--size", "20000", "--mode", "synced", "--json",
    ];
    let report = report(&run(bench(folder.path(), &words), b""));
    check(&report, 2);
    let rate = report["msgs_per_s"].as_f64().unwrap();
    assert!(rate < 100.0, "40 are said in a second: {report}");
}

#[test]
fn a_given_folder_keeps_the_replicas() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let words = ["--local", "2", "--secs", "1", "--rate", "100", "--mode", "synced"];
    let ended = run(
        bench(
            folder.path(),
            &[&words[..], &["--data-dir", data.to_str().unwrap()]].concat(),
        ),
        b"",
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("the same order everywhere, nothing lost"),
        "{}",
        ended.stdout
    );
    let lines = |id: u16| std::fs::read_to_string(data.join(format!("replicas/node-{id}.jsonl"))).unwrap();
    let sorted = |id: u16| {
        let text = lines(id);
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    assert!(lines(1).lines().count() > 200);
    assert_eq!(sorted(1), sorted(2));
}

#[test]
fn a_benchmark_in_the_group_of_a_chat_does_not_touch_it() {
    let group = Group::new();
    let mut chat: Node = group.start(9, &["--delay", "0"]);
    chat.wait_ring(&[9]);
    let address = format!("224.1.1.1:{}", group.port());
    let folder = tempfile::tempdir().unwrap();
    let member = |id: &str| {
        let words = [
            "--id",
            id,
            "--members",
            "2",
            "--secs",
            "1",
            "--rate",
            "50",
            "--mode",
            "synced",
            "--json",
            "--interface",
            "127.0.0.1",
            "--group",
            &address,
        ];
        bench(folder.path(), &words)
    };
    let other = {
        let command = member("2");
        std::thread::Builder::new()
            .spawn(move || run(command, b""))
            .unwrap()
    };
    check(&report(&run(member("1"), b"")), 2);
    check(&report(&other.join().unwrap()), 2);
    chat.say("only mine");
    chat.wait_texts(&["only mine"]);
    wait_until("its own line in its replica", || {
        !group.sorted_replica(9).is_empty()
    });
    assert_eq!(group.sorted_replica(9).len(), 1);
    let rings = events_of(&chat, "ring");
    assert_eq!(rings, 1, "nobody joined: {}", chat.dump());
}

fn events_of(node: &Node, kind: &str) -> usize {
    node.events.iter().filter(|event| event["type"] == kind).count()
}
