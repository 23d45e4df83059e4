//! Nodes as people use them: at a terminal, with keys and slash commands.
#![allow(clippy::disallowed_methods)] // Tests read clocks and files.

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::pty::Person;
use support::tmux::Pane;
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
    bob.types("/why");
    bob.sees("too few members: 1 here, 2 needed (--quorum 2)");
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

/// The command for a person in a pane, who has no colours.
fn at_pane(group: &Group, id: u16, words: &[&str]) -> Command {
    let mut command = group.command(id, words);
    command.env("NO_COLOR", "1");
    command
}

#[test]
fn a_line_being_typed_survives_a_hundred_messages() {
    let group = Group::new();
    let pane = Pane::open(80, 24);
    pane.starts(&at_pane(&group, 1, &["--name", "ana"]));
    pane.sees("ring of 1");
    let mut bob = group.start(2, &[]);
    bob.wait_ring(&[1, 2]);
    pane.press_text("half a");
    pane.ends_with_line("geral> half a");
    let lines: String = (1..=100).map(|n| format!("line {n}.\n")).collect();
    bob.write(lines.as_bytes());
    pane.sees("line 50.");
    pane.press_text(" line");
    pane.sees("line 100.");
    pane.ends_with_line("geral> half a line");
    let shown = pane.all();
    let places = (1..=100).map(|n| shown.find(&format!(" line {n}.")));
    assert!(places.map(|place| place.expect("shown")).is_sorted(), "{shown}");
    assert_eq!(pane.screen().matches("geral> ").count(), 1, "{}", pane.screen());
    pane.press(&["Enter"]);
    bob.wait_texts(&["half a line"]);
}

#[test]
fn wide_characters_are_edited_whole_and_survive_a_resize() {
    let group = Group::new();
    let pane = Pane::open(80, 24);
    pane.starts(&at_pane(&group, 1, &[]));
    pane.sees("ring of 1");
    let mut bob = group.start(2, &[]);
    bob.wait_ring(&[1, 2]);
    // The prompt has 7 columns; then 1, 2, 2, 2, 1 (a letter and its accent), 2 (a flag) and 1.
    pane.press_text("a日本👍e\u{301}🇧🇷z");
    pane.waits_for("the cursor behind z", || pane.column() == 7 + 11);
    pane.press(&["Left", "BSpace"]);
    pane.waits_for("the flag gone as a whole", || pane.column() == 7 + 8);
    pane.press(&["BSpace"]);
    pane.waits_for("letter and accent gone as one", || pane.column() == 7 + 7);
    pane.press(&["End"]);
    let long = "palavra ".repeat(12);
    pane.press_text(&long);
    pane.sees("palavra palavra");
    for columns in [40, 25, 100] {
        pane.resize(columns, 24);
        bob.say(&format!("now {columns}"));
        pane.sees(&format!("now {columns}"));
        pane.press_text("x");
        pane.waits_for("the line after the resize", || {
            let screen = pane.screen();
            let line = screen.rsplit("geral> ").next().unwrap_or_default();
            line.replace('\n', "").ends_with('x')
        });
    }
    pane.press(&["Enter"]);
    bob.wait_texts(&[&format!("a日本👍z{long}xxx")]);
}

#[test]
fn tab_completes_commands_rooms_and_names() {
    let group = Group::new();
    let pane = Pane::open(80, 24);
    pane.starts(&at_pane(&group, 1, &["--name", "ana"]));
    pane.sees("ring of 1");
    let mut bob = group.start(2, &["--name", "bernardo", "--room", "sala"]);
    bob.wait_ring(&[1, 2]);
    bob.say("oi");
    pane.sees("[sala] bernardo·2 oi");
    // What Tab offers is what was known when the line began.
    pane.types("/rooms");
    pane.sees("rooms: geral, sala");
    pane.press_text("/jo");
    pane.press(&["Tab"]);
    pane.press_text("sa");
    pane.press(&["Tab"]);
    pane.ends_with_line("geral> /join sala");
    pane.press(&["Enter"]);
    pane.ends_with_line("sala>");
    pane.press_text("ber");
    pane.press(&["Tab"]);
    pane.ends_with_line("sala> bernardo:");
    pane.press(&["Enter"]);
    bob.wait_texts(&["bernardo: "]);
    pane.sees("#2 held by all 2");
    // What was said can be found again, and the screen be cleared.
    pane.press(&["C-r"]);
    pane.press_text("joi");
    pane.sees("/join sala");
    pane.press(&["C-g", "C-l"]);
    pane.waits_for("an empty screen", || pane.screen().trim() == "sala>");
}

#[test]
fn several_pasted_lines_are_one_message_and_many_are_asked_about() {
    let group = Group::new();
    let pane = Pane::open(80, 40);
    pane.starts(&at_pane(&group, 1, &[]));
    pane.sees("ring of 1");
    let mut bob = group.start(2, &[]);
    bob.wait_ring(&[1, 2]);
    pane.pastes("um\ndois\n/quit");
    pane.sees("/quit");
    pane.press(&["Enter"]);
    bob.wait_texts(&["um\ndois\n/quit"]);
    let many: Vec<String> = (1..=11).map(|n| format!("linha {n}")).collect();
    pane.pastes(&many.join("\n"));
    pane.sees("linha 11");
    pane.press(&["Enter"]);
    pane.sees("say these 11 lines as one message?");
    pane.types("n");
    pane.ends_with_line("geral>");
    pane.types("after");
    bob.wait_texts(&["after"]);
    pane.press(&["Up", "Up", "Enter"]);
    pane.sees("11 lines");
    pane.types("");
    bob.wait_texts(&[&many.join("\n")]);
}

#[test]
fn ctrl_z_and_fg_keep_the_draft_while_the_ring_goes_on() {
    let group = Group::new();
    let pane = Pane::open(90, 30);
    pane.starts(&at_pane(&group, 1, &[]));
    pane.sees("ring of 1");
    let mut others = [group.start(2, &[]), group.start(3, &[])];
    others.iter_mut().for_each(|node| node.wait_ring(&[1, 2, 3]));
    pane.press_text("half a li");
    pane.ends_with_line("geral> half a li");
    pane.press(&["C-z"]);
    pane.sees("Stopped");
    others[0].wait_ring(&[2, 3]);
    others[0].say("meanwhile");
    others[1].wait_texts(&["meanwhile"]);
    // The shell has its terminal back: what is typed is its own, and is shown.
    pane.types("echo $((6 * 7))");
    pane.sees("\n42\n");
    pane.types("fg");
    others[0].wait_ring(&[1, 2, 3]);
    pane.sees("meanwhile");
    pane.ends_with_line("geral> half a li");
    pane.types("ne");
    others[1].wait_texts(&["half a line"]);
}

#[test]
fn who_is_mentioned_hears_a_bell() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--name", "ana"]);
    ana.sees("ring of 1");
    let mut eva = person(&group, 3, &["--name", "eva", "--no-bell"]);
    eva.sees("ring of 2");
    let mut bob = group.start(2, &["--name", "bob"]);
    bob.wait_ring(&[1, 2, 3]);
    bob.say("banana");
    bob.say("Ana e Eva?");
    ana.sees("banana");
    ana.sees("Ana e Eva?\u{7}");
    assert_eq!(ana.shown.matches('\u{7}').count(), 1, "not for a banana");
    eva.sees("Ana e Eva?");
    bob.say("end");
    eva.sees("end");
    assert!(!eva.shown.contains('\u{7}'));
}

#[test]
fn who_wants_no_colours_gets_none() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--name", "ana"]);
    let mut command = group.command(2, &["--name", "bob"]);
    command.env("NO_COLOR", "");
    let mut bob = Person::at_terminal(command);
    ana.types("oi bob");
    for one in [&mut ana, &mut bob] {
        one.sees("ring of 2");
        one.sees("ana·1 oi bob");
    }
    let coloured = |person: &Person| ["\u{1b}[1m", "\u{1b}[2m"].map(|code| person.raw.contains(code));
    assert_eq!(coloured(&ana), [false; 2], "{:?}", ana.raw);
    assert_eq!(coloured(&bob), [true; 2], "{:?}", bob.raw);
}

#[test]
fn who_listens_gets_words_and_nothing_that_moves() {
    let group = Group::new();
    let mut command = group.command(1, &["--name", "ana", "--plain"]);
    command.env("NO_COLOR", "");
    let mut ana = Person::at_terminal(command);
    ana.sees("ana (1) in room geral");
    ana.sees("ring of 1: you (1)");
    let mut bob = group.start(2, &["--name", "bob"]);
    bob.wait_ring(&[1, 2]);
    ana.sees("joined: bob (2)");
    bob.say("oi ana");
    ana.sees("bob (2): oi ana (mentions you)");
    ana.types("olá");
    ana.sees("pending: olá");
    ana.sees("ana (1): olá (yours)");
    ana.sees("#2 held by all 2");
    ana.types("/ring");
    ana.sees("this node, ana (1): at 127.0.0.1:");
    ana.types("/quit");
    assert_eq!(ana.ends(), Some(0));
    assert!(!ana.raw.contains('\u{1b}'), "{:?}", ana.raw);
    let sign = ana.raw.find(['·', '✓', '—', '│']);
    assert_eq!(sign, None, "{}", ana.raw);
}

#[test]
fn the_terminal_speaks_the_users_language() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--name", "ana", "--lang", "pt"]);
    ana.sees("ana·1 na sala geral; /ajuda lista os comandos");
    ana.sees("não há chave");
    ana.sees("primeira vez aqui");
    ana.sees("anel de 1: você·1 (época ");
    ana.types("oi");
    ana.sees("pendente: oi");
    ana.sees("#1 com todos (1)");
    ana.types("/porque");
    ana.sees("nada: todas as suas linhas estão com todos");
    ana.types("/ajuda");
    ana.sees("/msg SALA TEXTO");
    ana.types("/sair");
    ana.sees("saiu; um checkpoint foi gravado");
    assert_eq!(ana.ends(), Some(0));
    let mut command = group.command(2, &[]);
    command.env("LANG", "es_AR.UTF-8");
    let mut eva = Person::at_terminal(command);
    eva.sees("en la sala geral; /ayuda lista los comandos");
    // What programs read is English in any language.
    let mut command = group.command(3, &["--json", "--lang", "pt"]);
    command.env("LANG", "es_AR.UTF-8");
    let told = support::run(command, b"oi\n");
    assert!(
        told.stdout.contains("\"reason\":\"this node starts\""),
        "{}",
        told.stdout
    );
}

#[test]
fn history_can_be_of_one_room() {
    let group = Group::new();
    let mut ana = person(&group, 1, &["--delay", "0"]);
    ana.sees("ring of 1");
    ana.types("in geral");
    ana.sees("#1 held by all");
    ana.types("/msg sala in sala");
    ana.sees("#2 held by all");
    ana.types("/history sala");
    ana.sees("[sala]");
    ana.types("/history 5 geral");
    ana.sees("#1 ");
    ana.types("/history x");
    ana.types("/rooms");
    ana.sees("rooms: geral, sala");
}
