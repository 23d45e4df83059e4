//! Nodes with a page each, and what tests do on a page.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::browser::{Browser, ENTER};
use crate::support::{Group, Node, wait_until};

/// A node that serves its page.
pub struct Served {
    pub node: Node,
    /// The page's address, with its token.
    pub link: String,
}

/// A port that is free now; nobody else asks for just this one.
pub fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// Starts a node with a page. It keeps its port over restarts by itself.
pub fn serve(group: &Group, id: u16, name: &str, words: &[&str]) -> Served {
    let is_new = stored(group, id).is_none();
    let address = format!("127.0.0.1:{}", free_port());
    let mut all = vec!["--name", name, "--web"];
    if is_new {
        all.push(&address);
    }
    all.extend(words);
    let mut node = group.start(id, &all);
    node.wait_for("start", |event| event["type"] == "start");
    wait_until("the page is served", || stored(group, id).is_some());
    let (port, token) = stored(group, id).unwrap();
    let link = format!("http://127.0.0.1:{port}/#token={token}");
    Served { node, link }
}

/// Ana with a page, and others without one, in one ring.
pub fn circle<const N: usize>(group: &Group, words: &[&str], others: [&str; N]) -> (Served, [Node; N]) {
    let ana = serve(group, 1, "ana", words);
    let ids: Vec<u16> = (1..=1 + N as u16).collect();
    let mut names = others.iter().zip(&ids[1..]);
    let mut others = others.map(|_| {
        let (name, id) = names.next().unwrap();
        group.start(*id, &["--name", name])
    });
    others.iter_mut().for_each(|node| {
        node.wait_ring(&ids);
    });
    (ana, others)
}

/// The port and the token that a node keeps.
fn stored(group: &Group, id: u16) -> Option<(u64, String)> {
    let path = group.checkpoints(id).join("web.json");
    let text = std::fs::read_to_string(Path::new(&path)).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    Some((value["port"].as_u64()?, value["token"].as_str()?.to_string()))
}

/// A message of the log by its text, as an expression; it has a number.
pub fn ordered(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('.log article[data-id]')].find((row) => row.dataset.text === {text:?})"
    )
}

/// How often a text stands in the log, with a number or without.
pub fn times(browser: &Browser, text: &str) -> u64 {
    let all = browser.js(&format!(
        "return [...document.querySelectorAll('.log article')].filter((row) => row.dataset.text === {text:?}).length"
    ));
    all.as_u64().unwrap()
}

/// The texts of the log in their order.
pub fn log(browser: &Browser) -> Vec<String> {
    let all =
        browser.js("return [...document.querySelectorAll('.log article')].map((row) => row.dataset.text)");
    let all = all.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap_or_default().to_string())
        .collect()
}

impl Browser {
    /// Opens a node's page and waits until it shows a ring of so many.
    pub fn visit(&self, served: &Served, members: usize) {
        self.open(&served.link);
        self.wait_members(members);
    }

    /// Waits until the page shows a ring of so many.
    pub fn wait_members(&self, members: usize) {
        let shown = format!(
            "document.querySelector('#circle').dataset.phase === 'operational' && \
             document.querySelectorAll('#circle .node').length === {members}"
        );
        self.wait(&format!("a ring of {members} on the page"), &shown);
    }

    /// Says a line as a user does.
    pub fn say(&self, text: &str) {
        self.js("document.getElementById('input').focus()");
        self.type_text(text);
        self.press(&[ENTER]);
    }

    /// Waits until a text is on the page, with its number.
    pub fn wait_ordered(&self, text: &str) {
        self.wait(&format!("{text:?} with its number"), &ordered(text));
    }
}
