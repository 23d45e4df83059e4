//! Values from the environment and from files, completions and manual pages, of the real program.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read and write files, and end where they fail.

mod support;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `node` in a folder, with variables.
fn node(here: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = support::piped(Command::new(env!("CARGO_BIN_EXE_node")));
    command.args(words).current_dir(here);
    command
        .env_remove("RODA_CONFIG")
        .env("XDG_CONFIG_HOME", here.join("home"));
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_flag_goes_before_the_environment_that_before_the_file_and_that_before_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(
        here.join("roda.toml"),
        "id = 1\nroom = \"um\"\ndelay = \"1s\"\nquiet = true\n",
    )
    .unwrap();
    let variables = [
        ("RODA_ROOM", "dois"),
        ("RODA_DELAY", "2s"),
        ("RODA_JSON", "1"),
        ("RODA_QUIET", "no"),
    ];
    let shown = stdout(&node(here, &["config", "--show", "--delay", "3s"], &variables));
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("{key} is not in:\n{shown}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("id = "), "id = 1 # ./roda.toml:1");
    assert_eq!(line("room = "), "room = \"dois\" # environment RODA_ROOM");
    assert_eq!(line("delay = "), "delay = \"3s\" # flag --delay");
    assert_eq!(line("json = "), "json = true # environment RODA_JSON");
    assert_eq!(line("quiet = "), "quiet = false # environment RODA_QUIET");
    assert_eq!(line("wait = "), "wait = \"ordered\" # default");
    let wrong = node(here, &["config"], &[("RODA_DELAY", "5")]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said.contains("\"5\" has no unit"), "{said}");
    std::fs::write(here.join("roda.toml"), "id = 1\nroon = \"um\"\n").unwrap();
    let wrong = node(here, &[], &[]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        said.contains("./roda.toml:2: roon is no key; did you mean room?"),
        "{said}"
    );
    std::fs::remove_file(here.join("roda.toml")).unwrap();
    std::fs::create_dir_all(here.join("home/roda")).unwrap();
    std::fs::write(here.join("home/roda/roda.toml"), "id = 4\n").unwrap();
    assert!(stdout(&node(here, &["config"], &[])).contains("home/roda/roda.toml"));
}

#[test]
fn variables_of_a_chat_do_not_get_in_the_way_of_other_verbs() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("RODA_ID", "1"), ("RODA_INTERFACE", "lo")];
    let made = node(folder.path(), &["keygen", "ours.key"], &variables);
    assert!(made.status.success(), "{made:?}");
    let bench = node(
        folder.path(),
        &["bench", "--local", "2", "--secs", "x"],
        &variables,
    );
    assert!(
        String::from_utf8_lossy(&bench.stderr).contains("--secs"),
        "{bench:?}"
    );
}

#[test]
fn bash_loads_the_completion_and_asks_it_for_node() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("node.bash");
    std::fs::write(
        &script,
        stdout(&node(folder.path(), &["completions", "bash"], &[])),
    )
    .unwrap();
    let bash = |words: &[&str]| {
        let output = Command::new("bash").args(words).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    bash(&["-n", script.to_str().unwrap()]);
    // What the shell would offer behind `node --tok`.
    let ask = "source \"$0\"; complete -p node; COMP_WORDS=(node --tok); COMP_CWORD=1; _node node --tok node; \
               echo \"${COMPREPLY[@]}\"";
    let told = bash(&["--norc", "-c", ask, script.to_str().unwrap()]);
    assert!(told.contains("-F _node"), "{told}");
    assert!(told.contains("--token-timeout"), "{told}");
}

#[test]
fn the_manual_is_written_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let written = node(folder.path(), &["man", "man"], &[]);
    assert!(written.status.success(), "{written:?}");
    for page in ["node.1", "node-demo.1", "node-bench.1", "node-config.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH node"), "{page}: {text}");
    }
    assert!(stdout(&node(folder.path(), &["man"], &[])).contains(".SH OPTIONS"));
}
