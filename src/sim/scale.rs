//! Large rings: how long it takes to form them, to join, to chat and to get over a death, in simulated time.
//!
//! Whole nodes in a calm network, with every promise checked after every step. The network has no bandwidth: what is
//! told here is the protocol's own share, in datagrams and in times under way. `simulate --scale` prints it.

use super::check::Broken;
use super::world::World;
use crate::words::{NodeId, Position};

/// How often it is looked whether something has come about, µs: what times are told to.
const LOOK_US: u64 = 100;
/// Within what time the members start, µs.
const STARTS_US: u64 = 50_000;
/// How long a ring rests before somebody speaks, µs.
const REST_US: u64 = 3_000_000;
/// How long anything may take, µs.
const BOUND_US: u64 = 300_000_000;
/// Lines said at rest, each by another member.
const LINES: u16 = 8;
/// How many speak where several do.
const SPEAKERS: usize = 4;

/// What a ring of some size took. Times are in µs of the simulated clock, datagrams as they are sent: a multicast is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Members.
    pub members: u16,
    /// From the first start until all are in one ring.
    pub form_us: u64,
    /// Datagrams until then.
    pub form_datagrams: u64,
    /// From a newcomer's start until all are in one ring with it.
    pub join_us: u64,
    /// Datagrams meanwhile.
    pub join_datagrams: u64,
    /// A line at rest, until all others have delivered it: the median.
    pub chat_us: u64,
    /// The longest.
    pub chat_max_us: u64,
    /// Datagrams for a line, until all have it on disk.
    pub chat_datagrams: u64,
    /// The time until then: the median.
    pub written_us: u64,
    /// The token's rotation while somebody waits for it.
    pub rotation_us: u64,
    /// From the death of the holder's process until all others have delivered a line said just after it.
    pub killed_us: u64,
    /// The same where the host is gone, and nobody says that its port is closed.
    pub host_gone_us: u64,
    /// Datagrams until then.
    pub host_gone_datagrams: u64,
    /// From a death of which nobody takes notice, because nobody speaks, until the others have a ring without it.
    pub unnoticed_us: u64,
    /// From the return of somebody until all are in one ring with it, and have what it lacked and it alone had.
    pub return_us: u64,
    /// Steps of all nodes in all.
    pub steps: u64,
}

/// Lets a ring of this many members form, grow by one, chat, lose two holders, and come together again.
pub fn measure(members: u16, seed: u64) -> Result<Scale, Broken> {
    let mut circle = Circle {
        world: World::new(seed),
        since: 0,
    };
    circle.world.config.delay_max_us = 0;
    circle.world.config.checkpoint_every_us = 0;
    let mut scale = Scale {
        members,
        ..Scale::default()
    };
    circle.form(&mut scale)?;
    circle.chat(&mut scale)?;
    (scale.killed_us, _) = circle.holder_dies(members, false)?;
    (scale.host_gone_us, scale.host_gone_datagrams) = circle.holder_dies(members, true)?;
    (scale.unnoticed_us, scale.return_us) = circle.dies_unnoticed(members)?;
    circle.world.checker.converged(&circle.world.disks)?;
    scale.steps = circle.world.steps;
    Ok(scale)
}

/// A world with one ring in it.
struct Circle {
    world: World,
    /// How many datagrams had been sent when it was counted last.
    since: u64,
}

impl Circle {
    /// Datagrams since this was asked last.
    fn datagrams(&mut self) -> u64 {
        let sent: u64 = self.world.hooks.sent.values().sum();
        sent - std::mem::replace(&mut self.since, sent)
    }

    /// Lets time pass until it is so, and says how long that took.
    fn until(&mut self, what: &str, is_so: impl Fn(&World) -> bool) -> Result<u64, Broken> {
        let began = self.world.now;
        while !is_so(&self.world) {
            if self.world.now.since_us(began) > BOUND_US {
                return Err(format!(
                    "progress: {what} did not come about in {} s",
                    BOUND_US / 1_000_000
                ));
            }
            self.world.run_until(self.world.now.after_us(LOOK_US))?;
        }
        Ok(self.world.now.since_us(began))
    }

    fn pass(&mut self, us: u64) -> Result<(), Broken> {
        self.world.run_until(self.world.now.after_us(us))
    }

    /// All but one start at about the same time, and the last one when the others have a ring.
    fn form(&mut self, scale: &mut Scale) -> Result<(), Broken> {
        let first = scale.members - 1;
        for id in 1..=first {
            let wait_us = u64::from(id) * STARTS_US / u64::from(first);
            self.world.start_later(NodeId(id), wait_us);
        }
        scale.form_us = self.until("the first ring", |world| is_one_ring(world, first))?;
        scale.form_datagrams = self.datagrams();
        self.until("rest", World::is_settled)?;
        self.pass(REST_US)?;
        self.datagrams();
        self.world.start(NodeId(scale.members))?;
        scale.join_us = self.until("the newcomer's ring", |world| is_one_ring(world, first + 1))?;
        scale.join_datagrams = self.datagrams();
        self.until("rest", World::is_settled)?;
        Ok(())
    }

    /// Members speak in turn, each when all is quiet.
    fn chat(&mut self, scale: &mut Scale) -> Result<(), Broken> {
        let (mut took, mut written) = (Vec::new(), Vec::new());
        let mut datagrams = 0;
        for line in 0..LINES {
            self.pass(REST_US)?;
            self.datagrams();
            let by = NodeId(1 + line * 7 % scale.members);
            took.push(self.delivered_by_all(by, "said at rest")?);
            let rest_us = self.until("rest", World::is_settled)?;
            written.push(took[usize::from(line)] + rest_us);
            datagrams += self.datagrams();
        }
        took.sort_unstable();
        written.sort_unstable();
        scale.written_us = written[written.len() / 2];
        scale.chat_us = took[took.len() / 2];
        scale.chat_max_us = took[took.len() - 1];
        scale.chat_datagrams = datagrams / u64::from(LINES);
        self.pass(REST_US)?;
        // Some have several lines to say, so the token goes round.
        for id in self.speakers() {
            (0..LINES).try_for_each(|line| self.world.say(id, &format!("line {line}")))?;
        }
        self.until("rest", World::is_settled)?;
        let rotations = self.world.alive().into_iter().filter_map(|id| {
            let us = self.world.node(id)?.ring().timing().rotation_us;
            (us > 0).then_some(us)
        });
        scale.rotation_us = rotations.max().unwrap_or(0);
        Ok(())
    }

    /// A few of those who live, from all over the ring.
    fn speakers(&self) -> Vec<NodeId> {
        let alive = self.world.alive();
        let apart = alive.len().div_ceil(SPEAKERS);
        alive.into_iter().step_by(apart).collect()
    }

    /// Somebody says a line: how long until all who live have delivered it.
    fn delivered_by_all(&mut self, by: NodeId, text: &str) -> Result<u64, Broken> {
        let before = last_delivered(&self.world);
        self.world.say(by, text)?;
        self.until("the line", |world| all_delivered(world, |at| at > before))
    }

    /// The token is under way, and who holds it dies; then somebody else speaks.
    fn holder_dies(&mut self, members: u16, host_gone: bool) -> Result<(u64, u64), Broken> {
        self.pass(REST_US)?;
        for id in self.speakers() {
            self.world.say(id, "shortly before")?;
        }
        let holder = self.next_holder()?;
        if host_gone {
            self.world.hosts_down.insert(holder);
        }
        self.world.crash_keeping(holder, 0);
        self.datagrams();
        let began = self.world.now;
        let speaker = self.world.alive()[usize::from(members) / 2 - 1];
        self.world.say(speaker, "just after")?;
        self.until("a ring without the holder", |world| {
            is_one_ring(world, members - 1)
        })?;
        // The line stands behind what was said shortly before, in the old ring or in the new one.
        self.until("the lines", |world| {
            let said = |id: NodeId| world.node(id).is_some_and(|node| node.waiting_lines().is_empty());
            world.alive().into_iter().all(said)
        })?;
        let last = last_delivered(&self.world);
        self.until("the last line", |world| all_delivered(world, |at| at >= last))?;
        let took = (self.world.now.since_us(began), self.datagrams());
        self.comes_back(holder, members)?;
        Ok(took)
    }

    /// Lets things happen until somebody holds the token.
    fn next_holder(&mut self) -> Result<NodeId, Broken> {
        let end = self.world.now.after_us(BOUND_US);
        while self.world.run_next(end)? {
            let holder = self.world.alive().into_iter().find(|id| holds(&self.world, *id));
            if let Some(holder) = holder {
                return Ok(holder);
            }
        }
        Err("progress: nobody holds the token".into())
    }

    /// Somebody in the middle dies with its host while nobody speaks.
    fn dies_unnoticed(&mut self, members: u16) -> Result<(u64, u64), Broken> {
        self.until("rest", World::is_settled)?;
        self.pass(REST_US)?;
        let who = self.world.alive()[usize::from(members) / 2];
        self.world.hosts_down.insert(who);
        self.world.crash_keeping(who, 0);
        let took = self.until("a ring without it", |world| is_one_ring(world, members - 1))?;
        Ok((took, self.comes_back(who, members)?))
    }

    /// A dead one comes back.
    fn comes_back(&mut self, who: NodeId, members: u16) -> Result<u64, Broken> {
        self.world.start(who)?;
        self.until("a ring with who came back", |world| {
            is_one_ring(world, members) && world.is_settled() && world.checker.converged(&world.disks).is_ok()
        })
    }
}

/// Whether this node holds the token.
fn holds(world: &World, id: NodeId) -> bool {
    let state = world.node(id).and_then(|node| node.ring().installed());
    state.is_some_and(|state| state.holding.is_some())
}

/// Whether the last position that each has delivered is so.
fn all_delivered(world: &World, is_so: impl Fn(Option<Position>) -> bool) -> bool {
    let mut lives = world.alive().into_iter().filter_map(|id| world.node(id));
    lives.all(|node| is_so(world.checker.delivered(node.me())))
}

/// The highest position that anybody who lives has delivered.
fn last_delivered(world: &World) -> Option<Position> {
    let lives = world.alive().into_iter().filter_map(|id| world.node(id));
    lives.filter_map(|node| world.checker.delivered(node.me())).max()
}

/// Whether all who live are in operation in one ring of so many.
fn is_one_ring(world: &World, members: u16) -> bool {
    let alive = world.alive();
    let mut rings = alive.iter().map(|id| {
        let ring = world.node(*id)?.ring();
        let state = ring.installed().filter(|_| ring.is_operational())?;
        (state.members.len() == usize::from(members)).then_some(state.id)
    });
    let first = rings.next().flatten();
    alive.len() == usize::from(members) && first.is_some() && rings.all(|ring| ring == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_ring_is_measured() {
        let scale = measure(5, 1).unwrap();
        assert!(scale.form_us < 1_000_000, "{scale:?}");
        assert!(scale.join_us < 1_000_000, "{scale:?}");
        assert!(
            scale.chat_us < 5_000 && scale.chat_us <= scale.chat_max_us,
            "{scale:?}"
        );
        assert!(scale.killed_us < scale.host_gone_us, "{scale:?}");
        assert!(scale.rotation_us > 0 && scale.chat_datagrams > 0, "{scale:?}");
    }
}
