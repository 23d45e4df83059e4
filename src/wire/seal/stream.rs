//! Sealed streams: two greetings, then numbered chunks up to an end that is authenticated as well.
//!
//! Who opened the stream greets first: the name of its key, its member, and a nonce drawn for this stream. The
//! other one answers in kind, with an empty chunk behind, which shows that it has the key. Each direction has a key
//! of its own: HKDF-SHA256 of the group key, both nonces, the group and both members. So nothing of an earlier
//! stream fits, whoever recorded it. A chunk is its sort, the sealed frame, and the tag; sort and number are the
//! nonce, so chunks cannot be exchanged, left out or sent again. The last chunk is an *end*: a stream that closes
//! without it was cut off.

use bytes::{Bytes, BytesMut};

use super::key::{GroupKey, KeyName, Keys};
use super::{Cipher, TAG_BYTES};
use crate::wire::codec::{Reader, Writer};
use crate::wire::{Refused, VERSION};
use crate::words::Member;

/// How a greeting begins.
const MAGIC: &[u8; 3] = b"ros";
/// The length of a nonce.
const NONCE_BYTES: usize = 16;
/// The sort of a chunk: a frame.
const FRAME: u8 = 0;
/// The sort of a chunk: the last one.
const END: u8 = 1;

/// Who speaks on a stream, and how it is to be kept apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Greeting {
    group: u32,
    key: KeyName,
    member: Member,
    nonce: [u8; NONCE_BYTES],
}

impl Greeting {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes.extend_from_slice(MAGIC);
        out.u8(VERSION);
        out.u32(self.group);
        out.u32(self.key.0);
        out.member(self.member);
        out.bytes.extend_from_slice(&self.nonce);
        out.bytes
    }

    /// Reads a greeting; what follows it is left.
    fn read(from: &mut Reader) -> Result<Greeting, Refused> {
        let magic = [from.u8()?, from.u8()?, from.u8()?];
        if &magic != MAGIC {
            return Err(Refused::NoKey);
        }
        match from.u8()? {
            VERSION => {}
            other => return Err(Refused::ForeignVersion(other)),
        }
        let (group, key, member) = (from.u32()?, KeyName(from.u32()?), from.member()?);
        let mut nonce = [0; NONCE_BYTES];
        for byte in &mut nonce {
            *byte = from.u8()?;
        }
        Ok(Greeting {
            group,
            key,
            member,
            nonce,
        })
    }
}

/// One direction of a stream.
#[derive(Clone, Debug)]
struct Direction {
    cipher: Cipher,
    next: u64,
}

impl Direction {
    fn nonce(&mut self, sort: u8) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[0] = sort;
        nonce[4..].copy_from_slice(&self.next.to_le_bytes());
        self.next += 1;
        nonce
    }

    fn seal(&mut self, sort: u8, frame: &[u8]) -> Vec<u8> {
        let mut chunk = Vec::with_capacity(1 + frame.len() + TAG_BYTES);
        chunk.push(sort);
        chunk.extend_from_slice(frame);
        let nonce = self.nonce(sort);
        let tag = self.cipher.seal(nonce, &[], &mut chunk[1..]);
        chunk.extend_from_slice(&tag);
        chunk
    }

    fn open(&mut self, chunk: Bytes) -> Result<(u8, Bytes), Refused> {
        let end = chunk
            .len()
            .checked_sub(TAG_BYTES)
            .filter(|end| *end > 0)
            .ok_or(Refused::Truncated)?;
        let mut chunk = chunk
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let tag = chunk[end..].try_into().expect("a tag has its length");
        let sort = chunk[0];
        let nonce = self.nonce(sort);
        self.cipher.open(nonce, &[], &mut chunk[1..end], tag)?;
        Ok((sort, chunk.freeze().slice(1..end)))
    }
}

/// How far a stream is.
#[derive(Clone, Debug)]
enum State {
    /// Opened by the peer: its greeting is awaited.
    Awaited,
    /// Opened by this node, greeted: the answer is awaited.
    Greeted(Greeting),
    /// Both have greeted.
    Open { out: Direction, back: Direction },
    /// The peer has ended it, or this node has.
    Ended,
}

/// A stream's seal.
#[derive(Clone, Debug)]
pub struct SealedStream {
    state: State,
}

/// What came of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The peer greeted: this is to be sent back.
    Answer(Bytes),
    /// The peer answered: the stream can be used.
    Ready,
    /// A frame.
    Frame(Bytes),
    /// The peer has said all.
    End,
}

impl SealedStream {
    /// A stream that a peer opened.
    pub fn accepted() -> SealedStream {
        SealedStream {
            state: State::Awaited,
        }
    }

    /// A stream that this node opened, and the greeting to be sent.
    pub fn opened(group: u32, keys: &Keys, me: Member, nonce: [u8; NONCE_BYTES]) -> (SealedStream, Bytes) {
        let greeting = Greeting {
            group,
            key: keys.first().name(),
            member: me,
            nonce,
        };
        let stream = SealedStream {
            state: State::Greeted(greeting),
        };
        (stream, Bytes::from(greeting.to_bytes()))
    }

    /// Seals a frame; `None` if the stream is not open (any more).
    pub fn seal(&mut self, frame: &[u8]) -> Option<Bytes> {
        match &mut self.state {
            State::Open { out, .. } => Some(Bytes::from(out.seal(FRAME, frame))),
            State::Awaited | State::Greeted(_) | State::Ended => None,
        }
    }

    /// The last chunk, if one is due. Nothing can be sent after it.
    pub fn end(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Open { mut out, .. } => Some(Bytes::from(out.seal(END, &[]))),
            State::Awaited | State::Greeted(_) | State::Ended => None,
        }
    }

    /// Whether the stream would be cut off if it closed now.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Opens what arrived. After an error the stream is of no use: it is to be closed.
    ///
    /// `group`, `keys`, `me` and a fresh `nonce` are what this node answers a greeting with.
    pub fn receive(
        &mut self,
        group: u32,
        keys: &Keys,
        me: Member,
        nonce: [u8; NONCE_BYTES],
        frame: Bytes,
    ) -> Result<Unsealed, Refused> {
        match &mut self.state {
            State::Awaited => {
                let mut from = Reader::new(frame);
                let theirs = Greeting::read(&mut from)?;
                from.end()?;
                let key = keys.by_name(theirs.key).ok_or(Refused::OtherKey)?;
                if theirs.group != group {
                    return Err(Refused::ForeignGroup);
                }
                let mine = Greeting {
                    group,
                    key: theirs.key,
                    member: me,
                    nonce,
                };
                let (back, mut out) = directions(key, &theirs, &mine);
                let mut answer = mine.to_bytes();
                answer.extend(out.seal(FRAME, &[]));
                self.state = State::Open { out, back };
                Ok(Unsealed::Answer(Bytes::from(answer)))
            }
            State::Greeted(mine) => {
                let mut from = Reader::new(frame.clone());
                let theirs = Greeting::read(&mut from)?;
                let proof = frame.slice(frame.len() - from.remaining()..);
                let key = keys.by_name(mine.key).ok_or(Refused::OtherKey)?;
                if theirs.group != group || theirs.key != mine.key {
                    return Err(Refused::OtherKey);
                }
                let (out, mut back) = directions(key, mine, &theirs);
                back.open(proof)?;
                self.state = State::Open { out, back };
                Ok(Unsealed::Ready)
            }
            State::Open { back, .. } => match back.open(frame)? {
                (FRAME, frame) => Ok(Unsealed::Frame(frame)),
                (END, rest) if rest.is_empty() => {
                    self.state = State::Ended;
                    Ok(Unsealed::End)
                }
                _other => Err(Refused::BadField("sort of a chunk")),
            },
            State::Ended => Err(Refused::TrailingBytes),
        }
    }
}

/// The keys of both directions: from who opened the stream, and to it.
fn directions(key: &GroupKey, opener: &Greeting, other: &Greeting) -> (Direction, Direction) {
    let salt = [opener.nonce, other.nonce].concat();
    let direction = |number: u8| {
        let mut info = Writer::default();
        info.bytes.extend_from_slice(b"roda 1 stream");
        info.u32(opener.group);
        info.member(opener.member);
        info.member(other.member);
        info.u8(number);
        Direction {
            cipher: key.derive(&salt, &info.bytes),
            next: 0,
        }
    };
    (direction(0), direction(1))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::words::{Incarnation, NodeId};

    const GROUP: u32 = 7;

    fn keys(byte: u8) -> Keys {
        Keys::one(GroupKey::new(Zeroizing::new([byte; 32])))
    }

    fn member(id: u16) -> Member {
        Member {
            id: NodeId(id),
            incarnation: Incarnation(u64::from(id) * 1_000),
        }
    }

    fn take(stream: &mut SealedStream, id: u16, frame: Bytes) -> Result<Unsealed, Refused> {
        stream.receive(GROUP, &keys(1), member(id), [id as u8; 16], frame)
    }

    /// Both ends of an open stream, and all that was sent to get there.
    fn pair() -> (SealedStream, SealedStream, Bytes, Bytes) {
        let (mut opener, greeting) = SealedStream::opened(GROUP, &keys(1), member(2), [9; 16]);
        let mut other = SealedStream::accepted();
        let Ok(Unsealed::Answer(answer)) = take(&mut other, 3, greeting.clone()) else {
            panic!("a greeting is answered");
        };
        assert_eq!(take(&mut opener, 2, answer.clone()), Ok(Unsealed::Ready));
        (opener, other, greeting, answer)
    }

    #[test]
    fn frames_go_both_ways_until_the_end() {
        let (mut a, mut b, ..) = pair();
        for text in ["one", "two", ""] {
            let chunk = a.seal(text.as_bytes()).unwrap();
            assert!(text.is_empty() || !chunk.windows(3).any(|w| w == text.as_bytes()));
            assert_eq!(
                take(&mut b, 3, chunk),
                Ok(Unsealed::Frame(text.as_bytes().to_vec().into()))
            );
            let chunk = b.seal(text.as_bytes()).unwrap();
            assert_eq!(
                take(&mut a, 2, chunk),
                Ok(Unsealed::Frame(text.as_bytes().to_vec().into()))
            );
        }
        assert!(b.is_open(), "cut off here, it would be noticed");
        let end = a.end().unwrap();
        assert_eq!(take(&mut b, 3, end), Ok(Unsealed::End));
        assert!(!b.is_open() && b.seal(b"late").is_none() && a.end().is_none());
    }

    #[test]
    fn no_chunk_is_altered_left_out_exchanged_or_sent_again() {
        let (mut a, b, ..) = pair();
        let chunks: Vec<Bytes> = ["one", "two"]
            .iter()
            .filter_map(|t| a.seal(t.as_bytes()))
            .collect();
        let refused = |chunk: Bytes| take(&mut b.clone(), 3, chunk).unwrap_err();
        assert_eq!(refused(chunks[1].clone()), Refused::Forged);
        for at in 0..chunks[0].len() {
            let mut bad = chunks[0].to_vec();
            bad[at] ^= 1;
            assert_eq!(refused(bad.into()), Refused::Forged, "byte {at}");
        }
        for length in 0..chunks[0].len() {
            take(&mut b.clone(), 3, chunks[0].slice(..length)).unwrap_err();
        }
        let mut twice = b.clone();
        take(&mut twice, 3, chunks[0].clone()).unwrap();
        assert_eq!(take(&mut twice, 3, chunks[0].clone()), Err(Refused::Forged));
        let own = take(&mut a.clone(), 2, chunks[0].clone());
        assert_eq!(own, Err(Refused::Forged), "it does not go back the same way");
    }

    #[test]
    fn a_recorded_stream_cannot_be_played_again() {
        let (mut a, _, greeting, answer) = pair();
        let question = a.seal(b"question").unwrap();
        let mut other = SealedStream::accepted();
        let answered = other.receive(GROUP, &keys(1), member(3), [77; 16], greeting);
        assert!(matches!(answered, Ok(Unsealed::Answer(_))));
        assert_eq!(take(&mut other, 3, question), Err(Refused::Forged));
        let (mut again, _) = SealedStream::opened(GROUP, &keys(1), member(2), [10; 16]);
        assert_eq!(take(&mut again, 2, answer), Err(Refused::Forged));
    }

    #[test]
    fn other_keys_and_groups_are_refused_by_name() {
        let (_, greeting) = SealedStream::opened(GROUP, &keys(2), member(2), [9; 16]);
        assert_eq!(
            take(&mut SealedStream::accepted(), 3, greeting),
            Err(Refused::OtherKey)
        );
        let (_, greeting) = SealedStream::opened(GROUP + 1, &keys(1), member(2), [9; 16]);
        assert_eq!(
            take(&mut SealedStream::accepted(), 3, greeting),
            Err(Refused::ForeignGroup)
        );
        let plain = Bytes::from_static(&[1; 60]);
        assert_eq!(take(&mut SealedStream::accepted(), 3, plain), Err(Refused::NoKey));
    }
}
