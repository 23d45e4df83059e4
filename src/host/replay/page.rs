//! A recording on the page: its events in order, and what else the page asks for.
//!
//! The page keeps a part of the events and asks for the next; all else it makes of them itself, as it does of a living
//! node's. Nothing here changes anything, and what is asked twice is answered alike.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use crossbeam_channel::bounded;
use serde::de::IgnoredAny;

use super::error::ReplayError;
use super::facts::Fact;
use super::reading::Entry;
use super::told::Told;
use super::{Play, ReplayOptions, Speed, shiviz, svg};
use crate::host::events::VERSION;
use crate::host::events::object::{Object, list, quoted};
use crate::host::signals::{self, HostSignal};
use crate::host::terminal::lang::{Lang, Voice, say};
use crate::host::terminal::visible;
use crate::host::web::answer::{Answer, Denied};
use crate::host::web::api;
use crate::host::web::request::{Head, Method, queried};
use crate::host::web::rest::Rest;
use crate::host::web::{WebError, WebOptions};
use crate::words::{Epoch, MessageId, NodeId, Position, RingId, Seq};

/// Events of one answer.
const EVENTS_MAX: usize = 2_000;
/// An answer with events ends behind the one that makes it longer than this.
const ANSWER_BYTES: usize = 1 << 20;
/// How many moments are named that one may want to go to.
const MOMENTS_MAX: usize = 300;
/// A log for ShiViz of more events is written to a file, not for a page.
const LOG_EVENTS_MAX: usize = 200_000;
/// How many steps of a message's life are told.
const STEPS_MAX: usize = 500;
/// A life whose last event is no `exit`, so long before the end of all, in microseconds, was broken off.
const BROKEN_OFF_US: u64 = 500_000;
/// How wide a diagram may be, in pixels.
const WIDTHS: std::ops::RangeInclusive<u32> = 400..=20_000;
/// How wide it is if nobody says.
const WIDTH: u32 = 1_400;
/// Where the page of a recording is.
const PATH: &str = "replay";

/// Serves the page until it is asked to end.
pub fn serve(play: Play, options: &ReplayOptions, web: &WebOptions) -> Result<(), ReplayError> {
    let (end, ended) = bounded::<()>(1);
    let _watch = signals::watch(move |signal| match signal {
        // Asked twice is asked once.
        HostSignal::Leave => end.try_send(()).unwrap_or_default(),
        HostSignal::Force | HostSignal::Suspend(_) | HostSignal::Resumed => {}
    })
    .map_err(|error| ReplayError::Page(WebError::Machine(error)))?;
    let desk = Desk::new(play, options)?;
    let mut page = Rest::serve(web, PATH, move |head| desk.answer(head)).map_err(ReplayError::Page)?;
    if let Some(warning) = &page.warning {
        eprintln!("! {warning}");
    }
    println!("page: {}", page.link());
    eprintln!("{}", say!(options.voice(), "replay-page-ends"));
    if web.open
        && let Err(why) = page.open_browser()
    {
        eprintln!("! {}", visible::line(&why));
    }
    // If nobody is there to send it any more, it ends as well.
    ended.recv().unwrap_or_default();
    page.end();
    Ok(())
}

/// Answers what the page asks.
struct Desk {
    play: Play,
    /// How its diagrams and logs speak.
    voice: Voice,
    about: String,
}

impl Desk {
    fn new(play: Play, options: &ReplayOptions) -> Result<Desk, ReplayError> {
        let about = about(&play, options)?;
        let voice = options.voice_of_files();
        Ok(Desk { play, voice, about })
    }

    fn answer(&self, head: &Head) -> Answer {
        match self.find(head) {
            Ok(answer) => answer,
            Err(denied) => Answer::denied(&denied),
        }
    }

    fn find(&self, head: &Head) -> Result<Answer, Denied> {
        if head.method == Method::Post {
            return Err(Denied::new(405, "a recording is only looked at"));
        }
        match head.path.as_str() {
            "/api/about" => Ok(Answer::json(200, self.about.clone())),
            "/api/recording" => self.events(&head.query),
            "/api/diagram" => self.diagram(&head.query),
            "/api/shiviz" => self.log(&head.query),
            "/api/trace" => self.trace(&head.query),
            path => Err(Denied::new(
                404,
                format!("there is no {path:?} of a recording; docs/WEB.md lists what is"),
            )),
        }
    }

    /// The events behind the one with this place in the order.
    fn events(&self, query: &str) -> Result<Answer, Denied> {
        let first = number(query, "from")?.unwrap_or(0);
        let count = number(query, "count")?.unwrap_or(EVENTS_MAX as u64);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(EVENTS_MAX);
        let order = self.play.merged.order.get(first..).unwrap_or_default();
        let mut events = String::new();
        for event in order.iter().take(count) {
            if events.len() > ANSWER_BYTES {
                break;
            }
            if !events.is_empty() {
                events.push(',');
            }
            let entry = &self.play.recording.entries[*event as usize];
            let us = self.play.merged.times_us[*event as usize];
            let told = told_by(&self.play, entry).map_err(gone)?;
            let one = Object::new()
                .number("us", us)
                .number("node", entry.node.0)
                .raw("told", &told);
            events.push_str(&one.end());
        }
        let body = Object::new().raw("events", &format!("[{events}]"));
        Ok(Answer::json(200, body.end()))
    }

    fn diagram(&self, query: &str) -> Result<Answer, Denied> {
        let from_us = number(query, "from_us")?.unwrap_or(0);
        let to_us = number(query, "to_us")?;
        let width = number(query, "width")?.map_or(Ok(WIDTH), u32::try_from);
        let width = width.ok().filter(|width| WIDTHS.contains(width)).ok_or_else(|| {
            let (least, most) = (WIDTHS.start(), WIDTHS.end());
            Denied::refused(format!("a diagram is {least} to {most} pixels wide"))
        })?;
        match svg::draw(&self.play, from_us, to_us, width, self.voice(query)) {
            Ok(picture) => Ok(Answer::made("image/svg+xml", picture)),
            Err(ReplayError::Nothing) => Err(Denied::refused("nothing happened in this stretch")),
            Err(error) => Err(gone(error)),
        }
    }

    fn trace(&self, query: &str) -> Result<Answer, Denied> {
        let (seq, ring) = api::numbered(query)?;
        trace(&self.play, seq, ring)
            .map(|trace| Answer::json(200, trace))
            .map_err(gone)
    }

    /// In the page's language, if it names one.
    fn voice(&self, query: &str) -> Voice {
        let named = queried(query, "lang").and_then(|lang| Lang::from_str(&lang, true).ok());
        let lang = named.unwrap_or(self.voice.lang);
        Voice { lang, ..self.voice }
    }

    fn log(&self, query: &str) -> Result<Answer, Denied> {
        let events = self.play.merged.order.len();
        if events > LOG_EVENTS_MAX {
            return Err(Denied::refused(format!(
                "a log of {events} events is too long for a page; write it with node replay --shiviz FILE"
            )));
        }
        let mut log = Vec::new();
        match shiviz::write(
            &self.play.recording,
            &self.play.merged,
            self.voice(query),
            &mut log,
        ) {
            Ok(()) => {}
            Err(shiviz::ShivizError::Reading(error)) => return Err(gone(error)),
            Err(shiviz::ShivizError::Writing(error)) => return Err(Denied::new(500, error.to_string())),
        }
        let log = String::from_utf8_lossy(&log).into_owned();
        Ok(Answer::made("text/plain; charset=utf-8", log))
    }
}

/// A recording that could be read, and cannot any more.
fn gone(error: ReplayError) -> Denied {
    Denied::new(500, error.to_string())
}

/// What an event's line says; of what is known from others only, what that is.
fn told_by(play: &Play, entry: &Entry) -> Result<String, ReplayError> {
    if let Some(text) = play.recording.text(entry)?
        && text.starts_with('{')
        && serde_json::from_str::<IgnoredAny>(&text).is_ok()
    {
        return Ok(text);
    }
    let told = Object::new().number("v", VERSION);
    if let (Fact::Stamped(id, position), None) = (&entry.fact, entry.place) {
        let told = told.text("type", "stamped").plain("id", id);
        return Ok(told.position(position).flag("known_from_others", true).end());
    }
    Ok(told.text("type", "unreadable").end())
}

/// The life of a message over all nodes that told of it.
fn trace(play: &Play, seq: Seq, ring: Option<(Epoch, NodeId)>) -> Result<String, ReplayError> {
    let is_it = |position: &Position| {
        let short = (position.ring.epoch, position.ring.leader.id);
        position.seq == seq && ring.is_none_or(|ring| ring == short)
    };
    let entries = &play.recording.entries;
    let in_order = || {
        play.merged
            .order
            .iter()
            .map(|event| (*event, &entries[*event as usize]))
    };
    let named = in_order().find_map(|(_, entry)| {
        if let Fact::Stamped(id, position) | Fact::Delivered(id, position) = entry.fact {
            is_it(&position).then_some((id, position))
        } else {
            None
        }
    });
    let Some((id, position)) = named else {
        return Ok(Object::new().raw("steps", "[]").end());
    };
    let mut steps = Vec::new();
    for (event, entry) in in_order() {
        let Some(step) = step(&entry.fact, id, position) else {
            continue;
        };
        let told = Object::new()
            .text("step", step)
            .number("at", entry.node.0)
            .number("time_us", play.merged.times_us[event as usize]);
        let told = if let Fact::Stamped(..) = entry.fact
            && let Some(Told::Stamped { hop, .. }) = play.recording.told(entry)?
        {
            told.number("hop", hop)
        } else if let Fact::Asked { by, .. } | Fact::Repaired(_, by) = entry.fact {
            told.number("node", by.0)
        } else {
            told
        };
        steps.push(told.end());
        if steps.len() >= STEPS_MAX {
            break;
        }
    }
    Ok(Object::new().raw("steps", &list(steps.into_iter())).end())
}

/// Which step of a message's life an event is, as in `trace`.
fn step(fact: &Fact, id: MessageId, position: Position) -> Option<&'static str> {
    let in_ring = |ring: &RingId| *ring == position.ring;
    match fact {
        Fact::Pending(of) if *of == id => Some("in_outbox"),
        Fact::Stamped(of, _) if *of == id => Some("stamped"),
        Fact::Delivered(of, _) if *of == id => Some("delivered"),
        Fact::Written(of) if *of == id => Some("written"),
        Fact::HeldByAll(of, _) if *of == id => Some("held_by_all"),
        Fact::Asked { ring, from, to, .. } if in_ring(ring) && (*from..=*to).contains(&position.seq) => {
            Some("asked")
        }
        Fact::Resent(of) if *of == position => Some("resent"),
        Fact::Repaired(of, _) if *of == position => Some("repaired"),
        Fact::Pending(_)
        | Fact::Stamped(..)
        | Fact::Delivered(..)
        | Fact::Written(_)
        | Fact::HeldByAll(..)
        | Fact::Asked { .. }
        | Fact::Resent(_)
        | Fact::Repaired(..)
        | Fact::Plain
        | Fact::Start
        | Fact::Exit
        | Fact::Sent(..)
        | Fact::Here(..)
        | Fact::Seen(..)
        | Fact::Gathers
        | Fact::Installs(_) => None,
    }
}

/// What the page is told first.
fn about(play: &Play, options: &ReplayOptions) -> Result<String, ReplayError> {
    let (recording, merged) = (&play.recording, &play.merged);
    let lives = Lives::find(play);
    let nodes = recording.streams.keys().map(|node| {
        let lives = lives.of(*node).map(|life| {
            let life = Object::new()
                .number("first", life.first)
                .number("last", life.last)
                .flag("ended", life.ended);
            life.end()
        });
        Object::new()
            .number("id", node.0)
            .maybe_text("name", recording.names.get(node))
            .raw("lives", &list(lives))
            .end()
    });
    let end = merged.order.last();
    let is_before = |event: &u32| merged.times_us[*event as usize] < options.from_us;
    let from = merged.order.partition_point(is_before);
    let (moments, left_out) = moments(play, &lives)?;
    let speed = match options.speed {
        Speed::Times(times) => times.to_string(),
        Speed::Step => "null".to_string(),
    };
    let replay = Object::new()
        .number("events", merged.order.len() as u64)
        .number("length_us", end.map_or(0, |last| merged.times_us[*last as usize]))
        .number("from", from as u64)
        .raw("speed", &speed)
        .raw("nodes", &list(nodes))
        .raw("notes", &list(play.notes().iter().map(|note| quoted(note))))
        .raw("moments", &moments)
        .number("moments_left_out", left_out);
    Ok(Object::new()
        .text("version", env!("CARGO_PKG_VERSION"))
        .raw("replay", &replay.end())
        .end())
}

/// A life of a node, by the places of its first and last event in the order.
struct Life {
    node: NodeId,
    first: u64,
    last: u64,
    /// Its last event is `exit`.
    ended: bool,
}

/// All lives that were recorded, in order.
struct Lives(Vec<Life>);

impl Lives {
    fn find(play: &Play) -> Lives {
        let mut lives: Vec<Life> = Vec::new();
        let mut current: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (at, event) in play.merged.order.iter().enumerate() {
            let entry = &play.recording.entries[*event as usize];
            // What is known from others only is no sign of life.
            if entry.place.is_none() {
                continue;
            }
            let (node, at) = (entry.node, at as u64);
            let known = current.get(&node).filter(|_| entry.fact != Fact::Start);
            let life = match known {
                Some(life) => *life,
                None => {
                    let (first, last, ended) = (at, at, false);
                    lives.push(Life {
                        node,
                        first,
                        last,
                        ended,
                    });
                    current.insert(node, lives.len() - 1);
                    lives.len() - 1
                }
            };
            lives[life].last = at;
            lives[life].ended = entry.fact == Fact::Exit;
        }
        Lives(lives)
    }

    fn of(&self, node: NodeId) -> impl Iterator<Item = &Life> {
        self.0.iter().filter(move |life| life.node == node)
    }

    /// The lives that broke off well before the recordings end: by their last events.
    fn broken_off(&self, play: &Play) -> BTreeSet<u64> {
        let time = |at: u64| play.merged.times_us[play.merged.order[at as usize] as usize];
        let end = play.merged.order.len().saturating_sub(1) as u64;
        let broken = self.0.iter().filter(|life| !life.ended);
        let well_before = broken.filter(|life| time(life.last) + BROKEN_OFF_US < time(end));
        well_before.map(|life| life.last).collect()
    }
}

/// The moments that one may want to go to: lives that begin and end, and rings; and how many more there are.
fn moments(play: &Play, lives: &Lives) -> Result<(String, u64), ReplayError> {
    let broken_off = lives.broken_off(play);
    let mut found = Vec::new();
    let mut last_ring: Option<RingId> = None;
    let mut left_out = 0;
    for (at, event) in play.merged.order.iter().enumerate() {
        let entry = &play.recording.entries[*event as usize];
        let kind = if entry.fact == Fact::Start {
            "start"
        } else if entry.fact == Fact::Exit {
            "exit"
        } else if broken_off.contains(&(at as u64)) {
            "breaks_off"
        } else if let Fact::Installs(ring) = entry.fact
            && last_ring.replace(ring) != Some(ring)
        {
            // All members install it: once is enough.
            "ring"
        } else {
            continue;
        };
        if found.len() >= MOMENTS_MAX {
            left_out += 1;
            continue;
        }
        let moment = Object::new()
            .number("at", at as u64)
            .number("us", play.merged.times_us[*event as usize])
            .text("type", kind)
            .number("node", entry.node.0)
            .raw("told", &told_by(play, entry)?);
        found.push(moment.end());
    }
    Ok((list(found.into_iter()), left_out))
}

/// A number of a query.
fn number(query: &str, name: &str) -> Result<Option<u64>, Denied> {
    let Some(text) = queried(query, name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Denied::refused(format!("{name}={text:?} is no number"))),
    }
}
