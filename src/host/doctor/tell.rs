//! A diagnosis in words, and as JSON.

use super::finding::{Check, Diagnosis, Finding, State};
use crate::host::events::object::{Object, list, quoted};
use crate::host::terminal::visible;

/// All checks and the verdict, one line each.
pub fn lines(diagnosis: &Diagnosis) -> Vec<String> {
    let mut lines: Vec<String> = diagnosis.checks.iter().map(check_line).collect();
    lines.push(String::new());
    lines.extend(verdict_lines(diagnosis));
    lines
}

/// The verdict alone: cause, evidence, remedy, and what else is wrong.
pub fn verdict_lines(diagnosis: &Diagnosis) -> Vec<String> {
    let mut lines = finding_lines("verdict", &diagnosis.verdict);
    for also in &diagnosis.also {
        lines.extend(finding_lines("also", also));
    }
    lines
}

/// One line for somebody who did not ask.
pub fn alone_line(diagnosis: &Diagnosis, seconds: u64) -> String {
    format!(
        "alone for {seconds} s: {}; /why for more",
        diagnosis.verdict.cause.words()
    )
}

/// The fields of a diagnosis as an event.
pub fn fields(object: Object, diagnosis: &Diagnosis) -> Object {
    let also = diagnosis.also.iter();
    let also = also.map(|finding| finding_fields(Object::new(), finding).end());
    finding_fields(object, &diagnosis.verdict)
        .raw("also", &list(also))
        .raw("checks", &list(diagnosis.checks.iter().map(check_fields)))
}

/// A check on a line of its own, in columns.
fn check_line(check: &Check) -> String {
    let state = check.state.words();
    let words = visible::line(&check.words);
    // As wide as the widest of each.
    format!(
        "{state:<width$}  {:<9}  {words}",
        check.what,
        width = State::Unknown.words().len()
    )
}

fn finding_lines(head: &str, finding: &Finding) -> Vec<String> {
    let cause = finding.cause;
    let mut lines = vec![format!("{head}: {} ({})", cause.words(), cause.code())];
    let evidence = finding.evidence.iter();
    lines.extend(evidence.map(|evidence| format!("  seen: {}", visible::line(evidence))));
    lines.push(format!("  what to do: {}", visible::line(&finding.remedy)));
    lines
}

fn finding_fields(object: Object, finding: &Finding) -> Object {
    let evidence = list(finding.evidence.iter().map(|evidence| quoted(evidence)));
    object
        .text("cause", finding.cause.code())
        .text("words", finding.cause.words())
        .flag("trouble", finding.cause.is_trouble())
        .raw("evidence", &evidence)
        .text("remedy", &finding.remedy)
}

fn check_fields(check: &Check) -> String {
    Object::new()
        .text("check", check.what)
        .text("state", check.state.code())
        .text("words", &check.words)
        .end()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Cause;
    use super::*;

    fn diagnosis() -> Diagnosis {
        let finding = |cause, evidence: &str| Finding {
            cause,
            evidence: vec![evidence.to_string()],
            remedy: "do something".to_string(),
        };
        Diagnosis {
            checks: vec![Check {
                what: "port",
                state: State::Trouble,
                words: "taken by a\u{1b}b".to_string(),
            }],
            verdict: finding(Cause::PortTaken, "ev\u{1b}il"),
            also: vec![finding(Cause::DiskFull, "0 bytes free")],
        }
    }

    #[test]
    fn a_diagnosis_is_told_in_lines_in_which_nothing_steers_a_terminal() {
        assert_eq!(
            lines(&diagnosis()),
            [
                "trouble         port       taken by a␛b",
                "",
                "verdict: the group's port is taken by a program that does not share it (port_taken)",
                "  seen: ev␛il",
                "  what to do: do something",
                "also: the disk is full (disk_full)",
                "  seen: 0 bytes free",
                "  what to do: do something",
            ]
        );
        assert_eq!(
            alone_line(&diagnosis(), 10),
            "alone for 10 s: the group's port is taken by a program that does not share it; /why for more"
        );
    }

    #[test]
    fn a_diagnosis_is_one_json_object() {
        let json = fields(Object::new(), &diagnosis()).end();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["cause"], "port_taken");
        assert_eq!(value["evidence"][0], "ev\u{1b}il");
        assert_eq!(value["also"][0]["cause"], "disk_full");
        assert_eq!(value["checks"][0]["state"], "trouble");
        assert!(!json.contains('\u{1b}'));
    }
}
