//! Hails on their way through the driver: taken out before the core sees them, and answered from the node's own socket.

use mio::Interest;

use super::{Driver, HAIL};
use crate::host::clock;
use crate::host::hail::answerer::{Answerer, Me, Reply};
use crate::host::hail::{self, Way};
use crate::host::net::{Received, Sent};
use crate::node::face::Notice;
use crate::wire::seal::key::KeyName;

impl Driver {
    /// Answers hails from now on, as this node. Benchmarks and reconcilers are nobody's neighbours, and do not.
    pub fn answer_hails(&mut self, me: Me) {
        let port = self.net.group().address().port();
        let mut answerer = Answerer::open(me, self.net.interface(), port, clock::now());
        for socket in answerer.sources() {
            if let Err(error) = self.poll.registry().register(socket, HAIL, Interest::READABLE) {
                // Who hails on this way gets no answer; the ring does not need it.
                log::debug!("hails are not watched for: {error}");
            }
        }
        self.hails = Some(answerer);
    }

    /// Answers what came to the sockets for hails.
    pub(super) fn take_hails(&mut self) {
        if !self.waiting.hails {
            return;
        }
        let Some(answerer) = &mut self.hails else { return };
        let (replies, more) = answerer.read(clock::now(), clock::wall());
        self.waiting.hails = more;
        replies.into_iter().for_each(|reply| self.reply(reply));
    }

    /// Takes a hail among the datagrams; says whether it was one.
    pub(super) fn take_hail(&mut self, datagram: &Received) -> bool {
        let Some(answerer) = &mut self.hails else {
            return false;
        };
        if !hail::is_hail(&datagram.bytes) {
            return false;
        }
        let way = if datagram.multicast { Way::Group } else { Way::Port };
        let reply = answerer.hailed(clock::now(), clock::wall(), datagram.from, way, &datagram.bytes);
        reply.into_iter().for_each(|reply| self.reply(reply));
        true
    }

    /// Tells the user something. A key that seals from now on is named in answers from now on.
    pub(super) fn tell(&mut self, notice: Notice) {
        if let (Some(answerer), Notice::Rekeyed(names)) = (&mut self.hails, &notice) {
            let first = names.first().and_then(|name| u32::from_str_radix(name, 16).ok());
            answerer.rekeyed(first.map(KeyName));
        }
        self.notices.tell(notice);
    }

    fn reply(&mut self, reply: Reply) {
        // What became of it is counted; who asked asks again.
        let _: Sent = match reply {
            Reply::To(to, bytes) => self.net.send_unicast(to, &bytes),
            Reply::Aloud(bytes) => self.net.send_multicast(&[bytes]),
        };
    }
}
