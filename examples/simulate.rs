//! Runs seeds of the simulator: `simulate --seeds 1..2000`, or one with its trace: `simulate --seed 7 --trace`.
#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures how long it takes"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use roda::ring::bugs::Bug;
use roda::sim::run::{Report, run};

/// Runs the simulator over seeds, on all cores.
#[derive(Parser)]
struct Options {
    /// The seeds, from and to (to excluded).
    #[arg(long, value_parser = parse_seeds, default_value = "1..2001")]
    seeds: (u64, u64),
    /// One seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Tell the run in words.
    #[arg(long)]
    trace: bool,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Stop after this many seconds.
    #[arg(long)]
    secs: Option<u64>,
    /// Switch a deliberate bug on, by number or name (needs the feature `bugs`), and say which seed finds it.
    #[arg(long, value_parser = parse_bug)]
    bug: Option<Bug>,
    /// List the deliberate bugs.
    #[arg(long)]
    list_bugs: bool,
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let parts = text
        .split_once("..")
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parts
        .filter(|(a, b)| a < b)
        .ok_or_else(|| format!("{text:?} is no range of seeds; write 1..2001"))
}

fn parse_bug(text: &str) -> Result<Bug, String> {
    let number = text.parse::<usize>().ok();
    let numbered = number.and_then(|number| Bug::ALL.get(number.checked_sub(1)?).copied());
    let named = |bug: &&Bug| format!("{bug:?}").eq_ignore_ascii_case(text);
    numbered
        .or(Bug::ALL.iter().find(named).copied())
        .ok_or_else(|| format!("{text:?} is no bug; --list-bugs names all {}", Bug::ALL.len()))
}

/// What all seeds together came to.
#[derive(Default)]
struct Total {
    seeds: u64,
    simulated_us: u64,
    steps: u64,
    /// In how many seeds each fault was at work, and how often in all.
    seen: BTreeMap<&'static str, (u64, u64)>,
    broken: Vec<(u64, String)>,
}

impl Total {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.simulated_us += report.simulated_us;
        self.steps += report.steps;
        for (what, times) in report.seen {
            let (seeds, all) = self.seen.entry(what).or_default();
            *seeds += 1;
            *all += times;
        }
        self.broken
            .extend(report.broken.map(|broken| (report.seed, broken)));
    }
}

fn main() {
    let options = Options::parse();
    if options.list_bugs {
        for (bug, number) in Bug::ALL.iter().zip(1..) {
            println!("{number:>2} {:<22} {}", format!("{bug:?}"), bug.what());
        }
        return;
    }
    switch_bug(options.bug);
    if let Some(seed) = options.seed {
        let report = run(seed, options.trace);
        report.trace.iter().for_each(|line| println!("{line}"));
        match report.broken {
            Some(broken) => {
                println!("seed {seed}: {broken}");
                std::process::exit(1);
            }
            None => println!(
                "seed {seed}: all promises hold; fingerprint {:016x}",
                report.fingerprint
            ),
        }
        return;
    }
    let total = run_all(&options);
    let seconds = total.1;
    let total = total.0;
    println!(
        "{} seeds in {seconds:.1} s: {:.0} seeds a minute, {:.0} simulated s, {:.0} times real time, {} steps",
        total.seeds,
        total.seeds as f64 / seconds * 60.0,
        total.simulated_us as f64 / 1e6,
        total.simulated_us as f64 / 1e6 / seconds,
        total.steps
    );
    for (what, (seeds, all)) in &total.seen {
        println!(
            "{what:>24}: {:5.1} % of seeds, {all} times",
            *seeds as f64 * 100.0 / total.seeds as f64
        );
    }
    for (seed, broken) in &total.broken {
        println!("seed {seed}: {broken}");
        println!("  replay: cargo run --release --example simulate -- --seed {seed} --trace");
    }
    if !total.broken.is_empty() {
        std::process::exit(1);
    }
}

/// Deals the seeds out to as many threads as there are cores.
fn run_all(options: &Options) -> (Total, f64) {
    let began = Instant::now();
    let next = AtomicU64::new(options.seeds.0);
    let stop = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        let mut total = Total::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let late = options.secs.is_some_and(|secs| began.elapsed().as_secs() >= secs);
            if seed >= options.seeds.1 || stop.load(Ordering::Relaxed) || late {
                return total;
            }
            let report = match std::panic::catch_unwind(|| run(seed, false)) {
                Ok(report) => report,
                Err(_) => Report {
                    seed,
                    broken: Some("an assertion failed".into()),
                    simulated_us: 0,
                    steps: 0,
                    seen: BTreeMap::new(),
                    fingerprint: 0,
                    trace: Vec::new(),
                },
            };
            stop.fetch_or(report.broken.is_some() && !options.keep_going, Ordering::Relaxed);
            total.add(report);
        }
    };
    let mut all = Total::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let total = worker.join().expect("a worker catches what a run does");
            all.seeds += total.seeds;
            all.simulated_us += total.simulated_us;
            all.steps += total.steps;
            all.broken.extend(total.broken);
            for (what, (seeds, times)) in total.seen {
                let sum = all.seen.entry(what).or_default();
                sum.0 += seeds;
                sum.1 += times;
            }
        }
    });
    all.broken.sort();
    (all, began.elapsed().as_secs_f64())
}

#[cfg(feature = "bugs")]
fn switch_bug(bug: Option<Bug>) {
    roda::ring::bugs::switch_on(bug);
}

#[cfg(not(feature = "bugs"))]
fn switch_bug(bug: Option<Bug>) {
    if bug.is_some() {
        eprintln!("--bug needs: cargo run --release --features bugs --example simulate");
        std::process::exit(2);
    }
}
