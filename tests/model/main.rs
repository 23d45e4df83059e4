//! Model checking: the production ring, searched exhaustively within small bounds.
//!
//! Three rings, the datagrams under way between them and the epochs on their disks are one state; `world` says what can
//! happen next and what must hold, `search` goes through all that can follow. The clock stands still: any deadline
//! that a ring waits for can fire, as often as the bounds say; what is only said again or done next fires freely where
//! nothing else is going on. `docs/PROOF.md` states the bounds with the number of states.
//!
//! `RODA_MODEL_BOUNDS=losses=2,hops=6` searches within other bounds, for `RODA_MODEL_SECS`; `--nocapture` prints states
//! and times.
#![allow(clippy::disallowed_methods)] // A search is bounded by the clock.
#![allow(clippy::disallowed_types)] // What was seen is asked for, and never gone through.
#![cfg_attr(feature = "bugs", allow(dead_code))] // With bugs, only those are looked for.

mod search;
mod start;
mod world;

use search::{Outcome, search};
use start::Start;
use world::Bounds;

/// How long one search may take: several times what it does take.
const SECS: u64 = 200;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Other bounds than a test's own, from `RODA_MODEL_BOUNDS`, such as `losses=2,hops=6`.
fn overridden(mut bounds: Bounds) -> Bounds {
    let text = std::env::var("RODA_MODEL_BOUNDS").unwrap_or_default();
    for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
        let value: u8 = value.parse().expect("a bound is a small number");
        match name {
            "losses" => bounds.losses = value,
            "copies" => bounds.copies = value,
            "crashes" => bounds.crashes = value,
            "sleeps" => bounds.sleeps = value,
            "timeouts" => bounds.timeouts = value,
            "closed" => bounds.closed = value,
            "early" => bounds.early = value,
            "lines" => bounds.lines = value,
            "epochs" => bounds.epochs = u64::from(value),
            "hops" => bounds.hops = u64::from(value),
            other => panic!("{other:?} is no bound"),
        }
    }
    bounds
}

/// Searches from one start; how it came out is printed.
fn explore(name: &str, start: Start, bounds: Bounds) -> Outcome {
    let bounds = overridden(bounds);
    let outcome = search(&start, bounds, setting("RODA_MODEL_SECS", SECS));
    println!(
        "{name}: {} states, {} steps, {} fair continuations, {:.1} s, {}; {bounds:?}",
        outcome.states,
        outcome.steps,
        outcome.continued,
        outcome.seconds,
        if outcome.complete {
            "complete"
        } else {
            "not complete"
        }
    );
    outcome
}

/// All that can follow keeps what must hold, and all of it was seen.
#[cfg(not(feature = "bugs"))]
fn holds(name: &str, start: Start, bounds: Bounds) {
    let outcome = explore(name, start, bounds);
    if let Some(broken) = &outcome.broken {
        panic!("{name}: {broken}");
    }
    assert!(
        outcome.complete,
        "{name}: the time was over before every state was seen"
    );
    assert!(outcome.states > 1_000, "{name}: only {} states", outcome.states);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn two_nodes_form_a_ring_from_nothing() {
    let bounds = Bounds {
        losses: 1,
        copies: 1,
        timeouts: 1,
        lines: 1,
        epochs: 1,
        hops: 8,
        ..Bounds::default()
    };
    holds("two from nothing", Start::apart(2), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_ring_of_three_speaks_and_loses() {
    let bounds = Bounds {
        losses: 1,
        lines: 1,
        hops: 2,
        ..Bounds::default()
    };
    holds("three, one loss", Start::together(3), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_ring_of_three_speaks_and_doubles() {
    let bounds = Bounds {
        copies: 1,
        lines: 1,
        hops: 2,
        ..Bounds::default()
    };
    holds("three, one copy", Start::together(3), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_ring_of_two_is_left_by_a_crash() {
    let bounds = Bounds {
        crashes: 1,
        timeouts: 1,
        lines: 1,
        epochs: 1,
        hops: 3,
        ..Bounds::default()
    };
    holds("two, one crashes", Start::together(2), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_holder_of_three_sleeps_and_wakes() {
    let bounds = Bounds {
        sleeps: 1,
        lines: 1,
        epochs: 1,
        hops: 1,
        ..Bounds::default()
    };
    holds("three, a holder sleeps", Start::together(3), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_ring_of_two_is_told_of_closed_ports() {
    let bounds = Bounds {
        closed: 2,
        timeouts: 1,
        epochs: 1,
        hops: 2,
        ..Bounds::default()
    };
    holds("two, closed ports", Start::together(2), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn a_port_closes_with_a_crash() {
    let bounds = Bounds {
        crashes: 1,
        closed: 1,
        timeouts: 1,
        epochs: 1,
        hops: 2,
        ..Bounds::default()
    };
    holds("two, a port closes with a crash", Start::together(2), bounds);
}

#[test]
#[cfg(not(feature = "bugs"))]
fn two_rings_merge() {
    let bounds = Bounds {
        epochs: 1,
        hops: 1,
        ..Bounds::default()
    };
    holds("two rings meet", Start::split(), bounds);
}

/// The search can fail: with a bug switched on, it finds what the bug breaks.
#[test]
#[cfg(feature = "bugs")]
fn deliberate_bugs_are_found() {
    use roda::bugs::{Bug, switch_on};
    let fencing = Bounds {
        timeouts: 2,
        copies: 1,
        epochs: 2,
        hops: 4,
        ..Bounds::default()
    };
    let storing = Bounds {
        crashes: 1,
        timeouts: 2,
        epochs: 2,
        hops: 4,
        ..Bounds::default()
    };
    for (bug, start, bounds) in [
        (Bug::NoFencing, Start::together(3), fencing),
        (Bug::EpochNotStored, Start::together(2), storing),
    ] {
        switch_on(Some(bug));
        let outcome = explore(&format!("{bug:?}"), start, bounds);
        switch_on(None);
        let broken = outcome
            .broken
            .unwrap_or_else(|| panic!("{bug:?} is not found in {} states", outcome.states));
        println!("{bug:?}: {broken}");
    }
}
