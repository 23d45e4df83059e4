//! The line editor: one thread that reads a line, hands on what it means and waits for the next prompt.
//!
//! What arrives in the meantime is printed above the line being typed, which survives. Several pasted lines
//! become one message; more than ten are asked about. Alt-Enter begins a new line in a message.

use std::io;
use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustyline::completion::Completer;
use rustyline::config::{Behavior, BellStyle, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext, EventHandler,
    GraphemeClusterMode, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::command::{self, Typed};
use super::complete::{self, Words};
use super::console::{Input, Inputs};
use super::lang::{Voice, say};
use super::screen::Printer;
use super::style::Style;

/// A message of more lines than this is asked about: it is more likely a slip than a message.
const LINES_UNASKED_MAX: usize = 10;

/// How many prompts may wait; only the last one counts.
const PROMPTS_MAX: usize = 8;

/// What the editor needs for the next line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The current room, safe to show.
    pub room: String,
    /// What Tab offers.
    pub words: Words,
}

/// The words that Tab offers, as rustyline asks for them.
#[derive(Default)]
struct Offers(Words);

/// Ends the reading of a line for a suspension, and keeps what was typed.
struct SuspendKey(Sender<(String, usize)>);

/// The editor with its ends of the channels.
struct Reader {
    editor: Editor<Offers, DefaultHistory>,
    inputs: Inputs,
    prompts: Receiver<Prompt>,
    suspended: Receiver<(String, usize)>,
    style: Style,
    voice: Voice,
}

/// Whether to read a further line.
enum Next {
    /// After the node has answered with a prompt.
    Line,
    /// At once, with the prompt there is.
    Again,
    /// Not at all.
    End,
}

/// Starts the editor. Returns where prompts go, one for each line, and what prints above the edited line.
pub(super) fn start(style: Style, voice: Voice, inputs: Inputs) -> io::Result<(Sender<Prompt>, Printer)> {
    let (keep, suspended) = bounded(1);
    let mut editor = new_editor(keep).map_err(io::Error::other)?;
    let printer = editor.create_external_printer().map_err(io::Error::other)?;
    let (sender, prompts) = bounded(PROMPTS_MAX);
    let mut reader = Reader {
        editor,
        inputs,
        prompts,
        suspended,
        style,
        voice,
    };
    Builder::new()
        .name("editor".to_string())
        .spawn(move || reader.run())?;
    Ok((sender, Printer::Editor(Box::new(printer))))
}

fn new_editor(keep: Sender<(String, usize)>) -> rustyline::Result<Editor<Offers, DefaultHistory>> {
    let config = Config::builder()
        .behavior(Behavior::Stdio)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .bell_style(BellStyle::None)
        .color_mode(ColorMode::Enabled)
        .grapheme_cluster_mode(clusters(|name| std::env::var(name).ok()))
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Offers::default()));
    let suspend = EventHandler::Conditional(Box::new(SuspendKey(keep)));
    editor.bind_sequence(Event::from(KeyEvent::ctrl('Z')), suspend);
    let alt_enter = KeyEvent(KeyCode::Enter, Modifiers::ALT);
    editor.bind_sequence(Event::from(alt_enter), Cmd::Newline);
    Ok(editor)
}

impl Reader {
    /// Reads line after line until the input ends or the node is gone.
    fn run(&mut self) {
        let mut typed = (String::new(), String::new());
        while let Ok(first) = self.prompts.recv() {
            let prompt = self.prompts.try_iter().last().unwrap_or(first);
            loop {
                match self.read(&prompt, &mut typed) {
                    Next::Line => break,
                    Next::Again => (),
                    Next::End => return,
                }
            }
        }
    }

    /// Reads one line. `typed` is what stands there already, left and right of the cursor.
    fn read(&mut self, prompt: &Prompt, typed: &mut (String, String)) -> Next {
        self.editor.set_helper(Some(Offers(prompt.words.clone())));
        let plain = format!("{}> ", prompt.room);
        let styled = self.style.bold(&plain);
        let (left, right) = std::mem::take(typed);
        let line = self
            .editor
            .readline_with_initial(&(plain, styled), (&left, &right));
        match line {
            Ok(line) => self.accept(&line),
            Err(ReadlineError::Interrupted) => self.interrupted(typed),
            Err(ReadlineError::Eof) => self.end(Input::End),
            Err(error) => {
                log::warn!("the terminal cannot be read: {error}");
                self.end(Input::End)
            }
        }
    }

    /// A whole line was typed or pasted.
    fn accept(&mut self, line: &str) -> Next {
        let line = line.trim_end_matches('\n');
        let meant = command::read(line);
        if meant == Typed::Nothing {
            return Next::Again;
        }
        if let Err(error) = self.editor.add_history_entry(line) {
            log::debug!("not kept for the arrow keys: {error}");
        }
        if matches!(meant, Typed::Say(_)) && !self.is_meant(line) {
            return Next::Again;
        }
        self.inputs.send(Input::Typed(meant));
        Next::Line
    }

    /// Asks about a message of very many lines.
    fn is_meant(&mut self, line: &str) -> bool {
        let lines = line.split('\n').count();
        if lines <= LINES_UNASKED_MAX {
            return true;
        }
        let question = format!("{} ", say!(self.voice, "paste-question", count = lines));
        let answer = self.editor.readline(&question);
        answer.is_ok_and(|answer| is_yes(&answer))
    }

    /// Ctrl-C leaves; Ctrl-Z keeps what was typed and suspends.
    fn interrupted(&mut self, typed: &mut (String, String)) -> Next {
        let Ok((line, at)) = self.suspended.try_recv() else {
            return self.end(Input::Interrupt);
        };
        let (left, right) = line.split_at(at);
        *typed = (left.to_string(), right.to_string());
        self.inputs.send(Input::Suspend);
        Next::Line
    }

    fn end(&self, input: Input) -> Next {
        self.inputs.send(input);
        Next::End
    }
}

/// How the terminal counts the columns of what is drawn as one: emoji of several, flags, letters with marks. There is
/// no way to ask it, so it is told from its name. Where nothing is known each character counts by itself, as most do.
fn clusters(variable: impl Fn(&str) -> Option<String>) -> GraphemeClusterMode {
    let is = |name: &str, value: &str| variable(name).as_deref() == Some(value);
    let version = variable("TERM_PROGRAM_VERSION").unwrap_or_default();
    let digits = version.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let (major, minor) = digits.split_once('.').unwrap_or((digits, "0"));
    let version = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    // tmux draws them as one from this version on.
    let whole = is("TERM_PROGRAM", "tmux") && version >= (3, 5)
        || is("TERM_PROGRAM", "ghostty")
        || variable("TERM").is_some_and(|term| term.starts_with("foot"));
    if whole {
        GraphemeClusterMode::Unicode
    } else {
        GraphemeClusterMode::from_env()
    }
}

/// Yes, in three languages; Enter alone means yes.
fn is_yes(answer: &str) -> bool {
    let answer = answer.trim().to_lowercase();
    ["", "y", "yes", "s", "sim", "si", "sí"].contains(&answer.as_str())
}

impl ConditionalEventHandler for SuspendKey {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        let kept = (context.line().to_string(), context.pos());
        // The channel has room: it is emptied after each interruption.
        self.0.try_send(kept).ok()?;
        Some(Cmd::Interrupt)
    }
}

impl Completer for Offers {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete::complete(line, at, &self.0))
    }
}

impl Hinter for Offers {
    type Hint = String;
}

impl Highlighter for Offers {}

impl Validator for Offers {}

impl Helper for Offers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_that_draw_emoji_as_one_are_known() {
        let of = |set: &[(&str, &str)]| {
            clusters(|name| {
                let found = set.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| value.to_string())
            })
        };
        let usual = GraphemeClusterMode::from_env();
        let tmux = |version| of(&[("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", version)]);
        assert_eq!(tmux("3.5a"), GraphemeClusterMode::Unicode);
        assert_eq!(tmux("4.0"), GraphemeClusterMode::Unicode);
        assert_eq!(tmux("3.3a"), usual);
        assert_eq!(of(&[("TERM", "foot-extra")]), GraphemeClusterMode::Unicode);
        assert_eq!(of(&[]), usual);
    }

    #[test]
    fn enter_alone_means_yes_and_all_else_is_asked_for() {
        for yes in ["", " Y ", "sim", "Sí"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["n", "no", "não", "x"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
