//! Watching: what is told only while somebody looks closely. A node that is not watched makes none of it.

use super::Node;
use super::face::{Notice, Watch};
use crate::words::{Hop, MessageId, Position, Time};

/// How often a watched node tells how things stand, in microseconds.
const STATUS_US: u64 = 1_000_000;

/// Who watches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watching {
    /// Details are told.
    details: bool,
    /// How things stand is told next then.
    status_at: Option<Time>,
}

impl Watching {
    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.status_at
    }
}

impl Node {
    /// Somebody watches from now on, or nobody does any more.
    pub fn watch(&mut self, now: Time, watch: Watch) {
        self.watching = match watch {
            Watch::Off => Watching::default(),
            Watch::Details => Watching {
                details: true,
                status_at: None,
            },
            // The first one at once: who begins to look wants to see something.
            Watch::DetailsAndStatus => Watching {
                details: true,
                status_at: Some(now),
            },
        };
        self.ring.watch(self.watching.details);
    }

    /// Tells how things stand, if that is due.
    pub(super) fn tick_watching(&mut self, now: Time) {
        if self.watching.status_at.is_some_and(|at| at <= now) {
            self.watching.status_at = Some(now.after_us(STATUS_US));
            let status = self.status(now);
            self.notice(Notice::Standing(Box::new(status)));
        }
    }

    /// An own message got its number.
    pub(super) fn watch_stamped(&mut self, id: MessageId, position: Position, hop: Hop) {
        if self.watching.details {
            self.notice(Notice::Stamped { id, position, hop });
        }
    }

    /// A message is in the replica, synced.
    pub(super) fn watch_written(&mut self, id: MessageId, position: Position) {
        if self.watching.details {
            self.notice(Notice::Written { id, position });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::node::face::{Action, Command, Config, Event, RecoverLevel, Restart};
    use crate::sim::disk::Disk;
    use crate::words::{Incarnation, NodeId, WallTime};

    /// A node that is alone, with its disk.
    struct Alone {
        node: Node,
        disk: Disk,
        now: Time,
        told: Vec<Notice>,
        wakings: u64,
    }

    impl Alone {
        fn new(watch: Watch) -> Alone {
            let config = Config {
                id: NodeId(1),
                name: "ana".into(),
                group: 1,
                token_timeout_us: 200_000,
                delay_min_us: 0,
                delay_max_us: 0,
                checkpoint_every_us: 1_000_000,
                quorum: 0,
                catch_up: true,
                recover: RecoverLevel::Peers,
                payload_max: 1_400,
                accelerated: false,
                unicast_port: 4_001,
                stream_port: 4_002,
                seal: None,
                lab: false,
            };
            let restart = Restart {
                incarnation: Incarnation(7),
                ..Restart::default()
            };
            let now = Time(1_000_000);
            let (node, first) = Node::new(config, restart, 1, now);
            let mut alone = Alone {
                node,
                disk: Disk::default(),
                now,
                told: Vec::new(),
                wakings: 0,
            };
            alone.carry_out(first);
            alone.happens(Event::Command(Command::Watch(watch)));
            alone
        }

        /// Does what the node asks for; the disk answers at once.
        fn carry_out(&mut self, actions: Vec<Action>) {
            let mut last = None;
            for action in actions {
                match action {
                    Action::Store(ticket, store) => {
                        self.disk.submit(ticket, store);
                        last = Some(ticket);
                    }
                    Action::Notice(notice) => self.told.push(notice),
                    Action::Multicast(_) | Action::Unicast(..) | Action::Load(..) => {}
                    Action::Stream(..) | Action::Exit(_) => {}
                }
            }
            if let Some(ticket) = last {
                let stored = self.disk.sync(ticket);
                self.happens(Event::Stored(ticket, stored));
            }
        }

        fn happens(&mut self, event: Event) {
            let actions = self.node.handle(self.now, event);
            self.carry_out(actions);
        }

        fn say(&mut self) {
            let (room, text) = ("geral".into(), "oi".into());
            let sent = WallTime(1_763_680_000_000);
            self.happens(Event::Command(Command::Say {
                room,
                text,
                tag: 1,
                sent,
                key: None,
            }));
        }

        /// Lets the clock go on, and does all that is due.
        fn wait(&mut self, until: Time) {
            while let Some(at) = self.node.deadline().filter(|at| *at <= until) {
                self.now = self.now.max(at);
                self.wakings += 1;
                self.happens(Event::Timer);
            }
            self.now = until;
        }
    }

    /// What a node tells in four seconds, in which it says two lines, and how often it wakes.
    fn told(watch: Watch) -> (Vec<Notice>, u64) {
        let mut alone = Alone::new(watch);
        alone.wait(Time(2_500_000));
        alone.say();
        alone.wait(Time(3_500_000));
        alone.say();
        alone.wait(Time(5_000_001));
        (alone.told, alone.wakings)
    }

    fn is_detail(notice: &Notice) -> bool {
        matches!(
            notice,
            Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } | Notice::Standing(_)
        )
    }

    #[test]
    fn a_node_that_is_not_watched_makes_none_of_it_and_wakes_for_none_of_it() {
        let (plain, wakings) = told(Watch::Off);
        assert!(
            plain
                .iter()
                .any(|notice| matches!(notice, Notice::Message { .. }))
        );
        assert!(!plain.iter().any(is_detail), "{plain:?}");
        let (watched, same) = told(Watch::Details);
        assert_eq!(wakings, same, "details cost no waking");
        let rest: Vec<Notice> = watched
            .iter()
            .filter(|notice| !is_detail(notice))
            .cloned()
            .collect();
        assert_eq!(rest, plain, "to be watched changes nothing else");
        let written = watched
            .iter()
            .filter(|notice| matches!(notice, Notice::Written { .. }));
        assert_eq!(written.count(), 2);
        let stamped = watched
            .iter()
            .filter(|notice| matches!(notice, Notice::Stamped { .. }));
        assert_eq!(stamped.count(), 2);
    }

    #[test]
    fn how_things_stand_is_told_at_once_and_then_each_second() {
        let (watched, _) = told(Watch::DetailsAndStatus);
        let standing = watched
            .iter()
            .filter(|notice| matches!(notice, Notice::Standing(_)));
        assert_eq!(standing.count(), 5);
        let (details, _) = told(Watch::Details);
        assert!(!details.iter().any(|notice| matches!(notice, Notice::Standing(_))));
    }

    #[test]
    fn a_checkpoint_is_told_with_its_number_and_what_it_holds() {
        let (plain, _) = told(Watch::Off);
        let checkpoints = plain.iter().filter_map(|notice| {
            let Notice::Checkpointed { number, records, .. } = notice else {
                return None;
            };
            Some((*number, *records))
        });
        let checkpoints: Vec<(Option<u64>, u64)> = checkpoints.collect();
        assert_eq!(checkpoints.first().map(|first| first.0), Some(Some(1)));
        assert_eq!(checkpoints.last().map(|last| last.1), Some(2));
    }

    #[test]
    fn nobody_watches_any_more() {
        let mut alone = Alone::new(Watch::DetailsAndStatus);
        alone.wait(Time(2_500_000));
        alone.happens(Event::Command(Command::Watch(Watch::Off)));
        alone.told.clear();
        alone.say();
        alone.wait(Time(5_000_000));
        assert!(
            alone
                .told
                .iter()
                .any(|notice| matches!(notice, Notice::Message { .. }))
        );
        assert!(!alone.told.iter().any(is_detail));
    }
}
