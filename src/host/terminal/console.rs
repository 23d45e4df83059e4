//! The node's one end of the terminal: what was typed or piped comes out, what is to be shown goes in.
//!
//! Three pumps stand behind it. `editor` or `stdin` reads, `screen` prints. When full: the channel of inputs
//! holds up the reader, which is what back-pressure is; `stdin` besides reads only as many lines ahead as the
//! window allows, so that a large file is not taken into memory while the ring is away.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::command::{self, Typed};
use super::editor::{self, Prompt};
use super::lang::Voice;
use super::mode::SavedMode;
use super::piped::{Lines, PipedLine};
use super::screen::{Printer, Screen, TalkWriter};
use super::style::Style;
use super::view::Shown;

/// How many inputs may wait for the node.
const INPUTS_MAX: usize = 64;

/// How many piped lines may be under way without being pending yet.
pub const WINDOW_LINES: usize = 256;

/// Wakes the thread that owns the node, after an input.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What comes from the terminal or pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A line was typed. Answer with [`Console::prompt`].
    Typed(Typed),
    /// A line came through the pipe. Answer with [`Console::settled`] once it is pending or refused.
    Piped(PipedLine),
    /// There is no more input.
    End,
    /// Ctrl-C was typed in the editor. A further one comes as a signal.
    Interrupt,
    /// Ctrl-Z was typed in the editor. Pass the token, stop, and answer with [`Console::prompt`] on waking.
    Suspend,
    /// Nobody reads stdout any more; the reason.
    OutputClosed(String),
}

/// How input is read and output shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A terminal with a line editor.
    Editor,
    /// Lines from a terminal without an editor: commands are understood.
    PlainTerminal,
    /// Lines from a pipe or file: each is a message.
    Pipe,
}

/// The sending end of the inputs.
#[derive(Clone)]
pub(super) struct Inputs {
    sender: Sender<Input>,
    wake: Wake,
}

/// The terminal, as the node sees it.
pub struct Console {
    surface: Surface,
    inputs: Inputs,
    arrived: Receiver<Input>,
    screen: Screen,
    prompts: Option<Sender<Prompt>>,
    window: Sender<()>,
    settled: Receiver<()>,
    mode: SavedMode,
    reading: bool,
}

impl Surface {
    /// What this process has. The editor needs a terminal on both sides that can move its cursor, and a user who looks
    /// at it: one who listens (`plain`) has lines that stay as they are. With `json` a line is plain text wherever it
    /// comes from.
    pub fn of_process(json: bool, plain: bool) -> Surface {
        let term = std::env::var("TERM").unwrap_or_default();
        let able = !plain && !["dumb", "cons25", "emacs"].contains(&term.as_str());
        match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
            _ if json => Surface::Pipe,
            (true, true) if able => Surface::Editor,
            (true, _) => Surface::PlainTerminal,
            (false, _) => Surface::Pipe,
        }
    }

    /// The colours for stdout and for stderr of this process; none for who listens.
    pub fn styles(plain: bool) -> (Style, Style) {
        let style = |is_terminal| Style::choose(is_terminal && !plain, |name| std::env::var(name).ok());
        (
            style(io::stdout().is_terminal()),
            style(io::stderr().is_terminal()),
        )
    }
}

impl Inputs {
    pub(super) fn new(wake: Wake) -> (Inputs, Receiver<Input>) {
        let (sender, arrived) = bounded(INPUTS_MAX);
        (Inputs { sender, wake }, arrived)
    }

    /// Hands an input to the node, waiting for room. Says whether the node is still there.
    pub(super) fn send(&self, input: Input) -> bool {
        let there = self.sender.send(input).is_ok();
        (self.wake)();
        there
    }
}

impl Console {
    /// Opens the terminal; nothing is read before [`Console::read_from_now`].
    pub fn open(surface: Surface, style: Style, voice: Voice, wake: Wake) -> io::Result<Console> {
        let mode = SavedMode::of_stdin();
        let (inputs, arrived) = Inputs::new(wake);
        let (prompts, printer) = match surface {
            Surface::Editor => {
                let (prompts, printer) = editor::start(style, voice, inputs.clone())?;
                (Some(prompts), printer)
            }
            Surface::PlainTerminal | Surface::Pipe => (None, Printer::Pipes),
        };
        let screen = Screen::start(printer, voice, inputs.clone())?;
        let (window, settled) = bounded(WINDOW_LINES);
        Ok(Console {
            surface,
            inputs,
            arrived,
            screen,
            prompts,
            window,
            settled,
            mode,
            reading: false,
        })
    }

    /// Begins to read: for people at once, for a pipe when a ring is there. Only the first call counts.
    pub fn read_from_now(&mut self, prompt: Prompt) -> io::Result<()> {
        if std::mem::replace(&mut self.reading, true) {
            return Ok(());
        }
        if self.surface == Surface::Editor {
            self.prompt(prompt);
            return Ok(());
        }
        let (inputs, window) = (self.inputs.clone(), self.window.clone());
        let surface = self.surface;
        Builder::new()
            .name("stdin".to_string())
            .spawn(move || read_lines(surface, &inputs, &window))?;
        Ok(())
    }

    /// The next input, if there is one.
    pub fn input(&self) -> Option<Input> {
        self.arrived.try_recv().ok()
    }

    /// Lets the editor read the next line; without an editor, nothing.
    pub fn prompt(&self, prompt: Prompt) {
        if let Some(prompts) = &self.prompts {
            // When full, prompts enough are waiting for the editor to go on.
            prompts.try_send(prompt).unwrap_or_default();
        }
    }

    /// A piped line is pending or refused: one more may be read.
    pub fn settled(&self) {
        self.settled.try_recv().unwrap_or_default();
    }

    /// Shows lines, in order.
    pub fn show(&mut self, lines: Vec<Shown>) {
        self.screen.show(lines);
    }

    /// A writer for the log that does not spoil the edited line.
    pub fn talk_writer(&self) -> TalkWriter {
        self.screen.talk_writer()
    }

    /// Prints what is left, at most this long, and leaves the terminal as it was found.
    pub fn close(self, at_most: Duration) {
        self.screen.flush(at_most);
        self.mode.restore();
    }
}

/// Reads stdin to its end, line by line.
fn read_lines(surface: Surface, inputs: &Inputs, window: &Sender<()>) {
    for (line, number) in Lines::new(io::stdin().lock()).zip(1..) {
        let failed = line.is_err();
        let line = line.unwrap_or_else(|error| PipedLine::Refused {
            number,
            reason: format!("the input cannot be read any further: {error}"),
        });
        let there = match (surface, line) {
            (Surface::PlainTerminal, PipedLine::Say { text, .. }) => {
                inputs.send(Input::Typed(command::read(&text)))
            }
            (_, line) => window.send(()).is_ok() && inputs.send(Input::Piped(line)),
        };
        if !there {
            return;
        }
        if failed {
            break;
        }
    }
    inputs.send(Input::End);
}
