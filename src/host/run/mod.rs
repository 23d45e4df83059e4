//! A node as a process of its own: from the options of the command line to the exit code.
//!
//! The main thread is the user's side (`front`): it shows what the core tells, and hands on what the user wants.
//! The core has a thread of its own (see [`crate::host::driver`]), the disk another one; `life` starts and ends
//! them. A process may have several lives one after the other: `/rollback` leaves the ring, opens the files again
//! at an earlier checkpoint, and goes on as a new incarnation.
//!
//! Order of a start: what can be refused without touching anything comes first (chaos, interface, group), then
//! the files with their lock, then the terminal, and only then the first datagram.

mod alone;
mod failure;
mod front;
mod lab;
mod life;
mod opening;
mod page;
mod restoring;
mod said;
mod tally;
mod telling;
mod typing;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never};

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::disk::Paths;
use crate::host::events::{self, Teller};
use crate::host::exit::{self, Code};
use crate::host::feed::Feed;
use crate::host::record::{self, Recorder};
use crate::host::signals::{self, HostSignal, SignalWatch};
use crate::host::terminal::Level;
use crate::host::terminal::console::{Console, Surface, Wake};
use crate::host::terminal::mode::SavedMode;
use crate::host::terminal::visible;
use crate::host::web::{Door, Page};
use crate::node::face::Exit;

pub(in crate::host) use failure::Failure;
use front::{Front, Inlets, Next};
use life::Life;
pub(in crate::host) use life::feed_disk;
use opening::Found;
pub(in crate::host) use opening::{Opening, open_network, seal};
use telling::Telling;

/// How long the last lines may take to be printed.
const LAST_LINES: Duration = Duration::from_millis(200);
/// How long the pages may take to be told the end.
const LAST_EVENTS: Duration = Duration::from_millis(100);
/// Earlier messages that people are shown at the start: enough to know what the talk is about.
const HISTORY: usize = 10;
/// Signals that may wait. There are four kinds, and each is handled within milliseconds.
const SIGNALS_MAX: usize = 16;

/// How it ended: the exit code, and why if there is something to say.
type Ending = (Code, Option<String>);

/// Runs a node until it leaves. All that is to be said about its end has been said when this returns.
pub fn run(options: NodeOptions) -> Code {
    let (json, id) = (options.json, options.id);
    match begin(options) {
        Ok(begun) => live(begun),
        Err(failure) => {
            let reason = failure.to_string();
            // Nobody may be reading any more; the exit code says it as well.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "node: {}", visible::line(&reason)).unwrap_or_default();
            if json {
                let mark = Teller::new(id).next(clock::now(), clock::wall());
                let line = events::exit(failure.code(), Some(&reason), mark);
                writeln!(std::io::stdout(), "{line}").unwrap_or_default();
            }
            failure.code()
        }
    }
}

/// A node that lives.
struct Begun {
    front: Front,
    life: Life,
    page: Option<Page>,
    _signals: SignalWatch,
}

/// Opens everything and starts the first life.
fn begin(mut options: NodeOptions) -> Result<Begun, Failure> {
    let surface = Surface::of_process(options.json, options.plain);
    if surface != Surface::Pipe {
        options.history.get_or_insert(HISTORY);
    }
    let restore = restoring::agreed(&options, surface)?;
    // A port that is taken is told before a life is begun for it.
    let door = page_door(&options)?;
    let recording = options.record.clone();
    let refused = |error| Failure::Record(recording.clone().unwrap_or_default(), error);
    recording
        .as_deref()
        .map_or(Ok(()), record::check)
        .map_err(refused)?;
    let (opening, mut found) = Opening::new(&options, restore)?;
    found.start.web = door.as_ref().map(Door::address);
    let (woken, wakes) = bounded(1);
    let (signals, watch) = watch_signals()?;
    let wake: Wake = Arc::new(move || {
        // When full, the front is to wake up already.
        woken.try_send(()).unwrap_or_default();
    });
    let recorder = recording
        .as_deref()
        .map(|path| Recorder::start(path, wake.clone()));
    let recorder = recorder.transpose().map_err(refused)?;
    let (style, _) = Surface::styles(options.plain);
    let console = Console::open(surface, style, options.voice(), wake.clone());
    let console = console.map_err(Failure::Terminal)?;
    start_log(&console, options.level);
    let told = door.as_ref().map(|door| (door.link(), door.warnings.clone()));
    let page = door.map(|door| serve_page(door, wake, &found)).transpose()?;
    let opens = options.web.is_some_and(|web| web.open);
    let feed = page.as_ref().map(|(_, feed)| feed.clone());
    let asks = page.as_ref().map_or_else(never, |(page, _)| page.asks.clone());
    let telling = Telling::new(&options, feed, recorder);
    let inlets = Inlets { wakes, signals, asks };
    let first_life = found.start.incarnation;
    let mut front = Front::new(options, surface, console, inlets, telling, first_life);
    front.tell_start(&found);
    let page = page.map(|(page, _)| page);
    if let Some((link, warnings)) = told {
        front.tell_page(&link, &warnings);
    }
    let life = opening.start()?;
    if let Some(page) = page.as_ref().filter(|_| opens) {
        page.open_browser().unwrap_or_else(|why| front.tell_warning(&why));
    }
    front.begin_to_read().map_err(Failure::Terminal)?;
    Ok(Begun {
        front,
        life,
        page,
        _signals: watch,
    })
}

/// Listens where the page is to be served, if it is.
fn page_door(options: &NodeOptions) -> Result<Option<Door>, Failure> {
    let own = Paths::new(&options.data_dir, options.id).own;
    let door = options.web.as_ref().map(|web| Door::open(web, options.id, &own));
    Ok(door.transpose()?)
}

/// Serves the page from now on. What it asks before the node lives waits.
fn serve_page(door: Door, wake: Wake, found: &Found) -> Result<(Page, Feed), Failure> {
    let feed = Feed::start(wake).map_err(|error| Failure::Machine("a thread", error))?;
    let page = door.serve(feed.clone(), found.start.incarnation)?;
    Ok((page, feed))
}

/// Lives until the end, and tells it.
fn live(begun: Begun) -> Code {
    let Begun {
        mut front,
        mut life,
        page,
        _signals,
    } = begun;
    loop {
        let next = front.live(&life);
        // The files must be closed and unlocked before the end is told, and before they can be opened again.
        let ending = life.end(front.patience());
        let ending = match (next, ending) {
            // Only a life that ended in order is followed by another one.
            (Next::Rollback(number), Ok(Exit::Left)) => match front.reopen(number) {
                Ok(again) => {
                    life = again;
                    continue;
                }
                Err(failure) => (failure.code(), Some(failure.to_string())),
            },
            (_, Ok(Exit::Left)) => front.ending(),
            (_, Ok(exit)) => (Code::of(&exit), exit::sentence(&exit)),
            (_, Err(failure)) => (failure.code(), Some(failure.to_string())),
        };
        let code = ending.0;
        front.close(ending, LAST_LINES);
        if let Some(page) = page {
            page.end(LAST_EVENTS);
        }
        return code;
    }
}

/// Takes signals from now on. A second Ctrl-C ends the process with the terminal in order.
fn watch_signals() -> Result<(Receiver<HostSignal>, SignalWatch), Failure> {
    let (sender, signals): (Sender<HostSignal>, _) = bounded(SIGNALS_MAX);
    let mode = SavedMode::of_stdin();
    let watch = signals::watch(move |signal| match signal {
        HostSignal::Force => mode.restore(),
        // When full, the front is stuck; the one that forces needs no front.
        HostSignal::Leave | HostSignal::Suspend(_) | HostSignal::Resumed => {
            sender.try_send(signal).unwrap_or_default();
        }
    })
    .map_err(Failure::Signals)?;
    Ok((signals, watch))
}

/// Log lines go where talk goes. `RUST_LOG` has the last word on how many.
fn start_log(console: &Console, level: Level) {
    let usual = match level {
        Level::Quiet => "error",
        Level::Normal | Level::Verbose => "warn",
    };
    let env = env_logger::Env::default().default_filter_or(usual);
    let target = env_logger::Target::Pipe(Box::new(console.talk_writer()));
    // It fails only if there is a log already, which is then as good.
    env_logger::Builder::from_env(env)
        .target(target)
        .try_init()
        .unwrap_or_default();
}
