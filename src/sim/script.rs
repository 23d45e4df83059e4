//! Scenario scripts: protocol tests as text files, with commands and the expected trace.
//!
//! A script is played in a [`World`] of its own, with a fixed seed and calm weather, no artificial delay and no
//! timed checkpoints unless it says otherwise. Every step is checked by the checker; a broken promise fails the script.
//!
//! ```text
//! # A comment. The first ones say what happens and why it must.
//!
//! > start 1 2
//! > until settled
//! 1,2: ring 1.1 [1,2] joined [1,2] left [] first #1
//! ```
//!
//! Lines that begin with `> ` are commands; those that follow directly, up to a blank line or a comment, are what the
//! nodes tell meanwhile: the nodes, then a notice in words. What several nodes tell alike is told once; each node's own
//! order is kept. Rings are epoch.leader, lines are id-counter; incarnations and times are left out.
//!
//! | command | what it does |
//! |---|---|
//! | `seed N` | another seed than 1; first of all |
//! | `config delay=0..150ms quorum=2 timeout=200ms catch-up=off checkpoint=2s accelerated=on` | for nodes that start from now on |
//! | `weather loss=5% double=1% garble=1% delay=50us..2ms` | how the network is from now on |
//! | `start 1 2`, `crash 2`, `restart 2`, `wipe 2`, `leave 2` | `3b` is another process that claims the id 3 |
//! | `crash 2 MOMENT` | lets time pass up to the moment, and kills the node there; nothing unsynced is kept |
//! | `crash 2 keeping disk` | kills it, but what the disk had under way is kept |
//! | `crash 2 with its host` | kills it, and nobody says that its port is closed |
//! | `forge closed 3 to 1` | somebody forges a report to 1 that the port of 3 is closed |
//! | `sleep 2 [MOMENT]`, `wake 2` | the process is stopped; what it was about to send it sends on waking |
//! | `clock 3 behind 1h` | the wall clock is wrong when the node starts |
//! | `say 1 TEXT`, `say 1 3000 bytes of TEXT` | a user says a line |
//! | `run 500ms` | lets time pass |
//! | `until settled \| converged \| operational [within T]` | one quiet ring; and equal replicas; rings of whatever size |
//! | `until 1,2: WORDS [within T]` | until each has told something that begins with these words |
//! | `cut 1,2 \| 3`, `cut 1 -> 2`, `cut multicast 3`, `heal` | links |
//! | `lose 2 token from 1 to 2`, `double data`, `delay token 300ms` | the next so many (or `all`) datagrams of a kind, or `any` |
//! | `garbage 1000 to 1`, `replay to 1` | bad datagrams; all datagrams that were ever sent, once more |
//! | `tell held grant`, `hush fenced` | more, or less, is told from now on (see `TOLD`) |
//! | `show ring`, `show log 1`, `show replicas`, `show outbox 1`, `show refused 1`, `show why 1` | tells it below |
//! | `count`, `show datagrams` | begins to count; datagrams by kind since then |
//! | `expect converged`, `expect equal 1 2`, `expect once TEXT`, `expect nowhere TEXT`, `expect datagrams at most 60`, `expect gone 3`, `expect alive 3` | fails if not |
//!
//! A MOMENT is `before KIND [N]` or `after KIND [N]` (about to send, or having just sent, its Nth datagram of that kind
//! from now), `once it stored WHAT` (synced, and not told to the node yet), or `when it holds the token`.

mod command;
mod report;
mod show;
mod stage;

use super::world::{Happened, World};
use command::Command;
use stage::Stage;

/// How many lines of the trace a failure shows.
const TRACE_LINES: usize = 80;

/// Why a script could not be played to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the command that failed, from 1.
    pub line: usize,
    /// The promise that was broken, the expectation that was not met, or what is wrong with the command.
    pub reason: String,
    /// The last that happened before, in words.
    pub trace: Vec<String>,
}

/// Plays a script. Returns its text with the output as it is now; it is equal to `text` if all is as expected.
pub fn play(text: &str) -> Result<String, Failure> {
    play_on(&mut Stage::new(), text)
}

/// Plays a script and returns what a recording of it keeps.
pub fn record(text: &str) -> Result<Vec<Happened>, Failure> {
    let mut stage = Stage::new();
    stage.world.hooks.happened = Some(Vec::new());
    play_on(&mut stage, text)?;
    Ok(stage.world.hooks.happened.take().unwrap_or_default())
}

fn play_on(stage: &mut Stage, text: &str) -> Result<String, Failure> {
    let mut lines = text.lines().enumerate().peekable();
    let mut played = String::new();
    while let Some((number, line)) = lines.next() {
        played += line;
        played.push('\n');
        let Some(command) = line.strip_prefix("> ") else {
            continue;
        };
        let failure = |reason: String, world: &World| Failure {
            line: number + 1,
            reason,
            trace: last_of(world),
        };
        let command = Command::parse(command).map_err(|reason| failure(reason, &stage.world))?;
        if let Err(reason) = stage.perform(&command) {
            return Err(failure(reason, &stage.world));
        }
        let is_last = lines.peek().is_none_or(|(_, next)| !next.starts_with("> "));
        if is_last {
            // What the script expected here is left out, and what was told is put in its place.
            while lines.next_if(|(_, next)| is_output(next)).is_some() {}
            for told in stage.take_output() {
                played += told.trim_end();
                played.push('\n');
            }
        }
    }
    Ok(played)
}

/// Whether a line behind a command is expected output.
fn is_output(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#') && !line.starts_with("> ")
}

/// The end of a world's trace.
fn last_of(world: &World) -> Vec<String> {
    let trace = world.trace.as_deref().unwrap_or_default();
    trace[trace.len().saturating_sub(TRACE_LINES)..].to_vec()
}

/// Where two texts differ first: the line, what was expected, and what came.
pub fn difference(expected: &str, came: &str) -> Option<(usize, String, String)> {
    let (mut left, mut right) = (expected.lines(), came.lines());
    let mut line = 1;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (a, b) if a == b => line += 1,
            (a, b) => {
                let end = |line: Option<&str>| line.unwrap_or("(the end)").to_string();
                return Some((line, end(a), end(b)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: &str = "# Calm.\n\n> start 1 2\n> until settled\n1,2: gathering: this node starts\n\
        1,2: ring 1.1 [1,2] joined [1,2] left [] first #1\n";

    #[test]
    fn a_script_that_tells_the_truth_is_unchanged() {
        assert_eq!(play(CALM), Ok(CALM.to_string()));
    }

    #[test]
    fn a_wrong_or_missing_line_is_found_and_corrected() {
        let wrong = CALM.replace("first #1", "first #2");
        let played = play(&wrong).unwrap();
        assert_eq!(played, CALM);
        let (line, expected, came) = difference(&wrong, &played).unwrap();
        assert_eq!(line, 6);
        assert!(expected.ends_with("#2") && came.ends_with("#1"));
        let silent: String = CALM.lines().take(4).map(|line| format!("{line}\n")).collect();
        assert_eq!(play(&silent), Ok(CALM.to_string()));
        assert_eq!(difference(CALM, CALM), None);
    }

    #[test]
    fn an_expectation_that_is_not_met_fails_with_its_line_and_a_trace() {
        let unmet = [
            "expect nowhere oi",
            "expect gone 1",
            "expect alive 3",
            "expect datagrams at most 0",
            "expect once nothing of this",
            "until 1: moved within 10ms",
            "crash 2 before leave",
        ];
        for line in unmet {
            let script = format!("{CALM}\n> count\n> say 1 oi\n> until converged\n> {line}\n");
            let failure = play(&script).expect_err(line);
            assert_eq!(failure.line, 11, "{line}: {}", failure.reason);
            assert!(!failure.trace.is_empty(), "{line}");
        }
    }

    #[test]
    fn replicas_that_differ_are_not_equal() {
        let script = format!(
            "{CALM}\n> config catch-up=off\n> cut 1 | 2\n> run 2s\n> say 1 oi\n> run 2s\n> expect equal 1 2\n"
        );
        let failure = play(&script).expect_err("only 1 has the line");
        assert!(failure.reason.contains("differ"), "{}", failure.reason);
    }

    #[test]
    fn a_broken_promise_fails_the_script() {
        // A disk that forgets behind the node's back: the line was acknowledged, and is nowhere.
        let script =
            format!("{CALM}\n> say 1 oi\n> until converged\n> crash 1 2\n> wipe 1 2\n> expect converged\n");
        assert!(play(&script).is_ok(), "a wiped disk is known to the checker");
        let mut stage = Stage::new();
        for line in ["start 1", "until settled", "say 1 oi", "run 1s", "crash 1"] {
            stage.perform(&Command::parse(line).unwrap()).unwrap();
        }
        stage
            .world
            .disks
            .values_mut()
            .for_each(|disk| *disk = Default::default());
        let expectation = Command::parse("expect converged").unwrap();
        let broken = stage.perform(&expectation).expect_err("the line is gone");
        assert!(broken.starts_with("nothing lost"), "{broken}");
    }

    #[test]
    fn a_command_that_is_not_understood_fails() {
        for line in [
            "jump 1",
            "start x",
            "run 5",
            "lose tokens",
            "crash 1 after lunch",
            "say 1",
        ] {
            let failure = play(&format!("> {line}\n")).expect_err(line);
            assert_eq!(failure.line, 1, "{line}");
        }
        let failure = play("> say 7 oi\n").expect_err("nobody is there");
        assert!(failure.reason.contains("7"), "{}", failure.reason);
    }
}
