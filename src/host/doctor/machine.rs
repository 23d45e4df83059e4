//! What the machine tells of itself: its interfaces, the folder of the files, who has a port, whether this is a container.
#![allow(clippy::disallowed_methods)] // Reads what the kernel tells, and tries whether the folder can be written.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::facts::{Folder, Place};
use crate::disk::Paths;
use crate::host::net::{Interface, Network};
use crate::words::NodeId;

/// What is written to see whether it can be: more than a file system holds beside its blocks.
const TRIAL_BYTES: usize = 64 << 10;
/// Processes that are looked at for one that has a port.
const PROCESSES_MAX: usize = 4_096;
/// Files of one process that are looked at.
const FILES_MAX: usize = 1_024;

/// All interfaces with an IPv4 address, and the names of those without one, loopback left out.
pub fn places() -> (Vec<Place>, Vec<String>) {
    let mut places: Vec<Place> = Vec::new();
    let mut flags_of: BTreeMap<String, InterfaceFlags> = BTreeMap::new();
    for found in getifaddrs().into_iter().flatten() {
        flags_of.insert(found.interface_name.clone(), found.flags);
        let address = found
            .address
            .as_ref()
            .and_then(|address| address.as_sockaddr_in());
        let Some(address) = address.map(|address| address.ip()) else {
            continue;
        };
        let mask = found.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in());
        let mask = mask.map_or(Ipv4Addr::BROADCAST, |mask| mask.ip());
        places.push(place(found.interface_name, address, mask, found.flags));
    }
    let has_address = |name: &str| places.iter().any(|place| place.interface.name == name);
    let bare = flags_of
        .iter()
        .filter(|(name, flags)| !flags.contains(InterfaceFlags::IFF_LOOPBACK) && !has_address(name));
    let bare = bare.map(|(name, _)| name.clone()).collect();
    (places, bare)
}

fn place(name: String, address: Ipv4Addr, mask: Ipv4Addr, flags: InterfaceFlags) -> Place {
    let is_loopback = flags.contains(InterfaceFlags::IFF_LOOPBACK);
    let interface = Interface {
        name,
        address,
        is_loopback,
    };
    Place {
        network: Network {
            address,
            prefix: u32::from(mask).count_ones() as u8,
        },
        is_up: flags.contains(InterfaceFlags::IFF_UP),
        is_running: flags.contains(InterfaceFlags::IFF_RUNNING),
        takes_multicast: is_loopback || flags.contains(InterfaceFlags::IFF_MULTICAST),
        payload: interface.payload_max(),
        interface,
    }
}

/// Tries whether a node could write its files below this folder; which folder was tried.
pub fn folder(data_dir: &Path, id: Option<NodeId>) -> (PathBuf, Folder) {
    let paths = id.map(|id| Paths::new(data_dir, id));
    let wanted = paths.as_ref().map_or(data_dir, |paths| &paths.replicas);
    // A folder that is not there yet is made in the nearest one that is.
    let nearest = wanted.ancestors().find(|folder| folder.is_dir());
    let folder = match nearest {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut found = try_to_write(&folder);
    // Its own file may belong to somebody else than the folder.
    if let (Folder::Good { .. }, Some(paths)) = (&found, &paths)
        && let Err(error) = OpenOptions::new().append(true).open(paths.replica())
        && error.kind() != ErrorKind::NotFound
    {
        found = fault(&error, 0, &paths.replica());
    }
    (folder, found)
}

fn try_to_write(folder: &Path) -> Folder {
    let free = rustix::fs::statvfs(folder).map_or(0, |told| told.f_bavail.saturating_mul(told.f_frsize));
    let path = folder.join(format!(".roda-doctor-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(&[b'.'; TRIAL_BYTES])
                .and_then(|()| file.sync_all())
        });
    // What was not made is not there to be removed.
    fs::remove_file(&path).unwrap_or_default();
    match written {
        Ok(()) => Folder::Good { free },
        Err(error) => fault(&error, free, folder),
    }
}

/// What an error says of the folder.
fn fault(error: &std::io::Error, free: u64, path: &Path) -> Folder {
    let text = format!("{}: {error}", path.display());
    let is_one_of = |kinds: [ErrorKind; 2]| kinds.contains(&error.kind());
    if is_one_of([ErrorKind::StorageFull, ErrorKind::QuotaExceeded]) {
        Folder::Full { free, error: text }
    } else if is_one_of([ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied]) {
        Folder::ReadOnly { error: text }
    } else {
        Folder::Failed { error: text }
    }
}

/// The life that a node with files in this folder had last, or has.
pub fn stored_life(data_dir: &Path, id: NodeId) -> Option<u64> {
    let text = fs::read_to_string(Paths::new(data_dir, id).identity()).ok()?;
    let line: serde_json::Value = serde_json::from_str(&text).ok()?;
    line["incarnation"].as_u64()
}

/// Whether this process seems to be inside of a container, by what shows it.
pub fn container() -> Option<String> {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    let mark = marks.iter().find(|mark| Path::new(mark).exists())?;
    Some(format!("{mark} is there"))
}

/// The program that has this UDP port at all addresses or at this one, by name and process id, as far as this user may see.
pub fn port_owner(address: Ipv4Addr, port: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let inodes = inodes_at(&table, address, port);
    let mut processes = fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX);
    processes.find_map(|process| {
        let name = process.file_name().into_string().ok()?;
        let id: u32 = name.parse().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        let mut files = files.flatten().take(FILES_MAX);
        let has_it = files.any(|file| {
            let target = fs::read_link(file.path()).unwrap_or_default();
            inodes.iter().any(|inode| target.as_os_str() == inode.as_str())
        });
        let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        has_it.then(|| format!("{} (process {id})", program.trim()))
    })
}

/// The sockets with this port in the kernel's table, as links to them are spelled. Addresses stand there as the machine
/// keeps them, so they are only compared.
fn inodes_at(table: &str, address: Ipv4Addr, port: u16) -> Vec<String> {
    let own = format!("{:08X}", u32::from_ne_bytes(address.octets()));
    let found = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (at, inode) = (fields.get(1)?, fields.get(9)?);
        let (ip, at_port) = at.split_once(':')?;
        let same_port = u16::from_str_radix(at_port, 16).ok()? == port;
        (same_port && (ip == "00000000" || ip == own)).then(|| format!("socket:[{inode}]"))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_a_place_of_every_machine() {
        let (places, bare) = places();
        let loopback = places.iter().find(|place| place.interface.is_loopback).unwrap();
        assert!(loopback.is_up && loopback.takes_multicast);
        assert!(loopback.network.has(Ipv4Addr::LOCALHOST));
        assert!(!bare.contains(&loopback.interface.name));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_tried_where_it_would_be_made() {
        let folder_ = tempfile::tempdir().unwrap();
        let wanted = folder_.path().join("a/b");
        let (tried, found) = folder(&wanted, Some(NodeId(3)));
        assert_eq!(tried, folder_.path());
        assert!(matches!(found, Folder::Good { free } if free > 0), "{found:?}");
        assert_eq!(fs::read_dir(folder_.path()).unwrap().count(), 0, "nothing stays");
    }

    #[test]
    fn sockets_are_found_by_port_and_address() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n \
            1: 00000000:138F 00000000:0000 07 0:0 00:0 0 0 0 4242 2 0 0\n \
            2: 0100007F:138F 00000000:0000 07 0:0 00:0 0 0 0 17 2 0 0\n \
            3: 00000000:1390 00000000:0000 07 0:0 00:0 0 0 0 18 2 0 0\n";
        let group = Ipv4Addr::new(224, 1, 1, 1);
        assert_eq!(inodes_at(table, group, 5_007), ["socket:[4242]"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_program_with_a_port_is_named() {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let owner = port_owner(Ipv4Addr::new(224, 1, 1, 1), port).unwrap();
        assert!(
            owner.contains(&format!("process {}", std::process::id())),
            "{owner}"
        );
    }
}
