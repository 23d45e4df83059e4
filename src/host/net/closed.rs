//! Reports of closed ports: what a host answers to a unicast that nobody takes any more.
//!
//! Linux keeps such an answer (ICMP "port unreachable") in the socket's error queue, with the address the datagram
//! was sent to, and besides fails the next call on the socket once, whatever that is about. Elsewhere nobody is told.

use std::io;
use std::net::SocketAddrV4;

use mio::net::UdpSocket;

/// Asks the machine to keep reports.
#[cfg(target_os = "linux")]
pub fn watch(socket: &socket2::Socket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::Ipv4RecvErr};
    Ok(setsockopt(socket, Ipv4RecvErr, &true)?)
}

/// The next report in the queue, and whether there was one: it may be about something else than a closed port.
#[cfg(target_os = "linux")]
pub fn next(socket: &UdpSocket) -> Option<Option<SocketAddrV4>> {
    use std::os::fd::AsRawFd;

    use nix::libc;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg};

    /// Destination unreachable, for the reason that the port is (RFC 792).
    const UNREACHABLE: (u8, u8) = (3, 3);
    let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    // The datagram itself comes back too; it is of no use.
    let mut nothing = [];
    let report = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut nothing, Some(&mut space), flags).ok()?;
    let mut messages = report.cmsgs().into_iter().flatten();
    let closed = messages.any(|message| {
        matches!(message, ControlMessageOwned::Ipv4RecvErr(error, _)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP && (error.ee_type, error.ee_code) == UNREACHABLE)
    });
    Some(report.address.filter(|_| closed).map(SocketAddrV4::from))
}

/// Asks the machine for nothing.
#[cfg(not(target_os = "linux"))]
pub fn watch(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

/// There are no reports.
#[cfg(not(target_os = "linux"))]
pub fn next(_socket: &UdpSocket) -> Option<Option<SocketAddrV4>> {
    None
}
