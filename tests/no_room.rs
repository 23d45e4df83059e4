//! A whole node on a small file system of its own that fills up while people talk, or cannot be written at all.
//!
//! `tests/disk_full.rs` tries the disk's side alone; here it is the program, its messages and its exit codes.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use roda::host::disk::{Disk, Options};
use roda::node::face::{RecoverLevel, Restart, Store, Ticket};
use roda::replica::{Content, Record};
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};
use support::table::{may_all, row, thorough};
use support::{Group, Node, run, wait_until};

/// Room for a few hundred lines.
const BYTES: usize = 2 * 1024 * 1024;
/// A line that fills a page.
const LINE_BYTES: usize = 4_000;
const FAST: [&str; 4] = ["--delay", "0..20ms", "--checkpoint-every", "500ms"];

/// A file system in memory, on a folder; gone when dropped.
struct Small {
    folder: PathBuf,
}

/// Runs a tool with these words.
fn tool(name: &str, words: &[&str]) {
    let output = Command::new(name).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {words:?}: {error}");
}

impl Small {
    fn on(folder: &Path) -> Small {
        let size = format!("size={BYTES},mode=700");
        tool(
            "mount",
            &["-t", "tmpfs", "-o", &size, "roda", folder.to_str().unwrap()],
        );
        Small {
            folder: folder.to_path_buf(),
        }
    }

    /// Leaves room for about so many bytes.
    fn leave(&self, bytes: usize) {
        std::fs::write(self.folder.join("ballast"), vec![0; BYTES - bytes]).unwrap();
    }

    /// Takes all room that there is now.
    fn fill(&self) {
        let rest = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.join("rest"));
        // It ends with an error, at the last byte.
        rest.unwrap().write_all(&vec![0; BYTES]).unwrap_err();
    }

    /// Gives back all that was taken.
    fn make_room(&self) {
        for name in ["ballast", "rest"] {
            // Not each test fills up the rest.
            std::fs::remove_file(self.folder.join(name)).unwrap_or_default();
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A process that was killed a moment ago may still have it open, so it goes when that is gone.
        let mut command = Command::new("umount");
        command
            .arg("-l")
            .arg(&self.folder)
            .output()
            .map(drop)
            .unwrap_or_default();
    }
}

/// Node 1 on a small file system, node 2 on an ordinary one.
struct Pair {
    small: Small,
    tight: Group,
    roomy: Group,
    nodes: [Node; 2],
    /// Who said what, in order.
    said: Vec<(u16, String)>,
}

impl Pair {
    fn new() -> Pair {
        let tight = Group::new();
        let roomy = tight.elsewhere();
        let small = Small::on(tight.folder.path());
        small.leave(96 * 1024);
        let mut nodes = [tight.start(1, &FAST), roomy.start(2, &FAST)];
        nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2]));
        Pair {
            small,
            tight,
            roomy,
            nodes,
            said: Vec::new(),
        }
    }

    /// A long line by one of them.
    fn say(&mut self, id: u16) -> String {
        let text = format!("{id} says {} {}", self.said.len(), "x".repeat(LINE_BYTES));
        self.nodes[usize::from(id) - 1].say(&text);
        self.said.push((id, text.clone()));
        text
    }

    /// Both talk until the disk is full.
    fn talk_until_full(&mut self) {
        for _ in 0..40 {
            self.say(1);
            self.say(2);
        }
        let full = self.nodes[0].wait_for("full disk", |event| event["type"] == "disk_full");
        let reason = full["reason"].as_str().unwrap();
        assert!(reason.contains("make room"), "{reason}");
    }

    /// Node 1 says lines until one is refused. What the outbox gives back may be room for some of them.
    fn talk_until_refused(&mut self) {
        for _ in 0..100 {
            self.small.fill();
            self.say(1);
            let tag = self.said.iter().filter(|(id, _)| *id == 1).count() as u64;
            // The line that finds the disk full waits for room; those after it are refused.
            let answer = self.nodes[0].wait_for("answer", |event| {
                let answered = event["type"] == "refused" || event["type"] == "pending";
                (answered && event["tag"] == tag) || event["type"] == "disk_full"
            });
            if answer["type"] == "refused" {
                let reason = answer["reason"].as_str().unwrap();
                assert!(reason.contains("make room and say it again"), "{reason}");
                return;
            }
        }
        panic!("nothing is refused on a full disk");
    }

    /// What was said, but for what node 1 was told is refused.
    fn accepted(&self) -> Vec<String> {
        let refused = self.nodes[0]
            .events
            .iter()
            .filter(|event| event["type"] == "refused");
        let refused: Vec<u64> = refused.map(|event| event["tag"].as_u64().unwrap()).collect();
        let (mut accepted, mut tag) = (Vec::new(), 0);
        for (id, text) in &self.said {
            tag += u64::from(*id == 1);
            if *id != 1 || !refused.contains(&tag) {
                accepted.push(text.clone());
            }
        }
        accepted
    }

    /// All that was accepted is in both replicas, once, and nothing else.
    fn check(&mut self) {
        let accepted = self.accepted();
        let texts: Vec<&str> = accepted.iter().map(String::as_str).collect();
        self.nodes.iter_mut().for_each(|node| node.wait_texts(&texts));
        wait_until("the replicas are equal and have all", || {
            let one = self.tight.sorted_replica(1);
            one.len() == accepted.len() && one == self.roomy.sorted_replica(2)
        });
        let lines = self.tight.sorted_replica(1);
        for text in &accepted {
            let times = lines.iter().filter(|line| line.contains(text)).count();
            assert_eq!(times, 1, "{}", &text[..20]);
        }
    }
}

#[test]
fn a_node_on_a_full_disk_waits_for_room_and_goes_on() {
    if !may_all(&["mount", "umount"]) {
        return;
    }
    let runs = if thorough() { 10 } else { 1 };
    for _ in 0..runs {
        let mut pair = Pair::new();
        pair.talk_until_full();
        // The ring goes on without this disk.
        let other = pair.say(2);
        pair.nodes[1].wait_texts(&[&other]);
        pair.talk_until_refused();
        pair.small.make_room();
        pair.nodes[0].wait_for("room", |event| event["type"] == "disk_room");
        pair.say(1);
        pair.say(2);
        pair.check();
    }
    row(
        "the disk (tmpfs) fills up while chatting, then there is room again",
        runs,
        "all; lines are refused with what to do, and after it it goes on by itself; each line accepted is there once",
    );
}

#[test]
fn a_node_killed_on_a_full_disk_starts_when_there_is_room_and_has_all() {
    if !may_all(&["mount", "umount"]) {
        return;
    }
    let runs = if thorough() { 10 } else { 1 };
    for _ in 0..runs {
        let mut pair = Pair::new();
        pair.talk_until_full();
        pair.nodes[0].kill();
        let mut acknowledged = pair.nodes[0].pending();
        pair.small.fill();
        let ended = run(pair.tight.command(1, &[]), b"");
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("make room on that disk"),
            "{}",
            ended.stderr
        );
        pair.small.make_room();
        pair.nodes[0] = pair.tight.start(1, &FAST);
        pair.nodes.iter_mut().for_each(|node| node.wait_ring_of(2));
        let last = [pair.say(1), pair.say(2)];
        let texts = [last[0].as_str(), last[1].as_str()];
        pair.nodes.iter_mut().for_each(|node| node.wait_texts(&texts));
        pair.nodes
            .iter_mut()
            .for_each(|node| acknowledged.extend(node.pending()));
        wait_until(
            "the replicas are equal and have all that was acknowledged",
            || {
                let one = pair.tight.sorted_replica(1);
                let times = |id: &String| {
                    one.iter()
                        .filter(|line| line.contains(&format!("\"id\":\"{id}\"")))
                        .count()
                };
                acknowledged.iter().all(|id| times(id) == 1) && one == pair.roomy.sorted_replica(2)
            },
        );
    }
    row(
        "SIGKILL on a full disk (tmpfs), a start on it, then there is room again",
        runs,
        "all; the start is refused with \"make room\" and exit code 1, the next one has all that was acknowledged",
    );
}

#[test]
fn a_folder_that_is_read_only_is_refused_and_keeps_what_it_has() {
    if !may_all(&["mount", "umount"]) {
        return;
    }
    let group = Group::new();
    let small = Small::on(group.folder.path());
    let before = run(group.command(1, &["--token-timeout", "100ms"]), b"before\n");
    assert_eq!(before.code, Some(0), "{}", before.stderr);
    let replica = std::fs::read(group.replica(1)).unwrap();
    let folder = small.folder.to_str().unwrap();
    tool("mount", &["-o", "remount,ro", folder]);
    let refused = run(group.command(1, &[]), b"meanwhile\n");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("use a --data-dir that can be written"),
        "{}",
        refused.stderr
    );
    assert!(std::fs::read(group.replica(1)).unwrap() == replica);
    tool("mount", &["-o", "remount,rw", folder]);
    let after = run(group.command(1, &["--token-timeout", "100ms"]), b"after\n");
    assert_eq!(after.code, Some(0), "{}", after.stderr);
    assert_eq!(group.sorted_replica(1).len(), 2);
    row(
        "the data folder is read-only at a start",
        1,
        "refused with what to do and exit code 1; nothing changed; the next start has all",
    );
}

/// A record of node 1 with a text of these bytes.
fn record(counter: u64, bytes: usize) -> Record {
    let (id, incarnation) = (NodeId(1), Incarnation(7));
    let sender = Member { id, incarnation };
    let ring = RingId {
        epoch: Epoch(1),
        leader: sender,
    };
    let seq = Seq(counter);
    let content = Content::new(id, "ana", "geral", WallTime(0), &"x".repeat(bytes)).unwrap();
    let id = MessageId { sender, counter };
    Record::new(id, Position { ring, seq }, content.to_bytes()).unwrap()
}

fn open(folder: &Path) -> (Disk, Restart) {
    let options = Options {
        restore: None,
        recover: RecoverLevel::Own,
        clock_us: Box::new(|| 1),
        dice: 5,
    };
    let (disk, restart, _) = Disk::open(folder, NodeId(1), options).unwrap();
    (disk, restart)
}

#[test]
fn lines_that_are_held_make_room_on_a_full_disk_for_those_before_them() {
    if !may_all(&["mount", "umount"]) {
        return;
    }
    const LINES: u64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let small = Small::on(folder.path());
    let (mut disk, _) = open(folder.path());
    let records: Vec<Record> = (1..=LINES).map(|counter| record(counter, LINE_BYTES)).collect();
    let outbox = records.iter().map(|record| Store::Outbox {
        id: record.id,
        content: record.content.clone(),
    });
    let held = Store::Append(records.clone());
    let batch = (1..).map(Ticket).zip(outbox.chain([held])).collect();
    assert_eq!(disk.execute(batch).unwrap().full, None);

    // Room is needed for one more, just when what was said before may be forgotten.
    small.fill();
    let ids = records.iter().map(|record| record.id).collect();
    let stores = [
        Store::Append(vec![record(LINES + 1, 2 * LINE_BYTES)]),
        Store::OutboxForget(ids),
    ];
    let batch = (100..).map(Ticket).zip(stores).collect();
    let outcome = disk.execute(batch).unwrap();
    assert!(outcome.full.is_some() && outcome.durable.is_none(), "{outcome:?}");
    assert_eq!(outcome.rest.len(), 2, "both have their turn again");
    let outcome = disk.execute(outcome.rest).unwrap();
    assert_eq!((outcome.full, outcome.durable), (None, Some(Ticket(101))));
    drop(disk);
    let (disk, restart) = open(folder.path());
    assert!(restart.outbox.is_empty());
    assert_eq!(disk.last_records(100).unwrap().len() as u64, LINES + 1);
}
