//! Who cannot see the page, or not well, and who wants to harm it.

use serde_json::{Value, json};

use crate::browser::{Browser, Driver};
use crate::pictures::leave;
use crate::stage::{circle, ordered};
use crate::support::Group;

/// The checker of WCAG's rules, as it comes from its makers (axe-core 4.14.1).
const AXE: &str = include_str!("vendor/axe.min.js");

/// What axe finds that is serious or worse, with where it is.
pub fn found(page: &Browser) -> Value {
    page.js(&format!("if (!window.axe) {{ {AXE} }}"));
    page.js_later(
        "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
         return violations
             .filter((one) => one.impact === 'serious' || one.impact === 'critical')
             .map((one) => [one.id, one.nodes.map((node) => `${node.html} ${node.failureSummary}`)]);",
    )
}

#[test]
fn nothing_serious_is_wrong_for_those_who_see_little_or_nothing() {
    let group = Group::new();
    let (ana, [mut bia]) = circle(&group, &[], ["bia"]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 2);
    page.say("good morning");
    bia.say("ana, good morning");
    bia.say("/topic the morning");
    page.wait(
        "held",
        &format!("{}.dataset.state === 'all'", ordered("good morning")),
    );
    page.wait_ordered("ana, good morning");
    page.js("document.getElementById('twin').open = true");

    for (look, is_dark) in [("light", false), ("dark", true)] {
        page.dark(is_dark);
        assert_eq!(found(&page), json!([]), "{look}");
        leave(&page, look);
        page.size(390, 844, true);
        for tab in ["rooms", "ring", "chat"] {
            page.js(&format!("document.getElementById('tab-{tab}').click()"));
            assert_eq!(found(&page), json!([]), "phone, {look}, {tab}");
            leave(&page, &format!("phone-{look}-{tab}"));
        }
        page.size(1280, 720, false);
        page.js("document.getElementById('projector').click()");
        assert_eq!(found(&page), json!([]), "projector, {look}");
        leave(&page, &format!("projector-{look}"));
        page.js("document.getElementById('projector').click()");
        page.size(1440, 900, false);
    }
    page.js("document.querySelector('article.own').click()");
    page.wait("its life", "document.querySelectorAll('.steps li').length > 5");
    assert_eq!(found(&page), json!([]), "a message's life");
    leave(&page, "life");
    page.js("document.getElementById('life').close()");
    the_tree_says_it_all(&page);
}

/// What a screen reader is given: the parts by their roles and names, and states as text.
fn the_tree_says_it_all(page: &Browser) {
    page.js("document.getElementById('tab-chat').click()");
    let tree = page.cdp("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let named = |role: &str| -> Vec<String> {
        let of_role = nodes.iter().filter(|node| node["role"]["value"] == role);
        of_role
            .map(|node| node["name"]["value"].as_str().unwrap_or_default().to_string())
            .collect()
    };
    assert_eq!(named("log"), ["Messages"]);
    assert!(named("textbox").iter().any(|name| name == "Message"));
    assert!(named("searchbox").iter().any(|name| name == "Search messages"));
    assert!(named("heading").iter().any(|name| name == "Ring"));
    let images = named("image").join(" ");
    assert!(
        images.contains("2 members in ring order: ana 1 → bia 2."),
        "{images}"
    );
    assert!(images.contains("Node 2: received up to"), "{images}");
    let texts = named("StaticText").join(" ");
    for state in ["In a ring of 2", "held by all 2", "in the ring", "to you"] {
        assert!(texts.contains(state), "{state:?} in {texts}");
    }
}

#[test]
fn texts_of_others_are_only_texts() {
    let group = Group::new();
    let evil = "<img src=x onerror=document.title='broken'>";
    let (ana, [mut bia]) = circle(&group, &[], [evil]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 2);
    let texts = [
        "<script>document.title='broken'</script>",
        "javascript:alert(1) <a href=\"javascript:alert(1)\">x</a> &amp; <b>bold</b>",
        "\u{202e}txt.exe \u{2066}isolated\u{200f}",
        "\u{1b}[31mred\u{1b}[0m\u{7}",
        "</article></div><style>*{display:none}</style>",
    ];
    for text in texts {
        bia.say(text);
    }
    bia.say("/topic <svg onload=document.title='broken'>");
    bia.say("the last one");
    page.wait_ordered("the last one");
    // A room of such a name, from the page itself.
    page.js("document.getElementById('room-name').value = \"<i onclick=x>'\\\"\u{202e}\"; document.getElementById('room-new').requestSubmit()");
    page.say("here <too>");
    page.wait_ordered("here <too>");
    page.js("document.querySelector('[data-room=geral]').click()");
    page.wait_ordered("the last one");
    let shown = page.text("#log");
    for part in [
        "<script>",
        "<b>bold</b>",
        "⟨U+202E⟩txt.exe",
        "␛[31mred",
        "</article></div><style>",
    ] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    assert!(page.text("#people-list").contains("<img src=x"));
    // Nothing of it became an element, and nothing ran.
    let made = page.js(
        "return document.querySelectorAll('main script, main img, main b, main style, main i, main a[href^=javascript]').length",
    );
    assert_eq!(made, 0);
    assert!(
        page.js("return document.title")
            .as_str()
            .unwrap()
            .contains("geral")
    );
    assert_eq!(page.complaints(), Vec::<String>::new());
}
