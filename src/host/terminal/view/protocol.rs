//! What the ring does, in few lines: its changes, the token when this node speaks, and what disturbs it.

use super::{Level, View};
use crate::host::cli::duration::show_measured;
use crate::host::terminal::lang::say;
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
            let line = say!(self.voice(), "token-stays", hop = hop.to_string());
            self.talk(Level::Normal, &line);
        } else {
            self.token.asked = true;
        }
    }

    /// A line is asked for twice, while it is synced and when it may be said; that is told once.
    pub(super) fn request(&mut self) {
        self.token.asked = true;
        if !std::mem::replace(&mut self.token.asking_told, true) || self.manner.level == Level::Verbose {
            self.talk(Level::Normal, &say!(self.voice(), "token-asked"));
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
        let (voice, hop) = (self.voice(), hop.to_string());
        let line = match self.token.granted.take() {
            Some(granted) => {
                say!(
                    voice,
                    "token-granted-passed",
                    granted = granted.to_string(),
                    to = to,
                    hop = hop
                )
            }
            None => say!(voice, "token-passed", to = to, hop = hop),
        };
        self.talk(Level::Normal, &line);
    }

    /// Tells of a grant whose pass has not come in the same batch.
    pub(super) fn flush_token(&mut self) {
        if let Some(hop) = self.token.granted.take() {
            let line = say!(self.voice(), "token-granted", hop = hop.to_string());
            self.talk(Level::Normal, &line);
        }
    }

    /// A new ring: its members and what changed, on one line.
    pub(super) fn ring(&mut self, ring: &RingId, members: &[Member], joined: &[NodeId], left: &[NodeId]) {
        self.token = Token::default();
        let names: Vec<String> = members.iter().map(|member| self.member(member.id)).collect();
        let voice = self.voice();
        let mut changes = String::new();
        let others: Vec<NodeId> = joined.iter().copied().filter(|id| *id != self.me).collect();
        if !others.is_empty() {
            changes.push_str("; ");
            changes.push_str(&say!(voice, "ring-joined", who = self.people.all(&others)));
        }
        if !left.is_empty() {
            changes.push_str("; ");
            changes.push_str(&say!(voice, "ring-left", who = self.people.all(left)));
        }
        let line = say!(
            voice,
            "ring",
            count = members.len(),
            who = names.join(", "),
            epoch = ring.epoch.to_string(),
            changes = changes
        );
        self.talk(Level::Normal, &line);
    }

    fn member(&self, id: NodeId) -> String {
        if id == self.me {
            say!(self.voice(), "you", id = id.to_string())
        } else {
            self.people.who(id)
        }
    }

    pub(super) fn fenced(&mut self, from: NodeId, ring: &RingId) {
        let (who, epoch) = (self.people.who(from), ring.epoch.to_string());
        let line = say!(self.voice(), "fenced", who = who, epoch = epoch);
        self.talk(Level::Normal, &line);
    }

    pub(super) fn woke(&mut self, away_us: u64) {
        let line = say!(self.voice(), "woke", time = show_measured(away_us));
        self.talk(Level::Normal, &line);
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
        let line = say!(
            self.voice(),
            "catching-up",
            done = done,
            total = total,
            peer = peer
        );
        self.talk(Level::Normal, &line);
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
        let peer = self.people.who(peer);
        let line = say!(self.voice(), "caught-up", count = received, peer = peer);
        self.talk(from, &line);
    }
}
