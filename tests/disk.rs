//! The disk side of a node on real files: crashes at every byte, damage, rollbacks, rewrites, a full disk.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Files are broken as a crash or a bad disk would.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use roda::host::disk::{Disk, DiskError, End, Options, Outcome, Paths, Scrubbed, Story, preview_restore};
use roda::node::face::{CheckpointState, Load, RecoverLevel, Restart, Store, Ticket};
use roda::replica::{Content, PositionSet, Record};
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};

/// The node whose files these are.
const ME: NodeId = NodeId(3);
/// Its clock: the microseconds since 1970 of some day.
const CLOCK_US: u64 = 1_763_733_791_482_000;

fn at(epoch: u64, seq: u64) -> Position {
    let leader = Member {
        id: NodeId(1),
        incarnation: Incarnation(9),
    };
    let epoch = Epoch(epoch);
    Position {
        ring: RingId { epoch, leader },
        seq: Seq(seq),
    }
}

fn id(counter: u64) -> MessageId {
    let sender = Member {
        id: NodeId(2),
        incarnation: Incarnation(7),
    };
    MessageId { sender, counter }
}

fn text(position: Position, counter: u64, text: &str) -> Record {
    let content = Content::new(NodeId(2), "bia", "geral", WallTime(0), text).unwrap();
    Record::new(id(counter), position, content.to_bytes()).unwrap()
}

/// The record of number `seq` in the ring of epoch 1, with `seq` for its counter.
fn record(seq: u64) -> Record {
    text(at(1, seq), seq, "oi")
}

fn records(seqs: impl IntoIterator<Item = u64>) -> Vec<Record> {
    seqs.into_iter().map(record).collect()
}

fn positions(records: &[Record]) -> PositionSet {
    records.iter().map(|record| record.position).collect()
}

fn seqs(set: &PositionSet) -> Vec<u64> {
    set.positions().map(|position| position.seq.0).collect()
}

fn options(restore: Option<u64>, recover: RecoverLevel) -> Options {
    Options {
        restore,
        recover,
        clock_us: Box::new(|| CLOCK_US),
        dice: 5,
    }
}

fn try_open(folder: &Path, restore: Option<u64>, recover: RecoverLevel) -> Result<Node, DiskError> {
    let (disk, restart, story) = Disk::open(folder, ME, options(restore, recover))?;
    let ticket = Ticket(0);
    Ok(Node {
        disk,
        restart,
        story,
        ticket,
    })
}

fn open(folder: &Path) -> Node {
    try_open(folder, None, RecoverLevel::Own).unwrap()
}

/// An open disk and what it told. Dropping it is a crash: nothing is written at the end.
struct Node {
    disk: Disk,
    restart: Restart,
    story: Story,
    ticket: Ticket,
}

impl Node {
    fn store(&mut self, stores: Vec<Store>) -> Outcome {
        let batch = stores.into_iter().map(|store| {
            self.ticket.0 += 1;
            (self.ticket, store)
        });
        let outcome = self.disk.execute(batch.collect()).unwrap();
        assert_eq!(outcome.full, None);
        assert_eq!(outcome.durable, Some(self.ticket));
        outcome
    }

    fn append(&mut self, records: Vec<Record>) -> Outcome {
        self.store(vec![Store::Append(records)])
    }

    fn checkpoint(&mut self, written: PositionSet, leaving: bool) {
        self.store(vec![Store::Checkpoint(Box::new(CheckpointState {
            ring: Some(at(1, 1).ring),
            delivered: written.last(),
            written,
            name: "ana".into(),
            rooms: vec!["sala".into()],
            leaving,
        }))]);
    }

    fn loaded(&self, wanted: PositionSet) -> Vec<u64> {
        let bytes_max = usize::MAX;
        let records = self.disk.load(&Load { wanted, bytes_max }).unwrap();
        records.iter().map(|record| record.position.seq.0).collect()
    }
}

fn replica(folder: &Path) -> PathBuf {
    Paths::new(folder, ME).replica()
}

/// The records of a replica file in the order of the file; panics at anything else in it.
fn lines(folder: &Path) -> Vec<Record> {
    let bytes = std::fs::read(replica(folder)).unwrap();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let record = |line: &[u8]| Record::parse(line.strip_suffix(b"\n").unwrap()).unwrap();
    lines.map(record).collect()
}

fn line(record: &Record) -> Vec<u8> {
    let mut line = Vec::new();
    record.write_line(&mut line);
    line
}

#[test]
fn a_first_start_finds_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let node = open(&folder.path().join("new/folder"));
    assert_eq!(node.story.end, End::None);
    assert_eq!(node.story.warnings, Vec::<String>::new());
    assert!(node.restart.held.is_empty() && node.restart.name.is_none());
    assert!(node.restart.incarnation > Incarnation(0));
    assert!(node.disk.last_records(10).unwrap().is_empty());
}

#[test]
fn every_start_is_a_new_life_even_with_the_same_clock_and_dice() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).restart.incarnation;
    let second = open(folder.path()).restart.incarnation;
    assert!(second > first);
}

#[test]
fn a_folder_that_is_a_file_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = try_open(&file, None, RecoverLevel::Own).err().unwrap();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_a_clear_error() {
    // Nobody may create anything there, whoever they are.
    let error = try_open(Path::new("/sys"), None, RecoverLevel::Own)
        .err()
        .unwrap();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("/sys/replicas"), "{error}");
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn a_second_start_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let error = try_open(folder.path(), None, RecoverLevel::Own).err().unwrap();
    assert_eq!(error.exit_code(), 5);
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
}

#[test]
fn a_crash_at_every_byte_of_the_last_record_costs_at_most_that_record() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(records(1..=3));
    let whole = std::fs::read(replica(folder.path())).unwrap();
    let start = whole.len() - line(&record(3)).len();
    for cut in start..=whole.len() {
        std::fs::write(replica(folder.path()), &whole[..cut]).unwrap();
        let mut node = open(folder.path());
        let complete = cut + 1 >= whole.len();
        let expected: Vec<u64> = if complete { vec![1, 2, 3] } else { vec![1, 2] };
        assert_eq!(seqs(&node.restart.held), expected, "cut at {cut}");
        let torn = cut > start && !complete;
        assert_eq!(
            node.story.warnings.len(),
            usize::from(torn),
            "cut at {cut}: {:?}",
            node.story.warnings
        );
        node.append(records(3..=4));
        assert_eq!(lines(folder.path()), records(1..=4), "cut at {cut}");
        let aside = Paths::new(folder.path(), ME).replica_damaged();
        if torn {
            let expected = [&whole[start..cut], b"\n"].concat();
            assert_eq!(std::fs::read(&aside).unwrap(), expected, "cut at {cut}");
            std::fs::remove_file(&aside).unwrap();
        }
        assert!(!aside.exists());
    }
}

#[test]
fn a_flipped_bit_costs_one_record_which_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(records(1..=5));
    let mut bytes = std::fs::read(replica(folder.path())).unwrap();
    let length = line(&record(1)).len();
    bytes[2 * length + length / 2] ^= 0x20;
    std::fs::write(replica(folder.path()), &bytes).unwrap();
    let node = open(folder.path());
    assert_eq!(seqs(&node.restart.held), [1, 2, 4, 5]);
    assert!(!node.restart.ids.contains(id(3)), "it is asked for again");
    let aside = Paths::new(folder.path(), ME).replica_damaged();
    assert_eq!(std::fs::read(&aside).unwrap(), &bytes[2 * length..3 * length]);
    let said = node.story.warnings.join("\n");
    assert!(
        said.contains("1 damaged lines") && said.contains(aside.to_str().unwrap()),
        "{said}"
    );
    assert_eq!(node.disk.generation(), 1);
    assert_eq!(lines(folder.path()), records([1, 2, 4, 5]));
    drop(node);
    assert_eq!(
        open(folder.path()).story.warnings,
        Vec::<String>::new(),
        "said once"
    );
}

#[test]
fn rubbish_of_all_kinds_is_set_aside_whole() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(records(1..=2));
    let long = [vec![b'x'; 1_000_000], b"\n".to_vec()].concat();
    let rubbish = [b"\n\xff\xfe\n{\"v\":1}\n".to_vec(), long].concat();
    let mut bytes = rubbish.clone();
    bytes.extend(std::fs::read(replica(folder.path())).unwrap());
    bytes.extend(&rubbish);
    std::fs::write(replica(folder.path()), &bytes).unwrap();
    let node = open(folder.path());
    assert_eq!(seqs(&node.restart.held), [1, 2]);
    assert!(
        node.story.warnings[0].contains("8 damaged lines"),
        "{:?}",
        node.story.warnings
    );
    let aside = std::fs::read(Paths::new(folder.path(), ME).replica_damaged()).unwrap();
    assert_eq!(aside, [&rubbish[..], &rubbish[..]].concat());
}

#[test]
fn a_replica_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(records(1..=2));
    let text = String::from_utf8(std::fs::read(replica(folder.path())).unwrap()).unwrap();
    let newer = format!("{text}{{\"v\":2,\"what\":\"ever\",\"sum\":\"00000000\"}}\n");
    std::fs::write(replica(folder.path()), &newer).unwrap();
    let error = try_open(folder.path(), None, RecoverLevel::Own).err().unwrap();
    assert_eq!(error.exit_code(), 7);
    assert!(error.to_string().contains("version 2"), "{error}");
    assert_eq!(std::fs::read(replica(folder.path())).unwrap(), newer.as_bytes());
}

#[test]
fn an_empty_replica_is_a_replica() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    std::fs::write(replica(folder.path()), "").unwrap();
    let node = open(folder.path());
    assert_eq!((node.story.records, node.story.warnings.len()), (0, 0));
}

#[test]
fn of_doubles_in_the_file_the_lowest_position_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records(1..=2));
    drop(node);
    let mut bytes = std::fs::read(replica(folder.path())).unwrap();
    let higher = text(at(2, 9), 2, "oi");
    let lower = text(at(1, 7), 8, "oi");
    let doubles = [&higher, &record(1), &text(at(3, 1), 8, "oi"), &lower];
    doubles.iter().for_each(|double| bytes.extend(line(double)));
    std::fs::write(replica(folder.path()), bytes).unwrap();
    let node = open(folder.path());
    assert_eq!(lines(folder.path()), [record(1), record(2), lower]);
    assert_eq!(node.restart.high, Seq(7));
    assert!(
        node.story.warnings[0].contains("3 messages were there twice"),
        "{:?}",
        node.story.warnings
    );
}

#[test]
fn two_contents_under_one_id_are_a_conflict_and_the_first_stays() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(records(1..=1));
    let mut bytes = std::fs::read(replica(folder.path())).unwrap();
    let other = text(at(1, 1), 1, "something else");
    bytes.extend(line(&other));
    std::fs::write(replica(folder.path()), bytes).unwrap();
    let node = open(folder.path());
    assert_eq!(lines(folder.path()), [record(1)]);
    assert!(
        node.story.warnings[0].contains("contradict"),
        "{:?}",
        node.story.warnings
    );
    let aside = std::fs::read(Paths::new(folder.path(), ME).replica_damaged()).unwrap();
    assert_eq!(aside, line(&other));
}

#[test]
fn of_doubles_that_come_in_the_lowest_position_stays_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let low = text(at(1, 5), 5, "oi");
    let high = text(at(2, 1), 5, "oi");
    assert!(node.append(vec![high.clone()]).stored.moved.is_empty());
    let moved = node.append(vec![low.clone(), record(6)]).stored.moved;
    assert_eq!(moved.len(), 1);
    assert_eq!((moved[0].from, moved[0].to), (high.position, low.position));
    let moved = node.append(vec![high.clone(), low.clone()]).stored.moved;
    assert_eq!(
        (moved[0].from, moved[0].to, moved.len()),
        (high.position, low.position, 1)
    );
    assert_eq!(
        node.loaded(positions(&[high.clone(), low.clone(), record(6)])),
        [5, 6]
    );
    assert_eq!(lines(folder.path()), [low, record(6)], "one line a message");
    assert_eq!(node.disk.generation(), 1);
    let mut node = open_after(node, folder.path());
    assert_eq!(seqs(&node.restart.held), [5, 6]);
    assert_eq!(node.story.warnings, Vec::<String>::new());
    node.append(vec![record(9), record(7), text(at(1, 8), 9, "oi")]);
    let in_order_of_the_file = [
        text(at(1, 5), 5, "oi"),
        record(6),
        record(7),
        text(at(1, 8), 9, "oi"),
    ];
    assert_eq!(
        lines(folder.path()),
        in_order_of_the_file,
        "nothing else is moved"
    );
}

#[test]
fn a_crash_is_told_in_numbers_and_recovered_from_the_own_replica() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records(1..=5));
    node.checkpoint(positions(&records([1, 2, 4])), false);
    node.append(records(6..=8));
    drop(node);
    let node = open(folder.path());
    let story = &node.story;
    assert_eq!(story.checkpoint, Some((1, WallTime(CLOCK_US / 1000))));
    assert_eq!((story.rolled_back, story.recovered, story.held), (5, 5, 8));
    assert_eq!((story.end, story.restored), (End::Crash, false));
    assert_eq!(story.warnings, Vec::<String>::new());
    let said = story.to_string();
    assert!(said.contains("5 messages rolled back, 5 recovered"), "{said}");
    assert_eq!(node.restart.digest.records(), 8);
    assert_eq!(node.restart.name.as_deref(), Some("ana"));
    assert_eq!(node.restart.rooms, ["sala", "geral"]);
    assert_eq!((node.restart.epoch, node.restart.high), (Epoch(1), Seq(8)));
}

#[test]
fn leaving_with_all_in_the_checkpoint_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records(1..=5));
    node.checkpoint(positions(&records(1..=5)), true);
    drop(node);
    let story = open(folder.path()).story;
    assert_eq!((story.end, story.rolled_back, story.held), (End::Clean, 0, 5));
}

#[test]
fn without_recovery_the_rest_stays_in_the_file_and_out_of_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records(1..=5));
    node.checkpoint(positions(&records(1..=5)), false);
    node.append(records(6..=8));
    drop(node);
    let mut node = try_open(folder.path(), None, RecoverLevel::None).unwrap();
    assert_eq!(
        (node.story.rolled_back, node.story.recovered, node.story.held),
        (3, 0, 5)
    );
    assert_eq!(seqs(&node.restart.held), [1, 2, 3, 4, 5]);
    assert_eq!(node.restart.digest.records(), 5);
    assert!(
        node.restart.ids.contains(id(8)),
        "ids are those of the whole file"
    );
    let all = positions(&records(1..=9));
    assert_eq!(node.loaded(all.clone()), [1, 2, 3, 4, 5]);
    assert_eq!(node.disk.last_records(2).unwrap(), records(4..=5));
    assert!(node.disk.find(Seq(7), None).unwrap().is_empty());
    node.append(records([7, 9]));
    assert_eq!(
        node.loaded(all.clone()),
        [1, 2, 3, 4, 5, 7, 9],
        "what comes again is back"
    );
    assert_eq!(lines(folder.path()), records(1..=9), "and nothing is there twice");
    node.checkpoint(positions(&records([1, 2, 3, 4, 5, 7, 9])), false);
    drop(node);
    let node = open(folder.path());
    assert_eq!(
        (node.story.rolled_back, node.story.recovered, node.story.held),
        (2, 2, 9)
    );
}

#[test]
fn restore_goes_back_further_and_the_next_start_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    for end in 1..=7 {
        node.append(records([end]));
        node.checkpoint(positions(&records(1..=end)), end == 7);
    }
    drop(node);
    let before = std::fs::read(replica(folder.path())).unwrap();
    let preview = preview_restore(folder.path(), ME, 4).unwrap();
    assert_eq!((preview.number, preview.held, preview.discards), (4, 4, 3));
    let error = try_open(folder.path(), Some(2), RecoverLevel::None)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "there is no checkpoint 2; there are: 3, 4, 5, 6, 7"
    );
    assert_eq!(preview_restore(folder.path(), ME, 2).unwrap_err().exit_code(), 2);
    let node = try_open(folder.path(), Some(4), RecoverLevel::None).unwrap();
    assert_eq!(
        (node.story.rolled_back, node.story.recovered, node.story.held),
        (3, 0, 4)
    );
    assert_eq!((node.story.restored, node.story.end), (true, End::Crash));
    drop(node);
    let node = open(folder.path());
    assert_eq!(node.story.checkpoint.unwrap().0, 7);
    assert_eq!(node.story.end, End::Clean);
    assert_eq!(
        std::fs::read(replica(folder.path())).unwrap(),
        before,
        "nothing was deleted"
    );
}

#[test]
fn a_damaged_newest_checkpoint_falls_back_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    for end in [2, 6] {
        node.append(records(end - 1..=end));
        node.checkpoint(positions(&records(1..=end)), false);
    }
    drop(node);
    std::fs::write(Paths::new(folder.path(), ME).checkpoint(2), "{\"v\":1,\"no").unwrap();
    let story = open(folder.path()).story;
    assert_eq!(story.checkpoint.unwrap().0, 1);
    assert_eq!((story.rolled_back, story.recovered), (2, 2));
    assert!(story.warnings[0].contains("2.json") && story.warnings[0].contains("cut off"));
}

#[test]
fn a_replica_that_lost_its_tail_or_was_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records(1..=5));
    node.checkpoint(positions(&records(1..=5)), false);
    drop(node);
    let turned: Vec<u8> = records((1..=5).rev()).iter().flat_map(line).collect();
    std::fs::write(replica(folder.path()), &turned).unwrap();
    let mut node = open(folder.path());
    assert_eq!((node.story.warnings.len(), node.story.held), (0, 5));
    let Scrubbed::Mended(mended) = scrub(&mut node) else {
        panic!("it is not as it was")
    };
    assert!(mended.lost.is_empty());
    assert!(
        mended.warnings[0].contains("changed by other means"),
        "{:?}",
        mended.warnings
    );
    drop(node);
    std::fs::write(replica(folder.path()), &turned[..line(&record(1)).len() * 2]).unwrap();
    let story = open(folder.path()).story;
    assert!(
        story.warnings[0].contains("3 messages that checkpoint 1 held"),
        "{:?}",
        story.warnings
    );
    assert_eq!((story.held, story.rolled_back), (2, 0));
}

#[test]
fn a_lost_identity_is_built_again_above_all_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let epoch = Epoch(6);
    let far = Incarnation(u64::MAX / 4);
    let own = MessageId {
        sender: Member {
            id: ME,
            incarnation: far,
        },
        counter: 1,
    };
    let content = Content::new(ME, "ana", "geral", WallTime(0), "oi")
        .unwrap()
        .to_bytes();
    let said = Record::new(own, at(6, 10), content).unwrap();
    let incarnation = node.restart.incarnation;
    node.store(vec![
        Store::Identity { incarnation, epoch },
        Store::Append(vec![said]),
    ]);
    drop(node);
    let identity = Paths::new(folder.path(), ME).identity();
    std::fs::write(&identity, "{\"v\":1,\"inc").unwrap();
    let node = open(folder.path());
    assert!(node.restart.incarnation > far);
    assert_eq!(node.restart.epoch, epoch);
    assert!(
        node.story.warnings[0].contains("identity.damaged.json"),
        "{:?}",
        node.story.warnings
    );
    drop(node);
    std::fs::remove_file(&identity).unwrap();
    let node = open(folder.path());
    assert!(
        node.story.warnings[0].contains("missing"),
        "{:?}",
        node.story.warnings
    );
}

#[test]
fn the_epoch_survives_and_the_outbox_waits_until_the_replica_has_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let incarnation = node.restart.incarnation;
    let epoch = Epoch(9);
    let content = record(1).content;
    let outbox = |counter| Store::Outbox {
        id: id(counter),
        content: content.clone(),
    };
    let identity = Store::Identity { incarnation, epoch };
    node.store(vec![
        outbox(1),
        identity,
        outbox(2),
        Store::Append(records([1])),
        outbox(3),
    ]);
    drop(node);
    let mut node = open(folder.path());
    assert_eq!(node.restart.epoch, epoch);
    let expected: Vec<(MessageId, Bytes)> = [2, 3].map(|counter| (id(counter), content.clone())).into();
    assert_eq!(node.restart.outbox, expected);
    assert_eq!(node.story.waiting, 2);
    node.store(vec![
        Store::Append(records([2, 3])),
        Store::OutboxForget(vec![id(2), id(3)]),
    ]);
    assert_eq!(
        std::fs::read(Paths::new(folder.path(), ME).outbox()).unwrap(),
        b""
    );
}

#[test]
fn loads_are_in_canonical_order_across_blocks_and_end_at_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let late: Vec<Record> = (1..=10)
        .map(|seq| text(at(2, 5000 + seq), 9000 + seq, "oi"))
        .collect();
    node.append(late.clone());
    node.append(records((1..=2500).rev()));
    let mut all = records(1..=2500);
    all.extend(late);
    let wanted = positions(&all);
    let bytes_max = usize::MAX;
    assert_eq!(
        node.disk
            .load(&Load {
                wanted: wanted.clone(),
                bytes_max
            })
            .unwrap(),
        all
    );
    let bytes_max = record(1).content.len() * 10;
    let some = node
        .disk
        .load(&Load {
            wanted: wanted.clone(),
            bytes_max,
        })
        .unwrap();
    assert_eq!(some, all[..10]);
    let one = node.disk.load(&Load { wanted, bytes_max: 1 }).unwrap();
    assert_eq!(one, all[..1], "at least one");
    assert_eq!(node.disk.last_records(12).unwrap(), all[all.len() - 12..]);
    let again = open_after(node, folder.path());
    assert_eq!(again.disk.last_records(1500).unwrap(), all[all.len() - 1500..]);
}

fn open_after(node: Node, folder: &Path) -> Node {
    drop(node);
    open(folder)
}

#[test]
fn a_number_of_a_split_network_is_found_twice_and_by_its_ring_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(vec![record(4), text(at(2, 4), 40, "oi")]);
    assert_eq!(node.disk.find(Seq(4), None).unwrap().len(), 2);
    let found = node.disk.find(Seq(4), Some((Epoch(2), NodeId(1)))).unwrap();
    assert_eq!(found, [text(at(2, 4), 40, "oi")]);
    assert!(
        node.disk
            .find(Seq(4), Some((Epoch(2), NodeId(2))))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_rewrite_sorts_up_to_the_cut_and_the_next_start_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let order = [5, 2, 3000, 9, 1, 2000, 8, 3, 7];
    node.append(records(order));
    let cut = at(1, 2000);
    let rewrite = Store::Rewrite { cut };
    node.store(vec![rewrite.clone(), Store::Append(records([4]))]);
    assert_eq!(
        lines(folder.path()),
        records([1, 2, 3, 5, 7, 8, 9, 2000, 3000, 4])
    );
    assert_eq!(node.disk.generation(), 1);
    node.checkpoint(positions(&records(order)), false);
    let node = open_after(node, folder.path());
    assert_eq!(
        node.story.warnings,
        Vec::<String>::new(),
        "length and digest are of the new file"
    );
    assert_eq!((node.story.rolled_back, node.disk.generation()), (1, 1));
    let mut node = open_after(node, folder.path());
    node.store(vec![rewrite]);
    assert_eq!(
        lines(folder.path()),
        records([1, 2, 3, 4, 5, 7, 8, 9, 2000, 3000])
    );
    assert_eq!(
        node.loaded(positions(&records(1..=3000))),
        [1, 2, 3, 4, 5, 7, 8, 9, 2000, 3000]
    );
    let node = open_after(node, folder.path());
    assert_eq!(
        node.story.warnings,
        Vec::<String>::new(),
        "an older generation is not compared"
    );
}

#[test]
fn a_rewrite_keeps_what_was_rolled_back_and_drops_what_was_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(vec![record(3), text(at(2, 1), 2, "oi")]);
    node.append(records([2]));
    node.checkpoint(positions(&records([2])), false);
    drop(node);
    let mut node = try_open(folder.path(), None, RecoverLevel::None).unwrap();
    node.store(vec![Store::Rewrite { cut: at(9, 9) }]);
    assert_eq!(lines(folder.path()), records([2, 3]));
    assert_eq!(
        node.loaded(positions(&records([2, 3]))),
        [2],
        "still discarded from the state"
    );
}

#[test]
fn a_long_rewrite_holds_a_part_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let long = "x".repeat(60_000);
    let mut all: Vec<Record> = (1..=200).map(|seq| text(at(1, seq), seq, &long)).collect();
    all.reverse();
    node.append(all.clone());
    node.store(vec![Store::Rewrite { cut: at(9, 9) }]);
    all.reverse();
    assert_eq!(lines(folder.path()), all);
}

#[test]
fn a_replica_damaged_since_the_start_is_not_written_anew_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records([2, 1, 3]));
    let mut bytes = std::fs::read(replica(folder.path())).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(replica(folder.path()), &bytes).unwrap();
    let rewrite = vec![(Ticket(9), Store::Rewrite { cut: at(9, 9) })];
    let error = node.disk.execute(rewrite).unwrap_err().to_string();
    assert!(
        error.contains("1 records were damaged since the start"),
        "{error}"
    );
    assert_eq!(std::fs::read(replica(folder.path())).unwrap(), bytes);
    drop(node);
    let node = open(folder.path());
    assert_eq!((node.story.set_aside, node.story.records), (1, 2));
}

#[test]
fn a_crash_in_a_rewrite_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    node.append(records([2, 1]));
    node.checkpoint(positions(&records([1, 2])), true);
    drop(node);
    let mut leftover = replica(folder.path()).into_os_string();
    leftover.push(".new");
    std::fs::write(&leftover, "{\"v\":1,\"id\":\"2-").unwrap();
    roda::host::disk::raise_generation(&Paths::new(folder.path(), ME)).unwrap();
    let mut node = open(folder.path());
    assert_eq!(node.story.warnings, Vec::<String>::new());
    assert_eq!((node.story.end, node.disk.generation()), (End::Clean, 1));
    node.store(vec![Store::Rewrite { cut: at(9, 9) }]);
    assert_eq!(lines(folder.path()), records([1, 2]));
    assert!(!Path::new(&leftover).exists());
}

#[test]
fn accepted_chunks_come_back_until_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    assert!(!Paths::new(folder.path(), ME).accepted().exists());
    let accepted = |seq| roda::node::face::Accepted {
        position: at(1, seq),
        chunk: roda::wire::Chunk {
            seq: Seq(seq),
            id: id(seq),
            fragment: 0,
            fragments: 1,
            bytes: Bytes::from_static(b"\x00\xffoi"),
        },
    };
    node.store(vec![
        Store::Accept(vec![accepted(1), accepted(2)]),
        Store::AcceptForget(at(1, 1)),
    ]);
    let mut node = open_after(node, folder.path());
    assert_eq!(node.restart.accepted, [accepted(2)]);
    node.store(vec![Store::AcceptForget(at(1, 2))]);
    assert!(open_after(node, folder.path()).restart.accepted.is_empty());
}

/// A replica of so many records, with books of those up to the checkpoint, and a crash.
fn crashed(folder: &Path, in_books: u64, behind: u64) {
    let mut node = open(folder);
    let all = records(1..=in_books);
    node.append(all.clone());
    node.checkpoint(positions(&all), false);
    if behind > 0 {
        node.append(records(in_books + 1..=in_books + behind));
    }
}

/// What a start found, as far as books could change it.
fn found(node: &Node) -> impl PartialEq + std::fmt::Debug + use<> {
    let restart = &node.restart;
    let numbers = (restart.out_of_order, restart.high, restart.epoch);
    let (held, ids, digest) = (restart.held.clone(), restart.ids.clone(), restart.digest.clone());
    let story = (
        node.story.records,
        node.story.rolled_back,
        node.story.warnings.clone(),
    );
    (held, ids, digest, numbers, story)
}

/// Flips a bit of the replica, in the text of this record.
fn rot(folder: &Path, seq: u64) {
    let path = replica(folder);
    let mut bytes = std::fs::read(&path).unwrap();
    let line = line(&record(seq));
    let start = bytes
        .windows(line.len())
        .position(|window| window == line)
        .unwrap();
    bytes[start + line.len() - 30] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

fn scrub(node: &mut Node) -> Scrubbed {
    for _ in 0..10_000 {
        match node.disk.scrub(4_096).unwrap() {
            Scrubbed::More => assert!(node.disk.is_scrubbing()),
            done @ (Scrubbed::Done | Scrubbed::NoRoom(_) | Scrubbed::Mended(_)) => {
                assert!(!node.disk.is_scrubbing());
                return done;
            }
        }
    }
    panic!("it never ends");
}

#[test]
fn with_books_a_start_finds_what_it_would_by_reading_everything() {
    let folder = tempfile::tempdir().unwrap();
    crashed(folder.path(), 3_000, 20);
    let books = Paths::new(folder.path(), ME).books();
    let with = open(folder.path());
    let told = found(&with);
    assert!(with.disk.is_scrubbing(), "it has not read everything");
    drop(with);
    std::fs::remove_file(&books).unwrap();
    let without = open(folder.path());
    assert!(!without.disk.is_scrubbing(), "it has read everything");
    assert_eq!(found(&without), told);
    assert_eq!(without.restart.held.len(), 3_020);
}

#[test]
fn what_a_start_did_not_read_is_scrubbed_and_found_to_be_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    crashed(folder.path(), 3_000, 20);
    let mut node = open(folder.path());
    // What is appended meanwhile changes nothing of it.
    node.append(records(3_021..=3_030));
    assert!(matches!(scrub(&mut node), Scrubbed::Done));
    assert!(
        matches!(node.disk.scrub(1).unwrap(), Scrubbed::Done),
        "once is enough"
    );
}

#[test]
fn rot_before_the_books_is_found_by_the_scrub_and_repaired_while_the_node_lives() {
    let folder = tempfile::tempdir().unwrap();
    crashed(folder.path(), 3_000, 20);
    rot(folder.path(), 5);
    let mut node = open(folder.path());
    assert_eq!(
        (node.story.set_aside, node.story.warnings.len()),
        (0, 0),
        "it was not read"
    );
    node.append(records([3_021]));
    let Scrubbed::Mended(mended) = scrub(&mut node) else {
        panic!("a bit has rotted")
    };
    assert_eq!(seqs(&mended.lost), [5]);
    assert_eq!(mended.digest.records(), 3_020);
    assert!(
        mended.warnings[0].contains("1 damaged lines, set aside"),
        "{:?}",
        mended.warnings
    );
    let near = positions(&records(4..=6));
    assert_eq!(node.loaded(near.clone()), [4, 6]);
    // Somebody has it still.
    node.append(records([5]));
    assert_eq!(node.loaded(near), [4, 5, 6]);
    node.checkpoint(positions(&records(1..=3_021)), false);
    drop(node);
    let mut node = open(folder.path());
    assert_eq!(node.restart.held.len(), 3_021);
    assert_eq!(node.restart.out_of_order, 1);
    assert!(matches!(scrub(&mut node), Scrubbed::Done));
}

#[test]
fn a_file_that_was_changed_by_other_means_is_found_too() {
    let folder = tempfile::tempdir().unwrap();
    crashed(folder.path(), 2_000, 0);
    let bytes = std::fs::read(replica(folder.path())).unwrap();
    let gone = line(&record(7));
    let start = bytes
        .windows(gone.len())
        .position(|window| window == gone)
        .unwrap();
    let mut changed = [&bytes[..start], &bytes[start + gone.len()..]].concat();
    // As long as before.
    changed.extend_from_slice(&line(&record(9_007))[..gone.len() - 1]);
    changed.truncate(bytes.len() - 1);
    changed.push(b'\n');
    std::fs::write(replica(folder.path()), changed).unwrap();
    let mut node = open(folder.path());
    let Scrubbed::Mended(mended) = scrub(&mut node) else {
        panic!("it was changed")
    };
    assert_eq!(seqs(&mended.lost), [7]);
}

#[test]
fn books_that_are_damaged_or_of_another_file_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    crashed(folder.path(), 1_500, 3);
    let books = Paths::new(folder.path(), ME).books();
    let (good, all) = (
        std::fs::read(&books).unwrap(),
        std::fs::read(replica(folder.path())).unwrap(),
    );
    std::fs::remove_file(&books).unwrap();
    let expected = found(&open(folder.path()));
    for at in (0..8 * good.len()).step_by(7) {
        let mut flipped = good.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        std::fs::write(&books, flipped).unwrap();
        assert_eq!(found(&open(folder.path())), expected, "bit {at}");
    }
    for length in (0..=good.len()).step_by(3) {
        std::fs::write(&books, &good[..length]).unwrap();
        assert_eq!(found(&open(folder.path())), expected, "cut at {length}");
    }
    // The file is shorter than they say.
    std::fs::write(&books, &good).unwrap();
    let cut = all.len() / 2;
    std::fs::write(replica(folder.path()), &all[..cut]).unwrap();
    let node = open(folder.path());
    assert!(!node.disk.is_scrubbing());
    assert!(node.restart.held.len() < 1_000, "{}", node.restart.held.len());
}

#[test]
fn books_stay_small_beside_what_they_tell_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = open(folder.path());
    let mut written = PositionSet::new();
    for part in 0..400 {
        let some = records(part * 10 + 1..=part * 10 + 10);
        written.union_with(&positions(&some));
        node.append(some);
        node.checkpoint(written.clone(), false);
    }
    let length = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    let books = length(Paths::new(folder.path(), ME).books());
    assert!(books < 140_000, "{books} bytes of books after 400 checkpoints");
    drop(node);
    let mut node = open(folder.path());
    assert_eq!(node.restart.held.len(), 4_000);
    assert!(matches!(scrub(&mut node), Scrubbed::Done));
}
