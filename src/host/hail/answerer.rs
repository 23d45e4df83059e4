//! The node's side of hails: two more sockets on which they can come, and the rules by which they are answered.
//!
//! Beside the group's socket and the node's own, a hail can come to the group's port by broadcast, because networks that
//! filter multicast pass that, and by plain unicast, for who knows just the machine. Several nodes of a machine share both:
//! a broadcast comes to all of them, a unicast to one.
//!
//! Who may have an answer: an address of the interface's own network, so that no answer goes to a stranger far away. How
//! many: [`BURST_MAX`] at once and [`PER_SECOND_MAX`] a second; others are counted. So a flood of hails costs a node what any
//! flood costs, and is not answered by one.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use bytes::Bytes;
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Answer, HAIL_BYTES, Hail, Question, Way, Wish, decode};
use crate::host::net::{Interface, Network};
use crate::wire::VERSION;
use crate::wire::seal::key::KeyName;
use crate::words::{Member, Time, WallTime};

/// Answers given at once, after a while without any.
pub const BURST_MAX: u64 = 16;
/// Answers given a second: a doctor needs about twenty in all.
pub const PER_SECOND_MAX: u64 = 8;
/// Hails read from one socket in one turn; what is left waits for the next one, or is lost.
const READ_MAX: usize = 16;
/// Room for hails that wait to be read, on each socket. More would only serve a flood.
const BUFFER_BYTES: usize = 16 << 10;
/// No hail is longer.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Me {
    /// The number of the group.
    pub group: u32,
    /// The node.
    pub member: Member,
    /// The name of the key it seals with.
    pub key: Option<KeyName>,
    /// The longest payload it sends.
    pub payload: u16,
}

/// An answer that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To one address.
    To(SocketAddrV4, Bytes),
    /// To the group.
    Aloud(Bytes),
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HailCounters {
    /// Hails that were answered.
    pub answered: u64,
    /// Hails beyond the rate.
    pub too_many: u64,
    /// Hails from another network.
    pub outside: u64,
    /// What looks like a hail and is none, or means another group.
    pub senseless: u64,
}

/// Answers hails.
#[derive(Debug)]
pub struct Answerer {
    me: Me,
    network: Option<Network>,
    /// Where hails come that are no multicasts and do not come to the node's own port.
    sockets: Vec<(Way, UdpSocket)>,
    buffer: Vec<u8>,
    /// How many answers may be given now, in millionths.
    room: u64,
    filled: Time,
    counters: HailCounters,
}

impl Answerer {
    /// Opens the sockets. One that cannot be had is done without: the ring does not need it.
    pub fn open(me: Me, interface: &Interface, port: u16, now: Time) -> Answerer {
        let network = Network::of(interface.address);
        let broadcast = network
            .and_then(Network::broadcast)
            .map(|ip| (Way::Broadcast, ip));
        let places = broadcast.into_iter().chain([(Way::Host, interface.address)]);
        let mut sockets = Vec::new();
        for (way, ip) in places {
            match shared(ip, port) {
                Ok(socket) => sockets.push((way, socket)),
                Err(error) => log::debug!("no hails to {ip}:{port}: {error}"),
            }
        }
        Answerer {
            me,
            network,
            sockets,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            room: BURST_MAX * 1_000_000,
            filled: now,
            counters: HailCounters::default(),
        }
    }

    /// The sockets, to be watched for readiness.
    pub fn sources(&mut self) -> impl Iterator<Item = &mut UdpSocket> {
        self.sockets.iter_mut().map(|(_, socket)| socket)
    }

    /// What happened so far.
    pub fn counters(&self) -> HailCounters {
        self.counters
    }

    /// Another key seals from now on.
    pub fn rekeyed(&mut self, key: Option<KeyName>) {
        self.me.key = key;
    }

    /// Reads what came to the sockets: what is to be sent, and whether there may be more.
    pub fn read(&mut self, now: Time, wall: WallTime) -> (Vec<Reply>, bool) {
        let mut hails = Vec::new();
        let mut more = false;
        for (way, socket) in &self.sockets {
            for step in 0..=READ_MAX {
                more |= step == READ_MAX;
                match socket.recv_from(&mut self.buffer) {
                    Ok((length, SocketAddr::V4(from))) => {
                        let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
                        hails.push((*way, from, bytes));
                    }
                    // An IPv4 socket has no other addresses; a report of an error is of no use here.
                    Ok((_, SocketAddr::V6(_))) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
        }
        let replies = hails
            .into_iter()
            .filter_map(|(way, from, bytes)| self.hailed(now, wall, from, way, &bytes));
        (replies.collect(), more)
    }

    /// A hail came: the answer, if it gets one.
    pub fn hailed(
        &mut self,
        now: Time,
        wall: WallTime,
        from: SocketAddrV4,
        way: Way,
        bytes: &[u8],
    ) -> Option<Reply> {
        let question = match decode(bytes) {
            Some(Hail::Question(question)) if question.group == self.me.group => question,
            // Another's answer, given aloud.
            Some(Hail::Answer(_)) => return None,
            Some(Hail::Question(_)) | None => {
                self.counters.senseless += 1;
                return None;
            }
        };
        if !self.network.is_none_or(|network| network.has(*from.ip())) {
            self.counters.outside += 1;
            return None;
        }
        self.fill(now);
        if self.room < 1_000_000 {
            self.counters.too_many += 1;
            return None;
        }
        self.room -= 1_000_000;
        self.counters.answered += 1;
        Some(self.reply(&question, wall, from, way))
    }

    /// Makes room for as many answers as the time that passed allows.
    fn fill(&mut self, now: Time) {
        let passed_us = now.since_us(self.filled);
        self.filled = now;
        let room = self.room.saturating_add(passed_us.saturating_mul(PER_SECOND_MAX));
        self.room = room.min(BURST_MAX * 1_000_000);
    }

    fn reply(&self, question: &Question, wall: WallTime, from: SocketAddrV4, way: Way) -> Reply {
        let by_unicast = matches!(way, Way::Host | Way::Port);
        let length = match question.wish {
            Wish::Full => question.length,
            Wish::Short | Wish::Aloud => HAIL_BYTES,
        };
        let answer = Answer {
            length,
            nonce: question.nonce,
            group: self.me.group,
            member: self.me.member,
            protocol: VERSION,
            key: self.me.key,
            wall: WallTime(wall.0 / 1_000 * 1_000),
            payload: self.me.payload,
            way,
        };
        let bytes = Bytes::from(answer.encode());
        let port = match question.answer_port {
            0 => from.port(),
            other => other,
        };
        match question.wish {
            Wish::Aloud if by_unicast => Reply::Aloud(bytes),
            Wish::Short | Wish::Full | Wish::Aloud => Reply::To(SocketAddrV4::new(*from.ip(), port), bytes),
        }
    }
}

/// A socket at this address that other nodes of this machine may have too.
fn shared(ip: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    socket.bind(&SocketAddrV4::new(ip, port).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Incarnation, NodeId};

    const WALL: WallTime = WallTime(1_763_680_000_482);
    const FROM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 4_000);

    fn answerer() -> Answerer {
        let me = Me {
            group: 9,
            member: Member {
                id: NodeId(3),
                incarnation: Incarnation(8),
            },
            key: None,
            payload: 1_400,
        };
        let interface = Interface::resolve(Some("127.0.0.1")).unwrap();
        // Port 0 is one that nobody else has.
        Answerer::open(me, &interface, 0, Time(0))
    }

    fn question(wish: Wish) -> Question {
        Question {
            length: 200,
            nonce: 5,
            group: 9,
            wish,
            answer_port: 0,
        }
    }

    fn ask(answerer: &mut Answerer, at_us: u64, way: Way, question: &Question) -> Option<Reply> {
        answerer.hailed(Time(at_us), WALL, FROM, way, &question.encode())
    }

    #[test]
    fn an_answer_goes_back_says_how_the_question_came_and_is_never_longer() {
        let mut answerer = answerer();
        for (wish, length) in [(Wish::Short, HAIL_BYTES), (Wish::Full, 200)] {
            let Some(Reply::To(to, bytes)) = ask(&mut answerer, 0, Way::Broadcast, &question(wish)) else {
                panic!("no answer");
            };
            assert_eq!((to, bytes.len()), (FROM, length));
            let Some(Hail::Answer(answer)) = decode(&bytes) else {
                panic!("no answer in it");
            };
            assert_eq!((answer.nonce, answer.way), (5, Way::Broadcast));
            assert_eq!(answer.wall, WallTime(1_763_680_000_000), "whole seconds");
        }
    }

    #[test]
    fn only_who_asks_by_unicast_is_answered_aloud() {
        let mut answerer = answerer();
        let mut aloud = |way| {
            matches!(
                ask(&mut answerer, 0, way, &question(Wish::Aloud)),
                Some(Reply::Aloud(_))
            )
        };
        assert_eq!(
            [Way::Group, Way::Broadcast, Way::Host, Way::Port].map(&mut aloud),
            [false, false, true, true]
        );
    }

    #[test]
    fn another_port_is_one_of_the_same_address() {
        let elsewhere = Question {
            answer_port: 77,
            ..question(Wish::Short)
        };
        let Some(Reply::To(to, _)) = ask(&mut answerer(), 0, Way::Port, &elsewhere) else {
            panic!("no answer");
        };
        assert_eq!(to, SocketAddrV4::new(*FROM.ip(), 77));
    }

    #[test]
    fn a_flood_is_answered_at_the_rate_and_counted() {
        let mut answerer = answerer();
        // A thousand a second for ten seconds.
        let answered = (0..10_000u64)
            .filter(|step| ask(&mut answerer, step * 1_000, Way::Group, &question(Wish::Short)).is_some())
            .count() as u64;
        assert!((BURST_MAX + 9 * PER_SECOND_MAX..=BURST_MAX + 10 * PER_SECOND_MAX).contains(&answered));
        let counters = answerer.counters();
        assert_eq!(
            (counters.answered, counters.too_many),
            (answered, 10_000 - answered)
        );
    }

    #[test]
    fn strangers_from_far_away_and_nonsense_are_counted_and_not_answered() {
        let mut answerer = answerer();
        let far = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 7), 53);
        let bytes = question(Wish::Short).encode();
        assert_eq!(answerer.hailed(Time(0), WALL, far, Way::Host, &bytes), None);
        assert_eq!(
            answerer.hailed(Time(0), WALL, FROM, Way::Host, b"hail, fellow"),
            None
        );
        let other = Question {
            group: 10,
            ..question(Wish::Short)
        };
        assert_eq!(ask(&mut answerer, 0, Way::Group, &other), None);
        let counters = answerer.counters();
        assert_eq!(
            (counters.outside, counters.senseless, counters.answered),
            (1, 2, 0)
        );
    }
}
