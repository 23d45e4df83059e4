//! What `/ring` and `/why` show.

use super::Node;
use super::face::{Counters, MemberStatus, PhaseName, Status, Why};
use super::outbox::LineState;
use crate::ring::RingState;
use crate::words::{Hop, Member, NodeId, Seq, Time};

impl Node {
    /// All that is known of the ring right now.
    pub(super) fn status(&self, _now: Time) -> Status {
        let state = self.ring.installed();
        Status {
            me: self.me(),
            phase: self.phase(),
            ring: state.map(|state| state.id),
            members: state.map_or(Vec::new(), |state| self.members(state)),
            hop: state.map_or(Hop(0), |state| state.seen_hop),
            holding: state.is_some_and(|state| state.holding.is_some()),
            holder: state.and_then(RingState::believed_holder),
            high: self.ring.high(),
            stable_up_to: state.map_or(Seq(0), RingState::held_by_all),
            rotation_us: self.ring.timing().rotation_us,
            token_timeout_us: self.ring.timing().token_timeout(),
            waiting_lines: self.outbox.len(),
            records: self.held.len(),
            why: self.why(),
            counters: self.counters(),
        }
    }

    fn phase(&self) -> PhaseName {
        match self.ring.phase_name() {
            "gather" => PhaseName::Gather,
            "commit" => PhaseName::Commit,
            "recover" => PhaseName::Recover,
            _ => PhaseName::Operational,
        }
    }

    fn members(&self, state: &RingState) -> Vec<MemberStatus> {
        let nowhere = std::net::SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, self.config.unicast_port);
        let rows = state.members.iter().zip(&state.rows);
        rows.map(|(member, row)| {
            let peer = self.ring.peer(*member);
            MemberStatus {
                member: *member,
                name: self.name_of(*member),
                address: peer.map_or(nowhere, |peer| peer.address),
                received_up_to: row.received_up_to,
                held_up_to: row.held_up_to,
            }
        })
        .collect()
    }

    fn counters(&self) -> Counters {
        let ring = self.ring.counters();
        let mut refused: Vec<(&'static str, u64)> = self.refused.iter().map(|(why, n)| (*why, *n)).collect();
        refused.extend([
            ("fenced", ring.fenced),
            ("foreign ring", ring.foreign),
            ("senseless", ring.senseless),
        ]);
        refused.retain(|(_, count)| *count > 0);
        refused.sort_unstable();
        Counters {
            refused,
            sent: self.sent,
            accepted: self.accepted,
            repaired_for_others: ring.repaired_for_others,
            repaired_for_me: ring.repaired_for_me,
            tokens_resent: ring.tokens_resent,
            delivered: self.delivered_count,
            strangers: self.strangers.list(),
            limited: self.limited(),
            machine: Vec::new(),
        }
    }

    /// Something was turned away at a limit.
    pub(super) fn at_limit(&mut self, what: &'static str) {
        *self.limited.entry(what).or_default() += 1;
    }

    /// What was turned away at a limit.
    fn limited(&self) -> Vec<(&'static str, u64)> {
        let ring = self.ring.counters();
        let mut limited: Vec<(&'static str, u64)> =
            self.limited.iter().map(|(what, n)| (*what, *n)).collect();
        limited.extend([
            ("chunk beyond the repair buffer", ring.beyond_buffer),
            ("foreigner not probed", ring.foreigners_ignored),
            ("peer forgotten", ring.peers_forgotten),
        ]);
        limited.retain(|(_, count)| *count > 0);
        limited.sort_unstable();
        limited
    }

    /// How many members there are, or, if they were enough, how many of them are known to count.
    fn members_that_count(&self, state: &RingState) -> u16 {
        let members = state.members.len() as u16;
        if members < self.config.quorum || self.ring.may_grant() {
            return members;
        }
        let entered = |member: &&Member| self.ring.is_known_to_have_entered(**member);
        let entered = state.members.iter().filter(entered).count() as u16;
        entered.min(self.config.quorum.saturating_sub(1))
    }

    /// One answer to "what am I waiting for".
    pub(super) fn why(&self) -> Why {
        if let Some(reason) = &self.disk_full {
            return Why::DiskFull(reason.clone());
        }
        if !self.ring.is_operational() {
            return Why::Gathering(self.ring.not_agreed());
        }
        let state = self.ring.installed().expect("an operational node has a ring");
        let need = self.config.quorum;
        let have = self.members_that_count(state);
        if have < need {
            return Why::Quorum { have, need };
        }
        let line_in = |wanted| self.outbox.values().any(|line| line.state == wanted);
        if line_in(LineState::Syncing) {
            return Why::OwnDisk;
        }
        if let Some(asking) = &self.asking {
            return Why::Asking(asking.unanswered());
        }
        if self.ring.queued() > 0 {
            return self.waits_for_token(state);
        }
        match self.ticks.unconfirmed() {
            Some((position, missing)) => Why::Held {
                seq: position.seq,
                missing: missing.into_iter().map(|member| member.id).collect(),
            },
            None => Why::Nothing,
        }
    }

    /// The token is somewhere else: where, and how far in ring order.
    fn waits_for_token(&self, state: &RingState) -> Why {
        let count = state.members.len();
        let holder = state
            .believed_holder()
            .unwrap_or(NodeId(state.members[state.me].id.0));
        let at = state
            .members
            .iter()
            .position(|member| member.id == holder)
            .unwrap_or(state.me);
        let hops = (state.me + count - at) % count;
        Why::Token {
            holder,
            hops: hops as u16,
        }
    }
}
