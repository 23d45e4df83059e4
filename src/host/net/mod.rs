//! The network of a node: two sockets, as the protocol wants them.
//!
//! *Data and membership* go by multicast and arrive at a socket bound to the group's own address and port,
//! which any number of nodes on one machine share. *The token and repairs* go by unicast to a socket with a
//! port of its own, so that a token wakes only the node it is meant for. Both kinds are **sent** from the
//! unicast socket: the source of any datagram is thereby the address where its sender can be reached, and
//! peers learn it without being told. It also is how a node knows its own multicasts, which come back to it.

pub(in crate::host) mod closed;
pub mod error;
pub mod group;
pub mod interface;
pub mod network;
mod segments;
pub(in crate::host) mod sockets;

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};

use bytes::Bytes;
use mio::net::{TcpListener, UdpSocket};
use rustix::io::Errno;

pub use error::NetError;
pub use group::Group;
pub use interface::Interface;
pub use network::Network;

use segments::Piece;

/// How many reports of errors are read in one go; what is left over is read the next time.
const REPORTS_MAX: usize = 64;
/// How often a send is tried that fails for the sake of another one. Each try takes one report.
const SEND_TRIES: usize = 4;
/// The largest UDP payload there can be is smaller than this, so no read is ever cut short.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Which socket a datagram came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The group's: data and membership.
    Multicast,
    /// The node's own: token and repairs.
    Unicast,
}

/// A datagram as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it, as the network says.
    pub from: SocketAddrV4,
    /// Whether it came through the group.
    pub multicast: bool,
    /// What it carries.
    pub bytes: Bytes,
}

/// What reading a socket once gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A datagram of a peer.
    Datagram(Received),
    /// A multicast of this node itself, or an error the network reported: nothing to hand on, read again.
    Skipped,
    /// Nothing is waiting.
    Empty,
}

/// What became of a datagram that was to be sent. None of it is fatal: the protocol repairs losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The machine took it.
    Yes,
    /// The machine has no room for it now; it is lost.
    NoRoom,
    /// The network, or the interface, is not there; it is lost.
    Unreachable(io::ErrorKind),
    /// The machine refused it for another reason, such as its size; it is lost.
    Refused(io::ErrorKind),
}

/// How often things went wrong on the sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetCounters {
    /// Own multicasts that came back and were dropped.
    pub own: u64,
    /// Reads that failed; nothing was lost that had arrived.
    pub read_errors: u64,
    /// Sends for which the machine had no room.
    pub no_room: u64,
    /// Sends that found no network.
    pub unreachable: u64,
    /// Sends refused for another reason.
    pub refused: u64,
    /// Reports that a port is closed.
    pub closed: u64,
}

/// The open sockets of a node.
#[derive(Debug)]
pub struct Net {
    group: Group,
    interface: Interface,
    multicast: UdpSocket,
    unicast: UdpSocket,
    listener: Option<TcpListener>,
    address: SocketAddrV4,
    stream_port: u16,
    receive_buffer_bytes: usize,
    buffer: Vec<u8>,
    /// Room for what the machine tells of a piece.
    control: Vec<u8>,
    /// What came in one piece with datagrams that were handed on, and was not yet: the group's, and the own port's.
    rest: [VecDeque<Received>; 2],
    /// Whether the machine takes many datagrams at once.
    in_pieces: bool,
    counters: NetCounters,
}

impl Net {
    /// Opens both sockets and the stream listener on `interface`, and joins `group` there.
    ///
    /// On an error nothing stays open.
    pub fn open(group: Group, interface: Interface) -> Result<Net, NetError> {
        let (multicast, receive_buffer_bytes) = sockets::multicast(group, &interface)?;
        let (unicast, address) = sockets::unicast(&interface)?;
        let (listener, stream_port) = sockets::listener(&interface)?;
        let address = v4(address);
        sockets::leave_out(&multicast, address);
        Ok(Net {
            address,
            stream_port,
            receive_buffer_bytes,
            multicast: UdpSocket::from_std(multicast),
            unicast: UdpSocket::from_std(unicast),
            listener: Some(TcpListener::from_std(listener)),
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            control: Vec::new(),
            rest: [VecDeque::new(), VecDeque::new()],
            in_pieces: true,
            counters: NetCounters::default(),
            group,
            interface,
        })
    }

    /// The group.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The interface in use.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Where unicast datagrams reach this node, and what its datagrams have as their source.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Where streams reach this node, at the same address.
    pub fn stream_port(&self) -> u16 {
        self.stream_port
    }

    /// The size of the multicast socket's receive buffer as the system granted it, its own overhead included.
    pub fn receive_buffer_bytes(&self) -> usize {
        self.receive_buffer_bytes
    }

    /// What went wrong so far.
    pub fn counters(&self) -> NetCounters {
        self.counters
    }

    /// The listener for streams; there is one, and it can be taken once.
    pub fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    /// The socket of a port, to be watched for readiness.
    pub fn source(&mut self, port: Port) -> &mut UdpSocket {
        match port {
            Port::Multicast => &mut self.multicast,
            Port::Unicast => &mut self.unicast,
        }
    }

    /// Reads one datagram, without waiting.
    pub fn read(&mut self, port: Port) -> Read {
        let (socket, rest) = match port {
            Port::Multicast => (&self.multicast, &mut self.rest[0]),
            Port::Unicast => (&self.unicast, &mut self.rest[1]),
        };
        if let Some(datagram) = rest.pop_front() {
            return Read::Datagram(datagram);
        }
        match segments::receive(socket, &mut self.buffer, &mut self.control) {
            Ok(piece) => self.accept(port, &piece),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Empty,
            Err(_) => {
                self.counters.read_errors += 1;
                Read::Skipped
            }
        }
    }

    /// Cuts a piece into its datagrams: the first is handed on, the others wait for the next reads.
    fn accept(&mut self, port: Port, piece: &Piece) -> Read {
        let multicast = port == Port::Multicast;
        if multicast && piece.from == self.address {
            self.counters.own += 1;
            return Read::Skipped;
        }
        // A copy each: what is kept of one must not keep the whole piece in memory.
        let received = |bytes| Received {
            from: piece.from,
            multicast,
            bytes: Bytes::copy_from_slice(bytes),
        };
        let (first, behind) = self.buffer[..piece.length].split_at(piece.segment.min(piece.length));
        let rest = &mut self.rest[usize::from(!multicast)];
        if !behind.is_empty() {
            rest.extend(behind.chunks(piece.segment).map(received));
        }
        Read::Datagram(received(first))
    }

    /// The addresses of which the machine was told since the last time that nobody listens there.
    pub fn closed_ports(&mut self) -> Vec<SocketAddrV4> {
        let reports = (0..REPORTS_MAX).map_while(|_| closed::next(&self.unicast));
        let closed: Vec<SocketAddrV4> = reports.flatten().collect();
        self.counters.closed += closed.len() as u64;
        closed
    }

    /// Sends to the group, in order: what became of the first that failed, or of all.
    pub fn send_multicast(&mut self, mut datagrams: &[Bytes]) -> Sent {
        let mut sent = Sent::Yes;
        while !datagrams.is_empty() {
            let count = if self.in_pieces {
                segments::run(datagrams)
            } else {
                1
            };
            let (run, behind) = datagrams.split_at(count);
            let became = match run {
                [one] => self.send(self.group.address, one),
                run => self.send_run(run),
            };
            if sent == Sent::Yes {
                sent = became;
            }
            datagrams = behind;
        }
        sent
    }

    /// Sends datagrams in one piece; one by one if the machine does not take that.
    fn send_run(&mut self, run: &[Bytes]) -> Sent {
        let address = self.group.address;
        let mut sent = Sent::Yes;
        for _ in 0..SEND_TRIES {
            sent = segments::send(&self.unicast, address, run)
                .map_or_else(|error| Sent::of(&error), |()| Sent::Yes);
            if sent != Sent::Refused(io::ErrorKind::ConnectionRefused) {
                break;
            }
        }
        match sent {
            Sent::Refused(kind) => {
                let all = run.iter().map(|datagram| self.send(address, datagram));
                let became = all.fold(
                    Sent::Yes,
                    |sent, became| if sent == Sent::Yes { became } else { sent },
                );
                if became == Sent::Yes {
                    log::debug!("the machine takes datagrams only one by one: {kind}");
                    self.in_pieces = false;
                }
                became
            }
            Sent::Yes | Sent::NoRoom | Sent::Unreachable(_) => self.count(sent, run.len() as u64),
        }
    }

    /// Sends to one address.
    pub fn send_unicast(&mut self, to: SocketAddrV4, bytes: &[u8]) -> Sent {
        self.send(to, bytes)
    }

    fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) -> Sent {
        let mut sent = Sent::Yes;
        for _ in 0..SEND_TRIES {
            sent = match self.unicast.send_to(bytes, to.into()) {
                Ok(_) => Sent::Yes,
                Err(error) => Sent::of(&error),
            };
            // This is the report of a closed port that an earlier datagram came to; this one has not left.
            if sent != Sent::Refused(io::ErrorKind::ConnectionRefused) {
                break;
            }
        }
        self.count(sent, 1)
    }

    /// Counts what became of so many datagrams.
    fn count(&mut self, sent: Sent, datagrams: u64) -> Sent {
        match sent {
            Sent::Yes => {}
            Sent::NoRoom => self.counters.no_room += datagrams,
            Sent::Unreachable(_) => self.counters.unreachable += datagrams,
            Sent::Refused(_) => self.counters.refused += datagrams,
        }
        sent
    }
}

impl Sent {
    fn of(error: &io::Error) -> Sent {
        use io::ErrorKind as Kind;
        // A full queue and a removed device have no kind of their own.
        match (error.kind(), Errno::from_io_error(error)) {
            (Kind::WouldBlock, _) | (_, Some(Errno::NOBUFS)) => Sent::NoRoom,
            (Kind::NetworkUnreachable | Kind::NetworkDown | Kind::HostUnreachable, _)
            | (Kind::AddrNotAvailable, _) => Sent::Unreachable(error.kind()),
            (_, Some(Errno::NODEV)) => Sent::Unreachable(Kind::NetworkDown),
            (other, _) => Sent::Refused(other),
        }
    }
}

/// The sockets are made for IPv4, so every address of theirs is one.
fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(_) => unreachable!("an IPv4 socket has IPv4 addresses"),
    }
}

#[cfg(test)]
mod tests;
