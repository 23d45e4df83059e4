//! Events as programs read them: one JSON object a line, as `docs/EVENTS.md` describes.
//!
//! The first keys are always `v`, `type`, `at`, `n`, `node` and `us`. Within a version fields are added, never renamed
//! or given another meaning. Numbers are numbers; ids, rings and incarnations are strings, spelled as in a replica
//! file. Of a message's content only the known keys are shown.

pub mod object;
mod ring;
mod status;
mod told;

use crate::host::doctor::{self, Diagnosis};
use crate::host::exit::Code;
use crate::host::terminal::start::{Start, Story};
use crate::node::face::{Foreign, Moved, Notice, Step, Stranger};
use crate::replica::content::{ContentView, rfc3339};
use crate::replica::record::Record;
use crate::wire::{Deed, Lab, LabState};
use crate::words::{NodeId, Position, Time, WallTime};
use bytes::Bytes;
use object::{Object, list};
pub use told::{Audience, Kind, Teller, Told, audience, kind};

/// The version of the format.
pub const VERSION: u64 = 1;

/// What every event begins with, beside its type: when it is told, by whom, and as the how-manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The wall clock.
    pub at: WallTime,
    /// The stream's counter, from 1.
    pub n: u64,
    /// Who tells it.
    pub node: NodeId,
    /// The teller's own monotonic clock, that of the steps of a `trace`.
    pub us: Time,
}

/// Begins an event: version, type, time, number and teller.
pub(in crate::host) fn begin(name: &str, mark: Mark) -> Object {
    Object::new()
        .number("v", VERSION)
        .text("type", name)
        .text("at", rfc3339(mark.at))
        .number("event", mark.n)
        .number("node", mark.node.0)
        .number("us", mark.us.0)
}

/// A notice of the core as an event, without the end of the line.
pub fn notice(notice: &Notice, at: Mark) -> String {
    let event = |name: &str| begin(name, at);
    match notice {
        Notice::Pending { id, tag, content } => {
            let object = event("pending").plain("id", id).maybe("tag", *tag);
            content_fields(object, content)
        }
        Notice::Refused { tag, reason } => event("refused").number("tag", *tag).text("reason", reason),
        Notice::Message { record, late, own } => message(event("message"), record)
            .flag("late", *late)
            .flag("own", *own),
        Notice::Held { id, position, k, n } => event("held")
            .plain("id", id)
            .position(position)
            .number("k", *k)
            .number("n", *n),
        Notice::Moved(which) => moved(event("moved"), which),
        Notice::Request(ring) => event("request").plain("ring", ring),
        Notice::Grant(ring, hop) => event("grant").plain("ring", ring).number("hop", hop.0),
        Notice::Pass(ring, hop, to) => event("pass")
            .plain("ring", ring)
            .number("hop", hop.0)
            .number("to", to.0),
        Notice::Detail(detail) => ring::detail(detail, event),
        Notice::Gathering(evidence) => ring::gathering(event("gathering"), evidence),
        Notice::Ring { .. } => ring::installed(event("ring"), notice),
        Notice::Fenced { from, ring } => event("fenced").number("from", from.0).plain("ring", ring),
        Notice::Woke { away_us } => event("woke").number("away_us", *away_us),
        Notice::CatchingUp { peer, done, total } => event("catching_up")
            .number("peer", peer.0)
            .number("done", *done)
            .number("total", *total),
        Notice::CaughtUp { peer, received } => event("caught_up")
            .number("peer", peer.0)
            .number("received", *received),
        Notice::Conflict { id, position } => event("conflict").plain("id", id).position(position),
        Notice::FoundOrdered { id } => event("found_ordered").plain("id", id),
        Notice::OfferedAgain { id } => event("offered_again").plain("id", id),
        Notice::Stamped { id, position, hop } => event("stamped")
            .plain("id", id)
            .position(position)
            .number("hop", hop.0),
        Notice::Written { id, position } => event("written").plain("id", id).position(position),
        Notice::Checkpointed {
            number,
            records,
            delivered,
        } => event("checkpointed")
            .maybe("number", *number)
            .number("records", *records)
            .maybe_text("delivered_ring", delivered.map(|at| at.ring.to_string()))
            .maybe("delivered_seq", delivered.map(|at| at.seq.0)),
        Notice::Reconciled { records } => event("reconciled").number("records", *records),
        Notice::DiskFull(reason) => event("disk_full").text("reason", reason),
        Notice::DiskRoom => event("disk_room"),
        Notice::Status(status) | Notice::Standing(status) => status::fields(event("status"), status),
        Notice::Trace { position, steps } => trace(event("trace"), position.as_ref(), steps),
        Notice::Rekeyed(names) => {
            event("rekeyed").raw("keys", &list(names.iter().map(|name| object::quoted(name))))
        }
        Notice::Stranger(which) => stranger(event("stranger"), which),
        Notice::Lab(which) => lab(event("lab"), which),
        Notice::Warning(text) => event("warning").text("text", text),
    }
    .end()
}

/// The first event: who, where and how.
pub fn start(start: &Start, at: Mark) -> String {
    begin("start", at)
        .number("id", start.id.0)
        .plain("incarnation", start.incarnation)
        .text("name", &start.name)
        .text("room", &start.room)
        .text("interface", &start.interface)
        .plain("address", start.address)
        .plain("group", start.group)
        .number("delay_min_us", start.delay_min_us)
        .number("delay_max_us", start.delay_max_us)
        .number("quorum", start.quorum)
        .text("replica", start.replica.to_string_lossy())
        .text("checkpoints", start.checkpoints.to_string_lossy())
        .flag("encrypted", start.key.is_some())
        .maybe_text("key", start.key.as_ref().map(ToString::to_string))
        .text("version", env!("CARGO_PKG_VERSION"))
        .flag("lab", start.lab)
        .maybe_text("web", start.web.as_deref())
        .end()
}

/// The second event: what was found on the disk.
pub fn story(story: &Story, at: Mark) -> String {
    let warnings = list(story.warnings.iter().map(|text| object::quoted(text)));
    begin("story", at)
        .flag("fresh", story.fresh)
        .flag("clean", story.clean)
        .number("held", story.held)
        .maybe("checkpoint", story.checkpoint)
        .maybe_text("checkpoint_time", story.checkpoint_time.map(rfc3339))
        .number("rolled_back", story.rolled_back)
        .number("recovered_own", story.recovered_own)
        .number("set_aside", story.set_aside)
        .raw("warnings", &warnings)
        .end()
}

/// An earlier message, shown because `--history` or the user asked for it.
pub fn history(record: &Record, own: bool, at: Mark) -> String {
    message(begin("history", at), record).flag("own", own).end()
}

/// An earlier message as an answer to a question: like [`history`], and no event of the stream.
pub fn found(record: &Record, own: bool) -> String {
    let object = Object::new().number("v", VERSION).text("type", "history");
    message(object, record).flag("own", own).end()
}

/// A line of piped input that was not said, by its number from 1.
pub fn line_refused(line: u64, reason: &str, at: Mark) -> String {
    begin("line_refused", at)
        .number("line", line)
        .text("reason", reason)
        .end()
}

/// What a doctor says: of `node doctor`, or because the node has been alone for a while.
pub fn doctor(diagnosis: &Diagnosis, at: Mark) -> String {
    doctor::tell::fields(begin("doctor", at), diagnosis).end()
}

/// The last event: the exit code, and why if it is not 0.
pub fn exit(code: Code, reason: Option<&str>, at: Mark) -> String {
    begin("exit", at)
        .number("code", code as u8)
        .maybe_text("reason", reason)
        .end()
}

/// The fields of a message at its position.
fn message(object: Object, record: &Record) -> Object {
    let object = object.plain("id", record.id).position(&record.position);
    content_fields(object, &record.content)
}

/// The known keys of a content; empty, with `unreadable`, if it is none.
fn content_fields(object: Object, content: &Bytes) -> Object {
    match ContentView::from_bytes(content) {
        Ok(content) => {
            let object = object
                .number("from", content.from)
                .text("name", &content.name)
                .text("room", &content.room)
                .text("sent", &content.sent)
                .text("text", &content.text);
            match &content.key {
                Some(key) => object.text("key", key),
                None => object,
            }
        }
        Err(why) => object.text("unreadable", why.to_string()),
    }
}

fn moved(object: Object, moved: &Moved) -> Object {
    object
        .plain("id", moved.id)
        .plain("from_ring", moved.from.ring)
        .number("from_seq", moved.from.seq.0)
        .plain("to_ring", moved.to.ring)
        .number("to_seq", moved.to.seq.0)
}

fn trace(object: Object, position: Option<&Position>, steps: &[(Time, Step)]) -> Object {
    let object = match position {
        Some(position) => object.position(position),
        None => object.maybe_text("ring", None::<&str>).maybe("seq", None),
    };
    object.raw("steps", &list(steps.iter().map(step)))
}

/// Somebody who is there and not understood.
fn stranger(object: Object, stranger: &Stranger) -> Object {
    let foreign = match stranger.foreign {
        Foreign::OtherKey => "other_key",
        Foreign::WithKey => "with_key",
        Foreign::WithoutKey => "without_key",
    };
    object
        .plain("from_address", stranger.from)
        .text("foreign", foreign)
        .number("per_second", stranger.per_second)
        .number("total", stranger.total)
}

/// A lesson's deed and how far it is.
fn lab(object: Object, lab: &Lab) -> Object {
    let state = match lab.state {
        LabState::Asked => "asked",
        LabState::Begins => "begins",
        LabState::Ends => "ends",
        LabState::NobodyRestarts | LabState::Alone | LabState::NoCheckpoint => "refused",
        LabState::CutFromItself | LabState::WentWrong => "refused",
    };
    let object = object.number("by", lab.by.0).number("on", lab.on.0);
    let object = object
        .text("state", state)
        .maybe_text("reason", lab.state.refusal())
        .maybe_text("why", lab.state.why());
    let what = |name| object.text("what", name);
    match &lab.deed {
        Deed::Pause { for_ms, holding } => what("pause").number("for_ms", *for_ms).flag("holding", *holding),
        Deed::Cut { from, for_ms } => what("cut").number("for_ms", *for_ms).nodes("from", from),
        Deed::Heal => what("heal"),
        Deed::LoseToken => what("lose_token"),
        Deed::Crash { for_ms, holding } => what("crash").number("for_ms", *for_ms).flag("holding", *holding),
        Deed::Checkpoint => what("checkpoint"),
        Deed::Rollback { number } => what("rollback").number("number", *number),
        Deed::Delay { min_us, max_us } => what("delay").number("min_us", *min_us).number("max_us", *max_us),
        Deed::Say { text } => what("say").text("text", text),
        Deed::Twin => what("twin"),
    }
}

/// A step with its time in microseconds on the node's own clock.
fn step((time, step): &(Time, Step)) -> String {
    let named = |name| Object::new().number("time_us", time.0).text("step", name);
    match step {
        Step::Said => named("said"),
        Step::InOutbox => named("in_outbox"),
        Step::Stamped(hop) => named("stamped").number("hop", hop.0),
        Step::Received => named("received"),
        Step::Delivered => named("delivered"),
        Step::Written => named("written"),
        Step::HeldBy(node) => named("held_by").number("node", node.0),
    }
    .end()
}

#[cfg(test)]
mod tests;
