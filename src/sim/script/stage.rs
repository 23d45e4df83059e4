//! The stage of a script: a world, what was told in it since, and how each command is performed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand::RngExt;

use super::command::{Command, Condition, Expectation, Stop, TWIN, duration};
use super::report::{self, fold, in_words, topic};
use super::show::text_of;
use crate::node::face::{self, Notice};
use crate::sim::world::{Ambush, Told, Weather, World};
use crate::wire::seal::key::{GroupKey, Keys};
use crate::words::NodeId;

/// How long a moment is waited for, µs.
const MOMENT_US: u64 = 20_000_000;

/// A world on which a script is played.
pub(super) struct Stage {
    pub(super) world: World,
    /// The topics that are told.
    topics: BTreeSet<String>,
    /// Lines told by `show`, by whom, and what the nodes told before.
    pub(super) output: Vec<String>,
    /// The datagrams that had been sent when `count` was said last.
    pub(super) counted: BTreeMap<&'static str, u64>,
}

pub(super) type Done = Result<(), String>;

impl Stage {
    /// An empty world under the usual seed.
    pub(super) fn new() -> Stage {
        Stage {
            world: world(1),
            topics: report::TOLD.iter().map(ToString::to_string).collect(),
            output: Vec::new(),
            counted: BTreeMap::new(),
        }
    }

    /// Performs a command, as far as the promises hold.
    pub(super) fn perform(&mut self, command: &Command) -> Done {
        let world = &mut self.world;
        match command {
            Command::Seed(seed) => self.seed(*seed),
            Command::Config(settings) => settings
                .iter()
                .try_for_each(|(key, value)| self.configure(key, value)),
            Command::Weather(settings) => {
                world.weather = settings
                    .iter()
                    .try_fold(calm(), |weather, (key, value)| weather_with(weather, key, value))?;
                Ok(())
            }
            Command::Start(nodes) => nodes.iter().try_for_each(|id| self.start(*id, false)),
            Command::Restart(nodes) => nodes.iter().try_for_each(|id| self.start(*id, true)),
            Command::Wipe(nodes) => nodes.iter().try_for_each(|id| self.wipe(*id)),
            Command::Leave(nodes) => {
                self.each_alive(nodes, |world, id| world.command(id, face::Command::Leave))
            }
            Command::Crash(nodes, stop) => self.stop(nodes, *stop, true),
            Command::Sleep(nodes, stop) => self.stop(nodes, *stop, false),
            Command::Wake(nodes) => self.each_alive(nodes, World::wake),
            Command::ClockBehind(id, by_us) => {
                world.hooks.clocks_behind_us.insert(*id, *by_us);
                Ok(())
            }
            Command::Say(id, text) => self.each_alive(&[*id], |world, id| world.say(id, text)),
            Command::Run(us) => world.run_until(world.now.after_us(*us)),
            Command::Until(condition, bound_us) => self.until(condition, *bound_us),
            Command::Partition(left, right) => {
                world.partition(left, right);
                Ok(())
            }
            Command::CutOneWay(from, to) => {
                world
                    .cut
                    .extend(from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))));
                Ok(())
            }
            Command::CutMulticast(nodes) => {
                world.multicast_cut.extend(nodes);
                Ok(())
            }
            Command::ForgeClosed(of, to) => {
                self.each_alive(&[*to], |world, id| world.forge_port_closed(id, *of))
            }
            Command::Heal => heal(world),
            Command::Mischief(order) => {
                world.hooks.orders.push(order.clone());
                Ok(())
            }
            Command::Garbage(count, to) => self.garbage(*count, *to),
            Command::Replay(to) => self.each_alive(&[*to], World::replay),
            Command::Tell(topics, wanted) => topics.iter().try_for_each(|topic| self.tell(topic, *wanted)),
            Command::Rekey(to, value) => self.rekey(to, value),
            Command::Deed(by, on, deed) => {
                let (on, deed) = (*on, deed.clone());
                let asked = |deed| face::Command::Lab { on, deed };
                self.each_alive(&[*by], |world, by| world.command(by, asked(deed.clone())))
            }
            Command::Count => {
                self.counted = world.hooks.sent.clone();
                Ok(())
            }
            Command::Show(show) => self.show(show),
            Command::Expect(expectation) => self.expect(expectation),
        }
    }

    /// What was told and shown since the last time, in the order of a script.
    pub(super) fn take_output(&mut self) -> Vec<String> {
        self.flush();
        std::mem::take(&mut self.output)
    }

    /// Turns what the nodes told into lines.
    pub(super) fn flush(&mut self) {
        let told = self.world.hooks.told.replace(Vec::new()).unwrap_or_default();
        let mut lines: Vec<(NodeId, String)> = Vec::new();
        for (id, told) in &told {
            let shown = topic(told).is_some_and(|topic| self.topics.contains(topic));
            let text = in_words(told);
            // Fenced tokens and the like come in rows; a message told twice would be a mistake to be seen.
            let message = matches!(told, Told::Notice(Notice::Message { .. }));
            let last = lines.iter().rev().find(|(other, _)| other == id);
            let again = !message && last.is_some_and(|(_, last)| *last == text);
            if shown && !again {
                lines.push((*id, text));
            }
        }
        self.output.extend(fold(lines));
    }

    fn rekey(&mut self, nodes: &[NodeId], value: &str) -> Done {
        let keys = keys(value)?.ok_or("name at least one key")?;
        self.each_alive(nodes, |world, id| {
            world.command(id, face::Command::Rekey(keys.clone()))
        })
    }

    fn seed(&mut self, seed: u64) -> Done {
        if self.world.steps > 0 {
            return Err("the seed comes before anything happens".to_string());
        }
        let happened = self.world.hooks.happened.take();
        self.world = world(seed);
        self.world.hooks.happened = happened;
        Ok(())
    }

    fn configure(&mut self, key: &str, value: &str) -> Done {
        let config = &mut self.world.config;
        match key {
            "delay" => (config.delay_min_us, config.delay_max_us) = span(value)?,
            "timeout" => config.token_timeout_us = duration(value)?,
            "checkpoint" => config.checkpoint_every_us = duration(value)?,
            "accelerated" => config.accelerated = value == "on",
            "quorum" => {
                config.quorum = value.parse().map_err(|_| format!("{value:?} is no quorum"))?;
                // Scripts ask for more than half of their ids.
                self.world.checker.one_order = self.world.config.quorum > 0;
            }
            "key" => self.world.keys = keys(value)?,
            "catch-up" => config.catch_up = value == "on",
            _ => return Err(format!("{key:?} cannot be configured")),
        }
        Ok(())
    }

    fn tell(&mut self, topic: &str, wanted: bool) -> Done {
        if !report::TOPICS.contains(&topic) {
            return Err(format!(
                "{topic:?} is not told; there are {}",
                report::TOPICS.join(", ")
            ));
        }
        if wanted {
            self.topics.insert(topic.to_string());
        } else {
            self.topics.remove(topic);
        }
        Ok(())
    }

    fn start(&mut self, id: NodeId, again: bool) -> Done {
        let lived = self.world.disks.contains_key(&id);
        if lived != again || self.world.node(id).is_some() {
            let hint = "start is for the first life, restart for the later ones";
            return Err(format!(
                "{} cannot be started like this: {hint}",
                report::name(id)
            ));
        }
        if id.0 > TWIN {
            self.world.hooks.twins.insert(id, NodeId(id.0 - TWIN));
        }
        self.world.start(id)
    }

    fn wipe(&mut self, id: NodeId) -> Done {
        if self.world.node(id).is_some() {
            return Err(format!(
                "{} is alive; crash it before its disk is wiped",
                report::name(id)
            ));
        }
        self.world.wipe(id);
        Ok(())
    }

    pub(super) fn each_alive(
        &mut self,
        nodes: &[NodeId],
        mut act: impl FnMut(&mut World, NodeId) -> Done,
    ) -> Done {
        for id in nodes {
            if self.world.node(*id).is_none() {
                return Err(format!("{} is not alive", report::name(*id)));
            }
            act(&mut self.world, *id)?;
        }
        Ok(())
    }

    /// Crashes nodes, or puts them to sleep, now or at a moment to come.
    fn stop(&mut self, nodes: &[NodeId], stop: Stop, crash: bool) -> Done {
        self.each_alive(nodes, |world, id| {
            match (stop, crash) {
                (Stop::Now, true) => world.crash_keeping(id, 0),
                (Stop::KeepingDisk, true) => world.crash_keeping(id, usize::MAX),
                (Stop::WithHost, true) => {
                    world.hosts_down.insert(id);
                    world.crash_keeping(id, 0);
                }
                (Stop::Now | Stop::KeepingDisk | Stop::WithHost, false) => world.sleep(id),
                (Stop::At(moment), _) => {
                    let ambush = Ambush {
                        node: id,
                        moment,
                        crash,
                        ticket: None,
                    };
                    world.hooks.ambush = Some(ambush);
                    let until = world.now.after_us(MOMENT_US);
                    while world.hooks.ambush.is_some() && world.run_next(until)? {}
                    if world.hooks.ambush.take().is_some() {
                        let seconds = MOMENT_US / 1_000_000;
                        return Err(format!(
                            "this moment of {} did not come in {seconds} s",
                            report::name(id)
                        ));
                    }
                }
            }
            Ok(())
        })
    }

    fn until(&mut self, condition: &Condition, bound_us: u64) -> Done {
        let began = self.world.now;
        let end = began.after_us(bound_us);
        let told_before = self.told().len();
        while !self.holds(condition, told_before) {
            if self.world.now >= end {
                return Err(format!("it did not come about within {} ms", bound_us / 1_000));
            }
            self.world.run_next(end)?;
        }
        Ok(())
    }

    fn told(&self) -> &[(NodeId, Told)] {
        self.world.hooks.told.as_deref().unwrap_or_default()
    }

    fn holds(&self, condition: &Condition, told_before: usize) -> bool {
        let world = &self.world;
        match condition {
            Condition::Settled => world.is_settled(),
            Condition::Converged => world.is_settled() && world.checker.converged(&world.disks).is_ok(),
            Condition::Operational => {
                let is_operational = |id| world.node(id).is_some_and(|node| node.ring().is_operational());
                world.alive().into_iter().all(is_operational)
            }
            Condition::Told(nodes, words) => {
                let news = &self.told()[told_before..];
                let told = |id: &NodeId| {
                    news.iter()
                        .any(|(by, told)| by == id && in_words(told).starts_with(words))
                };
                nodes.iter().all(told)
            }
        }
    }

    /// Bad datagrams of several sorts: noise, cut ones, ones with a flipped bit, foreign versions, and far too long.
    fn garbage(&mut self, count: u32, to: NodeId) -> Done {
        let recorded = self.world.recorded();
        for number in 0..count {
            let mut bytes = recorded
                .get(self.world.dice.random_range(0..recorded.len().max(1)))
                .map_or(vec![0; 40], |bytes| bytes.to_vec());
            let at = self.world.dice.random_range(0..bytes.len());
            match number % 5 {
                0 => bytes.iter_mut().for_each(|byte| *byte = self.world.dice.random()),
                1 => bytes.truncate(at),
                2 => bytes[at] ^= 1 << self.world.dice.random_range(0..8),
                3 => bytes[2] = 77,
                _ => bytes.resize(65_507, 0),
            }
            self.each_alive(&[to], |world, id| world.inject(id, Bytes::from(bytes.clone())))?;
        }
        Ok(())
    }

    fn expect(&mut self, expectation: &Expectation) -> Done {
        let world = &self.world;
        match expectation {
            Expectation::Converged => world.checker.converged(&world.disks),
            Expectation::Equal(nodes) => {
                let replicas: Vec<_> = nodes
                    .iter()
                    .map(|id| world.disks.get(id).map(|disk| &disk.replica))
                    .collect();
                let differs = replicas.windows(2).any(|pair| pair[0] != pair[1]);
                if differs {
                    Err("the replicas differ".to_string())
                } else {
                    Ok(())
                }
            }
            Expectation::Once(text) => self.expect_times(text, 1),
            Expectation::Nowhere(text) => self.expect_times(text, 0),
            Expectation::DatagramsAtMost(most) => {
                let sent: u64 = self.datagrams().values().sum();
                if sent > *most {
                    Err(format!("{sent} datagrams were sent"))
                } else {
                    Ok(())
                }
            }
            Expectation::Gone(nodes) => match nodes.iter().find(|id| world.node(**id).is_some()) {
                Some(id) => Err(format!("{} is alive", report::name(*id))),
                None => Ok(()),
            },
            Expectation::Alive(nodes) => match nodes.iter().find(|id| world.node(**id).is_none()) {
                Some(id) => Err(format!("{} is gone", report::name(*id))),
                None => Ok(()),
            },
        }
    }

    /// This text stands so many times in every replica of a node that is alive.
    fn expect_times(&self, text: &str, times: usize) -> Done {
        for id in self.world.alive() {
            let records = self.world.disks[&id].replica.values();
            let found = records.filter(|record| text_of(record) == text).count();
            if found != times {
                return Err(format!(
                    "{} has {text:?} {found} times, not {times}",
                    report::name(id)
                ));
            }
        }
        Ok(())
    }
}

/// The network is whole again, and does nothing bad to single datagrams any more.
fn heal(world: &mut World) -> Done {
    world.keep_heal();
    world.cut.clear();
    world.multicast_cut.clear();
    world.hooks.orders.clear();
    Ok(())
}

/// The world of a script: calm, without delay and timed checkpoints, and everything kept.
fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.config.delay_max_us = 0;
    world.config.checkpoint_every_us = 0;
    world.weather = calm();
    world.trace = Some(Vec::new());
    world.hooks.told = Some(Vec::new());
    world
}

/// Group keys as scripts name them: `7`, or `7+8` with the one used for sending first; `off` for none.
fn keys(value: &str) -> Result<Option<Keys>, String> {
    if value == "off" {
        return Ok(None);
    }
    let key = |number: &str| {
        let byte: u8 = number
            .parse()
            .map_err(|_| format!("{number:?} is no key; write 7 or 7+8"))?;
        Ok::<_, String>(GroupKey::new([byte; 32].into()).to_line().to_string())
    };
    let text = value.split('+').map(key).collect::<Result<String, _>>()?;
    Keys::from_text(&text)
        .map(Some)
        .map_err(|fault| fault.to_string())
}

/// The weather unless a script says otherwise.
fn calm() -> Weather {
    Weather {
        delay_min_us: 50,
        delay_max_us: 200,
        ..Weather::default()
    }
}

fn weather_with(mut weather: Weather, key: &str, value: &str) -> Result<Weather, String> {
    let share = |value: &str| {
        let share = value
            .strip_suffix('%')
            .and_then(|share| share.parse::<f64>().ok());
        let share = share.filter(|share| (0.0..=100.0).contains(share));
        share
            .map(|share| (share * 10.0) as u32)
            .ok_or_else(|| format!("{value:?} is no share; write 5%"))
    };
    match key {
        "loss" => weather.loss = share(value)?,
        "double" => weather.duplication = share(value)?,
        "garble" => weather.garbling = share(value)?,
        "delay" => (weather.delay_min_us, weather.delay_max_us) = span(value)?,
        _ => return Err(format!("{key:?} is no weather")),
    }
    Ok(weather)
}

/// `0..150ms`, or one duration for both ends.
fn span(text: &str) -> Result<(u64, u64), String> {
    let end = |text: &str| if text == "0" { Ok(0) } else { duration(text) };
    match text.split_once("..") {
        Some((from, to)) => Ok((end(from)?, end(to)?)),
        None => Ok((end(text)?, end(text)?)),
    }
}
