//! Pictures of the page, for people: made only when somebody asks for them.

use std::path::Path;

use crate::browser::{Browser, Driver};
use crate::stage::{circle, ordered};
use crate::support::{Group, Node};

/// Leaves a picture, if `RODA_PICTURES` names a folder for it.
pub fn leave(page: &Browser, name: &str) {
    let Some(folder) = std::env::var_os("RODA_PICTURES") else {
        return;
    };
    let file = Path::new(&folder).join(format!("{name}.png.base64"));
    std::fs::write(file, page.picture()).unwrap();
}

/// Three people talk; the page of one of them.
#[test]
#[ignore = "a picture is made when it is asked for, with tools/page/picture"]
fn a_picture_for_the_readme() {
    let group = Group::new();
    let (ana, [mut bia, mut cae]) = circle(&group, &["--checkpoint-every", "3s"], ["bia", "caê"]);
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.visit(&ana, 3);
    let says = |node: &mut Node, text: &str| {
        node.say(text);
        page.wait_ordered(text);
    };
    says(&mut bia, "/topic a talking circle, without a server");
    says(&mut bia, "good morning! who has the blue cable?");
    says(&mut cae, "it is in room 2, beside the switch");
    page.say("thanks, I will fetch it");
    page.wait_ordered("thanks, I will fetch it");
    says(&mut cae, "ana, look: #3 is number 3 on every screen");
    says(&mut bia, "bom dia! aqui também é #3 😀");
    page.say("and if we pull the cable out?");
    page.wait_ordered("and if we pull the cable out?");
    says(&mut cae, "then there are two rings, and both go on");
    says(&mut bia, "/me pulls the cable");
    says(&mut cae, "and when it is back, we are one ring again");
    let last = "held by all: that is a fact, not a hope";
    page.say(last);
    page.wait("held", &format!("{}.dataset.state === 'all'", ordered(last)));
    page.wait(
        "rotations",
        "roda.state.rotations.length >= 20 && roda.state.checkpoints.length > 0",
    );
    page.js("document.activeElement.blur()");
    leave(&page, "readme");
}
