//! What the ring does, in few lines: its changes, the token when this node speaks, and what disturbs it.

use super::{Level, View};
use crate::host::cli::duration::show_measured;
use crate::host::terminal::start::count;
use crate::words::{Hop, Member, NodeId, RingId};

/// What is known of the token, and what of it is not told yet.
#[derive(Debug, Default)]
pub(super) struct Token {
    /// It is here, granted at this hop.
    here: Option<Hop>,
    /// It was asked for and has not come.
    asked: bool,
    /// That it was asked for is told.
    asking_told: bool,
    /// It came, and this is not told yet.
    granted: Option<Hop>,
    /// Its coming was worth telling, and so is its going.
    told: bool,
}

impl View {
    /// The token was asked for on purpose: its coming and going is told. If it is here already, it does not come
    /// again, it only stays longer.
    pub fn expect_token(&mut self) {
        self.flush_token();
        if let Some(hop) = self.token.here {
            self.token.told = true;
            self.talk(
                Level::Normal,
                &format!("token: granted (hop {hop}), and still here"),
            );
        } else {
            self.token.asked = true;
        }
    }

    /// A line is asked for twice, while it is synced and when it may be said; that is told once.
    pub(super) fn request(&mut self) {
        self.token.asked = true;
        if !std::mem::replace(&mut self.token.asking_told, true) || self.manner.level == Level::Verbose {
            self.talk(Level::Normal, "token: asked for");
        }
    }

    /// The token is told of when this node asked for it or has something to say; with `-v` always.
    pub(super) fn grant(&mut self, hop: Hop) {
        self.flush_token();
        self.token.here = Some(hop);
        self.token.asking_told = false;
        let asked = std::mem::take(&mut self.token.asked);
        let speaking = asked || !self.pending.is_empty();
        self.token.told = speaking || self.manner.level == Level::Verbose;
        if self.token.told {
            self.token.granted = Some(hop);
        }
    }

    pub(super) fn pass(&mut self, hop: Hop, to: NodeId) {
        self.token.here = None;
        if !std::mem::take(&mut self.token.told) {
            return;
        }
        let to = self.people.who(to);
        let line = match self.token.granted.take() {
            Some(granted) => format!("token: granted (hop {granted}), passed to {to} (hop {hop})"),
            None => format!("token: passed to {to} (hop {hop})"),
        };
        self.talk(Level::Normal, &line);
    }

    /// Tells of a grant whose pass has not come in the same batch.
    pub(super) fn flush_token(&mut self) {
        if let Some(hop) = self.token.granted.take() {
            self.talk(Level::Normal, &format!("token: granted (hop {hop})"));
        }
    }

    /// A new ring: its members and what changed, on one line.
    pub(super) fn ring(&mut self, ring: &RingId, members: &[Member], joined: &[NodeId], left: &[NodeId]) {
        self.token = Token::default();
        let names: Vec<String> = members.iter().map(|member| self.member(member.id)).collect();
        let mut line = format!(
            "— ring of {}: {} (epoch {})",
            members.len(),
            names.join(", "),
            ring.epoch
        );
        let others: Vec<NodeId> = joined.iter().copied().filter(|id| *id != self.me).collect();
        if !others.is_empty() {
            line.push_str(&format!("; joined: {}", self.people.all(&others)));
        }
        if !left.is_empty() {
            line.push_str(&format!("; left: {}", self.people.all(left)));
        }
        self.talk(Level::Normal, &line);
    }

    fn member(&self, id: NodeId) -> String {
        if id == self.me {
            format!("you·{id}")
        } else {
            self.people.who(id)
        }
    }

    pub(super) fn fenced(&mut self, from: NodeId, ring: &RingId) {
        let line = format!(
            "fenced: {} still spoke for the ring of epoch {}, which is over",
            self.people.who(from),
            ring.epoch
        );
        self.talk(Level::Normal, &line);
    }

    pub(super) fn woke(&mut self, away_us: u64) {
        let away = show_measured(away_us);
        self.talk(
            Level::Normal,
            &format!("this node was suspended for {away}; the token it held is not used"),
        );
    }

    /// Progress, told at its beginning and with each further tenth.
    pub(super) fn catching_up(&mut self, peer: NodeId, done: u64, total: u64) {
        self.late.catching_up = true;
        let tenths = done.saturating_mul(10).checked_div(total).unwrap_or(10);
        if done > 0 && tenths <= self.caught_up_tenths && self.manner.level < Level::Verbose {
            return;
        }
        self.caught_up_tenths = tenths;
        let peer = self.people.who(peer);
        self.talk(Level::Normal, &format!("catching up {done}/{total} from {peer}"));
    }

    pub(super) fn caught_up(&mut self, peer: NodeId, received: u64) {
        self.caught_up_tenths = 0;
        self.late.catching_up = false;
        self.end_late();
        let from = if received > 0 {
            Level::Normal
        } else {
            Level::Verbose
        };
        let line = format!(
            "caught up: {} recovered from {}",
            count(received, "message"),
            self.people.who(peer)
        );
        self.talk(from, &line);
    }
}
