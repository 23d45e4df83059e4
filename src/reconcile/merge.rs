//! Merging replicas by the rule of the module's doc, and counting what each lacks or has too much of.
//!
//! A merge that met one id at two positions says so in [`Outcome::watch_next`]. Only a second merge, which is
//! told to watch those ids, can compare their contents and say exactly who lacks what: by the time the higher
//! position comes by, the record at the lower one is long gone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::streams::{Batches, Key, Next, Streams};
use crate::bugs::{self, Bug};
use crate::replica::IdSet;
use crate::replica::record::RecordView;
use crate::words::{MessageId, Position};

/// How many ids found at two positions are watched. Beyond that, contents are taken to differ, unseen.
pub const WATCHED_IDS_MAX: usize = 65_536;
/// How many bytes of contents of watched ids are kept for comparing. Beyond that, they are taken to differ.
pub const WATCHED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many conflicts are described; all are counted.
pub const CONFLICTS_SHOWN: usize = 20;

/// Takes what a merge keeps and gives up.
pub trait Sink {
    /// The next line of the merged replica, without its newline.
    fn keep(&mut self, line: &[u8]) -> io::Result<()>;

    /// A line of this replica that is not kept and whose content is not known to be kept under its id.
    fn set_aside(&mut self, replica: usize, line: &[u8]) -> io::Result<()>;
}

/// The sink of a merge that only counts.
pub struct CountOnly;

impl Sink for CountOnly {
    fn keep(&mut self, _line: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn set_aside(&mut self, _replica: usize, _line: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// What a merge found in one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that others have and it lacks.
    pub missing: u64,
    /// Lines that are there once more.
    pub duplicates: u64,
    /// Records whose message others, or itself, have at a lower position.
    pub moved: u64,
    /// Messages in it of which there is more than one content somewhere.
    pub conflicts: u64,
    /// Lines of it that were given up and set aside.
    pub set_aside: u64,
}

impl Tally {
    /// Whether the replica, put in order, is what the merge gives.
    pub fn is_equal(&self) -> bool {
        self.missing + self.duplicates + self.moved + self.set_aside == 0
    }
}

/// Two contents under one id, or two ids under one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Two contents under one id; the one that is kept stands here.
    Contents(MessageId, Position),
    /// This message, which stands here, stands there too, and its contents differ or could not be compared.
    Moved(MessageId, Position),
    /// Another message has this position too; both are kept.
    Position(MessageId, Position),
}

/// Ids that are known to be at two positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    ids: BTreeMap<MessageId, Kept>,
    bytes: usize,
}

/// What is known of the kept record of a watched id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    /// Its content, as long as there is room for it.
    body: Option<Vec<u8>>,
    /// The replicas that have the message, at whatever position.
    holders: BTreeSet<usize>,
}

impl Watched {
    /// Whether there is nothing to watch.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Takes another id in, if there is room.
    fn add(&mut self, id: MessageId) {
        if self.ids.len() < WATCHED_IDS_MAX {
            self.ids.entry(id).or_default();
        }
    }

    /// Notes the kept record of an id, if it is watched.
    fn note(&mut self, id: MessageId, line: &[u8], holders: impl Iterator<Item = usize>) {
        let Some(kept) = self.ids.get_mut(&id) else {
            return;
        };
        kept.holders = holders.collect();
        let body = RecordView::parse(line)
            .expect("a line that streams gave was checked")
            .body;
        kept.body = (self.bytes + body.len() <= WATCHED_BYTES_MAX).then(|| body.to_vec());
        self.bytes += kept.body.as_ref().map_or(0, Vec::len);
    }

    /// Whether the kept record of an id is known to have the content of this line.
    fn same_content(&self, id: MessageId, line: &[u8]) -> bool {
        let view = RecordView::parse(line).expect("a line that streams gave was checked");
        let kept = self.ids.get(&id).and_then(|kept| kept.body.as_deref());
        kept == Some(view.body)
    }
}

/// What a merge found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many records were kept.
    pub kept: u64,
    /// How many records were read, of all replicas.
    pub read: u64,
    /// One for each replica.
    pub tallies: Vec<Tally>,
    /// How many conflicts there are in all.
    pub conflicts: u64,
    /// The first of them.
    pub shown: Vec<Conflict>,
    /// Ids at two positions that this merge did not watch. With none, its counts are exact.
    pub watch_next: Watched,
}

/// The records under one key.
struct Group {
    key: Key,
    /// The lowest line.
    best: Vec<u8>,
    /// How often each replica has it.
    held: Vec<u64>,
    /// Which replicas have another line under this key.
    others: Vec<bool>,
    /// Whether there is another line at all.
    conflict: bool,
}

impl Group {
    /// The replicas that have a line under this key.
    fn holders(&self) -> impl Iterator<Item = usize> {
        (0..self.held.len()).filter(|&replica| self.held[replica] > 0 || self.others[replica])
    }
}

/// A merge on its way.
struct Merging<'a, K> {
    sink: &'a mut K,
    watched: Watched,
    seen: IdSet,
    last_kept: Option<Position>,
    outcome: Outcome,
}

/// Merges the streams of so many replicas, and gives the sink what is kept and what is given up.
///
/// If the outcome has ids to watch, its counts of missing and moved records are not exact, and all that was
/// moved was set aside: merge again with [`Outcome::watch_next`], and another sink.
pub fn merge<B: Batches>(
    streams: Streams<B>,
    replicas: usize,
    watched: Watched,
    sink: &mut impl Sink,
) -> io::Result<Outcome> {
    let mut streams = streams;
    let mut merging = Merging {
        sink,
        watched,
        seen: IdSet::new(),
        last_kept: None,
        outcome: Outcome {
            tallies: vec![Tally::default(); replicas],
            ..Outcome::default()
        },
    };
    let mut open: Option<Group> = None;
    while let Some(next) = streams.peek() {
        merging.outcome.read += 1;
        let group = match &mut open {
            Some(group) if group.key == next.key => group,
            Some(group) => {
                merging.settle(group)?;
                restart(group, &next);
                group
            }
            None => open.insert(new_group(replicas, &next)),
        };
        merging.add(group, &next)?;
        streams.advance()?;
    }
    if let Some(group) = &open {
        merging.settle(group)?;
    }
    Ok(merging.outcome)
}

/// A group for this record, without it.
fn new_group(replicas: usize, next: &Next<'_>) -> Group {
    Group {
        key: next.key,
        best: next.line.to_vec(),
        held: vec![0; replicas],
        others: vec![false; replicas],
        conflict: false,
    }
}

/// Makes a group one for this record, without it, and without new memory.
fn restart(group: &mut Group, next: &Next<'_>) {
    group.key = next.key;
    group.best.clear();
    group.best.extend_from_slice(next.line);
    group.held.fill(0);
    group.others.fill(false);
    group.conflict = false;
}

impl<K: Sink> Merging<'_, K> {
    /// Adds a record to its group. Of two lines, the lowest is kept and the other set aside.
    fn add(&mut self, group: &mut Group, next: &Next<'_>) -> io::Result<()> {
        let order = next.line.cmp(&group.best);
        if order == Ordering::Greater {
            return self.give_up(group, next.replica, next.line);
        }
        if order == Ordering::Less {
            let beaten = std::mem::replace(&mut group.best, next.line.to_vec());
            for replica in 0..group.held.len() {
                let times = std::mem::take(&mut group.held[replica]);
                self.outcome.tallies[replica].duplicates += times.saturating_sub(1);
                if times > 0 {
                    self.give_up(group, replica, &beaten)?;
                }
            }
        }
        group.held[next.replica] += 1;
        Ok(())
    }

    /// Sets a line aside that lost against another content under its key.
    fn give_up(&mut self, group: &mut Group, replica: usize, line: &[u8]) -> io::Result<()> {
        if bugs::on(Bug::ConflictSilent) {
            return Ok(());
        }
        group.conflict = true;
        group.others[replica] = true;
        self.outcome.tallies[replica].set_aside += 1;
        self.sink.set_aside(replica, line)
    }

    /// Decides about the records under one key, which are complete.
    fn settle(&mut self, group: &Group) -> io::Result<()> {
        for (tally, &held) in self.outcome.tallies.iter_mut().zip(&group.held) {
            tally.duplicates += held.saturating_sub(1);
        }
        if self.seen.insert(group.key.id) || bugs::on(Bug::KeptAtBoth) {
            self.keep(group)?;
        } else {
            self.move_away(group)?;
        }
        if group.conflict {
            let Key { id, position } = group.key;
            self.conflict(Conflict::Contents(id, position), group);
        }
        Ok(())
    }

    /// Keeps the record of an id that was not seen before.
    fn keep(&mut self, group: &Group) -> io::Result<()> {
        let Key { id, position } = group.key;
        self.sink.keep(&group.best)?;
        self.outcome.kept += 1;
        let holds = group.held.iter().zip(&group.others);
        for (tally, (&held, &others)) in self.outcome.tallies.iter_mut().zip(holds) {
            tally.missing += u64::from(held == 0 && !others);
        }
        if !self.watched.is_empty() {
            self.watched.note(id, &group.best, group.holders());
        }
        if self.last_kept.replace(position) == Some(position) {
            self.conflict(Conflict::Position(id, position), group);
        }
        Ok(())
    }

    /// Gives up the record of an id that has been kept at a lower position.
    fn move_away(&mut self, group: &Group) -> io::Result<()> {
        let Key { id, position } = group.key;
        let same = self.watched.same_content(id, &group.best) || bugs::on(Bug::ConflictSilent);
        match self.watched.ids.get_mut(&id) {
            Some(kept) => {
                for replica in group.holders() {
                    let first_seen = kept.holders.insert(replica);
                    self.outcome.tallies[replica].missing -= u64::from(first_seen);
                }
            }
            None => self.outcome.watch_next.add(id),
        }
        for replica in group.holders() {
            self.outcome.tallies[replica].moved += 1;
            if !same && group.held[replica] > 0 {
                self.outcome.tallies[replica].set_aside += 1;
                self.sink.set_aside(replica, &group.best)?;
            }
        }
        if !same {
            self.conflict(Conflict::Moved(id, position), group);
        }
        Ok(())
    }

    /// Counts a conflict that all holders of the group have part in.
    fn conflict(&mut self, conflict: Conflict, group: &Group) {
        self.outcome.conflicts += 1;
        for replica in group.holders() {
            self.outcome.tallies[replica].conflicts += 1;
        }
        if self.outcome.shown.len() < CONFLICTS_SHOWN {
            self.outcome.shown.push(conflict);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reconcile::Stream;
    use crate::replica::Record;
    use crate::words::{Epoch, Incarnation, Member, NodeId, RingId, Seq};

    /// A record of node 3's message `counter` under the number `seq` of one ring.
    pub fn record(counter: u64, seq: u64, text: &str) -> Record {
        let member = |id| Member {
            id: NodeId(id),
            incarnation: Incarnation(9),
        };
        let ring = RingId {
            epoch: Epoch(4),
            leader: member(1),
        };
        Record {
            id: MessageId {
                sender: member(3),
                counter,
            },
            position: Position { ring, seq: Seq(seq) },
            content: Bytes::from(format!("{{\"from\":3,\"text\":\"{text}\"}}")),
        }
    }

    /// A replica: records as counter, number and text.
    type Replica<'a> = Vec<(u64, u64, &'a str)>;

    /// What a merge leaves: lines without newlines.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Lines {
        kept: Vec<Vec<u8>>,
        aside: Vec<(usize, Vec<u8>)>,
    }

    impl Sink for Lines {
        fn keep(&mut self, line: &[u8]) -> io::Result<()> {
            self.kept.push(line.to_vec());
            Ok(())
        }

        fn set_aside(&mut self, replica: usize, line: &[u8]) -> io::Result<()> {
            self.aside.push((replica, line.to_vec()));
            Ok(())
        }
    }

    fn lines(replica: &Replica<'_>) -> Vec<Vec<u8>> {
        let line = |&(counter, seq, text): &(u64, u64, &str)| record(counter, seq, text).line();
        replica.iter().map(line).collect()
    }

    fn merge_lines(replicas: &[Vec<Vec<u8>>]) -> (Outcome, Lines) {
        let files: Vec<Vec<u8>> = replicas.iter().map(|lines| lines.join(&b'\n')).collect();
        let run = |watched| {
            let streams = files
                .iter()
                .enumerate()
                .map(|(i, file)| Stream::new(i, &file[..]));
            let (streams, mut sink) = (Streams::new(streams.collect()).unwrap(), Lines::default());
            let outcome = merge(streams, files.len(), watched, &mut sink).unwrap();
            (outcome, sink)
        };
        let (outcome, sink) = run(Watched::default());
        if outcome.watch_next.is_empty() {
            (outcome, sink)
        } else {
            run(outcome.watch_next)
        }
    }

    fn merge_all(replicas: &[Replica<'_>]) -> (Outcome, Lines) {
        merge_lines(&replicas.iter().map(lines).collect::<Vec<_>>())
    }

    #[test]
    fn what_one_lacks_comes_from_another() {
        let (outcome, sink) = merge_all(&[
            vec![(1, 1, "a"), (3, 3, "c")],
            vec![(2, 2, "b"), (3, 3, "c")],
            vec![],
        ]);
        assert_eq!(sink.kept, lines(&vec![(1, 1, "a"), (2, 2, "b"), (3, 3, "c")]));
        let missing: Vec<u64> = outcome.tallies.iter().map(|tally| tally.missing).collect();
        assert_eq!(missing, [1, 1, 3]);
        assert_eq!((outcome.kept, outcome.read, outcome.conflicts), (3, 4, 0));
    }

    #[test]
    fn equal_replicas_are_found_to_be_equal() {
        let replica = vec![(1, 1, "a"), (2, 2, "b")];
        let (outcome, sink) = merge_all(&[replica.clone(), replica.clone()]);
        assert!(outcome.tallies.iter().all(Tally::is_equal));
        assert_eq!((sink.kept, sink.aside), (lines(&replica), vec![]));
    }

    #[test]
    fn a_line_that_is_there_twice_is_kept_once() {
        let (outcome, sink) = merge_all(&[vec![(1, 1, "a"), (1, 1, "a"), (1, 1, "a")], vec![]]);
        assert_eq!(sink.kept.len(), 1);
        assert_eq!(outcome.tallies[0].duplicates, 2);
        assert_eq!(outcome.tallies[1].missing, 1);
    }

    #[test]
    fn two_contents_under_one_id_are_reported_and_the_lost_one_is_set_aside() {
        for (first, second, loser) in [("a", "b", 1), ("b", "a", 0)] {
            let replicas = [vec![(1, 1, first)], vec![(1, 1, second)], vec![]];
            let (outcome, sink) = merge_all(&replicas);
            assert_eq!(sink.kept, lines(&vec![(1, 1, "a")]));
            assert_eq!(sink.aside, [(loser, record(1, 1, "b").line())]);
            let Record { id, position, .. } = record(1, 1, "a");
            assert_eq!(outcome.shown, [Conflict::Contents(id, position)]);
            let tallies: Vec<(u64, u64, u64)> = outcome
                .tallies
                .iter()
                .map(|t| (t.missing, t.conflicts, t.set_aside))
                .collect();
            let lost = |replica| u64::from(replica == loser);
            assert_eq!(tallies, [(0, 1, lost(0)), (0, 1, lost(1)), (1, 0, 0)]);
        }
    }

    #[test]
    fn of_two_positions_of_one_id_the_lowest_wins() {
        let (outcome, sink) = merge_all(&[
            vec![(1, 5, "a"), (2, 6, "b")],
            vec![(1, 2, "a")],
            vec![(2, 6, "b")],
        ]);
        assert_eq!(sink.kept, lines(&vec![(1, 2, "a"), (2, 6, "b")]));
        assert_eq!(sink.aside, [], "the content is kept, so nothing is lost");
        assert_eq!(outcome.conflicts, 0);
        let tallies: Vec<(u64, u64)> = outcome.tallies.iter().map(|t| (t.missing, t.moved)).collect();
        assert_eq!(tallies, [(0, 1), (1, 0), (1, 0)]);
    }

    #[test]
    fn a_moved_message_with_another_content_is_a_conflict() {
        let (outcome, sink) = merge_all(&[vec![(1, 5, "b")], vec![(1, 2, "a"), (1, 5, "b")]]);
        assert_eq!(sink.kept, lines(&vec![(1, 2, "a")]));
        let loser = record(1, 5, "b");
        assert_eq!(sink.aside, [(0, loser.line()), (1, loser.line())]);
        assert_eq!(outcome.shown, [Conflict::Moved(loser.id, loser.position)]);
        assert!(outcome.tallies.iter().all(|tally| tally.set_aside == 1));
    }

    #[test]
    fn of_a_moved_message_with_two_other_contents_each_is_set_aside_where_it_was() {
        let (_, sink) = merge_all(&[vec![(1, 2, "a"), (1, 5, "b")], vec![(1, 5, "c")]]);
        assert_eq!(sink.kept, lines(&vec![(1, 2, "a")]));
        let (b, c) = (record(1, 5, "b").line(), record(1, 5, "c").line());
        assert_eq!(sink.aside, [(1, c), (0, b)]);
    }

    #[test]
    fn two_messages_under_one_number_are_both_kept_and_reported() {
        let (outcome, sink) = merge_all(&[vec![(2, 1, "b")], vec![(1, 1, "a")]]);
        assert_eq!(sink.kept, lines(&vec![(1, 1, "a"), (2, 1, "b")]));
        assert_eq!(outcome.conflicts, 1);
        assert!(matches!(outcome.shown[0], Conflict::Position(..)));
    }

    #[test]
    fn damaged_lines_in_a_stream_are_passed_over() {
        let mut damaged = lines(&vec![(1, 1, "a"), (2, 2, "b"), (3, 3, "c")]);
        damaged[1][10] ^= 1;
        let (outcome, sink) = merge_lines(&[damaged, lines(&vec![(2, 2, "b")])]);
        assert_eq!(sink.kept.len(), 3);
        assert_eq!(outcome.tallies[0].missing, 1);
    }

    #[test]
    fn merging_is_idempotent_commutative_and_associative_whatever_the_replicas_hold() {
        // Every small replica of ids, positions and contents that disagree in all ways.
        let texts = ["a", "b"];
        let all: Vec<(u64, u64, &str)> = (0..16)
            .map(|i: usize| (1 + i as u64 % 2, 1 + (i as u64 / 2) % 3, texts[i / 8]))
            .collect();
        let replica = |dice: u64| {
            let chosen = all.iter().enumerate().filter(|(i, _)| dice >> i & 1 == 1);
            let mut chosen: Replica<'_> = chosen.map(|(_, &entry)| entry).collect();
            chosen.sort_by_key(|&(counter, seq, text)| (seq, counter, text));
            lines(&chosen)
        };
        let merged = |replicas: &[Vec<Vec<u8>>]| merge_lines(replicas).1.kept;
        let mut dice = 1u64;
        for _ in 0..300 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let [a, b, c] = [16, 28, 40].map(|shift| replica(dice >> shift & dice >> 20));
            let all = merged(&[a.clone(), b.clone(), c.clone()]);
            assert_eq!(merged(&[c.clone(), a.clone(), b.clone()]), all);
            assert_eq!(merged(&[all.clone(), all.clone()]), all);
            assert_eq!(merged(&[merged(&[a.clone(), b.clone()]), c.clone()]), all);
            assert_eq!(merged(&[a, merged(&[b, c])]), all);
        }
    }

    #[test]
    fn a_replica_is_equal_only_if_nothing_is_missing_or_too_much() {
        assert!(Tally::default().is_equal());
        assert!(
            Tally {
                conflicts: 1,
                ..Tally::default()
            }
            .is_equal()
        );
        for unequal in [
            Tally {
                missing: 1,
                ..Tally::default()
            },
            Tally {
                duplicates: 1,
                ..Tally::default()
            },
            Tally {
                moved: 1,
                ..Tally::default()
            },
            Tally {
                set_aside: 1,
                ..Tally::default()
            },
        ] {
            assert!(!unequal.is_equal(), "{unequal:?}");
        }
        let mixed = Tally {
            missing: 1,
            duplicates: 1,
            moved: 1,
            set_aside: 1,
            conflicts: 0,
        };
        assert!(!mixed.is_equal());
    }

    #[test]
    fn all_conflicts_are_counted_and_the_first_are_shown() {
        let side = |text| {
            (1..=CONFLICTS_SHOWN as u64 + 3)
                .map(|i| (i, i, text))
                .collect::<Replica<'_>>()
        };
        let (outcome, _) = merge_all(&[side("a"), side("b")]);
        assert_eq!((outcome.conflicts, outcome.shown.len()), (23, CONFLICTS_SHOWN));
        assert_eq!(
            outcome
                .tallies
                .iter()
                .map(|tally| tally.conflicts)
                .collect::<Vec<_>>(),
            [23, 23]
        );
        assert_eq!(
            (outcome.tallies[0].set_aside, outcome.tallies[1].set_aside),
            (0, 23)
        );
    }

    #[test]
    fn a_line_that_is_beaten_after_it_came_twice_is_set_aside_once() {
        // The replica with the higher line is read first, since streams of one key come in their order.
        let (outcome, sink) = merge_all(&[vec![(1, 1, "b"), (1, 1, "b")], vec![(1, 1, "a")]]);
        assert_eq!(sink.kept, lines(&vec![(1, 1, "a")]));
        assert_eq!(sink.aside, [(0, record(1, 1, "b").line())]);
        let tally = &outcome.tallies[0];
        assert_eq!(
            (tally.duplicates, tally.set_aside, tally.missing, tally.conflicts),
            (1, 1, 0, 1)
        );
        assert_eq!(
            outcome.tallies[1],
            Tally {
                conflicts: 1,
                ..Tally::default()
            }
        );
    }

    #[test]
    fn a_conflict_of_one_key_leaves_the_next_key_alone() {
        let (outcome, _) = merge_all(&[vec![(1, 1, "a"), (2, 2, "c")], vec![(1, 1, "b")]]);
        assert_eq!(outcome.conflicts, 1);
        let missing: Vec<u64> = outcome.tallies.iter().map(|tally| tally.missing).collect();
        assert_eq!(missing, [0, 1]);
    }

    #[test]
    fn contents_of_watched_ids_are_kept_as_long_as_there_is_room() {
        let (mut watched, line) = (Watched::default(), record(1, 1, "a").line());
        let id = record(1, 1, "a").id;
        watched.note(id, &line, 0..1);
        assert!(watched.is_empty() && !watched.same_content(id, &line));
        watched.add(id);
        assert!(
            !watched.is_empty() && !watched.same_content(id, &line),
            "nothing is noted yet"
        );
        let body = RecordView::parse(&line).unwrap().body.len();
        watched.bytes = WATCHED_BYTES_MAX - body + 1;
        watched.note(id, &line, 0..1);
        assert_eq!(
            (watched.same_content(id, &line), watched.bytes),
            (false, WATCHED_BYTES_MAX - body + 1)
        );
        watched.bytes -= 1;
        watched.note(id, &line, 0..2);
        assert_eq!(
            (watched.same_content(id, &line), watched.bytes),
            (true, WATCHED_BYTES_MAX)
        );
        assert!(!watched.same_content(id, &record(1, 1, "b").line()));
        assert_eq!(watched.ids[&id].holders, BTreeSet::from([0, 1]));
    }

    #[test]
    fn no_more_ids_are_watched_than_there_is_room_for() {
        let (mut watched, id) = (Watched::default(), |counter| record(counter, 1, "").id);
        (1..=WATCHED_IDS_MAX as u64).for_each(|counter| watched.add(id(counter)));
        assert!(watched.ids.contains_key(&id(WATCHED_IDS_MAX as u64)));
        watched.add(id(WATCHED_IDS_MAX as u64 + 1));
        assert_eq!(watched.ids.len(), WATCHED_IDS_MAX);
    }
}
