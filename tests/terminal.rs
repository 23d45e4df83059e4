//! Nodes as people use them: at a terminal, with keys and slash commands.
#![allow(clippy::disallowed_methods)] // Tests read clocks and files.

mod support;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::pty::Person;
use support::{Group, wait_until};

fn person(group: &Group, id: u16, words: &[&str]) -> Person {
    Person::at_terminal(group.command(id, words))
}

#[test]
fn two_people_talk_and_see_where_their_lines_are() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--name", "ana"]);
    ana.sees("ana·1 in room geral");
    ana.sees("on lo (127.0.0.1)");
    ana.sees("no key");
    ana.sees("first start here");
    let mut bob = person(&group, 2, &["--name", "bob"]);
    bob.sees("ring of 2");
    ana.sees("ring of 2");
    ana.types("oi bob");
    ana.sees("pending: oi bob");
    ana.sees("#1 ");
    ana.sees("ana·1 oi bob");
    bob.sees("ana·1 oi bob");
    ana.sees("#1 held by all 2");
    bob.types("/me waves");
    ana.sees("* bob·2 waves");
    ana.types("/trace 1");
    ana.sees("the life of #1");
    ana.sees("held by bob·2");
    ana.types("/ring");
    ana.sees("epoch ");
    ana.sees("ana·1  127.0.0.1:");
    ana.types("/why");
    ana.sees("nothing: every line of yours is held by all");
    ana.types("/nick eva");
    ana.types("/token");
    ana.sees("you are eva from now on");
    ana.sees("token: granted");
    ana.types("/rin");
    ana.sees("did you mean /ring?");
    ana.types("/join sala");
    ana.types("quem?");
    bob.sees("[sala] eva·1 quem?");
    bob.types("/topic");
    bob.sees("geral has no topic");
    ana.types("/join geral");
    ana.types("/topic café às 4");
    bob.sees("* eva·1 sets the topic: café às 4");
    ana.types("/away lunch");
    bob.sees("* eva·1 is away: lunch");
    bob.types("/topic");
    bob.sees("sets the topic: café às 4");
    bob.types("/who");
    bob.sees("eva·1 (away: lunch)");
    bob.types("/search OI bob");
    bob.sees("1 message found for OI bob");
    bob.types("/search nowhere said");
    bob.sees("no message found for nowhere said");
    ana.types("/away");
    bob.sees("* eva·1 is back");
    bob.types("/history 20");
    bob.sees("#1 ");
    ana.types("/quit");
    ana.sees("left; a checkpoint is written");
    assert_eq!(ana.ends(), Some(0));
    bob.sees("left: eva·1");
    bob.press(b"\x04");
    assert_eq!(bob.ends(), Some(0), "the end of the input leaves");
}

#[test]
fn a_rollback_can_be_looked_at_and_goes_on_in_the_same_process() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--delay", "0", "--recover", "none"]);
    ana.sees("ring of 1");
    ana.types("kept");
    ana.sees("held by all");
    ana.types("/checkpoint");
    ana.sees("checkpoint written");
    ana.types("discarded");
    ana.sees("#2 held by all");
    ana.types("/rollback 7");
    ana.sees("there is no checkpoint 7");
    ana.types("/rollback 1");
    ana.sees("holds 1 message; going back to it discards 1 message from the state: they stay in the file");
    ana.sees("checkpoint 1 of ");
    ana.sees("1 message rolled back, 0 recovered");
    ana.sees("ring of 1");
    ana.types("/ring");
    ana.sees("1 message in the replica");
    ana.types("said after");
    ana.sees("said after");
    ana.sees("held by all");
    ana.types("/history");
    ana.sees("kept");
    ana.sees("said after");
    ana.types("/quit");
    assert_eq!(ana.ends(), Some(0));
    let texts = group.sorted_replica(1);
    assert_eq!(texts.len(), 3, "nothing is deleted from the world: {texts:?}");

    // Without holding back, all of it is there again.
    let mut ana = person(&group, 1, &[]);
    ana.sees("kept");
    ana.sees("discarded");
    ana.sees("said after");
}

#[test]
fn going_back_by_option_says_what_is_discarded_and_asks() {
    let group = Group::new();
    let ended = support::run(group.command(1, &["--delay", "0"]), b"um\ndois\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut ana = person(&group, 1, &["--restore", "1"]);
    ana.sees("checkpoint 1 of ");
    ana.sees("holds 2 messages; going back to it discards 0 messages");
    ana.sees("[y/N] ");
    ana.press(b"n\r");
    ana.sees("was not gone back to; nothing was changed");
    assert_eq!(ana.ends(), Some(1));
    let mut ana = person(&group, 1, &["--restore", "1"]);
    ana.sees("[y/N] ");
    ana.press(b"y\r");
    ana.sees("0 messages rolled back");
    ana.sees("ring of 1");
}

#[test]
fn a_node_that_is_suspended_passes_the_token_first() {
    let group = Group::new();
    let mut ana = person(&group, 1, &[]);
    let mut others = [group.start(2, &[]), group.start(3, &[])];
    others.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    ana.sees("ring of 3");
    ana.types("oi");
    ana.sees("#1 held by all 3");
    ana.press(b"half a li\x1a");
    wait_until("it is stopped", || ana.is_stopped());
    others[0].say("meanwhile");
    others[1].wait_texts(&["meanwhile"]);
    others[0].wait_ring(&[2, 3]);
    ana.signal(Signal::CONT);
    others[0].wait_ring(&[1, 2, 3]);
    ana.sees("meanwhile");
    ana.types("ne");
    others[0].wait_texts(&["half a line"]);
}

#[test]
fn two_interrupts_end_it_in_any_case() {
    let group = Group::new();
    let mut ana = person(&group, 1, &[]);
    ana.sees("ring of 1");
    let before = Instant::now();
    ana.press(b"\x03");
    assert_eq!(ana.ends(), Some(0));
    assert!(before.elapsed() < Duration::from_secs(2));

    let mut bob = person(&group, 2, &["--quorum", "2"]);
    bob.sees("ring of 1");
    bob.types("this cannot be ordered, so leaving takes a moment");
    bob.sees("pending");
    bob.press(b"\x03");
    bob.sees("Ctrl-C once more forces");
    bob.signal(Signal::INT);
    assert_eq!(bob.ends(), Some(130));
}

#[test]
fn a_newcomer_is_not_buried_in_what_was_said_before() {
    let group = Group::new();
    let mut nodes = group.ring(2);
    let lines: String = (1..=200).map(|n| format!("line {n}.\n")).collect();
    nodes[0].write(lines.as_bytes());
    nodes[1].wait_texts(&["line 200."]);
    // The delay between delivered and written leaves holes for a moment.
    wait_until("all is written", || {
        [1, 2].iter().all(|id| group.sorted_replica(*id).len() == 200)
    });
    let mut ana = person(&group, 3, &["--history", "5"]);
    ana.sees("195 earlier messages came late");
    ana.sees("line 196.");
    ana.sees("line 200.");
    assert!(!ana.shown.contains("line 195."), "{}", ana.shown);
}
