//! A real browser: Debian's Chromium, driven through `chromedriver` by WebDriver's plain HTTP and JSON (W3C WebDriver, 2018).
//!
//! Each test has a driver of its own, on a port that the driver chose, and a folder of its own for each browser. All are
//! ended by their process ids when they are dropped, also when a test fails.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::PATIENCE;

/// Keys that are no characters, as WebDriver numbers them.
pub const ENTER: &str = "\u{e007}";
pub const TAB: &str = "\u{e004}";
pub const SHIFT: &str = "\u{e008}";
pub const ALT: &str = "\u{e00a}";
pub const ESCAPE: &str = "\u{e00c}";
pub const UP: &str = "\u{e013}";
pub const LEFT: &str = "\u{e012}";
pub const RIGHT: &str = "\u{e014}";
pub const DOWN: &str = "\u{e015}";

/// What the browser must not do: no graphics card, no network but what it is told to open.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1440,900",
];

/// A running `chromedriver`.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Driver {
    /// Starts one, on a port that is free.
    pub fn start() -> Driver {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (Debian's package chromium-driver)");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, after) = line.split_once("started successfully on port ")?;
                after.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        Driver { child, port }
    }

    /// Opens a browser whose user reads this language.
    pub fn browser(&self, language: &str) -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = ARGUMENTS.map(String::from).to_vec();
        arguments.push(format!("--user-data-dir={}", folder.path().display()));
        arguments.push(format!("--lang={language}"));
        let options = json!({
            "binary": chromium(),
            "args": arguments,
            "prefs": { "intl.accept_languages": language },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": options,
        } } });
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let address = format!("http://127.0.0.1:{}", self.port);
        let mut browser = Browser {
            agent,
            address: address.clone(),
            _folder: folder,
        };
        let session = browser.call("POST", "/session", &wanted);
        let id = session["sessionId"].as_str().unwrap();
        browser.address = format!("{address}/session/{id}");
        browser
    }
}

/// Where Chromium is; found as a shell finds it.
fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| folder.join("chromium"))
        .find(|file| file.is_file())
        .expect("chromium is installed")
}

/// A browser with one page.
pub struct Browser {
    agent: ureq::Agent,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver may be gone, and its browsers with it.
        self.agent
            .delete(&self.address)
            .call()
            .map(drop)
            .unwrap_or_default();
    }
}

impl Browser {
    /// A command of WebDriver; its value.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.address);
        let mut answer = match method {
            "GET" => self.agent.get(&address).call(),
            _ => self
                .agent
                .post(&address)
                .header("content-type", "application/json")
                .send(&body.to_string()),
        }
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .unwrap();
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let value = value["value"].clone();
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value
    }

    /// Goes to an address.
    pub fn open(&self, address: &str) {
        self.call("POST", "/url", &json!({ "url": address }));
    }

    /// Runs a function's body in the page; what it returns.
    pub fn js(&self, body: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Runs the body of an asynchronous function in the page; what it returns, in the end.
    pub fn js_later(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {body} }})().then(done, (error) => done({{ failed: String(error.stack ?? error) }}));"
        );
        let value = self.call("POST", "/execute/async", &json!({ "script": script, "args": [] }));
        assert!(value["failed"].is_null(), "{}", value["failed"]);
        value
    }

    /// Waits until an expression is true in the page.
    pub fn wait(&self, what: &str, expression: &str) {
        self.wait_within(PATIENCE, what, expression);
    }

    /// The same, with a limit.
    pub fn wait_within(&self, limit: Duration, what: &str, expression: &str) {
        let deadline = Instant::now() + limit;
        // It is looked at by the page's own clock: one command waits up to a second. What cannot be looked at yet is not so.
        let body = format!(
            "const end = performance.now() + 1000;
             let why = 'false';
             while (performance.now() < end) {{
                 try {{
                     if ({expression}) return true;
                 }} catch (error) {{
                     why = String(error);
                 }}
                 await new Promise((again) => setTimeout(again, 20));
             }}
             return why;"
        );
        loop {
            let so = self.js_later(&body);
            if so == true {
                return;
            }
            let page = || self.text("body");
            assert!(Instant::now() < deadline, "never so: {what}: {so}\n{}", page());
        }
    }

    /// The text of the first element that a selector finds, as one reads it.
    pub fn text(&self, selector: &str) -> String {
        let found = self.js(&format!(
            "return document.querySelector({selector:?})?.innerText ?? ''"
        ));
        found.as_str().unwrap().to_string()
    }

    /// Presses these keys together, and lets them go.
    pub fn press(&self, keys: &[&str]) {
        let mut actions: Vec<Value> = Vec::new();
        actions.extend(keys.iter().map(|key| json!({ "type": "keyDown", "value": key })));
        actions.extend(
            keys.iter()
                .rev()
                .map(|key| json!({ "type": "keyUp", "value": key })),
        );
        self.act(actions);
    }

    /// Types a text into whatever has the focus.
    pub fn type_text(&self, text: &str) {
        let both = |char: char| {
            let key = char.to_string();
            [
                json!({ "type": "keyDown", "value": key }),
                json!({ "type": "keyUp", "value": key }),
            ]
        };
        self.act(text.chars().flat_map(both).collect());
    }

    fn act(&self, actions: Vec<Value>) {
        let body = json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] });
        self.call("POST", "/actions", &body);
    }

    /// A command of Chromium's own protocol.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.call(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    /// Looks at the page through a window of this size.
    pub fn size(&self, width: u32, height: u32, is_phone: bool) {
        let scale = if is_phone { 2 } else { 1 };
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone }),
        );
    }

    /// Light or dark, as the user's system has it.
    pub fn dark(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        self.cdp(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
    }

    /// A picture of the page, as base64 of a PNG.
    pub fn picture(&self) -> String {
        let picture = self.call("GET", "/screenshot", &Value::Null);
        picture.as_str().unwrap().to_string()
    }

    /// What the page complained of since this was asked last, but for connections that a test broke.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines
            .map(|line| line["message"].as_str().unwrap().to_string())
            .filter(|line| !line.contains("net::ERR_"))
            .collect()
    }
}
