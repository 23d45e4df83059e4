//! What a script does to the world beyond the weather: single datagrams go astray, nodes stop at a moment.
//!
//! A run by seed needs none of it: as long as no hook is set, the world draws the same dice and does the same.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;

use super::{Broken, World, tell};
use crate::node::Node;
use crate::node::face::{Action, Event, Exit, Notice, Ticket, Watch};
use crate::words::{Incarnation, NodeId, Time};

/// What a user would have seen.
#[derive(Clone, Debug)]
pub enum Told {
    /// A notice.
    Notice(Notice),
    /// The node ended.
    Exit(Exit),
}

/// Something of a run that a recording keeps.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When, in simulated time.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// What.
    pub what: What,
}

/// What a recording keeps: what the nodes tell, and what is done to them.
#[derive(Clone, Debug)]
pub enum What {
    /// A life begins.
    Start {
        /// Which one.
        incarnation: Incarnation,
        /// What its user calls itself.
        name: String,
        /// How many members must hold a message before it is delivered; 0 for no quorum.
        quorum: u16,
        /// Whether there was a life before it.
        again: bool,
    },
    /// It told something.
    Told(Told),
    /// It is killed.
    Crash,
    /// It is stopped in its tracks.
    Pause,
    /// It goes on.
    Resume,
    /// It no longer hears these.
    Cut(Vec<NodeId>),
    /// It hears all again.
    Heal,
}

/// What happens to a datagram on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// It is lost.
    Lose,
    /// It arrives twice.
    Double,
    /// It arrives this many µs later.
    Delay(u64),
}

/// Mischief that is to be done to the next datagrams that match.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is done.
    pub what: Mischief,
    /// Only to this kind.
    pub kind: Option<&'static str>,
    /// Only if it comes from there.
    pub from: Option<NodeId>,
    /// Only to the copy that goes there; otherwise to all copies of a multicast.
    pub to: Option<NodeId>,
    /// To how many datagrams more.
    pub left: u32,
    /// The datagram it was done to last: all copies of a multicast are one datagram.
    pub last: u64,
}

/// A moment in the work of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It is about to send a datagram of this kind, counted down to one.
    Before(&'static str, u32),
    /// It has just sent one.
    After(&'static str, u32),
    /// Its disk has stored something of this kind, and the node does not know yet.
    Stored(&'static str),
    /// The token rests there.
    Holding,
}

/// A node that is to be stopped at a moment.
#[derive(Clone, Debug)]
pub struct Ambush {
    /// Which node.
    pub node: NodeId,
    /// When.
    pub moment: Moment,
    /// Whether it crashes there, or only sleeps: what it was about to do then happens when it wakes.
    pub crash: bool,
    /// The store operation that is waited for.
    pub ticket: Option<Ticket>,
}

/// All hooks, and what they saw.
#[derive(Debug, Default)]
pub struct Hooks {
    /// All that was told, in order, if it is kept.
    pub told: Option<Vec<(NodeId, Told)>>,
    /// All that a recording keeps, in order, if there is to be one; nodes that start then tell details.
    pub happened: Option<Vec<Happened>>,
    /// Mischief to come.
    pub orders: Vec<Order>,
    /// The node to be stopped.
    pub ambush: Option<Ambush>,
    /// Datagrams sent, by kind; a multicast is one.
    pub sent: BTreeMap<&'static str, u64>,
    /// Processes that run under the id of another one, by their own key.
    pub twins: BTreeMap<NodeId, NodeId>,
    /// By how much a node's clock is behind, µs.
    pub clocks_behind_us: BTreeMap<NodeId, u64>,
    /// Datagrams as they were sent, kept for a replay, if what is told is kept.
    recorded: Vec<(SocketAddrV4, bool, Bytes)>,
    serial: u64,
}

/// What the orders decide about one copy of a datagram.
#[derive(Debug, Default)]
pub struct Fate {
    /// It is lost.
    pub lost: bool,
    /// How many copies more arrive.
    pub copies: u32,
    /// It is this much later, µs.
    pub late_us: u64,
}

impl Hooks {
    /// A node that starts: it tells details if a recording keeps them.
    pub(super) fn watched(&self, mut node: Node, now: Time) -> Node {
        if self.happened.is_some() {
            node.watch(now, Watch::Details);
        }
        node
    }

    /// A datagram is being sent: counts it.
    pub fn sending(&mut self, from: SocketAddrV4, multicast: bool, bytes: &Bytes) {
        self.serial += 1;
        *self.sent.entry(tell::kind(bytes)).or_default() += 1;
        if self.told.is_some() {
            self.recorded.push((from, multicast, bytes.clone()));
        }
    }

    /// What happens to the copy of the datagram under way that goes from one node to another.
    pub fn fate(&mut self, from: NodeId, to: NodeId, kind: &'static str) -> Fate {
        let mut fate = Fate::default();
        let serial = self.serial;
        for order in &mut self.orders {
            let meant = order.kind.is_none_or(|meant| meant == kind)
                && order.from.is_none_or(|meant| meant == from)
                && order.to.is_none_or(|meant| meant == to);
            if !meant || (order.left == 0 && order.last != serial) {
                continue;
            }
            if order.last != serial {
                order.left -= 1;
                order.last = serial;
            }
            match order.what {
                Mischief::Lose => fate.lost = true,
                Mischief::Double => fate.copies += 1,
                Mischief::Delay(late_us) => fate.late_us += late_us,
            }
        }
        fate
    }

    /// The kind that an action sends, if it sends.
    fn sends(action: &Action) -> Option<&'static str> {
        match action {
            Action::Multicast(bytes) | Action::Unicast(_, bytes) => Some(tell::kind(bytes)),
            Action::Store(..)
            | Action::Load(..)
            | Action::Stream(..)
            | Action::Notice(_)
            | Action::Exit(_) => None,
        }
    }

    /// How many of these actions a node does before the moment of its ambush; none if it does not come.
    fn cut_at(&mut self, id: NodeId, actions: &[Action]) -> Option<usize> {
        let ambush = self.ambush.as_mut().filter(|ambush| ambush.node == id)?;
        for (at, action) in actions.iter().enumerate() {
            let sends = Hooks::sends(action);
            match &mut ambush.moment {
                Moment::Before(kind, count) | Moment::After(kind, count) if sends == Some(*kind) => {
                    *count -= 1;
                    let left = *count;
                    let after = matches!(ambush.moment, Moment::After(..));
                    if left == 0 {
                        return Some(at + usize::from(after));
                    }
                }
                Moment::Stored(what) => {
                    if let Action::Store(ticket, store) = action
                        && ambush.ticket.is_none()
                        && tell::store(store).starts_with(*what)
                    {
                        ambush.ticket = Some(*ticket);
                    }
                }
                Moment::Before(..) | Moment::After(..) | Moment::Holding => {}
            }
        }
        None
    }
}

impl World {
    /// Cuts the actions of a node short if its ambush is among them. Returns what is left undone, if so.
    pub(super) fn cut_short(&mut self, id: NodeId, actions: &mut Vec<Action>) -> Option<Vec<Action>> {
        let at = self.hooks.cut_at(id, actions)?;
        Some(actions.split_off(at))
    }

    /// The moment of the ambush has come.
    pub(super) fn spring(&mut self, id: NodeId, undone: Vec<Action>) {
        let Some(ambush) = self.hooks.ambush.take() else {
            return;
        };
        if ambush.crash {
            self.crash_keeping(id, 0);
        } else {
            self.sleep(id);
            let process = self.processes.get_mut(&id).expect("it was about to act");
            process.undone = undone;
        }
    }

    /// Whether a node is to be stopped because the token rests there now.
    pub(super) fn holds_as_awaited(&self, id: NodeId) -> bool {
        let awaited = |ambush: &Ambush| ambush.node == id && ambush.moment == Moment::Holding;
        let holds = |node: &crate::node::Node| {
            let state = node.ring().installed();
            node.ring().is_operational() && state.is_some_and(|state| state.holding.is_some())
        };
        self.hooks.ambush.as_ref().is_some_and(awaited) && self.node(id).is_some_and(holds)
    }

    /// Whether a node is to be stopped because this is stored.
    pub(super) fn stored_as_awaited(&self, id: NodeId, ticket: Ticket) -> bool {
        let awaited = self.hooks.ambush.as_ref().filter(|ambush| ambush.node == id);
        awaited.is_some_and(|ambush| ambush.ticket.is_some_and(|at| at <= ticket))
    }

    /// Keeps what a user is told.
    pub(super) fn keep_told(&mut self, id: NodeId, action: &Action) {
        if self.hooks.told.is_none() && self.hooks.happened.is_none() {
            return;
        }
        let (told, detail) = match action {
            Action::Notice(notice) => (Told::Notice(notice.clone()), tell::is_detail(notice)),
            Action::Exit(exit) => (Told::Exit(exit.clone()), false),
            Action::Multicast(_)
            | Action::Unicast(..)
            | Action::Store(..)
            | Action::Load(..)
            | Action::Stream(..) => return,
        };
        if let Some(kept) = self.hooks.told.as_mut().filter(|_| !detail) {
            kept.push((id, told.clone()));
        }
        self.keep(id, What::Told(told));
    }

    /// Keeps something for the recording, if there is one.
    pub(super) fn keep(&mut self, node: NodeId, what: What) {
        let at = self.now;
        if let Some(happened) = &mut self.hooks.happened {
            happened.push(Happened { at, node, what });
        }
    }

    /// Keeps the beginning of a life.
    pub(super) fn keep_start(&mut self, id: NodeId, again: bool) {
        let me = self.processes[&id].node.me();
        let start = What::Start {
            incarnation: me.incarnation,
            name: format!("n{}", me.id),
            quorum: self.config.quorum,
            again,
        };
        self.keep(id, start);
    }

    /// All links work again, as the nodes that live will notice.
    pub fn keep_heal(&mut self) {
        if !self.cut.is_empty() || !self.multicast_cut.is_empty() {
            self.alive().into_iter().for_each(|id| self.keep(id, What::Heal));
        }
    }

    /// A datagram from nowhere arrives at a node.
    pub fn inject(&mut self, to: NodeId, bytes: Bytes) -> Result<(), Broken> {
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 9, 9, 9), 9);
        let multicast = true;
        self.deliver(
            to,
            Event::Datagram {
                from,
                multicast,
                bytes,
            },
        )
    }

    /// All datagrams that were ever sent.
    pub fn recorded(&self) -> Vec<Bytes> {
        self.hooks
            .recorded
            .iter()
            .map(|(.., bytes)| bytes.clone())
            .collect()
    }

    /// All datagrams that were ever sent arrive at a node once more.
    pub fn replay(&mut self, to: NodeId) -> Result<(), Broken> {
        for (from, multicast, bytes) in self.hooks.recorded.clone() {
            let event = Event::Datagram {
                from,
                multicast,
                bytes,
            };
            self.deliver(to, event)?;
        }
        Ok(())
    }
}
