//! What a line typed at a terminal means: something to say, or a slash command.
//!
//! `//text` says "/text". IRC names come first, Portuguese and Spanish ones mean the same. A name that is not
//! known is answered with the nearest one, wrong arguments with how the command is used.

use super::lang::{Voice, say};
use super::visible;
use crate::host::cli::{duration, is_sane_name};
use crate::words::{Epoch, NodeId, Seq};

/// A line as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// An empty line.
    Nothing,
    /// Say this in the current room.
    Say(String),
    /// A command.
    Slash(Slash),
    /// No command, or not used as it is.
    Wrong(Wrong),
}

/// What is wrong with a line that begins with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such command.
    Unknown(String),
    /// It is used in another way.
    Usage(&'static Entry),
}

/// A slash command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slash {
    /// List the commands, or explain one.
    Help(Option<&'static Entry>),
    /// Say something in another room.
    Msg {
        /// The room.
        room: String,
        /// The text.
        text: String,
    },
    /// Go to a room.
    Join(String),
    /// Leave a room (the current one) for the default room.
    Part(Option<String>),
    /// List the rooms.
    Rooms,
    /// Use another name.
    Nick(String),
    /// List who is in the ring.
    Who,
    /// All that is known of one member, by name or id.
    Whois(String),
    /// Say what one does.
    Me(String),
    /// Give the room a topic, or show the one it has.
    Topic(Option<String>),
    /// Say why one is away, or that one is back.
    Away(Option<String>),
    /// Show the last messages with these words.
    Search(String),
    /// Show the last messages.
    History {
        /// How many; `None` for a screen.
        count: Option<usize>,
        /// Of which room; `None` for all.
        room: Option<String>,
    },
    /// Leave.
    Quit,
    /// Show the ring.
    Ring {
        /// With counters.
        verbose: bool,
    },
    /// Ask for the token and keep it a moment.
    Token {
        /// For how long; `None` for as long as is usual.
        hold_us: Option<u64>,
    },
    /// What is waited for.
    Why,
    /// The life of a message.
    Trace {
        /// Its number.
        seq: Seq,
        /// Its ring's epoch and leader, where the number alone is not clear.
        ring: Option<(Epoch, NodeId)>,
    },
    /// Write a checkpoint.
    Checkpoint,
    /// Go back to a checkpoint, the newest if none is named.
    Rollback(Option<u64>),
    /// Make all replicas equal.
    Reconcile,
    /// Read the key file again.
    Rekey,
}

/// A command as listed: its names. Its arguments and what it does are in the catalogs, as `command-NAME`.
#[derive(Debug)]
pub struct Entry {
    /// The name shown first.
    pub name: &'static str,
    /// Other names, Portuguese and Spanish among them.
    pub aliases: &'static [&'static str],
    read: fn(&str) -> Option<Slash>,
}

/// All commands, in the order of `/help`.
pub const COMMANDS: [Entry; 22] = [
    entry("help", &["ajuda", "ayuda", "h", "?"], help),
    entry("msg", &["m", "dizer", "decir"], msg),
    entry("join", &["j", "entrar", "unirse"], |rest| {
        word(rest).map(Slash::Join)
    }),
    entry("part", &["leave", "deixar", "dejar"], |rest| {
        maybe(rest, word).map(Slash::Part)
    }),
    entry("rooms", &["list", "salas"], |rest| alone(rest, Slash::Rooms)),
    entry("nick", &["name", "nome", "apelido", "nombre", "apodo"], nick),
    entry("who", &["names", "quem", "quien", "quién"], |rest| {
        alone(rest, Slash::Who)
    }),
    entry("whois", &["quemé", "quiénes"], |rest| {
        some(rest).map(Slash::Whois)
    }),
    entry("me", &["eu", "yo"], |rest| some(rest).map(Slash::Me)),
    entry("topic", &["tema", "assunto", "tópico"], |rest| {
        maybe(rest, some).map(Slash::Topic)
    }),
    entry("away", &["ausente", "fora"], |rest| {
        maybe(rest, some).map(Slash::Away)
    }),
    entry("search", &["find", "busca", "buscar", "procurar"], |rest| {
        some(rest).map(Slash::Search)
    }),
    entry(
        "history",
        &["hist", "historico", "histórico", "historial"],
        history,
    ),
    entry("ring", &["roda", "anel", "anillo"], ring),
    entry("token", &["ficha", "testigo"], token),
    entry("why", &["porque", "porquê", "porqué"], |rest| {
        alone(rest, Slash::Why)
    }),
    entry("trace", &["rastro", "traza"], trace),
    entry("checkpoint", &["salvar", "guardar"], |rest| {
        alone(rest, Slash::Checkpoint)
    }),
    entry("rollback", &["voltar", "volver"], |rest| {
        maybe(rest, number).map(Slash::Rollback)
    }),
    entry("reconcile", &["reconciliar"], |rest| {
        alone(rest, Slash::Reconcile)
    }),
    entry("rekey", &["chave", "clave"], |rest| alone(rest, Slash::Rekey)),
    entry("quit", &["exit", "q", "sair", "salir"], |rest| {
        alone(rest, Slash::Quit)
    }),
];

/// How alike an unknown name and a known one must be for a suggestion, from 0 to 1.
const ALIKE_ENOUGH: f64 = 0.6;

/// The shortest name that is suggested: one or two letters are alike to everything.
const SUGGESTED_LENGTH_MIN: usize = 3;

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    read: fn(&str) -> Option<Slash>,
) -> Entry {
    Entry { name, aliases, read }
}

/// Reads a line. Only its first line can make it a command.
pub fn read(line: &str) -> Typed {
    if line.trim().is_empty() {
        return Typed::Nothing;
    }
    let Some(rest) = line.strip_prefix('/') else {
        return Typed::Say(line.to_string());
    };
    if rest.starts_with('/') {
        return Typed::Say(rest.to_string());
    }
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let Some(entry) = find(name) else {
        return Typed::Wrong(Wrong::Unknown(name.to_string()));
    };
    match (entry.read)(arguments.trim()) {
        Some(slash) => Typed::Slash(slash),
        None => Typed::Wrong(Wrong::Usage(entry)),
    }
}

/// The command of this name or alias, in any case.
pub fn find(name: &str) -> Option<&'static Entry> {
    let name = name.to_lowercase();
    COMMANDS
        .iter()
        .find(|entry| entry.names().any(|known| known == name))
}

/// The list of all commands, or one of them explained.
pub fn help_lines(which: Option<&Entry>, voice: Voice) -> Vec<String> {
    if let Some(entry) = which {
        let names = entry.aliases.iter().map(|name| format!("/{name}"));
        let names = names.collect::<Vec<_>>().join(" ");
        return vec![say!(voice, "command-also", use = entry.usage(voice), names = names)];
    }
    let line = |head: &str, what: &str| match voice.plain {
        true => format!("{head}: {what}"),
        false => format!("{head:<20} {what}"),
    };
    let entries = COMMANDS
        .iter()
        .map(|entry| line(&entry.head(voice), &entry.what(voice)));
    entries
        .chain([line("//text", &say!(voice, "command-text"))])
        .collect()
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.name == other.name
    }
}

impl Eq for Entry {}

impl Entry {
    /// All names, the first one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// What it does.
    fn what(&self, voice: Voice) -> String {
        voice.say(&format!("command-{}", self.name), &[])
    }

    /// Name and arguments; those in brackets may be left out.
    fn head(&self, voice: Voice) -> String {
        match voice.beside(&format!("command-{}", self.name), "arguments") {
            Some(arguments) => format!("/{} {arguments}", self.name),
            None => format!("/{}", self.name),
        }
    }

    /// How it is used, in one line.
    fn usage(&self, voice: Voice) -> String {
        say!(
            voice,
            "command-use",
            head = self.head(voice),
            what = self.what(voice)
        )
    }
}

impl Wrong {
    /// What to tell the user.
    pub fn text(&self, voice: Voice) -> String {
        match self {
            Wrong::Unknown(name) => unknown(name, voice),
            Wrong::Usage(entry) => entry.usage(voice),
        }
    }
}

/// What to say about a name that is no command.
fn unknown(name: &str, voice: Voice) -> String {
    let shown = visible::name(name);
    let names = COMMANDS
        .iter()
        .flat_map(Entry::names)
        .filter(|known| known.chars().count() >= SUGGESTED_LENGTH_MIN);
    let rated = names.map(|known| (strsim::jaro_winkler(&name.to_lowercase(), known), known));
    let nearest = rated.max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((alike, known)) if alike >= ALIKE_ENOUGH => {
            say!(voice, "command-unknown-near", name = shown, near = known)
        }
        _ => say!(voice, "command-unknown", name = shown),
    }
}

/// Arguments that must be there, as they are.
fn some(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| rest.to_string())
}

/// One word that can be a room: sane, without white space, `#` in front forgiven.
fn word(rest: &str) -> Option<String> {
    let word = rest.strip_prefix('#').unwrap_or(rest);
    let one = is_sane_name(word) && !word.contains(char::is_whitespace);
    one.then(|| word.to_string())
}

fn number(rest: &str) -> Option<u64> {
    rest.strip_prefix('#').unwrap_or(rest).parse().ok()
}

/// An argument that may be left out, but must be right if it is there.
fn maybe<T>(rest: &str, read: fn(&str) -> Option<T>) -> Option<Option<T>> {
    match rest {
        "" => Some(None),
        _ => read(rest).map(Some),
    }
}

/// A command that takes no arguments.
fn alone(rest: &str, slash: Slash) -> Option<Slash> {
    rest.is_empty().then_some(slash)
}

fn help(rest: &str) -> Option<Slash> {
    maybe(rest, |name| find(name.trim_start_matches('/'))).map(Slash::Help)
}

fn msg(rest: &str) -> Option<Slash> {
    let (room, text) = rest.split_once(char::is_whitespace)?;
    Some(Slash::Msg {
        room: word(room)?,
        text: some(text.trim_start())?,
    })
}

/// A number, a room, or both in this order. A room whose name is a number is written `#42`.
fn history(rest: &str) -> Option<Slash> {
    let mut words = rest.split_whitespace().peekable();
    let count = words.next_if(|first| first.parse::<usize>().is_ok());
    let room = words.next().map(word).map_or(Some(None), |room| room.map(Some))?;
    if words.next().is_some() {
        return None;
    }
    Some(Slash::History {
        count: count.and_then(|count| count.parse().ok()),
        room,
    })
}

fn nick(rest: &str) -> Option<Slash> {
    is_sane_name(rest).then(|| Slash::Nick(rest.to_string()))
}

fn ring(rest: &str) -> Option<Slash> {
    let verbose = match rest {
        "" => false,
        "-v" | "--verbose" => true,
        _ => return None,
    };
    Some(Slash::Ring { verbose })
}

fn token(rest: &str) -> Option<Slash> {
    let hold = maybe(rest, |text| duration::parse(text).ok())?;
    Some(Slash::Token {
        hold_us: hold.map(|hold| hold.0),
    })
}

/// Reads `42`, `#42`, `42@5.1` and `#42@5.1`.
fn trace(rest: &str) -> Option<Slash> {
    let (seq, ring) = match rest.split_once('@') {
        None => (rest, None),
        Some((seq, ring)) => {
            let (epoch, leader) = ring.split_once('.')?;
            let leader: u16 = leader.parse().ok().filter(|leader| *leader > 0)?;
            (seq, Some((Epoch(epoch.parse().ok()?), NodeId(leader))))
        }
    };
    Some(Slash::Trace {
        seq: Seq(number(seq)?),
        ring,
    })
}

#[cfg(test)]
mod tests;
