//! What is concluded from those who were met.

use super::facts::Peer;
use super::finding::{Book, Cause, State};
use super::judge::Case;
use super::probe::longest;
use crate::host::hail::Way;
use crate::host::terminal::start::count;
use crate::wire::VERSION;

/// Clocks that differ by more than this are far apart, in milliseconds: times of messages mislead.
const CLOCK_MS: u64 = 60_000;

/// Somebody, in words.
pub(super) fn who(peer: &Peer) -> String {
    match peer.member {
        Some(member) => format!("node {} at {}", member.id, peer.at),
        None => format!("a node of version {} at {}", peer.version, peer.at),
    }
}

/// All rules about others.
pub(super) fn judge(case: &Case<'_>, book: &mut Book) {
    place(case, book);
    id(case, book);
    if case.others.is_empty() {
        let what = ["version", "key", "multicast", "length", "clock"];
        return what
            .into_iter()
            .for_each(|what| book.check(what, State::Unknown, "nobody to compare with"));
    }
    version(case, book);
    key(case, book);
    multicast(case, book);
    length(case, book);
    clock(case, book);
}

/// Others are where this node is.
fn place(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "others";
    let facts = case.facts;
    let elsewhere: Vec<&Peer> = facts
        .peers
        .iter()
        .filter(|peer| facts.chosen != Ok(peer.place))
        .collect();
    let far = elsewhere.iter().filter(|peer| !peer.is_here).count();
    let is_lonely = !case.others.iter().any(|peer| !peer.is_here);
    // Who is on this machine shows little, but is better than nobody.
    let misplaced = (is_lonely && far > 0) || (case.others.is_empty() && !elsewhere.is_empty());
    let Some(first) = elsewhere
        .iter()
        .min_by_key(|peer| peer.is_here)
        .filter(|_| misplaced)
    else {
        let (state, words) = match case.others.len() {
            0 => (State::Unknown, "nobody answers or is heard".to_string()),
            some => {
                let others: Vec<String> = case.others.iter().take(8).map(|peer| who(peer)).collect();
                (
                    State::Ok,
                    format!("{}: {}", count(some as u64, "other node"), others.join(", ")),
                )
            }
        };
        return book.check(WHAT, state, words);
    };
    let there = &facts.places[first.place].interface;
    let here = case
        .place
        .map_or("none".to_string(), |place| place.interface.to_string());
    let words = format!("{} is on {there}, and this node would use {here}", who(first));
    book.check(WHAT, State::Trouble, words.clone());
    let remedy = format!("start this node with --interface {}", there.name);
    book.find(Cause::WrongInterface, vec![words], remedy);
}

/// The id is this node's alone.
fn id(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "id";
    let Some(id) = case.facts.patient.id else {
        return book.check(WHAT, State::Unknown, "no --id was given");
    };
    let has_it = |peer: &&Peer| peer.member.is_some_and(|member| member.id == id);
    match case.facts.peers.iter().find(has_it) {
        None => book.check(WHAT, State::Ok, format!("nobody else has id {id}")),
        Some(peer) => {
            let life = peer.member.map_or(0, |member| member.incarnation.0);
            let words = format!("{} has id {id} (incarnation {life})", who(peer));
            book.check(WHAT, State::Trouble, words.clone());
            book.find(
                Cause::IdTaken,
                vec![words],
                "start one of the two with another --id",
            );
        }
    }
}

fn version(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "version";
    let foreign: Vec<&&Peer> = case
        .others
        .iter()
        .filter(|peer| peer.version != VERSION)
        .collect();
    let Some(first) = foreign.first() else {
        return book.check(
            WHAT,
            State::Ok,
            format!("all speak version {VERSION} of the protocol"),
        );
    };
    let words = format!(
        "{} speaks version {} of the protocol, this node {VERSION}; so {} of {}",
        first.at,
        first.version,
        foreign.len(),
        case.others.len()
    );
    book.check(WHAT, State::Trouble, words.clone());
    let remedy = "install the same version of roda on every machine; the newest everywhere is best";
    book.find(Cause::VersionDiffers, vec![words], remedy);
}

fn key(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "key";
    let own = &case.facts.patient.keys;
    let own_words = own.first().map_or("none".to_string(), |key| format!("{key}"));
    let known = case.others.iter().filter(|peer| peer.version == VERSION);
    let differs = |peer: &&&Peer| match peer.key {
        Some(key) => !own.contains(&key),
        None => !own.is_empty(),
    };
    let foreign: Vec<&&Peer> = known.clone().filter(differs).collect();
    let Some(first) = foreign.first() else {
        let state = if known.count() > 0 {
            State::Ok
        } else {
            State::Unknown
        };
        return book.check(WHAT, state, format!("group key here and there: {own_words}"));
    };
    let theirs = first.key.map_or("none".to_string(), |key| format!("{key}"));
    let words = format!(
        "{} has group key {theirs}, this node {own_words}; so {} of {}",
        who(first),
        foreign.len(),
        case.others.len()
    );
    book.check(WHAT, State::Trouble, words.clone());
    let (cause, remedy) = match (first.key.is_some(), own.is_empty()) {
        (true, true) => (
            Cause::KeyMissingHere,
            "get the key file from a member, by a way you trust, and start with --key-file FILE",
        ),
        (false, _) => (
            Cause::KeyMissingThere,
            "give the others the key file, by a way you trust, or start without --key-file here",
        ),
        (true, false) => (
            Cause::KeyDiffers,
            "give all members the same key file; its name is shown by each node at its start",
        ),
    };
    book.find(cause, vec![words], remedy);
}

/// The machine of another answers what it was asked, but nothing of it comes here unasked.
pub(super) fn answers_only_when_asked(case: &Case<'_>) -> Option<String> {
    let asked = case
        .others
        .iter()
        .filter(|peer| peer.was_probed && peer.answered(Way::Port) > 0);
    let asked: Vec<&&Peer> = asked.collect();
    let first = asked.first().filter(|_| !asked.iter().any(|peer| peer.unasked))?;
    Some(format!(
        "{} answers to the port that asked, and its answers to another port of this machine do not arrive",
        who(first)
    ))
}

/// Multicasts pass both ways, and unicasts to the nodes' own ports.
fn multicast(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "multicast";
    let probed: Vec<&&Peer> = case.others.iter().filter(|peer| peer.was_probed).collect();
    let (heard, answered) = (
        probed.iter().any(|peer| peer.heard > 0),
        probed.iter().any(|peer| peer.has_answered()),
    );
    let by_group = probed.iter().any(|peer| peer.answered(Way::Group) > 0);
    let (Some(first), Some(place)) = (probed.first(), case.place) else {
        return book.check(WHAT, State::Unknown, "nobody could be asked");
    };
    let at_home =
        book.has(Cause::FirewallIn) || book.has(Cause::FirewallOut) || book.has(Cause::MulticastFiltered);
    let words = format!(
        "{} answered {} of {} multicasts, {} of {} broadcasts and {}; its own multicasts {}",
        who(first),
        first.answered(Way::Group),
        case.asking.asked_group,
        first.answered(Way::Broadcast),
        case.asking.asked_broadcast,
        count(
            (first.answered(Way::Host) + first.answered(Way::Port)).into(),
            "unicast"
        ),
        if heard {
            "arrive here"
        } else {
            "do not arrive here"
        },
    );
    if heard && by_group && probed.iter().any(|peer| peer.by_unicast()) {
        return book.check(WHAT, State::Ok, words);
    }
    let state = if at_home { State::Unknown } else { State::Trouble };
    book.check(WHAT, state, words.clone());
    let speaks_hail = probed.iter().any(|peer| peer.version == VERSION);
    if at_home || !speaks_hail {
        return;
    }
    let unicast = probed.iter().any(|peer| peer.by_unicast());
    if !answered || !unicast {
        let remedy = format!(
            "there, let in all UDP and TCP from {} (`ufw allow from {}`); if that changes nothing, look at the firewall of this \
             machine too",
            place.network, place.network
        );
        return book.find(Cause::FirewallThere, vec![words], remedy);
    }
    let remedy = "on the access point or switch, switch off client isolation, and IGMP snooping or \"multicast filtering\" (or give \
                  the network an IGMP querier); or connect these machines by cable or another access point";
    book.find(Cause::MulticastFiltered, vec![words], remedy);
}

/// Datagrams of the longest length that one of the two sends pass both ways.
fn length(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "length";
    let Some(place) = case.place else { return };
    let probed = case
        .others
        .iter()
        .filter(|peer| peer.was_probed && peer.by_unicast());
    let mut fine = None;
    for peer in probed {
        let wanted = longest(peer, place.payload);
        let size = peer.sizes.get(&wanted).copied().unwrap_or_default();
        if size.out && size.back {
            fine = Some(wanted);
            continue;
        }
        let passing = peer.sizes.iter().filter(|(_, size)| size.out && size.back);
        let best = passing.map(|(length, _)| *length).max().unwrap_or(0);
        let direction = match (size.out, size.back) {
            (false, _) => "from here to there",
            (true, _) => "from there to here",
        };
        let words = format!(
            "datagrams of {wanted} bytes do not pass {direction} ({}), of {best} bytes they do",
            who(peer)
        );
        book.check(WHAT, State::Trouble, words.clone());
        let sends = peer.payload.unwrap_or(0);
        let payloads = format!(
            "this node sends up to {} bytes, that one up to {sends}",
            place.payload
        );
        // 28 bytes of headers.
        let remedy = format!(
            "give all machines and what is between them the same MTU: `ip link set {} mtu 1500` where less is possible, or {} \
             on every machine, which passes; nodes follow it at their next start",
            place.interface.name,
            best + 28
        );
        return book.find(Cause::MtuTooSmall, vec![words, payloads], remedy);
    }
    match fine {
        Some(length) => book.check(
            WHAT,
            State::Ok,
            format!("datagrams of {length} bytes pass both ways"),
        ),
        None => book.check(WHAT, State::Unknown, "nobody answered by unicast"),
    }
}

fn clock(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "clock";
    let clocks = case
        .others
        .iter()
        .filter_map(|peer| peer.clock_ahead_ms.map(|ahead| (*peer, ahead)));
    let clocks: Vec<(&Peer, i64)> = clocks.collect();
    let far = |ahead: i64| ahead.unsigned_abs() > CLOCK_MS;
    let Some((first, ahead)) = clocks.iter().max_by_key(|(_, ahead)| ahead.unsigned_abs()) else {
        return book.check(WHAT, State::Unknown, "nobody said what time it is there");
    };
    if !far(*ahead) {
        return book.check(WHAT, State::Ok, "clocks differ by less than a minute");
    }
    let differing = clocks.iter().filter(|(_, ahead)| far(*ahead)).count();
    let direction = if *ahead > 0 { "ahead of" } else { "behind" };
    let words = format!(
        "the clock of {} is {} s {direction} this machine's; so {differing} of {}",
        who(first),
        ahead.unsigned_abs() / 1_000,
        clocks.len()
    );
    book.check(WHAT, State::Trouble, words.clone());
    let whose = match (differing, clocks.len()) {
        (1, 1) => "set the one that is wrong",
        (all, number) if all == number => "set the clock of this machine, the others agree",
        _some => "set the clock there",
    };
    let remedy = format!("{whose} (`timedatectl set-ntp true`, or `date -s`)");
    book.find(Cause::ClockOff, vec![words], remedy);
}

#[cfg(test)]
mod tests;
