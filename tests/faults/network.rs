//! A network of the test's own: each host is a network namespace, and all frames between them pass through this
//! process, which loses, delays, doubles or cuts them.
//!
//! Host N has the interface `rodaN` with address 10.77.0.N, one end of a veth pair. The other ends are in a
//! namespace that holds nothing else, where packet sockets read and write them. Namespaces go when the network
//! does; what a killed test leaves behind has no way to any real network.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use socket2::Socket;

use crate::support::{Group, piped};

/// The longest frame; longer ones need offloading, which is switched off.
const FRAME_BYTES_MAX: usize = 2_048;
/// How soon a reader notices that the network is at its end.
const GLANCE: Duration = Duration::from_millis(100);

/// What happens to frames on the way from one host to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// How many of a hundred are lost.
    pub loss_percent: u64,
    /// How many of a hundred come twice.
    pub doubled_percent: u64,
    /// Each takes a random time up to this.
    pub delay_ms_max: u64,
}

/// What the bridge did with frames, counted per receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub passed: u64,
    pub lost: u64,
    pub doubled: u64,
}

/// What the bridge's thread is told.
enum Input {
    Frame(usize, Vec<u8>),
    Link(usize, usize, Link),
    Count(Sender<Counts>),
    End,
}

pub struct Network {
    names: Vec<String>,
    bridge: String,
    inputs: Sender<Input>,
    thread: Option<JoinHandle<()>>,
}

/// Runs `ip` with these words.
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {error}");
}

impl Network {
    /// Hosts 1, 2 ... that reach each other. Needs the rights of root.
    pub fn new(hosts: usize) -> Network {
        static NETWORKS: AtomicU32 = AtomicU32::new(0);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("roda-{}-{number}", std::process::id());
        let bridge = format!("{prefix}-bridge");
        let (inputs, taken) = unbounded();
        let mut network = Network {
            names: (1..=hosts).map(|host| format!("{prefix}-{host}")).collect(),
            bridge,
            inputs,
            thread: None,
        };
        let bridge = &network.bridge;
        ip(&format!("netns add {bridge}"));
        for (index, name) in network.names.iter().enumerate() {
            let host = index + 1;
            ip(&format!("netns add {name}"));
            let pair = format!("link add port{host} netns {bridge} type veth");
            ip(&format!("{pair} peer name roda{host} netns {name}"));
            ip(&format!(
                "-n {name} link set roda{host} address 02:00:00:00:00:{host:02x}"
            ));
            ip(&format!("-n {name} address add 10.77.0.{host}/24 dev roda{host}"));
            ip(&format!("-n {name} link set lo up"));
            ip(&format!("-n {name} link set roda{host} up"));
            ip(&format!("-n {bridge} link set port{host} up"));
            // Whole frames with right checksums, as they would be on a wire.
            let ethtool = ["netns", "exec", name, "ethtool", "-K"];
            let mut command = Command::new("ip");
            command.args(ethtool).arg(format!("roda{host}"));
            let status = command
                .args(["tx", "off", "tso", "off", "gso", "off"])
                .stdout(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "ethtool is needed");
        }
        network.thread = Some(start(&network.bridge, hosts, network.inputs.clone(), taken));
        network
    }

    /// The command that runs a program on a host.
    fn on(&self, host: u16, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[usize::from(host) - 1], program]);
        piped(command)
    }

    /// The command for a program of roda on a host, in this group.
    pub fn command(&self, host: u16, program: &str, group: &Group, words: &[&str]) -> Command {
        let mut command = self.on(host, program);
        command
            .args(["--group", &group.address, "--json"])
            .args(["--interface", &format!("roda{host}"), "--data-dir"])
            .arg(group.folder.path())
            .args(words);
        command
    }

    fn tell(&self, input: Input) {
        self.inputs.send(input).unwrap();
    }

    /// What happens from now on between two hosts, one way.
    pub fn one_way(&self, from: u16, to: u16, link: Link) {
        self.tell(Input::Link(usize::from(from) - 1, usize::from(to) - 1, link));
    }

    /// What happens from now on between all of these and all of those, both ways.
    pub fn between(&self, these: &[u16], those: &[u16], link: Link) {
        for this in these {
            for that in those.iter().filter(|that| *that != this) {
                self.one_way(*this, *that, link);
                self.one_way(*that, *this, link);
            }
        }
    }

    /// All hosts.
    pub fn hosts(&self) -> Vec<u16> {
        (1..=self.names.len() as u16).collect()
    }

    /// What happens from now on between all.
    pub fn everywhere(&self, link: Link) {
        self.between(&self.hosts(), &self.hosts(), link);
    }

    /// Switches a host's own interface off or on.
    pub fn interface(&self, host: u16, state: &str) {
        let name = &self.names[usize::from(host) - 1];
        ip(&format!("-n {name} link set roda{host} {state}"));
    }

    pub fn counts(&self) -> Counts {
        let (reply, counts) = bounded(1);
        self.tell(Input::Count(reply));
        counts.recv().unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.inputs.send(Input::End).unwrap_or_default();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
        for name in self.names.iter().chain([&self.bridge]) {
            // One that was never made is not there to be removed.
            Command::new("ip")
                .args(["netns", "del", name])
                .output()
                .map(drop)
                .unwrap_or_default();
        }
    }
}

/// Starts the bridge, and waits until it is ready.
fn start(bridge: &str, hosts: usize, inputs: Sender<Input>, taken: Receiver<Input>) -> JoinHandle<()> {
    let namespace = File::open(format!("/run/netns/{bridge}")).unwrap();
    let (ready, is_ready) = bounded(1);
    let run = move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        let ports: Vec<Arc<Socket>> = (1..=hosts)
            .map(|host| Arc::new(port(&format!("port{host}"))))
            .collect();
        let ending = Arc::new(AtomicBool::new(false));
        let readers = ports.iter().enumerate().map(|(index, port)| {
            let (port, ending, inputs) = (port.clone(), ending.clone(), inputs.clone());
            let read = move || read(index, &port, &ending, &inputs);
            Builder::new().name("port".into()).spawn(read).unwrap()
        });
        let readers: Vec<JoinHandle<()>> = readers.collect();
        ready.send(()).unwrap();
        Bridge::new(ports).run(&taken);
        ending.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    };
    let thread = Builder::new().name("bridge".into()).spawn(run).unwrap();
    is_ready.recv().unwrap();
    thread
}

/// A socket for all frames of one interface. What it sends itself does not come back to it.
fn port(name: &str) -> Socket {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
    let mut interfaces = getifaddrs()
        .unwrap()
        .filter(|interface| interface.interface_name == name);
    let address = interfaces.find_map(|interface| Some(*interface.address?.as_link_addr()?));
    bind(socket.as_raw_fd(), &address.unwrap()).unwrap();
    let socket = Socket::from(socket);
    socket.set_read_timeout(Some(GLANCE)).unwrap();
    socket.set_recv_buffer_size(4 << 20).unwrap();
    socket
}

fn read(index: usize, mut port: &Socket, ending: &AtomicBool, inputs: &Sender<Input>) {
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    while !ending.load(Ordering::Relaxed) {
        // An interface that is down says so at each look; it may come up again.
        if let Ok(length) = port.read(&mut buffer) {
            inputs
                .send(Input::Frame(index, buffer[..length].to_vec()))
                .unwrap_or_default();
        }
    }
}

/// Forwards frames.
struct Bridge {
    ports: Vec<Arc<Socket>>,
    links: BTreeMap<(usize, usize), Link>,
    /// By the time they are due, then by number; with the port they go to.
    delayed: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    frames: u64,
    counts: Counts,
    dice: Xoshiro256PlusPlus,
}

impl Bridge {
    fn new(ports: Vec<Arc<Socket>>) -> Bridge {
        Bridge {
            ports,
            links: BTreeMap::new(),
            delayed: BTreeMap::new(),
            frames: 0,
            counts: Counts::default(),
            dice: Xoshiro256PlusPlus::seed_from_u64(7),
        }
    }

    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            let next = self.delayed.keys().next().map(|(due, _)| *due);
            let deadline = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            match inputs.recv_deadline(deadline) {
                Ok(Input::Frame(from, frame)) => self.forward(from, &frame),
                Ok(Input::Link(from, to, link)) => drop(self.links.insert((from, to), link)),
                Ok(Input::Count(reply)) => reply.send(self.counts).unwrap_or_default(),
                Ok(Input::End) => return,
                Err(_) => {}
            }
            while let Some(entry) = self.delayed.first_entry() {
                if entry.key().0 > Instant::now() {
                    break;
                }
                let (to, frame) = entry.remove();
                self.send(to, &frame);
            }
        }
    }

    /// Hosts have the last byte of their address for their number; anything else is for all.
    fn forward(&mut self, from: usize, frame: &[u8]) {
        let only = match frame {
            [2, 0, 0, 0, 0, host, ..] => Some(usize::from(*host) - 1),
            _ => None,
        };
        // What machines say by themselves over IPv6 is nobody's business here.
        if !matches!(frame.get(12..14), Some(&[0x08, 0x00 | 0x06])) {
            return;
        }
        for to in 0..self.ports.len() {
            if to != from && only.is_none_or(|only| only == to) {
                self.pass(from, to, frame);
            }
        }
    }

    fn pass(&mut self, from: usize, to: usize, frame: &[u8]) {
        let link = self.links.get(&(from, to)).copied().unwrap_or_default();
        if link.cut || self.dice.next_u64() % 100 < link.loss_percent {
            self.counts.lost += 1;
            return;
        }
        let doubled = self.dice.next_u64() % 100 < link.doubled_percent;
        self.counts.passed += 1;
        self.counts.doubled += u64::from(doubled);
        for _ in 0..1 + u8::from(doubled) {
            if link.delay_ms_max == 0 {
                self.send(to, frame);
                continue;
            }
            let delay = Duration::from_micros(self.dice.next_u64() % (link.delay_ms_max * 1_000));
            self.frames += 1;
            self.delayed
                .insert((Instant::now() + delay, self.frames), (to, frame.to_vec()));
        }
    }

    fn send(&mut self, to: usize, frame: &[u8]) {
        // An interface that is down or full loses it, as a wire would.
        self.ports[to].send(frame).map(drop).unwrap_or_default();
    }
}
