//! The page's questions and wishes, read from addresses and bodies.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::answer::{Answer, Denied};
use super::asks::{Ask, Asks, Deed, Reply, Say, Wanted, position, short_ring};
use super::request::{Head, Method, queried};
use crate::replica::content::{KEY_BYTES_MAX, NAME_BYTES_MAX, is_key};
use crate::wire::{self, CUT_MAX, LINE_BYTES_MAX};
use crate::words::{Epoch, NodeId, Seq};

/// Messages of one answer.
const COUNT_MAX: usize = 500;
/// Messages of one answer, if no number is named.
const COUNT: usize = 50;

/// What `POST /api/say` is sent.
#[derive(Deserialize)]
struct SayBody {
    room: String,
    text: String,
    key: String,
}

/// What `POST /api/do` is sent: `what`, and what belongs to it.
#[derive(Deserialize)]
struct DoBody {
    what: String,
    number: Option<u64>,
    hold_us: Option<u64>,
    name: Option<String>,
    lab: Option<LabBody>,
}

/// What a lesson asks for: who is to do what, and what belongs to it.
#[derive(Deserialize)]
struct LabBody {
    on: u16,
    what: String,
    for_ms: Option<u32>,
    #[serde(default)]
    holding: bool,
    #[serde(default)]
    from: Vec<u16>,
    number: Option<u64>,
    min_us: Option<u64>,
    max_us: Option<u64>,
    text: Option<String>,
}

/// Answers what begins with `/api/`. Whoever asks is known to be allowed to.
pub fn answer(asks: &Asks, head: &Head, body: &[u8]) -> Answer {
    let reply = match ask(head, body) {
        Ok(ask) => asks.ask(ask),
        Err(denied) => Err(denied),
    };
    told(reply)
}

fn told(reply: Reply) -> Answer {
    match reply {
        Ok(object) => Answer::json(200, object),
        Err(denied) => Answer::denied(&denied),
    }
}

/// Reads what is asked for.
fn ask(head: &Head, body: &[u8]) -> Result<Ask, Denied> {
    let is_post = head.method == Method::Post;
    match (head.path.as_str(), is_post) {
        ("/api/about", false) => Ok(Ask::About),
        ("/api/status", false) => Ok(Ask::Status),
        ("/api/trace", false) => numbered(&head.query).map(|(seq, ring)| Ask::Trace { seq, ring }),
        ("/api/message", false) => numbered(&head.query).map(|(seq, ring)| Ask::Message { seq, ring }),
        ("/api/history", false) => wanted(&head.query).map(Ask::History),
        ("/api/search", false) => {
            let words = queried(&head.query, "words").unwrap_or_default();
            let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
            if words.is_empty() {
                return Err(Denied::refused("say which words are looked for: ?words=…"));
            }
            let wanted = wanted(&head.query)?;
            Ok(Ask::History(Wanted { words, ..wanted }))
        }
        ("/api/say", true) => say(body).map(Ask::Say),
        ("/api/do", true) => deed(body).map(Ask::Do),
        ("/api/say" | "/api/do", false) => Err(Denied::new(405, "this is done with POST")),
        (path, _) => Err(Denied::new(
            404,
            format!("there is no {path:?} here; docs/WEB.md lists what is"),
        )),
    }
}

/// Reads `seq` and `ring`: the number of a message, and the ring's short name where the number alone is not clear.
pub fn numbered(query: &str) -> Result<(Seq, Option<(Epoch, NodeId)>), Denied> {
    let seq = queried(query, "seq").unwrap_or_default();
    let number = seq
        .parse()
        .map_err(|_| Denied::refused(format!("{seq:?} is no number of a message; write seq=42")))?;
    let ring = match queried(query, "ring").filter(|ring| !ring.is_empty()) {
        None => None,
        Some(text) => Some(short_ring(&text).ok_or_else(|| {
            Denied::refused(format!("{text:?} is no ring; write it as EPOCH.LEADER, like 4.1"))
        })?),
    };
    Ok((Seq(number), ring))
}

/// Reads `count`, `before` and `room`.
fn wanted(query: &str) -> Result<Wanted, Denied> {
    let count = match queried(query, "count") {
        None => COUNT,
        Some(text) => text
            .parse()
            .map_err(|_| Denied::refused(format!("{text:?} is no number of messages; write count=50")))?,
    };
    let before = match queried(query, "before").filter(|before| !before.is_empty()) {
        None => None,
        Some(text) => Some(position(&text).ok_or_else(|| {
            Denied::refused(format!(
                "{text:?} is no position; write before=RING,SEQ as in a message"
            ))
        })?),
    };
    Ok(Wanted {
        count: count.clamp(1, COUNT_MAX),
        before,
        room: queried(query, "room").filter(|room| !room.is_empty()),
        words: Vec::new(),
    })
}

fn say(body: &[u8]) -> Result<Say, Denied> {
    let SayBody { room, text, key } = object(body)?;
    if !is_key(&key) {
        let why = format!("{key:?} is no key: 1 to {KEY_BYTES_MAX} letters of A-Z and a-z, digits, _ and -");
        return Err(Denied::refused(why));
    }
    let is_room =
        !room.trim().is_empty() && room.len() <= NAME_BYTES_MAX && !room.chars().any(char::is_control);
    if !is_room {
        let why = format!("{room:?} is no room: 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(Denied::refused(why));
    }
    if text.is_empty() {
        return Err(Denied::refused("there is nothing to say in an empty line"));
    }
    Ok(Say { room, text, key })
}

fn deed(body: &[u8]) -> Result<Deed, Denied> {
    let asked: DoBody = object(body)?;
    match asked.what.as_str() {
        "checkpoint" => Ok(Deed::Checkpoint),
        "rollback" => Ok(Deed::Rollback(asked.number)),
        "reconcile" => Ok(Deed::Reconcile),
        "token" => Ok(Deed::Token(asked.hold_us)),
        "name" => match asked.name {
            Some(name) => Ok(Deed::Name(name)),
            None => Err(Denied::refused(
                "say which name: {\"what\":\"name\",\"name\":\"ana\"}",
            )),
        },
        "quit" => Ok(Deed::Quit),
        "lab" => lab(asked.lab),
        other => {
            let why = format!(
                "{other:?} cannot be done; what can: checkpoint, rollback, reconcile, token, name, quit, lab"
            );
            Err(Denied::refused(why))
        }
    }
}

/// Reads what a lesson asks for.
fn lab(asked: Option<LabBody>) -> Result<Deed, Denied> {
    let Some(asked) = asked.filter(|asked| asked.on > 0) else {
        let help = r#"say who is to do what: {"what":"lab","lab":{"on":2,"what":"pause","for_ms":3000}}"#;
        return Err(Denied::refused(help));
    };
    let missing = |what: &str| Denied::refused(format!("{:?} needs {what}", asked.what));
    let for_ms = || asked.for_ms.ok_or_else(|| missing("for_ms"));
    let holding = asked.holding;
    let deed = match asked.what.as_str() {
        "pause" => wire::Deed::Pause {
            for_ms: for_ms()?,
            holding,
        },
        "crash" => wire::Deed::Crash {
            for_ms: for_ms()?,
            holding,
        },
        "cut" => {
            let from: BTreeSet<NodeId> = asked.from.iter().copied().map(NodeId).collect();
            if from.is_empty() || from.contains(&NodeId(0)) || from.len() > CUT_MAX {
                return Err(missing("from: a list of nodes"));
            }
            wire::Deed::Cut {
                from: from.into_iter().collect(),
                for_ms: for_ms()?,
            }
        }
        "heal" => wire::Deed::Heal,
        "lose_token" => wire::Deed::LoseToken,
        "checkpoint" => wire::Deed::Checkpoint,
        "rollback" => wire::Deed::Rollback {
            number: asked.number.unwrap_or(0),
        },
        "delay" => wire::Deed::Delay {
            min_us: asked.min_us.ok_or_else(|| missing("min_us"))?,
            max_us: asked.max_us.ok_or_else(|| missing("max_us"))?,
        },
        "say" => {
            let text = asked.text.clone().filter(|text| !text.is_empty());
            let text = text.filter(|text| text.len() <= LINE_BYTES_MAX);
            wire::Deed::Say {
                text: text.ok_or_else(|| missing("a text of at most 200 bytes"))?,
            }
        }
        "twin" => wire::Deed::Twin,
        other => {
            return Err(Denied::refused(format!(
                "{other:?} is nothing that a lesson can ask for"
            )));
        }
    };
    Ok(Deed::Lab(NodeId(asked.on), deed))
}

/// Reads a body as an object.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Denied> {
    serde_json::from_slice(body)
        .map_err(|error| Denied::refused(format!("the body is not what is understood here: {error}")))
}
