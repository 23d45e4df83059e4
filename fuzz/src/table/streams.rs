//! The streams between a table's nodes: frames arrive in order, some of them changed, and streams break.

use roda::node::face::{Event, StreamAction, StreamEvent, StreamId};

use super::forged::altered;
use super::{End, SEATS, Table, address};
use crate::Script;

impl Table {
    pub(super) fn next_frame(&mut self) {
        if let Some(((seat, stream), event)) = self.frames.pop_front() {
            self.event(seat, Event::Stream(stream, event));
        }
    }

    /// The next frame arrives, perhaps changed, perhaps not at all.
    pub(super) fn frame(&mut self, script: &mut Script<'_>) {
        let how = script.byte() % 4;
        let Some((end, event)) = self.frames.pop_front() else {
            return;
        };
        match (how, event) {
            (0, event) => self.event(end.0, Event::Stream(end.1, event)),
            (1, StreamEvent::Frame(bytes)) => {
                let bytes = altered(&bytes, 0, script);
                self.event(end.0, Event::Stream(end.1, StreamEvent::Frame(bytes)));
            }
            (2, _) => self.close(end),
            (_, event) => self.frames.push_back((end, event)),
        }
    }

    pub(super) fn close(&mut self, end: End) {
        let Some(at) = self.streams.iter().position(|(a, b)| *a == end || *b == end) else {
            return;
        };
        let (a, b) = self.streams.swap_remove(at);
        for (seat, stream) in [a, b] {
            self.event(seat, Event::Stream(stream, StreamEvent::Closed));
        }
    }

    pub(super) fn stream(&mut self, end: End, action: StreamAction) {
        let peer = |streams: &[(End, End)]| {
            let pair = streams.iter().find(|(a, b)| *a == end || *b == end)?;
            Some(if pair.0 == end { pair.1 } else { pair.0 })
        };
        match action {
            StreamAction::Connect(there) => {
                let to = usize::from(there.ip().octets()[3]).wrapping_sub(1);
                if to >= SEATS {
                    self.frames.push_back((end, StreamEvent::Closed));
                    return;
                }
                self.next_stream += 2;
                let other = (to, StreamId(self.next_stream | 1));
                self.streams.push((end, other));
                self.frames.push_back((
                    other,
                    StreamEvent::Accepted {
                        from: address(end.0, 9_000),
                    },
                ));
                self.frames.push_back((end, StreamEvent::Connected));
            }
            StreamAction::Send(bytes) => {
                if let Some(frames) = &mut self.framed {
                    frames.push(bytes.clone());
                }
                if let Some(other) = peer(&self.streams) {
                    self.frames.push_back((other, StreamEvent::Frame(bytes)));
                }
            }
            StreamAction::Close => {
                if let Some(other) = peer(&self.streams) {
                    self.streams.retain(|(a, b)| *a != end && *b != end);
                    self.frames.push_back((other, StreamEvent::Closed));
                }
            }
        }
    }
}
