//! The stream of events: server-sent events, each under a name by which a browser that lost its connection goes on
//! exactly where it was.
//!
//! The name is `LIFE-N`: the life in which this process began, and the event's number. A name of another life says nothing
//! here: its reader is told so by `reset`, and what stands follows. A browser that does not read keeps the feed's bounded
//! channel full and is dropped, and comes back with the last name it saw.

use std::time::Duration;

use crossbeam_channel::never;

use crate::host::clock;
use crate::host::events::Told;
use crate::host::feed::{Next, Subscription};

use super::answer::{Answer, Denied, stream_head};
use super::line::{Line, after};
use super::request::{Head, Method, queried};
use super::server::{Behind, Shared};

/// Without an event for so long, a comment is sent: both sides then notice a connection that is dead.
const HEARTBEAT_US: u64 = 10_000_000;
/// How soon it is noticed that the browser has closed the stream, or the server is ending.
const TICK: Duration = Duration::from_millis(500);
/// By then all who have closed theirs are noticed, and their places are free.
const NOTICED: Duration = Duration::from_secs(1);
/// How often it is looked whether a place is free.
const LOOK: Duration = Duration::from_millis(10);
/// How long a browser may take to read what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// Events that wait are written together up to this length.
const BATCH_BYTES: usize = 64 * 1024;
/// How soon a browser comes back by itself, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// How the last event of a process begins.
const EXIT: &str = "{\"v\":1,\"type\":\"exit\"";
/// Why somebody who comes back after a restart begins anew.
const ANOTHER_LIFE: &str = "the node was started again; this is how things stand";

/// Serves a stream of events to its end; the answer if there is to be none.
pub fn serve(line: &Line, shared: &Shared, head: &Head) -> Option<Answer> {
    if head.method == Method::Post {
        return Some(Answer::denied(&Denied::new(405, "events are only read")));
    }
    let Behind::Node { feed, life, .. } = &shared.behind else {
        return Some(Answer::denied(&Denied::new(
            404,
            "nothing happens here any more: this is a recording",
        )));
    };
    let full = || Answer::denied(&Denied::new(503, "too many pages are open; close one"));
    let Some(_place) = before_long(|| shared.take_stream()) else {
        return Some(full());
    };
    let last = head
        .last_event_id
        .clone()
        .or_else(|| queried(&head.query, "after"));
    let seen = last.as_deref().map(|last| after_event(last, *life));
    let Some(events) = before_long(|| feed.subscribe(seen.flatten())) else {
        return Some(full());
    };
    let mut out = stream_head();
    out.push_str(&format!("retry: {RETRY_MS}\n\n"));
    let is_stranger = seen == Some(None);
    // Whatever it is that ended it, the browser comes back.
    let _ = write_all(line, shared, *life, events, out, is_stranger);
    None
}

/// Takes one of which there are only so many: now, or as soon as somebody who has gone is noticed.
fn before_long<T>(one: impl Fn() -> Option<T>) -> Option<T> {
    let by = after(NOTICED);
    loop {
        let taken = one();
        if taken.is_some() || clock::now() >= by {
            return taken;
        }
        // Nothing is ever sent here: it is a moment's rest.
        never::<()>().recv_timeout(LOOK).unwrap_or_default();
    }
}

/// The number in an event's name, if it is of this life.
fn after_event(name: &str, life: u64) -> Option<u64> {
    let (of, n) = name.split_once('-')?;
    (of.parse() == Ok(life)).then(|| n.parse().ok())?
}

/// Writes until the browser, the feed or the node ends it.
fn write_all(
    line: &Line,
    shared: &Shared,
    life: u64,
    mut events: Subscription,
    mut out: String,
    mut is_stranger: bool,
) -> std::io::Result<()> {
    let mut written = clock::now();
    loop {
        let wait = if out.is_empty() { TICK } else { Duration::ZERO };
        let next = events.next(wait);
        let mut last = next == Next::Closed;
        let mut flush = last;
        match next {
            Next::Told(told) => {
                if std::mem::take(&mut is_stranger) {
                    put(&mut out, &reset_before(&told), life);
                }
                put(&mut out, &told, life);
                last = told.line.starts_with(EXIT);
                flush |= last || out.len() >= BATCH_BYTES;
            }
            Next::Nothing if out.is_empty() && clock::now().since_us(written) >= HEARTBEAT_US => {
                out.push_str(": here\n\n");
                flush = true;
            }
            Next::Nothing => flush = true,
            Next::Closed => {}
        }
        if flush && !out.is_empty() {
            line.write(out.as_bytes(), after(WRITE_TIME))?;
            written = clock::now();
            out.clear();
        } else if flush && line.is_closed() {
            return Ok(());
        }
        if last || flush && shared.is_ending() {
            return Ok(());
        }
    }
}

/// One event.
fn put(out: &mut String, told: &Told, life: u64) {
    let n = told.n();
    // No event has an end of line inside: they are escaped in JSON.
    out.push_str(&format!("id: {life}-{n}\ndata: {}\n\n", told.line));
}

/// Says that what was known is of another life, before the first event of this one.
fn reset_before(first: &Told) -> Told {
    let mut mark = first.mark;
    mark.n = mark.n.saturating_sub(1);
    Told::reset(ANOTHER_LIFE, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_of_this_life_says_where_to_go_on() {
        assert_eq!(after_event("17-42", 17), Some(42));
        for other in [
            "16-42",
            "17-",
            "17",
            "-42",
            "",
            "17-x",
            "a-1",
            "17-42-1",
            "17--1",
            "99999999999999999999-1",
        ] {
            assert_eq!(after_event(other, 17), None, "{other}");
        }
    }
}
