//! A node's page over real connections: what it serves, whom it refuses, and that nothing is lost or said twice.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod support;

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::{Value, json};
use support::page::{Answer, Page, read_answer, say};
use support::{Group, Node, PATIENCE, wait_until};

/// A node whose port is its own among all tests, so that it gets it again after a restart.
fn start(group: &Group, id: u16) -> Node {
    group.start(id, &["--web"])
}

/// The status of what is sent as it stands.
fn status(page: &Page, text: &str) -> u16 {
    page.send(text.as_bytes()).status
}

/// The history, once so many messages are written: the delay is between telling a message and writing it.
fn history_of(page: &Page, count: usize) -> Answer {
    let mut answer = None;
    wait_until("the messages are written", || {
        let asked = page.get("/api/history?count=500");
        let found = asked.json()["messages"].as_array().unwrap().len();
        answer = Some(asked);
        found >= count
    });
    answer.unwrap()
}

#[test]
fn a_node_without_input_serves_its_page_until_it_is_told_to_leave() {
    let group = Group::new();
    let mut command = group.command(2101, &["--web", "--json"]);
    command.stdin(Stdio::null());
    let mut node = Node::spawn(2101, command);
    let page = node.page();
    node.wait_ring(&[2101]);
    let files = page.get("/");
    assert_eq!(files.status, 200);
    for header in [
        "Content-Security-Policy: default-src 'none'; script-src 'self';",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(files.head.contains(header), "{header} is missing: {}", files.head);
    }
    assert!(!files.head.contains("Access-Control"), "{}", files.head);
    let about = page.get("/api/about").json();
    assert_eq!((&about["id"], &about["room"]), (&json!(2101), &json!("geral")));
    assert_eq!(page.get("/api/status").json()["phase"], "operational");
    let id = page.say("oi", "a-1");
    node.wait_texts(&["oi"]);
    let history = history_of(&page, 1);
    assert_eq!(history.json()["messages"][0]["id"], json!(id));
    assert_eq!(history.json()["messages"][0]["key"], "a-1");
    assert_eq!(
        page.get("/api/search?words=OI").json()["messages"][0]["text"],
        "oi"
    );
    let trace = page.get("/api/trace?seq=1").json();
    assert_eq!((&trace["type"], &trace["seq"]), (&json!("trace"), &json!(1)));
    assert_eq!(
        page.get("/api/message?seq=1").json()["messages"][0]["id"],
        json!(id)
    );
    assert_eq!(page.post("/api/do", &json!({ "what": "dance" })).status, 422);
    let lesson = json!({ "what": "lab", "lab": { "on": 2101, "what": "checkpoint" } });
    assert_eq!(
        page.post("/api/do", &lesson).status,
        403,
        "it takes no part in lessons"
    );

    let mut events = page.events(None);
    let asked = Instant::now();
    assert_eq!(page.post("/api/do", &json!({ "what": "quit" })).status, 200);
    let exit = events.wait_for("exit", |event| event["type"] == "exit");
    assert_eq!(exit["code"], 0);
    assert_eq!(events.next(), None, "the connection is closed");
    assert!(node.wait_exit().success());
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn the_end_of_what_is_piped_in_is_not_the_end_of_a_node_with_a_page() {
    let group = Group::new();
    let mut node = start(&group, 2102);
    let page = node.page();
    node.say("piped");
    node.wait_texts(&["piped"]);
    node.end_input();
    page.say("from the page", "b");
    node.wait_texts(&["from the page"]);
    // Connections that do nothing do not hold up the end.
    let _idle: Vec<TcpStream> = (0..20).map(|_| page.connect()).collect();
    let asked = Instant::now();
    node.signal(Signal::TERM);
    assert!(node.wait_exit().success());
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn who_is_not_the_page_is_refused_and_nothing_is_said() {
    let group = Group::new();
    let mut node = start(&group, 2103);
    let page = node.page();
    node.wait_ring(&[2103]);
    let body = say("forged", "c").to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    let host = format!("Host: {}\r\n", page.at);
    let token = format!("Authorization: Bearer {}\r\n", page.token);
    let post = |headers: &str| {
        status(
            &page,
            &format!("POST /api/say HTTP/1.1\r\n{length}{headers}\r\n{body}"),
        )
    };
    let stranger = "Origin: https://evil.example\r\n";
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(page.token.len()));
    let port = page.at.port();
    assert_eq!(
        post(&format!("{host}{token}{stranger}")),
        403,
        "a page of another origin"
    );
    assert_eq!(
        post(&format!("{host}{token}Origin: null\r\n")),
        403,
        "a page in a sandbox"
    );
    assert_eq!(
        post(&format!("{host}{token}Origin: http://localhost:1\r\n")),
        403,
        "another server of this machine"
    );
    for site in ["cross-site", "same-site"] {
        let told = format!("{host}{token}Sec-Fetch-Site: {site}\r\n");
        assert_eq!(post(&told), 403, "{site}");
    }
    assert_eq!(post(&format!("{host}{wrong}")), 401, "a wrong token");
    assert_eq!(post(&host), 401, "no token");
    assert_eq!(
        post(&format!("Host: evil.example:{port}\r\n{token}")),
        421,
        "a name that was bound anew"
    );
    assert_eq!(post(&format!("Host: 127.0.0.1\r\n{token}")), 421, "another port");
    assert_eq!(post(&token), 400, "no host");
    let in_address = format!("/api/say?token={}", page.token);
    let posted = format!("POST {in_address} HTTP/1.1\r\n{length}{host}\r\n{body}");
    assert_eq!(
        status(&page, &posted),
        401,
        "a token in an address is for the stream only"
    );
    let get = |path: &str, headers: &str| status(&page, &format!("GET {path} HTTP/1.1\r\n{headers}\r\n"));
    assert_eq!(get("/events", &host), 401);
    assert_eq!(get("/events?token=x", &host), 401);
    assert_eq!(
        get(
            &format!("/events?token={}", page.token),
            &format!("{host}{stranger}")
        ),
        403
    );
    assert_eq!(get("/", &format!("Host: evil.example:{port}\r\n")), 421);
    assert_eq!(get("/api/say", &format!("{host}{token}")), 405);
    for method in ["OPTIONS", "PUT", "DELETE", "TRACE"] {
        let asked = format!("{method} /api/say HTTP/1.1\r\n{host}{token}{stranger}\r\n");
        let answer = page.send(asked.as_bytes());
        assert_eq!(answer.status, 405, "{method}");
        assert!(!answer.head.contains("Access-Control"), "{}", answer.head);
    }
    assert_eq!(page.get("/api/history").json()["messages"], json!([]));
    page.say("the page itself", "d");
    node.wait_texts(&["the page itself"]);
    assert_eq!(node.messages().len(), 1);
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let group = Group::new();
    let node = start(&group, 2104);
    let page = node.page();
    let head = page.head("POST", "/api/say");
    let length = 100 << 20;
    let answer = page.send(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes());
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"].as_str().unwrap().contains("104857600"));
    let chunked = page.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n").as_bytes());
    assert_eq!(chunked.status, 411);
    // One that sends all the same finds the connection closed long before its end.
    let mut stream = page.connect();
    stream
        .write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes())
        .unwrap();
    let part = vec![b'x'; 1 << 20];
    let sent = (0..100).take_while(|_| stream.write_all(&part).is_ok()).count();
    assert!(sent < 50, "{sent} MiB were taken");
    let text = "\u{1}".repeat(64 << 10);
    assert_eq!(
        page.post("/api/say", &say(&text, "long")).status,
        200,
        "the longest text is said"
    );
    assert_eq!(page.post("/api/say", &say(&(text + "x"), "longer")).status, 422);
}

#[test]
fn a_request_that_never_ends_is_closed_in_time() {
    let group = Group::new();
    let node = start(&group, 2105);
    let page = node.page();
    std::thread::scope(|scope| {
        scope.spawn(|| drips(page.connect()));
        // Also one that was heard before, and might rest for longer.
        let mut second = page.connect();
        let asked = format!("{}\r\n", page.head("GET", "/api/about"));
        second.write_all(asked.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut BufReader::new(&second)).unwrap().status, 200);
        drips(second);
    });
    let mut silent = page.connect();
    assert_eq!(
        silent.read(&mut [0]).unwrap(),
        0,
        "who says nothing is closed without a word"
    );
}

/// Sends a head byte by byte, without an end: it is refused in time.
fn drips(mut dripping: TcpStream) {
    let begun = Instant::now();
    dripping
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    dripping.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    let mut answer = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        match dripping.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&bytes[..read]),
            // Nothing yet: one more byte.
            Err(_) if begun.elapsed() < Duration::from_secs(20) => {
                dripping.write_all(b"y").unwrap_or_default();
            }
            Err(error) => panic!("still open: {error}"),
        }
    }
    let took = begun.elapsed();
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert!((4..10).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn who_has_shown_the_token_is_given_up_last() {
    let group = Group::new();
    let node = start(&group, 2123);
    let page = node.page();
    let own = page.connect();
    let about = || {
        let asked = format!("{}\r\n", page.head("GET", "/api/about"));
        (&own).write_all(asked.as_bytes()).unwrap();
        read_answer(&mut BufReader::new(&own)).map(|answer| answer.status)
    };
    assert_eq!(about(), Some(200));
    // They rest for a shorter time, and make room for each other all the same.
    let _idle: Vec<TcpStream> = (0..200).map(|_| page.connect()).collect();
    assert_eq!(
        page.get("/api/about").status,
        200,
        "all of them were let in before"
    );
    assert_eq!(about(), Some(200));
}

#[test]
fn who_is_busy_is_not_given_up_and_who_comes_is_told() {
    let group = Group::new();
    let node = start(&group, 2124);
    let page = node.page();
    let head = format!(
        "{}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        page.head("POST", "/api/do")
    );
    let wait = |mut stream: TcpStream| {
        stream.write_all(head.as_bytes()).unwrap();
        let told = read_answer(&mut BufReader::new(&stream)).unwrap();
        assert_eq!(told.status, 100, "its body is waited for");
        stream
    };
    let busy: Vec<TcpStream> = (0..64).map(|_| wait(page.connect())).collect();
    let refused = read_answer(&mut BufReader::new(page.connect())).expect("an answer");
    assert_eq!(refused.status, 503);
    for mut stream in busy {
        stream.write_all(b"{}").unwrap();
        let answer = read_answer(&mut BufReader::new(stream)).expect("nobody was given up");
        assert_eq!(answer.status, 422, "{}", answer.json());
    }
    wait_until("there is room again", || {
        page.try_post("/api/do", &json!({}))
            .is_some_and(|answer| answer.status == 422)
    });
}

#[test]
fn a_thousand_idle_connections_do_not_lock_the_user_out() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let group = Group::new();
    let mut node = start(&group, 2106);
    let page = node.page();
    node.wait_ring(&[2106]);
    let mut events = page.events(None);
    let mut idle = Vec::new();
    let mut said = Vec::new();
    for round in 0..20 {
        idle.extend((0..50).map(|_| page.connect()));
        let begun = Instant::now();
        let text = format!("round {round}");
        page.say(&text, &format!("idle-{round}"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        said.push(text);
    }
    assert_eq!(idle.len(), 1_000);
    // The stream was there before all of them, and still is.
    for text in &said {
        events.wait_for(text, |event| {
            event["type"] == "message" && event["text"] == **text
        });
    }
    let handles = std::fs::read_dir(format!("/proc/{}/fd", node.child.id()))
        .unwrap()
        .count();
    assert!(handles < 200, "{handles} handles are open");
}

#[test]
fn bodies_that_never_come_do_not_lock_the_user_out() {
    let group = Group::new();
    let mut node = start(&group, 2120);
    let page = node.page();
    node.wait_ring(&[2120]);
    let head = format!(
        "POST /api/say HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n",
        page.at
    );
    let half = |token: &str| {
        let mut stream = page.connect();
        let request = format!("{head}Authorization: Bearer {token}\r\n\r\n{{");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let mut waiting: Vec<TcpStream> = (0..80).map(|_| half("wrong")).collect();
    let begun = Instant::now();
    page.say("all the same", "half");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let answer = read_answer(&mut BufReader::new(waiting.pop().unwrap())).unwrap();
    assert_eq!(answer.status, 401, "before its body has come");
    let posted = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\n",
        page.at
    );
    assert_eq!(status(&page, &posted), 405);
    // With the token it is waited for, and then refused.
    let answer = read_answer(&mut BufReader::new(half(&page.token))).unwrap();
    assert_eq!(answer.status, 408);
}

#[test]
fn pages_are_told_when_there_are_too_many() {
    let group = Group::new();
    let node = start(&group, 2107);
    let page = node.page();
    let mut open: Vec<_> = (0..16).map(|_| page.events(None)).collect();
    let path = format!("/events?token={}", page.token);
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", page.at);
    assert_eq!(status(&page, &asked), 503);
    assert_eq!(page.get("/api/about").status, 200);
    open.pop();
    // Whoever comes waits until those that have gone are noticed.
    assert_eq!(status_of_stream(&page, &asked), 200);
}

/// The status of a stream, which is then closed.
fn status_of_stream(page: &Page, asked: &str) -> u16 {
    let mut stream = page.connect();
    stream.write_all(asked.as_bytes()).unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    std::str::from_utf8(&begin[9..]).unwrap().parse().unwrap()
}

#[test]
fn hostile_texts_come_out_as_escapes() {
    let group = Group::new();
    let mut node = start(&group, 2108);
    let page = node.page();
    node.wait_ring(&[2108]);
    let name = "<b>ana</b>\u{202e}";
    assert_eq!(
        page.post("/api/do", &json!({ "what": "name", "name": name }))
            .status,
        200
    );
    assert_eq!(
        page.post("/api/do", &json!({ "what": "name", "name": "a\u{1b}b" }))
            .status,
        422
    );
    let text = "</script><img src=x onerror=alert(1)>\u{1b}[31m\u{202e}\u{2066}\r\ndata: x\n\nid: 9\u{0}\u{2028}\u{feff}";
    let room = "\"><svg onload=x>\u{2067}";
    let line = json!({ "room": room, "text": text, "key": "hostile" });
    assert_eq!(page.post("/api/say", &line).status, 200);
    let same = |value: &Value| {
        let of = |key: &str| value[key].as_str().unwrap_or_default().to_string();
        (of("name"), of("room"), of("text")) == (name.into(), room.into(), text.into())
    };
    let mut events = page.events(None);
    events.wait_for("the message", |event| event["type"] == "message" && same(event));
    let history = history_of(&page, 1);
    assert!(same(&history.json()["messages"][0]), "{}", history.json());
    let raw = String::from_utf8(history.body).unwrap();
    let steers =
        |sign: char| sign.is_control() || ('\u{2028}'..='\u{206f}').contains(&sign) || sign == '\u{feff}';
    assert!(!raw.contains(steers), "{raw}");
}

/// What a page knows: its messages by their ids.
#[derive(Default)]
struct Known(BTreeMap<String, String>);

impl Known {
    fn learn(&mut self, event: &Value) {
        if event["type"] == "message" || event["type"] == "history" {
            let of = |key: &str| event[key].as_str().unwrap().to_string();
            let before = self.0.insert(of("id"), of("text"));
            assert!(
                before.is_none() || event["type"] == "history" || event["late"] == true,
                "told twice: {event}"
            );
        }
    }

    /// The texts, sorted.
    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.0.values().cloned().collect();
        texts.sort();
        texts
    }
}

#[test]
fn a_page_that_loses_its_connection_anywhere_misses_nothing_and_sees_nothing_twice() {
    let group = Group::new();
    let mut node = start(&group, 2109);
    let mut other = group.start(2110, &[]);
    let page = node.page();
    node.wait_ring(&[2109, 2110]);
    let texts: Vec<String> = (0..400).map(|at| format!("line {at:03}")).collect();
    let (mut known, mut numbers) = (Known::default(), Vec::new());
    let mut last = None;
    let mut cuts = 0;
    for (part, said) in texts.chunks(10).enumerate() {
        said.iter().for_each(|text| other.say(text));
        let mut events = page.events(last.as_deref());
        // So many events, then some bytes of the next ones, and the connection is gone.
        for _ in 0..7 {
            if let Some(event) = events.next() {
                numbers.push(event["event"].as_u64().unwrap());
                known.learn(&event);
            }
        }
        events.patience(Duration::from_millis(20));
        events.skip(part * 37 % 500);
        last = events.last.clone();
        cuts += 1;
    }
    let mut events = page.events(last.as_deref());
    let deadline = Instant::now() + PATIENCE;
    while known.0.len() < texts.len() {
        assert!(Instant::now() < deadline, "only {} came", known.0.len());
        let event = events
            .next()
            .unwrap_or_else(|| panic!("only {} came", known.0.len()));
        assert_ne!(event["type"], "reset");
        numbers.push(event["event"].as_u64().unwrap());
        known.learn(&event);
    }
    assert_eq!((known.texts(), cuts), (texts, 40));
    assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "{numbers:?}");
}

#[test]
fn a_page_finds_its_killed_node_again_and_all_messages() {
    let group = Group::new();
    let mut node = start(&group, 2111);
    let mut other = group.start(2112, &[]);
    let page = node.page();
    node.wait_ring(&[2111, 2112]);
    let mut events = page.events(None);
    let mut known = Known::default();
    let mut said = Vec::new();
    for round in 0..3 {
        for at in 0..20 {
            let text = format!("round {round} line {at:02}");
            other.say(&text);
            said.push(text);
        }
        // It is killed while they arrive.
        for _ in 0..12 {
            known.learn(&events.next().unwrap());
        }
        node.kill();
        while let Some(event) = events.next() {
            known.learn(&event);
        }
        other.say(&format!("round {round} without it"));
        said.push(format!("round {round} without it"));
        node = start(&group, 2111);
        let again = node.page();
        assert_eq!((again.at, &again.token), (page.at, &page.token));
        let last = events.last.clone();
        events = page.events(last.as_deref());
        let reset = events.next().unwrap();
        assert_eq!(reset["type"], "reset", "{reset}");
        let deadline = Instant::now() + PATIENCE;
        while known.0.len() < said.len() {
            assert!(Instant::now() < deadline, "{} of {}", known.0.len(), said.len());
            let history = page.get("/api/history?count=500").json();
            for message in history["messages"].as_array().unwrap() {
                known.learn(message);
            }
        }
        // What it learnt there comes as late messages too: they are known by their ids.
        events = page.events(events.last.clone().as_deref());
    }
    said.sort();
    assert_eq!(known.texts(), said);
}

#[test]
fn a_line_said_again_under_its_key_is_one_message_also_over_kills() {
    let group = Group::new();
    let mut node = start(&group, 2113);
    let page = node.page();
    node.wait_ring(&[2113]);
    let first = page.say("once", "k-once");
    assert_eq!(page.say("once", "k-once"), first);
    assert_eq!(page.say("another text does not matter", "k-once"), first);
    let mut ids = Vec::new();
    for round in 0..6_u64 {
        let (text, key) = (format!("round {round}"), format!("k-{round}"));
        // The node is killed while it is asked, a little later each time.
        let asking = {
            let (page, line) = (page.clone(), say(&text, &key));
            std::thread::Builder::new()
                .spawn(move || page.try_post("/api/say", &line))
                .unwrap()
        };
        let (_keep, never) = crossbeam_channel::unbounded::<()>();
        never
            .recv_timeout(Duration::from_millis(round * 3))
            .unwrap_or_default();
        node.kill();
        let told = asking.join().unwrap();
        node = start(&group, 2113);
        assert_eq!(node.page().at, page.at);
        let id = page.say(&text, &key);
        if let Some(answer) = told.filter(|answer| answer.status == 200) {
            assert_eq!(answer.json()["id"], json!(id), "what was answered stays true");
        }
        ids.push(id);
    }
    wait_until("all are in the replica", || {
        let held = group.sorted_replica(2113).join("\n");
        ids.iter().all(|id| held.contains(id.as_str()))
    });
    let held = group.sorted_replica(2113).join("\n");
    for key in (0..6)
        .map(|round| format!("k-{round}"))
        .chain(["k-once".to_string()])
    {
        assert_eq!(
            held.matches(&format!("\"key\":\"{key}\"")).count(),
            1,
            "{key}\n{held}"
        );
    }
    // The outbox and the replica are both known from the first moment of a life.
    assert_eq!(page.say("once", "k-once"), first);
    // Also after a life that ended in order, of which nothing is told again.
    node.signal(Signal::TERM);
    assert!(node.wait_exit().success());
    node = start(&group, 2113);
    assert_eq!(node.page().at, page.at);
    assert_eq!(page.say("once", "k-once"), first);
}

#[test]
fn what_was_answered_is_safe_at_that_moment() {
    let group = Group::new();
    let mut node = start(&group, 2114);
    let page = node.page();
    node.wait_ring(&[2114]);
    for round in 0..5 {
        let id = page.say(&format!("safe {round}"), &format!("safe-{round}"));
        node.kill();
        node = start(&group, 2114);
        assert_eq!(node.page().at, page.at);
        let text = format!("safe {round}");
        wait_until("it is there", || {
            let found = page.get("/api/history?count=100").json();
            let mut found = found["messages"].as_array().unwrap().iter();
            found.any(|message| message["text"] == *text && message["id"] == id)
        });
    }
}

#[test]
fn a_rollback_keeps_the_page() {
    let group = Group::new();
    let mut node = start(&group, 2115);
    let page = node.page();
    node.wait_ring(&[2115]);
    page.say("before", "r-1");
    node.wait_texts(&["before"]);
    assert_eq!(page.post("/api/do", &json!({ "what": "checkpoint" })).status, 200);
    node.wait_for("checkpoint", |event| event["type"] == "checkpointed");
    let id = page.say("after", "r-2");
    node.wait_texts(&["after"]);
    let mut events = page.events(None);
    let refused = page.post("/api/do", &json!({ "what": "rollback", "number": 999 }));
    assert_eq!(refused.status, 422, "{}", refused.json());
    let answer = page.post("/api/do", &json!({ "what": "rollback" }));
    assert_eq!(answer.status, 200, "{}", answer.json());
    events.wait_for("story of the next life", |event| {
        event["type"] == "story" && event["fresh"] == false
    });
    // On the same connection, and what was said stays said.
    assert_eq!(page.say("after", "r-2"), id);
    page.say("in the next life", "r-3");
    events.wait_for("message", |event| event["text"] == "in the next life");
}

#[test]
fn who_asks_for_a_rollback_in_a_lesson_is_told_what_becomes_of_it() {
    let group = Group::new();
    let mut asker = group.start(2121, &["--web", "--lab"]);
    let mut asked = group.start(2122, &["--lab"]);
    let page = asker.page();
    asker.wait_ring(&[2121, 2122]);
    asked.wait_ring(&[2121, 2122]);
    let ask = |number: u64| {
        let lab = json!({ "on": 2122, "what": "rollback", "number": number });
        let answer = page.post("/api/do", &json!({ "what": "lab", "lab": lab }));
        assert_eq!(answer.status, 200, "{}", answer.json());
    };
    let mut events = page.events(None);
    ask(999);
    let lab = |number: u64, event: &Value| event["type"] == "lab" && event["number"] == number;
    events.wait_for("wish", |event| lab(999, event) && event["state"] == "asked");
    let refused = events.wait_for("answer", |event| lab(999, event));
    assert_eq!(refused["state"], "refused", "{refused}");
    assert_eq!(refused["why"], "no_checkpoint");
    assert_eq!(refused["reason"], "there is no such checkpoint");
    assert_eq!((&refused["by"], &refused["on"]), (&json!(2121), &json!(2122)));
    // The node itself goes on as it was, and the next one is done.
    let lab_checkpoint = json!({ "on": 2122, "what": "checkpoint" });
    page.post("/api/do", &json!({ "what": "lab", "lab": lab_checkpoint }));
    asked.wait_for("checkpoint", |event| event["type"] == "checkpointed");
    let stories = |node: &Node| {
        node.events
            .iter()
            .filter(|event| event["type"] == "story")
            .count()
    };
    assert_eq!(stories(&asked), 1);
    ask(0);
    let begins = events.wait_for("answer", |event| lab(0, event) && event["state"] != "asked");
    assert_eq!(begins["state"], "begins", "{begins}");
    asked.wait_for("its next life", |event| event["type"] == "story");
    assert_eq!(stories(&asked), 2);
}

#[test]
fn a_damaged_file_is_replaced_and_a_taken_port_is_left() {
    let group = Group::new();
    let mut node = start(&group, 2116);
    let page = node.page();
    node.kill();
    let path = group.checkpoints(2116).join("web.json");
    let taken = std::net::TcpListener::bind(page.at).unwrap();
    let mut node = start(&group, 2116);
    let elsewhere = node.page();
    assert_ne!(elsewhere.at, page.at);
    assert_eq!(elsewhere.token, page.token);
    node.kill();
    drop(taken);
    std::fs::write(&path, b"{\"v\":1,\"token\":\"x\"}").unwrap();
    let mut node = start(&group, 2116);
    let fresh = node.page();
    assert_ne!(fresh.token, page.token);
    let talk = node.talk_until("! ");
    assert!(talk.contains("web.json cannot be used"), "{talk}");
    node.kill();
    let at = fresh.at;
    let taken = std::net::TcpListener::bind(at).unwrap();
    let ended = support::run(group.command(2116, &["--web", &at.to_string()]), b"");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains(&at.to_string()), "{}", ended.stderr);
    drop(taken);
}

/// What is said last.
const END: &str = "the end";

#[test]
fn a_page_that_does_not_read_slows_nobody_and_finds_all_afterwards() {
    const LINES: usize = 10_000;
    let group = Group::new();
    let mut node = group.start(2117, &["--web", "--delay", "0"]);
    let mut other = group.start(2118, &["--delay", "0"]);
    let page = node.page();
    node.wait_ring(&[2117, 2118]);
    other.wait_ring(&[2117, 2118]);
    // Three sleep from the beginning; what they are told fills what lies between and no more.
    let mut sleeping: Vec<_> = (0..3).map(|_| page.events(None)).collect();
    let padding = "x".repeat(400);
    let mut texts: Vec<String> = (0..LINES).map(|at| format!("{at:05} {padding}")).collect();
    let begun = Instant::now();
    let all: String = texts.iter().map(|text| format!("{text}\n")).collect();
    let writing = std::thread::Builder::new();
    let mut input = other.take_input();
    let writing = writing
        .spawn(move || input.write_all(all.as_bytes()).map(|()| input))
        .unwrap();
    node.wait_for("the last line", |event| {
        event["type"] == "message" && event["text"].as_str().unwrap().starts_with("09999")
    });
    let took = begun.elapsed();
    // Events go on for ever on a page that is followed; this one is the last that matters.
    let mut input = writing.join().unwrap().unwrap();
    input.write_all(format!("{END}\n").as_bytes()).unwrap();
    node.wait_for("the end", |event| {
        event["type"] == "message" && event["text"] == END
    });
    texts.push(END.to_string());
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak_kib: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    println!("{LINES} lines in {took:?}, at most {peak_kib} KiB");
    assert!(peak_kib < 200 << 10, "{peak_kib} KiB");
    let rings = node.events.iter().filter(|event| event["type"] == "ring").count();
    assert!(rings <= 2, "the ring broke: {rings}");
    for events in &mut sleeping {
        wake(events, &page, &texts);
    }
}

/// A page that slept reads what is left, comes back, and looks up in the history what is no longer remembered.
fn wake(events: &mut support::page::Events, page: &Page, texts: &[String]) {
    let mut known = Known::default();
    events.patience(Duration::from_millis(500));
    while let Some(event) = events.next() {
        known.learn(&event);
    }
    let mut again = page.events(events.last.as_deref());
    let mut begins_anew = false;
    loop {
        let event = again.next().expect("the end comes");
        begins_anew |= event["type"] == "reset";
        if event["type"] == "message" && !begins_anew {
            known.learn(&event);
        }
        if event["type"] == "message" && event["text"] == END {
            break;
        }
    }
    let mut before = String::new();
    while begins_anew && known.0.len() < texts.len() {
        let found = page.get(&format!("/api/history?count=500{before}")).json();
        let messages = found["messages"].as_array().unwrap();
        messages.iter().for_each(|message| known.learn(message));
        let first = &messages[0];
        before = format!("&before={},{}", first["ring"].as_str().unwrap(), first["seq"]);
        if found["more"] == false {
            break;
        }
    }
    assert_eq!(known.texts(), texts);
}

#[test]
fn whatever_comes_is_answered_or_closed_and_the_node_lives() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let group = Group::new();
    let mut node = start(&group, 2119);
    let page = node.page();
    node.wait_ring(&[2119]);
    let mut dice = StdRng::seed_from_u64(7);
    let whole = format!("{}Content-Length: 2\r\n\r\n{{}}", page.head("POST", "/api/do"));
    let mut answered = 0;
    for _ in 0..300 {
        let mut bytes = whole.repeat(dice.random_range(1..3)).into_bytes();
        for _ in 0..dice.random_range(0..4) {
            let at = dice.random_range(0..bytes.len());
            bytes[at] = dice.random();
        }
        bytes.truncate(dice.random_range(1..=bytes.len()));
        let mut stream = page.connect();
        let cut = dice.random_range(0..bytes.len());
        stream.write_all(&bytes[..cut]).unwrap();
        stream.write_all(&bytes[cut..]).unwrap_or_default();
        stream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
        if let Some(answer) = read_answer(&mut BufReader::new(stream)) {
            answered += 1;
            assert!((200..600).contains(&answer.status), "{}", answer.head);
            answer.json();
        }
    }
    assert!(answered > 50, "{answered}");
    page.say("still here", "alive");
    node.wait_texts(&["still here"]);
}
