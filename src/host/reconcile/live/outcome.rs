//! What came of a reconciliation, as it is reported.

use super::Outcome;
use crate::node::round::Found;
use crate::reconcile::report::{self, LiveReplica};
use crate::reconcile::{ReplicaReport, Report};
use crate::replica::digest::Summary;
use crate::words::NodeId;

impl Outcome {
    /// Whether a node of this id answered.
    pub fn answered(&self, id: NodeId) -> bool {
        self.nodes.keys().any(|member| member.id == id)
    }

    /// Adds the live nodes to the report of the files at rest, and compares both.
    ///
    /// What all should be is what the replica with the most records is: who differs from that is said to differ.
    pub fn add_to(&self, report: &mut Report) {
        let held = |found: &Found| Summary {
            count: found.last.records,
            hash: found.last.hash,
        };
        let heard = self.nodes.values().filter(|found| !found.lost).map(held);
        let most = heard.chain(self.rest).max_by_key(|all| (all.count, all.hash));
        let Some(most) = most else {
            return;
        };
        if self.rest.is_some_and(|rest| rest != most) {
            let lacking = self.rest.map_or(0, |rest| most.count - rest.count);
            report.files_lack(lacking);
        }
        report.messages = report.messages.max(most.count);
        for (member, found) in &self.nodes {
            let lost = found.lost || self.unpulled.contains(member);
            let as_all = held(found) == most && found.last.out_of_order == 0;
            let as_before = (found.first.records, found.first.hash) == (found.last.records, found.last.hash)
                && found.first.out_of_order == found.last.out_of_order;
            report.replicas.push(ReplicaReport::of_live(LiveReplica {
                node: member.id.0,
                address: found.address,
                records: found.first.records,
                missing: found
                    .received()
                    .max(most.count.saturating_sub(found.first.records)),
                out_of_order: found.first.out_of_order,
                received: found.received(),
                result: match (lost, as_all, as_before) {
                    (true, ..) => report::Result::Lost,
                    (_, false, _) => report::Result::Differs,
                    (_, true, true) => report::Result::Equal,
                    (_, true, false) => report::Result::Rewritten,
                },
            }));
        }
        report.replicas.sort_by_key(|replica| replica.node);
    }
}
