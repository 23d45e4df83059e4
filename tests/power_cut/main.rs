//! Power cuts: every state that one could leave on the disk has a way back.
//!
//! A real node's calls are recorded through two lives with chat, checkpoints, a file written anew and a kill. After
//! each call, [`states::Disk`] names what a power cut could leave. On each such state a node starts: at once in this
//! process, and a sample as a real one. It has all that was acknowledged, ordered or told to be held before the cut;
//! it says what it took out; and a second start finds nothing more to do.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod states;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use roda::host::disk::{Disk, Options, Paths};
use roda::node::face::{RecoverLevel, Restart};
use roda::words::{Epoch, Incarnation, MessageId, NodeId, Position, Seq};
use serde_json::Value;
use states::State;
use support::table::{may_all, row, thorough};
use support::{Group, Node, piped, run};
use trace::Step;

const ME: NodeId = NodeId(1);
/// Slow to write, quick to speak, and with checkpoints enough that old ones are removed.
const WORDS: [&str; 7] = [
    "--json",
    "--delay",
    "0..60ms",
    "--token-timeout",
    "100ms",
    "--checkpoint-every",
    "100ms",
];

/// What a node told, and so must be true after any power cut.
#[derive(Clone, Default)]
struct Promises {
    incarnation: Incarnation,
    epoch: Epoch,
    acknowledged: Vec<MessageId>,
    held: Vec<(MessageId, Position)>,
}

impl Promises {
    fn take(&mut self, told: &str) {
        let event: Value = serde_json::from_str(told).unwrap();
        let id = || event["id"].as_str().unwrap().parse().unwrap();
        match event["type"].as_str().unwrap() {
            "start" => {
                self.incarnation = Incarnation(event["incarnation"].as_str().unwrap().parse().unwrap())
            }
            "ring" => self.epoch = Epoch(event["epoch"].as_u64().unwrap()),
            "pending" => self.acknowledged.push(id()),
            "held" => {
                let ring = event["ring"].as_str().unwrap().parse().unwrap();
                let seq = Seq(event["seq"].as_u64().unwrap());
                self.held.push((id(), Position { ring, seq }));
            }
            _ => {}
        }
    }

    /// What is broken of them, if anything.
    fn broken(&self, restart: &Restart) -> Result<(), String> {
        if restart.incarnation <= self.incarnation || restart.epoch < self.epoch {
            return Err("a life or an epoch may come twice".into());
        }
        let waiting: BTreeSet<MessageId> = restart.outbox.iter().map(|(id, _)| *id).collect();
        for id in &self.acknowledged {
            if !restart.ids.contains(*id) && !waiting.contains(id) {
                return Err(format!("{id} was acknowledged and is lost"));
            }
        }
        for (id, position) in &self.held {
            if !restart.held.contains(*position) || !restart.ids.contains(*id) {
                return Err(format!("{id} was told to be held and is not in the replica"));
            }
        }
        Ok(())
    }
}

/// Starts a node's files in this process, with a clock that begins anew.
fn open(folder: &Path) -> Result<(Restart, Vec<String>), String> {
    let options = Options {
        restore: None,
        recover: RecoverLevel::Own,
        clock_us: Box::new(|| 1),
        dice: 5,
    };
    let (_disk, restart, story) = Disk::open(folder, ME, options).map_err(|error| error.to_string())?;
    Ok((restart, story.warnings))
}

/// The files that hold what people said.
fn logs(folder: &Path) -> [Vec<u8>; 2] {
    let paths = Paths::new(folder, ME);
    [paths.replica(), paths.outbox()].map(|path| std::fs::read(path).unwrap_or_default())
}

/// Puts a state on the disk.
fn put(state: &State, from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let place = |path: &Path| to.join(path.strip_prefix(from).unwrap());
    state
        .folders
        .iter()
        .for_each(|path| std::fs::create_dir_all(place(path)).unwrap());
    for (path, bytes) in &state.files {
        std::fs::write(place(path), bytes).unwrap();
    }
}

/// Starts twice on what lies in a folder.
fn check(folder: &Path, promises: &Promises) -> Result<(), String> {
    let before = logs(folder);
    let (first, warnings) = open(folder)?;
    promises.broken(&first)?;
    let after = logs(folder);
    let shorter = before
        .iter()
        .zip(&after)
        .any(|(before, after)| after.len() < before.len());
    if shorter && warnings.is_empty() {
        return Err("something was taken out and nothing said".into());
    }
    let (second, _) = open(folder)?;
    promises.broken(&second)?;
    if logs(folder) != after || second.incarnation <= first.incarnation {
        return Err("a second start finds something else".into());
    }
    Ok(())
}

/// The story of two lives: chat and checkpoints; a kill; more of it, and a file written anew; leaving.
fn record() -> (Group, Vec<Step>) {
    let group = Group::new();
    let logs = tempfile::tempdir().unwrap();
    let mut story = vec![Step::MakeFolder(group.folder.path().to_path_buf())];
    story.push(Step::Sync(group.folder.path().parent().unwrap().to_path_buf()));
    for life in 0..2 {
        let prefix = logs.path().join(format!("life-{life}"));
        let plain = group.command(1, &WORDS);
        let mut command = Command::new("strace");
        command
            .args(trace::words(&prefix))
            .arg(plain.get_program())
            .args(plain.get_args());
        let mut node = Node::spawn(1, piped(command));
        for round in 0..4 {
            let lines: Vec<String> = (0..3)
                .map(|line| format!("life {life}, {round}.{line}"))
                .collect();
            node.write(format!("{}\n", lines.join("\n")).as_bytes());
            node.wait_texts(&lines.iter().map(String::as_str).collect::<Vec<&str>>());
            node.wait_checkpoint_or_end();
        }
        if life == 0 {
            node.say("last words");
            node.wait_texts(&["last words"]);
            node.kill();
        } else {
            reconcile(&group);
            node.end_input();
            assert_eq!(node.wait_exit().code(), Some(0));
        }
        story.extend(trace::read(&prefix, group.folder.path()));
    }
    (group, story)
}

/// Makes the node write its file anew.
fn reconcile(group: &Group) {
    let done = run(group.reconciler(&[]), b"");
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
}

/// Tries all states of a story; the first broken promise, and how many states there were. `sample` gets some of
/// them, with what was promised.
fn try_all(
    folder: &Path,
    story: &[Step],
    lies: bool,
    mut sample: impl FnMut(usize, &State, &Promises),
) -> Result<usize, String> {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let mut disk = states::Disk::new(lies);
    let (mut promises, mut seen, mut count) = (Promises::default(), BTreeSet::new(), 0);
    for (index, step) in story.iter().enumerate() {
        disk.step(step);
        if let Step::Told(told) = step {
            promises.take(told);
            // What was possible before is possible still, and more is promised now.
            seen.clear();
        }
        for state in disk.states() {
            if !seen.insert(state.clone()) {
                continue;
            }
            let to = place.path().join("state");
            put(&state, folder, &to);
            let found = check(&to, &promises);
            std::fs::remove_dir_all(&to).unwrap();
            found.map_err(|what| format!("{what}\nafter step {index}, {step:?}, with {state:#?}"))?;
            sample(count, &state, &promises);
            count += 1;
        }
    }
    Ok(count)
}

/// A real node starts on a state, says a line, and has all.
fn start_for_real(from: &Path, state: &State, promises: &Promises) {
    let group = Group::new();
    put(state, from, group.folder.path());
    let ended = run(group.command(1, &WORDS), b"after the cut\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines = group.sorted_replica(1);
    let times = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    for id in &promises.acknowledged {
        assert_eq!(times(&format!("\"id\":\"{id}\"")), 1, "{id} was acknowledged");
    }
    assert_eq!(times("after the cut"), 1);
}

#[test]
fn whatever_a_power_cut_leaves_has_a_way_back() {
    if !may_all(&["strace"]) {
        return;
    }
    let (group, story) = record();
    let appended = |name: &str| {
        let is_it = |path: &PathBuf| path.file_name().is_some_and(|found| found == name);
        story
            .iter()
            .any(|step| matches!(step, Step::Append(path, _) if is_it(path)))
    };
    assert!(appended("outbox.jsonl") && appended("node-1.jsonl") && appended("node-1.jsonl.new"));
    let removes = story.iter().any(|step| matches!(step, Step::Remove(_)));
    assert!(removes, "old checkpoints are removed");
    let every = if thorough() { 97 } else { 997 };
    let mut some = Vec::new();
    let states = try_all(group.folder.path(), &story, false, |count, state, promises| {
        if count % every == every / 2 {
            some.push((state.clone(), promises.clone()));
        }
    });
    let states = states.unwrap_or_else(|what| panic!("{what}"));
    assert!(states > 500, "{states} states");
    for (state, promises) in &some {
        start_for_real(group.folder.path(), state, promises);
    }
    let calls = story.iter().filter(|step| !matches!(step, Step::Told(_))).count();
    row(
        &format!(
            "a power cut after each of {calls} calls of two lives: unsynced bytes and names lost, torn, out of order"
        ),
        states,
        &format!(
            "all; each state starts, twice, and has what was acknowledged or told to be held; {} of them with a real node",
            some.len()
        ),
    );
}

#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    if !may_all(&["strace"]) {
        return;
    }
    let (group, story) = record();
    let found = try_all(group.folder.path(), &story, true, |_, _, _| ());
    assert!(found.is_err(), "{found:?}: the check above cannot fail");
}
