//! Sessions: what a node remembers of each start of each peer, so that nothing recorded counts as fresh.
//!
//! A *session* is one start of one peer: a member and a salt. It begins unconfirmed: the datagrams are authentic,
//! but may have been recorded long ago. So nothing of it is believed; it is answered with a *hello* that carries a
//! nonce drawn for this session. A hello that brings the nonce back was made after that, and confirms the
//! session: all that is counted above it is fresh, what is at or below it is refused for ever, and each counter is
//! taken once. Both sides do this at the same time, in three datagrams:
//!
//! | from | to | hello |
//! |---|---|---|
//! | B, who heard A | A | nonce of B |
//! | A | B | nonce of A, echo of B's |
//! | B | A | nonce of B, echo of A's, "I have confirmed you" |
//!
//! Whoever is not confirmed sends its hello again when it hears the other again; whoever is asked answers. A
//! recorded hello is answered as well, one for one, and confirms nothing.
//!
//! The commit token carries a *binding*: a digest of the proposed ring and of the salt of each of its members, as
//! its sender knows them. A receiver that knows other salts refuses it. So a ring is agreed on by starts, not only
//! by names.
//!
//! Bounds: 1,024 confirmed sessions (twice the members of a ring) and 256 unconfirmed ones, 4 KiB of window for
//! each confirmed one. Beyond that the one not heard for longest is forgotten, and has to confirm itself again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::key::{KeyName, Keys};
use super::window::Window;
use super::{Cipher, Head, SALT_BYTES, Salt, To, Way, start_key};
use crate::bugs::{self, Bug};
use crate::wire::codec::{Reader, Writer};
use crate::wire::{Body, Commit, Refused};
use crate::words::{Member, Time};

/// The kind of a hello. It is the seal's own business, so it is no [`Body`].
pub const HELLO: u8 = 17;
/// What a hello says: two nonces and a flag.
const HELLO_BYTES: usize = 17;
/// The kind of a commit token.
const COMMIT: u8 = 6;
/// Confirmed sessions that are remembered.
const CONFIRMED_MAX: usize = 2 * crate::wire::MEMBERS_MAX;
/// Unconfirmed ones.
const UNCONFIRMED_MAX: usize = 256;
/// How long a session that was sent a hello is not sent another one unasked, in microseconds.
const HELLO_PAUSE_US: u64 = 5_000;
/// Keys that are kept ready for one session: the one in use, and the one before.
const CIPHERS_MAX: usize = 2;
/// The length of a binding.
const BINDING_BYTES: usize = 16;

/// The random bytes that a start of a node is given: salt and secret.
pub const SEED_BYTES: usize = 32;

/// What a start of a node needs to seal and open.
#[derive(Clone)]
pub struct SealSettings {
    /// The group keys.
    pub keys: Keys,
    /// Random bytes, new for each start.
    pub seed: [u8; SEED_BYTES],
    /// Where unicast datagrams reach this node, which is also where all of its datagrams come from.
    pub address: SocketAddrV4,
}

impl fmt::Debug for SealSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealSettings({:?}, {})", self.keys, self.address)
    }
}

/// A question for freshness, and the answer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hello {
    /// The sender's nonce for this session: to be echoed.
    nonce: u64,
    /// The receiver's nonce, as far as the sender knows it; 0: it does not.
    echo: u64,
    /// The sender has confirmed the receiver, and needs no answer.
    confirmed: bool,
}

impl Hello {
    fn read(body: Bytes) -> Result<Hello, Refused> {
        let mut from = Reader::new(body);
        let hello = Hello {
            nonce: from.u64()?,
            echo: from.u64()?,
            confirmed: from.bool()?,
        };
        from.end()?;
        Ok(hello)
    }

    fn write(&self, out: &mut Writer) {
        out.u64(self.nonce);
        out.u64(self.echo);
        out.u8(u8::from(self.confirmed));
    }
}

/// One start of a peer.
#[derive(Clone, Debug)]
struct Session {
    ciphers: Vec<(KeyName, Cipher)>,
    /// What it has to echo.
    nonce: u64,
    /// What it wants echoed; 0: not known.
    theirs: u64,
    /// There once it is confirmed.
    window: Option<Window>,
    /// It is not sent a hello unasked before that.
    hello_at: Time,
    /// Rises with each datagram of any session.
    heard: u64,
}

impl Session {
    fn cipher(&self, name: KeyName) -> Option<&Cipher> {
        let found = self.ciphers.iter().find(|(of, _)| *of == name);
        found.map(|(_, cipher)| cipher)
    }

    fn keep(&mut self, name: KeyName, cipher: Cipher) {
        if self.ciphers.len() == CIPHERS_MAX {
            self.ciphers.remove(0);
        }
        self.ciphers.push((name, cipher));
    }
}

/// What came of a datagram that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Fresh, from this member.
    Said(Member, Body),
    /// It was the seal's own business, or an own datagram.
    Nothing,
}

/// A start and the session that is known of it.
type Id = (Member, Salt);

/// All sessions of a start of a node, and its own side of them.
#[derive(Clone, Debug)]
pub struct Sessions {
    group: u32,
    address: SocketAddrV4,
    keys: Keys,
    me: Member,
    salt: Salt,
    /// All nonces come from it.
    secret: Zeroizing<[u8; SEED_BYTES - SALT_BYTES]>,
    drawn: u64,
    cipher: Cipher,
    /// The counter of the next datagram.
    counter: u64,
    sessions: BTreeMap<Id, Session>,
    /// The confirmed session of each member.
    confirmed: BTreeMap<Member, Salt>,
    heard: u64,
    answers: Vec<(SocketAddrV4, Bytes)>,
}

impl Sessions {
    /// A start that knows nobody.
    pub fn new(group: u32, me: Member, settings: SealSettings) -> Sessions {
        let (salt, secret) = settings.seed.split_at(SALT_BYTES);
        let salt = Salt(salt.try_into().expect("a salt has its length"));
        let secret = Zeroizing::new(secret.try_into().expect("the rest is the secret"));
        Sessions {
            group,
            address: settings.address,
            cipher: start_key(settings.keys.first(), me, salt),
            keys: settings.keys,
            me,
            salt,
            secret,
            drawn: 0,
            counter: 0,
            sessions: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            heard: 0,
            answers: Vec::new(),
        }
    }

    /// This node takes another incarnation. The salt stays and the counter goes on, under another key.
    pub fn rename(&mut self, me: Member) {
        self.me = me;
        self.cipher = start_key(self.keys.first(), me, self.salt);
    }

    /// Other keys from now on. Sessions stay: their counters go on, whatever the key.
    pub fn rekey(&mut self, keys: Keys) {
        self.cipher = start_key(keys.first(), self.me, self.salt);
        self.keys = keys;
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where this node is.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// How many sessions are remembered, confirmed and in all.
    pub fn count(&self) -> (usize, usize) {
        (self.confirmed.len(), self.sessions.len())
    }

    /// The datagram that says `body`.
    pub fn seal(&mut self, to: To, body: &Body) -> Bytes {
        let mut binding = None;
        if let Body::Commit(commit) = body {
            // Without knowing a member's start it would be refused: it is not proposed before it was heard.
            binding = Some(self.binding(commit).unwrap_or_default());
        }
        self.seal_as(to, body.kind(), body.room(), |out| {
            body.write(out);
            binding
                .iter()
                .for_each(|binding| out.bytes.extend_from_slice(binding));
        })
    }

    fn seal_as(&mut self, to: To, kind: u8, room: usize, write: impl FnOnce(&mut Writer)) -> Bytes {
        let head = Head {
            kind,
            group: self.group,
            sender: self.me,
            key: self.keys.first().name(),
            salt: self.salt,
            counter: self.counter,
        };
        self.counter += 1;
        let from = self.address;
        head.seal(&self.cipher, Way { from, to }, room, write)
    }

    /// Opens a datagram that came from there, through the group or to this node's own port.
    pub fn open(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        multicast: bool,
        bytes: Bytes,
    ) -> Result<Opened, Refused> {
        let head = Head::read(self.group, &bytes)?;
        let key = self.keys.by_name(head.key).ok_or(Refused::OtherKey)?;
        if head.salt == self.salt {
            return Ok(Opened::Nothing);
        }
        let id = (head.sender, head.salt);
        let known = self.sessions.get(&id);
        let window = known.and_then(|session| session.window.as_ref());
        if window.is_some_and(|window| window.has_seen(head.counter)) {
            // Not even worth the work of verifying it.
            return Err(Refused::Replayed);
        }
        let to = match multicast {
            true => To::Group,
            false => To::Node(self.address),
        };
        let way = Way { from, to };
        let (body, cipher) = match known.and_then(|session| session.cipher(head.key)) {
            Some(cipher) => (head.open(cipher, way, bytes)?, None),
            None => {
                let cipher = start_key(key, head.sender, head.salt);
                (head.open(&cipher, way, bytes)?, Some(cipher))
            }
        };
        self.hear(now, id, cipher.map(|cipher| (head.key, cipher)));
        if head.kind == HELLO {
            let hello = Hello::read(body)?;
            self.on_hello(now, id, head.counter, from, hello)?;
            return Ok(Opened::Nothing);
        }
        let session = self.sessions.get_mut(&id).expect("it was just heard");
        match &mut session.window {
            None if bugs::on(Bug::HeardIsFresh) => {
                session.window = Some(Window::after(head.counter));
                self.confirm(id);
            }
            None => {
                if session.hello_at <= now {
                    self.say_hello(now, id, from);
                }
                return Err(Refused::NotFresh);
            }
            Some(window) => assert!(window.take(head.counter), "it was just seen to be new"),
        }
        self.read(head, body)
    }

    /// Reads what is fresh.
    fn read(&self, head: Head, body: Bytes) -> Result<Opened, Refused> {
        let (body, binding) = split_binding(head.kind, body)?;
        let body = read_body(head.kind, body)?;
        if let Body::Commit(commit) = &body
            && binding.is_none_or(|binding| self.binding(commit) != Some(binding))
        {
            return Err(Refused::OtherNonces);
        }
        Ok(Opened::Said(head.sender, body))
    }

    /// What is to be sent in answer, to whom; empties the list.
    pub fn take_answers(&mut self) -> Vec<(SocketAddrV4, Bytes)> {
        std::mem::take(&mut self.answers)
    }

    /// Something authentic came from a start, perhaps of long ago.
    fn hear(&mut self, now: Time, id: Id, cipher: Option<(KeyName, Cipher)>) {
        self.heard += 1;
        if !self.sessions.contains_key(&id) {
            self.forget_unconfirmed();
            let nonce = self.draw();
            let session = Session {
                ciphers: Vec::with_capacity(1),
                nonce,
                theirs: 0,
                window: None,
                hello_at: now,
                heard: 0,
            };
            self.sessions.insert(id, session);
        }
        let session = self.sessions.get_mut(&id).expect("it was just put there");
        session.heard = self.heard;
        if let Some((name, cipher)) = cipher {
            session.keep(name, cipher);
        }
    }

    /// A hello came. It is fresh if it echoes this session's nonce.
    fn on_hello(
        &mut self,
        now: Time,
        id: Id,
        counter: u64,
        from: SocketAddrV4,
        hello: Hello,
    ) -> Result<(), Refused> {
        let session = self.sessions.get_mut(&id).expect("it was just heard");
        session.theirs = hello.nonce;
        match &mut session.window {
            Some(window) => assert!(window.take(counter), "it was just seen to be new"),
            None if hello.echo == session.nonce => {
                session.window = Some(Window::after(counter));
                self.confirm(id);
            }
            None => {}
        }
        let is_confirmed = self.sessions[&id].window.is_some();
        if !is_confirmed || !hello.confirmed {
            self.say_hello(now, id, from);
        }
        Ok(())
    }

    fn say_hello(&mut self, now: Time, id: Id, to: SocketAddrV4) {
        let session = self.sessions.get_mut(&id).expect("only who was heard is greeted");
        session.hello_at = now.after_us(HELLO_PAUSE_US);
        let hello = Hello {
            nonce: session.nonce,
            echo: session.theirs,
            confirmed: session.window.is_some(),
        };
        let bytes = self.seal_as(To::Node(to), HELLO, HELLO_BYTES, |out| hello.write(out));
        self.answers.push((to, bytes));
    }

    /// A session is the one of its member from now on.
    fn confirm(&mut self, id: Id) {
        let (member, salt) = id;
        if let Some(before) = self.confirmed.insert(member, salt) {
            self.sessions.remove(&(member, before));
        }
        if self.confirmed.len() > CONFIRMED_MAX {
            let confirmed = self.confirmed.iter().map(|(member, salt)| (*member, *salt));
            let others = confirmed.filter(|other| *other != id);
            let oldest = others.min_by_key(|other| self.sessions[other].heard);
            if let Some(oldest) = oldest {
                self.sessions.remove(&oldest);
                self.confirmed.remove(&oldest.0);
            }
        }
    }

    /// Makes room for one more unconfirmed session.
    fn forget_unconfirmed(&mut self) {
        if self.sessions.len() - self.confirmed.len() < UNCONFIRMED_MAX {
            return;
        }
        let unconfirmed = self
            .sessions
            .iter()
            .filter(|(_, session)| session.window.is_none());
        let oldest = unconfirmed.min_by_key(|(_, session)| session.heard);
        if let Some(oldest) = oldest.map(|(id, _)| *id) {
            self.sessions.remove(&oldest);
        }
    }

    /// A nonce that was never used in this start. Never 0.
    fn draw(&mut self) -> u64 {
        let bytes = self.draw_bytes();
        u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes are eight")).max(1)
    }

    /// Random bytes that were never used in this start.
    pub fn draw_bytes(&mut self) -> [u8; 16] {
        self.drawn += 1;
        let mut digest = Sha256::new();
        digest.update(b"roda 1 nonce");
        digest.update(&self.secret[..]);
        digest.update(self.drawn.to_le_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        digest[..16].try_into().expect("sixteen bytes are sixteen")
    }

    /// The digest that ties a proposed ring to the starts of its members; `None` if one of them is not known.
    fn binding(&self, commit: &Commit) -> Option<[u8; BINDING_BYTES]> {
        let mut all = Writer::default();
        all.bytes.extend_from_slice(b"roda 1 ring");
        all.ring(commit.ring);
        for row in &commit.rows {
            let salt = match row.member == self.me {
                true => self.salt,
                false => *self.confirmed.get(&row.member)?,
            };
            all.member(row.member);
            all.bytes.extend_from_slice(&salt.0);
        }
        let digest: [u8; 32] = Sha256::digest(&all.bytes).into();
        digest[..BINDING_BYTES].try_into().ok()
    }
}

/// Takes the binding off the end of a commit token.
pub(super) fn split_binding(
    kind: u8,
    mut body: Bytes,
) -> Result<(Bytes, Option<[u8; BINDING_BYTES]>), Refused> {
    if kind != COMMIT {
        return Ok((body, None));
    }
    let at = body.len().checked_sub(BINDING_BYTES).ok_or(Refused::Truncated)?;
    let binding = body.split_off(at);
    Ok((body, binding[..].try_into().ok()))
}

/// Reads a body to its end.
pub(super) fn read_body(kind: u8, body: Bytes) -> Result<Body, Refused> {
    let mut from = Reader::new(body);
    let body = Body::read(kind, &mut from)?;
    from.end()?;
    Ok(body)
}

#[cfg(test)]
mod tests;
