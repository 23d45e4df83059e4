//! The commands of a script, and how they are read.

use crate::sim::tell::KINDS;
use crate::sim::world::{Mischief, Moment, Order};
use crate::wire::Deed;
use crate::words::NodeId;

/// Added to an id to get the key of the second process that claims it.
pub(super) const TWIN: u16 = 100;
/// The bound of `until` where none is given, µs.
const UNTIL_US: u64 = 60_000_000;

/// A command of a script.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Seed(u64),
    /// Keys and values; read on the stage, where the configuration is.
    Config(Vec<(String, String)>),
    Weather(Vec<(String, String)>),
    Start(Vec<NodeId>),
    Restart(Vec<NodeId>),
    Wipe(Vec<NodeId>),
    Leave(Vec<NodeId>),
    Crash(Vec<NodeId>, Stop),
    Sleep(Vec<NodeId>, Stop),
    Wake(Vec<NodeId>),
    ClockBehind(NodeId, u64),
    Say(NodeId, String),
    Run(u64),
    Until(Condition, u64),
    Partition(Vec<NodeId>, Vec<NodeId>),
    CutOneWay(Vec<NodeId>, Vec<NodeId>),
    CutMulticast(Vec<NodeId>),
    /// Somebody forges a report to the second that the port of the first is closed.
    ForgeClosed(NodeId, NodeId),
    Heal,
    Mischief(Order),
    Garbage(u32, NodeId),
    Replay(NodeId),
    Rekey(Vec<NodeId>, String),
    /// The first node asks the second to do something to itself.
    Deed(NodeId, NodeId, Deed),
    Tell(Vec<String>, bool),
    Count,
    Show(Show),
    Expect(Expectation),
}

/// When a node is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Now,
    /// Now, but what is under way to its disk is kept.
    KeepingDisk,
    /// Now, and its host with it.
    WithHost,
    At(Moment),
}

/// What `until` waits for.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Settled,
    Converged,
    Operational,
    Told(Vec<NodeId>, String),
}

/// What `show` shows.
#[derive(Clone, Debug)]
pub(super) enum Show {
    Ring,
    Log(NodeId),
    Replicas,
    Outbox(NodeId),
    Refused(NodeId),
    Why(NodeId),
    Datagrams,
}

/// What `expect` expects.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    Converged,
    Equal(Vec<NodeId>),
    Once(String),
    Nowhere(String),
    DatagramsAtMost(u64),
    Gone(Vec<NodeId>),
    Alive(Vec<NodeId>),
}

type Parsed<T> = Result<T, String>;

impl Command {
    /// Reads a command, without its `> `.
    pub(super) fn parse(line: &str) -> Parsed<Command> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        Ok(match verb {
            "seed" => Command::Seed(number(rest)?),
            "config" => Command::Config(settings(rest)?),
            "weather" => Command::Weather(settings(rest)?),
            "start" => Command::Start(nodes(rest)?),
            "restart" => Command::Restart(nodes(rest)?),
            "wipe" => Command::Wipe(nodes(rest)?),
            "leave" => Command::Leave(nodes(rest)?),
            "crash" => stop(rest).map(|(nodes, stop)| Command::Crash(nodes, stop))?,
            "sleep" => stop(rest).map(|(nodes, stop)| Command::Sleep(nodes, stop))?,
            "wake" => Command::Wake(nodes(rest)?),
            "clock" => match rest.split_once(" behind ") {
                Some((id, by)) => Command::ClockBehind(node(id)?, duration(by)?),
                None => return Err(format!("{line:?}: write clock 3 behind 1h")),
            },
            "say" => say(rest)?,
            "run" => Command::Run(duration(rest)?),
            "until" => until(rest)?,
            "cut" => cut(rest)?,
            "forge" => match rest
                .strip_prefix("closed ")
                .and_then(|rest| rest.split_once(" to "))
            {
                Some((of, to)) => Command::ForgeClosed(node(of)?, node(to)?),
                None => return Err(format!("{line:?}: write forge closed 2 to 1")),
            },
            "heal" => Command::Heal,
            "lose" => mischief(Mischief::Lose, rest)?,
            "double" => mischief(Mischief::Double, rest)?,
            "delay" => match rest.rsplit_once(' ') {
                Some((which, by)) => mischief(Mischief::Delay(duration(by)?), which)?,
                None => return Err(format!("{line:?}: write delay token 300ms")),
            },
            "garbage" => match rest.split_once(" to ") {
                Some((count, to)) => Command::Garbage(number(count)? as u32, node(to)?),
                None => return Err(format!("{line:?}: write garbage 1000 to 1")),
            },
            "replay" => Command::Replay(node(rest.trim_start_matches("to "))?),
            "tell" => Command::Tell(words(rest), true),
            "hush" => Command::Tell(words(rest), false),
            "rekey" => match rest.split_once(" to ") {
                Some((ids, keys)) => Command::Rekey(nodes(ids)?, keys.to_string()),
                None => return Err(format!("{line:?}: write rekey 1 2 to 8+7")),
            },
            "lab" => lab(rest)?,
            "count" => Command::Count,
            "show" => show(rest)?,
            "expect" => expect(rest)?,
            _ => return Err(format!("{verb:?} is no command of a script")),
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

fn number(text: &str) -> Parsed<u64> {
    text.trim().parse().map_err(|_| format!("{text:?} is no number"))
}

/// A node by its id, or the second process that claims an id: `3`, `3b`.
pub(super) fn node(text: &str) -> Parsed<NodeId> {
    let text = text.trim();
    let (id, twin) = text.strip_suffix('b').map_or((text, 0), |id| (id, TWIN));
    match id.parse() {
        Ok(id @ 1..TWIN) => Ok(NodeId(id + twin)),
        Ok(_) | Err(_) => Err(format!("{text:?} is no node; they are 1 to {}", TWIN - 1)),
    }
}

/// Nodes, with commas or spaces between them.
fn nodes(text: &str) -> Parsed<Vec<NodeId>> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    let nodes: Vec<NodeId> = parts.map(node).collect::<Parsed<_>>()?;
    if nodes.is_empty() {
        return Err("which node?".to_string());
    }
    Ok(nodes)
}

/// A duration in µs: `200us`, `300ms`, `2s`, `1h`.
pub(super) fn duration(text: &str) -> Parsed<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit = match &text[digits..] {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "h" => 3_600_000_000,
        _ => return Err(format!("{text:?} is no duration; write 300ms or 2s")),
    };
    Ok(number(&text[..digits])? * unit)
}

/// `key=value` pairs.
fn settings(text: &str) -> Parsed<Vec<(String, String)>> {
    let pair = |part: &str| {
        let pair = part.split_once('=');
        pair.map(|(key, value)| (key.to_string(), value.to_string()))
            .ok_or_else(|| format!("{part:?}: write key=value"))
    };
    text.split_whitespace().map(pair).collect()
}

/// Nodes, and when they are stopped.
fn stop(text: &str) -> Parsed<(Vec<NodeId>, Stop)> {
    let is_word = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    let begins = text.split_whitespace().position(is_word);
    let parts: Vec<&str> = text.split_whitespace().collect();
    let (who, when) = parts.split_at(begins.unwrap_or(parts.len()));
    let stop = match when {
        [] => Stop::Now,
        ["keeping", "disk"] => Stop::KeepingDisk,
        ["with", "its", "host"] => Stop::WithHost,
        ["when", "it", "holds", "the", "token"] => Stop::At(Moment::Holding),
        ["once", "it", "stored", what] => Stop::At(Moment::Stored(stored(what)?)),
        ["before", kind_name] => Stop::At(Moment::Before(kind(kind_name)?, 1)),
        ["before", kind_name, count] => Stop::At(Moment::Before(kind(kind_name)?, number(count)? as u32)),
        ["after", kind_name] => Stop::At(Moment::After(kind(kind_name)?, 1)),
        ["after", kind_name, count] => Stop::At(Moment::After(kind(kind_name)?, number(count)? as u32)),
        _ => return Err(format!("{:?} is no moment", when.join(" "))),
    };
    Ok((nodes(&who.join(" "))?, stop))
}

fn kind(name: &str) -> Parsed<&'static str> {
    let kind = KINDS.into_iter().find(|kind| *kind == name);
    kind.ok_or_else(|| format!("{name:?} is no kind of datagram; there are {}", KINDS.join(", ")))
}

fn stored(name: &str) -> Parsed<&'static str> {
    let known = ["epoch", "outbox", "append", "forget", "checkpoint"];
    let what = known.into_iter().find(|known| *known == name);
    what.ok_or_else(|| {
        format!(
            "{name:?} is nothing that is stored; there are {}",
            known.join(", ")
        )
    })
}

/// `1 TEXT` or `1 3000 bytes of TEXT`.
fn say(text: &str) -> Parsed<Command> {
    let (id, text) = text.split_once(' ').ok_or("say what?")?;
    let long = text.split_once(" bytes of ");
    let text = match long.and_then(|(count, text)| Some((count.parse::<usize>().ok()?, text))) {
        Some((count, text)) => format!("{text} ").repeat(count.div_ceil(text.len() + 1))[..count].to_string(),
        None => text.to_string(),
    };
    Ok(Command::Say(node(id)?, text))
}

fn until(text: &str) -> Parsed<Command> {
    let (condition, bound) = match text.rsplit_once(" within ") {
        Some((condition, bound)) => (condition, duration(bound)?),
        None => (text, UNTIL_US),
    };
    let condition = match condition {
        "settled" => Condition::Settled,
        "converged" => Condition::Converged,
        "operational" => Condition::Operational,
        _ => match condition.split_once(": ") {
            Some((who, words)) => Condition::Told(nodes(who)?, words.to_string()),
            None => return Err(format!("{condition:?}: write until settled, or until 2: grant")),
        },
    };
    Ok(Command::Until(condition, bound))
}

fn cut(text: &str) -> Parsed<Command> {
    if let Some(who) = text.strip_prefix("multicast ") {
        return Ok(Command::CutMulticast(nodes(who)?));
    }
    if let Some((from, to)) = text.split_once("->") {
        return Ok(Command::CutOneWay(nodes(from)?, nodes(to)?));
    }
    match text.split_once('|') {
        Some((left, right)) => Ok(Command::Partition(nodes(left)?, nodes(right)?)),
        None => Err(format!("{text:?}: write cut 1,2 | 3, or cut 1 -> 2")),
    }
}

/// `A asks B to DEED`.
fn lab(text: &str) -> Parsed<Command> {
    let help = || format!("{text:?}: write lab 1 asks 2 to cut 1 for 5s");
    let (by, rest) = text.split_once(" asks ").ok_or_else(help)?;
    let (on, deed) = rest.split_once(" to ").ok_or_else(help)?;
    let (what, how) = deed.split_once(' ').unwrap_or((deed, ""));
    let deed = match what {
        "cut" => {
            let (from, for_) = how.split_once(" for ").ok_or_else(help)?;
            Deed::Cut {
                from: nodes(from)?,
                for_ms: (duration(for_)? / 1_000) as u32,
            }
        }
        "heal" => Deed::Heal,
        "lose" => Deed::LoseToken,
        "checkpoint" => Deed::Checkpoint,
        "delay" => {
            let (min_us, max_us) = how.split_once("..").ok_or_else(help)?;
            Deed::Delay {
                min_us: duration(min_us)?,
                max_us: duration(max_us)?,
            }
        }
        _ => return Err(help()),
    };
    Ok(Command::Deed(node(by)?, node(on)?, deed))
}

/// `[N|all] KIND [from A] [to B]`.
fn mischief(what: Mischief, text: &str) -> Parsed<Command> {
    let mut parts = text.split_whitespace().peekable();
    let count = parts.next_if(|part| *part == "all" || part.parse::<u32>().is_ok());
    let left = match count {
        Some("all") => u32::MAX,
        Some(count) => number(count)? as u32,
        None => 1,
    };
    let name = parts.next().ok_or("which kind of datagram?")?;
    let kind = if name == "any" { None } else { Some(kind(name)?) };
    let mut order = Order {
        what,
        kind,
        from: None,
        to: None,
        left,
        last: 0,
    };
    while let Some(word) = parts.next() {
        let who = node(parts.next().unwrap_or(""))?;
        match word {
            "from" => order.from = Some(who),
            "to" => order.to = Some(who),
            _ => return Err(format!("{word:?}: write from 1 or to 2")),
        }
    }
    Ok(Command::Mischief(order))
}

fn show(text: &str) -> Parsed<Command> {
    let (what, who) = text.split_once(' ').unwrap_or((text, ""));
    Ok(Command::Show(match what {
        "ring" => Show::Ring,
        "log" => Show::Log(node(who)?),
        "replicas" => Show::Replicas,
        "outbox" => Show::Outbox(node(who)?),
        "refused" => Show::Refused(node(who)?),
        "why" => Show::Why(node(who)?),
        "datagrams" => Show::Datagrams,
        _ => return Err(format!("{what:?} cannot be shown")),
    }))
}

fn expect(text: &str) -> Parsed<Command> {
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(Command::Expect(match what {
        "converged" => Expectation::Converged,
        "equal" => Expectation::Equal(nodes(rest)?),
        "once" => Expectation::Once(rest.to_string()),
        "nowhere" => Expectation::Nowhere(rest.to_string()),
        "datagrams" => Expectation::DatagramsAtMost(number(rest.trim_start_matches("at most "))?),
        "gone" => Expectation::Gone(nodes(rest)?),
        "alive" => Expectation::Alive(nodes(rest)?),
        _ => return Err(format!("{what:?} cannot be expected")),
    }))
}
