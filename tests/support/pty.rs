//! A node at a terminal of its own, as a person has one.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and open terminals, and may fail.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crossbeam_channel::{Receiver, unbounded};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::PATIENCE;

/// A node at a terminal.
pub struct Person {
    pub child: Child,
    keys: File,
    output: Receiver<String>,
    /// All that was shown so far, without escape sequences.
    pub shown: String,
    /// All that was shown so far, as it came.
    pub raw: String,
    looked_at: usize,
}

impl Drop for Person {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Person {
    /// Starts a command at a new terminal.
    pub fn at_terminal(mut command: Command) -> Person {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap());
            Stdio::from(file.unwrap())
        };
        command.stdin(terminal()).stdout(terminal()).stderr(terminal());
        command.env("TERM", "xterm").env("TZ", "UTC");
        // Without colours, unless the test says otherwise.
        if command.get_envs().all(|(name, _)| name != "NO_COLOR") {
            command.env("NO_COLOR", "1");
        }
        let child = command.spawn().unwrap();
        drop(command);
        let keys = File::from(controller);
        let output = pieces_of(keys.try_clone().unwrap());
        Person {
            child,
            keys,
            output,
            shown: String::new(),
            raw: String::new(),
            looked_at: 0,
        }
    }

    /// Types a line and Enter.
    pub fn types(&mut self, line: &str) {
        self.press(format!("{line}\r").as_bytes());
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// Waits until this is shown, after what was waited for before.
    pub fn sees(&mut self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.looked_at..].find(part) {
                self.looked_at += at + part.len();
                return;
            }
            match self.output.recv_deadline(deadline) {
                Ok(piece) => self.take(&piece),
                Err(_) => panic!("never saw {part:?} in:\n{}", self.shown),
            }
        }
    }

    fn take(&mut self, piece: &str) {
        self.raw.push_str(piece);
        self.shown.push_str(&plain(piece));
    }

    /// Waits for the rest of the line in which something was seen.
    pub fn rest_of_line(&mut self) -> String {
        let from = self.looked_at;
        self.sees("\r\n");
        self.shown[from..self.looked_at].trim_end().to_string()
    }

    /// Waits for the end of the process; its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(piece) = self.output.recv_deadline(deadline) {
            self.take(&piece);
        }
        assert!(Instant::now() < deadline, "it did not end:\n{}", self.shown);
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the process is stopped, as Ctrl-Z does.
    pub fn is_stopped(&self) -> bool {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        status.lines().any(|line| line.starts_with("State:\tT"))
    }
}

/// Reads what is shown on a thread of its own.
fn pieces_of(mut terminal: File) -> Receiver<String> {
    let (sender, pieces) = unbounded();
    std::thread::Builder::new()
        .spawn(move || {
            let mut buffer = [0; 4096];
            let mut rest = Vec::new();
            while let Ok(length @ 1..) = terminal.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..length]);
                let whole = match std::str::from_utf8(&rest) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = rest.drain(..whole).collect();
                if sender.send(String::from_utf8(text).unwrap()).is_err() {
                    return;
                }
            }
        })
        .unwrap();
    pieces
}

/// Text without escape sequences. One that is cut between two pieces is left in part, which hurts no test.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            let is_end = |c: &char| c.is_ascii_alphabetic();
            let _ = characters.by_ref().find(is_end);
        } else {
            out.push(character);
        }
    }
    out
}
