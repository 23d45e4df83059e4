//! Makes the sockets and sets their options.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Group, Interface, NetError, closed, segments};

/// What a burst of a whole flow-control window may need while the reader is held up. The system may grant less.
const BUFFER_BYTES: usize = 4 << 20;
/// Datagrams stay on the LAN.
const MULTICAST_TTL: u32 = 1;
/// Connections that wait to be accepted; more than there may be streams is not needed.
const LISTEN_BACKLOG: i32 = 16;

/// The socket for what comes through the group, and the size of its receive buffer.
///
/// It is bound to the group's own address, so that it gets nothing but the group's datagrams, and shares the
/// port with other nodes of this machine; each of them gets every datagram.
pub fn multicast(group: Group, interface: &Interface) -> Result<(UdpSocket, usize), NetError> {
    let address = group.address();
    let failed = |error| NetError::NoSocket {
        what: "the group",
        address,
        error,
    };
    let socket = udp().map_err(failed)?;
    share(&socket).map_err(failed)?;
    let granted = enlarge(&socket).map_err(failed)?;
    match socket.bind(&SocketAddr::V4(address).into()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(NetError::PortTaken(address)),
        Err(error) => return Err(failed(error)),
    }
    let joined = socket.join_multicast_v4(address.ip(), &interface.address);
    joined.map_err(|error| {
        let interface = interface.to_string();
        NetError::CannotJoin {
            group: address,
            interface,
            error,
        }
    })?;
    let socket = UdpSocket::from(socket);
    segments::watch(&socket);
    Ok((socket, granted))
}

/// Leaves out what comes from this address: a node's own multicasts, which would wake it for nothing.
///
/// A filter in the kernel (classic BPF) looks at the source in the IP and UDP headers. Where there is none, or the machine
/// refuses it, the node drops them itself.
pub fn leave_out(socket: &UdpSocket, own: SocketAddrV4) {
    #[cfg(target_os = "linux")]
    {
        use socket2::{SockFilter, SockRef};

        /// Loads a word, or half of one, from this offset.
        const LOAD_WORD: u16 = 0x20;
        const LOAD_HALF: u16 = 0x28;
        /// Goes on behind so many instructions, if it is equal or if not.
        const IF_EQUAL: u16 = 0x15;
        /// Ends, with the number of bytes that are kept.
        const KEEP: u16 = 0x06;
        /// The source address, from the beginning of the IP header; a filter on a UDP socket begins behind that header.
        const SOURCE_ADDRESS: u32 = (-0x10_0000_i32 + 12) as u32;
        /// The source port, from the beginning of the UDP header.
        const SOURCE_PORT: u32 = 0;
        let filter = [
            SockFilter::new(LOAD_WORD, 0, 0, SOURCE_ADDRESS),
            SockFilter::new(IF_EQUAL, 0, 3, u32::from(*own.ip())),
            SockFilter::new(LOAD_HALF, 0, 0, SOURCE_PORT),
            SockFilter::new(IF_EQUAL, 0, 1, u32::from(own.port())),
            SockFilter::new(KEEP, 0, 0, 0),
            SockFilter::new(KEEP, 0, 0, u32::MAX),
        ];
        if let Err(error) = SockRef::from(socket).attach_filter(&filter) {
            log::debug!("own multicasts are not filtered by the machine: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, own);
}

/// The node's own socket, for all that is sent and for unicast, and its address.
pub fn unicast(interface: &Interface) -> Result<(UdpSocket, SocketAddr), NetError> {
    let address = SocketAddrV4::new(interface.address, 0);
    let open = || {
        let socket = udp()?;
        enlarge(&socket)?;
        send_by(&socket, interface.address)?;
        closed::watch(&socket)?;
        socket.bind(&SocketAddr::V4(address).into())?;
        let socket = UdpSocket::from(socket);
        segments::watch(&socket);
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    let what = "unicast datagrams";
    open().map_err(|error| NetError::NoSocket { what, address, error })
}

/// The listener for streams, and its port.
pub fn listener(interface: &Interface) -> Result<(TcpListener, u16), NetError> {
    let address = SocketAddrV4::new(interface.address, 0);
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::V4(address).into())?;
        socket.listen(LISTEN_BACKLOG)?;
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    let what = "streams";
    open().map_err(|error| NetError::NoSocket { what, address, error })
}

/// A socket for datagrams, that never waits.
pub fn udp() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Lets multicasts leave by the interface of this address, and stay on its network.
pub fn send_by(socket: &Socket, own: Ipv4Addr) -> io::Result<()> {
    socket.set_multicast_if_v4(&own)?;
    socket.set_multicast_ttl_v4(MULTICAST_TTL)?;
    // Other nodes of this machine must hear it.
    socket.set_multicast_loop_v4(true)
}

/// Lets several nodes of this machine have the same multicast port.
pub fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    // Linux gives a multicast datagram to all that share an address; elsewhere it takes this option too.
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    // Without this, datagrams of groups that other programs joined on other interfaces would come in here.
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    Ok(())
}

/// Asks for large buffers, and returns the receive buffer that was granted. Linux cuts the wish down to its
/// limit; other systems refuse it, so the wish is halved until it is granted.
fn enlarge(socket: &Socket) -> io::Result<usize> {
    let wishes = || std::iter::successors(Some(BUFFER_BYTES), |size| Some(size / 2)).take(6);
    let _granted = wishes().any(|size| socket.set_recv_buffer_size(size).is_ok());
    let _granted = wishes().any(|size| socket.set_send_buffer_size(size).is_ok());
    socket.recv_buffer_size()
}
