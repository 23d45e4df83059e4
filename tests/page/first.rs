//! The first message of somebody new, for `tools/newcomer/measure`.

use crate::browser::Driver;

/// Two pages of a ring that runs already: a line typed on one is read on the other.
#[test]
#[ignore = "RODA_LINKS names the pages of a ring; tools/newcomer/measure starts one"]
fn the_first_message() {
    let links = std::env::var("RODA_LINKS").expect("RODA_LINKS has two addresses of pages");
    let links: Vec<&str> = links.split_whitespace().collect();
    let driver = Driver::start();
    let (one, other) = (driver.browser("en-US"), driver.browser("en-US"));
    one.open(links[0]);
    other.open(links[1]);
    for page in [&one, &other] {
        page.wait_members(3);
    }
    one.say("is anybody there?");
    other.wait_ordered("is anybody there?");
}
