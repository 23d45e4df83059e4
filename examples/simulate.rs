//! Runs seeds of the simulator: `simulate --seeds 1..2001` on all cores; one with its trace: `simulate --seed 7
//! --trace`; a failing one made smaller: `simulate --seed 7 --shrink`; large rings in calm weather, measured in simulated
//! time: `simulate --scale 3,16,64,200`. What the nodes of a seed or of a script tell, as a recording for `node
//! replay`: `simulate --seed 7 --record FILE`, `simulate --script tests/scenarios/calm_ring.txt --record FILE`.
#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures how long it takes, and writes failures to a file"
)]

mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use roda::bugs::Bug;
use roda::sim::plan::{Mask, Plan};
use roda::sim::run::{Report, record_plan, run_plan};
use roda::sim::scale::{self, Scale};
use roda::sim::script;
use roda::sim::shrink::shrink;
use roda::sim::throughput::{self, Throughput};
use roda::sim::world::Happened;
use roda::words::NodeId;

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
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Write what all nodes tell to this file, as a recording.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Play this script instead of a seed, and record it.
    #[arg(long, value_name = "FILE", requires = "record", conflicts_with = "seed")]
    script: Option<PathBuf>,
    /// Make the failing run smaller, and say how to run what is left.
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// How many runs --shrink may take.
    #[arg(long, default_value_t = 2_000)]
    shrink_runs: u32,
    /// Leave these decisions of the plan out, as 1,4..9.
    #[arg(long, requires = "seed", default_value = "")]
    without: String,
    /// Leave these nodes out, as 2,5.
    #[arg(long, requires = "seed", value_delimiter = ',')]
    absent: Vec<u16>,
    /// The network loses, doubles and garbles nothing at the beginning.
    #[arg(long, requires = "seed")]
    calm: bool,
    /// Users say one short line at a time, and nothing is reconciled at the end.
    #[arg(long, requires = "seed")]
    terse: bool,
    /// Only the seeds whose runs have a quorum: about a quarter.
    #[arg(long, conflicts_with = "seed")]
    quorum: bool,
    /// Measure rings of so many members, 2 to 200, and print one JSON object for each.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(2..=200), conflicts_with = "seeds")]
    scale: Vec<u16>,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Use this many threads instead of one for each core.
    #[arg(long)]
    jobs: Option<usize>,
    /// Stop after this many seconds.
    #[arg(long)]
    secs: Option<u64>,
    /// Stop after this many minutes.
    #[arg(long, conflicts_with = "secs")]
    minutes: Option<u64>,
    /// Where failures are written, one a line; the file is made when there is one.
    #[arg(long, default_value = "simulate-failures.txt")]
    failures: PathBuf,
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

impl Options {
    fn mask(&self) -> Mask {
        Mask {
            without: Mask::parse_without(&self.without).unwrap_or_else(|error| {
                eprintln!("--without: {error}");
                std::process::exit(2);
            }),
            absent: self.absent.iter().copied().map(NodeId).collect::<BTreeSet<_>>(),
            calm: self.calm,
            terse: self.terse,
        }
    }

    fn time_limit(&self) -> Option<Duration> {
        let secs = self.secs.or(self.minutes.map(|minutes| minutes * 60));
        secs.map(Duration::from_secs)
    }
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

    fn join(&mut self, other: Total) {
        self.seeds += other.seeds;
        self.simulated_us += other.simulated_us;
        self.steps += other.steps;
        self.broken.extend(other.broken);
        for (what, (seeds, times)) in other.seen {
            let sum = self.seen.entry(what).or_default();
            sum.0 += seeds;
            sum.1 += times;
        }
    }

    fn tell(&self, seconds: f64) {
        let simulated = self.simulated_us as f64 / 1e6;
        println!(
            "{} seeds in {seconds:.1} s: {:.0} seeds a minute, {} failed",
            self.seeds,
            self.seeds as f64 / seconds * 60.0,
            self.broken.len()
        );
        println!(
            "{} simulated, {:.0} times as fast as real time, {} steps",
            long_time(simulated),
            simulated / seconds,
            self.steps
        );
        for (what, (seeds, all)) in &self.seen {
            let share = *seeds as f64 * 100.0 / self.seeds as f64;
            println!("{what:>28}: {share:5.1} % of seeds, {all} times");
        }
    }
}

fn long_time(seconds: f64) -> String {
    let hours = seconds / 3600.0;
    let years = hours / 24.0 / 365.25;
    if years >= 0.1 {
        format!("{hours:.0} hours ({years:.2} years)")
    } else {
        format!("{hours:.2} hours")
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
    if !options.scale.is_empty() {
        return measure_scale(&options);
    }
    if let Some(script) = &options.script {
        return record_script(script, &options);
    }
    match options.seed {
        None if options.record.is_some() => usage("--record needs --seed or --script"),
        Some(seed) if options.shrink => make_smaller(seed, &options),
        Some(seed) => run_one(seed, &options),
        None => run_all(&options),
    }
}

/// Measures rings of several sizes, and ends the process if a promise is broken.
fn measure_scale(options: &Options) {
    for members in &options.scale {
        let began = Instant::now();
        let seed = options.seed.unwrap_or(1);
        let measured = scale::measure(*members, seed)
            .and_then(|scale| Ok((scale, throughput::measure(*members, seed)?)));
        let took_s = began.elapsed().as_secs_f64();
        match measured {
            Ok((scale, load)) => println!("{}", scale_row(&scale, &load, took_s)),
            Err(broken) => {
                println!("{members} members, after {took_s:.1} s: {broken}");
                std::process::exit(1);
            }
        }
    }
}

fn scale_row(scale: &Scale, load: &Throughput, took_s: f64) -> serde_json::Value {
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    serde_json::json!({
        "members": scale.members,
        "form_ms": scale.form_us as f64 / 1e3, "form_datagrams": scale.form_datagrams,
        "join_ms": scale.join_us as f64 / 1e3, "join_datagrams": scale.join_datagrams,
        "chat_ms": scale.chat_us as f64 / 1e3, "chat_max_ms": scale.chat_max_us as f64 / 1e3,
        "written_ms": scale.written_us as f64 / 1e3, "chat_datagrams": scale.chat_datagrams, "rotation_ms": scale.rotation_us as f64 / 1e3,
        "killed_ms": scale.killed_us as f64 / 1e3, "host_gone_ms": scale.host_gone_us as f64 / 1e3,
        "host_gone_datagrams": scale.host_gone_datagrams, "unnoticed_s": scale.unnoticed_us as f64 / 1e6,
        "return_ms": scale.return_us as f64 / 1e3, "messages_per_s": load.messages_per_s, "loaded_rotation_ms": load.rotation_us as f64 / 1e3,
        "per_visit": tenths(load.per_visit), "link_percent": tenths(load.link_percent),
        "steps": scale.steps, "took_s": tenths(took_s),
    })
}

/// Runs one seed and ends the process with its verdict.
fn run_one(seed: u64, options: &Options) {
    let plan = Plan::masked(seed, &options.mask());
    let report = match &options.record {
        Some(path) => {
            let (report, happened) = record_plan(&plan, options.trace);
            write_recording(path, &happened);
            report
        }
        None => run_plan(&plan, options.trace),
    };
    let mut out = std::io::stdout().lock();
    let told = report.trace.iter().try_for_each(|line| writeln!(out, "{line}"));
    if told.is_err() {
        // Whoever read has read enough.
        return;
    }
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
}

/// Plays a script and records it.
fn record_script(script: &Path, options: &Options) {
    let text = std::fs::read_to_string(script).unwrap_or_else(|error| {
        usage(&format!("{}: {error}", script.display()));
    });
    match (script::record(&text), &options.record) {
        (Ok(happened), Some(path)) => write_recording(path, &happened),
        (Ok(_), None) => {}
        (Err(failure), _) => {
            println!("{}:{}: {}", script.display(), failure.line, failure.reason);
            std::process::exit(1);
        }
    }
}

fn write_recording(path: &Path, happened: &[Happened]) {
    let text = recorded::recording(happened);
    if let Err(error) = std::fs::write(path, &text) {
        eprintln!("cannot write {}: {error}", path.display());
        std::process::exit(1);
    }
    println!("{} events are in {}", text.lines().count(), path.display());
}

/// Ends the process for a wrong command line.
fn usage(what: &str) -> ! {
    eprintln!("{what}");
    std::process::exit(2);
}

/// Makes the run of a seed smaller.
fn make_smaller(seed: u64, options: &Options) {
    // Assertions that fail on the way are part of the search.
    std::panic::set_hook(Box::new(|_| {}));
    let Some(small) = shrink(seed, options.mask(), options.shrink_runs) else {
        println!("seed {seed}: all promises hold; there is nothing to make smaller");
        return;
    };
    let plan = Plan::masked(seed, &small.mask);
    println!(
        "seed {seed}, after {} runs: {} of {} decisions and {} nodes are left",
        small.runs,
        small.decisions,
        plan.decisions.len(),
        plan.nodes.len()
    );
    for (number, decision) in plan.decisions.iter().enumerate() {
        let left_out = small.mask.without.contains(&number);
        if !left_out {
            println!("{number:>4}: {}", decision.deed);
        }
    }
    println!("{}", small.broken);
    println!("{}", replay(seed, &small.mask));
    std::process::exit(1);
}

/// The command that runs a seed again.
fn replay(seed: u64, mask: &Mask) -> String {
    format!("cargo run --release --example simulate -- --seed {seed}{mask} --trace")
}

/// Runs all seeds and ends the process with the verdict.
fn run_all(options: &Options) {
    let began = Instant::now();
    let mut total = deal(options, began);
    total.tell(began.elapsed().as_secs_f64());
    total.broken.sort();
    for (seed, broken) in &total.broken {
        println!("seed {seed}: {broken}");
        println!("  replay: {}", replay(*seed, &Mask::default()));
    }
    if !total.broken.is_empty() {
        println!("the failures are in {}", options.failures.display());
        std::process::exit(1);
    }
}

/// What the threads share.
struct Shared<'a> {
    options: &'a Options,
    began: Instant,
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    running: AtomicU64,
    stop: AtomicBool,
}

impl Shared<'_> {
    /// Runs seed after seed.
    fn work(&self) -> Total {
        let mut total = Total::default();
        let limit = self.options.time_limit();
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let late = limit.is_some_and(|limit| self.began.elapsed() >= limit);
            if seed >= self.options.seeds.1 || self.stop.load(Ordering::Relaxed) || late {
                self.running.fetch_sub(1, Ordering::Relaxed);
                return total;
            }
            let plan = Plan::new(seed);
            if self.options.quorum && plan.quorum == 0 {
                self.done.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let report = run_plan(&plan, false);
            if let Some(broken) = &report.broken {
                self.write_down(seed, broken);
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.stop.fetch_or(!self.options.keep_going, Ordering::Relaxed);
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            total.add(report);
        }
    }

    /// One line for a failure, at once: the whole run may be stopped any time.
    fn write_down(&self, seed: u64, broken: &str) {
        let path = &self.options.failures;
        let mut how = std::fs::OpenOptions::new();
        let file = how.create(true).append(true).open(path);
        let line = format!("{seed}\t{}\t{broken}\n", replay(seed, &Mask::default()));
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("cannot write to {}: {error}; {line}", path.display());
        }
    }

    /// Tells how far it is until all threads have ended: a bar on a terminal, else a line now and then.
    fn progress(&self) {
        let (from, to) = self.options.seeds;
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(to - from));
        let style = "{bar:30} {pos} of {len} seeds, {per_sec}, {eta} to go, {msg}";
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template(style)) {
            bar.set_style(style);
        }
        let mut next_line = Duration::from_secs(10);
        while self.running.load(Ordering::Relaxed) > 0 {
            std::thread::park_timeout(Duration::from_millis(200));
            let (done, failed) = (
                self.done.load(Ordering::Relaxed),
                self.failed.load(Ordering::Relaxed),
            );
            let passed = self.began.elapsed();
            match &bar {
                Some(bar) => {
                    bar.set_position(done);
                    bar.set_message(format!("{failed} failed"));
                }
                None if passed >= next_line => {
                    next_line = passed + Duration::from_secs(10);
                    let rate = done as f64 / passed.as_secs_f64();
                    let to_go = (to - from - done.min(to - from)) as f64 / rate.max(0.1);
                    eprintln!(
                        "{done} of {} seeds, {:.0} a minute, {to_go:.0} s to go, {failed} failed",
                        to - from,
                        rate * 60.0
                    );
                }
                None => {}
            }
        }
        bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Deals the seeds out to the threads.
fn deal(options: &Options, began: Instant) -> Total {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.jobs.unwrap_or(cores).max(1);
    let shared = Shared {
        options,
        began,
        next: AtomicU64::new(options.seeds.0),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        running: AtomicU64::new(threads as u64),
        stop: AtomicBool::new(false),
    };
    let mut all = Total::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| shared.work())).collect();
        let progress = scope.spawn(|| shared.progress());
        for worker in workers {
            all.join(worker.join().expect("a worker catches what a run does"));
        }
        progress.thread().unpark();
    });
    all
}

#[cfg(feature = "bugs")]
fn switch_bug(bug: Option<Bug>) {
    roda::bugs::switch_on(bug);
}

#[cfg(not(feature = "bugs"))]
fn switch_bug(bug: Option<Bug>) {
    if bug.is_some() {
        eprintln!("--bug needs: cargo run --release --features bugs --example simulate");
        std::process::exit(2);
    }
}
