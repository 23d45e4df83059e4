//! One connection of a browser: requests in, answers out, on a thread of its own.
//!
//! Nothing waits for ever. A request's head must be whole within [`HEAD_TIME`], a body within [`BODY_TIME`], an answer taken within
//! [`ANSWER_TIME`]; in between a connection may rest for [`REST_TIME`]. Whatever takes longer is closed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::host::clock;
use crate::words::Time;

use super::answer::{Answer, Denied};
use super::request::{Head, Method, Reader, Refused, queried};
use super::server::{Behind, Shared};
use super::{api, pages, stream};

/// From the first byte of a request to the end of its head; also from a connection's beginning to it.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long an answer may take to be read.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests.
const REST_TIME: Duration = Duration::from_secs(15);
/// How long what is sent of a refused request is still read, so that the refusal is not lost with the connection.
const LAST_TIME: Duration = Duration::from_millis(500);
/// How many bytes of it.
const LAST_BYTES_MAX: usize = 1 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// The address of the stream of events.
const STREAM: &str = "/events";
/// How the addresses of questions and wishes begin.
const API: &str = "/api/";
/// What stands for *busy* in place of a time.
const BUSY: u64 = u64::MAX;

/// A connection, as its own thread and the server's see it.
pub struct Line {
    stream: TcpStream,
    /// Since when nothing is asked on it, in microseconds; [`BUSY`] while something is.
    resting_since_us: AtomicU64,
    /// Whether it has shown the token.
    trusted: AtomicBool,
    /// Whether it was ended for the sake of another one.
    given_up: AtomicBool,
}

impl Line {
    /// A connection that was just accepted.
    pub fn new(stream: TcpStream) -> Line {
        Line {
            stream,
            resting_since_us: AtomicU64::new(clock::now().0),
            trusted: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        }
    }

    /// Reading and writing wait from now on, within their times. A connection that was accepted without waiting does not.
    pub fn prepare(&self) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_nodelay(true)
    }

    /// Writes what fits at once.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        (&self.stream).write_all(bytes)
    }

    /// How easily it is given up for another one, the lowest first; `None` while something is asked on it.
    pub fn worth(&self) -> Option<(bool, u64)> {
        let since = self.resting_since_us.load(Ordering::Relaxed);
        (since != BUSY).then(|| (self.trusted.load(Ordering::Relaxed), since))
    }

    /// Ends it for the sake of another one. Its thread needs a moment to notice.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.end();
    }

    /// Whether it was ended for the sake of another one.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Ends it: whoever reads or writes it stops.
    pub fn end(&self) {
        // It may have ended by itself.
        self.stream.shutdown(Shutdown::Both).unwrap_or_default();
    }

    /// Reads what is there, at most until then.
    fn read(&self, bytes: &mut [u8], by: Time) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(by)?))?;
        (&self.stream).read(bytes)
    }

    /// Writes all of it, at most until then.
    pub fn write(&self, mut bytes: &[u8], by: Time) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(left(by)?))?;
            match (&self.stream).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the other side has closed it. It looks for a moment only.
    pub fn is_closed(&self) -> bool {
        let moment = Duration::from_millis(1);
        let looked = self.stream.set_read_timeout(Some(moment));
        match looked.and_then(|()| self.stream.peek(&mut [0])) {
            Ok(bytes) => bytes == 0,
            Err(error) => !is_timeout(&error),
        }
    }

    /// Ends it so that what was written last arrives: what the other side still sends is read for a while.
    fn end_gently(&self) {
        let by = after(LAST_TIME);
        let mut bytes = [0; READ_BYTES];
        let mut read = 0;
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while read < LAST_BYTES_MAX {
                match self.read(&mut bytes, by) {
                    Ok(0) | Err(_) => break,
                    Ok(more) => read += more,
                }
            }
        }
        self.end();
    }
}

/// Now and this much later.
pub fn after(time: Duration) -> Time {
    clock::now().after_us(time.as_micros() as u64)
}

/// How much time is left; no time is an error.
fn left(by: Time) -> io::Result<Duration> {
    match by.since_us(clock::now()) {
        0 => Err(ErrorKind::TimedOut.into()),
        left => Ok(Duration::from_micros(left)),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Serves a connection to its end.
pub fn serve(line: &Line, shared: &Shared) {
    let mut reader = Reader::default();
    let mut rest = HEAD_TIME;
    loop {
        let head = match next_head(line, &mut reader, rest) {
            Ok(Some(head)) => head,
            Ok(None) => return line.end(),
            Err(refused) => return refuse(line, refused),
        };
        // Who is not let in is told so before a body is waited for: only the user can keep a connection busy.
        if let Err(denied) = admit(line, shared, &head) {
            let keep_alive = head.keep_alive && head.body_length == 0;
            if answered(line, &Answer::denied(&denied), &head, keep_alive) {
                rest = REST_TIME;
                continue;
            }
            return line.end_gently();
        }
        line.resting_since_us.store(BUSY, Ordering::Relaxed);
        let body = match next_body(line, &mut reader, &head) {
            Ok(Some(body)) => body,
            Ok(None) => return line.end(),
            Err(refused) => return refuse(line, refused),
        };
        let Some(answer) = answer(line, shared, &head, &body) else {
            return line.end_gently();
        };
        if !answered(line, &answer, &head, head.keep_alive && !shared.is_ending()) {
            return line.end_gently();
        }
        rest = REST_TIME;
    }
}

/// Whether this request is let in: to the files from this server's own page or a new one, to all else with the token.
fn admit(line: &Line, shared: &Shared, head: &Head) -> Result<(), Denied> {
    shared.guard.admit(head)?;
    let is_stream = head.path == STREAM;
    if is_stream || head.path.starts_with(API) {
        let in_address = is_stream.then(|| queried(&head.query, "token")).flatten();
        shared.guard.authorise(head, in_address.as_deref())?;
        line.trusted.store(true, Ordering::Relaxed);
    } else if head.method == Method::Post || head.body_length > 0 {
        return Err(Denied::new(
            405,
            "files of the page are only read, and without a body",
        ));
    }
    Ok(())
}

/// Writes an answer. Whether another request may follow; then the connection rests from now on.
fn answered(line: &Line, answer: &Answer, head: &Head, keep_alive: bool) -> bool {
    let bytes = answer.to_bytes(head.method != Method::Head, keep_alive);
    let written = line.write(&bytes, after(ANSWER_TIME)).is_ok();
    line.resting_since_us.store(clock::now().0, Ordering::Relaxed);
    written && keep_alive
}

fn refuse(line: &Line, refused: Refused) {
    let bytes = Answer::refused(refused).to_bytes(true, false);
    match line.write(&bytes, after(ANSWER_TIME)) {
        Ok(()) => line.end_gently(),
        Err(_) => line.end(),
    }
}

/// The next request's head; nothing if the other side is done, or silent for too long.
fn next_head(line: &Line, reader: &mut Reader, rest: Duration) -> Result<Option<Head>, Refused> {
    let mut by = after(rest);
    let mut has_begun = false;
    let mut bytes = [0; READ_BYTES];
    loop {
        if let Some(head) = reader.head()? {
            return Ok(Some(head));
        }
        if reader.has_begun() && !has_begun {
            has_begun = true;
            by = after(HEAD_TIME);
        }
        match line.read(&mut bytes, by) {
            Ok(0) => return Ok(None),
            Ok(read) => reader.push(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) && has_begun => return Err(Refused::TooSlow),
            Err(_) => return Ok(None),
        }
    }
}

/// The body of a request; nothing if the other side has gone.
fn next_body(line: &Line, reader: &mut Reader, head: &Head) -> Result<Option<Vec<u8>>, Refused> {
    let by = after(BODY_TIME);
    let mut bytes = [0; READ_BYTES];
    if head.expects_continue && line.write(b"HTTP/1.1 100 Continue\r\n\r\n", by).is_err() {
        return Ok(None);
    }
    loop {
        if let Some(body) = reader.body(head.body_length) {
            return Ok(Some(body));
        }
        match line.read(&mut bytes, by) {
            Ok(0) => return Ok(None),
            Ok(read) => reader.push(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(Refused::TooSlow),
            Err(_) => return Ok(None),
        }
    }
}

/// Finds the answer to a request that is let in; none if it was a stream of events, which is over then.
fn answer(line: &Line, shared: &Shared, head: &Head, body: &[u8]) -> Option<Answer> {
    match head.path.as_str() {
        STREAM => stream::serve(line, shared, head),
        path if path.starts_with(API) => Some(match &shared.behind {
            Behind::Node { asks, .. } => api::answer(asks, head, body),
            Behind::Rest(answer) => answer(head),
        }),
        _ => Some(pages::answer(head)),
    }
}
