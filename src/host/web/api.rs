//! The page's questions and wishes, read from addresses and bodies.

use serde::Deserialize;

use super::answer::{Answer, Denied};
use super::asks::{Ask, Asks, Deed, Reply, Say, Wanted, position, short_ring};
use super::request::{Head, Method, queried};
use crate::replica::content::{KEY_BYTES_MAX, NAME_BYTES_MAX, is_key};
use crate::words::Seq;

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
        ("/api/trace", false) => numbered(&head.query, |seq, ring| Ask::Trace { seq, ring }),
        ("/api/message", false) => numbered(&head.query, |seq, ring| Ask::Message { seq, ring }),
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

/// Reads `seq` and `ring`.
fn numbered(
    query: &str,
    make: impl FnOnce(Seq, Option<(crate::words::Epoch, crate::words::NodeId)>) -> Ask,
) -> Result<Ask, Denied> {
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
    Ok(make(Seq(number), ring))
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
        other => {
            let why = format!(
                "{other:?} cannot be done; what can: checkpoint, rollback, reconcile, token, name, quit"
            );
            Err(Denied::refused(why))
        }
    }
}

/// Reads a body as an object.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Denied> {
    serde_json::from_slice(body)
        .map_err(|error| Denied::refused(format!("the body is not what is understood here: {error}")))
}
