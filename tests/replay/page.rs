//! A recording as it is served for the page: all events in order, and nobody else is let in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::page::Page;
use super::support::replayed::Replayed;
use super::{Files, of_seed, scenario};

/// All events, brought so many at a time.
fn events(page: &Page, count: usize) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let answer = page.get(&format!("/api/recording?from={}&count={count}", events.len()));
        assert_eq!(answer.status, 200);
        let more = answer.json()["events"].as_array().unwrap().clone();
        if more.is_empty() {
            return events;
        }
        assert!(more.len() <= count);
        events.extend(more);
    }
}

#[test]
fn the_page_of_a_recording_is_told_all_events_in_order() {
    let files = Files::new();
    let text = of_seed(7);
    files.write("all.jsonl", &text);
    let mut replayed = Replayed::start(files.0.path(), &["all.jsonl"], &["--from", "1s"]);
    let page = &replayed.page;
    let told = events(page, 333);
    assert_eq!(events(page, 2_000), told, "in pieces of any size");
    // Each line of the file, as it stands there, once.
    let parsed = |line: &str| -> String { serde_json::from_str::<Value>(line).unwrap().to_string() };
    let lines: BTreeSet<String> = text.lines().map(parsed).collect();
    let served: BTreeSet<String> = told.iter().map(|one| one["told"].to_string()).collect();
    assert_eq!((told.len(), &served), (text.lines().count(), &lines));
    let times: Vec<u64> = told.iter().map(|one| one["us"].as_u64().unwrap()).collect();
    assert!(times.is_sorted());

    let about = page.get("/api/about").json()["replay"].clone();
    assert_eq!(about["events"], told.len());
    let from = about["from"].as_u64().unwrap() as usize;
    assert!(times[from - 1] < 1_000_000 && times[from] >= 1_000_000, "{from}");
    // Lives and moments stand where they are said to.
    for node in about["nodes"].as_array().unwrap() {
        let lives = node["lives"].as_array().unwrap();
        assert!(!lives.is_empty(), "{node}");
        for life in lives {
            let first = &told[life["first"].as_u64().unwrap() as usize];
            let last = &told[life["last"].as_u64().unwrap() as usize];
            assert_eq!(first["told"]["type"], "start", "{life}");
            assert_eq!((&first["node"], &last["node"]), (&node["id"], &node["id"]));
            assert_eq!(life["ended"], last["told"]["type"] == "exit", "{life}");
        }
    }
    let moments = about["moments"].as_array().unwrap();
    let of = |kind: &str| {
        let moments = moments.iter().filter(move |moment| moment["type"] == *kind);
        moments.collect::<Vec<_>>()
    };
    let rings = of("ring");
    assert!(
        rings
            .windows(2)
            .all(|pair| pair[0]["told"]["ring"] != pair[1]["told"]["ring"])
    );
    // A life breaks off if nothing follows it for half a second at least, and it said no goodbye.
    let end = *times.last().unwrap();
    let lives = about["nodes"].as_array().unwrap().iter();
    let lives = lives.flat_map(|node| node["lives"].as_array().unwrap());
    let broken = lives.filter(|life| life["ended"] == false);
    let broken: BTreeSet<u64> = broken
        .map(|life| life["last"].as_u64().unwrap())
        .filter(|last| times[*last as usize] + 500_000 < end)
        .collect();
    let told_broken: BTreeSet<u64> = of("breaks_off")
        .iter()
        .map(|moment| moment["at"].as_u64().unwrap())
        .collect();
    assert!(!broken.is_empty(), "a life is broken off in this seed");
    assert_eq!(told_broken, broken);
    for moment in moments {
        let at = moment["at"].as_u64().unwrap() as usize;
        assert_eq!(
            (&told[at]["told"], &told[at]["us"]),
            (&moment["told"], &moment["us"])
        );
    }
    assert_eq!(replayed.interrupt().code(), Some(0));
}

#[test]
fn the_life_of_a_message_goes_over_all_nodes() {
    let files = Files::new();
    files.write("all.jsonl", scenario());
    let replayed = Replayed::start(files.0.path(), &["all.jsonl"], &[]);
    let page = &replayed.page;
    let life = |query: &str| -> Vec<(u64, String)> {
        let steps = page.get(&format!("/api/trace?{query}")).json()["steps"].clone();
        let steps = steps.as_array().unwrap().iter();
        let step = |step: &Value| {
            (
                step["at"].as_u64().unwrap(),
                step["step"].as_str().unwrap().to_string(),
            )
        };
        steps.map(step).collect()
    };
    let first = life("seq=1");
    assert_eq!(first[0], (2, "in_outbox".to_string()));
    for node in 1..=5 {
        assert!(first.contains(&(node, "delivered".to_string())), "{first:?}");
    }
    // One number of two rings is two messages.
    let (one, other) = (life("seq=3&ring=2.1"), life("seq=3&ring=2.3"));
    assert_eq!((one[0].0, other[0].0), (1, 3));
    assert_eq!(life("seq=999"), []);
}

#[test]
fn a_recording_is_looked_at_and_nothing_else_by_who_has_the_token() {
    let files = Files::new();
    files.write("all.jsonl", scenario());
    let replayed = Replayed::start(files.0.path(), &["all.jsonl"], &[]);
    let page = &replayed.page;
    assert_eq!(page.get("/replay").status, 200);
    let status = |path: &str| page.get(path).status;
    assert_eq!(status("/events"), 404);
    assert_eq!(status("/api/status"), 404);
    assert_eq!(page.post("/api/say", &json!({})).status, 405);
    assert_eq!(status("/api/recording?from=x"), 422);
    assert_eq!(
        status("/api/recording?from=18446744073709551615&count=18446744073709551615"),
        200
    );
    assert_eq!(status("/api/diagram?width=1000000000"), 422);
    assert_eq!(status("/api/diagram?from_us=99999999999"), 422);
    assert_eq!(status("/api/trace"), 422);
    assert_eq!(status("/api/trace?seq=1&ring=x"), 422);
    // Another one at the same place is told that it is taken, as a node is.
    let at = format!("--web={}", page.at);
    let taken = files.replay(&["all.jsonl"], &[&at]);
    let said = super::talk(&taken);
    assert_eq!(taken.status.code(), Some(5), "{said}");
    assert!(
        said.contains(&format!("cannot serve the page at {}", page.at)),
        "{said}"
    );
    let strangers = Page {
        token: "0".repeat(32),
        ..page.clone()
    };
    for path in [
        "/api/recording",
        "/api/about",
        "/api/diagram",
        "/api/shiviz",
        "/events",
    ] {
        assert_eq!(strangers.get(path).status, 401, "{path}");
    }
    let foreign = format!(
        "GET /api/recording HTTP/1.1\r\nHost: roda.example\r\nAuthorization: Bearer {}\r\n\r\n",
        page.token
    );
    assert_eq!(page.send(foreign.as_bytes()).status, 421);

    let picture = page.get("/api/diagram?lang=pt").body;
    assert!(String::from_utf8(picture).unwrap().contains("mensagens"));
    // What is exported is what the command line exports.
    let picture = page.get("/api/diagram?width=1400");
    assert!(
        picture.head.contains("Content-Type: image/svg+xml"),
        "{}",
        picture.head
    );
    files.replay(&["all.jsonl"], &["--svg", "all.svg", "--shiviz", "all.log"]);
    let written = |name: &str| std::fs::read(files.0.path().join(name)).unwrap();
    assert!(picture.body == written("all.svg"));
    assert!(page.get("/api/shiviz").body == written("all.log"));
}

#[test]
fn hostile_texts_stay_inside_their_events() {
    let files = Files::new();
    let evil = "</script><img src=x onerror=alert(1)>\"]}\u{202e}\\";
    let text: String = scenario()
        .lines()
        .map(|line| line.replace("bom dia", serde_json::to_string(evil).unwrap().trim_matches('"')) + "\n")
        .collect();
    files.write("evil.jsonl", text);
    let replayed = Replayed::start(files.0.path(), &["evil.jsonl"], &[]);
    let told = events(&replayed.page, 100);
    let said = told.iter().filter(|one| one["told"]["text"] == evil);
    assert!(said.count() >= 5);
}
