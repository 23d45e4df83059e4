//! Tells datagrams, actions and notices in words, for traces and scripts.

use bytes::Bytes;

use crate::node::Node;
use crate::node::face::{Action, Event, Notice, Store};
use crate::replica::Content;
use crate::wire::seal::To;
use crate::wire::{Body, Chunk, Refused, Token};
use crate::words::{Member, RingId};

/// The kind of a datagram, by its byte in the header.
pub fn kind(bytes: &Bytes) -> &'static str {
    match bytes.get(3) {
        Some(1) => "data",
        Some(2) => "repair",
        Some(3) => "token",
        Some(4) => "request",
        Some(5) => "join",
        Some(6) => "commit",
        Some(7) => "beacon",
        Some(8) => "probe",
        Some(9) => "answer",
        Some(10) => "nack",
        Some(11) => "leave",
        Some(12) => "refuse",
        Some(13) => "inquiry",
        Some(14) => "inquiry-answer",
        Some(15) => "reconcile",
        Some(16) => "reconciled",
        Some(17) => "hello",
        _ => "garbage",
    }
}

/// All kinds by name.
pub const KINDS: [&str; 18] = [
    "data",
    "repair",
    "token",
    "request",
    "join",
    "commit",
    "beacon",
    "probe",
    "answer",
    "nack",
    "leave",
    "refuse",
    "inquiry",
    "inquiry-answer",
    "reconcile",
    "reconciled",
    "hello",
    "lab",
];

/// Whether a datagram is one of new messages.
pub fn is_data(bytes: &Bytes) -> bool {
    bytes.get(3) == Some(&1)
}

/// A datagram in words; `seen` is what it was read as.
pub fn datagram(bytes: &Bytes, seen: Result<(Member, Body), Refused>) -> String {
    match seen {
        Err(_) if kind(bytes) == "hello" => "hello".into(),
        Err(refused) => format!("garbage: {refused}"),
        Ok((sender, body)) => format!("{} from {}", self::body(&body), sender.id),
    }
}

fn ids<'a>(members: impl IntoIterator<Item = &'a Member>) -> String {
    let ids: Vec<String> = members.into_iter().map(|member| member.id.to_string()).collect();
    ids.join(",")
}

fn ring(ring: RingId) -> String {
    format!("ring {}.{}", ring.epoch, ring.leader.id)
}

fn seqs(chunks: &[Chunk]) -> String {
    match chunks {
        [] => "nothing".into(),
        [only] => format!("#{}", only.seq),
        [first, .., last] => format!("#{}..#{}", first.seq, last.seq),
    }
}

fn token(token: &Token) -> String {
    let rows: Vec<String> = token
        .rows
        .iter()
        .map(|row| {
            let waits = if row.waiting_since.0 > 0 { "!" } else { "" };
            format!("{}/{}{waits}", row.received_up_to, row.held_up_to)
        })
        .collect();
    let (at, hop, high, pace) = (ring(token.ring), token.hop, token.high, token.pace);
    format!(
        "token of {at} hop {hop} high #{high} {pace:?} [{}]",
        rows.join(" ")
    )
}

/// A body in words.
pub fn body(body: &Body) -> String {
    match body {
        Body::Data(data) => format!(
            "data {} of {} hop {}",
            seqs(&data.chunks),
            ring(data.ring),
            data.hop
        ),
        Body::Repair(repair) => format!("repair {} of {}", seqs(&repair.chunks), ring(repair.ring)),
        Body::Token(t) => token(t),
        Body::Request(request) => format!("request in {} after hop {}", ring(request.ring), request.hop),
        Body::Join(join) => format!("join [{}] failed [{}]", ids(&join.present), ids(&join.failed)),
        Body::Commit(commit) => {
            format!(
                "commit of {} hop {} [{}]",
                ring(commit.ring),
                commit.hop,
                ids(commit.rows.iter().map(|r| &r.member))
            )
        }
        Body::Beacon { ring: at } => format!("beacon of {}", ring(*at)),
        Body::Probe { target, .. } => format!("probe of {}", target.id),
        Body::ProbeAnswer { .. } => "answer".into(),
        Body::Nack { ring: at, ranges } => format!("nack {ranges:?} of {}", ring(*at)),
        Body::Leave { ring: at } => format!("leave {}", ring(*at)),
        Body::Refuse(refuse) => format!("refuse {refuse:?}"),
        Body::Inquiry { ids, .. } => format!("inquiry about {}", ids.len()),
        Body::InquiryAnswer { known, .. } => format!("inquiry-answer, {} known", known.len()),
        Body::Reconcile(ask) => format!("reconcile {:?}", ask.step),
        Body::Reconciled(answer) => format!("reconciled {:?}", answer.progress),
        Body::Lab(lab) => format!("lab {:?} {:?}", lab.deed, lab.state),
    }
}

/// An event of a node in words.
pub fn event(event: &Event, node: &Node) -> String {
    match event {
        Event::Datagram {
            from,
            multicast,
            bytes,
        } => {
            let seen = node.sealing().look_received(*from, *multicast, bytes.clone());
            format!(
                "{}{}",
                datagram(bytes, seen),
                if *multicast { " (multicast)" } else { "" }
            )
        }
        Event::PortClosed { at } => format!("port closed at {at}"),
        Event::Timer => "timer".into(),
        Event::Stored(ticket, _) => format!("stored {}", ticket.0),
        Event::DiskFull { reason } => format!("disk full: {reason}"),
        Event::Loaded { records, .. } => format!("loaded {}", records.len()),
        Event::Mended { lost, .. } => format!("mended, {} lost", lost.len()),
        Event::Stream(stream, event) => format!("stream {}: {event:?}", stream.0),
        Event::Command(command) => format!("{command:?}"),
    }
}

/// Whether a notice is one of those that only recorded nodes tell; a trace is the same with and without.
pub fn is_detail(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Detail(_) | Notice::Stamped { .. } | Notice::Written { .. }
    )
}

/// An action in words; datagrams are told where they arrive.
pub fn action(action: &Action, node: &Node) -> Option<String> {
    let sent = |to, bytes: &Bytes| datagram(bytes, node.sealing().look_sent(to, bytes.clone()));
    match action {
        Action::Notice(n) => (!is_detail(n)).then(|| notice(n)),
        Action::Multicast(bytes) => Some(format!("all: {}", sent(To::Group, bytes))),
        Action::Unicast(to, bytes) => {
            let id = to.ip().octets()[2];
            Some(format!("{id}: {}", sent(To::Node(*to), bytes)))
        }
        Action::Stream(stream, action) => Some(format!("stream {}: {action:?}", stream.0)),
        Action::Store(ticket, store) => Some(format!("store {}: {}", ticket.0, self::store(store))),
        Action::Load(..) | Action::Exit(_) => None,
    }
}

/// What is to be stored, in words.
pub fn store(store: &Store) -> String {
    match store {
        Store::Identity { epoch, .. } => format!("epoch {epoch}"),
        Store::Outbox { id, .. } => format!("outbox {}-{}", id.sender.id, id.counter),
        Store::OutboxForget(ids) => format!("forget {} lines", ids.len()),
        Store::Append(records) => {
            let positions: Vec<String> = records.iter().map(|record| record.position.to_string()).collect();
            format!("append {}", positions.join(" "))
        }
        Store::Checkpoint(_) => "checkpoint".into(),
        Store::Rewrite { cut } => format!("rewrite up to {cut}"),
        Store::Accept(chunks) => format!("accept {} chunks", chunks.len()),
        Store::AcceptForget(up_to) => format!("forget accepted up to {up_to}"),
    }
}

/// A notice in words.
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Pending { id, tag, .. } => {
            let again = if tag.is_none() { " of an earlier life" } else { "" };
            format!("pending {}-{}{again}", id.sender.id, id.counter)
        }
        Notice::Message { record, late, .. } => {
            let text = Content::from_bytes(&record.content).map_or("?".into(), |content| content.text);
            let text: String = text.chars().take(24).collect();
            format!(
                "{} {}: {text}{}",
                record.position,
                record.id.sender.id,
                if *late { " (late)" } else { "" }
            )
        }
        Notice::Held { position, k, n, .. } => format!("#{} held by {k} of {n}", position.seq),
        Notice::Ring {
            ring: at,
            members,
            names: _,
            left_how: _,
            came_from: _,
            joined,
            left,
            first,
        } => {
            let list = |ids: &[crate::words::NodeId]| {
                ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            format!(
                "{} [{}] joined [{}] left [{}] first #{first}",
                ring(*at),
                ids(members),
                list(joined),
                list(left)
            )
        }
        Notice::Moved(moved) => format!("moved {} to {}", moved.from, moved.to),
        Notice::Fenced { from, ring: at } => format!("fenced {from} of {}", ring(*at)),
        Notice::Grant(_, hop) => format!("grant at hop {hop}"),
        Notice::Pass(_, hop, to) => format!("pass hop {hop} to {to}"),
        Notice::Request(_) => "request".into(),
        Notice::Gathering(why) => format!("gathering: {}", why.reason),
        Notice::Woke { away_us } => format!("woke after {} ms", away_us / 1_000),
        Notice::CatchingUp { peer, done, total } => format!("catching up {done}/{total} from {peer}"),
        Notice::CaughtUp { peer, received } => format!("caught up with {peer}: {received}"),
        Notice::FoundOrdered { id } => format!("found ordered {}-{}", id.sender.id, id.counter),
        Notice::OfferedAgain { id } => format!("offered again {}-{}", id.sender.id, id.counter),
        Notice::Checkpointed { .. } => "checkpoint".into(),
        Notice::Refused { reason, .. } => format!("refused: {reason}"),
        Notice::Conflict { id, .. } => format!("conflict about {}-{}", id.sender.id, id.counter),
        Notice::Reconciled { records } => format!("reconciled {records}"),
        Notice::DiskFull(reason) => format!("disk full: {reason}"),
        Notice::DiskRoom => "disk has room".into(),
        Notice::Status(_) | Notice::Standing(_) | Notice::Trace { .. } => "status".into(),
        Notice::Detail(detail) => format!("{detail:?}"),
        Notice::Stamped { position, hop, .. } => format!("stamped {position} at hop {hop}"),
        Notice::Written { position, .. } => format!("written {position}"),
        Notice::Rekeyed(names) => format!("rekeyed, {} accepted", names.len()),
        Notice::Stranger(stranger) => {
            let (from, foreign) = (stranger.from.octets()[2], stranger.foreign);
            format!("stranger at {from}: {foreign:?}")
        }
        Notice::Lab(lab) => format!("lab: {} asks {} {:?}: {:?}", lab.by, lab.on, lab.deed, lab.state),
        Notice::Warning(text) => format!("warning: {text}"),
    }
}
