//! A terminal as people have one, with a screen that can be looked at: a pane of tmux with a shell in it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and start programs, and may fail.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::wait_telling;

/// Panes of this process so far; each has a server of its own.
static PANES: AtomicU32 = AtomicU32::new(0);

/// A terminal with a shell.
pub struct Pane {
    server: String,
}

impl Drop for Pane {
    fn drop(&mut self) {
        // Its own server, and no other.
        self.tmux(&["kill-server"]);
    }
}

impl Pane {
    /// Opens a terminal of this size with a shell in it.
    pub fn open(columns: u16, rows: u16) -> Pane {
        let number = PANES.fetch_add(1, Ordering::Relaxed);
        let pane = Pane {
            server: format!("roda-{}-{number}", std::process::id()),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = "PS1='$ ' TZ=UTC exec bash --norc --noprofile -i";
        let size = ["new-session", "-d", "-x", &columns, "-y", &rows, shell];
        pane.tmux(&size);
        pane.sees("$");
        pane
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-L", &self.server])
            .args(words);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let output = command.output().expect("tmux is needed; ./check installs it");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a command at the shell.
    pub fn starts(&self, command: &Command) {
        let (mut removed, mut set) = (String::from("env"), String::new());
        for (name, value) in command.get_envs() {
            let name = name.to_string_lossy();
            match value {
                Some(value) => write!(set, " {name}='{}'", value.to_string_lossy()).unwrap(),
                None => write!(removed, " -u {name}").unwrap(),
            }
        }
        write!(set, " '{}'", command.get_program().to_string_lossy()).unwrap();
        for word in command.get_args() {
            write!(set, " '{}'", word.to_string_lossy()).unwrap();
        }
        self.types(&format!("clear; {removed}{set}"));
    }

    /// Types text and Enter.
    pub fn types(&self, text: &str) {
        self.press_text(text);
        self.press(&["Enter"]);
    }

    /// Types text.
    pub fn press_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys by their names: `Tab`, `C-z`, `Left`.
    pub fn press(&self, keys: &[&str]) {
        let words: Vec<&str> = ["send-keys"].iter().chain(keys).copied().collect();
        self.tmux(&words);
    }

    /// Pastes text as a terminal does: marked as pasted.
    pub fn pastes(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What stands on the screen, without the empty lines at its end.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).trim_end().to_string()
    }

    /// All that stands on the screen and above it, wrapped lines as one.
    pub fn all(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
            .trim_end()
            .to_string()
    }

    /// The column of the cursor, from 0.
    pub fn column(&self) -> usize {
        let told = self.tmux(&["display-message", "-p", "#{cursor_x}"]);
        told.trim().parse().unwrap()
    }

    /// The last line of the screen that is not empty.
    pub fn last_line(&self) -> String {
        self.screen().lines().last().unwrap_or_default().to_string()
    }

    /// Waits until this stands somewhere on the screen or above it.
    pub fn sees(&self, part: &str) {
        self.waits_for(part, || self.all().contains(part));
    }

    /// Waits until the last line is this.
    pub fn ends_with_line(&self, line: &str) {
        self.waits_for(line, || self.last_line() == line);
    }

    /// Waits until something is so.
    pub fn waits_for(&self, what: &str, is_so: impl Fn() -> bool) {
        wait_telling(|| format!("{what:?}:\n{}", self.all()), is_so);
    }
}
