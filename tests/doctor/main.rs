//! `node doctor`: each cause is made in a network namespace of the test's own, and the right one must be named.
//!
//! Each row that is printed is a cause made and the cause named, with its evidence.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod beside;
mod lab;
#[path = "../support/mod.rs"]
mod support;

use std::net::{SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::{Lab, named, tool};
use roda::wire::{Body, VERSION, encode};
use roda::words::{Epoch, Incarnation, Member, NodeId, RingId};
use support::table::may_all;
use support::{Group, Node, run};

/// A lab, if this process may make one.
fn lab(hosts: u16) -> Option<Lab> {
    may_all(&["ip", "iptables", "nft", "faketime", "mount"]).then(|| Lab::new(hosts))
}

/// Does things that mostly wait at the same time, each in a lab of its own.
fn together(hosts: u16, parts: &[fn(&Lab)]) {
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || lab(hosts).iter().for_each(part));
        }
    });
}

#[test]
fn nothing() {
    let Some(lab) = lab(2) else { return };
    named(
        "nothing, and no node elsewhere",
        &lab.doctor(&["--id", "1"]),
        "alone",
    );
    let said = lab.doctor(&["--peer", "10.77.0.2"]);
    named("no node on the machine that --peer names", &said, "alone");
    said.shows("10.77.0.2 (--peer) is there, and no node listens");
    let said = lab.doctor(&["--peer", "10.77.0.99"]);
    named("no machine that --peer names", &said, "alone");
    said.shows("no machine has this address");
    let _node = lab.node(2, &[]);
    let said = lab.doctor(&["--id", "1"]);
    named("nothing, and a node on another machine", &said, "well");
    let checks = said.value["checks"].as_array().unwrap();
    assert!(
        checks.len() >= 10 && checks.iter().all(|check| check["state"] == "ok"),
        "{:#}",
        said.value
    );
}

#[test]
fn no_multicast_route() {
    let tunnel = |lab: &Lab| {
        lab.ip(1, "link set roda1 multicast off");
        let said = lab.doctor(&[]);
        named(
            "an interface without multicast, as a tunnel",
            &said,
            "no_multicast_route",
        );
    };
    let only_loopback = |lab: &Lab| {
        lab.ip(1, "link del roda1");
        let said = lab.doctor_at_large(&[]);
        named("no interface but loopback", &said, "no_multicast_route");
    };
    together(1, &[tunnel, only_loopback]);
}

#[test]
fn interface_down() {
    let no_carrier = |lab: &Lab| {
        lab.ip(0, "link set port1 down");
        named(
            "no carrier: the other end is off",
            &lab.doctor(&[]),
            "interface_down",
        );
    };
    let off = |lab: &Lab| {
        lab.ip(1, "link set roda1 down");
        named("the interface switched off", &lab.doctor(&[]), "interface_down");
    };
    let no_address = |lab: &Lab| {
        lab.ip(1, "address flush dev roda1");
        named(
            "an interface without an address",
            &lab.doctor(&[]),
            "interface_down",
        );
    };
    let not_asked_for = |lab: &Lab| {
        lab.ip(1, "address flush dev roda1");
        named(
            "the same, and none is asked for",
            &lab.doctor_at_large(&[]),
            "interface_down",
        );
    };
    together(1, &[no_carrier, off, no_address, not_asked_for]);
}

#[test]
fn wrong_interface() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    lab.ip(0, "link add end9 type veth peer name roda9");
    lab.ip(0, "link set end9 up");
    lab.ip(0, &format!("link set roda9 netns {}", lab.name(1)));
    lab.ip(1, "address add 10.78.0.1/24 dev roda9");
    lab.ip(1, "link set roda9 up");
    let said = lab.doctor(&["--interface", "roda9"]);
    named("others on roda1, this node on roda9", &said, "wrong_interface");
    assert!(
        said.value["remedy"]
            .as_str()
            .unwrap()
            .contains("--interface roda1")
    );
    named(
        "others on roda1, this node on loopback",
        &lab.doctor(&["--interface", "lo"]),
        "wrong_interface",
    );
}

#[test]
fn multicast_filtered() {
    let Some(lab) = lab(2) else { return };
    lab.filter_multicast(&[1, 2]);
    let node = lab.node(2, &[]);
    named(
        "a switch that filters multicast both ways",
        &lab.doctor(&[]),
        "multicast_filtered",
    );
    // Broadcasts are lost as well: only who is named is found.
    lab.at(
        2,
        "iptables -A INPUT -m pkttype --pkt-type broadcast -p udp -j DROP",
    );
    named(
        "the same, broadcast too, with --peer",
        &lab.doctor(&["--peer", "10.77.0.2"]),
        "multicast_filtered",
    );
    drop(node);
}

#[test]
fn multicast_filtered_one_way_or_here() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    lab.filter_multicast(&[1]);
    let said = lab.doctor(&[]);
    named(
        "a switch that filters multicast to this machine",
        &said,
        "multicast_filtered",
    );
    assert!(
        said.evidence().contains("answered 3 of 3 multicasts")
            && said.evidence().contains("do not arrive here"),
        "{}",
        said.evidence()
    );
    lab.ip(0, "link set port1 type bridge_slave mcast_flood on");
    lab.at(1, "iptables -A INPUT -m pkttype --pkt-type multicast -j DROP");
    named(
        "iptables drops multicasts that arrive here",
        &lab.doctor(&[]),
        "multicast_filtered",
    );
}

#[test]
fn firewall_in() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    let port = lab.group.port();
    lab.at(1, &format!("iptables -A INPUT -p udp --dport {port} -j DROP"));
    named(
        "iptables drops what arrives at the group's port",
        &lab.doctor(&[]),
        "firewall_in",
    );
    lab.at(1, "iptables -F INPUT");
    lab.at(
        1,
        "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
    );
    lab.at(1, "iptables -A INPUT -i lo -j ACCEPT");
    lab.at(1, &format!("iptables -A INPUT -p udp --dport {port} -j ACCEPT"));
    lab.at(1, "iptables -P INPUT DROP");
    named(
        "iptables lets in the group's port and answers only",
        &lab.doctor(&[]),
        "firewall_in",
    );
}

#[test]
fn firewall_in_by_nft() {
    let Some(lab) = lab(1) else { return };
    for words in [
        "add table inet t",
        "add chain inet t in { type filter hook input priority 0 ; policy drop ; }",
        "add rule inet t in ct state established accept",
        "add rule inet t in iif lo accept",
    ] {
        lab.at(1, &format!("nft {words}"));
    }
    named(
        "nft lets in nothing that was not asked for",
        &lab.doctor(&[]),
        "firewall_in",
    );
}

#[test]
fn firewall_in_for_unicasts_to_oneself() {
    let Some(lab) = lab(1) else { return };
    lab.at(1, "iptables -A INPUT -i lo -p udp -j DROP");
    let said = lab.doctor(&[]);
    named(
        "iptables drops datagrams of this machine to itself",
        &said,
        "firewall_in",
    );
    said.shows("a unicast of this machine to itself did not arrive");
}

#[test]
fn firewall_out() {
    let multicasts = |lab: &Lab| {
        lab.at(1, "iptables -A OUTPUT -p udp -d 224.0.0.0/4 -j DROP");
        named(
            "iptables drops multicasts that leave",
            &lab.doctor(&[]),
            "firewall_out",
        );
    };
    let all = |lab: &Lab| {
        lab.at(1, "nft add table inet t");
        lab.at(
            1,
            "nft add chain inet t out { type filter hook output priority 0 ; policy drop ; }",
        );
        named("nft lets nothing out", &lab.doctor(&[]), "firewall_out");
    };
    together(1, &[multicasts, all]);
}

#[test]
fn firewall_there() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    lab.at(2, "iptables -A INPUT -p udp -j DROP");
    named(
        "iptables on the other machine drops what arrives",
        &lab.doctor(&[]),
        "firewall_there",
    );
    lab.at(2, "iptables -F INPUT");
    let port = lab.group.port();
    lab.at(2, &format!("iptables -A INPUT -p udp ! --dport {port} -j DROP"));
    named(
        "iptables there lets in the group's port only",
        &lab.doctor(&[]),
        "firewall_there",
    );
}

#[test]
fn keys() {
    let Some(lab) = lab(3) else { return };
    let file = |name: &str| {
        let path = lab.group.folder.path().join(name);
        let mut keygen = Command::new(env!("CARGO_BIN_EXE_node"));
        keygen.arg("keygen").arg(&path);
        assert_eq!(run(support::piped(keygen), b"").code, Some(0));
        path.to_str().unwrap().to_string()
    };
    let (ours, theirs) = (file("ours.key"), file("theirs.key"));
    let node = lab.node(2, &["--key-file", &theirs]);
    named(
        "another group key",
        &lab.doctor(&["--key-file", &ours]),
        "key_differs",
    );
    named("a key there, none here", &lab.doctor(&[]), "key_missing_here");
    named("the same key", &lab.doctor(&["--key-file", &theirs]), "well");
    drop(node);
    let _node = lab.node(3, &[]);
    named(
        "a key here, none there",
        &lab.doctor(&["--key-file", &ours]),
        "key_missing_there",
    );
}

#[test]
fn version_differs() {
    let Some(lab) = lab(2) else { return };
    let group: SocketAddrV4 = lab.group.address.parse().unwrap();
    let socket = lab.inside(2, || UdpSocket::bind("10.77.0.2:0").unwrap());
    let member = Member {
        id: NodeId(2),
        incarnation: Incarnation(7),
    };
    let ring = RingId {
        epoch: Epoch(4),
        leader: member,
    };
    let mut beacon = encode(0, member, &Body::Beacon { ring }).to_vec();
    beacon[2] = VERSION + 1;
    // As a node's, now and then, until this test is at its end.
    let (end, ended) = crossbeam_channel::bounded::<()>(0);
    let say = move || {
        while ended
            .recv_timeout(Duration::from_millis(200))
            .is_err_and(|error| error.is_timeout())
        {
            socket.send_to(&beacon, group).unwrap();
        }
    };
    let speaker = std::thread::Builder::new().spawn(say).unwrap();
    let said = lab.doctor(&[]);
    drop(end);
    speaker.join().unwrap();
    named("a node of another version", &said, "version_differs");
    said.shows("speaks version 2");
}

#[test]
fn id_taken() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    let said = lab.doctor(&["--id", "2"]);
    named("another node with this id", &said, "id_taken");
    said.shows("node 2 at 10.77.0.2:");
}

#[test]
fn a_node_is_no_stranger_to_the_doctor_of_its_folder() {
    let Some(lab) = lab(1) else { return };
    let _node = lab.node(1, &[]);
    named(
        "the own node is running, and alone",
        &lab.doctor(&["--id", "1"]),
        "alone",
    );
}

#[test]
fn clock_off() {
    let Some(lab) = lab(2) else { return };
    let mut command = lab.node_command(2, &[]);
    command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1")
        .env("FAKETIME", "-2h")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_RESET", "1");
    let mut node = Node::spawn(2, command);
    node.wait_ring(&[2]);
    let said = lab.doctor(&[]);
    let pid = node.child.id();
    drop(node);
    for name in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
        std::fs::remove_file(Path::new("/dev/shm").join(name)).unwrap_or_default();
    }
    named("a clock two hours behind", &said, "clock_off");
    said.shows("behind this machine's");
}

#[test]
fn mtu_too_small() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    lab.at(
        2,
        "iptables -A INPUT -p udp -m length --length 1100:65535 -j DROP",
    );
    let said = lab.doctor(&[]);
    named(
        "datagrams above 1,100 bytes are lost on the way there",
        &said,
        "mtu_too_small",
    );
    said.shows("1400 bytes do not pass from here to there");
    said.shows("of 972 bytes they do");
    lab.at(2, "iptables -F INPUT");
    lab.ip(1, "link set roda1 mtu 600");
    let said = lab.doctor(&[]);
    named("an interface with an MTU of 600 here", &said, "mtu_too_small");
    said.shows("sends up to 572 bytes");
}

#[test]
fn mtu_too_small_on_the_way_here() {
    let Some(lab) = lab(2) else { return };
    let _node = lab.node(2, &[]);
    lab.at(
        1,
        "iptables -A INPUT -p udp -m length --length 1100:65535 -j DROP",
    );
    let said = lab.doctor(&[]);
    named(
        "datagrams above 1,100 bytes are lost on the way here",
        &said,
        "mtu_too_small",
    );
    said.shows("1400 bytes do not pass from there to here");
}

#[test]
fn port_taken() {
    let Some(lab) = lab(1) else { return };
    let port = lab.group.port();
    let taken = lab.inside(1, move || UdpSocket::bind(("0.0.0.0", port)).unwrap());
    let said = lab.doctor(&[]);
    drop(taken);
    named("a program that does not share the port", &said, "port_taken");
    let own = format!("(process {})", std::process::id());
    said.shows(&own);
}

#[test]
fn container_bridge() {
    let docker = |lab: &Lab| {
        lab.ip(1, "link add docker0 type bridge");
        lab.ip(1, "address add 172.17.0.1/16 dev docker0");
        lab.ip(1, "link set docker0 up");
        let said = lab.doctor(&["--interface", DOCKER]);
        named("docker's bridge", &said, "container_bridge");
        assert!(said.value["remedy"].as_str().unwrap().contains("--network host"));
    };
    let podman = |lab: &Lab| {
        lab.ip(1, "address flush dev roda1");
        lab.ip(1, "address add 10.88.0.5/16 dev roda1");
        named(
            "inside of podman's network",
            &lab.doctor_at_large(&[]),
            "container_bridge",
        );
    };
    together(1, &[docker, podman]);
}

/// The name that docker gives its bridge.
const DOCKER: &str = "docker0";

/// A file system of a test's own on a folder; gone when dropped.
struct Small(String);

impl Small {
    fn on(folder: &str) -> Small {
        std::fs::create_dir_all(folder).unwrap();
        tool("mount", &format!("-t tmpfs -o size=1m,mode=700 roda {folder}"));
        Small(folder.to_string())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut command = Command::new("umount");
        command
            .args(["-l", &self.0])
            .output()
            .map(drop)
            .unwrap_or_default();
    }
}

#[test]
fn disk_full_or_read_only() {
    let Some(lab) = lab(1) else { return };
    let folder = lab
        .group
        .folder
        .path()
        .join("host-1")
        .to_str()
        .unwrap()
        .to_string();
    let small = Small::on(&folder);
    std::fs::write(format!("{folder}/ballast"), vec![0; 1_000_000]).unwrap();
    let said = lab.doctor(&[]);
    named("a disk without room", &said, "disk_full");
    std::fs::remove_file(format!("{folder}/ballast")).unwrap();
    tool("mount", &format!("-o remount,ro {folder}"));
    named("a disk mounted read-only", &lab.doctor(&[]), "disk_read_only");
    drop(small);
}

#[test]
fn docs_have_every_cause() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DOCTOR.md");
    let page = std::fs::read_to_string(path).unwrap();
    for cause in roda::host::doctor::CAUSES {
        let row = format!("| `{}` |", cause.code());
        assert!(page.contains(&row), "docs/DOCTOR.md has no row {row}");
    }
}

#[test]
fn words_that_make_no_sense_are_refused_as_a_node_would() {
    let group = Group::new();
    let doctor = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command.args(["doctor", "--group", &group.address]).args(words);
        run(support::piped(command), b"")
    };
    let unknown = doctor(&["--interface", "nosuch0"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("no interface \"nosuch0\""),
        "{}",
        unknown.stderr
    );
    let missing = group.folder.path().join("none.key");
    let no_key = doctor(&[
        "--interface",
        "127.0.0.1",
        "--key-file",
        missing.to_str().unwrap(),
    ]);
    assert_eq!(no_key.code, Some(6));
    assert_eq!(doctor(&["--peer", "chat"]).code, Some(2));
}
