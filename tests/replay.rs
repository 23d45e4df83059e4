//! Recordings read back: cut, damaged and newer ones, one order of several nodes, the log for ShiViz with clocks that
//! agree with what happened before what, and the space-time diagram.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests write and read files, and end where they fail.

#[path = "replay/before.rs"]
mod before;
#[path = "replay/page.rs"]
mod page;
#[path = "replay/real.rs"]
mod real;
#[path = "../examples/recorded/mod.rs"]
mod recorded;
mod support;
#[path = "replay/xml.rs"]
mod xml;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use before::{agrees, log_of};
use roda::host::replay::svg;
use roda::host::replay::{Play, shiviz};
use roda::host::terminal::lang::{Lang, Voice};
use roda::sim::plan::{Mask, Plan};
use roda::sim::run::record_plan;
use roda::sim::script;
use serde_json::Value;

/// The recording of the scenario whose picture is in the docs.
fn scenario() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/partition_and_merge.txt");
    let text = std::fs::read_to_string(path).unwrap();
    recorded::recording(&script::record(&text).unwrap())
}

fn of_seed(seed: u64) -> String {
    let (report, happened) = record_plan(&Plan::masked(seed, &Mask::default()), false);
    assert!(report.broken.is_none(), "seed {seed}: {:?}", report.broken);
    recorded::recording(&happened)
}

/// A folder with recordings.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn replay(&self, names: &[&str], words: &[&str]) -> Output {
        self.replay_in(&[], names, words)
    }

    /// The same with these variables, and none of those of whoever runs the tests.
    fn replay_in(&self, variables: &[(&str, &str)], names: &[&str], words: &[&str]) -> Output {
        let mut command = support::piped(Command::new(env!("CARGO_BIN_EXE_node")));
        command
            .current_dir(self.0.path())
            .envs(variables.iter().copied())
            .arg("replay")
            .args(names)
            .args(words);
        command.output().unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_recording_is_told_in_words_in_order() {
    let files = Files::new();
    files.write("all.jsonl", scenario());
    let told = files.replay(&["all.jsonl"], &[]);
    assert_eq!(told.status.code(), Some(0), "{}", talk(&told));
    assert_eq!(talk(&told), "");
    let text = out(&told);
    assert_eq!(text.lines().count(), scenario().lines().count());
    for part in [
        "ring 1.1 of 1,2,3,4,5",
        "#1 n2·2: bom dia",
        "passes the token to 3",
        "is cut off from 3,4,5",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let only = out(&files.replay(&["all.jsonl"], &["--only", "message", "--from", "3s"]));
    assert!(only.lines().all(|line| line.contains('#')), "{only}");
    assert!(
        only.contains("are you there?") && !only.contains("bom dia"),
        "{only}"
    );
    let nothing = files.replay(&["all.jsonl"], &["--only", "rekeyed"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(talk(&nothing).contains("nothing happened"), "{}", talk(&nothing));
}

#[test]
fn the_language_is_that_of_who_reads_and_of_files_that_which_is_asked_for() {
    let files = Files::new();
    files.write("all.jsonl", scenario());
    let said = |variables: &[(&str, &str)], words: &[&str]| {
        let told = files.replay_in(variables, &["all.jsonl"], words);
        assert_eq!(told.status.code(), Some(0), "{}", talk(&told));
        out(&told)
    };
    let (english, pt, es) = (
        "passes the token to 3",
        "passa a ficha a 3",
        "pasa el testigo a 3",
    );
    for (variables, words, part) in [
        (&[("LANG", "pt_BR.UTF-8")][..], &[][..], pt),
        (&[("LANG", "pt_BR.UTF-8"), ("RODA_LANG", "es")], &[], es),
        (
            &[("LANG", "pt_BR.UTF-8"), ("RODA_LANG", "es")],
            &["--lang", "en"],
            english,
        ),
        (&[("LANG", "pt_BR.UTF-8")], &["--shiviz", "-"], english),
        (&[("LANG", "pt_BR.UTF-8")], &["--svg", "-"], english),
        (&[("RODA_LANG", "es")], &["--shiviz", "-"], es),
        (&[], &["--svg", "-", "--lang", "pt"], pt),
    ] {
        let text = said(variables, words);
        for other in [english, pt, es] {
            assert_eq!(
                text.contains(other),
                other == part,
                "{variables:?} {words:?}: {other}"
            );
        }
    }
    let written = files.replay(&["all.jsonl"], &["--lang", "pt", "--svg", "out.svg"]);
    assert_eq!(talk(&written), "o diagrama de espaço e tempo está em out.svg\n");
}

#[test]
fn a_picture_is_whole_in_every_language() {
    let files = Files::new();
    let path = files.write("all.jsonl", scenario());
    let play = Play::open(&[path]).unwrap();
    let drawn = |lang| svg::draw(&play, 0, None, 1_400, Voice { lang, plain: false }).unwrap();
    let english = xml::well_formed(&drawn(Lang::En)).unwrap();
    for (lang, merge, why) in [
        (
            Lang::Pt,
            "união: 2.1 e 2.3 viram 3.1",
            "nenhum sinal de 4 há 1450 ms, limite 200",
        ),
        (
            Lang::Es,
            "unión: 2.1 y 2.3 pasan a ser 3.1",
            "ninguna señal de 4 desde hace 1450 ms, límite 200",
        ),
    ] {
        let picture = drawn(lang);
        let elements = xml::well_formed(&picture).unwrap();
        assert!(picture.contains(&format!(">{merge}</text>")), "{lang:?}");
        assert!(picture.contains(&format!(">{why}</text>")), "{lang:?}");
        assert!(!picture.contains("no word from"), "{lang:?}");
        for key in ["drawn-", "legend-", "replay-"] {
            assert!(!picture.contains(key), "{lang:?} says {key}");
        }
        // The same shapes; of the labels some need more room.
        let shapes = |elements: &[xml::Element]| {
            let drawn = elements.iter().filter(|element| element.name != "text");
            drawn.count()
        };
        assert_eq!(shapes(&elements), shapes(&english), "{lang:?}");
        // No word of English is left but those that people said, and names.
        let titles = |elements: &[xml::Element]| -> Vec<String> {
            let titled = elements.iter().filter(|element| !element.title.is_empty());
            titled.map(|element| element.title.clone()).collect()
        };
        for (title, english) in titles(&elements).into_iter().zip(titles(&english)) {
            assert_ne!(title, english, "{lang:?}");
        }
    }
}

#[test]
fn a_cut_recording_is_used_up_to_the_cut() {
    let files = Files::new();
    let whole = scenario();
    let last = whole.trim_end().rfind('\n').unwrap() + 1;
    // Everywhere in the last line but behind it: every cut is told, and everything before it used.
    let lines = whole.lines().count();
    for cut in [last + 1, last + 20, whole.len() - 2] {
        files.write("cut.jsonl", &whole[..cut]);
        let told = files.replay(&["cut.jsonl"], &[]);
        assert_eq!(told.status.code(), Some(0), "{}", talk(&told));
        let note = format!("the last line ({lines}) is cut after {} bytes", cut - last);
        assert!(talk(&told).contains(&note), "{note}: {}", talk(&told));
        assert_eq!(out(&told).lines().count(), lines - 1);
    }
    // A last line that lacks only its end is whole.
    files.write("end.jsonl", whole.trim_end());
    let told = files.replay(&["end.jsonl"], &[]);
    assert_eq!((talk(&told).as_str(), out(&told).lines().count()), ("", lines));
}

#[test]
fn damaged_lines_are_told_and_left_out() {
    let files = Files::new();
    let whole = scenario();
    let mut lines: Vec<Vec<u8>> = whole.lines().map(|line| line.as_bytes().to_vec()).collect();
    lines[10] = b"\x00\xff garbage".to_vec();
    lines[20].truncate(33);
    lines[30] = br#"{"v":1,"type":"ring","node":1,"us":1,"ring":"no ring","members":[]}"#.to_vec();
    lines[40] = vec![b'x'; (1 << 20) + 5];
    files.write("damaged.jsonl", lines.join(&b'\n'));
    let told = files.replay(&["damaged.jsonl"], &[]);
    assert_eq!(told.status.code(), Some(0), "{}", talk(&told));
    for line in [11, 21, 31, 41] {
        let note = format!("damaged.jsonl, line {line}: damaged, and left out");
        assert!(talk(&told).contains(&note), "{note}: {}", talk(&told));
    }
    assert!(talk(&told).contains("are missing"), "{}", talk(&told));
    assert_eq!(out(&told).lines().count(), lines.len() - 4);
}

#[test]
fn what_is_no_recording_of_this_version_is_refused() {
    let files = Files::new();
    let whole = scenario();
    files.write("newer.jsonl", whole.replacen("{\"v\":1", "{\"v\":2", 5));
    files.write(
        "later.jsonl",
        format!("{whole}{{\"v\":3,\"type\":\"x\",\"at\":\"\"}}\n"),
    );
    files.write("empty.jsonl", "");
    files.write("text.txt", "bom dia\n".repeat(1_000));
    files.write("noise.bin", [0x80, 0xff, 0x00].repeat(3_000_000));
    std::fs::create_dir(files.0.path().join("folder")).unwrap();
    for (name, why) in [
        (
            "newer.jsonl",
            "line 1: this is an event of version 2, and this program reads version 1",
        ),
        ("later.jsonl", "this is an event of version 3"),
        ("empty.jsonl", "empty.jsonl is no recording"),
        ("text.txt", "text.txt is no recording"),
        ("noise.bin", "noise.bin is no recording"),
        ("folder", "folder is no recording"),
        ("nowhere.jsonl", "nowhere.jsonl: No such file"),
    ] {
        let told = files.replay(&[name], &[]);
        assert_eq!(told.status.code(), Some(1), "{name}");
        assert!(talk(&told).contains(why), "{name}: {}", talk(&told));
        assert_eq!(out(&told), "", "{name}");
    }
    files.write("a.jsonl", &whole);
    files.write("b.jsonl", &whole);
    let twice = files.replay(&["a.jsonl", "b.jsonl"], &[]);
    assert!(
        talk(&twice).contains("the same life of node 1 is in a.jsonl and in b.jsonl"),
        "{}",
        talk(&twice)
    );
    let replaced = files.replay(&["a.jsonl"], &["--svg", "a.jsonl"]);
    assert_eq!(replaced.status.code(), Some(2), "{}", talk(&replaced));
    assert_eq!(
        std::fs::read_to_string(files.0.path().join("a.jsonl")).unwrap(),
        whole
    );
}

#[test]
fn texts_of_others_steer_neither_a_terminal_nor_a_picture() {
    let files = Files::new();
    let evil = "\\u001b[2J</text><script>alert(1)</script>\\u202e&";
    files.write("evil.jsonl", scenario().replace("bom dia", evil));
    let told = out(&files.replay(&["evil.jsonl"], &[]));
    assert!(told.contains("␛[2J</text>") && !told.contains('\u{1b}'), "{told}");
    let picture = out(&files.replay(&["evil.jsonl"], &["--svg", "-"]));
    xml::well_formed(&picture).unwrap();
    assert!(!picture.contains("<script") && picture.contains("&lt;script&gt;"));
    let log = out(&files.replay(&["evil.jsonl"], &["--shiviz", "-"]));
    log_of(&log).unwrap();
}

#[test]
fn the_same_run_gives_the_same_recording_log_and_picture() {
    assert_eq!(scenario(), scenario());
    let (one, other) = (of_seed(7), of_seed(7));
    assert_eq!(one, other);
    assert_ne!(one, of_seed(8));
    let files = Files::new();
    let path = files.write("seed.jsonl", one);
    let draw = || {
        svg::draw(
            &Play::open(std::slice::from_ref(&path)).unwrap(),
            0,
            None,
            1_400,
            Voice::default(),
        )
        .unwrap()
    };
    assert_eq!(draw(), draw());
    assert_eq!(export(std::slice::from_ref(&path)), export(&[path]));
}

/// The log for ShiViz of these recordings.
fn export(paths: &[PathBuf]) -> String {
    let play = Play::open(paths).unwrap();
    let mut bytes = Vec::new();
    shiviz::write(&play.recording, &play.merged, Voice::default(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A recording of all nodes as one of each, as nodes write them; each with a clock that is off by so much.
fn apart(files: &Files, recording: &str, off_us: impl Fn(u64) -> i64) -> Vec<PathBuf> {
    let mut of_nodes: std::collections::BTreeMap<u64, String> = std::collections::BTreeMap::new();
    for line in recording.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let (node, us) = (event["node"].as_u64().unwrap(), event["us"].as_u64().unwrap());
        let moved = us.checked_add_signed(off_us(node)).unwrap();
        let line = line.replacen(&format!("\"us\":{us}"), &format!("\"us\":{moved}"), 1);
        *of_nodes.entry(node).or_default() += &format!("{line}\n");
    }
    of_nodes
        .into_iter()
        .map(|(node, text)| files.write(&format!("node-{node}.jsonl"), text))
        .collect()
}

#[test]
fn clocks_of_a_log_agree_with_what_happened_before_what() {
    let files = Files::new();
    let mut recordings = vec![("the scenario".to_string(), scenario())];
    recordings.extend((1..25).map(|seed| (format!("seed {seed}"), of_seed(seed))));
    for (name, recording) in recordings {
        agrees_and_contradicts_nothing(&files, &name, &recording);
    }
}

#[test]
fn what_one_node_does_not_tell_makes_nothing_of_the_others_untrue() {
    let files = Files::new();
    for seed in 1..25 {
        let recording = of_seed(seed);
        // It was recorded by a program that told no such details; or there was no room for them.
        let silent = format!("\"node\":{}", 1 + seed % 3);
        let told = |line: &&str| !(line.contains("\"type\":\"written\"") && line.contains(&silent));
        let rest: String = recording
            .lines()
            .filter(told)
            .map(|line| format!("{line}\n"))
            .collect();
        agrees_and_contradicts_nothing(&files, &format!("seed {seed}"), &rest);
    }
}

fn agrees_and_contradicts_nothing(files: &Files, name: &str, recording: &str) {
    let path = files.write("all.jsonl", recording);
    let play = Play::open(std::slice::from_ref(&path)).unwrap();
    assert_eq!(play.merged.contradictions, 0, "{name}");
    let log = log_of(&export(&[path])).unwrap();
    agrees(&log, recording).unwrap_or_else(|why| panic!("{name}: {why}"));
}

#[test]
fn several_recordings_with_wrong_clocks_become_one_order() {
    let files = Files::new();
    let recording = scenario();
    // Their machines started at other times, and their wall clocks are wrong by up to an hour.
    let off = |node: u64| [0, 3_600_000_000, 5_000_000, 77_000_000, 1_234_567][node as usize - 1];
    let paths = apart(&files, &recording, off);
    let log = log_of(&export(&paths)).unwrap();
    agrees(&log, &recording).unwrap();
    let play = Play::open(&paths).unwrap();
    assert_eq!(play.merged.contradictions, 0);
    // The times are those of the run, as near as what happened between the nodes tells.
    let all = Play::open(&[files.write("all.jsonl", &recording)]).unwrap();
    let times = |play: &Play| -> Vec<(u16, u64)> {
        let streams = play.recording.streams.iter();
        let of = |(node, events): (&roda::words::NodeId, &Vec<u32>)| {
            let times = events
                .iter()
                .map(|event| (node.0, play.merged.times_us[*event as usize]));
            times.collect::<Vec<_>>()
        };
        streams.flat_map(of).collect()
    };
    for ((node, true_us), (_, us)) in times(&all).into_iter().zip(times(&play)) {
        // Until the first ring, nothing tells how the clocks are to each other.
        assert!(
            us.abs_diff(true_us) < 40_000,
            "node {node}: {us} instead of {true_us}"
        );
    }
}

#[test]
fn with_one_recording_others_appear_as_far_as_it_tells() {
    let files = Files::new();
    let paths = apart(&files, &scenario(), |_| 0);
    let text = export(&paths[..1]);
    let log = log_of(&text).unwrap();
    let hosts: std::collections::BTreeSet<&str> = log.iter().map(|event| event.host.as_str()).collect();
    // Node 1 delivered messages of itself and of 2, 3, 4 and 5.
    assert_eq!(
        hosts.into_iter().collect::<Vec<_>>(),
        ["node1", "node2", "node3", "node4", "node5"]
    );
    assert!(text.contains("stamped #1 (known from others)"), "{text}");
    let at = |words: &str| log.iter().find(|event| event.words.contains(words)).unwrap();
    let (stamped, delivered) = (at("stamped #1 "), at("#1 n2·2: bom dia"));
    assert!(delivered.clock["node2"] >= stamped.clock["node2"]);
}

#[test]
fn a_wrong_clock_is_found() {
    let files = Files::new();
    let recording = scenario();
    let path = files.write("all.jsonl", &recording);
    let right = log_of(&export(&[path])).unwrap();
    agrees(&right, &recording).unwrap();
    let with_two = right.iter().rposition(|event| event.clock.len() > 2).unwrap();
    // A cause is forgotten, one is made up, and an own entry does not rise.
    let mut forgotten = right.clone();
    let other = forgotten[with_two]
        .clock
        .keys()
        .find(|host| **host != right[with_two].host)
        .cloned()
        .unwrap();
    forgotten[with_two].clock.remove(&other);
    agrees(&forgotten, &recording).unwrap_err();
    let mut made_up = right.clone();
    *made_up[with_two].clock.get_mut(&other).unwrap() += 1;
    agrees(&made_up, &recording).unwrap_err();
    let mut stands = right.clone();
    let own = stands[with_two].host.clone();
    *stands[with_two].clock.get_mut(&own).unwrap() -= 1;
    agrees(&stands, &recording).unwrap_err();
    // So are clocks of a recording in which something else happened.
    let without = recording.replace("\"type\":\"pass\"", "\"type\":\"other\"");
    agrees(&right, &without).unwrap_err();
}

#[test]
fn the_picture_of_the_partition_shows_it_and_is_the_one_in_the_docs() {
    let files = Files::new();
    let path = files.write("all.jsonl", scenario());
    let picture = svg::draw(&Play::open(&[path]).unwrap(), 0, None, 1_400, Voice::default()).unwrap();
    let elements = xml::well_formed(&picture).unwrap();
    let titles = |part: &str| {
        elements
            .iter()
            .filter(|element| element.title.contains(part))
            .count()
    };
    // Bands: all five in the first ring and in the last, two and three while the network was split.
    for (ring, members) in [("1.1", 5), ("2.1", 2), ("2.3", 3), ("3.1", 5)] {
        assert_eq!(titles(&format!("in ring {ring}")), members, "ring {ring}");
    }
    let class = |part: &str| {
        let band = elements
            .iter()
            .find(|element| element.title.contains(part))
            .unwrap();
        band.attributes["class"].clone()
    };
    assert_ne!(class("node 1 in ring 2.1"), class("node 3 in ring 2.3"));
    // Arrows: each message to each of the others that delivered it in time, and each pass.
    let arrows = |head: &str| {
        let end = format!("url(#roda-{head})");
        let is = |element: &&xml::Element| element.attributes.get("marker-end") == Some(&end);
        elements
            .iter()
            .filter(is)
            .filter(|element| !element.title.is_empty())
            .count()
    };
    assert_eq!(arrows("said"), 4 + 4 + 1 + 2 + 2 + 4);
    assert_eq!(arrows("token"), 6);
    // The datagram that was lost, and who sent it again.
    assert_eq!((arrows("again"), titles("#4 sent again to node 5")), (1, 1));
    assert_eq!(titles("node 5 5 asks for #4 again"), 1);
    assert_eq!(titles("#3@2.3 delivered at node"), 5);
    assert!(titles("node 2 passes the token to 3, hop") == 1);
    for words in [
        "the network splits: 1,2 | 3,4,5",
        "partition: rings 2.1 and 2.3",
        "merge: 2.1 and 2.3 become 3.1",
    ] {
        assert!(picture.contains(&format!(">{words}</text>")), "{words}");
        assert!(
            elements
                .iter()
                .any(|element| element.name == "desc" && element.text.contains(words))
        );
    }
    assert!(picture.contains("prefers-color-scheme:dark"));
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/partition.svg");
    if std::env::var_os("UPDATE").is_some_and(|value| value != "0") {
        std::fs::write(&kept, &picture).unwrap();
    }
    assert!(picture.len() < 100_000, "{} bytes", picture.len());
    let same = std::fs::read_to_string(kept).unwrap() == picture;
    assert!(same, "docs/partition.svg is not this picture; UPDATE=1 writes it");
}

#[test]
fn crowded_pictures_are_thinned_and_say_so() {
    let files = Files::new();
    // Two nodes that pass the token to each other for as long as anybody looks.
    let pass = |hop: u64| {
        let (node, to) = (1 + hop % 2, 1 + (hop + 1) % 2);
        let (n, us) = (1 + hop / 2, hop * 150);
        format!(
            "{{\"v\":1,\"type\":\"pass\",\"n\":{n},\"node\":{node},\"us\":{us},\"ring\":\"1.1.5\",\"hop\":{hop},\"to\":{to}}}\n"
        )
    };
    let path = files.write("busy.jsonl", (0..3_000).map(pass).collect::<String>());
    let play = Play::open(&[path]).unwrap();
    let narrow = svg::draw(&play, 0, None, 400, Voice::default()).unwrap();
    xml::well_formed(&narrow).unwrap();
    assert!(
        narrow.contains("are drawn; --from, --to and --width show more"),
        "nothing was left out"
    );
    let wide = svg::draw(&play, 0, None, 20_000, Voice::default()).unwrap();
    xml::well_formed(&wide).unwrap();
    assert!(narrow.len() < wide.len());
}

#[test]
fn what_is_not_well_formed_is_found() {
    for bad in [
        "<a><b></a>",
        "<a>",
        "<a b=c/>",
        "<a>&nothing;</a>",
        "<a>x & y</a>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
    ] {
        assert!(xml::well_formed(bad).is_err(), "{bad}");
    }
    xml::well_formed("<a b=\"1\"><c/>x &amp; y</a>").unwrap();
}
