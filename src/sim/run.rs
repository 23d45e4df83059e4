//! A run: a plan of faults carried out, then quiet, then convergence.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::RngExt;

use super::check::Broken;
use super::merging;
use super::plan::Plan;
use super::world::{Happened, Weather, World};
use crate::node::face::Command;
use crate::wire::seal::key::{GroupKey, Keys};
use crate::words::{NodeId, Time};

/// How long convergence may take once everything has healed, in simulated microseconds.
pub const QUIET_BOUND_US: u64 = 240_000_000;
/// How long a reconciliation may take when all is quiet, in simulated microseconds.
pub const RECONCILE_BOUND_US: u64 = 30_000_000;

/// One seed in so many runs with a group key, and with somebody on the network who does not have it.
const KEYED_SHARE: u64 = 4;
/// Of so many seeds one runs with the accelerated token, and one with members of which only some have it.
const ACCELERATED_SHARE: u64 = 10;
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

/// Runs one seed. An assertion of the core that fails panics.
pub fn run(seed: u64, traced: bool) -> Report {
    let plan = Plan::new(seed);
    let mut world = world(&plan, traced);
    let outcome = story(&mut world, &plan);
    report(world, seed, outcome)
}

/// Runs a plan. An assertion of the core that fails is a broken promise like any other.
pub fn run_plan(plan: &Plan, traced: bool) -> Report {
    let mut world = world(plan, traced);
    let outcome = caught(&mut world, plan);
    report(world, plan.seed, outcome)
}

/// Runs a plan and returns, beside the report, what a recording of it keeps: also what only watched nodes tell. The run
/// is the same as without.
pub fn record_plan(plan: &Plan, traced: bool) -> (Report, Vec<Happened>) {
    let mut world = world(plan, traced);
    world.hooks.happened = Some(Vec::new());
    let outcome = caught(&mut world, plan);
    let happened = world.hooks.happened.take().unwrap_or_default();
    (report(world, plan.seed, outcome), happened)
}

/// The story, in which an assertion of the core that fails is a broken promise like any other.
fn caught(world: &mut World, plan: &Plan) -> Result<(), Broken> {
    let outcome = catch_unwind(AssertUnwindSafe(|| story(world, plan)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!(
            "an assertion failed: {}",
            text.unwrap_or("it says nothing")
        ))
    })
}

fn world(plan: &Plan, traced: bool) -> World {
    let mut world = World::new(plan.seed);
    world.trace = traced.then(Vec::new);
    world
}

fn report(world: World, seed: u64, outcome: Result<(), Broken>) -> Report {
    Report {
        seed,
        broken: outcome.err(),
        simulated_us: world.now.0,
        steps: world.steps,
        fingerprint: world.fingerprint(),
        seen: world.checker.seen,
        trace: world.trace.unwrap_or_default(),
    }
}

/// The whole story of a run.
fn story(world: &mut World, plan: &Plan) -> Result<(), Broken> {
    let nodes = &plan.nodes;
    world.weather = plan.weather;
    world.config.delay_max_us = plan.delay_max_us;
    if plan.quorum > 0 {
        world.config.quorum = plan.quorum;
        world.checker.count("quorum");
        world.checker.one_order = true;
    }
    if plan.files {
        world.disks_have_files = true;
        world.checker.count("disk: files");
    }
    // A share of all seeds, told by the number: the others throw the same dice as without.
    if plan.seed % KEYED_SHARE == KEYED_SHARE - 1 {
        world.keys = Some(Keys::one(GroupKey::new([7; 32].into())));
        world.checker.count("keyed");
    }
    let remainder = plan.seed % ACCELERATED_SHARE;
    if remainder == ACCELERATED_SHARE - 3 || remainder == ACCELERATED_SHARE - 2 {
        world.config.accelerated = true;
        world.only_odd_accelerated = remainder == ACCELERATED_SHARE - 2;
        world.checker.count("accelerated");
    }
    for (number, decision) in plan.decisions.iter().enumerate() {
        world.run_until(world.now.after_us(decision.wait_us))?;
        world.tell(|| format!("-- {number}: {}", decision.deed));
        world.perform(nodes, number, &decision.deed)?;
        if world.keys.is_some() {
            world.attack(ATTACKS)?;
        }
    }
    // Not after every seed either, and without drawing from the world's dice.
    if world.fingerprint().is_multiple_of(4) {
        merging::check(&world.disks)?;
    }
    heal(world, nodes)?;
    last_words(world, nodes)?;
    converge(world)?;
    // Not after every seed: it costs as much as the whole quiet phase.
    if plan.reconciled {
        reconcile(world)?;
    }
    Ok(())
}

/// Everything works again, and everybody is up.
fn heal(world: &mut World, nodes: &[NodeId]) -> Result<(), Broken> {
    world.tell(|| "-- all heals".into());
    world.mend();
    world.armed.clear();
    world.weather = Weather {
        delay_min_us: 30,
        delay_max_us: 500,
        ..Weather::default()
    };
    for id in nodes {
        world.make_room(*id);
        world.wake(*id)?;
        world.end_if_rotten(*id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::face::Notice;
    use crate::sim::plan::Mask;
    use crate::sim::tell;
    use crate::sim::world::{Told, What};

    #[test]
    fn a_mask_that_leaves_nothing_out_changes_nothing() {
        let masked = run_plan(&Plan::masked(3, &Mask::default()), false);
        assert_eq!(masked.fingerprint, run(3, false).fingerprint);
    }

    #[test]
    fn a_run_that_is_recorded_is_the_same_run() {
        let mut later_lives = 0;
        for seed in 3..11 {
            let plan = Plan::new(seed);
            let plain = run_plan(&plan, true);
            let (recorded, happened) = record_plan(&plan, true);
            assert_eq!(recorded.fingerprint, plain.fingerprint, "seed {seed}");
            assert_eq!(recorded.steps, plain.steps, "seed {seed}");
            assert_eq!(recorded.seen, plain.seen, "seed {seed}");
            assert!(recorded.trace == plain.trace, "seed {seed}: other traces");
            let lives = lives(&happened);
            let silent = lives
                .iter()
                .position(|life| life.messages > 0 && life.details == 0);
            assert_eq!(silent, None, "seed {seed}: a life without details: {lives:?}");
            later_lives += lives.iter().filter(|life| life.again && life.details > 0).count();
        }
        assert!(later_lives > 10, "only {later_lives} later lives told details");
    }

    /// What a life told.
    #[derive(Debug)]
    struct Life {
        node: NodeId,
        again: bool,
        messages: usize,
        details: usize,
    }

    /// All lives, in the order in which they began.
    fn lives(happened: &[Happened]) -> Vec<Life> {
        let mut lives: Vec<Life> = Vec::new();
        for one in happened {
            let node = one.node;
            if let What::Start { again, .. } = one.what {
                let (messages, details) = (0, 0);
                lives.push(Life {
                    node,
                    again,
                    messages,
                    details,
                });
            }
            // A node that is down can be cut off from others, and says nothing.
            let Some(life) = lives.iter_mut().rfind(|life| life.node == node) else {
                continue;
            };
            if let What::Told(Told::Notice(notice)) = &one.what {
                life.messages += usize::from(matches!(notice, Notice::Message { .. }));
                life.details += usize::from(tell::is_detail(notice));
            }
        }
        lives
    }
}
