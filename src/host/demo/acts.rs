//! The first acts: a ring forms, people talk, and the files differ on purpose.

use std::collections::BTreeSet;

use crate::host::clock;

use super::Story;
use super::evidence::Replica;
use super::failure::Failure;
use super::page::row;
use super::player::Heard;
use super::stage::{CAST, Stage, name};

/// How the nodes are started. The delay is longer than the usual one, so that one can see what it does; with
/// checkpoints this often, one is soon there to go back to.
pub const WORDS: [&str; 4] = ["--delay", "0..700ms", "--checkpoint-every", "3s"];
/// All ids.
pub const ALL: [u16; 3] = [1, 2, 3];

/// What is said at the same moment, by node. No text of the demo is said twice, so that a text names its line.
const TALK: [(u16, [&str; 3]); 3] = [
    (1, ["good morning", "who has the map?", "I bring coffee"]),
    (2, ["morning!", "the map is with me", "two sugars, please"]),
    (3, ["hello, both", "mine got wet", "black for me"]),
];

/// The time between two moments in milliseconds, as it is shown.
pub fn ms(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us / 100 % 10)
}

/// What nodes of a ring see is compared by this: number, id, sender and text of each message, in order.
pub fn same_at_all(stage: &Stage, ids: &[u16]) -> bool {
    let mut lists = ids.iter().map(|id| stage.player(*id).messages());
    let first = lists.next().unwrap_or_default();
    lists.all(|list| list == first)
}

impl Story {
    /// Who tells this, and where.
    pub(super) fn opening(&mut self) -> Result<(), Failure> {
        let (group, folder) = (self.stage.group(), self.stage.folder().display().to_string());
        self.page.line(
            "roda: a group chat without a server. Three nodes pass a token round; only who holds it may",
        )?;
        self.page
            .line("give messages their next numbers. So all see the same messages in the same order.")?;
        self.page.line(&format!(
            "Real processes, on this machine alone: group {group} on 127.0.0.1, files in {folder}."
        ))?;
        self.page
            .line("Each line with a ✓ was measured, from what the processes tell or from their files.")
    }

    /// Three nodes start and become one ring. Two may find each other first and the third join them: what counts
    /// is the ring that all three are in.
    pub(super) fn gather(&mut self) -> Result<(), Failure> {
        self.act("Three nodes start, find each other by multicast, and form a ring.")?;
        let started = clock::now();
        for (id, _) in CAST {
            self.stage.start(id, &WORDS)?;
        }
        let formed = self.stage.wait("one ring of all three", |stage| {
            let players = ALL.map(|id| stage.player(id));
            let together = players.iter().all(|player| player.ring() == ALL);
            together.then(|| {
                players
                    .iter()
                    .filter_map(|player| player.last("ring")?.at.into())
                    .max()
            })
        })?;
        let mut rows = vec![row([&"node", &"name", &"process"])];
        for (id, name) in CAST {
            rows.push(row([&id, &name, &self.stage.player(id).child.id()]));
        }
        self.page.table(&rows)?;
        let took = formed.unwrap_or(started).since_us(started);
        self.page.seen(&format!(
            "one ring of nodes 1, 2 and 3, {} after the first start",
            ms(took)
        ))?;
        self.end_act()
    }

    /// All speak at the same moment.
    pub(super) fn talk(&mut self) -> Result<(), Failure> {
        self.act("All three speak at the same moment; the token gives each line one number.")?;
        for (id, lines) in TALK {
            self.stage.say(id, &lines)?;
        }
        let count = TALK.iter().map(|(_, lines)| lines.len()).sum::<usize>();
        self.wait_messages(&ALL, count)?;
        // At once, while the delay still holds lines back: the next look at the files is after a pause.
        let midway = self.stage.wait("a file with half of the lines", |stage| {
            let written = written(stage).ok()?;
            let half = stage.typed / 2;
            written
                .iter()
                .any(|numbers| numbers.len() >= half)
                .then_some(written)
        })?;
        let messages = self.stage.player(1).messages();
        self.show_messages(&messages)?;
        let same = same_at_all(&self.stage, &ALL);
        let claim =
            format!("all three nodes told the same {count} lines under the same numbers, in the same order");
        self.page.fact(same, &claim, || self.stage.seen())?;
        let numbers: Vec<u64> = messages.iter().map(|message| message.seq).collect();
        // Nothing was said before, so the numbers must begin at 1; a gap would be a line that nobody has.
        let expected: Vec<u64> = (1..=count as u64).collect();
        let turns: usize = ALL.iter().map(|id| self.stage.player(*id).count("grant")).sum();
        let claim =
            format!("the numbers are 1 to {count} without a gap, given in {turns} turns of the token");
        self.page.fact(numbers == expected && turns > 0, &claim, || {
            format!("{numbers:?} in {turns} turns")
        })?;
        let [one, two, three] = midway.map(|numbers| numbers.len());
        self.page.say(&format!(
            "a moment later the files of nodes 1, 2 and 3 held {one}, {two} and {three} of them"
        ))?;
        self.end_act()
    }

    /// The files hold the same in different orders.
    pub(super) fn differ(&mut self) -> Result<(), Failure> {
        self.act("Each node writes each line after a random delay, so the files differ, on purpose.")?;
        self.wait_written(&ALL)?;
        let written = written(&self.stage)?;
        let mut rows = vec![row([
            &"file of",
            &"numbers, from the first line of the file to the last",
        ])];
        for (id, numbers) in ALL.iter().zip(&written) {
            let numbers: Vec<String> = numbers.iter().map(|number| format!("#{number:<3}")).collect();
            rows.push(row([&format!("node {id}"), &numbers.join("")]));
        }
        self.page.table(&rows)?;
        // Three equal orders of nine lines would be a delay that does nothing: one chance in 362,880 squared.
        let orders: BTreeSet<&Vec<u64>> = written.iter().collect();
        let claim = format!(
            "the same {} lines in each file, in {} different orders",
            written[0].len(),
            orders.len()
        );
        let sets: BTreeSet<BTreeSet<u64>> = written
            .iter()
            .map(|numbers| numbers.iter().copied().collect())
            .collect();
        self.page.fact(orders.len() > 1 && sets.len() == 1, &claim, || {
            format!("{written:?}")
        })?;
        self.end_act()
    }

    /// Waits until these nodes have told so many messages in this life.
    pub(super) fn wait_messages(&mut self, ids: &[u16], count: usize) -> Result<(), Failure> {
        self.stage
            .wait(&format!("{count} messages at nodes {ids:?}"), |stage| {
                let told = |id: &u16| stage.player(*id).count("message") >= count;
                ids.iter().all(told).then_some(())
            })
    }

    /// Waits until all that was typed was acknowledged, and is in the files of these nodes. A file that cannot be
    /// read is looked at again, until the deadline.
    pub(super) fn wait_written(&mut self, ids: &[u16]) -> Result<(), Failure> {
        self.stage
            .wait(&format!("all lines in the files of nodes {ids:?}"), |stage| {
                let holds_all = |id: &u16| {
                    let held = Replica::read(stage.folder(), *id).map(|replica| replica.ids());
                    held.is_ok_and(|held| stage.said.keys().all(|id| held.contains(id)))
                };
                (stage.said.len() == stage.typed && ids.iter().all(holds_all)).then_some(())
            })
    }

    /// A table of messages.
    pub(super) fn show_messages(&mut self, messages: &[Heard]) -> Result<(), Failure> {
        let mut rows = vec![row([&"number", &"who", &"line"])];
        for message in messages {
            rows.push(row([&format!("#{}", message.seq), &message.name, &message.text]));
        }
        self.page.table(&rows)
    }
}

/// The numbers in the three files, in the order of the files.
fn written(stage: &Stage) -> Result<[Vec<u64>; 3], Failure> {
    let read = |id| Replica::read(stage.folder(), id).map(|replica| replica.numbers());
    Ok([read(1)?, read(2)?, read(3)?])
}

impl Stage {
    /// What each node told as messages, for a claim that does not hold.
    pub(super) fn seen(&self) -> String {
        let seen = ALL.map(|id| {
            let messages = self.player(id).messages();
            let numbered = messages
                .iter()
                .map(|message| format!("#{} {:?}", message.seq, message.text));
            format!("{}: {}", name(id), numbered.collect::<Vec<_>>().join(", "))
        });
        seen.join("; ")
    }
}
