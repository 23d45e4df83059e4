//! A client of a node's page, for tests: plain sockets, so that it can misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Node, PATIENCE};

/// Where a node's page is, and the token that it asks for.
#[derive(Clone, Debug)]
pub struct Page {
    pub at: SocketAddr,
    pub token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// A stream of events.
pub struct Events {
    reader: BufReader<TcpStream>,
    /// The name of the last event that came whole.
    pub last: Option<String>,
    /// How long it waits for the next one; the node shows now and then that it is there.
    patience: Duration,
}

impl Node {
    /// Waits until the node has told where its page is.
    pub fn page(&self) -> Page {
        let deadline = Instant::now() + PATIENCE;
        let mut told = String::new();
        while Instant::now() < deadline {
            told.push_str(&self.talk_until("page: "));
            if let Some(link) = told.lines().find_map(|line| line.strip_prefix("page: http://")) {
                let (at, token) = link.split_once("/#token=").unwrap();
                let (at, token) = (at.parse().unwrap(), token.to_string());
                return Page { at, token };
            }
        }
        panic!("node {} tells of no page:\n{told}", self.id);
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Page {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The head of a request as the page sends it, without the empty line.
    pub fn head(&self, method: &str, path: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
            self.at, self.token
        )
    }

    /// Sends bytes on a connection of their own, and reads the answer.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_answer(&mut BufReader::new(stream)).expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(format!("{}\r\n", self.head("GET", path)).as_bytes())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).expect("an answer")
    }

    /// Posts; nothing if the node has gone meanwhile.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        let body = body.to_string();
        let head = self.head("POST", path);
        let mut stream = TcpStream::connect(self.at).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).ok()?;
        read_answer(&mut BufReader::new(stream))
    }

    /// Says a line and returns the id of its message.
    pub fn say(&self, text: &str, key: &str) -> String {
        let answer = self.post("/api/say", &say(text, key));
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["id"].as_str().unwrap().to_string()
    }

    /// Follows the events, from behind that with this name.
    pub fn events(&self, last: Option<&str>) -> Events {
        let mut stream = self.connect();
        let last_seen = last
            .map(|last| format!("Last-Event-ID: {last}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "GET /events?token={} HTTP/1.1\r\nHost: {}\r\n{last_seen}\r\n",
            self.token, self.at
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let head = read_head(&mut reader).expect("a stream");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let last = last.map(str::to_string);
        Events {
            reader,
            last,
            patience: PATIENCE,
        }
    }
}

/// What `POST /api/say` is sent.
pub fn say(text: &str, key: &str) -> Value {
    json!({ "room": "geral", "text": text, "key": key })
}

impl Events {
    /// How long it waits for the next event from now on.
    pub fn patience(&mut self, patience: Duration) {
        self.reader.get_ref().set_read_timeout(Some(patience)).unwrap();
        self.patience = patience;
    }

    /// The next event; nothing if the stream has ended, or nothing comes in time.
    pub fn next(&mut self) -> Option<Value> {
        let (mut id, mut data) = (None, None);
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            let mut line = String::new();
            self.reader.read_line(&mut line).ok()?;
            let line = line.strip_suffix('\n')?;
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.to_string());
            } else if let Some(text) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")));
            } else if line.is_empty()
                && let Some(data) = data.take()
            {
                self.last = id;
                return Some(data);
            }
        }
        None
    }

    /// Waits for an event.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline
            && let Some(event) = self.next()
        {
            if fits(&event) {
                return event;
            }
            seen.push(event.to_string());
        }
        panic!("the stream told no {what}:\n{}", seen.join("\n"));
    }

    /// Reads this many bytes as they come, and drops what they are.
    pub fn skip(&mut self, bytes: usize) {
        let mut skipped = vec![0; bytes];
        self.reader.read_exact(&mut skipped).unwrap_or_default();
    }
}

/// A head with its empty line; nothing if the connection has ended.
fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// An answer; nothing if the connection has ended before it was whole.
pub fn read_answer(reader: &mut impl BufRead) -> Option<Answer> {
    let head = read_head(reader)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Answer { status, head, body })
}
