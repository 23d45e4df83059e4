//! What a script prints: notices in words without times, and what several nodes tell alike told once.

use std::collections::VecDeque;

use super::command::TWIN;
use crate::node::face::{Exit, Notice};
use crate::sim::tell;
use crate::sim::world::Told;
use crate::words::NodeId;

/// What is told unless `hush` says otherwise. The rest, with `tell`: pending, request, grant, pass, held, caught-up,
/// progress, checkpoint.
pub(super) const TOLD: [&str; 14] = [
    "old-line",
    "message",
    "moved",
    "gathering",
    "ring",
    "fenced",
    "woke",
    "refused",
    "conflict",
    "reconciled",
    "warning",
    "key",
    "lab",
    "exit",
];

/// All topics that can be told or hushed.
pub(super) const TOPICS: [&str; 21] = [
    "old-line",
    "message",
    "moved",
    "gathering",
    "ring",
    "fenced",
    "woke",
    "refused",
    "conflict",
    "reconciled",
    "warning",
    "key",
    "exit",
    "pending",
    "request",
    "grant",
    "pass",
    "held",
    "caught-up",
    "progress",
    "checkpoint",
];

/// The topic of what was told; none for the answer to a question.
pub(super) fn topic(told: &Told) -> Option<&'static str> {
    let Told::Notice(notice) = told else {
        return Some("exit");
    };
    Some(match notice {
        Notice::Pending { tag: Some(_), .. } => "pending",
        Notice::Pending { tag: None, .. } | Notice::FoundOrdered { .. } | Notice::OfferedAgain { .. } => {
            "old-line"
        }
        Notice::Message { .. } => "message",
        Notice::Held { .. } => "held",
        Notice::Moved(_) => "moved",
        Notice::Request(_) => "request",
        Notice::Grant(..) => "grant",
        Notice::Pass(..) => "pass",
        Notice::Gathering(_) => "gathering",
        Notice::Ring { .. } => "ring",
        Notice::Fenced { .. } => "fenced",
        Notice::Woke { .. } => "woke",
        Notice::CatchingUp { .. } => "progress",
        Notice::CaughtUp { .. } => "caught-up",
        Notice::Conflict { .. } => "conflict",
        Notice::Refused { .. } => "refused",
        Notice::Checkpointed { .. } => "checkpoint",
        Notice::Reconciled { .. } => "reconciled",
        Notice::DiskFull(_) | Notice::DiskRoom | Notice::Warning(_) => "warning",
        Notice::Rekeyed(_) | Notice::Stranger(_) => "key",
        Notice::Lab(_) => "lab",
        Notice::Status(_) | Notice::Standing(_) | Notice::Trace { .. } => return None,
        Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. } => return None,
    })
}

/// What was told, in words that do not change with every microsecond.
pub(super) fn in_words(told: &Told) -> String {
    match told {
        Told::Notice(Notice::Gathering(why)) => {
            let without_times = why.reason.split(" for ").next().unwrap_or(&why.reason);
            format!("gathering: {without_times}")
        }
        Told::Notice(Notice::Woke { .. }) => "woke with an old token".to_string(),
        Told::Notice(Notice::Grant(..)) => "grant".to_string(),
        Told::Notice(Notice::Pass(_, _, to)) => format!("pass to {to}"),
        Told::Notice(notice) => tell::notice(notice),
        Told::Exit(exit) => exit_in_words(exit),
    }
}

fn exit_in_words(exit: &Exit) -> String {
    match exit {
        Exit::Left => "exits: left".to_string(),
        Exit::IdTaken { by, at, name } => {
            format!("exits: id {} is taken by {name} at {}", by.id, at.ip())
        }
        Exit::QuorumDiffers { theirs } => format!("exits: the group asks for a quorum of {theirs}"),
        Exit::MulticastFiltered => "exits: multicast is filtered here".to_string(),
        Exit::Superseded { by } => format!("exits: another incarnation of {} took its place", by.id),
    }
}

/// A node as scripts write it.
pub(super) fn name(node: NodeId) -> String {
    if node.0 > TWIN {
        format!("{}b", node.0 - TWIN)
    } else {
        node.to_string()
    }
}

/// Nodes as scripts write them.
pub(super) fn names<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
    let names: Vec<String> = nodes.into_iter().map(|node| name(*node)).collect();
    names.join(",")
}

/// Puts together what several nodes tell alike. Each node's own order is kept; the order between nodes, which
/// depends on microseconds, is not.
pub(super) fn fold(told: Vec<(NodeId, String)>) -> Vec<String> {
    let mut each: Vec<(NodeId, VecDeque<String>)> = Vec::new();
    for (node, text) in told {
        match each.iter_mut().find(|(other, _)| *other == node) {
            Some((_, texts)) => texts.push_back(text),
            None => each.push((node, VecDeque::from([text]))),
        }
    }
    each.sort_by_key(|(node, _)| *node);
    let mut folded = Vec::new();
    loop {
        let ready = |text: &String| {
            each.iter()
                .all(|(_, texts)| texts.front() == Some(text) || !texts.contains(text))
        };
        let mut heads = each.iter().filter_map(|(_, texts)| texts.front());
        let text = heads.clone().find(|text| ready(text)).or(heads.next());
        let Some(text) = text.cloned() else {
            return folded;
        };
        let tellers = each.iter_mut().filter(|(_, texts)| texts.front() == Some(&text));
        let tellers: Vec<NodeId> = tellers
            .map(|(node, texts)| {
                texts.pop_front();
                *node
            })
            .collect();
        folded.push(format!("{}: {text}", names(&tellers)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(all: &[(u16, &str)]) -> Vec<(NodeId, String)> {
        all.iter()
            .map(|(node, text)| (NodeId(*node), text.to_string()))
            .collect()
    }

    #[test]
    fn what_is_told_alike_is_told_once_in_everybodys_own_order() {
        let all = told(&[(2, "a"), (1, "a"), (1, "b"), (3, "c"), (3, "a"), (2, "b")]);
        assert_eq!(fold(all), ["3: c", "1,2,3: a", "1,2: b"]);
    }

    #[test]
    fn orders_that_contradict_each_other_stay_apart() {
        let all = told(&[(1, "a"), (1, "b"), (2, "b"), (2, "a")]);
        assert_eq!(fold(all), ["1: a", "1,2: b", "2: a"]);
    }
}
