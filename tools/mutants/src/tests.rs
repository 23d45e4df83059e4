//! Runs the tests against each mutant: the unit tests that reach it, then the scripts that do, then seeds of the simulator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Options;
use crate::find::Mutant;
use crate::tree::Built;

/// Which tests reach what, as of one tree.
const REACHED: &str = "target/mutants/reached.json";
/// Where a process notes the mutants that it reaches.
const NOTES: &str = "target/mutants/notes";
/// The outcomes, one JSON object a line.
pub const RESULTS: &str = "target/mutants/results.jsonl";
/// Seeds that are run to learn what the simulator reaches and how long a seed takes.
const SAMPLE_SEEDS: u64 = 100;
/// How many times as long as without a mutant a test may compute.
const SLOWER: f64 = 10.0;
/// Seconds that any test may compute, and wait, besides.
const CALM_SECS: f64 = 2.0;
/// How many times as long as it may compute it may take in all: other programs compute too.
const BUSY: f64 = 40.0;
/// Memory that a test may take, in KiB.
const MEMORY_KIB: u64 = 4 << 20;

/// A test: a unit test, a script or the seeds.
struct Test {
    name: String,
    secs: f64,
    reaches: BTreeSet<usize>,
}

/// How a process ended.
enum End {
    Passed,
    Failed(String),
    Hung,
}

/// What a mutant came to.
pub struct Outcome {
    /// `noticed`, `hang`, `survived` or `unreached`.
    pub what: String,
    /// The tree it was tested in.
    pub tree: String,
}

/// The outcomes noted so far, the last one of each mutant.
pub fn outcomes(root: &Path) -> BTreeMap<String, Outcome> {
    let text = fs::read_to_string(root.join(RESULTS)).unwrap_or_default();
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            continue; // A run that was stopped may leave half a line.
        };
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
        all.insert(
            text("name"),
            Outcome {
                what: text("what"),
                tree: text("tree"),
            },
        );
    }
    all
}

/// Runs a program with a mutant, within limits.
fn spawn(program: &Path, words: &[String], mutant: u32, secs: f64) -> Result<End, String> {
    let compute = CALM_SECS + SLOWER * secs;
    let limit = format!(
        "ulimit -v {MEMORY_KIB}; ulimit -t {}; ulimit -c 0; exec \"$0\" \"$@\"",
        compute.ceil()
    );
    let log = Path::new(NOTES).with_extension(format!("{}.log", std::process::id()));
    let told = |error: std::io::Error| format!("{}: {error}", program.display());
    let out = File::create(&log).map_err(told)?;
    let mut child = Command::new("sh")
        .args(["-c", &limit])
        .arg(program)
        .args(words)
        .env("RODA_MUTANT", mutant.to_string())
        .env("RODA_MUTANTS_REACHED", NOTES)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .map_err(told)?;
    let until = Instant::now() + Duration::from_secs_f64(compute * BUSY);
    let mut nap_ms = 1;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break status;
        }
        if Instant::now() > until {
            child.kill().map_err(told)?;
            child.wait().map_err(told)?;
            return Ok(End::Hung);
        }
        std::thread::sleep(Duration::from_millis(nap_ms));
        nap_ms = (nap_ms + 1).min(20);
    };
    const SIGXCPU: i32 = 24;
    const SIGKILL: i32 = 9;
    if status.success() {
        return Ok(End::Passed);
    } else if matches!(status.signal(), Some(SIGXCPU | SIGKILL)) {
        return Ok(End::Hung);
    }
    let mut text = String::new();
    File::open(&log)
        .and_then(|mut log| log.read_to_string(&mut text))
        .map_err(told)?;
    let failed = text
        .lines()
        .find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let last = text.lines().last().unwrap_or("died").to_string();
    Ok(End::Failed(failed.map_or(last, str::to_string)))
}

/// Runs a test without a mutant, and notes what it reaches.
fn measure(program: &Path, name: &str, words: &[String]) -> Result<Test, String> {
    let _ = fs::remove_file(NOTES);
    let began = Instant::now();
    match spawn(program, words, u32::MAX, 120.0)? {
        End::Passed => {}
        End::Failed(_) | End::Hung => return Err(format!("{name} fails without any mutant")),
    }
    let secs = began.elapsed().as_secs_f64();
    let text = fs::read_to_string(NOTES).unwrap_or_default();
    let reaches = text.lines().filter_map(|line| line.parse().ok()).collect();
    Ok(Test {
        name: name.into(),
        secs,
        reaches,
    })
}

fn exact(names: &[&str]) -> Vec<String> {
    let switches = ["--exact", "--test-threads", "1"];
    switches.iter().chain(names).map(ToString::to_string).collect()
}

/// The unit tests of the core: those of the host use sockets and clocks, and a busy machine can make them fail.
fn unit_tests(built: &Built) -> Result<Vec<String>, String> {
    let output = Command::new(&built.unit_tests)
        .arg("--list")
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names
        .filter(|name| !name.starts_with("host::"))
        .map(String::from)
        .collect())
}

/// The scripts, by path.
fn scripts(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("tests/scenarios");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path().to_string_lossy().into_owned());
    let mut paths: Vec<String> = paths.filter(|path| path.ends_with(".txt")).collect();
    paths.sort();
    Ok(paths)
}

/// All tests, each with what it reaches: units, scripts, and the seeds.
struct Tests {
    units: Vec<Test>,
    scripts: Vec<Test>,
    seeds: Test,
}

fn all(root: &Path, built: &Built) -> Result<Tests, String> {
    let stored = fs::read_to_string(root.join(REACHED)).unwrap_or_default();
    let stored: Value = serde_json::from_str(&stored).unwrap_or_default();
    if stored["tree"] == json!(built.tree) {
        let list = |key: &str| {
            stored[key]
                .as_array()
                .map(|all| all.iter().map(read).collect())
                .unwrap_or_default()
        };
        return Ok(Tests {
            units: list("units"),
            scripts: list("scripts"),
            seeds: read(&stored["seeds"]),
        });
    }
    let (mut units, mut plays) = (Vec::new(), Vec::new());
    for name in unit_tests(built)? {
        units.push(measure(&built.unit_tests, &name, &exact(&[&name]))?);
    }
    for path in scripts(root)? {
        plays.push(measure(&built.runner, &path, &["script".into(), path.clone()])?);
    }
    let words = ["seeds".to_string(), "1".into(), (1 + SAMPLE_SEEDS).to_string()];
    let seeds = measure(&built.runner, "seeds", &words)?;
    let list = |tests: &[Test]| tests.iter().map(write).collect::<Vec<_>>();
    let stored = json!({
        "tree": built.tree, "units": list(&units), "scripts": list(&plays), "seeds": write(&seeds),
    });
    fs::write(root.join(REACHED), stored.to_string()).map_err(|error| format!("{REACHED}: {error}"))?;
    Ok(Tests {
        units,
        scripts: plays,
        seeds,
    })
}

fn write(test: &Test) -> Value {
    json!({"name": test.name, "secs": test.secs, "reaches": test.reaches})
}

fn read(value: &Value) -> Test {
    let reaches = value["reaches"].as_array().cloned().unwrap_or_default();
    Test {
        name: value["name"].as_str().unwrap_or_default().into(),
        secs: value["secs"].as_f64().unwrap_or(1.0),
        reaches: reaches
            .iter()
            .filter_map(|number| Some(number.as_u64()? as usize))
            .collect(),
    }
}

/// Tests one mutant, cheap tests first.
fn judge(
    tests: &Tests,
    built: &Built,
    number: usize,
    seeds: u64,
    luck: &mut BTreeMap<String, f64>,
) -> Result<(&'static str, String), String> {
    let reaching = |list: &'_ [Test]| {
        let own = list.iter().filter(|test| test.reaches.contains(&number));
        own.map(|test| (test.name.clone(), test.secs)).collect::<Vec<_>>()
    };
    let secs = |list: &[(String, f64)]| list.iter().map(|(_, secs)| secs).sum::<f64>();
    let (units, mut plays) = (reaching(&tests.units), reaching(&tests.scripts));
    let in_seeds = tests.seeds.reaches.contains(&number);
    if units.is_empty() && plays.is_empty() && !in_seeds {
        return Ok(("unreached", String::new()));
    }
    // The scripts that noticed most so far for their time go first.
    let worth =
        |name: &str, secs: f64, luck: &BTreeMap<String, f64>| -(luck.get(name).unwrap_or(&0.5) / secs);
    plays.sort_by(|a, b| worth(&a.0, a.1, luck).total_cmp(&worth(&b.0, b.1, luck)));
    let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).collect();
    let script: Vec<String> = std::iter::once("script")
        .chain(plays.iter().map(|(name, _)| name.as_str()))
        .map(String::from)
        .collect();
    let seeding = ["seeds".to_string(), "1".into(), (1 + seeds).to_string()];
    let stages = [
        (!units.is_empty(), &built.unit_tests, exact(&names), secs(&units)),
        (!plays.is_empty(), &built.runner, script, secs(&plays)),
        (
            in_seeds,
            &built.runner,
            seeding.to_vec(),
            tests.seeds.secs * seeds as f64 / SAMPLE_SEEDS as f64,
        ),
    ];
    for (_, program, words, secs) in stages.iter().filter(|stage| stage.0) {
        match spawn(program, words, number as u32, *secs)? {
            End::Passed => {}
            End::Hung => return Ok(("hang", words[0].clone())),
            End::Failed(by) => {
                *luck.entry(by.clone()).or_insert(0.5) += 1.0;
                return Ok(("noticed", by));
            }
        }
    }
    Ok(("survived", String::new()))
}

/// Tests every mutant that is asked for and has no outcome.
pub fn run(root: &Path, mutants: &[Mutant], built: &Built, options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let tests = all(root, built)?;
    eprintln!(
        "{} mutants; without one {} unit tests take {:.1} s, {} scripts {:.1} s, {SAMPLE_SEEDS} seeds {:.1} s",
        built.numbers.len(),
        tests.units.len(),
        tests.units.iter().map(|test| test.secs).sum::<f64>(),
        tests.scripts.len(),
        tests.scripts.iter().map(|test| test.secs).sum::<f64>(),
        tests.seeds.secs
    );
    let known = outcomes(root);
    let mut results = File::options()
        .create(true)
        .append(true)
        .open(root.join(RESULTS))
        .map_err(|error| format!("{RESULTS}: {error}"))?;
    let mut luck = BTreeMap::new();
    let mut count = 0;
    for number in &built.numbers {
        let mutant = &mutants[number - 1];
        let (part, of) = options.shard;
        if !options.wants(&mutant.name) || number % of != part - 1 {
            continue;
        }
        if let Some(outcome) = known.get(&mutant.name) {
            let noticed = outcome.what == "noticed" || outcome.what == "hang";
            let counts = outcome.tree == built.tree || (options.keep && noticed);
            if counts && (noticed || !options.again) {
                continue;
            }
        }
        if began.elapsed().as_secs() / 60 >= options.minutes {
            eprintln!("time is up; call it again to go on");
            break;
        }
        let (what, by) = judge(&tests, built, *number, options.seeds, &mut luck)?;
        let line = json!({"name": mutant.name, "what": what, "by": by, "tree": built.tree});
        results
            .write_all(format!("{line}\n").as_bytes())
            .map_err(|error| format!("{RESULTS}: {error}"))?;
        count += 1;
        if what == "survived" || what == "unreached" {
            eprintln!("{what}: {}:{}\t{}", mutant.file, mutant.line, mutant.name);
        }
    }
    eprintln!("{count} mutants tested in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
