//! A doctor's sockets: at each place one that hears the group and one that asks; at the place in question a few more.
//!
//! None of them takes anything from a node: multicasts and broadcasts come to all that share an address, and no socket has
//! the group's port at a machine's own address.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};

use mio::net::UdpSocket;

use super::facts::{Asking, Place};
use crate::host::net::closed;
use crate::host::net::sockets::{send_by, share, udp};

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Hears what is said to the group at this place.
    Group,
    /// Hears what is broadcast to the group's port.
    Broadcast,
    /// Asks, and hears answers.
    Voice,
    /// Never asks: what comes here comes unasked.
    Quiet,
    /// Asks one machine that the user named, to learn from the network that it is not there.
    Named(usize),
}

/// A socket at a place.
#[derive(Debug)]
pub struct Ear {
    /// The place, by number.
    pub place: usize,
    /// What it is for.
    pub sort: Sort,
    /// The socket.
    pub socket: UdpSocket,
}

/// Opens what can be opened at a place. What cannot is noted where it tells something.
pub fn open(at: usize, place: &Place, group: SocketAddrV4, is_chosen: bool, asking: &mut Asking) -> Vec<Ear> {
    let own = place.interface.address;
    let mut ears = Vec::new();
    let mut keep = |sort, opened: io::Result<UdpSocket>| match opened {
        Ok(socket) => {
            ears.push(Ear {
                place: at,
                sort,
                socket,
            });
            None
        }
        Err(error) => Some(error),
    };
    match keep(Sort::Group, hears_group(group, own)) {
        Some(error) if error.kind() == ErrorKind::AddrInUse => asking.port_taken = true,
        Some(error) => asking.not_joined = Some(error.to_string()),
        None => {}
    }
    if let Some(error) = keep(Sort::Voice, voice(own)) {
        asking.unreachable = Some(error.to_string());
    }
    if is_chosen {
        // Without these less is found out, and that is said where it matters.
        keep(Sort::Quiet, bound(SocketAddrV4::new(own, 0), false));
        if let Some(broadcast) = place.network.broadcast() {
            keep(
                Sort::Broadcast,
                bound(SocketAddrV4::new(broadcast, group.port()), true),
            );
        }
    }
    ears
}

/// A socket whose errors say whether a machine is there, and a node on it.
pub fn named(own: Ipv4Addr, peer: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = udp()?;
    // Without reports only that no node is there is told, not that no machine is.
    closed::watch(&socket)?;
    socket.bind(&SocketAddrV4::new(own, 0).into())?;
    socket.connect(&peer.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// As a node's own socket for the group, at this place only.
fn hears_group(group: SocketAddrV4, own: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = udp()?;
    share(&socket)?;
    socket.bind(&group.into())?;
    socket.join_multicast_v4(group.ip(), &own)?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// As a node's own socket for all that it sends, and for broadcasts besides.
fn voice(own: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = udp()?;
    send_by(&socket, own)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddrV4::new(own, 0).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn bound(address: SocketAddrV4, shared: bool) -> io::Result<UdpSocket> {
    let socket = udp()?;
    if shared {
        share(&socket)?;
    }
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
