//! Many messages: the page's work and memory stay bounded, however many there are and however fast they come.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use serde_json::{Value, json};

use crate::browser::{Browser, Driver};
use crate::stage::circle;
use crate::support::{Group, Node};

/// Messages before the page is opened.
const HISTORY: usize = 10_000;
/// Messages a second while it is looked at, and for how long.
const RATE: usize = 200;
const SECONDS: usize = 10;

/// Says this many lines, so many at a time, and waits between for as long as the rate wants.
fn pace(node: &mut Node, page: &Browser) {
    let (_keep, tick) = unbounded::<()>();
    let began = Instant::now();
    let each = RATE / 20;
    for round in 0..SECONDS * 20 {
        let mut lines = String::new();
        for line in 0..each {
            writeln!(lines, "fast {}", round * each + line).unwrap();
        }
        node.write(lines.as_bytes());
        let due = Duration::from_millis(50) * (round as u32 + 1);
        tick.recv_timeout(due.saturating_sub(began.elapsed()))
            .unwrap_or_default();
    }
    page.wait_ordered(&format!("fast {}", RATE * SECONDS - 1));
}

/// Bytes that the page's scripts hold, after all that nobody holds is let go.
fn heap(page: &Browser) -> u64 {
    page.cdp("HeapProfiler.collectGarbage", &json!({}));
    let heap = page.cdp("Runtime.getHeapUsage", &json!({}));
    heap["usedSize"].as_f64().unwrap() as u64
}

#[test]
fn many_messages_cost_the_page_little() {
    let group = Group::new();
    let (ana, [mut bia]) = circle(&group, &[], ["bia"]);
    let lines: String = (0..HISTORY).map(|line| format!("old {line}\n")).collect();
    bia.write(lines.as_bytes());
    let last = format!("old {}", HISTORY - 1);
    bia.wait_for("the last of them", |event| {
        event["type"] == "message" && event["text"] == *last
    });

    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 2);
    page.wait_ordered(&last);
    let before = heap(&page);
    page.js("window.longest = 0;
         new PerformanceObserver((list) => {
             for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
         }).observe({ type: 'longtask' });
         roda.work.mostMs = 0; roda.work.mostEvents = 0; roda.log.work.mostRowsMade = 0;");
    pace(&mut bia, &page);
    let work: Value = page.js(
        "return { rows: document.querySelectorAll('.log > *').length, most: roda.log.work.mostRows,
                  made: roda.log.work.mostRowsMade, events: roda.work.mostEvents, ms: roda.work.mostMs,
                  kept: roda.state.chat.count, longest: window.longest, elements: document.querySelectorAll('*').length }",
    );
    // Counted, not timed: a busy machine must not fail this. The times are told for those who measure.
    println!("work: {work}");
    assert!(work["most"].as_u64().unwrap() <= 300, "{work}");
    assert!(work["made"].as_u64().unwrap() <= 40, "{work}");
    assert!(work["events"].as_u64().unwrap() <= 300, "{work}");
    assert!(work["kept"].as_u64().unwrap() <= 5000, "{work}");
    assert!(work["elements"].as_u64().unwrap() <= 6000, "{work}");

    the_oldest_can_be_read(&page);
    let after = heap(&page);
    println!("heap: {before} bytes before, {after} after");
    assert!(after < 64 << 20, "{after} bytes");
}

/// Scrolling up brings the first message of all, piece by piece, in bounded memory.
fn the_oldest_can_be_read(page: &Browser) {
    page.js("document.getElementById('log').focus()");
    page.wait(
        "the beginning of the room",
        "(document.getElementById('log').scrollTop = 0, document.querySelector('.note.beginning'))",
    );
    page.wait_ordered("old 0");
    let kept = page.js("return [roda.state.chat.count, document.querySelectorAll('.log > *').length]");
    assert!(kept[0].as_u64().unwrap() <= 5000, "{kept}");
    assert!(kept[1].as_u64().unwrap() <= 310, "{kept}");
    // One button leads back to the newest.
    page.js("document.getElementById('newer').click()");
    page.wait_ordered(&format!("fast {}", RATE * SECONDS - 1));
}
