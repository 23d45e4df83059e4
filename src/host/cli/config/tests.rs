//! Files of values, and what comes of them.

use super::super::{Invocation, NodeOptions, understand};
use super::*;
use clap::CommandFactory;

/// A folder with a `roda.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(text: &str) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        Folder(folder)
    }

    fn places(&self) -> Places {
        Places {
            here: self.0.path().to_path_buf(),
            config_home: None,
        }
    }

    fn read(&self, words: &str) -> Result<Invocation, clap::Error> {
        let words = std::iter::once("node").chain(words.split_whitespace());
        understand(words.map(OsString::from).collect(), Some(&self.places()))
    }

    fn node(&self, words: &str) -> NodeOptions {
        match self.read(words) {
            Ok(Invocation::Node(options)) => *options,
            other => panic!("{words}: {other:?}"),
        }
    }

    /// What is said of a wrong file, from its line on.
    fn refusal(&self, words: &str) -> String {
        let error = self.read(words).expect_err("must be refused");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        let (_, rest) = text.split_once("roda.toml:").unwrap_or_else(|| panic!("{text}"));
        rest.split("\n\nUsage").next().unwrap().trim().to_string()
    }

    fn shown(&self, words: &str) -> String {
        let Ok(Invocation::Print(text)) = self.read(words) else {
            panic!("{words} prints");
        };
        let path = format!("{}/", self.0.path().display());
        String::from_utf8(text).unwrap().replace(&path, "")
    }
}

/// The origin that is shown for a key.
fn origin_of<'a>(shown: &'a str, key: &str) -> &'a str {
    let line = shown
        .lines()
        .find(|line| line.trim_start_matches("# ").starts_with(key));
    let line = line.unwrap_or_else(|| panic!("{key} is not in:\n{shown}"));
    line.rsplit_once("  # ").unwrap().1
}

#[test]
fn a_file_says_what_flags_do_not() {
    let folder =
        Folder::new("id = 7\nroom = 'sala'\n# a remark\ndelay = \"0\"\nno-catch-up = true\njson = false\n");
    let options = folder.node("");
    assert_eq!((options.id.0, options.room.as_str()), (7, "sala"));
    assert_eq!(
        (options.delay_max_us, options.catch_up, options.json),
        (0, false, false)
    );
    let options = folder.node("--id 8 --delay 1s");
    assert_eq!((options.id.0, options.delay_max_us), (8, 1_000_000));
    assert!(
        folder.read("--config none").is_err(),
        "without the file there is no id"
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_one() {
    assert_eq!(
        Folder::new("id = 1\n\ntoken_timeout = \"1s\"\n").refusal(""),
        "3: token_timeout is no key; did you mean token-timeout?"
    );
    assert!(
        Folder::new("zzz = 1")
            .refusal("")
            .starts_with("1: zzz is no key; the keys are")
    );
    assert!(
        Folder::new("[node]\nid = 1")
            .refusal("")
            .starts_with("1: node is no key")
    );
    assert!(
        Folder::new("config = 'x'")
            .refusal("")
            .starts_with("1: config is no key")
    );
}

#[test]
fn a_wrong_value_is_refused_as_the_flag_refuses_it() {
    assert_eq!(
        Folder::new("id = 1\ndelay = 5").refusal(""),
        "2: invalid value '5' for '--delay <MIN..MAX>': \"5\" has no unit; write 5ms or 5s"
    );
    let choice = Folder::new("recover = 'al'").refusal("--id 1");
    assert!(
        choice.starts_with("1: invalid value 'al'") && choice.contains("own, peers"),
        "{choice}"
    );
    assert_eq!(
        Folder::new("json = 'yes'").refusal(""),
        "1: json is true or false, without quotes"
    );
    assert_eq!(
        Folder::new("id = [1, 2]").refusal(""),
        "1: id takes one value, not several"
    );
    assert!(Folder::new("id = 1\nroom = 'a").refusal("").starts_with("2: "));
    assert!(Folder::new("id = 1\nid = 2").refusal("").starts_with("2: "));
}

#[test]
fn what_rules_a_value_out_goes_before_the_file() {
    let both = Folder::new("id = 1\nverbose = true\nquiet = true\n");
    assert_eq!(both.refusal(""), "3: quiet cannot be used with verbose (line 2)");
    let loud = Folder::new("id = 1\nverbose = true\n");
    assert_eq!(loud.node("").level, crate::host::terminal::Level::Verbose);
    assert_eq!(loud.node("-q").level, crate::host::terminal::Level::Quiet);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = Folder::new("id = 1");
    let error = folder.read("--config nowhere.toml").unwrap_err().to_string();
    assert!(error.contains("cannot read nowhere.toml"), "{error}");
    let other = folder.0.path().join("other.toml");
    std::fs::write(&other, "id = 9").unwrap();
    assert_eq!(folder.node(&format!("--config {}", other.display())).id.0, 9);
}

#[test]
fn the_folder_goes_before_the_users_own() {
    let folder = Folder::new("");
    let home = folder.0.path().join("home");
    std::fs::create_dir_all(home.join("roda")).unwrap();
    std::fs::write(home.join("roda/roda.toml"), "id = 5").unwrap();
    let read = |here: &str| {
        let places = Places {
            here: folder.0.path().join(here),
            config_home: Some(home.clone()),
        };
        understand(vec!["node".into()], Some(&places))
    };
    assert!(read("").is_err(), "the empty file in this folder counts");
    assert!(matches!(read("elsewhere"), Ok(Invocation::Node(options)) if options.id.0 == 5));
}

#[test]
fn verbs_with_values_of_their_own_leave_the_file_alone() {
    let folder = Folder::new("nonsense = 1");
    assert!(matches!(folder.read("demo"), Ok(Invocation::Demo(_))));
    assert!(matches!(folder.read("bench --local 2"), Ok(Invocation::Bench(_))));
}

#[test]
fn the_doctor_looks_where_the_chat_would_be() {
    let folder = Folder::new("id = 3\nroom = 'sala'\ngroup = '239.1.2.3:4000'\n");
    let Ok(Invocation::Doctor(options)) = folder.read("doctor --id 4") else {
        panic!("the doctor is asked");
    };
    assert_eq!(options.id.map(|id| id.0), Some(4));
    assert_eq!(options.group.to_string(), "239.1.2.3:4000");
}

#[test]
fn a_flag_that_needs_no_value_is_switched_on_or_given_one() {
    let on = Folder::new("id = 3\nweb = true\n")
        .node("")
        .web
        .expect("it is on");
    assert!(on.address.is_loopback());
    assert!(Folder::new("id = 3\nweb = false\n").node("").web.is_none());
    let named = Folder::new("id = 3\nweb = '127.0.0.1:8090'\nopen = true\n").node("");
    assert_eq!(
        named.web.map(|web| (web.port, web.open)),
        Some((Some(8090), true))
    );
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let folder = Folder::new("id = 7\nroom = \"sala \\\"1\\\"\"\n");
    let shown = folder.shown("config --show --delay 0 -q");
    assert_eq!(origin_of(&shown, "id = 7"), "roda.toml:1");
    assert_eq!(origin_of(&shown, "room = \"sala \\\"1\\\"\""), "roda.toml:2");
    assert_eq!(origin_of(&shown, "delay = 0"), "flag --delay");
    assert_eq!(origin_of(&shown, "quiet = true"), "flag --quiet");
    assert_eq!(origin_of(&shown, "verbose = false"), "default");
    assert_eq!(origin_of(&shown, "token-timeout = \"200ms\""), "default");
    assert_eq!(
        origin_of(&shown, "name"),
        "default: the one used last, else your login"
    );
    let command = super::super::Args::command();
    for arg in command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(Arg::get_long)
    {
        let there = shown
            .lines()
            .any(|line| line.trim_start_matches("# ").starts_with(arg));
        assert_eq!(there, arg != "config", "{arg}");
    }
    assert_eq!(folder.shown("config"), "values are read from roda.toml\n");
    // What is shown can be used as a file.
    let again = Folder::new(&shown);
    assert_eq!(again.node(""), folder.node("--delay 0 -q"));
}
