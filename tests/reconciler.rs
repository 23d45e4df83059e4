//! The reconciler as its user meets it: the built program over folders of replicas.
#![allow(clippy::disallowed_methods)] // Tests prepare and look at files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use roda::replica::Record;
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

/// A member of the ring that the test replicas come from.
fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(1_763_680_000_000_000 + u64::from(id)),
    }
}

/// The line of message `seq`, said in turn by three nodes; every thousand messages there is a new ring.
fn line(seq: u64) -> Vec<u8> {
    line_saying(seq, &format!("olá {seq}"))
}

fn line_saying(seq: u64, text: &str) -> Vec<u8> {
    line_at(seq, seq, text)
}

/// The line of the message that belongs at `seq`, standing at `at`.
fn line_at(at: u64, seq: u64, text: &str) -> Vec<u8> {
    let sender = member(1 + (seq % 3) as u16);
    let ring = RingId {
        epoch: Epoch(1 + at / 1000),
        leader: member(1),
    };
    let id = MessageId {
        sender,
        counter: 1 + seq / 3,
    };
    let position = Position { ring, seq: Seq(at) };
    let from = sender.id;
    let content = format!("{{\"from\":{from},\"name\":\"ana\",\"room\":\"geral\",\"text\":\"{text}\"}}");
    let record = Record::new(id, position, Bytes::from(content)).expect("a good content");
    let mut line = record.line();
    line.push(b'\n');
    line
}

fn lines(seqs: impl IntoIterator<Item = u64>) -> Vec<u8> {
    seqs.into_iter().flat_map(line).collect()
}

/// A data folder.
struct Folder(tempfile::TempDir);

impl Folder {
    /// A data folder with these replicas, of nodes 1, 2 and so on.
    fn new(replicas: &[&[u8]]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(folder.0.path().join("replicas")).expect("a new folder");
        for (index, bytes) in replicas.iter().enumerate() {
            fs::write(folder.replica(index + 1), bytes).expect("a new file");
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn replica(&self, node: usize) -> PathBuf {
        self.path().join(format!("replicas/node-{node}.jsonl"))
    }

    fn read(&self, node: usize) -> Vec<u8> {
        fs::read(self.replica(node)).expect("a replica")
    }

    fn lock(&self, node: usize) -> PathBuf {
        let own = self.path().join(format!("checkpoints/node-{node}"));
        fs::create_dir_all(&own).expect("a new folder");
        own.join("lock")
    }

    /// The names below `replicas/`.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("replicas")).expect("the folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Runs the reconciler over the folder, and nothing else; live nodes are the business of `reconcile_live`.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler"));
        command
            .args(["--offline", "--data-dir"])
            .arg(self.path())
            .args(arguments);
        Run::of(&mut command)
    }

    /// Runs the reconciler and checks that all replicas are then these bytes, and that a second run and a check
    /// find nothing to do and touch nothing.
    fn reconcile_to(&self, expected: &[u8], nodes: usize) -> Run {
        let check = self.run(&["--check"]);
        assert_eq!(check.code, 8, "{}", check.text());
        let run = self.run(&[]);
        assert_eq!(run.code, 0, "{}", run.text());
        for node in 1..=nodes {
            assert!(
                self.read(node) == expected,
                "node {node} differs:\n{}",
                run.text()
            );
        }
        let before = self.stamps();
        let second = self.run(&[]);
        assert_eq!(second.code, 0, "{}", second.text());
        assert!(second.stdout.contains("nothing to do"), "{}", second.text());
        assert_eq!(self.run(&["--check"]).code, 0);
        assert_eq!(self.stamps(), before, "the second run touched files");
        run
    }

    /// Names, inode numbers and times of all files below `replicas/`.
    fn stamps(&self) -> Vec<(String, u64, i64, i64)> {
        use std::os::unix::fs::MetadataExt;
        let stamp = |name: String| {
            let metadata = fs::metadata(self.path().join("replicas").join(&name)).expect("a file");
            (name, metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        self.names().into_iter().map(stamp).collect()
    }
}

/// How a run ended.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(command: &mut Command) -> Run {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("the program runs");
        Run {
            code: status.code().expect("an exit code"),
            stdout: String::from_utf8(stdout).expect("UTF-8"),
            stderr: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    fn text(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.stdout, self.stderr)
    }

    /// The JSON object of a node.
    fn object(&self, node: u64) -> serde_json::Value {
        let objects = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let is_node = |object: &serde_json::Value| object["node"] == node;
        objects.into_iter().find(is_node).expect("the node's object")
    }
}

#[test]
fn equal_files_are_left_alone() {
    let all = lines(1..=50);
    let folder = Folder::new(&[&all, &all, &all]);
    let before = folder.stamps();
    for arguments in [&["--check"][..], &[]] {
        let run = folder.run(arguments);
        assert_eq!(run.code, 0, "{}", run.text());
        assert!(run.stdout.contains("3 of 3 replicas are equal"), "{}", run.text());
    }
    assert_eq!(folder.stamps(), before);
}

#[test]
fn cut_flipped_and_missing_are_reported_and_made_equal() {
    let all = lines(1..=3000);
    let cut = &all[..all.len() - line(3000).len() / 2];
    let mut flipped = all.clone();
    let offset = lines(1..=1499).len() + 40;
    flipped[offset] ^= 0x10;
    let missing = lines((1..=700).chain(1701..=3000));
    let folder = Folder::new(&[cut, &flipped, &missing]);
    let check = folder.run(&["--check", "--json"]);
    assert_eq!(check.code, 8, "{}", check.text());
    let [first, second, third] = [1, 2, 3].map(|node| check.object(node));
    assert_eq!(
        (&first["torn"], &first["records"], &first["missing"]),
        (&true.into(), &2999.into(), &1.into())
    );
    assert_eq!((&second["damaged"], &second["missing"]), (&1.into(), &1.into()));
    assert!(
        second["damage"][0]
            .as_str()
            .is_some_and(|text| text.starts_with("line 1500: ")),
        "{second}"
    );
    assert_eq!((&third["missing"], &third["damaged"]), (&1000.into(), &0.into()));
    assert_eq!(third["result"], "differs");
    assert_eq!(folder.names().len(), 3, "a check leaves nothing behind");
    assert!(folder.read(1) == cut, "a check changes nothing");

    let run = folder.reconcile_to(&all, 3);
    let names = folder.names();
    let aside = ["node-1.damaged-1.jsonl", "node-2.damaged-1.jsonl"];
    assert_eq!(
        names,
        [aside[0], "node-1.jsonl", aside[1], "node-2.jsonl", "node-3.jsonl"]
    );
    assert!(
        aside.iter().all(|name| run.stdout.contains(name)),
        "{}",
        run.text()
    );
    let aside = fs::read(folder.path().join("replicas/node-2.damaged-1.jsonl")).expect("the file");
    assert_eq!(aside, flipped[lines(1..=1499).len()..lines(1..=1500).len()]);
}

#[test]
fn disorder_is_sorted_and_duplicates_go() {
    let disordered: Vec<u64> = (1..=900)
        .collect::<Vec<u64>>()
        .chunks(7)
        .flat_map(|c| c.iter().rev().copied())
        .collect();
    let backwards = lines((1..=900).rev());
    let twice = lines((1..=900).chain(1..=10));
    let folder = Folder::new(&[&lines(disordered), &backwards, &twice]);
    let run = folder.run(&["--check", "--json"]);
    assert_eq!(run.object(2)["out_of_order"], 899);
    assert_eq!(run.object(3)["duplicates"], 10);
    folder.reconcile_to(&lines(1..=900), 3);
}

#[test]
fn invalid_utf8_and_an_empty_line_are_set_aside() {
    let all = lines(1..=20);
    let mut damaged = lines(1..=10);
    damaged.extend_from_slice(b"\xff\xfe\x1b[2J\n\n");
    damaged.extend(lines(11..=20));
    let folder = Folder::new(&[&all, &damaged]);
    let run = folder.reconcile_to(&all, 2);
    assert!(!run.stdout.contains('\x1b'), "{}", run.text());
    let aside = fs::read(folder.path().join("replicas/node-2.damaged-1.jsonl")).expect("the file");
    assert_eq!(aside, b"\xff\xfe\x1b[2J\n\n");
}

#[test]
fn a_last_line_that_lacks_its_newline_is_kept() {
    let all = lines(1..=20);
    let folder = Folder::new(&[&all[..all.len() - 1], &all[..all.len() - 1]]);
    folder.reconcile_to(&all, 2);
    assert_eq!(folder.names().len(), 2, "nothing was set aside");
}

#[test]
fn empty_and_missing_replicas_are_filled() {
    let all = lines(1..=20);
    let folder = Folder::new(&[&all, b""]);
    folder.lock(3);
    let run = folder.reconcile_to(&all, 3);
    assert!(run.stdout.contains("node 3"), "{}", run.text());
    let mode = fs::metadata(folder.replica(3))
        .expect("a replica")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_foreign_version_stops_before_anything_is_changed() {
    let all = lines(1..=20);
    let mut foreign = lines(1..=3);
    foreign.extend_from_slice(b"{\"v\":7,\"batch\":[1,2]}\n");
    let folder = Folder::new(&[&all, &foreign, b""]);
    let run = folder.run(&[]);
    assert_eq!(run.code, 7, "{}", run.text());
    let says = [
        "node-2.jsonl",
        "line 4",
        "format version 7",
        "nothing was changed",
    ];
    assert!(
        says.iter().all(|word| run.stderr.contains(word)),
        "{}",
        run.text()
    );
    assert!(folder.read(1) == all && folder.read(3).is_empty());
    assert_eq!(folder.names().len(), 3);
}

#[test]
fn two_contents_under_one_id_are_reported_and_one_is_set_aside() {
    let (mine, theirs) = (line_saying(2, "a"), line_saying(2, "b"));
    let folder = Folder::new(&[
        &[line(1), theirs.clone()].concat(),
        &[line(1), mine.clone()].concat(),
    ]);
    let run = folder.reconcile_to(&[line(1), mine].concat(), 2);
    assert!(
        run.stdout.contains("conflict: message 3-1763680000000003-1 "),
        "{}",
        run.text()
    );
    let aside = fs::read(folder.path().join("replicas/node-1.conflict-1.jsonl")).expect("the file");
    assert_eq!(aside, theirs);
}

#[test]
fn a_message_at_two_positions_moves_to_the_lowest() {
    let high = [line(1), line(3), line_at(9, 2, "olá 2")].concat();
    let folder = Folder::new(&[&high, &lines(1..=3), &lines([3, 1])]);
    let check = folder.run(&["--check", "--json"]);
    let [first, third] = [1, 3].map(|node| check.object(node));
    assert_eq!(
        (&first["moved"], &first["missing"], &first["conflicts"]),
        (&1.into(), &0.into(), &0.into())
    );
    assert_eq!((&third["moved"], &third["missing"]), (&0.into(), &1.into()));
    folder.reconcile_to(&lines(1..=3), 3);
    assert_eq!(
        folder.names().len(),
        3,
        "nothing is lost, so nothing is set aside"
    );
}

#[test]
fn a_rewrite_raises_the_generation_of_the_replica() {
    let folder = Folder::new(&[&lines(1..=3), &lines(1..=2)]);
    let generation = |node: usize| {
        folder
            .path()
            .join(format!("checkpoints/node-{node}/generation.json"))
    };
    folder.reconcile_to(&lines(1..=3), 2);
    let text = fs::read_to_string(generation(2)).expect("the generation");
    assert!(text.starts_with("{\"v\":1,\"generation\":1,"), "{text}");
    assert!(!generation(1).exists(), "an equal replica keeps its generation");
}

#[test]
fn a_replica_whose_node_runs_is_refused() {
    let folder = Folder::new(&[&lines(1..=3), &lines(1..=2)]);
    let path = folder.lock(2);
    fs::write(&path, "4711\n").expect("the lock");
    let lock = fs::File::open(&path).expect("the lock");
    lock.try_lock().expect("nobody has it");
    for arguments in [&[][..], &["--check"]] {
        let run = folder.run(arguments);
        assert_eq!(run.code, 5, "{}", run.text());
        assert!(run.stderr.contains("process 4711"), "{}", run.text());
        assert!(run.stderr.contains("/quit"), "{}", run.text());
    }
    assert!(folder.read(2) == lines(1..=2));
    drop(lock);
    folder.reconcile_to(&lines(1..=3), 2);
    let pid = fs::read_to_string(&path).expect("the lock");
    assert_ne!(pid, "4711\n", "the reconciler names itself in the lock it holds");
}

#[test]
fn the_order_of_arguments_does_not_matter() {
    let parts = [lines(1..=10), lines(5..=15), lines([20, 3, 18])];
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let expected = lines((1..=15).chain([18, 20]));
    for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
        let folder = Folder::new(&parts);
        let paths = order.map(|node| folder.replica(node).to_string_lossy().into_owned());
        let run = folder.run(&paths.each_ref().map(String::as_str));
        assert_eq!(run.code, 0, "{}", run.text());
        for node in 1..=3 {
            assert!(
                folder.read(node) == expected,
                "node {node}, named in order {order:?}"
            );
        }
    }
}

#[test]
fn files_named_may_lie_anywhere() {
    let folder = Folder::new(&[&lines(1..=10)]);
    let copy = folder.path().join("copy\u{1b}[31m.jsonl");
    fs::write(&copy, lines(5..=12)).expect("a new file");
    let paths = [folder.replica(1), copy.clone()];
    let paths = paths.each_ref().map(|path| path.to_str().expect("UTF-8"));
    let run = folder.run(&paths);
    assert_eq!(run.code, 0, "{}", run.text());
    assert!(!run.stdout.contains('\x1b'), "{}", run.text());
    assert!(fs::read(copy).expect("the copy") == lines(1..=12));
    assert!(folder.read(1) == lines(1..=12));
}

#[test]
fn a_folder_without_replicas_is_a_clear_error() {
    let folder = Folder::new(&[]);
    let run = folder.run(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.text());
    assert!(run.stderr.contains("holds no replica"), "{}", run.text());
    let run = folder.run(&["replicas/nowhere.jsonl"]);
    assert_eq!(run.code, 1, "{}", run.text());
    assert!(
        run.stderr.contains("replicas/nowhere.jsonl; check the path"),
        "{}",
        run.text()
    );
    fs::remove_dir(folder.path().join("replicas")).expect("the folder");
    let run = folder.run(&[]);
    assert_eq!(run.code, 1, "{}", run.text());
    assert!(run.stderr.contains("there is no folder"), "{}", run.text());
    assert_eq!(folder.run(&["--nonsense"]).code, 2);
}

#[test]
fn a_folder_that_cannot_be_written_is_a_clear_error() {
    let folder = Folder::new(&[&lines(1..=3), &lines(1..=2)]);
    let replicas = folder.path().join("replicas");
    fs::create_dir(folder.path().join("checkpoints")).expect("a new folder");
    fs::set_permissions(&replicas, fs::Permissions::from_mode(0o500)).expect("its mode");
    // Who may write everywhere is not stopped by a mode: then there is nothing to see.
    let stopped = fs::write(replicas.join("probe"), "").is_err();
    let run = folder.run(&[]);
    fs::set_permissions(&replicas, fs::Permissions::from_mode(0o700)).expect("its mode");
    if stopped {
        assert_eq!(run.code, 1, "{}", run.text());
        assert!(run.stderr.contains("check its owner and mode"), "{}", run.text());
        assert!(folder.read(2) == lines(1..=2));
    }
}

#[test]
fn what_fails_half_way_leaves_every_replica_as_it_was() {
    let folder = Folder::new(&[&lines(1..=3), &lines(3..=4)]);
    let in_the_way = folder.path().join("replicas/node-2.jsonl.new");
    fs::create_dir(&in_the_way).expect("a new folder");
    let run = folder.run(&[]);
    assert_eq!(run.code, 1, "{}", run.text());
    assert!(run.stderr.contains("node-2.jsonl.new"), "{}", run.text());
    assert!(folder.read(1) == lines(1..=3) && folder.read(2) == lines(3..=4));
    assert_eq!(
        folder.names(),
        ["node-1.jsonl", "node-2.jsonl", "node-2.jsonl.new"]
    );
    fs::remove_dir(in_the_way).expect("the folder");
    folder.reconcile_to(&lines(1..=4), 2);
}

#[test]
fn help_lists_the_exit_codes() {
    let run = Folder::new(&[]).run(&["--help"]);
    assert_eq!(run.code, 0);
    for code in [
        "0  done",
        "1  another",
        "2  wrong",
        "5  a node",
        "7  a replica",
        "8  the replicas differ",
    ] {
        assert!(run.stdout.contains(code), "{code} is missing:\n{}", run.stdout);
    }
}
