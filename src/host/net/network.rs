//! The network that an address of this machine belongs to.

use std::fmt;
use std::net::Ipv4Addr;

use if_addrs::IfAddr;

/// An IPv4 network: all addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// One of its addresses.
    pub address: Ipv4Addr,
    /// How many bits all of them have in common.
    pub prefix: u8,
}

impl Network {
    /// The network of an address of this machine, as its interface says.
    pub fn of(address: Ipv4Addr) -> Option<Network> {
        let interfaces = if_addrs::get_if_addrs().ok()?;
        interfaces.into_iter().find_map(|found| match found.addr {
            IfAddr::V4(v4) if v4.ip == address => Some(Network {
                address,
                prefix: v4.prefixlen,
            }),
            IfAddr::V4(_) | IfAddr::V6(_) => None,
        })
    }

    /// Whether an address belongs to it.
    pub fn has(self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ u32::from(self.address)) & self.mask() == 0
    }

    /// Its broadcast address; a network of one or two addresses has none.
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        let last = u32::from(self.address) | !self.mask();
        (self.prefix < 31).then(|| Ipv4Addr::from(last))
    }

    /// The bits that all have in common.
    fn mask(self) -> u32 {
        let rest = 32 - u32::from(self.prefix.min(32));
        u32::MAX.checked_shl(rest).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Ipv4Addr::from(u32::from(self.address) & self.mask());
        write!(f, "{first}/{}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: [u8; 4], prefix: u8) -> Network {
        Network {
            address: Ipv4Addr::from(address),
            prefix,
        }
    }

    #[test]
    fn a_network_knows_its_own_and_how_to_reach_all_of_them() {
        let lan = network([10, 77, 3, 9], 24);
        assert!(lan.has(Ipv4Addr::new(10, 77, 3, 255)) && !lan.has(Ipv4Addr::new(10, 77, 4, 9)));
        assert_eq!(lan.broadcast(), Some(Ipv4Addr::new(10, 77, 3, 255)));
        assert_eq!(lan.to_string(), "10.77.3.0/24");
        assert_eq!(network([10, 0, 0, 1], 32).broadcast(), None);
        assert!(network([10, 0, 0, 1], 0).has(Ipv4Addr::new(198, 51, 100, 7)));
        let own = Network::of(Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(own.broadcast(), Some(Ipv4Addr::new(127, 255, 255, 255)));
    }
}
