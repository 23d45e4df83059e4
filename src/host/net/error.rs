//! What can be wrong with the network when a node starts: what failed, with the value, and what to do.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Exit code: anything without a code of its own.
const EXIT_OTHER: u8 = 1;
/// Exit code: the command line is wrong.
const EXIT_USAGE: u8 = 2;
/// Exit code: an address or id is taken.
const EXIT_TAKEN: u8 = 5;

/// Why the network could not be opened. Nothing is left open after any of them.
#[derive(Debug)]
pub enum NetError {
    /// The group is not `A.B.C.D:PORT`.
    NotAGroup(String),
    /// The group's address is an address, but not a multicast one.
    NotMulticast(SocketAddrV4),
    /// The group's port is 0.
    NoPort(Ipv4Addr),
    /// The interfaces cannot be listed.
    NoList(io::Error),
    /// No interface has this name or address.
    UnknownInterface {
        /// What was asked for.
        wanted: String,
        /// Those that exist, as `name (address)`.
        existing: Vec<String>,
    },
    /// The interface exists, without an IPv4 address.
    NoIpv4 {
        /// Its name.
        name: String,
        /// Those that have one, as `name (address)`.
        existing: Vec<String>,
    },
    /// The group's port is taken by a program that does not share it.
    PortTaken(SocketAddrV4),
    /// The group cannot be joined on the interface.
    CannotJoin {
        /// The group's address.
        group: SocketAddrV4,
        /// The interface, as `name (address)`.
        interface: String,
        /// What the machine said.
        error: io::Error,
    },
    /// A socket cannot be made, set up or bound.
    NoSocket {
        /// What it is for.
        what: &'static str,
        /// The address it was to have.
        address: SocketAddrV4,
        /// What the machine said.
        error: io::Error,
    },
}

impl NetError {
    /// The program's exit code for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            NetError::NotAGroup(_) | NetError::NotMulticast(_) | NetError::NoPort(_) => EXIT_USAGE,
            NetError::UnknownInterface { .. } | NetError::NoIpv4 { .. } => EXIT_USAGE,
            NetError::PortTaken(_) => EXIT_TAKEN,
            NetError::NoList(_) | NetError::CannotJoin { .. } | NetError::NoSocket { .. } => EXIT_OTHER,
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetError::NotAGroup(text) => write!(
                f,
                "--group {text:?} is not an IPv4 address and a port; give it as A.B.C.D:PORT, \
                 such as 224.1.1.1:5007"
            ),
            NetError::NotMulticast(address) => write!(
                f,
                "--group {address}: {} is not a multicast address; \
                 choose one from 224.0.0.0 to 239.255.255.255, such as 224.1.1.1:{}",
                address.ip(),
                address.port()
            ),
            NetError::NoPort(ip) => write!(
                f,
                "--group {ip}:0: all nodes of a group need the same port; choose one from 1 to 65535"
            ),
            NetError::NoList(error) => write!(f, "cannot list the network interfaces: {error}"),
            NetError::UnknownInterface { wanted, existing } => {
                write!(f, "no interface {wanted:?}; {}", choice(existing))
            }
            NetError::NoIpv4 { name, existing } => {
                write!(f, "interface {name:?} has no IPv4 address; {}", choice(existing))
            }
            NetError::PortTaken(group) => write!(
                f,
                "port {} is taken by a program that does not share it; end that program \
                 (`ss -ulpn 'sport = {}'` names it) or choose another port with --group {}:PORT \
                 on every node",
                group.port(),
                group.port(),
                group.ip()
            ),
            NetError::CannotJoin {
                group,
                interface,
                error,
            } => write!(
                f,
                "cannot join group {} on interface {interface}: {error}; choose another with --interface",
                group.ip()
            ),
            NetError::NoSocket { what, address, error } => {
                write!(f, "cannot open the socket for {what} at {address}: {error}")
            }
        }
    }
}

/// The interfaces to choose from, in words.
fn choice(existing: &[String]) -> String {
    match existing {
        [] => "this machine has none with an IPv4 address".to_string(),
        some => format!("choose one of: {}", some.join(", ")),
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NetError::NoList(error) => Some(error),
            NetError::CannotJoin { error, .. } | NetError::NoSocket { error, .. } => Some(error),
            NetError::NotAGroup(_) | NetError::NotMulticast(_) | NetError::NoPort(_) => None,
            NetError::UnknownInterface { .. } | NetError::NoIpv4 { .. } | NetError::PortTaken(_) => None,
        }
    }
}
