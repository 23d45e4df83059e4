//! The command line of `node`: what it accepts, and its translation into typed options.
//!
//! clap reads the words; [`parse`] checks what words alone cannot say (an id is needed, a group is a multicast
//! address) and answers with an [`Invocation`]. Every refusal names the value and what to write instead, and
//! ends with exit code 2.

mod args;
mod bench;
mod config;
mod doctor;
pub mod duration;
pub mod pages;
mod replay;

use std::ffi::OsString;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::host::bench::BenchOptions;
use crate::host::doctor::DoctorOptions;
use crate::host::exit;
use crate::host::replay::ReplayOptions;
use crate::host::terminal::Level;
use crate::host::terminal::lang::{Lang, Voice};
use crate::host::web::WebOptions;
use crate::node::face::RecoverLevel;
use crate::replica::content::NAME_BYTES_MAX;
use crate::words::NodeId;
use args::Args;
use config::{FromFile, Places};

pub use args::group;

/// What the user wants of `node`.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// Chat.
    Node(Box<NodeOptions>),
    /// Show the whole story with real processes on loopback.
    Demo(DemoOptions),
    /// Make a key file.
    Keygen(PathBuf),
    /// Load a ring and measure it.
    Bench(BenchOptions),
    /// Find out why nobody is visible.
    Doctor(DoctorOptions),
    /// Show what was recorded.
    Replay(ReplayOptions),
    /// Print this.
    Print(Vec<u8>),
    /// Write the manual pages into this folder.
    Manual(PathBuf),
}

/// How the demo is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemoOptions {
    /// Leave the ring running at the end and say how to join it.
    pub keep: bool,
    /// Without the pauses that let people read.
    pub fast: bool,
    /// Three nodes with pages for lessons, instead of the story.
    pub web: bool,
    /// Open the first page in the browser.
    pub open: bool,
}

/// When a program that is piped in is done with its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Each is safe in the synced outbox.
    None,
    /// Each has its number.
    Ordered,
    /// Each is held by all members of its ring.
    Held,
}

/// How a node is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// Its id.
    pub id: NodeId,
    /// The user's name, if given; see [`NodeOptions::name_or`].
    pub name: Option<String>,
    /// The room to begin in.
    pub room: String,
    /// Multicast address and port.
    pub group: SocketAddrV4,
    /// Name or address of the interface; `None` for that of the default route.
    pub interface: Option<String>,
    /// The file with the group key; without it everything is in the clear.
    pub key_file: Option<PathBuf>,
    /// Where `replicas/` and `checkpoints/` are.
    pub data_dir: PathBuf,
    /// The artificial delay between delivered and written: shortest.
    pub delay_min_us: u64,
    /// The artificial delay: longest.
    pub delay_max_us: u64,
    /// Time between checkpoints; 0 for only on leaving.
    pub checkpoint_every_us: u64,
    /// The checkpoint to roll back to on purpose.
    pub restore: Option<u64>,
    /// How far recovery goes.
    pub recover: RecoverLevel,
    /// Whether to get from peers what is missing here.
    pub catch_up: bool,
    /// The one knob of time.
    pub token_timeout_us: u64,
    /// How many members must hold a message before it is delivered; 0 for no quorum.
    pub quorum: u16,
    /// Whether datagrams may leave just after the token.
    pub accelerated: bool,
    /// Whether members may ask this node to do things to itself, for a lesson.
    pub lab: bool,
    /// Whether whoever started this process starts it again when it is killed.
    pub supervised: bool,
    /// How many earlier messages to show at the start; `None` for what suits people or programs.
    pub history: Option<usize>,
    /// Faults to inject into what is received, as written.
    pub chaos: Option<String>,
    /// The seed of delay and chaos; `None` for a fresh one.
    pub seed: Option<u64>,
    /// Whether stdout is events as JSON.
    pub json: bool,
    /// How the page is served, if it is.
    pub web: Option<WebOptions>,
    /// The file that events are recorded in.
    pub record: Option<PathBuf>,
    /// When a piped program is done.
    pub wait: Wait,
    /// How long to wait for that.
    pub wait_limit_us: u64,
    /// How much is told.
    pub level: Level,
    /// The language of the terminal.
    pub lang: Lang,
    /// Whether it speaks in words alone, for who listens.
    pub plain: bool,
    /// Whether the bell rings for who is mentioned.
    pub bell: bool,
}

impl NodeOptions {
    /// A node that is nobody's chat: without delay, told nothing, in this folder, and else as the command line has it.
    pub fn plain(id: NodeId, data_dir: &Path) -> NodeOptions {
        let id = id.to_string();
        let words = [
            "node",
            "--quiet",
            "--delay",
            "0",
            "--id",
            &id,
            "--name",
            &id,
            "--data-dir",
        ];
        let words = words.iter().map(OsString::from);
        match parse(words.chain([data_dir.into()])) {
            Ok(Invocation::Node(options)) => *options,
            other => unreachable!("these words are in order, and not {other:?}"),
        }
    }

    /// How the terminal speaks; beside events it is English, as they are.
    pub fn voice(&self) -> Voice {
        Voice {
            lang: if self.json { Lang::En } else { self.lang },
            plain: self.plain,
        }
    }

    /// The name to use: the one given, else the one used last, else the user's login, else `node<id>`.
    pub fn name_or(&self, last: Option<&str>, login: Option<&str>) -> String {
        let candidates = [self.name.as_deref(), last, login];
        let chosen = candidates.into_iter().flatten().find(|name| is_sane_name(name));
        chosen.map_or_else(|| format!("node{}", self.id), str::to_string)
    }
}

/// Reads the command line, the program's own name first, with what the environment and a `roda.toml` add to it. An
/// error prints itself, or the help that was asked for, with `exit()`.
pub fn read<I, T>(words: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString>,
{
    understand(
        words.into_iter().map(Into::into).collect(),
        Some(&Places::of_process()),
    )
}

/// The same from the words alone: no file is looked for, and of the environment only the key file counts.
pub fn parse<I, T>(words: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    understand(words.into_iter().map(Into::into).collect(), None)
}

/// Makes a command of `node` that takes nothing from the settings of whoever starts it: no variable, no `roda.toml`.
pub fn without_settings(command: &mut std::process::Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| config::is_setting(name)) {
        command.env_remove(name);
    }
    command.env("RODA_CONFIG", config::NO_FILE);
}

/// Reads words, and what stands in these places besides.
fn understand(mut words: Vec<OsString>, places: Option<&Places>) -> Result<Invocation, clap::Error> {
    let mut command = Args::command().after_long_help(after_help());
    let mut from_file = FromFile::default();
    if let Some(places) = places {
        command = config::with_environment(command);
        from_file = config::look(&command, &words, places)?;
        from_file.insert_into(&mut words);
    }
    let matches = command.try_get_matches_from_mut(words)?;
    if let Some(("config", asked)) = matches.subcommand() {
        let text = config::told(&command, asked, &from_file);
        return Ok(Invocation::Print(text.into_bytes()));
    }
    let args = Args::from_arg_matches(&matches)?;
    args.into_invocation()
        .map_err(|why| command.error(ErrorKind::ValueValidation, why))
}

/// The end of the long help: examples and exit codes.
fn after_help() -> String {
    format!("{}\n{}", args::EXAMPLES, exit::table())
}

/// Whether a name can be used without asking: not empty, not long, no control characters, no white space alone.
pub fn is_sane_name(name: &str) -> bool {
    let visible = !name.trim().is_empty() && !name.chars().any(char::is_control);
    visible && name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(words: &str) -> NodeOptions {
        let all = std::iter::once("node").chain(words.split_whitespace());
        match parse(all) {
            Ok(Invocation::Node(options)) => *options,
            other => panic!("{words}: {other:?}"),
        }
    }

    fn refusal(words: &str) -> String {
        let all = std::iter::once("node").chain(words.split_whitespace());
        let error = parse(all).expect_err("must be refused");
        assert_eq!(error.exit_code(), 2, "{words}");
        error.to_string()
    }

    #[test]
    fn an_id_is_enough() {
        let options = node("--id 3");
        assert_eq!(options.id, NodeId(3));
        assert_eq!(options.room, "geral");
        assert_eq!(options.group, "224.1.1.1:5007".parse().unwrap());
        assert_eq!(options.data_dir, PathBuf::from("."));
        assert_eq!((options.delay_min_us, options.delay_max_us), (0, 150_000));
        assert_eq!(options.checkpoint_every_us, 10_000_000);
        assert_eq!(options.token_timeout_us, 200_000);
        assert_eq!(options.recover, RecoverLevel::Peers);
        assert_eq!((options.quorum, options.history), (0, None));
        assert_eq!((options.wait, options.wait_limit_us), (Wait::Ordered, 30_000_000));
        assert_eq!(options.level, Level::Normal);
        assert!(options.catch_up && !options.json && !options.accelerated);
        assert_eq!(options.web, None);
    }

    #[test]
    fn every_option_reaches_its_field() {
        let options = node(
            "--id 9 --name ana --room sala --group 239.1.2.3:6000 --interface lo --data-dir /d \
             --delay 1s..2s --checkpoint-every 0 --restore 4 --recover own --no-catch-up --token-timeout 1s \
             --quorum 2 --accelerated --history 0 --chaos drop=5% --seed 7 --json --wait held --wait-limit 1m -v \
             --lang es --plain --no-bell",
        );
        assert_eq!(options.name.as_deref(), Some("ana"));
        assert_eq!(options.room, "sala");
        assert_eq!(options.group, "239.1.2.3:6000".parse().unwrap());
        assert_eq!(options.interface.as_deref(), Some("lo"));
        assert_eq!(options.data_dir, PathBuf::from("/d"));
        assert_eq!(
            (options.delay_min_us, options.delay_max_us),
            (1_000_000, 2_000_000)
        );
        assert_eq!((options.checkpoint_every_us, options.restore), (0, Some(4)));
        assert_eq!((options.recover, options.catch_up), (RecoverLevel::Own, false));
        assert_eq!((options.token_timeout_us, options.quorum), (1_000_000, 2));
        assert_eq!((options.history, options.seed), (Some(0), Some(7)));
        assert!(options.accelerated);
        assert_eq!(options.chaos.as_deref(), Some("drop=5%"));
        assert_eq!((options.wait, options.wait_limit_us), (Wait::Held, 60_000_000));
        assert_eq!((options.json, options.level), (true, Level::Verbose));
        assert_eq!(
            (options.lang, options.plain, options.bell),
            (Lang::Es, true, false)
        );
        assert_eq!(node("--id 1 -q").level, Level::Quiet);
    }

    #[test]
    fn the_page_is_served_at_an_address_and_a_port_or_at_the_usual_ones() {
        let web = |words: &str| node(&format!("--id 1 {words}")).web.unwrap();
        let at = |words: &str| (web(words).address.to_string(), web(words).port);
        assert_eq!(at("--web"), ("127.0.0.1".into(), None));
        assert_eq!(at("--web localhost:9000"), ("127.0.0.1".into(), Some(9000)));
        assert_eq!(at("--web 9000"), ("127.0.0.1".into(), Some(9000)));
        assert_eq!(at("--web 0.0.0.0"), ("0.0.0.0".into(), None));
        assert_eq!(at("--web [::1]:9000"), ("::1".into(), Some(9000)));
        assert_eq!(at("--web ::1"), ("::1".into(), None));
        assert!(!web("--web").open && web("--web --open").open);
        assert!(refusal("--id 1 --web example.org").contains("ADDRESS:PORT"));
        assert!(refusal("--id 1 --open").contains("--web"));
    }

    #[test]
    fn without_an_id_it_says_what_to_do() {
        let text = refusal("");
        assert!(
            text.contains("node --id 1") && text.contains("node demo"),
            "{text}"
        );
        assert!(refusal("--id 0").contains("1 to 65535"));
        assert!(refusal("--id 65536").contains("1 to 65535"));
        assert!(refusal("--id ana").contains("1 to 65535"));
    }

    #[test]
    fn bad_values_are_named_with_what_to_write_instead() {
        let text = refusal("--id 1 --group 10.0.0.1:5007");
        assert!(
            text.contains("10.0.0.1") && text.contains("224.0.0.0 to 239.255.255.255"),
            "{text}"
        );
        assert!(refusal("--id 1 --group 224.1.1.1").contains("A.B.C.D:PORT"));
        assert!(refusal("--id 1 --group 224.1.1.1:0").contains("port"));
        assert!(refusal("--id 1 --delay 5").contains("no unit"));
        assert!(refusal("--id 1 --token-timeout 1ms").contains("20ms to 60s"));
        assert!(refusal("--id 1 --quorum 0").contains("quorum"));
        assert!(refusal("--id 1 -v -q").contains("cannot be used with"));
        assert!(refusal("--id 1 --room a\u{7}b").contains("room"));
        let long = "x".repeat(65);
        assert!(refusal(&format!("--id 1 --name {long}")).contains("64 bytes"));
        assert!(refusal("--id 1 demo").contains("demo"));
        assert!(refusal("--id 1 --recover al").contains("own"));
    }

    #[test]
    fn the_demo_has_its_own_switches() {
        let demo = |words: &[&str]| parse(words).unwrap();
        let none = DemoOptions::default();
        assert_eq!(demo(&["node", "demo"]), Invocation::Demo(none));
        let both = DemoOptions {
            keep: true,
            fast: true,
            ..none
        };
        assert_eq!(
            demo(&["node", "demo", "--keep", "--fast"]),
            Invocation::Demo(both)
        );
    }

    #[test]
    fn the_name_falls_back_step_by_step() {
        let mut options = node("--id 7");
        assert_eq!(options.name_or(None, None), "node7");
        assert_eq!(options.name_or(None, Some("bob")), "bob");
        assert_eq!(options.name_or(None, Some("b\nb")), "node7");
        assert_eq!(options.name_or(Some("ana"), Some("bob")), "ana");
        options.name = Some("eva".into());
        assert_eq!(options.name_or(Some("ana"), Some("bob")), "eva");
    }

    #[test]
    fn the_help_has_examples_and_exit_codes() {
        let error = parse(["node", "--help"]).unwrap_err();
        assert_eq!(error.exit_code(), 0);
        let help = error.to_string();
        for part in ["Examples:", "Exit codes:", "130", "--token-timeout", "demo"] {
            assert!(help.contains(part), "{part} is missing:\n{help}");
        }
    }
}
