//! What a space-time diagram shows, before anything is measured: who was there when, in which ring, with the token,
//! and what went from one to another.

mod turns;

use std::collections::BTreeMap;

use super::super::Play;
use super::super::error::ReplayError;
use super::super::told::{LabTold, Told, position};
use super::super::words::{Words, said};
use crate::host::terminal::lang::{Voice, say};
use crate::words::{MessageId, NodeId, Position, RingId};

/// A stretch of a node's line.
#[derive(Clone, Debug)]
pub struct Stretch<T> {
    /// Whose.
    pub row: usize,
    /// When it begins, in microseconds since the recording began.
    pub from: u64,
    /// When it ends.
    pub to: u64,
    /// What it is.
    pub what: T,
}

impl<T> Stretch<T> {
    /// Whether any of it is in this span of time.
    pub fn meets(&self, (from, to): (u64, u64)) -> bool {
        self.to >= from && self.from <= to
    }
}

/// Something that went from one node to another.
#[derive(Clone, Debug)]
pub struct Way {
    /// From whom.
    pub from_row: usize,
    /// When.
    pub left: u64,
    /// To whom.
    pub to_row: usize,
    /// When it came; none if nothing tells.
    pub came: Option<u64>,
}

/// The token goes on.
#[derive(Clone, Debug)]
pub struct Pass {
    /// From whom, to whom.
    pub way: Way,
    /// In which ring.
    pub ring: Option<RingId>,
    /// With which hop.
    pub hop: u64,
}

/// A message, from its stamp to where it was delivered.
#[derive(Clone, Debug)]
pub struct Said {
    /// By whom; none if its sender has no line.
    pub row: Option<usize>,
    /// When it was stamped, as far as is known.
    pub stamped: u64,
    /// Its number.
    pub number: String,
    /// What it says.
    pub text: String,
    /// Where and when it was delivered, and whether late.
    pub delivered: Vec<(usize, u64, bool)>,
}

/// Something that happened at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A life begins.
    Start,
    /// A life ends in order.
    Exit,
    /// It is killed, or its recording ends without its end.
    Crash,
    /// It is stopped, or goes on.
    Pause,
    /// A checkpoint is durable.
    Checkpoint,
    /// What came after a checkpoint was discarded.
    Rollback,
    /// A number is asked for again.
    Ask,
    /// Anything else that people should see.
    Note,
}

/// Something that concerns several nodes at once.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Where and when.
    pub points: Vec<(usize, u64)>,
    /// In words.
    pub text: String,
    /// Whether it brings nodes together that were apart.
    pub merge: bool,
}

/// All that is shown.
#[derive(Debug, Default)]
pub struct Scene {
    /// The nodes, a row each.
    pub rows: Vec<NodeId>,
    /// When they lived.
    pub lives: Vec<Stretch<()>>,
    /// When they were in which ring.
    pub stays: Vec<Stretch<RingId>>,
    /// When they looked for others, and why.
    pub gathers: Vec<Stretch<String>>,
    /// When they held the token to speak, and with which hop.
    pub holds: Vec<Stretch<u64>>,
    /// The token's way.
    pub passes: Vec<Pass>,
    /// What was said.
    pub said: Vec<Said>,
    /// What was sent again, with its number.
    pub repairs: Vec<(Way, String)>,
    /// What happened at one node, and in words.
    pub marks: Vec<(usize, u64, Mark, String)>,
    /// What concerned several.
    pub turns: Vec<Turn>,
    /// The first and the last moment shown.
    pub span: (u64, u64),
    /// What was left out so that one can see something.
    pub notes: Vec<String>,
}

/// How a node stands while its events go by.
#[derive(Clone, Debug, Default)]
struct Standing {
    lives: Option<u64>,
    ring: Option<(RingId, u64)>,
    gathers: Option<(String, u64)>,
    holds: Option<(u64, u64)>,
    last: u64,
}

/// Puts a scene together, event by event.
struct Staging {
    scene: Scene,
    standing: Vec<Standing>,
    voice: Voice,
    words: Words,
    said: BTreeMap<Position, Said>,
    senders: BTreeMap<Position, MessageId>,
    stamps: BTreeMap<Position, u64>,
    pending: BTreeMap<MessageId, u64>,
    /// When each row was granted the token last, and before.
    grants: Vec<Vec<u64>>,
    resent: BTreeMap<(Position, usize), u64>,
    /// For each ring the token's hops seen at nodes: hop, row and time.
    seen: BTreeMap<RingId, Vec<(u64, usize, u64)>>,
    cuts: BTreeMap<u64, BTreeMap<usize, Vec<u16>>>,
    heals: BTreeMap<u64, Vec<usize>>,
}

/// The scene of a stretch of time.
pub fn stage(play: &Play, (from_us, to_us): (u64, Option<u64>), voice: Voice) -> Result<Scene, ReplayError> {
    let rows = play.recording.nodes();
    let mut staging = Staging {
        standing: vec![Standing::default(); rows.len()],
        grants: vec![Vec::new(); rows.len()],
        scene: Scene {
            rows,
            ..Scene::default()
        },
        voice,
        words: Words::new(voice),
        said: BTreeMap::new(),
        senders: BTreeMap::new(),
        stamps: BTreeMap::new(),
        pending: BTreeMap::new(),
        resent: BTreeMap::new(),
        seen: BTreeMap::new(),
        cuts: BTreeMap::new(),
        heals: BTreeMap::new(),
    };
    let mut end = from_us;
    let mut any = false;
    for event in play.between(0, to_us) {
        let entry = &play.recording.entries[event as usize];
        let time = play.merged.times_us[event as usize];
        let row = staging.row(entry.node).expect("every node has a row");
        if let Some(told) = play.recording.told(entry)? {
            staging.event(row, time, &told);
        }
        staging.standing[row].last = time;
        any |= time >= from_us;
        end = end.max(time);
    }
    if !any {
        return Err(ReplayError::Nothing);
    }
    Ok(staging.end(from_us, end))
}

impl Staging {
    fn row(&self, node: NodeId) -> Option<usize> {
        self.scene.rows.binary_search(&node).ok()
    }

    fn mark(&mut self, row: usize, time: u64, mark: Mark, told: &Told) {
        let head = super::super::told::Head::plain();
        let text = self.words.event(&head, told);
        self.scene.marks.push((row, time, mark, text));
    }

    /// Takes an event in.
    fn event(&mut self, row: usize, time: u64, told: &Told) {
        match told {
            Told::Start { .. } => {
                if self.standing[row].lives.is_some() {
                    // The life before ended without a word.
                    let last = self.standing[row].last;
                    let text = say!(self.voice, "drawn-no-more");
                    self.scene.marks.push((row, last, Mark::Crash, text));
                    self.dies(row, last);
                }
                self.standing[row].lives = Some(time);
                self.mark(row, time, Mark::Start, told);
            }
            Told::Exit { .. } => {
                self.mark(row, time, Mark::Exit, told);
                self.dies(row, time);
            }
            Told::Story(story) if story.rolled_back > 0 => self.mark(row, time, Mark::Rollback, told),
            Told::Lab(lab) if self.scene.rows[row].0 == lab.on => self.lab(row, time, told, lab),
            Told::Gathering { reason } => self.gathers(row, time, reason),
            Told::Ring(installed) => self.installs(row, time, installed.ring),
            Told::Grant { hop, ring } => self.granted(row, time, *hop, *ring),
            Told::Pass { hop, to, ring } => self.passed(row, time, (*hop, *to), *ring),
            Told::Rest { hop, ring } | Told::Wake { hop, ring, .. } | Told::Token { hop, ring, .. } => {
                self.seen.entry(*ring).or_default().push((*hop, row, time));
            }
            Told::Checkpointed { .. } => self.mark(row, time, Mark::Checkpoint, told),
            Told::Fenced { .. } | Told::Woke { .. } | Told::DiskFull { .. } | Told::Lost { .. } => {
                self.mark(row, time, Mark::Note, told);
            }
            Told::Pending { .. }
            | Told::Stamped { .. }
            | Told::Message(_)
            | Told::Asked { .. }
            | Told::Resent { .. }
            | Told::Repaired { .. } => self.of_messages(row, time, told),
            Told::Story(_)
            | Told::Written { .. }
            | Told::Held { .. }
            | Told::Request {}
            | Told::CaughtUp { .. }
            | Told::Reconciled { .. }
            | Told::DiskRoom {}
            // What others are told of a lesson.
            | Told::Lab(_)
            | Told::Warning { .. }
            | Told::Other => {}
        }
    }

    fn of_messages(&mut self, row: usize, time: u64, told: &Told) {
        if let Told::Pending { id, .. } = told {
            self.pending.entry(*id).or_insert(time);
        } else if let Told::Stamped { ring, seq, .. } = told {
            self.stamps.entry(position(*ring, *seq)).or_insert(time);
        } else if let Told::Message(message) = told {
            let position = position(message.ring, message.seq);
            let number = self.words.number(message.ring, message.seq);
            let sender = self.row(message.id.sender.id);
            self.senders.insert(position, message.id);
            let said = self.said.entry(position).or_insert_with(|| Said {
                row: sender,
                stamped: time,
                number,
                text: said(&message.text),
                delivered: Vec::new(),
            });
            said.delivered.push((row, time, message.late));
        } else if let Told::Asked { by, .. } = told {
            if self.scene.rows[row].0 == *by {
                self.mark(row, time, Mark::Ask, told);
            }
        } else if let Told::Resent { ring, seq, .. } = told {
            self.resent.insert((position(*ring, *seq), row), time);
        } else if let Told::Repaired { ring, seq, from } = told {
            let from_row = self.row(NodeId(*from));
            let number = self.words.number(*ring, *seq);
            if let Some(from_row) = from_row {
                let left = self.resent.get(&(position(*ring, *seq), from_row));
                let way = Way {
                    from_row,
                    left: left.copied().unwrap_or(time),
                    to_row: row,
                    came: Some(time),
                };
                self.scene.repairs.push((way, number));
            }
        }
    }

    fn lab(&mut self, row: usize, time: u64, told: &Told, lab: &LabTold) {
        match (lab.what.as_str(), lab.state.as_str()) {
            ("crash", "begins") => {
                self.mark(row, time, Mark::Crash, told);
                self.dies(row, time);
            }
            ("cut", "begins") => {
                self.cuts.entry(time).or_default().insert(row, lab.from.clone());
            }
            ("heal", "begins") => self.heals.entry(time).or_default().push(row),
            ("pause", _) => self.mark(row, time, Mark::Pause, told),
            ("rollback", "begins") => self.mark(row, time, Mark::Rollback, told),
            _ => {}
        }
    }

    fn gathers(&mut self, row: usize, time: u64, reason: &str) {
        self.leaves_ring(row, time);
        let standing = &mut self.standing[row];
        if standing.gathers.is_none() {
            let reason = crate::host::terminal::visible::line(reason);
            standing.gathers = Some((reason, time));
        }
    }

    fn installs(&mut self, row: usize, time: u64, ring: RingId) {
        self.leaves_ring(row, time);
        self.finds_others(row, time);
        self.standing[row].ring = Some((ring, time));
    }

    fn granted(&mut self, row: usize, time: u64, hop: u64, ring: Option<RingId>) {
        self.grants[row].push(time);
        let standing = &mut self.standing[row];
        standing.holds.get_or_insert((hop, time));
        if let Some(ring) = ring.or(standing.ring.map(|(ring, _)| ring)) {
            self.seen.entry(ring).or_default().push((hop, row, time));
        }
    }

    fn passed(&mut self, row: usize, time: u64, (hop, to): (u64, u16), ring: Option<RingId>) {
        self.lets_go(row, time);
        let ring = ring.or(self.standing[row].ring.map(|(ring, _)| ring));
        if let Some(to_row) = self.row(NodeId(to)).filter(|to_row| *to_row != row) {
            let way = Way {
                from_row: row,
                left: time,
                to_row,
                came: None,
            };
            self.scene.passes.push(Pass { way, ring, hop });
        }
    }

    fn lets_go(&mut self, row: usize, to: u64) {
        if let Some((what, from)) = self.standing[row].holds.take() {
            self.scene.holds.push(Stretch { row, from, to, what });
        }
    }

    fn leaves_ring(&mut self, row: usize, to: u64) {
        self.lets_go(row, to);
        if let Some((what, from)) = self.standing[row].ring.take() {
            self.scene.stays.push(Stretch { row, from, to, what });
        }
    }

    fn finds_others(&mut self, row: usize, to: u64) {
        if let Some((what, from)) = self.standing[row].gathers.take() {
            self.scene.gathers.push(Stretch { row, from, to, what });
        }
    }

    fn dies(&mut self, row: usize, to: u64) {
        self.leaves_ring(row, to);
        self.finds_others(row, to);
        let life = self.standing[row].lives.take();
        let from = life.unwrap_or(0);
        self.scene.lives.push(Stretch {
            row,
            from,
            to,
            what: (),
        });
    }

    /// Ends all that goes on, and looks at the whole.
    fn end(mut self, from_us: u64, to_us: u64) -> Scene {
        for row in 0..self.standing.len() {
            let still = &self.standing[row];
            let inferred_only = still.last == 0 && still.lives.is_none();
            if still.lives.is_some() || still.ring.is_some() || still.gathers.is_some() || inferred_only {
                self.dies(row, to_us);
            }
        }
        self.arrivals();
        self.stamp_times();
        self.lab_turns();
        self.ring_turns();
        self.scene.span = (from_us, to_us);
        self.scene
    }

    /// Where each pass arrived: told by its receiver with the same hop, or before anybody tells a later one.
    fn arrivals(&mut self) {
        self.seen.values_mut().for_each(|seen| seen.sort_unstable());
        for pass in &mut self.scene.passes {
            let Some(seen) = pass.ring.and_then(|ring| self.seen.get(&ring)) else {
                continue;
            };
            let first = seen.partition_point(|(hop, ..)| *hop < pass.hop);
            let next = seen.get(first).filter(|(_, _, time)| *time >= pass.way.left);
            if let Some((hop, row, time)) = next {
                let exact = *hop == pass.hop && *row == pass.way.to_row;
                let between = pass.way.left + (time - pass.way.left) / (hop - pass.hop + 2);
                let close = between.min(pass.way.left + 1_000);
                pass.way.came = Some(if exact { *time } else { close });
            }
        }
    }

    /// When each message was stamped: told, or in the last visit of the token before anybody delivered it.
    fn stamp_times(&mut self) {
        let said = std::mem::take(&mut self.said);
        for (position, mut said) in said {
            let first = said.delivered.iter().map(|(_, time, _)| *time).min();
            let first = first.unwrap_or(said.stamped);
            let pending = self.senders.get(&position).and_then(|id| self.pending.get(id));
            let granted = said.row.and_then(|row| {
                let before = self.grants[row].partition_point(|time| *time <= first);
                before.checked_sub(1).map(|last| self.grants[row][last])
            });
            let granted = granted.filter(|time| pending.is_none_or(|pending| time >= pending));
            let told = self.stamps.get(&position).copied();
            said.stamped = told.or(granted).or(pending.copied()).unwrap_or(first).min(first);
            self.scene.said.push(said);
        }
        self.scene.said.sort_by_key(|said| said.stamped);
    }
}
