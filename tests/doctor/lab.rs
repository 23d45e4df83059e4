//! A network of the test's own: hosts in network namespaces, on one switch (a Linux bridge) in a namespace of its own.
//!
//! Host N has the interface `rodaN` with address 10.77.0.N; the switch's port to it is `portN`. Namespaces go when the lab
//! does; what a killed test leaves behind has no way to any real network.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::support::table::row;
use crate::support::{Group, Node, piped, run};

pub struct Lab {
    prefix: String,
    hosts: u16,
    pub group: Group,
}

/// Runs a tool; it must succeed.
pub fn tool(name: &str, words: &str) {
    let output = Command::new(name).args(words.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {words}: {error}");
}

/// What a doctor said.
pub struct Said {
    pub code: Option<i32>,
    pub value: Value,
}

impl Said {
    pub fn cause(&self) -> &str {
        self.value["cause"].as_str().unwrap()
    }

    pub fn evidence(&self) -> String {
        let evidence = self.value["evidence"].as_array().unwrap();
        let evidence: Vec<&str> = evidence.iter().map(|text| text.as_str().unwrap()).collect();
        evidence.join("; ")
    }

    /// Its evidence says this.
    #[track_caller]
    pub fn shows(&self, part: &str) {
        let evidence = self.evidence();
        assert!(evidence.contains(part), "{part:?} is not in: {evidence}");
    }
}

impl Lab {
    /// Hosts 1, 2 ... that reach each other. Needs the rights of root.
    pub fn new(hosts: u16) -> Lab {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let lab = Lab {
            prefix: format!("rodoc-{}-{number}", std::process::id()),
            hosts,
            group: Group::new(),
        };
        let switch = lab.name(0);
        tool("ip", &format!("netns add {switch}"));
        lab.ip(0, "link add switch type bridge mcast_snooping 0");
        lab.ip(0, "link set switch up");
        for host in 1..=hosts {
            let name = lab.name(host);
            tool("ip", &format!("netns add {name}"));
            lab.ip(
                0,
                &format!("link add port{host} type veth peer name roda{host} netns {name}"),
            );
            lab.ip(0, &format!("link set port{host} master switch up"));
            lab.ip(host, "link set lo up");
            lab.ip(host, &format!("address add 10.77.0.{host}/24 dev roda{host}"));
            lab.ip(host, &format!("link set roda{host} up"));
        }
        lab
    }

    /// The namespace of a host; 0 is the switch.
    pub fn name(&self, host: u16) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// `ip` with these words, at a host or at the switch.
    pub fn ip(&self, host: u16, words: &str) {
        tool("ip", &format!("-n {} {words}", self.name(host)));
    }

    /// Another tool at a host.
    pub fn at(&self, host: u16, words: &str) {
        tool("ip", &format!("netns exec {} {words}", self.name(host)));
    }

    /// Multicasts do not come out of the switch to these hosts, as on many access points.
    pub fn filter_multicast(&self, hosts: &[u16]) {
        for host in hosts {
            self.ip(
                0,
                &format!("link set port{host} type bridge_slave mcast_flood off"),
            );
        }
    }

    /// The command for the node's program on a host, with a folder of the host's own.
    pub fn command(&self, host: u16, verb: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        let folder = self.group.folder.path().join(format!("host-{host}"));
        command
            .args(["netns", "exec", &self.name(host), env!("CARGO_BIN_EXE_node")])
            .args(verb)
            .args(["--group", &self.group.address, "--json", "--data-dir"])
            .arg(folder)
            .args(words);
        piped(command)
    }

    /// Starts node N on host N, and waits until it is in a ring of its own.
    pub fn node(&self, id: u16, words: &[&str]) -> Node {
        let mut node = Node::spawn(id, self.node_command(id, words));
        node.wait_ring(&[id]);
        node
    }

    pub fn node_command(&self, id: u16, words: &[&str]) -> Command {
        let (number, interface) = (id.to_string(), format!("roda{id}"));
        let mut command = self.command(id, &[], &["--id", &number, "--interface", &interface]);
        command.args(words);
        command
    }

    /// What the doctor says on host 1, about its interface `roda1` unless the words name another.
    pub fn doctor(&self, words: &[&str]) -> Said {
        let mut all = words.to_vec();
        if !words.contains(&"--interface") {
            all.extend(["--interface", "roda1"]);
        }
        self.doctor_at_large(&all)
    }

    /// The same, about the interface that is chosen by itself.
    pub fn doctor_at_large(&self, words: &[&str]) -> Said {
        let ended = run(self.command(1, &["doctor"], words), b"");
        let value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
        Said {
            code: ended.code,
            value,
        }
    }

    /// Does something in the namespace of a host, on a thread of its own.
    pub fn inside<T: Send + 'static>(&self, host: u16, what: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name(host))).unwrap();
        let run = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            what()
        };
        std::thread::Builder::new().spawn(run).unwrap().join().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in 0..=self.hosts {
            // One that was never made is not there to be removed.
            Command::new("ip")
                .args(["netns", "del", &self.name(host)])
                .output()
                .map(drop)
                .unwrap_or_default();
        }
    }
}

/// The cause that was made is the one that is named, and the exit code fits.
pub fn named(made: &str, said: &Said, cause: &str) {
    assert_eq!(said.cause(), cause, "{made}: {:#}", said.value);
    let trouble = !["alone", "well"].contains(&cause);
    assert_eq!(said.code, Some(if trouble { 8 } else { 0 }), "{made}");
    assert_eq!(
        said.value["also"].as_array().unwrap().len(),
        0,
        "{made}: nothing else is wrong: {:#}",
        said.value
    );
    assert!(!said.evidence().is_empty() && !said.value["remedy"].as_str().unwrap().is_empty());
    row(made, 1, &format!("**{cause}**: {}", said.evidence()));
}
