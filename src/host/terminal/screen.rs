//! The pump that prints: one thread between the node and a terminal or pipe that may be slow.
//!
//! When full: on a terminal, lines are dropped and counted, and the count is told as soon as there is room
//! (the messages are in the replica, `/history` shows them); a held-up terminal never holds up the ring. Talk has some room
//! behind the messages, so that they do not push out what is waited for. To a pipe, data waits, because a program must miss
//! nothing: a reader that stops reading stops the node, which leaves the ring and catches up later. When there is no room at
//! all, talk is dropped and counted in both cases.

use std::io::{self, Write};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustyline::ExternalPrinter;

use super::console::{Input, Inputs};
use super::lang::{Voice, say};
use super::view::Shown;
use super::visible;

/// How many lines may wait to be printed.
const LINES_MAX: usize = 4_096;

/// How many lines of talk may wait behind so many messages: more than the ring has news while a screenful scrolls by.
const TALK_MAX: usize = 256;

/// What a pipe takes in one piece, others' lines before it or behind it (POSIX: PIPE_BUF is at least 512; on Linux it is this).
const PIPE_BYTES: usize = 4_096;

/// How many lines are printed at once at most, so that the edited line is redrawn once for all of them.
const BATCH_MAX: usize = 64;

/// What the pump is to do.
enum Job {
    Print(Shown),
    /// Answer when all before is printed.
    Flush(Sender<()>),
}

/// Where lines go.
pub(super) enum Printer {
    /// Above the line that is being edited.
    Editor(Box<dyn ExternalPrinter + Send>),
    /// Data to stdout, talk to stderr.
    Pipes,
}

/// The node's end of the pump.
#[derive(Debug)]
pub struct Screen {
    jobs: Sender<Job>,
    /// Whether data may be dropped: on a terminal.
    lossy: bool,
    voice: Voice,
    dropped: u64,
    thread: JoinHandle<()>,
}

/// A place for log lines that does not spoil the edited line. When full, lines are dropped.
pub struct TalkWriter {
    jobs: Sender<Job>,
    partial: Vec<u8>,
}

impl Screen {
    /// Starts the pump.
    pub(super) fn start(printer: Printer, voice: Voice, inputs: Inputs) -> io::Result<Screen> {
        let (jobs, queue) = bounded(LINES_MAX + TALK_MAX);
        let lossy = matches!(printer, Printer::Editor(_));
        let thread = Builder::new()
            .name("screen".to_string())
            .spawn(move || pump(printer, &queue, &inputs))?;
        Ok(Screen {
            jobs,
            lossy,
            voice,
            dropped: 0,
            thread,
        })
    }

    /// Prints lines, in order.
    pub fn show(&mut self, lines: Vec<Shown>) {
        for line in lines {
            self.tell_dropped();
            let must_wait = !self.lossy && matches!(line, Shown::Data(_));
            if must_wait {
                // The pump ends before this sender only if it died; there is nothing to print to then.
                self.jobs.send(Job::Print(line)).unwrap_or_default();
                continue;
            }
            let no_room = matches!(line, Shown::Data(_)) && !self.has_room();
            if no_room || matches!(self.jobs.try_send(Job::Print(line)), Err(TrySendError::Full(_))) {
                self.dropped += 1;
            }
        }
    }

    /// A writer for the log.
    pub fn talk_writer(&self) -> TalkWriter {
        TalkWriter {
            jobs: self.jobs.clone(),
            partial: Vec::new(),
        }
    }

    /// Waits until all is printed, at most this long. Says whether it is.
    pub fn flush(&self, at_most: Duration) -> bool {
        let (done, answer) = bounded(1);
        let sent = self.jobs.send_timeout(Job::Flush(done), at_most).is_ok();
        sent && answer.recv_timeout(at_most).is_ok() || self.thread.is_finished()
    }

    /// Whether there is room for a message.
    fn has_room(&self) -> bool {
        self.jobs.len() < LINES_MAX
    }

    fn tell_dropped(&mut self) {
        if self.dropped == 0 || !self.has_room() {
            return;
        }
        let line = say!(self.voice, "not-shown", count = self.dropped);
        let line = say!(self.voice, "alarm", text = line);
        if self.jobs.try_send(Job::Print(Shown::Talk(line))).is_ok() {
            self.dropped = 0;
        }
    }
}

impl Write for TalkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            let text = visible::line(String::from_utf8_lossy(&line[..end]).as_ref());
            // A log line that finds no room is not worth holding anything up for.
            self.jobs
                .try_send(Job::Print(Shown::Talk(text)))
                .unwrap_or_default();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints until nobody can send any more.
fn pump(mut printer: Printer, queue: &Receiver<Job>, inputs: &Inputs) {
    let mut open = true;
    while let Ok(first) = queue.recv() {
        let (lines, flushes) = batch(first, queue);
        if open {
            if let Err(error) = printer.print(&lines) {
                open = false;
                inputs.send(Input::OutputClosed(error.to_string()));
            }
        } else {
            printer.print_talk(&lines);
        }
        for done in flushes {
            // Who asked may have given up waiting.
            done.try_send(()).unwrap_or_default();
        }
    }
}

/// What is waiting, up to a bound: the lines, and who wants to know when they are printed.
fn batch(first: Job, queue: &Receiver<Job>) -> (Vec<Shown>, Vec<Sender<()>>) {
    let (mut lines, mut flushes) = (Vec::new(), Vec::new());
    let rest = queue.try_iter().take(BATCH_MAX - 1);
    for job in std::iter::once(first).chain(rest) {
        match job {
            Job::Print(line) => lines.push(line),
            Job::Flush(done) => flushes.push(done),
        }
    }
    (lines, flushes)
}

impl Printer {
    /// Prints whole lines. The error is that of stdout; stderr may be closed.
    fn print(&mut self, lines: &[Shown]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Printer::Editor(printer) => {
                let texts: String = lines.iter().map(text).collect();
                printer.print(texts).map_err(io::Error::other)
            }
            Printer::Pipes => print_to_pipe(lines),
        }
    }

    /// Prints only what does not go to stdout: why the node ends now that nobody reads that.
    fn print_talk(&self, lines: &[Shown]) {
        let talk = lines.iter().filter(|line| matches!(line, Shown::Talk(_)));
        if let Printer::Pipes = self {
            talk.for_each(|line| print_to_pipe(std::slice::from_ref(line)).unwrap_or_default());
        }
    }
}

/// A line with its end.
fn text(line: &Shown) -> String {
    match line {
        Shown::Data(text) | Shown::Talk(text) => format!("{text}\n"),
    }
}

/// Prints lines in their order, each in one write, so that lines of several processes do not mix; several lines of data
/// go together as long as the pipe takes them as one.
fn print_to_pipe(lines: &[Shown]) -> io::Result<()> {
    let mut together = String::new();
    for line in lines {
        match line {
            Shown::Data(text) => {
                if together.len() + text.len() >= PIPE_BYTES {
                    print_data(&mut together)?;
                }
                together.push_str(text);
                together.push('\n');
            }
            Shown::Talk(_) => {
                print_data(&mut together)?;
                io::stderr().write_all(text(line).as_bytes()).unwrap_or_default();
            }
        }
    }
    print_data(&mut together)
}

/// Prints what was gathered.
fn print_data(together: &mut String) -> io::Result<()> {
    if together.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(together.as_bytes())?;
    together.clear();
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;
    use std::sync::Arc;

    /// A terminal that prints into a channel, and only when it may.
    struct Slow {
        asked: Sender<()>,
        may: Receiver<()>,
        printed: Sender<String>,
    }

    impl ExternalPrinter for Slow {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            self.asked.send(()).unwrap_or_default();
            self.may.recv().map_err(io::Error::other)?;
            self.printed.send(text).map_err(io::Error::other)?;
            Ok(())
        }
    }

    /// The test's end of a slow terminal.
    struct Ends {
        /// Something is to be printed.
        asked: Receiver<()>,
        go: Sender<()>,
        seen: Receiver<String>,
        arrived: Receiver<Input>,
    }

    fn slow() -> (Screen, Ends) {
        let (go, may) = unbounded();
        let (printed, seen) = unbounded();
        let (ask, asked) = unbounded();
        let (inputs, arrived) = Inputs::new(Arc::new(|| {}));
        let printer = Printer::Editor(Box::new(Slow {
            asked: ask,
            may,
            printed,
        }));
        let ends = Ends {
            asked,
            go,
            seen,
            arrived,
        };
        (Screen::start(printer, Voice::default(), inputs).unwrap(), ends)
    }

    fn data(text: &str) -> Vec<Shown> {
        vec![Shown::Data(text.into())]
    }

    #[test]
    fn a_terminal_that_stands_still_holds_nobody_up_and_says_what_it_missed() {
        let (mut screen, ends) = slow();
        screen.show(data("first"));
        ends.asked.recv().unwrap();
        // The pump waits for the terminal, so that the queue is empty and stays what it becomes.
        for _ in 0..LINES_MAX + 3 {
            screen.show(data("x"));
        }
        assert_eq!(screen.dropped, 3, "the queue has a bound");
        (0..1_000).for_each(|_| ends.go.send(()).unwrap());
        assert!(screen.flush(Duration::from_secs(10)));
        screen.show(data("later"));
        assert!(screen.flush(Duration::from_secs(10)));
        let all: String = ends.seen.try_iter().collect();
        let lines: Vec<&str> = all.lines().collect();
        assert_eq!(lines.len(), 1 + LINES_MAX + 2);
        assert!(lines[LINES_MAX + 1].starts_with("! 3 lines not shown, the terminal was too slow"));
        assert!(all.ends_with("later\n"));
    }

    #[test]
    fn talk_is_not_pushed_out_by_messages_and_has_a_bound_of_its_own() {
        let (mut screen, ends) = slow();
        screen.show(data("first"));
        ends.asked.recv().unwrap();
        let talk = |text: &str| vec![Shown::Talk(text.into())];
        for _ in 0..LINES_MAX + 3 {
            screen.show(data("x"));
        }
        screen.show(talk("caught up"));
        (1..TALK_MAX + 2).for_each(|_| screen.show(talk("y")));
        assert_eq!(screen.dropped, 5, "three messages, two lines of talk");
        (0..1_000).for_each(|_| ends.go.send(()).unwrap());
        assert!(screen.flush(Duration::from_secs(10)));
        let all: String = ends.seen.try_iter().collect();
        assert_eq!(all.lines().nth(1 + LINES_MAX), Some("caught up"));
        assert_eq!(all.lines().count(), 1 + LINES_MAX + TALK_MAX);
    }

    #[test]
    fn a_flush_does_not_wait_for_ever() {
        let (mut screen, _ends) = slow();
        screen.show(data("x"));
        assert!(!screen.flush(Duration::from_millis(10)));
    }

    #[test]
    fn a_closed_output_is_reported_once() {
        let (mut screen, ends) = slow();
        drop(ends.go);
        screen.show(data("x"));
        screen.show(data("y"));
        assert!(screen.flush(Duration::from_secs(10)));
        assert!(matches!(ends.arrived.try_recv(), Ok(Input::OutputClosed(_))));
        assert!(ends.arrived.try_recv().is_err());
    }

    #[test]
    fn the_log_is_printed_by_lines_and_safely() {
        let (screen, ends) = slow();
        (0..10).for_each(|_| ends.go.send(()).unwrap());
        let mut writer = screen.talk_writer();
        writer.write_all(b"half ").unwrap();
        writer.write_all(b"line\x1b\nnext").unwrap();
        assert!(screen.flush(Duration::from_secs(10)));
        assert_eq!(ends.seen.try_iter().collect::<String>(), "half line␛\n");
    }
}
