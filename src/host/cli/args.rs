//! The words of the command line, as clap reads them, and their help.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::duration::{self, DurationUs, RangeUs};
use super::{DemoOptions, Invocation, NodeOptions, Wait, is_sane_name, pages};
use crate::host::terminal::Level;
use crate::host::terminal::lang::Lang;
use crate::host::web::WebOptions;
use crate::node::face::RecoverLevel;
use crate::replica::content::{DEFAULT_ROOM, NAME_BYTES_MAX};
use crate::words::NodeId;

/// Examples for the long help.
pub const EXAMPLES: &str = "\
Examples:
  node demo                              see the whole story, on this machine alone
  node --id 1                            chat; start others with --id 2, --id 3 ...
  node --id 2 --interface 127.0.0.1      a ring that does not leave this machine
  node --id 3 --delay 0                  write at once, without the artificial delay
  printf 'a\\nb\\n' | node --id 9 --json   say two lines, print events, end when both have a number
  node keygen ours.key                   make a group key; all members use --key-file ours.key
  node --id 1 --restore 4 --recover none look at the state of checkpoint 4
  node bench --local 3                   how fast three members on this machine are
  node doctor --id 1                     nobody there? what is wrong, and what to do
  node replay a.jsonl --svg a.svg        what was recorded, as a picture

Each flag of the chat can also be given by the environment (--data-dir as RODA_DATA_DIR) or by a roda.toml
(data-dir = \"...\"); a flag goes before the environment, that before the file. `node config --show` tells.
";

/// The shortest token timeout: below it, scheduling alone looks like a dead node.
const TOKEN_TIMEOUT_MIN_US: u64 = 20_000;
/// The longest token timeout: above it, nobody waits for the ring to heal.
const TOKEN_TIMEOUT_MAX_US: u64 = 60_000_000;

const WHO: &str = "Who and where";
const FILES: &str = "Files";
const RING: &str = "Ring";
const OUTPUT: &str = "Input and output";

/// A group chat for a LAN without a server.
///
/// Nodes form a ring; a token goes round; who holds it gives the next messages their numbers, which are the
/// same for everybody. Every node keeps all messages in its own file.
#[derive(Debug, Parser)]
#[command(
    name = "node",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    chat: Chat,
}

/// What a node that chats can be told: by flags, by the environment, or in a `roda.toml` (see [`super::config`]).
#[derive(Debug, clap::Args)]
pub struct Chat {
    /// This node's number, 1 to 65535, different from all others in the group
    #[arg(long, value_name = "N", value_parser = id, help_heading = WHO)]
    id: Option<NodeId>,
    /// Your name [default: the one used last, else your login]
    #[arg(long, value_parser = name, help_heading = WHO)]
    name: Option<String>,
    /// The room to begin in
    #[arg(long, value_parser = name, default_value = DEFAULT_ROOM, help_heading = WHO)]
    room: String,
    /// Multicast address and port of the group
    #[arg(long, value_name = "A.B.C.D:PORT", value_parser = group, default_value = "224.1.1.1:5007",
          help_heading = WHO)]
    group: SocketAddrV4,
    /// Network interface, by name or address [default: that of the default route, else loopback]
    #[arg(long, value_name = "NAME|ADDRESS", help_heading = WHO)]
    interface: Option<String>,
    /// File with the group key, made by `node keygen`; without it anyone on this network can read and write
    #[arg(long, value_name = "FILE", env = "RODA_KEY_FILE", help_heading = WHO)]
    key_file: Option<PathBuf>,

    /// The folder with replicas/ and checkpoints/
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = FILES)]
    data_dir: PathBuf,
    /// Artificial delay before a message is written, random for each, so that replicas differ for a while;
    /// 0 for none
    #[arg(long, value_name = "MIN..MAX", value_parser = duration::parse_range, default_value = "0..150ms",
          help_heading = FILES)]
    delay: RangeUs,
    /// Time between checkpoints; 0 for only on leaving
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s",
          help_heading = FILES)]
    checkpoint_every: DurationUs,
    /// Roll back to checkpoint N on purpose; says first what that discards
    #[arg(long, value_name = "N", help_heading = FILES)]
    restore: Option<u64>,
    /// How far recovery goes after a rollback
    #[arg(long, value_name = "HOW FAR", value_enum, default_value = "peers", help_heading = FILES)]
    recover: Recover,
    /// Do not get from others what is missing here
    #[arg(long, help_heading = FILES)]
    no_catch_up: bool,

    /// How long without progress until the token is lost, 20ms to 60s; all other times follow from it
    #[arg(long, value_name = "TIME", value_parser = token_timeout, default_value = "200ms",
          help_heading = RING)]
    token_timeout: DurationUs,
    /// Deliver a message only when K members hold it on disk; a smaller ring is silent
    #[arg(long, value_name = "K", value_parser = quorum, help_heading = RING)]
    quorum: Option<u16>,
    /// Send the last data of a visit after the token; for all members or none
    #[arg(long, help_heading = RING)]
    accelerated: bool,
    /// Take part in lessons: members started so may make each other pause, lose the token, crash
    #[arg(long, help_heading = RING)]
    lab: bool,
    /// Whoever started this process starts it again when it is killed
    #[arg(long, hide = true, requires = "lab")]
    supervised: bool,
    /// Spoil what is received, to see what happens: drop=5%,dup=1%,delay=0..20ms
    #[arg(long, value_name = "SPEC", help_heading = RING)]
    chaos: Option<String>,
    /// Seed of the delay and of --chaos, to repeat a run [default: a fresh one]
    #[arg(long, value_name = "N", help_heading = RING)]
    seed: Option<u64>,

    /// Show this many earlier messages at the start [default: 10 at a terminal, else 0]
    #[arg(long, value_name = "N", help_heading = OUTPUT)]
    history: Option<usize>,
    /// Print events, one JSON object a line, instead of messages
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Serve the page to this machine's browsers [default: 127.0.0.1, the first free port from 8080 + N on]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = web, num_args = 0..=1, default_missing_value = "127.0.0.1",
          help_heading = OUTPUT)]
    web: Option<(IpAddr, Option<u16>)>,
    /// Open the page in a browser
    #[arg(long, requires = "web", help_heading = OUTPUT)]
    open: bool,
    /// Write all events to a new file as well, in detail: JSON Lines, for `node replay`
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    record: Option<PathBuf>,
    /// When input that is piped in has been dealt with
    #[arg(long, value_name = "FOR", value_enum, default_value = "ordered", help_heading = OUTPUT)]
    wait: WaitFor,
    /// How long to wait for that after the last progress
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "30s",
          help_heading = OUTPUT)]
    wait_limit: DurationUs,
    /// Tell all that the protocol does
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT, action = ArgAction::SetTrue)]
    verbose: bool,
    /// Tell nothing of the protocol
    #[arg(short, long, help_heading = OUTPUT)]
    quiet: bool,
    /// The language of the terminal [default: that of LC_ALL, LC_MESSAGES or LANG, else English]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    lang: Option<Lang>,
    /// For screen readers: words instead of signs, no colours, no line that is redrawn
    #[arg(long, help_heading = OUTPUT)]
    plain: bool,
    /// Do not ring the bell when somebody says your name
    #[arg(long, help_heading = OUTPUT)]
    no_bell: bool,
    /// File with values for these flags [default: ./roda.toml, else roda/roda.toml in $XDG_CONFIG_HOME]; none for none
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    config: Option<PathBuf>,
}

/// What else `node` can do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the whole story with real processes on this machine, in about half a minute
    Demo {
        /// Leave the ring running at the end and say how to join it
        #[arg(long)]
        keep: bool,
        /// Without the pauses that let people read
        #[arg(long)]
        fast: bool,
        /// Three nodes with pages for lessons, until Ctrl-C, instead of the story
        #[arg(long, conflicts_with_all = ["keep", "fast"])]
        web: bool,
        /// Open the first page in the browser
        #[arg(long, requires = "web")]
        open: bool,
    },
    /// Make a group key and write it to a new file, for --key-file of all members
    Keygen {
        /// The file; it must not be there yet
        file: PathBuf,
    },
    /// Load a ring and measure it: throughput, latency, cost, and whether all saw the same order
    Bench(super::bench::BenchArgs),
    /// Find out why others are not visible, and say what to do; takes up to five seconds and changes nothing
    Doctor(super::doctor::DoctorArgs),
    /// Replay recordings: in words, on a page, as a space-time diagram, or as a log for ShiViz
    Replay(super::replay::ReplayArgs),
    /// Say which roda.toml is read; with --show every value, and where it comes from
    Config {
        /// Print each value with its origin: flag, environment, file and line, or default
        #[arg(long)]
        show: bool,
        #[command(flatten)]
        chat: Box<Chat>,
    },
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    Man {
        /// The folder
        dir: Option<PathBuf>,
    },
}

/// `--recover` as written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Recover {
    /// Not at all: the state stays at the checkpoint
    None,
    /// From the own replica
    Own,
    /// From the own replica, then from peers
    Peers,
}

/// `--wait` as written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WaitFor {
    /// Each line is safe in the outbox
    None,
    /// Each line has its number
    Ordered,
    /// Each line is held by all members of its ring
    Held,
}

impl Args {
    /// The typed options; the error says what is missing.
    pub fn into_invocation(self) -> Result<Invocation, String> {
        match self.verb {
            Some(Verb::Demo {
                keep,
                fast,
                web,
                open,
            }) => {
                return Ok(Invocation::Demo(DemoOptions {
                    keep,
                    fast,
                    web,
                    open,
                }));
            }
            Some(Verb::Keygen { file }) => return Ok(Invocation::Keygen(file)),
            Some(Verb::Bench(args)) => return args.into_options().map(Invocation::Bench),
            Some(Verb::Doctor(args)) => return Ok(Invocation::Doctor(args.into_options())),
            Some(Verb::Replay(args)) => return args.into_options().map(Invocation::Replay),
            Some(Verb::Config { show, chat }) => {
                unreachable!("answered from what clap matched: --show {show}, {chat:?}")
            }
            Some(Verb::Completions { shell }) => return Ok(Invocation::Print(pages::completions(shell))),
            Some(Verb::Man { dir: None }) => return Ok(Invocation::Print(pages::manual())),
            Some(Verb::Man { dir: Some(dir) }) => return Ok(Invocation::Manual(dir)),
            None => {}
        }
        let id = self.chat.id.ok_or(
            "which node is this? Say `node --id 1` to chat (others take --id 2, --id 3 ...), \
             or `node demo` to see the whole story",
        )?;
        Ok(Invocation::Node(Box::new(self.chat.into_options(id))))
    }
}

impl Chat {
    fn into_options(self, id: NodeId) -> NodeOptions {
        let level = self.level();
        NodeOptions {
            id,
            name: self.name,
            room: self.room,
            group: self.group,
            interface: self.interface,
            key_file: self.key_file,
            data_dir: self.data_dir,
            delay_min_us: self.delay.min_us,
            delay_max_us: self.delay.max_us,
            checkpoint_every_us: self.checkpoint_every.0,
            restore: self.restore,
            recover: self.recover.into(),
            catch_up: !self.no_catch_up,
            token_timeout_us: self.token_timeout.0,
            quorum: self.quorum.unwrap_or(0),
            accelerated: self.accelerated,
            lab: self.lab,
            supervised: self.supervised,
            history: self.history,
            chaos: self.chaos,
            seed: self.seed,
            json: self.json,
            web: self.web.map(|at| page_at(at, self.open)),
            record: self.record,
            wait: self.wait.into(),
            wait_limit_us: self.wait_limit.0,
            level,
            lang: Lang::choose(self.lang, |name| std::env::var(name).ok()),
            plain: self.plain,
            bell: !self.no_bell,
        }
    }

    fn level(&self) -> Level {
        match (self.verbose, self.quiet) {
            (true, _) => Level::Verbose,
            (_, true) => Level::Quiet,
            (false, false) => Level::Normal,
        }
    }
}

impl From<Recover> for RecoverLevel {
    fn from(recover: Recover) -> Self {
        match recover {
            Recover::None => RecoverLevel::None,
            Recover::Own => RecoverLevel::Own,
            Recover::Peers => RecoverLevel::Peers,
        }
    }
}

impl From<WaitFor> for Wait {
    fn from(wait: WaitFor) -> Self {
        match wait {
            WaitFor::None => Wait::None,
            WaitFor::Ordered => Wait::Ordered,
            WaitFor::Held => Wait::Held,
        }
    }
}

pub(super) fn id(text: &str) -> Result<NodeId, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(NodeId(number)),
        _ => Err("an id is a whole number, 1 to 65535, that no other node of the group has".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    if is_sane_name(text) {
        return Ok(text.to_string());
    }
    Err(format!(
        "a name or room has 1 to {NAME_BYTES_MAX} bytes and no control characters; this has {}",
        text.len()
    ))
}

/// Reads a multicast group as `A.B.C.D:PORT`.
pub fn group(text: &str) -> Result<SocketAddrV4, String> {
    let address: SocketAddrV4 = text
        .parse()
        .map_err(|_| "write it as A.B.C.D:PORT, like 224.1.1.1:5007".to_string())?;
    if !address.ip().is_multicast() {
        return Err(format!(
            "{} is not a multicast address; those are 224.0.0.0 to 239.255.255.255",
            address.ip()
        ));
    }
    if address.port() == 0 {
        return Err("the port must not be 0, or members would not find each other".into());
    }
    Ok(address)
}

/// Reads where the page is to be served: an address, a port, or both.
pub(super) fn web(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let named = text.replacen("localhost", "127.0.0.1", 1);
    if let Ok(both) = named.parse::<SocketAddr>() {
        return Ok((both.ip(), Some(both.port())));
    }
    if let Ok(address) = named.trim_matches(['[', ']']).parse() {
        return Ok((address, None));
    }
    match named.parse() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST.into(), Some(port))),
        Err(_) => Err("write ADDRESS:PORT, like 127.0.0.1:8081, or one of the two".into()),
    }
}

/// How a page is to be served.
pub(super) fn page_at((address, port): (IpAddr, Option<u16>), open: bool) -> WebOptions {
    WebOptions { address, port, open }
}

pub(super) fn token_timeout(text: &str) -> Result<DurationUs, String> {
    let timeout = duration::parse(text)?;
    if (TOKEN_TIMEOUT_MIN_US..=TOKEN_TIMEOUT_MAX_US).contains(&timeout.0) {
        return Ok(timeout);
    }
    Err(format!("{text} is out of range; 20ms to 60s make sense"))
}

fn quorum(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(members @ 1..) => Ok(members),
        _ => Err("a quorum is a number of members, 1 or more; leave --quorum out for none".into()),
    }
}
