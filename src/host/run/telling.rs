//! Who is told events: whoever reads stdout with `--json`, who follows the feed, and a recording. Each event is made
//! once, and only if somebody wants it.

use std::sync::Arc;

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::events::{self, Kind, Mark, Teller, Told};
use crate::host::feed::Feed;
use crate::host::terminal::view::Shown;
use crate::node::face::Notice;

/// The places that events go to.
pub struct Telling {
    teller: Teller,
    /// Stdout is events.
    json: bool,
    feed: Option<Feed>,
}

impl Telling {
    /// Tells events as these options want it.
    pub fn new(options: &NodeOptions, feed: Option<Feed>) -> Telling {
        Telling {
            teller: Teller::new(options.id),
            json: options.json,
            feed,
        }
    }

    /// Tells a notice of the core. Returns what stdout is to show of it.
    pub fn notice(&mut self, notice: &Notice) -> Option<Shown> {
        self.tell(events::kind(notice), |mark| events::notice(notice, mark))
    }

    /// Tells an event, if anybody wants it. Returns what stdout is to show of it.
    pub fn tell(&mut self, kind: Kind, make: impl FnOnce(Mark) -> String) -> Option<Shown> {
        if !self.json && self.feed.is_none() {
            return None;
        }
        let mark = self.teller.next(clock::now(), clock::wall());
        let line = make(mark);
        if let Some(feed) = &self.feed {
            feed.publish(Told {
                mark,
                line: Arc::from(line.as_str()),
                kind,
            });
        }
        self.json.then_some(Shown::Data(line))
    }
}
