//! Pulling: finding out over a stream what a peer has and the own side lacks, and fetching it.
//!
//! First everything is compared, from the whole down to the ranges that differ, then what is wanted is fetched in
//! bounded portions. No I/O and no clock: who pulls carries the frames, a node as well as a reconciler.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::replica::content::ContentView;
use crate::replica::digest::{Digest, Range, Summary};
use crate::replica::frames::{Frame, first_intervals};
use crate::replica::record::RecordView;
use crate::replica::{PositionSet, Record};

/// How many ranges may wait to be compared.
const RANGES_MAX: usize = 4_096;
/// How many comparisons one pull makes: more than any two histories need, so that a peer that splits ranges for
/// ever is left.
const COMPARISONS_MAX: u32 = 65_536;

/// What is pulled from one peer.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Ranges still to be compared.
    todo: Vec<Range>,
    comparisons: u32,
    /// What the peer has and the own side lacks.
    wanted: PositionSet,
    received: u64,
    total: u64,
    /// Something was not compared, or not fetched.
    left_out: bool,
    /// A question is under way, or the stream is not open yet.
    asked: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// To be sent.
    Ask(Frame),
    /// Nothing until an answer comes or there is room.
    Wait,
    /// All is compared and fetched.
    Over,
}

/// What an answer brought.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// Records that were asked for, sound as far as they themselves tell.
    pub records: Vec<Record>,
    /// The rooms in which they were said.
    pub rooms: BTreeSet<String>,
    /// Lines that are no records.
    pub unreadable: u64,
}

/// The peer answered what was not asked: its stream is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTurn;

impl Default for Pull {
    fn default() -> Pull {
        Pull {
            todo: vec![Digest::whole()],
            comparisons: 0,
            wanted: PositionSet::new(),
            received: 0,
            total: 0,
            left_out: false,
            asked: true,
        }
    }
}

impl Pull {
    /// The stream is open: questions can be asked.
    pub fn connected(&mut self) {
        self.asked = false;
    }

    /// How many records came, and how many there are to come in all, as far as known.
    pub fn progress(&self) -> (u64, u64) {
        (self.received, self.total)
    }

    /// Whether something is still wanted.
    pub fn is_wanting(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether all that the peer had was compared and fetched.
    pub fn is_exhaustive(&self) -> bool {
        self.todo.is_empty() && !self.is_wanting() && !self.left_out
    }

    /// Something that the peer has is not taken.
    pub fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// An answer came. `digest` is the own one; `lacking` says which of the peer's positions are wanted.
    pub fn answered(
        &mut self,
        frame: Frame,
        digest: &Digest,
        lacking: impl FnOnce(&PositionSet) -> PositionSet,
    ) -> Result<Brought, OutOfTurn> {
        if !std::mem::take(&mut self.asked) {
            return Err(OutOfTurn);
        }
        match frame {
            Frame::Same => {}
            Frame::Has(positions) => {
                self.wanted.union_with(&lacking(&positions));
                self.total = self.received.saturating_add(self.wanted.len());
            }
            Frame::Parts(parts) => self.compare(parts, digest),
            Frame::Records(lines) => return Ok(self.take(&lines)),
            Frame::Compare(..) | Frame::Fetch(_) => return Err(OutOfTurn),
        }
        Ok(Brought::default())
    }

    /// Notes the parts that differ and in which the peer has something.
    fn compare(&mut self, parts: Vec<(Range, Summary)>, digest: &Digest) {
        for (range, theirs) in parts {
            let differs = digest.summary(range) != theirs && theirs.count > 0;
            if differs && self.todo.len() < RANGES_MAX {
                self.todo.push(range);
            } else if differs {
                self.left_out = true;
            }
        }
    }

    /// Takes what was asked for out of what came. The contents of a portion share one piece of memory.
    fn take(&mut self, lines: &[Bytes]) -> Brought {
        let mut brought = Brought::default();
        let (mut contents, mut found) = (Vec::new(), Vec::with_capacity(lines.len()));
        let mut taken = false;
        for line in lines {
            let Ok(RecordView { id, position, body }) = RecordView::parse(line) else {
                brought.unreadable += 1;
                continue;
            };
            if !self.wanted.remove(position) {
                continue;
            }
            taken = true;
            let start = contents.len();
            contents.push(b'{');
            contents.extend_from_slice(body);
            contents.push(b'}');
            match ContentView::from_bytes(&contents[start..]) {
                Ok(view) => {
                    self.received += 1;
                    if !brought.rooms.contains(&*view.room) {
                        brought.rooms.insert(view.room.into_owned());
                    }
                    found.push((id, position, start..contents.len()));
                }
                Err(_) => contents.truncate(start),
            }
        }
        let contents = Bytes::from(contents);
        let records = found.into_iter().map(|(id, position, place)| Record {
            id,
            position,
            content: contents.slice(place),
        });
        brought.records.extend(records);
        if !taken {
            // The peer has none of what it said: asking again would go on for ever.
            self.left_out |= self.is_wanting();
            self.wanted = PositionSet::new();
        }
        brought
    }

    /// The next question: first all comparisons, then the records, these only if there is `room` for them.
    pub fn next(&mut self, digest: &Digest, room: bool) -> Next {
        if self.asked {
            return Next::Wait;
        }
        if self.comparisons == COMPARISONS_MAX {
            self.left_out |= !self.todo.is_empty();
            self.todo.clear();
        }
        if let Some(range) = self.todo.pop() {
            self.asked = true;
            self.comparisons += 1;
            return Next::Ask(Frame::Compare(range, digest.summary(range)));
        }
        if self.wanted.is_empty() {
            return Next::Over;
        }
        if !room {
            return Next::Wait;
        }
        self.asked = true;
        Next::Ask(Frame::Fetch(first_intervals(&self.wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::serving::compare;
    use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

    fn record(seq: u64) -> Record {
        let leader = Member {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        let ring = RingId {
            epoch: Epoch(1),
            leader,
        };
        let id = MessageId {
            sender: leader,
            counter: seq,
        };
        let content = r#"{"from":1,"name":"a","room":"r","sent":"s","text":"t"}"#;
        let position = Position { ring, seq: Seq(seq) };
        Record::new(id, position, Bytes::from_static(content.as_bytes())).unwrap()
    }

    /// Positions and digest of these numbers.
    fn books(seqs: impl Iterator<Item = u64>) -> (PositionSet, Digest) {
        let (mut held, mut digest) = (PositionSet::new(), Digest::default());
        for record in seqs.map(record) {
            held.insert(record.position);
            digest.add(&record);
        }
        (held, digest)
    }

    fn pull(mine: &(PositionSet, Digest), theirs: &(PositionSet, Digest)) -> Vec<u64> {
        let (mut pull, mut got) = (Pull::default(), Vec::new());
        assert_eq!(pull.next(&mine.1, true), Next::Wait, "not before it is connected");
        pull.connected();
        loop {
            let answer = match pull.next(&mine.1, true) {
                Next::Ask(Frame::Compare(range, summary)) => compare(&theirs.1, &theirs.0, range, summary),
                Next::Ask(Frame::Fetch(wanted)) => {
                    let lines = wanted.positions().take(100);
                    Frame::Records(lines.map(|at| record(at.seq.0).line().into()).collect())
                }
                Next::Ask(other) => panic!("{other:?} is no question"),
                Next::Wait => panic!("nothing is under way"),
                Next::Over => {
                    assert!(pull.is_exhaustive(), "all was compared and fetched");
                    return got;
                }
            };
            let brought = pull.answered(answer, &mine.1, |has| has.difference(&mine.0));
            got.extend(
                brought
                    .unwrap()
                    .records
                    .iter()
                    .map(|record| record.position.seq.0),
            );
        }
    }

    #[test]
    fn what_the_peer_has_more_is_fetched_and_nothing_else() {
        // Each third is missing: far more holes than one frame can name.
        let mine = books((0..9_000).filter(|n| n % 3 > 0));
        let theirs = books((0..9_000).filter(|n| n % 7 > 0));
        let mut got = pull(&mine, &theirs);
        got.sort_unstable();
        let expected: Vec<u64> = (0..9_000).filter(|n| n % 3 == 0 && n % 7 > 0).collect();
        assert_eq!(got, expected);
        assert_eq!(pull(&mine, &mine), [0; 0]);
    }

    #[test]
    fn a_peer_that_never_gives_what_it_has_is_left() {
        let (mine, theirs) = (books(0..0), books(0..5));
        let mut pull = Pull::default();
        pull.connected();
        pull.next(&mine.1, true);
        pull.answered(Frame::Has(theirs.0.clone()), &mine.1, Clone::clone)
            .unwrap();
        assert_eq!(pull.next(&mine.1, false), Next::Wait, "no room");
        assert!(matches!(pull.next(&mine.1, true), Next::Ask(Frame::Fetch(_))));
        let strange = Frame::Records(vec![record(77).line().into(), Bytes::from_static(b"x")]);
        let brought = pull.answered(strange, &mine.1, Clone::clone).unwrap();
        assert_eq!((brought.records.len(), brought.unreadable), (0, 1));
        assert_eq!(pull.next(&mine.1, true), Next::Over);
        assert!(!pull.is_exhaustive(), "what it said to have is not here");
        assert_eq!(
            pull.answered(Frame::Same, &mine.1, Clone::clone).err(),
            Some(OutOfTurn)
        );
    }

    #[test]
    fn a_peer_that_splits_for_ever_is_left() {
        let mine = books(0..5);
        let mut pull = Pull::default();
        pull.connected();
        let mut asked = 0;
        while let Next::Ask(Frame::Compare(range, _)) = pull.next(&mine.1, true) {
            asked += 1;
            let parts = vec![
                (
                    range,
                    Summary {
                        count: 9,
                        hash: asked
                    }
                );
                16
            ];
            pull.answered(Frame::Parts(parts), &mine.1, Clone::clone).unwrap();
        }
        assert_eq!(asked, u64::from(COMPARISONS_MAX));
        assert!(!pull.is_exhaustive(), "not all was compared");
    }
}
