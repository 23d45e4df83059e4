//! Answers to questions: the ring, who is there, what is waited for, the life of a message.

use super::lang::{Voice, say};
use super::people::People;
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
        Question::Why => vec![why(status, people)],
        Question::Who => who(status, people),
        Question::Whois(text) => whois(text, status, people),
    }
}

/// What a node is short of when it cannot write, by the reason that the disk gave.
pub(super) fn shortage(reason: &str, voice: Voice) -> String {
    match reason.contains("ulimit") {
        true => say!(voice, "disk-too-many-files"),
        false => say!(voice, "disk-is-full"),
    }
}

/// The ring with its members in order; with `verbose` the counters too.
fn ring(status: &Status, people: &People, verbose: bool) -> Vec<String> {
    let mut lines = vec![head(status, people)];
    lines.extend(members(status, people));
    lines.push(say!(
        people.voice(),
        "ring-sums",
        ordered = status.high.to_string(),
        stable = status.stable_up_to.to_string(),
        waiting = status.waiting_lines,
        records = status.records,
    ));
    if verbose {
        lines.extend(counters(&status.counters, people.voice()));
    }
    lines
}

/// The line above the members.
fn head(status: &Status, people: &People) -> String {
    let voice = people.voice();
    let phase = phase(status.phase, voice);
    let Some(ring) = status.ring else {
        return say!(voice, "ring-none", phase = phase);
    };
    let rotation = match status.rotation_us {
        0 => say!(voice, "ring-not-measured"),
        measured => show_measured(measured),
    };
    say!(
        voice,
        "ring-head",
        epoch = ring.epoch.to_string(),
        leader = people.who(ring.leader.id),
        phase = phase,
        hop = status.hop.to_string(),
        rotation = rotation,
        timeout = show_measured(status.token_timeout_us),
    )
}

/// A phase in words.
fn phase(phase: PhaseName, voice: Voice) -> String {
    match phase {
        PhaseName::Gather => say!(voice, "phase-gather"),
        PhaseName::Commit => say!(voice, "phase-commit"),
        PhaseName::Recover => say!(voice, "phase-recover"),
        PhaseName::Operational => say!(voice, "phase-operational"),
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
    rows.map(|(member, label)| row(status, member, label, widest, people.voice()))
        .collect()
}

/// A member's name and id; the name it gives itself comes before the one seen in messages.
fn label(member: &MemberStatus, people: &People) -> String {
    if member.name.trim().is_empty() {
        return people.who(member.member.id);
    }
    people.named(&visible::name(&member.name), member.member.id)
}

fn row(status: &Status, member: &MemberStatus, mut label: String, widest: usize, voice: Voice) -> String {
    let id = member.member.id;
    let holds = if status.holding {
        id == status.me.id
    } else {
        status.holder == Some(id)
    };
    let token = if holds {
        say!(voice, "ring-token")
    } else {
        String::new()
    };
    let mut address = member.address.to_string();
    let mine = match (id == status.me.id, voice.plain) {
        (true, _) => say!(voice, "ring-mine"),
        (false, true) => String::new(),
        (false, false) => " ".to_string(),
    };
    // Columns are for eyes.
    if !voice.plain {
        label.push_str(&" ".repeat(widest - visible::width(&label)));
        address = format!("{address:<21}");
    }
    say!(
        voice,
        "ring-member",
        mine = mine,
        who = label,
        address = address,
        received = member.received_up_to.to_string(),
        held = member.held_up_to.to_string(),
        token = token,
    )
}

/// Which keys are in force now, by their names.
pub fn rekeyed(names: &[String], voice: Voice) -> String {
    match names {
        [first, rest @ ..] if !rest.is_empty() => {
            say!(voice, "rekeyed", first = first, others = rest.join(", "))
        }
        _one => say!(voice, "rekeyed-one", first = names.join(", ")),
    }
}

/// Who is there and not understood, in one line.
pub fn stranger(stranger: &Stranger, voice: Voice) -> String {
    let how = match stranger.foreign {
        Foreign::OtherKey => say!(voice, "stranger-other-key"),
        Foreign::WithKey => say!(voice, "stranger-with-key"),
        Foreign::WithoutKey => say!(voice, "stranger-without-key"),
    };
    say!(
        voice,
        "stranger",
        count = stranger.per_second,
        how = how,
        from = stranger.from.to_string()
    )
}

fn counters(counters: &Counters, voice: Voice) -> Vec<String> {
    let listed = |counts: &[(&'static str, u64)]| -> String {
        let told = counts.iter().filter(|(_, number)| *number > 0);
        let told: Vec<String> = told.map(|(what, number)| format!("{what} {number}")).collect();
        if told.is_empty() {
            say!(voice, "counters-none")
        } else {
            told.join(", ")
        }
    };
    let mut lines = vec![
        say!(
            voice,
            "counters-datagrams",
            sent = counters.sent,
            accepted = counters.accepted,
            refused = listed(&counters.refused)
        ),
        say!(
            voice,
            "counters-repaired",
            others = counters.repaired_for_others,
            own = counters.repaired_for_me,
            tokens = counters.tokens_resent,
            delivered = counters.delivered
        ),
        say!(voice, "counters-limits", list = listed(&counters.limited)),
        say!(voice, "counters-machine", list = listed(&counters.machine)),
    ];
    let strangers = counters.strangers.iter();
    lines.extend(strangers.map(|which| {
        let line = stranger(which, voice);
        say!(voice, "stranger-total", stranger = line, count = which.total)
    }));
    lines
}

/// Who is in the ring, on one line.
fn who(status: &Status, people: &People) -> Vec<String> {
    let voice = people.voice();
    let shown = status.members.iter().map(|member| {
        let away = people.away(member.member.id);
        let away = away.map_or_else(String::new, |why| {
            format!(" {}", say!(voice, "who-away", why = why))
        });
        label(member, people) + &away
    });
    let shown: Vec<String> = shown.collect();
    let line = match shown.len() {
        0 => say!(voice, "who-nobody"),
        here => say!(voice, "who-here", count = here, who = shown.join(", ")),
    };
    vec![line]
}

/// All that is known of one member.
fn whois(text: &str, status: &Status, people: &People) -> Vec<String> {
    let voice = people.voice();
    let wanted = people.find(text);
    let named = |member: &&MemberStatus| member.name.eq_ignore_ascii_case(text.trim());
    let member = status
        .members
        .iter()
        .find(|member| Some(member.member.id) == wanted)
        .or_else(|| status.members.iter().find(named));
    let line = match (member, wanted) {
        (Some(member), _) => say!(
            voice,
            "whois",
            who = label(member, people),
            address = member.address.to_string(),
            incarnation = member.member.incarnation.to_string(),
            received = member.received_up_to.to_string(),
            held = member.held_up_to.to_string(),
        ),
        (None, Some(id)) => say!(voice, "whois-gone", who = people.who(id)),
        (None, None) => say!(voice, "whois-unknown", name = visible::name(text)),
    };
    vec![line]
}

/// What is waited for, in one sentence. Beside the core's answer it looks at what the answer alone does not say: the
/// phase in which no ring is there, and lines that wait although nothing has to be done about them here.
pub fn why(status: &Status, people: &People) -> String {
    let voice = people.voice();
    match &status.why {
        Why::Nothing if status.waiting_lines > 0 => say!(voice, "why-coming", count = status.waiting_lines),
        Why::Nothing => say!(voice, "why-nothing"),
        Why::OwnDisk => say!(voice, "why-own-disk"),
        Why::DiskFull(reason) => say!(
            voice,
            "why-disk",
            what = shortage(reason, voice),
            why = visible::line(reason)
        ),
        Why::Gathering(missing) if missing.is_empty() => no_ring(status, voice),
        Why::Gathering(missing) => say!(voice, "why-not-agreed", who = people.all(missing)),
        Why::Token { hops: 0, .. } => say!(voice, "why-token-here"),
        Why::Token { holder, hops } => {
            say!(
                voice,
                "why-token",
                who = people.who(*holder),
                hops = u64::from(*hops)
            )
        }
        Why::Quorum { need, .. } if status.members.len() >= usize::from(*need) => {
            say!(
                voice,
                "why-quorum-unready",
                here = status.members.len(),
                need = *need
            )
        }
        Why::Quorum { have, need } => say!(voice, "why-quorum", have = *have, need = *need),
        Why::Asking(nodes) => say!(voice, "why-asking", who = people.all(nodes)),
        Why::Held { seq, missing } => say!(
            voice,
            "why-held",
            seq = seq.to_string(),
            who = people.all(missing)
        ),
    }
}

/// Why there is no ring, where nobody's agreement is missing.
fn no_ring(status: &Status, voice: Voice) -> String {
    match status.phase {
        PhaseName::Gather if status.ring.is_some() => say!(voice, "why-ring-over"),
        PhaseName::Gather | PhaseName::Operational => say!(voice, "why-alone"),
        PhaseName::Commit => say!(voice, "why-commit"),
        PhaseName::Recover => say!(voice, "why-recover"),
    }
}

/// The life of a message: one step a line, with the time since the first. `name` is `None` if it is not known.
pub fn trace(name: Option<&str>, steps: &[(Time, Step)], people: &People) -> Vec<String> {
    let voice = people.voice();
    let Some(name) = name else {
        return vec![say!(voice, "trace-unknown")];
    };
    let Some((begin, _)) = steps.first() else {
        return vec![say!(voice, "trace-forgotten", name = name)];
    };
    let mut lines = vec![say!(voice, "trace-head", name = name)];
    lines.extend(steps.iter().map(|(time, step)| {
        let since = format!("+{}", show_measured(time.since_us(*begin)));
        let since = if voice.plain {
            since
        } else {
            format!("{since:>10}")
        };
        say!(
            voice,
            "trace-step",
            since = since,
            what = step_words(step, people)
        )
    }));
    lines
}

/// A step in words.
fn step_words(step: &Step, people: &People) -> String {
    let voice = people.voice();
    match step {
        Step::Said => say!(voice, "step-said"),
        Step::InOutbox => say!(voice, "step-outbox"),
        Step::Stamped(hop) => say!(voice, "step-stamped", hop = hop.to_string()),
        Step::Received => say!(voice, "step-received"),
        Step::Delivered => say!(voice, "step-delivered"),
        Step::Written => say!(voice, "step-written"),
        Step::HeldBy(node) => say!(voice, "step-held", who = people.who(*node)),
    }
}

/// A lesson's deed, and how far it is.
pub fn lab(lab: &Lab, voice: Voice) -> String {
    let deed = deed(&lab.deed, voice);
    let (by, on) = (lab.by.to_string(), lab.on.to_string());
    match (lab.state, lab.state.refusal()) {
        (_, Some(why)) => {
            let why = voice.reason(why);
            say!(voice, "lab-refused", on = on, deed = deed, by = by, why = why)
        }
        (LabState::Begins, _) => say!(voice, "lab-begins", on = on, deed = deed, by = by),
        (LabState::Ends, _) => say!(voice, "lab-ends", on = on, deed = deed, by = by),
        (_, None) => say!(voice, "lab-asked", by = by, on = on, deed = deed),
    }
}

/// What is to be done, for a lesson.
fn deed(deed: &Deed, voice: Voice) -> String {
    let token = |holding: bool| match holding {
        true => format!(" {}", say!(voice, "lab-with-token")),
        false => String::new(),
    };
    match deed {
        Deed::Pause { for_ms, holding } => {
            say!(voice, "lab-pause", ms = *for_ms, token = token(*holding))
        }
        Deed::Cut { from, for_ms } => {
            let from: Vec<String> = from.iter().map(NodeId::to_string).collect();
            say!(voice, "lab-cut", from = from.join(", "), ms = *for_ms)
        }
        Deed::Heal => say!(voice, "lab-heal"),
        Deed::LoseToken => say!(voice, "lab-lose-token"),
        Deed::Crash { for_ms, holding } => {
            say!(voice, "lab-crash", ms = *for_ms, token = token(*holding))
        }
        Deed::Checkpoint => say!(voice, "lab-checkpoint"),
        Deed::Rollback { number: 0 } => say!(voice, "lab-rollback-newest"),
        Deed::Rollback { number } => say!(voice, "lab-rollback", number = *number),
        Deed::Delay { min_us, max_us } => {
            let (min, max) = (show_measured(*min_us), show_measured(*max_us));
            say!(voice, "lab-delay", min = min, max = max)
        }
        Deed::Say { text } => say!(voice, "lab-say", text = visible::line(text)),
        Deed::Twin => say!(voice, "lab-twin"),
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
        let said = |why_now: Why| {
            let mut status = samples::status(why_now);
            status.waiting_lines = 0;
            why(&status, &people())
        };
        let sentences: Vec<String> = samples::whys().into_iter().map(said).collect();
        assert_eq!(
            sentences,
            [
                "nothing: every line of yours is held by all",
                "your line is being synced to this node's disk",
                "the disk is full (No space left on device); free some room, and sending goes on by itself",
                "a new ring is forming; no agreement yet from node 2",
                "the token is with bob·1, 2 hops from here",
                "too few members: 1 here, 3 needed (--quorum 3)",
                "asking bob·1 and node 2 whether a line of an earlier life has its number already",
                "your lines up to #42 have their numbers; not written yet by bob·1",
            ]
        );
    }

    #[test]
    fn the_sentence_is_right_where_the_reason_alone_is_not() {
        let said = |why_now: Why, change: fn(&mut Status)| {
            let mut status = samples::status(why_now);
            change(&mut status);
            why(&status, &people())
        };
        let gathering = || Why::Gathering(vec![]);
        let in_phase = |change| said(gathering(), change);
        assert_eq!(
            in_phase(|status| (status.phase, status.ring) = (PhaseName::Gather, None)),
            "looking for others; no ring has formed yet"
        );
        assert_eq!(
            in_phase(|status| status.phase = PhaseName::Gather),
            "looking for others: the last ring is over, and a new one has not formed yet"
        );
        assert_eq!(
            in_phase(|status| status.phase = PhaseName::Commit),
            "a new ring is forming: its members agree on it"
        );
        assert!(in_phase(|status| status.phase = PhaseName::Recover).contains("exchange what some have"));
        let here = Why::Token {
            holder: NodeId(3),
            hops: 0,
        };
        assert!(said(here, |_| ()).starts_with("the token is here"));
        let near = Why::Token {
            holder: NodeId(1),
            hops: 1,
        };
        assert_eq!(said(near, |_| ()), "the token is with bob·1, 1 hop from here");
        let unready = Why::Quorum { have: 1, need: 2 };
        assert_eq!(
            said(unready, |_| ()),
            "2 members are here, and not all of them are known to be ready; 2 are needed (--quorum 2)"
        );
        assert_eq!(
            said(Why::Nothing, |status| status.waiting_lines = 1),
            "a line of yours has its number already, and comes with what is caught up from others"
        );
        let files = Why::DiskFull("24 files, ulimit -n".into());
        assert!(said(files, |_| ()).starts_with("too many files are open"));
    }

    #[test]
    fn what_is_listened_to_has_no_columns_and_no_signs() {
        let voice = Voice {
            plain: true,
            ..Voice::default()
        };
        let mut people = People::new(voice);
        people.learn(NodeId(1), "bob");
        let lines = answer(
            &Question::Ring { verbose: false },
            &samples::status(Why::Nothing),
            &people,
        );
        assert_eq!(
            lines[1],
            "bob (1): at 127.0.0.1:4001, received #42, held #41, has the token"
        );
        assert_eq!(
            lines[2],
            "this node, ana (3): at 127.0.0.1:4001, received #42, held #42"
        );
        let life = trace(Some("#42"), &samples::steps(), &people);
        assert_eq!(life[7], "+2.1 s: held by bob (1)");
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
