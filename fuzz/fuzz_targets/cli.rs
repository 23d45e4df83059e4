//! What people write: the command line, durations, chaos, groups, slash commands, Tab.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use roda::host::chaos::ChaosPlan;
use roda::host::cli::{self, duration};
use roda::host::terminal::command::{self, Typed};
use roda::host::terminal::complete::{Words, complete};
use roda::host::terminal::lang::Voice;
use roda::host::terminal::visible;

/// The longest of a day, in microseconds.
const DAY_US: u64 = 24 * 3_600_000_000;

fn texts(text: &str) {
    if let Ok(read) = duration::parse(text) {
        assert!(read.0 <= DAY_US, "no duration is longer than a day");
        let shown = duration::show(read.0);
        assert_eq!(duration::parse(&shown), Ok(read), "{text} is shown as {shown}");
    }
    if let Ok(range) = duration::parse_range(text) {
        assert!(range.min_us <= range.max_us, "a range has a lower end");
    }
    if let Ok(plan) = text.parse::<ChaosPlan>() {
        assert!(
            plan.drop_ppm <= 1_000_000 && plan.dup_ppm <= 1_000_000,
            "a share is of a whole"
        );
        assert!(plan.delay_min_us <= plan.delay_max_us, "a delay is a range");
        assert_eq!(plan.to_string().parse(), Ok(plan), "a plan reads as it is shown");
    }
    if let Ok(group) = cli::group(text) {
        assert!(group.ip().is_multicast() && group.port() > 0);
        assert_eq!(cli::group(&group.to_string()), Ok(group));
    }
    match command::read(text) {
        Typed::Nothing => assert!(text.trim().is_empty()),
        Typed::Say(said) => assert!(text.ends_with(&said) && !said.is_empty()),
        Typed::Slash(_) => assert!(text.starts_with('/')),
        Typed::Wrong(wrong) => {
            let why = wrong.text(Voice::default());
            assert!(!why.is_empty() && !why.contains('\u{1b}'), "{why:?}");
        }
    }
    let words = Words {
        rooms: vec!["geral".into(), "sala".into()],
        people: vec!["ana".into(), "josé".into()],
    };
    for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (start, _) = complete(text, at, &words);
        assert!(
            start <= at && text.is_char_boundary(start),
            "a word begins before its end"
        );
    }
    let name = visible::name(text);
    assert!(
        !name.chars().any(|c| c.is_control()),
        "nothing that is shown controls the terminal: {name:?}"
    );
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        text.split('\0').for_each(texts);
    }
    let words = data
        .split(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word.to_vec()));
    let all = std::iter::once(OsString::from("node")).chain(words.take(16));
    match cli::parse(all) {
        Ok(cli::Invocation::Node(node)) => {
            assert!(node.id.0 > 0 && node.delay_min_us <= node.delay_max_us);
            assert!(cli::is_sane_name(&node.name_or(None, None)));
        }
        Ok(cli::Invocation::Bench(bench)) => {
            assert!((1..=200).contains(&bench.members) && bench.size > 0 && bench.secs > 0);
            assert!(bench.id.is_none_or(|id| id.0 > 0) && bench.rate != Some(0));
        }
        Ok(cli::Invocation::Doctor(doctor)) => assert!(doctor.id.is_none_or(|id| id.0 > 0)),
        Ok(cli::Invocation::Replay(replay)) => {
            assert!(!replay.files.is_empty() && replay.width > 0);
        }
        Ok(
            cli::Invocation::Demo(_)
            | cli::Invocation::Keygen(_)
            | cli::Invocation::Print(_)
            | cli::Invocation::Manual(_),
        ) => {}
        Err(error) => assert!(!error.to_string().is_empty(), "an error says something"),
    }
});
