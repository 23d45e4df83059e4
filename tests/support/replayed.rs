//! `node replay --web` as tests start it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::page::Page;

/// A replay that is served. It is ended when this is dropped.
pub struct Replayed {
    child: Child,
    pub page: Page,
}

impl Drop for Replayed {
    fn drop(&mut self) {
        // It may have ended.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Replayed {
    /// Replays these files of a folder on a page.
    pub fn start(folder: &Path, files: &[&str], words: &[&str]) -> Replayed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command
            .current_dir(folder)
            .arg("replay")
            .args(files)
            .arg("--web=127.0.0.1:0")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let link = line.trim().strip_prefix("page: http://").and_then(|link| {
            let (at, token) = link.split_once("/replay#token=")?;
            let (at, token) = (at.parse().ok()?, token.to_string());
            Some(Page { at, token })
        });
        let Some(page) = link else {
            let mut why = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut why).unwrap();
            panic!("no page: {line:?}\n{why}");
        };
        Replayed { child, page }
    }

    /// Where a browser finds it.
    pub fn link(&self) -> String {
        format!("http://{}/replay#token={}", self.page.at, self.page.token)
    }

    /// Ends it as Ctrl-C does; with what it ended.
    pub fn interrupt(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
        self.child.wait().unwrap()
    }
}
