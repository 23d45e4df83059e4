//! Requests as they come in, byte by byte: what is not one, or is too much, is refused before it is kept.
//!
//! The reader only looks at bytes. How long they may take to come is the connection's business. `httparse`, the parser
//! of the well-known servers, reads the lines of a head; here it is decided what is accepted of what it read: one host, at most
//! one length, no chunks, nothing folded. What two readers could understand in two ways is refused.

/// The longest head: request line and headers. Browsers send one or two KiB.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most headers.
pub const HEADERS_MAX: usize = 64;
/// The longest body: a text of 64 KiB in which each byte is escaped, and what stands around it.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// A length has no more digits than fit a `u64`.
const LENGTH_DIGITS_MAX: usize = 19;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Show.
    Get,
    /// Show all but the body.
    Head,
    /// Do.
    Post,
}

/// The head of a request, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What is to be done.
    pub method: Method,
    /// The address before the question mark; begins with a slash.
    pub path: String,
    /// The address behind it, as written.
    pub query: String,
    /// Under which name this server was called, in lower case.
    pub host: String,
    /// Which page asks, if the browser says so.
    pub origin: Option<String>,
    /// Whether the page that asks is of the same site, if the browser says so.
    pub fetch_site: Option<String>,
    /// The token, as sent with `fetch`.
    pub authorization: Option<String>,
    /// The last event that an `EventSource` has seen.
    pub last_event_id: Option<String>,
    /// The version of a file that the browser has.
    pub if_none_match: Option<String>,
    /// How many bytes follow.
    pub body_length: usize,
    /// Whether the client waits for a word before it sends them.
    pub expects_continue: bool,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

/// Why a request is refused. The connection is closed after each of them: where the next one would begin is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no request, for this reason.
    Malformed(&'static str),
    /// The head is longer than [`HEAD_BYTES_MAX`], or has more headers than [`HEADERS_MAX`].
    HeadTooLong,
    /// The body is longer than [`BODY_BYTES_MAX`].
    BodyTooLong(u64),
    /// It does not say how long the body is: it comes in chunks, or without a length.
    NoLength,
    /// Another method than [`Method`] has.
    Method,
    /// It did not come in time.
    TooSlow,
}

/// What has come of a connection and was not taken off yet.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// So far no end of a head was found.
    searched: usize,
}

impl Reader {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a request has begun.
    pub fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Takes a head off, once it is whole.
    pub fn head(&mut self) -> Result<Option<Head>, Refused> {
        // Empty lines before a request are left over from the one before it.
        let blank = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let blank = blank.count();
        self.bytes.drain(..blank);
        if self.bytes.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            // Whoever speaks TLS here need not wait for the time to be over.
            return Err(Refused::Malformed("a request begins with its method"));
        }
        let Some(length) = self.end_of_head() else {
            let too_long = self.bytes.len() > HEAD_BYTES_MAX;
            return if too_long {
                Err(Refused::HeadTooLong)
            } else {
                Ok(None)
            };
        };
        if length > HEAD_BYTES_MAX {
            return Err(Refused::HeadTooLong);
        }
        let head = read(&self.bytes[..length])?;
        self.bytes.drain(..length);
        self.searched = 0;
        Ok(Some(head))
    }

    /// Takes a body of this length off, once it is whole.
    pub fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        if self.bytes.len() < length {
            return None;
        }
        let rest = self.bytes.split_off(length);
        Some(std::mem::replace(&mut self.bytes, rest))
    }

    /// Where the first empty line ends. Each byte is looked at once, however slowly they come.
    fn end_of_head(&mut self) -> Option<usize> {
        for at in memchr::memchr_iter(b'\n', &self.bytes[self.searched..]) {
            let at = self.searched + at;
            if at > HEAD_BYTES_MAX {
                break;
            }
            let line = &self.bytes[..at];
            if line.ends_with(b"\n") || line.ends_with(b"\n\r") {
                return Some(at + 1);
            }
        }
        self.searched = self.bytes.len();
        None
    }
}

/// Reads a whole head.
fn read(bytes: &[u8]) -> Result<Head, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Refused::Malformed("the request ends where it should not")),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::HeadTooLong),
        Err(_) => return Err(Refused::Malformed("this is no request of HTTP/1.1")),
    }
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some(_) | None => return Err(Refused::Method),
    };
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') || target.starts_with("//") {
        return Err(Refused::Malformed("the address does not begin with one slash"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let named = |name| one(request.headers, name);
    let host = named("host")?.ok_or(Refused::Malformed("no Host is named"))?;
    let is_new = request.version == Some(1);
    let connection = named("connection")?.unwrap_or_default().to_ascii_lowercase();
    let expect = named("expect")?.unwrap_or_default();
    Ok(Head {
        method,
        path: path.to_string(),
        query: query.to_string(),
        host: host.to_ascii_lowercase(),
        origin: named("origin")?,
        fetch_site: named("sec-fetch-site")?,
        authorization: named("authorization")?,
        last_event_id: named("last-event-id")?,
        if_none_match: named("if-none-match")?,
        body_length: body_length(request.headers, method)?,
        expects_continue: is_new && expect.eq_ignore_ascii_case("100-continue"),
        keep_alive: is_new && !connection.contains("close"),
    })
}

/// How long the body is.
fn body_length(headers: &[httparse::Header<'_>], method: Method) -> Result<usize, Refused> {
    if one(headers, "transfer-encoding")?.is_some() {
        return Err(Refused::NoLength);
    }
    let Some(text) = one(headers, "content-length")? else {
        return match method {
            Method::Get | Method::Head => Ok(0),
            Method::Post => Err(Refused::NoLength),
        };
    };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Refused::Malformed("Content-Length is no number"));
    }
    let length = match text.len() {
        0..=LENGTH_DIGITS_MAX => text.parse().unwrap_or(u64::MAX),
        _ => u64::MAX,
    };
    match usize::try_from(length) {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(length),
        Ok(_) | Err(_) => Err(Refused::BodyTooLong(length)),
    }
}

/// The value of a header that may be there once.
fn one(headers: &[httparse::Header<'_>], name: &str) -> Result<Option<String>, Refused> {
    let mut values = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    let Some(header) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refused::Malformed(
            "a header is there twice that may be there once",
        ));
    }
    match std::str::from_utf8(header.value) {
        Ok(value) => Ok(Some(value.trim().to_string())),
        Err(_) => Err(Refused::Malformed("a header is no text")),
    }
}

/// The value of a name in a query, decoded; the first one if it is there more than once.
pub fn queried(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| decoded(value))
}

/// Percent signs and plus signs as browsers mean them. What is no text becomes one with replacement characters.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| byte == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &behind[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
