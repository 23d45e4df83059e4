//! The page beside a terminal, and the browser that a node opens by itself.

use std::os::unix::fs::PermissionsExt;

use crate::browser::Driver;
use crate::stage::{free_port, ordered};
use crate::support::pty::Person;
use crate::support::{Group, wait_until};

/// One node, two places to talk from: the terminal it was started in, and the page that it opened.
#[test]
fn a_terminal_and_the_page_that_it_opens_are_one_user() {
    let group = Group::new();
    // Instead of a desktop's opener: it keeps what it was told to open.
    let tools = tempfile::tempdir().unwrap();
    let opener = tools.path().join("xdg-open");
    let kept = tools.path().join("opened");
    let script = format!(
        "#!/bin/sh\nprintf %s \"$1\" >{}.new\nmv {0}.new {0}\n",
        kept.display()
    );
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();

    let address = format!("127.0.0.1:{}", free_port());
    let mut command = group.command(1, &["--name", "ana", "--web", &address, "--open"]);
    command.env("PATH", format!("{}:{path}", tools.path().display()));
    let mut ana = Person::at_terminal(command);
    ana.sees(&format!("page: http://{address}/#token="));
    let token = ana.rest_of_line();
    wait_until("a browser was opened", || kept.is_file());
    let file = std::fs::read_to_string(&kept).unwrap();
    assert!(!file.contains(&token), "the token stands on no command line");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{file} is for its owner only");

    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.open(&format!("file://{file}"));
    page.wait_members(1);
    let mut bia = group.start(2, &["--name", "bia"]);
    bia.wait_ring(&[1, 2]);
    page.wait_members(2);

    ana.types("from the terminal");
    page.wait_ordered("from the terminal");
    page.wait(
        "it is the page's own",
        &format!("{}.classList.contains('own')", ordered("from the terminal")),
    );
    page.say("from the page");
    ana.sees("ana·1 from the page");
    bia.say("for both, ana");
    ana.sees("bia·2 for both, ana");
    page.wait_ordered("for both, ana");
    // What one of them changes, the other knows.
    page.say("/nick eva");
    ana.sees("you are eva from now on");
    ana.types("by another name");
    page.wait_ordered("by another name");
    bia.wait_for("the name", |event| {
        event["type"] == "message" && event["name"] == "eva"
    });

    // Who leaves at the terminal has left, and the page says so.
    ana.types("/quit");
    assert_eq!(ana.ends(), Some(0));
    page.wait("it says so", "document.body.dataset.state === 'lost'");
    assert!(
        page.text("#state").contains("The node has left"),
        "{}",
        page.text("#state")
    );
    wait_until("what led here is gone", || !std::path::Path::new(&file).exists());
}
