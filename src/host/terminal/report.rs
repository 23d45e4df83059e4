//! Answers to questions: the ring, who is there, what is waited for, the life of a message.

use super::people::People;
use super::start::count;
use super::visible;
use crate::host::cli::duration::show_measured;
use crate::node::face::{Counters, Foreign, MemberStatus, PhaseName, Status, Step, Stranger, Why};
use crate::wire::{Deed, Lab, LabState};
use crate::words::{NodeId, Time};

/// A question that a status answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `/ring`.
    Ring {
        /// With counters.
        verbose: bool,
    },
    /// `/why`.
    Why,
    /// `/who`.
    Who,
    /// `/whois`.
    Whois(String),
}

/// The answer to a question.
pub fn answer(question: &Question, status: &Status, people: &People) -> Vec<String> {
    match question {
        Question::Ring { verbose } => ring(status, people, *verbose),
        Question::Why => vec![why(&status.why, people)],
        Question::Who => who(status, people),
        Question::Whois(text) => whois(text, status, people),
    }
}

/// What a node is short of when it cannot write, by the reason that the disk gave.
pub(super) fn shortage(reason: &str) -> &'static str {
    match reason.contains("ulimit") {
        true => "too many files are open",
        false => "the disk is full",
    }
}

/// The ring with its members in order; with `verbose` the counters too.
fn ring(status: &Status, people: &People, verbose: bool) -> Vec<String> {
    let mut lines = vec![head(status, people)];
    lines.extend(members(status, people));
    lines.push(format!(
        "ordered up to #{}, held by all up to #{}; {} waiting; {} in the replica",
        status.high,
        status.stable_up_to,
        count(status.waiting_lines as u64, "line"),
        count(status.records, "message"),
    ));
    if verbose {
        lines.extend(counters(&status.counters));
    }
    lines
}

/// The line above the members.
fn head(status: &Status, people: &People) -> String {
    let phase = phase(status.phase);
    let Some(ring) = status.ring else {
        return format!("no ring yet: {phase}");
    };
    format!(
        "epoch {}, led by {}: {phase}; hop {}, rotation {}, token timeout {}",
        ring.epoch,
        people.who(ring.leader.id),
        status.hop,
        match status.rotation_us {
            0 => "not measured yet".to_string(),
            measured => show_measured(measured),
        },
        show_measured(status.token_timeout_us),
    )
}

/// A phase in words.
fn phase(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Gather => "finding out who is there",
        PhaseName::Commit => "agreeing on the new ring",
        PhaseName::Recover => "exchanging what some have and others lack",
        PhaseName::Operational => "the token goes round",
    }
}

/// One line for each member, in columns.
fn members(status: &Status, people: &People) -> Vec<String> {
    let shown: Vec<String> = status
        .members
        .iter()
        .map(|member| label(member, people))
        .collect();
    let widest = shown.iter().map(|label| visible::width(label)).max().unwrap_or(0);
    let rows = status.members.iter().zip(shown);
    rows.map(|(member, label)| row(status, member, &label, widest))
        .collect()
}

/// A member's name and id; the name it gives itself comes before the one seen in messages.
fn label(member: &MemberStatus, people: &People) -> String {
    if member.name.trim().is_empty() {
        return people.who(member.member.id);
    }
    format!("{}·{}", visible::name(&member.name), member.member.id)
}

fn row(status: &Status, member: &MemberStatus, label: &str, widest: usize) -> String {
    let id = member.member.id;
    let mine = if id == status.me.id { '*' } else { ' ' };
    let gap = " ".repeat(widest - visible::width(label));
    let holds = if status.holding {
        id == status.me.id
    } else {
        status.holder == Some(id)
    };
    let token = if holds { "  <- token" } else { "" };
    format!(
        "{mine} {label}{gap}  {:<21}  received #{}, held #{}{token}",
        member.address.to_string(),
        member.received_up_to,
        member.held_up_to,
    )
}

/// Which keys are in force now, by their names.
pub fn rekeyed(names: &[String]) -> String {
    match names {
        [first, rest @ ..] if !rest.is_empty() => {
            format!("the key is {first} now; {} accepted too", rest.join(", "))
        }
        _one => format!("the key is {} now, and no other", names.join(", ")),
    }
}

/// Who is there and not understood, in one line.
pub fn stranger(stranger: &Stranger) -> String {
    let why = match stranger.foreign {
        Foreign::OtherKey => "with another key",
        Foreign::WithKey => "sealed with a key, and there is none here,",
        Foreign::WithoutKey => "without a key",
    };
    let datagrams = count(stranger.per_second, "datagram");
    format!("{datagrams}/s {why} from {}", stranger.from)
}

fn counters(counters: &Counters) -> Vec<String> {
    let listed = |counts: &[(&'static str, u64)]| -> String {
        let told = counts.iter().filter(|(_, number)| *number > 0);
        let told: Vec<String> = told.map(|(what, number)| format!("{what} {number}")).collect();
        if told.is_empty() {
            "none".into()
        } else {
            told.join(", ")
        }
    };
    let mut lines = vec![
        format!(
            "datagrams: {} sent, {} accepted; refused: {}",
            counters.sent,
            counters.accepted,
            listed(&counters.refused)
        ),
        format!(
            "repaired: {} for others, {} for me; tokens sent again: {}; messages delivered: {}",
            counters.repaired_for_others,
            counters.repaired_for_me,
            counters.tokens_resent,
            counters.delivered
        ),
        format!("turned away at a limit: {}", listed(&counters.limited)),
        format!("at this machine: {}", listed(&counters.machine)),
    ];
    lines.extend(
        counters
            .strangers
            .iter()
            .map(|which| format!("{}, {} in all", stranger(which), which.total)),
    );
    lines
}

/// Who is in the ring, on one line.
fn who(status: &Status, people: &People) -> Vec<String> {
    let shown = status.members.iter().map(|member| {
        let away = people.away(member.member.id);
        let away = away.map_or_else(String::new, |reason| format!(" (away: {reason})"));
        label(member, people) + &away
    });
    let shown: Vec<String> = shown.collect();
    let line = match shown.len() {
        0 => "nobody yet: no ring".to_string(),
        here => format!("{here} here: {}", shown.join(", ")),
    };
    vec![line]
}

/// All that is known of one member.
fn whois(text: &str, status: &Status, people: &People) -> Vec<String> {
    let wanted = people.find(text);
    let named = |member: &&MemberStatus| member.name.eq_ignore_ascii_case(text.trim());
    let member = status
        .members
        .iter()
        .find(|member| Some(member.member.id) == wanted)
        .or_else(|| status.members.iter().find(named));
    match (member, wanted) {
        (Some(member), _) => vec![format!(
            "{}: at {}, incarnation {}, received #{}, held #{}",
            label(member, people),
            member.address,
            member.member.incarnation,
            member.received_up_to,
            member.held_up_to,
        )],
        (None, Some(id)) => vec![format!("{} is not in the ring", people.who(id))],
        (None, None) => vec![format!("nobody here is called {}", visible::name(text))],
    }
}

/// What is waited for, in one sentence.
pub fn why(why: &Why, people: &People) -> String {
    match why {
        Why::Nothing => "nothing: every line of yours is held by all".to_string(),
        Why::OwnDisk => "your line is being synced to this node's disk".to_string(),
        Why::DiskFull(reason) => format!(
            "{} ({}); free some room, and sending goes on by itself",
            shortage(reason),
            visible::line(reason)
        ),
        Why::Gathering(missing) if missing.is_empty() => {
            "looking for others; no ring has formed yet".to_string()
        }
        Why::Gathering(missing) => format!(
            "a new ring is forming; no agreement yet from {}",
            people.all(missing)
        ),
        Why::Token { holder, hops } => format!(
            "the token is with {}, {} from here",
            people.who(*holder),
            count(u64::from(*hops), "hop")
        ),
        Why::Quorum { have, need } => {
            format!("too few members: {have} here, {need} needed (--quorum {need})")
        }
        Why::Asking(nodes) => format!(
            "asking {} whether a line of an earlier life has its number already",
            people.all(nodes)
        ),
        Why::Held { seq, missing } => format!(
            "your lines up to #{seq} have their numbers; not written yet by {}",
            people.all(missing)
        ),
    }
}

/// The life of a message: one step a line, with the time since the first. `name` is `None` if it is not known.
pub fn trace(name: Option<&str>, steps: &[(Time, Step)], people: &People) -> Vec<String> {
    let Some(name) = name else {
        return vec!["no such message is known here; /history shows numbers".to_string()];
    };
    let Some((begin, _)) = steps.first() else {
        return vec![format!("{name} is in the replica; its steps are not remembered")];
    };
    let mut lines = vec![format!("the life of {name}:")];
    lines.extend(steps.iter().map(|(time, step)| {
        let since = format!("+{}", show_measured(time.since_us(*begin)));
        format!("  {since:>10}  {}", step_words(step, people))
    }));
    lines
}

/// A step in words.
fn step_words(step: &Step, people: &People) -> String {
    let held = |node: &NodeId| format!("held by {}", people.who(*node));
    match step {
        Step::Said => "said".to_string(),
        Step::InOutbox => "in the synced outbox: cannot be lost any more".to_string(),
        Step::Stamped(hop) => format!("stamped, holding the token at hop {hop}"),
        Step::Received => "received whole".to_string(),
        Step::Delivered => "delivered, in order".to_string(),
        Step::Written => "written to the own replica, synced".to_string(),
        Step::HeldBy(node) => held(node),
    }
}

/// When it is done.
fn with_token(holding: bool) -> &'static str {
    if holding {
        " as soon as it holds the token"
    } else {
        ""
    }
}

/// A lesson's deed, and how far it is.
pub fn lab(lab: &Lab) -> String {
    let deed = match &lab.deed {
        Deed::Pause { for_ms, holding } => format!("pause for {for_ms} ms{}", with_token(*holding)),
        Deed::Cut { from, for_ms } => {
            let from: Vec<String> = from.iter().map(NodeId::to_string).collect();
            format!("hear nothing from {} for {for_ms} ms", from.join(", "))
        }
        Deed::Heal => "hear everybody again".to_string(),
        Deed::LoseToken => "lose the token".to_string(),
        Deed::Crash { for_ms, holding } => format!(
            "crash{}, and be started again after {for_ms} ms",
            with_token(*holding)
        ),
        Deed::Checkpoint => "write a checkpoint".to_string(),
        Deed::Rollback { number: 0 } => "roll back to the newest checkpoint".to_string(),
        Deed::Rollback { number } => format!("roll back to checkpoint {number}"),
        Deed::Delay { min_us, max_us } => {
            let (min, max) = (show_measured(*min_us), show_measured(*max_us));
            format!("delay writing by {min} to {max}")
        }
        Deed::Say { text } => format!("say: {}", visible::line(text)),
        Deed::Twin => "have a second node started under its id".to_string(),
    };
    let (by, on) = (lab.by, lab.on);
    match (lab.state, lab.state.refusal()) {
        (_, Some(reason)) => format!("lesson: node {on} does not {deed}, as {by} asked: {reason}"),
        (LabState::Begins, _) => format!("lesson: node {on} begins to {deed}, as {by} asked"),
        (LabState::Ends, _) => format!("lesson: node {on} is done: {deed}, as {by} asked"),
        (_, None) => format!("lesson: node {by} asks node {on} to {deed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn people() -> People {
        let mut people = People::default();
        people.learn(NodeId(1), "bob");
        people.learn(NodeId(3), "ana");
        people
    }

    fn ask(question: Question) -> Vec<String> {
        answer(&question, &samples::status(Why::Nothing), &people())
    }

    #[test]
    fn the_ring_is_shown_in_columns() {
        assert_eq!(
            ask(Question::Ring { verbose: true }),
            [
                "epoch 4, led by bob·1: the token goes round; hop 812, rotation 1.2 ms, token timeout 200.0 ms",
                "  bob·1  127.0.0.1:4001         received #42, held #41  <- token",
                "* ana·3  127.0.0.1:4001         received #42, held #42",
                "ordered up to #42, held by all up to #41; 2 lines waiting; 42 messages in the replica",
                "datagrams: 10 sent, 20 accepted; refused: bad_checksum 3, truncated 1",
                "repaired: 0 for others, 0 for me; tokens sent again: 0; messages delivered: 0",
                "turned away at a limit: line not taken 2",
                "at this machine: lost by chaos 7",
            ]
        );
        assert_eq!(ask(Question::Ring { verbose: false }).len(), 4);
        let mut young = samples::status(Why::Nothing);
        young.rotation_us = 0;
        let lines = answer(&Question::Ring { verbose: false }, &young, &people());
        assert!(
            lines[0].contains("rotation not measured yet, token"),
            "{}",
            lines[0]
        );
        let mut alone = samples::status(Why::Nothing);
        (alone.ring, alone.members) = (None, vec![]);
        let lines = answer(&Question::Ring { verbose: false }, &alone, &people());
        assert_eq!(lines[0], "no ring yet: the token goes round");
    }

    #[test]
    fn people_are_listed_and_explained() {
        assert_eq!(ask(Question::Who), ["2 here: bob·1, ana·3"]);
        let whois = |text: &str| ask(Question::Whois(text.into()));
        let bob = "bob·1: at 127.0.0.1:4001, incarnation 1763680000000000, received #42, held #41";
        assert_eq!(whois("Bob"), [bob]);
        assert_eq!(whois("1"), [bob]);
        assert_eq!(whois("7"), ["node 7 is not in the ring"]);
        assert_eq!(whois("e\u{1b}va"), ["nobody here is called e␛va"]);
    }

    #[test]
    fn each_reason_is_one_sentence() {
        let sentences: Vec<String> = samples::whys().iter().map(|one| why(one, &people())).collect();
        assert_eq!(
            sentences,
            [
                "nothing: every line of yours is held by all",
                "your line is being synced to this node's disk",
                "the disk is full (No space left on device); free some room, and sending goes on by itself",
                "a new ring is forming; no agreement yet from node 2",
                "the token is with bob·1, 2 hops from here",
                "too few members: 1 here, 2 needed (--quorum 2)",
                "asking bob·1 and node 2 whether a line of an earlier life has its number already",
                "your lines up to #42 have their numbers; not written yet by bob·1",
            ]
        );
        assert_eq!(
            why(&Why::Gathering(vec![]), &people()),
            "looking for others; no ring has formed yet"
        );
    }

    #[test]
    fn a_life_is_a_list_of_steps_with_times() {
        assert_eq!(
            trace(Some("#42"), &samples::steps(), &people()),
            [
                "the life of #42:",
                "       +0 µs  said",
                "     +900 µs  in the synced outbox: cannot be lost any more",
                "     +4.0 ms  stamped, holding the token at hop 812",
                "     +4.1 ms  received whole",
                "     +4.2 ms  delivered, in order",
                "    +94.2 ms  written to the own replica, synced",
                "      +2.1 s  held by bob·1",
            ]
        );
        assert_eq!(trace(None, &[], &people()).len(), 1);
        assert!(trace(Some("#1"), &[], &people())[0].starts_with("#1 is in the replica"));
    }
}
