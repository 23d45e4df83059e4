//! What the host counts, for `/ring -v` and the status.

use super::Driver;
use crate::host::chaos::Chaos;
use crate::host::hail::answerer::Answerer;

impl Driver {
    /// What went wrong or was dropped on this side of the core, by what it was.
    pub(super) fn counted(&self) -> Vec<(&'static str, u64)> {
        let net = self.net.counters();
        let chaos = self.chaos.as_ref().map(Chaos::counters).unwrap_or_default();
        let hails = self.hails.as_ref().map(Answerer::counters).unwrap_or_default();
        let mut counted = vec![
            ("datagram not read", net.read_errors),
            ("datagram not sent, no room", net.no_room),
            ("datagram not sent, refused", net.refused),
            ("datagram not sent, unreachable", net.unreachable),
            ("hail answered", hails.answered),
            ("hail beyond the rate", hails.too_many),
            ("hail from another network", hails.outside),
            ("hail not understood", hails.senseless),
            ("lost by chaos", chaos.dropped),
            ("doubled by chaos", chaos.doubled),
            ("lost by chaos, too many delayed", chaos.overflowed),
            ("notice of the moment not shown", self.notices.passing_lost()),
        ];
        counted.extend(self.streams.counters().list());
        counted.retain(|(_, count)| *count > 0);
        counted
    }
}
