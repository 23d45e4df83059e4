//! Hearing: what arrives is opened by the seal, if there is one, and handed to whose business it is.

use std::net::SocketAddrV4;

use bytes::Bytes;

use super::Node;
use super::face::{Action, Notice};
use super::sealing::Sealing;
use crate::wire::Body;
use crate::wire::seal::key::Keys;
use crate::words::Time;

impl Node {
    /// A datagram arrived: it is opened, and goes to whose business it is.
    pub(super) fn on_datagram(&mut self, now: Time, from: SocketAddrV4, multicast: bool, bytes: Bytes) {
        let opened = self.sealing.open(now, from, multicast, bytes);
        let answers = self.sealing.take_answers();
        if self.has_left() {
            // Who has said goodbye answers nobody, or the others would count on it.
            return;
        }
        for (to, bytes) in answers {
            self.sent += 1;
            self.actions.push(Action::Unicast(to, bytes));
        }
        match opened {
            Err(refused) => {
                *self.refused.entry(refused.reason()).or_default() += 1;
                self.strangers.heard(now, *from.ip(), refused);
            }
            Ok(None) => {}
            Ok(Some((sender, body))) => {
                self.accepted += 1;
                if self.lessons.drops(sender, &body) {
                    *self.limited.entry("dropped for a lesson").or_default() += 1;
                    return;
                }
                match body {
                    Body::Inquiry { nonce, ids } => self.on_inquiry(sender, from, nonce, &ids),
                    Body::InquiryAnswer { nonce, known } => {
                        self.on_inquiry_answer(now, sender, nonce, &known)
                    }
                    Body::Reconcile(ask) => self.on_reconcile(now, sender.id, Some(from), ask),
                    Body::Reconciled(answer) => self.on_reconciled(now, sender, from, answer),
                    Body::Lab(lab) => self.on_lab(now, sender, lab),
                    ring_body @ (Body::Data(_)
                    | Body::Repair(_)
                    | Body::Token(_)
                    | Body::Request(_)
                    | Body::Join(_)
                    | Body::Commit(_)
                    | Body::Beacon { .. }
                    | Body::Probe { .. }
                    | Body::ProbeAnswer { .. }
                    | Body::Nack { .. }
                    | Body::Leave { .. }
                    | Body::Refuse(_)) => self.ring.receive(now, sender, from, multicast, ring_body),
                }
            }
        }
    }

    /// Takes other group keys. A node that began without one stays without.
    pub(super) fn rekey(&mut self, keys: Keys) {
        let names = keys.names().map(|name| name.to_string()).collect();
        if self.sealing.rekey(keys) {
            self.notice(Notice::Rekeyed(names));
        } else {
            let text = "this node was started without a key; start it again with --key-file";
            self.notice(Notice::Warning(text.into()));
        }
    }

    /// How many datagrams were believed so far, for a checker.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The seal, to look through it.
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }
}
