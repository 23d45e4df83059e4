//! The simulated world: nodes, a network and disks under one clock.

mod adversary;
mod clocks;
mod deeds;
mod hooks;
mod network;
mod storing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::check::{Broken, Checker};
use super::disk::Disk;
use super::plan::Midst;
use super::tell;
use crate::node::Node;
use crate::node::face::{Action, Command, Config, Event, Exit, LoadId, RecoverLevel, StreamId, Ticket};
use crate::wire::seal::key::Keys;
use crate::wire::seal::sessions::SealSettings;
use crate::words::{NodeId, Time, WallTime};

use clocks::Clock;

pub use adversary::Adversary;
pub use clocks::BEGINNING_US;
pub use hooks::{Ambush, Fate, Happened, Hooks, Mischief, Moment, Order, Told, What};

/// The group all simulated nodes are in.
pub const GROUP: u32 = 0x726f_6461;
/// Where simulated nodes accept streams.
const STREAM_PORT: u16 = 7_000;
/// How soon a failed start or a full disk is tried again, µs.
const AGAIN_US: u64 = 1_000_000;
/// How many datagrams wait for a node that sleeps, as in a socket's buffer.
const SLEEPING_MAX: usize = 256;

/// How the network treats datagrams. Shares are of 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplication: u32,
    /// Delivered with a flipped bit.
    pub garbling: u32,
    /// Shortest time under way, µs.
    pub delay_min_us: u64,
    /// Longest time under way, µs.
    pub delay_max_us: u64,
}

/// What will happen.
#[derive(Clone, Debug)]
enum Coming {
    Arrival {
        to: NodeId,
        life: u32,
        event: Event,
    },
    Timer {
        node: NodeId,
        life: u32,
        at: Time,
    },
    Start(NodeId),
    Room(NodeId),
    Synced {
        node: NodeId,
        life: u32,
        ticket: Ticket,
    },
    Loaded {
        node: NodeId,
        life: u32,
        load: LoadId,
        query: crate::node::face::Load,
    },
}

/// A node that lives.
#[derive(Debug)]
struct Process {
    node: Node,
    life: u32,
    clock: Clock,
    timer: Option<Time>,
    sleeps: bool,
    /// Since when.
    slept_at: Time,
    /// What arrived while it sleeps.
    missed: VecDeque<Event>,
    /// What it was about to do when it was put to sleep.
    undone: Vec<Action>,
    exit: Option<Exit>,
    /// When its disk is free again.
    disk_free: Time,
}

/// Both ends of a stream: node, life and the stream's number there.
type End = (NodeId, u32, StreamId);

/// The world.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Time,
    seed: u64,
    coming: BTreeMap<(Time, u64), Coming>,
    order: u64,
    /// All dice of the world.
    pub dice: SmallRng,
    processes: BTreeMap<NodeId, Process>,
    lives: BTreeMap<NodeId, u32>,
    /// Whether, if the token is accelerated, it is so at nodes of odd ids only.
    pub only_odd_accelerated: bool,
    /// Whether new disks have files, which can break.
    pub disks_have_files: bool,
    /// All disks, also of nodes that are down.
    pub disks: BTreeMap<NodeId, Disk>,
    /// How the network is.
    pub weather: Weather,
    /// Links that are cut, from and to.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Nodes whose hosts are down with them: nobody says that their ports are closed.
    pub hosts_down: BTreeSet<NodeId>,
    /// Nodes that multicast does not reach.
    pub multicast_cut: BTreeSet<NodeId>,
    /// Links that are clogged, from and to, with the mean time under way in µs.
    pub clogged: BTreeMap<(NodeId, NodeId), u64>,
    /// By how much the wall clocks are wrong, µs.
    pub walls: BTreeMap<NodeId, i64>,
    /// Nodes that crash when they are in the midst of something, and after how many µs they come back.
    pub armed: BTreeMap<NodeId, (Midst, u64)>,
    /// What a script does to single datagrams and nodes.
    pub hooks: Hooks,
    peers: BTreeMap<End, (End, Time)>,
    next_stream: u64,
    /// Somebody on the network without the key.
    pub adversary: Adversary,
    /// The checks.
    pub checker: Checker,
    /// The configuration of new nodes.
    pub config: Config,
    /// The group keys of nodes that start, if they have any.
    pub keys: Option<Keys>,
    /// Told in words as it happens, if wanted.
    pub trace: Option<Vec<String>>,
    /// How many steps were made.
    pub steps: u64,
}

/// The configuration of simulated nodes.
pub fn config() -> Config {
    Config {
        id: NodeId(1),
        name: String::new(),
        group: GROUP,
        token_timeout_us: 200_000,
        delay_min_us: 0,
        delay_max_us: 150_000,
        checkpoint_every_us: 2_000_000,
        quorum: 0,
        catch_up: true,
        recover: RecoverLevel::Peers,
        payload_max: 1_400,
        lab: true,
        accelerated: false,
        unicast_port: 5_000,
        stream_port: STREAM_PORT,
        seal: None,
    }
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> World {
        World {
            now: Time(1_000_000),
            seed,
            coming: BTreeMap::new(),
            order: 0,
            dice: SmallRng::seed_from_u64(seed),
            processes: BTreeMap::new(),
            lives: BTreeMap::new(),
            only_odd_accelerated: false,
            disks_have_files: false,
            disks: BTreeMap::new(),
            weather: Weather {
                delay_min_us: 50,
                delay_max_us: 200,
                ..Weather::default()
            },
            cut: BTreeSet::new(),
            hosts_down: BTreeSet::new(),
            multicast_cut: BTreeSet::new(),
            clogged: BTreeMap::new(),
            walls: BTreeMap::new(),
            armed: BTreeMap::new(),
            hooks: Hooks::default(),
            peers: BTreeMap::new(),
            next_stream: 1,
            adversary: Adversary::default(),
            checker: Checker::default(),
            config: config(),
            keys: None,
            trace: None,
            steps: 0,
        }
    }

    /// Starts a node, on whatever its disk holds.
    pub fn start(&mut self, id: NodeId) -> Result<(), Broken> {
        if self.processes.contains_key(&id) {
            return Ok(());
        }
        self.hosts_down.remove(&id);
        let life = *self.lives.entry(id).and_modify(|life| *life += 1).or_insert(1);
        let (seed, dice) = (self.dice.random(), self.dice.random());
        let clock_us = self.wall_us(id);
        let own_id = self.hooks.twins.get(&id).copied().unwrap_or(id);
        let Some(restart) = self.open_disk(id, own_id, clock_us, dice)? else {
            return Ok(());
        };
        let config = Config {
            id: own_id,
            name: format!("n{own_id}"),
            seal: self.seal_settings(id, life),
            accelerated: self.config.accelerated && (!self.only_odd_accelerated || id.0 % 2 == 1),
            ..self.config.clone()
        };
        let clock = Clock::right(self.now);
        let (node, actions) = Node::new(config, restart, seed, clock.local(self.now));
        let process = Process {
            node: self.hooks.watched(node, clock.local(self.now)),
            life,
            clock,
            timer: None,
            sleeps: false,
            slept_at: self.now,
            missed: VecDeque::new(),
            undone: Vec::new(),
            exit: None,
            disk_free: self.now,
        };
        self.processes.insert(id, process);
        self.adversary.started(id);
        self.tell(|| format!("{id} starts, life {life}"));
        self.keep_start(id, life > 1);
        self.carry_out(id, actions)
    }

    /// What a node that starts needs to seal, if there is a key. Each start has other random bytes.
    fn seal_settings(&mut self, id: NodeId, life: u32) -> Option<SealSettings> {
        let keys = self.keys.clone()?;
        Some(SealSettings {
            keys,
            seed: std::array::from_fn(|_| self.dice.random()),
            address: address(id, life),
        })
    }

    /// Starts a node in a while, unless it lives then.
    pub fn start_later(&mut self, id: NodeId, after_us: u64) {
        self.schedule(self.now.after_us(after_us), Coming::Start(id));
    }

    /// Kills a node: what its disk had not synced may be lost.
    pub fn crash(&mut self, id: NodeId) {
        if !self.processes.contains_key(&id) {
            return;
        }
        let under_way = self.disks[&id].under_way();
        let survivors = self.dice.random_range(0..=under_way);
        self.crash_keeping(id, survivors);
        if self.hosts_down.contains(&id) {
            self.cut_power(id);
        }
    }

    /// Kills a node; of what its disk had under way, the first `survivors` operations are kept.
    pub fn crash_keeping(&mut self, id: NodeId, survivors: usize) {
        let Some(process) = self.processes.remove(&id) else {
            return;
        };
        self.tell(|| format!("{id} crashes"));
        self.keep(id, What::Crash);
        self.checker.gone(process.node.me());
        let disk = self.disks.get_mut(&id).expect("a node that lived has a disk");
        disk.crash(survivors);
        self.close_streams_of(id, process.life);
    }

    /// Stops a node in its tracks; what arrives waits.
    pub fn sleep(&mut self, id: NodeId) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.sleeps = true;
            process.slept_at = self.now;
            self.tell(|| format!("{id} sleeps"));
            self.keep(id, What::Pause);
        }
    }

    /// Lets a node that sleeps go on.
    pub fn wake(&mut self, id: NodeId) -> Result<(), Broken> {
        let Some(process) = self.processes.get_mut(&id).filter(|process| process.sleeps) else {
            return Ok(());
        };
        process.sleeps = false;
        let missed = std::mem::take(&mut process.missed);
        let undone = std::mem::take(&mut process.undone);
        let slept_at = process.slept_at;
        self.tell(|| format!("{id} wakes"));
        self.keep(id, What::Resume);
        self.carry_out(id, undone)?;
        if let Some(process) = self.processes.get(&id) {
            let slept_us = self.now.since_us(slept_at);
            self.checker.witness.woke(&process.node, slept_us);
        }
        for event in missed {
            self.step_node(id, event)?;
        }
        self.step_node(id, Event::Timer)
    }

    /// A user does something at a node.
    pub fn command(&mut self, id: NodeId, command: Command) -> Result<(), Broken> {
        self.tell(|| format!("{id} user: {command:?}"));
        self.deliver(id, Event::Command(command))
    }

    /// A user says a line.
    pub fn say(&mut self, id: NodeId, text: &str) -> Result<(), Broken> {
        let sent = WallTime(self.wall_us(id) / 1_000);
        self.command(
            id,
            Command::Say {
                room: "geral".into(),
                text: text.into(),
                tag: 0,
                key: None,
                sent,
            },
        )
    }

    /// The nodes that live, sleep or not.
    pub fn alive(&self) -> Vec<NodeId> {
        self.processes.keys().copied().collect()
    }

    /// A node that lives.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.processes.get(&id).map(|process| &process.node)
    }

    /// Cuts every link between two sides, in both directions.
    pub fn partition(&mut self, left: &[NodeId], right: &[NodeId]) {
        self.tell(|| format!("cut between {left:?} and {right:?}"));
        for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))) {
            self.cut.extend([(a, b), (b, a)]);
        }
        for (side, other) in [(left, right), (right, left)] {
            side.iter()
                .for_each(|id| self.keep(*id, What::Cut(other.to_vec())));
        }
    }

    /// Whether all that live are in one operational ring, with nothing waiting to be ordered or written.
    pub fn is_settled(&self) -> bool {
        let mut rings = BTreeSet::new();
        let all = self.processes.values().all(|process| {
            let ring = process.node.ring();
            rings.extend(ring.installed().map(|state| state.id));
            ring.is_operational() && process.node.is_quiet()
        });
        let members = self
            .processes
            .values()
            .next()
            .and_then(|p| p.node.ring().installed());
        all && rings.len() == 1 && members.is_some_and(|state| state.members.len() == self.processes.len())
    }

    /// Lets time pass up to `until`.
    pub fn run_until(&mut self, until: Time) -> Result<(), Broken> {
        while self.run_next(until)? {}
        Ok(())
    }

    /// Lets the next thing up to `until` happen. Whether there was one.
    pub fn run_next(&mut self, until: Time) -> Result<bool, Broken> {
        let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= until) else {
            self.now = self.now.max(until);
            return Ok(false);
        };
        let ((at, _), coming) = entry.remove_entry();
        self.now = self.now.max(at);
        self.happen(coming)?;
        Ok(true)
    }

    fn happen(&mut self, coming: Coming) -> Result<(), Broken> {
        match coming {
            Coming::Start(id) => self.start(id),
            Coming::Room(id) => {
                self.make_room(id);
                Ok(())
            }
            Coming::Arrival { to, life, event } if self.lives_still(to, life) => self.deliver(to, event),
            Coming::Timer { node, life, at } if self.lives_still(node, life) => {
                let process = self.processes.get_mut(&node).expect("it lives");
                if process.timer != Some(at) || process.sleeps {
                    return Ok(());
                }
                process.timer = None;
                self.step_node(node, Event::Timer)
            }
            Coming::Synced { node, life, ticket } if self.lives_still(node, life) => {
                self.sync_disk(node, life, ticket)
            }
            Coming::Loaded {
                node,
                life,
                load,
                query,
            } if self.lives_still(node, life) => self.read_disk(node, load, &query),
            Coming::Arrival { .. } | Coming::Timer { .. } | Coming::Synced { .. } | Coming::Loaded { .. } => {
                Ok(())
            }
        }
    }

    fn lives_still(&self, id: NodeId, life: u32) -> bool {
        self.processes
            .get(&id)
            .is_some_and(|process| process.life == life)
    }

    /// Hands an event to a node, or keeps it until the node wakes.
    fn deliver(&mut self, id: NodeId, event: Event) -> Result<(), Broken> {
        let Some(process) = self.processes.get_mut(&id) else {
            return Ok(());
        };
        if process.sleeps {
            let datagram = matches!(event, Event::Datagram { .. } | Event::PortClosed { .. });
            if !datagram || process.missed.len() < SLEEPING_MAX {
                process.missed.push_back(event);
            }
            return Ok(());
        }
        self.step_node(id, event)
    }

    fn step_node(&mut self, id: NodeId, event: Event) -> Result<(), Broken> {
        self.steps += 1;
        if !self.processes.contains_key(&id) {
            return Ok(());
        }
        let told = matches!(
            event,
            Event::Datagram { .. } | Event::Stored(..) | Event::PortClosed { .. }
        );
        if self.trace.is_some() && told {
            let told = tell::event(&event, &self.processes[&id].node);
            self.tell(|| format!("{id} ← {told}"));
        }
        let process = self.processes.get_mut(&id).expect("it lives");
        let actions = process.node.handle(process.clock.local(self.now), event);
        self.carry_out(id, actions)
    }

    fn schedule(&mut self, at: Time, coming: Coming) {
        self.order += 1;
        self.coming.insert((at, self.order), coming);
    }

    /// Adds a line to the trace, and to the digest of the run.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>11.6} {}", self.now.0 as f64 / 1e6, line()));
        }
    }

    /// A digest of the whole run so far: time, steps, and every disk's history.
    pub fn fingerprint(&self) -> u64 {
        let mut text = format!("{} {} {}", self.now.0, self.steps, self.order);
        for (id, disk) in &self.disks {
            text += &format!(" {id}:{:x}:{}", disk.history, disk.identity.1);
        }
        crate::replica::record::hash_line(text.as_bytes())
    }
}

/// The address of a node in one of its lives.
fn address(id: NodeId, life: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, id.0 as u8, life as u8), STREAM_PORT)
}
