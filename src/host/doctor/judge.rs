//! From facts to a verdict, without a look at the machine: what is wrong at home first, then with those who were met, then why
//! nobody was.
//!
//! How causes that look alike are told apart:
//! - Own multicasts and broadcasts come back through the machine's own filters, as if they came from outside. If neither does,
//!   a firewall here drops what arrives; if only broadcasts do, it is multicast that is dropped.
//! - What a firewall lets through as an answer it need not let through unasked, as a token comes. So one answer goes to a port
//!   from which nothing was asked.
//! - Who is heard and answers nothing is not reached; who answers and is not heard is reached by all but multicast.

use super::company;
use super::facts::{Asking, Facts, Folder, Peer, Place, Word};
use super::finding::{Book, Cause, Diagnosis, State};
use crate::host::terminal::start::count;

/// Facts, with those that matter at hand.
pub(super) struct Case<'a> {
    pub facts: &'a Facts,
    /// The place in question.
    pub place: Option<&'a Place>,
    /// What became of asking there.
    pub asking: Asking,
    /// Who was met there: on other machines, or, if there is nobody, on this one.
    pub others: Vec<&'a Peer>,
}

/// Concludes.
pub fn judge(facts: &Facts) -> Diagnosis {
    let chosen = facts.chosen.as_ref().ok().copied();
    let here = |peer: &&Peer| Some(peer.place) == chosen;
    let (near, far): (Vec<&Peer>, Vec<&Peer>) =
        facts.peers.iter().filter(here).partition(|peer| peer.is_here);
    let case = Case {
        facts,
        place: chosen.map(|chosen| &facts.places[chosen]),
        asking: chosen.map_or(Asking::default(), |chosen| facts.asking[chosen].clone()),
        others: if far.is_empty() { near } else { far },
    };
    let mut book = Book::default();
    interface(&case, &mut book);
    port(&case, &mut book);
    folder(&case, &mut book);
    if case.place.is_some() && !book.has(Cause::InterfaceDown) {
        route(&case, &mut book);
        firewall(&case, &mut book);
    }
    company::judge(&case, &mut book);
    nobody(&case, &mut book);
    book.close()
}

/// Names of interfaces that lead to containers or virtual machines on this machine.
const BRIDGES: [&str; 7] = ["docker", "br-", "podman", "cni", "veth", "virbr", "lxcbr"];

/// Whether a place is a network of containers, by what shows it.
pub(super) fn container(facts: &Facts, place: &Place) -> Option<String> {
    let interface = &place.interface;
    let [a, b, ..] = interface.address.octets();
    if BRIDGES.iter().any(|name| interface.name.starts_with(name)) {
        return Some(format!(
            "{interface} is a bridge for containers or virtual machines"
        ));
    }
    let whose = match (a, b) {
        (172, 17) => "docker's",
        (10, 88) => "podman's",
        (172, 16..=31) if facts.container.is_some() => "docker's",
        _other => return None,
    };
    let inside = facts.container.as_ref();
    let inside = inside.map_or(String::new(), |mark| format!(", and {mark}"));
    Some(format!(
        "{} of {interface} is {whose} usual network{inside}",
        place.network
    ))
}

/// The interface: there, on, with a carrier, for multicast.
fn interface(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "interface";
    let facts = case.facts;
    let others = choices(case);
    let Some(place) = case.place else {
        let reason = facts.chosen.as_ref().err().cloned().unwrap_or_default();
        book.check(WHAT, State::Trouble, reason.clone());
        let remedy = format!("give it an address (DHCP, or `ip address add`){others}");
        return book.find(Cause::InterfaceDown, vec![reason], remedy);
    };
    let interface = &place.interface;
    let is_chosen_by_name = facts.patient.interface.is_some();
    let trouble = if !place.is_up {
        Some(format!("{interface} is switched off"))
    } else if !place.is_running && container(facts, place).is_none() {
        Some(format!(
            "{interface} has no carrier: no cable, no access point, or the other end is off"
        ))
    } else {
        None
    };
    if let Some(trouble) = trouble {
        book.check(WHAT, State::Trouble, trouble.clone());
        let remedy = format!(
            "switch it on (`ip link set {} up`), plug the cable in or join the Wi-Fi{others}",
            interface.name
        );
        return book.find(Cause::InterfaceDown, vec![trouble], remedy);
    }
    if interface.is_loopback && !is_chosen_by_name {
        return only_loopback(case, book);
    }
    let mut words = format!("{interface} is up; payloads of {} bytes", place.payload);
    if interface.is_loopback {
        words += "; it reaches this machine only";
    }
    book.check(WHAT, State::Ok, words);
}

/// Nothing but loopback could be chosen: is the rest down, or is there no rest?
fn only_loopback(case: &Case<'_>, book: &mut Book) {
    let places = case.facts.places.iter();
    let down = places.filter(|place| !place.interface.is_loopback).map(|place| {
        let state = if place.is_up {
            "has no carrier"
        } else {
            "is switched off"
        };
        format!("{} {state}", place.interface)
    });
    let bare = case
        .facts
        .bare
        .iter()
        .map(|name| format!("{name} has no IPv4 address"));
    let down: Vec<String> = down.chain(bare).collect();
    let words = "only loopback is left, which reaches this machine only".to_string();
    book.check("interface", State::Trouble, words.clone());
    if down.is_empty() {
        let remedy = "connect this machine to the network of the others: there is no other interface";
        book.find(Cause::NoMulticastRoute, vec![words], remedy);
    } else {
        let remedy = "switch it on (`ip link set NAME up`) and give it an address (DHCP, or `ip address add`), \
                      then name it with --interface";
        book.find(
            Cause::InterfaceDown,
            down.into_iter().chain([words]).collect(),
            remedy,
        );
    }
}

/// What else could be chosen, as the end of a sentence.
fn choices(case: &Case<'_>) -> String {
    let usable = case.facts.places.iter().enumerate();
    let usable = usable.filter(|(number, place)| {
        place.is_up && place.is_running && !place.interface.is_loopback && case.facts.chosen != Ok(*number)
    });
    let names: Vec<String> = usable.map(|(_, place)| place.interface.to_string()).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; or choose another with --interface: {}", names.join(", "))
}

/// The group's port can be shared with other nodes.
fn port(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "port";
    let group = case.facts.patient.group;
    if !case.asking.port_taken {
        let state = if case.place.is_some() {
            State::Ok
        } else {
            State::Unknown
        };
        return book.check(WHAT, state, format!("{group} can be shared with other nodes"));
    }
    let owner = &case.facts.port_owner;
    let owner = owner
        .as_deref()
        .unwrap_or("a program that only its owner or root may see");
    let words = format!("UDP port {} is taken by {owner}", group.port());
    book.check(WHAT, State::Trouble, words.clone());
    let remedy = format!(
        "end that program (`ss -ulpn 'sport = {}'` names it), or choose another port with --group {}:PORT on every node",
        group.port(),
        group.ip()
    );
    book.find(Cause::PortTaken, vec![words], remedy);
}

/// The folder can be written.
fn folder(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "disk";
    let (path, folder) = &case.facts.folder;
    let path = path.display();
    match folder {
        Folder::Good { free } => {
            book.check(
                WHAT,
                State::Ok,
                format!("{path} can be written; {} MiB free", free >> 20),
            );
        }
        Folder::Full { free, error } => {
            book.check(WHAT, State::Trouble, format!("{error}; {free} bytes free"));
            let evidence = vec![error.clone(), format!("{free} bytes are free at {path}")];
            let remedy =
                "make room, or choose another folder with --data-dir; a node that runs goes on by itself";
            book.find(Cause::DiskFull, evidence, remedy);
        }
        Folder::ReadOnly { error } => {
            book.check(WHAT, State::Trouble, error.clone());
            let remedy = "mount it writable, give this user the right to write there, or choose another folder with --data-dir";
            book.find(Cause::DiskReadOnly, vec![error.clone()], remedy);
        }
        Folder::Failed { error } => book.check(WHAT, State::Unknown, error.clone()),
    }
}

/// Multicasts find their way out.
fn route(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "route";
    let (Some(place), group) = (case.place, case.facts.patient.group.ip()) else {
        return;
    };
    let interface = &place.interface;
    let trouble = match (&case.asking.not_joined, &case.asking.unreachable) {
        (Some(error), _) => Some(format!("group {group} cannot be joined on {interface}: {error}")),
        (None, Some(error)) => Some(format!("{interface} does not send to {group}: {error}")),
        (None, None) if !place.takes_multicast => Some(format!(
            "{interface} carries no multicast (a tunnel, or switched off there)"
        )),
        (None, None) => None,
    };
    let Some(trouble) = trouble else {
        return book.check(
            WHAT,
            State::Ok,
            format!("multicasts to {group} leave by {interface}"),
        );
    };
    book.check(WHAT, State::Trouble, trouble.clone());
    let remedy = format!(
        "let it carry multicast (`ip link set {} multicast on`, `ip route add 224.0.0.0/4 dev {}`){}",
        interface.name,
        interface.name,
        choices(case)
    );
    book.find(Cause::NoMulticastRoute, vec![trouble], remedy);
}

/// No firewall of this machine stands in the way.
fn firewall(case: &Case<'_>, book: &mut Book) {
    const WHAT: &str = "firewall";
    let Some(place) = case.place else { return };
    let (asking, network, group) = (&case.asking, place.network, case.facts.patient.group);
    if asking.forbidden > 0 {
        let words = format!(
            "the machine refused to send {}",
            count(asking.forbidden.into(), "question")
        );
        book.check(WHAT, State::Trouble, words.clone());
        let remedy = format!(
            "let UDP out to {} and to {network}, for example `ufw allow out to {network}`",
            group.ip()
        );
        return book.find(Cause::FirewallOut, vec![words], remedy);
    }
    if asking.port_taken || asking.not_joined.is_some() || asking.asked_group == 0 {
        return book.check(WHAT, State::Unknown, "nothing could be asked");
    }
    let (group_asked, broadcast_asked) = (asking.asked_group, asking.asked_broadcast);
    if !asking.echo_group && asking.echo_broadcast {
        let words = format!(
            "none of {group_asked} own multicasts came back, own broadcasts did: a filter on this machine drops multicast"
        );
        book.check(WHAT, State::Trouble, words.clone());
        let remedy = format!(
            "take that rule out (`nft list ruleset` or `iptables -S` shows it): let UDP to {group} in on {}",
            place.interface.name
        );
        return book.find(Cause::MulticastFiltered, vec![words], remedy);
    }
    let trouble = if !asking.echo_group {
        Some(format!(
            "none of {group_asked} own multicasts and {broadcast_asked} own broadcasts to port {} came back",
            group.port()
        ))
    } else if asking.deaf_unicast {
        Some("a unicast of this machine to itself did not arrive".to_string())
    } else {
        company::answers_only_when_asked(case)
    };
    let Some(trouble) = trouble else {
        return book.check(WHAT, State::Ok, "own questions leave and come back");
    };
    book.check(WHAT, State::Trouble, trouble.clone());
    let remedy = format!(
        "let in all UDP and TCP from {network} and UDP to {group}: `ufw allow from {network}`, or \
         `firewall-cmd --zone=trusted --add-source={network}`; the token comes to a port of the node's own, so port {} alone \
         is not enough",
        group.port()
    );
    book.find(Cause::FirewallIn, vec![trouble], remedy);
}

/// Nobody was met, and nothing else explains it.
fn nobody(case: &Case<'_>, book: &mut Book) {
    let facts = case.facts;
    let Some(place) = case.place.filter(|_| !book.has_trouble()) else {
        return;
    };
    if !case.others.is_empty() {
        let evidence = case.others.iter().map(|peer| company::who(peer)).collect();
        return book.find(
            Cause::Well,
            evidence,
            "nothing to do: nodes that are here find each other by themselves",
        );
    }
    if let Some(evidence) = container(facts, place) {
        let remedy = format!(
            "start the container on the machine's own network (`docker run --network host`, `podman run --network host`){}",
            choices(case)
        );
        return book.find(Cause::ContainerBridge, vec![evidence, tried(case)], remedy);
    }
    let named = facts.named.iter().map(|(peer, word)| match word {
        Word::Silent => {
            format!("{peer} (--peer) says nothing: it is off, or a firewall there drops what arrives")
        }
        Word::Closed => format!(
            "{peer} (--peer) is there, and no node listens at its port {}",
            facts.patient.group.port()
        ),
        Word::NoMachine => format!("{peer} (--peer) is not there: no machine has this address"),
        Word::Answered => format!("{peer} (--peer) answers, at another place"),
    });
    let evidence = [tried(case)].into_iter().chain(named).collect();
    let remedy = format!(
        "start a node on another machine of {}, with the same --group {}; if one runs there, run `node doctor` there too, \
         or here with --peer ADDRESS",
        place.network, facts.patient.group
    );
    book.find(Cause::Alone, evidence, remedy);
}

/// What was tried, in words.
fn tried(case: &Case<'_>) -> String {
    let asking = &case.asking;
    let place = case
        .place
        .map_or(String::new(), |place| format!(" on {}", place.interface));
    format!(
        "asked {} times by multicast and {} times by broadcast{place}, and listened for {:.1} s on {}",
        asking.asked_group,
        asking.asked_broadcast,
        case.facts.listened_ms as f64 / 1_000.0,
        count(case.facts.places.len() as u64, "interface"),
    )
}
