//! Who is let in: whoever has the token, from this server's own page.
//!
//! Any page of any site that the user has open can send requests to this machine. What it cannot do: know the token; name our
//! own address as `Host` when it reached us by a name of its own that now leads here (DNS rebinding); or hide its
//! `Origin` when it posts.

use std::net::{IpAddr, SocketAddr};

use super::answer::Denied;
use super::request::Head;

/// The port that an address of `http` need not name.
const USUAL_PORT: u16 = 80;

/// What a request must show.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Names under which this server may be called.
    hosts: Vec<String>,
    /// Bound to all addresses of the machine: any of them will do, and with an address nothing was looked up by name.
    any_address: Option<u16>,
    token: String,
}

impl Guard {
    /// Lets in who has this token, at a server bound here.
    pub fn new(bound: SocketAddr, token: String) -> Guard {
        let port = bound.port();
        let mut hosts = vec![
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
            bound.to_string(),
        ];
        if port == USUAL_PORT {
            hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(String::from));
        }
        Guard {
            hosts,
            any_address: bound.ip().is_unspecified().then_some(port),
            token,
        }
    }

    /// Whether it was this server that was meant, and none but its own page asks.
    pub fn admit(&self, head: &Head) -> Result<(), Denied> {
        if !self.is_host(&head.host) {
            let why = format!(
                "{:?} is no name of this server; open {}",
                head.host, self.hosts[0]
            );
            return Err(Denied::new(421, why));
        }
        match &head.origin {
            Some(origin) if !self.is_origin(origin) => {
                let why = format!("pages of {origin:?} are not served here");
                Err(Denied::new(403, why))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it may read and say what is for members only.
    pub fn authorise(&self, head: &Head, in_address: Option<&str>) -> Result<(), Denied> {
        if let Some("cross-site" | "same-site") = head.fetch_site.as_deref() {
            return Err(Denied::new(403, "pages of other sites are not served here"));
        }
        let sent = head.authorization.as_deref();
        let sent = sent
            .and_then(|value| value.strip_prefix("Bearer "))
            .or(in_address);
        match sent {
            Some(token) if is_same(token.as_bytes(), self.token.as_bytes()) => Ok(()),
            Some(_) => Err(Denied::new(
                401,
                "this is not the token of this node; open the address that the node printed",
            )),
            None => Err(Denied::new(
                401,
                "the token is missing; open the address that the node printed",
            )),
        }
    }

    fn is_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own == host) || self.is_any_address(host)
    }

    fn is_any_address(&self, host: &str) -> bool {
        let address = host.parse::<SocketAddr>().ok();
        let alone = host.parse::<IpAddr>().ok();
        let address = address.or(alone.map(|alone| SocketAddr::new(alone, USUAL_PORT)));
        address.is_some_and(|address| Some(address.port()) == self.any_address)
    }

    fn is_origin(&self, origin: &str) -> bool {
        let host = origin.to_ascii_lowercase();
        host.strip_prefix("http://")
            .is_some_and(|host| self.is_host(host))
    }
}

/// Compares in a time that does not tell where two texts differ; only their lengths may show.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let differing = left
        .iter()
        .zip(right)
        .fold(0, |all, (left, right)| std::hint::black_box(all | (left ^ right)));
    left.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::web::request::Reader;

    fn head(headers: &str) -> Head {
        let mut reader = Reader::default();
        reader.push(format!("GET /api/status HTTP/1.1\r\n{headers}\r\n").as_bytes());
        reader.head().unwrap().unwrap()
    }

    fn guard(bound: &str) -> Guard {
        Guard::new(bound.parse().unwrap(), "secret".into())
    }

    /// The status of the refusal, 0 if it is let in.
    fn status(result: Result<(), Denied>) -> u16 {
        result.err().map_or(0, |denied| denied.status)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let guard = guard("127.0.0.1:8081");
        let admitted = |host: &str| status(guard.admit(&head(&format!("Host: {host}\r\n"))));
        for host in ["127.0.0.1:8081", "localhost:8081", "LocalHost:8081", "[::1]:8081"] {
            assert_eq!(admitted(host), 0, "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:8082",
            "evil.example:8081",
            "localhost.evil.example:8081",
            "10.0.0.1:8081",
            "",
        ] {
            assert_eq!(admitted(host), 421, "{host}");
        }
    }

    #[test]
    fn bound_to_all_addresses_it_answers_to_addresses_and_not_to_names() {
        let guard = guard("0.0.0.0:8081");
        let admitted = |host: &str| status(guard.admit(&head(&format!("Host: {host}\r\n"))));
        assert_eq!([admitted("192.168.1.5:8081"), admitted("[fe80::1]:8081")], [0, 0]);
        assert_eq!(
            [admitted("evil.example:8081"), admitted("192.168.1.5:80")],
            [421, 421]
        );
    }

    #[test]
    fn pages_of_others_are_refused() {
        let guard = guard("127.0.0.1:8081");
        let admitted = |origin: &str| {
            let head = head(&format!("Host: localhost:8081\r\nOrigin: {origin}\r\n"));
            status(guard.admit(&head))
        };
        assert_eq!(
            [
                admitted("http://127.0.0.1:8081"),
                admitted("http://localhost:8081")
            ],
            [0, 0]
        );
        for origin in [
            "null",
            "https://127.0.0.1:8081",
            "http://evil.example",
            "http://127.0.0.1:8080",
            "file://",
        ] {
            assert_eq!(admitted(origin), 403, "{origin}");
        }
    }

    #[test]
    fn the_token_must_be_there_and_right() {
        let guard = guard("127.0.0.1:8081");
        let let_in = |headers: &str, in_address: Option<&str>| {
            status(guard.authorise(&head(&format!("Host: localhost:8081\r\n{headers}")), in_address))
        };
        assert_eq!(let_in("Authorization: Bearer secret\r\n", None), 0);
        assert_eq!(let_in("", Some("secret")), 0);
        for wrong in [
            "Bearer secre",
            "Bearer secrets",
            "Bearer ",
            "secret",
            "Basic secret",
        ] {
            assert_eq!(
                let_in(&format!("Authorization: {wrong}\r\n"), None),
                401,
                "{wrong}"
            );
        }
        assert_eq!(
            [let_in("", None), let_in("", Some("")), let_in("", Some("x"))],
            [401; 3]
        );
        for (site, refused) in [("cross-site", 403), ("same-site", 403), ("same-origin", 0)] {
            let from = format!("Authorization: Bearer secret\r\nSec-Fetch-Site: {site}\r\n");
            assert_eq!(let_in(&from, None), refused, "{site}");
        }
    }
}
