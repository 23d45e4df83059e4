//! The ring as the page shows it: the holder, a kill, the new ring, a rollback.

use crate::browser::Driver;
use crate::stage::{circle, ordered, serve};
use crate::support::Group;

#[test]
fn the_ring_view_shows_what_happens_to_the_ring() {
    let group = Group::new();
    let (mut ana, [mut bia, mut cae]) = circle(&group, &["--checkpoint-every", "60s"], ["bia", "caê"]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 3);
    assert!(page.text("#ring-name").contains("3 members"));

    // The holder moves: the hop number rises, and where the token was last seen is said as just that.
    let hop = page.js("return Number(document.getElementById('circle').dataset.hop)");
    page.wait(
        "the token goes round",
        &format!("Number(document.getElementById('circle').dataset.hop) > {hop} + 6"),
    );
    // It keeps the token for a moment only, and a busy machine may miss that: it is asked for again and again.
    page.wait(
        "this node holds it",
        "(document.getElementById('circle').dataset.holder === '1' && \
          document.querySelector('.fact-token dd').innerText.includes('here now') && \
          document.querySelector('#circle .node.self.holds .node-does').textContent === 'holds the token') || \
         ((window.asks = (window.asks ?? 0) + 1) % 25 === 1 && void roda.sending.act({ what: 'token' }))",
    );
    page.wait(
        "it went on",
        "document.getElementById('circle').dataset.holder === ''",
    );
    page.wait(
        "it is in the list",
        "document.querySelector('#lines [data-key=\"line.granted\"]')",
    );
    page.wait(
        "rotations are measured",
        "roda.state.rotations.length > 3 && document.querySelector('.spark')",
    );
    bia.say("a number");
    page.wait_ordered("a number");
    page.wait(
        "it drops into every column",
        "document.querySelectorAll('#columns .cell.held').length >= 3",
    );

    // A kill: the evidence, the new ring, who is apart and how.
    cae.kill();
    page.wait_members(2);
    page.wait(
        "the new ring",
        "document.getElementById('ring-name').innerText.includes('2 members')",
    );
    page.wait(
        "it is in the list, with its evidence",
        "[...document.querySelectorAll('#lines li')].some((line) => ['line.silent', 'line.gathering'].includes(line.dataset.key) && /No word from [23] |The ring is over: [23] gathers/.test(line.innerText))",
    );
    page.wait(
        "gone",
        "document.querySelector('.person[data-node=\"3\"]')?.innerText.includes('gone silent')",
    );
    assert!(page.text("#circle-words").contains("2 members in ring order"));

    // A rollback: what is said after the last checkpoint is discarded from state and recovered.
    bia.say("after the checkpoint");
    page.wait_ordered("after the checkpoint");
    ana.node.kill();
    page.wait("lost", "document.body.dataset.state === 'lost'");
    ana = serve(&group, 1, "ana", &["--checkpoint-every", "60s"]);
    page.wait("a jump back", "document.querySelector('#track .jump')");
    assert!(page.text("#track-words").contains("discarded from state"));
    page.wait_members(2);
    page.wait(
        "all is there",
        &format!(
            "{} && !document.querySelector('.discarded')",
            ordered("after the checkpoint")
        ),
    );
    assert_eq!(page.complaints(), Vec::<String>::new());
    drop(ana);
}
