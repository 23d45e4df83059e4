//! One life of a node: the core's thread, the disk's thread, and the ends that the user's side has of them.
//!
//! ```text
//! user's side ── commands ──> core ── work ──> disk feed ──> disk
//!      ^  └──────────── questions ────────────────^            │
//!      └── notices ────────┴<────────── answers ───────────────┘
//! ```
//! The end runs along the same arrows: the core exits and closes its queues, the feed hands on what is left, the
//! disk writes it and closes its files, and only then is the node's lock free. A later life of the same process
//! can therefore begin only when [`Life::end`] has returned.

use std::net::SocketAddrV4;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::host::clock;
use crate::host::disk::{Answer, Disk, DiskPump, Work};
use crate::host::driver::{DiskWork, Driver, DriverError};
use crate::host::hail::answerer::Me;
use crate::host::inbox::Inbox;
use crate::host::keys::{self, KeyWatch};
use crate::node::Node;
use crate::node::face::{Command, Config, Event, Exit, Notice, Restart};
use crate::words::Member;

use super::failure::Failure;
use super::opening::Opening;

/// Questions to the disk that may wait. When full, who asks waits; the disk answers within milliseconds.
const QUESTIONS_MAX: usize = 16;

/// A question to the disk; it sends its own answer.
pub type Question = Box<dyn FnOnce(&mut Disk) + Send>;

/// A life under way.
pub struct Life {
    inbox: Inbox,
    /// Where peers reach this node.
    pub address: SocketAddrV4,
    /// What the core tells. It is closed when the core has ended.
    pub notices: Receiver<Notice>,
    questions: Sender<Question>,
    core_ended: Receiver<Result<Exit, DriverError>>,
    disk_ended: Receiver<()>,
    /// The key file is looked at as long as it is there.
    _key_watch: Option<KeyWatch>,
}

impl Life {
    /// Starts the threads.
    pub fn begin(opening: Opening) -> Result<Life, Failure> {
        let Opening {
            net,
            chaos,
            disk,
            config,
            restart,
            seed,
            key_file,
        } = opening;
        let address = net.address();
        let thread = |error| Failure::Machine("a thread", error);
        let (mut driver, ends) =
            Driver::new(net, chaos).map_err(|error| Failure::Machine("a poll", error))?;
        driver.answer_hails(me(&config, &restart));
        let (questions, asked) = bounded(QUESTIONS_MAX);
        let disk_ended = feed_disk(disk, ends.inbox.clone(), ends.disk, asked).map_err(thread)?;
        let watched = key_file.zip(config.seal.as_ref().map(|seal| seal.keys.clone()));
        let key_watch = watched
            .map(|(path, keys)| keys::watch(path, keys, ends.inbox.clone()))
            .transpose()
            .map_err(thread)?;
        let (ended, core_ended) = bounded(1);
        Builder::new()
            .name("core".to_string())
            .spawn(move || {
                let (mut node, first) = Node::new(config, restart, seed, clock::now());
                let result = driver.run(&mut node, first);
                // Nobody waits any more if the process is being forced to end.
                ended.send(result).unwrap_or_default();
            })
            .map_err(thread)?;
        Ok(Life {
            inbox: ends.inbox,
            address,
            notices: ends.notices,
            questions,
            core_ended,
            disk_ended,
            _key_watch: key_watch,
        })
    }

    /// Gives the core something to do. If it has ended, that is seen from its notices.
    pub fn command(&self, command: Command) {
        self.inbox.send(Event::Command(command)).unwrap_or_default();
    }

    /// The same, ahead of all commands that wait.
    pub fn urge(&self, command: Command) {
        self.inbox.urge(Event::Command(command)).unwrap_or_default();
    }

    /// Stops the core for a while, when it has obeyed all before.
    pub fn pause(&self, for_: Duration) {
        self.inbox.pause(for_).unwrap_or_default();
    }

    /// Asks the disk. If the disk has ended, there is no answer.
    pub fn ask(&self, question: Question) {
        self.questions.send(question).unwrap_or_default();
    }

    /// Waits for the threads, each at most this long, so that the files are closed and unlocked.
    pub fn end(self, at_most: Duration) -> Result<Exit, Failure> {
        // Whoever waits for room in them is let go.
        drop(self.questions);
        drop(self.notices);
        let result = match self.core_ended.recv_timeout(at_most) {
            Ok(result) => result.map_err(Failure::Driver),
            Err(error) if error.is_timeout() => return Err(Failure::Stuck("the core")),
            Err(_) => Err(Failure::Bug("core")),
        };
        match self.disk_ended.recv_timeout(at_most) {
            Ok(()) => result,
            Err(error) if error.is_timeout() => result.and(Err(Failure::Stuck("the disk"))),
            Err(_) => result.and(Err(Failure::Bug("disk"))),
        }
    }
}

/// Who answers hails.
fn me(config: &Config, restart: &Restart) -> Me {
    Me {
        group: config.group,
        member: Member {
            id: config.id,
            incarnation: restart.incarnation,
        },
        key: config.seal.as_ref().map(|seal| seal.keys.first().name()),
        // A datagram is never longer than its length field can say.
        payload: config.payload_max as u16,
    }
}

/// Starts the disk's thread and one that hands it the work of the core and the questions of the user.
/// Returns where the end is told: when all work is done and the files are closed.
pub(in crate::host) fn feed_disk(
    disk: Disk,
    inbox: Inbox,
    work: Receiver<DiskWork>,
    asked: Receiver<Question>,
) -> std::io::Result<Receiver<()>> {
    let pump = DiskPump::start(disk, move |answer| {
        let told = match answer {
            Answer::Event(event) => inbox.send(event),
            Answer::Failed(error) => inbox.fail(error.to_string()),
        };
        // The core has ended: nobody needs the answer.
        told.unwrap_or_default();
    })?;
    let (ended, disk_ended) = bounded(1);
    Builder::new().name("disk feed".to_string()).spawn(move || {
        feed(&pump, &work, &asked);
        if pump.finish().is_ok() {
            ended.send(()).unwrap_or_default();
        }
    })?;
    Ok(disk_ended)
}

/// Hands work on until the core has ended, or the disk has. When the disk's queue is full this waits, the
/// core's own queue fills up, and the driver stops reading datagrams.
fn feed(pump: &DiskPump, work: &Receiver<DiskWork>, asked: &Receiver<Question>) {
    let mut asked = asked.clone();
    loop {
        // Questions and work share the way, so that an answer tells what was asked to be stored before it.
        let handed = select! {
            recv(work) -> work => match work {
                Ok(DiskWork::Store(ticket, store)) => Work::Store(ticket, store),
                Ok(DiskWork::Load(load, wanted)) => Work::Load(load, wanted),
                Err(_) => return,
            },
            recv(asked) -> question => match question {
                Ok(question) => Work::Ask(question),
                // The user's side is done; the core may still have work.
                Err(_) => {
                    asked = crossbeam_channel::never();
                    continue;
                }
            },
        };
        if pump.send(handed).is_err() {
            return;
        }
    }
}
