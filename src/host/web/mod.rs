//! The page: served by the node itself to the browsers of its user, with everything compiled in.
//!
//! A small server of HTTP/1.1, made for one page and one user: events go out as a stream (`stream`), wishes come in as posts
//! (`api`) and go to the user's side of the node (`asks`), which answers them. It is open to this machine only, unless asked
//! otherwise, and to nobody without the token, not even to other pages in the same browser (`guard`). Everything is bounded:
//! connections, threads, bytes, times (`server`, `line`, `request`). `docs/WEB.md` tells what is served.
//!
//! Left out on purpose: TLS (it is this machine's loopback), compression, ranges, chunked bodies, HTTP/2. Each would be more
//! code to be wrong than it is worth to one page.

pub mod answer;
pub mod api;
pub mod asks;
pub mod guard;
mod line;
mod opened;
mod pages;
pub mod request;
pub mod rest;
mod server;
pub mod stored;
mod stream;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::host::exit::Code;
use crate::host::feed::Feed;
use crate::host::files::FileError;
use crate::host::keys::KeyError;
use crate::words::{Incarnation, NodeId};

use asks::{Asked, Asks};
use guard::Guard;
use server::{Behind, Server, Shared};
use stored::Stored;

/// The usual port of node N is this and N.
const PORT: u16 = 8_080;
/// So many ports from there on are tried, before any that is free is taken.
const PORTS_TRIED: u16 = 100;

/// How the page is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebOptions {
    /// The address to listen at.
    pub address: IpAddr,
    /// The port; without one, the one of last time, or the first that is free.
    pub port: Option<u16>,
    /// Whether to open it in a browser.
    pub open: bool,
}

/// Why the page cannot be served.
#[derive(Debug)]
pub enum WebError {
    /// The address cannot be listened at. Nothing was touched.
    Bind(SocketAddr, io::Error),
    /// `web.json` cannot be read or written.
    File(FileError),
    /// There is no token to be had.
    Token(KeyError),
    /// The machine gives no threads or the like.
    Machine(io::Error),
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebError::Bind(at, error) => write!(
                f,
                "cannot serve the page at {at}: {error}; name another address or port with --web ADDRESS:PORT"
            ),
            WebError::File(error) => write!(f, "cannot keep the page's token: {error}"),
            WebError::Token(error) => write!(f, "cannot make a token for the page: {error}"),
            WebError::Machine(error) => write!(f, "cannot serve the page: {error}"),
        }
    }
}

impl std::error::Error for WebError {}

impl WebError {
    /// The exit code for it.
    pub fn code(&self) -> Code {
        match self {
            WebError::Bind(..) => Code::Taken,
            WebError::File(_) | WebError::Token(_) | WebError::Machine(_) => Code::Other,
        }
    }
}

/// An address that is listened at. Nobody is answered yet.
pub struct Door {
    listener: TcpListener,
    bound: SocketAddr,
    stored: Stored,
    /// What is stored is not this.
    is_new: bool,
    own: PathBuf,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A page that is served.
pub struct Page {
    server: Server,
    /// What the page asks.
    pub asks: Receiver<Asked>,
    own: PathBuf,
    link: String,
}

impl Door {
    /// Listens at the page's address. `own` is the node's own folder, which may not be there yet.
    pub fn open(options: &WebOptions, id: NodeId, own: &Path) -> Result<Door, WebError> {
        let (found, damaged) = stored::read(own).map_err(WebError::File)?;
        let last = found.as_ref().map(|found| found.port);
        let (listener, bound) = listen(options, PORT.saturating_add(id.0), last)?;
        let stored = match found.clone() {
            Some(found) => Stored {
                port: bound.port(),
                ..found
            },
            None => stored::fresh(bound.port()).map_err(WebError::Token)?,
        };
        let warnings = damaged.into_iter().chain(exposed(bound)).collect();
        Ok(Door {
            listener,
            bound,
            is_new: found.as_ref() != Some(&stored),
            stored,
            own: own.to_path_buf(),
            warnings,
        })
    }

    /// Where the page is, without the token.
    pub fn address(&self) -> String {
        address(self.bound)
    }

    /// Where the page is, with the token: for its user only.
    pub fn link(&self) -> String {
        format!("{}#token={}", self.address(), self.stored.token)
    }

    /// Serves from now on. The node's own folder is there, and locked by this process.
    pub fn serve(self, feed: Feed, life: Incarnation) -> Result<Page, WebError> {
        if self.is_new {
            stored::write(&self.own, &self.stored).map_err(WebError::File)?;
        }
        let link = self.link();
        let (asks, asked) = Asks::open();
        let guard = Guard::new(self.bound, self.stored.token);
        let life = life.0;
        let shared = Shared::new(guard, Behind::Node { asks, feed, life });
        let server = Server::start(self.listener, shared).map_err(WebError::Machine)?;
        Ok(Page {
            server,
            asks: asked,
            own: self.own,
            link,
        })
    }
}

impl Page {
    /// Opens it in a browser. The error says why that cannot be done, and what to do instead.
    pub fn open_browser(&self) -> Result<(), String> {
        opened::open(&self.own, &self.link)
    }

    /// Closes all connections, once the streams have told the end, or this time is over.
    pub fn end(self, at_most: Duration) {
        opened::forget(&self.own);
        self.server.end(at_most);
    }
}

/// The address of a server that is bound here, for this machine's browsers.
fn address(bound: SocketAddr) -> String {
    let at = SocketAddr::new(reachable(bound.ip()), bound.port());
    format!("http://{at}/")
}

/// Listens at the address asked for: at the port asked for, or that of last time, or the first that is free.
fn listen(
    options: &WebOptions,
    usual: u16,
    last: Option<u16>,
) -> Result<(TcpListener, SocketAddr), WebError> {
    let tried = usual..=usual.saturating_add(PORTS_TRIED);
    let ports: Vec<u16> = match options.port {
        Some(port) => vec![port],
        None => last.into_iter().chain(tried).chain([0]).collect(),
    };
    let mut failed = None;
    for port in ports {
        let at = SocketAddr::new(options.address, port);
        let bound = TcpListener::bind(at).and_then(|listener| {
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        });
        match bound {
            Ok(bound) => return Ok(bound),
            // Another port would not help an address that is not of this machine.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                return Err(WebError::Bind(at, error));
            }
            Err(error) => failed = failed.or(Some((at, error))),
        }
    }
    let (at, error) = failed.expect("at least one port was tried");
    Err(WebError::Bind(at, error))
}

/// What to say of an address that others may reach.
fn exposed(bound: SocketAddr) -> Option<String> {
    let text = format!(
        "the page listens at {bound}, not at this machine's loopback only: whoever reaches it and has the token reads and \
         writes as you, and what it sends is not encrypted on the way"
    );
    (!bound.ip().is_loopback()).then_some(text)
}

/// The address by which this machine reaches what listens here.
fn reachable(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(own: &Path, port: Option<u16>) -> Door {
        let address = Ipv4Addr::LOCALHOST.into();
        let open = false;
        // Its ports are below those that the system gives to whoever connects.
        Door::open(&WebOptions { address, port, open }, NodeId(20_000), own).unwrap()
    }

    #[test]
    fn the_token_and_the_port_stay_the_same() {
        let own = tempfile::tempdir().unwrap();
        let feed = || Feed::start(std::sync::Arc::new(|| {})).unwrap();
        let usual = TcpListener::bind("127.0.0.1:28080").unwrap();
        let first = door(own.path(), None);
        let link = first.link();
        assert!(link.starts_with("http://127.0.0.1:28081/#token="), "{link}");
        first
            .serve(feed(), Incarnation(1))
            .unwrap()
            .end(Duration::from_secs(5));
        // The usual port is free again; that of last time is taken all the same.
        drop(usual);
        let again = door(own.path(), None);
        assert_eq!(again.link(), link);
        assert!(again.warnings.is_empty());
        // While it is taken there is another one, under the same token.
        let third = door(own.path(), None).link();
        assert_eq!(third, link.replace("28081", "28080"));
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let own = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let options = WebOptions {
            address: at.ip(),
            port: Some(at.port()),
            open: false,
        };
        let error = Door::open(&options, NodeId(1), own.path()).err().unwrap();
        let text = error.to_string();
        assert!(text.contains(&at.to_string()) && text.contains("--web"), "{text}");
    }

    #[test]
    fn an_address_that_others_reach_is_warned_of() {
        let warning = |at: &str| exposed(at.parse().unwrap());
        assert_eq!(
            [
                warning("127.0.0.1:8081"),
                warning("127.9.9.9:1"),
                warning("[::1]:8081")
            ],
            [None, None, None]
        );
        for at in ["0.0.0.0:8081", "192.168.1.5:8081", "[::]:8081"] {
            let text = warning(at).unwrap();
            assert!(text.contains(at) && text.contains("not encrypted"), "{text}");
        }
        assert_eq!(reachable("0.0.0.0".parse().unwrap()), Ipv4Addr::LOCALHOST);
        assert_eq!(reachable("::".parse().unwrap()), Ipv6Addr::LOCALHOST);
    }
}
