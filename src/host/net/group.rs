//! The group: the multicast address and port where nodes meet.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

use super::NetError;

/// A multicast address and a port. Nodes with the same one can hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub(super) address: SocketAddrV4,
}

impl Group {
    /// The group of a node that names none.
    pub const DEFAULT: Group = Group {
        address: SocketAddrV4::new(Ipv4Addr::new(224, 1, 1, 1), 5007),
    };

    /// The address and port.
    pub fn address(self) -> SocketAddrV4 {
        self.address
    }

    /// The number by which datagrams name their group: a checksum of address and port, so that datagrams of
    /// another group that stray here are recognised.
    pub fn number(self) -> u32 {
        let mut bytes = [0; 6];
        bytes[..4].copy_from_slice(&self.address.ip().octets());
        bytes[4..].copy_from_slice(&self.address.port().to_le_bytes());
        crc32fast::hash(&bytes)
    }
}

impl Default for Group {
    fn default() -> Group {
        Group::DEFAULT
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

impl FromStr for Group {
    type Err = NetError;

    /// Reads `A.B.C.D:PORT`.
    fn from_str(text: &str) -> Result<Group, NetError> {
        let Ok(address) = text.parse::<SocketAddrV4>() else {
            return Err(NetError::NotAGroup(text.to_string()));
        };
        match (address.ip().is_multicast(), address.port()) {
            (false, _) => Err(NetError::NotMulticast(address)),
            (true, 0) => Err(NetError::NoPort(*address.ip())),
            (true, _) => Ok(Group { address }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> NetError {
        text.parse::<Group>().unwrap_err()
    }

    #[test]
    fn the_default_survives_the_way_to_text_and_back() {
        assert_eq!(Group::DEFAULT.to_string(), "224.1.1.1:5007");
        assert_eq!("224.1.1.1:5007".parse::<Group>().unwrap(), Group::default());
    }

    #[test]
    fn what_is_not_multicast_is_refused_with_the_value() {
        let error = error("192.168.1.7:5007");
        assert!(matches!(error, NetError::NotMulticast(_)));
        assert_eq!(error.exit_code(), 2);
        assert!(
            error
                .to_string()
                .contains("192.168.1.7 is not a multicast address")
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_value() {
        for text in ["224.1.1.1", "224.1.1.1:70000", "[ff02::1]:5007", "chat:5007", ""] {
            let error = error(text);
            assert!(matches!(error, NetError::NotAGroup(_)), "{text}");
            assert!(error.to_string().contains(&format!("{text:?}")));
        }
        assert!(matches!(error("224.1.1.1:0"), NetError::NoPort(_)));
    }

    #[test]
    fn another_port_is_another_group() {
        let other = "224.1.1.1:5008".parse::<Group>().unwrap();
        assert_ne!(other.number(), Group::DEFAULT.number());
    }
}
