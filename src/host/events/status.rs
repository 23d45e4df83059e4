//! The status of a node as an event: what `/ring` and `/why` show.

use super::object::{Object, list};
use crate::node::face::{Counters, MemberStatus, PhaseName, Status, Why};
use crate::words::NodeId;

/// Adds all fields of a status.
pub fn fields(object: Object, status: &Status) -> Object {
    object
        .number("id", status.me.id.0)
        .text("incarnation", status.me.incarnation.to_string())
        .text("phase", phase(status.phase))
        .maybe_text("ring", status.ring.map(|ring| ring.to_string()))
        .raw("members", &list(status.members.iter().map(member)))
        .number("hop", status.hop.0)
        .flag("holding", status.holding)
        .maybe("holder", status.holder.map(|NodeId(id)| u64::from(id)))
        .number("high", status.high.0)
        .number("stable_up_to", status.stable_up_to.0)
        .number("rotation_us", status.rotation_us)
        .number("token_timeout_us", status.token_timeout_us)
        .number("waiting_lines", status.waiting_lines as u64)
        .number("records", status.records)
        .raw("why", &why(&status.why))
        .raw("counters", &counters(&status.counters))
}

/// A phase as a word.
pub fn phase(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Gather => "gather",
        PhaseName::Commit => "commit",
        PhaseName::Recover => "recover",
        PhaseName::Operational => "operational",
    }
}

fn member(status: &MemberStatus) -> String {
    Object::new()
        .number("id", status.member.id.0)
        .text("incarnation", status.member.incarnation.to_string())
        .text("name", &status.name)
        .text("address", status.address.to_string())
        .number("received_up_to", status.received_up_to.0)
        .number("held_up_to", status.held_up_to.0)
        .end()
}

/// What is waited for: `for` names it, the other fields belong to it.
fn why(why: &Why) -> String {
    let waiting = |name| Object::new().text("for", name);
    match why {
        Why::Nothing => waiting("nothing"),
        Why::OwnDisk => waiting("own_disk"),
        Why::DiskFull(reason) => waiting("disk_full").text("reason", reason),
        Why::Gathering(missing) => waiting("gathering").nodes("missing", missing),
        Why::Token { holder, hops } => waiting("token").number("holder", holder.0).number("hops", *hops),
        Why::Quorum { have, need } => waiting("quorum").number("have", *have).number("need", *need),
        Why::Asking(nodes) => waiting("asking").nodes("nodes", nodes),
        Why::Held { seq, missing } => waiting("held").number("seq", seq.0).nodes("missing", missing),
    }
    .end()
}

fn counters(counters: &Counters) -> String {
    let listed = |counts: &[(&'static str, u64)]| {
        let add = |object: Object, (what, count): &(&'static str, u64)| object.number(what, *count);
        counts.iter().fold(Object::new(), add).end()
    };
    let strangers = counters.strangers.iter();
    let strangers = strangers.map(|which| super::stranger(Object::new(), which).end());
    Object::new()
        .raw("refused", &listed(&counters.refused))
        .number("sent", counters.sent)
        .number("accepted", counters.accepted)
        .number("repaired_for_others", counters.repaired_for_others)
        .number("repaired_for_me", counters.repaired_for_me)
        .number("tokens_resent", counters.tokens_resent)
        .number("delivered", counters.delivered)
        .raw("limited", &listed(&counters.limited))
        .raw("machine", &listed(&counters.machine))
        .raw("strangers", &list(strangers))
        .end()
}
