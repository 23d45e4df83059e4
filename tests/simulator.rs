//! The simulator over many seeds: no promise is broken, the same seed gives the same run, and deliberate bugs
//! are found (with `--features bugs`).
//!
//! `RODA_SEEDS` and `RODA_SIMULATOR_SECS` change how many seeds and how long at most.
#![allow(clippy::disallowed_methods, reason = "the run is bounded by the clock")]

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use roda::sim::run::run;

/// Seeds that must always be run, however slow the machine.
#[cfg(not(feature = "bugs"))]
const SEEDS_MIN: u64 = 2_000;

/// A number from the environment.
#[cfg(not(feature = "bugs"))]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Runs seeds on all cores until one breaks a promise: how many, which, and how.
fn first_broken(first: u64, seeds: u64, at_least: u64, time: Duration) -> (u64, Option<(u64, String)>) {
    let (next, ran) = (AtomicU64::new(first), AtomicU64::new(0));
    let began = Instant::now();
    let worker = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed > seeds || (seed > at_least && began.elapsed() > time) {
            return None;
        }
        let broken = match catch_unwind(|| run(seed, false).broken) {
            Ok(broken) => broken,
            Err(_) => Some("an assertion of the core failed".to_string()),
        };
        ran.fetch_add(1, Ordering::Relaxed);
        if let Some(broken) = broken {
            next.store(seeds + 1, Ordering::Relaxed);
            return Some((seed, broken));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let broken = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().expect("a worker catches what a run does"))
            .min()
    });
    (ran.into_inner(), broken)
}

#[test]
#[cfg(not(feature = "bugs"))]
fn no_seed_breaks_a_promise() {
    let seeds = setting("RODA_SEEDS", 100_000);
    let time = Duration::from_secs(setting("RODA_SIMULATOR_SECS", 200));
    let (ran, broken) = first_broken(1, seeds, SEEDS_MIN.min(seeds), time);
    println!("{ran} seeds");
    if let Some((seed, broken)) = broken {
        panic!(
            "seed {seed}: {broken}\nreplay: cargo run --release --example simulate -- --seed {seed} --trace"
        );
    }
    assert!(ran >= SEEDS_MIN.min(seeds), "only {ran} seeds were run");
}

#[test]
#[cfg(not(feature = "bugs"))]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        let (first, second) = (run(seed, true), run(seed, true));
        assert_eq!(first.fingerprint, second.fingerprint, "seed {seed}");
        assert_eq!(first.trace, second.trace, "seed {seed}: the traces differ");
    }
}

/// How many seeds each deliberate bug has to be found within.
#[cfg(feature = "bugs")]
const BUG_SEEDS: u64 = 10_000;

/// Bugs that show only where several faults meet, with a seed shortly before one that finds them: the test
/// begins there to save time. `docs/PROOF.md` counts from 1.
#[cfg(feature = "bugs")]
const FOUND_LATE: [(roda::bugs::Bug, u64); 5] = {
    use roda::bugs::Bug;
    [
        (Bug::StalenessIgnored, 1_850),
        (Bug::StopsAtVoid, 1_480),
        (Bug::ForwardedBeforeStored, 460),
        (Bug::AdoptedNotStored, 2_450),
        (Bug::VoidNotOffered, 2_500),
    ]
};

#[test]
#[cfg(feature = "bugs")]
fn every_deliberate_bug_is_found() {
    use roda::bugs::{Bug, switch_on};
    assert!(Bug::ALL.len() >= 40, "only {} bugs", Bug::ALL.len());
    // Some are found by an assertion of the core, which need not be told in full.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        switch_on(Some(*bug));
        let late = FOUND_LATE.iter().find(|(late, _)| late == bug);
        let first = late.map_or(1, |(_, first)| *first);
        let (ran, broken) = first_broken(first, BUG_SEEDS, BUG_SEEDS, Duration::ZERO);
        switch_on(None);
        match broken {
            Some((seed, broken)) => println!("{bug:?}: by seed {seed}: {broken}"),
            None => missed.push(format!("{bug:?} in {ran} seeds")),
        }
    }
    std::panic::set_hook(hook);
    assert!(missed.is_empty(), "not found: {}", missed.join(", "));
}

/// Whole nodes in calm weather, every promise checked after every step.
#[test]
#[cfg(not(feature = "bugs"))]
fn a_ring_of_sixty_four_forms_chats_and_gets_over_the_death_of_who_holds_the_token() {
    let scale = roda::sim::scale::measure(64, 1).expect("all promises hold");
    println!("{scale:?}");
    assert!(scale.form_us < 1_000_000, "{scale:?}");
    assert!(scale.join_us < 500_000, "{scale:?}");
    assert!(scale.chat_max_us < 20_000, "{scale:?}");
    assert!(scale.killed_us < 500_000, "{scale:?}");
    assert!(scale.host_gone_us < 1_000_000, "{scale:?}");
    // All who start hear of all others, and tell it a few times.
    assert!(scale.form_datagrams < 64 * 40, "{scale:?}");
}
