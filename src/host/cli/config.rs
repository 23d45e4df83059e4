//! Values that are not on the command line: from the environment, or from a `roda.toml`.
//!
//! There is one list of options, clap's. The environment is clap's too: `--data-dir` is `RODA_DATA_DIR`. A file's
//! values become words of the command line, where no flag and no variable says otherwise; so all that a flag
//! accepts, refuses and rules out holds for them as well. Each is tried alone first, so that an error can name its
//! line. The order is: flag, environment, file, default.
#![allow(clippy::disallowed_methods)] // Reads the file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind as IoError;
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::de::{DeTable, DeValue};

use crate::host::terminal::visible;

/// How a file is called.
const FILE_NAME: &str = "roda.toml";
/// Verbs that take the values of the chat; all others have their own.
const VERBS: [&str; 2] = ["config", "doctor"];
/// What `--config` says if no file is to be read.
pub(super) const NO_FILE: &str = "none";
/// How the names of all variables begin.
const VARIABLE: &str = "RODA_";
/// Flags that make no sense in a file, or in the environment.
const NOT_IN_FILES: [&str; 3] = ["config", "help", "version"];
/// How alike an unknown key and a known one must be for a suggestion, from 0 to 1.
const ALIKE_ENOUGH: f64 = 0.6;

/// Where a file is looked for.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// First here.
    pub here: PathBuf,
    /// Then in `roda/` here, if there is such a place.
    pub config_home: Option<PathBuf>,
}

/// What a file says, as far as nothing else says it.
#[derive(Clone, Debug, Default)]
pub(super) struct FromFile {
    /// The file that was read.
    file: Option<PathBuf>,
    /// The words that stand for it.
    words: Vec<OsString>,
    /// The line of each value that is used, by clap's id of the flag.
    lines: BTreeMap<String, usize>,
    /// The verb behind which the words go.
    verb: Option<&'static str>,
}

/// One value of a file.
struct Entry<'a> {
    arg: &'a Arg,
    line: usize,
    /// The word for it; none for a switch that is off.
    word: Option<OsString>,
}

impl Places {
    /// This process's own.
    pub fn of_process() -> Places {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        Places {
            here: PathBuf::from("."),
            config_home: home,
        }
    }

    /// The files, the first one that is there counts.
    fn files(&self) -> Vec<PathBuf> {
        let home = self.config_home.as_ref();
        let home = home.map(|home| home.join("roda").join(FILE_NAME));
        std::iter::once(self.here.join(FILE_NAME)).chain(home).collect()
    }
}

/// Lets every flag of the chat be given by the environment.
pub(super) fn with_environment(command: Command) -> Command {
    let mut command = command.mut_args(from_environment);
    for verb in VERBS {
        command = command.mut_subcommand(verb, |verb| verb.mut_args(from_environment));
    }
    // Who set a language reads recordings in it, too.
    command.mut_subcommand("replay", |verb| verb.mut_arg("lang", from_environment))
}

fn from_environment(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().filter(|_| arg.get_env().is_none()) else {
        return arg;
    };
    // `--show` is a question, not a value.
    if ["help", "version", "show"].contains(&long) {
        return arg;
    }
    let name = format!("{VARIABLE}{}", long.to_uppercase().replace('-', "_"));
    let arg = arg.env(name).hide_env(true);
    if is_switch(&arg) {
        arg.value_parser(BoolishValueParser::new())
    } else {
        arg
    }
}

/// Whether a variable sets a flag.
pub(super) fn is_setting(variable: &OsStr) -> bool {
    variable.to_string_lossy().starts_with(VARIABLE)
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// Whether a flag that takes a value does without it.
fn takes_none(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|values| values.min_values() == 0)
}

/// Whether a flag is one that people set.
fn is_told(arg: &Arg) -> bool {
    !arg.is_hide_set() && arg.get_long().is_some_and(|long| !NOT_IN_FILES.contains(&long))
}

/// Reads the file that counts for these words.
pub(super) fn look(command: &Command, words: &[OsString], places: &Places) -> Result<FromFile, clap::Error> {
    let mut command = command.clone();
    // What is wrong with the words is told when they are read for good.
    let tolerant = command.clone().ignore_errors(true);
    let Ok(matches) = tolerant.try_get_matches_from(words) else {
        return Ok(FromFile::default());
    };
    let (verb, said) = match matches.subcommand() {
        None => (None, &matches),
        Some((name, said)) => match VERBS.iter().find(|verb| **verb == name) {
            Some(verb) => (Some(*verb), said),
            None => return Ok(FromFile::default()),
        },
    };
    let named = said.try_get_one::<PathBuf>("config").ok().flatten();
    command.build();
    let read = find(named.map(PathBuf::as_path), places).and_then(|found| match found {
        None => Ok(FromFile::default()),
        Some((file, text)) => taken(&command, said, file, &text),
    });
    let read = read.map_err(|why| command.error(ErrorKind::ValueValidation, why))?;
    Ok(FromFile { verb, ..read })
}

/// The file to read, and its text.
fn find(named: Option<&Path>, places: &Places) -> Result<Option<(PathBuf, String)>, String> {
    if named.is_some_and(|named| named == Path::new(NO_FILE)) {
        return Ok(None);
    }
    let files = named.map_or_else(|| places.files(), |named| vec![named.to_path_buf()]);
    for file in files {
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(Some((file, text))),
            Err(error) if named.is_none() && error.kind() == IoError::NotFound => {}
            Err(error) => {
                return Err(format!(
                    "cannot read {}: {error}; --config {NO_FILE} does without",
                    shown(&file)
                ));
            }
        }
    }
    Ok(None)
}

/// What a file says where these words do not.
fn taken(command: &Command, said: &ArgMatches, file: PathBuf, text: &str) -> Result<FromFile, String> {
    let entries = entries(command, &file, text)?;
    rule_out(command, &file, &entries)?;
    let explicit = |arg: &Arg| {
        let source = said.try_contains_id(arg.get_id().as_str()).ok();
        let source = source.and_then(|_| said.value_source(arg.get_id().as_str()));
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let mut read = FromFile {
        file: Some(file),
        ..FromFile::default()
    };
    for entry in entries {
        let known_here = said.try_contains_id(entry.arg.get_id().as_str()).is_ok();
        let overruled = explicit(entry.arg) || rivals(command, entry.arg).into_iter().any(explicit);
        if known_here && !overruled {
            read.lines.insert(entry.arg.get_id().to_string(), entry.line);
            read.words.extend(entry.word);
        }
    }
    Ok(read)
}

/// The values of a file, each good by itself.
fn entries<'a>(command: &'a Command, file: &Path, text: &str) -> Result<Vec<Entry<'a>>, String> {
    let line_of = |at: usize| 1 + text[..at].matches('\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start.min(text.len())));
        format!("{}:{line}: {}", shown(file), error.message())
    })?;
    let mut entries = Vec::new();
    // As they stand, so that the first error told is the first one there.
    let mut pairs: Vec<_> = table.get_ref().iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in pairs {
        let line = line_of(key.span().start);
        let place = |why: String| format!("{}:{line}: {why}", shown(file));
        let arg = flag(command, key.get_ref()).map_err(place)?;
        let word = word(arg, value.get_ref()).map_err(place)?;
        if let Some(word) = &word {
            try_alone(command, word).map_err(place)?;
        }
        entries.push(Entry { arg, line, word });
    }
    Ok(entries)
}

/// The flag of a key.
fn flag<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, String> {
    let known = command.get_arguments().filter(|arg| is_told(arg));
    let known: Vec<(&str, &Arg)> = known.filter_map(|arg| Some((arg.get_long()?, arg))).collect();
    if let Some((_, arg)) = known.iter().find(|(long, _)| *long == key) {
        return Ok(arg);
    }
    let rated = known
        .iter()
        .map(|(long, _)| (strsim::jaro_winkler(key, long), *long));
    let nearest = rated.max_by(|one, other| one.0.total_cmp(&other.0));
    let hint = match nearest {
        Some((alike, long)) if alike >= ALIKE_ENOUGH => format!("did you mean {long}?"),
        _ => "the keys are the long flags of `node --help`, without --".to_string(),
    };
    Err(format!("{} is no key; {hint}", visible::line(key)))
}

/// A value as a word of the command line.
fn word(arg: &Arg, value: &DeValue<'_>) -> Result<Option<OsString>, String> {
    let long = arg.get_long().unwrap_or_default();
    let text = match value {
        // A flag whose value may be left out can be switched on as well.
        DeValue::Boolean(on) if is_switch(arg) || takes_none(arg) => {
            return Ok(on.then(|| format!("--{long}").into()));
        }
        _ if is_switch(arg) => return Err(format!("{long} is true or false, without quotes")),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_string(),
        DeValue::Datetime(_) => return Err(format!("{long} takes one value; put this one in quotes")),
        DeValue::Array(_) | DeValue::Table(_) => return Err(format!("{long} takes one value, not several")),
    };
    Ok(Some(format!("--{long}={text}").into()))
}

/// Refuses what the flag itself refuses, in its words.
fn try_alone(command: &Command, word: &OsString) -> Result<(), String> {
    let words = [OsString::from("node"), word.clone()];
    let Err(error) = command.clone().try_get_matches_from(words) else {
        return Ok(());
    };
    // Alone it may lack another flag; whether that is there is seen when all are together.
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Ok(());
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage", "\n\nFor more"]
        .iter()
        .filter_map(|end| text.find(end))
        .min();
    Err(text[..end.unwrap_or(text.len())].trim_end().to_string())
}

/// Refuses two values that rule each other out.
fn rule_out(command: &Command, file: &Path, entries: &[Entry<'_>]) -> Result<(), String> {
    for (index, entry) in entries.iter().enumerate() {
        let rivals = rivals(command, entry.arg);
        let both = |other: &&Entry<'_>| {
            let on = other.word.is_some() && entry.word.is_some();
            on && rivals.iter().any(|rival| rival.get_id() == other.arg.get_id())
        };
        if let Some(other) = entries[..index].iter().find(both) {
            let name = |entry: &Entry<'_>| entry.arg.get_long().unwrap_or_default().to_string();
            return Err(format!(
                "{}:{}: {} cannot be used with {} (line {})",
                shown(file),
                entry.line,
                name(entry),
                name(other),
                other.line
            ));
        }
    }
    Ok(())
}

/// The flags that cannot be used with this one.
fn rivals<'a>(command: &'a Command, arg: &Arg) -> Vec<&'a Arg> {
    let names = |other: &&Arg| {
        let conflicts = command.get_arg_conflicts_with(other);
        conflicts.iter().any(|rival| rival.get_id() == arg.get_id())
    };
    let mut rivals = command.get_arg_conflicts_with(arg);
    rivals.extend(command.get_arguments().filter(names));
    rivals
}

impl FromFile {
    /// Puts the words where flags stand: behind the program's name, or the verb.
    pub fn insert_into(&self, words: &mut Vec<OsString>) {
        let verb = self
            .verb
            .and_then(|verb| words.iter().position(|word| word == verb));
        let at = verb.map_or(1, |verb| verb + 1).min(words.len());
        words.splice(at..at, self.words.iter().cloned());
    }
}

/// The answer of `node config`.
pub(super) fn told(command: &Command, asked: &ArgMatches, from_file: &FromFile) -> String {
    if !asked.get_flag("show") {
        return match &from_file.file {
            Some(file) => format!("values are read from {}\n", shown(file)),
            None => format!(
                "no {FILE_NAME} is read: there is none in this folder, and none in roda/ in $XDG_CONFIG_HOME\n"
            ),
        };
    }
    let args = command.get_arguments().filter(|arg| is_told(arg));
    let rows: Vec<(String, String)> = args
        .map(|arg| (value(arg, asked), origin(arg, asked, from_file)))
        .collect();
    let widest = rows
        .iter()
        .map(|(value, _)| visible::width(value))
        .max()
        .unwrap_or(0);
    let mut text =
        String::from("# What a node started here and now would use, and where each value comes from.\n");
    for (value, origin) in rows {
        let gap = " ".repeat(widest - visible::width(&value));
        text.push_str(&format!("{value}{gap}  # {origin}\n"));
    }
    text
}

/// A value as a line of a file; a comment if there is none.
fn value(arg: &Arg, asked: &ArgMatches) -> String {
    let (id, long) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
    if is_switch(arg) {
        return format!("{long} = {}", asked.get_flag(id));
    }
    let Some(raw) = asked.get_raw(id).and_then(|mut raw| raw.next()) else {
        return format!("# {long}");
    };
    let text = raw.to_string_lossy();
    if text.parse::<u32>().is_ok_and(|number| number.to_string() == text) {
        return format!("{long} = {text}");
    }
    // JSON's strings are TOML's, too.
    format!(
        "{long} = {}",
        visible::escape_json(&serde_json::Value::from(text).to_string())
    )
}

/// Where a value comes from.
fn origin(arg: &Arg, asked: &ArgMatches, from_file: &FromFile) -> String {
    let id = arg.get_id().as_str();
    if let (Some(line), Some(file)) = (from_file.lines.get(id), &from_file.file) {
        return format!("{}:{line}", shown(file));
    }
    match asked.value_source(id) {
        Some(ValueSource::CommandLine) => format!("flag --{}", arg.get_long().unwrap_or_default()),
        Some(ValueSource::EnvVariable) => {
            let name = arg.get_env().map(|name| name.to_string_lossy());
            format!("environment {}", name.unwrap_or_default())
        }
        _default_or_none => match default_in_words(arg) {
            Some(words) if asked.value_source(id).is_none() => format!("default: {words}"),
            _ => "default".to_string(),
        },
    }
}

/// What the help says of a default that is not the same everywhere.
fn default_in_words(arg: &Arg) -> Option<String> {
    let help = arg.get_help()?.to_string();
    let (_, rest) = help.split_once("[default: ")?;
    Some(rest.split(']').next()?.to_string())
}

fn shown(file: &Path) -> String {
    visible::line(&file.to_string_lossy())
}

#[cfg(test)]
mod tests;
