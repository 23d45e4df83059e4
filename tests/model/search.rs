//! The search: depth first through every state that can be reached within the bounds, each once.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::start::{Start, settle};
use super::world::{Bounds, Happening, State};

/// From one state in so many, what follows without a fault is played out.
const CONTINUED: u128 = 256;
/// How many of the last happenings a failure shows.
const SHOWN: usize = 120;

/// What a search came to.
pub struct Outcome {
    /// What was broken, and how it came to that.
    pub broken: Option<String>,
    /// Every state within the bounds was seen.
    pub complete: bool,
    pub states: usize,
    pub steps: u64,
    /// From how many states a fair continuation was played out.
    pub continued: u64,
    pub seconds: f64,
}

/// A state on the way, and what can still happen in it.
struct Frame {
    state: State,
    happenings: Vec<Happening>,
    next: usize,
}

impl Frame {
    fn new(state: State) -> Frame {
        let happenings = state.happenings();
        Frame {
            state,
            happenings,
            next: 0,
        }
    }
}

/// Goes through all that can follow.
pub fn search(start: &Start, bounds: Bounds, secs: u64) -> Outcome {
    let began = Instant::now();
    let mut root = start.state.clone();
    root.left = bounds;
    let (epoch, hop) = root.reach();
    let (epoch_max, hop_max) = (epoch + bounds.epochs, hop + bounds.hops);
    let mut seen: HashSet<u128> = HashSet::from([root.fingerprint()]);
    let mut outcome = Outcome {
        broken: None,
        complete: false,
        states: 1,
        steps: 0,
        continued: 0,
        seconds: 0.0,
    };
    let mut path = vec![Frame::new(root)];
    while let Some(frame) = path.last_mut() {
        let Some(what) = frame.happenings.get(frame.next).cloned() else {
            path.pop();
            continue;
        };
        frame.next += 1;
        outcome.steps += 1;
        if outcome.steps.is_multiple_of(1_024) && began.elapsed().as_secs() >= secs {
            break;
        }
        let mut state = frame.state.clone();
        let stepped = guarded(|| state.happen(&what));
        let print = state.fingerprint();
        let new = stepped.is_ok() && !state.is_beyond(epoch_max, hop_max) && seen.insert(print);
        let lasting = match stepped {
            Ok(()) if new && print.is_multiple_of(CONTINUED) => {
                outcome.continued += 1;
                guarded(|| goes_on_well(state.clone()))
            }
            other => other,
        };
        if let Err(broken) = lasting {
            outcome.broken = Some(format!("{broken}\n{}", told(&path)));
            break;
        }
        if new {
            outcome.states += 1;
            path.push(Frame::new(state));
        }
    }
    outcome.complete = path.is_empty();
    outcome.seconds = began.elapsed().as_secs_f64();
    outcome
}

/// An assertion of the core that fails is a broken promise too.
fn guarded(deed: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(deed)).unwrap_or_else(|_| Err("an assertion of the core failed".into()))
}

/// Progress: without any further fault all come together, and whoever speaks then is heard.
fn goes_on_well(mut state: State) -> Result<(), String> {
    settle(&mut state)?;
    for at in state.silent() {
        state.say(at)?;
    }
    settle(&mut state)
}

/// How it came to the last state.
fn told(path: &[Frame]) -> String {
    let last = path.len().saturating_sub(SHOWN);
    let words = |(at, frame): (usize, &Frame)| {
        let what = &frame.happenings[frame.next - 1];
        format!("{at:>5} {}", what.words())
    };
    let steps: Vec<String> = path.iter().enumerate().skip(last).map(words).collect();
    steps.join("\n")
}
