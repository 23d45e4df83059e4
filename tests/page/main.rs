//! The page in a real browser: real nodes on loopback, Debian's Chromium, and what one sees and does there.
//!
//! `RODA_PICTURES=FOLDER` makes the tests leave pictures of the page there.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod accessible;
mod beside;
mod browser;
mod first;
mod lessons;
mod many;
mod pictures;
#[path = "../../examples/recorded/mod.rs"]
mod recorded;
mod replay;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod watched;

use browser::{Browser, DOWN, Driver, ENTER, ESCAPE, SHIFT, TAB, UP};
use serde_json::json;
use stage::{circle, log, ordered, serve, times};
use support::Group;

/// Checks of the page's own parts, as a function's body.
const UNITS: &str = include_str!("units.js");

#[test]
fn the_parts_of_the_page_do_what_they_say() {
    let group = Group::new();
    let ana = serve(&group, 1, "ana", &[]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.open(&ana.link);
    assert_eq!(page.js_later(UNITS), json!([]));
}

#[test]
fn two_pages_on_two_nodes_talk() {
    let group = Group::new();
    let ana = serve(&group, 1, "ana", &[]);
    let bia = serve(&group, 2, "bia", &[]);
    let driver = Driver::start();
    let left = driver.browser("en-US");
    let right = driver.browser("pt-BR");
    left.visit(&ana, 2);
    right.visit(&bia, 2);

    left.say("hello, bia");
    right.wait_ordered("hello, bia");
    left.wait_ordered("hello, bia");
    // The ticks advance to the last one, in words beside the glyph.
    left.wait(
        "held by all",
        &format!(
            "{}.querySelector('.tick').innerText.includes('held by all 2')",
            ordered("hello, bia")
        ),
    );
    right.say("oi, ana, tudo bem?");
    left.wait_ordered("oi, ana, tudo bem?");
    right.wait(
        "held by all, in Portuguese",
        &format!(
            "{}.querySelector('.tick').innerText.includes('guardada por todos os 2')",
            ordered("oi, ana, tudo bem?")
        ),
    );
    // It names the reader, and is marked so.
    assert!(left.text(".to-me .marks").contains("to you"));
    // Both see one number for it.
    let number = |page: &Browser| page.js(&format!("return {}.dataset.number", ordered("hello, bia")));
    assert_eq!(number(&left), number(&right));

    several_lines_and_commands(&left, &right);
    rooms_and_links(&left, &right);
    languages(&left);
    // Whoever comes back finds the first message that was not read.
    left.open("about:blank");
    right.js("document.querySelector('[data-room=geral]').click()");
    right.say("while you were away");
    right.wait_ordered("while you were away");
    left.visit(&ana, 2);
    left.wait_ordered("while you were away");
    let after = "document.querySelector('.unread-line')?.nextSibling.dataset.text";
    left.wait("the unread line", &format!("{after} === 'while you were away'"));
    for page in [&left, &right] {
        assert_eq!(page.complaints(), Vec::<String>::new());
    }
}

/// A message of two lines; an action; a topic; an absence; a command that is none.
fn several_lines_and_commands(left: &Browser, right: &Browser) {
    left.js("document.getElementById('input').focus()");
    left.type_text("one");
    left.press(&[SHIFT, ENTER]);
    left.type_text("two");
    left.press(&[ENTER]);
    right.wait_ordered("one\ntwo");
    left.say("/me waves");
    right.wait(
        "an action",
        "document.querySelector('.words.action')?.innerText.includes('waves')",
    );
    left.say("/topic coffee at four");
    right.wait(
        "a topic",
        "document.getElementById('topic').innerText === 'coffee at four'",
    );
    left.say("/away lunch");
    right.wait(
        "an absence",
        "document.querySelector('.person[data-node=\"1\"]')?.innerText.includes('lunch')",
    );
    left.say("/serach x");
    left.wait(
        "the nearest",
        "document.getElementById('wrong').innerText.includes('/search')",
    );
    // It is not said, and comes back to be mended.
    assert_eq!(
        left.js("return document.getElementById('input').value"),
        "/serach x"
    );
    left.js("document.getElementById('input').value = ''");
}

/// Unread counts in another room; a message's link; a search.
fn rooms_and_links(left: &Browser, right: &Browser) {
    right.say("/join kitchen");
    right.say("the kettle is on");
    left.wait(
        "an unread message in another room",
        "document.querySelector('[data-room=kitchen] .unread')?.innerText.includes('1')",
    );
    left.js("document.querySelector('[data-room=kitchen]').click()");
    left.wait_ordered("the kettle is on");
    left.wait(
        "it is read",
        "!document.querySelector('[data-room=kitchen] .unread')",
    );
    left.js("document.querySelector('[data-room=geral]').click()");
    left.wait_ordered("hello, bia");
    // A permalink beside the token leads to its message, in its room.
    let number =
        left.js("return [...roda.state.chat.byId.values()].find((one) => one.room === 'kitchen').seq");
    left.js(&format!("location.hash = '#{number}'"));
    left.wait(
        "the link's message has the focus",
        "document.activeElement.dataset.text === 'the kettle is on'",
    );
    assert!(
        left.js("return location.hash")
            .as_str()
            .unwrap()
            .contains("token=")
    );
    left.js("document.querySelector('[data-room=geral]').click()");
    left.say("/search kettle");
    left.wait(
        "it is found",
        "document.querySelector('#found-list button')?.innerText.includes('kettle')",
    );
    left.press(&[ESCAPE]);
}

/// The switch changes all words, and is kept.
fn languages(page: &Browser) {
    let choose = |code: &str| {
        page.js(&format!(
            "const select = document.getElementById('language'); select.value = '{code}';
             select.dispatchEvent(new Event('change'))"
        ));
    };
    choose("es");
    page.wait(
        "Spanish",
        "document.getElementById('rooms-title').innerText === 'Salas'",
    );
    page.wait(
        "ticks in Spanish",
        "document.querySelector('.tick').innerText.includes('guardado')",
    );
    page.js("location.reload()");
    page.wait("it is kept", "document.documentElement.lang === 'es'");
    page.wait_members(2);
    choose("en");
    page.wait("English", "document.querySelector('.send').innerText === 'Send'");
}

#[test]
fn a_page_whose_node_is_killed_says_so_and_goes_on() {
    let group = Group::new();
    let (mut ana, [mut bia]) = circle(&group, &["--checkpoint-every", "60s"], ["bia"]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 2);
    page.say("before");
    page.wait(
        "held by all",
        &format!("{}.dataset.state === 'all'", ordered("before")),
    );
    bia.say("bia before");
    page.wait_ordered("bia before");

    // The node dies while something is half typed.
    page.js("document.getElementById('input').focus()");
    page.type_text("half a thou");
    ana.node.kill();
    page.wait("it says so", "document.body.dataset.state === 'lost'");
    assert!(
        page.text("#state")
            .contains("This page has lost its node; your draft is kept")
    );
    assert_eq!(
        page.js("return document.getElementById('input').value"),
        "half a thou"
    );
    page.type_text("ght");
    page.press(&[ENTER]);
    page.wait("it waits", "document.querySelector('.log article.unsent')");
    // Others go on meanwhile, alone.
    bia.wait_ring(&[2]);
    for line in ["meanwhile 1", "meanwhile 2"] {
        bia.say(line);
    }
    bia.wait_texts(&["meanwhile 1", "meanwhile 2"]);
    page.js("document.getElementById('input').focus()");
    page.type_text("a draft");

    ana = serve(&group, 1, "ana", &["--checkpoint-every", "60s"]);
    page.wait_members(2);
    for text in [
        "before",
        "bia before",
        "meanwhile 1",
        "meanwhile 2",
        "half a thought",
    ] {
        page.wait_ordered(text);
        assert_eq!(times(&page, text), 1, "{text:?} in {:?}", log(&page));
    }
    page.wait(
        "held again",
        &format!("{}.dataset.state === 'all'", ordered("half a thought")),
    );
    assert_eq!(
        page.js("return document.getElementById('input').value"),
        "a draft"
    );
    assert_eq!(page.js("return roda.sending.unsent.length"), 0);
    bia.wait_texts(&["half a thought"]);
    assert_eq!(bia.times("half a thought"), 1);
    // What was in state and not in the checkpoint was discarded and recovered: the page shows the jump.
    page.wait(
        "the rollback",
        "document.getElementById('track').dataset.rollback !== ''",
    );
    page.wait(
        "nothing is left out",
        "document.querySelectorAll('.log .discarded').length === 0",
    );
    let order = log(&page);
    // A reload shows the same, from the node alone.
    page.js("location.reload()");
    page.wait_members(2);
    page.wait_ordered("half a thought");
    assert_eq!(log(&page), order);
    assert_eq!(
        page.js("return document.getElementById('input').value"),
        "a draft"
    );
    drop(ana);
}

#[test]
fn all_can_be_done_by_keyboard() {
    let group = Group::new();
    let ana = serve(&group, 1, "ana", &[]);
    let bia = serve(&group, 2, "bia", &[]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 2);
    // The first stops of the tab key skip to the parts.
    page.press(&[TAB]);
    assert_eq!(page.js("return document.activeElement.dataset.skip"), "input");
    page.press(&[ENTER]);
    assert_eq!(page.js("return document.activeElement.id"), "input");
    page.type_text("first by keys");
    page.press(&[ENTER]);
    page.wait_ordered("first by keys");
    page.type_text("/join rede");
    page.press(&[ENTER]);
    page.type_text("second by keys");
    page.press(&[ENTER]);
    page.wait_ordered("second by keys");
    // The room above, with the keys that the help names.
    page.press(&[browser::ALT, UP]);
    page.wait_ordered("first by keys");
    // Up to the messages, and the life of one.
    page.js("document.getElementById('log').focus()");
    page.press(&[DOWN]);
    assert_eq!(
        page.js("return document.activeElement.dataset.text"),
        "first by keys"
    );
    page.press(&[ENTER]);
    page.wait(
        "its life",
        "document.getElementById('life').open && document.querySelectorAll('.steps li').length > 5",
    );
    let life = page.text("#life");
    for step in [
        "key pressed",
        "in the outbox",
        "stamped while holding the token",
        "written to the replica",
        "held by 2",
    ] {
        assert!(life.contains(step), "{step:?} in {life}");
    }
    page.press(&[ESCAPE]);
    page.wait("closed", "!document.getElementById('life').open");
    // Search.
    page.press(&["/"]);
    assert_eq!(page.js("return document.activeElement.id"), "search-words");
    page.type_text("second");
    page.press(&[ENTER]);
    page.wait("found", "document.activeElement.matches('button.found')");
    page.press(&[ENTER]);
    page.wait(
        "it is there",
        "document.activeElement.dataset.text === 'second by keys'",
    );
    // The help, and the ring as a table.
    page.press(&[SHIFT, "?"]);
    page.wait("the help", "document.getElementById('help').open");
    page.press(&[ESCAPE]);
    page.press(&[browser::ALT, "r"]);
    page.wait(
        "the table",
        "document.querySelectorAll('#twin-table tbody tr').length === 2",
    );
    let table = page.text("#twin-table");
    assert!(
        table.contains("ana·1 (you)") && table.contains("member 2"),
        "{table}"
    );
    page.press(&[ESCAPE]);
    assert_eq!(page.js("return document.activeElement.id"), "input");
    drop(bia);
}
