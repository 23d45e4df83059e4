//! A seeded run: a plan of faults drawn from the seed, then quiet, then convergence.

use std::collections::BTreeMap;

use rand::RngExt;

use super::check::Broken;
use super::merging;
use super::world::{Weather, World};
use crate::node::face::Command;
use crate::wire::seal::key::{GroupKey, Keys};
use crate::words::{NodeId, Time};

/// How long convergence may take once everything has healed, in simulated microseconds.
pub const QUIET_BOUND_US: u64 = 240_000_000;

/// One seed in so many runs with a group key, and with somebody on the network who does not have it.
const KEYED_SHARE: u64 = 4;
/// What is sent after each fault that must not be believed.
const ATTACKS: u32 = 12;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The promise that was broken, if one was.
    pub broken: Option<Broken>,
    /// How much time was simulated, in microseconds.
    pub simulated_us: u64,
    /// How many steps nodes made.
    pub steps: u64,
    /// Faults and events by kind.
    pub seen: BTreeMap<&'static str, u64>,
    /// A digest of the whole run.
    pub fingerprint: u64,
    /// The trace, if it was wanted.
    pub trace: Vec<String>,
}

/// Runs one seed.
pub fn run(seed: u64, traced: bool) -> Report {
    let mut world = World::new(seed);
    let keyed = seed % KEYED_SHARE == KEYED_SHARE - 1;
    world.trace = traced.then(Vec::new);
    let outcome = story(&mut world, keyed);
    let broken = outcome.err();
    Report {
        seed,
        broken,
        simulated_us: world.now.0,
        steps: world.steps,
        fingerprint: world.fingerprint(),
        seen: world.checker.seen,
        trace: world.trace.unwrap_or_default(),
    }
}

/// The whole story of a run.
fn story(world: &mut World, keyed: bool) -> Result<(), Broken> {
    let count = world.dice.random_range(1..=5);
    let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
    world.weather = some_weather(world);
    if world.dice.random_bool(0.3) {
        world.config.delay_max_us = 0;
    }
    if world.dice.random_bool(0.25) {
        world.config.quorum = count / 2 + 1;
        world.checker.count("quorum");
        world.checker.one_order = true;
    }
    // A share of all seeds, told by the number: the others throw the same dice as without.
    if keyed {
        world.keys = Some(Keys::one(GroupKey::new([7; 32].into())));
        world.checker.count("keyed");
    }
    for id in &nodes {
        let wait = world.dice.random_range(0..400_000);
        world.run_until(world.now.after_us(wait))?;
        world.start(*id)?;
    }
    let faults = world.dice.random_range(5..60);
    for number in 0..faults {
        let wait = match world.dice.random_range(0..4) {
            0 => world.dice.random_range(0..2_000),
            1 => world.dice.random_range(0..50_000),
            _ => world.dice.random_range(0..600_000),
        };
        world.run_until(world.now.after_us(wait))?;
        one_fault(world, &nodes, number)?;
        forge(world, &nodes)?;
        if world.keys.is_some() {
            world.attack(ATTACKS)?;
        }
    }
    // Not after every seed either, and without drawing from the world's dice.
    if world.fingerprint().is_multiple_of(4) {
        merging::check(&world.disks)?;
    }
    heal(world, &nodes)?;
    last_words(world, &nodes)?;
    converge(world)?;
    // Not after every seed: it costs as much as the whole quiet phase.
    if world.dice.random_bool(0.25) {
        reconcile(world)?;
    }
    Ok(())
}

fn some_weather(world: &mut World) -> Weather {
    let loss = [0, 0, 10, 50, 150, 300][world.dice.random_range(0..6)];
    let duplication = [0, 0, 20, 200][world.dice.random_range(0..4)];
    let garbling = [0, 0, 0, 5][world.dice.random_range(0..4)];
    let delay_max_us = [200, 200, 1_000, 5_000, 20_000][world.dice.random_range(0..5)];
    Weather {
        loss,
        duplication,
        garbling,
        delay_min_us: 30,
        delay_max_us,
    }
}

/// Something happens: mostly talk, sometimes something breaks or heals.
fn one_fault(world: &mut World, nodes: &[NodeId], number: usize) -> Result<(), Broken> {
    let id = nodes[world.dice.random_range(0..nodes.len())];
    match world.dice.random_range(0..100) {
        0..45 => talk(world, id, number)?,
        45..57 => {
            world.checker.count("crash");
            if world.dice.random_bool(0.3) {
                world.checker.count("host down");
                world.hosts_down.insert(id);
            }
            world.crash(id);
            // One order with a quorum is claimed as long as no disk is wiped.
            if world.config.quorum == 0 && world.dice.random_bool(0.1) {
                world.checker.count("disk wiped");
                world.wipe(id);
            }
        }
        57..72 => {
            world.checker.count("restart");
            world.start(id)?;
        }
        72..77 => {
            world.checker.count("pause");
            world.sleep(id);
        }
        77..82 => {
            for id in nodes {
                world.wake(*id)?;
            }
        }
        82..88 => cut_something(world, nodes),
        88..93 => {
            world.cut.clear();
            world.multicast_cut.clear();
        }
        93..95 => {
            world.checker.count("multicast cut");
            world.multicast_cut.insert(id);
        }
        95 => {
            world.checker.count("reconcile");
            world.command(id, Command::Reconcile)?;
        }
        96..98 => {
            world.checker.count("weather");
            world.weather = some_weather(world);
        }
        _ => {
            world.checker.count("polite leave");
            world.command(id, Command::Leave)?;
        }
    }
    Ok(())
}

/// Now and then somebody forges a report that a node's port is closed.
fn forge(world: &mut World, nodes: &[NodeId]) -> Result<(), Broken> {
    if !world.dice.random_bool(0.1) {
        return Ok(());
    }
    let [at, of] = [(); 2].map(|()| nodes[world.dice.random_range(0..nodes.len())]);
    world.checker.count("forged closed port");
    world.forge_port_closed(at, of)
}

/// A few lines, now and then a long one that is fragmented.
fn talk(world: &mut World, id: NodeId, number: usize) -> Result<(), Broken> {
    let lines = [1, 1, 1, 3, 20][world.dice.random_range(0..5)];
    for line in 0..lines {
        let mut text = format!("{id} says {number}.{line}");
        if world.dice.random_bool(0.05) {
            world.checker.count("long line");
            text = text.repeat(world.dice.random_range(100..800));
        }
        world.say(id, &text)?;
    }
    Ok(())
}

fn cut_something(world: &mut World, nodes: &[NodeId]) {
    let (left, right): (Vec<NodeId>, Vec<NodeId>) = nodes.iter().partition(|_| world.dice.random_bool(0.5));
    if world.dice.random_bool(0.7) {
        world.checker.count("partition");
        world.partition(&left, &right);
    } else if let (Some(a), Some(b)) = (left.first(), right.first()) {
        world.checker.count("one-way cut");
        world.cut.insert((*a, *b));
    }
}

/// Everything works again, and everybody is up.
fn heal(world: &mut World, nodes: &[NodeId]) -> Result<(), Broken> {
    world.cut.clear();
    world.multicast_cut.clear();
    world.weather = Weather {
        delay_min_us: 30,
        delay_max_us: 500,
        ..Weather::default()
    };
    for id in nodes {
        world.wake(*id)?;
    }
    world.run_until(world.now.after_us(3_000_000))?;
    nodes.iter().try_for_each(|id| world.start(*id))
}

/// Everybody says one more line once things are calm: progress.
fn last_words(world: &mut World, nodes: &[NodeId]) -> Result<(), Broken> {
    world.run_until(world.now.after_us(1_000_000))?;
    for id in nodes {
        world.start(*id)?;
        world.say(*id, &format!("{id} has the last word"))?;
    }
    Ok(())
}

/// All replicas become equal within the bound.
fn converge(world: &mut World) -> Result<(), Broken> {
    let until = Time(world.now.0 + QUIET_BOUND_US);
    let mut outcome = Err("it was never looked".to_string());
    while world.now < until {
        world.run_until(world.now.after_us(1_000_000))?;
        outcome = match world.is_settled() {
            true => world.checker.converged(&world.disks),
            false => Err(format!(
                "progress: the nodes are not in one quiet ring: {}",
                rings(world)
            )),
        };
        if outcome.is_ok() {
            return Ok(());
        }
    }
    outcome.map_err(|broken| format!("{broken}, {} s after all had healed", QUIET_BOUND_US / 1_000_000))
}

/// How long a reconciliation may take when all is quiet, in simulated microseconds.
const RECONCILE_BOUND_US: u64 = 30_000_000;

/// One more reconciliation when all is quiet: every node ends it, and nothing is lost by it.
fn reconcile(world: &mut World) -> Result<(), Broken> {
    let nodes = world.alive();
    let told = |world: &World| world.checker.seen.get("reconciled").copied().unwrap_or(0);
    let before = told(world);
    let until = world.now.after_us(RECONCILE_BOUND_US);
    let asker = nodes[world.dice.random_range(0..nodes.len())];
    world.command(asker, Command::Reconcile)?;
    while told(world) < before + nodes.len() as u64 {
        if world.now >= until {
            let ended = told(world) - before;
            return Err(format!(
                "progress: {ended} of {} nodes ended a reconciliation",
                nodes.len()
            ));
        }
        world.run_until(world.now.after_us(500_000))?;
    }
    world.checker.converged(&world.disks)
}

/// Which node is in which ring, in words.
fn rings(world: &World) -> String {
    let each = |id: NodeId| {
        let node = world.node(id)?;
        let ring = node
            .ring()
            .installed()
            .map_or("none".into(), |state| format!("{}", state.id.epoch));
        Some(format!(
            "{id}: {} {ring}, waiting {:?}",
            node.ring().phase_name(),
            node.waiting_lines()
        ))
    };
    world
        .alive()
        .into_iter()
        .filter_map(each)
        .collect::<Vec<_>>()
        .join("; ")
}
