//! Many datagrams in one system call: Linux cuts what it is given into datagrams of one size as late as it can
//! (`UDP_SEGMENT`), and gives a receiver that asked for it what was sent so in one piece (`UDP_GRO`). On the wire they are
//! ordinary datagrams. Elsewhere, and where the machine refuses, each datagram is a call of its own.

use std::io;
use std::net::SocketAddrV4;

use bytes::Bytes;
use mio::net::UdpSocket;

/// The most datagrams that Linux cuts out of one piece.
const SEGMENTS_MAX: usize = 64;
/// The most bytes in one piece: the largest UDP payload.
const PIECE_BYTES_MAX: usize = 65_507;

/// How many of these datagrams, from the first on, make one piece: all as long as the first, only the last may be shorter.
pub fn run(datagrams: &[Bytes]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let (mut count, mut bytes) = (0, 0);
    for datagram in datagrams.iter().take(SEGMENTS_MAX) {
        bytes += datagram.len();
        if datagram.len() > first.len() || bytes > PIECE_BYTES_MAX {
            break;
        }
        count += 1;
        if datagram.len() < first.len() {
            break;
        }
    }
    count.max(1)
}

/// What one call gave: bytes, where they came from, and the length of each datagram in them but the last.
pub struct Piece {
    /// How many bytes there are.
    pub length: usize,
    /// Who sent them.
    pub from: SocketAddrV4,
    /// How long each datagram is; the last may be shorter.
    pub segment: usize,
}

/// Sends a run of at least two datagrams.
#[cfg(target_os = "linux")]
pub fn send(socket: &UdpSocket, to: SocketAddrV4, run: &[Bytes]) -> io::Result<()> {
    use std::io::IoSlice;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};

    let segment = u16::try_from(run[0].len()).map_err(io::Error::other)?;
    let slices: Vec<IoSlice<'_>> = run.iter().map(|datagram| IoSlice::new(datagram)).collect();
    let controls = [ControlMessage::UdpGsoSegments(&segment)];
    let to = SockaddrIn::from(to);
    sendmsg(
        socket.as_raw_fd(),
        &slices,
        &controls,
        MsgFlags::empty(),
        Some(&to),
    )?;
    Ok(())
}

/// Asks for datagrams that were sent in one piece to be handed over in one piece. A machine that cannot is no worse.
#[cfg(target_os = "linux")]
pub fn watch(socket: &std::net::UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};

    if let Err(error) = setsockopt(socket, UdpGroSegment, &true) {
        log::debug!("datagrams are received one by one: {error}");
    }
}

/// Reads one piece into `buffer`; `control` is room for what the machine tells of it.
#[cfg(target_os = "linux")]
pub fn receive(socket: &UdpSocket, buffer: &mut [u8], control: &mut Vec<u8>) -> io::Result<Piece> {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg};

    if control.is_empty() {
        *control = nix::cmsg_space!(i32);
        control.resize(control.capacity(), 0);
    }
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut slices, Some(control), MsgFlags::empty())?;
    let length = received.bytes;
    let from = received.address.ok_or(io::ErrorKind::InvalidData)?;
    let told = received.cmsgs().into_iter().flatten().find_map(|message| {
        if let ControlMessageOwned::UdpGroSegments(segment) = message {
            usize::try_from(segment).ok()
        } else {
            None
        }
    });
    Ok(Piece {
        length,
        from: from.into(),
        segment: told.filter(|segment| *segment > 0).unwrap_or(length),
    })
}

/// There is no such call.
#[cfg(not(target_os = "linux"))]
pub fn send(_socket: &UdpSocket, _to: SocketAddrV4, _run: &[Bytes]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is nothing to ask for.
#[cfg(not(target_os = "linux"))]
pub fn watch(_socket: &std::net::UdpSocket) {}

/// Reads one datagram.
#[cfg(not(target_os = "linux"))]
pub fn receive(socket: &UdpSocket, buffer: &mut [u8], _control: &mut Vec<u8>) -> io::Result<Piece> {
    let (length, from) = socket.recv_from(buffer)?;
    Ok(Piece {
        length,
        from: super::v4(from),
        segment: length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagrams(lengths: &[usize]) -> Vec<Bytes> {
        lengths
            .iter()
            .map(|length| Bytes::from(vec![0; *length]))
            .collect()
    }

    #[test]
    fn a_run_has_one_length_and_a_shorter_one_ends_it() {
        assert_eq!(run(&[]), 0);
        assert_eq!(run(&datagrams(&[9])), 1);
        assert_eq!(run(&datagrams(&[9, 9, 9])), 3);
        assert_eq!(run(&datagrams(&[9, 9, 4, 9])), 3);
        assert_eq!(run(&datagrams(&[9, 9, 10])), 2);
        assert_eq!(run(&datagrams(&[4, 9])), 1);
    }

    #[test]
    fn a_run_is_no_larger_than_the_machine_takes() {
        assert_eq!(run(&datagrams(&[100; 200])), 64);
        assert_eq!(run(&datagrams(&[1_400; 64])), 46);
        assert_eq!(run(&datagrams(&[40_000; 2])), 1);
        assert_eq!(
            run(&datagrams(&[70_000; 2])),
            1,
            "what is too large is refused by itself"
        );
    }
}
