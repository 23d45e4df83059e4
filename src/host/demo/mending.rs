//! The last acts: a file is damaged, the reconciler mends it, and the verdict is spoken.
#![allow(clippy::disallowed_methods)] // Damages a file, on purpose.

use crate::host::clock;
use crate::host::disk::Paths;
use crate::host::reconcile::{Options, reconcile};
use crate::reconcile::Report;
use crate::words::NodeId;

use super::Story;
use super::acts::ALL;
use super::evidence::{Replica, faults};
use super::failure::Failure;
use super::page::row;

/// The one whose file is damaged.
const DAMAGED: u16 = 3;
/// Said when all are together again.
const TOGETHER: [(u16, &str); 3] = [
    (1, "good that you are back"),
    (2, "what did I miss?"),
    (3, "read it above"),
];
/// The bit that is flipped: it makes another letter of a letter.
const BIT: u8 = 0x02;

impl Story {
    /// All leave, and a file is damaged at rest.
    pub(super) fn damage(&mut self) -> Result<(), Failure> {
        self.act(&format!("All leave; then, as a failing disk might, one bit of node {DAMAGED}'s file is flipped and its end cut off."))?;
        for (id, line) in TOGETHER {
            self.stage.say(id, &[line])?;
        }
        self.wait_written(&ALL)?;
        let codes = self.stage.leave(&ALL)?;
        let claim = "all three left the ring in order, exit code 0 each";
        self.page
            .fact(codes == [Some(0); 3], claim, || format!("{codes:?}"))?;
        let replica = Replica::read(self.stage.folder(), DAMAGED)?;
        let (bytes, flipped, cut) = damaged(&replica.bytes);
        let path = Paths::new(self.stage.folder(), NodeId(DAMAGED)).replica();
        std::fs::write(&path, &bytes).map_err(Failure::at("write", &path))?;
        let length = replica.bytes.len();
        self.page.say(&format!(
            "byte {flipped} of {length} changed, the last {cut} bytes gone"
        ))?;
        self.end_act()
    }

    /// The reconciler looks, mends, and looks again.
    pub(super) fn reconcile(&mut self) -> Result<(), Failure> {
        self.act(
            "The reconciler compares the three files, and makes them equal, in the order of the numbers.",
        )?;
        // To be compared with after the look: `--check` promises to change nothing.
        let before = self.replicas()?;
        self.page.say("$ reconciler --check")?;
        let report = self.reconciled(true, true)?;
        let damaged: u64 = report.replicas.iter().map(|replica| replica.damaged).sum();
        let untouched = before
            .iter()
            .zip(self.replicas()?)
            .all(|(before, after)| before.bytes == after.bytes);
        let claim = format!("the files differ, {damaged} damaged line found, nothing changed");
        self.page
            .fact(!report.is_equal() && damaged > 0 && untouched, &claim, || {
                report.table()
            })?;
        self.page.say("$ reconciler")?;
        self.reconciled(false, false)?;
        self.page.say("$ reconciler --check")?;
        let report = self.reconciled(true, false)?;
        self.page.fact(
            report.is_equal(),
            "a second look finds the three files equal",
            || report.table(),
        )?;
        self.end_act()
    }

    /// Runs the reconciler and shows its report.
    fn reconciled(&mut self, check: bool, full: bool) -> Result<Report, Failure> {
        // Offline: all nodes have left, and nothing but these files is meant.
        let options = Options {
            data_dir: self.stage.folder().to_path_buf(),
            live: None,
            check,
            replicas: Vec::new(),
        };
        let report = reconcile(&options)?;
        // Below the folder that was named at the start, names are short enough to read.
        let folder = format!("{}/", self.stage.folder().display());
        let text = report.table().replace(&folder, "");
        // What was found is told by the first look in full; of the others, what is new, and the sum.
        let last = text.lines().count().saturating_sub(1);
        for (index, line) in text.lines().enumerate() {
            if full || index == last || line.contains("set aside") {
                self.page.say(&format!("  {line}"))?;
            }
        }
        Ok(report)
    }

    fn replicas(&self) -> Result<Vec<Replica>, Failure> {
        ALL.iter()
            .map(|id| Replica::read(self.stage.folder(), *id))
            .collect()
    }

    /// What it was all for.
    pub(super) fn verdict(&mut self) -> Result<(), Failure> {
        self.act("The verdict, from the files themselves.")?;
        let replicas = self.replicas()?;
        let mut rows = vec![row([&"file of", &"lines", &"bytes", &"checksum"])];
        for replica in &replicas {
            let sum = crc32fast::hash(&replica.bytes);
            let (lines, bytes) = (replica.lines().count(), replica.bytes.len());
            rows.push(row([
                &format!("node {}", replica.node),
                &lines,
                &bytes,
                &format!("{sum:08x}"),
            ]));
        }
        self.page.table(&rows)?;
        let (typed, said) = (self.stage.typed, self.stage.said.len());
        let claim = format!("all {typed} lines that were typed were acknowledged");
        self.page.fact(typed == said, &claim, || format!("{said}"))?;
        // One list for both claims: they are told one by one, but stand or fall together.
        let faults = faults(&replicas, &self.stage.said);
        let claim = "three equal files, byte for byte, in the order of the numbers";
        self.page.fact(faults.is_empty(), claim, || faults.join("; "))?;
        let claim = format!("each of the {said} lines is in each file exactly once; nothing else is");
        self.page.fact(faults.is_empty(), &claim, || faults.join("; "))?;
        let (facts, seconds) = (self.page.facts(), clock::now().since_us(self.started) / 100_000);
        self.page.verdict(&format!(
            "Verdict: three equal files, every line said is present exactly once. {facts} of {facts} facts hold; {}.{} s.",
            seconds / 10,
            seconds % 10
        ))
    }
}

/// A file with one bit of its middle line flipped and the last line cut in half; which byte that was, counted
/// from 1, and how many bytes were cut.
fn damaged(bytes: &[u8]) -> (Vec<u8>, usize, usize) {
    let lines: Vec<usize> = line_starts(bytes);
    let middle = lines[lines.len() / 2];
    let end = middle
        + bytes[middle..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(0);
    // The last letter of the text: in front of `","sum":"xxxxxxxx"}`.
    let tail = b"\",\"sum\":\"00000000\"}".len();
    let at = end - tail - 1;
    let last = lines[lines.len() - 1];
    let cut = (bytes.len() - last) / 2;
    let mut damaged = bytes[..bytes.len() - cut].to_vec();
    damaged[at] ^= BIT;
    (damaged, at + 1, cut)
}

/// Where the lines begin.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let next = ends.map(|(at, _)| at + 1).filter(|start| *start < bytes.len());
    std::iter::once(0).chain(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_one_letter_of_a_text_and_half_of_the_last_line() {
        let line = |text: &str| format!("{{\"text\":\"{text}\",\"sum\":\"01234567\"}}\n");
        let file = [line("one"), line("two"), line("three")].concat();
        let (bytes, flipped, cut) = damaged(file.as_bytes());
        assert_eq!(cut, line("three").len() / 2);
        assert_eq!(bytes.len(), file.len() - cut);
        let changed: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at] != file.as_bytes()[*at])
            .collect();
        assert_eq!(changed, [flipped - 1]);
        assert_eq!(&bytes[flipped - 3..flipped], b"twm");
    }
}
