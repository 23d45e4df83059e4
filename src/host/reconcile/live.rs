//! The reconciler among live nodes: a core like a node's own, driven by the same driver, that is no member.
//!
//! It asks (see [`crate::node::round`]), serves over streams what the files at rest hold, and pulls over streams
//! what they lack. It stamps nothing and stores nothing: what it pulled is merged into the files at rest later.
//!
//! What arrives is judged like anywhere: bad datagrams and frames are counted and dropped, nodes, streams and
//! frames are bounded, and who falls silent is lost and reported while the others go on.

mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use bytes::Bytes;
use indicatif::ProgressBar;

use super::rest::{Pulled, Rest};
use super::spool::FileScratch;
use super::{LiveOptions, ReconcileError};
use crate::host::clock;
use crate::host::driver::{Core, Driver};
use crate::host::keys;
use crate::host::net::{Group, Interface, Net};
use crate::node::face::{Action, Event, Exit, StreamAction, StreamEvent, StreamId};
use crate::node::pulling::{Next, Pull};
use crate::node::round::{Found, Round, Stage};
use crate::node::sealing::Sealing;
use crate::node::serving::compare;
use crate::reconcile::{Key, Sorter};
use crate::replica::digest::{Digest, Summary};
use crate::replica::frames::Frame;
use crate::replica::{PositionSet, Record};
use crate::wire::seal::To;
use crate::wire::seal::sessions::SealSettings;
use crate::wire::{Body, Refused};
use crate::words::{Incarnation, Member, NodeId, Time};

/// The id a reconciler speaks under. It is in no ring, so a node of this id is not in its way.
const OWN_ID: NodeId = NodeId(u16::MAX);
/// The most streams served at once.
const SERVED_MAX: usize = 8;
/// About how many bytes of records go into one frame.
const RECORDS_BYTES: usize = 256 * 1024;
/// A stream without an answer for this long is given up.
const SILENCE_US: u64 = 5_000_000;
/// How often pulling from a node is tried.
const TRIES_MAX: u8 = 4;
/// The pause before it is tried again: the node's streams may all be taken.
const RETRY_US: u64 = 500_000;

/// How far a position may lie above all that is known: an epoch or a number beyond that is a lie, and would take
/// the numbers away that honest rings are to use.
const JUMP_MAX: u64 = 1 << 32;

/// What is wanted of the live nodes.
pub struct Wanted {
    /// What files at rest hold; none if there are none.
    pub rest: Option<Rest>,
    /// Nodes that must answer, or nothing is changed.
    pub required: BTreeSet<NodeId>,
    /// Only look.
    pub check: bool,
    /// Where scratch space is made.
    pub scratch_folder: PathBuf,
}

/// What came of it.
pub struct Outcome {
    /// The nodes that answered.
    pub nodes: BTreeMap<Member, Found>,
    /// Those of them that could not be pulled from.
    unpulled: BTreeSet<Member>,
    /// What the files at rest lacked.
    pub pulled: Option<Pulled>,
    /// What the files at rest hold together, with what was pulled; none if there are none.
    rest: Option<Summary>,
}

/// Reconciles the live nodes with what is at rest.
pub fn reconcile(options: &LiveOptions, wanted: Wanted) -> Result<Outcome, ReconcileError> {
    let keys = options.key_file.as_deref().map(keys::read).transpose()?;
    let group: Group = options.group.to_string().parse()?;
    let interface = Interface::resolve(options.interface.as_deref())?;
    let net = Net::open(group, interface)?;
    let failed = |what: &str, error: io::Error| ReconcileError::Network(format!("{what}: {error}"));
    let seed = clock::seed().map_err(|error| failed("this machine has no random numbers to give", error))?;
    let stream_port = wanted.rest.as_ref().map_or(0, |_| net.stream_port());
    let round = Round::new(seed, stream_port, wanted.check, options.wait_us, clock::now());
    let me = Member {
        id: OWN_ID,
        incarnation: Incarnation(seed),
    };
    let settings = keys.map(|keys| {
        let seed = keys::random()?;
        let address = net.address();
        Ok::<_, ReconcileError>(SealSettings { keys, seed, address })
    });
    let sealing = Sealing::new(group.number(), me, settings.transpose()?);
    let mut live = Live::new(sealing, round, wanted);
    // The other ends stay open for as long as the driver runs.
    let (driver, _ends) =
        Driver::new(net, None).map_err(|error| failed("cannot watch the network", error))?;
    driver
        .run(&mut live, Vec::new())
        .map_err(|error| ReconcileError::Network(error.to_string()))?;
    for (reason, count) in &live.refused {
        log::info!("refused {count} times: {reason}");
    }
    let strangers = live.strangers;
    let outcome = live.finish().map_err(ReconcileError::Merging)?;
    match outcome.nodes.is_empty() && strangers > 0 {
        true => Err(ReconcileError::Strangers(strangers)),
        false => Ok(outcome),
    }
}

/// Pulling from one node.
struct Pulling {
    stream: StreamId,
    member: Member,
    tries: u8,
    pull: Pull,
    silent_until: Time,
}

/// The core.
struct Live {
    sealing: Sealing,
    round: Round,
    required: BTreeSet<NodeId>,
    rest: Option<Rest>,
    /// What the files at rest hold, and what was pulled.
    held: PositionSet,
    digest: Digest,
    /// The largest epoch and the highest number in them.
    highest: (u64, u64),
    pulled: Sorter<FileScratch>,
    pulled_count: u64,
    pulling: Option<Pulling>,
    /// Nodes still to be pulled from in this round, with how often each was tried.
    to_pull: Option<Vec<(Member, u8)>>,
    retry_at: Option<Time>,
    unpulled: BTreeSet<Member>,
    serving: BTreeSet<StreamId>,
    last_stream: u64,
    refused: BTreeMap<&'static str, u64>,
    /// Datagrams that were not understood for want of the right key.
    strangers: u64,
    /// Scratch space failed: all ends.
    failed: Option<io::Error>,
    actions: Vec<Action>,
}

impl Core for Live {
    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        match event {
            Event::Datagram {
                from,
                multicast,
                bytes,
            } => self.on_datagram(now, from, multicast, bytes),
            Event::Stream(stream, event) => self.on_stream(now, stream, event),
            Event::PortClosed { .. }
            | Event::Timer
            | Event::Stored(..)
            | Event::DiskFull { .. }
            | Event::Loaded { .. }
            | Event::Mended { .. }
            | Event::Command(_) => {}
        }
        self.advance(now);
        std::mem::take(&mut self.actions)
    }

    fn deadline(&self) -> Option<Time> {
        let silent = self.pulling.as_ref().map(|pulling| pulling.silent_until);
        let own = [silent, self.retry_at, self.round.deadline()];
        own.into_iter().flatten().min()
    }
}

impl Live {
    fn new(sealing: Sealing, round: Round, wanted: Wanted) -> Live {
        let (held, digest) = wanted.rest.as_ref().map_or_else(Default::default, |rest| {
            (rest.held().clone(), rest.digest().clone())
        });
        let scratch = FileScratch::new(&wanted.scratch_folder, &ProgressBar::hidden());
        Live {
            sealing,
            round,
            required: wanted.required,
            rest: wanted.rest,
            highest: highest(&held),
            held,
            digest,
            pulled: Sorter::new(scratch),
            pulled_count: 0,
            pulling: None,
            to_pull: None,
            retry_at: None,
            unpulled: BTreeSet::new(),
            serving: BTreeSet::new(),
            last_stream: 0,
            refused: BTreeMap::new(),
            strangers: 0,
            failed: None,
            actions: Vec::new(),
        }
    }

    fn on_datagram(&mut self, now: Time, from: SocketAddrV4, multicast: bool, bytes: Bytes) {
        match self.sealing.open(now, from, multicast, bytes) {
            Ok(Some((member, Body::Reconciled(answer)))) => self.round.heard(now, member, from, answer),
            // The ring's own talk, which is none of ours.
            Ok(_) => {}
            Err(refused) => {
                let strange = [Refused::Sealed, Refused::NoKey, Refused::OtherKey];
                self.strangers += u64::from(strange.contains(&refused));
                self.refuse(refused.reason());
            }
        }
        let answers = self.sealing.take_answers().into_iter();
        self.actions
            .extend(answers.map(|(to, bytes)| Action::Unicast(to, bytes)));
    }

    fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    /// What is due, and what follows from what came.
    fn advance(&mut self, now: Time) {
        if self
            .pulling
            .as_ref()
            .is_some_and(|pulling| pulling.silent_until <= now)
        {
            self.end_pull(now, false);
        }
        self.retry_at = self.retry_at.filter(|at| *at > now);
        let before = self.round.stage();
        if let Some(ask) = self.round.tick(now) {
            // Asked of nobody if those who must answer did not.
            if before == Stage::Look && self.round.stage() != Stage::Look && self.lacks_required() {
                return self.exit();
            }
            let bytes = self.sealing.datagram(To::Group, &Body::Reconcile(ask));
            self.actions.push(Action::Multicast(bytes));
        }
        match self.round.stage() {
            Stage::Filled => self.pull_from_next(now),
            Stage::Over => self.exit(),
            Stage::Look | Stage::Fill | Stage::Sort(_) => {}
        }
        if self.failed.is_some() {
            self.exit();
        }
    }

    fn exit(&mut self) {
        self.actions.push(Action::Exit(Exit::Left));
    }

    fn lacks_required(&self) -> bool {
        let answered: BTreeSet<NodeId> = self.round.nodes().keys().map(|member| member.id).collect();
        !self.required.is_subset(&answered)
    }

    /// All nodes have filled their gaps: what files at rest lack is pulled from each of them, one after the
    /// other; from the second on that is mostly one question.
    fn pull_from_next(&mut self, now: Time) {
        if self.pulling.is_some() || self.retry_at.is_some() {
            return;
        }
        let nodes = self.round.nodes();
        let to_pull = self.to_pull.get_or_insert_with(|| {
            let answering = nodes
                .iter()
                .filter(|(_, found)| !found.lost && found.last.stream_port > 0);
            answering.map(|(member, _)| (*member, 0)).collect()
        });
        let next = if self.rest.is_some() { to_pull.pop() } else { None };
        let Some((member, tries)) = next else {
            self.to_pull = None;
            return self.round.go_on(now);
        };
        let Some(found) = nodes.get(&member) else {
            // It started again, and is counted as another one now.
            return self.pull_from_next(now);
        };
        let address = SocketAddrV4::new(*found.address.ip(), found.last.stream_port);
        self.last_stream += 2;
        let stream = StreamId(self.last_stream);
        self.pulling = Some(Pulling {
            stream,
            member,
            tries,
            pull: Pull::default(),
            silent_until: now.after_us(SILENCE_US),
        });
        self.actions
            .push(Action::Stream(stream, StreamAction::Connect(address)));
    }

    fn on_stream(&mut self, now: Time, stream: StreamId, event: StreamEvent) {
        let own = self
            .pulling
            .as_ref()
            .is_some_and(|pulling| pulling.stream == stream);
        let event = match self.sealing.stream_event(stream, event, &mut self.actions) {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(refused) => {
                self.refuse(refused.reason());
                StreamEvent::Closed
            }
        };
        match event {
            StreamEvent::Accepted { .. } if self.serving.len() < SERVED_MAX && self.rest.is_some() => {
                self.serving.insert(stream);
            }
            StreamEvent::Accepted { .. } => self.close(stream),
            StreamEvent::Connected if own => self.on_connected(now),
            StreamEvent::Connected => self.close(stream),
            StreamEvent::Frame(bytes) => match Frame::from_bytes(bytes) {
                Ok(frame) if own => self.on_answer(now, frame),
                Ok(frame) => self.serve(stream, frame),
                Err(refused) => {
                    self.refuse(refused.reason());
                    match own {
                        true => self.end_pull(now, false),
                        false => self.close(stream),
                    }
                }
            },
            StreamEvent::Closed if own => self.end_pull(now, false),
            StreamEvent::Closed => {
                self.serving.remove(&stream);
            }
        }
    }

    fn close(&mut self, stream: StreamId) {
        self.serving.remove(&stream);
        self.sealing.close(stream, &mut self.actions);
    }

    /// Answers a node's question about the files at rest; anything but a question closes the stream.
    fn serve(&mut self, stream: StreamId, frame: Frame) {
        let Some(rest) = self.rest.as_ref().filter(|_| self.serving.contains(&stream)) else {
            return self.close(stream);
        };
        let answer = match frame {
            Frame::Compare(range, theirs) => compare(rest.digest(), rest.held(), range, theirs),
            Frame::Fetch(wanted) => match rest.load(&wanted, RECORDS_BYTES) {
                Ok(lines) => Frame::Records(lines),
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            },
            Frame::Same | Frame::Has(_) | Frame::Parts(_) | Frame::Records(_) => {
                self.refuse("stream out of turn");
                return self.close(stream);
            }
        };
        self.sealing.send(stream, answer.to_bytes(), &mut self.actions);
    }

    fn on_connected(&mut self, now: Time) {
        if let Some(pulling) = &mut self.pulling {
            pulling.pull.connected();
            self.ask_next(now);
        }
    }

    /// The node that is pulled from answered.
    fn on_answer(&mut self, now: Time, frame: Frame) {
        let Some(pulling) = &mut self.pulling else {
            return;
        };
        let held = &self.held;
        let brought = pulling
            .pull
            .answered(frame, &self.digest, |positions| positions.difference(held));
        let Ok(brought) = brought else {
            self.refuse("stream out of turn");
            return self.end_pull(now, false);
        };
        for _ in 0..brought.unreadable {
            self.refuse("unreadable record");
        }
        for record in &brought.records {
            if let Err(error) = self.keep(record) {
                self.failed = Some(error);
                return;
            }
        }
        self.ask_next(now);
    }

    /// Keeps a record to be merged later.
    fn keep(&mut self, record: &Record) -> io::Result<()> {
        let (position, id) = (record.position, record.id);
        let (epoch, seq) = (position.ring.epoch.0, position.seq.0);
        if epoch > self.highest.0.saturating_add(JUMP_MAX) || seq > self.highest.1.saturating_add(JUMP_MAX) {
            self.refuse("position out of reach");
            return Ok(());
        }
        self.highest = (self.highest.0.max(epoch), self.highest.1.max(seq));
        if self.held.insert(position) {
            self.digest.add(record);
            self.pulled_count += 1;
            self.pulled.push(Key { position, id }, &record.line())?;
        }
        Ok(())
    }

    fn ask_next(&mut self, now: Time) {
        let Some(pulling) = &mut self.pulling else {
            return;
        };
        match pulling.pull.next(&self.digest, true) {
            Next::Ask(frame) => {
                pulling.silent_until = now.after_us(SILENCE_US);
                self.sealing
                    .send(pulling.stream, frame.to_bytes(), &mut self.actions);
            }
            Next::Wait => {}
            Next::Over => self.end_pull(now, true),
        }
    }

    /// Pulling from a node is over; if it broke off, it is tried again a few times.
    fn end_pull(&mut self, now: Time, complete: bool) {
        let Some(pulling) = self.pulling.take() else {
            return;
        };
        self.close(pulling.stream);
        if complete {
            self.unpulled.remove(&pulling.member);
        } else if pulling.tries < TRIES_MAX {
            self.retry_at = Some(now.after_us(RETRY_US));
            let to_pull = self.to_pull.get_or_insert_default();
            to_pull.push((pulling.member, pulling.tries + 1));
        } else {
            self.unpulled.insert(pulling.member);
        }
    }

    fn finish(self) -> io::Result<Outcome> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let pulled = match self.pulled_count {
            0 => None,
            records => Some(Pulled {
                sorted: self.pulled.finish()?,
                records,
            }),
        };
        Ok(Outcome {
            nodes: self.round.nodes().clone(),
            unpulled: self.unpulled,
            pulled,
            rest: self.rest.map(|_| self.digest.summary(Digest::whole())),
        })
    }
}

/// The largest epoch and the highest number of these positions.
fn highest(positions: &PositionSet) -> (u64, u64) {
    let ranges = positions.ranges();
    ranges.fold((0, 0), |(epoch, seq), (ring, _, last)| {
        (epoch.max(ring.epoch.0), seq.max(last.0))
    })
}
