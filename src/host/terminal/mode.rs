//! The mode of the terminal: remembered at the start, put back at the end, however the end comes.
//!
//! The editor may still be reading a line when the node leaves for another reason; then nobody else would
//! switch echo and line mode on again.

use std::io::{self, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// What the terminal must be told besides: no marks round pasted text, an own line for what follows.
const PASTE_MARKS_OFF: &[u8] = b"\x1b[?2004l\r\n";

/// The mode found at the start; `None` where stdin is no terminal.
#[derive(Clone, Debug)]
pub struct SavedMode(Option<Termios>);

impl SavedMode {
    /// Remembers the mode of stdin.
    pub fn of_stdin() -> SavedMode {
        SavedMode(tcgetattr(io::stdin()).ok())
    }

    /// Puts it back, if it has changed. Can be called more than once.
    pub fn restore(&self) {
        let (Some(saved), Ok(now)) = (&self.0, tcgetattr(io::stdin())) else {
            return;
        };
        let edited = saved.local_modes != now.local_modes && !now.local_modes.contains(LocalModes::ICANON);
        if !edited {
            return;
        }
        // Nothing is left to be done about a terminal that went away.
        tcsetattr(io::stdin(), OptionalActions::Now, saved).unwrap_or_default();
        let mut stdout = io::stdout();
        if stdout.is_terminal() {
            stdout.write_all(PASTE_MARKS_OFF).unwrap_or_default();
            stdout.flush().unwrap_or_default();
        }
    }
}
