//! A recording on the page: the player, the views of its nodes, and the diagram.

use std::path::Path;

use serde_json::{Value, json};

use roda::sim::plan::{Mask, Plan};
use roda::sim::run::record_plan;
use roda::sim::script;

use crate::accessible::found;
use crate::browser::{Browser, Driver, ESCAPE, LEFT, RIGHT, TAB};
use crate::pictures::leave;
use crate::recorded::recording;
use crate::stage::log;
use crate::support::replayed::Replayed;

/// A folder with a recording of the scenario in which the network splits and heals.
fn scenario() -> (tempfile::TempDir, Vec<Value>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/partition_and_merge.txt");
    let text = std::fs::read_to_string(path).unwrap();
    kept(&recording(&script::record(&text).unwrap()))
}

fn kept(text: &str) -> (tempfile::TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.jsonl"), text).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (folder, events.collect())
}

/// Opens a replay and waits until it is shown.
fn visit(page: &Browser, replayed: &Replayed) {
    page.open(&replayed.link());
    page.wait(
        "the player",
        "!document.getElementById('replay').hidden && roda.replay.past",
    );
}

/// Moves the slider as a user does, and waits until one is there.
fn slide(page: &Browser, place: usize) {
    page.js(&format!(
        "const slider = document.getElementById('replay-slider'); slider.value = {place};
         slider.dispatchEvent(new Event('input'))"
    ));
    at(page, place);
}

/// Waits until so many events have happened and are drawn.
fn at(page: &Browser, place: usize) {
    page.wait(
        &format!("{place} events"),
        &format!(
            "roda.replay.past.place === {place} && roda.state === roda.replay.past.state && !roda.redraw"
        ),
    );
}

fn choose(page: &Browser, list: &str, value: &str) {
    page.js(&format!(
        "const list = document.getElementById('{list}'); list.value = '{value}'; list.dispatchEvent(new Event('change'))"
    ));
}

/// The members of the circle.
fn members(page: &Browser) -> Value {
    page.js("return document.getElementById('circle').dataset.members.split(' ').filter(Boolean).map(Number)")
}

/// What a node was told, in its canonical order.
fn said(events: &[Value], node: u64) -> Vec<String> {
    let told = events
        .iter()
        .filter(|event| event["node"] == node && event["type"] == "message");
    let position = |event: &Value| {
        let ring = event["ring"].as_str().unwrap().split('.');
        let ring: Vec<u64> = ring.map(|part| part.parse().unwrap()).collect();
        (ring, event["seq"].as_u64().unwrap())
    };
    let mut told: Vec<&Value> = told.collect();
    told.sort_by_key(|event| position(event));
    told.iter()
        .map(|event| event["text"].as_str().unwrap().to_string())
        .collect()
}

#[test]
fn a_recording_is_played_on_the_page() {
    let (folder, events) = scenario();
    let mut replayed = Replayed::start(folder.path(), &["all.jsonl"], &[]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    visit(&page, &replayed);
    assert!(
        page.text("#replay-where").contains("before the first"),
        "{}",
        page.text("#replay-where")
    );
    // Nothing can be said.
    assert_eq!(page.js("return document.getElementById('say').offsetHeight"), 0);

    // Event by event, with buttons and keys.
    page.js("document.getElementById('replay-step').click()");
    at(&page, 1);
    page.js("document.getElementById('replay-told').open = true");
    page.wait(
        "the event",
        "document.getElementById('replay-event').innerText.includes('\"start\"')",
    );
    page.js("document.activeElement.blur()");
    page.press(&[RIGHT]);
    at(&page, 2);
    page.press(&[LEFT]);
    at(&page, 1);

    // To the end and back with the slider; what was said then is there, and only that.
    let all = events.len();
    slide(&page, all);
    assert_eq!(log(&page), said(&events, 1));
    let half = events
        .iter()
        .position(|event| event["text"] == "five misses this one")
        .unwrap();
    slide(&page, half);
    assert_eq!(log(&page), said(&events[..half], 1));
    slide(&page, 0);
    assert_eq!(log(&page), Vec::<String>::new());

    the_split(&page, half);
    played_to_the_end(&page, &events);
    lives_and_diagram(&page);
    assert_eq!(page.complaints(), Vec::<String>::new());
    // The program ends: the page says so when it asks again.
    replayed.interrupt();
    page.js("roda.replay.recording.chunks.clear(); document.getElementById('replay-back').click()");
    page.wait(
        "it says so",
        "document.getElementById('replay-wrong').innerText.includes('start it again')",
    );
}

/// Each side of a split network as its own nodes saw it.
fn the_split(page: &Browser, half: usize) {
    slide(page, half);
    assert_eq!(members(page), json!([1, 2]));
    page.wait(
        "the other ring beside it",
        "document.getElementById('circle').textContent.includes('2.3')",
    );
    choose(page, "replay-node", "4");
    at(page, half);
    assert_eq!(members(page), json!([3, 4, 5]));
    assert!(page.text("#me").contains("4"), "{}", page.text("#me"));
    assert!(log(page).contains(&"we are three here".to_string()));
    choose(page, "replay-node", "1");
    at(page, half);
    // A moment of the list: the first ring of all five.
    let first = page.js(
        "return [...document.getElementById('replay-moment').options].find((one) => one.text.includes('ring 1.1 of 1, 2, 3, 4, 5')).value",
    );
    let first: usize = first.as_str().unwrap().parse().unwrap();
    choose(page, "replay-moment", &first.to_string());
    at(page, first + 1);
}

/// Played as fast as it goes; the same is shown as where the slider leads.
fn played_to_the_end(page: &Browser, events: &[Value]) {
    // Slowly, so that it can be seen to play; then fast.
    choose(page, "replay-speed", "0.1");
    page.js("document.activeElement.blur()");
    page.press(&[" "]);
    page.wait(
        "it plays",
        "document.getElementById('replay-play').innerText === 'Pause'",
    );
    choose(page, "replay-speed", "100");
    at(page, events.len());
    page.wait(
        "it stops at the end",
        "document.getElementById('replay-play').innerText === 'Play'",
    );
    page.wait(
        "all is drawn",
        &format!(
            "document.querySelectorAll('.log article').length === {}",
            said(events, 1).len()
        ),
    );
    assert_eq!(log(page), said(events, 1));
    assert_eq!(page.js("return roda.replay.us === roda.replay.last().us"), true);
    choose(page, "language", "pt");
    page.wait(
        "in Portuguese",
        "document.getElementById('replay-play').innerText === 'Tocar'",
    );
    assert!(
        page.text("#replay-where").contains("evento"),
        "{}",
        page.text("#replay-where")
    );
    choose(page, "language", "en");
}

/// A message's life over all nodes; the diagram; nothing serious is wrong for those who see little or nothing.
fn lives_and_diagram(page: &Browser) {
    page.js("[...document.querySelectorAll('.log article')].find((row) => row.dataset.text === 'bom dia').click()");
    page.wait("its life", "document.querySelectorAll('.steps li').length >= 7");
    let life = page.text("#life");
    for step in ["node 2: in the outbox", "node 5: delivered in order"] {
        assert!(life.contains(step), "{step:?} in {life}");
    }
    page.press(&[ESCAPE]);
    for (look, is_dark) in [("light", false), ("dark", true)] {
        page.dark(is_dark);
        assert_eq!(found(page), json!([]), "{look}");
        leave(page, &format!("replay-{look}"));
    }
    page.size(390, 844, true);
    assert_eq!(found(page), json!([]), "phone");
    leave(page, "replay-phone");
    page.size(1440, 900, false);
    page.js("document.getElementById('replay-diagram').click()");
    page.wait(
        "the diagram",
        "document.getElementById('diagram-picture').naturalWidth >= 400",
    );
    choose(page, "diagram-stretch", "0");
    page.wait("all of it", "document.getElementById('diagram-picture').complete && document.getElementById('diagram-wrong').innerText === ''");
    assert_eq!(found(page), json!([]), "diagram");
    leave(page, "replay-diagram");
    page.press(&[ESCAPE]);
    // All of the player is reached with the tab key.
    page.js("document.getElementById('replay-back').focus()");
    let mut reached = Vec::new();
    for _ in 0..7 {
        page.press(&[TAB]);
        reached.push(page.js("return document.activeElement.id"));
    }
    let controls = [
        "replay-play",
        "replay-step",
        "replay-slider",
        "replay-node",
        "replay-speed",
        "replay-moment",
        "replay-diagram",
    ];
    assert_eq!(json!(reached), json!(controls));
}

/// Wherever one goes, and from wherever: the page knows what it knows when all is told from the beginning.
#[test]
fn going_back_shows_what_was() {
    let (report, happened) = record_plan(&Plan::masked(11, &Mask::default()), false);
    assert!(report.broken.is_none(), "{:?}", report.broken);
    let (folder, _) = kept(&recording(&happened));
    let replayed = Replayed::start(folder.path(), &["all.jsonl"], &[]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    visit(&page, &replayed);
    let failed = page.js_later(GOING);
    assert_eq!(failed, json!([]));
}

/// Goes to places at random, and compares with a state that was told all events from the first on.
const GOING: &str = "
    const { Past, Recording } = await import('/page/recording.js');
    const recording = new Recording((path, fields) => roda.stream.ask(path, fields), roda.replay.recording.count);
    const plain = (state) => JSON.stringify(state, (key, value) =>
        value instanceof Map ? [...value] : value instanceof Set ? [...value] : value);
    const go = async (past, place) => {
        past.near(place);
        while (past.place < place) if (!past.step()) await recording.bring(past.place);
    };
    const failed = [];
    let dice = 4711;
    for (const { id } of roda.replay.about.nodes.slice(0, 3)) {
        const past = new Past(recording, id);
        past.every = 50;
        for (let turn = 0; turn < 12; turn += 1) {
            dice = (dice * 48271) % 2147483647;
            const place = dice % (recording.count + 1);
            await go(past, place);
            const fresh = new Past(recording, id);
            await go(fresh, place);
            if (plain(past.state) !== plain(fresh.state)) failed.push([id, turn, place]);
        }
        if (past.kept.length > 16) failed.push(['kept', past.kept.length]);
    }
    return failed;";
