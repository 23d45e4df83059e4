//! Real nodes in real processes on loopback: what DESIGN.md promises, seen from outside.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use support::{Group, events, piped, run, wait_until};

#[test]
fn lines_said_at_once_have_the_same_numbers_everywhere() {
    let group = Group::new();
    let mut nodes = group.ring(3);
    let mut said = Vec::new();
    for round in 0..5 {
        for node in &mut nodes {
            let text = format!("{} says {round}", node.id);
            node.say(&text);
            said.push(text);
        }
    }
    let texts: Vec<&str> = said.iter().map(String::as_str).collect();
    nodes.iter_mut().for_each(|node| node.wait_texts(&texts));
    let told: Vec<_> = nodes.iter().map(|node| node.messages()).collect();
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    let numbers: Vec<u64> = told[0].iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<u64>>(), "no gaps, in order");
}

#[test]
fn two_go_on_when_one_is_killed_and_all_replicas_become_equal() {
    let group = Group::new();
    let mut nodes = group.ring(3);
    nodes[0].say("before");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["before"]));
    nodes[2].kill();
    nodes[0].say("without three");
    nodes[1].wait_texts(&["without three"]);
    nodes[0].wait_texts(&["without three"]);
    nodes[0].wait_ring(&[1, 2]);

    nodes[2] = group.start(3, &[]);
    let story = nodes[2].wait_for("story", |event| event["type"] == "story");
    assert_eq!((&story["fresh"], &story["clean"]), (&false.into(), &false.into()));
    nodes[2].wait_texts(&["without three"]);
    nodes[2].say("back");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["back"]));
    wait_until("the replicas are equal", || {
        let one = group.sorted_replica(1);
        one.len() == 3 && one == group.sorted_replica(2) && one == group.sorted_replica(3)
    });
    for node in &mut nodes {
        node.drain();
        assert_eq!(node.times("without three"), 1);
    }
}

#[test]
fn a_piped_program_joins_says_and_leaves() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let ended = run(group.command(9, &["--json"]), b"a\nb\nc\n");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let own: Vec<_> = events(&ended.stdout)
        .into_iter()
        .filter(|event| event["type"] == "message" && event["own"] == true)
        .map(|event| {
            (
                event["seq"].as_u64().unwrap(),
                event["text"].as_str().unwrap().to_string(),
            )
        })
        .collect();
    let expected: Vec<_> = [(1, "a"), (2, "b"), (3, "c")]
        .map(|(n, text)| (n, text.to_string()))
        .into();
    assert_eq!(own, expected);
    let last = events(&ended.stdout).pop().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&"exit".into(), &0.into()));
    nodes
        .iter_mut()
        .for_each(|node| node.wait_texts(&["a", "b", "c"]));
}

#[test]
fn a_piped_program_alone_speaks_after_a_while() {
    let group = Group::new();
    let ended = run(group.command(9, &[]), b"oi\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("#1 ") && ended.stdout.ends_with("·9 oi\n"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("127.0.0.1") && ended.stderr.contains("no key"),
        "{}",
        ended.stderr
    );
}

#[test]
fn waiting_for_more_holders_than_come_ends_with_its_own_code() {
    let group = Group::new();
    let words = ["--quorum", "2", "--wait-limit", "2500ms"];
    let ended = run(group.command(9, &words), b"oi\n");
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("1 of 1 line not ordered"),
        "{}",
        ended.stderr
    );
    // It is not lost: the next start offers it again.
    let mut again = group.start(9, &[]);
    again.wait_texts(&["oi"]);
}

#[test]
fn an_id_that_runs_on_this_machine_is_refused_with_the_process() {
    let group = Group::new();
    let mut first = group.start(3, &[]);
    first.wait_for("ring", |event| event["type"] == "ring");
    let ended = run(group.command(3, &[]), b"");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let pid = first.child.id().to_string();
    assert!(
        ended.stderr.contains(&pid) && ended.stderr.contains("another --id"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_id_that_is_in_use_on_the_network_is_refused_with_its_place() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let elsewhere = group.elsewhere();
    let mut second = elsewhere.start(2, &[]);
    let status = second.wait_exit();
    assert_eq!(status.code(), Some(5), "{}", second.talk());
    let reason = second.events.last().unwrap()["reason"].as_str().unwrap();
    assert!(
        reason.contains("id 2 is in use") && reason.contains("127.0.0.1:"),
        "{reason}"
    );
    nodes[0].say("still here");
    nodes[1].wait_texts(&["still here"]);
}

#[test]
fn bad_words_are_refused_before_anything_is_touched() {
    let group = Group::new();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--interface", "nope0"], 2, "no interface \"nope0\""),
        (&["--group", "10.0.0.1:5007"], 2, "not a multicast address"),
        (&["--id", "0"], 2, "1 to 65535"),
        (&["--chaos", "drop=many"], 2, "drop=many"),
        (&["--restore", "7"], 2, "no checkpoint 7"),
    ];
    for (words, code, part) in cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_node"));
        let usual = ["--id", "4", "--group", &group.address, "--interface", "127.0.0.1"];
        // A word that comes twice is a mistake of its own, so the usual ones give way.
        for pair in usual.chunks(2).filter(|pair| !words.contains(&pair[0])) {
            command.args(pair);
        }
        command.arg("--data-dir").arg(group.folder.path()).args(words);
        let ended = run(piped(command), b"x\n");
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{words:?}: {}", ended.stderr);
        assert!(!group.replica(4).exists(), "{words:?}");
    }
}

#[test]
fn a_port_that_is_not_shared_is_named_with_what_to_do() {
    let group = Group::new();
    let _greedy = UdpSocket::bind(("0.0.0.0", group.port())).unwrap();
    let ended = run(group.command(1, &[]), b"");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("port {} is taken", group.port())),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let group = Group::new();
    std::fs::write(group.folder.path().join("replicas"), "a file in its place").unwrap();
    let ended = run(group.command(1, &["--json"]), b"");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("replicas"), "{}", ended.stderr);
    let last = events(&ended.stdout).pop().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&"exit".into(), &1.into()));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_rest_is_said() {
    let group = Group::new();
    let long = "x".repeat(64 * 1024 + 1);
    let longest = "y".repeat(64 * 1024);
    let input = format!("first\n{long}\n{longest}\nlast\n");
    let ended = run(group.command(1, &["--json"]), input.as_bytes());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let events = events(&ended.stdout);
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "line_refused")
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["line"], 2);
    let texts: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "message")
        .map(|event| event["text"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(texts, ["first".to_string(), longest, "last".to_string()]);
}

#[test]
fn a_longest_line_crosses_the_network() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let longest = "é".repeat(32 * 1024);
    nodes[0].say(&longest);
    nodes[1].wait_texts(&[&longest]);
}

#[test]
fn control_characters_are_carried_and_never_shown_raw() {
    let group = Group::new();
    let mut watcher = support::Node::spawn(2, {
        let mut command = group.command(2, &[]);
        command.env("TERM", "xterm");
        command
    });
    let mut node = group.start(1, &[]);
    node.wait_ring(&[1, 2]);
    node.write(b"a\0b\x1b[2Jc\xe2\x80\xaed\n");
    let message = node.wait_for("message", |event| event["type"] == "message");
    assert_eq!(message["text"], "a\0b\u{1b}[2Jc\u{202e}d");
    wait_until("it is in the other replica", || {
        group.sorted_replica(2).len() == 1
    });
    watcher.end_input();
    let ended = watcher.wait_plain();
    assert!(ended.contains("a␀b␛[2Jc"), "{ended:?}");
    assert!(!ended.contains(['\0', '\u{1b}', '\u{202e}']), "{ended:?}");
}

#[test]
fn asked_to_end_a_node_leaves_with_a_checkpoint_within_two_seconds() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let group = Group::new();
        let mut nodes = group.ring(3);
        nodes[1].say("oi");
        nodes[0].wait_texts(&["oi"]);
        let before = Instant::now();
        nodes[0].signal(signal);
        let status = nodes[0].wait_exit();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(
            before.elapsed() < Duration::from_secs(2),
            "{signal:?}: {:?}",
            before.elapsed()
        );
        let told: Vec<_> = nodes[0]
            .events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(told[told.len() - 2..], ["checkpointed", "exit"], "{signal:?}");
        nodes[1].wait_ring(&[2, 3]);

        let mut again = group.start(1, &[]);
        let story = again.wait_for("story", |event| event["type"] == "story");
        assert_eq!(
            (&story["clean"], &story["rolled_back"]),
            (&true.into(), &0.into())
        );
    }
}

#[test]
fn a_holder_that_was_stopped_is_waited_for_by_nobody_and_loses_nothing() {
    let group = Group::new();
    let mut nodes = group.ring(3);
    nodes[0].say("um");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["um"]));
    // Whoever asked for the token last holds it, and its line is on its way.
    nodes[0].say("said before the stop");
    nodes[0].signal(Signal::STOP);
    nodes[0].say("said while stopped");
    nodes[1].say("dois");
    nodes[2].wait_texts(&["dois"]);
    nodes[1].wait_ring(&[2, 3]);
    nodes[2].say("tres");
    nodes[1].wait_texts(&["tres"]);
    nodes[0].signal(Signal::CONT);
    let all = ["um", "dois", "tres", "said before the stop", "said while stopped"];
    nodes.iter_mut().for_each(|node| node.wait_texts(&all));
    nodes.iter_mut().for_each(|node| node.wait_ring_of(3));
    wait_until("the replicas are equal", || {
        let one = group.sorted_replica(1);
        one.len() == all.len() && one == group.sorted_replica(2) && one == group.sorted_replica(3)
    });
    for node in &mut nodes {
        node.drain();
        for text in all {
            assert_eq!(node.times(text), 1, "{text:?} at {}", node.id);
        }
    }
}

#[test]
fn a_newcomer_gets_what_was_said_before() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let lines: String = (1..=300).map(|n| format!("line {n}\n")).collect();
    nodes[0].write(lines.as_bytes());
    nodes[1].wait_texts(&["line 300"]);
    let mut third = group.start(3, &[]);
    third.wait_texts(&["line 1", "line 300"]);
    let caught_up = third.wait_for("caught up", |event| event["type"] == "caught_up");
    assert!(caught_up["received"].as_u64().unwrap() > 0);
    wait_until("the replicas are equal", || {
        group.sorted_replica(3).len() == 300 && group.sorted_replica(3) == group.sorted_replica(1)
    });
}

/// Datagrams that strangers may send: noise of all lengths, real ones cut or altered, and real ones again.
fn nonsense(real: &[Vec<u8>], dice: u64) -> Vec<u8> {
    let mut state = dice.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let kind = next() % 4;
    let Some(some) = real.get(next() as usize % real.len().max(1)).filter(|_| kind > 0) else {
        let length = next() as usize % 1_500;
        return (0..length).map(|_| next() as u8).collect();
    };
    let mut bytes = some.clone();
    let at = next() as usize % bytes.len();
    match kind {
        1 => bytes.truncate(at),
        2 => bytes[at] ^= 1 << (next() % 8),
        _ => {}
    }
    bytes
}

/// The memory of a process, in KiB.
fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_hundred_thousand_datagrams_of_strangers_change_nothing() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    // What real nodes send is listened to first, to be sent again in all variants.
    let listener = group.listener();
    nodes[0].say("um");
    nodes[1].wait_texts(&["um"]);
    let mut buffer = vec![0; 65_536];
    let real: Vec<Vec<u8>> = (0..5)
        .map(|_| {
            let length = listener.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        })
        .collect();
    let sender = group.sender();
    let to: std::net::SocketAddrV4 = group.address.parse().unwrap();
    let shout = |many: std::ops::Range<u64>| {
        for dice in many {
            // A full queue loses some of them, as the network would.
            sender
                .send_to(&nonsense(&real, dice), to)
                .map(drop)
                .unwrap_or_default();
        }
    };
    shout(0..20_000);
    nodes[0].say("dois");
    nodes[1].wait_texts(&["dois"]);
    let before = memory_kib(nodes[1].child.id());
    shout(20_000..100_000);
    nodes[1].say("tres");
    nodes.iter_mut().for_each(|node| node.wait_texts(&["tres"]));
    let after = memory_kib(nodes[1].child.id());
    assert!(after < before + 4_096, "{before} KiB before, {after} KiB after");
    for node in &mut nodes {
        node.drain();
        let texts: Vec<String> = node.messages().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["um", "dois", "tres"]);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_node_with_a_reason() {
    let group = Group::new();
    let mut command = group.command(1, &["--json"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("nobody reads the output"), "{stderr}");
}

#[test]
fn input_that_cannot_be_read_is_said() {
    let group = Group::new();
    let mut command = group.command(1, &[]);
    command.stdin(std::fs::File::open(group.folder.path()).unwrap());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot be read any further"), "{stderr}");
}

/// Kills and restarts nodes under traffic, then looks whether anything that was pending is lost or doubled.
fn kill_and_restart(cycles: usize) {
    let group = Group::new();
    let mut nodes = group.ring(3);
    let mut pending: Vec<String> = Vec::new();
    let mut dice = 12_345_u64;
    for cycle in 0..cycles {
        for line in 0..12 {
            nodes[line % 3].say(&format!("{cycle}.{line}"));
        }
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let victim = (dice >> 33) as usize % 3;
        if dice.is_multiple_of(2) {
            nodes[victim].wait_for("pending line", |event| event["type"] == "pending");
        }
        nodes[victim].kill();
        pending.extend(nodes[victim].pending());
        nodes[victim] = group.start(victim as u16 + 1, &[]);
        nodes[victim].wait_for("ring", |event| event["type"] == "ring");
    }
    nodes.iter_mut().for_each(|node| node.wait_ring_of(3));
    let mut last = nodes.iter_mut();
    last.by_ref()
        .for_each(|node| node.say(&format!("last of {}", node.id)));
    let lasts = ["last of 1", "last of 2", "last of 3"];
    nodes.iter_mut().for_each(|node| node.wait_texts(&lasts));
    nodes.iter_mut().for_each(|node| pending.extend(node.pending()));
    let mut all = Vec::new();
    wait_until("the replicas are equal and have all that was pending", || {
        all = group.sorted_replica(1);
        let has = |id: &String| all.iter().any(|line| line.contains(&format!("\"id\":\"{id}\"")));
        pending.iter().all(has) && all == group.sorted_replica(2) && all == group.sorted_replica(3)
    });
    let mut ids: Vec<&str> = all.iter().map(|line| line.split('"').nth(5).unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "no message is there twice");
    for node in &mut nodes {
        node.end_input();
        assert_eq!(node.wait_exit().code(), Some(0));
    }
    let mut reconciler = Command::new(env!("CARGO_BIN_EXE_reconciler"));
    reconciler
        .args(["--offline", "--data-dir"])
        .arg(group.folder.path());
    assert!(reconciler.output().unwrap().status.success());
    let bytes = |id: u16| std::fs::read(group.replica(id)).unwrap();
    assert!(bytes(1) == bytes(2) && bytes(1) == bytes(3), "byte for byte");
}

#[test]
fn what_was_pending_survives_kills_and_restarts() {
    kill_and_restart(5);
}

#[test]
#[ignore = "takes a minute"]
fn what_was_pending_survives_fifty_kills_and_restarts() {
    kill_and_restart(50);
}

#[test]
fn a_node_that_can_open_no_more_files_waits_and_loses_nothing() {
    let group = Group::new();
    let mut node = group.start(1, &["--delay", "0", "--checkpoint-every", "100ms"]);
    node.wait_ring(&[1]);
    node.say("um");
    node.wait_texts(&["um"]);
    let few = Rlimit {
        current: Some(3),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let usual = prlimit(Some(node.pid()), Resource::Nofile, few).unwrap();
    // The next checkpoint finds no handle; the message before it had made one due.
    node.say("dois");
    let full = node.wait_for("being short of handles", |event| event["type"] == "disk_full");
    let reason = full["reason"].as_str().unwrap();
    assert!(
        reason.contains("open files") && reason.contains("ulimit"),
        "{reason}"
    );
    node.say("tres");
    node.wait_for("a refusal with the reason", |event| event["type"] == "refused");
    prlimit(Some(node.pid()), Resource::Nofile, usual).unwrap();
    node.wait_for("room for handles again", |event| event["type"] == "disk_room");
    node.say("quatro");
    node.wait_texts(&["um", "dois", "quatro"]);
    node.signal(Signal::TERM);
    assert_eq!(node.wait_exit().code(), Some(0));
    assert_eq!(group.sorted_replica(1).len(), 3);
}

#[test]
fn rot_that_a_start_did_not_read_is_repaired_while_the_node_lives() {
    let group = Group::new();
    let words = ["--delay", "0", "--checkpoint-every", "0"];
    let mut nodes: Vec<_> = [1, 2].map(|id| group.start(id, &words)).into();
    nodes.iter_mut().for_each(|node| node.wait_ring(&[1, 2]));
    let texts = ["um", "dois", "tres", "quatro"];
    texts.iter().for_each(|text| nodes[0].say(text));
    nodes.iter_mut().for_each(|node| node.wait_texts(&texts));
    wait_until("all is written", || group.sorted_replica(2).len() == texts.len());
    nodes[1].end_input();
    assert_eq!(nodes[1].wait_exit().code(), Some(0));
    // Behind the checkpoint of its end a start has nothing to read.
    let text = std::fs::read_to_string(group.replica(2)).unwrap();
    std::fs::write(group.replica(2), text.replace("dois", "dais")).unwrap();
    let mut again = group.start(2, &words);
    let story = again.wait_for("its story", |event| event["type"] == "story");
    assert_eq!((&story["held"], &story["set_aside"]), (&4.into(), &0.into()));
    again.wait_for("a warning of what was found", |event| {
        let text = event["text"].as_str().unwrap_or_default();
        event["type"] == "warning" && text.contains("1 damaged lines, set aside")
    });
    wait_until("the other gives it again", || {
        group.sorted_replica(2) == group.sorted_replica(1)
    });
    again.say("cinco");
    again.wait_texts(&["cinco"]);
    assert_eq!(again.times("dois"), 0, "nobody is told of it a second time");
    assert_eq!(again.messages().len(), 1);
}

#[test]
fn a_recording_has_all_events_in_detail_and_an_existing_file_is_left_alone() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let file = group.folder.path().join("nine.jsonl");
    let words = ["--record", file.to_str().unwrap(), "--wait", "held"];
    let ended = run(group.command(9, &words), b"a\nb\n");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    nodes.iter_mut().for_each(|node| node.wait_texts(&["a", "b"]));
    let recorded = std::fs::read_to_string(&file).unwrap();
    let told = events(&recorded);
    let kinds: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["start", "story"]);
    assert_eq!(kinds.last(), Some(&"exit"));
    for kind in [
        "ring",
        "pending",
        "grant",
        "pass",
        "message",
        "held",
        "token",
        "stamped",
        "written",
        "status",
        "checkpointed",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let numbers: Vec<u64> = told
        .iter()
        .map(|event| event["event"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "nothing is missing"
    );
    assert!(told.iter().all(|event| event["node"] == 9));
    let clocks: Vec<u64> = told.iter().map(|event| event["us"].as_u64().unwrap()).collect();
    assert!(clocks.is_sorted(), "{clocks:?}");
    // Each pass ends the visit of a grant, and has the next hop.
    let hops = |kind: &str| -> Vec<(String, u64)> {
        let of_kind = told.iter().filter(|event| event["type"] == kind);
        of_kind
            .map(|event| (event["ring"].to_string(), event["hop"].as_u64().unwrap()))
            .collect()
    };
    let grants = hops("grant");
    for (ring, hop) in hops("pass") {
        assert!(
            grants.contains(&(ring, hop - 1)),
            "no grant for the pass {hop}: {grants:?}"
        );
    }
    // The same file again: nothing is added, and nothing is touched.
    let again = run(group.command(9, &words), b"c\n");
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(
        again.stderr.contains("nine.jsonl: it is there already"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), recorded);
}

#[test]
fn only_who_asks_for_all_is_told_the_details() {
    let group = Group::new();
    let _nodes = group.ring(2);
    let details = |words: &[&str]| -> usize {
        let ended = run(group.command(9, words), b"oi\n");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let told = events(&ended.stdout);
        assert!(told.iter().all(|event| event["type"] != "status"));
        let detail = |event: &&serde_json::Value| {
            ["token", "written", "rest"].contains(&event["type"].as_str().unwrap())
        };
        told.iter().filter(detail).count()
    };
    assert_eq!(details(&["--json", "--wait", "held"]), 0);
    assert!(details(&["--json", "-v", "--wait", "held"]) > 0);
}
