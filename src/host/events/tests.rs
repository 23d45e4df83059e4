//! Each notice once as an event, held against golden lines and against `docs/EVENTS.md`.

use super::*;
use crate::host::terminal::samples;
use serde_json::Value;

const AT: Mark = Mark {
    at: WallTime(1_763_680_000_482),
    n: 7,
    node: NodeId(3),
    us: Time(61_000_123),
};
/// What every event begins with behind its type, at this mark.
const BEGINNING: &str = r#","at":"2025-11-20T23:06:40.482Z","event":7,"node":3,"us":61000123"#;

/// All lines a node can print, by type.
fn all_lines() -> Vec<String> {
    let mut lines: Vec<String> = samples::notices().iter().map(|one| notice(one, AT)).collect();
    lines.push(start(&samples::start(), AT));
    lines.push(story(&samples::story(), AT));
    lines.push(history(&samples::record(42, "oi"), true, AT));
    lines.push(line_refused(3, "too long", AT));
    lines.push(exit(Code::NotHeld, Some("2 lines"), AT));
    lines.push(Told::lost(3, AT).line.to_string());
    lines.push(Told::reset("forgotten", AT).line.to_string());
    lines
}

fn type_of(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    value["type"].as_str().unwrap().to_string()
}

#[test]
fn every_event_is_one_line_of_json_with_the_same_first_keys() {
    for line in all_lines() {
        assert!(line.starts_with(r#"{"v":1,"type":""#), "{line}");
        assert!(line.contains(BEGINNING), "{line}");
        assert!(!line.contains('\n'), "{line}");
        type_of(&line);
    }
}

#[test]
fn the_page_documents_every_type_and_every_field() {
    let page = include_str!("../../../docs/EVENTS.md");
    for line in all_lines() {
        let name = type_of(&line);
        let heading = format!("## {name}\n");
        let (_, rest) = page
            .split_once(&heading)
            .unwrap_or_else(|| panic!("{name} is not in docs/EVENTS.md"));
        let section = rest.split("\n## ").next().unwrap();
        let value: Value = serde_json::from_str(&line).unwrap();
        for key in value.as_object().unwrap().keys() {
            let known = ["v", "type", "at", "event", "node", "us"].contains(&key.as_str());
            assert!(known || section.contains(&format!("`{key}`")), "{name}.{key}");
        }
    }
}

#[test]
fn a_message_shows_the_known_keys_and_nothing_raw() {
    let line = notice(&samples::message(42, "oi \u{1b}[2J"), AT);
    assert_eq!(
        line,
        concat!(
            r#"{"v":1,"type":"message","at":"2025-11-20T23:06:40.482Z","event":7,"node":3,"us":61000123,"id":"3-1763680000000000-17","#,
            r#""ring":"4.1.1763680000000000","seq":42,"from":3,"name":"ana","room":"geral","#,
            r#""sent":"2026-11-21T14:03:11.482Z","text":"oi \u001b[2J","late":false,"own":false}"#
        )
    );
}

#[test]
fn unknown_keys_of_a_content_are_not_shown_and_broken_ones_say_so() {
    let mut record = samples::record(42, "oi");
    let spoiled = String::from_utf8(record.content.to_vec()).unwrap();
    record.content = Bytes::from(spoiled.replace(r#","text""#, r#","type":"exit","text""#));
    let shown = |record| Notice::Message {
        record,
        late: true,
        own: false,
    };
    let line = notice(&shown(record.clone()), AT);
    assert!(
        line.contains(r#""text":"oi","late":true"#) && !line.contains("exit"),
        "{line}"
    );
    record.content = Bytes::from_static(b"\xff{}");
    let line = notice(&shown(record), AT);
    assert!(line.contains(r#""unreadable":""#), "{line}");
    assert!(serde_json::from_str::<Value>(&line).is_ok());
}

#[test]
fn some_events_word_for_word() {
    let tail = |notice_| {
        let line = notice(&notice_, AT);
        line.replacen(BEGINNING, "", 1)
    };
    assert_eq!(
        tail(samples::request()),
        r#"{"v":1,"type":"request","ring":"4.1.1763680000000000"}"#
    );
    assert_eq!(
        tail(samples::pass(8, 2)),
        r#"{"v":1,"type":"pass","ring":"4.1.1763680000000000","hop":8,"to":2}"#
    );
    assert_eq!(
        tail(samples::ring(&[1, 3], &[3], &[2])),
        concat!(
            r#"{"v":1,"type":"ring","ring":"4.1.1763680000000000","epoch":4,"leader":1,"members":"#,
            r#"[{"id":1,"incarnation":"1763680000000000","name":""},"#,
            r#"{"id":3,"incarnation":"1763680000000000","name":""}],"#,
            r#""joined":[3],"left":[2],"left_how":[{"node":2,"how":"silent"}],"#,
            r#""came_from":[{"ring":null,"members":[3]},{"ring":"3.1.1763680000000000","members":[1]}],"first":40}"#
        )
    );
}
