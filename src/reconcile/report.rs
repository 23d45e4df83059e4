//! What a reconciliation says: as a table for people, as JSON for programs.
//!
//! Contents of messages are never shown, and paths come here already free of control characters.

use std::fmt::Write;
use std::net::SocketAddrV4;

use serde::Serialize;

use super::merge::Conflict;
use super::{Survey, Tally};

/// The version of the JSON objects: fields are added, never renamed.
const VERSION: u32 = 1;

/// What became of a replica, or would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// It is what all replicas should be.
    Equal,
    /// It was not, and is now.
    Rewritten,
    /// It is not: it was only looked at, or somebody talked.
    Differs,
    /// A live node that stopped answering.
    Lost,
}

impl Result {
    /// The word in the table.
    fn word(self) -> &'static str {
        match self {
            Result::Equal => "equal",
            Result::Rewritten => "rewritten",
            Result::Differs => "differs",
            Result::Lost => "lost",
        }
    }
}

/// What is said about one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaReport {
    /// The node, if the file is named after one.
    pub node: Option<u16>,
    /// The file; of a live node the address it answered from.
    pub path: String,
    /// Whether it is a live node's, who wrote it itself.
    pub live: bool,
    /// Records in it before.
    pub records: u64,
    /// Messages that others have and it lacked.
    pub missing: u64,
    /// Records that stood behind one that belongs behind them.
    pub out_of_order: u64,
    /// Lines that were no records.
    pub damaged: u64,
    /// Whether its last line was cut.
    pub torn: bool,
    /// Lines that were there once more.
    pub duplicates: u64,
    /// Records whose message stands at a lower position.
    pub moved: u64,
    /// Messages in it of which there is more than one content.
    pub conflicts: u64,
    /// What became of it.
    pub result: Result,
    /// Records that a live node got in the course of it.
    pub received: u64,
    /// Files in which lines of it were set aside.
    pub set_aside: Vec<String>,
    /// The first damaged lines, described.
    pub damage: Vec<String>,
}

/// What is known of a live node's replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveReplica {
    /// Its id.
    pub node: u16,
    /// Where it answered from.
    pub address: SocketAddrV4,
    /// Records in it before.
    pub records: u64,
    /// Messages that others have and it lacked, at least.
    pub missing: u64,
    /// Lines that did not stand where they belong.
    pub out_of_order: u64,
    /// Records that it got.
    pub received: u64,
    /// What became of it.
    pub result: Result,
}

impl ReplicaReport {
    /// The report of a replica before anything is done to it.
    pub fn new(node: Option<u16>, path: String, survey: &Survey, tally: &Tally) -> ReplicaReport {
        let describe = |damage: &super::Damage| format!("line {}: {}", damage.line, damage.error);
        let equal = survey.is_canonical() && tally.is_equal();
        ReplicaReport {
            node,
            path,
            live: false,
            records: survey.records,
            missing: tally.missing,
            out_of_order: survey.out_of_order,
            damaged: survey.damaged,
            torn: survey.torn,
            duplicates: tally.duplicates,
            moved: tally.moved,
            conflicts: tally.conflicts,
            result: if equal { Result::Equal } else { Result::Differs },
            received: 0,
            set_aside: Vec::new(),
            damage: survey.shown.iter().map(describe).collect(),
        }
    }

    /// The report of a live node, by what it said of itself.
    pub fn of_live(live: LiveReplica) -> ReplicaReport {
        ReplicaReport {
            node: Some(live.node),
            path: live.address.to_string(),
            live: true,
            records: live.records,
            missing: live.missing,
            out_of_order: live.out_of_order,
            damaged: 0,
            torn: false,
            duplicates: 0,
            moved: 0,
            conflicts: 0,
            result: live.result,
            received: live.received,
            set_aside: Vec::new(),
            damage: Vec::new(),
        }
    }

    /// What the replica is called in the table.
    fn label(&self) -> String {
        match self.node {
            Some(node) if self.live => format!("node {node} (live)"),
            Some(node) => format!("node {node}"),
            None => self.path.clone(),
        }
    }

    /// What the table has no column for.
    fn notes(&self) -> String {
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        note(u64::from(self.torn), "torn line at the end");
        note(self.duplicates, "lines more than once");
        note(self.moved, "moved to a lower position");
        note(self.received, "messages filled in by the node itself");
        let lines: Vec<&str> = notes.iter().map(String::as_str).collect();
        let lines = lines.into_iter().chain(self.damage.iter().map(String::as_str));
        let asides = self.set_aside.iter().map(|path| format!("set aside in {path}"));
        let lines = lines.map(str::to_string).chain(asides);
        lines.map(|line| format!("{}: {line}\n", self.label())).collect()
    }
}

/// What is said about all replicas together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each replica, in the order of their nodes.
    pub replicas: Vec<ReplicaReport>,
    /// How many messages there are in all.
    pub messages: u64,
    /// How many conflicts there are in all.
    pub conflicts: u64,
    /// The first of them.
    pub shown: Vec<Conflict>,
    /// Whether it was only a check.
    pub checked: bool,
}

/// The last JSON object.
#[derive(Serialize)]
struct Summary {
    replicas: usize,
    messages: u64,
    conflicts: u64,
    conflict: Vec<String>,
    differing: usize,
    rewritten: usize,
    live: usize,
    lost: usize,
    equal: bool,
}

/// A JSON object with the keys that all of them begin with.
#[derive(Serialize)]
struct Object<'a, T> {
    v: u32,
    r#type: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

impl Report {
    /// Whether the replicas are equal now.
    pub fn is_equal(&self) -> bool {
        self.count(Result::Differs) + self.count(Result::Lost) == 0
    }

    /// Live nodes hold this many messages more than all files together, or others.
    pub fn files_lack(&mut self, messages: u64) {
        for file in self.replicas.iter_mut().filter(|replica| !replica.live) {
            file.missing = file.missing.saturating_add(messages);
            file.result = Result::Differs;
        }
    }

    /// How many replicas have this result.
    pub fn count(&self, result: Result) -> usize {
        let has = |replica: &&ReplicaReport| replica.result == result;
        self.replicas.iter().filter(has).count()
    }

    /// A table and what it has no column for, for people.
    pub fn table(&self) -> String {
        let header = [
            "replica",
            "records",
            "missing",
            "out of order",
            "damaged",
            "conflicts",
            "result",
        ];
        let mut rows = vec![header.map(str::to_string)];
        for replica in &self.replicas {
            let counts = [
                replica.records,
                replica.missing,
                replica.out_of_order,
                replica.damaged,
                replica.conflicts,
            ];
            let [records, missing, order, damaged, conflicts] = counts.map(|count| count.to_string());
            let (label, word) = (replica.label(), replica.result.word().to_string());
            rows.push([label, records, missing, order, damaged, conflicts, word]);
        }
        let mut text = aligned(&rows);
        text.extend(self.replicas.iter().map(ReplicaReport::notes));
        for conflict in self.described() {
            text.push_str(&format!("conflict: {conflict}\n"));
        }
        if self.conflicts > self.shown.len() as u64 {
            let more = self.conflicts - self.shown.len() as u64;
            text.push_str(&format!("conflict: and {more} more\n"));
        }
        text.push_str(&self.verdict());
        text
    }

    /// One JSON object for each replica and one for all, each on a line.
    pub fn json(&self) -> String {
        let mut text = String::new();
        for replica in &self.replicas {
            text.push_str(&object("replica", replica));
        }
        let summary = Summary {
            replicas: self.replicas.len(),
            messages: self.messages,
            conflicts: self.conflicts,
            conflict: self.described(),
            differing: self.count(Result::Differs),
            rewritten: self.count(Result::Rewritten),
            live: self.replicas.iter().filter(|replica| replica.live).count(),
            lost: self.count(Result::Lost),
            equal: self.is_equal(),
        };
        text + &object("summary", &summary)
    }

    /// The last line of the table.
    fn verdict(&self) -> String {
        let (all, messages) = (self.replicas.len(), self.messages);
        if let lost @ 1.. = self.count(Result::Lost) {
            return format!(
                "{messages} messages; {lost} of {all} replicas lost: the node stopped answering; run again when it is back\n"
            );
        }
        match (self.count(Result::Rewritten), self.count(Result::Differs)) {
            (0, 0) => format!("{messages} messages; {all} of {all} replicas are equal; nothing to do\n"),
            (rewritten, 0) => {
                format!("{messages} messages; {rewritten} of {all} replicas rewritten; all are equal now\n")
            }
            (_, differing) if self.checked => format!(
                "{messages} messages; {differing} of {all} replicas differ; nothing was changed, run without --check to reconcile\n"
            ),
            (_, differing) => format!(
                "{messages} messages; {differing} of {all} replicas still differ: somebody talked, or there is a conflict; run again when it is quiet\n"
            ),
        }
    }

    /// The conflicts in words.
    fn described(&self) -> Vec<String> {
        let describe = |conflict: &Conflict| match conflict {
            Conflict::Contents(id, at) => {
                format!("message {id} at {at} has more than one content; the lowest line is kept")
            }
            Conflict::Moved(id, at) => {
                format!("message {id} has another content at {at} than at its lowest position, which is kept")
            }
            Conflict::Position(id, at) => {
                format!("message {id} shares its position {at} with another message; both are kept")
            }
        };
        self.shown.iter().map(describe).collect()
    }
}

/// A JSON object on a line.
fn object<T: Serialize>(name: &'static str, body: &T) -> String {
    let object = Object {
        v: VERSION,
        r#type: name,
        body,
    };
    serde_json::to_string(&object).expect("numbers and strings always become JSON") + "\n"
}

/// Rows as lines with aligned columns: the first and the last to the left, the numbers between to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = format!("{:<width$}", row[0], width = width(0));
        for (column, cell) in row.iter().enumerate().skip(1) {
            let width = if column + 1 == N { 0 } else { width(column) };
            write!(line, "  {cell:>width$}").expect("writing to memory does not fail");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missing: u64) -> Report {
        let (survey, tally) = (
            Survey {
                records: 1200,
                ..Survey::default()
            },
            Tally::default(),
        );
        let lacking = Tally {
            missing,
            duplicates: missing,
            ..Tally::default()
        };
        Report {
            replicas: vec![
                ReplicaReport::new(Some(1), "replicas/node-1.jsonl".into(), &survey, &tally),
                ReplicaReport::new(None, "copy.jsonl".into(), &survey, &lacking),
            ],
            messages: 1200,
            conflicts: 0,
            shown: Vec::new(),
            checked: true,
        }
    }

    #[test]
    fn the_table_is_aligned_and_ends_with_a_verdict() {
        let expected = "\
replica     records  missing  out of order  damaged  conflicts  result
node 1         1200        0             0        0          0  equal
copy.jsonl     1200        7             0        0          0  differs
copy.jsonl: 7 lines more than once
1200 messages; 1 of 2 replicas differ; nothing was changed, run without --check to reconcile
";
        assert_eq!(report(7).table(), expected);
        assert!(
            report(0)
                .table()
                .ends_with("2 of 2 replicas are equal; nothing to do\n")
        );
    }

    #[test]
    fn json_has_one_object_a_line_and_begins_with_version_and_type() {
        let json = report(7).json();
        let lines: Vec<&str> = json.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("{\"v\":1,\"type\":\"replica\",\"node\":1,"),
            "{json}"
        );
        let summary: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(
            (summary["type"].as_str(), summary["differing"].as_u64()),
            (Some("summary"), Some(1))
        );
        assert_eq!(summary["equal"], false);
    }

    fn live(node: u16, received: u64, result: Result) -> ReplicaReport {
        ReplicaReport::of_live(LiveReplica {
            node,
            address: "127.0.0.1:4000".parse().unwrap(),
            records: 10,
            missing: 2,
            out_of_order: 3,
            received,
            result,
        })
    }

    fn verdict(results: &[Result], checked: bool) -> String {
        let replicas = results.iter().map(|&result| live(1, 0, result)).collect();
        let report = Report {
            replicas,
            messages: 9,
            conflicts: 0,
            shown: Vec::new(),
            checked,
        };
        let equal = results
            .iter()
            .all(|result| matches!(result, Result::Equal | Result::Rewritten));
        assert_eq!(report.is_equal(), equal);
        report.table().lines().last().unwrap().to_string()
    }

    #[test]
    fn the_verdict_says_what_happened() {
        use super::Result::{Differs, Equal, Lost, Rewritten};
        let all = "9 messages; 2 of 2 replicas are equal; nothing to do";
        assert_eq!(verdict(&[Equal, Equal], true), all);
        let rewritten = "9 messages; 1 of 2 replicas rewritten; all are equal now";
        assert_eq!(verdict(&[Equal, Rewritten], false), rewritten);
        let checked =
            "9 messages; 1 of 3 replicas differ; nothing was changed, run without --check to reconcile";
        assert_eq!(verdict(&[Equal, Rewritten, Differs], true), checked);
        let differing = "9 messages; 2 of 2 replicas still differ: somebody talked, or there is a conflict; \
            run again when it is quiet";
        assert_eq!(verdict(&[Differs, Differs], false), differing);
        let lost = "9 messages; 1 of 2 replicas lost: the node stopped answering; run again when it is back";
        assert_eq!(verdict(&[Lost, Differs], false), lost);
    }

    #[test]
    fn what_has_no_column_stands_below_the_table() {
        let survey = Survey {
            records: 5,
            torn: true,
            shown: vec![super::super::Damage {
                line: 4,
                offset: 90,
                length: 3,
                newline: true,
                error: crate::replica::record::RecordError::Torn,
            }],
            ..Survey::default()
        };
        let tally = Tally {
            moved: 1,
            ..Tally::default()
        };
        let mut file = ReplicaReport::new(Some(2), "node-2.jsonl".into(), &survey, &tally);
        assert_eq!(file.result, Result::Differs);
        file.set_aside.push("aside.jsonl".into());
        let notes = "node 2: 1 torn line at the end\nnode 2: 1 moved to a lower position\n\
            node 2: line 4: the line is cut before its sum\nnode 2: set aside in aside.jsonl\n";
        assert_eq!(file.notes(), notes);
        assert_eq!(
            live(3, 6, Result::Rewritten).notes(),
            "node 3 (live): 6 messages filled in by the node itself\n"
        );
        assert_eq!(live(3, 0, Result::Equal).notes(), "");
    }

    #[test]
    fn conflicts_are_described_and_the_rest_is_counted() {
        let (id, at) = (
            "3-9-1".parse().unwrap(),
            crate::words::Position {
                ring: "4.1.9".parse().unwrap(),
                seq: crate::words::Seq(7),
            },
        );
        let shown = vec![
            Conflict::Contents(id, at),
            Conflict::Moved(id, at),
            Conflict::Position(id, at),
        ];
        let mut report = Report {
            replicas: Vec::new(),
            messages: 0,
            conflicts: 3,
            shown,
            checked: false,
        };
        let told = |report: &Report| {
            let table = report.table();
            let lines = table.lines().filter_map(|line| line.strip_prefix("conflict: "));
            lines.map(String::from).collect::<Vec<_>>()
        };
        let of_three = told(&report);
        assert_eq!(of_three.len(), 3);
        assert!(of_three[0].contains("more than one content") && of_three[0].contains("3-9-1"));
        assert!(of_three[1].contains("another content") && of_three[2].contains("shares its position"));
        report.conflicts = 5;
        assert_eq!(told(&report)[3..], ["and 2 more"]);
        let summary: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(
            (
                summary["conflicts"].as_u64(),
                summary["conflict"].as_array().unwrap().len()
            ),
            (Some(5), 3)
        );
    }

    #[test]
    fn the_summary_counts_every_result_and_files_lack_what_live_nodes_have() {
        let mut report = report(0);
        report.replicas.push(live(3, 0, Result::Rewritten));
        report.replicas.push(live(4, 0, Result::Lost));
        report.files_lack(5);
        let missing: Vec<u64> = report.replicas.iter().map(|replica| replica.missing).collect();
        assert_eq!(missing, [5, 5, 2, 2]);
        let json = report.json();
        let summary: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
        let number = |key: &str| summary[key].as_u64().unwrap();
        assert_eq!(
            (number("replicas"), number("messages"), number("differing")),
            (4, 1200, 2)
        );
        assert_eq!((number("rewritten"), number("live"), number("lost")), (1, 2, 1));
        let words: Vec<String> = report
            .table()
            .lines()
            .skip(1)
            .take(4)
            .map(|line| line.rsplit(' ').next().unwrap().into())
            .collect();
        assert_eq!(words, ["differs", "differs", "rewritten", "lost"]);
        assert!(report.table().contains("node 3 (live)"));
    }
}
