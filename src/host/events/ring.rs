//! What the ring does, as events.

use super::object::{Object, list};
use crate::node::face::{Detail, Evidence, Gone, MemberSeen, Notice, TokenSeen};
use crate::words::{Member, NodeId, RingId, Seq};

/// A detail that only who watches is told; `event` begins an event of this name.
pub fn detail(detail: &Detail, event: impl Fn(&str) -> Object) -> Object {
    match detail {
        Detail::Token(seen) => token(event("token"), seen),
        Detail::Rest(ring, hop) => event("rest").plain("ring", ring).number("hop", hop.0),
        Detail::Wake { ring, hop, by } => event("wake")
            .plain("ring", ring)
            .number("hop", hop.0)
            .maybe("by", by.map(number)),
        Detail::Asked { ring, from, to, by } => {
            range(event("asked").plain("ring", ring), *from, *to).number("by", by.0)
        }
        Detail::Resent { ring, seq, to } => event("resent")
            .plain("ring", ring)
            .number("seq", seq.0)
            .maybe("to", to.map(number)),
        Detail::Repaired { ring, seq, from } => event("repaired")
            .plain("ring", ring)
            .number("seq", seq.0)
            .number("from", from.0),
    }
}

/// Why the ring is over.
pub fn gathering(object: Object, evidence: &Evidence) -> Object {
    object
        .text("reason", &evidence.reason)
        .maybe("about", evidence.about.map(number))
        .maybe("silent_us", evidence.silent_us)
        .maybe("limit_us", evidence.limit_us)
}

/// A new ring: who is in it, where they come from, and who is gone.
pub fn installed(object: Object, notice: &Notice) -> Object {
    let Notice::Ring {
        ring,
        members,
        names,
        joined,
        left,
        left_how,
        came_from,
        first,
    } = notice
    else {
        unreachable!("only the notice of a ring comes here");
    };
    let members = list(members.iter().zip(names).map(|(who, name)| member(who, name)));
    let left_how = list(left.iter().zip(left_how).map(|(node, how)| gone(*node, *how)));
    let came_from = list(came_from.iter().map(|(ring, nodes)| origin(ring.as_ref(), nodes)));
    object
        .plain("ring", ring)
        .number("epoch", ring.epoch.0)
        .number("leader", ring.leader.id.0)
        .raw("members", &members)
        .nodes("joined", joined)
        .nodes("left", left)
        .raw("left_how", &left_how)
        .raw("came_from", &came_from)
        .number("first", first.0)
}

/// What the token carried.
fn token(object: Object, seen: &TokenSeen) -> Object {
    let lacking = seen.lacking.iter().map(|(node, from, to)| {
        let lacks = Object::new().number("node", node.0);
        range(lacks, *from, *to).end()
    });
    object
        .plain("ring", seen.ring)
        .number("hop", seen.hop.0)
        .number("high", seen.high.0)
        .number("stable_up_to", seen.stable_up_to.0)
        .number("rotation_us", seen.rotation_us)
        .raw("members", &list(seen.members.iter().map(on_token)))
        .raw("lacking", &list(lacking))
}

/// What a member said of itself on the token.
fn on_token(seen: &MemberSeen) -> String {
    Object::new()
        .number("id", seen.id.0)
        .number("received_up_to", seen.received_up_to.0)
        .number("held_up_to", seen.held_up_to.0)
        .maybe("waiting_since", seen.waiting_since.map(|hop| hop.0))
        .end()
}

fn member(member: &Member, name: &str) -> String {
    Object::new()
        .number("id", member.id.0)
        .plain("incarnation", member.incarnation)
        .text("name", name)
        .end()
}

fn gone(node: NodeId, how: Gone) -> String {
    let how = match how {
        Gone::Goodbye => "goodbye",
        Gone::Silent => "silent",
    };
    Object::new().number("node", node.0).text("how", how).end()
}

/// Members that come from one ring, or from none.
fn origin(ring: Option<&RingId>, nodes: &[NodeId]) -> String {
    Object::new()
        .maybe_text("ring", ring.map(RingId::to_string))
        .nodes("members", nodes)
        .end()
}

fn range(object: Object, from: Seq, to: Seq) -> Object {
    object.number("from_seq", from.0).number("to_seq", to.0)
}

fn number(node: NodeId) -> u64 {
    u64::from(node.0)
}
