//! What the files say: the only witnesses of the verdict.
#![allow(clippy::disallowed_methods)] // Reads the replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::host::disk::Paths;
use crate::replica::{Content, Record};
use crate::words::NodeId;

use super::failure::Failure;

/// A replica as it is in its file.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The node.
    pub node: u16,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
}

impl Replica {
    /// Reads a node's file; one that is not there yet holds nothing.
    pub fn read(folder: &Path, node: u16) -> Result<Replica, Failure> {
        let path = Paths::new(folder, NodeId(node)).replica();
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Replica { node, bytes }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Replica {
                node,
                bytes: Vec::new(),
            }),
            Err(error) => Err(Failure::at("read", &path)(error)),
        }
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
    }

    /// Its records, in the order of the file; lines that are none are left out.
    fn records(&self) -> impl Iterator<Item = Record> {
        self.lines().filter_map(|line| Record::parse(line).ok())
    }

    /// The numbers of its records, in the order of the file.
    pub fn numbers(&self) -> Vec<u64> {
        self.records().map(|record| record.position.seq.0).collect()
    }

    /// The ids of its records.
    pub fn ids(&self) -> BTreeSet<String> {
        self.records().map(|record| record.id.to_string()).collect()
    }
}

/// Finds everything that is wrong with replicas that should be equal and hold every line said, each once.
/// `said` has the texts by message id. Nothing found is the verdict that the demo is for.
pub fn faults(replicas: &[Replica], said: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in replicas.windows(2) {
        if pair[0].bytes != pair[1].bytes {
            let (one, other) = (pair[0].node, pair[1].node);
            // If one file is the beginning of the other, they differ where the shorter one ends.
            let line = pair[0].lines().zip(pair[1].lines()).position(|(a, b)| a != b);
            let shorter = pair[0].lines().count().min(pair[1].lines().count());
            let line = line.unwrap_or(shorter) + 1;
            faults.push(format!(
                "the files of node {one} and node {other} differ at line {line}"
            ));
        }
    }
    replicas
        .iter()
        .for_each(|replica| faults.extend(faults_of(replica, said)));
    faults
}

/// What is wrong with one replica.
fn faults_of(replica: &Replica, said: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    // Canonical order: each record stands at a higher position than the one before.
    let mut last = None;
    let node = replica.node;
    for (index, line) in replica.lines().enumerate() {
        let record = match Record::parse(line) {
            Ok(record) => record,
            Err(error) => {
                faults.push(format!("line {} of node {node} is no record: {error}", index + 1));
                continue;
            }
        };
        if last.is_some_and(|last| record.position <= last) {
            faults.push(format!("line {} of node {node} is out of order", index + 1));
        }
        last = Some(record.position);
        // A record that nobody said is as wrong as a missing one: it would be an invention, or another's line.
        let id = record.id.to_string();
        let text = Content::from_bytes(&record.content).map(|content| content.text);
        if said.get(&id) != text.ok().as_ref() {
            faults.push(format!(
                "line {} of node {node} is not what was said as {id}",
                index + 1
            ));
        }
        *found.entry(id).or_default() += 1;
    }
    for (id, text) in said {
        match found.get(id).copied().unwrap_or(0) {
            1 => {}
            0 => faults.push(format!("node {node} lacks {text:?} ({id})")),
            times => faults.push(format!("node {node} has {text:?} ({id}) {times} times")),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::words::{Epoch, Incarnation, Member, MessageId, Position, RingId, Seq, WallTime};

    const SENDER: Member = Member {
        id: NodeId(1),
        incarnation: Incarnation(7),
    };

    fn id(counter: u64) -> MessageId {
        MessageId {
            sender: SENDER,
            counter,
        }
    }

    /// The line of message `counter`, said as `text`, at number `seq`.
    fn line(counter: u64, seq: u64, text: &str) -> String {
        let ring = RingId {
            epoch: Epoch(1),
            leader: SENDER,
        };
        let position = Position { ring, seq: Seq(seq) };
        let content = Content::new(SENDER.id, "ana", "geral", WallTime(0), text).unwrap();
        let record = Record::new(id(counter), position, content.to_bytes()).unwrap();
        let text = String::from_utf8(record.line()).unwrap();
        format!("{}\n", text.trim_end())
    }

    fn replica(node: u16, lines: &[String]) -> Replica {
        Replica {
            node,
            bytes: lines.concat().into_bytes(),
        }
    }

    fn said(texts: &[&str]) -> BTreeMap<String, String> {
        let numbered = (1..).zip(texts);
        numbered
            .map(|(n, text)| (id(n).to_string(), text.to_string()))
            .collect()
    }

    fn three() -> Vec<String> {
        vec![line(1, 1, "a"), line(2, 2, "b"), line(3, 3, "c")]
    }

    /// The faults of two equal replicas of these lines.
    fn faults_in(lines: &[String]) -> String {
        faults(&[replica(1, lines), replica(2, lines)], &said(&["a", "b", "c"])).join("\n")
    }

    #[test]
    fn equal_files_with_every_line_once_have_no_fault() {
        assert_eq!(faults_in(&three()), "");
        assert_eq!(replica(1, &three()).numbers(), [1, 2, 3]);
    }

    #[test]
    fn files_that_differ_are_named_with_the_line() {
        let mut other = three();
        other.swap(1, 2);
        let found = faults(
            &[replica(1, &three()), replica(3, &other)],
            &said(&["a", "b", "c"]),
        );
        let expected = "the files of node 1 and node 3 differ at line 2";
        assert_eq!(found[0], expected);
        assert!(
            found.contains(&"line 3 of node 3 is out of order".to_string()),
            "{found:?}"
        );
        // A file that only ends earlier differs as well, where it ends.
        let found = faults(
            &[replica(1, &three()), replica(3, &three()[..2])],
            &said(&["a", "b", "c"]),
        );
        assert_eq!(found[0], "the files of node 1 and node 3 differ at line 3");
    }

    #[test]
    fn a_missing_line_is_named_at_each_node_even_if_all_files_are_equal() {
        let found = faults_in(&three()[..2]);
        assert_eq!(found, "node 1 lacks \"c\" (1-7-3)\nnode 2 lacks \"c\" (1-7-3)");
    }

    #[test]
    fn a_doubled_line_is_counted() {
        let mut lines = three();
        lines.push(line(3, 4, "c"));
        assert!(faults_in(&lines).contains("node 2 has \"c\" (1-7-3) 2 times"));
    }

    #[test]
    fn a_line_nobody_said_and_a_line_said_otherwise_are_faults() {
        let mut lines = three();
        lines.push(line(4, 4, "d"));
        assert_eq!(
            faults_in(&lines).matches("is not what was said as 1-7-4").count(),
            2
        );
        lines = three();
        lines[1] = line(2, 2, "B");
        assert_eq!(
            faults_in(&lines).matches("is not what was said as 1-7-2").count(),
            2
        );
    }

    #[test]
    fn a_damaged_line_is_no_record() {
        let mut lines = three();
        lines[1] = lines[1].replace("\"b\"", "\"x\"");
        let found = faults_in(&lines);
        assert!(found.contains("line 2 of node 1 is no record"), "{found}");
        assert!(found.contains("node 1 lacks \"b\""), "{found}");
    }
}
