//! Drawing a plan from a seed.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{Decision, Deed, Midst, Plan};
use crate::sim::disk::memory::Fault;
use crate::sim::world::Weather;
use crate::words::NodeId;

/// Keeps the dice of the plan apart from those of the run, which are fed with the same seed.
const PLAN: u64 = 0x706c_616e;
/// Keeps the dice of what happens to disks apart: all else of a plan is as it would be without.
const DISKS: u64 = 0x6469_736b;
/// One seed in so many has disks with files, and things happen to them.
const FILES_SHARE: u64 = 3;
/// Most things that happen to disks in a run.
const DISK_TROUBLES_MAX: usize = 10;
/// Group sizes. Small ones are drawn more often: they find most, and cost least.
const SIZES: [u16; 20] = [1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 7, 8, 9];
/// Fewest decisions of a run.
const DECISIONS_MIN: usize = 5;
/// Most decisions of a run, but that some come in groups.
const DECISIONS_MAX: usize = 50;

/// What is drawn with.
struct Draw {
    dice: SmallRng,
    nodes: Vec<NodeId>,
    quorum: u16,
    decisions: Vec<Decision>,
}

/// The plan of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut dice = SmallRng::seed_from_u64(seed ^ PLAN);
    let count = SIZES[dice.random_range(0..SIZES.len())];
    let quorum = if dice.random_bool(0.25) { count / 2 + 1 } else { 0 };
    let weather = weather(&mut dice);
    let delay_max_us = if dice.random_bool(0.3) { 0 } else { 150_000 };
    let mut draw = Draw {
        dice,
        nodes: (1..=count).map(NodeId).collect(),
        quorum,
        decisions: Vec::new(),
    };
    draw.first_starts();
    let most = draw.dice.random_range(DECISIONS_MIN..DECISIONS_MAX);
    while draw.decisions.len() < most {
        let wait_us = match draw.dice.random_range(0..4) {
            0 => draw.dice.random_range(0..2_000),
            1 => draw.dice.random_range(0..50_000),
            _ => draw.dice.random_range(0..600_000),
        };
        draw.decide(wait_us);
    }
    let reconciled = draw.dice.random_bool(0.25);
    let files = seed % FILES_SHARE == 1;
    if files {
        draw.dice = SmallRng::seed_from_u64(seed ^ DISKS);
        draw.disks_break();
    }
    Plan {
        seed,
        weather,
        delay_max_us,
        quorum,
        files,
        reconciled,
        nodes: draw.nodes,
        decisions: draw.decisions,
    }
}

/// How the network is: calm more often than not, so that faults of other kinds are seen alone, too.
fn weather(dice: &mut SmallRng) -> Weather {
    Weather {
        loss: [0, 0, 10, 50, 150, 300][dice.random_range(0..6)],
        duplication: [0, 0, 20, 200, 500][dice.random_range(0..5)],
        garbling: [0, 0, 0, 5][dice.random_range(0..4)],
        delay_min_us: 30,
        delay_max_us: [200, 200, 1_000, 5_000, 20_000][dice.random_range(0..5)],
    }
}

impl Draw {
    /// Most nodes start at the beginning; the others join later.
    fn first_starts(&mut self) {
        for node in self.nodes.clone() {
            let wait_us = self.dice.random_range(0..400_000);
            if node == NodeId(1) || self.dice.random_bool(0.85) {
                self.push(wait_us, Deed::Start(node));
            }
        }
    }

    fn push(&mut self, wait_us: u64, deed: Deed) {
        self.decisions.push(Decision { wait_us, deed });
    }

    fn node(&mut self) -> NodeId {
        self.nodes[self.dice.random_range(0..self.nodes.len())]
    }

    /// Something happens: mostly talk, sometimes something breaks or heals.
    fn decide(&mut self, wait_us: u64) {
        let node = self.node();
        match self.dice.random_range(0..1_000) {
            0..430 => self.talk(wait_us, node),
            430..520 => {
                let back_us = self.some_time_back();
                let machine = self.dice.random_bool(0.3);
                let crash = Deed::Crash {
                    node,
                    back_us,
                    machine,
                };
                self.push(wait_us, crash);
            }
            520..550 => self.crash_in(wait_us, node),
            // One order with a quorum is claimed as long as no disk is wiped.
            550..560 if self.quorum == 0 => self.push(wait_us, Deed::Wipe(node)),
            550..700 => self.push(wait_us, Deed::Start(node)),
            700..745 => self.push(wait_us, Deed::Sleep(node)),
            745..790 => self.push(wait_us, Deed::Wake),
            790..840 => self.cut(wait_us),
            840..850 => self.flap(wait_us),
            850..900 => self.push(wait_us, Deed::Mend),
            900..915 => self.push(wait_us, Deed::Deaf(node)),
            915..930 => self.clog(wait_us, node),
            930..945 => self.clocks(wait_us, node),
            945..953 => self.push(wait_us, Deed::Reconcile(node)),
            953..960 => {
                let of = self.node();
                self.push(wait_us, Deed::Forge(node, of));
            }
            960..975 => {
                let weather = weather(&mut self.dice);
                self.push(wait_us, Deed::Weather(weather));
            }
            _ => self.push(wait_us, Deed::Leave(node)),
        }
    }

    /// A few lines, now and then a long one that is fragmented.
    fn talk(&mut self, wait_us: u64, node: NodeId) {
        let lines = [1, 1, 1, 3, 20][self.dice.random_range(0..5)];
        let is_long = self.dice.random_bool(0.1);
        let long = if is_long {
            self.dice.random_range(100..800)
        } else {
            1
        };
        self.push(wait_us, Deed::Say { node, lines, long });
    }

    /// Whether and when a node comes back after a crash.
    fn some_time_back(&mut self) -> Option<u64> {
        let back = self.dice.random_bool(0.5);
        back.then(|| self.dice.random_range(1_000..1_000_000))
    }

    /// A crash in the midst of something, and what brings it about.
    fn crash_in(&mut self, wait_us: u64, node: NodeId) {
        let midst = [Midst::Recovery, Midst::CatchingUp, Midst::Reconciling][self.dice.random_range(0..3)];
        let back_us = self.dice.random_range(1_000..500_000);
        self.push(wait_us, Deed::CrashIn { node, midst, back_us });
        let other = self.node();
        let soon_us = self.dice.random_range(0..100_000);
        match midst {
            Midst::Recovery => self.push(
                soon_us,
                Deed::Crash {
                    node: other,
                    back_us: Some(back_us),
                    machine: false,
                },
            ),
            Midst::CatchingUp => self.push(soon_us, Deed::Start(node)),
            Midst::Reconciling => self.push(soon_us, Deed::Reconcile(other)),
        }
    }

    /// Puts what happens to disks among the decisions.
    fn disks_break(&mut self) {
        let first = self.nodes.len().min(self.decisions.len());
        for _ in 0..self.dice.random_range(1..=DISK_TROUBLES_MAX) {
            let at = self.dice.random_range(first..=self.decisions.len());
            let after = self.decisions.split_off(at);
            let (wait_us, node) = (self.dice.random_range(0..50_000), self.node());
            self.disk_trouble(wait_us, node);
            self.decisions.extend(after);
        }
    }

    fn disk_trouble(&mut self, wait_us: u64, node: NodeId) {
        let back_us = self.dice.random_range(1_000..1_000_000);
        let calls = self.dice.random_range(0..40);
        let deed = match self.dice.random_range(0..9) {
            0 => Deed::BreakDisk(node, calls, Fault::Device),
            1 => Deed::BreakDisk(node, calls, Fault::Full),
            2 => Deed::BreakDisk(node, calls, Fault::Short),
            3 => Deed::FillDisk(node, self.dice.random_range(0..2_000), 3 * back_us),
            4 => Deed::Blackout(back_us),
            5 => Deed::Rot(node, back_us),
            6 => Deed::RotUnder(node),
            7 => Deed::Crash {
                node,
                back_us: Some(back_us),
                machine: true,
            },
            _ => return self.stumble(wait_us, node),
        };
        self.push(wait_us, deed);
    }

    /// A node is killed while it writes, comes back at once, and its machine goes soon after.
    fn stumble(&mut self, wait_us: u64, node: NodeId) {
        let say = Deed::Say {
            node,
            lines: 3,
            long: 1,
        };
        self.push(wait_us, say);
        let mut wait_us = self.dice.random_range(0..10_000);
        for machine in [false, true] {
            let back_us = Some(self.dice.random_range(1_000..20_000));
            let crash = Deed::Crash {
                node,
                back_us,
                machine,
            };
            self.push(wait_us, crash);
            wait_us = self.dice.random_range(1_000..60_000);
        }
    }

    fn cut(&mut self, wait_us: u64) {
        let (left, right) = self.sides();
        if self.dice.random_bool(0.7) {
            self.push(wait_us, Deed::Partition(left));
        } else if let (Some(a), Some(b)) = (left.first(), right.first()) {
            self.push(wait_us, Deed::OneWay(*a, *b));
        }
    }

    fn sides(&mut self) -> (Vec<NodeId>, Vec<NodeId>) {
        let dice = &mut self.dice;
        self.nodes.iter().partition(|_| dice.random_bool(0.5))
    }

    /// A link that comes and goes faster than a ring can form.
    fn flap(&mut self, wait_us: u64) {
        let (left, _) = self.sides();
        let mut wait_us = wait_us;
        for _ in 0..self.dice.random_range(2..6) {
            self.push(wait_us, Deed::Partition(left.clone()));
            let down_us = self.dice.random_range(1_000..400_000);
            self.push(down_us, Deed::Mend);
            wait_us = self.dice.random_range(1_000..300_000);
        }
    }

    fn clog(&mut self, wait_us: u64, from: NodeId) {
        let to = self.node();
        let mean_us = [50_000, 300_000, 1_000_000, 5_000_000][self.dice.random_range(0..4)];
        if from != to {
            self.push(wait_us, Deed::Clog(from, to, mean_us));
        }
    }

    fn clocks(&mut self, wait_us: u64, node: NodeId) {
        let deed = match self.dice.random_range(0..3) {
            0 => Deed::Jump(node, self.dice.random_range(1_000..5_000_000)),
            1 => Deed::Drift(node, [-20_000, -500, 500, 20_000][self.dice.random_range(0..4)]),
            _ => Deed::Wall(node, self.dice.random_range(-3_600_000_000..3_600_000_000)),
        };
        self.push(wait_us, deed);
    }
}
