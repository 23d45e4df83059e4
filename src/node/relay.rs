//! Carries out what the ring wants: encodes its datagrams, and passes its news on.

use super::face::{Action, Exit, Gone, Notice, Step, Store};
use super::{AfterStore, Node};
use crate::bugs::{self, Bug};
use crate::ring::{Expelled, Installed, Output};
use crate::wire::Body;
use crate::wire::seal::To;
use crate::words::{Epoch, Member, NodeId, Time};

impl Node {
    /// Empties the ring's list of outputs. Delivering may make the ring say more; it is bounded, because every
    /// round consumes what it found.
    pub(super) fn relay(&mut self, now: Time) {
        loop {
            let outputs = self.ring.take_outputs();
            if outputs.is_empty() {
                return;
            }
            outputs.into_iter().for_each(|output| self.relay_one(now, output));
        }
    }

    fn relay_one(&mut self, now: Time, output: Output) {
        match output {
            Output::Multicast(body) => self.multicast(&body),
            Output::Unicast(to, body) => self.unicast(to, &body),
            Output::StoreEpoch(epoch) => self.store_epoch(epoch),
            Output::Stamped(id, position, hop) => {
                self.traces.step_at(now, id, Step::Stamped(hop), position);
                self.follow(id, position);
                self.watch_stamped(id, position, hop);
                if bugs::on(Bug::ForgotWhenStamped) && self.outbox.remove(id).is_some() {
                    self.store(Store::OutboxForget(vec![id]), None);
                }
            }
            Output::Deliver(delivery) => self.on_delivery(now, delivery),
            Output::Accept(ring, chunk) => {
                let (seq, position) = (chunk.seq, crate::words::Position { ring, seq: chunk.seq });
                let accepted = super::face::Accepted { position, chunk };
                self.store(
                    Store::Accept(vec![accepted]),
                    Some(AfterStore::Accepted(ring, seq)),
                );
            }
            Output::Adopted(ring) => self.ticks.forget_before(ring),
            Output::Entered(void) => {
                if let Some(void) = void {
                    self.store(Store::AcceptForget(void), None);
                }
                self.undecide_void_lines();
                self.ask_about_old_lines(now);
            }
            Output::Established => {
                self.undecide_void_lines();
                self.ask_about_old_lines(now);
            }
            Output::Installed(installed) => self.on_installed(now, installed),
            Output::RowsChanged => self.update_ticks(now),
            Output::Requested(ring) => self.notice(Notice::Request(ring)),
            Output::Granted(ring, hop) => self.notice(Notice::Grant(ring, hop)),
            Output::PassedOn(ring, hop, to) => self.notice(Notice::Pass(ring, hop, to)),
            Output::Detail(detail) => self.notice(Notice::Detail(detail)),
            Output::Gathering(evidence) => self.notice(Notice::Gathering(evidence)),
            Output::Fenced(from, ring) => self.notice(Notice::Fenced { from, ring }),
            Output::Woke(away_us) => self.notice(Notice::Woke { away_us }),
            Output::IncarnationSeen(incarnation) => self.reincarnate(incarnation),
            Output::Expelled(expelled) => self.on_expelled(expelled),
        }
    }

    pub(super) fn multicast(&mut self, body: &Body) {
        self.sent += 1;
        let bytes = self.sealing.datagram(To::Group, body);
        self.actions.push(Action::Multicast(bytes));
    }

    pub(super) fn unicast(&mut self, to: std::net::SocketAddrV4, body: &Body) {
        self.sent += 1;
        let bytes = self.sealing.datagram(To::Node(to), body);
        self.actions.push(Action::Unicast(to, bytes));
    }

    fn store_epoch(&mut self, epoch: Epoch) {
        // A larger incarnation that is on its way to the disk must not be undone.
        let incarnation = self.reborn.unwrap_or(self.me().incarnation);
        self.store(
            Store::Identity { incarnation, epoch },
            Some(AfterStore::Epoch(epoch)),
        );
    }

    /// A new ring: tells it, and looks after what may be missing now.
    fn on_installed(&mut self, now: Time, installed: Installed) {
        // All of its members have just joined, under their names of now.
        let ring = installed.ring;
        self.names.clear();
        self.ticks.new_ring(&installed);
        self.last_order = std::mem::take(&mut self.order);
        let was: Vec<NodeId> = installed.old_members.iter().map(|member| member.id).collect();
        let is: Vec<NodeId> = installed.members.iter().map(|member| member.id).collect();
        let joined = is.iter().copied().filter(|id| !was.contains(id)).collect();
        let left: Vec<NodeId> = was.iter().copied().filter(|id| !is.contains(id)).collect();
        let how = |id: &NodeId| match installed.goodbyes.iter().any(|member| member.id == *id) {
            true => Gone::Goodbye,
            false => Gone::Silent,
        };
        let left_how = left.iter().map(how).collect();
        let names = installed.members.iter().map(|member| self.name_of(*member));
        let names = names.collect();
        self.notice(Notice::Ring {
            ring,
            names,
            members: installed.members,
            joined,
            left,
            left_how,
            came_from: installed.came_from,
            first: installed.first,
        });
        self.token_is_lost(ring);
        self.change();
        if self.ring.has_quorum() {
            // The ring waits for what was delivered before it to be written.
            self.end_delays(now);
        }
        self.undecide_void_lines();
        self.ask_about_old_lines(now);
        self.catch_up_soon(now);
    }

    /// What a member calls itself, as far as known: what it spoke under last, or joined under.
    pub(super) fn name_of(&self, member: Member) -> String {
        if member == self.me() {
            return self.name.clone();
        }
        let joined_as = || self.ring.peer(member).map(|peer| peer.name.clone());
        let spoke_as = self.names.get(&member).cloned();
        spoke_as.or_else(joined_as).unwrap_or_default()
    }

    /// A member spoke under this name.
    pub(super) fn learn_name(&mut self, member: Member, name: &str) {
        if self.names.get(&member).is_some_and(|known| known == name) {
            return;
        }
        let state = self.ring.installed();
        if state.is_some_and(|state| state.index_of(member).is_some()) {
            self.names.insert(member, name.to_string());
        }
    }

    fn on_expelled(&mut self, expelled: Expelled) {
        if expelled == Expelled::MulticastFiltered {
            self.ring.say_goodbye();
            for output in self.ring.take_outputs() {
                if let Output::Multicast(body) = output {
                    self.multicast(&body);
                }
            }
        }
        self.actions.push(Action::Exit(expelled.into()));
    }
}

impl From<Expelled> for Exit {
    fn from(expelled: Expelled) -> Exit {
        match expelled {
            Expelled::IdTaken(by, at, name) => Exit::IdTaken { by, at, name },
            Expelled::Superseded(by) => Exit::Superseded { by },
            Expelled::QuorumDiffers(theirs) => Exit::QuorumDiffers { theirs },
            Expelled::MulticastFiltered => Exit::MulticastFiltered,
        }
    }
}
