//! Lines as people type them, and what they mean.

use super::*;

fn slash(line: &str) -> Slash {
    let read = read(line);
    let Typed::Slash(slash) = read else {
        panic!("{line}: {read:?}");
    };
    slash
}

fn wrong(line: &str) -> String {
    let read = read(line);
    let Typed::Wrong(wrong) = read else {
        panic!("{line}: {read:?}");
    };
    wrong.text(Voice::default())
}

#[test]
fn text_is_said_and_two_slashes_say_one() {
    assert_eq!(read("oi /help"), Typed::Say("oi /help".into()));
    assert_eq!(read("//help me"), Typed::Say("/help me".into()));
    assert_eq!(read("  "), Typed::Nothing);
    assert_eq!(read("a\n/quit"), Typed::Say("a\n/quit".into()));
}

#[test]
fn commands_take_their_arguments() {
    let msg = Slash::Msg {
        room: "sala".into(),
        text: "oi  tudo\nbem".into(),
    };
    assert_eq!(slash("/msg #sala  oi  tudo\nbem"), msg);
    assert_eq!(slash("/join sala"), Slash::Join("sala".into()));
    assert_eq!(slash("/part"), Slash::Part(None));
    assert_eq!(slash("/part sala"), Slash::Part(Some("sala".into())));
    assert_eq!(slash("/nick ana maria"), Slash::Nick("ana maria".into()));
    assert_eq!(slash("/me acena"), Slash::Me("acena".into()));
    assert_eq!(slash("/topic"), Slash::Topic(None));
    assert_eq!(slash("/tema café às 4"), Slash::Topic(Some("café às 4".into())));
    assert_eq!(slash("/away lunch"), Slash::Away(Some("lunch".into())));
    assert_eq!(slash("/ausente"), Slash::Away(None));
    assert_eq!(slash("/buscar two words"), Slash::Search("two words".into()));
    assert!(wrong("/search").starts_with("use: /search WORDS"));
    let history = |count, room: Option<&str>| Slash::History {
        count,
        room: room.map(str::to_string),
    };
    assert_eq!(slash("/history"), history(None, None));
    assert_eq!(slash("/history 5"), history(Some(5), None));
    assert_eq!(slash("/history sala"), history(None, Some("sala")));
    assert_eq!(slash("/history 5 #42"), history(Some(5), Some("42")));
    assert_eq!(slash("/ring"), Slash::Ring { verbose: false });
    assert_eq!(slash("/ring -v"), Slash::Ring { verbose: true });
    assert_eq!(slash("/token"), Slash::Token { hold_us: None });
    let hold_us = Some(50_000);
    assert_eq!(slash("/token 50ms"), Slash::Token { hold_us });
    assert_eq!(slash("/rollback"), Slash::Rollback(None));
    assert_eq!(slash("/rollback 4"), Slash::Rollback(Some(4)));
    assert_eq!(slash("/help why"), Slash::Help(find("why")));
}

#[test]
fn a_message_is_named_by_its_number_or_by_its_position() {
    let plain = Slash::Trace {
        seq: Seq(42),
        ring: None,
    };
    assert_eq!(slash("/trace 42"), plain);
    assert_eq!(slash("/trace #42"), plain);
    let full = Slash::Trace {
        seq: Seq(42),
        ring: Some((Epoch(5), NodeId(1))),
    };
    assert_eq!(slash("/trace #42@5.1"), full);
    for line in ["/trace", "/trace x", "/trace 42@", "/trace 42@5", "/trace 42@5.0"] {
        assert!(wrong(line).starts_with("use: /trace NUMBER"), "{line}");
    }
}

#[test]
fn portuguese_and_spanish_mean_the_same() {
    for line in ["/quit", "/sair", "/salir", "/QUIT", "/q"] {
        assert_eq!(slash(line), Slash::Quit, "{line}");
    }
    for line in ["/help", "/ajuda", "/ayuda", "/?"] {
        assert_eq!(slash(line), Slash::Help(None), "{line}");
    }
    assert_eq!(slash("/porquê"), Slash::Why);
    assert_eq!(slash("/entrar sala"), Slash::Join("sala".into()));
}

#[test]
fn every_name_means_one_command() {
    let mut names: Vec<_> = COMMANDS.iter().flat_map(Entry::names).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(names.iter().all(|name| find(name).is_some()));
}

#[test]
fn an_unknown_command_names_the_nearest() {
    assert_eq!(
        wrong("/hlep"),
        "/hlep is no command; did you mean /help? (//hlep says it)"
    );
    assert!(wrong("/hl").contains("/help?"), "{}", wrong("/hl"));
    assert!(wrong("/histori").contains("/histor"));
    assert!(wrong("/0000").contains("; /help lists them"));
    assert!(!wrong("/he\u{1b}[2Jlp").contains('\u{1b}'));
}

#[test]
fn wrong_arguments_say_how_it_is_used() {
    assert_eq!(wrong("/join"), "use: /join ROOM - go to a room");
    for line in [
        "/join a b",
        "/msg",
        "/msg sala",
        "/msg sala  ",
        "/nick",
        "/me",
        "/quit now",
    ] {
        assert!(wrong(line).starts_with("use: /"), "{line}");
    }
    assert!(wrong("/history 5 x y").starts_with("use: /history [N] [ROOM]"));
    assert!(wrong("/ring -x").starts_with("use: /ring [-v]"));
    assert!(wrong("/token 5").starts_with("use: /token [TIME]"));
    assert!(wrong("/help nothing").starts_with("use: /help"));
}

#[test]
fn help_lists_all_or_explains_one() {
    let all = help_lines(None, Voice::default());
    assert_eq!(all.len(), COMMANDS.len() + 1);
    assert_eq!(all[0], "/help [COMMAND]      list the commands");
    assert_eq!(
        help_lines(find("sair"), Voice::default()),
        ["use: /quit - leave; also /exit /q /sair /salir"]
    );
}

#[test]
fn what_is_told_of_commands_is_in_the_users_language() {
    let voice = Voice {
        lang: crate::host::terminal::lang::Lang::Pt,
        plain: true,
    };
    let all = help_lines(None, voice);
    assert_eq!(all[1], "/msg SALA TEXTO: dizer TEXTO em outra sala");
    assert_eq!(
        Wrong::Unknown("sairr".into()).text(voice),
        "/sairr não é um comando; seria /sair? (//sairr diz isso)"
    );
}
