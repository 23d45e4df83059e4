//! Golden lines for what happens.

use super::*;
use crate::host::terminal::samples::{self, content, id, member, position, ring};
use crate::node::face::Why;
use crate::replica::record::Record;

fn view(level: Level, for_people: bool) -> View {
    View::new(manner(level, for_people), NodeId(3), "geral").ready()
}

impl View {
    /// A view that has seen the day and knows bob.
    fn ready(mut self) -> View {
        self.day = Zone::utc()
            .moment("2026-11-21T00:00:00Z")
            .map(|moment| moment.day);
        self.people.learn(NodeId(1), "bob");
        self
    }
}

fn manner(level: Level, for_people: bool) -> Manner {
    Manner {
        style: Style::PLAIN,
        talk_style: Style::PLAIN,
        zone: Zone::utc(),
        level,
        for_people,
        voice: Voice::default(),
        bell: true,
        late_max: 2,
    }
}

fn show(view: &mut View, notices: &[Notice]) -> Vec<String> {
    for notice in notices {
        view.notice(notice);
    }
    let text = |shown| match shown {
        Shown::Data(text) => format!("out {text}"),
        Shown::Talk(text) => format!("err {text}"),
    };
    view.take().into_iter().map(text).collect()
}

fn said(from: u16, seq: u64, room: &str, text: &str) -> Notice {
    Notice::Message {
        record: Record {
            id: id(from, seq),
            position: position(4, seq),
            content: content(from, "ana", room, text),
        },
        late: false,
        own: from == 3,
    }
}

fn pending(counter: u64, text: &str) -> Notice {
    Notice::Pending {
        id: id(3, counter),
        tag: Some(counter),
        content: content(3, "ana", "geral", text),
    }
}

fn held(seq: u64, k: u16) -> Notice {
    Notice::Held {
        id: id(3, seq),
        position: position(4, seq),
        k,
        n: 3,
    }
}

#[test]
fn messages_have_number_time_name_and_text() {
    let mut view = view(Level::Normal, true);
    let notices = [
        said(2, 42, "geral", "oi"),
        said(2, 43, "sala", "olá"),
        said(2, 44, "geral", "/me acena"),
        said(2, 45, "geral", "um\n#46 14:03 bob·1 falso"),
    ];
    assert_eq!(
        show(&mut view, &notices),
        [
            "out #42 14:03 ana·2 oi",
            "out #43 14:03 [sala] ana·2 olá",
            "out #44 14:03 * ana·2 acena",
            "out #45 14:03 ana·2 um\n    │ #46 14:03 bob·1 falso",
        ]
    );
    view.go_to("sala");
    assert_eq!(
        show(&mut view, &[said(2, 47, "sala", "aqui")]),
        ["out #47 14:03 ana·2 aqui"]
    );
    assert_eq!(view.rooms(), ["geral", "sala"]);
    let prompt = view.prompt();
    assert_eq!(prompt.room, "sala");
    assert_eq!(prompt.words.people, ["bob", "ana"]);
}

#[test]
fn for_programs_a_message_is_one_line() {
    let mut view = view(Level::Normal, false);
    assert_eq!(
        show(&mut view, &[said(2, 42, "geral", "um\ndois")]),
        ["out #42 14:03 ana·2 um␊dois"]
    );
}

#[test]
fn an_own_line_goes_through_its_ticks() {
    let mut view = view(Level::Normal, true);
    assert_eq!(
        show(
            &mut view,
            &[samples::request(), pending(42, "oi"), samples::request()]
        ),
        ["err token: asked for", "err · pending: oi"]
    );
    let round = [samples::grant(8), said(3, 42, "geral", "oi"), samples::pass(9, 1)];
    assert_eq!(
        show(&mut view, &round),
        [
            "out #42 14:03 ana·3 oi",
            "err token: granted (hop 8), passed to bob·1 (hop 9)",
        ]
    );
    assert_eq!(show(&mut view, &[samples::request()]), ["err token: asked for"]);
    assert_eq!(show(&mut view, &[held(42, 2)]), [""; 0]);
    assert_eq!(
        show(&mut view, &[held(42, 3), held(43, 3)]),
        ["err ✓✓ #42–#43 held by all 3"]
    );
}

#[test]
fn the_idle_token_is_told_of_with_v_only() {
    let round = [samples::grant(8), samples::pass(9, 1)];
    assert_eq!(show(&mut view(Level::Normal, true), &round), [""; 0]);
    assert_eq!(show(&mut view(Level::Verbose, true), &round).len(), 1);
    let mut waiting = view(Level::Normal, true);
    show(&mut waiting, &[pending(1, "oi")]);
    assert_eq!(show(&mut waiting, &round[..1]), ["err token: granted (hop 8)"]);
    assert_eq!(
        show(&mut waiting, &round[1..]),
        ["err token: passed to bob·1 (hop 9)"]
    );
}

#[test]
fn a_token_that_is_asked_for_while_it_is_here_is_told_of() {
    let mut view = view(Level::Normal, true);
    view.expect_token();
    assert_eq!(show(&mut view, &[]), [""; 0], "it is elsewhere");
    assert_eq!(
        show(&mut view, &[samples::grant(8)]),
        ["err token: granted (hop 8)"]
    );
    view.expect_token();
    let pass = samples::pass(9, 1);
    assert_eq!(
        show(&mut view, &[pass]),
        [
            "err token: granted (hop 8), and still here",
            "err token: passed to bob·1 (hop 9)",
        ]
    );
    // It rests here after a line that was told, and is not told again when it goes for good.
    show(&mut view, &[samples::grant(12), samples::pass(13, 1)]);
    view.expect_token();
    assert_eq!(show(&mut view, &[]), [""; 0], "it has gone");
}

#[test]
fn a_ring_change_is_one_line() {
    let mut view = view(Level::Normal, true);
    assert_eq!(
        show(&mut view, &[ring(&[1, 3], &[1, 3], &[2])]),
        ["err — ring of 2: bob·1, you·3 (epoch 4); joined: bob·1; left: node 2"]
    );
}

#[test]
fn quiet_shows_messages_answers_and_alarms_only() {
    let mut quiet = view(Level::Quiet, true);
    let lines = show(&mut quiet, &samples::notices());
    assert_eq!(
        lines,
        [
            "err ! line 5 not said: too long",
            "out #42 14:03 ana·3 oi",
            "err ! #41 of ana·3 cannot be read: not a message content: does not begin with \"from\" on one line",
            "err ! conflict: two contents under id 3-1763680000000000-17 at #42; the one already held stays",
            "err reconciled: 42 messages in canonical order",
            "err ! the disk is full (No space left on device): nothing new is sent until there is room, \
             and nothing is lost",
            "err ! there is room on the disk again",
        ]
        .into_iter()
        .map(String::from)
        .chain(quiet_trace())
        .chain(["err the key is 0badc0de now; 12345678 accepted too".to_string()])
        .chain(["err ! 2 datagrams/s with another key from 127.0.0.1".to_string()])
        .chain(["err ! the clock went back".to_string()])
        .collect::<Vec<_>>()
    );
}

/// The answers to `/trace` among the samples.
fn quiet_trace() -> Vec<String> {
    let mut people = People::default();
    people.learn(NodeId(1), "bob");
    let mut lines = report::trace(Some("#42"), &samples::steps(), &people);
    lines.extend(report::trace(None, &[], &people));
    lines.into_iter().map(|line| format!("err {line}")).collect()
}

#[test]
fn verbose_tells_of_every_notice() {
    for notice in samples::notices() {
        let mut view = view(Level::Verbose, true);
        view.ask(Question::Why);
        let lines = show(&mut view, std::slice::from_ref(&notice));
        // Details are for the page and recordings.
        let silent = matches!(
            notice,
            Notice::Pass(..)
                | Notice::Detail(_)
                | Notice::Stamped { .. }
                | Notice::Written { .. }
                | Notice::Standing(_)
        );
        assert_eq!(lines.is_empty(), silent, "{notice:?}: {lines:?}");
    }
}

#[test]
fn a_new_day_and_a_late_message_are_marked() {
    let mut view = view(Level::Normal, true);
    view.day = None;
    let mut late = said(2, 41, "geral", "antes");
    if let Notice::Message { record, late, .. } = &mut late {
        *late = true;
        let content = String::from_utf8(record.content.to_vec()).unwrap();
        record.content = content.replace("2026-11-21", "2026-11-20").into();
    }
    assert_eq!(
        show(&mut view, &[said(2, 42, "geral", "oi"), late]),
        ["err — 2026-11-21 —", "out #42 14:03 ana·2 oi"]
    );
    assert!(view.has_late() && view.end_late_unless_catching_up());
    assert_eq!(
        show(&mut view, &[]),
        ["out #41 2026-11-20 14:03 ana·2 antes (came late)"]
    );
}

/// Messages of before that come from a peer, the last one first.
fn caught_up(count: u64) -> Vec<Notice> {
    let (peer, total) = (NodeId(1), count);
    let mut notices = Vec::new();
    for seq in (1..=count).rev() {
        let Notice::Message { record, own, .. } = said(2, seq, "geral", "antes") else {
            unreachable!("said() is a message");
        };
        let late = true;
        notices.push(Notice::Message { record, late, own });
        let done = count + 1 - seq;
        notices.push(Notice::CatchingUp { peer, done, total });
    }
    notices
}

#[test]
fn of_many_late_messages_the_last_ones_are_shown_in_order() {
    let mut view = view(Level::Normal, true);
    show(&mut view, &caught_up(4));
    assert!(!view.end_late_unless_catching_up(), "more are on their way");
    let (peer, received) = (NodeId(1), 4);
    assert_eq!(
        show(&mut view, &[Notice::CaughtUp { peer, received }]),
        [
            "err 2 earlier messages came late; /history shows them",
            "out #3 14:03 ana·2 antes (came late)",
            "out #4 14:03 ana·2 antes (came late)",
            "err caught up: 4 messages recovered from bob·1",
        ]
    );
    assert!(!view.has_late());
}

#[test]
fn a_program_misses_no_late_message() {
    let mut view = view(Level::Normal, false);
    let lines = show(&mut view, &caught_up(4));
    assert_eq!(lines.iter().filter(|line| line.starts_with("out ")).count(), 4);
}

#[test]
fn a_number_that_two_rings_gave_is_shown_with_its_ring() {
    let mut view = view(Level::Normal, true);
    show(&mut view, &[said(2, 42, "geral", "oi")]);
    let mut other = said(5, 42, "geral", "eu também");
    if let Notice::Message { record, .. } = &mut other {
        record.position = position(5, 42);
    }
    assert_eq!(show(&mut view, &[other]), ["out #42@5.1 14:03 ana·5 eu também"]);
}

#[test]
fn nothing_of_others_reaches_the_terminal_raw() {
    let nasty = "\u{1b}[2J\u{9b}31m\u{202e}\u{7}\0\r";
    let mut view = view(Level::Verbose, true);
    let mut message = said(2, 42, "geral", nasty);
    if let Notice::Message { record, .. } = &mut message {
        record.content = content(2, nasty, nasty, nasty);
    }
    let Notice::Status(mut status) = Notice::Status(Box::new(samples::status(Why::DiskFull(nasty.into()))))
    else {
        unreachable!("just built");
    };
    status.members[0].name = nasty.into();
    view.ask(Question::Ring { verbose: true });
    view.ask(Question::Why);
    let notices = [
        message,
        Notice::Gathering(nasty.into()),
        Notice::Warning(nasty.into()),
        Notice::DiskFull(nasty.into()),
        Notice::Refused {
            tag: 1,
            reason: nasty.into(),
        },
        Notice::Status(status.clone()),
        Notice::Status(status),
        Notice::Pending {
            id: id(3, 1),
            tag: None,
            content: content(3, nasty, nasty, nasty),
        },
    ];
    for line in show(&mut view, &notices) {
        let raw = line.chars().find(|char| char.is_control() || *char == '\u{202e}');
        assert_eq!(raw, None, "{line:?}");
    }
}

#[test]
fn catching_up_is_told_in_tenths() {
    let step = |done| Notice::CatchingUp {
        peer: NodeId(1),
        done,
        total: 1_000,
    };
    let mut view = view(Level::Normal, true);
    let steps: Vec<Notice> = (0..=1_000).step_by(10).map(step).collect();
    let lines = show(&mut view, &steps);
    assert_eq!(lines.len(), 11, "{lines:?}");
    assert_eq!(lines[1], "err catching up 100/1000 from bob·1");
}

#[test]
fn a_checkpoint_that_was_asked_for_is_told() {
    let mut view = view(Level::Normal, true);
    assert_eq!(show(&mut view, &[samples::checkpointed()]), [""; 0]);
    view.expect_checkpoint();
    let lines = show(&mut view, &[samples::checkpointed(), samples::checkpointed()]);
    assert_eq!(lines, ["err checkpoint written"]);
}

#[test]
fn the_speaker_is_who_the_id_says_whatever_the_content_says() {
    let forged = Notice::Message {
        record: Record {
            id: id(2, 1),
            position: position(4, 42),
            content: content(9, "bob", "geral", "oi"),
        },
        late: false,
        own: false,
    };
    assert_eq!(member(2).id, NodeId(2));
    assert_eq!(
        show(&mut view(Level::Normal, true), &[forged]),
        ["out #42 14:03 bob·2 oi"]
    );
}

#[test]
fn who_is_mentioned_hears_it_and_sees_it() {
    let mut view = view(Level::Normal, true);
    view.call("Ana");
    view.manner.style = Style::COLOURED;
    let lines = show(&mut view, &[said(2, 42, "geral", "oi ana, tudo bem?")]);
    assert!(
        lines[0].ends_with("\u{1b}[1;33moi ana, tudo bem?\u{1b}[0m\u{7}"),
        "{lines:?}"
    );
    for silent in [said(3, 43, "geral", "eu, ana"), said(2, 44, "geral", "banana")] {
        let lines = show(&mut view, &[silent]);
        assert!(
            !lines[0].contains('\u{7}') && !lines[0].contains("1;33"),
            "{lines:?}"
        );
    }
    let Notice::Message { record, .. } = said(2, 45, "geral", "oi ana") else {
        unreachable!("said() is a message");
    };
    view.earlier(&record, false);
    assert!(
        !show(&mut view, &[])[0].contains('\u{7}'),
        "what is over does not ring"
    );
    view.manner.bell = false;
    let lines = show(&mut view, &[said(2, 46, "geral", "oi ana")]);
    assert!(
        lines[0].contains("1;33") && !lines[0].contains('\u{7}'),
        "{lines:?}"
    );
    view.call("eva");
    assert!(!show(&mut view, &[said(2, 47, "geral", "oi ana")])[0].contains("1;33"));
}

#[test]
fn what_is_listened_to_is_words_one_line_each() {
    let voice = Voice {
        plain: true,
        ..Voice::default()
    };
    let manner = Manner {
        voice,
        ..manner(Level::Verbose, true)
    };
    let mut plain = View::new(manner.clone(), NodeId(3), "geral").ready();
    plain.call("ana");
    let notices = [
        said(2, 42, "geral", "oi\nana"),
        said(3, 43, "geral", "oi"),
        said(2, 44, "sala", "/me acena"),
        pending(1, "um"),
        held(42, 2),
        held(43, 3),
        ring(&[1, 3], &[1, 3], &[2]),
        Notice::Warning("the clock went back".into()),
    ];
    assert_eq!(
        show(&mut plain, &notices),
        [
            "out #42, 14:03, ana (2): oi / ana (mentions you)\u{7}",
            "out #43, 14:03, ana (3): oi (yours)",
            "out #44, 14:03, room sala, ana (2) does: acena",
            "err pending: um",
            "err #42 held by 2 of 3",
            "err ring of 2: bob (1), you (3) (epoch 4); joined: bob (1); left: ana (2)",
            "err warning: the clock went back",
            "err #43 held by all 3",
        ]
    );
    for notice in samples::notices() {
        let mut plain = View::new(manner.clone(), NodeId(3), "geral").ready();
        plain.ask(Question::Ring { verbose: true });
        for line in show(&mut plain, &[notice]) {
            let sign = line.find(['·', '✓', '—', '│', '\n', '\u{1b}']);
            assert_eq!(sign, None, "{line}");
        }
    }
}

#[test]
fn every_notice_is_told_in_every_language() {
    use crate::host::terminal::lang::Lang;
    let told = |lang| {
        let voice = Voice { lang, plain: false };
        let manner = Manner {
            voice,
            ..manner(Level::Verbose, true)
        };
        let mut view = View::new(manner, NodeId(3), "geral").ready();
        view.ask(Question::Why);
        show(&mut view, &samples::notices())
    };
    let english = told(Lang::En);
    for lang in [Lang::Pt, Lang::Es] {
        let lines = told(lang);
        assert_eq!(lines.len(), english.len());
        // Messages are the same; so is what only has names and numbers.
        let same = lines.iter().zip(&english).filter(|(one, other)| one == other);
        let same: Vec<&String> = same
            .map(|(line, _)| line)
            .filter(|line| line.starts_with("err "))
            .collect();
        assert!(same.len() <= 1, "{lang:?}: {same:?}");
    }
    assert!(told(Lang::Pt).iter().any(|line| line == "err ficha: pedida"));
}
