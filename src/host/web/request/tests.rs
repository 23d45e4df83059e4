//! Requests whole, cut, strange, and without end.

use super::*;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A request as a browser sends it.
const POST: &str = "POST /api/say?a=1 HTTP/1.1\r\nHost: LOCALHOST:8081\r\nOrigin: http://localhost:8081\r\n\
    Authorization: Bearer t\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}";

/// Reads one head that is whole.
fn head(text: &str) -> Result<Head, Refused> {
    let mut reader = Reader::default();
    reader.push(text.as_bytes());
    reader.head().map(|head| head.expect("it is whole"))
}

fn with(header: &str) -> Result<Head, Refused> {
    head(&format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"))
}

fn posted(header: &str) -> Result<Head, Refused> {
    head(&format!("POST / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"))
}

#[test]
fn a_request_comes_out_however_it_is_cut() {
    let whole = head(POST).unwrap();
    assert_eq!(
        (whole.method, whole.path.as_str(), whole.query.as_str()),
        (Method::Post, "/api/say", "a=1")
    );
    assert_eq!((whole.host.as_str(), whole.body_length), ("localhost:8081", 2));
    assert!(whole.keep_alive && !whole.expects_continue);
    for at in 0..POST.len() {
        let mut reader = Reader::default();
        let mut heads = Vec::new();
        for part in [&POST[..at], &POST[at..]] {
            reader.push(part.as_bytes());
            if heads.is_empty() {
                heads.extend(reader.head().unwrap());
            }
        }
        assert_eq!(heads, std::slice::from_ref(&whole), "cut at {at}");
        assert_eq!(reader.body(2).unwrap(), b"{}");
        assert!(!reader.has_begun());
    }
}

#[test]
fn requests_may_follow_each_other_at_once() {
    let mut reader = Reader::default();
    reader.push(format!("\r\n{POST}\r\n\r\n{POST}GET").as_bytes());
    for _ in 0..2 {
        assert_eq!(reader.head().unwrap().unwrap().path, "/api/say");
        assert_eq!(reader.body(2).unwrap(), b"{}");
    }
    assert_eq!(reader.head(), Ok(None));
    assert!(reader.has_begun());
}

#[test]
fn a_body_says_how_long_it_is_and_is_not_too_long() {
    assert_eq!(
        posted("Content-Length: 524288").unwrap().body_length,
        BODY_BYTES_MAX
    );
    assert_eq!(
        posted("Content-Length: 524289"),
        Err(Refused::BodyTooLong(524_289))
    );
    assert_eq!(
        posted("Content-Length: 104857600"),
        Err(Refused::BodyTooLong(104_857_600))
    );
    let endless = "9".repeat(40);
    assert_eq!(
        posted(&format!("Content-Length: {endless}")),
        Err(Refused::BodyTooLong(u64::MAX))
    );
    assert_eq!(posted("X: y"), Err(Refused::NoLength));
    assert_eq!(posted("Transfer-Encoding: chunked"), Err(Refused::NoLength));
    assert_eq!(
        posted("Content-Length: 2\r\nTransfer-Encoding: chunked"),
        Err(Refused::NoLength)
    );
    for bad in ["-1", "+2", "2, 2", "0x2", "", "2 2"] {
        let refused = posted(&format!("Content-Length: {bad}"));
        assert!(
            matches!(refused, Err(Refused::Malformed(_))),
            "{bad}: {refused:?}"
        );
    }
    let twice = posted("Content-Length: 2\r\nContent-Length: 2");
    assert!(matches!(twice, Err(Refused::Malformed(_))), "{twice:?}");
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let bad = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for text in bad {
        let refused = head(text);
        assert!(
            matches!(refused, Err(Refused::Malformed(_))),
            "{text:?}: {refused:?}"
        );
    }
    for method in ["OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH"] {
        let refused = head(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(refused, Err(Refused::Method), "{method}");
    }
}

#[test]
fn a_head_has_a_bound_also_if_it_never_ends() {
    let long = |bytes: usize| with(&format!("X: {}", "y".repeat(bytes)));
    assert!(long(16_000).is_ok());
    assert_eq!(long(HEAD_BYTES_MAX), Err(Refused::HeadTooLong));
    let many: String = (0..HEADERS_MAX).map(|at| format!("x{at}: y\r\n")).collect();
    assert_eq!(with(many.trim_end()), Err(Refused::HeadTooLong));
    let mut reader = Reader::default();
    let mut pushed = 0;
    let refused = loop {
        reader.push(if pushed == 0 {
            b"GET / HTTP/1.1\r\n"
        } else {
            b"X: y\r\n"
        });
        pushed += 1;
        match reader.head() {
            Ok(None) => {}
            Ok(Some(_)) => panic!("it never ends"),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refused::HeadTooLong);
    assert!(reader.bytes.len() < HEAD_BYTES_MAX + 32);
}

#[test]
fn a_query_is_decoded_once() {
    let query = "token=a%2Bb&words=ol%C3%A1+mundo&empty=&bad=%zz%4&token=other&twice=%2541";
    let value = |name| queried(query, name);
    assert_eq!(value("token").unwrap(), "a+b");
    assert_eq!(value("words").unwrap(), "olá mundo");
    assert_eq!(value("empty").unwrap(), "");
    assert_eq!(value("bad").unwrap(), "%zz%4");
    assert_eq!(value("twice").unwrap(), "%41");
    assert_eq!(value("none"), None);
    assert_eq!(queried("a=%ff", "a").unwrap(), "\u{fffd}");
}

#[test]
fn whatever_comes_is_read_or_refused_within_its_bounds() {
    let mut dice = StdRng::seed_from_u64(5);
    let parts: [&[u8]; 14] = [
        b"GET / HTTP/1.1\r\n",
        b"POST /api/say HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b" ",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\0",
        b"\xff\xfe",
        POST.as_bytes(),
        b"X: y\r\n",
    ];
    let (mut heads, mut refusals) = (0, 0);
    for _ in 0..20_000 {
        let mut reader = Reader::default();
        for _ in 0..dice.random_range(1..12) {
            let mut part = parts[dice.random_range(0..parts.len())].to_vec();
            if dice.random_bool(0.05) {
                let at = dice.random_range(0..part.len());
                part[at] = dice.random();
            }
            if dice.random_bool(0.1) {
                part.truncate(dice.random_range(1..=part.len()));
            }
            reader.push(&part);
            match reader.head() {
                Ok(None) => {}
                Ok(Some(head)) => {
                    heads += 1;
                    assert!(head.path.starts_with('/') && head.body_length <= BODY_BYTES_MAX);
                    reader.body(head.body_length);
                }
                Err(_) => {
                    refusals += 1;
                    break;
                }
            }
            assert!(reader.bytes.len() <= HEAD_BYTES_MAX + POST.len());
        }
    }
    assert!(
        heads > 1_000 && refusals > 1_000,
        "{heads} read, {refusals} refused"
    );
}
