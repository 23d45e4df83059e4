//! Which network interface a node uses: the one it was told, or that of the default route, or loopback.
#![allow(clippy::disallowed_methods)] // Reads the routing table and an interface's packet size.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;

use if_addrs::IfAddr;

use super::NetError;

/// The largest payload on an ordinary LAN: what fits 1,500 bytes with headers and room for tunnels.
const LAN_PAYLOAD_BYTES: usize = 1_400;
/// The largest payload where the interface takes more, such as loopback. More would save little and cost
/// whoever loses one of them a bigger repair.
const WIDE_PAYLOAD_BYTES: usize = 8_192;
/// The smallest packet every IPv4 network has to carry.
const PACKET_BYTES_MIN: usize = 576;
/// IPv4 and UDP headers.
const HEADER_BYTES: usize = 28;
/// An ordinary network's packet size, assumed where the machine does not tell.
const USUAL_PACKET_BYTES: usize = 1_500;

/// A network interface with an IPv4 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its IPv4 address; the first, if it has several and none was named.
    pub address: Ipv4Addr,
    /// Whether it reaches this machine only.
    pub is_loopback: bool,
}

impl Interface {
    /// The interface that `wanted` names by name or IPv4 address; without one, the default.
    ///
    /// The default is the interface of the default route; where there is none, the first other interface that
    /// is up; where there is none either, loopback.
    pub fn resolve(wanted: Option<&str>) -> Result<Interface, NetError> {
        let list = list()?;
        match wanted {
            Some(wanted) => list.named(wanted),
            None => list.by_route(default_route().as_deref()),
        }
    }

    /// The largest datagram payload that passes this interface without being cut into packets, within what
    /// is sensible on a LAN.
    pub fn payload_max(&self) -> usize {
        let path = format!("/sys/class/net/{}/mtu", self.name);
        let read = fs::read_to_string(path).ok();
        let packet_bytes = read.and_then(|text| text.trim().parse().ok());
        payload_of(packet_bytes.unwrap_or(USUAL_PACKET_BYTES))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.address)
    }
}

/// The payload for a packet size.
fn payload_of(packet_bytes: usize) -> usize {
    let fits = packet_bytes.max(PACKET_BYTES_MIN) - HEADER_BYTES;
    if packet_bytes <= USUAL_PACKET_BYTES {
        fits.min(LAN_PAYLOAD_BYTES)
    } else {
        fits.min(WIDE_PAYLOAD_BYTES)
    }
}

/// The machine's interfaces.
#[derive(Debug, Default)]
struct List {
    /// With an IPv4 address, each with whether it is up.
    usable: Vec<(Interface, bool)>,
    /// The names of all.
    names: Vec<String>,
}

impl List {
    fn named(self, wanted: &str) -> Result<Interface, NetError> {
        let existing = self.existing();
        let address = wanted.parse::<Ipv4Addr>().ok();
        let fits = |found: &Interface| found.name == wanted || Some(found.address) == address;
        if let Some((found, _)) = self.usable.into_iter().find(|(found, _)| fits(found)) {
            return Ok(found);
        }
        if self.names.iter().any(|name| name == wanted) {
            let name = wanted.to_string();
            return Err(NetError::NoIpv4 { name, existing });
        }
        let wanted = wanted.to_string();
        Err(NetError::UnknownInterface { wanted, existing })
    }

    fn by_route(self, route: Option<&str>) -> Result<Interface, NetError> {
        let existing = self.existing();
        let of_route = |(found, _): &&(Interface, bool)| Some(found.name.as_str()) == route;
        let other = |(found, up): &&(Interface, bool)| *up && !found.is_loopback;
        let usable = &self.usable;
        let found = usable.iter().find(of_route);
        let found = found.or_else(|| usable.iter().find(other));
        let found = found.or_else(|| usable.iter().find(|(found, _)| found.is_loopback));
        let wanted = "the default one".to_string();
        let none = NetError::UnknownInterface { wanted, existing };
        found.map(|(found, _)| found.clone()).ok_or(none)
    }

    /// Those that can be chosen, in words.
    fn existing(&self) -> Vec<String> {
        self.usable.iter().map(|(found, _)| found.to_string()).collect()
    }
}

/// Asks the machine for its interfaces.
fn list() -> Result<List, NetError> {
    let mut list = List::default();
    for found in if_addrs::get_if_addrs().map_err(NetError::NoList)? {
        let (is_loopback, is_up) = (found.is_loopback(), found.is_oper_up());
        if let IfAddr::V4(address) = found.addr {
            let interface = Interface {
                name: found.name.clone(),
                address: address.ip,
                is_loopback,
            };
            list.usable.push((interface, is_up));
        }
        list.names.push(found.name);
    }
    list.names.extend(names_without_address());
    Ok(list)
}

/// Interfaces that have no address at all do not show among the addresses.
fn names_without_address() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/sys/class/net") else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).collect()
}

/// The interface of the default route, where the machine tells.
fn default_route() -> Option<String> {
    default_route_in(&fs::read_to_string("/proc/net/route").ok()?)
}

/// Finds the default route in the kernel's table: destination and mask are zero, the route is up, and of
/// several the one with the lowest metric counts.
fn default_route_in(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, destination, _, flags, _, _, metric, mask, ..] = fields[..] else {
            return None;
        };
        let is_up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
        let is_default = destination == "00000000" && mask == "00000000";
        let metric: u32 = metric.parse().ok()?;
        (is_up && is_default).then(|| (metric, name.to_string()))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
down0\t00000000\t0100000A\t0002\t0\t0\t1\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
";

    fn list(parts: &[(&str, [u8; 4], bool)]) -> List {
        let interface = |name: &str, ip: [u8; 4]| Interface {
            name: name.to_string(),
            address: Ipv4Addr::from(ip),
            is_loopback: ip[0] == 127,
        };
        List {
            usable: parts
                .iter()
                .map(|&(name, ip, up)| (interface(name, ip), up))
                .collect(),
            names: parts.iter().map(|(name, ..)| name.to_string()).collect(),
        }
    }

    fn three() -> List {
        list(&[
            ("lo", [127, 0, 0, 1], true),
            ("down0", [10, 9, 9, 9], false),
            ("eth0", [10, 0, 0, 2], true),
            ("wlan0", [192, 168, 1, 2], true),
        ])
    }

    #[test]
    fn the_default_route_with_the_lowest_metric_that_is_up_counts() {
        assert_eq!(default_route_in(TABLE).as_deref(), Some("eth0"));
        assert_eq!(default_route_in("Iface\tDestination\nbroken\n"), None);
    }

    #[test]
    fn the_default_is_the_route_then_another_then_loopback() {
        assert_eq!(three().by_route(Some("wlan0")).unwrap().name, "wlan0");
        assert_eq!(three().by_route(Some("gone0")).unwrap().name, "eth0");
        assert_eq!(three().by_route(None).unwrap().name, "eth0");
        let alone = list(&[("lo", [127, 0, 0, 1], true)]);
        assert!(alone.by_route(None).unwrap().is_loopback);
        assert!(
            list(&[])
                .by_route(None)
                .unwrap_err()
                .to_string()
                .contains("has none")
        );
    }

    #[test]
    fn an_interface_is_named_by_name_or_address() {
        assert_eq!(three().named("eth0").unwrap().address, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(three().named("192.168.1.2").unwrap().name, "wlan0");
        assert!(Interface::resolve(Some("127.0.0.1")).unwrap().is_loopback);
    }

    #[test]
    fn an_unknown_interface_is_refused_with_those_that_exist() {
        let error = Interface::resolve(Some("nosuch0")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(
            text.contains("\"nosuch0\"") && text.contains("(127.0.0.1)"),
            "{text}"
        );
        assert!(matches!(
            three().named("10.0.0.3"),
            Err(NetError::UnknownInterface { .. })
        ));
    }

    #[test]
    fn an_interface_without_ipv4_is_refused_by_name() {
        let mut list = three();
        list.names.push("six0".to_string());
        let text = list.named("six0").unwrap_err().to_string();
        assert!(text.contains("\"six0\" has no IPv4 address"), "{text}");
    }

    #[test]
    fn the_payload_follows_the_packet_size() {
        assert_eq!(payload_of(1_500), 1_400);
        assert_eq!(payload_of(1_280), 1_252);
        assert_eq!(payload_of(9_000), 8_192);
        assert_eq!(payload_of(65_536), 8_192);
        assert_eq!(payload_of(0), 548);
    }
}
