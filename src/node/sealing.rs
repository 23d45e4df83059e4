//! Sealing, for a core: with a group key what it says is sealed and what it hears is opened, on datagrams and
//! streams alike; without one it is all in the clear, behind a checksum. The rest of the core knows no difference.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use bytes::Bytes;

use super::face::{Action, StreamAction, StreamEvent, StreamId};
use crate::wire::seal::key::Keys;
use crate::wire::seal::sessions::{Opened, SealSettings, Sessions};
use crate::wire::seal::stream::{SealedStream, Unsealed};
use crate::wire::seal::{To, Way, look};
use crate::wire::{self, Body, Refused};
use crate::words::{Member, Time};

/// The seal of one core.
#[derive(Clone, Debug)]
pub struct Sealing {
    group: u32,
    me: Member,
    /// None without a key.
    sessions: Option<Sessions>,
    streams: BTreeMap<StreamId, SealedStream>,
}

impl Sealing {
    /// The seal of `me`; without settings all is in the clear.
    pub fn new(group: u32, me: Member, settings: Option<SealSettings>) -> Sealing {
        Sealing {
            group,
            me,
            sessions: settings.map(|settings| Sessions::new(group, me, settings)),
            streams: BTreeMap::new(),
        }
    }

    /// The core takes another incarnation.
    pub fn rename(&mut self, me: Member) {
        self.me = me;
        self.sessions.iter_mut().for_each(|sessions| sessions.rename(me));
    }

    /// Other keys from now on. Whether there is a seal at all stays as it is.
    pub fn rekey(&mut self, keys: Keys) -> bool {
        let sessions = self.sessions.as_mut();
        sessions.map(|sessions| sessions.rekey(keys)).is_some()
    }

    /// The sessions, if there is a key.
    pub fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_ref()
    }

    /// The datagram that says `body`.
    pub fn datagram(&mut self, to: To, body: &Body) -> Bytes {
        match &mut self.sessions {
            Some(sessions) => sessions.seal(to, body),
            None => wire::encode(self.group, self.me, body),
        }
    }

    /// Opens a datagram; `None` if the core need not hear of it. What is to be sent in answer is in
    /// [`Sealing::take_answers`].
    pub fn open(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        multicast: bool,
        bytes: Bytes,
    ) -> Result<Option<(Member, Body)>, Refused> {
        let (sender, body) = match &mut self.sessions {
            None => wire::decode(self.group, bytes)?,
            Some(sessions) => match sessions.open(now, from, multicast, bytes)? {
                Opened::Said(sender, body) => (sender, body),
                Opened::Nothing => return Ok(None),
            },
        };
        // An own multicast that came back.
        Ok((sender != self.me).then_some((sender, body)))
    }

    /// What the seal itself has to say.
    pub fn take_answers(&mut self) -> Vec<(SocketAddrV4, Bytes)> {
        let sessions = self.sessions.as_mut();
        sessions.map_or(Vec::new(), Sessions::take_answers)
    }

    /// Reads a datagram that this core sent, for those who look on: nothing is remembered of it.
    pub fn look_sent(&self, to: To, bytes: Bytes) -> Result<(Member, Body), Refused> {
        match &self.sessions {
            Some(sessions) => {
                let from = sessions.address();
                look(self.group, sessions.keys(), Way { from, to }, bytes)
            }
            None => wire::decode(self.group, bytes),
        }
    }

    /// The same of one that arrived.
    pub fn look_received(
        &self,
        from: SocketAddrV4,
        multicast: bool,
        bytes: Bytes,
    ) -> Result<(Member, Body), Refused> {
        match &self.sessions {
            Some(sessions) => {
                let to = match multicast {
                    true => To::Group,
                    false => To::Node(sessions.address()),
                };
                look(self.group, sessions.keys(), Way { from, to }, bytes)
            }
            None => wire::decode(self.group, bytes),
        }
    }

    /// Something happened on a stream: what the core is to hear of it. What the seal has to send goes to `actions`.
    /// After an error the stream is closed, and the core is to hear that it is.
    pub fn stream_event(
        &mut self,
        stream: StreamId,
        event: StreamEvent,
        actions: &mut Vec<Action>,
    ) -> Result<Option<StreamEvent>, Refused> {
        let Some(sessions) = &mut self.sessions else {
            return Ok(Some(event));
        };
        match event {
            StreamEvent::Accepted { .. } => {
                self.streams.insert(stream, SealedStream::accepted());
                Ok(Some(event))
            }
            StreamEvent::Connected => {
                let nonce = sessions.draw_bytes();
                let (sealed, greeting) = SealedStream::opened(self.group, sessions.keys(), self.me, nonce);
                self.streams.insert(stream, sealed);
                actions.push(Action::Stream(stream, StreamAction::Send(greeting)));
                Ok(None)
            }
            StreamEvent::Frame(bytes) => {
                let Some(sealed) = self.streams.get_mut(&stream) else {
                    return Ok(None);
                };
                let (nonce, keys) = (sessions.draw_bytes(), sessions.keys());
                match sealed.receive(self.group, keys, self.me, nonce, bytes) {
                    Ok(Unsealed::Answer(answer)) => {
                        actions.push(Action::Stream(stream, StreamAction::Send(answer)));
                        Ok(None)
                    }
                    Ok(Unsealed::Ready) => Ok(Some(StreamEvent::Connected)),
                    Ok(Unsealed::Frame(frame)) => Ok(Some(StreamEvent::Frame(frame))),
                    // The stream itself closes in a moment.
                    Ok(Unsealed::End) => Ok(None),
                    Err(refused) => {
                        self.streams.remove(&stream);
                        actions.push(Action::Stream(stream, StreamAction::Close));
                        Err(refused)
                    }
                }
            }
            StreamEvent::Closed => match self.streams.remove(&stream) {
                Some(sealed) if sealed.is_open() => Err(Refused::CutOff),
                Some(_) | None => Ok(Some(event)),
            },
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, stream: StreamId, frame: Bytes, actions: &mut Vec<Action>) {
        let frame = match &self.sessions {
            None => Some(frame),
            Some(_) => self
                .streams
                .get_mut(&stream)
                .and_then(|sealed| sealed.seal(&frame)),
        };
        // A stream that is not open any more has told its end, or will.
        let send = frame.map(|frame| Action::Stream(stream, StreamAction::Send(frame)));
        actions.extend(send);
    }

    /// Closes a stream, with a proper end.
    pub fn close(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let sealed = self.streams.remove(&stream);
        let end = sealed.and_then(|mut sealed| sealed.end());
        let end = end.map(|end| Action::Stream(stream, StreamAction::Send(end)));
        actions.extend(end);
        actions.push(Action::Stream(stream, StreamAction::Close));
    }
}
