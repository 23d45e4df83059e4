//! Answers: a status, a few headers, a body; and with each of them the headers that tell a browser what this page may do.

use std::borrow::Cow;
use std::fmt::Write;

use crate::host::events::object::Object;

use super::request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Refused};

/// With every answer. The page is made of files of this server and talks to this server: nothing else is loaded, no text
/// becomes a script, nobody shows the page in a frame, and no other site reads an answer.
const ALWAYS: &str = "\
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n";

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its own headers.
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Cow<'static, [u8]>,
}

/// Why something was not done: a status code, and a sentence with the value and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The status code.
    pub status: u16,
    /// The sentence.
    pub why: String,
}

impl Denied {
    /// Not done for this reason.
    pub fn new(status: u16, why: impl Into<String>) -> Denied {
        let why = why.into();
        Denied { status, why }
    }

    /// What was sent makes no sense, or is refused.
    pub fn refused(why: impl Into<String>) -> Denied {
        Denied::new(422, why)
    }
}

impl Answer {
    /// An object.
    pub fn json(status: u16, body: String) -> Answer {
        Answer {
            status,
            ..Answer::made("application/json; charset=utf-8", body)
        }
    }

    /// Why it was not done.
    pub fn denied(denied: &Denied) -> Answer {
        let body = Object::new().text("error", &denied.why).end();
        let mut answer = Answer::json(denied.status, body);
        match denied.status {
            401 => answer.headers.push(("WWW-Authenticate", "Bearer".into())),
            405 => answer.headers.push(("Allow", "GET, HEAD, POST".into())),
            503 => answer.headers.push(("Retry-After", "2".into())),
            _ => {}
        }
        answer
    }

    /// A request that could not be read.
    pub fn refused(refused: Refused) -> Answer {
        let (status, why) = match refused {
            Refused::Malformed(why) => (400, why.to_string()),
            Refused::HeadTooLong => (
                431,
                format!("a request's head has at most {HEAD_BYTES_MAX} bytes"),
            ),
            Refused::BodyTooLong(length) => (
                413,
                format!("a body of {length} bytes is too long; {BODY_BYTES_MAX} are accepted"),
            ),
            Refused::NoLength => (
                411,
                "say with Content-Length how long the body is; chunks are not accepted".to_string(),
            ),
            Refused::Method => (405, "only GET, HEAD and POST are understood".to_string()),
            Refused::TooSlow => (408, "the request did not come in time; send it again".to_string()),
        };
        Answer::denied(&Denied { status, why })
    }

    /// Something that was made for this answer.
    pub fn made(kind: &'static str, body: String) -> Answer {
        Answer {
            status: 200,
            headers: vec![
                ("Content-Type", kind.into()),
                ("Cache-Control", "no-store".into()),
            ],
            body: body.into_bytes().into(),
        }
    }

    /// A file of the page: the browser keeps it, and asks each time whether it is still the same.
    pub fn file(kind: &'static str, tag: &str, body: &'static [u8]) -> Answer {
        Answer {
            status: 200,
            headers: vec![
                ("Content-Type", kind.into()),
                ("Cache-Control", "no-cache".into()),
                ("ETag", tag.to_string().into()),
            ],
            body: body.into(),
        }
    }

    /// The browser has the file already.
    pub fn not_modified(tag: &str) -> Answer {
        Answer {
            status: 304,
            headers: vec![
                ("Cache-Control", "no-cache".into()),
                ("ETag", tag.to_string().into()),
            ],
            body: Cow::Borrowed(&[]),
        }
    }

    /// What travels; of an answer to `HEAD` all but the body.
    pub fn to_bytes(&self, with_body: bool, keep_alive: bool) -> Vec<u8> {
        let mut head = begin(self.status);
        for (name, value) in &self.headers {
            put(&mut head, name, value);
        }
        if self.status != 304 {
            put(&mut head, "Content-Length", &self.body.len().to_string());
        }
        put(
            &mut head,
            "Connection",
            if keep_alive { "keep-alive" } else { "close" },
        );
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if with_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The head of a stream of events, which ends with its connection.
pub fn stream_head() -> String {
    let mut head = begin(200);
    put(&mut head, "Content-Type", "text/event-stream; charset=utf-8");
    put(&mut head, "Cache-Control", "no-store");
    put(&mut head, "Connection", "close");
    head + "\r\n"
}

fn begin(status: u16) -> String {
    format!("HTTP/1.1 {status} {}\r\n{ALWAYS}", reason(status))
}

fn put(head: &mut String, name: &str, value: &str) {
    write!(head, "{name}: {value}\r\n").expect("writing to a string succeeds");
}

/// The words beside a status code.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_what_the_page_may_do() {
        for answer in [
            Answer::json(200, "{}".into()),
            Answer::refused(Refused::TooSlow),
            Answer::file("text/html", "\"1\"", b"x"),
            Answer::not_modified("\"1\""),
        ] {
            let text = String::from_utf8(answer.to_bytes(true, true)).unwrap();
            assert!(
                text.contains("\r\nContent-Security-Policy: default-src 'none';"),
                "{text}"
            );
            assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{text}");
            assert!(!text.contains("Access-Control"), "{text}");
        }
        assert!(stream_head().contains("frame-ancestors 'none'"));
    }

    #[test]
    fn a_head_has_no_body_and_says_how_long_it_would_be() {
        let text = String::from_utf8(Answer::json(200, "{}".into()).to_bytes(false, false)).unwrap();
        assert!(
            text.ends_with("Content-Length: 2\r\nConnection: close\r\n\r\n"),
            "{text}"
        );
    }

    #[test]
    fn an_error_is_an_object_with_a_sentence() {
        let denied = Denied::refused("no \"such\" thing\u{202e}");
        let text = String::from_utf8(Answer::denied(&denied).to_bytes(true, true)).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 422 Unprocessable Content\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("{\"error\":\"no \\\"such\\\" thing\\u202e\"}"),
            "{text}"
        );
    }
}
