//! Carrying out the decisions of a plan.

use super::check::Broken;
use super::plan::{Deed, Midst};
use super::world::World;
use crate::node::face::Command;
use crate::words::NodeId;

impl World {
    /// What was decided happens now.
    pub(super) fn perform(&mut self, nodes: &[NodeId], number: usize, deed: &Deed) -> Result<(), Broken> {
        self.count_deed(deed);
        match deed {
            Deed::Say { node, lines, long } => return self.talk(*node, number, *lines, *long),
            Deed::Start(node) => return self.start(*node),
            Deed::Wake => return nodes.iter().try_for_each(|node| self.wake(*node)),
            Deed::Forge(at, of) => return self.forge_port_closed(*at, *of),
            Deed::Reconcile(node) => return self.command(*node, Command::Reconcile),
            Deed::Leave(node) => return self.command(*node, Command::Leave),
            Deed::Crash {
                node,
                back_us,
                machine,
            } => {
                if *machine {
                    self.checker.count("machine down");
                    self.hosts_down.insert(*node);
                }
                self.crash(*node);
                back_us.iter().for_each(|us| self.start_later(*node, *us));
            }
            Deed::CrashIn { node, midst, back_us } => {
                self.armed.insert(*node, (*midst, *back_us));
            }
            Deed::Wipe(node) => {
                self.crash(*node);
                self.wipe(*node);
            }
            Deed::Blackout(back_us) => self.blackout(nodes, *back_us),
            Deed::BreakDisk(node, calls, fault) => self.break_disk(*node, *calls, *fault),
            Deed::FillDisk(node, room, for_us) => self.fill_disk(*node, *room, *for_us),
            Deed::Rot(node, back_us) => {
                self.crash(*node);
                self.rot(*node);
                self.start_later(*node, *back_us);
            }
            Deed::RotUnder(node) => self.rot(*node),
            Deed::Sleep(node) => self.sleep(*node),
            Deed::Partition(left) => {
                let right: Vec<NodeId> = nodes
                    .iter()
                    .copied()
                    .filter(|node| !left.contains(node))
                    .collect();
                self.partition(left, &right);
            }
            Deed::OneWay(from, to) => {
                self.cut.insert((*from, *to));
            }
            Deed::Deaf(node) => {
                self.multicast_cut.insert(*node);
            }
            Deed::Clog(from, to, mean_us) => {
                self.clogged.insert((*from, *to), *mean_us);
            }
            Deed::Mend => self.mend(),
            Deed::Jump(node, by_us) => self.jump_clock(*node, *by_us),
            Deed::Drift(node, millionths) => self.drift_clock(*node, *millionths),
            Deed::Wall(node, by_us) => {
                self.walls.insert(*node, *by_us);
            }
            Deed::Weather(weather) => self.weather = *weather,
            Deed::Nothing => {}
        }
        Ok(())
    }

    /// Counts what was decided, as far as it shows at once.
    fn count_deed(&mut self, deed: &Deed) {
        let what = match deed {
            Deed::Crash { .. } => "crash",
            Deed::Wipe(_) => "disk wiped",
            Deed::Start(node) if self.node(*node).is_some() => return,
            Deed::Start(node) if self.disks.contains_key(node) => "restart",
            Deed::Start(_) => "join",
            Deed::Sleep(_) => "pause",
            Deed::Partition(_) => "partition",
            Deed::OneWay(..) => "one-way cut",
            Deed::Deaf(_) => "multicast cut",
            Deed::Clog(..) => "clogged link",
            Deed::Jump(..) => "clock jumps",
            Deed::Drift(..) => "clock drifts",
            Deed::Wall(..) => "wall clock wrong",
            Deed::Forge(..) => "forged closed port",
            Deed::Reconcile(_) => "reconcile",
            Deed::Weather(_) => "weather",
            Deed::Leave(_) => "polite leave",
            Deed::Blackout(_) => "blackout",
            // Faults of disks are counted when they come to pass.
            Deed::BreakDisk(..) | Deed::FillDisk(..) | Deed::Rot(..) | Deed::RotUnder(_) => return,
            Deed::CrashIn { .. } | Deed::Say { .. } | Deed::Wake | Deed::Mend | Deed::Nothing => return,
        };
        self.checker.count(what);
    }

    /// A few lines, the first of them perhaps a long one.
    fn talk(&mut self, node: NodeId, number: usize, lines: u32, long: usize) -> Result<(), Broken> {
        for line in 0..lines {
            let mut text = format!("{node} says {number}.{line}");
            if line == 0 && long > 1 {
                self.checker.count("long line");
                text = text.repeat(long);
            }
            self.say(node, &text)?;
        }
        Ok(())
    }

    /// All links work.
    pub(super) fn mend(&mut self) {
        self.keep_heal();
        self.cut.clear();
        self.multicast_cut.clear();
        self.clogged.clear();
    }

    /// Whether a node is in the midst of what its crash waits for.
    pub(super) fn is_in_midst(&self, id: NodeId) -> bool {
        let (Some((midst, _)), Some(node)) = (self.armed.get(&id), self.node(id)) else {
            return false;
        };
        match midst {
            Midst::Recovery => node.ring().phase_name() == "recover",
            Midst::CatchingUp => node.is_catching_up(),
            Midst::Reconciling => node.is_reconciling(),
        }
    }

    /// That moment has come.
    pub(super) fn crash_in_midst(&mut self, id: NodeId) {
        let Some((midst, back_us)) = self.armed.remove(&id) else {
            return;
        };
        self.checker.count(match midst {
            Midst::Recovery => "crash in recovery",
            Midst::CatchingUp => "crash while catching up",
            Midst::Reconciling => "crash while reconciling",
        });
        self.crash(id);
        self.start_later(id, back_us);
    }
}
