//! Serving: answers over a stream what another node asks of this replica.

use super::Node;
use super::face::{Action, Load, LoadId, StreamEvent, StreamId};
use crate::bugs::{self, Bug};
use crate::replica::digest::{Digest, Range, Summary};
use crate::replica::frames::{Frame, INTERVALS_MAX, PARTS_MAX};
use crate::replica::{PositionSet, Record};
use crate::words::Time;

/// The most streams served at once.
const SERVED_MAX: usize = 8;
/// The most questions to the disk under way for streams, those included that have closed meanwhile.
const LOADS_MAX: usize = 16;
/// About how many bytes of records go into one frame.
const RECORDS_BYTES: usize = 256 * 1024;

/// A stream that a peer opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    /// It waits for records from the disk: one question at a time.
    loading: bool,
}

impl Node {
    /// Something happened on a stream, opened by a peer or by this node.
    pub(super) fn on_stream(&mut self, now: Time, stream: StreamId, event: StreamEvent) {
        let event = match self.sealing.stream_event(stream, event, &mut self.actions) {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(refused) => {
                *self.refused.entry(refused.reason()).or_default() += 1;
                StreamEvent::Closed
            }
        };
        if self.catching_up.is_on(stream) {
            return self.on_catch_up_stream(now, event);
        }
        match event {
            StreamEvent::Accepted { .. } if self.serving.len() < SERVED_MAX => {
                self.serving.insert(stream, Serving::default());
            }
            StreamEvent::Accepted { .. } => {
                self.at_limit("stream not served");
                self.close(stream);
            }
            StreamEvent::Connected => self.close(stream),
            StreamEvent::Frame(bytes) => match Frame::from_bytes(bytes) {
                Ok(frame) => self.serve(stream, frame),
                Err(refused) => {
                    *self.refused.entry(refused.reason()).or_default() += 1;
                    self.close(stream);
                }
            },
            StreamEvent::Closed => {
                self.serving.remove(&stream);
            }
        }
    }

    pub(super) fn close(&mut self, stream: StreamId) {
        self.serving.remove(&stream);
        self.sealing.close(stream, &mut self.actions);
    }

    pub(super) fn send_frame(&mut self, stream: StreamId, frame: &Frame) {
        self.sealing.send(stream, frame.to_bytes(), &mut self.actions);
    }

    /// Answers one question; anything but a question closes the stream.
    fn serve(&mut self, stream: StreamId, frame: Frame) {
        let Some(serving) = self.serving.get_mut(&stream).filter(|serving| !serving.loading) else {
            return self.close(stream);
        };
        match frame {
            Frame::Compare(range, theirs) => {
                let answer = compare(&self.digest, &self.held, range, theirs);
                self.send_frame(stream, &answer);
            }
            // Who opens, asks and closes again and again must not fill the disk's queue.
            Frame::Fetch(_) if self.loads.len() >= LOADS_MAX => {
                self.at_limit("fetch not answered");
                self.close(stream);
            }
            Frame::Fetch(wanted) => {
                serving.loading = true;
                self.last_load = LoadId(self.last_load.0 + 1);
                self.loads.insert(self.last_load, stream);
                let load = Load {
                    wanted,
                    bytes_max: RECORDS_BYTES,
                };
                self.actions.push(Action::Load(self.last_load, load));
            }
            Frame::Same | Frame::Has(_) | Frame::Parts(_) | Frame::Records(_) => self.close(stream),
        }
    }

    /// The disk answered: the records go to who asked.
    pub(super) fn on_loaded(&mut self, _now: Time, load: LoadId, records: Vec<Record>) {
        let Some(stream) = self.loads.remove(&load) else {
            return;
        };
        let Some(serving) = self.serving.get_mut(&stream) else {
            return;
        };
        serving.loading = false;
        let lines = records.iter().map(|record| record.line().into()).collect();
        self.send_frame(stream, &Frame::Records(lines));
    }
}

/// What a replica answers to a comparison: nothing differs, its positions, or the summaries of the parts.
pub fn compare(digest: &Digest, held: &PositionSet, range: Range, theirs: Summary) -> Frame {
    let mine = digest.summary(range);
    let same = mine == theirs || bugs::on(Bug::DigestCountsOnly) && mine.count == theirs.count;
    if same {
        return Frame::Same;
    }
    let (first, last) = (range.from, range.to);
    let mut positions = PositionSet::new();
    let mut intervals = 0;
    for (ring, from, to) in held.ranges_between(first.ring(), last.ring()) {
        let lowest = if ring == first.ring() {
            from.max(first.seqs().0)
        } else {
            from
        };
        let highest = if ring == last.ring() {
            to.min(last.seqs().1)
        } else {
            to
        };
        if lowest <= highest {
            intervals += 1;
            if intervals > INTERVALS_MAX {
                return Frame::Parts(digest.split(range, PARTS_MAX));
            }
            positions.insert_range(ring, lowest, highest);
        }
    }
    Frame::Has(positions)
}
