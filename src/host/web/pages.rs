//! The page's files, all compiled in: the table is made by `build.rs` from the folder `page`.

use xxhash_rust::xxh3::xxh3_64;

use super::answer::{Answer, Denied};
use super::request::Head;

/// Every file of the page: its name and what is in it, sorted by name.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Answers with a file: `/` is the page itself, of a node or (`/replay`) of a recording, its parts are below `/page/`. They are the same for everybody, so no token
/// is asked for.
pub fn answer(head: &Head) -> Answer {
    find(&head.path, head.if_none_match.as_deref())
}

fn find(path: &str, known: Option<&str>) -> Answer {
    let name = match path {
        "/" | "/index.html" | "/replay" => Some("index.html"),
        other => other.strip_prefix("/page/"),
    };
    let found = name.and_then(|name| FILES.binary_search_by_key(&name, |(name, _)| name).ok());
    let Some((name, bytes)) = found.map(|at| FILES[at]) else {
        let why = format!("there is no {path:?} here; the page is at /");
        return Answer::denied(&Denied::new(404, why));
    };
    let tag = format!("\"{:016x}\"", xxh3_64(bytes));
    let is_known = |known: &str| {
        known
            .split(',')
            .any(|one| one.trim().trim_start_matches("W/") == tag)
    };
    match known.is_some_and(is_known) {
        true => Answer::not_modified(&tag),
        false => Answer::file(kind(name), &tag, bytes),
    }
}

/// The kind of a file by its ending. Browsers are told not to guess, so it must be right.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there_under_its_name_and_of_a_known_kind() {
        assert!(FILES.is_sorted_by_key(|(name, _)| name));
        assert!(FILES.iter().any(|(name, _)| *name == "index.html"));
        for (name, bytes) in FILES {
            assert_ne!(kind(name), "application/octet-stream", "{name}");
            let text = find(&format!("/page/{name}"), None).to_bytes(true, true);
            assert!(
                text.starts_with(b"HTTP/1.1 200 ") && text.ends_with(bytes),
                "{name}"
            );
        }
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let first = String::from_utf8_lossy(&find("/", None).to_bytes(true, true)).into_owned();
        let tag = first
            .split("ETag: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        assert_eq!(find("/", Some(tag)).status, 304);
        assert_eq!(find("/", Some(&format!("\"x\", W/{tag}"))).status, 304);
        assert_eq!(find("/", Some("\"x\"")).status, 200);
    }

    #[test]
    fn nothing_else_is_there() {
        for path in [
            "/page/",
            "/page/../mod.rs",
            "/page/%2e%2e/mod.rs",
            "/mod.rs",
            "/page//index.html",
            "//",
        ] {
            assert_eq!(find(path, None).status, 404, "{path}");
        }
    }
}
